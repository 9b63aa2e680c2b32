"""What several test files share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from soundcard import Plug, SoundCard, Stream
from synthetic import RATE, WORDS, answer, quiet, record, say, write
from telling import after_told
from typer.testing import CliRunner

from recognizer.cli import app
from recognizer.corpus import LAYOUT_FILE, find
from recognizer.live.prompts import Prompt
from recognizer.model import Model
from recognizer.sound import microphone
from recognizer.speakers import store
from recognizer.speakers.enrolling import make_profile
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings

BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "data"

# How long an example takes by the clock depends on what else the machine does.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """No test sees or changes what the user has."""
    monkeypatch.setenv("RECOGNIZER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RECOGNIZER_MODEL", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Find a folder of real recordings by name, as in ``shared_data("fsdd")``, or skip the test.

    Their parent folder is what RECOGNIZER_TEST_DATA names, by default ``../shared/data`` beside the
    repository.
    """
    root = Path(os.environ.get("RECOGNIZER_TEST_DATA") or BESIDE_THE_REPOSITORY)

    def folder(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"no recordings in {root / name}; set RECOGNIZER_TEST_DATA to the folder above them")
        return root / name

    return folder


@pytest.fixture(scope="session")
def small() -> TrainingSettings:
    """Sizes that a handful of recordings support without a warning."""
    return TrainingSettings(mixtures=1)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory) -> Path:
    """A folder of four words by four speakers, three takes each, see `synthetic`; not to be changed."""
    return record(tmp_path_factory.mktemp("recordings"))


@pytest.fixture
def unclear(recordings, tmp_path) -> Path:
    """The same, without the file that tells whether words or speakers come first."""
    folder = shutil.copytree(recordings, tmp_path / "unclear")
    (folder / LAYOUT_FILE).unlink()
    return folder


@pytest.fixture(scope="session")
def built(recordings) -> Model:
    """A model of the words in `recordings`, as it would be if there were many: a strange voice is strange to it."""
    return build(find(recordings), settings=TrainingSettings(mixtures=2), few=False)[0]


@pytest.fixture(scope="session")
def fitted(tmp_path_factory) -> Model:
    """A model whose rejection was fitted to its own recordings, as if they were many."""
    folder = record(tmp_path_factory.mktemp("more"), speakers=("anna", "bob", "carl", "dora", "eve"), takes=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recognizer.training.trials.FEWEST_TO_REJECT", 100)
        return build(find(folder), settings=TrainingSettings(mixtures=2))[0]


@pytest.fixture(scope="session")
def model_file(built, tmp_path_factory) -> Path:
    """The file of `built`; not to be changed."""
    path = tmp_path_factory.mktemp("models") / "tones.npz"
    built.save(path)
    return path


@pytest.fixture
def enroll(built) -> Callable[..., Model]:
    """Enroll a speaker with one take of each word, as in ``enroll("eve")``; gives the model as fitted."""

    def enrolled(name: str, model: Model = built) -> Model:
        for word in WORDS:
            write(store.take_path(name, word), say(word, name.partition(store.MARK)[0], 50))
        return make_profile(name, model, "tones")[0].model

    return enrolled


@dataclass(frozen=True)
class Outcome:
    """What a command did: exit status, and what it wrote."""

    status: int
    stdout: str
    stderr: str

    @property
    def after_told(self) -> str:
        """What stderr holds after the lines that tell what was taken for words and speakers, see `telling`."""
        return after_told(self.stderr)


@pytest.fixture
def run() -> Callable[..., Outcome]:
    """Run a command inside this process, as in ``run("batch", file)``; it must never raise anything."""

    def command(*arguments: object) -> Outcome:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return command


@pytest.fixture
def soundcard(monkeypatch) -> Callable[..., SoundCard]:
    """Install a made-up sound system with inputs, as in ``soundcard(Plug("Mic"), chosen=0)``; somebody sits at it."""
    monkeypatch.setattr("recognizer.cli.prompting._is_seen", lambda: True)

    def install(*plugged: Plug, **options) -> SoundCard:
        card = SoundCard(list(plugged), **options)
        monkeypatch.setitem(sys.modules, "sounddevice", card)
        return card

    return install


@pytest.fixture
def signals() -> Iterator[None]:
    """A command changes what SIGTERM does, to this process too where it runs in it; and Ctrl-C is heeded here."""
    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    yield
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


@pytest.fixture
def speaking(soundcard, monkeypatch, signals) -> Callable[..., SoundCard]:
    """A microphone into which is said what is given, after a second of quiet; then a signal comes.

    What is given are samples, prompts that are answered well, or functions that are called, such as one to unplug it.
    """
    monkeypatch.setattr(microphone, "POLL", 0)
    monkeypatch.setattr(microphone, "RETRY", 0.0)

    def install(*parts: np.ndarray | Prompt | Callable[[Stream], None], number=signal.SIGINT, rate=RATE) -> SoundCard:
        waiting = [quiet(1.0), *parts]

        def say_next(stream: Stream) -> None:
            if not waiting:
                signal.raise_signal(number)
            part = waiting.pop(0)
            if callable(part):
                part(stream)
            else:
                stream.deliver(answer(part) if isinstance(part, Prompt) else part)

        return soundcard(Plug("Desk Mic", rates=(rate,)), starved=say_next)

    return install


@pytest.fixture
def script() -> list[str]:
    """How to start the installed console script in a process of its own."""
    path = Path(sys.executable).with_name("recognizer.exe" if sys.platform == "win32" else "recognizer")
    if not path.exists():
        pytest.skip("recognizer is not installed here; pip install -e .")
    return [str(path)]


@pytest.fixture
def start(script, home) -> Callable[..., Outcome]:
    """Run a command in a process of its own."""

    def command(*arguments: object, **options) -> Outcome:
        done = subprocess.run(
            [*script, *map(str, arguments)],
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUTF8": "1", **options.pop("env", {})},
            timeout=60,
            check=False,
            **options,
        )
        return Outcome(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())

    return command
