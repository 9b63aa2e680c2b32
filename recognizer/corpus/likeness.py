"""Words that may be taken for each other, as far as their spelling tells: nobody has said them yet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from recognizer.corpus.utterance import seen

NEAR = 0.5  # of the letters of the longer word, as `five` and `nine`, which people mistake, too


def alike_in_writing(words: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of words of which half of the letters, or more, are the same.

    Examples
    --------
    >>> alike_in_writing(["no", "go", "yes"])
    [('no', 'go')]
    """
    return [(one, other) for one, other in combinations(words, 2) if _differing(seen(one), seen(other)) <= NEAR]


def _differing(one: str, other: str) -> float:
    """The share of letters to change, leave out or put in between (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        left, row[0] = row[0], i
        for j, its in enumerate(other, 1):
            left, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, left + (letter != its))
    return row[-1] / max(len(one), len(other), 1)
