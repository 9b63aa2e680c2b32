"""The decision, its operating points, and how evidence is weighed; the evidence itself has tests of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from extracting import extract
from scipy.optimize import minimize
from scipy.special import expit, logit, softmax
from sklearn import neural_network
from synthetic import RATE, WORDS, say

from recognizer import ModelError, Recognizer
from recognizer.corpus import find
from recognizer.recognition import verification
from recognizer.recognition.evidence import SUMMARY, examine, stays
from recognizer.recognition.result import Candidate
from recognizer.recognition.verification import (
    BY_OTHERS,
    REFUSED,
    Rejection,
    belief,
    fit_rejection,
    least_beside,
    least_probability,
    logistic_regression,
    networks,
    quantile,
)
from recognizer.sound.audio import prepare
from recognizer.training.building import build

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
    sure = replace(fitted.rejection, weights=np.zeros(len(SUMMARY)), bias=50.0)
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
        known = expit(found.evidence[0, : len(SUMMARY)] @ rejection.weights + rejection.bias)
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
    assert not found.evidence.any()
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


@pytest.mark.parametrize("known", [0.0, 0.01, 0.2, 0.5, 0.9])
def test_a_threshold_beside_no_word_stands_for_odds_with_another_beginning(known):
    """The evidence that brings evens to the one brings the prior to the other; none is easier to reach than alone."""
    least = np.array([0.05, 0.3, 0.9])
    beside = np.array([verification.least_beside(x, known) for x in least])
    prior = min(0.5, verification.ALIKE * known + 0.5 * (1 - verification.ALIKE))
    np.testing.assert_allclose(logit(beside) + logit(prior), logit(least), atol=1e-12)
    assert (beside >= least).all()
    assert [least_beside(x, known) for x in (0.0, 1.0)] == [0.0, 1.0]


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


def made_up_rejection(random: np.random.Generator, size: int, units: int) -> Rejection:
    """Random weights of as much evidence, which lies from -3 to 3, and a network of as many units."""
    ends = np.full(size, 3.0)
    hidden, output = random.standard_normal((size + 1, units)), random.standard_normal(units)
    return Rejection(None, -ends, ends, random.standard_normal(size), 0.3, hidden, output, {})


@pytest.mark.parametrize("units", [0, 1, 7])
def test_known_is_what_weights_and_network_say(units):
    """One number at a time: the weighted sum, and every unit that is over zero."""
    random = np.random.default_rng(units)
    rejection = made_up_rejection(random, 4, units)
    evidence = random.uniform(-3, 3, (5, 2, 6))  # more than is weighed
    known = rejection.known(evidence)
    assert known.shape == (5, 2)
    for place in np.ndindex(5, 2):
        log_odds = rejection.bias
        for e in range(4):
            log_odds += evidence[place][e] * rejection.weights[e]
        for unit in range(units):
            value = rejection.hidden[4, unit]
            for e in range(4):
                value += evidence[place][e] * rejection.hidden[e, unit]
            if value > 0:
                log_odds += value * rejection.output[unit]
        assert known[place] == pytest.approx(1 / (1 + np.exp(-log_odds)), rel=1e-12)


def test_evidence_out_of_range_is_brought_to_its_ends():
    random = np.random.default_rng(0)
    rejection = made_up_rejection(random, 4, 3)
    for evidence in random.uniform(-3, 3, (20, 4)):
        for e, end in ((0, rejection.least[0]), (3, rejection.most[3])):
            at_end, beyond, far = (np.where(np.arange(4) == e, end * by, evidence) for by in (1, 1.5, 1e300))
            assert rejection.known(at_end) == rejection.known(beyond) == rejection.known(far)
            assert rejection.known(at_end) != rejection.known(np.where(np.arange(4) == e, 0.9 * end, evidence))


def test_networks_side_by_side_give_the_mean_of_their_log_odds(monkeypatch):
    found = []

    class Noted(neural_network.MLPClassifier):
        def fit(self, evidence, label):
            found.append(super().fit(evidence, label))
            return self

    monkeypatch.setattr(neural_network, "MLPClassifier", Noted)
    random = np.random.default_rng(0)
    evidence = random.standard_normal((400, 3))
    label = np.where(evidence[:, 0] + random.standard_normal(400) > 0, 1.0, -1.0)
    hidden, output, bias = networks(evidence, label, random.uniform(0.5, 2, 400))
    assert len(found) == verification.NETWORKS
    assert hidden.shape == (4, verification.NETWORKS * verification.HIDDEN) == (4, len(output))
    tested = random.standard_normal((50, 3))
    together = np.maximum(np.column_stack([tested, np.ones(50)]) @ hidden, 0) @ output + bias
    separate = np.array([logit(network.predict_proba(tested)[:, 1]) for network in found])
    np.testing.assert_allclose(together, separate.mean(0), rtol=1e-9, atol=1e-9)
    assert np.ptp(separate, axis=0).min() > 0, "each saw another sample, and began elsewhere"


def test_networks_see_examples_as_often_as_these_count():
    """What does not count is never drawn: it would not be finite. What counts for all makes it sure."""
    random = np.random.default_rng(1)
    evidence, label = random.standard_normal((6000, 2)), np.resize([1.0, -1.0], 6000)
    share = np.ones(6000)
    evidence[:50], share[:50] = np.nan, 0.0
    share[label > 0] *= 50
    hidden, output, bias = networks(evidence, label, share)
    log_odds = np.maximum(evidence[50:] @ hidden[:-1] + hidden[-1], 0) @ output + bias
    assert (log_odds > 1).all()


def examples(random: np.random.Generator, known: int, other: int, size: int) -> tuple[np.ndarray, ...]:
    """Evidence that is different by its first number, on any scale, and what each example counts."""
    scale, centre = 10.0 ** random.uniform(-2, 2, size), random.normal(0, 100, size)
    words, others = (random.standard_normal((count, size)) for count in (known, other))
    words[:, 0] += 2
    weights = (random.uniform(0.5, 2, count) for count in (known, other))
    return words * scale + centre, next(weights), others * scale + centre, next(weights)


def test_the_range_is_five_standard_deviations_about_the_mean_of_both_sides():
    """Both count the same, however many there are of either."""
    known, known_weight, other, other_weight = examples(np.random.default_rng(0), 40, 200, 8)
    found = fit_rejection(None, known, known_weight, other, other_weight)
    for e in range(len(SUMMARY)):
        first, second = (
            (np.average(known[:, e] ** n, weights=known_weight) + np.average(other[:, e] ** n, weights=other_weight))
            / 2
            for n in (1, 2)
        )
        reach = 5 * (second - first**2) ** 0.5
        assert (found.least[e], found.most[e]) == pytest.approx((first - reach, first + reach), rel=1e-5)


@pytest.mark.parametrize(("known", "other"), [(299, 400), (400, 299), (40, 20)])
def test_little_evidence_is_weighed_by_its_summary_alone(known, other):
    given = examples(np.random.default_rng(0), known, other, 12)
    found = fit_rejection(None, *given)
    assert (found.size, found.hidden.shape, found.output.shape) == (5, (6, 0), (0,))
    known_, known_weight, other_, other_weight = given
    evidence = np.clip(np.concatenate([known_, other_])[:, :5], found.least, found.most)
    label = np.repeat([1.0, -1.0], [known, other])
    weight = np.concatenate([known_weight / known_weight.sum(), other_weight / other_weight.sum()]) / 2
    weights, bias = logistic_regression(evidence, label, verification.EFFECTIVE * weight)
    np.testing.assert_allclose(found.weights, weights)
    assert found.bias == pytest.approx(bias)
    summary_only = fit_rejection(None, known_[:, :5], known_weight, other_[:, :5], other_weight)
    np.testing.assert_array_equal(summary_only.weights, found.weights)
    np.testing.assert_array_equal(found.known(known_), found.known(known_[:, :5]))


def test_much_evidence_is_weighed_by_a_network():
    """The same network that is fitted to standardised evidence, for evidence as it comes."""
    random, enough = np.random.default_rng(0), verification.ENOUGH_FOR_NETWORK
    known, known_weight, other, other_weight = given = examples(random, enough, enough, 12)
    found = fit_rejection(None, *given)
    assert found.size == 12
    assert not found.weights.any()
    assert len(found.output) == verification.NETWORKS * verification.HIDDEN
    evidence = np.concatenate([known, other])
    centre = (found.least + found.most) / 2
    spread = (found.most - centre) / verification.FARTHEST
    standard = (np.clip(evidence, found.least, found.most) - centre) / spread
    share = np.concatenate([known_weight / known_weight.sum(), other_weight / other_weight.sum()]) / 2
    hidden, output, bias = networks(standard, np.repeat([1.0, -1.0], enough), share)
    log_odds = np.maximum(np.column_stack([standard, np.ones(2 * enough)]) @ hidden, 0) @ output + bias
    np.testing.assert_allclose(logit(found.known(evidence)), log_odds, rtol=1e-4, atol=1e-4)


def test_a_network_learns_what_no_line_can_tell():
    """Words have two kinds of evidence alike, other sounds have them opposite."""
    random = np.random.default_rng(2)

    def drawn(sign):
        one = random.standard_normal((6000, 6))
        one[:, 5] = sign * one[:, 4] + 0.1 * random.standard_normal(6000)
        return one

    found = fit_rejection(None, drawn(1), np.ones(6000), drawn(-1), np.ones(6000))
    assert (found.known(drawn(1)) > 0.5).mean() > 0.85 < (found.known(drawn(-1)) < 0.5).mean()


@pytest.mark.parametrize("count", [50, 400])
def test_evidence_that_never_varies_does_no_harm(count):
    known, known_weight, other, other_weight = examples(np.random.default_rng(3), count, count, 7)
    for evidence in (known, other):
        evidence[:, 1] = 7.0
    found = fit_rejection(None, known, known_weight, other, other_weight)
    for array in (found.least, found.most, found.weights, found.hidden, found.output, found.known(known)):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("states", [1, 5, 8])
def test_the_default_weighs_the_summary_and_how_evenly_states_share_the_word(states):
    plain = verification.default(None, states)
    rng = np.random.default_rng(0)
    evidence = rng.normal(0, 30, (10, 200))
    share = evidence[:, stays(states)].mean(1)
    log_odds = evidence[:, :5] @ np.array(BY_OTHERS.weights) + BY_OTHERS.evenness * share
    log_odds += BY_OTHERS.against_noise * np.minimum(evidence[:, SUMMARY.index("noise")], 0)
    np.testing.assert_allclose(plain.known(evidence), expit(log_odds + BY_OTHERS.bias))
    assert plain.thresholds == BY_OTHERS.thresholds
    assert 0 < plain.thresholds["lenient"] < plain.thresholds["normal"] < plain.thresholds["strict"] < 1


def test_by_the_default_an_even_word_is_likelier_than_one_that_hangs_on_a_state():
    """Of the same length; whatever else is known of them."""
    even, hung = np.array([10, 10, 10, 10, 10]), np.array([1, 1, 46, 1, 1])
    assert even.sum() == hung.sum()
    plain, evidence = verification.default(None, 5), np.zeros((2, 200))
    evidence[:, stays(5)] = np.log1p([even, hung])
    known = plain.known(evidence)
    odds = known / (1 - known)
    assert odds[0] > 10 * odds[1]


def test_quantiles_are_weighted():
    values = np.array([0.4, 0.1, 0.3, 0.2])
    assert quantile(values, np.ones(4), 0.3) == 0.2
    assert quantile(values, np.array([1, 97, 1, 1.0]), 0.5) == 0.1
    assert quantile(values, np.ones(4), 0.0) == 0.1


def test_few_recordings_get_the_default(built):
    """`built` holds out sixteen."""
    assert built.card["held_out"] is None
    assert built.rejection.thresholds == BY_OTHERS.thresholds
    assert tuple(built.rejection.weights[: len(SUMMARY)]) == BY_OTHERS.weights
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
ends, network = (-np.ones(5), np.ones(5)), (np.ones((6, 4)), np.ones(4))
rejection = Rejection(None, *ends, np.ones(5), 0.0, *network, {})
believed = belief(np.zeros((2, 3)), np.ones((2, 9)), Calibration(), rejection)
assert is_sure(believed, 0.5).shape == (2,)
print([m for m in sys.modules if m.startswith(("sklearn", "scipy.stats", "scipy.optimize", "scipy.special"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
