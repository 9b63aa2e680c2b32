"""Whatever step a program is killed at, the next call finds all as it was before or as it should become.

No recording is lost that was kept, none stays that was deleted, and nothing is left where nobody sees it.
"""

from __future__ import annotations

import itertools
import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from killing import kills
from synthetic import RATE, quiet, say, write

from recognizer.adaptation.method import Method
from recognizer.cli.record import _keeper
from recognizer.corpus import Utterance
from recognizer.errors import RecognizerError
from recognizer.files import writing
from recognizer.live.prompts import Prompt
from recognizer.model import Model
from recognizer.sound import audio
from recognizer.speakers import store
from recognizer.speakers.enrolling import make_profile
from recognizer.speakers.profile import Profile
from recognizer.training.cutting import cut_corpus
from recognizer.training.transcripts import Sentence

pytestmark = pytest.mark.skipif(writing.fcntl is None, reason="processes are not forked here, and nothing is locked")

State = dict[str, tuple[object, frozenset]]  # of each speaker, what the profile tells, and the takes by content


def profile_of(built, prior=None, why="") -> Profile:
    return Profile.of(built, built, "tones", {"prior": prior, "why": why})


def seen() -> State:
    """What a command sees."""
    return {name: (seen_profile(name), frozenset(map(content, store.takes(name)))) for name in store.names()}


def seen_profile(name: str) -> object:
    if not store.has_profile(name):
        return None
    record = store.load(name).record
    return record.get("why"), record.get("prior")


def content(take: Utterance) -> tuple:
    return take.word, store.is_heard(take), take.path.read_bytes()


def is_whole(now: State, before: State, after: State) -> bool:
    """Whether it is the state before or the one after."""
    return now in (before, after)


def is_between(now: State, before: State, after: State) -> bool:
    """Where recordings are taken in one by one: none is lost, and none came that should not come."""
    if now.keys() - after.keys() or before.keys() - now.keys():
        return False
    nobody = (None, frozenset())
    return all(
        profile in (before.get(name, nobody)[0], after[name][0])
        and before.get(name, nobody)[1] <= takes <= after[name][1]
        for name, (profile, takes) in now.items()
    )


def left_over(folder: Path) -> list[str]:
    """What is in the store and no part of any speaker: the file that tells who is at it aside."""
    parts = {store.root() / store.LOCK}
    for name in store.names():
        place = store.folder(name)
        parts |= {place / store.PROFILE, place / store.TAKES / store.VOICE, *(t.path for t in store.takes(name))}
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path not in parts] + [
        str(path.relative_to(folder)) for path in folder.rglob(".*") if path.is_dir()
    ]


@dataclass(frozen=True)
class Change:
    """Something to do to the speakers, and what may be seen of it when it is killed."""

    act: Callable[[], object]
    may_be: Callable[[State, State, State], bool] = is_whole


@pytest.fixture
def template(built, home, tmp_path) -> Path:
    """Of a home with speakers: the folder that copies are made of."""
    for name, prior, words in (("anna", None, ("hum", "rise", "hum")), ("anna@cold", "anna", ("hum",))):
        for number, word in enumerate(words):
            store.add_take(name, word, say(word, take=number) + len(name) * 1e-3, RATE)
        store.save(name, profile_of(built, prior, name))
    store.keep("bob", [Utterance(write(tmp_path / "bob.wav", say("fall", "bob")), "fall", "bob")])
    return Path(shutil.copytree(home, tmp_path / "template"))


@pytest.fixture
def change(request, built, template, tmp_path) -> Change:
    """One by its name."""
    store.export("anna", tmp_path / "zoe.zip")
    with zipfile.ZipFile(tmp_path / "zoe.zip") as old, zipfile.ZipFile(tmp_path / "new.zip", "w") as new:
        for name in old.namelist():
            new.writestr(name.replace("anna", "zoe", 1), old.read(name))
    files = [write(tmp_path / f"{word}.wav", say(word, "carl", 7)) for word in ("hum", "rise")]
    recordings = [Utterance(file, file.stem, "carl") for file in files]
    bobs = Utterance(tmp_path / "bob.wav", "hum", None)

    def enroll() -> None:
        store.keep("carl", recordings)
        make_profile("carl", built, "tones", Method("map"))

    return {
        "add_take": Change(lambda: store.add_take("anna", "hum", say("hum", take=9), RATE)),
        "first_take": Change(lambda: store.add_take("carl", "hum", say("hum", take=9), RATE)),
        "keep": Change(lambda: store.keep("anna", recordings), is_between),
        "keep_new": Change(lambda: store.keep("carl", recordings), is_between),
        "relabel": Change(lambda: store.keep("bob", [bobs])),
        "save": Change(lambda: store.save("anna", profile_of(built, why="anew"))),
        "first_save": Change(lambda: store.save("carl", profile_of(built, why="first"))),
        "rename": Change(lambda: store.rename("anna", "eva")),
        "remove": Change(lambda: store.remove("anna")),
        "import": Change(lambda: store.import_(tmp_path / "new.zip")),
        "forget_takes": Change(lambda: store.forget_takes("anna", ["hum/1.wav", "rise/1.wav"])),
        "forget_audio": Change(lambda: store.forget_audio("anna")),
        "enroll": Change(enroll, is_between),
        "refresh": Change(lambda: make_profile("anna", built, "tones", Method("map"))),
    }[request.param]


QUICK = ("add_take", "first_take", "keep", "relabel", "save", "rename", "remove", "import", "forget_takes")
SLOW = ("keep_new", "first_save", "forget_audio", "enroll", "refresh")


@pytest.mark.parametrize(
    "change", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)], indirect=True
)
def test_speakers_are_as_before_or_as_they_should_become(change, template, tmp_path, monkeypatch):
    numbers = itertools.count()

    def fresh() -> Path:
        folder = Path(shutil.copytree(template, tmp_path / f"home {next(numbers)}"))
        monkeypatch.setenv("RECOGNIZER_HOME", str(folder))
        return folder

    fresh()
    before = seen()
    change.act()
    after = seen()
    assert after != before
    for folder in kills(lambda _: change.act(), fresh):
        now = seen()
        assert change.may_be(now, before, after)
        with store.locked():
            pass
        assert seen() == now, "what was seen stays"
        assert left_over(folder) == []
        with suppress(RecognizerError):  # such as that there is nobody left to remove
            change.act()
        again = seen()
        if change.may_be is is_between or now == before:
            assert again == after
        assert all(takes <= again[name][1] for name, (_, takes) in after.items()), "nothing is lost by doing it twice"
        shutil.rmtree(folder)
    assert now == after, "the last one was not killed"


# Beside the speakers


@pytest.fixture
def fresh(tmp_path) -> Callable[[], Path]:
    numbers = itertools.count()

    def made() -> Path:
        folder = tmp_path / f"folder {next(numbers)}"
        folder.mkdir()
        return folder

    return made


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def kept(folder: Path, take: int) -> None:
    """As `record` keeps a take of a word."""
    _keeper({"hum": folder / "hum"}, None, RATE)(Prompt("hum", take), say("hum", take=take))


@pytest.mark.parametrize("links", [True, False])
def test_recordings_are_there_or_not(fresh, monkeypatch, links):
    if not links:

        def refuse(*_) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    whole = fresh()
    for take in (0, 1, 2):
        kept(whole, take)
    first, second, third = contents(whole).values()

    def begun() -> Path:
        folder = fresh()
        kept(folder, 0)
        return folder

    for folder in kills(lambda folder: kept(folder, 1), begun):
        now = [path.read_bytes() for path in sorted(folder.glob("*/*.wav")) if path.name[0] != "."]
        assert now in ([first], [first, second])
        kept(folder, 2)
        assert list(contents(folder).values()) == [*now, third]
    assert now == [first, second]


def test_an_export_is_there_or_not(built, template, fresh):
    def begun() -> Path:
        folder = fresh()
        store.export("bob", folder / "a.zip")
        return folder

    before, after = fresh() / "a.zip", fresh() / "a.zip"
    store.export("bob", before)
    store.export("anna", after)
    for folder in kills(lambda folder: store.export("anna", folder / "a.zip"), begun):
        now = (folder / "a.zip").read_bytes()
        assert now in (before.read_bytes(), after.read_bytes())
        store.export("anna@cold", folder / "b.zip")
        assert sorted(contents(folder)) == ["a.zip", "b.zip"]
    assert now == after.read_bytes()


def test_a_model_is_the_old_or_the_new_one(built, fresh):
    def begun() -> Path:
        folder = fresh()
        built.save(folder / "m.npz")
        return folder

    new = replace(built, card=built.card | {"data": "new"})
    for folder in kills(lambda folder: new.save(folder / "m.npz"), begun):
        card = Model.load(folder / "m.npz").card
        assert card in (built.card, new.card)
        built.save(folder / "n.npz")
        assert sorted(contents(folder)) == ["m.npz", "n.npz"]
    assert card == new.card


def test_a_corpus_that_is_cut_is_there_or_not(built, fresh, tmp_path):
    said = np.concatenate([quiet(0.5), say("hum"), say("rise"), quiet(0.5)])
    sentences = [Sentence(write(tmp_path / "a.wav", said), ("hum", "rise"), "eve")]

    def cut(folder: Path) -> None:
        cut_corpus(sentences, built, folder, least_fit=-100)

    cut(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    assert len(whole) == 2
    for folder in kills(lambda folder: cut(folder / "out"), fresh):
        now = contents(folder / "out")
        assert now in ({}, whole)
        assert (folder / "out").exists() is bool(now)
        cut(folder / "other")
        assert contents(folder / "other") == whole
        assert {path.name for path in folder.iterdir()} == ({"other", "out"} if now else {"other"})
    assert now == whole


def test_a_recording_that_is_replaced_is_the_old_or_the_new_one(fresh):
    def begun() -> Path:
        folder = fresh()
        audio.save(folder / "a.wav", say("hum"), RATE)
        return folder

    before = contents(begun())
    for folder in kills(lambda folder: audio.save(folder / "a.wav", say("rise"), RATE), begun):
        now = (folder / "a.wav").read_bytes()
        assert audio.load(folder / "a.wav", RATE).samples.size in (len(say("hum")), len(say("rise")))
        audio.save(folder / "b.wav", say("hum"), RATE)
        assert sorted(contents(folder)) == ["a.wav", "b.wav"]
    assert now != before["a.wav"]
