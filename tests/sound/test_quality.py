"""Recordings made of parts whose level is known by construction."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recognizer.sound.quality import Quality, measure

rates = st.sampled_from([8000, 16000, 44100, 48000])


@pytest.fixture(autouse=True)
def no_warnings():
    """No recording makes NumPy complain."""
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        yield


def noise(random, level, count):
    """White noise of an RMS level, dB full scale."""
    return 10 ** (level / 20) * random.standard_normal(count)


def spoken(level, floor, rate=16000, seconds=3.0):
    """A second of speech, as steady as a level has to be to be known, in a room with a floor."""
    random = np.random.default_rng(0)
    samples = noise(random, floor, round(seconds * rate))
    speech = np.clip(noise(random, 0, rate), -3, 3)  # no more than 10 dB over its level
    samples[rate : 2 * rate] = 10 ** (level / 20) * (speech - speech.mean())
    return samples


# Measuring


@settings(max_examples=25, deadline=None)
@given(st.floats(-60, -12), st.floats(3, 50), rates)
def test_the_level_is_that_of_the_speech_and_the_floor_that_of_the_room(level, snr, rate):
    quality = measure(spoken(level, level - snr, rate), rate)
    assert quality.level == pytest.approx(level, abs=1.0)
    assert quality.floor == pytest.approx(level - snr, abs=1.0)
    assert quality.snr == pytest.approx(snr, abs=1.5)
    assert quality.duration == 3.0
    assert not quality.dead


def test_a_tone_has_the_level_of_its_rms_and_the_peak_of_its_amplitude():
    quality = measure(0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000), 16000)
    assert quality.peak == pytest.approx(-6.02, abs=0.01)
    assert [quality.level, quality.floor] == pytest.approx([-9.03, -9.03], abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.floats(-20, 10))
def test_gain_moves_every_level_by_itself(gain):
    samples = spoken(-30, -60)
    quality, louder = measure(samples, 16000), measure(samples * 10 ** (gain / 20), 16000)
    for name in ("peak", "level", "floor"):
        assert getattr(louder, name) == pytest.approx(getattr(quality, name) + gain, abs=0.01)


@pytest.mark.parametrize("offset", [-0.4, 0.2])
def test_an_offset_is_no_sound(offset):
    samples = spoken(-30, -70)
    quality, shifted = measure(samples, 16000), measure(samples + offset, 16000)
    assert shifted.level == pytest.approx(quality.level, abs=0.01)
    assert shifted.floor == pytest.approx(quality.floor, abs=0.1)
    assert shifted.verdict == "good"


@given(st.integers(0, 1000))
def test_the_clipped_part_is_counted(clipped):
    samples = spoken(-20, -60, rate=8000)
    samples[8000 : 8000 + clipped : 2] = 1.0
    samples[8001 : 8000 + clipped : 2] = -1.0
    assert measure(samples, 8000).clipped == clipped / 24000


@pytest.mark.parametrize("value", [0.0, 0.3, -1.0])
def test_a_signal_that_never_changes_is_dead(value):
    quality = measure(np.full(8000, value), 8000)
    assert quality.dead
    assert quality.level == quality.floor == -120
    assert quality.verdict == "unusable"
    [problem] = quality.problems
    assert "muted" in problem


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(np.float32, st.integers(1, 700), elements=st.floats(-8, 8, width=32)),
    st.sampled_from([8000, 48000]),
)
def test_every_recording_has_a_quality_of_finite_numbers(samples, rate):
    quality = measure(samples, rate)
    assert np.isfinite([quality.duration, quality.peak, quality.level, quality.floor, quality.snr]).all()
    assert 0 <= quality.clipped <= 1
    assert quality.floor <= quality.level
    assert quality.verdict in ("good", "usable", "unusable", "unheard")
    assert all(problem.isprintable() for problem in quality.problems)


# Judging


@pytest.mark.parametrize(
    ("level", "floor", "clipped", "verdict", "problems"),
    [
        (-20, -60, 0.0, "good", []),
        (-44, -65, 0.0, "good", []),
        (-20, -60, 0.0005, "good", []),  # one hit on the microphone
        (-20, -60, 0.05, "usable", ["clipped (5.0 % of it): turn the input level down"]),
        (-50, -90, 0.0, "usable", ["too quiet (-50 dB): turn the input level up"]),
        (-20, -35, 0.0, "usable", ["noisy (SNR 15 dB): come closer"]),
        (-20, -25, 0.0, "unusable", ["no speech over the noise (SNR 5 dB): was anything said?"]),
        (-46, -55, 0.0, "unheard", ["nothing but quiet (-46 dB): speak, turn the input level up"]),
        (-80, -81, 0.0, "unheard", ["nothing but quiet (-80 dB): "]),
        (-44, -53, 0.0, "unusable", ["no speech over the noise (SNR 9 dB): was anything said?"]),
        (-46, -57, 0.0, "usable", ["too quiet", "noisy"]),  # a whisper
        (-50, -65, 0.01, "usable", ["clipped", "too quiet", "noisy"]),
    ],
)
def test_the_verdict_and_what_to_do(level, floor, clipped, verdict, problems):
    quality = Quality(3.0, 0.0, level, floor, clipped, dead=False)
    assert quality.verdict == verdict
    assert len(quality.problems) == len(problems)
    for told, expected in zip(quality.problems, problems):
        assert told.startswith(expected)


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        (spoken(-25, -65), "good"),
        (spoken(-55, -85), "usable"),
        (spoken(-25, -40), "usable"),
        (spoken(-40, -40), "unusable"),
        (spoken(-70, -70), "unheard"),
        (spoken(-55, -60), "unheard"),
        (np.clip(30 * spoken(-20, -65), -1, 1), "usable"),
    ],
    ids=["good", "quiet", "noisy", "noise alone", "nothing said", "hardly anything", "clipped"],
)
def test_the_verdict_on_sound(samples, verdict):
    assert measure(samples, 16000).verdict == verdict
