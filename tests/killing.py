"""Kills at every step that changes files: a fork of this process, warm and hence quick, dies at the n-th."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

CHANGES = {f"os.{name}" for name in ("rename", "remove", "rmdir", "mkdir", "link", "symlink", "chmod", "truncate")}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def changes_files(event: str, arguments: tuple, folder: Path) -> bool:
    """Whether an audited event is about to change something in a folder; relative paths are those of `rmtree`."""
    if event != "open" and event not in CHANGES:
        return False
    path = arguments[0]
    if not isinstance(path, str | bytes | os.PathLike) or (event == "open" and not arguments[2] & WRITING):
        return False
    path = os.fsdecode(path)
    return not os.path.isabs(path) or path.startswith(str(folder))


def is_killed(act: Callable[[Path], object], folder: Path, step: int) -> bool:
    """Act in a process of its own that is killed right before it changes files in the folder for the n-th time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which do nothing meanwhile
        child = os.fork()
    if not child:
        _die_at(act, folder, step)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), "it failed by itself"
    return status != 0


def _die_at(act: Callable[[Path], object], folder: Path, step: int) -> None:
    left = step

    def count(event: str, arguments: tuple) -> None:
        nonlocal left
        if changes_files(event, arguments, folder):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(count)
        act(folder)
    except BaseException:
        os._exit(1)
    os._exit(0)


def kills(act: Callable[[Path], object], fresh: Callable[[], Path]) -> Iterator[Path]:
    """Kill an act at its first step, its second, and so on until it gets through; gives what it was killed in.

    Parameters
    ----------
    act : is given a folder, and changes files in it
    fresh : makes a folder that is as it was before
    """
    for step in itertools.count(1):
        folder = fresh()
        killed = is_killed(act, folder, step)
        yield folder
        if not killed:
            assert step > 1, "it changed no files, so that nothing was tried"
            return
