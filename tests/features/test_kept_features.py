"""Features that are kept in memory or in a file: nobody can tell which."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.features.store import Store, Stored


def some(count: int, seed: int = 0, dtype: type = np.float32) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(random.integers(0, 30), 3)).astype(dtype) for _ in range(count)]


@given(st.integers(0, 2000), st.sampled_from([np.float32, np.float64]), st.data())
def test_what_is_kept_is_what_was_given(room, dtype, data):
    arrays, store = some(12, dtype=dtype), Store(room)
    kept = [store.keep(array) for array in arrays]
    for array, frames in zip(arrays, kept):
        part = slice(*(data.draw(st.none() | st.integers(-40, 40)) for _ in range(2)), data.draw(st.integers(1, 5)))
        assert (len(frames), frames.shape, frames.dtype) == (len(array), array.shape, array.dtype)
        np.testing.assert_array_equal(np.asarray(frames), array)
        np.testing.assert_array_equal(frames[part], array[part])
    np.testing.assert_array_equal(np.concatenate(list(map(np.asarray, kept))), np.concatenate(arrays))


def test_memory_holds_what_has_room_and_no_more():
    arrays = [np.zeros((10, 3), np.float32)] * 10
    for room, inside in ((None, 10), (0, 0), (119, 0), (120, 1), (500, 4)):
        store = Store(room)
        assert [isinstance(store.keep(array), Stored) for array in arrays] == [False] * inside + [True] * (10 - inside)


def test_threads_may_read_at_the_same_time():
    arrays, store = some(200), Store(0)
    kept = [store.keep(array) for array in arrays]
    with ThreadPoolExecutor(8) as pool:
        for array, read in zip(arrays * 5, pool.map(np.asarray, kept * 5)):
            np.testing.assert_array_equal(read, array)


def test_nothing_stays_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = Store(0)
    store.keep(np.ones((3, 3), np.float32))
    file = store._spool._file
    del store
    assert file.closed
    assert list(tmp_path.iterdir()) == []


def test_frames_in_a_file_are_only_had_as_a_copy():
    store = Store(0)
    kept = store.keep(np.ones((3, 3), np.float32))
    with pytest.raises(ValueError, match="without a copy"):
        np.array(kept, copy=False)
    assert np.asarray(kept, np.float64).dtype == np.float64
