"""How much each recording counts in training, so that many of one kind do not drown few of another.

A weight multiplies what a recording adds to the sums of the E-step: of weight two, it counts as two would. Where
a few speakers gave most takes, the models become theirs. Counting each take as n**-e of one, n being the takes of its
speaker, leaves a speaker n**(1-e): with e of 0 as many as there are, with 1 all speakers alike; between, what a
speaker's many takes tell beyond the first still counts (as languages are sampled in multilingual training: Lample
and Conneau 2019, section 3.1).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from recognizer.corpus import Utterance
from recognizer.errors import CorpusError, shown


def weigh_folders(utterances: Sequence[Utterance], weights: Mapping[Path, float]) -> list[Utterance]:
    """Utterances, the weights of those below each folder multiplied by what the folder counts.

    Raises
    ------
    CorpusError
        if nothing lies below a folder.
    """
    if not weights:
        return list(utterances)
    paths = [Path(os.path.abspath(utterance.path)) for utterance in utterances]
    factors = np.ones(len(paths))
    for folder, weight in weights.items():
        inside = np.array([path.is_relative_to(os.path.abspath(folder)) for path in paths], dtype=bool)
        if not inside.any():
            raise CorpusError(
                f"{shown(folder)}: has a weight, but none of the recordings lies there; name a folder that holds some"
            )
        factors[inside] *= weight
    return [replace(u, weight=u.weight * float(factor)) for u, factor in zip(utterances, factors, strict=True)]


def training_weights(utterances: Sequence[Utterance], even_speakers: float) -> np.ndarray:
    """How much each utterance counts, (U,): its weight, times n**-even_speakers for the n takes of its speaker.

    Takes whose speaker the corpus does not tell count as those of one.
    """
    takes = Counter(utterance.speaker for utterance in utterances)
    return np.array([u.weight * takes[u.speaker] ** -even_speakers for u in utterances])
