"""Archives of arrays with a JSON header: what is written is read, and what is wrong with a file is told apart."""

from __future__ import annotations

import io
import json
import os

import numpy as np
import pytest

from recognizer.files import archive
from recognizer.files.archive import DamagedError, ForeignError

HEADER = {"format": "shelf", "version": 3, "words": ["né", "北京"]}
ARRAYS = {"means": np.arange(6.0).reshape(2, 3), "counts": np.array([1, 2])}


@pytest.fixture
def path(tmp_path):
    archive.write(tmp_path / "a.npz", HEADER, ARRAYS)
    return tmp_path / "a.npz"


def test_what_is_written_is_read(path):
    header, arrays = archive.read(path, "shelf")
    assert header == HEADER
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_any_npz_of_that_form_is_read(tmp_path):
    """What is read depends on the file alone, not on what wrote it."""
    np.savez(tmp_path / "plain.npz", header=np.array(json.dumps(HEADER)), **ARRAYS)
    assert archive.read(tmp_path / "plain.npz", "shelf")[0] == HEADER


def test_a_file_of_another_format_is_foreign(path, tmp_path):
    with pytest.raises(ForeignError):
        archive.read(path, "drawer")
    archive.write(tmp_path / "list.npz", ["shelf"], {})
    with pytest.raises(ForeignError):
        archive.read(tmp_path / "list.npz", "shelf")


def test_every_truncation_is_damage(path):
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(DamagedError):
            archive.read(path, "shelf")


def test_nothing_that_could_be_run_is_unpacked(tmp_path):
    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it ran"),)

    packed = io.BytesIO()
    np.save(packed, np.array([Runs()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "evil.npz", header=np.array(json.dumps(HEADER)), evil=np.array([Runs()], dtype=object))
    for content in (packed.getvalue(), (tmp_path / "evil.npz").read_bytes()):
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(DamagedError):
            archive.read(tmp_path / "a.npz", "shelf")
    assert not (tmp_path / "it ran").exists()


def test_without_a_header_it_is_damaged(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS)
    with pytest.raises(DamagedError):
        archive.read(tmp_path / "a.npz", "shelf")


def test_a_missing_file_and_a_folder_are_what_the_system_says(tmp_path):
    with pytest.raises(FileNotFoundError):
        archive.read(tmp_path / "a.npz", "shelf")
    if os.name != "nt":
        with pytest.raises(IsADirectoryError):
            archive.read(tmp_path, "shelf")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def full(*args) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        archive.write(path, HEADER | {"version": 4}, ARRAYS)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
