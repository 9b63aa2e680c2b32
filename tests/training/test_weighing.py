"""Weights from folders and speakers, counted out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from refusing import refusal

from recognizer.corpus import Utterance
from recognizer.errors import CorpusError
from recognizer.training.weighing import training_weights, weigh_folders


def said(*paths: str, speaker: str | None = None, weight: float = 1.0) -> list[Utterance]:
    return [Utterance(Path(path), "yes", speaker, weight) for path in paths]


def test_folders_multiply_what_lies_below_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    utterances = said("a/1.wav", "a/b/2.wav", str(tmp_path / "a" / "3.wav"), "ab/4.wav", weight=0.5)
    weighed = weigh_folders(utterances, {Path("a"): 4.0, tmp_path / "a" / "b": 3.0})
    assert [u.weight for u in weighed] == [2.0, 6.0, 2.0, 0.5]
    assert [u.path for u in weighed] == [u.path for u in utterances]
    assert weigh_folders(utterances, {}) == utterances


@pytest.mark.parametrize("folder", ["b", "a/1.wa", "a/1/"])
def test_a_folder_that_weighs_nothing(folder):
    refusal(CorpusError, lambda: weigh_folders(said("a/1.wav"), {Path(folder): 2.0}), Path(folder), "weight")


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_a_speaker_of_n_takes_counts_as_a_power_of_n(exponent):
    utterances = [*said(*map(str, range(16)), speaker="anna"), *said("b", speaker="bob"), *said("c", "d")]
    weights = training_weights(utterances, exponent)
    assert weights[:16].sum() == pytest.approx(16 ** (1 - exponent))
    assert weights[16] == 1
    assert weights[17:].sum() == pytest.approx(2 ** (1 - exponent)), "those nobody told of are one"


def test_evening_leaves_weights_their_ratio():
    utterances = [*said("a", "b", speaker="anna", weight=6.0), *said("c", "d", speaker="bob", weight=2.0)]
    np.testing.assert_allclose(training_weights(utterances, 1.0), [3, 3, 1, 1])
