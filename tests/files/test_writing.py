"""Folders that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from recognizer.files.writing import replacing_folder


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
