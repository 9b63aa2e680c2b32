"""The same recording more than once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from recognizer.corpus.utterance import Utterance
from recognizer.errors import cited, shown

Content = TypeVar("Content", bound=Hashable)


def same_content(
    recordings: Iterable[Utterance], content: Callable[[Path], Content | None]
) -> dict[Content, list[Utterance]]:
    """Recordings by what is in them, as a function tells it; those of which it tells nothing are left out."""
    found = defaultdict(list)
    for recording in recordings:
        if (of_it := content(recording.path)) is not None:
            found[of_it].append(recording)
    return found


def of_two_words(groups: Iterable[Sequence[Utterance]]) -> list[Sequence[Utterance]]:
    """Those of groups of same recordings that are said to be different words."""
    return [group for group in groups if len({recording.word for recording in group}) > 1]


def conflicting(groups: Iterable[Sequence[Utterance]]) -> list[Sequence[Utterance]]:
    """Those of groups of same recordings whose files are said to be different words."""
    return of_two_words(group for group in groups if len({recording.path for recording in group}) > 1)


def conflict(group: Sequence[Utterance]) -> str:
    """Why none of them is learned from."""
    said = " and ".join(f"{shown(take.path)} (labelled {cited(take.word)})" for take in group)
    return f"{said} are the same recording; correct the wrong label or leave it out"
