"""Files and folders are moved together: whatever fails, all are where they were, or where they go."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from synthetic import RATE, say

from recognizer.errors import RecognizerWarning
from recognizer.speakers import moving, store


def everything(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture
def root(tmp_path) -> Path:
    """A folder of some that can be moved."""
    for name in ("a", "b", "c"):
        (tmp_path / "root" / name).mkdir(parents=True)
        (tmp_path / "root" / name / "file").write_text(name)
    return tmp_path / "root"


@pytest.fixture
def written_down(root) -> Path:
    """As a program leaves it that was killed when the first was moved."""
    (root / moving.JOURNAL).write_text(json.dumps([["a", "x"], ["b", "y"]]))
    os.rename(root / "a", root / "x")
    return root


DONE = {"c/file": "c", "x/file": "a", "y/file": "b"}
UNDONE = {"a/file": "a", "b/file": "b", "c/file": "c"}


def refuse(*_, **__) -> None:
    raise PermissionError(13, "Permission denied")


def test_all_are_moved_and_nothing_else_is_left(root):
    told = []
    moving.move(root, {root / "a": root / "x", root / "b": root / "y"}, told.append)
    assert everything(root) == DONE
    assert told == [{"a": "x", "b": "y"}]
    assert not moving.is_begun(root)


def test_what_was_begun_is_finished(written_down):
    assert moving.is_begun(written_down)
    told = []
    moving.finish(written_down, told.append)
    assert everything(written_down) == DONE
    assert told == [{"a": "x", "b": "y"}]
    moving.finish(written_down, told.append)
    assert len(told) == 1


def test_what_cannot_be_finished_is_undone(written_down, monkeypatch):
    real = os.rename
    monkeypatch.setattr(os, "rename", lambda old, new: refuse() if Path(old).name == "b" else real(old, new))
    with pytest.raises(PermissionError):
        moving.finish(written_down, print)
    assert everything(written_down) == UNDONE
    assert not moving.is_begun(written_down)


def test_what_can_neither_be_finished_nor_undone_stays_written_down(written_down, monkeypatch):
    before = everything(written_down)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        with pytest.raises(PermissionError):
            moving.finish(written_down, print)
    assert everything(written_down) == before
    moving.finish(written_down, lambda moved: None)
    assert everything(written_down) == DONE


def test_what_cannot_be_deleted_is_seen_again(root, monkeypatch):
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with moving.aside(root) as hidden, pytest.raises(PermissionError):
        moving.move(root, {root / "a": hidden / "0", root / "b": hidden / "1"})
    assert everything(root) == UNDONE


def test_a_foreign_file_in_the_way_stays(root):
    (root / "y").write_text("mine")
    before = everything(root)
    with pytest.raises(NotADirectoryError):
        moving.move(root, {root / "a": root / "x", root / "b": root / "y"})
    assert everything(root) == before


def interrupted_at_second(old: Path, new: Path, done=[], rename=os.rename) -> None:  # noqa: B006 - counts the calls
    done.append(old)
    if len(done) == 2:
        raise KeyboardInterrupt
    rename(old, new)


def take_in(root: Path) -> None:
    """Move what comes from aside, and be interrupted half-way."""
    with moving.aside(root) as hidden, pytest.MonkeyPatch.context() as patch:
        for name in ("a", "b"):
            os.rename(root / name, hidden / name)
        patch.setattr(os, "rename", interrupted_at_second)
        moving.move(root, {hidden / "a": root / "x", hidden / "b": root / "y"})


def test_an_interruption_is_as_good_as_a_kill(root):
    """What is aside stays there, for it is still to be moved."""
    with pytest.raises(KeyboardInterrupt):
        take_in(root)
    moving.finish(root, lambda moved: None)
    moving.tidy(root)
    assert everything(root) == DONE
    assert sorted(os.listdir(root)) == ["c", "x", "y"]


@pytest.mark.parametrize("text", ["", "[[", "\0"])
def test_a_journal_that_came_to_nothing_on_the_disk_moves_nothing(root, text):
    (root / moving.JOURNAL).write_text(text)
    moving.finish(root, lambda moved: None)
    assert everything(root) == UNDONE
    assert not moving.is_begun(root)


def test_what_a_killed_program_left_and_cannot_be_deleted_is_told_once(root, monkeypatch):
    (root / f"{moving.HIDDEN}-1").mkdir()
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.warns(RecognizerWarning, match=r"cannot be deleted \(Permission denied\); delete it yourself"):
        moving.tidy(root)
    moving.tidy(root)


# In the store


@pytest.fixture
def half_renamed() -> Path:
    """Speakers as a program leaves them that was killed while it renamed anna."""
    for name in ("anna", "anna@cold", "bob"):
        store.add_take(name, "hum", say("hum"), RATE)
    (store.root() / moving.JOURNAL).write_text(json.dumps([["anna", "eva"], ["anna@cold", "eva@cold"]]))
    os.rename(store.root() / "anna", store.root() / "eva")
    return store.root()


def test_a_store_that_may_only_be_read_is_read_as_it_is(half_renamed, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert store.names() == ["anna@cold", "bob", "eva"]
    monkeypatch.undo()


def test_whoever_reads_first_sees_it_done(half_renamed):
    assert store.names() == ["bob", "eva", "eva@cold"]
    assert not moving.is_begun(half_renamed)


def test_speakers_are_removed_where_there_is_no_room_to_write_that_down(monkeypatch):
    for name in ("anna", "anna@cold", "bob"):
        store.add_take(name, "hum", say("hum"), RATE)

    def full(*_, **__) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(moving, "make_private_folder", full)
    assert store.remove("anna") == ["anna", "anna@cold"]
    assert store.names() == ["bob"]


@pytest.mark.parametrize("text", ["7", "[7]", '[["a"]]', '[["a", 7]]', '[["a", "../x"]]', '[["/etc", "x"]]', "{}"])
def test_what_is_written_down_wrongly_moves_nothing(root, text):
    (root / moving.JOURNAL).write_text(text)
    moving.finish(root, lambda moved: None)
    assert everything(root) == UNDONE
