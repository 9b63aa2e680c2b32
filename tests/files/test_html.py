"""Tables for notebooks: what a stranger wrote is shown and does nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.errors import printable
from recognizer.files.html import MOST_ROWS, WIDTH, bar, table

TAGS = {"div", "table", "tr", "th", "td"}


class Reader(HTMLParser):
    """What a browser would see: the tags, and the text in each cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.texts, self.attributes, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(text: str) -> Reader:
    """As a browser does; it needs nothing from elsewhere."""
    reader = Reader(text)
    assert reader.open == []
    assert set(reader.tags) <= TAGS
    assert set(reader.attributes) <= {"style"}
    assert not re.search(r"://|url\(|@import", re.sub(r">[^<]*<", "><", text))
    return reader


@given(title=st.text(), cells=st.lists(st.text(min_size=1), min_size=1), header=st.lists(st.text(min_size=1)))
def test_any_text_is_only_text(title, cells, header):
    found = read(table(title, [cells], header))
    assert "".join(found.texts) == printable("".join([title, *header, *cells]))
    assert (found.tags.count("td"), found.tags.count("th")) == (len(cells), len(header))


def test_a_script_is_not_run():
    text = table("<script>alert(1)</script>", [("<img src=x onerror=alert(1)>", "\"'&", "\x1b[2J\u202e")])
    assert "<script" not in text
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(("share", "pixels"), [(0, 0), (0.5, WIDTH // 2), (1, WIDTH), (-1, 0), (2, WIDTH)])
def test_a_bar_is_as_long_as_its_share(share, pixels):
    assert f"width: {pixels}px" in bar(share)
    read(table("", [("word", bar(share))]))


@pytest.mark.parametrize("count", [0, 1, MOST_ROWS, MOST_ROWS + 1, 1000])
def test_a_long_table_says_how_many_more_there_are(count):
    found = read(table("words", [(f"word {number}",) for number in range(count)]))
    assert found.texts[1:][:MOST_ROWS] == [f"word {number}" for number in range(min(count, MOST_ROWS))]
    assert found.texts[1 + MOST_ROWS :] == ([f"and {count - MOST_ROWS} more"] if count > MOST_ROWS else [])
