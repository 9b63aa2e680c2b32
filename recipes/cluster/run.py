"""Training on a Dask cluster: how much two workers gain, and what becomes of the model when they are killed.

Scheduler and workers run on this computer, each in a process of its own; training is the real command. The recordings
are those of a corpus over and over, each time at another level and with other noise.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # workers share the cores
sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "scale")]

import numpy as np
from protocols import measured, write_results
from repeating import asked_for, repeated, started, trained

COUNT, FEW = 100_000, 8_000  # recordings: to be quick with, and to be killed at
TIMES = 3
WORKERS = 2
EVERY = 2.0  # seconds from one kill to the next: about as long as a worker takes to start
KILLS = "worker", "scheduler"


class Cluster:
    """A scheduler and its workers, as their commands start them."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address, self._folder = f"tcp://127.0.0.1:{self._port}", folder
        self.start()

    def _process(self, what: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.{what}", *options, "--no-dashboard"]
        return subprocess.Popen(command, cwd=self._folder, stderr=subprocess.DEVNULL)

    def _worker(self) -> subprocess.Popen:
        return self._process("dask_worker", self.address, "--nthreads", "1", "--no-nanny")

    def start(self) -> None:
        self._scheduler = self._process("dask_scheduler", "--port", str(self._port), "--host", "127.0.0.1")
        self._workers = [self._worker() for _ in range(WORKERS)]

    def kill_worker(self) -> None:
        """The oldest, and start another."""
        self._workers.append(self._worker())
        oldest = self._workers.pop(0)
        oldest.kill()
        oldest.wait()

    def kill_scheduler(self) -> None:
        """With all that knows it, and start them again."""
        self.end()
        self.start()

    def end(self) -> None:
        for process in (*self._workers, self._scheduler):
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    found = Cluster(folder)
    try:
        yield found
    finally:
        found.end()


def gain(corpus: Path, few: Path, folder: Path) -> str:
    """Rows: two workers against one process without Dask, by turns; and what the calling process does itself."""
    alone, there = folder / "alone.npz", folder / "there.npz"
    ratios, seconds, own, whole = [], [], [], []
    with cluster(folder) as found:
        _, least, _ = trained(few, there, "--cluster", found.address)
        for _ in range(TIMES):
            one, cpu, _ = trained(corpus, alone)
            many, rest, _ = trained(corpus, there, "--cluster", found.address)
            ratios.append(one / many)
            seconds.append(one)
            whole.append(cpu)
            own.append(rest)
    same = "the same" if alone.read_bytes() == there.read_bytes() else "NOT the same"
    return (
        f"| {COUNT:,} recordings, {WORKERS} workers against one process without Dask | {np.median(ratios):.2f} times "
        f"as fast ({min(ratios):.2f} to {max(ratios):.2f}, {TIMES} times; {np.median(seconds):.0f} s alone); {same} to "
        f"the bit |\n| of {1000 * np.median(whole) / COUNT:.2f} ms of CPU a recording, alone | "
        f"{1000 * (np.median(own) - least) / (COUNT - FEW):.2f} ms stay with the computer that calls, by the "
        f"difference to {FEW:,} recordings |"
    )


def kills(what: str, corpus: Path, folder: Path) -> str:
    """A row: a worker, or the scheduler with all of them, killed again and again."""
    whole, survived = folder / "whole.npz", folder / f"{what}.npz"
    if not whole.exists():
        trained(corpus, whole)
    killed = 0
    with cluster(folder) as found:
        process = started(corpus, survived, "--cluster", found.address)
        pause = EVERY if what == "worker" else 6 * EVERY  # it takes some seconds until workers are back
        while True:
            try:
                process.wait(pause)
                break
            except subprocess.TimeoutExpired:
                (found.kill_worker if what == "worker" else found.kill_scheduler)()
                killed += 1
    same = "the same" if process.returncode == 0 and whole.read_bytes() == survived.read_bytes() else "NOT the same"
    return (
        f"| {FEW:,} recordings, a {what} killed every {pause:.0f} s, {killed} times in all | {same} model, to the bit |"
    )


if __name__ == "__main__":
    takes = asked_for(__doc__)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        many, few = (repeated(takes, count, place / str(count)) for count in (COUNT, FEW))
        measurements = (lambda: gain(many, few, place), *(lambda what=what: kills(what, few, place) for what in KILLS))
        table = measured(measure() for measure in measurements)
    write_results(
        Path(__file__),
        "Training on a cluster",
        "python recipes/cluster/run.py FOLDER",
        table,
        "Scheduler, workers and the command that trains share two cores. To have workers on the same computer read "
        "from a file, instead of sending them what they need, gained next to nothing.",
    )
