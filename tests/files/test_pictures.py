"""Letters of any script are drawn or replaced, and never warned of."""

from __future__ import annotations

import io
import sys

import pytest

from recognizer.errors import RecognizerError
from recognizer.files.pictures import NO_GLYPH, lettering, require_matplotlib


def draw(text: str) -> bytes:
    from matplotlib.figure import Figure

    picture = io.BytesIO()
    figure = Figure(figsize=(4, 1))
    figure.text(0.1, 0.5, text)
    figure.savefig(picture, format="raw")
    return picture.getvalue()


@pytest.mark.parametrize(
    "text", ["plain", "语音", "音声 かな 한국어", "\U0001f600", "$x$ $\\bad{", "a\u0301", "\u0007\n\t", ""]
)
def test_any_text_is_drawn_without_a_warning(text, caplog):
    with lettering([text]) as drawable:
        assert draw(drawable(text))
    assert caplog.records == []


def test_what_the_usual_font_has_stays():
    with lettering(["Grüße, ελληνικά, кириллица"]) as drawable:
        assert drawable("Grüße, ελληνικά, кириллица") == "Grüße, ελληνικά, кириллица"


def test_what_no_font_has_is_a_square():
    nobodys = "\U000e0fff"  # not assigned
    with lettering([f"a{nobodys}b"]) as drawable:
        assert drawable(f"a{nobodys}b") == f"a{NO_GLYPH}b"


def test_another_font_is_found_where_the_usual_one_lacks_a_letter():
    """matplotlib's own fonts differ: STIX has mathematical letters that DejaVu Sans has not."""
    from recognizer.files.pictures import FONT, _letters

    letter = min(_letters("STIXGeneral") - _letters(FONT))
    with lettering([letter]) as drawable:
        assert drawable(letter) == letter
        drawn = draw(drawable(letter))
    with lettering([NO_GLYPH]):
        assert drawn != draw(NO_GLYPH)


def test_settings_are_as_before_afterwards():
    from matplotlib import rcParams

    before = dict(rcParams)
    with lettering(["x"]):
        assert rcParams["text.parse_math"] is False
    assert dict(rcParams) == before


def test_missing_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RecognizerError, match=r"^pictures need matplotlib; install it with `pip install"):
        require_matplotlib()
