"""Enrollment: from recordings of one speaker, labelled or not, to models that are fitted to the voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recognizer.adaptation.choice import (
    FEWEST,
    Material,
    Trial,
    compare,
    cross_validate,
    cross_validate_words,
    several_takes,
    usual,
)
from recognizer.adaptation.method import Method, adapt
from recognizer.analysis import Analysis, analyse_files
from recognizer.audio import shown
from recognizer.corpus import Utterance
from recognizer.decoding import posteriors, score_words
from recognizer.errors import AdaptationError, AudioError
from recognizer.features import FrontEnd
from recognizer.model import Model
from recognizer.perturbation import MILD, PLAIN, Perturbation
from recognizer.rejection import examine, least_probability
from recognizer.training import chunks_by_word

# Every take is also heard as other rooms and slightly other tracts would have it: what they share is the speaker.
READINGS = (PLAIN, *MILD)
SHARE = 0.4  # of a frame that a frame of each reading counts for
MEAN_PRIOR = 100.0  # frames of the base's mean in the speaker's own
MEAN_WEIGHT = 200.0  # frames that it counts for beside an utterance's: it is better known than a stranger's
SURE = 0.9  # probability of a word that nobody told, to be learned from or to be believed against the label
LIKELY = 0.5  # probability that it is a word at all, at least: what is learned from does more harm than an answer
ENOUGH_TO_MAP = 2  # sure recordings a word of the vocabulary, on average: with fewer, words that are learned of by MAP
# fit the voice so much better than the others that they would be heard in their place
ABSENT = 0.05  # probability of the label, at most, for a take to be doubtful
WARPS = (0.84, 0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12, 1.16)  # from a long vocal tract to a child's
PASSES = 10  # over unlabelled recordings, at most


@dataclass(frozen=True)
class Take:
    """One recording of a word by the speaker, ready to be learned from.

    Attributes
    ----------
    path : the file, for messages
    word : index in the model's vocabulary
    analysis : with the static cepstra of the readings
    """

    path: Path
    word: int
    analysis: Analysis


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
        return f"{shown(self.path)}: labelled {self.word!r} but sounds like {self.heard!r}"


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
    before: Trial
    after: Trial | None
    doubts: tuple[Doubt, ...]


def analyse_takes(
    utterances: Sequence[Utterance], model: Model, *, readings: Sequence[Perturbation] = READINGS, jobs: int = 1
) -> tuple[list[Take], list[str]]:
    """Read and analyse recordings of one speaker.

    Parameters
    ----------
    utterances : labelled recordings
    model : to be fitted
    readings : of each recording
    jobs : processes, when there are many

    Returns
    -------
    takes : those that can be learned from
    refused : why the others cannot, one line each
    """
    takes, refused = [], []
    paths, front_end = [u.path for u in utterances], model.front_end
    found = analyse_files(paths, front_end, model.endpointer, readings, finish=False, jobs=jobs)
    for utterance, analysis in zip(utterances, found):
        name = shown(utterance.path)
        if isinstance(analysis, AudioError):
            refused.append(str(analysis))
        elif utterance.word not in model.words:
            refused.append(f"{name}: the model has no word {utterance.word!r}")
        elif analysis.reason:
            refused.append(f"{name}: {analysis.reason}; record it again")
        elif not _long_enough(analysis, model):
            refused.append(f"{name}: too short for a word; record it again")
        else:
            takes.append(Take(utterance.path, model.words.index(utterance.word), analysis))
    return takes, refused


def best_warp(utterances: Sequence[Utterance], model: Model, *, jobs: int = 1) -> float:
    """The factor on the frequency axis that makes a speaker's takes likeliest (vocal tract length normalisation).

    The likeliest of so many is one other than 1 even by chance, so it must also earn its place: each take is read with
    the factor that is best for the others, and if that makes them no likelier than they are, the factor is 1.

    Reference: Lee and Rose 1996, "Speaker normalization using efficient frequency warping procedures". The warp's
    Jacobian is left out, as there: the mean of the features, which carries most of it, is normalised.

    Parameters
    ----------
    utterances : labelled recordings
    model : to be fitted; the factor is on top of its own
    jobs : processes, when there are many

    Returns
    -------
    One of WARPS; 1 if fewer than two takes can be read.
    """
    known = [u for u in utterances if u.word in model.words]
    warps = sorted(WARPS, key=lambda warp: abs(warp - 1))  # the first is 1, and taken where others are as good
    likelihood = np.stack([_likelihood(known, warped(model, warp), jobs) for warp in warps])
    total = likelihood.sum(1)
    by_others = (total[:, None] - likelihood).argmax(0)
    tried = likelihood[by_others, np.arange(len(known))].sum()
    return warps[total.argmax()] if tried > total[0] else 1.0


def warped(model: Model, warp: float) -> Model:
    """The model with a warp of the frequency axis on top of its own."""
    front_end = model.front_end
    return replace(model, front_end=front_end.of_speaker(front_end.mean, front_end.mean_weight, front_end.warp * warp))


def _likelihood(utterances: Sequence[Utterance], model: Model, jobs: int) -> np.ndarray:
    """(U,) log likelihood of what is said in each recording; 0, which is the same for all warps, if it is no take."""
    takes, _ = analyse_takes(utterances, model, readings=(PLAIN,), jobs=jobs)
    if not takes:
        return np.zeros(len(utterances))
    trial = try_base(takes, model)
    by_path = dict(zip((take.path for take in takes), trial.said * trial.frames))
    return np.array([by_path.get(utterance.path, 0.0) for utterance in utterances])


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
    readings = [[front_end.finish(f, take.analysis.speech) for f in take.analysis.features] for take in takes]
    material = Material(words, readings, SHARE)
    before = try_base(takes, model)
    after = None
    if method is not None:
        why = f"{method}, as asked"
    elif len(takes) < FEWEST:
        count = "1 take is" if len(takes) == 1 else f"{len(takes)} takes are"
        method = usual(model.models)
        why = f"{method}, the usual method: {count} too few to compare it with others"
    else:
        same_mean = replace(before, scores=score_words(model.models, [take[0] for take in readings]))
        trial, why = compare(model.models, material, same_mean)
        method, after = trial.method, trial if several_takes(words) else None
    if method.kind == "none":
        return Enrollment(model, method, why, before, before, ())
    models = adapt(model.models, material.chunks(), method, SHARE)
    after = after or _tried(model, material, method)
    own = replace(model, front_end=front_end, models=models)
    return Enrollment(own, method, why, before, after, _doubts(takes, model, before, after))


def try_base(takes: Sequence[Take], model: Model) -> Trial:
    """How a model that is fitted to none of the takes does on them."""
    words = np.array([take.word for take in takes])
    plain = [model.front_end.finish(take.analysis.features[0], take.analysis.speech) for take in takes]
    frames = np.array([len(features) for features in plain])
    return Trial(Method("none"), words, score_words(model.models, plain), frames)


def _tried(model: Model, material: Material, method: Method) -> Trial | None:
    """How the method does on takes left out, where there are enough to tell."""
    if len(material.words) < FEWEST:
        return None
    if several_takes(material.words):
        return cross_validate(model.models, material, [method])[0]
    return cross_validate_words(model.models, material, method)


def with_speaker_mean(front_end: FrontEnd, analyses: Sequence[Analysis]) -> FrontEnd:
    """The front end with the mean of the speaker's own speech, with MEAN_PRIOR frames of what it was."""
    speech = np.concatenate([a.features[0][:, slice(*a.speech)] for a in analyses], axis=1)
    return front_end.with_speech(speech, MEAN_PRIOR, MEAN_WEIGHT)


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
    heard = [i for i, analysis in enumerate(analyses) if _long_enough(analysis, model)]
    if not heard:
        raise AdaptationError("there is no speech to adapt to in any of the recordings; record some words")
    front_end = with_speaker_mean(model.front_end, [analyses[i] for i in heard])
    features = [front_end.finish(analyses[i].features[0], analyses[i].speech) for i in heard]
    method = method or usual(model.models)
    own, words = replace(model, front_end=front_end), np.full(len(heard), -1)
    for passes in range(1, PASSES + 1):  # noqa: B007 - told to the caller
        before, words = words, sure_words(own, features, allowed, threshold)
        if np.array_equal(before, words):
            break
        sure = np.flatnonzero(words >= 0)
        chunks = list(chunks_by_word([features[i] for i in sure], words[sure])) if len(sure) else []
        few = len(sure) < ENOUGH_TO_MAP * len(model.words)
        careful = replace(method, kind=method.transforms or "none") if few else method
        own = replace(own, models=adapt(model.models, chunks, careful))
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
        scores, known = score_words(model.models, features, allowed), np.ones(len(features))
    else:
        found = examine(model.models, model.rejection.noise, features, allowed)
        scores, known = found.scores, model.rejection.known(found.evidence)
    least = least_probability(threshold, model.rejection)
    probable = posteriors(scores, model.calibration)
    sure = (probable.max(1) >= max(SURE, least)) & (known >= max(LIKELY, least))
    return np.where(sure, allowed[probable.argmax(1)], -1)


def _long_enough(analysis: Analysis, model: Model) -> bool:
    return bool(analysis.features) and analysis.features[0].shape[1] >= model.models.least_frames


def _doubts(takes: Sequence[Take], model: Model, before: Trial, after: Trial | None) -> tuple[Doubt, ...]:
    """Takes that are surely another word to the base, and to models fitted to the other takes as well."""
    if after is None:
        return ()
    doubts = []
    by_take = [posteriors(trial.scores, model.calibration) for trial in (before, after)]
    for take, old, new in zip(takes, *by_take):
        heard = new.argmax()
        if heard == old.argmax() and new[heard] > SURE and new[take.word] < ABSENT:
            doubts.append(Doubt(take.path, model.words[take.word], model.words[heard]))
    return tuple(doubts)
