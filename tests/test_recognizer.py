"""Words of a made-up language must be heard, whatever form they come in; and nothing where there is none."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import stat
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
from synthetic import RATE, SILENCE, SPEAKERS, WORDS, say, write
from test_html import read

import recognizer
from recognizer import parallel
from recognizer import recognizer as front_door
from recognizer.adaptation.method import Method
from recognizer.errors import (
    AdaptationError,
    AudioError,
    CorpusError,
    ModelError,
    NamingError,
    ProfileError,
    RecognizerWarning,
    TrainingError,
)
from recognizer.features import analysis
from recognizer.recognition.result import Result
from recognizer.recognizer import FileResult, Recognizer, batched
from recognizer.speakers import store
from recognizer.training.augmentation import Augmentation
from recognizer.training.settings import TrainingSettings

SAMPLES = Path(__file__).resolve().parents[1] / "audio_samples"


@pytest.fixture(scope="module")
def tones(built) -> Recognizer:
    return Recognizer(built)


def heard_nothing(result: Result, reason: str) -> bool:
    return result == Result(None, 0.0, False, (), None, None, result.duration, reason)


def sound(result: Result) -> None:
    """Assert what holds for every result with candidates."""
    scores = [candidate.score for candidate in result.nbest]
    confidences = [candidate.confidence for candidate in result.nbest]
    assert np.isfinite(scores).all()
    assert scores == sorted(scores, reverse=True)
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in confidences)
    assert sum(confidences) <= 1 + 1e-9
    assert result.nbest[0].confidence == result.confidence
    assert len({candidate.word for candidate in result.nbest}) == len(result.nbest)
    assert result.accepted == (result.reason is None) == (result.word is not None)
    assert result.word in (result.nbest[0].word, None)
    assert 0 <= result.start < result.end <= result.duration


# Every form of a recording


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("speaker", [*SPEAKERS, "eve"])
def test_words_that_were_never_heard_before(tones, word, speaker):
    for take in (100, 101):
        result = tones.recognize(say(word, speaker, take), RATE)
        sound(result)
        assert result.word == word
        assert {candidate.word for candidate in result.nbest} == set(WORDS)


@pytest.mark.parametrize("word", WORDS)
def test_every_form_of_samples_is_the_same_word(tones, word, tmp_path):
    samples = say(word)
    whole = np.rint(samples * 32768).astype(np.int16)
    file = write(tmp_path / "a.wav", whole)
    result = tones.recognize(file)
    assert result == tones.recognize(str(file)) == tones.recognize(whole, RATE)
    assert tones.recognize(np.stack([whole, whole], axis=1), RATE) == result
    assert tones.recognize(list(samples), RATE) == tones.recognize(samples, RATE)
    forms = [samples, samples.astype(np.float32), whole.astype(np.int32) << 16, (whole >> 8).astype(np.int8)]
    forms += [np.stack([samples, 0 * samples], axis=1), 0.01 * samples, samples + 0.5]
    assert {tones.recognize(form, RATE).word for form in forms} == {word}
    assert result.duration == pytest.approx(len(samples) / RATE)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("rate", [11025, 16000, 44100, 48000, 96000])
def test_higher_rates_are_the_same_word(tones, word, rate, tmp_path):
    samples = say(word, rate=rate)
    result = tones.recognize(samples, rate)
    assert result.word == tones.recognize(write(tmp_path / "a.flac", samples, rate)).word == word
    assert result.duration == pytest.approx(len(samples) / rate, abs=2 / RATE)


def test_samples_are_not_changed(tones):
    samples = say("rise").astype(np.float32)
    before = samples.copy()
    tones.recognize(samples, RATE)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(("before", "after"), [(0, 0), (0.5, 0), (0, 0.5), (1, 1)])
def test_start_and_end_lie_around_the_word(tones, word, before, after):
    noise = np.random.default_rng(0).standard_normal(round((before + after) * RATE)) * 10 ** (-70 / 20)
    cut = round(before * RATE)
    samples = np.concatenate([noise[:cut], say(word), noise[cut:]])
    result = tones.recognize(samples, RATE)
    assert result.start == pytest.approx(before + SILENCE, abs=0.06)
    assert result.end == pytest.approx(len(samples) / RATE - SILENCE - after, abs=0.06)


# Fewer words


@pytest.mark.parametrize("count", range(1, len(WORDS) + 1))
def test_only_the_chosen_words_are_answers(tones, count):
    for said in WORDS:
        samples = say(said)
        free = {candidate.word: candidate.score for candidate in tones.recognize(samples, RATE).nbest}
        for words in combinations(WORDS, count):
            result = tones.recognize(samples, RATE, words=words, threshold=0)
            sound(result)
            assert result.accepted
            assert {candidate.word for candidate in result.nbest} == set(words)
            assert said not in words or result.word == said
            for candidate in result.nbest:  # leaving words out changes nobody's score
                assert candidate.score == pytest.approx(free[candidate.word])
            assert tones.recognize(samples, RATE, words=[*reversed(words), words[0]], threshold=0) == result


def test_a_word_that_the_model_does_not_have(tones):
    for words, named in ((["rise", "Fall", "语音"], "'Fall', '语音'"), ([], "no words to choose from")):
        for call in (
            lambda words=words: tones.recognize(say("rise"), RATE, words=words),
            lambda words=words: list(tones.recognize_files([], words=words)),
        ):
            with pytest.raises(ModelError) as caught:
                call()
            text = str(caught.value)
            assert text.isprintable()
            assert named in text
            assert "fall, hum, peep, rise" in text


# Nothing


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(RATE), "too quiet"),
        (np.full(RATE, 0.5), "too quiet"),
        (np.full(RATE, 1e-9), "too quiet"),
        (np.random.default_rng(0).standard_normal(RATE) * 1e-5, "too quiet"),
        (np.random.default_rng(0).standard_normal(2 * RATE) * 0.1, "too quiet"),
        (np.sin(0.5 * np.arange(2 * RATE)), "too quiet"),
        (np.ones(1), "too short"),
        (np.ones(100), "too short"),
    ],
)
def test_nothing_is_heard_in_nothing(tones, samples, reason):
    result = tones.recognize(samples, RATE)
    assert heard_nothing(result, reason)
    assert result.duration == pytest.approx(len(samples) / RATE)


def test_a_word_shorter_than_its_states_is_too_short(tones):
    samples = say("rise", seconds=0.1)[round(SILENCE * RATE) :][: round(0.05 * RATE)]
    assert heard_nothing(tones.recognize(samples, RATE), "too short")


@pytest.mark.parametrize("seed", range(20))
def test_any_noise_gives_a_sound_answer(tones, seed):
    """Bursts of noise of any length and loudness, hard edges, clicks: no NaN, no warning, no exception."""
    random = np.random.default_rng(seed)
    samples = np.zeros(random.integers(1, RATE))
    for _ in range(random.integers(1, 5)):
        start, length = random.integers(len(samples)), random.integers(1, RATE // 2)
        burst = samples[start : start + length]
        burst += random.standard_normal(len(burst)) * 10 ** random.uniform(-6, 3)
    result = tones.recognize(samples, RATE)
    if result.reason in ("too quiet", "too short"):
        assert heard_nothing(result, result.reason)
    else:
        sound(result)
        assert result.reason in (None, "sounds like no word", "two words too close")


@pytest.mark.parametrize("channel", [1, 2])
def test_the_channel_with_the_speech_is_heard(tones, tmp_path, channel):
    """Of samples and of a file, also where nothing is recognised; of one channel there is none to tell."""
    random = np.random.default_rng(0)
    sound = say("hum")
    noise = 0.3 * random.standard_normal(len(sound))
    samples = np.stack([sound, noise] if channel == 1 else [noise, sound], axis=1)
    alone = tones.recognize(sound, RATE)
    heard = tones.recognize(samples, RATE)
    assert (heard.word, heard.channel) == ("hum", channel)
    assert alone.channel is None
    assert heard == replace(alone, channel=channel)
    file = write(tmp_path / "a.wav", samples, RATE)
    assert tones.recognize(file).channel == channel
    [answer] = tones.recognize_files([file])
    assert answer.result.channel == channel
    silent = tones.recognize(np.zeros((RATE, 2)), RATE)
    assert (silent.reason, silent.channel) == ("too quiet", None)


# Rates under the model's


def test_a_low_rate_warns_once(tones, tmp_path):
    samples = say("hum", rate=4000)
    file = write(tmp_path / "a.wav", samples, 4000)
    for arguments in ((samples, 4000), (file,)):
        with pytest.warns(RecognizerWarning, match=r"4000 Hz, under the model's 8000 Hz: .*; record") as caught:
            result = tones.recognize(*arguments)
        assert len(caught) == 1
        assert caught[0].filename == __file__, "the warning points at the caller"
        assert str(caught[0].message).isprintable()
        assert result.word == "hum"


def test_the_models_rate_and_higher_ones_do_not_warn(tones):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rate in (8000, 16000):
            tones.recognize(say("hum", rate=rate), rate)


# Many files


@pytest.fixture
def files(tmp_path, recordings) -> list[Path]:
    """Twelve files; every fourth cannot be read, one is silent."""
    good = sorted(recordings.glob("*.wav"))[::6]
    missing, text = tmp_path / "missing.wav", tmp_path / "text.wav"
    text.write_text("no sound")
    silent = write(tmp_path / "silent.wav", np.zeros(RATE))
    return [missing, *good[:3], text, *good[3:5], silent, tmp_path, *good[5:8]]


@pytest.mark.parametrize("at_once", [1, 2, 5, 256])
def test_many_files_keep_their_order_past_bad_ones(tones, files, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(front_door, "FILES_AT_ONCE", at_once)
    results = list(tones.recognize_files(files))
    assert [result.path for result in results] == files
    for file, answer in zip(files, results, strict=True):
        if file.parent != tmp_path and file != tmp_path:
            assert answer.result.word == file.name.partition("_")[0]
            alone = tones.recognize(file)
            assert answer.result.word == alone.word
            assert answer.result.confidence == pytest.approx(alone.confidence)
            assert (answer.result.start, answer.result.end) == (alone.start, alone.end)
            assert (answer.error, answer.source_rate) == (None, RATE)
        elif file.name == "silent.wav":
            assert heard_nothing(answer.result, "too quiet")
        else:
            assert answer == FileResult(file, None, answer.error, None)
            assert answer.error.startswith(f"{file}: ")
            assert "; " in answer.error


def test_workers_give_the_same(tones, files, monkeypatch):
    serial = list(tones.recognize_files(files, jobs=1))
    monkeypatch.setattr(parallel, "WORTH", 1)
    assert list(tones.recognize_files(files, jobs=2)) == serial


def test_files_are_read_only_as_answers_are_wanted(tones, files, monkeypatch):
    for module in (front_door, analysis):
        monkeypatch.setattr(module, "FILES_AT_ONCE", 2)
    read, load = [], analysis.audio.load
    monkeypatch.setattr(analysis.audio, "load", lambda path, rate: (read.append(path), load(path, rate))[1])
    results = tones.recognize_files(files)
    assert read == []
    next(results)
    assert read == files[:2]


def test_many_files_do_not_warn_of_low_rates(tones, tmp_path):
    """Who asks for many wants one warning for all; the rate of each is in its result."""
    file = write(tmp_path / "a.wav", say("hum", rate=4000), 4000)
    assert [answer.source_rate for answer in tones.recognize_files([file, str(file)])] == [4000, 4000]


def test_no_files(tones):
    assert list(tones.recognize_files([])) == []


@pytest.mark.parametrize("count", range(8))
def test_batches(count):
    groups = list(batched(iter(range(count)), 3))
    assert [item for group in groups for item in group] == list(range(count))
    assert all(len(group) == 3 for group in groups[:-1])
    assert all(groups)


# Wrong use


def test_samples_need_a_rate_and_files_have_one(tones, tmp_path):
    with pytest.raises(TypeError, match="sample_rate in Hz"):
        tones.recognize(say("hum"))
    for file in ("a.wav", tmp_path / "a.wav"):
        with pytest.raises(TypeError, match="a file knows its own"):
            tones.recognize(file, RATE)


@pytest.mark.parametrize(
    ("samples", "rate", "part"),
    [
        (np.zeros(0), RATE, "no samples"),
        (np.zeros((2, 2, 2)), RATE, "shape (2, 2, 2)"),
        (np.array([0.0, np.nan]), RATE, "nan"),
        (np.array([0.0, np.inf]), RATE, "inf"),
        (np.zeros(100, dtype=np.int64), RATE, "int64"),
        (np.zeros(100, dtype=complex), RATE, "complex"),
        (np.zeros(100), 0, "0 Hz"),
        (np.zeros(100), -8000, "-8000 Hz"),
        (np.zeros(100), float("nan"), "nan Hz"),
    ],
)
def test_samples_that_are_no_sound(tones, samples, rate, part):
    with pytest.raises(AudioError) as caught:
        tones.recognize(samples, rate)
    assert part in str(caught.value)
    assert "; " in str(caught.value) or "need" in str(caught.value)


def test_a_missing_file(tones, tmp_path):
    with pytest.raises(AudioError, match="no such file; check the name"):
        tones.recognize(tmp_path / "a.wav")


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="known by name"):
        Recognizer.load("no such model")
    with pytest.raises(ModelError, match="no model at"):
        Recognizer.load(tmp_path / "m.npz")


def test_a_confident_model_still_gives_finite_numbers(built):
    steep = replace(built, calibration=replace(built.calibration, scale=1e6))
    sound(Recognizer(steep).recognize(say("rise"), RATE))
    result = Recognizer(replace(steep, rejection=None)).recognize(say("rise"), RATE)
    sound(result)
    assert result.confidence == pytest.approx(1, abs=1e-12)
    assert [candidate.confidence for candidate in result.nbest[1:]] == [0] * (len(WORDS) - 1)


# A speaker's profile


def test_the_model_is_fitted_to_the_speaker_who_is_named(enroll, model_file, built):
    fitted = {name: enroll(name).fingerprint for name in ("eve", "eve@cold")}
    assert len({*fitted.values(), built.fingerprint}) == 3
    for name in fitted:
        recognizer = Recognizer.load(model_file, name)
        assert (recognizer.speaker, recognizer.model.fingerprint) == (name, fitted[name])
        for word in WORDS:
            assert recognizer.recognize(say(word), RATE).word == word
    anybody = Recognizer.load(model_file)
    assert (anybody.speaker, anybody.model.fingerprint) == (None, built.fingerprint)


def test_a_name_is_the_same_however_its_letters_are_composed(enroll, model_file):
    enroll("eve")
    store.save("zoé", store.load("eve"))
    assert Recognizer.load(model_file, "zoe\u0301").speaker == "zoé"


def test_a_profile_for_another_model_tells_which_is_needed(enroll, built, model_file):
    enroll("eve", replace(built, words=tuple(reversed(WORDS))))
    with pytest.raises(ProfileError, match=r"made for another model: tones with the fingerprint \w+.*; use that model"):
        Recognizer.load(model_file, "eve")


def test_a_speaker_who_is_not_there_or_not_done(model_file):
    with pytest.raises(ProfileError, match="no speaker 'anna'; enrolled: none yet; enroll with"):
        Recognizer.load(model_file, "anna")
    write(store.take_path("anna", "hum"), say("hum", "anna"))
    with pytest.raises(ProfileError, match="'anna' has takes but no profile yet; finish with"):
        Recognizer.load(model_file, "anna")
    with pytest.raises(NamingError, match="'a/b' has a '/'"):
        Recognizer.load(model_file, "a/b")


# Adapted to the recordings themselves


@pytest.fixture
def of_eve(tmp_path) -> list[Path]:
    """Three takes of each word by somebody unknown; and a silent file, one that is no sound, and a click."""
    takes = [write(tmp_path / f"{word}{take}.wav", say(word, take=take)) for take in range(3) for word in WORDS]
    (tmp_path / "text.wav").write_text("no sound")
    silent = write(tmp_path / "silent.wav", np.zeros(RATE))
    click = write(tmp_path / "click.wav", say("rise", seconds=0.1)[round(SILENCE * RATE) :][: round(0.05 * RATE)])
    return [*takes[:5], silent, tmp_path / "text.wav", *takes[5:], click]


def test_all_are_recognised_by_models_fitted_to_them(tones, of_eve):
    fingerprint = tones.model.fingerprint
    results, adaptation = tones.recognize_adapted(of_eve)
    results = list(results)
    assert [result.path for result in results] == of_eve
    assert len(adaptation.words) == len(of_eve)
    assert adaptation.passes > 1
    again = list(Recognizer(adaptation.model).recognize_files(of_eve))
    assert again == results, "whoever goes on with the model gets the same"
    before = list(tones.recognize_files(of_eve))
    for path, word, own, base in zip(of_eve, adaptation.words, results, before, strict=True):
        if path.stem in ("silent", "text", "click"):
            assert own == base
            assert word == -1
        else:
            assert path.stem.startswith(own.result.word)
            assert path.stem.startswith(WORDS[word])
            assert own.result.nbest[0].score > base.result.nbest[0].score, "that is what it is for"
    assert tones.model.fingerprint == fingerprint != adaptation.model.fingerprint


@pytest.mark.parametrize("word", WORDS)
def test_one_recording_changes_no_answer(tones, word, tmp_path):
    file = write(tmp_path / "a.wav", say(word))
    results, adaptation = tones.recognize_adapted([file])
    [answer] = results
    assert answer.result.word == word
    assert WORDS[adaptation.words[0]] == word
    for other in WORDS:
        assert Recognizer(adaptation.model).recognize(say(other, take=7), RATE).word == other


def test_nothing_to_adapt_to_is_no_error(tones, of_eve, tmp_path):
    nothing = [path for path in of_eve if path.stem in ("silent", "text", "click")]
    for files in (nothing, []):
        results, adaptation = tones.recognize_adapted(files)
        assert list(results) == list(tones.recognize_files(files))
        assert (adaptation.model, adaptation.passes) == (tones.model, 0)
        assert adaptation.words.tolist() == [-1] * len(files)


def test_what_cannot_be_meant_or_is_rejected_is_not_learned_from(tones, of_eve):
    results, adaptation = tones.recognize_adapted(of_eve, words=["rise", "hum"])
    assert set(adaptation.words) == {-1, WORDS.index("rise"), WORDS.index("hum")}
    for answer, word in zip(results, adaptation.words, strict=True):
        if word >= 0:
            assert answer.result.word == WORDS[word]
    learned = [(tones.recognize_adapted(of_eve, threshold=t)[1].words >= 0).sum() for t in (0, "normal", "strict", 1)]
    assert learned == sorted(learned, reverse=True)
    assert learned[-1] == 0


def test_adaptation_starts_from_the_speakers_profile(tones, enroll, of_eve):
    own = Recognizer(enroll("eve"), "eve")
    results, adaptation = own.recognize_adapted(of_eve)
    other, _ = tones.recognize_adapted(of_eve)
    assert list(results) != list(other)
    assert not np.array_equal(adaptation.model.acoustics.bank.means, own.model.acoustics.bank.means)


def test_reading_is_told_and_may_be_shared_out(tones, of_eve, monkeypatch):
    told = []
    results, adaptation = tones.recognize_adapted(of_eve, progress=told.append)
    assert told == list(range(1, len(of_eve) + 1))
    monkeypatch.setattr(parallel, "WORTH", 1)
    shared, other = tones.recognize_adapted(of_eve, jobs=2)
    assert list(shared) == list(results)
    assert other.model.fingerprint == adaptation.model.fingerprint


def test_adaptation_refuses_wrong_words_and_thresholds_at_once(tones, of_eve):
    for wrong in ({"words": ["gone"]}, {"threshold": "severe"}):
        with pytest.raises(ModelError):
            tones.recognize_adapted(of_eve, **wrong)


# The package


def test_importing_the_package_costs_nothing():
    code = """
import sys
import recognizer
heavy = {"numpy", "scipy", "librosa", "soundfile", "joblib", "rich", "typer"} & set(sys.modules)
assert not heavy, heavy
for name in recognizer.__all__:
    assert getattr(recognizer, name).__name__ == name
from recognizer.recognizer import Recognizer
assert recognizer.Recognizer is Recognizer
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_name_that_the_package_does_not_have():
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        recognizer.Recogniser  # noqa: B018


def test_the_shipped_model_hears_the_samples():
    """What the README's first command shows."""
    files = sorted(SAMPLES.glob("*.wav"))
    assert len(files) >= 20
    results = {answer.path.name: answer.result for answer in Recognizer.load().recognize_files(files)}
    assert {name: r.word for name, r in results.items()} == {name: name.partition("_")[0] for name in results}


# Words of one's own


def takes(words=WORDS, speaker: str = "eve", count: int = 3) -> dict[str, list[np.ndarray]]:
    """Recordings in memory, other ones than those of the corpus."""
    return {word: [say(word, speaker, 200 + take) for take in range(count)] for word in words}


@pytest.fixture(scope="module")
def own(small) -> Recognizer:
    """Trained on arrays."""
    return Recognizer.train(takes(), RATE, settings=small)


@pytest.mark.parametrize("word", WORDS)
def test_what_is_trained_recognises(own, word):
    assert own.recognize(say(word, "bob"), RATE).word == word
    assert (own.words, own.speaker, own.name) == (WORDS, None, None)


def test_arrays_and_files_make_one_model_whatever_the_order(own, small, tmp_path, monkeypatch):
    lines = ["path,word"]
    for word, samples in takes().items():
        for take, one in enumerate(samples):
            file = write(tmp_path / word / f"{take}.wav", one.astype(np.float32), subtype="FLOAT")
            lines.append(f"{file},{word}")
    manifest = tmp_path / "all.csv"
    manifest.write_text("\n".join(lines))
    for recordings in (str(tmp_path), [manifest]):
        assert Recognizer.train(recordings, settings=small).model.fingerprint == own.model.fingerprint
    turned = dict(reversed(takes().items()))
    monkeypatch.setattr(parallel, "WORTH", 1)
    assert Recognizer.train(turned, RATE, settings=small, jobs=2).model.fingerprint == own.model.fingerprint


def test_saving_is_one_call_and_gives_a_name(own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = own.save("mine.npz")
    assert (kept.model, kept.name) == (own.model, str(tmp_path / "mine.npz"))
    assert own.name is None, "a recognizer does not change"
    for file in ("mine.npz", "./mine.npz", tmp_path / "mine.npz", os.path.relpath(tmp_path / "mine.npz")):
        loaded = Recognizer.load(file)
        assert (loaded.model.fingerprint, loaded.name) == (own.model.fingerprint, kept.name)
    (tmp_path / "home" / "models").mkdir(parents=True)
    own.save(tmp_path / "home" / "models" / "whistles.npz")
    assert Recognizer.load("whistles").name == "whistles"
    with pytest.raises(ModelError, match="cannot be written"):
        own.save(tmp_path / "none" / "mine.npz")


def test_what_is_left_out_is_told_one_by_one(small, tmp_path):
    recordings = takes(count=4)
    recordings["hum"].insert(1, np.zeros(RATE))
    recordings["rise"].append(np.ones(10))
    with pytest.warns(RecognizerWarning) as caught:
        trained = Recognizer.train(recordings, RATE, settings=small)
    assert sorted(str(warning.message) for warning in caught) == [
        "hum[1]: no speech found; record it again, or leave it out",
        "rise[4]: too short to hold a word; record it again, or leave it out",
    ]
    assert {warning.filename for warning in caught} == {__file__}
    assert trained.model.card["utterances"] == 4 * len(WORDS)
    with pytest.raises(TrainingError, match=r"no usable recording of 'mute' \(such as mute\[0\]: no speech"):
        Recognizer.train(recordings | {"mute": [np.zeros(RATE)]}, RATE, settings=small)
    text = tmp_path / "hum" / "text.wav"
    write(tmp_path / "hum" / "a.wav", say("hum"))
    text.write_text("no sound")
    with pytest.warns(RecognizerWarning, match=f"{text}: is not sound"):
        Recognizer.train(tmp_path, layout="{word}/*", settings=small)


def test_training_does_what_it_is_asked(recordings, tmp_path):
    told = []
    noise = write(tmp_path / "noise" / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(RATE)).parent
    hum = write(tmp_path / "other" / "hum_bob_7.wav", say("hum", "bob", 7))
    write(tmp_path / "other" / "buzz_bob_0.wav", say("rise", "bob", 9))
    augmentation = Augmentation(("level",), copies=1, seed=3)
    with pytest.warns(RecognizerWarning) as caught:
        trained = Recognizer.train(
            recordings,
            settings=TrainingSettings(states=4, mixtures=1),
            augmentation=augmentation,
            unknown=[noise, hum.parent],
            weights={recordings: 2},
            model_rate=16000,
            card={"licence": "CC0"},
            progress=lambda *step: told.append(step),
        )
    told_of = f"left out of what is unknown: 1 recording of words that the model shall know: {hum}"
    assert [str(warning.message) for warning in caught] == [told_of]
    model = trained.model
    assert (model.acoustics.states, model.front_end.sample_rate) == (4, 16000)
    assert (model.card["licence"], model.card["augmentation"]) == ("CC0", augmentation.as_json())
    assert told[0][:2] == ("analysis", 1)
    assert {stage for stage, *_ in told} >= {"analysis", "viterbi"}


@pytest.mark.parametrize(
    ("error", "options", "text"),
    [
        (TrainingError, {"settings": {"mixtures": 0}}, "mixtures is 0; it must be 1 or more"),
        (TrainingError, {"settings": {"density": "none"}}, "density 'none' is not"),
        (TrainingError, {"settings": {"states": 1000}}, "train with fewer states"),
        (TrainingError, {"augmentation": {"kinds": ("echo",)}}, "'echo' is no way to augment recordings"),
        (TrainingError, {"model_rate": 100}, "model_rate is 100 Hz; it must be from 4000 to 48000"),
        (CorpusError, {"weights": {"nowhere": 2}}, "nowhere: has a weight, but none of the recordings lies there"),
    ],
)
def test_training_speaks_in_its_own_terms(error, options, text):
    def train() -> None:
        made = dict(options)
        made |= {"settings": TrainingSettings(**made["settings"])} if "settings" in made else {}
        made |= {"augmentation": Augmentation(**made["augmentation"])} if "augmentation" in made else {}
        Recognizer.train(takes(count=1), RATE, **made)

    with pytest.raises(error) as caught:
        train()
    assert text in str(caught.value)
    assert "--" not in str(caught.value)


# One's own voice


@pytest.fixture(scope="module")
def hers(tones) -> Recognizer:
    """Fitted to zoe, by arrays."""
    return tones.enroll(takes(speaker="zoe"), RATE, method="map")


def test_a_fitted_recognizer_understands_the_voice_better(tones, hers):
    before, after = (r.recognize(say("rise", "zoe"), RATE, threshold=0) for r in (tones, hers))
    assert after.nbest[0].score > before.nbest[0].score
    told = hers.model.card["enrolled"]
    assert told["takes"] == dict.fromkeys(WORDS, 3)
    assert told["method"] == str(Method("map"))
    assert told["after"]["n"] == 3 * len(WORDS)
    assert (hers.speaker, hers.words) == (None, WORDS)
    assert "enrolled" not in tones.model.card
    assert tones.enroll(takes(speaker="zoe"), RATE, method=Method("map")).model.fingerprint == hers.model.fingerprint


def test_nothing_is_kept_of_a_voice_that_has_no_name(tones, home):
    tones.enroll(takes(count=1), RATE, method="map")
    assert not home.exists()


def test_a_fitted_model_is_saved_for_its_owner_alone(hers, tones, tmp_path):
    assert Recognizer.load(hers.save(tmp_path / "hers.npz").name).model.fingerprint == hers.model.fingerprint
    tones.save(tmp_path / "anybody.npz")
    if os.name == "posix":
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("hers.npz", "anybody.npz")]
        assert modes[0] == 0o600
        assert modes[1] & 0o400


def test_a_speaker_who_is_named_is_found_by_all(model_file, run):
    base = Recognizer.load(model_file)
    fitted = base.enroll(takes(speaker="zoe"), RATE, speaker="zoe")
    found = Recognizer.load(model_file, "zoe")
    assert (found.speaker, found.model.fingerprint) == (fitted.speaker, fitted.model.fingerprint) == ("zoe", ANY)
    assert len(store.takes("zoe")) == 3 * len(WORDS)
    assert store.load("zoe").model_name == str(model_file)
    assert "zoe" in run("speakers", "list").stdout
    more = base.enroll({"hum": [say("hum", "zoe", 300)]}, RATE, speaker="zoe")
    assert more.model.card["enrolled"]["takes"]["hum"] == 4, "takes are added to those that are kept"
    cold = base.enroll({"hum": [say("hum", "zoe", 301)]}, RATE, speaker="zoe@cold")
    assert store.load(cold.speaker).record["prior"] == "zoe"


def test_a_profile_needs_a_model_that_can_be_found_again(hers, tones, enroll, model_file):
    enroll("eve")
    for one in (tones, hers, Recognizer.load(model_file, "eve")):
        with pytest.raises(AdaptationError, match="a profile for 'zoe' goes with a model that has a name"):
            one.enroll(takes(speaker="zoe"), RATE, speaker="zoe")
    assert not store.has_profile("zoe")


def test_a_profile_whose_takes_are_deleted_is_not_lost(model_file):
    base = Recognizer.load(model_file)
    base.enroll(takes(speaker="zoe"), RATE, speaker="zoe")
    store.forget_audio("zoe")
    with pytest.raises(ProfileError, match="a new profile would lose what they taught; go on from it with a condition"):
        base.enroll(takes(speaker="zoe"), RATE, speaker="zoe")


def test_what_cannot_be_learned_from_a_voice_is_told(tones):
    recordings = takes(speaker="zoe") | {"buzz": [say("hum", "zoe")]}
    recordings["rise"].append(np.zeros(RATE))
    recordings["peep"].append(recordings["fall"][0])
    with pytest.warns(RecognizerWarning) as caught:
        tones.enroll(recordings, RATE)
    told = sorted(str(warning.message) for warning in caught)
    assert told == [
        "buzz[0]: the model has no word 'buzz'",
        "fall[0] (labelled 'fall') and peep[3] (labelled 'peep') are the same recording; correct the wrong label or "
        "leave it out",
        "rise[3]: too quiet; record it again",
    ]
    with pytest.raises(AdaptationError, match=r"nothing in the recordings can be learned from \(hum\[0\]: too quiet"):
        tones.enroll({"hum": [np.zeros(RATE)]}, RATE)


def test_a_take_that_sounds_like_another_word_is_told_of(tones):
    recordings = takes(speaker="zoe", count=4)
    recordings["hum"][0] = say("peep", "zoe", 999)
    with pytest.warns(RecognizerWarning, match=r"hum\[0\]: labelled 'hum' but sounds like 'peep'"):
        tones.enroll(recordings, RATE)


def test_one_voice_of_several_is_chosen(tones, recordings):
    for voice, told in (
        (None, "the recordings are of 4 voices, anna, bob, carl, dora; choose one, as in voice='anna'"),
        ("eve", "there is no recording of the voice 'eve'; these are: anna, bob, carl, dora"),
    ):
        with pytest.raises(AdaptationError, match=told):
            tones.enroll(recordings, voice=voice)
    with pytest.raises(AdaptationError, match="nothing tells who speaks; leave it out"):
        tones.enroll(takes(), RATE, voice="eve")
    fitted = tones.enroll(recordings, voice="anna", method="map")
    assert fitted.model.card["enrolled"]["takes"] == dict.fromkeys(WORDS, 3)


@pytest.mark.parametrize("method", ["mlr", ""])
def test_a_method_that_there_is_not(tones, method):
    with pytest.raises(AdaptationError, match=f"method '{method}' is not none, map"):
        tones.enroll(takes(), RATE, method=method)


# Several words in a recording


def test_words_are_found_in_a_file_and_in_an_array(tones, tmp_path):
    samples = np.concatenate([say(word) for word in WORDS])
    file = write(tmp_path / "all.wav", samples.astype(np.float32), subtype="FLOAT")
    cuts = tones.cut(samples, WORDS, RATE)
    assert cuts == tones.cut(file, " ".join(WORDS)) == tones.cut(str(file), list(WORDS))
    begin = 0.0
    for word, cut in zip(WORDS, cuts, strict=True):
        assert (cut.word, cut.reason) == (word, None)
        assert cut.start == pytest.approx(begin + SILENCE, abs=0.06)
        begin += len(say(word)) / RATE
    assert all(cut.reason for cut in tones.cut(file, WORDS, least_fit=1e9))
    with pytest.raises(AudioError, match=f"{tmp_path / 'none.wav'}: no such file"):
        tones.cut(tmp_path / "none.wav", WORDS)
    with pytest.raises(CorpusError, match="the model has no word 'buzz'"):
        tones.cut(file, "hum buzz")
    with pytest.raises(ModelError, match="the model has no word 'buzz'"):
        tones.cut(samples, ["buzz"], RATE)
    with pytest.raises(TypeError, match="sample_rate in Hz"):
        tones.cut(samples, WORDS)
    with pytest.raises(TypeError, match="a file knows its own"):
        tones.cut(file, WORDS, RATE)


# How it shows itself


def test_what_is_printed_reads_on_one_line(tones, enroll, model_file):
    enroll("eve")
    told = "4 words: fall, hum, peep and 1 more; 5 states, continuous; 8000 Hz"
    assert repr(tones) == f"Recognizer({told})"
    assert repr(tones.model) == f"Model({told})"
    assert repr(Recognizer.load(model_file, "eve")) == f"Recognizer({str(model_file)!r}: {told}; speaker eve)"
    assert repr(Recognizer.load("digits")).startswith("Recognizer('digits': 10 words: eight, five, four and 7 more; ")
    result = tones.recognize(say("hum"), RATE)
    first, second = result.nbest[:2]
    assert repr(result) == (
        f"Result('hum', {result.confidence:.2f}; {result.start:.2f} to {result.end:.2f} of {result.duration:.2f} s; "
        f"next {second.word!r}, {second.confidence:.2f})"
    )
    rejected = replace(result, word=None, accepted=False, reason="sounds like no word")
    assert repr(rejected).startswith("Result(no word: sounds like no word; ")
    assert repr(rejected).endswith(f"; next 'hum', {first.confidence:.2f})")
    assert repr(tones.recognize(np.zeros(RATE), RATE)) == "Result(no word: too quiet; 1.00 s)"


EVIL = "<script>alert('\x1b[2J\u202e')</script>\n"


def test_words_and_cards_of_strangers_are_only_shown(tones):
    card = {"licence": EVIL, "made": EVIL, "accuracy": {EVIL: {"accuracy": 0.5, "n": 4}, "odd": EVIL, "o": {"n": EVIL}}}
    foreign = replace(tones.model, words=(EVIL, *WORDS[1:]), card=card)
    stranger = Recognizer(foreign, EVIL, EVIL)
    result = stranger.recognize(say(WORDS[0]), RATE)
    assert result.word == EVIL
    for text in map(repr, (stranger, foreign, result, result.nbest)):
        assert text.isprintable()
    for shown in (stranger, foreign, result):
        text = shown._repr_html_()
        read(text)
        assert text.isprintable()
        assert "<script" not in text
        assert "&lt;script&gt;" in text
    assert "50.0 % of 4" in foreign._repr_html_()


@pytest.mark.parametrize("card", [{}, {"accuracy": 7}, {"held_out": []}, {"accuracy": {"a": {"accuracy": 7, "n": 1}}}])
def test_a_card_may_hold_anything(tones, card):
    assert "accuracy" not in replace(tones.model, card=card)._repr_html_()


def test_a_notebook_shows_what_was_heard(tones):
    text = "".join(read(tones.recognize(say("hum"), RATE)._repr_html_()).texts)
    assert text.startswith("“hum” (0.")
    assert all(word in text for word in WORDS)
    assert "no word: too quiet (1.00 s)" in tones.recognize(np.zeros(RATE), RATE)._repr_html_()
    text = "".join(read(Recognizer.load("digits")._repr_html_()).texts)
    for part in ("digits", "8000 Hz, 39 features a frame", "continuous", "% of", "numbers"):
        assert part in text


# In other threads and processes


def test_threads_share_a_recognizer(tones):
    """Each hears what it would hear alone, all at once."""
    sounds = [say(word, speaker, take) for word in WORDS for speaker in SPEAKERS for take in range(3)]
    alone = [tones.recognize(samples, RATE) for samples in sounds]
    begin = threading.Barrier(4)

    def hear(part: int) -> list[Result]:
        begin.wait()
        return [tones.recognize(samples, RATE) for samples in sounds[part::4]]

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(hear, range(4)))
    for part, results in enumerate(together):
        assert results == alone[part::4]


def test_a_recognizer_can_be_sent_to_another_process(tones, hers):
    for one in (tones, hers, Recognizer(tones.model, "eve", "tones")):
        copy = pickle.loads(pickle.dumps(one))
        assert (copy.speaker, copy.name) == (one.speaker, one.name)
        assert copy.model.fingerprint == one.model.fingerprint
        assert copy.recognize(say("hum"), RATE) == one.recognize(say("hum"), RATE)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        heard = processes.submit(Recognizer.recognize, tones, say("hum"), RATE).result()
    assert heard == tones.recognize(say("hum"), RATE)
