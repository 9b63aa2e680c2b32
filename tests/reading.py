"""Pages as a browser reads them: a tree, of which is checked what is wanted of every page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "img"}  # elements that have no end
OF_THE_PROGRAM = {"class", "style", "dir", "lang", "scope", "id", "tabindex", "role", "hidden", "type", "href", "src"}
OF_THE_PROGRAM |= {"aria-label", "aria-hidden", "alt", "controls", "preload", "data-cell", "charset", "content", "name"}
OF_THE_PROGRAM |= {"http-equiv", "viewbox", "preserveaspectratio", "points", "vector-effect"}


@dataclass
class Element:
    """A part of a page, with what is in it in order."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    inside: list[Element | str] = field(default_factory=list)

    def all(self, tag: str | None = None, **attributes: str) -> Iterator[Element]:
        """The elements below it with a tag and attributes."""
        for part in self.inside:
            if isinstance(part, Element):
                if tag in (None, part.tag) and attributes.items() <= part.attributes.items():
                    yield part
                yield from part.all(tag, **attributes)

    def one(self, tag: str, **attributes: str) -> Element:
        [found] = self.all(tag, **attributes)
        return found

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part.text for part in self.inside)

    @property
    def rows(self) -> list[list[str]]:
        """The text of the cells of a table."""
        return [[cell.text for cell in row.all() if cell.tag in ("th", "td")] for row in self.all("tr")]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("")]

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), "no attribute twice"
        element = Element(tag, dict(attrs))
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        assert tag == "polyline", "of SVG alone"
        self.open[-1].inside.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].inside.append(data)

    def handle_comment(self, data):
        raise AssertionError("no comments")


def tree(text: str) -> Element:
    """A part of a page; what is opened is closed, in order."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    [whole] = parser.open
    return whole


def read_page(text: str) -> Element:
    """A whole page, in which nothing is from elsewhere, nothing runs but one script, and everything has a name."""
    assert text.startswith("<!DOCTYPE html>\n")
    whole = tree(text)
    assert whole.one("html").attributes == {"lang": "en"}
    assert whole.one("title").text == whole.one("h1").text
    everything = list(whole.all())
    assert {name for element in everything for name in element.attributes} <= OF_THE_PROGRAM
    for element in everything:
        if "src" in element.attributes:
            kind = {"audio": "audio/wav", "img": "image/png"}[element.tag]
            assert element.attributes["src"].startswith(f"data:{kind};base64,")
        assert not re.search(r"url\(|://", element.attributes.get("style", ""))
    ids = [element.attributes["id"] for element in everything if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    assert {element.attributes["href"] for element in everything if "href" in element.attributes} <= {
        f"#{i}" for i in ids
    }
    assert not re.search(r"url\(|@import|://", whole.one("style").text)
    policy = whole.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy.startswith("default-src 'none'; ")
    run = [element for element in whole.all("script") if element.attributes.get("type") != "application/json"]
    digests = [base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode() for element in run]
    assert re.findall(r"'sha256-([^']+)'", policy) == digests
    assert len(run) <= 1
    for table in whole.all("table"):
        assert table.one("caption").text
        assert all(cell.attributes.get("scope") in ("col", "row") for cell in table.all("th"))
        assert len({len(row) for row in table.rows}) == 1
    assert all(picture.attributes["alt"] for picture in whole.all("img"))
    assert all(sound.attributes["aria-label"] for sound in whole.all("audio"))
    assert all(button.attributes["type"] == "button" and button.text for button in whole.all("button"))
    return whole


def data_of(whole: Element) -> dict:
    """What the script of a page reads."""
    return json.loads(whole.one("script", type="application/json").text)
