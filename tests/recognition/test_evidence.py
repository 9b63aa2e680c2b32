"""Evidence against independent arithmetic, written out frame by frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from extracting import extract
from synthetic import WORDS, say

from recognizer.acoustics.chain import Chain
from recognizer.acoustics.discrete import STREAMS, DiscreteBank
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.tied import TiedBank
from recognizer.acoustics.word_models import WordModels
from recognizer.recognition.decoding import align_frames, decode, score_words
from recognizer.recognition.evidence import GAPS, PENALTY, SUMMARY, evidence_size, examine, stays

DIMS, STATES = 6, 3
KINDS = ("continuous", "tied", "discrete")


@pytest.fixture(scope="module")
def utterances(fitted):
    """Features of words, of different lengths."""
    sounds = [say(word, "carl", take) for take in (50, 51) for word in WORDS] + [say("rise", "anna", seconds=0.9)]
    return [extract(fitted.front_end, sound) for sound in sounds]


def random_bank(kind: str, rows: int, random: np.random.Generator):
    own = (np.arange(DIMS) % STREAMS == np.arange(STREAMS)[:, None]).astype(float)
    if kind == "discrete":
        centres = random.normal(0, 2, (STREAMS, 8, DIMS)) * own[:, None]
        weights = random.dirichlet(np.full(8, 0.5), (rows, STREAMS))
        return DiscreteBank(weights, centres, own * random.uniform(0.3, 3, DIMS))
    if kind == "tied":
        weights, shape = random.dirichlet(np.full(5, 0.5), (rows, STREAMS)), (STREAMS, 5, DIMS)
        return TiedBank(weights, random.normal(0, 2, shape), random.uniform(0.2, 3, shape), own)
    shape = (rows, 2, DIMS)
    return GaussianBank(random.dirichlet([1, 1], rows), random.normal(0, 2, shape), random.uniform(0.2, 3, shape))


def made_up(kind: str, words: int, *, transformed: bool = False, topology: str = "skip", seed: int = 0):
    """Models of as many words, a mixture for noises, and features of different lengths, all of them random."""
    random = np.random.default_rng(seed)
    bank = random_bank(kind, words * STATES + 1, random)
    transform = None
    if transformed:
        transform = np.column_stack([random.normal(0, 1, DIMS), np.eye(DIMS) + random.normal(0, 0.2, (DIMS, DIMS))])
    models = WordModels(bank, Chain.of_topology(words, STATES, topology), transform=transform)
    noise = random_bank("continuous", 1, random)
    return models, noise, [random.normal(0, 2, (frames, DIMS)) for frames in (14, 9, 21, 6, 12, 17)]


def densities(models: WordModels, features: np.ndarray) -> np.ndarray:
    """Log density of every frame under every row of the bank, (T, S)."""
    transformed, log_determinant = models.transformed(features)
    return models.bank.log_density(transformed) + log_determinant


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


def summary(models: WordModels, noise: GaussianBank, features: np.ndarray) -> list[float]:
    """The five, one after the other."""
    [row] = score_words(models, [features])
    best = int(row.argmax())
    path = align_frames(models, features, best)
    own = (path > 0) & (path <= models.states)
    density = densities(models, features)
    on_path = density[np.arange(len(path)), models.rows(best)[path]]
    free, _ = brute_loop(density, PENALTY)
    others = [i for i in range(density.shape[1]) if i not in models.rows(best)[1:-1]]
    _, rival = brute_loop(density[:, others], PENALTY)
    noisy = np.maximum(noise.log_density(features)[:, 0], density[:, -1])
    frames, visited = own.sum(), sorted(set(path[own].tolist()))
    found = {
        "lead": (row[best] - np.delete(row, best).mean()) / frames,
        "duration": np.log(frames),
        "loop": (row[best] - free) / frames,
        "rivals": np.mean([(on_path - rival)[path == state].mean() for state in visited]),
        "noise": (on_path - noisy).sum() / frames,
    }
    return [found[name] for name in SUMMARY]


def details(models: WordModels, features: np.ndarray) -> list[float]:
    """The n-best list and the alignment, position after position, by loops over frames and dimensions."""
    [scores] = score_words(models, [features])
    best = int(scores.argmax())
    path, rows = align_frames(models, features, best), models.rows(best)
    heard, density, dims = models.transformed(features)[0].astype(float), densities(models, features), features.shape[1]
    positions, frames = range(models.states + 2), sum(0 < p <= models.states for p in path)

    behind = sorted(float(scores[best] - scores[w]) for w in range(len(scores)) if w != best and scores[w] > -np.inf)
    gaps = [behind[min(rank, len(behind) - 1)] / frames if behind else 0.0 for rank in range(GAPS)]

    visits = [sum(p == position for p in path) for position in positions]
    lead = [0.0 for _ in positions]
    departure = [[0.0] * dims for _ in positions]
    for position in positions:
        on_it = [t for t in range(len(path)) if path[t] == position]
        if not on_it:
            continue
        lead[position] = sum(density[t, rows[position]] - max(density[t]) for t in on_it) / len(on_it)
        [mean], [variance] = models.bank.moments(np.array([rows[position]]))
        for d in range(dims):
            average = sum(heard[t, d] for t in on_it) / len(on_it)
            departure[position][d] = (average - mean[d]) / variance[d] ** 0.5
    return [
        *gaps,
        *[np.log(1 + count) for count in visits],
        *[count / frames for count in visits],
        *lead,
        *[sum(x**2 for x in departure[position]) / dims for position in positions],
        *[sum(departure[position][d] ** 2 for position in positions) / len(positions) for d in range(dims)],
        *[x for position in positions for x in departure[position]],
    ]


# The summary and the details


def test_the_evidence_is_what_it_says(fitted, utterances):
    models, noise = fitted.acoustics, fitted.rejection.noise
    found = examine(models, noise, utterances)
    np.testing.assert_allclose(found.scores, score_words(models, utterances))
    for features, evidence in zip(utterances, found.evidence):
        expected = summary(models, noise, features) + details(models, features)
        np.testing.assert_allclose(evidence, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("transformed", [False, True])
@pytest.mark.parametrize("words", [2, 4, GAPS + 3])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_density_and_however_many_words(kind, words, transformed):
    models, noise, features = made_up(kind, words, transformed=transformed)
    found = examine(models, noise, features)
    assert found.evidence.shape == (len(features), evidence_size(models))
    for one, evidence in zip(features, found.evidence):
        expected = summary(models, noise, one) + details(models, one)
        np.testing.assert_allclose(evidence, expected, rtol=1e-9, atol=1e-9)


def test_states_that_are_passed_over_count_nowhere():
    """The five are means over visited states; a state without frames has no lead and no departure."""
    models, noise, features = made_up("continuous", 4)
    skipped = 0
    for one in features:
        path = align_frames(models, one, int(score_words(models, [one]).argmax()))
        skipped += len(set(range(STATES + 2)) - set(path.tolist()))
    assert skipped, "what this is about"
    for evidence in examine(models, noise, features).evidence:
        by_position = evidence[len(SUMMARY) + GAPS :]
        visits, _, lead, square, rest = np.split(by_position, (STATES + 2) * np.arange(1, 5))
        departures = rest[DIMS:].reshape(STATES + 2, DIMS)
        for nowhere in (lead, square, departures.any(1)):
            assert not nowhere[visits == 0].any()
        assert square[visits > 0].all()


@pytest.mark.parametrize("words", [2, GAPS + 3])
def test_stays_are_those_of_the_states_of_the_word(words):
    models, noise, features = made_up("continuous", words)
    for one, evidence in zip(features, examine(models, noise, features).evidence):
        path = align_frames(models, one, int(score_words(models, [one]).argmax()))
        frames = np.bincount(path, minlength=STATES + 2)[1:-1]
        np.testing.assert_allclose(evidence[stays(STATES)], np.log(1 + frames))


def test_gaps_repeat_the_last_where_words_are_few():
    models, noise, features = made_up("continuous", 3)
    for evidence in examine(models, noise, features).evidence:
        gaps = evidence[len(SUMMARY) : len(SUMMARY) + GAPS]
        assert 0 < gaps[0] < gaps[1]
        assert (gaps[2:] == gaps[1]).all()


def test_a_departure_is_in_standard_deviations_of_its_state():
    """Frames at the means of the states depart nowhere; moved by a deviation, by one."""
    models, noise, _ = made_up("continuous", 4, topology="left-right")
    rows = models.rows(1)
    means, variances = models.bank.moments(rows)
    exact = means.repeat(4, 0)
    apart = replace(models, bank=replace(models.bank, variances=models.bank.variances / 1e4))  # so that nothing moves
    moved = exact + np.sqrt(variances).repeat(4, 0) / 1e3
    for features, expected in ((exact, 0.0), (moved, 1e-3)):
        assert align_frames(apart, features, 1).tolist() == np.arange(STATES + 2).repeat(4).tolist()
        [evidence] = examine(apart, noise, [features], words=np.array([1])).evidence
        departures = evidence[-(STATES + 2) * DIMS :].reshape(STATES + 2, DIMS)
        _, own = apart.bank.moments(rows)
        np.testing.assert_allclose(departures, expected * np.sqrt(variances / own), atol=1e-9)


# For whom it is gathered


def test_evidence_does_not_depend_on_the_company(fitted, utterances):
    models, noise = fitted.acoustics, fitted.rejection.noise
    together = examine(models, noise, utterances)
    for i, features in enumerate(utterances):
        alone = examine(models, noise, [features])
        np.testing.assert_allclose(alone.evidence[0], together.evidence[i], atol=1e-12)
        np.testing.assert_array_equal(alone.spans[0], together.spans[i])


def test_a_word_left_out_is_as_if_it_had_never_been(fitted, utterances):
    models = fitted.acoustics
    for lacking in range(len(WORDS)):
        kept = [w for w in range(len(WORDS)) if w != lacking]
        rows = np.append(np.concatenate([models.rows(w)[1:-1] for w in kept]), len(models.bank.weights) - 1)
        smaller = replace(models, bank=models.bank.take(rows), chain=models.chain.word(kept))
        left_out = examine(models, fitted.rejection.noise, utterances, left_out=np.full(len(utterances), lacking))
        without = examine(smaller, fitted.rejection.noise, utterances)
        np.testing.assert_allclose(left_out.evidence, without.evidence, atol=1e-12)
        np.testing.assert_allclose(left_out.scores[:, kept], without.scores)
        assert np.isneginf(left_out.scores[:, lacking]).all()


def test_words_that_are_not_chosen_from_still_speak_against_the_others(fitted):
    features = [extract(fitted.front_end, say("rise"))]
    models, noise = fitted.acoustics, fitted.rejection.noise
    every, other = (examine(models, noise, features, words) for words in (None, np.array([WORDS.index("hum")])))
    lead = SUMMARY.index("lead")
    assert other.evidence[0, lead] < 0 < every.evidence[0, lead]
    assert other.evidence[0, len(SUMMARY)] < 0 < every.evidence[0, len(SUMMARY)], "the gap to the next word"
    assert other.scores == every.scores[:, [WORDS.index("hum")]]


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
    assert not found.evidence[:, SUMMARY.index("lead")].any()
    assert not found.evidence[:, len(SUMMARY) : len(SUMMARY) + GAPS].any()
    for features, evidence in zip(utterances, found.evidence):
        np.testing.assert_allclose(evidence[len(SUMMARY) :], details(one, features), rtol=1e-9, atol=1e-9)


def test_words_too_long_for_an_utterance_are_no_rivals():
    """One word may begin in its last state; of one frame nothing else can be said, so nothing lies behind it."""
    models, noise, features = made_up("continuous", 4, topology="left-right")
    entry = models.chain.log_entry.copy()
    entry[2, STATES] = np.log(0.5)
    models = replace(models, chain=replace(models.chain, log_entry=entry))
    short = features[0][:1]
    found = examine(models, noise, [short, features[0]])
    assert np.flatnonzero(np.isfinite(found.scores[0])).tolist() == [2]
    assert found.evidence[0, SUMMARY.index("lead")] == 0
    np.testing.assert_allclose(found.evidence[0, len(SUMMARY) :], details(models, short), rtol=1e-9, atol=1e-9)
    nothing = examine(models, noise, [short], words=np.array([0, 1, 3]))
    assert np.isneginf(nothing.scores).all()
    assert not nothing.evidence.any()


def test_without_a_mixture_of_noises_there_is_no_evidence():
    models, _, features = made_up("continuous", 3)
    found = examine(models, None, features)
    assert found.evidence.shape == (len(features), 0)
    scores, spans = decode(models, features)
    np.testing.assert_array_equal(found.scores, scores)
    np.testing.assert_array_equal(found.spans, spans)
