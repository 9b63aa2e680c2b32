"""Where the program is installed but nothing may be written, as in a container or a service, and where all is new."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic import SPEAKERS, WORDS, say, write

import recognizer
from recognizer.model import Model

READ_ONLY = """
set -e
kept=$1 package=$2 libraries=$3 home=$4; shift 4
mount --bind "$kept" "$kept"
mount -o remount,ro,bind /
for folder in "$package" "$libraries" "$home"; do
  mount --rbind "$folder" "$folder"
  mount -o remount,ro,bind "$folder"
  if touch "$folder/written" 2>/dev/null; then echo "$folder can be written" >&2; exit 99; fi
done
exec "$@"
"""
NEW_FRONT_END = "from recognizer.features.front_end import FrontEnd; FrontEnd()"


@pytest.fixture
def read_only(tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs Python where nothing but the folder `kept` may be written, nobody has a home, and no cache is full."""
    try:
        allowed = subprocess.run(["unshare", "-m", "mount", "--bind", tmp_path, tmp_path], capture_output=True)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if allowed.returncode:
        pytest.skip("only root may mount")
    kept = tmp_path / "kept"
    kept.mkdir()
    folders = Path(recognizer.__file__).parents[1], sysconfig.get_path("purelib"), Path.home()
    gone = {"HOME", "RECOGNIZER_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"}
    environment = {name: value for name, value in os.environ.items() if name not in gone}

    def run(*arguments: object) -> subprocess.CompletedProcess:
        call = ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", kept, *folders, sys.executable, *arguments]
        return subprocess.run(
            [str(part) for part in call], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_where_nothing_may_be_written_one_can_recognise(read_only, model_file, tmp_path):
    sounds = [write(tmp_path / f"{word}.wav", say(word)) for word in WORDS]
    done = read_only("-m", "recognizer", "batch", "--csv", "--model", model_file, *sounds)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(",")[1] for line in done.stdout.splitlines()[1:]] == list(WORDS)


def test_where_only_the_model_may_be_written_one_can_train(read_only, recordings, tmp_path):
    output = tmp_path / "kept" / "m.npz"
    call = ("train", recordings, "--output", output, "--mixtures", 1)
    done = read_only("-m", "recognizer", *call, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(Model.load(output).words) == sorted(WORDS)
    refused = read_only(
        "-m", "recognizer", "enroll", "eve", "--from", recordings, "--voice", SPEAKERS[0], "--model", output
    )
    [line] = refused.stderr.splitlines()
    assert refused.returncode == 1
    assert line.endswith("set RECOGNIZER_HOME to another folder")


def test_a_front_end_is_made_without_a_cache_that_numba_has_filled(tmp_path):
    """In a new environment nothing is compiled yet, and for what is made here nothing has to be."""
    caches = tmp_path / "caches"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(caches)}
    call = [sys.executable, "-c", NEW_FRONT_END]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not caches.exists()


@pytest.mark.slow
def test_librosa_is_whole_for_a_program_that_uses_it_afterwards(tmp_path):
    """What was not compiled for the front end is compiled when it is called."""
    program = f"{NEW_FRONT_END}; import librosa, numpy; print(*librosa.util.localmax(numpy.array([1.0, 2, 1, 3, 0])))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "caches")}
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("False True False True False\n", "")
