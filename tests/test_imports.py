"""The diet: what recognises loads NumPy and soundfile, and none of the libraries that training and pictures need.

Each line of this page runs in a process of its own, and tells the modules that were loaded at its end.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import recognizer

SAMPLES = Path(__file__).resolve().parents[1] / "audio_samples"
SAMPLE = SAMPLES / "zero_ked_0.wav"
HEAVY = {"librosa", "numba", "llvmlite", "sklearn", "joblib", "matplotlib", "scipy"}  # half a second or more together
COMMAND = """
import sys
from recognizer.cli import main
sys.argv = ["recognizer", *sys.argv[1:]]
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
FRONT_DOOR = """
import sys
from recognizer import Recognizer
print(*sorted(sys.modules), file=sys.stderr)
"""
ANSWER = """
import sys
from recognizer import Recognizer
print(Recognizer.load("digits").recognize(sys.argv[1]).word)
print(*sorted(sys.modules), file=sys.stderr)
"""
FRONT_DOOR_ROOMS = {"acoustics", "errors", "features", "files", "model", "recognition", "recognizer", "sound"}
FRONT_DOOR_MODULES = 37  # of the package, itself among them: what one must have read to follow a recognition


@pytest.fixture
def loaded(tmp_path) -> Callable[..., tuple[str, set[str]]]:
    """Runs a program in a process of its own; gives what it printed, and the modules that it had loaded at its end."""

    def run(program: str, *arguments: object) -> tuple[str, set[str]]:
        call = [sys.executable, "-c", program, *map(str, arguments)]
        done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout, set(done.stderr.splitlines()[-1].split())

    return run


def libraries(modules: set[str]) -> set[str]:
    """The packages that modules belong to."""
    return {module.partition(".")[0] for module in modules}


def rooms(modules: set[str]) -> set[str]:
    """The rooms of the package that modules stand in."""
    return {module.split(".")[1] for module in modules if module.startswith(f"{recognizer.__name__}.")}


def test_the_front_door_opens_on_few_rooms(loaded):
    _, modules = loaded(FRONT_DOOR)
    ours = {module for module in modules if module.partition(".")[0] == recognizer.__name__}
    assert rooms(modules) == FRONT_DOOR_ROOMS
    assert len(ours) <= FRONT_DOOR_MODULES
    assert not HEAVY & libraries(modules)


def test_listening_needs_nothing_that_models_are_made_with(loaded):
    """On a small machine, that would be a second before it listens."""
    _, modules = loaded(COMMAND, "live", "--from-file", SAMPLE, "--fast")
    assert rooms(modules) == FRONT_DOOR_ROOMS | {"cli", "live"}
    _, modules = loaded(COMMAND, "live", "--from-file", SAMPLE, "--fast", "--adapt")
    assert rooms(modules) > {"adaptation", "training"}


def test_an_answer_needs_no_more_than_the_front_door(loaded):
    said, modules = loaded(ANSWER, SAMPLE)
    _, before = loaded(FRONT_DOOR)
    assert said == "zero\n"
    ours = {module for module in modules - before if module.partition(".")[0] == recognizer.__name__}
    assert (HEAVY & libraries(modules), ours) == (set(), set())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("batch", SAMPLE), " zero "),
        (("batch", SAMPLES, "--csv"), "zero_ked_0.wav,zero,"),
        (("live", "--from-file", SAMPLE, "--fast"), " zero "),
        (("live", "--from-file", SAMPLE, "--fast", "--adapt"), " zero "),
        (("align", SAMPLE, "--word", "zero"), "zero"),
        (("enroll", "eve", "--from", SAMPLES, "--voice", "awb"), "eve"),
        (("enroll", "eve", "--from", SAMPLES, "--voice", "awb", "--vtln"), "eve"),
        (("enroll", "eve", "--unlabelled", SAMPLES), "eve"),
        (("models", "list"), "digits"),
    ],
    ids=lambda value: " ".join(word for word in value if isinstance(word, str)) if isinstance(value, tuple) else "",
)
def test_commands_that_recognise_load_no_heavy_library(loaded, arguments, told):
    said, modules = loaded(COMMAND, *arguments)
    assert told in said
    assert not HEAVY & libraries(modules)


def test_a_heavy_library_would_be_noticed(loaded):
    """A new front end has librosa compute what it is made of."""
    program = "import sys; from recognizer.features.front_end import FrontEnd; FrontEnd()"
    _, modules = loaded(f"{program}; print(*sorted(sys.modules), file=sys.stderr)")
    assert {"librosa", "numba", "scipy"} <= libraries(modules)
