"""A Dask cluster on this computer: real processes, which tests kill."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Computers:
    """A scheduler and its workers, each a process that may be killed and started again."""

    def __init__(self, folder: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address, self._folder = f"tcp://127.0.0.1:{self._port}", folder
        self.workers: list[subprocess.Popen] = []
        self.scheduler = self._scheduler()

    def _started(self, what: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.{what}", *options, "--no-dashboard"]
        paths = os.pathsep.join(filter(None, [self._folder, os.environ.get("PYTHONPATH")]))
        environment = os.environ | ONE_THREAD | {"PYTHONPATH": paths}
        return subprocess.Popen(command, env=environment, cwd=self._folder, stderr=subprocess.DEVNULL)

    def _scheduler(self) -> subprocess.Popen:
        return self._started("dask_scheduler", "--port", str(self._port), "--host", "127.0.0.1")

    def add(self, threads: int = 1) -> None:
        """A worker more."""
        options = ("--nthreads", str(threads), "--no-nanny", "--local-directory", self._folder)
        self.workers.append(self._started("dask_worker", self.address, *options))

    def ready(self, count: int) -> None:
        """Wait until there are so many."""
        with Client(self.address, set_as_default=False, timeout=60) as client:
            if count:
                client.wait_for_workers(count, timeout=60)

    def lose(self) -> None:
        """Kill the oldest worker, and start another."""
        worker = self.workers.pop(0)
        worker.kill()
        worker.wait()
        self.add()

    def lose_all(self) -> None:
        """Kill everything, and start it again."""
        count = len(self.workers)
        self.close()
        time.sleep(0.5)
        self.workers.clear()
        self.scheduler = self._scheduler()
        for _ in range(count):
            self.add()

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextmanager
def computers(folder: str, count: int) -> Iterator[Computers]:
    """So many workers, until the end of the block."""
    found = Computers(folder)
    try:
        for _ in range(count):
            found.add()
        found.ready(count)
        yield found
    finally:
        found.close()
