"""The work of all callers, a small piece at a time, so that they share the machine fairly."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from recognizer.errors import RecognizerError, cited

BUSY = 0.002  # seconds that a turn of all takes when there is no time to spare: less than one word that is recognised
Given = TypeVar("Given")


class BusyError(Exception):
    """All places of a kind are taken; the text says so."""


class ConflictError(RecognizerError):
    """Somebody else is at it."""


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
        self._long = ThreadPoolExecutor(1, "recognizer-at-length")
        self._places, self._held = places, set()
        self._turn = 0.0  # seconds that a turn of all took last
        self.taken: Counter[str] = Counter()

    async def run(self, work: Callable[..., Given], *arguments: object) -> Given:
        """Do a piece of work, and give what it gives."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def run_now(self, work: Callable[..., Given], *arguments: object) -> Given:
        """Do what takes a few milliseconds, when all others had their turn, and let nobody wait for a thread."""
        began = time.perf_counter()
        await asyncio.sleep(0)
        self._turn = time.perf_counter() - began
        return work(*arguments)

    def has_time(self) -> bool:
        """Whether there is time for more than what callers wait for."""
        return self._turn < BUSY

    async def run_at_length(self, work: Callable[..., Given], *arguments: object) -> Given:
        """Do what takes seconds, and cannot be divided: one after the other, beside the pieces of all callers."""
        return await asyncio.get_running_loop().run_in_executor(self._long, work, *arguments)

    @contextmanager
    def alone(self, what: str, name: str) -> Iterator[None]:
        """Let nobody else at something meanwhile.

        Raises
        ------
        ConflictError
            if somebody is.
        """
        key = what, name.lower()
        if key in self._held:
            raise ConflictError(
                f"{what} {cited(name)} is being recorded in another window; end it there, or wait a minute"
            )
        self._held.add(key)
        try:
            yield
        finally:
            self._held.discard(key)

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
        for pool in (self._pool, self._long):
            pool.shutdown(cancel_futures=True)
