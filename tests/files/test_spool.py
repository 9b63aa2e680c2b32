"""Temporary files: what was kept is there, for other processes too, and nothing stays."""

from __future__ import annotations

import gc
import io
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.files import spool
from recognizer.files.spool import ALIGNED, Spool, SpoolError

ELSEWHERE = "import pickle, sys; item = pickle.loads(sys.stdin.buffer.read()).read(); print(item.sum(), item[0])"


@pytest.fixture(params=["with the open files of processes to be seen", "without"])
def places(request, tmp_path, monkeypatch):
    """The folder of temporary files, on both kinds of systems."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if request.param == "without":
        monkeypatch.setattr(spool, "OPEN_FILES", str(tmp_path / "none/{}"))
    yield tmp_path
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def elsewhere(item: object) -> str:
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=pickle.dumps(item), capture_output=True, check=True
    ).stdout.decode()


def test_another_process_reads_what_was_kept(places):
    kept = Spool().keep(np.arange(1000))
    assert elsewhere(kept) == "499500 0\n"
    assert elsewhere(kept) == "499500 0\n"


def test_a_place_that_is_another_file_meanwhile_is_not_taken_for_the_first(places):
    for number in range(12):
        one = Spool()
        assert pickle.loads(pickle.dumps(one.keep(number))).read() == number  # as another process has it
        del one


@given(
    st.lists(st.one_of(st.integers(), st.text(), st.integers(0, 300).map(lambda n: np.arange(float(n)))), max_size=8)
)
def test_what_is_kept_is_what_was_given(items):
    one = Spool()
    for item, kept in [(item, one.keep([item, items])) for item in items]:
        again, everything = kept.read()
        np.testing.assert_equal(again, item)
        np.testing.assert_equal(everything, items)


def test_arrays_begin_where_processors_like_it_and_can_be_written_to():
    one = Spool()
    for _ in range(3):
        letters, numbers = one.keep((np.frombuffer(b"abc", np.uint8), np.arange(5.0))).read()
        assert letters.tobytes() == b"abc"
        assert numbers.ctypes.data % ALIGNED == 0
        numbers += 1


def test_threads_may_write_and_read_at_the_same_time():
    one = Spool()
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda number: one.keep(np.full(1000, number)), range(200)))
        for number, found in enumerate(pool.map(lambda each: each.read(), kept)):
            np.testing.assert_array_equal(found, np.full(1000, number))


class Full(io.RawIOBase):
    def seek(self, *_):
        return 0

    def write(self, _):
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_told_in_one_line(monkeypatch):
    one = Spool()
    monkeypatch.setattr(one, "_file", Full())
    with pytest.raises(SpoolError, match=r"has no room .*No space left on device.*TMPDIR") as caught:
        one.keep(1)
    assert "\n" not in str(caught.value)


def test_what_is_gone_is_told_in_one_line():
    one = Spool()
    kept = one.keep(np.arange(100))
    one._file.truncate(100)
    with pytest.raises(SpoolError, match="bytes of a temporary file are gone"):
        kept.read()


def test_what_was_sent_and_is_closed_is_told_in_one_line():
    sent = pickle.dumps(Spool().keep(1))
    with pytest.raises(
        SpoolError, match=r"(a temporary file is gone|cannot read a temporary file \(.*\)); begin again"
    ):
        pickle.loads(sent).read()


def test_a_place_that_is_another_file_now_is_noticed():
    one = Spool()
    sent = pickle.dumps(one.keep(1))
    one._file.seek(0)
    one._file.write(bytes(16))
    with pytest.raises(SpoolError, match="a temporary file is gone; begin again"):
        pickle.loads(sent).read()


def test_a_folder_for_temporary_files_that_is_not_there_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(SpoolError, match=r"gone: has no room for a temporary file \(No such file or directory\)"):
        Spool()
