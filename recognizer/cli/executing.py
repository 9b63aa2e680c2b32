"""`live --exec`: a program is run for every word, beside the listening."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import threading
import time

from recognizer.cli.options import usage_error
from recognizer.cli.reporting import complain, counted
from recognizer.errors import cited, shown

AT_ONCE = 8  # programs that run at the same time; while there are more to run, words are passed over
PATIENCE = 2.0  # seconds that programs may still take at the end
SHELLS = (".bat", ".cmd")  # which Windows runs by a shell, for which a word may be a command
_FIELD = re.compile(r"\{(word|confidence|start)\}")
_NAME = re.compile(r"\{[A-Za-z_]+\}")  # what may be meant as one


class Executor:
    """Runs a program for each word, never by a shell.

    Parameters
    ----------
    command : as one would type it; {word}, {confidence} and {start} in its arguments stand for what was heard
    output : descriptor for what programs print, or `subprocess.DEVNULL`
    quiet : no warnings

    Raises
    ------
    typer.BadParameter
        if there is no such program.
    """

    def __init__(self, command: str, output: int = subprocess.DEVNULL, quiet: bool = False) -> None:
        self.output = output
        self._arguments, self._quiet = _split(command), quiet
        self._running: list[threading.Thread] = []
        self._told: set[str] = set()
        for name in _NAME.findall(" ".join(self._arguments)):
            if not _FIELD.fullmatch(name):
                self._warn(
                    "text", f"--exec: {cited(name)} stays as it is; filled in are {{word}}, {{confidence}}, {{start}}"
                )

    def run(self, word: str, confidence: float, start: float) -> None:
        """Start the program for a word, unless too many are running still."""
        self._running = [thread for thread in self._running if thread.is_alive()]
        if len(self._running) >= AT_ONCE:
            self._warn("slow", f"{AT_ONCE} programs of --exec are running still; not run for {cited(word)}")
            return
        values = {"word": word, "confidence": f"{confidence:.4f}", "start": f"{start:.3f}"}
        arguments = [_FIELD.sub(lambda field: values[field[1]], part) for part in self._arguments]
        thread = threading.Thread(target=self._wait_for, args=(arguments, word), daemon=True)
        thread.start()
        self._running.append(thread)

    def close(self) -> None:
        """Wait a little for those that are running still; they are not ended."""
        due = time.monotonic() + PATIENCE
        for thread in self._running:
            thread.join(max(0.0, due - time.monotonic()))
        if running := sum(thread.is_alive() for thread in self._running):
            self._warn("left", f"{counted(running, 'program')} of --exec still running, and left alone")

    def _wait_for(self, arguments: list[str], word: str) -> None:
        try:
            done = subprocess.run(
                arguments, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, check=False
            )
        except (OSError, ValueError) as error:  # ValueError: a zero character in an argument
            why = getattr(error, "strerror", None) or error
            self._warn("failed", f"--exec {shown(arguments[0])} cannot be run for {cited(word)}: {why}")
            return
        if done.returncode:
            self._warn(
                "failed",
                f"--exec {shown(arguments[0])} ended with status {done.returncode} for {cited(word)}; more of that "
                "is not told",
            )

    def _warn(self, kind: str, line: str) -> None:
        """Say it, once for each kind."""
        if not self._quiet and kind not in self._told:
            self._told.add(kind)
            complain(f"warning: {line}")


def _split(command: str) -> list[str]:
    """The program and its arguments; refuses what could not be run."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    if os.name == "nt":
        lexer.escape = ""  # where it parts folders
    try:
        arguments = list(lexer)
    except ValueError as error:
        raise usage_error(f"--exec {cited(command)}: {error}; close the quotes") from error
    if not arguments or _FIELD.search(arguments[0]):
        raise usage_error(f"--exec {cited(command)} names no program; begin with one, as in 'notify-send {{word}}'")
    program = shutil.which(arguments[0])
    if program is None:
        raise usage_error(
            f"--exec: there is no program {shown(arguments[0])}; correct its name, or give its whole path"
        )
    if os.name == "nt" and program.lower().endswith(SHELLS):
        raise usage_error(f"--exec: {shown(program)} is run by a shell, which might obey a word; name a program")
    return [program, *arguments[1:]]
