"""Small machines: how much memory a command takes at most, as Linux tells it of a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells it so")

SAMPLES = Path(__file__).resolve().parents[1] / "audio_samples"
SAMPLE = SAMPLES / "zero_ked_0.wav"
MB = 1_000_000
COMMAND = """
import sys
from recognizer.cli import main
try:
    main()
finally:
    with open("/proc/self/status") as status:
        print(*[line.split()[1] for line in status if line.startswith("VmHWM")], file=sys.stderr)
"""


@pytest.fixture
def most() -> Callable[..., int]:
    """Runs a command as on a machine of one core, and gives the bytes that it had at most."""

    def run(*arguments: object, program: str = COMMAND) -> int:
        call = [sys.executable, "-c", program, *map(str, arguments)]
        alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(call, capture_output=True, text=True, timeout=100, check=False, env=alone)
        assert done.returncode == 0, done.stderr
        return 1024 * int(done.stderr.splitlines()[-1])

    return run


@pytest.mark.parametrize(
    "arguments", [("live", "--from-file", SAMPLE, "--fast"), ("batch", SAMPLES)], ids=lambda a: a[0]
)
def test_recognising_ten_words_takes_little_memory(most, arguments):
    assert most(*arguments) < 100 * MB


@pytest.mark.slow
def test_fitting_a_voice_takes_little_memory(most, tmp_path):
    """Whatever is learned from it: of the transforms, that of the features takes the most."""
    for number, sample in enumerate(sorted(SAMPLES.glob("*.wav"))):
        word = tmp_path / "takes" / sample.name.partition("_")[0]
        word.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample, word / f"{number}.wav")
    how = ("--method", "cmllr", "--shape", "full")
    assert most("enroll", "eve", "--from", tmp_path / "takes", *how) < 170 * MB


def test_what_is_held_is_noticed(most):
    assert most("--version", program=f"held = bytes(100_000_000).replace(bytes(1), b'a'); {COMMAND.strip()}") > 100 * MB
