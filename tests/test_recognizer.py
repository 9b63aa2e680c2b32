"""Words of a made-up language must be heard, whatever form they come in; and nothing where there is none."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from synthetic import RATE, SILENCE, SPEAKERS, WORDS, say, write

import recognizer
from recognizer import recognizer as front_door
from recognizer.errors import AudioError, ModelError, NamingError, ProfileError, RecognizerWarning
from recognizer.features import analysis
from recognizer.recognition.result import Result
from recognizer.recognizer import FileResult, Recognizer, batched
from recognizer.speakers import store

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
    monkeypatch.setattr(analysis, "PARALLEL_FROM", 1)
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
    monkeypatch.setattr(analysis, "PARALLEL_FROM", 1)
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
