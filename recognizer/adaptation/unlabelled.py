"""Adaptation to recordings of which nobody told the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recognizer.adaptation.choice import usual
from recognizer.adaptation.method import Method, adapt
from recognizer.adaptation.takes import long_enough, with_speaker_mean
from recognizer.errors import AdaptationError
from recognizer.features.analysis import Analysis
from recognizer.model import Model
from recognizer.recognition.evidence import examine
from recognizer.recognition.verification import belief, is_sure, least_probability
from recognizer.training.training import chunks_of

ENOUGH_TO_MAP = 2  # sure recordings a word of the vocabulary, on average: with fewer, words that are learned of by MAP
PASSES = 10  # over unlabelled recordings, at most


@dataclass(frozen=True)
class SelfAdaptation:
    """What came of adapting to recordings that nobody labelled.

    Attributes
    ----------
    model : the base, fitted to the speaker
    words : (U,) what was taken to be said in each, -1 where that was not sure enough to learn from
    passes : over all recordings
    """

    model: Model
    words: np.ndarray
    passes: int


def self_adapt(
    analyses: Sequence[Analysis],
    model: Model,
    method: Method | None = None,
    *,
    allowed: np.ndarray | None = None,
    threshold: str | float = "normal",
) -> SelfAdaptation:
    """Fit a model to one speaker's recordings by its own answers, in passes until these stay the same.

    Each pass fits the base to the recordings that the models of the pass before are sure of.

    Parameters
    ----------
    analyses : of the recordings, with static cepstra; those without speech are passed over
    model : the base
    method : how; the usual one when None
    allowed : indices of the only words that can be meant; all when None
    threshold : how probable an answer must be to be one at all, as in `verification.least_probability`

    Raises
    ------
    AdaptationError
        if there is no speech in any of them.
    """
    heard = [i for i, analysis in enumerate(analyses) if long_enough(analysis, model)]
    if not heard:
        raise AdaptationError("there is no speech to adapt to in any of the recordings; record some words")
    front_end = with_speaker_mean(model.front_end, [analyses[i] for i in heard])
    features = front_end.finish([analyses[i].features[0] for i in heard], [analyses[i].speech for i in heard])
    method = method or usual(model.acoustics)
    own, words = replace(model, front_end=front_end), np.full(len(heard), -1)
    for passes in range(1, PASSES + 1):  # noqa: B007 - told to the caller
        before, words = words, sure_words(own, features, allowed, threshold)
        if np.array_equal(before, words):
            break
        sure = np.flatnonzero(words >= 0)
        chunks = chunks_of([features[i] for i in sure], words[sure]) if len(sure) else []
        few = len(sure) < ENOUGH_TO_MAP * len(model.words)
        careful = replace(method, kind=method.transforms or "none") if few else method
        own = replace(own, acoustics=adapt(model.acoustics, chunks, careful))
    by_recording = np.full(len(analyses), -1)
    by_recording[heard] = words
    return SelfAdaptation(own, by_recording, passes)


def sure_words(
    model: Model,
    features: Sequence[np.ndarray],
    allowed: np.ndarray | None = None,
    threshold: str | float = "normal",
) -> np.ndarray:
    """The word of each utterance, as its index; -1 where that is not sure enough to learn from, (U,)."""
    allowed = np.arange(len(model.words)) if allowed is None else allowed
    noise = model.rejection and model.rejection.noise
    found = examine(model.acoustics, noise, features, allowed)
    believed = belief(found.scores, found.evidence, model.calibration, model.rejection)
    # Who wants everything answered does not want noises learned from.
    least = max(least_probability(point, model.rejection) for point in (threshold, "normal"))
    sure = is_sure(believed, least)
    return np.where(sure, found.best, -1)
