"""The tree of regression classes: nested down to single states, whatever the bank."""

from __future__ import annotations

import numpy as np
import pytest
from adapting import random_bank, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.acoustics.gaussians import GaussianBank
from recognizer.adaptation.regression import grow

quick = settings(max_examples=40, deadline=None)
KINDS = ("random", "identical", "pairs", "on a line", "one far away", "tiny apart", "unused components")


def bank_of(seed, kind, states):
    random = np.random.default_rng(seed)
    bank = random_bank(random, states, 2, 3, unused=0.5 if kind == "unused components" else 0)
    weights, means, variances = bank.weights, bank.means.copy(), bank.variances
    if kind == "identical":
        means[:], weights, variances = means[0], weights[:1].repeat(states, 0), variances[:1].repeat(states, 0)
    elif kind == "pairs":
        means[1::2] = means[: states - 1 : 2][: len(means[1::2])]
        weights, variances = weights[:1].repeat(states, 0), variances[:1].repeat(states, 0)
    elif kind == "on a line":
        means[:] = np.arange(states)[:, None, None] * np.ones(3)
    elif kind == "one far away":
        means[0] += 1e6
    elif kind == "tiny apart":
        means[:] = 5 + 1e-15 * means
    return GaussianBank(weights, means, variances)


banks = st.builds(bank_of, seeds, st.sampled_from(KINDS), st.integers(1, 12))


def members(tree, number):
    return set(tree.order[tree.first[number] : tree.last[number]].tolist())


@settings(max_examples=100, deadline=None)
@given(banks)
def test_classes_are_nested_and_end_in_single_states(bank):
    tree, states = grow(bank), len(bank.means)
    assert sorted(tree.order) == list(range(states))
    assert len(tree.first) == len(tree.last) == len(tree.parent) == 2 * states - 1
    assert (tree.first[0], tree.last[0], tree.parent[0]) == (0, states, -1)
    leaves = []
    for number in range(2 * states - 1):
        children = np.flatnonzero(tree.parent == number)
        assert number == 0 or tree.parent[number] < number
        if len(members(tree, number)) == 1:
            assert len(children) == 0
            leaves += members(tree, number)
        else:
            one, other = (members(tree, child) for child in children)
            assert one
            assert other
            assert one | other == members(tree, number)
            assert not one & other
    assert sorted(leaves) == list(range(states))


@quick
@given(banks, seeds)
def test_totals_are_sums_over_the_members(bank, seed):
    tree = grow(bank)
    values = np.random.default_rng(seed).normal(0, 1, (len(bank.means), 2))
    for by_state in (values, values[:, 0]):
        totals = tree.totals(by_state)
        for number in range(len(tree.parent)):
            expected = sum(by_state[state] for state in members(tree, number))
            np.testing.assert_allclose(totals[number], expected, atol=1e-12)


@quick
@given(banks, seeds)
def test_the_smallest_opened_class_of_each_state_has_no_opened_one_inside_that_holds_it(bank, seed):
    tree = grow(bank)
    opened = np.random.default_rng(seed).random(len(tree.parent)) < 0.5
    opened[0] = True
    for state, number in enumerate(tree.smallest(opened)):
        assert opened[number]
        holding = [n for n in np.flatnonzero(opened) if state in members(tree, n)]
        assert min(len(members(tree, n)) for n in holding) == len(members(tree, number))
        assert state in members(tree, number)
    assert (tree.smallest(np.arange(len(tree.parent)) == 0) == 0).all()


@quick
@given(banks)
def test_the_same_bank_has_the_same_tree(bank):
    one, other = grow(bank), grow(bank)
    for name in ("order", "first", "last", "parent"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@quick
@given(seeds, st.integers(2, 10))
def test_the_order_of_the_states_does_not_matter(seed, states):
    random = np.random.default_rng(seed)
    bank = bank_of(seed, "random", states)
    order = random.permutation(states)
    tree, shuffled = grow(bank), grow(bank.take(order))
    classes = {frozenset(members(tree, n)) for n in range(len(tree.parent))}
    found = {frozenset(order[list(members(shuffled, n))].tolist()) for n in range(len(tree.parent))}
    assert found == classes


def test_the_first_cut_is_between_two_groups_that_are_far_apart():
    random = np.random.default_rng(0)
    bank = random_bank(random, 9, 2, 3)
    group = np.array([0, 1, 0, 1, 1, 0, 0, 1, 1])
    bank = GaussianBank(bank.weights, bank.means + 100 * group[:, None, None], bank.variances)
    tree = grow(bank)
    assert {frozenset(members(tree, 1)), frozenset(members(tree, 2))} == {
        frozenset(np.flatnonzero(group == g).tolist()) for g in (0, 1)
    }


def test_distances_are_in_standard_deviations():
    means = np.array([(0, 0), (0, 3), (50, 0), (50, 3)], dtype=float)[:, None]
    wide = GaussianBank(np.ones((4, 1)), means, np.tile([1e4, 1.0], (4, 1, 1)))
    assert {frozenset(members(grow(wide), n)) for n in (1, 2)} == {frozenset({0, 2}), frozenset({1, 3})}


@pytest.mark.parametrize("kind", KINDS)
def test_one_state_is_one_class(kind):
    tree = grow(bank_of(1, kind, 1))
    assert list(tree.order) == [0]
    assert list(tree.parent) == [-1]


def test_the_root_alone_holds_everything():
    tree = grow(bank_of(2, "random", 6)).root
    assert len(tree.parent) == 1
    assert members(tree, 0) == set(range(6))
    assert list(tree.totals(np.ones(6))) == [6.0]
