"""A box for a command: so much memory, so much of one core, by the control groups of Linux; and what it took in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds in which a share of a core may be used up
# A parent as small as can be: what a process took at most is never told as less than its parent had when it began.
LAUNCHER = """
import json, os, subprocess, sys
told, core, *groups = json.loads(sys.argv[1])
def enter():
    os.sched_setaffinity(0, {core})
    for group in groups:
        with open(group + "/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))
process = subprocess.Popen(sys.argv[2:], preexec_fn=enter)
_, status, used = os.wait4(process.pid, 0)
with open(told, "w") as file:
    json.dump([os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024, used.ru_utime + used.ru_stime], file)
"""


@dataclass(frozen=True)
class Limits:
    """What a command may have.

    Attributes
    ----------
    memory : bytes, no swap beside them
    share : of one core
    """

    memory: int
    share: float


@dataclass(frozen=True)
class Line:
    """A line that a command printed, and when, seconds since it was started."""

    text: str
    moment: float


@dataclass(frozen=True)
class Run:
    """What a command printed and took.

    Attributes
    ----------
    lines : of its standard output
    status : with which it ended
    seconds : on the wall
    cpu : seconds, user and system
    resident : bytes of memory at most, what it shares with other processes included
    charged : bytes that its control group had at most; None where it had none
    throttled : seconds for which it was kept from running; None likewise
    """

    lines: tuple[Line, ...]
    status: int
    seconds: float
    cpu: float
    resident: int
    charged: int | None
    throttled: float | None


def boxed(
    command: Sequence[str], limits: Limits | None, work: Path, feed: Callable[[int, float], None] | None = None
) -> Run:
    """Run a command on one core, within limits where there are any.

    Parameters
    ----------
    command : and its arguments
    limits : what it may have; one whole core when None
    work : a folder to write to
    feed : is given the file descriptor of the command's standard input, and the moment when it was started

    Raises
    ------
    OSError
        if no control group can be made.
    """
    with _groups(limits) as groups:
        told = work / "told.json"
        call = json.dumps([str(told), min(os.sched_getaffinity(0)), *map(str, groups)])
        began = time.perf_counter()
        stdin = subprocess.DEVNULL if feed is None else subprocess.PIPE
        with subprocess.Popen(
            [sys.executable, "-S", "-c", LAUNCHER, call, *command], stdin=stdin, stdout=subprocess.PIPE, text=True
        ) as process:
            feeding = threading.Thread(target=_feed, args=(process, feed, began))
            feeding.start()
            lines = [Line(text.rstrip("\n"), time.perf_counter() - began) for text in process.stdout]
            process.wait()
            seconds = time.perf_counter() - began
            feeding.join()
        status, resident, cpu = json.loads(told.read_text())
        return Run(tuple(lines), status, seconds, cpu, resident, _peak(groups), _throttled(groups))


def _feed(process: subprocess.Popen, feed: Callable[[int, float], None] | None, began: float) -> None:
    if feed is not None:
        with suppress(BrokenPipeError):  # it has ended, which its status tells
            feed(process.stdin.fileno(), began)
        process.stdin.close()


@contextmanager
def _groups(limits: Limits | None) -> Iterator[list[Path]]:
    """Control groups with these limits, of either version, which go when the block is left."""
    groups: list[Path] = []
    try:
        for group, settings in _wanted(limits).items() if limits else ():
            group.mkdir()
            groups.append(group)
            for name, value in settings.items():
                if (group / name).exists():  # there is none for swap where the kernel does not count it
                    (group / name).write_text(value)
        yield groups
    finally:
        for group in groups:
            _remove(group)


def _remove(group: Path) -> None:
    """End what is still in a group, as after Ctrl-C, and remove it."""
    while processes := (group / "cgroup.procs").read_text().split():
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        time.sleep(0.01)
    group.rmdir()


def _wanted(limits: Limits) -> dict[Path, dict[str, str]]:
    """The groups to make, and what to write into each file of them."""
    name, memory, quota = f"small-{os.getpid()}", str(limits.memory), str(round(PERIOD * limits.share))
    if (GROUPS / "cgroup.controllers").exists():  # the second version
        return {GROUPS / name: {"memory.max": memory, "memory.swap.max": "0", "cpu.max": f"{quota} {PERIOD}"}}
    wanted = {
        "memory": {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
        "cpu": {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": quota},
    }
    mine = dict(_mine())
    return {GROUPS / kind / mine[kind] / name: settings for kind, settings in wanted.items()}


def _mine() -> Iterator[tuple[str, str]]:
    """The group of this process for every kind of the first version: within it others are made, and its limits hold."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        yield from ((kind, path.strip("/")) for kind in kinds.split(","))


def _peak(groups: Sequence[Path]) -> int | None:
    for group in groups:
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            if (group / name).exists():
                return int((group / name).read_text())
    return None


def _throttled(groups: Sequence[Path]) -> float | None:
    for group in groups:
        if (group / "cpu.stat").exists():
            told = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
            return int(told["throttled_usec"]) / 1e6 if "throttled_usec" in told else int(told["throttled_time"]) / 1e9
    return None
