"""Spectrograms: what is loud at which frequency and time is dark there, from the bottom up and left to right."""

from __future__ import annotations

import io

import numpy as np
import pytest

from recognizer.evaluation.spectrogram import HIGHEST, SHOWN_DEPTH, WIDEST, small_picture, spectrogram


def tone(hertz: float, seconds: float, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_tone_is_where_its_frequency_is(rate):
    level, top = spectrogram(tone(1000, 0.5, rate), rate)
    assert top == rate / 2
    assert level.max() == pytest.approx(0, abs=1e-6)
    middle = level[:, level.shape[1] // 2]
    assert middle.argmax() / (len(middle) - 1) * top == pytest.approx(1000, abs=60)


@pytest.mark.parametrize(("rate", "seconds"), [(8000, 0.4), (16000, 3.0), (192000, 0.2)])
def test_a_small_picture_is_small_and_the_right_way_up(rate, seconds):
    image = pytest.importorskip("matplotlib.image")
    high, low = tone(0.4 * rate, seconds / 2, rate), 0.001 * tone(0.05 * rate, seconds / 2, rate)
    seen = image.imread(io.BytesIO(small_picture(np.concatenate([high, 1000 * low]), rate)))
    height, width = seen.shape
    assert height <= HIGHEST
    assert width <= WIDEST
    early, late = seen[:, width // 4], seen[:, 3 * width // 4]
    assert early.argmin() / height == pytest.approx(0.2, abs=0.05)
    assert late.argmin() / height == pytest.approx(0.9, abs=0.05)
    assert late.max() == 1, f"what is {SHOWN_DEPTH} dB below is white"


@pytest.mark.parametrize("samples", [np.zeros(1), np.zeros(4000), np.ones(3)], ids=["one", "silence", "few"])
def test_whatever_is_drawn_is_drawn(samples):
    image = pytest.importorskip("matplotlib.image")
    assert image.imread(io.BytesIO(small_picture(samples, 8000))).size
