"""Pages: what a stranger wrote is shown and does nothing, and nothing is fetched from anywhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read_page, tree

from recognizer.errors import printable
from recognizer.files.html import Markup
from recognizer.files.page import REACH, captioned, curve, data, embedded, measured, own, sections, whole_page
from recognizer.intervals import Proportion

HOSTILE = [
    "<script>alert(1)</script>",
    '"onload="alert(1)',
    "</script><img src=x onerror=alert(1)>",
    "<!-- <script>",
    "&lt;b&gt; ' \u2028 \u2029 \x00 \x1b[2J \u202e \udcff",
]
texts = st.text() | st.sampled_from(HOSTILE)


@given(title=texts.filter(bool), cells=st.lists(texts, min_size=1))
def test_any_text_is_only_text(title, cells):
    whole = read_page(whole_page(title, captioned(title, cells, [cells, cells]) + own(title)))
    assert whole.one("h1").text == whole.one("caption").text == printable(title)
    assert whole.one("table").rows == [[printable(cell) for cell in cells]] * 3
    assert [e.tag for e in whole.one("main").all()][:4] == ["h1", "bdi", "div", "table"]
    assert whole.one("div").attributes["aria-label"] == printable(title)
    assert not list(whole.all("script"))
    assert not list(whole.all("img"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
)


@given(values)
def test_values_reach_the_script_as_they_are(value):
    written = data("x", value)
    assert json.loads(tree(written).one("script", type="application/json", id="x").text) == value
    assert written.isascii()
    assert written.count("<") == 2


def test_a_script_runs_because_the_page_names_it():
    whole = read_page(whole_page("x", "", script="let x = 1 < 2;"))
    assert whole.one("script").text == "let x = 1 < 2;"
    assert "script-src" not in whole_page("x", "")


@pytest.mark.parametrize(
    ("score", "told"),
    [
        (Proportion.of(3, 4), ["4", "75.00", "", "30.1 to 95.4", "0.0 to 100.0", "4 takes"]),
        ({"accuracy": 0.75, "n": 4, "interval": [0.3, 0.95]}, ["4", "75.00", "", "30.0 to 95.0", "not known", ""]),
        ({"accuracy": 7, "n": 4, "interval": [-3, 9]}, ["4", "700.00", "", "-300.0 to 900.0", "not known", ""]),
    ],
    ids=["both intervals", "one interval", "no shares of one"],
)
def test_what_was_measured_is_told_in_numbers_and_drawn(score, told):
    cells = measured(score.as_json() if isinstance(score, Proportion) else score)
    assert len(cells) == len(REACH)
    [row] = tree(captioned("", REACH, [cells])).one("tbody").all("tr")
    assert [cell.text for cell in row.all() if cell.tag in ("th", "td")] == told
    reach, point = (e.attributes["style"] for e in row.one("span", **{"class": "reach"}).all("span"))
    low, wide = (float(part.partition(": ")[2].rstrip("%")) for part in reach.split(";"))
    assert 0 <= low <= float(point.removeprefix("left: ").rstrip("%")) <= low + wide + 0.11 <= 100.11


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [-3.0, 5.0, 4.0]])
def test_a_curve_stays_in_its_frame(values):
    points = tree(curve(values)).one("polyline").attributes["points"].split()
    places = [tuple(map(float, point.split(","))) for point in points]
    assert len(places) == len(values)
    assert all(0 <= x <= 100 and 0 <= y <= 25 for x, y in places)
    highest = min(range(len(values)), key=lambda place: places[place][1])
    assert values[highest] == max(values)


def test_empty_sections_are_left_out_of_the_page_and_its_links():
    whole = tree(sections({"a": ("A <b>", "<p>x</p>"), "b": ("B", ""), "c": ("C", Markup("y"))}))
    assert [link.attributes["href"] for link in whole.all("a")] == ["#a", "#c"]
    assert [section.attributes["id"] for section in whole.all("section")] == ["a", "c"]
    assert [heading.text for heading in whole.all("h2")] == ["A <b>", "C"]


def test_an_embedded_file_is_whole():
    assert embedded("audio/wav", b"\x00\xff") == "data:audio/wav;base64,AP8="
