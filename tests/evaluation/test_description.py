"""Numbers about a model against what it was made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from extracting import extract
from synthetic import RATE, WORDS

from recognizer.acoustics.chain import Chain
from recognizer.evaluation.description import most_alike, spectra, state_durations, write_spectra
from recognizer.evaluation.divergence import divergence
from recognizer.features.front_end import FrontEnd


def test_durations_of_states_that_are_left_with_a_known_probability(built):
    """A state that is left with probability p lasts 1 / p frames (Rabiner 1989, eq. 5)."""
    models = replace(built.acoustics, chain=Chain.of_topology(4, 5, stay=0.75))
    np.testing.assert_allclose(state_durations(models, 0.01), np.full((4, 5), 0.04))


def test_words_last_as_long_as_they_were_said(built):
    seconds = state_durations(built.acoustics, built.front_end.hop).sum(1)
    assert ((seconds > 0.25) & (seconds < 0.5)).all(), "the tones last 0.3 to 0.4 s"


def test_the_closest_pair_is_told_by_its_words(built):
    distance = divergence(built.acoustics)
    told = most_alike(built)
    assert len(told) == 5, "of six"
    for pair in told:
        i, j = (built.words.index(word) for word in pair["words"])
        assert pair["distance"] == pytest.approx(distance[i, j], abs=0.001)


@pytest.mark.parametrize("frequency", [500, 1000, 2000, 3000])
def test_the_spectrum_of_a_tone_peaks_there(frequency):
    front_end = FrontEnd.for_rate(RATE)
    tone = np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)
    axis, level = spectra(front_end, extract(front_end, tone)[20:21])
    assert axis.shape == (front_end.filters,)
    assert (np.diff(axis) > 0).all()
    assert axis[level[0].argmax()] == pytest.approx(frequency, rel=0.12)


def test_with_all_cepstra_the_filters_come_back():
    """The inverse of librosa's transform, and the mean that was taken away."""
    rng = np.random.default_rng(0)
    front_end = FrontEnd.for_rate(RATE)
    front_end = replace(front_end, cepstra=front_end.filters, mean=tuple(rng.normal(size=front_end.filters)))
    from librosa.feature import mfcc

    log_power = rng.normal(size=(front_end.filters, 3))
    cepstra = mfcc(S=log_power, n_mfcc=front_end.filters) - np.array(front_end.mean)[:, None]
    features = np.concatenate([cepstra, np.ones_like(cepstra), np.ones_like(cepstra)]).T
    np.testing.assert_allclose(spectra(front_end, features)[1], 10 * log_power.T / np.log(10))


def test_filters_are_where_the_mel_scale_puts_them():
    front_end = FrontEnd.for_rate(16000)
    axis, _ = spectra(front_end, np.zeros((1, front_end.dims)))
    mel = 2595 * np.log10(1 + axis / 700)
    spacing = np.diff(mel)
    np.testing.assert_allclose(spacing, spacing.mean(), rtol=0.25)
    assert front_end.low < axis[0] < axis[-1] < front_end.high


def test_a_model_without_a_training_is_drawn(built, tmp_path):
    pytest.importorskip("matplotlib")
    untrained = replace(built, acoustics=replace(built.acoustics, history={}))
    write_spectra(untrained, WORDS[0], tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
