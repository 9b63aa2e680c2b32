"""Defaults of one's own: what config.toml and RECOGNIZER_MODEL say, and what comes before them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import record, say, write

from recognizer.cli import defaults
from recognizer.errors import RecognizerError
from recognizer.recognition.chosen import chosen_words


@pytest.fixture
def own(home, built) -> Path:
    """The folder of a user who has a model named tones."""
    (home / "models").mkdir(parents=True)
    built.save(home / "models" / "tones.npz")
    return home


@pytest.fixture
def sound(tmp_path) -> Path:
    return write(tmp_path / "hum.wav", say("hum"))


def settle(own: Path, text: str | bytes) -> Path:
    (own / "config.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return own / "config.toml"


def record_of(outcome) -> dict:
    assert (outcome.status, outcome.stderr) == (0, "")
    return json.loads(outcome.stdout)


# What holds


def test_a_default_holds_where_a_call_says_nothing(run, own, sound):
    assert run("batch", sound, "--json").status == 0
    settle(own, 'model = "tones"\njson = true\n')
    assert record_of(run("batch", sound))["word"] == "hum"


def test_a_call_comes_first_then_the_environment_then_the_file(run, own, sound, monkeypatch):
    def answer(*options: str) -> list[str]:
        return [candidate["word"] for candidate in record_of(run("batch", sound, "-q", "--json", *options))["nbest"]]

    assert "seven" in answer(), "what comes with the program"
    settle(own, 'model = "tones"\n')
    assert "hum" in answer()
    monkeypatch.setenv("RECOGNIZER_MODEL", "commands")
    assert "go" in answer()
    assert "hum" in answer("--model", "tones")
    settle(own, '[batch]\nmodel = "tones"\n')
    assert "go" in answer()
    monkeypatch.setenv("RECOGNIZER_MODEL", "")
    assert "hum" in answer()


def test_a_command_may_have_its_own(run, own, sound):
    settle(own, 'threshold = 1\n[batch]\nthreshold = 0.0\nmodel = "tones"\n[models.list]\njson = true\n')
    assert record_of(run("batch", sound, "--json"))["accepted"] is True
    assert run("models", "list").stdout.startswith("{")
    assert not run("speakers", "list").stdout


def test_several_values(run, own, sound):
    settle(own, 'model = "tones"\nwords = ["hum", "rise"]\n')
    assert {c["word"] for c in record_of(run("batch", sound, "--json"))["nbest"]} == {"hum", "rise"}
    settle(own, 'model = "tones"\nwords = "hum,fall"\n')
    assert {c["word"] for c in record_of(run("batch", sound, "--json"))["nbest"]} == {"hum", "fall"}


def test_the_help_shows_what_holds(run, own, monkeypatch):
    settle(own, 'device = "Desk"\n[live]\nhangover = 300\n')
    told = " ".join(run("live", "--help").stdout.split())
    assert "[default: 300; 100<=x<=2000]" in told
    assert "[default: Desk]" in told
    assert "[default: digits]" in told
    monkeypatch.setenv("RECOGNIZER_MODEL", "tones")
    assert "[default: tones]" in " ".join(run("live", "--help").stdout.split())


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ('device = "none such"', ["live", "--from-file", "hum.wav", "--fast", "--model", "tones"]),
        ('device = "none such"', ["enroll", "eve", "--from", "corpus", "--model", "tones"]),
        ('device = "none such"', ["devices"]),
        ("json = true", ["batch", "hum.wav", "--csv"]),
        ("csv = true", ["batch", "hum.wav", "--json"]),
        ('words = "hum"', ["cut", "--transcript", "sentences.csv", "--model", "tones"]),
        ('model = "commands"', ["speakers", "refresh"]),
    ],
)
def test_a_default_gives_way_to_what_it_does_not_go_with(run, own, sound, soundcard, text, call, tmp_path, monkeypatch):
    from soundcard import Plug

    soundcard(Plug("Desk Mic"))
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "corpus", speakers=["eve"], takes=2)
    (tmp_path / "sentences.csv").write_text("path,words\nhum.wav,hum\n")
    if "refresh" in call:
        assert run("enroll", "eve", "--from", "corpus", "--model", "tones").status == 0
    settle(own, text)
    outcome = run(*call)
    assert outcome.status == 0, outcome.stderr
    if "refresh" in call:
        assert "tones" in outcome.stdout, "its model stays"


def test_a_microphone_is_chosen_once_and_for_all(run, own, soundcard):
    from soundcard import Plug

    soundcard(Plug("Desk Mic"), Plug("Head Set"))
    settle(own, 'device = "none such"\n')
    outcome = run("devices", "--test")
    assert outcome.status == 1
    assert "none such" in outcome.stderr


def test_what_comes_next_leaves_the_usual_model_out(run, own, tmp_path):
    corpus = record(tmp_path / "corpus", speakers=["eve"], takes=2)
    call = ["enroll", "eve", "--from", corpus]
    assert run(*call, "--model", "tones").stdout.endswith("\nnext: recognizer live --speaker eve --model tones\n")
    settle(own, 'model = "tones"\n')
    assert run(*call).stdout.endswith("\nnext: recognizer live --speaker eve\n")
    settle(own, '[enroll]\nmodel = "tones"\n')
    assert run(*call).stdout.endswith("\nnext: recognizer live --speaker eve --model tones\n")


# What cannot be


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"\xff", "is not TOML"),
        ("model = tones", "is not TOML (Invalid value (at line 1, column 9)); write lines such as"),
        ("model = 1\nmodel = 2", "is not TOML"),
        ("a = " + "[" * 5000, "is not TOML"),
        ('modle = "tones"', "modle is no option or command; did you mean model?"),
        ("from_file = 1", "from_file is no option or command; did you mean from-file?"),
        ("[bacth]\njobs = 1", "bacth is no option or command; did you mean batch?"),
        ("[batch]\nhangover = 300", "[batch] hangover is no option"),
        ("[batch]\njob = 2", "[batch] job is no option or command; did you mean jobs?"),
        ("xyzzy = 1", "xyzzy is no option or command; there is "),
        ('jobs = "two"', "jobs = 'two': "),
        ("jobs = -1", "jobs = -1: "),
        ("jobs = 1.5", "jobs = 1.5: "),
        ('json = "yes"', "json = 'yes' is not true or false"),
        ("json = 1", "json = 1 is not true or false"),
        ("jobs = true", "jobs = True is not a text in quotes or a number"),
        ("model = 1979-05-27", "is not a text in quotes or a number"),
        ('model = ["a", "b"]', "is more than the one that is wanted"),
        ("words = [[1]]", "is not a text in quotes or a number"),
        ("batch = 3", "batch is a command; write [batch] above its options"),
        ('threshold = "hard"', "--threshold hard is not strict, normal, lenient or a number from 0 to 1"),
        ("#" * (2**20 + 1), "has more than 1 MB"),
    ],
)
def test_what_is_wrong_is_one_line(run, own, sound, text, told):
    file = settle(own, text)
    outcome = run("batch", sound, "--model", "tones")
    assert (outcome.status, outcome.stdout) == (2, "")
    line = outcome.stderr.splitlines()[-1]
    assert told in line
    assert str(file) in line
    assert line.startswith("Error: ")
    assert outcome.stderr.count("Error") == 1


def test_a_wrong_value_in_the_environment_is_not_the_files(run, own, sound, monkeypatch):
    settle(own, "threshold = 0.5\n")
    monkeypatch.setenv("RECOGNIZER_MODEL", "nonsuch")
    outcome = run("batch", sound)
    assert outcome.status == 1
    assert outcome.stderr.startswith("error: there is no model 'nonsuch'")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(run, own, sound):
    settle(own, "").chmod(0)
    outcome = run("batch", sound)
    assert outcome.status == 2
    assert "cannot be read (Permission denied); change its mode or remove it" in outcome.stderr


def test_a_folder_in_its_place(run, own, sound):
    (own / "config.toml").mkdir()
    outcome = run("batch", sound)
    assert outcome.status == 2
    assert "config.toml cannot be read (Is a directory); change its mode or remove it" in outcome.stderr


def test_what_is_wrong_for_one_command_keeps_no_other(run, own, sound):
    settle(own, '[live]\nhangover = 5\n[models]\nlst = 3\n[batch]\nmodel = "tones"\n')
    assert run("batch", sound).status == 0
    assert run("live", "--from-file", sound, "--fast").status == 2
    assert "hangover = 5" in run("config").stderr


# What is shown


def test_config_shows_what_is_set(run, own, monkeypatch):
    file = own / "config.toml"
    outcome = run("config")
    assert (outcome.status, outcome.stdout) == (0, f"file: {file}\n")
    assert outcome.stderr == 'nothing is set; write lines such as model = "kitchen" into that file\n'
    assert not file.exists()
    text = 'model = "语 音"\njobs = 2\n[live]\nhangover = 300\nadapt = true\n[models.list]\nquiet = true\n'
    settle(own, f"# mine\n{text}")
    monkeypatch.setenv("RECOGNIZER_MODEL", "a b")
    outcome = run("config")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout == f"file: {file}\n{text}RECOGNIZER_MODEL='a b'\n"
    assert json.loads(run("config", "--json").stdout) == {
        "file": str(file),
        "exists": True,
        "settings": tomllib.loads(text),
        "RECOGNIZER_MODEL": "a b",
    }


@pytest.mark.parametrize("text", ["[live]\nhangover = 5\n", "[models]\nlst = 3\n", "[cut]\nfit = false\n"])
def test_config_looks_at_all_commands(run, own, text):
    settle(own, text)
    outcome = run("config")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert str(own / "config.toml") in outcome.stderr


def test_the_help_of_the_program_needs_no_file(run, own):
    settle(own, b"\xff")
    assert run("--help").status == run("--version").status == run("models", "--help").status == 0


def test_without_a_file_nothing_is_loaded_that_reads_one(home):
    code = """
import sys
from recognizer.cli import main
sys.argv = ["recognizer", "batch", "--help"]
try:
    main()
except SystemExit:
    print({"tomllib", "glob"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


# The line that the program itself writes


NAMES = st.text(st.characters(exclude_categories=["C"], exclude_characters="\x7f"), min_size=1)
LINES = st.lists(
    st.sampled_from(
        ["# model = 3", "", "jobs = 2", "quiet = true # at night", "words = ['a', 'b']", "  # model", "device = '[x]'"]
    ),
    unique=True,
)
MODEL_LINES = st.sampled_from(["", 'model = "a#b" # why', "model='x'", "  model  =   'x'  "])
TABLES = st.sampled_from(["", "[live]\nmodel = 'kept'\n", "\n# of live\n[live]\n", "[models.list]\njson = true"])


@given(NAMES, LINES, MODEL_LINES, TABLES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_model_is_written_and_all_else_stays(name, lines, model, tables, end, ended):
    text = end.join([*lines, model, tables.replace("\n", end)]) + (end if ended else "")
    before = tomllib.loads(text)
    changed = defaults._with_model(text, name)
    assert tomllib.loads(changed) == before | {"model": name}
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("model") or "kept" in line]
    assert [line for line in changed.splitlines() if line in kept] == kept, "comments, too"
    assert "# why" not in text or "# why" in changed
    without = tomllib.loads(defaults._with_model(changed, None))
    assert without == {key: value for key, value in before.items() if key != "model"}


def test_a_file_that_cannot_be_changed_safely_is_not(run, own):
    text = 'device = """\n[x]\n"""\n"model" = "commands"\n'
    file = settle(own, text)
    outcome = run("models", "default", "tones")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert 'cannot be changed safely, as it is written; put model = "tones" there yourself' in outcome.stderr
    assert file.read_text() == text


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_stays_a_link(run, own, tmp_path):
    elsewhere = tmp_path / "dotfiles.toml"
    elsewhere.write_text("jobs = 2\n")
    (own / "config.toml").symlink_to(elsewhere)
    assert run("models", "default", "tones").status == 0
    assert (own / "config.toml").is_symlink()
    assert elsewhere.read_text() == 'jobs = 2\nmodel = "tones"\n'


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
def test_what_is_written_is_private(run, own):
    assert run("models", "default", "tones").status == 0
    assert (own / "config.toml").stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_one_line(run, own, monkeypatch):
    def refuse(*_: object, **__: object):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(defaults, "replacing", refuse)
    outcome = run("models", "default", "tones")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == (
        f"error: {own / 'config.toml'} cannot be written: No space left on device; make room on the disk\n"
    )
    with pytest.raises(RecognizerError):
        defaults.set_model("tones")


# Words with commas


VOCABULARY = ("a, b", "a", "b", "c")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, None),
        ([], None),
        ([""], []),
        (["a,b"], ["a", "b"]),
        ([" a , b,"], ["a", "b"]),
        (["a, b"], ["a, b"]),
        (["x,y"], ["x", "y"]),
        (["a, b", "c"], ["a, b", "c"]),
        (["a,b", "c"], ["a", "b", "c"]),
        (["x,y", "c"], ["x,y", "c"]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_words_with_commas(given, words):
    assert chosen_words(given, VOCABULARY) == words


def test_a_word_with_a_comma_is_chosen(run, built, sound, tmp_path):
    from dataclasses import replace

    replace(built, words=("up, please", "hum", "peep", "rise")).save(tmp_path / "m.npz")
    call = ["batch", sound, "--json", "--model", tmp_path / "m.npz", "--words", "up, please"]
    assert [candidate["word"] for candidate in record_of(run(*call))["nbest"]] == ["up, please"]
    told = record_of(run(*call, "--words", "hum"))
    assert {candidate["word"] for candidate in told["nbest"]} == {"up, please", "hum"}
