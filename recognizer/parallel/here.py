"""This computer at work."""

from __future__ import annotations

import ctypes
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache, partial, wraps
from pathlib import Path

from recognizer.errors import RecognizerError
from recognizer.files.spool import Spool, Spooled
from recognizer.parallel import tree

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # in malloc.h of the GNU C library
FREED = 32 << 20  # bytes, the most that it takes for the second
PIECES = 6  # of a sum at least, for each process: that it matters less who has one more than what they cost
Said = list[tuple[Warning, type[Warning], str, int]]  # message, category, file and line: what can be sent


class WorkerError(RecognizerError):
    """A process that is gone."""


@dataclass(frozen=True)
class Here:
    """See `parallel.Workers`.

    Attributes
    ----------
    jobs : processes
    """

    jobs: int = 1

    def sees(self, paths: Sequence[Path]) -> Sequence[Path]:
        return paths

    def map(self, stage: str, function: Callable, items: Iterable) -> Iterator:
        return map(function, items) if self.jobs == 1 else self._by_processes(_in_worker, function, items)

    def hold(self, items: Sequence, whole: Callable = lambda item: item) -> Sequence:
        if self.jobs == 1 or len(items) < 2:
            return items
        spool = Spool()
        return [spool.keep(whole(item)) for item in items]

    def total(self, stage: str, function: Callable, held: Sequence, add: Callable[[Sequence], object]) -> object:
        if self.jobs == 1 or len(held) < 2:
            return tree.total(map(function, held), add, tree.width(len(held)))
        held = held if all(isinstance(item, Spooled) for item in held) else self.hold(held)
        work = Spool().keep((function, add, tree.width(len(held))))  # there until all is done, as what is held is
        pieces = tree.branches(held, tree.subtree(len(held), PIECES * self.jobs))
        return tree.total(self._by_processes(_sum_in_worker, work, pieces, batch_size=1), add)

    def _by_processes(self, call: Callable, function: object, items: Iterable, **how: object) -> Iterator:
        from joblib import Parallel, delayed, parallel_config

        # In one thread of BLAS each: more would wait for each other, see also `in_one_thread`.
        with parallel_config(backend="loky", inner_max_num_threads=1):
            pool = Parallel(n_jobs=self.jobs, return_as="generator", **how)
        try:
            yield from map(said_here, pool(delayed(call)(function, item) for item in items))
        except BrokenExecutor as error:
            raise WorkerError(
                "a process died at its work, as they do where memory is short; close other programs, or let fewer "
                "processes work"
            ) from error


def _in_worker(function: Callable, item: object) -> tuple[object, Said]:
    """Call it in a process that leaves Ctrl-C, which every process of a terminal gets, to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    return listened(function, item)


_read_in = lru_cache(maxsize=1)(Spooled.read)  # the same work comes with every branch


def _sum_in_worker(work: Spooled, branch: Sequence[Spooled]) -> tuple[object, Said]:
    """The sum, likewise, over items that are held."""
    function, add, first = _read_in(work)
    return _in_worker(partial(tree.total, add=add, first=first), (function(item.read()) for item in branch))


@cache
def keep_freed_memory() -> None:
    """What one item's arrays have freed, the next item's take.

    In a process that does nothing else, the C library gives it back to the system after each, to ask for it again page
    by page: a third of the time.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            set_option = ctypes.CDLL(None).mallopt
            set_option(M_TRIM_THRESHOLD, FREED)
            set_option(M_MMAP_THRESHOLD, FREED)


def in_one_thread(function: Callable) -> Callable:
    """Have a function run in one thread of BLAS: with another number of them it would round otherwise."""

    @wraps(function)
    def limited(*arguments: object, **named: object) -> object:
        from threadpoolctl import threadpool_limits  # here, for who only adapts a model need not have it

        with threadpool_limits(1, "blas"):
            return function(*arguments, **named)

    return limited


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
