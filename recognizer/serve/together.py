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
        self._tasks: set[asyncio.Task] = set()

    async def recognize(self, recognizer: Recognizer, path: Path, wishes: Wishes) -> dict:
        """What `batch` says of a recording, see `recordings.recognized`."""
        kind = id(recognizer), wishes.words, wishes.threshold
        answer = asyncio.get_running_loop().create_future()
        self._waiting[kind].append((path, answer))
        if self._working[kind] < self._threads:
            self._working[kind] += 1
            task = asyncio.create_task(self._work(kind, recognizer, wishes))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _work(self, kind: tuple, recognizer: Recognizer, wishes: Wishes) -> None:
        """Recognise until nothing waits."""
        while group := self._waiting[kind][:MOST]:
            del self._waiting[kind][:MOST]
            try:
                found = await self._engine.run(recognized, recognizer, [path for path, _ in group], wishes)
            except Exception as error:
                found = [error] * len(group)
            for (_, answer), each in zip(group, found, strict=True):
                if answer.done():  # its caller has gone
                    continue
                if isinstance(each, Exception):
                    answer.set_exception(each)
                else:
                    answer.set_result(each)
        self._working[kind] -= 1
        if not self._working[kind]:
            del self._waiting[kind], self._working[kind]
