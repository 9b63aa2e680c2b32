"""States that words share: which they are, that sums add up, and that all else works as with states of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from synthetic import RATE, SPEAKERS, WORDS, record, say
from test_reestimation import DIMS, random_bank
from test_training import PLACES, corpus, same_models, sizes, trained

from recognizer.acoustics.chain import TOPOLOGIES, Chain
from recognizer.acoustics.density import KINDS, arrays_of
from recognizer.acoustics.statistics import Statistics
from recognizer.acoustics.word_models import WordModels
from recognizer.corpus import find
from recognizer.errors import TrainingError
from recognizer.recognition import decoding
from recognizer.recognition.decoding import score_words
from recognizer.recognizer import Recognizer
from recognizer.speakers import store
from recognizer.training import training, trials
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings
from recognizer.training.tying import loss, tied

SUMS = ("occupancy", "first_order", "second_order", "transition_counts")
seeds = st.integers(0, 2**32 - 1)


def tied_models(random, kind: str, words: int, states: int, rows: int, topology: str = "left-right") -> WordModels:
    """Words whose states have rows at random, some of them the same in one word; each row is a state's."""
    tying = np.append(np.arange(rows), random.integers(0, rows, words * states - rows))
    bank = random_bank(random, KINDS[kind], rows + 1)
    return WordModels(
        bank, Chain.of_topology(words, states, topology), tying=random.permutation(tying).reshape(words, states)
    )


def apart(models: WordModels) -> WordModels:
    """The same, but every state has a copy of its density for itself."""
    silence = len(models.bank.weights) - 1
    return replace(models, bank=models.bank.take(np.append(models.tying.ravel(), silence)), tying=None)


def spoken(random, words: int, states: int, takes: int = 3) -> tuple[list[np.ndarray], np.ndarray]:
    labels = np.arange(takes * words) % words
    return [random.normal(0, 1.5, (random.integers(states, states + 9), DIMS)) for _ in labels], labels


def statistics_of(frames: list[np.ndarray]) -> Statistics:
    """Of single Gaussians, from frames of each."""
    moments = (np.stack([power(f).sum(0) for f in frames])[:, None] for power in (np.asarray, np.square))
    return Statistics(np.array([[len(f)] for f in frames], float), *moments, np.zeros((0, 0, 0)))


# The decision


def likelihood(frames: np.ndarray, floor: float) -> float:
    """Of the Gaussian that fits frames best, literally, with a variance of at least the floor."""
    deviation = np.sqrt(np.maximum(frames.var(0), floor))
    return float(norm.logpdf(frames, frames.mean(0), deviation).sum())


@settings(max_examples=30)
@given(seeds, st.floats(0.01, 3))
def test_what_a_gaussian_of_sums_loses_is_what_its_frames_say(seed, floor):
    random = np.random.default_rng(seed)
    frames = [
        random.normal(random.normal(0, 3, 2), random.uniform(0.1, 2, 2), (random.integers(1, 20), 2)) for _ in "ab"
    ]
    found = [loss(np.concatenate([[len(f)], f.sum(0), (f**2).sum(0)]), np.full(2, floor)) for f in frames]
    shared = [np.log(2 * np.pi) * len(f) for f in frames]
    np.testing.assert_allclose(found, [-likelihood(f, floor) - s for f, s in zip(frames, shared)], rtol=1e-6, atol=1e-6)


@settings(max_examples=15)
@given(seeds, st.integers(3, 6), st.integers(2, 3))
def test_states_are_tied_as_the_best_of_all_ways_does(seed, states, count):
    """Where there are clear clusters, what is found from the top down is what trying all partitions finds."""
    random = np.random.default_rng(seed)
    places = 12.0 * np.array([(0, 0), (1, 0), (0, 1)])
    own = np.append(np.arange(count), random.integers(0, count, states - count))
    frames = [random.normal(places[o], random.uniform(0.5, 2, 2), (random.integers(5, 40), 2)) for o in own]

    def total(clusters) -> float:
        return sum(
            likelihood(np.concatenate([f for f, c in zip(frames, clusters) if c == number]), 0.1)
            for number in set(clusters)
        )

    found = tied(statistics_of(frames), count, np.full(2, 0.1))
    assert total(found.tolist()) == pytest.approx(max(map(total, product(range(count), repeat=states))))


def test_clusters_are_numbered_as_they_appear_and_same_states_are_one():
    random = np.random.default_rng(0)
    one, other = random.normal(0, 1, (20, 2)), random.normal(20, 1, (20, 2))
    alike = statistics_of([other, one, one, other, other])
    assert tied(alike, 2, np.ones(2)).tolist() == [0, 1, 1, 0, 0]
    assert tied(alike, 4, np.ones(2)).tolist() == [0, 1, 1, 0, 0], "nothing is gained by more"
    unheard = statistics_of([one, np.zeros((0, 2)), other])
    assert sorted(set(tied(unheard, 2, np.ones(2)).tolist())) == [0, 1]


def test_states_of_the_same_sounds_are_tied():
    features, words, spans, _ = corpus(seed=1, takes=10)
    places, own = np.unique(PLACES.reshape(-1, 2), axis=0, return_inverse=True)
    models = trained(features, words, spans, sizes(tie=len(places)))
    np.testing.assert_array_equal(
        models.tying.ravel()[:, None] == models.tying.ravel(), own.ravel()[:, None] == own.ravel()
    )
    assert models.tied_states == len(places) == len(models.bank.weights) - 1
    means, _ = models.bank.moments(models.tying.ravel())
    np.testing.assert_allclose(means, PLACES.reshape(-1, 2), atol=1)
    unseen, truth, _, _ = corpus(seed=2, takes=20)
    assert (score_words(models, unseen).argmax(1) == truth).all()


def test_progress_tells_of_the_decision_first():
    features, words, spans, _ = corpus()
    seen = []
    models = trained(features, words, spans, sizes(tie=5), after_iteration=lambda *step: seen.append(step))
    stages = list(dict.fromkeys(stage for stage, *_ in seen))
    assert stages == ["tying", *models.history]
    expected = [(stage, i, x) for stage, curve in models.history.items() for i, x in enumerate(curve, 1)]
    assert [step for step in seen if step[0] != "tying"] == expected


@pytest.mark.parametrize("tie", [9, 10, 10**6])
def test_as_many_tied_states_as_there_are_states_are_none(tie):
    features, words, spans, _ = corpus()
    models = trained(features, words, spans, sizes(tie=tie))
    assert models.tying is None
    same_models(models, trained(features, words, spans, sizes()))


@pytest.mark.parametrize("tie", [-1, 0, 1, 4])
def test_fewer_tied_states_than_a_word_has_are_refused(tie):
    with pytest.raises(TrainingError, match=f"^tie is {tie}; it must be 5 or more, the states of a word$"):
        TrainingSettings(tie=tie)


# Sums


@settings(max_examples=30)
@given(seeds, st.integers(1, 12), st.booleans())
def test_mixtures_of_one_row_add_up(seed, mixtures, shared):
    random = np.random.default_rng(seed)
    rows = random.integers(0, 6, mixtures)
    moments = (random.random((1 if shared else mixtures, 2, 3)) for _ in range(2))
    part = Statistics(random.random((mixtures, 2)), *moments, random.random((1, 3, 4)), -3.0, 7.0, shared)
    once, found = part.each_once(rows)
    assert sorted(once.tolist()) == sorted(set(rows.tolist()))
    for name in SUMS[:3]:
        given_, sums = getattr(part, name), getattr(found, name)
        expected = given_ if shared and name != "occupancy" else [sum(given_[rows == row]) for row in once]
        np.testing.assert_allclose(sums, expected)
    np.testing.assert_array_equal(found.transition_counts, part.transition_counts)
    assert (found.log_likelihood, found.frames, found.shared) == (-3.0, 7.0, shared)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", training.STAGES)
@settings(max_examples=10)
@given(seeds, st.integers(1, 4), st.integers(1, 3), st.sampled_from([1, 10**6]))
def test_sums_of_a_row_are_those_of_all_its_states(stage, kind, seed, words, states, held):
    random = np.random.default_rng(seed)
    models = tied_models(random, kind, words, states, random.integers(1, words * states + 1))
    features, labels = spoken(random, words, states)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "CHUNK_FRAMES", held)
        chunks = training.chunks_of(features, labels)
    found, each = (training.accumulate(m, chunks, training.STAGES[stage]) for m in (models, apart(models)))
    rows = np.append(models.tying.ravel(), models.tied_states)
    for name in SUMS:
        sums = expected = getattr(each, name)
        if name == "occupancy" or not (each.shared or name == "transition_counts"):
            expected = np.zeros_like(getattr(found, name))
            np.add.at(expected, rows, sums)
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-9, atol=1e-9, err_msg=name)
    assert found.log_likelihood == pytest.approx(each.log_likelihood)


@pytest.mark.parametrize("kind", ["continuous", "semi-continuous"])
@settings(max_examples=8)
@given(seeds)
def test_no_iteration_makes_the_recordings_less_likely(kind, seed):
    features, words, spans, _ = corpus(seed=seed, stay=(1, 12))
    models = trained(features, words, spans, sizes(density=kind, tie=4, tolerance=0.0, max_iterations=10))
    assert models.tied_states == 4
    for curve in models.history.values():
        assert np.diff(curve).min(initial=0) > -1e-9


# What is made of it


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_states_that_are_alike(kind, topology):
    random = np.random.default_rng(3)
    models = tied_models(random, kind, 6, 3, 7, topology)
    features, _ = spoken(random, 6, 3)
    np.testing.assert_allclose(score_words(models, features), score_words(apart(models), features), rtol=1e-12)
    np.testing.assert_allclose(
        score_words(models, features, np.array([4, 1])), score_words(apart(models), features)[:, [4, 1]], rtol=1e-12
    )


@pytest.mark.parametrize("kind", ["continuous", "semi-continuous"])
def test_a_fast_match_of_tied_states_is_that_of_states_that_are_alike(kind):
    random = np.random.default_rng(4)
    models = tied_models(random, kind, decoding.LARGE + 20, 3, 90)
    features, _ = spoken(random, 10, 3)
    for f in features:
        fits = [m.fast_match.scores(f) for m in (models, apart(models))]
        one, other = (fit - fit.max() for fit in fits)
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    whole = score_words(models, features)
    for group, scores, decoded in decoding.shortlisted(models, features):
        expected = np.take_along_axis(whole[group], decoded.words, 1)
        np.testing.assert_allclose(scores, expected, rtol=1e-9)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return find(record(tmp_path_factory.mktemp("few"), WORDS, SPEAKERS[:3], 2))


@pytest.mark.parametrize("density", KINDS)
def test_jobs_and_memory_change_nothing(few, density):
    chosen = TrainingSettings(
        3, density=density, mixtures=1, tie=7, codebook=8 if KINDS[density].has_codebook else None
    )
    one, other = (build(few, settings=chosen, **how)[0].acoustics for how in ({}, {"jobs": 2, "memory": 1000}))
    assert one.tied_states == 7
    np.testing.assert_array_equal(one.tying, other.tying)
    for name, array in arrays_of(one.bank).items():
        np.testing.assert_array_equal(getattr(other.bank, name), array)


def test_the_models_of_trials_are_tied_likewise(few, monkeypatch):
    monkeypatch.setattr(trials, "FEWEST_TO_CALIBRATE", 4)
    tried, examine = [], trials.examine
    monkeypatch.setattr(trials, "examine", lambda models, *x, **y: tried.append(models) or examine(models, *x, **y))
    model, _ = build(few, settings=TrainingSettings(mixtures=1, tie=11))
    assert {models.tied_states for models in [*tried, model.acoustics]} == {11}
    assert len(tried) > 1


@pytest.mark.parametrize("tie", [6, 10])
def test_words_are_heard_with_half_and_a_third_of_the_states(recordings, enroll, tie):
    """By a voice that was not heard in training, and by a strange one once it has enrolled."""
    model, _ = build(find(recordings), settings=TrainingSettings(mixtures=2, tie=tie), few=False)
    assert model.acoustics.tied_states == tie
    fitted = enroll("eve", model)
    np.testing.assert_array_equal(fitted.acoustics.tying, model.acoustics.tying)
    assert fitted.acoustics.tied_states == tie
    for own in (model, fitted, store.load("eve").apply(model)):
        answers = [
            Recognizer(own).recognize(say(word, take=take), RATE, threshold=0) for word in WORDS for take in (1, 2)
        ]
        assert [answer.word for answer in answers] == list(np.repeat(WORDS, 2))
    assert np.abs(fitted.acoustics.bank.means - model.acoustics.bank.means).max() > 0.01
