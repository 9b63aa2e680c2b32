"""Files and folders that are written whole or not at all, and whose rights are known at any moment."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recognizer.files import writing
from recognizer.files.writing import make_private_folder, replacing, replacing_folder, sweep, try_out

LEFT = ".0123456789abcdef"  # as a killed program leaves it
on_unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
with_locks = pytest.mark.skipif(writing.fcntl is None, reason="nothing can be locked here")


@pytest.fixture(params=[0, 0o022, 0o077])
def umask(request) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@on_unix
def test_what_is_private_may_never_be_read_by_others(tmp_path, umask):
    for private in (True, False):
        wanted = 0o600 if private else 0o666 & ~umask
        with replacing(tmp_path / "file", private=private) as temporary:
            assert mode(temporary) == wanted, "before anything is in it"
            with open(temporary, "wb") as file:
                file.write(b"all")
        assert mode(tmp_path / "file") == wanted


@on_unix
def test_folders_that_are_made_are_their_owners_and_those_there_stay(tmp_path, umask):
    (tmp_path / "there").mkdir()
    before = mode(tmp_path / "there")
    make_private_folder(tmp_path / "there" / "new" / "inside")
    make_private_folder(tmp_path / "there")
    assert mode(tmp_path / "there") == before
    assert mode(tmp_path / "there" / "new") == mode(tmp_path / "there" / "new" / "inside") == 0o700


def test_a_folder_above_may_be_made_by_another_program_meanwhile(tmp_path, monkeypatch):
    mkdir = Path.mkdir

    def beside_another(folder: Path, *arguments, **named) -> None:
        try:
            mkdir(folder, *arguments, **named)
        except FileNotFoundError:
            mkdir(folder.parent, parents=True)
            raise

    monkeypatch.setattr(Path, "mkdir", beside_another)
    make_private_folder(tmp_path / "new" / "inside")
    assert (tmp_path / "new" / "inside").is_dir()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no folder in which nothing can be made")
def test_where_no_folder_can_be_made_is_said():
    with pytest.raises(FileNotFoundError, match="/proc/none"):
        make_private_folder(Path("/proc/none/inside"))


@on_unix
def test_a_folder_is_its_owners_but_for_one_that_was_there(tmp_path, umask):
    (tmp_path / "mine").mkdir(mode=0o750)
    for name in ("new", "mine"):
        wanted = mode(tmp_path / name) if name == "mine" else 0o700
        with replacing_folder(tmp_path / name) as place:
            assert mode(place) == 0o700
            (place / "file").touch()
        assert mode(tmp_path / name) == wanted


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_must_be_free_goes_to_one(tmp_path, monkeypatch, links):
    """Also where files have one name only, as on a memory stick."""
    if not links:

        def refuse(*_) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    with replacing(tmp_path / "file", new=True) as temporary:
        temporary.write_text("first")
    with pytest.raises(FileExistsError), replacing(tmp_path / "file", new=True) as temporary:
        temporary.write_text("second")
    assert (tmp_path / "file").read_text() == "first"
    assert os.listdir(tmp_path) == ["file"]


# What a killed program leaves


@with_locks
@pytest.mark.parametrize("suffix", [".wav", ""])
def test_what_is_left_of_a_kind_is_deleted_by_who_writes_that_kind(tmp_path, suffix):
    for name in (LEFT, f"{LEFT}.wav", f"{LEFT}.npz", ".0123.wav", "0123456789abcdef.wav", f"{LEFT}.wav.old"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".fedcba9876543210").mkdir()
    (tmp_path / ".fedcba9876543210" / "1.wav").write_text("half")
    before = set(os.listdir(tmp_path))
    with replacing(tmp_path / f"file{suffix}"):
        pass
    gone = {f"{LEFT}.wav"} if suffix else {LEFT, ".fedcba9876543210"}
    assert set(os.listdir(tmp_path)) == before - gone | {f"file{suffix}"}
    sweep(tmp_path)
    assert set(os.listdir(tmp_path)) == {".0123.wav", "0123456789abcdef.wav", f"{LEFT}.wav.old", f"file{suffix}"}


@with_locks
def test_what_is_being_written_is_nobodys_to_delete(tmp_path):
    with replacing(tmp_path / "file"), replacing_folder(tmp_path / "folder") as place:
        (place / "inside").touch()
        before = sorted(tmp_path.rglob("*"))
        sweep(tmp_path)
        assert sorted(tmp_path.rglob("*")) == before
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_what_is_deleted_before_it_is_held_is_made_anew(tmp_path, monkeypatch):
    """Another program may look just between the making and the holding."""
    hold, deleted = writing._hold, []

    def delete_first(path: Path) -> int | None:
        if len(deleted) < 2:
            deleted.append(path)
            path.unlink()
            if len(deleted) == 2:
                raise BlockingIOError
            raise FileNotFoundError
        return hold(path)

    monkeypatch.setattr(writing, "_hold", delete_first)
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("all")
    assert temporary not in deleted
    assert (tmp_path / "file").read_text() == "all"
    assert os.listdir(tmp_path) == ["file"]


def test_where_nothing_can_be_locked_a_day_must_have_passed(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "fcntl", None)
    old, new = (tmp_path / f".{digit * 16}.wav" for digit in "12")
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    with replacing(tmp_path / "a.wav", new=True):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {new.name, "a.wav"}


def test_trying_out_leaves_nothing(tmp_path, monkeypatch):
    try_out(tmp_path)
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        try_out(tmp_path / "gone")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        try_out(tmp_path)
    assert os.listdir(tmp_path) == []


def full(*_) -> None:
    raise OSError(28, "No space left on device")


# Folders


def test_a_folder_takes_its_place_when_all_is_written(tmp_path):
    for made in (False, True):
        path = tmp_path / f"new {made}"
        if made:
            path.mkdir()
        with replacing_folder(path) as place:
            (place / "inside").mkdir()
            (place / "inside" / "file").write_text("all")
            assert not list(path.glob("*"))
        assert (path / "inside" / "file").read_text() == "all"
    assert len(list(tmp_path.iterdir())) == 2


def write(path: Path, text: str, error: BaseException | None = None) -> None:
    """Write a folder, or fail at it."""
    with replacing_folder(path) as place:
        if text:
            (place / "file").write_text(text)
        if error:
            raise error


def test_nothing_is_left_of_what_failed_or_was_not_written(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "new", "half", KeyboardInterrupt())
    write(tmp_path / "new", "")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_has_something_in_it_stays(tmp_path):
    there = tmp_path / "there"
    write(there, "mine")
    with pytest.raises(OSError, match="not empty"):
        write(there, "other")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["there", "there/file"]
    assert (there / "file").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_no_file_takes_the_place_of_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="a device or a pipe"), replacing(tmp_path / "pipe"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
