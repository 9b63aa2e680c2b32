"""What was heard: candidates and the answer."""

from __future__ import annotations

from dataclasses import dataclass

from recognizer.errors import cited


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

    def record(self) -> dict:
        """What was heard as plain JSON data, without the times, which are counted from elsewhere in a stream."""
        return {
            "word": self.word,
            "confidence": round(self.confidence, 4),
            "accepted": self.accepted,
            "reason": self.reason,
            "nbest": [candidate.record() for candidate in self.nbest],
        }

    def __repr__(self) -> str:
        answer = f"{cited(self.word)}, {self.confidence:.2f}" if self.accepted else f"no word: {self.reason}"
        others = self.nbest[1:] if self.accepted else self.nbest
        nearest = "".join(f"; next {cited(c.word)}, {c.confidence:.2f}" for c in others[:1])
        return f"Result({answer}; {self._where}{nearest})"

    @property
    def _where(self) -> str:
        """When it was said, for people."""
        whole = f"{self.duration:.2f} s"
        return whole if self.start is None or self.end is None else f"{self.start:.2f} to {self.end:.2f} of {whole}"

    def _repr_html_(self) -> str:
        """For a notebook: the answer, and the candidates with a bar for each."""
        from recognizer.files.html import bar, table

        answer = f"“{self.word}”" if self.accepted else f"no word: {self.reason}"
        rows = [(c.word, bar(c.confidence), f"{c.confidence:.2f}", f"{c.score:.2f}") for c in self.nbest]
        return table(f"{answer} ({self._where})", rows, ("word", "confidence", "", "log likelihood a frame"))
