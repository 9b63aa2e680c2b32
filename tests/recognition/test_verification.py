"""Evidence against independent arithmetic; the decision, its operating points, and what they are fitted on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from extracting import extract
from scipy.optimize import minimize
from scipy.special import expit, softmax
from synthetic import RATE, WORDS, say

from recognizer import ModelError, Recognizer
from recognizer.corpus import find
from recognizer.recognition import verification
from recognizer.recognition.decoding import align_frames, score_words
from recognizer.recognition.result import Candidate
from recognizer.recognition.verification import (
    EVIDENCE,
    REFUSED,
    belief,
    examine,
    least_probability,
    logistic_regression,
    quantile,
)
from recognizer.sound.audio import prepare
from recognizer.training import trials
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings
from recognizer.training.trials import Trial


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A model with enough recordings to fit the rejection."""
    from synthetic import record

    folder = record(tmp_path_factory.mktemp("more"), speakers=("anna", "bob", "carl", "dora", "eve"), takes=8)
    return build(find(folder), settings=TrainingSettings(mixtures=2))[0]


@pytest.fixture(scope="module")
def utterances(fitted):
    """Features of words, of different lengths."""
    sounds = [say(word, "carl", take) for take in (50, 51) for word in WORDS] + [say("rise", "anna", seconds=0.9)]
    return [extract(fitted.front_end, sound) for sound in sounds]


def brute_loop(log_density: np.ndarray, penalty: float) -> tuple[float, list[float]]:
    """The free loop by plain dynamic programming over frames and states."""
    frames, states = log_density.shape
    best = [[(log_density[0, s], [log_density[0, s]]) for s in range(states)]]
    for t in range(1, frames):
        row = []
        for s in range(states):
            ways = [(best[-1][r][0] - (0.0 if r == s else penalty), best[-1][r][1]) for r in range(states)]
            score, along = max(ways, key=lambda way: way[0])
            row.append((score + log_density[t, s], [*along, log_density[t, s]]))
        best.append(row)
    return max(best[-1], key=lambda way: way[0])


# Evidence


def test_the_evidence_is_what_it_says(fitted, utterances):
    models, noise = fitted.acoustics, fitted.rejection.noise
    found = examine(models, noise, utterances)
    scores = score_words(models, utterances)
    np.testing.assert_allclose(found.scores, scores)
    for features, row, evidence in zip(utterances, scores, found.evidence):
        best = int(row.argmax())
        path = align_frames(models, features, best)
        own = (path > 0) & (path <= models.states)
        density = models.bank.log_density(features)
        on_path = density[np.arange(len(path)), models.rows(best)[path]]
        free, _ = brute_loop(density, verification.PENALTY)
        others = [i for i in range(density.shape[1]) if i not in models.rows(best)[1:-1]]
        _, rival = brute_loop(density[:, others], verification.PENALTY)
        noisy = np.maximum(noise.log_density(features)[:, 0], density[:, -1])
        frames = own.sum()
        expected = {
            "lead": (row[best] - np.delete(row, best).mean()) / frames,
            "duration": np.log(frames),
            "loop": (row[best] - free) / frames,
            "rivals": np.mean([(on_path - rival)[path == state].mean() for state in range(1, models.states + 1)]),
            "noise": (on_path - noisy).sum() / frames,
        }
        np.testing.assert_allclose(evidence, [expected[name] for name in EVIDENCE], rtol=1e-9)


def test_evidence_does_not_depend_on_the_company(fitted, utterances):
    models, noise = fitted.acoustics, fitted.rejection.noise
    together = examine(models, noise, utterances)
    for i, features in enumerate(utterances):
        alone = examine(models, noise, [features])
        np.testing.assert_allclose(alone.evidence[0], together.evidence[i])
        np.testing.assert_array_equal(alone.spans[0], together.spans[i])


def test_a_word_left_out_is_as_if_it_had_never_been(fitted, utterances):
    models = fitted.acoustics
    for lacking in range(len(WORDS)):
        kept = [w for w in range(len(WORDS)) if w != lacking]
        rows = np.append(np.concatenate([models.rows(w)[1:-1] for w in kept]), len(models.bank.weights) - 1)
        smaller = replace(models, bank=models.bank.take(rows), chain=models.chain.word(kept))
        left_out = examine(models, fitted.rejection.noise, utterances, left_out=np.full(len(utterances), lacking))
        without = examine(smaller, fitted.rejection.noise, utterances)
        np.testing.assert_allclose(left_out.evidence, without.evidence)
        np.testing.assert_allclose(left_out.scores[:, kept], without.scores)
        assert np.isneginf(left_out.scores[:, lacking]).all()


def test_words_that_are_not_chosen_from_still_speak_against_the_others(fitted):
    features = [extract(fitted.front_end, say("rise"))]
    models, noise = fitted.acoustics, fitted.rejection.noise
    other = np.array([WORDS.index("hum")])
    lead = EVIDENCE.index("lead")
    assert (
        examine(models, noise, features, other).evidence[0, lead]
        < 0
        < examine(models, noise, features).evidence[0, lead]
    )
    result = Recognizer(fitted).recognize(say("rise"), RATE, words=["hum"])
    assert (result.word, result.reason) == (None, verification.NO_WORD)


def test_utterances_shorter_than_a_word_have_no_evidence(fitted, utterances):
    found = examine(fitted.acoustics, fitted.rejection.noise, [utterances[0][:3], utterances[0]])
    assert np.isneginf(found.scores[0]).all()
    assert not found.evidence[0].any()
    assert np.isfinite(found.evidence).all()


def test_a_vocabulary_of_one_word_has_evidence_too(fitted, utterances):
    models = fitted.acoustics
    rows = np.append(models.rows(0)[1:-1], len(models.bank.weights) - 1)
    one = replace(models, bank=models.bank.take(rows), chain=models.chain.word([0]))
    found = examine(one, fitted.rejection.noise, utterances)
    assert np.isfinite(found.evidence).all()
    assert not found.evidence[:, EVIDENCE.index("lead")].any()


# The decision


SOUNDS = [say(word, take=take) for take in range(3) for word in WORDS] + [
    np.random.default_rng(seed).standard_normal(RATE // 2) * np.hanning(RATE // 2) ** power * 0.1
    for seed, power in enumerate((0.5, 1, 4, 16))
]


def test_rejection_never_changes_the_candidates(fitted):
    recognizer = Recognizer(fitted)
    for sound in SOUNDS:
        results = [recognizer.recognize(sound, RATE, threshold=t) for t in (0, "lenient", "normal", "strict", 1)]
        assert len({r.nbest for r in results}) == 1
        assert len({(r.start, r.end, r.confidence) for r in results}) == 1
        for result in results:
            assert result.accepted == (result.word is not None) == (result.reason is None)
            assert result.word in (None, result.nbest[0].word)


def test_stricter_points_accept_less(fitted):
    recognizer = Recognizer(fitted)
    accepted = [
        {i for i, sound in enumerate(SOUNDS) if recognizer.recognize(sound, RATE, threshold=threshold).accepted}
        for threshold in (0, "lenient", "normal", "strict", 1)
    ]
    for looser, stricter in pairwise(accepted):
        assert stricter <= looser
    assert accepted[0] == set(range(len(SOUNDS)))
    thresholds = fitted.rejection.thresholds
    assert 0 <= thresholds["lenient"] <= thresholds["normal"] <= thresholds["strict"] <= 1


def test_words_are_accepted_and_noises_are_not(fitted):
    recognizer = Recognizer(fitted)
    words = [recognizer.recognize(say(word, take=take), RATE) for word in WORDS for take in range(20, 24)]
    assert sum(r.accepted for r in words) >= 15
    noises = [recognizer.recognize(sound, RATE) for sound in SOUNDS[-4:]]
    assert not any(r.accepted for r in noises)
    assert {r.reason for r in noises} == {verification.NO_WORD}


def test_a_number_bounds_both_probabilities(fitted):
    """Once the word is surely known, the runner-up decides."""
    sure = replace(fitted.rejection, weights=np.zeros(len(EVIDENCE)), bias=50.0)
    recognizer = Recognizer(replace(fitted, rejection=sure, calibration=replace(fitted.calibration, scale=1e-3)))
    result = recognizer.recognize(say("rise"), RATE, threshold=0)
    probability = result.confidence
    assert 0.25 < probability < 0.9
    assert recognizer.recognize(say("rise"), RATE, threshold=probability - 1e-6).word == "rise"
    rejected = recognizer.recognize(say("rise"), RATE, threshold=probability + 1e-6)
    assert (rejected.word, rejected.reason) == (None, verification.TOO_CLOSE)
    unsure = Recognizer(replace(recognizer.model, rejection=replace(sure, bias=-1.0)))
    known = 1 / (1 + np.e)
    assert unsure.recognize(say("rise"), RATE, threshold=known - 1e-6).word == "rise"
    assert unsure.recognize(say("rise"), RATE, threshold=known + 1e-6).reason == verification.NO_WORD


def test_confidence_falls_with_the_doubt_that_it_is_a_word(fitted):
    for result in (Recognizer(fitted).recognize(sound, RATE, threshold=0) for sound in SOUNDS):
        assert isinstance(result.nbest[0], Candidate)
        assert sum(c.confidence for c in result.nbest) <= 1 + 1e-9
    doubtful = replace(fitted, rejection=replace(fitted.rejection, bias=fitted.rejection.bias - 20))
    sure = Recognizer(fitted).recognize(say("rise"), RATE, threshold=0).confidence
    assert Recognizer(doubtful).recognize(say("rise"), RATE, threshold=0).confidence < 0.1 < sure


def test_confidence_takes_other_sounds_to_be_as_usual_as_words(fitted):
    """Both probabilities by hand, from the evidence and from the scores; their product, of every word."""
    models, rejection = fitted.acoustics, fitted.rejection
    for samples in SOUNDS:
        result = Recognizer(fitted).recognize(samples, RATE, threshold=0)
        analysis = fitted.analyser.analyse(prepare(samples, RATE, RATE))
        found = examine(models, rejection.noise, list(analysis.features))
        known = expit(found.evidence[0] @ rejection.weights + rejection.bias)
        among = softmax(fitted.calibration.scale * found.scores[0])
        assert [c.confidence for c in result.nbest] == pytest.approx(sorted(known * among, reverse=True), abs=1e-6)
        confidences = [c.confidence for c in result.nbest]
        assert confidences == sorted(confidences, reverse=True), "as the scores rank them"


def test_only_words_that_are_longer_than_the_utterance(fitted):
    """All but one word need five frames; that one may begin in its last state."""
    entry = fitted.acoustics.chain.log_entry.copy()
    entry[0, -2] = np.log(0.5)
    chain = replace(fitted.acoustics.chain, log_entry=entry)
    model = replace(fitted, acoustics=replace(fitted.acoustics, chain=chain))
    assert model.acoustics.least_frames == 1
    samples = say("rise")[RATE // 4 : RATE // 4 + RATE // 20]
    assert 1 <= len(extract(model.front_end, samples)) < model.acoustics.states
    for tried in (model, replace(model, rejection=None)):
        recognizer = Recognizer(tried)
        assert [c.word for c in recognizer.recognize(samples, RATE, threshold=0).nbest] == [model.words[0]]
        result = recognizer.recognize(samples, RATE, words=model.words[1:])
        assert (result.word, result.reason, result.nbest, result.confidence) == (None, "too short", (), 0.0)
    noise = model.rejection.noise
    found = examine(model.acoustics, noise, [extract(model.front_end, samples)], np.arange(1, len(model.words)))
    assert np.isneginf(found.scores).all()
    np.testing.assert_array_equal(found.evidence, np.zeros((1, len(EVIDENCE))))
    believed = belief(found.scores, found.evidence, model.calibration, model.rejection)
    np.testing.assert_array_equal(believed.confidence, np.zeros(found.scores.shape))


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.zeros(10), 1e-6 * np.ones(RATE)])
def test_silence_and_scraps_have_their_own_reasons(fitted, samples):
    result = Recognizer(fitted).recognize(samples, RATE)
    assert result.reason == ("too short" if len(samples) < 100 else "too quiet")
    assert not result.nbest


@pytest.mark.parametrize("threshold", ["severe", "", -0.1, 1.1, float("nan")])
def test_what_is_no_threshold_is_refused_at_once(fitted, threshold):
    with pytest.raises(ModelError, match=r"threshold .* not"):
        Recognizer(fitted).recognize_files([], threshold=threshold)
    with pytest.raises(ModelError, match="threshold"):
        least_probability(threshold, None)


def test_a_model_without_rejection_rejects_by_the_runner_up_only(fitted):
    recognizer = Recognizer(replace(fitted, rejection=None))
    assert all(recognizer.recognize(sound, RATE, threshold=p).accepted for sound in SOUNDS for p in REFUSED)
    assert all(0 <= recognizer.recognize(sound, RATE, threshold=0.5).confidence <= 1 for sound in SOUNDS)


# Fitting


def test_logistic_regression_finds_the_maximum():
    random = np.random.default_rng(0)
    evidence = random.standard_normal((300, 3)) * [1, 10, 0.1] + [5, 0, -1]
    label = np.where(evidence @ [1, 0.1, -3] + random.standard_normal(300) > 8, 1.0, -1.0)
    weight = random.uniform(0.5, 2, 300)
    weights, bias = logistic_regression(evidence, label, weight)
    spread = np.sqrt(np.average((evidence - np.average(evidence, 0, weight)) ** 2, 0, weight))

    def loss(x):
        odds = label * (evidence @ x[:3] + x[3])
        return weight @ np.log1p(np.exp(-odds)) + verification.L2 / 2 * ((x[:3] * spread) ** 2).sum()

    expected = minimize(
        loss, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 9999}
    )
    np.testing.assert_allclose(np.append(weights, bias), expected.x, rtol=1e-3)
    assert loss(np.append(weights, bias)) <= expected.fun + 1e-6


def test_logistic_regression_ignores_evidence_that_never_varies():
    random = np.random.default_rng(1)
    evidence = np.column_stack([np.full(50, 7.0), random.standard_normal(50)])
    label = np.sign(evidence[:, 1] + 0.1 * random.standard_normal(50))
    weights, bias = logistic_regression(evidence, label, np.ones(50))
    assert abs(weights[0]) < 1e-9
    assert np.isfinite(bias)


def test_quantiles_are_weighted():
    values = np.array([0.4, 0.1, 0.3, 0.2])
    assert quantile(values, np.ones(4), 0.3) == 0.2
    assert quantile(values, np.array([1, 97, 1, 1.0]), 0.5) == 0.1
    assert quantile(values, np.ones(4), 0.0) == 0.1


def made_up_trials(rng: np.random.Generator, speakers: int) -> tuple[list[Trial], np.ndarray]:
    """Evidence that tells nothing: known and other sounds have the same; one take a speaker, all recognised."""
    nothing = np.zeros((0, len(EVIDENCE)))
    truth = rng.integers(0, 3, size=speakers)
    scores = np.where(np.arange(3) == truth[:, None], 100.0, -100.0)
    known, others = (rng.standard_normal((speakers, len(EVIDENCE))) for _ in range(2))
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
    rng, refused = np.random.default_rng(0), {"strict": [], "in-sample": []}
    for _ in range(30):
        trial, groups = made_up_trials(rng, 25)
        calibration, rejection = trials._fit(fitted.rejection.noise, trial, groups, np.ones(len(groups)), [])
        new = rejection.known(rng.standard_normal((1000, len(EVIDENCE))))
        in_sample = belief(trial[0].scores, trial[0].evidence, calibration, rejection).lesser
        refused["strict"].append((new < rejection.thresholds["strict"]).mean())
        refused["in-sample"].append((new < quantile(in_sample, np.ones(25), REFUSED["strict"])).mean())
    assert np.mean(refused["in-sample"]) > 2 * REFUSED["strict"], "what this is about"
    assert np.mean(refused["strict"]) < 1.3 * REFUSED["strict"]


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


def test_few_recordings_get_the_default(built):
    """`built` holds out sixteen."""
    assert built.card["held_out"] is None
    assert built.rejection.thresholds == verification.DEFAULT_THRESHOLDS
    assert tuple(built.rejection.weights) == verification.DEFAULT_WEIGHTS
    recognizer = Recognizer(built)
    assert all(recognizer.recognize(say(word), RATE).word == word for word in WORDS)


def test_training_without_calibration_rejects_nothing(recordings, small):
    model, _ = build(find(recordings), settings=small, calibrate=False)
    assert model.rejection is None


def test_what_recognition_runs_imports_no_library_of_the_training():
    """Not what fits weights or makes intervals: it would take longer to load than to recognise a word."""
    code = """
import sys
import numpy as np
import recognizer.intervals, recognizer.training.trials, recognizer.adaptation.unlabelled
from recognizer.recognition.calibration import Calibration
from recognizer.recognition.verification import Rejection, belief, is_sure
believed = belief(np.zeros((2, 3)), np.ones((2, 5)), Calibration(), Rejection(None, np.ones(5), 0.0, {}))
assert is_sure(believed, 0.5).shape == (2,)
print([m for m in sys.modules if m.startswith(("sklearn", "scipy.stats", "scipy.optimize", "scipy.special"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
