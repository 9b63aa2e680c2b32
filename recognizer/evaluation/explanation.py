"""Why a recording was taken for a word: its best words laid over it, frame by frame beside each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizer.errors import AudioError
from recognizer.evaluation.alignment import Segment, segments_of
from recognizer.features.analysis import Analysis
from recognizer.model import Model
from recognizer.recognition import decoding
from recognizer.recognition.evidence import examine


@dataclass(frozen=True)
class Rival:
    """The other word that fits best where a word is in one of its states.

    Attributes
    ----------
    word : its label
    ahead : by how much the state fits better than it, natural log likelihood; negative where it fits worse
    """

    word: str
    ahead: float


@dataclass(frozen=True, eq=False)
class Explained:
    """One word laid over a recording.

    Attributes
    ----------
    word : its label
    score : natural log likelihood a frame, as recognition has it
    growth : (T,) natural log likelihood up to and with each frame, along its best path; without that of the
        transitions, which is next to nothing beside it
    segments : where its path is in each state
    rivals : of each segment; None where there is no other word
    """

    word: str
    score: float
    growth: np.ndarray
    segments: tuple[Segment, ...]
    rivals: tuple[Rival | None, ...]

    def record(self) -> dict:
        """Everything as plain JSON data."""
        return {
            "word": self.word,
            "score": round(self.score, 4),
            "growth": [round(value, 2) for value in self.growth.tolist()],
            "segments": [
                {
                    "label": segment.label,
                    "start": round(segment.start, 4),
                    "end": round(segment.end, 4),
                    "rival": rival and rival.word,
                    "ahead": rival and round(rival.ahead, 2),
                }
                for segment, rival in zip(self.segments, self.rivals, strict=True)
            ],
        }


def explain(analysis: Analysis, model: Model, words: np.ndarray, most: int) -> list[Explained]:
    """Lay the best words over what was analysed.

    Parameters
    ----------
    analysis : by the model's front end
    model : which may be fitted to the speaker
    words : (W,) indices of those to choose from
    most : words that are laid over it; the others are no rivals

    Returns
    -------
    The words with a path, best first

    Raises
    ------
    AudioError
        if there is no speech in the recording, or too little for any word.
    """
    if not analysis.features:
        raise AudioError(f"no word can be laid over it, it is {analysis.reason}; record a whole word, closer or louder")
    (features,) = analysis.features
    found = examine(model.acoustics, None, [features], words)
    scores, words = found.scores[0], found.words[0]
    ranked = [i for i in np.argsort(-scores, kind="stable")[:most] if np.isfinite(scores[i])]
    if not ranked:
        raise AudioError(f"its {analysis.duration:.3f} s are too short for any word; record a whole word")
    paths = [decoding.along_path(model.acoustics, features, int(words[i])) for i in ranked]
    labels = [model.words[words[i]] for i in ranked]
    fits = np.stack([along for _, along in paths])
    explained = []
    for own, (i, (path, along)) in enumerate(zip(ranked, paths, strict=True)):
        segments = segments_of(analysis, model.acoustics, path, along)
        ends = np.cumsum([segment.frames for segment in segments])
        rivals = [_rival(fits[:, end - segment.frames : end], own, labels) for segment, end in zip(segments, ends)]
        score = float(scores[i]) / len(features)
        explained.append(Explained(labels[own], score, np.cumsum(along), segments, tuple(rivals)))
    return explained


def _rival(fits: np.ndarray, own: int, labels: list[str]) -> Rival | None:
    """Of a word in some frames, whose log densities are given along the paths of all words, (W, T)."""
    sums = fits.sum(1)
    others = [other for other in range(len(labels)) if other != own]
    if not others:
        return None
    best = max(others, key=lambda other: sums[other])
    return Rival(labels[best], float(sums[own] - sums[best]))
