"""Noise is mixed in at the ratio asked, is new in every copy, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from recognizer.sound.perturbation import NOISE, VTLP, add_noise

SAMPLES = np.concatenate([np.zeros(2000), 0.3 * np.sin(np.arange(4000) / 3), np.zeros(2000)]).astype(np.float32)
SPEECH = slice(2000, 6000)


@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0])
@pytest.mark.parametrize("offset", [0.0, 0.9])
def test_noise_has_the_power_asked_whatever_the_offset(snr, offset):
    samples = SAMPLES + np.float32(offset)
    noise = add_noise(samples, SPEECH, snr) - samples
    assert 10 * np.log10(np.var(samples[SPEECH]) / np.mean(noise**2)) == pytest.approx(snr, abs=0.1)


def test_noise_is_the_same_every_time_and_another_at_another_ratio():
    first, again, other = (add_noise(SAMPLES, SPEECH, snr) - SAMPLES for snr in (10.0, 10.0, 20.0))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.1


def test_one_sample_and_silence_stay_finite():
    assert np.isfinite(add_noise(np.array([0.5]), slice(0, 1), 10.0)).all()
    assert (add_noise(np.zeros(100), slice(0, 100), 10.0) == 0).all()


def test_the_sets_reach_from_child_to_man_and_from_quiet_to_loud_rooms():
    assert min(p.warp for p in VTLP) == 0.82
    assert max(p.warp for p in VTLP) == 1.2
    assert {p.snr for p in NOISE} == {10.0, 20.0}
