"""Front ends against noise that the program might have had, each a variation of its own.

References: Viikki and Laurila 1998 (mean and variance over a segment), Chen and Bilmes 2007 (MVA), Berouti and
others 1979 (spectral subtraction), Kim and Stern 2016 (power-normalised cepstra), Hermansky and Morgan 1994 (RASTA),
Haeb-Umbach and Ney 1992 (LDA), Gales 1999 (the transform that leaves covariances diagonal, MLLT).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recognizer.features.front_end import LOUD, SILENT, FrontEnd, segment_quantile

ORDER, RESPONSE = 2, 12  # of the moving average, and frames of the past that still matter to it, by a thousandth
OVERSUBTRACTION, LEFT = 2.0, 0.03  # times the noise that is taken away, and the least share of the power that stays
QUIET = 0.1  # quantile of a filter's powers over the frames that stands for the noise
POWER = 1 / 15  # in place of the logarithm
MEDIUM = 2  # frames on each side over which powers are averaged before the noise is taken away
RASTA_POLE = 0.94
CONTEXT = 4  # frames on each side that a linear transform sees
ITERATIONS = 20  # of MLLT: the criterion rises by less than a thousandth afterwards


def averaged(front_end: FrontEnd) -> FrontEnd:
    """MVA: with an autoregressive moving average over frames in place of the triangle."""
    response = np.zeros(ORDER + RESPONSE + 1)  # of y[t] = (sum of y[t - ORDER : t] and x[t : t + ORDER + 1]) / 5
    for t in range(len(response)):
        response[t] = (response[max(0, t - ORDER) : t].sum() + (t <= ORDER)) / (2 * ORDER + 1)
    kernel = np.zeros((1, 2 * RESPONSE + 1))
    kernel[0, : RESPONSE + ORDER + 1] = response[::-1] / response.sum()
    front_end = replace(front_end, smoothing_width=kernel.shape[1])
    return replace(front_end, matrices=replace(front_end.matrices, smoothing=kernel))


@dataclass(frozen=True)
class Subtracted(FrontEnd):
    """Spectral subtraction in the filters, of a floor that lies under each."""

    def compressed(self, powers: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Logarithms of what is left of the powers."""
        noise = np.repeat(quiet(powers, frames), frames, axis=0)
        return super().compressed(np.maximum(powers - OVERSUBTRACTION * noise, LEFT * powers), frames)


@dataclass(frozen=True)
class PowerNormalised(FrontEnd):
    """Power-normalised cepstra, simplified: noise taken from powers over several frames, and a root for a logarithm."""

    def compressed(self, powers: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Roots of the powers, their gains of the average over several frames."""
        parts = []
        for own in np.split(powers, frames.cumsum()[:-1]):
            padded = np.pad(own, ((MEDIUM, MEDIUM), (0, 0)), "edge")
            medium = np.mean([padded[i : i + len(own)] for i in range(2 * MEDIUM + 1)], axis=0) + SILENT
            noise = np.quantile(medium, QUIET, axis=0)
            gain = np.maximum(medium - noise, LEFT * medium) / medium
            level = np.quantile((own * gain).mean(1), LOUD) + SILENT
            parts.append((own * gain / level + self.floor) ** POWER / POWER)
        return np.concatenate(parts)


@dataclass(frozen=True)
class Rasta(FrontEnd):
    """RASTA: a band-pass over the frames of each filter's logarithm."""

    def compressed(self, powers: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Filtered logarithms, from the first frame's level on."""
        from scipy.signal import lfilter

        logs, numerator = super().compressed(powers, frames), np.array([0.2, 0.1, 0.0, -0.1, -0.2])
        parts = []
        for own in np.split(logs, frames.cumsum()[:-1]):
            own = own - own[:1]  # a level that was always there passes as zero, so that nothing has to settle first
            ahead = np.concatenate([np.repeat(own[:1], 4, axis=0), own, np.repeat(own[-1:], 2, axis=0)])
            parts.append(lfilter(numerator, [1.0, -RASTA_POLE], ahead, axis=0)[6:])
        return np.concatenate(parts)


def quiet(powers: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """The quantile of each filter's powers over every utterance, (U, filters)."""
    return np.stack([segment_quantile(column, frames, QUIET) for column in powers.T], axis=1)


def stacked(statics: np.ndarray) -> np.ndarray:
    """Every frame beside its neighbours, (T, (2 CONTEXT + 1) D); utterances go on as they end."""
    place = np.arange(len(statics))[:, None] + np.arange(-CONTEXT, CONTEXT + 1)
    return statics[np.clip(place, 0, len(statics) - 1)].reshape(len(statics), -1)


def discriminant(frames: np.ndarray, classes: np.ndarray, dims: int) -> np.ndarray:
    """LDA, then MLLT: the directions that tell classes apart, turned so that diagonal covariances fit best.

    Parameters
    ----------
    frames : (T, D)
    classes : (T,)
    dims : directions to keep

    Returns
    -------
    (dims, D)
    """
    from scipy.linalg import eigh

    _, own, counts = np.unique(classes, return_inverse=True, return_counts=True)
    shares = counts / counts.sum()
    means = np.stack([np.bincount(own, column) for column in frames.T], axis=1) / counts[:, None]
    centred = frames - means[own]
    within = centred.T @ centred / len(frames)
    spread = means - shares @ means
    _, directions = eigh((spread.T * shares) @ spread, within + 1e-6 * np.eye(len(within)))
    kept = directions[:, ::-1][:, :dims].T
    reduced = centred @ kept.T
    covariances = np.stack([np.cov(reduced[own == c].T, bias=True) for c in range(len(counts))])
    covariances += 1e-3 * np.eye(dims)
    return decorrelating(covariances, shares) @ kept


def decorrelating(covariances: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The square transform under which diagonal covariances lose least likelihood (Gales 1999, eq. 15), (D, D)."""
    turn = np.eye(covariances.shape[-1])
    for _ in range(ITERATIONS):
        diagonal = np.einsum("ij,cjk,ik->ci", turn, covariances, turn)
        for row in range(len(turn)):
            weighted = np.linalg.inv(np.einsum("c,cij->ij", shares / diagonal[:, row], covariances))
            cofactor = np.linalg.det(turn) * np.linalg.inv(turn)[:, row]
            turn[row] = cofactor @ weighted / np.sqrt(cofactor @ weighted @ cofactor)
    return turn
