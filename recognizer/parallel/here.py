"""This computer at work."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.parallel import tree

Said = list[tuple[Warning, type[Warning], str, int]]  # message, category, file and line: what can be sent


@dataclass(frozen=True)
class Here:
    """See `parallel.Workers`.

    Attributes
    ----------
    jobs : processes of what is mapped, threads of what is added up
    """

    jobs: int = 1

    def sees(self, paths: Sequence[Path]) -> Sequence[Path]:
        return paths

    def map(self, stage: str, function: Callable, items: Iterable) -> Iterator:
        if self.jobs == 1:
            return map(function, items)
        from joblib import Parallel, delayed

        pool = Parallel(n_jobs=self.jobs, return_as="generator")
        return map(said_here, pool(delayed(_in_worker)(function, item) for item in items))

    def hold(self, items: Sequence, whole: Callable = lambda item: item) -> Sequence:
        return items

    def total(self, stage: str, function: Callable, held: Sequence, add: Callable[[Sequence], object]) -> object:
        if self.jobs == 1 or len(held) < 2:
            return tree.total(map(function, held), len(held), add)
        from joblib import Parallel, delayed

        pool = Parallel(n_jobs=self.jobs, prefer="threads", return_as="generator")
        return tree.total(pool(delayed(function)(item) for item in held), len(held), add)


def _in_worker(function: Callable, item: object) -> tuple[object, Said]:
    """Call it in a process that leaves Ctrl-C, which every process of a terminal gets, to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return listened(function, item)


def listened(function: Callable, *arguments: object) -> tuple[object, Said]:
    """What it gives, and the warnings there."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = function(*arguments)
    return found, [(each.message, each.category, each.filename, each.lineno) for each in said]


def said_here(outcome: tuple[object, Said]) -> object:
    """What was given elsewhere, and the warnings heard here, where they are wanted or not."""
    found, said = outcome
    for each in said:
        warnings.warn_explicit(*each)
    return found
