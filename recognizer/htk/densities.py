"""The densities of states as HTK defines them, and back; and the features that HTK has to be given with them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

import numpy as np

from recognizer.acoustics.codebook import stream_masks
from recognizer.acoustics.density import Density
from recognizer.acoustics.discrete import DiscreteBank
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.tied import TiedBank
from recognizer.errors import ModelError
from recognizer.htk.definitions import Gaussians, StreamDensity, Symbols, TiedWeights

Streams = tuple[StreamDensity, ...]  # of one state
Codebooks = dict[str, Gaussians]


@singledispatch
def to_htk(bank: Density) -> tuple[list[Streams], Codebooks]:
    """The streams of every state, and the codebooks that they refer to."""
    raise NotImplementedError(f"HTK has no {type(bank).__name__}")


@to_htk.register
def _(bank: GaussianBank) -> tuple[list[Streams], Codebooks]:
    """Without the unused components."""
    used = bank.weights > 0
    rows = zip(bank.weights, bank.means, bank.variances, used)
    return [(Gaussians(w[u], mean[u], variance[u]),) for w, mean, variance, u in rows], {}


@to_htk.register
def _(bank: TiedBank) -> tuple[list[Streams], Codebooks]:
    codebooks = {}
    for number, (means, variances, own) in enumerate(zip(bank.means, bank.variances, bank.streams > 0), 1):
        equal = np.full(len(means), 1.0 / len(means))
        codebooks[f"codebook{number}_"] = Gaussians(equal, means[:, own], variances[:, own])
    return [tuple(TiedWeights(name, w) for name, w in zip(codebooks, state)) for state in bank.weights], codebooks


@to_htk.register
def _(bank: DiscreteBank) -> tuple[list[Streams], Codebooks]:
    """Symbols count from 1 in the order of the cells."""
    return [tuple(Symbols(w) for w in state) for state in bank.weights], {}


def of_htk(states: Sequence[Streams], codebooks: Codebooks, widths: tuple[int, ...]) -> Density:
    """The density of states, from the streams of each.

    Parameters
    ----------
    states : all of one kind
    codebooks : that they refer to
    widths : values a frame of each stream

    Raises
    ------
    ModelError
        if it is none that is known here.
    """
    readers = {Gaussians: _of_gaussians, TiedWeights: _of_tied_weights, Symbols: _of_symbols}
    return readers[type(states[0][0])](states, codebooks, widths)


def _of_gaussians(states: Sequence[Streams], codebooks: Codebooks, widths: tuple[int, ...]) -> GaussianBank:
    if len(widths) > 1:
        raise ModelError(
            f"its Gaussians stand in {len(widths)} streams, and only of codebooks are several read; tie them to "
            "one codebook a stream (HHEd's TI)"
        )
    mixtures = max(len(state.weights) for (state,) in states)
    arrays = [[], [], []]
    for (state,) in states:
        room = (0, mixtures - len(state.weights))
        arrays[0].append(np.pad(state.weights, room))
        arrays[1].append(np.pad(state.means, (room, (0, 0))))
        arrays[2].append(np.pad(state.variances, (room, (0, 0)), constant_values=1.0))
    return GaussianBank(*map(np.stack, arrays))


def _of_tied_weights(states: Sequence[Streams], codebooks: Codebooks, widths: tuple[int, ...]) -> TiedBank:
    names = tuple(stream.codebook for stream in states[0])
    if any(tuple(stream.codebook for stream in state) != names for state in states):
        raise ModelError("its states use different codebooks, and one for all is read; tie them to one")
    size, dims = max(len(codebooks[name].means) for name in names), sum(widths)
    means, variances = np.zeros((len(names), size, dims)), np.ones((len(names), size, dims))
    streams = stream_masks(widths)
    for r, name in enumerate(names):
        own, found = np.flatnonzero(streams[r]), codebooks[name]
        means[r, : len(found.means), own] = found.means.T
        variances[r, : len(found.means), own] = found.variances.T
    return TiedBank(_padded(states, "weights", size), means, variances, streams)


def _of_symbols(states: Sequence[Streams], codebooks: Codebooks, widths: tuple[int, ...]) -> DiscreteBank:
    """Each stream is one dimension, and its cells are centred on the symbols."""
    streams = stream_masks([1] * len(states[0]))
    size = max(len(stream.probabilities) for state in states for stream in state)
    centres = streams[:, None] * np.arange(1, size + 1)[:, None]
    return DiscreteBank(_padded(states, "probabilities", size), centres, streams)


def _padded(states: Sequence[Streams], name: str, size: int) -> np.ndarray:
    """Weights of all states and streams, (S, R, N)."""
    weights = [[getattr(stream, name) for stream in state] for state in states]
    return np.array([[np.pad(w, (0, size - len(w))) for w in state] for state in weights])


def to_parameters(bank: Density, features: np.ndarray, kind: str) -> tuple[np.ndarray, str]:
    """Features (T, D) as HTK has to be given them, and their kind; symbols, (T, R), from 1 on, where it knows symbols.

    Parameters
    ----------
    bank : which the features are for
    features : (T, D)
    kind : of the features
    """
    if bank.cells is None:
        return features, kind
    return bank.symbols(features).astype(np.float32) + 1, "DISCRETE"
