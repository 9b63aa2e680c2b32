"""Work on many items, on this computer or on many: the same function of each, results in order, sums in a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from recognizer.parallel.here import Here

WORTH = 200  # recordings, for which processes are started


class Workers(Protocol):
    """What does such work; whichever does it, the results are the same to the last bit."""

    def sees(self, paths: Sequence[Path]) -> Sequence[Path]:
        """The paths of files as whoever works finds them."""

    def map(self, stage: str, function: Callable, items: Iterable) -> Iterator:
        """The function of each item, in order, a few at a time.

        Parameters
        ----------
        stage : what people call this work
        function : with whatever it needs bound to it
        items : taken as they are needed
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


def workers_of(jobs: int | Workers, recordings: int | None = None) -> Workers:
    """Of a number, so many processes of this computer.

    Parameters
    ----------
    jobs : such a number, or workers
    recordings : that the work is on; of few, processes take longer to start than the work does
    """
    if not isinstance(jobs, int):
        return jobs
    return Here(1 if recordings is not None and recordings < WORTH else jobs)
