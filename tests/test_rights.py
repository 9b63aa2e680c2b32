"""Recordings of voices are their owner's: whatever the umask, nobody else may read what the program keeps of them."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from synthetic import RATE, quiet, say, write

from recognizer.corpus import Utterance
from recognizer.errors import RecognizerWarning
from recognizer.live.prompts import prompts
from recognizer.speakers import store
from recognizer.speakers.profile import Profile

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")

OTHERS = 0o077


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """Others may read and write whatever a program does not keep from them."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[str]:
    """What others have rights to: of a folder and all that is in it."""
    return [str(path.relative_to(folder)) for path in (folder, *folder.rglob("*")) if mode(path) & OTHERS]


@pytest.fixture
def enrolled(built, tmp_path) -> Path:
    """A speaker of whom everything is kept that can be; gives the store."""
    store.add_take("anna", "hum", say("hum"), RATE)
    store.keep("anna", [Utterance(write(tmp_path / "1.wav", say("rise")), "rise", "ann")])
    store.save("anna", Profile.of(built, built, "tones", {"prior": None}))
    store.save("anna@cold", Profile.of(built, built, "tones", {"prior": "anna"}))
    return store.root()


def test_what_is_kept_of_a_speaker(enrolled, home):
    names = {path.relative_to(enrolled / "anna").as_posix() for path in (enrolled / "anna").rglob("*")}
    assert names >= {"profile.npz", "takes/voice.txt", "takes/hum/1.wav", "takes/rise/1.wav"}
    assert open_to_others(home) == []
    assert mode(home) == mode(enrolled / "anna" / "takes" / "hum") == 0o700
    assert mode(enrolled / store.LOCK) == mode(enrolled / "anna" / "profile.npz") == 0o600


def test_a_speaker_who_travels(enrolled, tmp_path, home):
    store.export("anna", tmp_path / "anna.zip")
    assert mode(tmp_path / "anna.zip") == 0o600
    store.remove("anna")
    store.import_(tmp_path / "anna.zip")
    store.rename("anna", "eva")
    assert store.names() == ["eva", "eva@cold"]
    assert open_to_others(home) == []


def test_a_home_that_was_there_stays_as_it_is(home):
    home.mkdir(mode=0o755)
    store.add_take("anna", "hum", say("hum"), RATE)
    assert open_to_others(home) == ["."]


def test_speakers_who_were_open_are_closed_by_the_next_command_and_that_is_told(enrolled, run, built):
    for path in (enrolled, *enrolled.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with pytest.warns(RecognizerWarning, match=f"{enrolled} was open to other users .*; now only its owner may read"):
        store.add_take("anna", "hum", say("hum"), RATE)
    assert open_to_others(enrolled) == []
    enrolled.chmod(0o755)
    outcome = run("speakers", "rename", "anna", "eva")
    assert outcome.stderr.splitlines() == [
        f"warning: {enrolled} was open to other users of this computer; now only its owner may read what is in it"
    ]
    assert run("speakers", "rename", "eva", "anna").stderr == ""


@pytest.mark.parametrize(
    "call", [["speakers", "list"], ["speakers", "show", "anna"], ["speakers", "export", "anna", "anna.zip"]]
)
def test_a_command_that_only_reads_closes_them_too(enrolled, run, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (enrolled, *enrolled.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert "now only its owner may read what is in it" in run(*call).stderr
    assert open_to_others(enrolled) == []
    assert run("speakers", "list").stderr == ""


def test_a_umask_that_takes_all_rights_takes_none_from_the_owner(home):
    os.umask(0o777)
    path = store.add_take("anna", "hum", say("hum"), RATE)
    os.umask(0)
    assert mode(path) == 0o600
    assert {mode(folder) for folder in (home, *path.parents[:4])} == {0o700}


def test_a_model_is_for_everybody(built, tmp_path):
    built.save(tmp_path / "tones.npz")
    assert mode(tmp_path / "tones.npz") == 0o666


def test_a_page_that_plays_what_people_said(run, recordings, model_file, tmp_path):
    pytest.importorskip("matplotlib")
    assert run("evaluate", recordings, "--model", model_file, "--report", tmp_path / "report").status == 0
    assert mode(tmp_path / "report" / "index.html") == 0o600


def test_what_is_recorded(run, speaking, tmp_path):
    write(tmp_path / "mine" / "hum" / "1.wav", say("hum"))
    write(tmp_path / "mine" / "other" / "1.wav", say("fall"))
    speaking(*prompts(["hum", "rise"], 2)[1:])
    outcome = run("record", "hum", "rise", "--takes", 2, "--output", tmp_path / "mine", "--sample-rate", RATE)
    assert outcome.status == 0, outcome.stderr
    assert len([line for line in outcome.stderr.splitlines() if f"{tmp_path / 'mine' / 'hum'} was open" in line]) == 1
    assert mode(tmp_path / "mine") == 0o777, "the user's own"
    assert open_to_others(tmp_path / "mine") == [".", "other", "other/1.wav"]
    assert len(list((tmp_path / "mine").rglob("*.wav"))) == 5

    speaking(*prompts(["hum"], 1))
    new = tmp_path / "new" / "folder"
    assert run("record", "hum", "--takes", 1, "--output", new, "--sample-rate", RATE).status == 0
    assert open_to_others(tmp_path / "new") == []


def test_what_a_live_session_saves(run, model_file, tmp_path):
    said = write(tmp_path / "a.wav", np.concatenate([quiet(1.0), say("hum"), quiet(1.0)]))
    arguments = ("live", "--model", model_file, "--from-file", said, "--fast", "--save", tmp_path / "new" / "kept")
    assert run(*arguments).status == 0
    assert len(list((tmp_path / "new" / "kept").iterdir())) == 2
    assert open_to_others(tmp_path / "new") == []

    (tmp_path / "new" / "kept").chmod(0o755)
    (tmp_path / "new" / "kept" / "utterances.jsonl").chmod(0o644)
    assert "utterances.jsonl was open to other users" in run(*arguments).stderr
    assert open_to_others(tmp_path / "new") == ["kept"]


def test_what_is_cut(run, model_file, tmp_path):
    said = write(tmp_path / "a.wav", np.concatenate([quiet(0.5), say("hum"), say("rise"), quiet(0.5)]))
    arguments = ("cut", said, "--words", "hum rise", "--model", model_file, "--fit", -100, "--output")
    (tmp_path / "mine").mkdir()
    for name in ("new", "mine"):
        outcome = run(*arguments, tmp_path / name)
        assert outcome.status == 0, outcome.stderr
        assert len(list((tmp_path / name).rglob("*.wav"))) == 2
    assert open_to_others(tmp_path / "new") == []
    assert open_to_others(tmp_path / "mine") == ["."]


def test_the_home_of_a_model_that_is_imported_is_for_voices_too(run, home, built, tmp_path):
    built.save(tmp_path / "m.npz")
    assert run("export", tmp_path / "m.npz", "--htk", tmp_path / "hmms.mmf").status == 0
    outcome = run("import", tmp_path / "hmms.mmf")
    assert outcome.status == 0, outcome.stderr
    assert mode(home) == 0o700
    assert mode(home / "models") & 0o055
