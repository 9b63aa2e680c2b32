"""Praat's files of labelled intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

Interval = tuple[float, float, str]  # where it begins and ends, seconds, and its label


def textgrid(tiers: Mapping[str, Iterable[Interval]], duration: float) -> str:
    """A TextGrid in Praat's long text format (Praat manual, "TextGrid file formats"), to be written in UTF-8.

    Parameters
    ----------
    tiers : by name, their intervals in order, none of which overlaps with the next; what is between them has an
        empty label, as Praat has it
    duration : of the recording, seconds
    """
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {duration!r}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, labelled) in enumerate(tiers.items(), 1):
        intervals = list(_covering(labelled, duration))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {duration!r}"]
        lines += [f"        intervals: size = {len(intervals)}"]
        for place, (start, end, label) in enumerate(intervals, 1):
            lines += [f"        intervals [{place}]:", f"            xmin = {start!r}", f"            xmax = {end!r}"]
            lines += [f"            text = {_quoted(label)}"]
    return "\n".join(lines) + "\n"


def _covering(intervals: Iterable[Interval], duration: float) -> Iterator[Interval]:
    """The intervals with those between them, so that they cover everything from 0 to the duration."""
    position: float = 0
    for start, end, label in intervals:
        if position < start:
            yield position, start, ""
        if start < end:
            yield start, end, label
        position = end
    if position < duration:
        yield position, duration, ""


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
