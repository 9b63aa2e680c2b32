"""Adaptation while somebody speaks: models that follow a voice from answer to answer, and that can go back.

Every utterance is looked at once, under the models as they were at the beginning: what is kept of it are its
statistics, and statistics add. So the models after a hundred words are made as fast as those after one, and an
utterance can be taken back exactly. For that, the front end stays as it is: statistics of features with another mean
would not add.

Models that learn from their own answers may talk themselves into a mistake: once `three` has been learned as `two`, the
next `three` is surely `two`. So an answer is learned from only if the models as they were at the beginning give it
as well, and are as sure of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.statistics import Statistics
from recognizer.adaptation.method import Method, maximise, tree_of
from recognizer.adaptation.unlabelled import sure_words
from recognizer.errors import AdaptationError
from recognizer.model import Model
from recognizer.recognition.result import Result
from recognizer.sound import audio
from recognizer.training.training import accumulate, chunks_of

# Without MAP: words that were learned from would fit the voice so much better than those still to come that they would
# be heard in their place.
METHOD = Method("mllr")
KEPT = 50  # utterances that can be taken back one by one, 25 kB each; of those before, only the sum is kept


class Answering(Protocol):
    """What a session asks for its answers: a `recognizer.Recognizer`, a dataclass that stands below it."""

    model: Model
    speaker: str | None

    def indices(self, words: Sequence[str] | None) -> np.ndarray: ...

    def recognize(
        self, recording: np.ndarray, sample_rate: int, *, words: Sequence[str] | None, threshold: str | float
    ) -> Result: ...


@dataclass(frozen=True)
class Learned:
    """What is kept of one utterance.

    Attributes
    ----------
    word : that was said
    rows : of the bank, which it tells something of: the word's states, and silence
    statistics : of these rows
    """

    word: str
    rows: np.ndarray
    statistics: Statistics


class Adaptation:
    """A recognizer that learns from its own answers, those that it is sure of.

    Parameters
    ----------
    recognizer : to begin with; it stays as it is
    method : how; one without a transform of the features, which needs more than the statistics
    words, threshold : with which it is asked, as for `Recognizer.recognize`

    Raises
    ------
    AdaptationError
        if the method does not fit the recognizer's models.

    Attributes
    ----------
    recognizer : as it is now
    learned : number of utterances that it has learned from
    """

    def __init__(
        self,
        recognizer: Answering,
        method: Method = METHOD,
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
    ) -> None:
        self._base, self._method, self._threshold = recognizer, method, threshold
        self._allowed = recognizer.indices(words)
        if not method.fits(recognizer.model.acoustics):
            kind = recognizer.model.acoustics.bank.name
            raise AdaptationError(f"a {kind} model cannot learn from its answers; leave adaptation out, or enroll")
        self._tree = tree_of(recognizer.model.acoustics)
        self.reset()

    @property
    def learned(self) -> int:
        return self._earlier + len(self._recent)

    def learn(self, samples: np.ndarray, result: Result) -> bool:
        """Learn from an utterance if it is sure what was said in it; tells whether it did.

        Parameters
        ----------
        samples : the utterance, at the model's rate
        result : the recognizer's answer to it
        """
        if not result.accepted:
            return False
        model = self._base.model
        rate, word = model.front_end.sample_rate, model.words.index(result.word)
        analysis = model.analyser.analyse(audio.prepare(samples, rate, rate))
        features = analysis.features[0]
        for asked in (self.recognizer.model, model):  # what was learned wrong would else confirm itself
            if sure_words(asked, [features], self._allowed, self._threshold)[0] != word:
                return False
        chunks = chunks_of([features], np.array([word]))
        rows = np.unique(model.acoustics.rows(word))
        statistics = accumulate(model.acoustics, chunks, recursions.soft_posteriors).take(rows)
        self._recent.append(Learned(result.word, rows, statistics))
        if len(self._recent) > KEPT:
            oldest = self._recent.popleft()
            self._sum.add(oldest.statistics, oldest.rows)
            self._earlier += 1
        self._fit()
        return True

    def undo(self) -> str | None:
        """Forget the last utterance, as if it had never been learned from.

        Returns
        -------
        The word that it was; None if there is none, or it lies more than KEPT utterances back.
        """
        if not self._recent:
            return None
        word = self._recent.pop().word
        self._fit()
        return word

    def reset(self) -> None:
        """Forget all: the recognizer is what it was in the beginning."""
        self.recognizer = self._base
        self._recent: deque[Learned] = deque()
        self._sum, self._earlier = self._base.model.acoustics.bank.statistics(), 0

    def _fit(self) -> None:
        if not self.learned:
            self.recognizer = self._base
            return
        model, statistics = self._base.model, self._sum.scaled(1.0)
        for utterance in self._recent:  # summed anew each time, which takes out what is taken back without a trace
            statistics.add(utterance.statistics, utterance.rows)
        models = maximise(model.acoustics, statistics, self._method, self._tree)
        self.recognizer = replace(self._base, model=replace(model, acoustics=models))
