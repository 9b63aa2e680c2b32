"""Recordings that wait at the same time are recognised together, which takes a third of what each alone would."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from pathlib import Path

from recognizer.recognizer import Recognizer
from recognizer.serve.engine import Engine
from recognizer.serve.query import Wishes
from recognizer.serve.recordings import recognized

MOST = 16  # recordings of a group: more gain little, and streams wait for them
STEPS = 4  # of the event loop, in which a call that has come gets here
ENOUGH = 8  # that wait, for another group beside one that is being recognised: two small ones gain nothing


class Together:
    """Groups of those who want the same of the same recognizer.

    Parameters
    ----------
    engine : that works
    threads : groups of a kind at the same time
    """

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine, self._threads = engine, threads
        self._waiting: defaultdict[tuple, list[tuple[Path, asyncio.Future]]] = defaultdict(list)
        self._working: Counter[tuple] = Counter()
        self._gathering: set[tuple] = set()
        self._tasks: set[asyncio.Task] = set()

    async def recognize(self, recognizer: Recognizer, path: Path, wishes: Wishes) -> dict:
        """What `batch` says of a recording, see `recordings.recognized`."""
        kind = id(recognizer), wishes.words, wishes.threshold
        answer = asyncio.get_running_loop().create_future()
        self._waiting[kind].append((path, answer))
        self._begin(kind, recognizer, wishes)
        return await answer

    def _begin(self, kind: tuple, recognizer: Recognizer, wishes: Wishes) -> None:
        """Another group, if it is worth it."""
        if self._wanted(kind):
            self._gathering.add(kind)
            task = asyncio.create_task(self._work(kind, recognizer, wishes))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _wanted(self, kind: tuple) -> bool:
        """Whether another group is worth being begun."""
        if kind in self._gathering:
            return False
        working = self._working[kind]
        return not working or (working < self._threads and len(self._waiting[kind]) >= ENOUGH)

    async def _work(self, kind: tuple, recognizer: Recognizer, wishes: Wishes) -> None:
        """Recognise until nothing waits that nobody else gathers."""
        while True:
            group = await self._gathered(kind)
            self._working[kind] += 1
            self._begin(kind, recognizer, wishes)  # for those who found no room in this one
            try:
                found = await self._engine.run(recognized, recognizer, [path for path, _ in group], wishes)
            except Exception as error:
                found = [error] * len(group)
            self._working[kind] -= 1
            for (_, answer), each in zip(group, found, strict=True):
                if answer.done():  # its caller has gone
                    continue
                if isinstance(each, Exception):
                    answer.set_exception(each)
                else:
                    answer.set_result(each)
            if kind in self._gathering or not self._waiting[kind]:
                break
            self._gathering.add(kind)
        if not (self._working[kind] or self._waiting[kind]):
            del self._waiting[kind], self._working[kind]

    async def _gathered(self, kind: tuple) -> list[tuple[Path, asyncio.Future]]:
        """Take what waits, and what has come already: callers who were answered together ask again together."""
        waiting, before = self._waiting[kind], 0
        while before < len(waiting) < MOST:
            before = len(waiting)
            for _ in range(STEPS):
                await asyncio.sleep(0)
        group = waiting[:MOST]
        del waiting[:MOST]
        self._gathering.discard(kind)
        return group
