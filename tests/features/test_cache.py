"""What was heard once need not be heard again; what was not is never taken for it."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from synthetic import RATE, say, write

from recognizer.corpus import find
from recognizer.errors import AudioError, RecognizerError, RecognizerWarning
from recognizer.features.analysis import Analyser, Analysis
from recognizer.features.cache import NAME, Cache
from recognizer.features.front_end import FrontEnd
from recognizer.sound import audio
from recognizer.sound.perturbation import MILD, NOISE, Perturbation
from recognizer.training.augmentation import KINDS, Augmentation

FRONT_END = FrontEnd.for_rate(RATE)


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def reads(monkeypatch) -> list:
    """The files whose sound is read."""
    found, load = [], audio.load

    def told(path, *more):
        found.append(path)
        return load(path, *more)

    monkeypatch.setattr(audio, "load", told)
    return found


def same(one: Analysis, other: Analysis) -> None:
    assert replace(one, features=()) == replace(other, features=())
    assert len(one.features) == len(other.features)
    for a, b in zip(one.features, other.features):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_what_comes_from_the_cache_is_what_was_heard(recordings, cache, reads):
    utterances = find(recordings)
    paths, copies = [u.path for u in utterances], Augmentation(KINDS, 2).draws(utterances)
    analyser = Analyser(FRONT_END, cache=cache).reading((Perturbation(), *MILD))
    heard = list(replace(analyser, cache=None).analyse_files(paths, copies))
    reads.clear()
    first = list(analyser.analyse_files(paths, copies))
    assert [path for path in reads if path in paths][: len(paths)], "heard"
    reads.clear()
    again = list(pickle.loads(pickle.dumps(analyser)).analyse_files(paths, copies))
    assert reads == []
    for one, two, three in zip(heard, first, again, strict=True):
        same(one, two)
        same(one, three)


def test_another_front_end_other_copies_or_other_sound_are_heard(recordings, cache, reads, tmp_path):
    path = write(tmp_path / "a.wav", say("rise"))
    analyser = Analyser(FRONT_END, cache=cache).reading()
    other = [
        replace(analyser, front_end=replace(FRONT_END, cepstra=12)),
        replace(analyser, endpointer=replace(analyser.endpointer, margin=0.05)),
        analyser.reading(NOISE),
        replace(analyser, finish=True),
    ]
    for each in (analyser, *other):
        [first] = each.analyse_files([path])
        assert reads.pop() == path
        assert not reads
        same(first, next(replace(each, cache=None).analyse_files([path])))
        reads.clear()
        same(first, next(each.analyse_files([path])))
        assert not reads
    write(path, say("fall"))
    same(next(analyser.analyse_files([path])), next(replace(analyser, cache=None).analyse_files([path])))
    assert len(reads) == 2


def test_what_is_wrong_with_a_recording_is_told_each_time(cache, tmp_path, monkeypatch):
    (tmp_path / "no.wav").write_bytes(b"no sound")
    lone = write(tmp_path / "stereo.wav", np.stack([say("rise"), -say("rise")], 1))
    doubtful = write(tmp_path / "doubtful.wav", say("fall"))
    load = audio.load

    def doubting(path, *more):
        if path == doubtful:
            warnings.warn("its header lies", RecognizerWarning, stacklevel=2)
        return load(path, *more)

    monkeypatch.setattr(audio, "load", doubting)
    analyser = Analyser(FRONT_END, cache=cache).reading()
    told = []
    for _ in range(2):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            [wrong, heard, _] = analyser.analyse_files([tmp_path / "no.wav", lone, doubtful])
        assert isinstance(wrong, AudioError)
        told.append((str(wrong), heard.channel, [str(each.message) for each in said]))
    assert told[0] == told[1]
    assert told[0][1:] == (1, ["its header lies"])


def test_a_cache_does_not_grow_without_bound(cache):
    cache.largest = 200_000
    for number in range(300):
        cache = pickle.loads(pickle.dumps(cache))  # as each task of a worker has it
        cache.put({str(number).encode(): ({"n": number}, [np.zeros((100, 13), np.float32)])})
    assert (cache.folder / NAME).stat().st_size < 3 * cache.largest
    assert cache.get(b"0") is None
    assert cache.get(b"299")[0] == {"n": 299}


def test_processes_write_at_the_same_time(cache):
    program = (
        "import sys; from pathlib import Path; import numpy as np; from recognizer.features.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1]))\n"
        "for n in range(100): cache.put({f'{sys.argv[2]}-{n % 60}'.encode(): ({}, [np.full((9, 2), n % 60, 'f4')])})"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, str(cache.folder), who]) for who in ("a", "a", "b")]
    assert [one.wait(120) for one in both] == [0, 0, 0]
    for who in "ab":
        for n in range(60):
            [found] = cache.get(f"{who}-{n}".encode())[1]
            np.testing.assert_array_equal(found, np.full((9, 2), n))


def test_what_is_no_cache_is_named(cache, tmp_path):
    cache.folder.mkdir()
    (cache.folder / NAME).write_bytes(b"something else" * 100)
    with pytest.raises(RecognizerError, match=r"analyses\.sqlite: is no cache .*; delete it, or name another folder"):
        cache.get(b"x")


def test_what_is_damaged_in_a_cache_is_heard_again(cache):
    known = {b"x": ({}, [np.zeros((1, 1), np.float32)])}
    cache.put(known)
    with sqlite3.connect(cache.folder / NAME) as database:
        database.execute("UPDATE analyses SET known = x'00'")
    database.close()
    assert cache.get(b"x") is None
    cache.put(known)
    assert cache.get(b"x")[0] == {}


def test_many_open_a_new_cache_at_once(cache):
    program = "import sys; from pathlib import Path; from recognizer.features.cache import Cache\n"
    program += "Cache(Path(sys.argv[1])).get(b'x')"
    many = [subprocess.Popen([sys.executable, "-c", program, str(cache.folder)]) for _ in range(8)]
    assert [one.wait(120) for one in many] == [0] * 8


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        RecognizerError, match=r"analyses\.sqlite: .*; name another folder for the cache, or leave it out"
    ):
        Cache(tmp_path / "file" / "cache").get(b"x")


def test_a_cache_that_cannot_be_written_is_warned_of_once(cache):
    cache.get(b"x")
    cache._database.close()
    cache._database = sqlite3.connect(f"file:{cache.folder / NAME}?mode=ro", uri=True)
    known = {b"x": ({}, [np.zeros((1, 1), np.float32)])}
    with pytest.warns(RecognizerWarning, match="cannot be written .*; going on without it"):
        cache.put(known)
    cache.put(known)
    assert cache.get(b"x") is None
