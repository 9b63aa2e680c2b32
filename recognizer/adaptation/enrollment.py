"""Enrollment: from recordings of one speaker, labelled or not, to models that are fitted to the voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recognizer.adaptation.choice import (
    FEWEST,
    AdaptationData,
    Outcome,
    choose_method,
    cross_validate,
    cross_validate_words,
    several_takes,
    usual,
)
from recognizer.adaptation.method import Method, adapt
from recognizer.adaptation.takes import (
    SHARE,
    Take,
    with_speaker_mean,
)
from recognizer.errors import AdaptationError, cited, shown
from recognizer.features.analysis import finished
from recognizer.model import Model
from recognizer.recognition.calibration import posteriors
from recognizer.recognition.decoding import score_words

ANOTHER = 0.9  # probability of another word, at least, to be believed against the label: one in ten is a mistake then
ABSENT = 0.05  # probability of the label, at most, for a take to be doubtful


@dataclass(frozen=True)
class Doubt:
    """A take that may not be what it is said to be.

    Attributes
    ----------
    path : the file
    word : that it is said to be
    heard : what it sounds like
    """

    path: Path
    word: str
    heard: str

    def __str__(self) -> str:
        return f"{shown(self.path)}: labelled {cited(self.word)} but sounds like {cited(self.heard)}"


@dataclass(frozen=True)
class Enrollment:
    """What came of an enrollment.

    Attributes
    ----------
    model : the base, fitted to the speaker
    method : that was used
    why : it was chosen, in one line
    before : how the base does on the takes
    after : how the method does on takes that it was not fitted to; None with too few takes
    doubts : takes that may not be what they are said to be
    """

    model: Model
    method: Method
    why: str
    before: Outcome
    after: Outcome | None
    doubts: tuple[Doubt, ...]


def enroll(takes: Sequence[Take], model: Model, method: Method | None = None) -> Enrollment:
    """Fit a model to a speaker.

    Parameters
    ----------
    takes : of one speaker, at least one
    model : the base, or a model already fitted to the speaker in another condition
    method : how; chosen by cross-validation when None

    Raises
    ------
    AdaptationError
        if there is no take.
    """
    if not takes:
        raise AdaptationError("there is no take to learn from; record some")
    words = np.array([take.word for take in takes])
    front_end = with_speaker_mean(model.front_end, [take.analysis for take in takes])
    readings = [analysis.features for analysis in finished([take.analysis for take in takes], front_end)]
    data = AdaptationData(words, readings, SHARE)
    before = try_base(takes, model)
    after = None
    if method is not None:
        why = f"{method}, as asked"
    elif len(takes) < FEWEST:
        count = "1 take is" if len(takes) == 1 else f"{len(takes)} takes are"
        method = usual(model.acoustics)
        why = f"{method}, the usual method: {count} too few to compare it with others"
    else:
        same_mean = replace(before, scores=score_words(model.acoustics, [take[0] for take in readings]))
        outcome, why = choose_method(model.acoustics, data, same_mean)
        method, after = outcome.method, outcome if several_takes(words) else None
    if method.kind == "none":
        return Enrollment(model, method, why, before, before, ())
    models = adapt(model.acoustics, data.chunks(), method, SHARE)
    after = after or _tried(model, data, method)
    own = replace(model, front_end=front_end, acoustics=models)
    return Enrollment(own, method, why, before, after, _doubts(takes, model, before, after))


def try_base(takes: Sequence[Take], model: Model) -> Outcome:
    """How a model that is fitted to none of the takes does on them."""
    words = np.array([take.word for take in takes])
    plain = model.front_end.finish([t.analysis.features[0] for t in takes], [t.analysis.speech for t in takes])
    frames = np.array([len(features) for features in plain])
    return Outcome(Method("none"), words, score_words(model.acoustics, plain), frames)


def _tried(model: Model, data: AdaptationData, method: Method) -> Outcome | None:
    """How the method does on takes left out, where there are enough to tell."""
    if len(data.words) < FEWEST:
        return None
    if several_takes(data.words):
        return cross_validate(model.acoustics, data, [method])[0]
    return cross_validate_words(model.acoustics, data, method)


def _doubts(takes: Sequence[Take], model: Model, before: Outcome, after: Outcome | None) -> tuple[Doubt, ...]:
    """Takes that are surely another word to the base, and to models fitted to the other takes as well."""
    if after is None:
        return ()
    doubts = []
    by_take = [posteriors(outcome.scores, model.calibration) for outcome in (before, after)]
    for take, old, new in zip(takes, *by_take):
        heard = new.argmax()
        if heard == old.argmax() and new[heard] > ANOTHER and new[take.word] < ABSENT:
            doubts.append(Doubt(take.path, model.words[take.word], model.words[heard]))
    return tuple(doubts)
