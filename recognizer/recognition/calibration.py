"""Scores read as probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SCALES = (1e-3, 1.0)  # at the latter all frames would be independent; fewer than one in a thousand cannot be


@dataclass(frozen=True)
class Calibration:
    """What turns scores into decisions, fitted on speech that the models have not seen.

    Attributes
    ----------
    scale : factor on differences of log likelihoods before they are read as log odds: frames are not
        independent, so unscaled they are far too sure
    """

    scale: float = 0.1  # where none was fitted: of the order of those that were, 0.03 to 0.06 on digits


def posteriors(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Probability of every word given that one of them was said, (..., W), from log likelihoods.

    A word that is longer than the utterance, of log likelihood -inf, has none; so have all where all are.
    """
    best = scores.max(-1, keepdims=True)
    relative = np.exp(calibration.scale * (scores - np.where(np.isfinite(best), best, 0.0)))
    return relative / np.maximum(relative.sum(-1, keepdims=True), 1.0)  # the best is 1 of it


def fit_calibration(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray | None = None) -> Calibration:
    """The scale under which held-out words are most probable (maximum likelihood, one parameter).

    Parameters
    ----------
    scores : (U, W) log likelihoods under models that have not seen the utterances, finite
    truth : (U,) index of the word that was said
    weight : (U,) how much each utterance counts; all the same when None
    """
    from scipy.optimize import minimize_scalar

    difference = scores - scores[np.arange(len(truth)), truth][:, None]

    def surprise(log_scale: float) -> float:
        return float(np.average(np.logaddexp.reduce(np.exp(log_scale) * difference, axis=1), weights=weight))

    best = minimize_scalar(surprise, bounds=np.log(SCALES), method="bounded")
    return Calibration(float(np.exp(best.x)))
