"""How the names of recordings are written: patterns such as `{word}/{speaker}_{take}`, and reading names by them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from recognizer.errors import CorpusError, cited
from recognizer.sound.formats import looks_like_recording

FIELDS = ("word", "speaker", "take")
ANYTHING = ("*", "{anything}")  # what does not matter
# What Windows and browsers put behind a name that was there before.
COPY = re.compile(r"\s*\(\d+\)$")
_PIECES = re.compile(r"(\{[^{}]*\}|\*)")


@dataclass(frozen=True)
class Pattern:
    """A way to name recordings.

    Attributes
    ----------
    text : folders and the file's name without its end, divided by `/`, with the fields `{word}`, `{speaker}` and
        `{take}`; `*` stands for what does not matter. It says how names end: folders above do not matter. A field that
        comes twice is the same in both places. Where a name could be divided in several ways, what comes first is as
        short as it can be; speaker and take do not contain what divides them from their neighbours.

    Raises
    ------
    CorpusError
        if it is no such pattern.
    """

    text: str
    _expression: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = self.text.replace("\\", "/").strip("/")
        if looks_like_recording(text):
            text = str(PurePosixPath(text).with_suffix(""))
        parts = text.split("/")
        told: set[str] = set()
        expression = "/".join(_expression(part, told, self.text) for part in parts)
        if "word" not in told:
            raise CorpusError(f"the layout {cited(self.text)} does not say where the word is; write {{word}} there")
        object.__setattr__(self, "_expression", re.compile(expression, re.IGNORECASE))
        object.__setattr__(self, "_depth", len(parts))

    def read(self, names: Sequence[str]) -> dict[str, str] | None:
        """The fields of a recording.

        Parameters
        ----------
        names : of its folders, the outermost first, and its own without the end

        Returns
        -------
        What stands in place of each field; None if the names do not fit.
        """
        if len(names) < self._depth:
            return None
        *folders, stem = names[-self._depth :]
        if "(" not in self.text.rpartition("/")[2]:
            stem = COPY.sub("", stem) or stem
        match = self._expression.fullmatch("/".join((*folders, stem)))
        return match and match.groupdict()


def _expression(part: str, told: set[str], whole: str) -> str:
    """What the name of a folder or a file must look like, given the fields of those above, to which it adds its own."""
    pieces = [piece for piece in _PIECES.split(part) if piece]
    if not pieces:
        raise CorpusError(f"the layout {cited(whole)} has a folder without a name; leave out one /")
    expression = ""
    for place, piece in enumerate(pieces):
        before = pieces[place - 1] if place else ""
        after = pieces[place + 1] if place + 1 < len(pieces) else ""
        if piece in ANYTHING:
            expression += "[^/]*?"
        elif _is_field(piece):
            name = piece[1:-1]
            if name not in FIELDS:
                allowed = ", ".join(f"{{{known}}}" for known in FIELDS)
                raise CorpusError(
                    f"the layout {cited(whole)} has {piece}; the fields are {allowed}, and * for the rest"
                )
            if _is_field(before) and name != "take":
                raise CorpusError(f"the layout {cited(whole)} does not say what divides {before} and {piece}; write it")
            expression += f"(?P={name})" if name in told else f"(?P<{name}>{_value(name, before, after)})"
            told.add(name)
        else:
            if set(piece) & set("{}"):
                raise CorpusError(f"the layout {cited(whole)} has a bracket without its other half; write {{word}}")
            expression += re.escape(piece)
    return expression


def _is_field(piece: str) -> bool:
    return piece[:1] == "{" and piece[-1:] == "}" and piece not in ANYTHING


def _value(name: str, before: str, after: str) -> str:
    """What a field may be, given what stands before and after it."""
    if name == "take" and _is_field(before):
        return r"\d+|[^\W\d_]"
    dividers = {"/"}
    if name != "word" and not _is_field(after):
        dividers |= {text for text in (before[-1:], after[:1]) if text and text not in "*{}"}
    return f"[^{re.escape(''.join(sorted(dividers)))}]+?"
