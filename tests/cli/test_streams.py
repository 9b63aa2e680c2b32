"""Standard streams that are closed, full, or that nobody reads: the work is done or one line says why not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from synthetic import SPEAKERS, record
from test_cli import LEAVES, arguments

from recognizer.model import Model
from recognizer.speakers import store

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to write to")

# How a shell says what becomes of the streams; the last one has a reader that has gone.
CLOSED, FULL, GONE = ">&-", ">/dev/full", ""
STREAMS = (CLOSED, "2>&-", ">&- 2>&-", "<&-", FULL, "2>/dev/full", GONE)
AT_ONCE = os.cpu_count() or 2
HELP = [(*names, "--help") for names in [(), ("models",), ("speakers",), *LEAVES]]


@pytest.fixture
def run_with(home) -> Callable[..., list[tuple[int, str]]]:
    """Runs calls with these streams, several at once: the exit status of each, and what it wrote to standard error."""

    def one(call: tuple[object, ...], streams: str) -> tuple[int, str]:
        program = [sys.executable, "-m", "recognizer", *map(str, call)]
        reader, writer = os.pipe()
        os.close(reader)
        stdout = writer if streams == GONE else subprocess.PIPE
        try:
            done = subprocess.run(
                ["sh", "-c", f'exec "$0" "$@" {streams}', *program],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                timeout=120,
                check=False,
            )
        finally:
            os.close(writer)
        return done.returncode, done.stderr.decode()

    def run(*calls: tuple[tuple[object, ...], str]) -> list[tuple[int, str]]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda call: one(*call), calls))

    return run


def check(status: int, stderr: str) -> None:
    """What holds whatever a command was asked to do."""
    assert status in (0, 1, 2)
    assert "Traceback" not in stderr
    assert "Exception ignored" not in stderr
    assert "this should not happen" not in stderr


def test_an_answer_with_any_streams(run_with, recordings, model_file):
    sound = recordings / "hum_anna_0.wav"
    found = run_with(*((("batch", sound, "--model", model_file, "--csv"), streams) for streams in STREAMS))
    for outcome in found:
        check(*outcome)
    statuses, errors = (dict(zip(STREAMS, each)) for each in zip(*found))
    assert statuses == dict.fromkeys(STREAMS, 0) | {CLOSED: 1, ">&- 2>&-": 1, FULL: 1}
    assert errors.pop(CLOSED).startswith("error: standard output is closed")
    assert errors.pop(FULL) == "error: No space left on device; make room on the disk\n"
    assert set(errors.values()) == {""}


def test_help_and_wrong_usage_with_any_streams(run_with):
    found = run_with(*((("--help",), streams) for streams in STREAMS), *((("bogus",), streams) for streams in STREAMS))
    for outcome in found:
        check(*outcome)
    statuses = dict(zip(STREAMS, (status for status, _ in found)))
    assert statuses == dict.fromkeys(STREAMS, 0) | {CLOSED: 1, ">&- 2>&-": 1, FULL: 1}
    errors = dict(zip(STREAMS, (stderr for _, stderr in found)))
    assert errors[CLOSED].startswith("error: standard output is closed")
    assert errors[FULL] == "error: No space left on device; make room on the disk\n"
    assert {status for status, _ in found[len(STREAMS) :]} == {2}
    assert all("No such command" in stderr for streams, (_, stderr) in zip(STREAMS, found[7:]) if "2>" not in streams)


def test_work_is_done_where_nobody_can_be_told_of_it(run_with, model_file, tmp_path):
    corpus = record(tmp_path / "corpus", words=("fall", "rise"), takes=1)
    enroll = ("enroll", "eve", "--from", corpus, "--voice", SPEAKERS[0], "--model", model_file)
    train = ("train", corpus, "--mixtures", "1", "--output", tmp_path / "a.npz")
    cut = ("cut", corpus / "rise_anna_0.wav", "--words", "rise", "--model", model_file, "--output", tmp_path / "takes")
    show = ("models", "show", model_file, "--html", tmp_path / "m.html")
    found = run_with((enroll, CLOSED), (train, ">&- 2>&-"), (cut, CLOSED), (show, CLOSED))
    for outcome in found:
        check(*outcome)
    assert [status for status, _ in found] == [0, 0, 0, 0]
    assert (tmp_path / "m.html").exists()
    assert store.has_profile("eve")
    assert Model.load(tmp_path / "a.npz").words == ("fall", "rise")
    assert len(list((tmp_path / "takes").rglob("*.wav"))) == 1


def test_no_file_takes_the_place_of_a_closed_stream(run_with, recordings, model_file, tmp_path):
    """What is written to a stream that is closed would go into the file that was opened in its place."""
    kept = tmp_path / "kept"
    call = ("live", "--from-file", recordings / "hum_anna_0.wav", "--fast", "--model", model_file, "--save", kept)
    [outcome] = run_with((call, "<&- >&- 2>&-"))
    check(*outcome)
    [line] = (kept / "utterances.jsonl").read_text(encoding="utf-8").splitlines()
    assert '"word": "hum"' in line
    assert len(list(kept.glob("*.wav"))) == 1


def every_call() -> Iterator[tuple[object, ...]]:
    yield from HELP
    for names in LEAVES:
        yield tuple(arguments(names))


@pytest.mark.slow
@pytest.mark.parametrize("streams", STREAMS)
def test_every_command_with_any_streams(run_with, streams):
    for call, outcome in zip(every_call(), run_with(*((call, streams) for call in every_call()))):
        check(*outcome)
        if call[-1] == "--help":
            assert outcome[0] == (1 if streams in (CLOSED, ">&- 2>&-", FULL) else 0), call


@pytest.mark.slow
@pytest.mark.parametrize("streams", STREAMS)
def test_every_command_at_work_with_any_streams(run_with, streams, model_file, recordings, enroll, tmp_path):
    enroll("eve")
    for names in LEAVES:
        if names == ("serve",):
            continue  # which goes on until it is ended, see tests/serve
        made = {("speakers", "export"): "eve.zip", ("speakers", "import"): "eve.zip", ("export",): "a.mmf"}
        values = {"model": model_file, "sound": recordings / "hum_anna_0.wav", "corpus": recordings}
        check(*run_with((tuple(arguments(names, **values, output=tmp_path / made.get(names, "a.npz"))), streams))[0])
