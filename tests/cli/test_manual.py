"""The page of the manual, and the examples in it: they are those of every help."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
from test_cli import COMMANDS

from recognizer.cli import app, manual
from recognizer.cli.examples import EXAMPLES

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "recognizer.1"
CALLS = [(" ".join(names), line) for names in COMMANDS for line in EXAMPLES.get(" ".join(names), ())]


def test_the_page_is_that_of_the_program():
    assert PAGE.read_text(encoding="utf-8") == manual.page(), "make it anew: python -m recognizer.cli.manual"


def test_the_page_tells_of_everything():
    text = manual.page().replace("\\-", "-")
    for names, command in COMMANDS.items():
        if names:
            assert f'.SS "recognizer {" ".join(names)}' in text
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert all(rf"\fB{option}\fR" in text for option in parameter.opts)
    assert all(line.replace("'", r"\(aq").replace("~", r"\(ti") in text for _, line in CALLS)


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here to set the page")
@pytest.mark.parametrize("page", [PAGE, None], ids=["kept", "of texts that are no plain words"])
def test_the_page_can_be_set(page, tmp_path):
    if page is None:
        (page := tmp_path / "odd.1").write_text(".TH A 1\n" + manual._escaped('.\'\\x "a" -b ~ ^ `c`') + "\n")
    done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", page], capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    if page != PAGE:
        assert '.\'\\x "a" -b ~ ^ `c`' in done.stdout.decode()


# Examples


def test_every_command_has_examples():
    assert set(EXAMPLES) == {" ".join(names) for names in COMMANDS if names}
    for name, lines in EXAMPLES.items():
        assert 1 <= len(lines) <= 4
        assert any(f"{line} ".startswith(f"recognizer {name} ") for line in lines), name
        assert all(line.startswith("recognizer ") and len(line) <= 78 for line in lines)


@pytest.mark.parametrize(("name", "line"), CALLS, ids=lambda text: text)
def test_every_example_is_a_call_that_there_is(name, line, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    program = typer.main.get_command(app)
    context = typer.Context(program)
    command, words = program, shlex.split(line.partition(">")[0])[1:]
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("x", words, parent=context)


@pytest.fixture
def folder(tmp_path, monkeypatch, run) -> Path:
    """A copy of the folder of the project, and what somebody has who is called Anna."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copytree(REPOSITORY / "audio_samples", folder / "audio_samples")
    monkeypatch.chdir(folder)
    assert run("enroll", "anna", "--from", "audio_samples", "--voice", "slt", "--quiet").status == 0
    assert run("enroll", "anna@cold", "--from", "audio_samples", "--voice", "awb", "--quiet").status in (0, 1)
    return folder


NEEDS_A_PERSON = {("live",), ("record",), ("devices",), ("enroll", "anna"), ("speakers", "remove", "anna")}


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in ("live", "record", "devices", "serve")])
def test_the_examples_do_what_they_say(name, folder, run, signals):
    """One after the other, as one tries them; but what asks for a microphone or an answer is left out."""
    for line in EXAMPLES[name]:
        words = shlex.split(line.partition(">")[0])[1:]
        if words[0] == "live" or tuple(words) in NEEDS_A_PERSON:
            continue
        if "--plot" in words:
            pytest.importorskip("matplotlib")
        outcome = run(*words)
        assert outcome.status == 0, (line, outcome.stderr)
        assert outcome.stdout
