"""What a person is asked to say, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prompt:
    """Something to say: a word, for the so-manieth time, from 1; and how it is said, where its spelling hides that."""

    word: str
    take: int
    spoken: str | None = None


def prompts(
    words: Sequence[str],
    takes: int,
    have: Mapping[str, int] | None = None,
    spoken: Mapping[str, str] | None = None,
    seed: int = 0,
) -> list[Prompt]:
    """What to say, in rounds: each word once a round in shuffled order, and none twice in a row if that can be.

    Parameters
    ----------
    words : all different
    takes : wanted of each
    have : takes that are there already, by word; only what is missing is asked for
    spoken : how words are said, of those whose spelling does not tell
    seed : of the order

    Examples
    --------
    >>> [(prompt.word, prompt.take) for prompt in prompts(["yes", "no"], 2, have={"no": 1})]
    [('yes', 1), ('no', 2), ('yes', 2)]
    """
    counts = Counter(have or {})
    random = np.random.default_rng(seed)
    order: list[str] = []
    for turn in range(takes):
        lacking = [word for word in words if counts[word] <= turn]
        shuffled = [lacking[place] for place in random.permutation(len(lacking))]
        if len(shuffled) > 1 and shuffled[:1] == order[-1:]:
            shuffled.append(shuffled.pop(0))
        order += shuffled
    found = []
    for word in _spread(order):
        counts[word] += 1
        found.append(Prompt(word, counts[word], (spoken or {}).get(word)))
    return found


def _spread(order: list[str]) -> list[str]:
    """The same words, moved no more than it takes that none follows itself, where that can be."""
    order = list(order)
    place = 1
    while place < len(order):
        if order[place] != order[place - 1]:
            place += 1
            continue
        word = order.pop(place)
        gaps = [gap for gap in range(len(order) + 1) if word not in order[max(0, gap - 1) : gap + 1]]
        order.insert(min(gaps, key=lambda gap: abs(gap - place), default=place), word)
        place = 1 if gaps else place + 1  # every move leaves fewer repetitions
    return order
