"""Training against a slow literal one, its promises on degenerate data, and words that must be told apart."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import norm
from test_reestimation import DIMS, random_bank, random_chain
from threadpoolctl import threadpool_limits

from recognizer.acoustics.chain import MIN_VISITS, TRANSITION_FLOOR, Chain
from recognizer.acoustics.density import KINDS
from recognizer.acoustics.gaussians import MIN_FRAMES, MIN_OCCUPANCY, WEIGHT_FLOOR, GaussianBank
from recognizer.acoustics.recursions import Batch, soft_posteriors
from recognizer.acoustics.word_models import WordModels, position_rows
from recognizer.errors import RecognizerWarning, TrainingError
from recognizer.parallel.here import Here
from recognizer.recognition import decoding
from recognizer.recognition.decoding import score_words
from recognizer.training import training
from recognizer.training.settings import TrainingSettings
from recognizer.training.training import train, uniform_cut

PARTS = ("log_entry", "log_stay", "log_next", "log_exit")
GAUSSIANS = ("weights", "means", "variances")
seeds = st.integers(0, 2**32 - 1)


def sizes(**others):
    return TrainingSettings(
        **{
            "states": 3,
            "mixtures": 2,
            "variance_floor": 0.05,
            "tolerance": 1e-4,
            "max_iterations": 8,
            **others,
        }
    )


def trained(*args, **options):
    """Train without the remark that there is little data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        return train(*args, **options)


def same_models(one, other, tolerance=0.0):
    for name in GAUSSIANS:
        a, b = getattr(one.bank, name), getattr(other.bank, name)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    for name in PARTS:
        a, b = getattr(one.chain, name), getattr(other.chain, name)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    assert one.history.keys() == other.history.keys()
    for stage in one.history:
        np.testing.assert_allclose(one.history[stage], other.history[stage], rtol=tolerance, atol=tolerance)


# Words whose states are places in the feature space

PLACES = np.array([[(-9, 0), (0, 9), (9, 0)], [(9, 0), (0, -9), (-9, 0)], [(0, 9), (9, 9), (0, -9)]], float)
SILENCE = np.array([-20.0, -20.0])


def utterance(random, word, lead=4, trail=4, stay=(3, 9)):
    """Frames of one word between silences, and the position behind every frame."""
    durations = [lead, *random.integers(*stay, len(PLACES[word])), trail]
    position = np.repeat(np.arange(len(durations)), durations)
    places = np.concatenate([SILENCE[None], PLACES[word], SILENCE[None]])
    return places[position] + random.normal(0, 1, (len(position), 2)), position


def corpus(seed=0, words=3, takes=6, **options):
    """Features, words, spans and true positions of several takes of every word."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(words), takes)
    made = [utterance(random, word, **options) for word in labels]
    states = PLACES.shape[1]
    spans = []
    for _, position in made:
        speech = np.flatnonzero((position > 0) & (position <= states))
        spans.append((int(speech[0]), int(speech[-1]) + 1))
    return [f for f, _ in made], labels, spans, [p for _, p in made]


def two_voices(seed, takes=10):
    """Takes by two speakers of two words, whose states so need two Gaussians and are not cut right at once."""
    features, words, spans, _ = corpus(seed, words=2, takes=takes, stay=(2, 14))
    return [f + 6 * (i % 2) for i, f in enumerate(features)], words, spans


# The literal training


def literal_floored(counts, old, floor):
    """Hold as few of the smallest entries at the floor as it takes, share the rest by count."""
    allowed = old > 0
    if counts[allowed].sum() == 0:
        return old
    ranked = sorted(np.flatnonzero(allowed), key=lambda k: counts[k])
    for held in range(len(ranked)):
        result = np.zeros(len(counts))
        result[ranked[:held]] = floor
        free = ranked[held:]
        result[free] = counts[free] / counts[free].sum() * (1 - held * floor)
        if result[free].min() >= floor:
            return result
    raise AssertionError("the floor leaves no room")


def literal_densities(bank, rows, features):
    """Log weighted densities of the components under each position, (T, P, K)."""
    weights, means, variances = (getattr(bank, name)[rows] for name in GAUSSIANS)
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    return np.array([log_weights + norm.logpdf(frame, means, np.sqrt(variances)).sum(-1) for frame in features])


def log_sum(*values):
    return logsumexp(values) if max(values) > -np.inf else -np.inf


def literal_occupation(log_density, entry, moves, leave, hard):
    """Probability of every (t, position) and (t, position, position), by Baum-Welch or along the best path.

    All transitions are a full matrix here, as if anything could follow anything.
    """
    frames, positions = log_density.shape
    combine = max if hard else log_sum
    reach = np.full((frames, positions), -np.inf)
    rest = np.full((frames, positions), -np.inf)
    everywhere = range(positions)
    reach[0] = entry + log_density[0]
    for t in range(1, frames):
        for j in everywhere:
            reach[t, j] = combine(*(reach[t - 1, i] + moves[i, j] for i in everywhere)) + log_density[t, j]
    rest[-1] = leave
    for t in range(frames - 2, -1, -1):
        for i in everywhere:
            rest[t, i] = combine(*(moves[i, j] + log_density[t + 1, j] + rest[t + 1, j] for j in everywhere))
    score = combine(*(reach[-1] + leave))
    gamma = reach + rest - score
    xi = np.array(
        [reach[t][:, None] + moves + log_density[t + 1] + rest[t + 1] - score for t in range(frames - 1)]
    ).reshape(-1, positions, positions)
    if hard:  # on the best path the best score through a place is the best of all
        return (gamma > -1e-9).astype(float), (xi > -1e-9).astype(float), score
    return np.exp(gamma), np.exp(xi), score


def literal_expectation(bank, chain, features, words, hard):
    """Sums over all utterances, one frame and one position at a time."""
    rows_of_bank, components, dims = bank.means.shape
    states = chain.log_stay.shape[1] - 2
    occupancy = np.zeros((rows_of_bank, components))
    sums = np.zeros((rows_of_bank, components, dims))
    squares = np.zeros((rows_of_bank, components, dims))
    entered = np.zeros(chain.log_entry.shape)
    moved = np.zeros((*chain.log_stay.shape, 3))
    log_likelihood = 0.0
    for o, w in zip(features, words):
        rows = [rows_of_bank - 1, *range(w * states, (w + 1) * states), rows_of_bank - 1]
        densities = literal_densities(bank, rows, o)
        moves = np.full((states + 2, states + 2), -np.inf)
        for p in range(states + 2):
            moves[p, p] = chain.log_stay[w, p]
            if p <= states:
                moves[p, p + 1] = chain.log_next[w, p]
        total = logsumexp(densities, axis=2)
        gamma, xi, score = literal_occupation(total, chain.log_entry[w], moves, chain.log_exit[w], hard)
        log_likelihood += score
        for t in range(len(o)):
            for p, row in enumerate(rows):
                share = gamma[t, p] * np.exp(densities[t, p] - total[t, p])
                occupancy[row] += share
                sums[row] += share[:, None] * o[t]
                squares[row] += share[:, None] * o[t] ** 2
        entered[w] += gamma[0]
        moved[w, :, 2] += gamma[-1]
        for p in range(states + 2):
            moved[w, p, 0] += xi[:, p, p].sum()
            moved[w, p, 1] += xi[:, p, p + 1].sum() if p <= states else 0
    return occupancy, sums, squares, entered, moved, log_likelihood / sum(map(len, features))


def literal_maximisation(bank, chain, occupancy, sums, squares, entered, moved, variance_floor):
    """New parameters, each by itself."""
    weights, means, variances = (getattr(bank, name).copy() for name in GAUSSIANS)
    for row, k in np.ndindex(weights.shape):
        weights[row] = literal_floored(occupancy[row], bank.weights[row], WEIGHT_FLOOR)
        if occupancy[row, k] > MIN_OCCUPANCY:
            means[row, k] = sums[row, k] / occupancy[row, k]
            variances[row, k] = squares[row, k] / occupancy[row, k] - means[row, k] ** 2
    transitions = np.exp(np.stack([chain.log_stay, chain.log_next, chain.log_exit], -1))
    for w, p in np.ndindex(entered.shape):
        if 0 < p < entered.shape[1] - 1 and moved[w, p].sum() > MIN_VISITS:  # the silences keep theirs
            stay, *leave = transitions[w, p]
            both = np.array([moved[w, p, 0], moved[w, p, 1:].sum()])
            new = literal_floored(both, np.array([stay, 1 - stay]), TRANSITION_FLOOR)
            transitions[w, p] = [new[0], *(new[1] * np.array(leave) / sum(leave))]
    with np.errstate(divide="ignore"):
        chain = Chain(chain.log_entry, *np.moveaxis(np.log(transitions), -1, 0))
    return GaussianBank(weights, means, np.maximum(variances, variance_floor)), chain


def literal_stage(bank, chain, features, words, chosen, variance_floor, hard):
    """Iterate until it has converged, then drop the components with hardly any frames."""
    curve = []
    for _ in range(chosen.max_iterations):
        *sums, log_likelihood = literal_expectation(bank, chain, features, words, hard)
        curve.append(log_likelihood)
        if len(curve) > 1 and curve[-1] - curve[-2] < chosen.tolerance:
            break
        bank, chain = literal_maximisation(bank, chain, *sums, variance_floor)
    weights = bank.weights.copy()
    for row, k in np.ndindex(weights.shape):
        if sums[0][row, k] < min(MIN_FRAMES / 2, sums[0][row].max()):
            weights[row, k] = 0
    return GaussianBank(weights / weights.sum(1, keepdims=True), bank.means, bank.variances), chain, curve


def random_models(seed, words, states, mixtures, dims):
    random = np.random.default_rng(seed)
    rows = words * states + 1
    bank = GaussianBank(
        random.dirichlet(np.full(mixtures, 5.0), rows),
        random.normal(0, 1, (rows, mixtures, dims)),
        random.uniform(0.5, 2, (rows, mixtures, dims)),
    )
    return WordModels(bank, Chain.of_topology(words, states, stay=0.6))


def same_gaussians(bank, expected):
    for name in GAUSSIANS:
        np.testing.assert_allclose(getattr(bank, name), getattr(expected, name), rtol=1e-8, atol=1e-8)


def same_transitions(chain, expected, visited=True):
    for name in PARTS:
        result, wanted = np.exp(getattr(chain, name)), np.exp(getattr(expected, name))
        np.testing.assert_allclose(np.where(visited, result, 0), np.where(visited, wanted, 0), atol=1e-8)


@pytest.mark.parametrize("stage", training.STAGES)
@settings(max_examples=8, deadline=None)
@given(seeds, st.integers(1, 2), st.integers(1, 3), st.integers(1, 2))
def test_iterations_from_any_start_are_the_literal_ones(stage, seed, words, states, mixtures):
    random = np.random.default_rng(seed)
    labels = np.arange(2 * words) % words
    features = [random.normal(0, 1.5, (random.integers(states, states + 7), 2)) for _ in labels]
    models, floor = random_models(seed, words, states, mixtures, 2), np.full(2, 0.3)
    chunks = training.chunks_of(features, labels)
    for _ in range(3):
        *sums, log_likelihood = literal_expectation(models.bank, models.chain, features, labels, stage == "viterbi")
        entered, moved = sums[3:]
        statistics = training.accumulate(models, chunks, training.STAGES[stage])
        assert statistics.log_likelihood / statistics.frames == pytest.approx(log_likelihood, abs=1e-9)
        np.testing.assert_allclose(statistics.occupancy, sums[0], atol=1e-8)
        np.testing.assert_allclose(statistics.transition_counts[..., 0], entered, atol=1e-8)
        np.testing.assert_allclose(statistics.transition_counts[..., 1:], moved, atol=1e-8)
        bank, chain = literal_maximisation(models.bank, models.chain, *sums, floor)
        same_gaussians(models.bank.update(statistics, floor), bank)
        visited = moved.sum(-1) > 0.01  # less is no evidence of what follows
        same_transitions(models.chain.update(statistics.transition_counts), chain, visited)
        models = WordModels(bank, chain)


def start_of(features, words, spans, chosen, variance_floor):
    """The bank and the chain before the first iteration, as `train` makes them."""
    return training.cut_and_cluster(training.laid_out(features, words), words, spans, chosen, variance_floor)


def floor_of(features, chosen):
    return chosen.variance_floor * np.concatenate(features).var(0)


def test_training_is_viterbi_iterations_and_then_baum_welch_iterations():
    features, words, spans = two_voices(seed=0, takes=5)
    chosen = sizes(max_iterations=3)
    models = trained(features, words, spans, chosen)
    floor = floor_of(features, chosen)
    bank, chain = start_of(features, words, spans, chosen, floor)
    for stage, hard in (("viterbi", True), ("baum-welch", False)):
        bank, chain, curve = literal_stage(bank, chain, features, words, chosen, floor, hard)
        np.testing.assert_allclose(models.history[stage], curve, rtol=1e-9)
    same_gaussians(models.bank, bank)
    same_transitions(models.chain, chain)


# Promises on any data


@st.composite
def material(draw):
    """Settings and utterances that are short, repeated, constant, or alone for their word."""
    states, dims, words = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(["random", "shortest", "identical", "constant", "constant dimension"]))
    features, labels, spans = [], [], []
    for word in range(words):
        takes = draw(st.integers(1, 3))
        length = states if kind == "shortest" else int(random.integers(states, 25))
        for _ in range(takes):
            f = random.normal(word, 1 + word, (length, dims)).astype(np.float32)
            if kind == "identical":
                f = np.random.default_rng(word).normal(word, 1, (length, dims)).astype(np.float32)
            elif kind == "constant":
                f[:] = 3.7
            elif kind == "constant dimension":
                f[:, -1] = 3.7
            features.append(f)
            labels.append(word)
            first = int(random.integers(0, length))
            spans.append((first, int(random.integers(first + 1, length + 1))))
            if kind == "random":
                length = int(random.integers(states, 25))
    chosen = sizes(states=states, mixtures=draw(st.integers(1, 3)))
    return features, np.array(labels), spans, chosen


@settings(max_examples=60, deadline=None)
@given(material())
def test_on_any_data_the_likelihood_never_falls_and_everything_is_finite(data):
    features, words, spans, chosen = data
    models = trained(features, words, spans, chosen)
    for stage, curve in models.history.items():
        assert np.isfinite(curve).all(), stage
        assert (np.diff(curve) >= -1e-8 * (1 + np.abs(curve[1:]))).all(), (stage, curve)
    assert list(models.history) == ["viterbi", "baum-welch"]
    assert np.isfinite(models.bank.means).all()
    assert np.isfinite(models.bank.variances).all()
    assert (models.bank.variances > 0).all()
    np.testing.assert_allclose(models.bank.weights.sum(1), 1)
    count = words.max() + 1
    assert models.bank.means.shape == (count * chosen.states + 1, chosen.mixtures, features[0].shape[1])
    possible = Chain.of_topology(count, chosen.states)
    for name in PARTS:
        np.testing.assert_array_equal(getattr(models.chain, name) > -np.inf, getattr(possible, name) > -np.inf, name)
    for f, word in zip(features, words):
        assert np.isfinite(decoding.score_words(models, [f])[0, word])


def test_training_moves_every_kind_of_parameter_of_every_state():
    features, words, spans = two_voices(seed=1)
    chosen = sizes(variance_floor=1e-4)
    models = trained(features, words, spans, chosen)
    bank, chain = start_of(features, words, spans, chosen, floor_of(features, chosen))
    for row in range(2 * chosen.states):
        for name in GAUSSIANS:
            before, after = getattr(bank, name)[row], getattr(models.bank, name)[row]
            assert np.abs(before - after).max() > 1e-6, (name, row)
    change = np.abs(np.exp(chain.log_stay) - np.exp(models.chain.log_stay))
    assert (change[:, 1:-1] > 1e-6).all()
    assert (change[:, [0, -1]] == 0).all()  # how much silence there is, is not the word's doing


def test_a_word_with_trimmed_recordings_does_not_resist_silence():
    trimmed, labels, spans, _ = corpus(seed=2, words=2, takes=8, lead=0, trail=0)
    padded, labels_too, spans_too, _ = corpus(seed=3, words=2, takes=8)
    keep = [i for i, word in enumerate(labels_too) if word == 1]  # only the second word's have silence
    features = [f for f, word in zip(trimmed, labels) if word == 0] + [padded[i] for i in keep]
    words = np.array([0] * 8 + [1] * 8)
    models = trained(features, words, spans[:8] + [spans_too[i] for i in keep], sizes(mixtures=1))
    said, long_silence = np.random.default_rng(4), {"lead": 15, "trail": 30}
    heard = score_words(models, [utterance(said, word, **long_silence)[0] for word in (0, 1) for _ in range(10)])
    assert list(heard.argmax(1)) == [0] * 10 + [1] * 10


@pytest.mark.parametrize("centre", [0.0, -3e4])
def test_the_variance_floor_is_a_share_of_the_variance_of_all_frames_as_they_weigh(centre):
    random = np.random.default_rng(0)
    features = [random.normal(centre + 3 * random.normal(), 2.0, (random.integers(3, 9), 2)) for _ in range(300)]
    weights = random.integers(1, 4, 300)
    copies = np.concatenate([f for f, n in zip(features, weights) for _ in range(n)])
    floor = training.variance_floor(features, sizes(variance_floor=0.25), weights.astype(float))
    np.testing.assert_allclose(floor, 0.25 * copies.var(0), rtol=1e-10)


# Cutting


def positions(lengths, spans, states):
    """Of all frames, end to end: 0 and states + 1 are silence."""
    cuts = uniform_cut(lengths, spans, states)
    return np.concatenate([(np.arange(n)[:, None] >= cut).sum(1) for n, cut in zip(lengths, cuts)])


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 8), st.integers(0, 30), st.data())
def test_a_uniform_cut_gives_every_state_a_frame_in_order(states, more, data):
    frames = states + more
    start = data.draw(st.integers(0, frames - 1))
    end = data.draw(st.integers(start, frames))
    position = positions(np.array([frames]), np.array([(start, end)]), states)
    assert position.shape == (frames,)
    assert (np.diff(position) >= 0).all()
    assert (np.diff(position[(position > 0) & (position <= states)]) <= 1).all()
    assert set(range(1, states + 1)) <= set(position) <= set(range(states + 2))
    speech = np.flatnonzero((position > 0) & (position <= states))
    sizes_of_parts = np.bincount(position, minlength=states + 2)[1:-1]
    assert sizes_of_parts.max() - sizes_of_parts.min() <= 1, "equal parts"
    if end - start >= states:
        assert (speech[0], speech[-1] + 1) == (start, end), "the span is respected"
    else:
        assert len(speech) == states, "a short span grows only as far as needed"
        assert speech[0] <= start
        assert end <= speech[-1] + 1


@given(st.integers(0, 4), st.integers(1, 6))
def test_the_positions_of_a_word_stand_on_its_rows_between_silences(word, states):
    rows = position_rows(word, states, 99)
    assert list(rows) == [99, *range(word * states, (word + 1) * states), 99]


# Refusals and remarks


def test_an_utterance_shorter_than_the_states_is_named():
    features = [np.zeros((5, 2)), np.zeros((4, 2)), np.zeros((2, 2))]
    with pytest.raises(TrainingError, match=r"utterance 2 has 2 frames, fewer than the 3 states.*; leave"):
        train(features, np.zeros(3, int), [(0, len(f)) for f in features], sizes(states=3))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_utterance_that_is_not_finite_is_named(value):
    features = [np.zeros((5, 2)), np.zeros((5, 2))]
    features[1][3, 1] = value
    with pytest.raises(TrainingError, match="utterance 1 has features that are not finite; leave it out"):
        train(features, np.zeros(2, int), [(0, 5)] * 2, sizes())


def test_nothing_to_train_from_says_so():
    with pytest.raises(TrainingError, match="nothing to train from; give"):
        train([], np.zeros(0, int), [], sizes())


def test_states_without_enough_frames_are_counted_in_a_warning():
    features, words, spans, _ = corpus(words=1, takes=2)
    with pytest.warns(RecognizerWarning, match=r"\d+ of 4 states keep fewer than 6 Gaussians .*; record more"):
        models = train(features, words, spans, sizes(mixtures=6))
    assert ((models.bank.weights > 0).sum(1) < 6).any()


def test_enough_frames_give_no_warning():
    features, words, spans, _ = corpus(words=1, takes=12)
    models = train(features, words, spans, sizes(mixtures=1))
    assert (models.bank.weights > 0).all()


def test_no_component_is_left_that_hardly_any_frame_supports():
    features, words, spans, _ = corpus(words=2, takes=4)
    models = trained(features, words, spans, sizes(mixtures=4, max_iterations=40))
    chunks = training.chunks_of(features, words)
    statistics = training.accumulate(models, chunks, soft_posteriors)
    fed = statistics.occupancy >= MIN_FRAMES / 4  # the shares of dropped components go to those that stay
    best = statistics.occupancy == statistics.occupancy.max(1, keepdims=True)
    assert (fed | best)[models.bank.weights > 0].all()


# The order of the work does not matter


def test_two_jobs_give_exactly_what_one_gives(monkeypatch):
    features, words, spans, _ = corpus()
    monkeypatch.setattr(training, "CHUNK_FRAMES", 60)
    assert len(training.chunks_of(features, words)) > 4
    one, two = (trained(features, words, spans, sizes(max_iterations=3), jobs=Here(jobs)) for jobs in (1, 2))
    same_models(one, two)


def test_the_threads_of_blas_do_not_matter():
    """Each number of them rounds the products of large matrices otherwise."""
    random, words = np.random.default_rng(0), np.arange(240) % 6
    features = [random.normal(word / 3, size=(random.integers(50, 90), 39)).astype(np.float32) for word in words]
    spans, found = [(5, len(f) - 5) for f in features], []
    for threads, jobs in ((1, 1), (2, 1), (2, 2)):
        with threadpool_limits(threads, "blas"):
            found.append(train(features, words, spans, sizes(mixtures=4), jobs=Here(jobs)))
    for other in found[1:]:
        same_models(found[0], other)


@pytest.mark.parametrize("frames", [1, 50, 300])
def test_the_size_of_the_chunks_does_not_matter(monkeypatch, frames):
    features, words, spans, _ = corpus(words=2)
    chosen = sizes(max_iterations=4)
    monkeypatch.setattr(training, "CHUNK_FRAMES", 10**6)
    whole = trained(features, words, spans, chosen)
    monkeypatch.setattr(training, "CHUNK_FRAMES", frames)
    same_models(whole, trained(features, words, spans, chosen), tolerance=1e-9)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(1, 12))
def test_chunks_hold_every_frame_once_with_its_word(seed, words, takes):
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(words), takes))
    features = [np.full((random.integers(1, 9), 1), number, float) for number in range(len(labels))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "CHUNK_FRAMES", 10)
        chunks = training.chunks_of(features, labels)
    seen = []
    for chunk in chunks:
        for place in range(len(chunk.batch.lengths)):
            stack = chunk.stack(chunk.features).reshape(-1, 1)
            frames = stack[chunk.batch.frame[: chunk.batch.lengths[place], place], 0]
            number = int(frames[0])
            np.testing.assert_array_equal(frames, features[number][:, 0])
            assert labels[number] == chunk.words[chunk.word_of[place]]
            seen.append(number)
    assert sorted(seen) == list(range(len(labels)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", training.STAGES)
@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(2, 6), st.integers(1, 3), st.booleans())
def test_many_words_in_a_chunk_give_what_each_gives_alone(stage, kind, seed, words, states, transformed):
    """Any topology, any number of takes, whatever kind of density."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(words), random.integers(0, words, 2 * words)])
    features = [random.normal(0, 1.5, (random.integers(states, states + 9), DIMS)) for _ in labels]
    bank = random_bank(random, KINDS[kind], words * states + 1)
    chains = [random_chain(random, states).matrices() for _ in range(words)]
    chain = Chain.of_matrices(*(np.concatenate(part) for part in zip(*chains)))
    transform = random.normal(0, 0.2, (DIMS, DIMS + 1)) + np.eye(DIMS, DIMS + 1, 1) if transformed else None
    models, occupation = WordModels(bank, chain, transform=transform), training.STAGES[stage]
    together = training.accumulate(models, training.chunks_of(features, labels), occupation)
    assert len(training.chunks_of(features, labels)) == 1
    alone = bank.statistics()
    alone.transition_counts = np.zeros_like(together.transition_counts)
    for f, word in zip(features, labels):
        rows = models.rows(word)[:-1]
        x, gain = models.transformed(f)
        frames = bank.take(rows).expect(x)
        log_density = np.concatenate([frames.log_density, frames.log_density[:1]]).T[:, None] + gain
        occupied, counts, score = occupation(log_density, Batch.of([len(f)]), chain.word(word))
        occupied = occupied[:, 0].T
        occupied[0] += occupied[-1]
        part = frames.statistics(occupied[:-1])
        part.transition_counts, part.log_likelihood = counts[0], float(score[0])
        alone.add(part, rows, word)
    for name in ("occupancy", "first_order", "second_order", "transition_counts", "log_likelihood", "frames"):
        np.testing.assert_allclose(getattr(together, name), getattr(alone, name), rtol=1e-9, atol=1e-9, err_msg=name)


def test_progress_reports_every_iteration_of_both_stages():
    features, words, spans, _ = corpus(words=1)
    seen = []
    models = trained(features, words, spans, sizes(), after_iteration=lambda *step: seen.append(step))
    expected = [(s, i, x) for s, curve in models.history.items() for i, x in enumerate(curve, 1)]
    assert seen == expected


# What it is for


def test_words_far_apart_are_recognised():
    features, words, spans, _ = corpus(seed=1)
    models = trained(features, words, spans, sizes())
    unseen, truth, _, _ = corpus(seed=2, takes=20)
    assert (decoding.score_words(models, unseen).argmax(1) == truth).all()


def test_silence_takes_the_silent_ends_even_of_spans_that_are_too_wide():
    features, words, spans, _ = corpus(seed=3, takes=8, lead=8, trail=7)
    wide = [(start - 1, end + 1) for start, end in spans]
    models = trained(features, words, wide, sizes(mixtures=1))
    np.testing.assert_allclose(models.bank.means[-1, 0], SILENCE, atol=0.5)
    unseen, labels, _, positions = corpus(seed=4, lead=5, trail=9)
    for f, word, position in zip(unseen, labels, positions):
        np.testing.assert_array_equal(decoding.align_frames(models, f, word), position)


def test_recordings_without_silence_are_trained_and_recognised_with_it():
    features, words, spans, _ = corpus(seed=5, takes=8, lead=0, trail=0)
    models = trained(features, words, spans, sizes(mixtures=1))
    unseen, truth, _, _ = corpus(seed=6, takes=10, lead=0, trail=0)
    assert (decoding.score_words(models, unseen).argmax(1) == truth).all()


# Weights


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", training.STAGES)
@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 30, 10**6]))
def test_an_utterance_of_weight_n_adds_what_n_copies_do(stage, kind, seed, words, states, held):
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(words), random.integers(0, words, 5)])
    features = [random.normal(0, 1.5, (random.integers(states, states + 9), DIMS)) for _ in labels]
    weights = random.integers(1, 5, len(labels))
    bank = random_bank(random, KINDS[kind], words * states + 1)
    models, occupation = WordModels(bank, Chain.of_topology(words, states)), training.STAGES[stage]
    copied = [f for f, n in zip(features, weights) for _ in range(n)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "CHUNK_FRAMES", held)
        weighed = training.accumulate(models, training.laid_out(features, labels, weights).chunks, occupation)
        copies = training.accumulate(models, training.chunks_of(copied, np.repeat(labels, weights)), occupation)
    assert weighed.frames == copies.frames == sum(map(len, copied))
    assert weighed.log_likelihood == pytest.approx(copies.log_likelihood, rel=1e-12)
    for name in ("occupancy", "first_order", "second_order", "transition_counts"):
        np.testing.assert_allclose(getattr(weighed, name), getattr(copies, name), rtol=1e-9, atol=1e-9)


def test_training_with_weights_is_training_with_copies():
    """With one Gaussian a state, for where k-means starts copies move the parts of the equal cut."""
    features, words, spans, _ = corpus(takes=8, lead=8, trail=8)
    weights = np.random.default_rng(0).integers(1, 5, len(words))
    chosen = sizes(mixtures=1)
    copies = [np.repeat(np.arange(len(words)), weights), *(np.repeat(x, weights, axis=0) for x in (words, spans))]
    which, *labels = copies
    one = train(features, words, spans, chosen, weights=weights)
    same_models(one, train([features[i] for i in which], *labels, chosen), tolerance=1e-9)
    plain = train(features, words, spans, chosen)
    assert np.abs(one.bank.means - plain.bank.means).max() > 0.01, "weights that change nothing were not tested"


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_ratio_of_weights_counts(kind):
    random = np.random.default_rng(0)
    words = np.repeat([0, 1], 8)
    features = [random.normal(4 * word, 1, (30, 3)) for word in words]
    weights = random.uniform(0.1, 3, len(words))
    chosen = sizes(density=kind)
    one, other = (trained(features, words, [(5, 25)] * 16, chosen, weights=w) for w in (weights, 1024 * weights))
    np.testing.assert_allclose(score_words(one, features), score_words(other, features), rtol=1e-9)
    plain, alike = (trained(features, words, [(5, 25)] * 16, chosen, weights=w) for w in (None, np.full(16, 0.3)))
    np.testing.assert_allclose(score_words(plain, features), score_words(alike, features), rtol=1e-9)


def test_a_start_weighs_its_frames():
    features, words, spans, _ = corpus(words=2, takes=4)
    weights = np.random.default_rng(1).uniform(0.1, 5, len(words))
    speech = training.laid_out(features, words, weights)
    bank, _ = training.cut_and_cluster(speech, words, spans, sizes(mixtures=1), np.full(2, 1e-6))
    frame_weights = np.repeat(weights, list(map(len, features)))
    cut = positions(np.array(list(map(len, features))), spans, 3)
    first = np.repeat(words, list(map(len, features)))
    for word, state in np.ndindex(2, 3):
        own = (first == word) & (cut == state + 1)
        mean = np.average(np.concatenate(features)[own], axis=0, weights=frame_weights[own])
        np.testing.assert_allclose(bank.means[3 * word + state, 0], mean)


@pytest.mark.parametrize("weight", [0, -1, np.nan, np.inf])
def test_weights_that_are_none_are_refused(weight):
    features, words, spans, _ = corpus(words=1, takes=3)
    with pytest.raises(TrainingError) as caught:
        train(features, words, spans, sizes(), weights=[1, weight, 1])
    assert str(caught.value) == f"utterance 1 has a weight of {weight:g}; give it one over 0"


@pytest.mark.parametrize("ratio", [1e-12, 1e12, 1e300])
def test_extreme_weights_give_finite_models(ratio):
    features, words, spans, _ = corpus(words=2, takes=4)
    weights = np.where(np.arange(len(words)) % 3, 1.0, ratio)
    models = trained(features, words, spans, sizes(), weights=weights)
    assert models.bank.fault(7, 2) is None
    assert np.isfinite(score_words(models, features)).all()
