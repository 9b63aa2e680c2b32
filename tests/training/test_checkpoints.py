"""A training that is ended at any moment goes on, and ends with the same model."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from synthetic import SPEAKERS, WORDS, record

from recognizer import parallel
from recognizer.acoustics.density import KINDS, arrays_of
from recognizer.acoustics.word_models import WordModels
from recognizer.corpus import Utterance, find
from recognizer.errors import RecognizerWarning, TrainingError
from recognizer.model import Model
from recognizer.sound.perturbation import VTLP
from recognizer.training import checkpoints as kept
from recognizer.training import trials
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings


class EndedError(Exception):
    """What ends a training here."""


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Every iteration is kept, and a few recordings are enough for a trial."""
    monkeypatch.setattr(kept, "EVERY", 0.0)
    monkeypatch.setattr(trials, "FEWEST_TO_CALIBRATE", 4)


@pytest.fixture(scope="session")
def few(tmp_path_factory) -> list[Utterance]:
    return find(record(tmp_path_factory.mktemp("few"), WORDS[:3], SPEAKERS[:3], 2))


def same(one: Model, other: Model) -> None:
    for name, array in arrays_of(one.acoustics.bank).items():
        np.testing.assert_array_equal(getattr(other.acoustics.bank, name), array)
    np.testing.assert_array_equal(one.acoustics.chain.log_stay, other.acoustics.chain.log_stay)
    np.testing.assert_array_equal(one.acoustics.tying, other.acoustics.tying)
    assert one.acoustics.history == other.acoustics.history
    assert asdict(one.calibration) == asdict(other.calibration)
    assert one.rejection.thresholds == other.rejection.thresholds
    assert one.card == other.card


@pytest.mark.parametrize(
    ("density", "topology", "tie"),
    [
        ("continuous", "skip", None),
        pytest.param("continuous", "left-right", None, marks=pytest.mark.slow),
        pytest.param("continuous", "left-right", 5, marks=pytest.mark.slow),
        pytest.param("semi-continuous", "skip", None, marks=pytest.mark.slow),
        pytest.param("discrete", "skip", None, marks=pytest.mark.slow),
    ],
)
def test_ended_after_any_iteration_it_gives_the_same_model(few, tmp_path, monkeypatch, density, topology, tie):
    codebook = 8 if KINDS[density].has_codebook else None
    settings = TrainingSettings(3, topology, density, 2, codebook, tie, max_iterations=4)
    utterances, folder = few, tmp_path / "checkpoints"
    whole, _ = build(utterances, settings=settings)
    assert whole.acoustics.tied_states == tie
    save, left = kept.Checkpoint.save, [0]

    def ending(self, *what, **how):
        save(self, *what, **how)
        left[0] -= self.path is not None  # to decide which states are tied takes a training, too, that is not kept
        if left[0] == 0 and self.path is not None:
            raise EndedError

    monkeypatch.setattr(kept.Checkpoint, "save", ending)
    left[0] = -1
    build(utterances, settings=settings, checkpoints=folder)
    saved = -1 - left[0]
    assert saved > 6
    kept.Checkpoints(folder).remove()
    for moment in range(1, saved + 1):
        left[0] = moment
        with pytest.raises(EndedError):
            build(utterances, settings=settings, checkpoints=folder)
        left[0] = -1
        resumed, _ = build(utterances, settings=settings, checkpoints=folder, resume=True)
        same(whole, resumed)
        assert -1 - left[0] < saved, "not all of it was done again"


def test_which_states_are_tied_is_kept(built, tmp_path):
    tying = np.array([[0, 1], [2, 0]])
    chain = built.acoustics.chain.word(np.array([0, 1]))
    models = WordModels(built.acoustics.bank.take(np.arange(4)), chain, {"viterbi": [-2.0]}, tying=tying)
    kept.Checkpoint(tmp_path / "kept" / "c.npz", "this").save(models, "baum-welch", [-1.0])
    found = kept.Checkpoint(tmp_path / "kept" / "c.npz", "this").load()
    np.testing.assert_array_equal(found.models.tying, tying)
    assert (found.stage, found.curve, found.models.history) == ("baum-welch", [-1.0], {"viterbi": [-2.0]})


def test_what_is_of_another_training_is_not_gone_on_with(few, small, tmp_path):
    utterances, folder = few, tmp_path / "checkpoints"
    build(utterances, settings=small, checkpoints=folder)
    others = [
        (utterances[1:], small),
        (few, small, {"perturbations": VTLP[:2]}),
        (utterances, TrainingSettings(mixtures=1, states=4)),
        (utterances, TrainingSettings(mixtures=1, tie=9)),
        (find(record(tmp_path / "others", WORDS[:3], SPEAKERS[1:4], 2)), small),
    ]
    for corpus, settings, *more in others:
        with pytest.raises(TrainingError, match="is of a training with other recordings, settings or another version"):
            build(corpus, settings=settings, checkpoints=folder, resume=True, **dict(*more))
    build(others[0][0], settings=small, checkpoints=folder)  # which begins anew
    build(others[0][0], settings=small, checkpoints=folder, resume=True)


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_what_is_damaged_is_named(few, small, tmp_path, content):
    folder = tmp_path / "checkpoints"
    build(few, settings=small, checkpoints=folder)
    (folder / "model.npz").write_bytes(content)
    with pytest.raises(TrainingError, match=r"model\.npz cannot be read .*; train without resuming"):
        build(few, settings=small, checkpoints=folder, resume=True)


def test_where_nothing_can_be_kept_is_told_and_it_goes_on(few, small, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.warns(RecognizerWarning, match=r"cannot be written: .*; going on, .*, write the model elsewhere"):
        found, _ = build(few, settings=small, checkpoints=tmp_path / "file" / "checkpoints")
    same(build(few, settings=small)[0], found)


def test_what_else_is_in_the_folder_stays(few, small, tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    build(few, settings=small, checkpoints=tmp_path)
    kept.Checkpoints(tmp_path).remove()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("memory", [0, 30_000, 10**9])
def test_memory_and_jobs_change_nothing(few, small, memory, monkeypatch):
    monkeypatch.setattr(parallel, "WORTH", 1)
    utterances = few
    whole, _ = build(utterances, settings=small)
    for jobs in (1, 2):
        found, _ = build(utterances, settings=small, memory=memory, jobs=jobs)
        same(whole, found)
