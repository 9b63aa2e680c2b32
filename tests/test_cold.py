"""The simulated cold of recipes/enrollment: each step does what it says, and words stay words."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter, welch

from recognizer import Recognizer
from recognizer.sound import audio

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "enrollment" / "cold.py"
specification = importlib.util.spec_from_file_location("cold", RECIPE)
cold = importlib.util.module_from_spec(specification)
sys.modules["cold"] = cold  # where dataclasses look their module up
specification.loader.exec_module(cold)

HEALTHY = cold.Cold(
    pitch=1, pace=1, jitter=0, shimmer=0, tilt=0, corner=1500, breath=0, branch=1000, dip=0, murmur=280, damping=0
)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def vowel(rate: int = 8000, pitch: float = 120.0, seconds: float = 0.8) -> np.ndarray:
    """A schwa: all harmonics, falling 6 dB an octave, through formants at 500, 1500, 2500 and 3500 Hz."""
    time = np.arange(round(seconds * rate)) / rate
    harmonics = np.arange(1, int(3900 / pitch))
    sound = (np.cos(2 * np.pi * pitch * np.outer(harmonics, time)) / harmonics[:, None]).sum(axis=0)
    for formant in (500, 1500, 2500, 3500):
        sound = lfilter([1.0], cold.pair(formant, 100.0, rate), sound)
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.03)
    return 0.5 * fade * sound / np.abs(sound).max()


def fundamental(samples: np.ndarray, rate: int, near: float) -> float:
    """Hz, from the highest peak of the autocorrelation within a third of `near`."""
    likeness = np.correlate(samples, samples, "full")[len(samples) - 1 :]
    lags = np.arange(int(rate / near / 1.33), int(rate / near * 1.33))
    peak = lags[likeness[lags].argmax()]
    before, here, after = likeness[peak - 1 : peak + 2]
    return rate / (peak + 0.5 * (before - after) / (before - 2 * here + after))


def level(samples: np.ndarray, rate: int, low: float, high: float) -> float:
    """Energy between two frequencies (Hz), dB."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    return 10 * np.log10(power[(frequencies >= low) & (frequencies < high)].sum())


def local(values: np.ndarray) -> float:
    """Jitter or shimmer: mean difference of neighbours over the mean."""
    return np.abs(np.diff(values)).mean() / np.mean(values)


def spoken(samples: np.ndarray, rate: int, **changes: float) -> np.ndarray:
    """The samples with one part of what happens at the vocal folds."""
    return cold.spoken(samples, rate, replace(HEALTHY, **changes), np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_severity_the_samples_are_the_same(dtype):
    samples = vowel().astype(dtype)
    healthy = cold.with_cold(samples, 8000, 0.0, seed=1)
    assert healthy.dtype == dtype
    assert healthy is not samples
    np.testing.assert_array_equal(healthy, samples)


def test_a_trace_of_a_cold_is_hardly_heard():
    samples = vowel()
    sick = cold.with_cold(samples, 8000, 1e-6, seed=1)
    assert len(sick) == len(samples)
    assert np.corrcoef(samples, sick)[0, 1] > 0.999


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("pitch", [90.0, 130.0, 220.0])
@pytest.mark.parametrize("severity", [0.5, 1.0, 1.5])
def test_pitch_falls_as_asked(rate, pitch, severity):
    sick = cold.with_cold(vowel(rate, pitch), rate, severity, seed=3)
    assert fundamental(sick, rate, pitch) == pytest.approx(pitch * cold.cold_of(severity, 3).pitch, rel=0.02)


@pytest.mark.parametrize("pitch", [0.75, 0.88])
def test_formants_stay_while_the_pitch_falls(pitch):
    rate = 8000
    for formant in (500, 1500, 2500):
        envelopes = []
        for samples in (vowel(rate), spoken(vowel(rate), rate, pitch=pitch)):
            frequencies, power = welch(samples, rate, nperseg=80, nfft=800)  # too short to show harmonics
            near = np.abs(frequencies - formant) < 350
            envelopes.append(frequencies[near][power[near].argmax()])
        assert envelopes[1] == pytest.approx(envelopes[0], rel=0.06)


def test_the_voice_lasts_longer_at_the_same_pitch():
    samples = vowel()
    slower = spoken(samples, 8000, pace=1.2)
    assert len(slower) == round(1.2 * len(samples))
    assert fundamental(slower, 8000, 120) == pytest.approx(120, rel=0.005)
    assert len(cold.with_cold(samples, 8000, 1.0, seed=2)) == round(len(samples) * cold.cold_of(1.0, 2).pace)


@pytest.mark.parametrize("jitter", [0.0, 0.015, 0.03])
def test_jitter_is_as_asked(jitter):
    rate = 16000
    sick = spoken(vowel(rate, seconds=3), rate, jitter=jitter)
    places, voiced = cold.pitch_marks(sick, rate, cold.pitch_track(sick, rate))
    assert local(np.diff(places)[voiced]) == pytest.approx(jitter, abs=0.005)


@pytest.mark.parametrize("shimmer", [0.0, 0.05])
def test_shimmer_is_as_asked(shimmer):
    rate = 16000
    sick = spoken(vowel(rate, seconds=3), rate, shimmer=shimmer)
    period = round(rate / 120)
    whole = sick[rate // 10 : -rate // 10]
    peaks = whole[: len(whole) // period * period].reshape(-1, period).max(axis=1)
    assert local(peaks) == pytest.approx(shimmer, abs=0.02)


def test_the_blocked_nose_swallows_its_frequency():
    rate, samples = 16000, vowel(16000)
    illness = cold.cold_of(1.0, 5)

    def dip(sound: np.ndarray) -> float:
        beside = (level(sound, rate, illness.branch + low, illness.branch + low + 240) for low in (-600, 360))
        return np.mean(list(beside)) - level(sound, rate, illness.branch - 120, illness.branch + 120)

    assert 920 < illness.branch < 1095
    assert dip(cold.with_cold(samples, rate, 1.0, seed=5)) > dip(samples) + 4
    impulse = np.zeros(rate)
    impulse[0] = 1
    response = 20 * np.log10(np.abs(np.fft.rfft(cold.nasal(impulse, rate, illness))))  # one a Hz
    assert response[round(illness.branch)] == pytest.approx(-illness.dip, abs=1.0)
    assert response[round(illness.murmur)] == pytest.approx(-illness.damping, abs=1.0)
    np.testing.assert_allclose(response[[20, 600, 2000, 7000]], 0, atol=1.5)


def test_high_harmonics_are_weaker():
    samples, illness = vowel(16000), replace(HEALTHY, tilt=3.0)
    impulse = np.zeros(16000)
    impulse[8000] = 1
    response = 20 * np.log10(np.abs(np.fft.rfft(cold.tilted(impulse, 16000, illness))))
    assert response[100] == pytest.approx(0, abs=0.05)
    assert response[1500] == pytest.approx(-1.5, abs=0.05)
    assert response[6000] - response[3000] == pytest.approx(-3, abs=0.4)
    sick = cold.with_cold(samples, 16000, 1.0, seed=1)
    assert level(sick, 16000, 3000, 4000) < level(samples, 16000, 3000, 4000) - 1.5


def test_breath_is_as_loud_as_asked_and_speaks_only_with_the_voice():
    rate = 8000
    samples = np.concatenate([np.zeros(rate // 2), vowel(rate), np.zeros(rate // 2)])
    breath = cold.breath(samples, rate, replace(HEALTHY, breath=0.08), np.random.default_rng(0))
    assert np.std(breath) == pytest.approx(0.08 * np.std(samples), rel=1e-6)
    assert np.abs(breath[: rate // 2 - 100]).max() == 0
    assert abs(np.corrcoef(samples, breath)[0, 1]) < 0.1


def test_the_voice_has_no_gaps():
    for rate, pitch in ((8000, 85.0), (16000, 210.0)):
        sick = cold.with_cold(vowel(rate, pitch), rate, 1.5, seed=4)
        frame = round(0.015 * rate)
        powers = np.mean(sick[: len(sick) // frame * frame].reshape(-1, frame) ** 2, axis=1)[4:-4]
        assert 10 * np.log10(powers.min() / np.median(powers)) > -4


def test_a_seed_is_one_cold_and_takes_differ():
    samples, other = vowel(), vowel(pitch=121.0)
    sick = cold.with_cold(samples, 8000, seed=1)
    np.testing.assert_array_equal(cold.with_cold(samples, 8000, seed=1), sick)
    assert len(cold.with_cold(other, 8000, seed=1)) == len(sick)
    assert cold.cold_of(1.0, 1) == cold.cold_of(1.0, 1) != cold.cold_of(1.0, 2)
    assert len(cold.with_cold(samples, 8000, seed=2)) != len(sick)


def test_severity_scales_every_amount():
    mild, bad = cold.cold_of(0.5, 7), cold.cold_of(2.0, 7)
    for name in ("jitter", "shimmer", "tilt", "breath", "dip", "damping"):
        assert getattr(bad, name) == pytest.approx(4 * getattr(mild, name))
    for name in ("pitch", "pace"):
        assert getattr(bad, name) == pytest.approx(getattr(mild, name) ** 4)
    assert (bad.branch, bad.murmur) == (mild.branch, mild.murmur)


def test_loud_speech_is_not_clipped():
    loud = np.clip(5 * vowel(), -1, 1).astype(np.float32)
    for seed in range(3):
        sick = cold.with_cold(loud, 8000, 1.5, seed=seed)
        assert sick.dtype == np.float32
        assert 0.5 < np.abs(sick).max() <= cold.LOUDEST * (1 + 1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("severity", [0.5, 3.0])
def test_whatever_comes_in_numbers_come_out(rate, severity):
    random = np.random.default_rng(0)
    click = np.zeros(rate // 7)
    click[rate // 14] = 1.0
    hum = 0.3 * np.sin(2 * np.pi * 50 * np.arange(3 * rate) / rate)
    sounds = [np.zeros(rate), click, click[::-1], hum, np.full(rate, 0.4), 1e-30 * random.standard_normal(rate)]
    sounds += [random.uniform(-1, 1, n) for n in (1, 2, 3, 10, 100, rate // 7)]
    for samples in sounds:
        sick = cold.with_cold(samples, rate, severity, seed=0)
        assert len(sick) == round(len(samples) * cold.cold_of(severity, 0).pace)
        assert np.isfinite(sick).all()
        assert np.abs(sick).max() <= cold.LOUDEST * (1 + 1e-6)
    assert not cold.with_cold(np.zeros(rate), rate, severity, seed=0).any()


def test_words_stay_words(shared_data):
    paths = sorted((shared_data("fsdd") / "recordings").glob("*_7.wav"))
    recognizer, right = Recognizer.load("digits"), 0
    for path in paths:
        recording = audio.load(path, 8000)
        sick = cold.with_cold(recording.samples, 8000, 1.0, seed=1)
        right += recognizer.recognize(sick, 8000, threshold=0).word == DIGITS[int(path.name[0])]
    assert len(paths) == 60
    assert right >= 54
