"""The choice of a method: each is tried on takes that it was not fitted to, and must earn its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.statistics import Statistics
from recognizer.acoustics.word_models import WordModels
from recognizer.adaptation import cmllr
from recognizer.adaptation.method import Method, adapt, maximise, of_features, tree_of
from recognizer.adaptation.regression import RegressionTree
from recognizer.recognition.calibration import Calibration, posteriors
from recognizer.recognition.decoding import score_words
from recognizer.training.training import Chunk, accumulate, chunks_of

FOLDS = 10  # of the cross-validation; with fewer takes, each is left out alone
FEWEST = 4  # takes; with fewer there is nothing to choose by
GROUPS = 7  # of words, where each has one take
CLEARLY = 2.0  # standard errors by which another method must beat the usual one
USUAL = Method()
ALTERNATIVES = (Method("map"), Method("mllr"), Method(shape="block"), Method(shape="diagonal"))
# Constrained MLLR also takes the room's silence to the base's, which makes a take likelier and no word clearer. It is
# tried only where words have several takes, so that what it does to the words themselves counts, too.
CONSTRAINED = Method("cmllr-map", "diagonal")
ALL = slice(None)  # rows of the bank: silence, too, tells how the features differ
TAUS = (2.0, 8.0, 20.0)  # tried beside the usual one, where words have several takes


@dataclass(frozen=True)
class AdaptationData:
    """Takes of one speaker, in the features of the models that are to be fitted.

    Attributes
    ----------
    words : (U,) what is said in each, as indices of the vocabulary
    readings : by take, the features of each of its readings, (T, D); the first is the take as it is
    share : how many frames each frame of a reading counts for
    """

    words: np.ndarray
    readings: Sequence[Sequence[np.ndarray]]
    share: float

    @property
    def frames(self) -> np.ndarray:
        """(U,) of each take."""
        return np.array([len(readings[0]) for readings in self.readings])

    def chunks(self, members: Sequence[int] | None = None) -> list[Chunk]:
        """All readings of some takes, of all when None, for the E-step."""
        members = range(len(self.words)) if members is None else members
        features = [f for i in members for f in self.readings[i]]
        words = [self.words[i] for i in members for _ in self.readings[i]]
        return chunks_of(features, np.array(words))


@dataclass(frozen=True)
class Outcome:
    """How a method does on takes that it was not fitted to.

    Attributes
    ----------
    method : "none" is the base
    words : (U,) what was said
    scores : (U, W) log likelihoods
    frames : (U,) of each take
    """

    method: Method
    words: np.ndarray
    scores: np.ndarray
    frames: np.ndarray

    @property
    def said(self) -> np.ndarray:
        """(U,) log likelihood a frame of what was said."""
        return self.scores[np.arange(len(self.words)), self.words] / self.frames

    def gain(self, other: Outcome) -> tuple[float, float]:
        """How much likelier than the other it makes what was said, in nats a frame, and the standard error of that.

        Of at least two takes.
        """
        gain = self.said - other.said
        return float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain)))

    @property
    def correct(self) -> int:
        """Takes recognised."""
        return int((self.scores.argmax(1) == self.words).sum())

    def confidence(self, calibration: Calibration) -> float:
        """Mean probability given to what was said."""
        return float(posteriors(self.scores, calibration)[np.arange(len(self.words)), self.words].mean())


def cross_validate(models: WordModels, data: AdaptationData, methods: Sequence[Method]) -> list[Outcome]:
    """Outcomes of methods: each take is scored by models fitted to the others.

    Parameters
    ----------
    models : the prior
    data : at least two takes
    methods : to try
    """
    folds = _shared_out(np.argsort(data.words, kind="stable"), FOLDS)
    sums = [accumulate(models, data.chunks(fold), recursions.soft_posteriors).scaled(data.share) for fold in folds]
    total = _sum(sums)
    tree = tree_of(models)
    outcomes = []
    for method in methods:
        scores = np.empty((len(data.words), len(models.chain.log_stay)))
        for fold, part in zip(folds, sums):
            own = _without(models, data, fold, total.without(part), method, tree)
            scores[fold] = score_words(own, [data.readings[i][0] for i in fold])
        outcomes.append(Outcome(method, data.words, scores, data.frames))
    return outcomes


def cross_validate_words(models: WordModels, data: AdaptationData, method: Method) -> Outcome:
    """An outcome where most words have one take: each is tried on words none of which has a take of its own.

    When a word's only take is left out, every other word has an advantage that is not real: it was enrolled. So
    the words are put into groups; what was said and another word are compared by models fitted to takes of
    neither of their groups.

    Parameters
    ----------
    models : the prior
    data : takes of at least three words
    method : to try
    """
    words, tree = data.words, tree_of(models)
    groups = _shared_out(np.unique(words), GROUPS)
    members = [np.flatnonzero(np.isin(words, group)) for group in groups]
    sums = [accumulate(models, data.chunks(m), recursions.soft_posteriors).scaled(data.share) for m in members]
    total = _sum(sums)
    leads = np.zeros((len(words), len(models.chain.log_stay)))  # of every word over what was said
    compared = np.zeros_like(leads)
    stranger = ~np.isin(np.arange(leads.shape[1]), words)
    for one, other in combinations(range(len(groups)), 2):
        left_out = np.concatenate([members[one], members[other]])
        rest = total.without(sums[one]).without(sums[other])
        own = _without(models, data, left_out, rest, method, tree)
        scores = score_words(own, [data.readings[i][0] for i in left_out])
        fair = stranger.copy()
        fair[np.concatenate([groups[one], groups[other]])] = True
        leads[left_out] += np.where(fair, scores - scores[np.arange(len(left_out)), words[left_out], None], 0.0)
        compared[left_out] += fair
    return Outcome(method, words, leads / compared, data.frames)


def _sum(parts: Sequence[Statistics]) -> Statistics:
    total = parts[0].scaled(1.0)
    for part in parts[1:]:
        total.add(part)
    return total


def _shared_out(items: np.ndarray, groups: int) -> list[np.ndarray]:
    """Items dealt out to so many groups, or to one each if there are fewer; neighbours go to different ones."""
    return [np.sort(items[start::groups]) for start in range(min(groups, len(items)))]


def _without(
    models: WordModels,
    data: AdaptationData,
    left_out: np.ndarray,
    rest: Statistics,
    method: Method,
    tree: RegressionTree,
) -> WordModels:
    """Models fitted to all takes but some, of which `rest` are the statistics under the prior.

    One step from the prior's own posteriors does it, but for transforms of the features that mix dimensions: those
    need the features again.
    """
    if method.transforms == "cmllr" and method.shape not in cmllr.UNMIXED:
        others = np.setdiff1d(np.arange(len(data.words)), left_out)
        return adapt(models, data.chunks(others), method, data.share)
    return _fitted(models, rest, method, tree)


def _fitted(models: WordModels, statistics: Statistics, method: Method, tree: RegressionTree) -> WordModels:
    """Models fitted by one step from the prior's own posteriors."""
    if method.transforms == "cmllr":
        models, own = of_features(models, cmllr.diagonal(*models.bank.gaussians(statistics, ALL)), method.shape)
        if method.kind == "cmllr":
            return models
        statistics = cmllr.after(statistics, own)
    return maximise(models, statistics, method, tree)


def candidates(models: WordModels, several: bool) -> list[Method]:
    """The methods to try on the models, the usual one first.

    Parameters
    ----------
    several : whether most takes are of words that have more than one
    """
    known = (USUAL, *ALTERNATIVES, *([CONSTRAINED] if several else []))
    return [method for method in known if method.fits(models)]


def usual(models: WordModels) -> Method:
    """The method to use on the models where nothing tells which."""
    return candidates(models, several=False)[0]


def choose_method(models: WordModels, data: AdaptationData, base: Outcome) -> tuple[Outcome, str]:
    """The outcome of the method to use, and why, by cross-validation.

    What counts is how likely the method makes what is said in takes left out: it may not be less than without any
    adaptation, and the usual method is used unless another makes it clearly likelier. (Whether it is recognised
    tells less: with a take or two of each word, that is decided by which words happen to have been enrolled.) With
    one take a word, what MAP learns of a word cannot be tried, for nothing is left of it; only transforms can.

    Parameters
    ----------
    models : the prior
    data : the takes
    base : the outcome of the prior
    """
    several = several_takes(data.words)
    outcomes = cross_validate(models, data, candidates(models, several))
    if several and (leading := _best(outcomes, base).method).maps:
        outcomes += cross_validate(models, data, [replace(leading, tau=tau) for tau in TAUS])
    best = _best(outcomes, base)
    gain, error = best.gain(base)
    told = f"makes takes left out likelier than the base by {gain:.2f} nats a frame, give or take {error:.2f}"
    if gain <= 0 and several:
        told = f"({best.method}: {gain:.2f} nats a frame)"
        return base, f"no adaptation: no method makes takes left out likelier than the base {told}"
    if gain <= 0:
        mapped = next(outcome for outcome in outcomes if outcome.method.kind == "map")
        return (
            mapped,
            f"{mapped.method}: no transform makes takes left out likelier, and each word is learned from its own",
        )
    if best is outcomes[0]:
        return best, f"{best.method}, the usual method: it {told}"
    if best.method.kind == "map" and not several:
        return best, f"{best.method}: no transform makes takes left out likelier, and each word is learned from its own"
    more, _ = best.gain(outcomes[0])
    return best, f"{best.method}: it {told}, and than the usual method, {outcomes[0].method}, by {more:.2f}"


def _best(outcomes: Sequence[Outcome], base: Outcome) -> Outcome:
    """The first, or the best of those that are clearly better; among those that help, if any does."""
    helpful = [outcome for outcome in outcomes if outcome.gain(base)[0] > 0] or list(outcomes)
    best = helpful[0]
    for outcome in helpful[1:]:
        gain, error = outcome.gain(helpful[0])
        if gain > CLEARLY * error and outcome.gain(best)[0] > 0:
            best = outcome
    return best


def several_takes(words: np.ndarray) -> bool:
    """Whether most takes are of words that have more than one."""
    return bool(np.mean(np.bincount(words)[words] > 1) > 0.5)
