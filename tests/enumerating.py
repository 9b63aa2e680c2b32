"""Small chains, random ones, and every path through them, one by one: what recursions and updates are held to."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from recognizer.acoustics.chain import Chain, shortest
from recognizer.acoustics.recursions import Batch

seeds = st.integers(0, 2**32 - 1)
positions_ = st.integers(1, 4)
lengths_ = st.lists(st.integers(1, 7), min_size=1, max_size=4)
thorough = settings(max_examples=60, deadline=None)
PARTS = ("log_entry", "log_stay", "log_next", "log_exit")


def logs(probabilities):
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def random_chain(seed, positions, words=(), blocked=0.3, silence=False):
    """Random transitions of which some are impossible; with silence, those of `of_topology` instead."""
    random = np.random.default_rng(seed)
    entry = random.dirichlet(np.ones(positions), words)
    moves = random.dirichlet(np.ones(3), (*words, positions))
    if silence:
        form = Chain.of_topology(1, positions - 2)
        entry = entry * (form.log_entry[0] > -np.inf)
        moves = moves * (np.stack([form.log_stay[0], form.log_next[0], form.log_exit[0]], -1) > -np.inf)
    else:
        entry[..., 1:][random.random(entry[..., 1:].shape) < blocked] = 0
        moves[random.random(moves.shape) < blocked] = 0
    moves[..., -1, 1] = 0
    moves[..., -1, 2] += 1e-3
    entry /= entry.sum(-1, keepdims=True)
    moves /= np.maximum(moves.sum(-1, keepdims=True), 1e-300)
    return Chain(logs(entry), *np.moveaxis(logs(moves), -1, 0))


def random_densities(seed, lengths, *shape):
    """One array of log densities an utterance."""
    random = np.random.default_rng(seed)
    return [random.normal(-3, 2, (length, *shape)) for length in lengths]


def laid_out(densities):
    """All utterances as one time-major array, and its layout."""
    batch = Batch.of([len(d) for d in densities])
    return np.concatenate(densities)[batch.frame], batch


def paths(length, positions, start=None):
    """All paths that stay or move on by one, as tuples of positions."""
    todo = [(p,) for p in (range(positions) if start is None else [start])]
    while todo:
        path = todo.pop()
        if len(path) == length:
            yield path
        else:
            todo += [(*path, p) for p in (path[-1], path[-1] + 1) if p < positions]


def moves_log_probability(path, chain):
    return sum(chain.log_stay[a] if a == b else chain.log_next[a] for a, b in itertools.pairwise(path))


def path_log_probability(path, density, chain):
    emitted = sum(density[t, p] for t, p in enumerate(path))
    return chain.log_entry[path[0]] + moves_log_probability(path, chain) + emitted + chain.log_exit[path[-1]]


def enumerated(density, chain):
    """Every path that is possible, with its log probability together with the observations."""
    everything = {path: path_log_probability(path, density, chain) for path in paths(len(density), density.shape[1])}
    return {path: p for path, p in everything.items() if p > -np.inf}


def log_sum(values):
    values = list(values)
    return np.logaddexp.reduce(values) if values else -np.inf


def counts_of(path, positions):
    """Entered, kept, left for the next, left for the exit, (P, 4), by walking along the path."""
    counts = np.zeros((positions, 4))
    counts[path[0], 0] += 1
    counts[path[-1], 3] += 1
    for a, b in itertools.pairwise(path):
        counts[a, 1 if a == b else 2] += 1
    return counts


def in_order(densities, batch):
    """The utterances as they stand in the batch: place, densities."""
    return [(place, densities[number]) for place, number in enumerate(batch.order)]


@st.composite
def models(draw, possible=False):
    """A chain and the log densities of some utterances; if `possible`, each has a path."""
    seed, positions, silence = draw(seeds), draw(positions_), draw(st.booleans())
    positions += 2 * silence
    chain = random_chain(seed, positions, silence=silence)
    densities = random_densities(seed, draw(lengths_), positions)
    if possible:
        densities = [d for d in densities if enumerated(d, chain)]
        if not densities:
            chain = random_chain(seed, positions, blocked=0)
            densities = random_densities(seed, [positions, positions + 2], positions)
    return chain, densities


# General transitions: a full matrix, enumerated and summed as the equations are written


def general_matrices(seed, positions, words=(), allowed=0.6, silence=True):
    """Entry and moves of which some are impossible; every position can be reached and left.

    With silence, a word begins alike from the entry and out of the silence, as `Chain.update` has it; without it the
    first and the last position are never visited, and what is between them is any hidden Markov model.
    """
    random = np.random.default_rng(seed)
    possible = random.random((*words, positions, positions + 1)) < allowed
    possible[..., -1] |= ~possible.any(-1)
    possible[..., np.arange(positions), np.minimum(np.arange(positions) + 1, positions - 1)] = True
    possible[..., -1, -1] = True
    moves = (random.dirichlet(np.ones(positions + 1), (*words, positions)) + 0.05) * possible
    entry = (random.dirichlet(np.ones(positions), words) + 0.05) * (random.random((*words, positions)) < allowed)
    entry[..., min(1, positions - 1)] += 0.1
    if not silence:
        entry[..., [0, -1]] = 0
        moves[..., [0, -2]] = 0
        moves[..., -2, -1] += 0.1  # the word's last state can be left
        moves[..., [0, -1], :] = 0
        moves[..., [0, -1], -1] = 1
    entry /= entry.sum(-1, keepdims=True)
    moves /= moves.sum(-1, keepdims=True)
    if silence and positions > 1:
        begins = entry[..., 1:] / entry[..., 1:].sum(-1, keepdims=True)
        moves[..., 0, 1:-1] = begins * moves[..., 0, 1:-1].sum(-1, keepdims=True)
    return entry, moves


def every_path(length, positions):
    return itertools.product(range(positions), repeat=length)


def walked(entry, moves, density):
    """The probability of every possible path together with the observations; b are densities, not logs."""
    length, positions = density.shape
    found = {}
    for path in every_path(length, positions):
        p = entry[path[0]] * moves[path[-1], -1]
        for a, b in itertools.pairwise(path):
            p *= moves[a, b]
        for t, state in enumerate(path):
            p *= density[t, state]
        if p > 0:
            found[path] = p
    return found


def rabiner(entry, moves, density):
    """alpha, beta, gamma, xi and P(O) (Rabiner 1989, eq. 19-27, 36-37), with an exit in place of eq. 21."""
    length, positions = density.shape
    everywhere = range(positions)
    alpha, beta = np.zeros((length, positions)), np.zeros((length, positions))
    for i in everywhere:
        alpha[0, i] = entry[i] * density[0, i]
    for t in range(length - 1):
        for j in everywhere:
            alpha[t + 1, j] = sum(alpha[t, i] * moves[i, j] for i in everywhere) * density[t + 1, j]
    for i in everywhere:
        beta[-1, i] = moves[i, -1]
    for t in reversed(range(length - 1)):
        for i in everywhere:
            beta[t, i] = sum(moves[i, j] * density[t + 1, j] * beta[t + 1, j] for j in everywhere)
    total = sum(alpha[-1, i] * moves[i, -1] for i in everywhere)
    gamma = alpha * beta / total
    xi = np.zeros((length - 1, positions, positions))
    for t, i, j in np.ndindex(*xi.shape):
        xi[t, i, j] = alpha[t, i] * moves[i, j] * density[t + 1, j] * beta[t + 1, j] / total
    return alpha, beta, gamma, xi, total


def as_columns(chain, entered, pairs, left):
    """Counts of pairs (P, P) in the columns of `Chain.update`."""
    positions = len(entered)
    by_distance = [
        np.array([pairs[p, p + d] if 0 <= p + d < positions else 0.0 for p in range(positions)])
        for d, _ in chain.moves()
    ]
    kept, advanced, *jumped = by_distance
    return np.stack([entered, kept, advanced, left, *jumped], -1)


@st.composite
def general_models(draw, silence=None):
    """Entry, moves, chain, and the densities of utterances from the shortest possible up."""
    seed, positions = draw(seeds), draw(st.integers(3, 4))
    silent = draw(st.booleans()) if silence is None else silence
    entry, moves = general_matrices(seed, positions, silence=silent)
    chain = Chain.of_matrices(entry, moves)
    [least] = shortest(Chain.of_matrices(entry[None], moves[None]))
    lengths = [least, *draw(st.lists(st.integers(least, max(least, 5)), max_size=2))]
    densities = random_densities(seed, lengths, positions)
    return entry, moves, chain, [d for d in densities if walked(entry, moves, np.exp(d))]  # the shortest at least


general = settings(max_examples=30, deadline=None)
