"""Adaptation to recordings of which nobody told the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recognizer.adaptation.choice import (
    usual,
)
from recognizer.adaptation.method import Method, adapt
from recognizer.adaptation.takes import (
    long_enough,
    with_speaker_mean,
)
from recognizer.errors import AdaptationError
from recognizer.features.analysis import Analysis
from recognizer.model import Model
from recognizer.recognition.calibration import posteriors
from recognizer.recognition.decoding import score_words

# Every take is also heard as other rooms and slightly other tracts would have it: what they share is the speaker.
from recognizer.recognition.verification import SURE, examine, least_probability
from recognizer.training.training import chunks_of

LIKELY = 0.5  # probability that it is a word at all, at least: what is learned from does more harm than an answer
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
    threshold : how probable an answer must be to be one at all, as in `rejection.least_probability`

    Raises
    ------
    AdaptationError
        if there is no speech in any of them.
    """
    heard = [i for i, analysis in enumerate(analyses) if long_enough(analysis, model)]
    if not heard:
        raise AdaptationError("there is no speech to adapt to in any of the recordings; record some words")
    front_end = with_speaker_mean(model.front_end, [analyses[i] for i in heard])
    features = [front_end.finish(analyses[i].features[0], analyses[i].speech) for i in heard]
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
    if model.rejection is None:
        scores, known = score_words(model.acoustics, features, allowed), np.ones(len(features))
    else:
        found = examine(model.acoustics, model.rejection.noise, features, allowed)
        scores, known = found.scores, model.rejection.known(found.evidence)
    least = least_probability(threshold, model.rejection)
    probable = posteriors(scores, model.calibration)
    sure = (probable.max(1) >= max(SURE, least)) & (known >= max(LIKELY, least))
    return np.where(sure, allowed[probable.argmax(1)], -1)
