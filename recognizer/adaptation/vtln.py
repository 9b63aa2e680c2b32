"""Vocal tract length normalisation: one warp of the frequency axis for a speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recognizer.adaptation.takes import analyse_takes
from recognizer.corpus import Utterance
from recognizer.model import Model
from recognizer.recognition.decoding import score_words
from recognizer.sound.perturbation import Perturbation

WARPS = (0.84, 0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12, 1.16)  # from a long vocal tract to a child's


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
    likelihood = _likelihood(known, model, warps, jobs)
    total = likelihood.sum(1)
    by_others = (total[:, None] - likelihood).argmax(0)
    tried = likelihood[by_others, np.arange(len(known))].sum()
    return warps[total.argmax()] if tried > total[0] else 1.0


def warped(model: Model, warp: float) -> Model:
    """The model with a warp of the frequency axis on top of its own."""
    front_end = model.front_end
    return replace(model, front_end=front_end.of_speaker(front_end.mean, front_end.mean_weight, front_end.warp * warp))


def _likelihood(utterances: Sequence[Utterance], model: Model, warps: Sequence[float], jobs: int) -> np.ndarray:
    """Log likelihood of what is said in each recording, (warps, U); 0, the same for all warps, if it is no take."""
    takes, _ = analyse_takes(utterances, model, readings=[Perturbation(warp) for warp in warps], jobs=jobs)
    likelihood = np.zeros((len(warps), len(utterances)))
    if takes:
        place = {utterance.path: i for i, utterance in enumerate(utterances)}
        members = [place[take.path] for take in takes]
        everyone, words = np.arange(len(takes)), [take.word for take in takes]
        speech = [take.analysis.speech for take in takes]
        for own, statics in zip(likelihood, zip(*(take.analysis.features for take in takes))):
            own[members] = score_words(model.acoustics, model.front_end.finish(statics, speech))[everyone, words]
    return likelihood
