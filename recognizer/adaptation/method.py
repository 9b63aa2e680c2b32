"""The ways to fit models to a speaker, put together: a transform for all that is heard, then what is heard enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.density import Density
from recognizer.acoustics.statistics import Statistics
from recognizer.acoustics.word_models import WordModels
from recognizer.adaptation import cmllr, mllr, regression
from recognizer.adaptation import map as maximum_posterior
from recognizer.adaptation.regression import RegressionTree
from recognizer.errors import AdaptationError, cited
from recognizer.training.training import Chunk, accumulate, expect

KINDS = ("none", "map", "mllr", "cmllr", "mllr-map", "cmllr-map")
LARGEST_TAU = 20.0
# Frames that the priors count for; chosen on training speakers, see recipes/enrollment/choose.py.
TRANSFORM_PRIOR = 200.0  # of the one transform for all Gaussians
CLASS_PRIOR = 20.0  # of every class's shift; a state is in some seven classes, each of which brings it closer
WEIGHT_TAU = 5.0
VARIANCE_TAU = 20.0
WORDS = slice(0, -1)  # rows of the bank but the last, silence, which is the room's and not the voice's
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
            raise AdaptationError(f"method {cited(self.kind)} is not {', '.join(KINDS)}")
        if self.shape not in mllr.SHAPES:
            raise AdaptationError(f"shape {cited(self.shape)} is not {', '.join(mllr.SHAPES)}")
        if not 0 <= self.tau <= LARGEST_TAU:
            raise AdaptationError(f"tau {self.tau} is not from 0 (only the speaker) to {LARGEST_TAU:.0f}")
        if self.class_frames is not None and not self.class_frames > 0:
            raise AdaptationError(f"class_frames {self.class_frames} is not over 0")
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

    def fits(self, models: WordModels) -> bool:
        """Whether it can be used on these models: there is nothing to transform where there are no Gaussians."""
        return self.kind == "none" or set(self.kind.split("-")) <= models.bank.fitted_by


def tree_of(models: WordModels) -> RegressionTree:
    """Regression classes of the Gaussians that the words' states use: by state, or each alone if all share them."""
    return regression.grow(models.bank.gaussians(models.bank.statistics(), WORDS)[0])


def adapt(models: WordModels, chunks: Sequence[Chunk], method: Method, share: float = 1.0) -> WordModels:
    """Models fitted to a speaker's utterances, by expectation and maximisation with the given models as the prior.

    Parameters
    ----------
    models : speaker-independent, or already fitted to the speaker in another condition
    chunks : the utterances, with the words that are said
    method : how
    share : how many frames each frame of them counts for

    Raises
    ------
    AdaptationError
        if the method does not fit the models.
    """
    if not method.fits(models):
        ways = ", ".join(kind for kind in KINDS if Method(kind).fits(models))
        raise AdaptationError(f"{method.kind} cannot fit a {models.bank.name} model to a speaker; use {ways}")
    if method.kind == "none" or not chunks:
        return models
    if method.transforms == "cmllr":
        heard = cmllr.accumulate_features(models.bank, (expect(models, chunk) for chunk in chunks)).scaled(share)
        models, _ = of_features(models, heard, method.shape)
        if method.kind == "cmllr":
            return models
    prior = models
    tree = tree_of(prior)
    for _ in range(ROUNDS):
        statistics = accumulate(models, chunks, recursions.soft_posteriors).scaled(share)
        models = maximise(prior, statistics, method, tree)
    return models


def maximise(prior: WordModels, statistics: Statistics, method: Method, tree: RegressionTree) -> WordModels:
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
        bank = maximum_posterior.interpolate(bank, prior.bank, method.weight)
    return replace(prior, bank=bank)


def of_features(models: WordModels, heard: cmllr.FeatureStatistics, shape: str) -> tuple[WordModels, np.ndarray]:
    """Models that transform the features first, beside what they did before; and the transform, (D, D + 1).

    Parameters
    ----------
    models : the prior
    heard : of the speaker, under these models
    shape : of the transform, one of `mllr.SHAPES`
    """
    gaussians, _ = models.bank.gaussians(models.bank.statistics(), WORDS)
    own = cmllr.estimate(heard + cmllr.prior(gaussians, TRANSFORM_PRIOR, shape), shape)
    return replace(models, transform=cmllr.composed(own, models.transform)), own


def _moved(
    bank: Density,
    statistics: Statistics,
    tree: RegressionTree,
    shape: str,
    prior_frames: float,
    enough: float = 0.0,
) -> Density:
    """The bank with the means of the words' states transformed by class; silence stays, if no Gaussian is shared."""
    gaussians, heard = bank.gaussians(statistics, WORDS)
    transforms, opened = mllr.estimate_classes(gaussians, heard, tree, shape, prior_frames, enough)
    return bank.with_gaussians(mllr.move(gaussians, transforms, tree.smallest(opened)), WORDS)


def _mapped(bank: Density, statistics: Statistics, tau: float) -> Density:
    """The bank with the words' states re-estimated by MAP; silence stays, if no Gaussian is shared."""
    gaussians, heard = bank.gaussians(statistics, WORDS)
    gaussians = maximum_posterior.adapt_gaussians(gaussians, heard, tau, variance_tau=VARIANCE_TAU)
    bank = bank.with_gaussians(gaussians, WORDS)
    words = bank.take(WORDS)
    weights = maximum_posterior.adapt_weights(words.weights, statistics.occupancy[WORDS], WEIGHT_TAU)
    return bank.put(WORDS, replace(words, weights=weights))


def _widened(bank: Density, statistics: Statistics) -> Density:
    """The bank with the variances of the words' states scaled; silence stays, if no Gaussian is shared."""
    gaussians, heard = bank.gaussians(statistics, WORDS)
    scale = mllr.variance_scale(gaussians, heard, TRANSFORM_PRIOR)
    return bank.with_gaussians(replace(gaussians, variances=gaussians.variances * scale), WORDS)
