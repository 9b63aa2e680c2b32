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


def subtree(leaves: int, least: int) -> int:
    """How many leaves make one of the subtrees that are added up each on its own.

    Parameters
    ----------
    leaves : of the tree
    least : subtrees that there shall be; they are as large as that allows
    """
    first = width(leaves)
    # Sums of subtrees are added up BRANCH at a time: leaves are subtrees themselves only where they are, too.
    size, larger = (1, first) if first == BRANCH else (first, first * BRANCH)
    while size < leaves and -(-leaves // larger) >= least:
        size, larger = larger, larger * BRANCH
    return size


def total(parts: Iterable[Part], add: Callable[[Sequence[Part]], Part], first: int = BRANCH) -> Part | None:
    """The sum of parts that come one by one; of each level of the tree only a few are held.

    Parameters
    ----------
    parts : the leaves, or sums of subtrees, in order
    add : gives the sum of some parts, and of one the same
    first : parts that are added up at a time, see `width`; what they make, BRANCH at a time
    """
    levels: list[list[Part]] = [[]]
    for part in parts:
        for level, size in zip(levels, chain([first], repeat(BRANCH))):
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
