"""`recognizer speakers`: who is enrolled, and what can be done with a profile."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from synthetic import WORDS, say, write

from recognizer.adaptation.method import Method
from recognizer.corpus import Utterance
from recognizer.speakers import store
from recognizer.speakers.enrolling import make_profile
from recognizer.speakers.profile import Profile


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory, built, model_file) -> Path:
    """A folder of eve, and of eve with a cold, enrolled with the model of tones; not to be changed."""
    home = tmp_path_factory.mktemp("enrolled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOGNIZER_HOME", str(home))
        for name, first in ("eve", 1), ("eve@cold", 5):
            for word in WORDS:
                for take in (first, first + 1):
                    path = write(home / "recordings" / word / f"{take}.wav", say(word, take=take))
                    store.keep(name, [Utterance(path, word, None)])
            make_profile(name, built, str(model_file), Method("map"))
    return home / "speakers"


@pytest.fixture
def eve(enrolled, home) -> Path:
    """Eve is enrolled; gives the folder of all speakers."""
    return Path(shutil.copytree(enrolled, home / "speakers"))


@pytest.fixture
def other(built, tmp_path) -> Path:
    """Another model of the same words."""
    path = tmp_path / "other.npz"
    replace(built, calibration=replace(built.calibration, scale=0.5 * built.calibration.scale)).save(path)
    return path


def records_of(stdout: str) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in stdout.splitlines()]


def make_newer(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        profile = Profile.load(path)
        patch.setattr("recognizer.speakers.profile.VERSION", 99)
        profile.save(path)


# list


def test_list_is_a_line_a_speaker(run, eve, model_file):
    outcome = run("speakers", "list")
    assert (outcome.status, outcome.stderr) == (0, "")
    made = store.load("eve").record["made"]
    first, second = outcome.stdout.splitlines()
    assert first.startswith(f"eve  {model_file}  {made}  8 takes  8 of 8 -> ")
    assert first.endswith(" of 8 right")
    assert second.startswith(f"eve@cold  {model_file}  {made}  8 takes  ")


def test_list_as_json(run, eve, model_file):
    first, second = records_of(run("speakers", "list", "--json").stdout)
    assert (first["name"], second["name"]) == ("eve", "eve@cold")
    assert list(first) == ["name", "model", "made", "before", "after", "unlabelled", "takes"]
    assert (first["model"], first["takes"], first["before"]["n"]) == (str(model_file), 8, 8)


def test_list_of_nobody_says_how_to_begin(run, home):
    outcome = run("speakers", "list")
    assert (outcome.status, outcome.stdout) == (0, "")
    assert outcome.stderr == "nobody is enrolled yet; begin with `recognizer enroll NAME`\n"
    assert run("speakers", "list", "--quiet").stderr == ""
    assert run("speakers", "refresh").stderr.startswith("nobody is enrolled yet")
    assert not home.exists()


def test_list_tells_of_who_is_not_finished(run, eve):
    (eve / "eve" / "profile.npz").unlink()
    outcome = run("speakers", "list")
    assert outcome.status == 0
    assert outcome.stdout.startswith("eve  not finished, 8 takes; go on with `recognizer enroll eve`\n")
    first, _ = records_of(run("speakers", "list", "--json").stdout)
    assert (first["name"], first["model"], first["takes"]) == ("eve", None, 8)


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("newer", [True, False])
def test_a_profile_that_cannot_be_read_is_listed_as_such_and_the_others_too(run, eve, form, newer):
    path = eve / "eve" / "profile.npz"
    make_newer(path) if newer else path.write_bytes(b"PK")
    outcome = run("speakers", "list", *form)
    assert outcome.status == 1
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("\n") == 1
    assert ("profile version 99" in outcome.stderr) is newer
    damaged, sound = outcome.stdout.splitlines()
    if form:
        assert list(json.loads(damaged)) == ["name", "error"]
    else:
        assert damaged == "eve  cannot be used"
    assert "eve@cold" in sound


def test_a_stray_folder_of_another_name_is_no_speaker_but_the_rest_is_listed(run, eve):
    for name in (" stray ", "lost+found", "$RECYCLE.BIN"):
        (eve / name).mkdir()
    outcome = run("speakers", "list")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert [line.partition(" ")[0] for line in outcome.stdout.splitlines()] == ["eve", "eve@cold"]


def test_on_a_terminal_the_list_has_a_header_and_columns(run, eve, monkeypatch, model_file):
    shutil.copytree(eve / "eve", eve / "ida")
    (eve / "ida" / "profile.npz").unlink()
    plain = run("speakers", "list").stdout.splitlines()
    monkeypatch.setattr("recognizer.cli.speakers._shown_on_a_terminal", lambda: True)
    header, *lines = run("speakers", "list").stdout.splitlines()
    assert header.split("  ")[0] == "speaker"
    assert [line.split() for line in lines] == [line.split() for line in plain]
    for title, cell in (("model", str(model_file)), ("made", "20"), ("takes", "8 takes"), ("before", "8 of 8 ->")):
        assert {line.index(cell, header.index(title)) for line in lines[:2]} == {header.index(title)}
    assert lines[2].startswith("ida  ")
    assert records_of(run("speakers", "list", "--json").stdout)[0]["name"] == "eve"


# show


def test_show_tells_everything(run, eve, built, model_file):
    [record] = records_of(run("speakers", "show", "eve@cold", "--json").stdout)
    assert (record["name"], record["model"], record["fingerprint"]) == ("eve@cold", str(model_file), built.fingerprint)
    assert record["profile"] == str(eve / "eve@cold" / "profile.npz")
    assert (record["audio_kept"], record["kept"]) == (True, dict.fromkeys(WORDS, 2))
    assert set(store.load("eve@cold").record) <= set(record)
    assert record["prior"] == "eve"
    lines = run("speakers", "show", "eve@cold", "--details").stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == list(record)
    assert "audio_kept: yes" in lines
    assert "takes: fall 2, hum 2, peep 2, rise 2" in lines
    assert "unlabelled: no" in lines


def test_show_tells_a_person_in_plain_words(run, eve, model_file):
    record = store.load("eve").record
    before, after = record["before"], record["after"]
    assert run("speakers", "show", "eve").stdout.splitlines() == [
        f"eve: 8 takes of 4 words, for the model {model_file}",
        f"made: {record['made']}",
        f"before: {before['correct']} of 8 words right; now: {after['correct']} of 8 "
        "(each take recognised by a model that had not heard it)",
        f"how sure: {before['confidence']:.2f} before, {after['confidence']:.2f} now, of at most 1",
        "recordings: kept",
    ]


def test_show_tells_whether_the_audio_is_kept(run, eve):
    store.forget_audio("eve")
    assert run("speakers", "show", "eve").stdout.splitlines()[-1] == "recordings: deleted"
    lines = run("speakers", "show", "eve", "--details").stdout.splitlines()
    assert {"audio_kept: no", "kept: none", "prior: none"} < set(lines)


# Names


@pytest.mark.parametrize(
    "call",
    [["show", "bob"], ["rename", "bob", "eva"], ["remove", "bob", "--yes"], ["export", "bob", "x"], ["refresh", "bob"]],
)
def test_who_is_not_enrolled_is_an_error_that_names_those_who_are(run, eve, call):
    outcome = run("speakers", *call)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "there is no speaker 'bob'; enrolled: eve, eve@cold; " in outcome.stderr


@pytest.mark.parametrize("call", [["show"], ["remove", "--yes"], ["refresh", "eve"], ["rename", "EVE"]], ids=" ".join)
def test_a_name_that_differs_by_case_only_is_wrong_usage(run, eve, call):
    outcome = run("speakers", *call, "Eve")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "by case only" in outcome.stderr
    assert store.names() == ["eve", "eve@cold"]


@pytest.mark.parametrize("name", ["", "@", "a/b", "..", "con", "eve@a@b"])
@pytest.mark.parametrize("call", [["show"], ["rename", "eve"], ["remove", "--yes"], ["refresh", "eve"]], ids=" ".join)
def test_names_that_cannot_be_are_wrong_usage(run, eve, call, name):
    outcome = run("speakers", *call, name)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert store.names() == ["eve", "eve@cold"]


def test_rename_takes_the_conditions_along(run, eve):
    outcome = run("speakers", "rename", "eve", "eva")
    assert (outcome.status, outcome.stdout) == (0, "renamed to eva, eva@cold\n")
    assert store.names() == ["eva", "eva@cold"]
    assert "prior: eva\n" in run("speakers", "show", "eva@cold", "--details").stdout
    assert "started from: eva\n" in run("speakers", "show", "eva@cold").stdout
    assert store.load("eva@cold").record["prior"] == "eva"
    assert records_of(run("speakers", "rename", "eva", "eve", "--json").stdout) == [{"speakers": ["eve", "eve@cold"]}]


def test_rename_may_change_the_case_alone(run, eve):
    outcome = run("speakers", "rename", "eve", "Eve")
    assert (outcome.status, outcome.stdout) == (0, "renamed to Eve, Eve@cold\n")
    assert run("speakers", "rename", "Eve@cold", "Eve@Cold").status == 0
    assert store.names() == ["Eve", "Eve@Cold"]
    outcome = run("speakers", "rename", "Eve@Cold", "eve@Cold")
    assert outcome.status == 2
    assert "by case only" in outcome.stderr


def test_rename_writes_over_nobody(run, eve):
    (eve / "bob").mkdir()
    outcome = run("speakers", "rename", "eve", "bob")
    assert outcome.status == 1
    assert "there is a speaker 'bob' already" in outcome.stderr
    assert run("speakers", "rename", "eve@cold", "ida").status == 1
    assert store.names() == ["bob", "eve", "eve@cold"]


# remove


def test_remove_needs_a_yes(run, eve):
    outcome = run("speakers", "remove", "eve")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "add --yes" in outcome.stderr
    assert store.names() == ["eve", "eve@cold"]
    assert run("speakers", "remove", "eve@cold", "--yes").stdout == "removed eve@cold\n"
    assert records_of(run("speakers", "remove", "eve", "-y", "--json").stdout) == [{"speakers": ["eve"]}]
    assert store.names() == []


@pytest.fixture
def answering(monkeypatch) -> Callable[[object], list[str]]:
    """A terminal at which a question is answered so; gives the questions."""

    def install(answer: object) -> list[str]:
        asked = []

        def confirm(question: str, **_) -> object:
            asked.append(question)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr("recognizer.cli.speakers._at_a_terminal", lambda: True)
        monkeypatch.setattr("typer.confirm", confirm)
        return asked

    return install


def test_remove_asks_at_a_terminal(run, eve, answering):
    asked = answering(False)
    outcome = run("speakers", "remove", "eve")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (1, "", "nothing was removed\n")
    assert asked == ["Remove eve, eve@cold with 16 takes?"]
    answering(typer.Abort())
    assert run("speakers", "remove", "eve").status == 130
    assert store.names() == ["eve", "eve@cold"]
    answering(True)
    assert run("speakers", "remove", "eve").status == 0
    assert store.names() == []


# export and import


def test_a_speaker_goes_to_a_file_and_comes_back(run, eve, tmp_path):
    before = {path.relative_to(eve): path.read_bytes() for path in eve.rglob("*") if path.is_file()}
    outcome = run("speakers", "export", "eve", tmp_path / "eve.zip")
    assert (outcome.status, outcome.stdout) == (0, f"{tmp_path / 'eve.zip'}: eve, eve@cold\n")
    assert outcome.stderr == "the file holds recordings of the voice; who must not hear them should not get it\n"
    outcome = run("speakers", "import", tmp_path / "eve.zip")
    assert outcome.status == 1
    assert "there is a speaker 'eve' already" in outcome.stderr
    run("speakers", "remove", "eve", "--yes")
    outcome = run("speakers", "import", tmp_path / "eve.zip")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "imported eve, eve@cold\n", "")
    assert {path.relative_to(eve): path.read_bytes() for path in eve.rglob("*") if path.is_file()} == before


def test_without_takes_there_is_nothing_to_warn_of(run, eve, tmp_path):
    store.forget_audio("eve@cold")
    assert run("speakers", "export", "eve@cold", tmp_path / "cold.zip").stderr == ""


def test_files_that_cannot_be_written_or_read(run, eve, tmp_path):
    assert run("speakers", "export", "eve", tmp_path).status == 2
    outcome = run("speakers", "export", "eve", tmp_path / "gone" / "eve.zip")
    assert outcome.status == 2
    assert f"FILE {tmp_path / 'gone' / 'eve.zip'}: the folder {tmp_path / 'gone'} does not exist" in outcome.stderr
    (tmp_path / "x.zip").write_bytes(b"PK")
    for name in ("gone.zip", "x.zip"):
        outcome = run("speakers", "import", tmp_path / name)
        assert (outcome.status, outcome.stdout) == (1, "")
        assert f"{tmp_path / name} cannot be imported: " in outcome.stderr


# refresh


def test_refresh_makes_profiles_anew_as_they_were_asked_for(run, eve, model_file):
    before = store.load("eve").record
    outcome = run("speakers", "refresh")
    assert (outcome.status, outcome.stderr) == (0, "")
    first, second = outcome.stdout.splitlines()
    assert first.startswith(f"eve  {model_file}  8 takes  8 of 8 -> ")
    assert second.startswith("eve@cold  ")
    assert store.load("eve").record == before
    assert store.load("eve@cold").record["prior"] == "eve"


def test_refresh_for_another_model_does_the_healthy_voice_first(run, eve, other):
    records = records_of(run("speakers", "refresh", "eve", "--model", other, "--json").stdout)
    assert [(record["name"], record["model"]) for record in records] == [("eve", str(other)), ("eve@cold", str(other))]
    assert set(records[0]) == {*("name", "model", "takes", "method", "before", "after", "doubts", "refused")}
    assert records[0]["method"] == "MAP (tau 4)"
    outcome = run("speakers", "list")
    assert outcome.stdout.count(str(other)) == 2


def test_refresh_reports_those_that_fail_and_does_the_rest(run, eve, built, model_file):
    shutil.copytree(eve / "eve", eve / "bob")
    shutil.copytree(eve / "eve", eve / "gil")
    shutil.copytree(eve / "eve", eve / "ida")
    store.forget_audio("bob")
    (eve / "gil" / "profile.npz").unlink()
    path = eve / "ida" / "profile.npz"
    replace(Profile.load(path), model_name="gone").save(path)
    outcome = run("speakers", "refresh")
    assert outcome.status == 1
    bob, gil, ida = outcome.stderr.splitlines()
    assert bob.startswith("error: bob: no takes are kept to make the profile anew from; it stays; ")
    assert gil.startswith("error: gil: speaker 'gil' has takes but no profile yet; ")
    assert ida.startswith("error: ida: there is no model 'gone'; ")
    assert [line.partition(" ")[0] for line in outcome.stdout.splitlines()] == ["eve", "eve@cold"]


@pytest.mark.parametrize("newer", [True, False])
def test_a_profile_that_cannot_be_read_is_made_anew_for_a_model_that_is_named(run, eve, model_file, newer):
    path = eve / "eve" / "profile.npz"
    make_newer(path) if newer else path.write_bytes(b"PK")
    outcome = run("speakers", "refresh", "eve@cold", "eve")
    assert outcome.status == 1
    assert "name the model with --model" in outcome.stderr
    outcome = run("speakers", "refresh", "eve", "--model", model_file)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert run("speakers", "list").status == 0


def test_refresh_leaves_out_takes_that_are_damaged(run, eve):
    (eve / "eve" / "takes" / "hum" / "1.wav").write_bytes(b"RIFF")
    outcome = run("speakers", "refresh", "eve")
    assert outcome.status == 1
    assert outcome.stderr.startswith("left out: ")
    assert "hum/1.wav: is not sound or is damaged" in outcome.stderr
    assert "eve  " in outcome.stdout
    assert "  7 takes  " in outcome.stdout


# forget


def test_forget_deletes_takes_and_makes_the_profile_anew(run, eve):
    path = store.folder("eve") / "takes" / "hum" / "1.wav"
    outcome = run("speakers", "forget", "eve", "rise/2.wav", path)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("eve  ")
    assert "  6 takes  " in outcome.stdout
    assert store.load("eve").record["takes"] == {"fall": 2, "hum": 1, "peep": 2, "rise": 1}
    assert not path.exists()
    [record] = records_of(run("speakers", "forget", "eve", "rise/1.wav", "--json").stdout)
    assert record["takes"] == {"fall": 2, "hum": 1, "peep": 2}


@pytest.mark.parametrize("take", ["hum/9.wav", "../eve@cold/takes/hum/1.wav", "hum", "", "/etc/passwd", "profile.npz"])
def test_forget_deletes_nothing_where_a_take_is_not_there(run, eve, take):
    before = sorted(eve.rglob("*"))
    outcome = run("speakers", "forget", "eve", "hum/1.wav", take)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert f"speaker 'eve' has no take {take!r}; those kept are fall/1.wav, fall/2.wav, hum/1.wav" in outcome.stderr
    assert sorted(eve.rglob("*")) == before


def test_forget_leaves_a_take(run, eve):
    everything = [f"{word}/{take}.wav" for word in WORDS for take in (1, 2)]
    outcome = run("speakers", "forget", "eve", *everything)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "no other takes; delete the speaker with `recognizer speakers remove eve`" in outcome.stderr
    assert len(store.takes("eve")) == 8


def test_forget_before_there_is_a_profile(run, eve):
    (eve / "eve" / "profile.npz").unlink()
    outcome = run("speakers", "forget", "eve", "hum/1.wav")
    assert (outcome.status, outcome.stdout) == (0, "deleted takes of eve\n")
    assert len(store.takes("eve")) == 7


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_closed_folder_is_listed_as_such_and_the_others_too(run, eve, model_file, monkeypatch, form):
    scan, stat = os.scandir, os.stat

    def unless_closed(function: Callable) -> Callable:
        def call(path, *arguments, **options):
            if isinstance(path, str | Path) and eve / "eve@cold" in Path(path).parents:
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *arguments, **options)

        return call

    monkeypatch.setattr(os, "scandir", unless_closed(scan))
    monkeypatch.setattr(os, "stat", unless_closed(stat))
    outcome = run("speakers", "list", *form)
    assert outcome.status == 1
    what_to_do = "change its mode, or set RECOGNIZER_HOME to another folder"
    why = f"{eve / 'eve@cold'} cannot be read (Permission denied); {what_to_do}"
    assert outcome.stderr == f"error: {why}\n"
    if form:
        whole, closed = records_of(outcome.stdout)
        assert (whole["name"], whole["model"]) == ("eve", str(model_file))
        assert closed == {"name": "eve@cold", "error": why}
    else:
        whole, closed = outcome.stdout.splitlines()
        assert whole.startswith(f"eve  {model_file}")
        assert closed == "eve@cold  cannot be used"


def test_who_is_removed_while_a_model_is_fitted_does_not_come_back(run, eve, enrolled, monkeypatch):
    """As when `speakers remove` is called while `enroll --from` is at work."""
    from recognizer.adaptation.enrollment import enroll

    def meanwhile(*arguments: object, **options: object) -> object:
        assert run("speakers", "remove", "eve", "--yes").stdout == "removed eve, eve@cold\n"
        return enroll(*arguments, **options)

    monkeypatch.setattr("recognizer.speakers.enrolling.enroll", meanwhile)
    outcome = run("enroll", "eve", "--from", enrolled.parent / "recordings", "--model", store.load("eve").model_name)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told.startswith("error: another program changed the takes of 'eve'")
    assert store.names() == []


# A take that cannot be read


def test_export_names_what_it_cannot_read(run, eve, tmp_path, monkeypatch):
    take, read = eve / "eve" / "takes" / "hum" / "2.wav", Path.read_bytes

    def unless_closed(path: Path) -> bytes:
        if path == take:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", unless_closed)
    outcome = run("speakers", "export", "eve", tmp_path / "eve.zip")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == (
        f"error: {take} cannot be read (Permission denied), and nothing was exported without it; change its mode or "
        "remove it\n"
    )
    assert not (tmp_path / "eve.zip").exists()
