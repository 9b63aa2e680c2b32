"""What all pictures share: matplotlib, which is the extra `plot`, and fonts that have the letters of any script."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from recognizer.errors import RecognizerError, in_short

FONT = "DejaVu Sans"  # comes with matplotlib
LONGEST_LABEL = 30  # characters, beside which there is room for a picture
NO_GLYPH = "\u25a1"  # a white square, for a letter that no font has


def require_matplotlib() -> None:
    """Raise a RecognizerError that says how to install matplotlib, if it is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise RecognizerError("pictures need matplotlib; install it with `pip install recognizer[plot]`")


@contextmanager
def lettering(texts: Iterable[str]) -> Iterator[Callable[[str], str]]:
    """Draw letters of any script: figures are to be made, labelled and saved inside the block.

    matplotlib warns of a letter that its fonts lack. So the fonts of this computer are asked, until all letters are
    found, and what none of them has is not drawn. Nothing is read as mathematics, and what is long is drawn without
    its middle.

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
    from matplotlib.font_manager import fontManager

    families, missing = [FONT], letters - _letters(FONT)
    for family in sorted({font.name for font in fontManager.ttflist}):
        if not missing:
            break
        if "Last" not in family and (found := missing & _letters(family)):  # fonts of last resort have only boxes
            families.append(family)
            missing -= found
    return families, missing


def _letters(family: str) -> set[str]:
    """What the font that matplotlib takes for a family can draw; nothing if it cannot be read."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    with suppress(OSError, RuntimeError, ValueError):
        return set(map(chr, get_font(findfont(FontProperties(family=family), fallback_to_default=False)).get_charmap()))
    return set()
