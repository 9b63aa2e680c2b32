"""Measures of speech that were compared: how far a frame is over the noise, or how much more it is like speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from streams import RATE, Make, Word, mixed

from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.mixture import fit_mixture
from recognizer.sound.endpoint import HOP
from recognizer.sound.segmenter import Segmentation, Segmenter

MIXTURES = 16
SNRS = (None, 20.0, 10.0, 5.0)  # of the words the likelihood ratio is trained on
VARIANCE_FLOOR = 0.01  # of the variance of all frames
# A likelihood ratio has no decay, and its height says nothing about loudness.
UNSCALED = {"share": 0.0, "depth": np.inf, "decay": np.inf}


def energy(power: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Power of the whole band over its floor, dB, (n,)."""
    return 10 * np.log10(power.sum(1) / floor.sum() + 1e-12)


def amplitudes(power: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Mean over the bands of amplitude over floor, dB, (n,): strong bands count less than in `over_floor`."""
    return 20 * np.log10(np.sqrt(power / floor).mean(1) + 1e-6)


def shape(power: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Each band's power over its floor, and the spectrum whatever its level, dB, (n, 2 * bands)."""
    over = np.clip(10 * np.log10(power / floor + 1e-12), -10, 40)
    level = 10 * np.log10(power + 1e-12)
    return np.concatenate([over, level - level.mean(1, keepdims=True)], axis=1)


@dataclass(frozen=True)
class LikelihoodRatio:
    """ln p(frame | speech) - ln p(frame | noise), of two Gaussian mixtures."""

    speech: GaussianBank
    noise: GaussianBank

    def __call__(self, power: np.ndarray, floor: np.ndarray) -> np.ndarray:
        features = shape(power, floor)
        return (self.speech.log_density(features) - self.noise.log_density(features))[:, 0]

    @classmethod
    def trained(cls, words: Sequence[Word], clips: Sequence[np.ndarray]) -> LikelihoodRatio:
        """On the frames in words' cores, and on those outside their spans, in all noise ratios."""
        random = np.random.default_rng(0)
        inside, outside = [], []
        for number, word in enumerate(words):
            frames: list[np.ndarray] = []

            def nothing(power, floor, frames=frames):
                frames.append(shape(power, floor))
                return np.zeros(len(power))

            Segmenter(RATE, measure=nothing).push(mixed(word, clips, SNRS[number % len(SNRS)], random))
            features = np.concatenate(frames)
            centre = np.arange(len(features)) * HOP * RATE
            inside.append(features[(centre >= word.core[0]) & (centre < word.core[1])])
            outside.append(features[(centre < word.span[0]) | (centre >= word.span[1])])
        sides = [np.concatenate(inside), np.concatenate(outside)]
        floor = VARIANCE_FLOOR * np.concatenate(sides).var(0)
        return cls(*(fit_mixture(frames, MIXTURES, floor) for frames in sides))


def makers(settings: Segmentation, ratio: LikelihoodRatio, over: dict[str, tuple[float, float]]) -> dict[str, Make]:
    """Segmenters by name, with the onset and the offset that were chosen for each."""

    def settled(name: str, **changes: float) -> Segmentation:
        onset, offset = over[name]
        return replace(settings, onset=onset, offset=offset, **changes)

    return {
        "energy": lambda: Segmenter(RATE, settled("energy"), energy),
        "bands": lambda: Segmenter(RATE, settled("bands")),
        "likelihood ratio": lambda: Segmenter(RATE, settled("likelihood ratio", **UNSCALED), ratio),
    }
