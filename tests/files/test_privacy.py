"""What is open to others is closed, and that is told once."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from recognizer.errors import RecognizerWarning
from recognizer.files import privacy

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


@pytest.fixture
def kept(tmp_path) -> Path:
    """A folder of which others may read all."""
    for name, mode in (("kept", 0o755), ("kept/word", 0o777)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    for name, mode in (("kept/a", 0o644), ("kept/word/b", 0o666), ("kept/word/c", 0o400), ("outside", 0o644)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "kept" / "link").symlink_to(tmp_path / "outside")
    return tmp_path / "kept"


CLOSED = {"kept": 0o700, "word": 0o700, "a": 0o600, "b": 0o600, "c": 0o400, "link": 0o644}


def test_all_that_is_open_is_closed_and_told_in_one_line_once(kept):
    with pytest.warns(RecognizerWarning) as told:
        privacy.close(kept)
    assert [str(warning.message) for warning in told] == [
        f"{kept} was open to other users of this computer; now only its owner may read what is in it"
    ]
    assert modes(kept) == CLOSED
    privacy.close(kept)  # and says nothing


def test_what_nobody_else_could_get_at_is_no_news(kept):
    kept.chmod(0o700)
    privacy.close(kept)
    assert modes(kept) == CLOSED


def test_a_folder_behind_a_link_is_closed(kept, tmp_path):
    (tmp_path / "elsewhere").symlink_to(kept)
    with pytest.warns(RecognizerWarning, match="elsewhere was open"):
        privacy.close(tmp_path / "elsewhere")
    assert modes(kept) == CLOSED


def test_what_is_somebody_elses_stays_and_stops_nothing(kept, monkeypatch):
    def refuse(*_, **__) -> None:
        raise PermissionError(1, "Operation not permitted")

    before = modes(kept)
    monkeypatch.setattr(os, "chmod", refuse)
    with pytest.warns(RecognizerWarning, match="kept is open to other users .* cannot be closed"):
        privacy.close(kept)
    assert modes(kept) == before
    monkeypatch.setattr(os, "chmod", lambda *_, **__: None)  # as on a disk that has no modes
    privacy.close(kept)  # which is told once
    assert modes(kept) == before
    privacy.close(kept / "gone")


def test_a_file_that_is_made_is_its_owners(tmp_path):
    before = os.umask(0)
    try:
        with open(tmp_path / "file", "a", encoding="utf-8", opener=privacy.opener):
            pass
    finally:
        os.umask(before)
    assert modes(tmp_path)["file"] == 0o600
