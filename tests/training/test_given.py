"""Recordings that a program holds are learned from as files are, and named as the program knows them."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest
import soundfile
from synthetic import RATE, say, write

from recognizer.corpus import find
from recognizer.errors import AudioError, CorpusError, RecognizerWarning, TrainingError
from recognizer.training.given import front_end_at, labelled


def read(recordings, sample_rate=RATE) -> list[tuple[str, np.ndarray, int]]:
    """Word, samples and rate of each recording, read while it is there."""
    with labelled(recordings, sample_rate) as (utterances, _):
        return [(u.word, *soundfile.read(u.path, dtype="float32")) for u in utterances]


def test_folders_and_manifests_are_those_of_a_corpus(recordings):
    for given in (recordings, str(recordings), [recordings]):
        with labelled(given, None) as (utterances, named):
            assert utterances == find(recordings)
            assert named(f"{utterances[0].path}: bad") == f"{utterances[0].path}: bad"


@pytest.mark.parametrize("rate", [8000, 44100])
def test_arrays_are_written_to_the_last_bit_in_the_order_of_words(rate):
    loud = 1.5 * np.random.default_rng(0).standard_normal(1000)
    steps = np.arange(-500, 500, dtype=np.int16)
    found = read({"b": [loud], "a, \"é\" / 'c'": [steps, steps[::-1]]}, rate)
    assert [(word, own) for word, _, own in found] == [("a, \"é\" / 'c'", rate)] * 2 + [("b", rate)]
    np.testing.assert_array_equal(found[0][1], steps / np.float32(32768))
    np.testing.assert_array_equal(found[1][1], steps[::-1] / np.float32(32768))
    np.testing.assert_array_equal(found[2][1], loud.astype(np.float32))
    with pytest.raises(CorpusError, match="the word 'ä' has no recordings"):
        read({"b": [loud], "ä": []}, rate)


def test_nothing_is_left_of_them_and_nobody_else_reads_them():
    with pytest.raises(RuntimeError), labelled({"yes": [say("hum")]}, RATE) as (utterances, _):  # noqa: PT012
        place = utterances[0].path.parent
        if os.name == "posix":
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
        raise RuntimeError
    assert not place.exists()


def test_messages_name_them_as_the_program_does(tmp_path):
    with labelled({"no": [say("hum")], "yes": [say("hum"), say("rise")]}, RATE) as (utterances, named):
        first, second, third = (u.path for u in utterances)
        assert named(f"{first}: bad; {third}: worse") == "no[0]: bad; yes[1]: worse"
        assert named(f"{second} and {tmp_path}") == f"yes[0] and {tmp_path}"
    with (
        pytest.raises(TrainingError, match=r"^no\[0\]: bad$"),
        labelled({"no": [say("hum")]}, RATE) as (utterances, _),
    ):
        raise TrainingError(f"{utterances[0].path}: bad")


@pytest.mark.parametrize(
    ("recordings", "text"),
    [
        ({"": [say("hum")]}, "[0]: empty word; name what is said"),
        ({"hum": [say("hum")], "\x1b[2J": [say("hum")]}, r"control character in '\x1b[2J'; rename it"),
        ({"Yes": [say("hum")], "yes": [say("hum")]}, "words 'Yes' (Yes[0]) and 'yes' (yes[0]) differ only by case"),
        ({"a": [], "b": []}, "no recordings are given; give some of each word, as in {'yes': [samples, ...]}"),
        ({}, "no recordings are given"),
    ],
)
def test_words_that_are_none(recordings, text):
    with pytest.raises(CorpusError) as caught, labelled(recordings, RATE):
        pass
    assert text in str(caught.value)
    assert "tmp" not in str(caught.value)


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        (np.array([0.0, np.nan]), "yes[1]: a sample is nan"),
        (np.zeros(0), "yes[1]: holds no samples"),
        (np.zeros((3, 3, 3)), "yes[1]: samples have shape (3, 3, 3)"),
        (np.zeros(9, np.int64), "yes[1]: samples have type int64"),
    ],
)
def test_arrays_that_are_no_sound(samples, text):
    with pytest.raises(AudioError) as caught, labelled({"yes": [say("hum"), samples]}, RATE):
        pass
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("recordings", "rate", "text"),
    [
        ({"yes": [say("hum")]}, None, "samples need their sample_rate in Hz"),
        ({"yes": say("hum")}, RATE, "the word 'yes' has an array; give a list of arrays"),
        ({"yes": ["a.wav"]}, RATE, "the word 'yes' has 'a.wav'; give arrays, or files by folder or manifest"),
        ({7: [say("hum")]}, RATE, "a word is 7; words are of type str"),
        ("corpus", RATE, "files know their own"),
    ],
)
def test_calls_that_make_no_sense(recordings, rate, text):
    with pytest.raises(TypeError) as caught, labelled(recordings, rate):
        pass
    assert text in str(caught.value)


def test_a_single_channel_is_told_of():
    noise = 0.3 * np.random.default_rng(0).standard_normal(len(say("hum")))
    stereo = np.stack([noise, say("hum")], axis=1)
    with pytest.warns(RecognizerWarning, match=r"channel 2 \(right\) of yes\[0\]$"):
        [(_, samples, _)] = read({"yes": [stereo]})
    np.testing.assert_array_equal(samples, stereo[:, 1].astype(np.float32))


def test_a_file_that_is_given_in_its_own_rate_is_a_folder_with_it(tmp_path):
    """The two ways in give the same samples."""
    write(tmp_path / "yes" / "a.wav", say("hum", rate=16000), 16000, "FLOAT")
    assert [(word, rate) for word, _, rate in read(tmp_path, None)] == [("yes", 16000)]
    np.testing.assert_array_equal(
        read(tmp_path, None)[0][1], read({"yes": [say("hum", rate=16000)]}, 16000)[0][1], strict=True
    )


@pytest.mark.parametrize("rate", [0, 3999, 48001, -8000, float("nan")])
def test_a_model_hears_at_rates_of_speech(rate):
    with pytest.raises(TrainingError, match=r"model_rate is .* Hz; it must be from 4000 to 48000"):
        front_end_at(rate)
    assert front_end_at(8000).sample_rate == 8000
