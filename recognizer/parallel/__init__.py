"""Work on many items, on this computer or on many: the same function of each, results in order, sums in a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from recognizer.parallel.here import Here


class Workers(Protocol):
    """What does such work; whichever does it, the results are the same to the last bit."""

    def sees(self, paths: Sequence[Path]) -> Sequence[Path]:
        """The paths of files as whoever works finds them."""

    def map(self, stage: str, function: Callable, items: Sequence) -> Iterator:
        """The function of each item, in order, a few at a time.

        Parameters
        ----------
        stage : what people call this work
        function : with whatever it needs bound to it
        items : small ones
        """

    def hold(self, items: Sequence, whole: Callable = lambda item: item) -> Sequence:
        """Items for several sums, near to where they are added up.

        Parameters
        ----------
        items : all of them
        whole : gives of an item one that can be sent, read in if it has only been a promise
        """

    def total(self, stage: str, function: Callable, held: Sequence, add: Callable[[Sequence], object]) -> object:
        """The sum of the function of each item, see `tree.total`; None of no items."""


def workers_of(jobs: int | Workers) -> Workers:
    """Of a number, so many processes or threads of this computer."""
    return Here(jobs) if isinstance(jobs, int) else jobs
