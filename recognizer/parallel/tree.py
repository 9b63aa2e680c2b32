"""Sums in a tree, whose shape the number of its leaves alone decides.

Rounding depends on the order of a sum. So that a model does not depend on who adds it up, all add up in this order:
neighbours first, so many at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import TypeVar

BRANCH = 4  # that are added up at a time: few enough for the work on as many leaves to be shared out evenly
FIRST = 2048  # branches of leaves at most: a scheduler needs a millisecond or more for each
Part = TypeVar("Part")


def branches(parts: Sequence[Part], size: int = BRANCH) -> list[Sequence[Part]]:
    """The parts, in order, those together that are added up together."""
    return [parts[first : first + size] for first in range(0, len(parts), size)]


def width(leaves: int) -> int:
    """How many leaves, of so many, are added up at a time."""
    return max(BRANCH, -(-leaves // FIRST))


def total(parts: Iterable[Part], leaves: int, add: Callable[[Sequence[Part]], Part]) -> Part | None:
    """The sum of parts that come one by one; of each level of the tree only a few are held.

    Parameters
    ----------
    parts : the leaves, in order
    leaves : how many
    add : gives the sum of some parts, and of one the same
    """
    levels: list[list[Part]] = [[]]
    for part in parts:
        for level, size in zip(levels, chain([width(leaves)], repeat(BRANCH))):
            level.append(part)
            if len(level) < size:
                break
            part = add(level)
            level.clear()
        else:
            levels.append([part])
    rest: list[Part] = []
    for level in levels:
        together = [*level, *rest]
        rest = [add(together)] if together else []
    return rest[0] if rest else None
