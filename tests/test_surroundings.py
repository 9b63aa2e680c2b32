"""Strange surroundings: no home, a locale of C, a small terminal; each works, or ends in one line with the remedy."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from synthetic import SPEAKERS, WORDS, record, say, write
from telling import after_told

from recognizer.cli.reporting import working
from recognizer.corpus import find
from recognizer.speakers import store
from recognizer.training.building import build

CHINESE = {"北京": "rise", "上海": "fall"}  # and the tune of each


@pytest.fixture
def program(tmp_path):
    """Runs the program in a process of its own, with these variables instead of those of the tests'."""

    def run(*arguments: object, **variables: str | None) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in {**os.environ, **variables}.items() if value is not None}
        call = [sys.executable, "-m", "recognizer", *map(str, arguments)]
        return subprocess.run(
            call, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False, env=environment
        )

    return run


@pytest.mark.parametrize("home", ["/dev/null/nobody", ""])
def test_without_a_home_that_can_be_written_one_can_recognise(program, model_file, tmp_path, home):
    sound = write(tmp_path / "a.wav", say("rise"))
    homeless = {"HOME": home, "RECOGNIZER_HOME": None, "XDG_DATA_HOME": None, "XDG_CONFIG_HOME": None}
    done = program("batch", sound, "--model", model_file, "--json", **homeless)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"word": "rise"' in done.stdout
    assert program("speakers", "list", **homeless).returncode == 0


def test_without_a_home_that_can_be_written_enrolling_says_what_to_do(program, model_file, recordings, tmp_path):
    homeless = {"HOME": "/dev/null/nobody", "RECOGNIZER_HOME": None, "XDG_DATA_HOME": None, "XDG_CONFIG_HOME": None}
    call = ("enroll", "eve", "--from", recordings, "--voice", SPEAKERS[0], "--model", model_file)
    done = program(*call, **homeless)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "/dev/null/nobody" in line
    assert line.endswith("set RECOGNIZER_HOME to another folder")


def test_in_a_locale_of_c_words_of_any_script_are_told(program, tmp_path, small):
    for word, tune in CHINESE.items():
        for take in range(6):
            write(tmp_path / "words" / word / f"{take}.wav", say(tune, take=take))
    model = build(find(tmp_path / "words"), settings=small)[0]
    model.save(tmp_path / "cities.npz")
    sound = write(tmp_path / "北京.wav", say("rise"))
    plain = {"LC_ALL": "C", "LANG": None, "LC_CTYPE": None, "PYTHONIOENCODING": None, "PYTHONUTF8": None}
    home = {"RECOGNIZER_HOME": str(tmp_path / "home")}
    table = program("batch", sound, "--model", tmp_path / "cities.npz", **plain)
    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.splitlines()[1].split()[:2] == [str(sound), "北京"]
    call = ("enroll", "安娜", "--from", tmp_path / "words", "--model", tmp_path / "cities.npz", "--quiet")
    assert program(*call, **plain, **home).returncode == 0
    listed = program("speakers", "list", **plain, **home)
    assert listed.stdout.startswith("安娜  ")
    heard = program("live", "--from-file", sound, "--fast", "--model", tmp_path / "cities.npz", **plain)
    assert " 北京 " in heard.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
def test_on_a_small_terminal_the_table_is_one_line_a_file(model_file, tmp_path, monkeypatch):
    folder = record(tmp_path / "recordings with a long name", takes=1)
    (folder / "zz.wav").write_text("no sound")
    monkeypatch.setenv("COLUMNS", "40")
    status, shown = on_a_terminal("stdout", "batch", folder, "--model", model_file)
    assert status == 1
    header, *lines = shown.splitlines()
    assert header.split() == ["file", "word", "confidence"]
    files = sorted(Path(folder).glob("*.wav"))
    for file, line in zip(files[:-1], lines):
        assert cell_len(line) <= 40
        name, word, confidence = line.split()
        assert str(file).endswith(name.lstrip("…"))
        assert file.stem.startswith(f"{word}_")
        assert 0 <= float(confidence) <= 1
    assert "is not sound" in " ".join(line.strip() for line in lines[len(files) - 1 :])


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
def test_on_a_usual_terminal_the_table_tells_why_something_was_rejected(model_file, tmp_path, monkeypatch):
    folder = record(tmp_path / "recordings-with-a-long-name", takes=1)
    bang = np.random.default_rng(0).standard_normal(4000) * np.hanning(4000) * 0.1
    write(folder / "zz.wav", bang)
    monkeypatch.setenv("COLUMNS", "80")
    status, shown = on_a_terminal("stdout", "batch", folder, "--model", model_file)
    assert status == 0
    header, *lines = shown.splitlines()
    assert header.split() == ["file", "word", "confidence", "runner-up", "reason"]
    for file, line in zip(sorted(Path(folder).glob("*.wav")), lines, strict=True):
        assert cell_len(line) <= 80
        name, word = line.split()[:2]
        assert str(file).endswith(name.lstrip("…"))
        assert line[header.index("reason") :] == ("" if word != "-" else "sounds like no word")


def test_of_two_enrollments_at_once_nothing_is_lost(script, model_file, tmp_path, home):
    """Of one speaker, from two folders: all takes are kept, and the profile is made of all of them."""
    folders = [tmp_path / str(half) for half in range(2)]
    for half, folder in enumerate(folders):
        for take in range(3):
            for word in WORDS:
                write(folder / word / f"{take}.wav", say(word, "eve", 10 * half + take))
    calls = [[*script, "enroll", "eve", "--from", str(folder), "--model", str(model_file)] for folder in folders]
    both = [subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for call in calls]
    told = [one.communicate(timeout=120)[1] for one in both]
    assert ([one.returncode for one in both], list(map(after_told, told))) == ([0, 0], ["", ""])
    assert Counter(take.word for take in store.takes("eve")) == dict.fromkeys(WORDS, 6)
    assert sum(store.load("eve").record["takes"].values()) == 6 * len(WORDS)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("speakers", "refresh", "eve"), "fitting the model to eve"),
        (("speakers", "forget", "eve", "hum/1.wav"), "fitting the model to eve"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_what_takes_a_while_says_so_at_once_on_a_terminal(enroll, model_file, arguments, told):
    enroll("eve")
    profile = store.load("eve")
    replace(profile, model_name=str(model_file)).save(store.folder("eve") / store.PROFILE)
    status, shown = on_a_terminal("stderr", *arguments)
    assert status == 0
    assert told in shown


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("evaluate CORPUS --model MODEL", "recognising"),
        ("models compare MODEL MODEL CORPUS", "model A"),
        ("models show MODEL", "comparing the words"),
        ("export MODEL CORPUS --parameters OUT", "features"),
        ("train CORPUS --output OUT.npz", "looking at the recordings"),
    ],
    ids=lambda value: value.split()[0],
)
def test_every_command_says_what_it_is_at(model_file, recordings, tmp_path, arguments, told):
    names = {"MODEL": str(model_file), "CORPUS": str(recordings), "OUT": str(tmp_path / "out")}
    names["OUT.npz"] = str(tmp_path / "out.npz")
    status, shown = on_a_terminal("stderr", *(names.get(word, word) for word in arguments.split()))
    assert status == 0
    assert told in shown


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
@pytest.mark.parametrize(
    ("command", "told"), [("batch", "reading the recordings"), ("align", "reading the model and the recording")]
)
def test_what_comes_late_is_told_before_it_comes(model_file, tmp_path, command, told):
    """From a pipe into which nobody has written yet."""
    sound, late = write(tmp_path / "a.wav", say("rise")), tmp_path / "late.wav"
    os.mkfifo(late)

    def deliver(shown: bytes) -> None:
        if told.encode() in shown and not late_ones:
            late_ones.append(late.write_bytes(sound.read_bytes()))

    late_ones: list[int] = []
    status, shown = on_a_terminal("stderr", command, late, "--model", model_file, watch=deliver)
    assert status == 0
    assert told in shown


class Terminal(io.StringIO):
    """Whatever is written to a person."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("quiet", "after", "told"), [(False, 0.0, True), (False, 60.0, False), (True, 0.0, False)])
def test_work_is_told_unless_it_is_done_soon(monkeypatch, quiet, after, told):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with working("counting", quiet, after):
        pass
    assert sys.stderr is terminal
    assert ("counting" in terminal.getvalue()) == told


def on_a_terminal(
    stream: str, *arguments: object, watch: Callable[[bytes], None] = lambda shown: None
) -> tuple[int, str]:
    """The exit status of the program, and what it writes to one stream when that is a terminal.

    Parameters
    ----------
    watch : called with all that is shown up to now, whenever there is more
    """
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | {stream: slave}
    shown = b""
    with subprocess.Popen([sys.executable, "-m", "recognizer", *map(str, arguments)], **streams) as program:
        os.close(slave)
        while piece := read(master):
            shown += piece
            watch(shown)
    os.close(master)
    return program.returncode, shown.decode().replace("\r", "")


def read(master: int) -> bytes:
    """What comes next from a terminal; nothing at its end, which is an error on Linux."""
    try:
        return os.read(master, 65536)
    except OSError:
        return b""
