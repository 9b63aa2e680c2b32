"""Made-up rooms are measured as real ones are: by how fast what they answer dies away."""

from __future__ import annotations

import numpy as np
import pytest

from recognizer.sound.rooms import DIRECT, Room

RATES = (8000, 16000)


def measured_rt60(response: np.ndarray, rate: int) -> float:
    """By the slope of the energy still to come, from -5 to -25 dB under that of the reverberation (Schroeder 1965)."""
    remaining = np.cumsum(response[:0:-1] ** 2)[::-1]
    level = 10 * np.log10(remaining / remaining[0])
    used = np.flatnonzero((level < -5) & (level > -25))
    slope, _ = np.polyfit(used / rate, level[used], 1)
    return -60 / slope


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("rt60", [0.1, 0.3, 0.6])
def test_sound_dies_away_by_60_db_in_the_time_asked(rt60, rate):
    measured = [measured_rt60(Room(rt60, seed).response(rate), rate) for seed in range(40)]
    assert np.median(measured) == pytest.approx(rt60, rel=0.15)


@pytest.mark.parametrize("rate", RATES)
def test_the_click_stands_first_and_as_far_over_the_rest_as_rooms_may(rate):
    ratios = []
    for seed in range(60):
        response = Room(0.4, seed).response(rate)
        assert response[0] == 1
        ratios.append(-10 * np.log10(np.sum(response[1:] ** 2)))
    assert DIRECT[0] - 1e-9 <= min(ratios) < DIRECT[0] + 2
    assert DIRECT[1] - 2 < max(ratios) <= DIRECT[1] + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_reverberation_is_convolution_and_adds_no_samples(seed):
    samples = np.random.default_rng(seed).normal(0, 0.1, 3000)
    room = Room(0.25, seed)
    heard = room.reverberated(samples, 8000)
    np.testing.assert_allclose(heard, np.convolve(samples, room.response(8000))[:3000], atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 100])
def test_a_room_longer_than_the_recording(count):
    samples = np.linspace(0.5, 1, count)
    heard = Room(0.6, 1).reverberated(samples, 8000)
    assert heard.shape == (count,)
    assert np.isfinite(heard).all()
    assert heard[0] == pytest.approx(samples[0])


def test_a_room_is_the_same_each_time_and_others_are_others():
    np.testing.assert_array_equal(Room(0.3, 1).response(8000), Room(0.3, 1).response(8000))
    assert np.abs(Room(0.3, 1).response(8000) - Room(0.3, 2).response(8000)).max() > 0.01
