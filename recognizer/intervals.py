"""How sure a proportion is: counts by speaker, Wilson's interval of all takes, and one over speakers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

DRAWS = 10_000  # of the bootstrap: of six speakers, some 24 are then outside each end
FEW = 5  # speakers; of fewer, not even the most extreme draws hold the truth 95 times of a hundred
SEED = 0  # any: the same counts are to give the same interval
OUTSIDE = 0.975  # quantile up to which a two-sided 95 % interval reaches

Counts = tuple[int, int]  # times that it happened, and that it could have


@dataclass(frozen=True)
class Proportion:
    """How often something happened out of the times that it could have: right answers, or false rejections.

    Proportions add up, speaker by speaker: `sum(proportions, Proportion())`.

    Attributes
    ----------
    by_speaker : counts of every speaker, of all whom nobody knows under None
    """

    by_speaker: Mapping[str | None, Counts] = field(default_factory=dict)

    @classmethod
    def of(cls, count: int, n: int, speaker: str | None = None) -> Proportion:
        """Counts of one speaker, or of nobody known."""
        return cls({speaker: (count, n)} if n else {})

    @classmethod
    def counted(cls, happened: Iterable[bool], speakers: Iterable[str | None]) -> Proportion:
        """Whether it happened in each take, and who spoke."""
        counts: dict[str | None, Counts] = {}
        for one, speaker in zip(happened, speakers, strict=True):
            count, n = counts.get(speaker, (0, 0))
            counts[speaker] = count + bool(one), n + 1
        return cls(counts)

    def __add__(self, other: Proportion) -> Proportion:
        counts = dict(self.by_speaker)
        for speaker, (count, n) in other.by_speaker.items():
            old_count, old_n = counts.get(speaker, (0, 0))
            counts[speaker] = old_count + count, old_n + n
        return Proportion(counts)

    @property
    def count(self) -> int:
        """Times that it happened."""
        return sum(count for count, _ in self.by_speaker.values())

    @property
    def n(self) -> int:
        """Times that it could have."""
        return sum(n for _, n in self.by_speaker.values())

    @property
    def share(self) -> float | None:
        """Of the times that it could have happened, 0 to 1; None where it could not."""
        return self.count / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of Wilson, which takes all takes for independent."""
        return wilson(self.count, self.n) if self.n else None

    @property
    def speakers(self) -> int:
        """Speakers that are known."""
        return len(set(self.by_speaker) - {None})

    @property
    def over(self) -> str:
        """What the bootstrap draws, in words: "6 speakers", or takes where no two speakers are known."""
        if self.speakers >= 2:
            return f"{self.speakers} speakers" + (" and unknown ones" if None in self.by_speaker else "")
        takes = "1 take" if self.n == 1 else f"{self.n} takes"
        return takes + (" of one speaker" if self.speakers and None not in self.by_speaker else "")

    @property
    def bootstrap(self) -> tuple[float, float] | None:
        """95 % interval over what `over` says, see `bootstrap`; speakers whom nobody knows are drawn as one."""
        if not self.n:
            return None
        if self.speakers >= 2:
            return bootstrap(list(self.by_speaker.values()))
        return bootstrap([(1, 1)] * self.count + [(0, 1)] * (self.n - self.count))

    def as_json(self, name: str = "accuracy") -> dict:
        """Share, under a name, counts and both intervals as plain data."""
        return {
            name: self.share,
            "count": self.count,
            "n": self.n,
            "interval": self.interval and list(self.interval),
            "over": self.over,
            "bootstrap": self.bootstrap and list(self.bootstrap),
        }


def in_words(measured: Mapping) -> str:
    """n and intervals of `Proportion.as_json`, in percent; a card that was written earlier may lack the second."""
    low, high = (100 * p for p in measured["interval"])
    text = f"n = {measured['n']}, 95 % interval {low:.1f} to {high:.1f}"
    if measured.get("bootstrap"):
        low, high = (100 * p for p in measured["bootstrap"])
        text += f", over {measured['over']} {low:.1f} to {high:.1f}"
    return text


def wilson(count: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval for a proportion (Wilson, "Probable inference", JASA 22, 1927), within 0 to 1."""
    from scipy.stats import binomtest

    low, high = binomtest(count, n).proportion_ci(confidence_level=0.95, method="wilson")
    # The proportion lies inside even after rounding.
    return max(0.0, min(count / n, float(low))), min(1.0, max(count / n, float(high)))


def bootstrap(counts: Sequence[Counts]) -> tuple[float, float]:
    """95 % interval of a proportion over speakers, drawn with replacement and whole.

    Recordings of one speaker are alike, so that six speakers are six observations, however much they say (Bisani and
    Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004, after Efron 1979).
    Draws of few speakers differ too little from each other; so the quantiles are those that make the interval of a
    mean as wide as Student's (Hesterberg, "What teachers should know about the bootstrap", The American Statistician
    69, 2015, section 5.3), and with fewer than FEW speakers, where no draw is wide enough, it is Student's interval
    itself, of the ratio (Cochran, "Sampling techniques", 1977, section 6.3). It never ends inside Wilson's interval:
    where all speakers do alike, as where all are right, draws alone would be certain, but speakers differ at least as
    much as chance makes the takes of one of them differ.

    Parameters
    ----------
    counts : of every speaker, or of every take for an interval over takes
    """
    from scipy.stats import norm, t

    counts = np.array(sorted(map(tuple, counts)))  # so that sums round alike in any order
    total, (count, n) = len(counts), map(int, counts.sum(0))
    low = high = count / n
    if total > 1:
        reach, widening = t.ppf(OUTSIDE, total - 1), np.sqrt(total / (total - 1))
        if total < FEW:
            error = widening * np.sqrt(((counts[:, 0] - low * counts[:, 1]) ** 2).sum()) / n
            low, high = np.clip(low - reach * error, 0, 1), np.clip(high + reach * error, 0, 1)
        else:
            # Speakers of the same counts are interchangeable: drawing how many of each is the same, and fast for many.
            kinds, number = np.unique(counts, axis=0, return_counts=True)
            drawn = np.random.default_rng(SEED).multinomial(total, number / total, size=DRAWS) @ kinds
            outside = norm.sf(widening * reach)
            low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (outside, 1 - outside))
    least, most = wilson(count, n)
    return min(least, float(low)), max(most, float(high))
