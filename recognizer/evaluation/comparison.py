"""Whether one model is better than another, or only luckier: both on the same recordings, with McNemar's test."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.corpus import Utterance
from recognizer.errors import RecognizerError
from recognizer.evaluation.evaluation import Score
from recognizer.recognizer import FileResult

SIGNIFICANT = 0.05  # a difference that chance makes more rarely is taken to be real
OUTCOMES = ((True, True), (True, False), (False, True), (False, False))  # whether A, and B, is right


@dataclass(frozen=True)
class Comparison:
    """Answers of two models, A and B, to the same recordings, as a forced choice.

    Attributes
    ----------
    both, only_a, only_b, neither : recordings that were recognised by these
    by_word : the same four for each word that was said
    left_out : words of the recordings that are not compared, because not both models have them
    unreadable : files that could not be read, with the reason
    """

    both: int
    only_a: int
    only_b: int
    neither: int
    by_word: dict[str, tuple[int, int, int, int]]
    left_out: tuple[str, ...]
    unreadable: dict[str, str]

    @property
    def n(self) -> int:
        """Recordings that were compared."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def a(self) -> Score:
        """What A recognised."""
        return Score(self.both + self.only_a, self.n)

    @property
    def b(self) -> Score:
        """What B recognised."""
        return Score(self.both + self.only_b, self.n)

    @property
    def p(self) -> float:
        """McNemar's exact p, see `mcnemar`."""
        return mcnemar(self.only_a, self.only_b)

    @property
    def gained(self) -> dict[str, int]:
        """Words of which B recognises more recordings than A, and how many, most first."""
        return self._changed(1)

    @property
    def lost(self) -> dict[str, int]:
        """Words of which it recognises fewer."""
        return self._changed(-1)

    def _changed(self, sign: int) -> dict[str, int]:
        change = {word: sign * (only_b - only_a) for word, (_, only_a, only_b, _) in self.by_word.items()}
        return {word: more for word, more in sorted(change.items(), key=lambda item: -item[1]) if more > 0}

    @property
    def verdict(self) -> str:
        """What the test says, in one sentence."""
        if not self.only_a + self.only_b:
            return "Both are right about the same recordings, so nothing tells them apart."
        often = f"p = {self.p:.2g}" if self.p >= 1e-4 else "p < 0.0001"
        if self.only_a == self.only_b:
            return f"Each recognises {self.only_a} that the other does not, so there is no difference to explain."
        if self.p >= SIGNIFICANT:
            return f"The difference may well be chance ({often}): more recordings would tell."
        better = "B" if self.only_b > self.only_a else "A"
        return f"{better} is better: chance alone would hardly make such a difference ({often})."

    def as_json(self) -> dict:
        """Everything as plain JSON data."""
        keys = ("both", "only_a", "only_b", "neither")
        return {
            "a": self.a.as_json(),
            "b": self.b.as_json(),
            **{key: getattr(self, key) for key in keys},
            "p": self.p,
            "significant": self.p < SIGNIFICANT,
            "by_word": {word: dict(zip(keys, counts)) for word, counts in self.by_word.items()},
            "gained": self.gained,
            "lost": self.lost,
            "left_out": list(self.left_out),
            "unreadable": self.unreadable,
        }


def compare(
    utterances: Sequence[Utterance],
    answers_a: Iterable[FileResult],
    answers_b: Iterable[FileResult],
    left_out: Collection[str] = (),
) -> Comparison:
    """Compare what two models heard, by the best word of each, whatever was rejected.

    Parameters
    ----------
    utterances : what was said, words that both know
    answers_a, answers_b : what was heard, in the same order
    left_out : words that were not put to them

    Raises
    ------
    RecognizerError
        if no file at all could be read by both.
    """
    right: list[tuple[str, bool, bool]] = []
    unreadable: dict[str, str] = {}
    for utterance, a, b in zip(utterances, answers_a, answers_b):
        if error := a.error or b.error:
            unreadable[str(utterance.path)] = error
        else:
            right.append((utterance.word, _right(utterance, a), _right(utterance, b)))
    if not right:
        reason = next(iter(unreadable.values()), "there is none")
        raise RecognizerError(f"none of the {len(unreadable)} recordings can be compared: {reason}")
    by_word = {word: _counts([(a, b) for w, a, b in right if w == word]) for word in sorted({w for w, *_ in right})}
    total = np.sum(list(by_word.values()), axis=0)
    return Comparison(*map(int, total), by_word, tuple(sorted(left_out)), unreadable)


def mcnemar(only_a: int, only_b: int) -> float:
    """How probable so unequal counts, or more unequal ones, are if neither of two is better.

    Recordings that both got right, or both wrong, say nothing. Of the others, each would be a toss of a fair coin
    (McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947); the test is the exact, two-sided binomial one.

    Parameters
    ----------
    only_a, only_b : recordings that only one of them recognised

    Returns
    -------
    p, 1 where there is no such recording
    """
    from scipy.stats import binomtest

    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def _right(utterance: Utterance, answer: FileResult) -> bool:
    return bool(answer.result.nbest) and answer.result.nbest[0].word == utterance.word


def _counts(right: Sequence[tuple[bool, bool]]) -> tuple[int, int, int, int]:
    return tuple(sum(pair == outcome for pair in right) for outcome in OUTCOMES)
