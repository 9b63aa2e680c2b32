"""Made-up noises: the same each time, whole, and unlike each other."""

from __future__ import annotations

import numpy as np
import pytest

from recognizer.sound.noises import LEVEL, SILENCE, synthetic_noises


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_they_are_finite_sounds_between_silences(rate):
    for noise in synthetic_noises(60, rate):
        assert noise.dtype == np.float32
        assert np.isfinite(noise).all()
        assert 0.4 * rate <= len(noise) - 2 * round(SILENCE * rate) <= 1.6 * rate
        assert 0.9 * LEVEL < np.abs(noise).max() < 1
        edge = noise[: round(SILENCE * rate)]
        assert np.abs(edge).max() < 0.05 * np.abs(noise).max()


def test_they_are_the_same_each_time_and_others_for_another_seed():
    first, again, other = synthetic_noises(5, 8000), synthetic_noises(5, 8000), synthetic_noises(5, 8000, seed=2)
    assert all((a == b).all() for a, b in zip(first, again))
    assert not any(len(a) == len(b) and (a == b).all() for a, b in zip(first, other))
    assert len({len(noise) for noise in first}) > 1


def test_fewer_are_the_first_of_more():
    assert all((a == b).all() for a, b in zip(synthetic_noises(3, 8000), synthetic_noises(9, 8000)))
