"""Training that grows: memory and cost from 1,000 to 100,000 recordings, two processes against one, kills.

The recordings are those of a corpus over and over, each time at another level and with other noise. Every training is
the real command in a process of its own.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # CPU time is then the work itself
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from protocols import measured, write_results
from repeating import asked_for, repeated, started, trained

from recognizer.model import Model

COUNTS = (1_000, 10_000, 100_000)
SHARED = (10_000, 100_000)  # that two processes share out
MEMORY = "300MB"
KILLED, OF = 40, 2_000  # times, in trainings from so many recordings


def growth(takes: list, folder: Path) -> Iterator[str]:
    """Rows: memory and cost by the number of recordings."""
    for count in COUNTS:
        corpus, output = repeated(takes, count, folder / str(count)), folder / f"{count}.npz"
        _, cpu, most = trained(corpus, output, "--memory", MEMORY)
        rounds = sum(map(len, Model.load(output).acoustics.history.values()))
        yield (
            f"| {count:,} recordings, `--memory {MEMORY}` | {most:.0f} MB at most; {1000 * cpu / count:.2f} ms of CPU "
            f"a recording, {rounds} iterations of the model |"
        )


def workers(takes: list, folder: Path) -> Iterator[str]:
    """Rows: two processes against one, by turns, and whether the models are the same."""
    one, two = folder / "one.npz", folder / "two.npz"
    for count in SHARED:
        corpus, ratios = folder / str(count), []
        if not corpus.exists():
            repeated(takes, count, corpus)
        for _ in range(3):
            alone, *_ = trained(corpus, one, "--jobs", "1")
            both, *_ = trained(corpus, two, "--jobs", "2")
            ratios.append(alone / both)
        trained(corpus, two, "--jobs", "2", "--memory", "10MB")
        same = "the same" if one.read_bytes() == two.read_bytes() else "NOT the same"
        yield (
            f"| `--jobs 2` against 1, {count:,} recordings | {np.median(ratios):.2f} times as fast (three times: "
            f"{min(ratios):.2f} to {max(ratios):.2f}); {same} to the bit, one in memory and one in 10 MB |"
        )


def blas(folder: Path) -> Iterator[str]:
    """A row: recognising beside a program that keeps a core busy, with a thread of BLAS, and with one for each core."""
    command = [sys.executable, "-m", "recognizer", "batch", str(folder / str(COUNTS[0])), "--quiet", "--csv"]
    seconds = {}
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        for threads in ("1", str(os.cpu_count())):
            environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
            times = []
            for _ in range(3):
                began = time.perf_counter()
                subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
                times.append(time.perf_counter() - began)
            seconds[threads] = np.median(times)
        busy.kill()
    one, many = seconds.values()
    yield (
        f"| `batch` of {COUNTS[0]:,} recordings beside a program that keeps one of {os.cpu_count()} cores busy | with "
        f"a thread of BLAS for each core {many / one:.1f} times as long as with one |"
    )


def kills(takes: list, folder: Path) -> Iterator[str]:
    """A row: trainings killed at random moments, and gone on with."""
    corpus, whole, resumed = repeated(takes, OF, folder / "killed"), folder / "whole.npz", folder / "resumed.npz"
    seconds, *_ = trained(corpus, whole)
    moments, same, gone_on = random.Random(0), 0, 0
    for _ in range(KILLED):
        resumed.unlink(missing_ok=True)
        process = started(corpus, resumed)
        try:
            process.wait(moments.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        gone_on += resumed.with_name("resumed.npz.checkpoints").exists()
        trained(corpus, resumed, "--resume")
        same += whole.read_bytes() == resumed.read_bytes()
    yield (
        f"| killed {KILLED} times at random moments, then `--resume` | {same} times the same model to the bit; "
        f"{gone_on} times there was a checkpoint to go on from |"
    )


if __name__ == "__main__":
    takes = asked_for(__doc__)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        table = measured(chain(growth(takes, place), blas(place), workers(takes, place), kills(takes, place)))
    write_results(
        Path(__file__),
        "Training that grows",
        "python recipes/scale/run.py FOLDER",
        table,
        "Of features alone `--memory` tells; the program and its libraries take about 200 MB beside them.",
        "What two processes leave to one are imports, the list of the files, normalising the features, and writing "
        "those that the processes read. None of this made them faster: to start them earlier, beside the imports; the "
        "trial beside the final training; smaller chunks.",
    )
