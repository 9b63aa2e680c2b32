"""Trials: recordings held out, to calibrate on and to see how good a model is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from recognizer.acoustics.density import rounded
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.word_models import WordModels
from recognizer.corpus import Utterance
from recognizer.errors import AudioError, RecognizerWarning
from recognizer.features.analysis import Analyser, Analysis
from recognizer.intervals import Proportion
from recognizer.parallel import Workers, workers_of
from recognizer.recognition.calibration import Calibration, fit_calibration
from recognizer.recognition.evidence import Examination, examine
from recognizer.recognition.verification import (
    Rejection,
    belief,
    default,
    fit_rejection,
    train_noise,
    with_operating_points,
)
from recognizer.sound.audio import Recording
from recognizer.sound.noises import synthetic_noises
from recognizer.sound.perturbation import Perturbation
from recognizer.training.checkpoints import Checkpoints
from recognizer.training.settings import TrainingSettings
from recognizer.training.training import AfterIteration, relative, train, variance_floor
from recognizer.training.weighing import training_weights

HELD_OUT = 3  # every third speaker, or take, is held out to calibrate: two thirds train nearly as well as all
FEWEST_TO_CALIBRATE = 30  # held-out utterances; below, REFUSED's share at `normal` is not even one of them
FEWEST_TO_REJECT = 1000  # held-out utterances to learn rejection from; of fewer, the default is better (recipes/owners)
ENOUGH_TO_CALIBRATE = 300  # held-out utterances; a trial more, of other speakers, is made until there are so many
MOST_HELD_OUT = 5000  # of a trial that are recognised, so that their scores and evidence take half a GB at most
EXAMINED = 512  # of these at once
FEWEST_WORDS = 3  # to leave one out: two must stay, for the lead of one over the other is evidence
PARTS = 5  # for cross-fitting: with more, hardly less is left out (Breiman and Spector 1992: five or ten)
SIGNIFICANT = 0.05  # chance does as well as this more rarely, by convention
DEALS = 1000  # of labels at random: a share of 0.05 is then right to 0.007
NOISES = 120  # made up: half of them to train on, half to calibrate on
NOISES_COUNT = 1.0  # for all of them together, as much as for all words left out, or all unknown recordings


Progress = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Refusal:
    """An utterance that could not be trained on, and why."""

    utterance: Utterance
    reason: str


@dataclass(frozen=True)
class TrainingData:
    """Analysed utterances that can be trained on, and how that is done.

    Attributes
    ----------
    utterances : all of them
    analyses : of each; its plain features come first, then those of its copies
    analyser : how recordings become such features
    settings : of the training
    jobs : processes, or what else works
    perturbations : of the copies that every recording has
    checkpoints : of the training
    """

    utterances: list[Utterance]
    analyses: list[Analysis]
    analyser: Analyser
    settings: TrainingSettings
    jobs: int | Workers
    perturbations: Sequence[Perturbation] = ()
    checkpoints: Checkpoints = Checkpoints()  # noqa: RUF009, it is frozen

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The vocabulary."""
        return tuple(sorted({u.word for u in self.utterances}))

    def train(
        self,
        members: Sequence[int],
        words: Sequence[str],
        after_iteration: AfterIteration = lambda stage, iteration, log_likelihood: None,
        name: str = "model",
    ) -> WordModels:
        """Models of some words, from some of the utterances, with their copies; checkpoints are kept under a name."""
        labels = np.array([words.index(self.utterances[i].word) for i in members])
        weights = self.weights(members)
        copies = [len(self.analyses[i].features) for i in members]
        models = train(
            [f for i in members for f in self.analyses[i].features],
            np.repeat(labels, copies),
            [span for i in members for span in self.analyses[i].spans],
            self.settings,
            weights=np.repeat(weights, copies),
            jobs=self.jobs,
            checkpoint=self.checkpoints.one(name),
            after_iteration=after_iteration,
        )
        return replace(models, bank=rounded(models.bank))

    def weights(self, members: Sequence[int]) -> np.ndarray:
        """How much each of some of the utterances counts in training from them, (U,)."""
        return training_weights([self.utterances[i] for i in members], self.settings.even_speakers)

    def variance_floor(self) -> np.ndarray:
        """Smallest variance of a Gaussian in training from all utterances, (D,)."""
        weights = relative(self.weights(range(len(self.utterances))))
        copies = [len(analysis.features) for analysis in self.analyses]
        every = [f for analysis in self.analyses for f in analysis.features]
        return variance_floor(every, self.settings, np.repeat(weights, copies))


@dataclass(frozen=True)
class HeldOut:
    """What was fitted on speech held out of the training; defaults where that is too little.

    Attributes
    ----------
    calibration, rejection : for the model
    held_out : how many utterances the first trial got right, for the card
    """

    calibration: Calibration = field(default_factory=Calibration)
    rejection: Rejection | None = None
    held_out: dict | None = None


@dataclass(frozen=True)
class Trial:
    """A model that has not heard every third speaker (or take), tried on them and on what is to be rejected.

    Attributes
    ----------
    members : (U,) which utterances were held out
    truth : (U,) indices of their words
    scores : (U, W), -inf for words that the trial's model lacks, or did not score since the vocabulary is large
    evidence : (U, E)
    left_out : (U, E), where the word itself was left out of the vocabulary; (0, E) with too few words
    noises, strangers : (N, E) and (M, E)
    """

    members: np.ndarray
    truth: np.ndarray
    scores: np.ndarray
    evidence: np.ndarray
    left_out: np.ndarray
    noises: np.ndarray
    strangers: np.ndarray


@dataclass(frozen=True)
class Trials:
    """What was tried, and on whom.

    Attributes
    ----------
    data : what was trained on
    noise : one mixture over noises; None where the features are not of sound
    tried : the trials; none where too little can be held out
    groups : (U,), of every utterance its speaker, or its own number where there are few speakers
    by_speaker : which of the two
    folders : (M,), in which each of the unknown recordings was given; all of these count the same, however they are
        divided inside
    """

    data: TrainingData
    noise: GaussianBank | None
    tried: tuple[Trial, ...]
    groups: np.ndarray
    by_speaker: bool
    folders: tuple[Path, ...]

    @cached_property
    def first(self) -> dict:
        """How many utterances the first trial got right, for the card; a warning if chance gets as many."""
        first = self.tried[0]
        answers = first.scores.argmax(1)
        _warn_of_chance(answers, first.truth)
        score = Proportion.counted(answers == first.truth, [self.data.utterances[i].speaker for i in first.members])
        return {**score.as_json(), "unseen": "speakers" if self.by_speaker else "takes"}

    def fit(self, strangers: np.ndarray | None = None) -> HeldOut:
        """What the trials teach of calibration and rejection; of the unknown recordings some, (M,) bool, or all.

        From few utterances only the calibration is learned, unless recordings of what is to be rejected were given.
        """
        standard = self.noise and default(self.noise, self.data.settings.states)
        if not self.tried:
            return HeldOut(rejection=standard)
        chosen = np.ones(len(self.folders), dtype=bool) if strangers is None else strangers
        trials = [replace(trial, strangers=trial.strangers[chosen]) for trial in self.tried]
        weights = np.array([u.weight for u in self.data.utterances])
        folders = [folder for folder, wanted in zip(self.folders, chosen) if wanted]
        few = sum(len(trial.members) for trial in trials) < FEWEST_TO_REJECT and not folders
        calibration, rejection = _fit(
            None if few else self.noise, trials, self.groups, weights, folders, self.data.jobs
        )
        return HeldOut(calibration, rejection or standard, self.first)


def hold_out(
    data: TrainingData, strangers: Sequence[tuple[Path, np.ndarray]], enough: int, progress: Progress
) -> Trials:
    """As many trials as it takes to hold out enough, none where that cannot be.

    Parameters
    ----------
    data : to train on
    strangers : features of unknown recordings, each with the folder it was given in
    enough : utterances to hold out
    progress : called with stage, trials done, trials in all at most, and a note
    """
    noises = made_up_noises(data.analyser) if data.utterances and data.analyser.front_end.hears else []
    noise = train_noise(noises[::2], data.variance_floor()) if noises else None
    speakers = sorted({u.speaker or "" for u in data.utterances})
    by_speaker = len(speakers) >= HELD_OUT
    groups = np.array([speakers.index(u.speaker or "") if by_speaker else i for i, u in enumerate(data.utterances)])
    others = [f for _, f in strangers]
    tried: list[Trial] = []
    for fold in (1, 2, 0) if data.utterances else ():
        held_out = [groups[i] for trial in tried for i in trial.members]
        # Of two speakers at least: thresholds for one are set by weights that were fitted to others.
        if len(held_out) >= enough and len(set(held_out)) >= 2:
            break
        seen = np.flatnonzero(groups % HELD_OUT != fold)
        known = sorted({data.utterances[i].word for i in seen})
        members = [i for i in np.flatnonzero(groups % HELD_OUT == fold) if data.utterances[i].word in known]
        if len(known) < 2 or len(members) < FEWEST_TO_CALIBRATE:
            if not tried:
                break
            continue
        members = np.array(members)[:: -(-len(members) // MOST_HELD_OUT)]
        progress("held-out test", len(tried), HELD_OUT, "")
        tried.append(_try(data, f"trial-{len(tried)}", seen, members, noise, noises[1::2], others))
        right = int((tried[-1].scores.argmax(1) == tried[-1].truth).sum())
        progress("held-out test", len(tried), HELD_OUT, f"{right} of {len(members)} right")
    return Trials(data, noise, tuple(tried), groups, by_speaker, tuple(folder for folder, _ in strangers))


def _try(
    data: TrainingData,
    name: str,
    seen: np.ndarray,
    members: np.ndarray,
    noise: GaussianBank | None,
    noises: Sequence[np.ndarray],
    strangers: Sequence[np.ndarray],
) -> Trial:
    """Train on some utterances, and try the model on others of the same words."""
    known = sorted({data.utterances[i].word for i in seen})
    with warnings.catch_warnings():  # about a model that nobody gets
        warnings.simplefilter("ignore", RecognizerWarning)
        models = data.train(seen, known, name=name)
    features = [data.analyses[i].features[0] for i in members]
    truth = np.array([known.index(data.utterances[i].word) for i in members])
    found = _examined(data, models, noise, features)
    scores = np.full((len(members), len(data.words)), -np.inf)
    column = np.array([data.words.index(word) for word in known])
    np.put_along_axis(scores, column[found.words], found.scores, 1)
    # Of a word that was not scored it is only known that it fits less than all that were.
    own, everyone = column[truth], np.arange(len(members))
    lowest = np.where(np.isfinite(found.scores), found.scores, np.inf).min(1)
    lowest[np.isposinf(lowest)] = -np.inf  # where none has a path
    scores[everyone, own] = np.where((found.words == truth[:, None]).any(1), scores[everyone, own], lowest)
    left_out = found.evidence[:0]
    if len(known) >= FEWEST_WORDS:
        left_out = _examined(data, models, noise, features, truth).evidence
    sounds = [examine(models, noise, sound).evidence for sound in (noises, strangers)]
    return Trial(members, column[truth], scores, found.evidence, left_out, *sounds)


def _examined(
    data: TrainingData,
    models: WordModels,
    noise: GaussianBank | None,
    features: Sequence[np.ndarray],
    left_out: np.ndarray | None = None,
) -> Examination:
    """`evidence.examine`, some at a time."""
    parts = [slice(first, first + EXAMINED) for first in range(0, len(features), EXAMINED)]
    items = ((list(map(np.asarray, features[part])), None if left_out is None else left_out[part]) for part in parts)
    work = partial(_examine_part, models, noise)
    found = list(workers_of(data.jobs, len(features)).map("held-out test", work, items))
    names = [f.name for f in fields(Examination)]
    return Examination(*(np.concatenate([getattr(each, name) for each in found]) for name in names))


def _examine_part(
    models: WordModels, noise: GaussianBank | None, part: tuple[Sequence[np.ndarray], np.ndarray | None]
) -> Examination:
    return examine(models, noise, part[0], left_out=part[1])


def _warn_of_chance(answers: np.ndarray, truth: np.ndarray) -> None:
    """Warn of a trial whose answers have nothing to do with the labels.

    A permutation test (Fisher 1935): if the labels were dealt to the recordings at random, at least as many answers
    would be right this often. Guessing the most frequent word gains nothing by it.

    Parameters
    ----------
    answers, truth : (U,), indices of words
    """
    right = int((answers == truth).sum())
    random = np.random.default_rng(0)
    by_chance = np.array([(random.permutation(truth) == answers).sum() for _ in range(DEALS)])
    if right < len(truth) and (1 + (by_chance >= right).sum()) / (1 + DEALS) >= SIGNIFICANT:
        warnings.warn(
            f"a trial got {right} of {len(truth)} recordings held out right, which is not above chance "
            f"({by_chance.mean():.0f}): are the labels right? Check which words the recordings were taken for",
            RecognizerWarning,
            stacklevel=2,
        )


@dataclass(frozen=True)
class _Pooled:
    """What all trials together found, for weighing it.

    Attributes
    ----------
    scores, truth, evidence, right : (U, ...), of the held-out utterances
    weight : (U,)
    left_out : (U,), which of them were also tried with their word left out
    left_out_evidence : of those
    noises, strangers, stranger_weight : of what is to be rejected
    """

    scores: np.ndarray
    truth: np.ndarray
    evidence: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    left_out: np.ndarray
    left_out_evidence: np.ndarray
    noises: np.ndarray
    strangers: np.ndarray
    stranger_weight: np.ndarray


def _weighed(noise: GaussianBank, pooled: _Pooled, kept: np.ndarray) -> tuple[Calibration, Rejection]:
    """What some of the held-out utterances, (U,) bool, tell."""
    sounds = [(pooled.left_out_evidence[kept[pooled.left_out]], pooled.weight[kept & pooled.left_out], 1.0)]
    sounds += [(pooled.noises, np.ones(len(pooled.noises)), NOISES_COUNT)]
    sounds += [(pooled.strangers, pooled.stranger_weight, 1.0)]
    sounds = [(found, w * count / w.sum()) for found, w, count in sounds if len(found)]
    other, other_weight = (np.concatenate(parts) for parts in zip(*sounds))
    known = kept & pooled.right
    calibration = fit_calibration(pooled.scores[kept], pooled.truth[kept], pooled.weight[kept])
    return calibration, fit_rejection(noise, pooled.evidence[known], pooled.weight[known], other, other_weight)


def _fit(
    noise: GaussianBank | None,
    trials: Sequence[Trial],
    groups: np.ndarray,
    weights: np.ndarray,
    folders: Sequence[Path],
    jobs: int | Workers = 1,
) -> tuple[Calibration, Rejection | None]:
    """Calibration and rejection from all trials together; no rejection without noise, or of hardly anybody.

    What the trials mistake for another word is no example of a word known: to reject it is right. The thresholds are
    set on probabilities that each part of the speakers (or takes) has by weights fitted without that part.
    """
    found = {f.name: np.concatenate([getattr(trial, f.name) for trial in trials]) for f in fields(Trial)}
    scores, truth, evidence, members = (found[name] for name in ("scores", "truth", "evidence", "members"))
    # A speaker's takes are alike: a hundred of them tell less than takes of a hundred speakers.
    shares, source = _shares(groups[members]), weights[members]
    takes, weight = shares * source, np.sqrt(shares) * source
    right, part = scores.argmax(1) == truth, _parts(groups[members])
    numbers = sorted(set(part[right]))
    if noise is None or len(numbers) < 2:
        return fit_calibration(scores, truth, weight), None
    left_out = np.concatenate([np.full(len(trial.truth), len(trial.left_out) > 0) for trial in trials])
    strangers = np.tile(_shares(folders), len(trials))
    sounds = found["left_out"], found["noises"], found["strangers"], strangers
    pooled = _Pooled(scores, truth, evidence, right, weight, left_out, *sounds)
    kept = [*(part != number for number in numbers), np.ones(len(truth), dtype=bool)]
    *without, (calibration, rejection) = workers_of(jobs, len(truth)).map(
        "rejection", partial(_weighed, noise, pooled), kept
    )
    probable = np.zeros(len(truth))
    for number, fitted in zip(numbers, without, strict=True):
        own = part == number
        probable[own] = belief(scores[own], evidence[own], *fitted).lesser
    return calibration, with_operating_points(rejection, probable[right], takes[right])


def _parts(groups: np.ndarray) -> np.ndarray:
    """Up to PARTS parts of whole speakers (or takes), of takes where all are of one speaker."""
    _, number = np.unique(groups, return_inverse=True)
    return (number if number.any() else np.arange(len(groups))) % PARTS


def _shares(groups: Sequence) -> np.ndarray:
    """A weight for each member, so that all groups weigh one."""
    _, group, size = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    return 1.0 / size[group]


def made_up_noises(analyser: Analyser) -> list[np.ndarray]:
    """Features of made-up noises: every second to train on, the others to calibrate on."""
    rate = analyser.front_end.sample_rate
    noises = [Recording(x, rate, rate) for x in synthetic_noises(NOISES, rate)]
    return [analysis.features[0] for analysis in analyser.analyse_all(noises) if analysis.features]


def unknown_features(
    unknown: Mapping[Path, Path], analyser: Analyser, jobs: int | Workers
) -> tuple[list[tuple[Path, np.ndarray]], list[Refusal]]:
    """Features of unknown recordings, each with the folder it was given in, and those that cannot be read."""
    strangers, refused = [], []
    for path, pieces in zip(unknown, analyser.analyse_pieces(list(unknown), jobs=jobs)):
        if isinstance(pieces, AudioError):
            refused.append(Refusal(Utterance(path, "", None), str(pieces)))
        else:
            strangers += [(unknown[path], piece.features[0]) for piece in pieces if piece.features]
    return strangers, refused
