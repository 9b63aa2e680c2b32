"""Which words of a large vocabulary are worth scoring exactly: a fast match (Bahl and others 1993).

Every state is a point: the mean of its density, each dimension in standard deviations of the average state, in the
DIMS directions in which states differ most. An utterance is the means of every POOLED frames, as points, too. How far
points lie apart is one matrix product; the nearest path through each word, which may skip a state, takes additions
and comparisons alone, on numbers in single precision. A word costs less than a hundredth of what its exact score
does, and the few that come out best are scored exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POOLED = 4  # frames that are one here: hardly a state is shorter
DIMS = 24  # of the points
CHUNK_VALUES = 4_000_000  # distances held at once: 16 MB


@dataclass(frozen=True)
class FastMatch:
    """The states of all words as points.

    Attributes
    ----------
    directions : (D, K) float32, from features to points
    points : (S * W + 1, K + 1) float32, first states of all words first, silence last; beside each point minus half of
        its square
    states : S
    """

    directions: np.ndarray
    points: np.ndarray
    states: int

    @classmethod
    def of(cls, means: np.ndarray, variances: np.ndarray, states: int) -> FastMatch:
        """From the moments of all densities, (W * S + 1, D), word by word and silence last; S states a word."""
        scale = np.sqrt(variances.mean(0))
        scaled = means / scale
        _, vectors = np.linalg.eigh(np.cov(scaled, rowvar=False, bias=True).reshape(len(scale), -1))
        directions = vectors[:, ::-1][:, :DIMS] / scale[:, None]
        points = means @ directions
        points = np.column_stack([points, -0.5 * (points**2).sum(1)]).astype(np.float32)
        words = points[:-1].reshape(-1, states, points.shape[1]).swapaxes(0, 1)
        laid = np.concatenate([words.reshape(-1, points.shape[1]), points[-1:]])
        return cls(directions.astype(np.float32), laid, states)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """How well each word fits an utterance, (W,) float32; differences compare with those of log likelihoods.

        Parameters
        ----------
        features : (T, D), as the densities know them; T at least one
        """
        frames, states = len(features), self.states
        starts = np.arange(0, frames, max(1, min(POOLED, frames // states)))
        counts = np.diff(np.append(starts, frames))
        pooled = np.add.reduceat(features.astype(np.float32) @ self.directions, starts)
        pooled = np.column_stack([pooled, counts]).astype(np.float32)
        words = len(self.points) // states
        best = np.full((states, words), -np.inf, dtype=np.float32)
        ended = np.full(words, -np.inf, dtype=np.float32)
        quiet = np.float32(0)  # of silence alone, up to here
        size = max(1, CHUNK_VALUES // len(self.points))
        for part in (pooled[start : start + size] for start in range(0, len(pooled), size)):
            for near in part @ self.points.T:
                before = best.copy()
                for skipped in range(1, min(3, states + 1)):
                    np.maximum(best[skipped:], before[:-skipped], out=best[skipped:])
                    np.maximum(best[skipped - 1], quiet, out=best[skipped - 1])
                best += near[:-1].reshape(states, words)
                ended += near[-1]
                np.maximum(ended, best[-2:].max(0), out=ended)
                quiet += near[-1]
        return ended
