"""Trials: what they teach, to whom, and that nobody is judged by what was learned from him."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from synthetic import RATE, say

from recognizer.corpus import find
from recognizer.recognition import verification
from recognizer.recognition.calibration import Calibration
from recognizer.recognition.evidence import SUMMARY
from recognizer.recognition.verification import REFUSED, Rejection, belief, quantile
from recognizer.sound.audio import prepare
from recognizer.training import trials
from recognizer.training.building import build, training_data
from recognizer.training.trials import HeldOut, Trial, hold_out

# What they teach


@pytest.fixture(scope="module")
def data(recordings, small):
    """Of four speakers, two of whom are held out by the first two trials."""
    found, refused = training_data(find(recordings), settings=small)
    assert not refused
    return found


@pytest.fixture(scope="module")
def strangers(data):
    """Features of unknown words, of folders of different sizes."""

    def of(sound):
        return data.analyser.analyse(prepare(sound, RATE, RATE)).features[0]

    hurried = [("hurried", of(say(word, take=take, seconds=0.12))) for word in ("fall", "rise") for take in range(3)]
    backwards = [("backwards", of(say(word, take=9)[::-1].copy())) for word in ("fall", "rise")]
    return hurried + backwards


@pytest.fixture(autouse=True)
def little_is_enough(monkeypatch):
    """To learn rejection from."""
    monkeypatch.setattr(trials, "FEWEST_TO_REJECT", 8)


def nothing(stage: str, done: int, total: int, note: str) -> None:
    pass


def held(data, strangers, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(trials, "FEWEST_TO_CALIBRATE", 8)
        return hold_out(data, strangers, 13, nothing)


def same(one: HeldOut, other: HeldOut) -> bool:
    """Whether they are equal, number by number; the mixture for noises, which trials have in common, aside."""
    a, b = one.rejection, other.rejection
    arrays = all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Rejection) if f.name != "noise")
    return arrays and (one.calibration, one.held_out) == (other.calibration, other.held_out)


def test_unknown_recordings_left_out_teach_nothing(data, strangers, monkeypatch):
    """As if they had never been there, their folder's share included."""
    found = held(data, strangers, monkeypatch)
    assert len(found.tried) == 2
    assert found.folders == ("hurried",) * 6 + ("backwards",) * 2
    for mask in (np.arange(8) < 6, np.arange(8) % 2 == 0, np.zeros(8, dtype=bool)):
        chosen = [stranger for stranger, wanted in zip(strangers, mask) if wanted]
        fitted = found.fit(mask)
        assert same(fitted, held(data, chosen, monkeypatch).fit())
        assert not same(fitted, found.fit())
    assert same(found.fit(np.ones(8, dtype=bool)), found.fit())


def test_build_fits_on_every_unknown_recording(data, strangers, recordings, small, monkeypatch):
    found = held(data, [], monkeypatch).fit()
    monkeypatch.setattr(trials, "FEWEST_TO_CALIBRATE", 8)
    model, _ = build(find(recordings), settings=small, enough=13)
    assert same(HeldOut(model.calibration, model.rejection, model.card["held_out"]), found)


def test_folders_count_the_same_however_many_recordings_they_hold(data, strangers, monkeypatch):
    """The folder of two recordings three times over changes nothing."""
    found = held(data, strangers, monkeypatch).fit()
    again = held(data, strangers + 2 * strangers[6:], monkeypatch).fit()
    np.testing.assert_allclose(again.rejection.weights, found.rejection.weights, rtol=1e-4)
    moved = held(data, [(str(i), features) for i, (_, features) in enumerate(strangers)], monkeypatch).fit()
    assert abs(moved.rejection.weights / found.rejection.weights - 1).max() > 0.01, "as folders of their own they do"


def test_too_few_to_hold_out_teach_the_default(data, strangers):
    found = hold_out(data, strangers, 13, nothing)
    assert found.tried == ()
    fitted = found.fit(np.arange(8) < 3)
    assert fitted.rejection.thresholds == verification.BY_OTHERS.thresholds
    assert (fitted.calibration, fitted.held_out) == (Calibration(), None)


def test_from_few_only_the_calibration_is_learned(data, monkeypatch):
    """One utterance more would teach rejection, too; with a trial or without, the default is the same."""
    held_out = held(data, [], monkeypatch)
    count = sum(len(trial.members) for trial in held_out.tried)
    learned = held_out.fit()
    monkeypatch.setattr(trials, "FEWEST_TO_REJECT", count)
    assert same(held_out.fit(), learned)
    monkeypatch.setattr(trials, "FEWEST_TO_REJECT", count + 1)
    few, default = held_out.fit(), hold_out(data, [], 13, nothing).fit()
    assert same(replace(few, calibration=default.calibration, held_out=None), default)
    assert few.rejection.thresholds == verification.BY_OTHERS.thresholds != learned.rejection.thresholds
    assert (few.calibration, few.held_out) == (learned.calibration, learned.held_out)


def test_unknown_recordings_are_learned_from_however_few_are_held_out(data, strangers, monkeypatch):
    held_out = held(data, strangers, monkeypatch)
    learned = held_out.fit()
    monkeypatch.setattr(trials, "FEWEST_TO_REJECT", 10_000)
    assert same(held_out.fit(), learned)
    assert held_out.fit(np.zeros(8, dtype=bool)).rejection.thresholds == verification.BY_OTHERS.thresholds


# On whom it is fitted, and on whom its points are set


def made_up_trials(rng: np.random.Generator, speakers: int) -> tuple[list[Trial], np.ndarray]:
    """Evidence that tells nothing: known and other sounds have the same; one take a speaker, all recognised."""
    nothing = np.zeros((0, len(SUMMARY)))
    truth = rng.integers(0, 3, size=speakers)
    scores = np.where(np.arange(3) == truth[:, None], 100.0, -100.0)
    known, others = (rng.standard_normal((speakers, len(SUMMARY))) for _ in range(2))
    return [Trial(np.arange(speakers), truth, scores, known, nothing, others, nothing)], np.arange(speakers)


def test_light_recordings_hardly_count_in_calibration():
    rng = np.random.default_rng(3)
    [trial], groups = made_up_trials(rng, 40)
    trial = replace(trial, scores=5 * rng.standard_normal(trial.scores.shape))
    heavy = np.arange(len(trial.members)) % 2 == 0
    half = replace(trial, **{f: getattr(trial, f)[heavy] for f in ("members", "truth", "scores", "evidence")})
    half = replace(half, left_out=trial.left_out[: heavy.sum()])
    weights = np.where(heavy, 1.0, 1e-6)

    def scale(one, weights):
        return trials._fit(None, [one], groups, weights, [])[0].scale

    plain, weighed, alone = (scale(trial, weights**0), scale(trial, weights), scale(half, weights**0))
    assert weighed == pytest.approx(alone, rel=1e-3)
    assert abs(plain / alone - 1) > 0.01, "the halves are not alike"


def test_thresholds_are_set_on_what_did_not_fit_the_weights(fitted):
    """Of chance evidence, weights make what they were fitted to look known; new words are refused too often then."""
    rng, refused = np.random.default_rng(0), {"normal": [], "in-sample": []}
    for _ in range(30):
        trial, groups = made_up_trials(rng, 25)
        calibration, rejection = trials._fit(fitted.rejection.noise, trial, groups, np.ones(len(groups)), [])
        new = rejection.known(rng.standard_normal((1000, len(SUMMARY))))
        in_sample = belief(trial[0].scores, trial[0].evidence, calibration, rejection).lesser
        refused["normal"].append((new < rejection.thresholds["normal"]).mean())
        refused["in-sample"].append((new < quantile(in_sample, np.ones(25), REFUSED["normal"])).mean())
    assert np.mean(refused["in-sample"]) > 2 * REFUSED["normal"], "what this is about"
    assert np.mean(refused["normal"]) < 1.3 * REFUSED["normal"]


def test_no_speaker_is_on_both_sides(fitted, monkeypatch):
    """Weights are fitted without all takes of those whose probabilities they give; in the end to everybody."""
    rng = np.random.default_rng(1)
    trial, _ = made_up_trials(rng, 24)
    groups = np.repeat([7, 3, 5, 11, 13, 2], 4)
    by_evidence = {row.tobytes(): group for row, group in zip(trial[0].evidence, groups)}
    fitted_to, judged = [], []

    def fit(noise, known, *others):
        fitted_to.append({by_evidence[row.tobytes()] for row in known})
        return verification.fit_rejection(noise, known, *others)

    def believed(scores, evidence, *others):
        judged.append({by_evidence[row.tobytes()] for row in evidence})
        return belief(scores, evidence, *others)

    monkeypatch.setattr(trials, "fit_rejection", fit)
    monkeypatch.setattr(trials, "belief", believed)
    trials._fit(fitted.rejection.noise, trial, groups, np.ones(len(groups)), [])
    assert fitted_to.pop() == set(groups.tolist())
    assert len(judged) == len(fitted_to) == trials.PARTS
    assert all(not seen & tested for seen, tested in zip(fitted_to, judged))
    assert set().union(*judged) == set(groups.tolist())
