"""Whether one model is better than another, or only luckier: both on the same recordings, with McNemar's test.

That test takes recordings for independent, and those of one speaker are not. So another asks whether speakers differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.corpus import Utterance
from recognizer.errors import RecognizerError
from recognizer.intervals import Proportion
from recognizer.recognizer import FileResult

SIGNIFICANT = 0.05  # a difference that chance makes more rarely is taken to be real, by convention since Fisher 1925
FEW_SPEAKERS = 10  # below, three that differ the other way already leave no test a chance: 3 of 9 give p = 0.51
OUTCOMES = ((True, True), (True, False), (False, True), (False, False))  # whether A, and B, is right


FourCounts = tuple[int, int, int, int]  # of the OUTCOMES


@dataclass(frozen=True)
class Comparison:
    """Answers of two models, A and B, to the same recordings, as a forced choice.

    Attributes
    ----------
    both, only_a, only_b, neither : recordings that were recognised by these
    by_word : the same four for each word that was said
    by_speaker : the same for each speaker, for all whom nobody knows under None
    left_out : words of the recordings that are not compared, because not both models have them
    unreadable : files that could not be read, with the reason
    """

    both: int
    only_a: int
    only_b: int
    neither: int
    by_word: dict[str, FourCounts]
    by_speaker: dict[str | None, FourCounts]
    left_out: tuple[str, ...]
    unreadable: dict[str, str]

    @property
    def n(self) -> int:
        """Recordings that were compared."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def a(self) -> Proportion:
        """What A recognised."""
        return Proportion({s: (both + only_a, sum(c)) for s, c in self.by_speaker.items() for both, only_a, *_ in [c]})

    @property
    def b(self) -> Proportion:
        """What B recognised."""
        return Proportion(
            {s: (both + only_b, sum(c)) for s, c in self.by_speaker.items() for both, _, only_b, _ in [c]}
        )

    @property
    def p(self) -> float:
        """McNemar's exact p, see `mcnemar`."""
        return mcnemar(self.only_a, self.only_b)

    @property
    def speakers(self) -> tuple[int, int, int]:
        """Speakers of whom A recognises more, of whom B does, and of whom both recognise as many; known ones only."""
        change = np.array(self._by_known_speaker(), dtype=int)
        return int((change < 0).sum()), int((change > 0).sum()), int((change == 0).sum())

    @property
    def p_over_speakers(self) -> float | None:
        """p of the test over speakers, see `sign_flips`; None where no two are known."""
        change = self._by_known_speaker()
        return sign_flips(change) if len(change) >= 2 else None

    def _by_known_speaker(self) -> list[int]:
        return [only_b - only_a for speaker, (_, only_a, only_b, _) in self.by_speaker.items() if speaker is not None]

    @property
    def significant(self) -> bool:
        """Whether chance would hardly do it, neither that of recordings nor, where they are known, of speakers."""
        return max(self.p, self.p_over_speakers or 0.0) < SIGNIFICANT

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
        often = _p_in_words(self.p)
        if self.only_a == self.only_b:
            return f"Each recognises {self.only_a} that the other does not, so there is no difference to explain."
        if self.p >= SIGNIFICANT:
            return f"The difference may well be chance ({often}): more recordings would tell."
        better = "B" if self.only_b > self.only_a else "A"
        if not self.significant:
            return f"{better} is better at these recordings ({often}), but may not be for other speakers."
        return f"{better} is better: chance alone would hardly make such a difference ({often})."

    @property
    def caution(self) -> str | None:
        """What the speakers say, and that they are few where they are; None where there is nothing to add."""
        if not self.only_a + self.only_b:
            return None
        known = sum(self.speakers)
        alike = "recordings of one speaker are alike"
        if not known:
            return f"It is not known who spoke: {alike}, so that p is too small if the speakers are few."
        if known == 1:
            return f"Only one speaker is known: {alike}, so that this holds for one voice."
        for_a, for_b, for_neither = self.speakers
        told = f"Of {known} speakers, A is better for {for_a}, B for {for_b}, neither for {for_neither} "
        told += f"({_p_in_words(self.p_over_speakers)}, over speakers)."
        few = f" So few tell little of others: {alike}." if known < FEW_SPEAKERS else ""
        return told + few

    def as_json(self) -> dict:
        """Everything as plain JSON data."""
        keys = ("both", "only_a", "only_b", "neither")
        return {
            "a": self.a.as_json(),
            "b": self.b.as_json(),
            **{key: getattr(self, key) for key in keys},
            "p": self.p,
            "speakers": dict(zip(("better_a", "better_b", "alike"), self.speakers)),
            "p_over_speakers": self.p_over_speakers,
            "significant": self.significant,
            "by_word": {word: dict(zip(keys, counts)) for word, counts in self.by_word.items()},
            "by_speaker": {s: dict(zip(keys, counts)) for s, counts in self.by_speaker.items() if s is not None},
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
    right: list[tuple[Utterance, bool, bool]] = []
    unreadable: dict[str, str] = {}
    for utterance, a, b in zip(utterances, answers_a, answers_b):
        if error := a.error or b.error:
            unreadable[str(utterance.path)] = error
        else:
            right.append((utterance, _right(utterance, a), _right(utterance, b)))
    if not right:
        reason = next(iter(unreadable.values()), "there is none")
        raise RecognizerError(f"none of the {len(unreadable)} recordings can be compared: {reason}")
    by_word, by_speaker = _counts(right, lambda u: u.word), _counts(right, lambda u: u.speaker)
    total = np.sum(list(by_word.values()), axis=0)
    return Comparison(*map(int, total), by_word, by_speaker, tuple(sorted(left_out)), unreadable)


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


def sign_flips(change: Sequence[int]) -> float:
    """How probable so large a change in all, or a larger one, is if neither of two is better for any speaker.

    Then each speaker's change could as well have been the other way round, whatever the recordings of that speaker
    have in common: a randomization test (Fisher, "The design of experiments", 1935, section 21) on whole speakers, whom
    Gillick and Cox ("Some statistical issues in the comparison of speech recognition algorithms", ICASSP 1989) ask to
    be kept together. With one differing recording a speaker it is McNemar's exact test.

    Parameters
    ----------
    change : of every speaker, recordings that only B recognised less those that only A did

    Returns
    -------
    p, two-sided and exact: all signs are counted, by adding one speaker after the other to the distribution of sums
    """
    sizes = np.abs([size for size in change if size])
    probability = np.ones(1)  # of sums from -(what was added so far) to it
    for size in sizes:
        flip = np.zeros(2 * size + 1)
        flip[[0, -1]] = 0.5
        probability = np.convolve(probability, flip)
    sums = np.arange(len(probability)) - len(probability) // 2
    return min(1.0, float(probability[np.abs(sums) >= abs(sum(change))].sum()))


def _p_in_words(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"


def _right(utterance: Utterance, answer: FileResult) -> bool:
    return bool(answer.result.nbest) and answer.result.nbest[0].word == utterance.word


def _counts(right: Sequence[tuple[Utterance, bool, bool]], key: Callable[[Utterance], str | None]) -> dict:
    """The four counts for every word or speaker, in their order."""
    counts: dict[str | None, Counter] = {}
    for utterance, *outcome in right:
        counts.setdefault(key(utterance), Counter())[tuple(outcome)] += 1
    in_order = sorted(counts, key=lambda name: (name is None, name or ""))
    return {name: tuple(counts[name][outcome] for outcome in OUTCOMES) for name in in_order}
