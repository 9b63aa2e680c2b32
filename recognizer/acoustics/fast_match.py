"""Which words of a large vocabulary are worth scoring exactly: a fast match (Bahl and others 1993).

Every state is a single Gaussian here, that of its density's mean and variance, and an utterance the means of every few
frames. All log densities are then one product of matrices in single precision, and the best path through each word,
which may skip a state and pays nothing for its moves, takes additions and comparisons alone. A word costs a thirtieth
of what its exact score does, and the few that come out best are scored exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POOLED = 3  # frames that are one here: few states are shorter
CHUNK_VALUES = 4_000_000  # log densities held at once: 16 MB
# Standard deviations from the mean of all beyond which nothing is told apart, and how much wider or narrower than
# others a density may be: with these, single precision cannot overflow.
FARTHEST, WIDEST = 1e4, 1e6


@dataclass(frozen=True)
class FastMatch:
    """The states of all words as single Gaussians.

    Attributes
    ----------
    centre, scale : (D,), mean of all densities and their standard deviation, in which features are measured
    affine : (R + 1, 2 D + 1) float32, log densities as a linear map of [x, x**2, 1]; silence last, and before it the
        first states of all words first, or in any order if they are tied
    states : S
    reach : how many states a path may go on at once
    tied : (S * W,), which of these rows the first states of all words have, and the next ones; None if each its own
    """

    centre: np.ndarray
    scale: np.ndarray
    affine: np.ndarray
    states: int
    reach: int = 2
    tied: np.ndarray | None = None

    @classmethod
    def of(
        cls, means: np.ndarray, variances: np.ndarray, states: int, reach: int = 2, tying: np.ndarray | None = None
    ) -> FastMatch:
        """From the moments of all densities, (W * S + 1, D), word by word and silence last; S states a word.

        Of tied states, (R + 1, D), and which of them each state of a word has, (W, S).
        """
        centre, scale = means.mean(0), np.sqrt(variances.mean(0))
        if tying is not None:
            affine = _affine((means - centre) / scale, scale**2 / variances).astype(np.float32)
            return cls(centre, scale, affine, states, reach, tying.T.ravel())
        affine = np.empty((len(means), 2 * len(centre) + 1), dtype=np.float32)
        words = (len(means) - 1) // states
        for state in range(states):
            mean, variance = means[state:-1:states], variances[state:-1:states]
            affine[state * words : (state + 1) * words] = _affine((mean - centre) / scale, scale**2 / variance)
        affine[-1:] = _affine((means[-1:] - centre) / scale, scale**2 / variances[-1:])
        return cls(centre, scale, affine, states, reach)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """How well each word fits an utterance, (W,) float32; differences compare with those of log likelihoods.

        Parameters
        ----------
        features : (T, D), as the densities know them; T at least one
        """
        own = slice(-1) if self.tied is None else self.tied
        frames, states = len(features), self.states
        words = (len(self.affine) - 1 if self.tied is None else len(self.tied)) // states
        starts = np.arange(0, frames, max(1, min(POOLED, frames // states)))
        heard = np.clip((features - self.centre) / self.scale, -FARTHEST, FARTHEST)
        sums = np.add.reduceat(np.column_stack([heard, heard**2, np.ones(frames)]), starts).astype(np.float32)
        best = np.full((states, words), -np.inf, dtype=np.float32)
        ended = np.full(words, -np.inf, dtype=np.float32)
        quiet = np.float32(0)  # of silence alone, up to here
        size = max(1, CHUNK_VALUES // len(self.affine))
        for part in (sums[start : start + size] for start in range(0, len(sums), size)):
            for log_density in part @ self.affine.T:
                before = best.copy()
                for far in range(1, min(self.reach, states) + 1):
                    np.maximum(best[far:], before[:-far], out=best[far:])
                    np.maximum(best[far - 1], quiet, out=best[far - 1])
                best += log_density[own].reshape(states, words)
                ended += log_density[-1]
                np.maximum(ended, best[-self.reach :].max(0), out=ended)
                quiet += log_density[-1]
        return ended


def _affine(means: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Rows by which [x, x**2, 1] becomes log densities, but for what all share."""
    means, precision = np.clip(means, -FARTHEST, FARTHEST), np.clip(precision, 1 / WIDEST, WIDEST)
    constant = 0.5 * (np.log(precision).sum(1) - (means**2 * precision).sum(1))
    return np.column_stack([means * precision, -0.5 * precision, constant])
