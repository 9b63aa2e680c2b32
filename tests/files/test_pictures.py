"""Letters of any script are drawn or replaced, and never warned of."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import RecognizerError, RecognizerWarning
from recognizer.files import pictures
from recognizer.files.pictures import NO_GLYPH, grey_png, lettering, require_matplotlib

LETTER = "\U00012000"  # of cuneiform, which few computers have a font for
NO_FONT = "ignore:no font here has"  # which scripts there are fonts for differs from computer to computer


def draw(text: str) -> bytes:
    from matplotlib.figure import Figure

    picture = io.BytesIO()
    figure = Figure(figsize=(4, 1))
    figure.text(0.1, 0.5, text)
    figure.savefig(picture, format="raw")
    return picture.getvalue()


@pytest.mark.filterwarnings(NO_FONT)
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


# Fonts


def font_of(letters: str, path: Path) -> Path:
    """A font file whose letters are all black squares."""
    builder = pytest.importorskip("fontTools.fontBuilder").FontBuilder(1000, isTTF=True)
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder.setupGlyphOrder([".notdef", "box"])
    builder.setupCharacterMap(dict.fromkeys(map(ord, letters), "box"))
    builder.setupGlyf(dict.fromkeys((".notdef", "box"), pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", "box"), (800, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": f"Test {path.stem}", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800)
    builder.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)
    return path


@pytest.fixture
def installed(monkeypatch) -> list[str]:
    """Files of fonts that are installed since matplotlib looked, when it found none but its usual one."""
    from matplotlib import font_manager

    manager, files = font_manager.fontManager, []
    monkeypatch.setattr(manager, "ttflist", [font for font in manager.ttflist if font.name == pictures.FONT])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: files)
    return files


def test_a_new_font_is_found(installed, tmp_path):
    installed.append(str(font_of(LETTER, tmp_path / "new.ttf")))
    with lettering([f"a{LETTER}"]) as drawable:
        assert drawable(f"a{LETTER}") == f"a{LETTER}"
        drawn = draw(f"a{LETTER}")
    with lettering([]):
        assert drawn not in (draw(f"a{NO_GLYPH}"), draw("a"))


@pytest.mark.parametrize("content", [b"", b"no font at all", b"\0\1\0\0" + bytes(50)])
def test_what_is_no_font_is_passed_over(installed, tmp_path, content):
    (tmp_path / "bad.ttf").write_bytes(content)
    gone = str(tmp_path / "gone.ttf")
    installed += [str(tmp_path / "bad.ttf"), gone, str(font_of(LETTER, tmp_path / "new.ttf"))]
    with lettering([LETTER]) as drawable:
        assert drawable(LETTER) == LETTER


def test_new_fonts_are_asked_for_what_is_missing_alone(installed, monkeypatch):
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: pytest.fail("no letter is missing"))
    with lettering(["zero, ноль"]) as drawable:
        assert drawable("ноль") == "ноль"


@pytest.mark.parametrize(
    ("text", "named", "packages"),
    [
        ("yes 你好", "你, 好", "fonts-noto-cjk"),
        ("かな", "か, な", "fonts-noto-cjk"),
        ("한", "한", "fonts-noto-cjk"),
        ("हिन्दी", "द, न, ह, ि, ी, ्", "fonts-noto-core"),
        ("สวัส", "ว, ส, ั", "fonts-noto-core"),
        ("🚀", "🚀", "fonts-symbola"),
        ("🚀你ส", "ส, 你, 🚀", "fonts-noto-cjk fonts-noto-core fonts-symbola"),
        ("一丁七丈三上下不与丑专", "一, 丁, 七, 丈, 三, 上, 下, 不, 与, 丑 and 1 more", "fonts-noto-cjk"),
    ],
)
def test_what_no_font_has_is_told_with_what_has_it(installed, monkeypatch, text, named, packages):
    monkeypatch.setattr(pictures.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.warns(RecognizerWarning) as caught, lettering([text]) as drawable:
        assert NO_GLYPH in drawable(text)
    assert [str(warning.message) for warning in caught] == [f"no font here has {named}; apt-get install {packages}"]
    monkeypatch.setattr(pictures.shutil, "which", lambda name: None)
    with pytest.warns(RecognizerWarning) as caught, lettering([text]):
        pass
    assert [str(warning.message) for warning in caught] == [f"no font here has {named}; install one that has"]


def test_arabic_letters_join_and_run_from_right_to_left():
    joined, apart = "نعم", "ن\u200cع\u200cم"
    with lettering([joined, apart, "אב"]) as drawable:
        assert drawable(joined) == joined
        assert draw(joined) not in (draw(apart), draw(joined[::-1]))
        assert draw("אב") == draw("\u202dבא\u202c")  # as if they ran from left to right, turned round


@pytest.mark.slow
def test_a_font_is_found_that_was_installed_after_the_first_picture(tmp_path):
    """matplotlib writes down what fonts there are, and reads that ever after."""
    program = (
        "import sys, recognizer.files.pictures as p\n"
        "with p.lettering([sys.argv[1]]) as drawable: print(ascii(drawable(sys.argv[1])))"
    )
    home = {"XDG_DATA_HOME": str(tmp_path / "data"), "MPLCONFIGDIR": str(tmp_path / "cache")}

    def drawn() -> str:
        call = [sys.executable, "-W", "ignore", "-c", program, LETTER]
        return subprocess.run(call, env=os.environ | home, capture_output=True, text=True, check=True).stdout.strip()

    if drawn() == ascii(LETTER):
        pytest.skip("there is a font for cuneiform here")
    font_of(LETTER, tmp_path / "data" / "fonts" / "new.ttf")
    assert drawn() == ascii(LETTER)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (256, 480)])
def test_a_grey_picture_is_read_back_dot_by_dot(shape):
    image = pytest.importorskip("matplotlib.image")
    dots = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(np.rint(image.imread(io.BytesIO(grey_png(dots))) * 255), dots)
