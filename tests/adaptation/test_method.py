"""The methods put together: the likelihood rises, what was not said stays, and wrong names are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from adapting import (
    GAUSSIANS,
    chunks_of,
    cmllr_auxiliary,
    mllr_auxiliary,
    random_models,
    same_bank,
    seeds,
    sound_bank,
    speech,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.recursions import soft_posteriors
from recognizer.adaptation import cmllr, map, method, mllr
from recognizer.adaptation.method import KINDS, Method, adapt, maximise, tree_of
from recognizer.errors import AdaptationError
from recognizer.recognition import decoding
from recognizer.training.training import accumulate

quick = settings(max_examples=15, deadline=None)
DIMS = 3


def shifted_voice(random, size=0.15):
    """The transform that makes a made-up speaker of the models."""
    return np.column_stack([random.normal(0, 5 * size, DIMS), np.eye(DIMS) + random.normal(0, size, (DIMS, DIMS))])


def material(seed, words=(0, 0, 1, 2), takes=2):
    """Models, features of a speaker who is shifted from them, and the words said."""
    random = np.random.default_rng(seed)
    models = random_models(random)
    said = np.repeat(words, takes)
    return models, speech(random, models, said, shifted_voice(random)), said


def log_likelihood(models, features, words):
    return accumulate(models, chunks_of(features, words), soft_posteriors).log_likelihood


def every_method():
    return [Method(kind, shape) for kind in KINDS for shape in mllr.SHAPES]


# Tied states


@pytest.mark.parametrize("how", every_method(), ids=lambda how: f"{how.kind}-{how.shape}")
def test_a_tied_state_is_fitted_once_for_all_words_that_have_it(how):
    """To what all of them said, as a bank would be of which one word had it twice."""
    random = np.random.default_rng(7)
    models = random_models(random, words=3, states=2)
    tying = np.array([[0, 1], [1, 2], [3, 0]])
    models = replace(models, bank=models.bank.take(np.array([0, 1, 2, 3, 6])), tying=tying)
    said = np.array([0, 0, 1])
    features = speech(random, models, said, shifted_voice(random))
    before = log_likelihood(models, features, said)
    result = adapt(models, chunks_of(features, said), how)
    assert result.tying is tying
    assert log_likelihood(result, features, said) >= before - 1e-9 * abs(before)
    sound_bank(result.bank)
    apart = replace(models, bank=models.bank.take(np.append(tying.ravel(), 4)), tying=None)
    heard = accumulate(apart, chunks_of(features, said), soft_posteriors)
    sums = accumulate(models, chunks_of(features, said), soft_posteriors)
    for row in range(4):
        own = np.flatnonzero(tying.ravel() == row)
        np.testing.assert_allclose(sums.first_order[row], heard.first_order[own].sum(0), rtol=1e-9, atol=1e-9)
    moved = np.abs(result.bank.means[:4] - models.bank.means[:4]).max((1, 2)) > 1e-6
    if how.kind == "map":
        assert moved.tolist() == [True, True, True, False], "what nobody said, not even in another word, stays"


# The likelihood


@pytest.mark.parametrize("how", every_method(), ids=lambda how: f"{how.kind}-{how.shape}")
def test_what_was_said_becomes_no_less_likely(how):
    for seed in range(4):
        models, features, words = material(seed)
        before = log_likelihood(models, features, words)
        after = log_likelihood(adapt(models, chunks_of(features, words), how), features, words)
        assert after >= before - 1e-9 * abs(before)
        if how.kind != "none":
            assert after > before


@pytest.mark.parametrize("how", every_method(), ids=lambda how: f"{how.kind}-{how.shape}")
def test_the_result_is_sound_and_the_prior_is_left_alone(how):
    models, features, words = material(5)
    before = [getattr(models.bank, name).copy() for name in GAUSSIANS]
    result = adapt(models, chunks_of(features, words), how)
    sound_bank(result.bank)
    for name, values in zip(GAUSSIANS, before):
        np.testing.assert_array_equal(getattr(models.bank, name), values)
    assert models.transform is None
    assert (result.transform is not None) == how.kind.startswith("cmllr")
    assert result.chain is models.chain
    again = adapt(models, chunks_of(features, words), how)
    same_bank(again.bank, result.bank)


def log_prior(bank, prior, tau, weight_tau):
    """Of means and weights in MAP."""
    used = prior.weights > 0
    of_means = -0.5 * tau * ((bank.means - prior.means) ** 2 / prior.variances).sum()
    return of_means + weight_tau * (prior.weights[used] * np.log(bank.weights[used])).sum()


@quick
@given(seeds, st.sampled_from([0.5, 4.0, 20.0]))
def test_the_penalised_likelihood_never_falls_over_rounds_of_map(seed, tau):
    """With the variances kept it is expectation and maximisation, to the letter."""
    models, features, words = material(seed)
    chunks, now, curve = chunks_of(features, words), models, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method, "VARIANCE_TAU", np.inf)
        for _ in range(5):
            statistics = accumulate(now, chunks, soft_posteriors)
            curve.append(statistics.log_likelihood + log_prior(now.bank, models.bank, tau, method.WEIGHT_TAU))
            now = maximise(models, statistics, Method("map", tau=tau), tree_of(models))
    assert (np.diff(curve) >= -1e-8 * np.abs(curve[:-1])).all()


@quick
@given(seeds, st.sampled_from(mllr.SHAPES), st.sampled_from([1.0, 50.0]))
def test_the_penalised_likelihood_never_falls_over_rounds_of_one_transform(seed, shape, prior_frames):
    models, features, words = material(seed)
    base, chunks, now, curve = models.bank, chunks_of(features, words), models, []
    transform = mllr.identity(DIMS)
    for _ in range(5):
        statistics = accumulate(now, chunks, soft_posteriors)
        nothing = statistics.scaled(0.0)
        curve.append(statistics.log_likelihood + mllr_auxiliary(base, nothing, transform, prior_frames))
        transform = mllr.estimate(base, statistics, shape, prior_frames)
        now = replace(models, bank=mllr.move(base, transform[None], np.zeros(len(base.means), dtype=int)))
    assert (np.diff(curve) >= -1e-8 * np.abs(curve[:-1])).all()
    assert curve[-1] > curve[0]


@quick
@given(seeds, st.sampled_from(mllr.SHAPES))
def test_the_penalised_likelihood_does_not_fall_with_a_transform_of_the_features(seed, shape):
    models, features, words = material(seed)
    prior = cmllr.prior(models.bank.take(slice(0, -1)), method.TRANSFORM_PRIOR)
    result = adapt(models, chunks_of(features, words), Method("cmllr", shape))
    same_bank(result.bank, models.bank)
    before = log_likelihood(models, features, words) + cmllr_auxiliary(prior, mllr.identity(DIMS))
    after = log_likelihood(result, features, words) + cmllr_auxiliary(prior, result.transform)
    assert after >= before - 1e-9 * abs(before)


def test_much_speech_of_a_shifted_speaker_is_recognised_better():
    random = np.random.default_rng(3)
    models = random_models(random, words=4, apart=2.0)
    voice = np.column_stack([[2.0, -1.5, 1.5], np.diag([0.8, 1.2, 0.9])])
    words, truth = np.repeat(np.arange(4), 15), np.repeat(np.arange(4), 30)
    features, unseen = speech(random, models, words, voice), speech(random, models, truth, voice)
    before = (decoding.score_words(models, unseen).argmax(1) == truth).mean()
    for kind in KINDS[1:]:
        result = adapt(models, chunks_of(features, words), Method(kind))
        after = (decoding.score_words(result, unseen).argmax(1) == truth).mean()
        assert after > before + 0.1, kind


# What stays


@pytest.mark.parametrize("how", every_method(), ids=lambda how: f"{how.kind}-{how.shape}")
def test_without_speech_or_method_nothing_changes(how):
    models, features, words = material(8)
    assert adapt(models, [], how) is models
    assert adapt(models, chunks_of(features, words), Method("none", how.shape)) is models


def test_map_leaves_words_that_nobody_said_as_they_are_to_the_last_bit():
    models, features, _ = material(9, words=(0, 2))
    words = np.array([0, 0, 2, 2])
    bank = adapt(models, chunks_of(features, words), Method("map")).bank
    said = np.concatenate([np.arange(0, 2), np.arange(4, 6)])  # and the silence is nobody's
    for name in GAUSSIANS:
        changed = (getattr(bank, name) != getattr(models.bank, name)).reshape(7, -1).any(1)
        assert list(np.flatnonzero(changed)) == [
            j for j in said if name != "weights" or models.bank.weights[j].max() < 1
        ]


@pytest.mark.parametrize("kind", ["mllr", "mllr-map"])
def test_mllr_moves_words_that_nobody_said_but_not_their_spread_and_shares(kind):
    models, features, _ = material(10, words=(0, 2))
    bank = adapt(models, chunks_of(features, np.array([0, 0, 2, 2])), Method(kind)).bank
    assert (bank.means[2:4] != models.bank.means[2:4]).all()
    np.testing.assert_array_equal(bank.variances[2:4], models.bank.variances[2:4])
    np.testing.assert_array_equal(bank.weights[2:4], models.bank.weights[2:4])


@pytest.mark.parametrize("shape", mllr.SHAPES)
def test_mllr_leaves_the_silence_and_all_variances_and_weights(shape):
    models, features, words = material(11)
    bank = adapt(models, chunks_of(features, words), Method("mllr", shape)).bank
    np.testing.assert_array_equal(bank.means[-1], models.bank.means[-1])
    np.testing.assert_array_equal(bank.variances, models.bank.variances)
    np.testing.assert_array_equal(bank.weights, models.bank.weights)


def test_a_share_of_every_frame_is_as_many_frames_fewer():
    models, features, words = material(12)
    for kind in KINDS[1:]:
        twice = adapt(models, chunks_of(features * 2, np.tile(words, 2)), Method(kind), 0.5)
        once = adapt(models, chunks_of(features, words), Method(kind))
        same_bank(twice.bank, once.bank, rtol=1e-8, atol=1e-8)
        if once.transform is not None:
            np.testing.assert_allclose(twice.transform, once.transform, rtol=1e-6, atol=1e-6)


@quick
@given(seeds, st.sampled_from(KINDS[1:]))
def test_the_order_of_the_takes_does_not_matter(seed, kind):
    models, features, words = material(seed)
    order = np.random.default_rng(seed).permutation(len(words))
    one = adapt(models, chunks_of(features, words), Method(kind, "diagonal"))
    other = adapt(models, chunks_of([features[i] for i in order], words[order]), Method(kind, "diagonal"))
    same_bank(one.bank, other.bank, rtol=1e-7, atol=1e-7)


def test_a_second_condition_composes_its_transform_with_the_first():
    models, features, words = material(13)
    first = adapt(models, chunks_of(features, words), Method("cmllr"))
    own = adapt(
        replace(models, transform=None), chunks_of([first.transformed(f)[0] for f in features], words), Method("cmllr")
    )
    second = adapt(first, chunks_of(features, words), Method("cmllr"))
    np.testing.assert_allclose(second.transform, cmllr.composed(own.transform, first.transform), rtol=1e-7, atol=1e-7)


def mapped(bank, statistics, tau):
    """The states of the words by MAP; the silence as it was."""
    words = map.adapt_gaussians(bank, statistics, tau, variance_tau=method.VARIANCE_TAU, weight_tau=method.WEIGHT_TAU)
    both = ((getattr(words, name)[:-1], getattr(bank, name)[-1:]) for name in GAUSSIANS)
    return GaussianBank(*(np.concatenate(parts) for parts in both))


def test_one_round_of_map_is_map():
    models, features, words = material(14)
    statistics = accumulate(models, chunks_of(features, words), soft_posteriors)
    expected = mapped(models.bank, statistics, 4.0)
    same_bank(maximise(models, statistics, Method("map"), tree_of(models)).bank, expected)


@pytest.mark.parametrize("shape", mllr.SHAPES)
def test_one_round_of_the_usual_method_is_a_transform_then_shifts_then_map(shape):
    models, features, words = material(17)
    statistics = accumulate(models, chunks_of(features, words), soft_posteriors)
    states, heard = models.bank.take(slice(0, -1)), statistics.take(slice(0, -1))
    tree = tree_of(models)
    own = mllr.estimate(states, heard, shape, method.TRANSFORM_PRIOR)
    moved = mllr.move(states, own[None], np.zeros(len(states.means), dtype=int))
    shifts, opened = mllr.estimate_classes(moved, heard, tree, "bias", method.CLASS_PRIOR)
    moved = mllr.move(moved, shifts, tree.smallest(opened))
    bank = replace(models.bank, means=np.concatenate([moved.means, models.bank.means[-1:]]))
    same_bank(maximise(models, statistics, Method("mllr", shape), tree).bank, bank, rtol=1e-9, atol=1e-12)
    bank = mapped(bank, statistics, 4.0)
    same_bank(maximise(models, statistics, Method("mllr-map", shape), tree).bank, bank, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("how", every_method(), ids=lambda how: f"{how.kind}-{how.shape}")
def test_hostile_speech_breaks_no_model(how):
    random = np.random.default_rng(15)
    models = random_models(random)
    for features in (
        [np.zeros((4, DIMS))],
        [np.full((2, DIMS), 1e4)],
        [models.bank.means[[6, 0, 1, 6], 0]],
        [random.normal(0, 100, (50, DIMS))],
    ):
        result = adapt(models, chunks_of(features, [0]), how)
        sound_bank(result.bank)
        assert np.isfinite(decoding.score_words(result, features)).all()
        if result.transform is not None:
            assert np.isfinite(result.transform).all()
            assert np.isfinite(np.linalg.slogdet(result.transform[:, 1:])[1])


def test_classes_are_of_the_words_alone():
    models = random_models(np.random.default_rng(16))
    assert sorted(tree_of(models).order) == list(range(6))
    far = GaussianBank(models.bank.weights, models.bank.means.copy(), models.bank.variances)
    far.means[-1] += 1e3
    np.testing.assert_array_equal(tree_of(replace(models, bank=far)).order, tree_of(models).order)


# Names


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"kind": "vtln"}, "method 'vtln' is not none, map, mllr, cmllr, mllr-map, cmllr-map"),
        ({"shape": "round"}, "shape 'round' is not bias, diagonal, block, full"),
        ({"tau": -1.0}, "tau -1.0 is not from 0 (only the speaker) to 20"),
        ({"tau": 20.5}, "tau 20.5 is not from 0 (only the speaker) to 20"),
        ({"tau": float("nan")}, "tau nan is not from 0 (only the speaker) to 20"),
    ],
)
def test_a_wrong_choice_says_what_there_is(wrong, text):
    with pytest.raises(AdaptationError) as caught:
        Method(**wrong)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("how", "text"),
    [
        (Method("none"), "no adaptation"),
        (Method("map", tau=2.5), "MAP (tau 2.5)"),
        (Method("mllr", "block"), "MLLR (block)"),
        (Method("cmllr", "bias"), "CMLLR (bias)"),
        (Method(), "MLLR (full), then MAP (tau 4)"),
        (Method("cmllr-map", "diagonal", 8), "CMLLR (diagonal), then MAP (tau 8)"),
    ],
)
def test_a_method_says_what_it_is(how, text):
    assert str(how) == text


def test_a_kind_is_what_its_name_says():
    assert [Method(kind).transforms for kind in KINDS] == [None, None, "mllr", "cmllr", "mllr", "cmllr"]
    assert [Method(kind).maps for kind in KINDS] == [False, True, False, False, True, True]


def test_weight_is_the_interpolation_with_the_base():
    models, features, words = material(18)
    statistics = accumulate(models, chunks_of(features, words), soft_posteriors)
    tree = tree_of(models)
    whole = maximise(models, statistics, Method(), tree).bank
    half = maximise(models, statistics, Method(weight=0.5), tree).bank
    same_bank(half, map.interpolate(whole, models.bank, 0.5))
    same_bank(maximise(models, statistics, Method(weight=0.0), tree).bank, models.bank)


def test_variances_are_scaled_by_how_the_frames_spread():
    models, features, words = material(19)
    statistics = accumulate(models, chunks_of(features, words), soft_posteriors)
    tree = tree_of(models)
    plain = maximise(models, statistics, Method("mllr"), tree).bank
    scaled = maximise(models, statistics, Method("mllr", variances=True), tree).bank
    scale = mllr.variance_scale(plain.take(slice(0, -1)), statistics.take(slice(0, -1)), method.TRANSFORM_PRIOR)
    np.testing.assert_allclose(scaled.variances[:-1], plain.variances[:-1] * scale)
    np.testing.assert_array_equal(scaled.variances[-1], plain.variances[-1])
    np.testing.assert_array_equal(scaled.means, plain.means)


def test_classes_have_transforms_of_their_own_once_they_are_heard_enough():
    models, features, words = material(20)
    statistics = accumulate(models, chunks_of(features, words), soft_posteriors)
    tree = tree_of(models)
    one = maximise(models, statistics, Method("mllr"), tree).bank
    same_bank(maximise(models, statistics, Method("mllr", class_frames=1e9), tree).bank, one)
    assert (maximise(models, statistics, Method("mllr", class_frames=1.0), tree).bank.means != one.means).any()
