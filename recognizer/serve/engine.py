"""The work of all callers, a small piece at a time, so that they share the machine fairly."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Answer = TypeVar("Answer")


class BusyError(Exception):
    """All places of a kind are taken; the text says so."""


class Engine:
    """Threads that do pieces of work in the order in which they come.

    A caller gives the next piece when the last one is done. So each waits for one piece of each of the others, and
    nobody waits for the whole of what another wants.

    Parameters
    ----------
    threads : that work
    places : how many callers of each kind there may be at the same time
    """

    def __init__(self, threads: int, places: dict[str, int]) -> None:
        self._pool = ThreadPoolExecutor(threads, "recognizer")
        self._places = places
        self.taken: Counter[str] = Counter()

    async def run(self, work: Callable[..., Answer], *arguments: object) -> Answer:
        """Do a piece of work, and give what it gives."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    @contextmanager
    def place(self, kind: str) -> Iterator[None]:
        """Take a place.

        Raises
        ------
        BusyError
            if there is none.
        """
        if self.taken[kind] >= self._places[kind]:
            raise BusyError(f"all {self._places[kind]} places for {kind} are taken; try again soon")
        self.taken[kind] += 1
        try:
            yield
        finally:
            self.taken[kind] -= 1

    def close(self) -> None:
        """End when what is being done is done."""
        self._pool.shutdown(cancel_futures=True)
