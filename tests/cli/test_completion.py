"""`recognizer completion`: what comes next on a line, in every shell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recognizer.cli import COMMANDS
from recognizer.cli.completion import SCRIPTS


@pytest.fixture
def ways(run):
    """What the last of some words may become."""

    def found(*words: str) -> list[str]:
        outcome = run("completion", "fish", "--json", "--", *words)
        assert (outcome.status, outcome.stderr) == (0, "")
        return json.loads(outcome.stdout)

    return found


def test_commands(ways):
    assert ways("") == sorted(COMMANDS)
    assert ways("e") == ["enroll", "evaluate", "export"]
    assert ways("models", "re") == ["remove", "rename"]
    assert ways("bogus", "") == ways("models", "bogus", "") == []


def test_no_command_is_imported_to_complete_one():
    code = """
import sys
from recognizer.cli import main
sys.argv = ["recognizer", "completion", "fish", "--", "ba"]
try:
    main()
finally:
    print(*sorted(name for name in sys.modules if name.startswith("recognizer.cli.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    said, modules = done.stdout.splitlines()
    assert said.startswith("batch | ")
    assert not {"recognizer.cli.batch", "recognizer.cli.live", "recognizer.cli.models"} & set(modules.split())


def test_options_and_their_values(ways, home):
    assert ways("batch", "x.wav", "--th") == ["--threshold"]
    assert {"--model", "-m", "--json"} <= set(ways("batch", "-"))
    assert ways("--v") == ["--version"]
    assert ways("live", "--threshold", "") == ["lenient", "normal", "strict"]
    assert ways("live", "--threshold=s") == ["--threshold=strict"]
    assert ways("train", "x", "--density", "semi") == ["semi-continuous"]
    assert ways("live", "--hangover", "") == [], "nobody can tell"
    assert ways("batch", "--json", "") == [], "which are files"
    assert not home.exists()


def test_names(ways, built, enroll, home):
    (home / "models").mkdir(parents=True)
    built.save(home / "models" / "living room.npz")
    enroll("anna")
    for call in (
        ["batch", "--model"],
        ["batch", "-m"],
        ["models", "show"],
        ["models", "compare", "digits"],
        ["export"],
    ):
        assert ways(*call, "li") == ["living room"]
    assert ways("live", "--speaker", "") == ways("speakers", "show", "") == ways("enroll", "") == ["anna"]
    assert ways("speakers", "rename", "anna", "") == ways("models", "rename", "x", "") == [], "a new one"
    assert ways("speakers", "refresh", "anna", "a") == ["anna"], "as often as one likes"
    assert ways("models", "show", "digits", "") == [], "all are there"


def test_microphones(ways, soundcard):
    from soundcard import Plug

    soundcard(Plug("Desk Mic"), Plug("Head Set"))
    assert len(ways("live", "--device", "")) == 2


def test_what_cannot_be_read_completes_nothing(ways, home):
    home.write_text("no folder")
    assert ways("live", "--speaker", "") == []


def test_each_shell_reads_its_own_language(run, built, home):
    (home / "models").mkdir(parents=True)
    built.save(home / "models" / "a b.npz")
    lines = {shell: run("completion", shell, "--", "batch", "--model", "a").stdout for shell in ("zsh", "fish")}
    assert lines == {"zsh": "a b:your own\n", "fish": "a b | your own\n"}
    for typed, told in (("a", "a\\ b"), ("a\\ ", "a\\ b"), ("'a ", "a\\ b")):
        assert run("completion", "bash", "--", f"recognizer batch --model {typed}", " \"'@=:").stdout == f"{told}\n"
    assert run("completion", "bash", "--", "recognizer batch --model=a", "@=").stdout == "a\\ b\n"
    assert run("completion", "bash", "--", "recognizer batch --model=a", "").stdout == "a\\ b\n"


def test_bash_keeps_the_sign_of_a_condition(run, enroll):
    enroll("eve")
    enroll("eve@cold")
    call = ["completion", "bash", "--", "recognizer live --speaker eve@c"]
    assert run(*call, " @=").stdout == "@cold\n"
    assert run(*call, " =").stdout == "eve@cold\n"


def test_the_script(run):
    for shell, script in SCRIPTS.items():
        assert run("completion", shell).stdout == f"{script}\n"
        assert json.loads(run("completion", shell, "--json").stdout) == {"shell": shell, "script": script}
    outcome = run("completion", "tcsh")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "tcsh is not bash, zsh, fish" in outcome.stderr


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_shell_takes_the_script(shell, tmp_path):
    """A program of that name on the way tells what it is asked, and gives one answer."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    program = tmp_path / "recognizer"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m recognizer "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(SCRIPTS[shell])
    asked = {
        "bash": "source ./script; COMP_LINE='recognizer batch --thr'; COMP_POINT=${#COMP_LINE}; "
        '_recognizer; echo "${COMPREPLY[@]}"',
        "zsh": "functions[compdef]=:; _describe() { print -l -- $found }; words=(recognizer batch --thr); CURRENT=3; "
        "source ./script; _recognizer",
        "fish": "source ./script; complete -C 'recognizer batch --thr'",
    }[shell]
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    environment |= {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [shell, "-c", asked], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith("--threshold")
