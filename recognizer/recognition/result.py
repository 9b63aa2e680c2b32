"""What was heard: candidates and the answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One word of the n-best list.

    Attributes
    ----------
    word : its label
    score : natural log likelihood per frame
    confidence : probability that this is the word, 0 to 1
    """

    word: str
    score: float
    confidence: float

    def record(self) -> dict:
        """The candidate as plain JSON data."""
        return {"word": self.word, "score": round(self.score, 4), "confidence": round(self.confidence, 4)}


@dataclass(frozen=True)
class Result:
    """What was heard.

    Attributes
    ----------
    word : the answer, None when nothing was recognised
    confidence : probability that the best candidate is right, 0 to 1; 0 without any
    accepted : whether there is an answer
    nbest : candidates, best first, whether or not the best is accepted; none in silence
    start, end : of the best candidate in the recording, seconds; None without any
    duration : of the recording, seconds
    reason : why there is no answer: "too quiet", "too short", "too long", "sounds like no word", "two words too close",
        or "no finite score" where the models' numbers are too extreme to tell anything
    channel : the only one heard of the recording, counted from 1, where the mean of all buries or cancels the speech;
        None for the mean
    """

    word: str | None
    confidence: float
    accepted: bool
    nbest: tuple[Candidate, ...]
    start: float | None
    end: float | None
    duration: float
    reason: str | None = None
    channel: int | None = None
