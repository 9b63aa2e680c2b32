"""What happens while somebody speaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizer.recognition.result import Result


@dataclass(frozen=True, eq=False)
class Event:
    """Something that happened in a session.

    Attributes
    ----------
    kind : "calibrated", "speech_start", "partial", "result", "rejected", "adapted", "device_lost", "overflow", "end",
        or "muted"
    time : when, seconds since the session began
    start, end : of what it is about, likewise; None where it is about a moment
    result : what was heard, its times counted from the beginning of `samples`; of partial ones the candidates
    samples : the utterance as 16-bit integers at the model's rate, of results and rejections
    latency : from the arrival of the sound that ended the word to the answer, seconds
    floor : the noise floor, dB full scale, of a calibration
    speaker : whose profile is used, of a calibration; None for anybody's voice
    learned : how many utterances the models are adapted to, when that has changed
    word : that was learned from, or taken back; None where that is not a single one
    note : what a person should know
    tally : what a session that ends has seen, by name
    """

    kind: str
    time: float
    start: float | None = None
    end: float | None = None
    result: Result | None = None
    samples: np.ndarray | None = None
    latency: float | None = None
    floor: float | None = None
    speaker: str | None = None
    learned: int | None = None
    word: str | None = None
    note: str | None = None
    tally: dict[str, int] | None = None


@dataclass
class Tally:
    """What a session has seen."""

    words: int = 0
    rejected: int = 0
    overflows: int = 0
    losses: int = 0
