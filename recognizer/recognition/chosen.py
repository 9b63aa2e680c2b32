"""What somebody writes to say which answers there may be, and how sure they must be."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from recognizer.errors import ModelError


def chosen_words(given: Sequence[str] | None, vocabulary: Collection[str]) -> list[str] | None:
    """The words to choose from; None where all are allowed.

    Commas divide what was given once. What was given more than once is a word each time, unless it is none of the
    vocabulary and its parts are. A word of the vocabulary is never divided.
    """
    if not given:
        return None
    chosen = []
    for text in given:
        parts = [word.strip() for word in text.split(",") if word.strip()]
        whole = text.strip() in vocabulary or (len(given) > 1 and not all(part in vocabulary for part in parts))
        chosen += [text.strip()] if whole else parts
    return chosen


def operating_point(text: str, called: str) -> str | float:
    """A threshold: the name of an operating point, or a number from 0 to 1; messages call it so.

    Raises
    ------
    ModelError
        if it is neither.
    """
    from recognizer.recognition.verification import REFUSED  # which takes a while, and options are read before

    if text in REFUSED:
        return text
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ModelError(f"{called} is not {', '.join(REFUSED)} or a number from 0 to 1")
    return number
