"""The README is kept true: its commands run, its files exist, its program prints what it says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    part.strip()
    for language, block in BLOCKS
    for line in block.splitlines()
    for part in line.split("&&")
    if not language and part.strip().startswith("recognizer ")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the README's commands speak of: the samples, a corpus of them, a new recording."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(REPOSITORY / "audio_samples", folder / "audio_samples")
    for sample in sorted((folder / "audio_samples").glob("*.wav")):
        word = sample.name.split("_")[0]
        (folder / "corpus" / word).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample, folder / "corpus" / word)
    shutil.copy(folder / "audio_samples" / "seven_slt_0.wav", folder / "new.wav")
    return folder


def test_the_commands_of_the_readme_run_in_order(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("RECOGNIZER_HOME", str(tmp_path))
    assert len(COMMANDS) >= 7
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        script = Path(sys.executable).with_name(program)
        done = subprocess.run([script, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout
        if command == "recognizer batch audio_samples":
            shown = README.split("runner-up\n")[1].splitlines()[0]
            assert shown in done.stdout
        if "audio_samples" in command and "--words" not in command:
            assert "seven" in done.stdout


def test_the_program_of_the_readme_runs(folder):
    (program,) = (block for language, block in BLOCKS if language == "python")
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "seven\n"


def test_every_file_that_the_readme_names_exists():
    named = re.findall(r"`((?:recipes|models|audio_samples|LICENSE)[\w/.]*)`", README)
    assert named
    for name in named:
        assert (REPOSITORY / name).exists(), name


def test_the_figures_of_the_readme_are_those_of_the_recipes():
    rows = re.findall(r"^\| .*? \| ([\d.]+) % \((\d+)\) \| .*?`recipes/(\w+)`", README, flags=re.MULTILINE)
    assert len(rows) >= 4
    for accuracy, n, recipe in rows:
        results = (REPOSITORY / "recipes" / recipe / "RESULTS.md").read_text(encoding="utf-8")
        assert re.search(rf"\| {float(accuracy):.2f} \| {n} \|", results), (recipe, accuracy, n)
