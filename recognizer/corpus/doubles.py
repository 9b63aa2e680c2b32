"""The same recording more than once."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from recognizer.corpus.utterance import Utterance
from recognizer.errors import cited, shown

_PIECE = 1 << 20


def same_content(
    recordings: Iterable[Utterance], content: Callable[[Path], bytes | None]
) -> dict[bytes, list[Utterance]]:
    """Recordings by what is in them, as a function tells it; those of which it tells nothing are left out."""
    found = defaultdict(list)
    for recording in recordings:
        if (of_it := content(recording.path)) is not None:
            found[of_it].append(recording)
    return found


def of_two_words(groups: Iterable[Sequence[Utterance]]) -> list[Sequence[Utterance]]:
    """Those of groups of same recordings that are said to be different words."""
    return [group for group in groups if len({recording.word for recording in group}) > 1]


def doubles(recordings: Iterable[Utterance]) -> list[list[Utterance]]:
    """Groups of those that are one and the same file by its bytes; what cannot be read is in none."""
    by_size = defaultdict(list)
    for recording in recordings:
        try:
            by_size[os.stat(recording.path).st_size].append(recording)
        except OSError:
            continue
    likely = [recording for size, group in by_size.items() if size and len(group) > 1 for recording in group]
    return [group for group in same_content(likely, _digest).values() if len(group) > 1]


def conflicting(recordings: Iterable[Utterance]) -> list[list[Utterance]]:
    """Those that are one and the same recording, but are said to be different words."""
    return of_two_words(group for group in doubles(recordings) if len({recording.path for recording in group}) > 1)


def conflict(group: Sequence[Utterance]) -> str:
    """Why none of them is learned from."""
    said = " and ".join(f"{shown(take.path)} (labelled {cited(take.word)})" for take in group)
    return f"{said} are the same recording; correct the wrong label or leave it out"


def _digest(path: Path) -> bytes | None:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError:
        return None
    return digest.digest()
