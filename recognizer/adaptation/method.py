"""The ways to fit models to a speaker, put together: a transform for all that is heard, then what is heard enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from recognizer import hmm
from recognizer.adaptation import cmllr, map, mllr, regression
from recognizer.adaptation.regression import RegressionTree
from recognizer.errors import AdaptationError
from recognizer.gmm import GaussianBank
from recognizer.statistics import Statistics
from recognizer.training import Chunk, WordModels, accumulate, expect

KINDS = ("none", "map", "mllr", "cmllr", "mllr-map", "cmllr-map")
LARGEST_TAU = 20.0
# Frames that the priors count for; chosen on training speakers, see recipes/enrollment/choose.py.
TRANSFORM_PRIOR = 200.0  # of the one transform for all Gaussians
CLASS_PRIOR = 20.0  # of every class's shift; a state is in some seven classes, each of which brings it closer
WEIGHT_TAU = 5.0
VARIANCE_TAU = 20.0
ROUNDS = 2  # of expectation and maximisation; a third changes next to nothing


@dataclass(frozen=True)
class Method:
    """How models are fitted to a speaker.

    Attributes
    ----------
    kind : one of KINDS. "mllr" moves the means by one transform for all, then every regression class, down to the
        single states, by a shift of its own; "cmllr" transforms the features; "map" re-estimates each Gaussian
        from what it is responsible for; "mllr-map" does both, "cmllr-map" the transform, the shifts and MAP
    shape : of the transform, one of `mllr.SHAPES`
    tau : frames that the prior of a mean counts for in MAP, 0 to LARGEST_TAU
    class_frames : heard of a regression class for an MLLR transform of its own; None for one transform for all
    variances : also scale the variances after MLLR
    weight : of the fitted models beside the base, see `map.interpolate`
    """

    kind: str = "mllr-map"
    shape: str = "full"
    tau: float = 4.0
    class_frames: float | None = None
    variances: bool = False
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise AdaptationError(f"method {self.kind!r} is not {', '.join(KINDS)}")
        if self.shape not in mllr.SHAPES:
            raise AdaptationError(f"shape {self.shape!r} is not {', '.join(mllr.SHAPES)}")
        if not 0 <= self.tau <= LARGEST_TAU:
            raise AdaptationError(f"tau {self.tau} is not from 0 (only the speaker) to {LARGEST_TAU:.0f}")
        if self.class_frames is not None and not self.class_frames > 0:
            raise AdaptationError(f"class frames {self.class_frames} are not over 0")
        if not 0 <= self.weight <= 1:
            raise AdaptationError(f"weight {self.weight} is not from 0 (the base) to 1 (the speaker)")

    def __str__(self) -> str:
        if self.kind == "none":
            return "no adaptation"
        parts = []
        if self.transforms:
            classes = "" if self.class_frames is None else f", classes from {self.class_frames:g} frames"
            variances = ", with variances" if self.variances else ""
            parts.append(f"{self.transforms.upper()} ({self.shape}{classes}{variances})")
        if self.maps:
            parts.append(f"MAP (tau {self.tau:g})")
        beside = "" if self.weight == 1 else f"; {self.weight:g} of it, the rest the base"
        return ", then ".join(parts) + beside

    @property
    def transforms(self) -> str | None:
        """ "mllr", "cmllr" or None."""
        return next((name for name in ("mllr", "cmllr") if self.kind.split("-")[0] == name), None)

    @property
    def maps(self) -> bool:
        """Whether MAP is a part of it."""
        return "map" in self.kind.split("-")


def tree_of(models: WordModels) -> RegressionTree:
    """Regression classes of the states of all words, the silence left out."""
    return regression.grow(_words(models.bank))


def adapt(models: WordModels, chunks: Sequence[Chunk], method: Method, share: float = 1.0) -> WordModels:
    """Models fitted to a speaker's utterances, by expectation and maximisation with the given models as the prior.

    Parameters
    ----------
    models : speaker-independent, or already fitted to the speaker in another condition
    chunks : the utterances, with the words that are said
    method : how
    share : how many frames each frame of them counts for
    """
    if method.kind == "none" or not chunks:
        return models
    prior = models
    if method.transforms == "cmllr":
        heard = cmllr.accumulate(models.bank, (expect(models, chunk) for chunk in chunks)).scaled(share)
        own = cmllr.estimate(heard + cmllr.prior(_words(models.bank), TRANSFORM_PRIOR), method.shape)
        prior = models = replace(models, transform=cmllr.composed(own, models.transform))
        if method.kind == "cmllr":
            return models
    tree = tree_of(prior)
    for _ in range(ROUNDS):
        statistics = accumulate(models, chunks, hmm.soft_posteriors).scaled(share)
        models = fitted(prior, statistics, method, tree)
    return models


def fitted(prior: WordModels, statistics: Statistics, method: Method, tree: RegressionTree) -> WordModels:
    """One M-step of `adapt`: the models that the statistics ask for, given the prior.

    Parameters
    ----------
    prior : the models without adaptation, but with the transform of the features, if there is one
    statistics : of the speaker, of features so transformed
    method : how; the transform of the features is done
    tree : see `tree_of`
    """
    bank = prior.bank
    if method.transforms == "mllr":
        classes = tree.root if method.class_frames is None else tree
        bank = _moved(bank, statistics, classes, method.shape, TRANSFORM_PRIOR, method.class_frames or 0.0)
    if method.transforms:
        bank = _moved(bank, statistics, tree, "bias", CLASS_PRIOR)
    if method.transforms == "mllr" and method.variances:
        bank = _widened(bank, statistics)
    if method.maps:
        bank = _mapped(bank, statistics, method.tau)
    if method.weight < 1:
        bank = map.interpolate(bank, prior.bank, method.weight)
    return replace(prior, bank=bank)


def _moved(
    bank: GaussianBank,
    statistics: Statistics,
    tree: RegressionTree,
    shape: str,
    prior_frames: float,
    enough: float = 0.0,
) -> GaussianBank:
    """The bank with the means of the words' states transformed by class; silence stays."""
    words = _words(bank)
    heard = statistics.take(slice(0, -1))
    transforms, opened = mllr.estimate_classes(words, heard, tree, shape, prior_frames, enough)
    moved = mllr.move(words, transforms, tree.smallest(opened))
    return GaussianBank(bank.weights, np.concatenate([moved.means, bank.means[-1:]]), bank.variances)


def _mapped(bank: GaussianBank, statistics: Statistics, tau: float) -> GaussianBank:
    """The bank with the words' states re-estimated by MAP; silence stays, for it is the room's and not the voice's."""
    heard = statistics.take(slice(0, -1))
    words = map.adapt(_words(bank), heard, tau, variance_tau=VARIANCE_TAU, weight_tau=WEIGHT_TAU)
    both = ((getattr(words, f.name), getattr(bank, f.name)[-1:]) for f in fields(GaussianBank))
    return GaussianBank(*(np.concatenate(parts) for parts in both))


def _widened(bank: GaussianBank, statistics: Statistics) -> GaussianBank:
    """The bank with the variances of the words' states scaled; silence stays."""
    scale = mllr.variance_scale(_words(bank), statistics.take(slice(0, -1)), TRANSFORM_PRIOR)
    return GaussianBank(bank.weights, bank.means, np.concatenate([bank.variances[:-1] * scale, bank.variances[-1:]]))


def _words(bank: GaussianBank) -> GaussianBank:
    """The states of the words, without the silence, which is the last row."""
    return bank.take(slice(0, -1))
