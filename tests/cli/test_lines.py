"""Lines on standard input are there when they are asked for, and nobody waits for them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from recognizer.cli import lines
from recognizer.cli.lines import keys_of, lines_of, unseen


@pytest.fixture
def pipe() -> Iterator[tuple]:
    """A stream as standard input is one, and the end that is written to."""
    out, into = os.pipe()
    with open(out, encoding="utf-8") as stream, open(into, "wb", buffering=0) as writer:
        yield stream, writer


def next_lines(come: Callable[[], list[str]], count: int) -> list[str]:
    """So many lines, however long they take."""
    found: list[str] = []
    while len(found) < count:
        found += come()
    assert len(found) == count
    return found


def test_lines_come_once_and_in_order(pipe):
    stream, writer = pipe
    come = lines_of(stream)
    assert come() == []
    writer.write(b"u\n  undo \r\n\n")
    assert next_lines(come, 3) == ["u", "undo", ""]
    assert come() == []
    writer.write("né\n\xff\n".encode("latin-1"))
    assert next_lines(come, 2) == ["n\ufffd", "\ufffd"]
    writer.write(b"half")
    assert come() == []
    writer.write(b" a line\n")
    assert next_lines(come, 1) == ["half a line"]


def test_only_so_many_are_read_ahead(pipe, monkeypatch):
    monkeypatch.setattr(lines, "WAITING", 3)
    stream, writer = pipe
    come = lines_of(stream)
    writer.write(b"u\n" * 20)
    assert next_lines(come, 20) == ["u"] * 20


def test_where_there_are_no_lines_none_come():
    with open(os.devnull) as nothing:
        for stream in (None, io.StringIO("u\n"), nothing):
            come = lines_of(stream)
            assert [come() for _ in range(3)] == [[], [], []]
            with unseen(stream):
                assert come() == []


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are otherwise there")
def test_what_is_typed_is_not_seen_until_it_is_over():
    import pty
    import termios

    master, terminal = pty.openpty()
    with open(terminal) as stream:

        def echoes() -> bool:
            return bool(termios.tcgetattr(master)[3] & termios.ECHO)

        assert echoes()
        with suppress(KeyboardInterrupt), unseen(stream):
            assert not echoes()
            assert termios.tcgetattr(master)[3] & termios.ISIG, "Ctrl-C still ends it"
            raise KeyboardInterrupt
        assert echoes()
    os.close(master)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no jobs")
def test_a_job_in_the_background_leaves_the_terminal_alone(monkeypatch):
    import pty
    import termios

    master, terminal = pty.openpty()
    with open(terminal) as stream:
        monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.getpgrp() + 1)
        os.write(master, b"u\n")
        come = lines_of(stream)
        with unseen(stream):
            assert termios.tcgetattr(master)[3] & termios.ECHO
        assert come() == []
    os.close(master)


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are otherwise there")
def test_keys_count_without_enter_until_it_is_over():
    import pty
    import termios

    master, terminal = pty.openpty()
    with open(terminal) as stream:
        before = termios.tcgetattr(master)
        with suppress(RuntimeError), keys_of(stream) as pressed:
            assert not termios.tcgetattr(master)[3] & (termios.ECHO | termios.ICANON)
            assert termios.tcgetattr(master)[3] & termios.ISIG, "Ctrl-C still ends it"
            assert pressed() == ""
            os.write(master, b"us")
            assert pressed() == "us"
            os.write(master, b"\x1b[Au\x1b[15~")
            assert pressed() == "u", "between an arrow and F5"
            for other in (b"\x1bOP", b"\x1b", b"\n", b" ", b"\xff"):  # F1, for one, which has a P in it
                os.write(master, other)
                assert pressed() == ""
            raise RuntimeError
        assert termios.tcgetattr(master) == before
    os.close(master)
