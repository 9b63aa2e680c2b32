"""Speakers are kept in folders of checked names, and travel in archives that nothing evil comes in with."""

from __future__ import annotations

import builtins
import errno
import io
import os
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from refusing import refusal
from synthetic import say, write

from recognizer.adaptation.enrollment import enroll
from recognizer.adaptation.method import Method
from recognizer.corpus import Utterance
from recognizer.errors import NamingError, ProfileError, RecognizerError, RecognizerWarning
from recognizer.speakers import store
from recognizer.speakers.enrolling import make_profile
from recognizer.speakers.profile import Profile


def profile_of(built, why="") -> Profile:
    return Profile.of(built, built, "tones", {"why": why})


def keep(built, name, takes=("rise", "rise", "fall")):
    """A speaker with a profile and takes."""
    for number, word in enumerate(takes):
        write(store.take_path(name, word), say(word, take=number))
    store.save(name, profile_of(built, name))


def everything(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too; but who is at it, or was."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != store.LOCK)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def refused(action, *arguments, parts=()) -> str:
    return refusal(RecognizerError, lambda: action(*arguments), *parts)


# Names


def test_a_name_may_have_a_condition():
    assert store.checked("anna") == "anna"
    assert store.checked("anna@cold") == "anna@cold"
    assert store.checked("Zoe\u0308@e\u0301te\u0301") == "Zo\u00eb@\u00e9t\u00e9"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "the speaker is empty"),
        ("@cold", "the speaker is empty"),
        ("anna@", "the condition is empty"),
        ("anna@cold@warm", "condition 'cold@warm' has a '@'"),
        ("anna/bob", "speaker 'anna/bob' has a '/'"),
        ("anna@../bob", "condition '../bob' has a '/'"),
        ("../anna", "speaker '../anna' has a '/'"),
        ("anna😀", "speaker 'anna😀' has a '😀'"),
        ("nul", "is the name of a device"),
        ("anna@nul", "is the name of a device"),
        (".anna", "begins or ends with '.'"),
    ],
)
def test_a_name_that_is_no_folder_is_refused_everywhere(name, text):
    actions = (store.folder, store.load, store.takes, store.rename, store.remove, store.forget_audio)
    for action in actions:
        arguments = (name, "bob") if action is store.rename else (name,)
        assert text in refused(action, *arguments)
    assert not store.root().exists()


def test_a_speaker_who_differs_by_case_only_is_refused(built):
    keep(built, "Anna")
    keep(built, "Bob@Cold")
    for name in ("anna", "ANNA", "anna@cold", "bob", "bob@Cold", "Bob@cold"):
        assert "differs from" in refused(store.checked, name, parts=("by case only; write it so",))
    for name in ("Anna", "Anna@cold", "Bob", "Bob@Cold", "Bob@warm", "ann", "Annabel"):
        assert store.checked(name) == name


# Keeping


def test_nobody_is_there_at_first():
    assert store.names() == []
    refused(store.load, "anna", parts=("there is no speaker 'anna'; enrolled: none yet", "`recognizer enroll anna`"))
    assert store.takes("anna") == []
    assert not store.has_profile("anna")


def test_what_is_kept_is_found_again(built, home):
    keep(built, "bob")
    keep(built, "anna@cold")
    keep(built, "anna")
    assert store.names() == ["anna", "anna@cold", "bob"]
    assert store.load("anna@cold").record == {"why": "anna@cold"}
    assert store.fitted(built, "bob").fingerprint == built.fingerprint
    assert [(t.word, t.path.name) for t in store.takes("bob")] == [
        ("fall", "1.wav"),
        ("rise", "1.wav"),
        ("rise", "2.wav"),
    ]
    assert store.root() == home / "speakers"
    assert store.with_conditions("anna") == ["anna", "anna@cold"]
    assert store.with_conditions("anna@cold") == ["anna@cold"]


def test_takes_without_a_profile_say_how_to_finish():
    write(store.take_path("anna", "rise"), say("rise"))
    refused(store.load, "anna", parts=("has takes but no profile yet; finish with `recognizer enroll anna`",))


def test_a_take_gets_the_next_number_even_after_one_was_deleted():
    for number in (1, 2, 3):
        assert store.take_path("anna", "rise").name == f"{number}.wav"
        write(store.take_path("anna", "rise"), say("rise"))
    (store.folder("anna") / "takes" / "rise" / "2.wav").unlink()
    (store.folder("anna") / "takes" / "rise" / "notes.wav").touch()
    assert store.take_path("anna", "rise").name == "4.wav"


def test_a_word_that_is_no_folder_has_no_take():
    with pytest.raises(NamingError, match="word 'a/b' has a '/'"):
        store.take_path("anna", "a/b")
    assert not store.root().exists()


def test_forgetting_the_audio_keeps_the_profile(built):
    keep(built, "anna")
    store.forget_audio("anna")
    assert store.takes("anna") == []
    assert store.load("anna").record == {"why": "anna"}
    store.forget_audio("anna")


def test_an_old_profile_stays_when_the_new_one_cannot_be_written(built, monkeypatch):
    keep(built, "anna")
    before = everything(store.root())

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    refused(store.save, "anna", profile_of(built, "new"), parts=("No space left on device",))
    assert everything(store.root()) == before


def test_a_home_that_is_a_file_is_named(built, home):
    home.write_text("")
    refused(store.save, "anna", profile_of(built), parts=(home, "set RECOGNIZER_HOME to another folder"))


def test_a_full_disk_is_told_to_make_room(built, tmp_path, monkeypatch):
    keep(built, "anna", ["rise"])
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*args, **kwargs):
        raise full

    remedy = ("No space left on device", "; make room on the disk")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", fail)
        refused(store.save, "bob", profile_of(built), parts=remedy)
    monkeypatch.setattr(os, "replace", fail)
    refused(store.keep, "bob", [Utterance(write(tmp_path / "1.wav", say("rise")), "rise", None)], parts=remedy)
    refused(store.keep, "bob", [Utterance(tmp_path / "1.wav", "rise", "bob")], parts=remedy)
    refused(store.export, "anna", tmp_path / "anna.zip", parts=remedy)


def test_a_message_names_no_hidden_folder(built, tmp_path, monkeypatch):
    keep(built, "anna", ["rise"])
    said = [Utterance(write(tmp_path / "1.wav", say("rise", take=0)), "fall", None)]

    def fail(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("recognizer.sound.audio.os.replace", fail)
    for act, arguments in (
        (store.add_take, ("bob", "hum", say("hum"), 8000)),
        (store.save, ("bob", profile_of(built))),
        (store.keep, ("anna", said)),
    ):
        assert "/." not in refused(act, *arguments, parts=("No space left on device", "make room"))
    assert store.names() == ["anna"]


def test_whose_voice_it_is_goes_with_the_takes(built, tmp_path):
    path = write(tmp_path / "1.wav", say("rise"))
    store.keep("anna", [Utterance(path, "rise", None)])
    assert store.voice("anna") is None
    store.keep("anna", [Utterance(path, "rise", "Åsa/1")])
    assert store.voice("anna") == "Åsa/1"
    store.save("anna", profile_of(built))
    store.export("anna", tmp_path / "anna.zip")
    store.remove("anna")
    store.import_(tmp_path / "anna.zip")
    assert store.voice("anna") == "Åsa/1"
    store.forget_audio("anna")
    assert store.voice("anna") is None


# Renaming and removing


def test_a_speaker_is_renamed_with_all_conditions(built):
    for name in ("anna", "anna@cold", "anna@home", "annabel"):
        keep(built, name)
    assert store.rename("anna", "eva") == ["eva", "eva@cold", "eva@home"]
    assert store.names() == ["annabel", "eva", "eva@cold", "eva@home"]
    assert store.load("eva@home").record == {"why": "anna@home"}
    assert len(store.takes("eva@cold")) == 3


def test_the_case_of_a_name_is_changed_even_where_both_are_one_folder(built, monkeypatch):
    """As on a system that tells no upper case from lower; a speaker of another name is in the way there, too."""
    for name in ("anna", "anna@cold", "bob"):
        keep(built, name, ["rise"])

    def same(one, other):
        return str(one).lower() == str(other).lower()

    there = [store.root() / name for name in store.names()]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", lambda path: any(same(path, known) for known in there))
        patch.setattr(os.path, "samefile", same)
        assert store.rename("anna", "Anna") == ["Anna", "Anna@cold"]
    assert store.names() == ["Anna", "Anna@cold", "bob"]


def test_a_renamed_speaker_is_named_by_the_profiles_that_started_from_it(built):
    for name, prior in (("anna", None), ("anna@cold", "anna"), ("anna@home", None), ("anna@new", "anna")):
        store.save(name, Profile.of(built, built, "tones", {"prior": prior, "why": "so"}))
    path = store.folder("anna@new") / "profile.npz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recognizer.speakers.profile.VERSION", 99)
        Profile.load(path).save(path)
    newer = path.read_bytes()
    store.rename("anna", "eva")
    priors = [store.load(name).record for name in ("eva", "eva@cold", "eva@home")]
    assert priors == [{"prior": prior, "why": "so"} for prior in (None, "eva", None)]
    assert (store.folder("eva@new") / "profile.npz").read_bytes() == newer


def test_one_condition_is_renamed_alone(built):
    for name in ("anna", "anna@cold"):
        keep(built, name)
    assert store.rename("anna@cold", "anna@flu") == ["anna@flu"]
    assert store.names() == ["anna", "anna@flu"]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("anna", "bob", "there is a speaker 'bob' already; remove that one first"),
        ("anna", "anna", "there is a speaker 'anna' already"),
        ("anna", "carl", "there is a speaker 'carl' already"),
        ("anna@cold", "bob", "there is a speaker 'bob' already"),
        ("anna", "eva@cold", "a condition stays one, a speaker stays one; write both the same way"),
        ("anna@cold", "eva", "a condition stays one, a speaker stays one"),
        ("eva", "dora", "there is no speaker 'eva'; enrolled: anna, anna@cold, bob, carl@cold"),
        ("anna", "a/b", "has a '/'"),
        ("anna", "BOB", "differs from 'BOB' by case only"),
    ],
)
def test_a_name_that_is_taken_or_wrong_changes_nothing(built, old, new, text):
    for name in ("anna", "anna@cold", "bob", "carl@cold"):
        keep(built, name, ["rise"])
    before = everything(store.root())
    refused(store.rename, old, new, parts=(text,))
    assert everything(store.root()) == before


def failing(monkeypatch, which):
    """Make the call number `which` to os.rename fail, once."""
    real, calls = os.rename, []

    def rename(source, target, **options):
        calls.append(source)
        if len(calls) == which:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(source, target, **options)

    monkeypatch.setattr(os, "rename", rename)


@pytest.mark.parametrize("which", [1, 2, 3])
def test_a_renaming_that_fails_half_way_is_taken_back(built, monkeypatch, which):
    for name in ("anna", "anna@cold", "anna@home"):
        keep(built, name, ["rise"])
    before = everything(store.root())
    failing(monkeypatch, which)
    refused(store.rename, "anna", "eva", parts=("'anna' cannot be renamed (Permission denied)",))
    assert everything(store.root()) == before


def test_a_speaker_is_removed_with_all_conditions(built):
    for name in ("anna", "anna@cold", "annabel"):
        keep(built, name, ["rise"])
    assert store.remove("anna") == ["anna", "anna@cold"]
    assert store.names() == ["annabel"]
    refused(store.remove, "anna", parts=("there is no speaker 'anna'; enrolled: annabel",))


def test_one_condition_is_removed_alone(built):
    for name in ("anna", "anna@cold"):
        keep(built, name, ["rise"])
    assert store.remove("anna@cold") == ["anna@cold"]
    assert store.names() == ["anna"]


# Export and import


def test_a_speaker_travels_with_conditions_profiles_and_takes(built, tmp_path, monkeypatch):
    for name in ("anna", "anna@cold", "bob"):
        keep(built, name)
    theirs = {name: data for name, data in everything(store.root()).items() if not name.startswith("bob")}
    store.export("anna", tmp_path / "anna.zip")
    monkeypatch.setenv("RECOGNIZER_HOME", str(tmp_path / "elsewhere"))
    assert store.import_(tmp_path / "anna.zip") == ["anna", "anna@cold"]
    assert everything(store.root()) == theirs
    assert store.load("anna@cold").record == {"why": "anna@cold"}
    assert len(store.takes("anna")) == 3


def test_one_condition_travels_alone(built, tmp_path):
    for name in ("anna", "anna@cold"):
        keep(built, name)
    store.export("anna@cold", tmp_path / "a.zip")
    store.remove("anna")
    assert store.import_(tmp_path / "a.zip") == ["anna@cold"]


def test_what_others_put_beside_the_takes_does_not_keep_a_speaker_at_home(built, tmp_path):
    keep(built, "anna")
    place = store.folder("anna")
    for name in ("desktop.ini", "takes/Thumbs.db", "takes/rise/notes.txt", ".DS_Store", "takes/.hidden/1.wav"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("x")
    write(place / "takes" / "fall" / "mine.FLAC", say("fall"))
    store.export("anna", tmp_path / "anna.zip")
    store.remove("anna")
    assert store.import_(tmp_path / "anna.zip") == ["anna"]
    assert len(store.takes("anna")) == 4
    assert not list(store.folder("anna").glob("**/*.txt"))


def test_a_file_from_before_there_were_zips_is_exported(built, tmp_path):
    keep(built, "anna")
    os.utime(store.folder("anna") / "profile.npz", (0, 0))
    store.export("anna", tmp_path / "anna.zip")
    store.remove("anna")
    assert store.import_(tmp_path / "anna.zip") == ["anna"]


def test_an_export_that_fails_leaves_what_was_there(built, tmp_path, monkeypatch):
    keep(built, "anna")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.zip").write_bytes(b"old")
    refused(store.export, "anna", tmp_path / "no" / "a.zip", parts=("cannot be written: No such file",))
    refused(store.export, "bob", tmp_path / "out" / "a.zip", parts=("there is no speaker 'bob'",))

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    refused(store.export, "anna", tmp_path / "out" / "a.zip", parts=("No space left on device",))
    assert everything(tmp_path / "out") == {"a.zip": b"old"}


def unreadable(monkeypatch, path: Path) -> None:
    """Make a file one that may not be read, to root either."""
    real = Path.read_bytes

    def read(file: Path) -> bytes:
        if file == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return real(file)

    monkeypatch.setattr(Path, "read_bytes", read)


@pytest.mark.parametrize("file", ["anna@cold/takes/rise/2.wav", "anna/profile.npz", "anna/takes/voice.txt"])
def test_what_cannot_be_read_is_named_and_nothing_is_exported(built, tmp_path, monkeypatch, file):
    for name in ("anna", "anna@cold"):
        keep(built, name)
    store.keep("anna", [Utterance(write(tmp_path / "in" / "1.wav", say("hum")), "hum", "ann")])
    (tmp_path / "out").mkdir()
    unreadable(monkeypatch, store.root() / file)
    said = refused(store.export, "anna", tmp_path / "out" / "a.zip", parts=("Permission denied", "change its mode"))
    assert said.startswith(f"{store.root() / file} cannot be read (")
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need permission there")
@pytest.mark.parametrize("lost", ["takes/rise", "takes/rise/1.wav"])
def test_a_link_that_leads_nowhere_is_not_left_out_silently(built, tmp_path, lost):
    keep(built, "anna", ["rise", "fall"])
    place = store.root() / "anna" / lost
    os.rename(place, tmp_path / "away")
    place.symlink_to(tmp_path / "gone")
    refused(store.export, "anna", tmp_path / "anna.zip", parts=(place, "cannot be read (No such file or directory)"))
    assert not (tmp_path / "anna.zip").exists()


def test_a_folder_in_the_place_of_a_take_is_named(built, tmp_path):
    keep(built, "anna", ["rise"])
    place = store.root() / "anna" / "takes" / "rise" / "9.wav"
    place.mkdir()
    refused(store.export, "anna", tmp_path / "anna.zip", parts=(place, "cannot be read ("))
    assert not (tmp_path / "anna.zip").exists()


@pytest.fixture
def content(built, tmp_path) -> bytes:
    """The bytes of a sound profile."""
    profile_of(built).save(tmp_path / "sound.npz")
    return (tmp_path / "sound.npz").read_bytes()


def archive(path, members) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def nothing_came_in(tmp_path):
    assert store.names() == []
    assert not store.root().exists() or {path.name for path in store.root().iterdir()} <= {store.LOCK}
    assert not list(tmp_path.glob("**/evil*"))


HOSTILE = [
    "../evil.npz",
    "../../evil/profile.npz",
    "anna/../evil/profile.npz",
    "anna/takes/../evil.wav",
    "anna/takes/rise/../../../evil.wav",
    "/evil/profile.npz",
    "//evil/profile.npz",
    "C:/evil/profile.npz",
    "C:\\evil\\profile.npz",
    "anna\\profile.npz",
    "anna/takes/rise/..\\evil.wav",
    "anna/takes/rise/evil.exe",
    "anna/takes/rise/.evil.wav",
    "anna/takes/evil.wav",
    "anna/takes/rise/deep/evil.wav",
    "anna/evil.npz",
    "evil.npz",
    "./profile.npz",
    ".evil/profile.npz",
    "an*na/profile.npz",
    "nul/profile.npz",
    "anna@/profile.npz",
    "anna/takes/a:b/1.wav",
    "anna/takes//1.wav",
    "anna/takes/nul/1.wav",
    "😀/profile.npz",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_lets_nothing_in(content, tmp_path, name):
    path = archive(tmp_path / "a.zip", [("anna/profile.npz", content), (name, content)])
    refused(store.import_, path)
    nothing_came_in(tmp_path)


def test_what_unpacks_to_too_much_is_refused_by_what_it_declares(content, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "LARGEST", 2**20)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("anna/profile.npz", content)
        file.writestr("anna/takes/rise/1.wav", bytes(2**21))
    refused(store.import_, path, parts=("holds more than 1 MB; that is no exported speaker",))
    nothing_came_in(tmp_path)


def test_what_declares_less_than_it_holds_is_refused(content, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("anna/profile.npz", content)
        file.writestr("anna/takes/rise/1.wav", bytes(2**21))
    data = path.read_bytes()
    declared = (2**21).to_bytes(4, "little")
    assert data.count(declared) == 2
    path.write_bytes(data.replace(declared, (100).to_bytes(4, "little")))
    refused(store.import_, path, parts=("cannot be imported",))
    nothing_came_in(tmp_path)


def test_what_declares_more_than_there_can_be_is_refused(content, tmp_path):
    path = archive(tmp_path / "a.zip", [("anna/profile.npz", content), ("anna/takes/rise/1.wav", b"1234567")])
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(data)
    refused(store.import_, path, parts=("holds more than 1024 MB",))
    nothing_came_in(tmp_path)


def test_a_link_comes_in_as_no_link(content, tmp_path):
    (tmp_path / "secret").write_text("secret")
    for target in (str(tmp_path / "secret"), "../../secret", str(tmp_path)):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("anna/profile.npz", content)
            link = zipfile.ZipInfo("anna/takes/rise/1.wav")
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(link, target)
        assert store.import_(path) == ["anna"]
        assert not any(p.is_symlink() for p in store.root().rglob("*"))
        assert (store.folder("anna") / "takes" / "rise" / "1.wav").read_text() == target
        store.remove("anna")


def test_a_link_in_the_place_of_a_profile_is_no_profile(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("anna/profile.npz")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    refused(store.import_, path, parts=("is no profile, or is damaged",))
    nothing_came_in(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["anna", "bob"],
        ["anna", "Anna"],
        ["anna@cold", "anna@Cold"],
        ["anna", "ANNA@cold"],
        ["zo\u00eb", "zoe\u0308"],
        [],
    ],
)
def test_an_archive_is_of_one_speaker(content, tmp_path, names):
    path = archive(tmp_path / "a.zip", [(f"{name}/profile.npz", content) for name in names])
    refused(store.import_, path, parts=("is no exported speaker; make one with `recognizer speakers export`",))
    nothing_came_in(tmp_path)


def test_a_name_written_another_way_comes_in_as_it_is_kept(content, tmp_path):
    path = archive(tmp_path / "a.zip", [("Zoe\u0308/profile.npz", content), ("Zoe\u0308@cold/profile.npz", content)])
    assert store.import_(path) == ["Zo\u00eb", "Zo\u00eb@cold"]
    assert store.load("Zoe\u0308").record == {"why": ""}


def test_a_folder_alone_is_no_speaker(content, tmp_path):
    path = archive(tmp_path / "a.zip", [("anna/profile.npz", content), ("evil/", b""), ("../evil2/", b"")])
    assert store.import_(path) == ["anna"]
    assert {entry.name for entry in store.root().iterdir()} == {"anna", store.LOCK}
    assert not list(tmp_path.glob("**/evil*"))


@pytest.mark.parametrize("bad", [b"", b"no profile", "truncated", "nan"])
def test_a_bad_profile_in_any_condition_lets_nothing_in(content, tmp_path, bad):
    if bad == "truncated":
        bad = content[: len(content) // 2]
    elif bad == "nan":
        with np.load(io.BytesIO(content)) as file:
            arrays = {name: file[name] for name in file.files}
        arrays["means"][0] = np.nan
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        bad = buffer.getvalue()
    path = archive(tmp_path / "a.zip", [("anna/profile.npz", content), ("anna@cold/profile.npz", bad)])
    refused(store.import_, path, parts=("damaged",))
    nothing_came_in(tmp_path)


@pytest.mark.parametrize(("there", "text"), [("anna", "'anna' already"), ("anna@cold", "'anna@cold' already")])
def test_nothing_replaces_a_speaker_who_is_there(built, content, tmp_path, there, text):
    keep(built, there, ["rise"])
    before = everything(store.root())
    members = [(f"{name}/profile.npz", content) for name in ("anna", "anna@cold")]
    refused(store.import_, archive(tmp_path / "a.zip", members), parts=(text, "remove or rename that one"))
    assert everything(store.root()) == before


def test_a_variant_of_a_name_that_is_there_is_refused(built, content, tmp_path):
    keep(built, "Anna", ["rise"])
    before = everything(store.root())
    refused(store.import_, archive(tmp_path / "a.zip", [("anna/profile.npz", content)]), parts=("by case only",))
    assert everything(store.root()) == before


@pytest.mark.parametrize("which", [1, 2])
def test_an_import_that_fails_half_way_leaves_nothing(content, tmp_path, monkeypatch, which):
    path = archive(tmp_path / "a.zip", [(f"{name}/profile.npz", content) for name in ("anna", "anna@cold")])
    failing(monkeypatch, which)
    refused(store.import_, path, parts=("cannot be imported: Permission denied",))
    nothing_came_in(tmp_path)


def test_what_is_in_the_way_is_not_the_archives_fault(content, tmp_path):
    path = archive(tmp_path / "a.zip", [(f"{name}/profile.npz", content) for name in ("anna", "anna@cold")])
    with store.locked():
        (store.root() / "anna@cold").write_text("no folder")
    refused(store.import_, path, parts=("there is a speaker 'anna@cold' already", "remove or rename"))
    assert everything(store.root()) == {"anna@cold": b"no folder"}


def test_a_store_that_cannot_be_written_to_is_not_the_archives_fault(content, tmp_path, monkeypatch):
    path = archive(tmp_path / "a.zip", [("anna/profile.npz", content)])
    failing(monkeypatch, 1)
    refused(store.import_, path, parts=(path, f"change the mode of {store.root()}", "set RECOGNIZER_HOME"))
    said = refused(store.import_, tmp_path / "gone.zip", parts=("No such file", "check its name and its mode"))
    assert "RECOGNIZER_HOME" not in said


def test_a_full_disk_leaves_nothing(content, tmp_path, monkeypatch):
    path = archive(tmp_path / "a.zip", [("anna/profile.npz", content)])

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    refused(store.import_, path, parts=("No space left on device",))
    nothing_came_in(tmp_path)


def test_no_archive_is_no_speaker(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.zip").write_text("hello")
    (tmp_path / "empty.zip").write_bytes(b"")
    archive(tmp_path / "none.zip", [])
    for name in ("folder", "text.zip", "empty.zip", "none.zip", "missing.zip"):
        refused(store.import_, tmp_path / name, parts=(tmp_path / name,))
    nothing_came_in(tmp_path)


def test_a_damaged_archive_lets_in_sound_files_or_nobody(built, tmp_path):
    keep(built, "anna", ["rise"])
    store.export("anna", tmp_path / "a.zip")
    before = everything(store.root())
    store.remove("anna")
    content = (tmp_path / "a.zip").read_bytes()
    damaged = [content[:size] for size in np.linspace(0, len(content) - 1, 20).astype(int)]
    for place in [
        *np.linspace(0, len(content) - 1, 120).astype(int),
        *range(60),
        *range(len(content) - 250, len(content)),
    ]:
        damaged.append(content[:place] + bytes([content[place] ^ 0x33]) + content[place + 1 :])
    for data in damaged:
        (tmp_path / "a.zip").write_bytes(data)
        try:
            found = store.import_(tmp_path / "a.zip")
        except RecognizerError:
            nothing_came_in(tmp_path)
            continue
        # What came in is sound; damage to names and to the list of members shows in no checksum.
        assert set(everything(store.root()).values()) <= set(before.values())
        store.remove(found[0])


def test_an_encrypted_archive_is_refused(content, tmp_path):
    path = archive(tmp_path / "a.zip", [("anna/profile.npz", content)])
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(ProfileError, match="cannot be imported"):
        store.import_(path)
    nothing_came_in(tmp_path)


# Two programs at once


ADDING = """
import sys, time
import numpy as np
from recognizer.speakers import store
store.root().mkdir(parents=True, exist_ok=True)
(store.root() / f"{sys.argv[1]}.ready").touch()
while len(list(store.root().glob("*.ready"))) < 2:
    time.sleep(0.001)
for number in range(30):
    store.add_take("anna", "hum", np.full(80, int(sys.argv[1]) * 100 + number, np.int16), 8000)
"""


def test_of_takes_that_two_programs_keep_at_once_none_is_lost():
    both = [subprocess.Popen([sys.executable, "-c", ADDING, who]) for who in ("1", "2")]
    assert [one.wait(60) for one in both] == [0, 0]
    contents = {int(soundfile.read(take.path, dtype="int16")[0][0]) for take in store.takes("anna")}
    assert contents == {100 + n for n in range(30)} | {200 + n for n in range(30)}


HOLDING = """
import sys
from recognizer.speakers import store
with store.locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held() -> Iterator[subprocess.Popen]:
    """Another program that is changing the speakers, until its standard input is closed."""
    with subprocess.Popen([sys.executable, "-c", HOLDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        yield other


@pytest.fixture
def all_that_changes(built, tmp_path) -> dict[str, Callable[[], object]]:
    """What there is to do to speakers, each with one of its own."""
    anna, bob, carl, dora = "anna", "bob", "carl", "dora"
    for name in (anna, bob, carl, dora):
        keep(built, name)
    store.export(carl, tmp_path / "carl.zip")
    store.remove(carl)
    labelled = [Utterance(write(tmp_path / "hum.wav", say("hum")), "hum", None)]
    return {
        "add_take": lambda: store.add_take(anna, "hum", say("hum"), 8000),
        "remove_take": lambda: store.remove_take(anna, store.takes(anna)[0].path),
        "keep": lambda: store.keep(anna, labelled),
        "save": lambda: store.save(anna, profile_of(built, "anew")),
        "forget_takes": lambda: store.forget_takes(anna, ["fall/1.wav"]),
        "forget_audio": lambda: store.forget_audio(anna),
        "rename": lambda: store.rename(bob, "berta"),
        "remove": lambda: store.remove(dora),
        "import_": lambda: store.import_(tmp_path / "carl.zip"),
    }


CHANGES = ["add_take", "remove_take", "keep", "save", "forget_takes", "forget_audio", "rename", "remove", "import_"]


@pytest.mark.parametrize("change", CHANGES)
def test_who_comes_second_waits(all_that_changes, held, change, monkeypatch):
    monkeypatch.setattr(store, "NOTICE", store.PATIENCE)  # a busy computer is no reason to warn here
    before, finished = everything(store.root()), threading.Event()

    def act() -> None:
        all_that_changes[change]()
        finished.set()

    second = threading.Thread(target=act)
    second.start()
    assert not finished.wait(0.3)
    assert everything(store.root()) == before
    held.stdin.close()
    assert finished.wait(30)
    second.join()
    assert everything(store.root()) != before


def test_who_waits_is_told_so(held, monkeypatch):
    monkeypatch.setattr(store, "NOTICE", 0.01)
    monkeypatch.setattr(store, "PATIENCE", 0.2)
    with pytest.warns(RecognizerWarning, match="another program is changing the speakers; waiting for it"):
        refused(store.add_take, "anna", "hum", say("hum"), 8000, parts=("for 0 s",))
    held.stdin.close()


def test_who_waits_too_long_is_told_so(held, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE", 0.2)
    with pytest.warns(RecognizerWarning, match="waiting"):
        refused(store.add_take, "anna", "hum", say("hum"), 8000, parts=("the speakers", "try again when it is done"))
    assert store.takes("anna") == []
    held.stdin.close()


def test_the_one_at_it_may_go_on(built):
    with store.locked(), store.locked():
        store.add_take("anna", "hum", say("hum"), 8000)
    assert len(store.takes("anna")) == 1


def test_of_a_speaker_who_is_removed_no_file_tells_the_name(built):
    keep(built, "anna")
    store.add_take("anna", "hum", say("hum"), 8000)
    store.remove("anna")
    assert store.names() == []
    assert [path.name for path in store.root().iterdir()] == [store.LOCK]
    assert (store.root() / store.LOCK).read_bytes() == b""


def changed_meanwhile(change: Callable[[], object]) -> Callable[..., object]:
    """Fits as `enroll` does, while somebody else changes something."""

    def fit(*arguments: object, **options: object) -> object:
        change()
        return enroll(*arguments, **options)

    return fit


@pytest.mark.parametrize(
    "change",
    [
        lambda: store.remove("anna"),
        lambda: store.rename("anna", "berta"),
        lambda: store.forget_takes("anna", ["fall/1.wav"]),
        lambda: store.forget_audio("anna"),
    ],
    ids=["remove", "rename", "forget_takes", "forget_audio"],
)
@pytest.mark.parametrize("forget_audio", [False, True])
def test_a_profile_is_not_kept_when_its_takes_have_changed(built, monkeypatch, change, forget_audio):
    """Else somebody who was removed would be there again, without takes; or takes be deleted that nobody learned."""
    for word in ("rise", "fall"):
        store.add_take("anna", word, say(word), 8000)
    monkeypatch.setattr("recognizer.speakers.enrolling.enroll", changed_meanwhile(change))

    def fit() -> None:
        make_profile("anna", built, "tones", Method("map"), forget_audio=forget_audio)

    refused(fit, parts=("another program changed the takes of 'anna'", "`recognizer speakers list`", "enroll anna"))
    after = everything(store.root())
    assert not [name for name in after if name.endswith(store.PROFILE)]


# A folder that cannot be read


@pytest.fixture
def close(monkeypatch) -> Callable[[Path], None]:
    """Closes a folder as `chmod 000` does to all but root, who runs the tests in places."""
    closed = []

    def unless_closed(function: Callable) -> Callable:
        def call(path, *arguments, **options):
            if isinstance(path, str | Path) and any(
                folder in Path(path).parents or (function is scan and folder == Path(path)) for folder in closed
            ):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return function(path, *arguments, **options)

        return call

    scan = os.scandir
    for module, name in ((os, "scandir"), (os, "stat"), (builtins, "open")):
        monkeypatch.setattr(module, name, unless_closed(getattr(module, name)))
    return closed.append


CLOSED = ("cannot be read (Permission denied)", "change its mode", "set RECOGNIZER_HOME")


def test_a_closed_folder_of_all_speakers_is_told(built, close):
    keep(built, "anna")
    close(store.root().parent)
    for act in (store.existing, store.has_profile, store.takes, store.load, store.remove):
        refused(act, "anna", parts=(store.root(), *CLOSED))
    refused(store.names, parts=(store.root(), *CLOSED))


def test_a_closed_folder_of_a_speaker_is_told_and_the_others_are_as_before(built, close, tmp_path):
    for name in ("anna", "bob"):
        keep(built, name)
    close(store.root() / "anna")
    for act in (store.has_profile, store.takes, store.load, store.voice, lambda name: store.export(name, tmp_path)):
        refused(act, "anna", parts=(store.root() / "anna", *CLOSED))
    assert store.names() == ["anna", "bob"]
    assert store.load("bob").record == {"why": "bob"}


def test_takes_that_cannot_be_read_are_not_taken_for_none(built, close):
    keep(built, "anna")
    close(store.root() / "anna" / "takes" / "rise")
    refused(store.takes, "anna", parts=(store.root() / "anna" / "takes" / "rise", *CLOSED))


def test_where_the_lock_cannot_be_written_another_home_is_offered(built, monkeypatch):
    keep(built, "anna")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    refused(store.remove, "anna", parts=(store.root() / store.LOCK, "Permission denied", "set RECOGNIZER_HOME"))


def test_without_a_home_nothing_is_kept_in_a_folder_named_tilde(monkeypatch, tmp_path):
    """As in a container, for a user of whom the system knows no home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECOGNIZER_HOME")
    monkeypatch.setattr("os.path.expanduser", str)  # which leaves the tilde, as it does there
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert store.names() == []
    refused(store.add_take, "anna", "hum", say("hum"), 8000, parts=("no home folder", "set RECOGNIZER_HOME"))
    assert list(tmp_path.iterdir()) == []


def test_silence_travels_too(tmp_path):
    """An archive of it must not look like a bomb."""
    for _ in range(3):
        store.add_take("anna", "hum", np.zeros(9_000_000), 8000)
    store.export("anna", tmp_path / "anna.zip")
    store.remove("anna")
    assert store.import_(tmp_path / "anna.zip") == ["anna"]
    assert len(store.takes("anna")) == 3


def test_a_take_with_a_number_that_nobody_counts_to_is_left_alone():
    path = store.add_take("anna", "hum", say("hum"), 8000)
    path.rename(path.with_name("9" * 200 + ".wav"))
    assert store.add_take("anna", "hum", say("hum"), 8000).name == "1.wav"


def test_a_speaker_that_is_a_link_is_removed_and_what_it_links_to_stays(tmp_path):
    path = store.add_take("anna", "hum", say("hum"), 8000)
    (tmp_path / "elsewhere").mkdir()
    os.rename(store.root() / "anna", tmp_path / "elsewhere" / "anna")
    (store.root() / "anna").symlink_to(tmp_path / "elsewhere" / "anna")
    assert store.remove("anna") == ["anna"]
    assert store.names() == []
    assert (tmp_path / "elsewhere" / "anna" / path.relative_to(store.root() / "anna")).exists()


@pytest.mark.parametrize(
    ("limit", "told"), [({"MOST_MEMBERS": 2}, "has 3 files in it"), ({"LARGEST": 1 << 10}, "holds more than 0 MB")]
)
def test_what_could_not_be_imported_is_not_exported(tmp_path, monkeypatch, limit, told):
    for _ in range(3):
        store.add_take("anna", "hum", say("hum"), 8000)
    for name, value in limit.items():
        monkeypatch.setattr(store, name, value)
    with pytest.raises(ProfileError, match=f"'anna' {told}.* could not be imported; .* forget takes"):
        store.export("anna", tmp_path / "anna.zip")
    assert list(tmp_path.glob("*.zip")) == list(tmp_path.glob(".*.zip")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_folder_that_no_word_has_the_name_of_is_told_when_it_is_exported(tmp_path):
    path = store.add_take("anna", "hum", say("hum"), 8000)
    path.parent.rename(path.parent.with_name("a:b"))
    with pytest.raises(NamingError, match="word 'a:b' has a ':'"):
        store.export("anna", tmp_path / "anna.zip")
    assert not (tmp_path / "anna.zip").exists()


# A take that is taken back


def test_a_take_is_removed_as_if_it_had_never_been(home):
    samples = say("hum")
    paths = [store.add_take("eve", "hum", samples, 8000) for _ in range(2)]
    store.remove_take("eve", paths[1])
    assert [take.path for take in store.takes("eve")] == paths[:1]
    assert store.add_take("eve", "hum", samples, 8000) == paths[1], "its number is free again"
    for path in paths:
        store.remove_take("eve", path)
    assert store.names() == []
    store.remove_take("eve", paths[0])  # gone already
    assert store.names() == []


def test_with_a_profile_the_last_take_goes_alone(home, enroll):
    enroll("eve")
    for take in store.takes("eve"):
        store.remove_take("eve", take.path)
    assert (store.names(), store.takes("eve"), store.has_profile("eve")) == (["eve"], [], True)


def test_nothing_but_takes_of_that_speaker_is_removed(home, enroll, tmp_path):
    enroll("eve")
    enroll("anna")
    other = store.takes("anna")[0].path
    mine = write(tmp_path / "mine.wav", say("hum"))
    for path in (other, mine, store.folder("eve") / "profile.npz"):
        store.remove_take("eve", path)
        assert path.exists()
