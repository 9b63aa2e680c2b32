"""What all pictures share: matplotlib, which is the extra `plot`, and fonts that have the letters of any script."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import struct
import unicodedata
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from recognizer.errors import RecognizerError, RecognizerWarning, in_short, listed

if TYPE_CHECKING:
    import numpy as np

FONT = "DejaVu Sans"  # comes with matplotlib
LONGEST_LABEL = 30  # characters, beside which there is room for a picture
LABELLED = 100  # words of which a picture has the names: more would not be read
NO_GLYPH = "\u25a1"  # a white square, for a letter that no font has
NAMED = 10  # letters that are named where no font has them: enough to see which script it is
PICTOGRAPHS = range(0x1F000, 0x20000)  # a plane's end that has nothing else


def require_matplotlib() -> None:
    """Raise a RecognizerError that says how to install matplotlib, if it is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise RecognizerError("pictures need matplotlib; install it with `pip install recognizer[plot]`")


@contextmanager
def lettering(texts: Iterable[str]) -> Iterator[Callable[[str], str]]:
    """Draw letters of any script: figures are to be made, labelled and saved inside the block.

    matplotlib warns of a letter that its fonts lack. So the fonts of this computer are asked, until all letters are
    found, and what none of them has is drawn as a square, with a RecognizerWarning that says what to install. Nothing
    is read as mathematics, and what is long is drawn without its middle.

    Parameters
    ----------
    texts : whatever may be written that is not of the program itself

    Yields
    ------
    A function that gives a text as it can be drawn.
    """
    from matplotlib import rc_context

    with _unlogged("matplotlib.font_manager"):  # which tells of fonts that come in no other than an unusual weight
        families, missing = _families({letter for text in texts for letter in in_short(text, LONGEST_LABEL)})
        if lacked := sorted(filter(str.isprintable, missing)):
            warnings.warn(_lack(lacked), RecognizerWarning, stacklevel=3)
        instead = str.maketrans(dict.fromkeys(missing, NO_GLYPH))
        with rc_context({"font.family": families, "text.parse_math": False}):
            yield lambda text: in_short(text, LONGEST_LABEL).translate(instead)


@contextmanager
def _unlogged(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _families(letters: set[str]) -> tuple[list[str], set[str]]:
    """Fonts that have the letters between them, the usual one first, and the letters that no font has."""
    families, missing = [FONT], letters - _letters(FONT)
    for find in (_known_families, _new_families):
        for family in find(missing) if missing else ():
            if found := missing & _letters(family):
                families.append(family)
                missing -= found
    return families, missing


def _known_families(missing: set[str]) -> list[str]:
    """Those that matplotlib remembers; fonts of last resort have only boxes."""
    from matplotlib.font_manager import fontManager

    return sorted({font.name for font in fontManager.ttflist if "Last" not in font.name})


def _new_families(missing: set[str]) -> list[str]:
    """Those with some of the letters that were installed since matplotlib wrote down what fonts there are."""
    from matplotlib.font_manager import findSystemFonts, fontManager, get_font

    known = {font.fname for font in fontManager.ttflist}
    before = len(fontManager.ttflist)
    for path in sorted({*findSystemFonts()} - known):
        with suppress(
            OSError, RuntimeError, ValueError
        ):  # NotImplementedError, too: bitmaps, as of coloured pictographs
            font = get_font(path)
            if any(font.get_char_index(ord(letter)) for letter in missing):
                fontManager.addfont(path)
    return sorted({font.name for font in fontManager.ttflist[before:]})


def _letters(family: str) -> set[str]:
    """What the font that matplotlib takes for a family can draw; nothing if it cannot be read."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    with suppress(OSError, RuntimeError, ValueError):
        return set(map(chr, get_font(findfont(FontProperties(family=family), fallback_to_default=False)).get_charmap()))
    return set()


def _lack(letters: list[str]) -> str:
    """That no font has some letters, and what has them."""
    told = f"no font here has {listed(letters, NAMED)}"
    if shutil.which("apt-get") is None:
        return f"{told}; install one that has"
    return f"{told}; apt-get install {' '.join(sorted(set(map(_package, letters))))}"


def _package(letter: str) -> str:
    """The package of Debian's and Ubuntu's with a font that has it."""
    if ord(letter) in PICTOGRAPHS:
        return "fonts-symbola"  # noto's are coloured bitmaps, which matplotlib cannot draw
    return "fonts-noto-cjk" if unicodedata.east_asian_width(letter) in "WF" else "fonts-noto-core"


def grey_png(dots: np.ndarray) -> bytes:
    """A picture, (height, width) uint8 from 0, which is black, to 255, as what a PNG file of it holds."""
    height, width = dots.shape
    lines = b"".join(b"\0" + line.tobytes() for line in dots)  # each begins with how it was filtered: not at all
    parts = (
        (b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)) for kind, part in parts
    )
