"""Where words start and end in a stream: sound that rises over the tracked noise of each frequency band.

A recording is judged as a whole by `sound.endpoint`; a stream has no whole. Here the noise floor comes
from the last seconds, decisions wait only as long as they must, and what an utterance holds beside the word is
left to the endpointer, which trims it as it trims a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recognizer.errors import AudioError
from recognizer.sound.channels import LARGEST_SAMPLE
from recognizer.sound.endpoint import HOP
from recognizer.sound.level import decibels
from recognizer.sound.noise_floor import BANDS, FLOOR_EVERY, BandPower, NoiseFloor

QUIETEST = -85.0  # dB full scale of the white noise that no floor is under: digital silence and dither are one
FEWEST, MOST = 2, 100  # frames analysed together: few cost time, many memory
TRIMMED = 20.0  # dB between floor and peak, at least, of a stream over before its floor is known: it is one word
SUSTAINED = 5  # frames that a level is held to count as a sound's peak: longer than a click
WANING = 0.1  # dB a frame; how fast a sound that was cut is forgotten while it goes on more softly
RUN = 100  # frames looked back on to tell a click, which dies away, from a sound that lasts

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Boundary:
    """What became known about the stream; samples are counted from its beginning.

    Attributes
    ----------
    kind : "calibrated", once the noise floor is known;
        "start", once a sound has lasted longer than a click;
        "end", of the utterance that started last; or
        "dropped", instead of "end", when it turned out to be noise that the floor has caught up with
    start : first sample of the utterance, pre-roll included; of "calibrated", 0
    end : past-the-last sample of the utterance, with what is kept of the hangover; of "start", the samples heard
        when it was decided; of "calibrated", the samples it took
    complete : False if the utterance was cut off by the greatest length or by the end of the stream
    """

    kind: str
    start: int
    end: int
    complete: bool = True


@dataclass(frozen=True)
class Segmentation:
    """Settings of the segmenter, compared with others in `recipes/endpoint/CHOICE.md`.

    Attributes
    ----------
    calibration : heard before the first decision, to measure the noise floor, and judged afterwards, seconds
    pre_roll : kept before the sound that gave the word away, for soft onsets, seconds
    hangover : quiet after which a word is over, seconds; a stop's closure is shorter
    tail : part of the hangover that is kept, for the decay; the rest is time to compute the answer in
    patience : hangovers after which a word is over although there are clicks, if nothing has lasted
    longest : utterance, seconds; a longer one is cut, and the rest of that sound starts no new one
    shortest : sound that is no click, seconds
    onset : a word rises this far over the noise floor, dB
    offset : and lasts while it is this far over it, dB
    share : or this part, in dB, of what its peak is over it, which leaves out breath and unsteady noise
    depth : and no more than this far under its peak, dB
    decay : of a sound's loudest part, no click stays within this many dB for `shortest`
    memory : the noise floor is measured on the last so many seconds, so that new noise is absorbed in that time
    quantile : part of that time which is noise, at least; words may fill the rest
    """

    calibration: float = 0.5
    pre_roll: float = 0.3
    hangover: float = 0.25
    tail: float = 0.8
    patience: float = 3.0
    longest: float = 3.5
    shortest: float = 0.06
    onset: float = 5.0
    offset: float = 3.0
    share: float = 0.2
    depth: float = 35.0
    decay: float = 15.0
    memory: float = 2.0
    quantile: float = 0.2

    def __post_init__(self) -> None:
        for name in ("calibration", "hangover", "shortest"):
            if not getattr(self, name) >= HOP:
                raise ValueError(f"{name} is {getattr(self, name)} s; it must be {HOP} or more")
        for name, least in (("longest", self.pre_roll + self.hangover), ("memory", self.calibration)):
            if not getattr(self, name) > least:
                raise ValueError(f"{name} is {getattr(self, name)} s; it must be over {least:g}")

    @property
    def reach(self) -> float:
        """How far back from the newest sample a boundary may point, seconds: what a caller has to keep."""
        return max(self.longest, self.memory) + self.pre_roll + self.patience * self.hangover + RUN * HOP


def over_floor(power: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """How far frames are over the noise: the mean over the bands of power over floor, in dB, (n,).

    Dividing by the floor whitens the noise, so that speech shows in the bands where there is little of it.

    Parameters
    ----------
    power : (n, BANDS), mean squares
    floor : (BANDS,), positive
    """
    return decibels((power / floor).sum(1) / BANDS)


class Segmenter:
    """Cuts a stream into utterances, the same ones however it comes in blocks.

    Parameters
    ----------
    sample_rate : Hz
    settings : see `Segmentation`
    measure : how far frames are over the noise, dB, (n,), from their band powers, (n, BANDS), and the floor, (BANDS,)

    Attributes
    ----------
    level : of the last frame, RMS in dB full scale
    floor : tracked noise floor, in the same unit

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> stream = 0.001 * random.standard_normal(3 * 8000)
    >>> stream[8000:12000] += 0.1 * random.standard_normal(4000)
    >>> [(b.kind, b.start / 8000, b.end / 8000) for b in Segmenter(8000).push(stream)]
    [('calibrated', 0.0, 0.51), ('start', 0.69, 1.06), ('end', 0.69, 1.77)]
    """

    def __init__(self, sample_rate: int, settings: Segmentation = Segmentation(), measure: Measure = over_floor):
        self._measure = measure
        self.sample_rate = sample_rate
        self.settings = settings
        self.level = self.floor = QUIETEST
        self._spectrum = BandPower(sample_rate)
        self._noise = NoiseFloor(settings.memory, settings.quantile, self._spectrum.share * 10 ** (QUIETEST / 10))
        self._hop = round(HOP * sample_rate)
        self._pre_roll = round(settings.pre_roll * sample_rate)
        self._calibration, self._hangover, self._shortest = (
            round(seconds / HOP) for seconds in (settings.calibration, settings.hangover, settings.shortest)
        )
        self._patience = round(settings.patience * self._hangover)
        self._tail = round(settings.tail * self._hangover)
        self._heard = 0  # samples
        self._judged = 0  # frames
        self._calibrated = self._found = False
        self._kept = 0  # past-the-last sample of the utterance before; no other one has it, too
        self._rest = 0.0  # what is left of that one's sound, in dB; a new one has to rise over it
        self._waiting = False  # for the end of a sound that was cut
        self._start: int | None = None  # of the open utterance, first sample
        self._peak = 0.0  # of the open utterance, excess in dB
        self._loudest: np.ndarray | None = None  # band powers of that frame
        self._remaining = 0.0  # excess of that frame over what the floor is now, dB
        self._run: list[float] = []  # excess in the frames since there was quiet
        self._sound = self._lasting = 0  # last frame with any sound, and with one that lasted

    @property
    def pending(self) -> tuple[int, int] | None:
        """The open utterance: first sample, and past-the-last one if no more speech comes; None between two.

        The latter may still lie ahead; once it is heard, the utterance is whole unless more speech comes.
        """
        return None if self._start is None else (self._start, self._end())

    def push(self, samples: np.ndarray) -> list[Boundary]:
        """Hear more of the stream.

        Parameters
        ----------
        samples : (n,), finite, full scale 1

        Returns
        -------
        What became known, in order.

        Raises
        ------
        AudioError
            if the samples are not finite or not in one row.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1:
            raise AudioError(f"a block has shape {samples.shape}; give one channel, (samples,)")
        if len(samples) and not np.abs(samples).max() <= LARGEST_SAMPLE:
            raise AudioError("a block holds samples that are no sound (not finite or too large)")
        found = []
        step = MOST * self._hop
        for first in range(0, len(samples), step):
            block = samples[first : first + step]
            self._heard += len(block)
            found += self._advance(self._spectrum.push(block, FEWEST))
        return found

    def finish(self) -> list[Boundary]:
        """End the stream, and with it an open utterance."""
        found = self._advance(self._spectrum.push(np.zeros(0), 1))
        if not self._calibrated and self._noise.frames:
            found += self._calibrate()
            excess = np.sort(self._excess(self._noise.history[: self._noise.frames]))
            lasting = excess[-min(self._shortest, len(excess))]  # a click at the beginning says nothing of the word
            self._noise.lower(lasting - TRIMMED)
            found += self._judge_again()
        if self._start is not None:
            found.append(self._close(self._heard, complete=self._end() <= self._heard))
        return found

    def _advance(self, power: np.ndarray) -> list[Boundary]:
        """Take in smoothed powers, (n, bands + 1), in groups that end where the floor is measured."""
        found = []
        if len(power):
            self.level = float(decibels(self._spectrum.last))
        while len(power):
            group = power[: FLOOR_EVERY - self._noise.frames % FLOOR_EVERY]
            power = power[len(group) :]
            self._noise.push(group)
            if self._calibrated:
                found += self._judge(group)
            if self._noise.frames % FLOOR_EVERY == 0:  # wherever blocks end
                if self._calibrated:
                    found += self._track()
                elif self._noise.frames >= self._calibration:
                    found += self._calibrate()
        return found

    def _calibrate(self) -> list[Boundary]:
        """Measure the floor for the first time, then look at what was heard so far."""
        self._calibrated = True
        self._measure_floor()
        heard = self._noise.history[: self._noise.frames]
        return [Boundary("calibrated", 0, self._heard_by(len(heard) - 1)), *self._judge(heard)]

    def _track(self) -> list[Boundary]:
        """Bring the floor up to date."""
        before = self._noise.bands
        self._measure_floor()
        if self._loudest is not None:
            self._remaining = float(self._excess(self._loudest[None])[0])
        fallen = over_floor(before[None], self._noise.bands)[0] >= self.settings.offset
        return self._judge_again() if fallen else []

    def _measure_floor(self) -> None:
        self._noise.measure()
        self.floor = float(decibels(self._noise.level))

    def _judge_again(self) -> list[Boundary]:
        """If nothing was found yet, look once more at all that was heard: what seemed to be noise may be a word."""
        if self._found or self._noise.frames > len(self._noise.history):
            return []
        self._judged, self._run, self._rest, self._waiting = 0, [], 0.0, False
        return self._judge(self._noise.history[: self._noise.frames])

    def _excess(self, power: np.ndarray) -> np.ndarray:
        return self._measure(power[:, :-1], self._noise.bands)

    def _judge(self, power: np.ndarray) -> list[Boundary]:
        found = []
        for row, excess in zip(power, self._excess(power).tolist()):
            found += self._hear(excess, row)
            self._judged += 1
        return found

    def _hear(self, excess: float, power: np.ndarray) -> list[Boundary]:
        """One more frame, by so many dB over the floor."""
        settings, frame = self.settings, self._judged
        open_ = self._start is not None
        least = max(settings.offset, settings.share * self._peak, self._peak - settings.depth)
        if not open_ and not self._waiting:
            least = self._rest + (settings.offset if self._run else settings.onset)
        if excess < least:
            self._run = []
        else:
            self._run = [*self._run[1 - RUN :], excess]
            self._sound = frame
        lasts = self._lasts(least)
        if lasts:
            self._lasting = frame
        if not open_:
            if self._lasts(self._rest + settings.onset):
                return [self._open()]
            self._follow(excess)
            return []
        level = min(self._run[-SUSTAINED:], default=0.0)
        if lasts and level > self._remaining:
            self._peak, self._remaining, self._loudest = max(self._peak, level), level, power
        if frame - self._sound >= self._hangover or frame - self._lasting >= self._patience:
            return [self._close(self._heard_by(frame))]
        if self._heard_by(frame) - self._start >= settings.longest * self.sample_rate:
            self._waiting = True
            return [self._close(self._heard_by(frame), complete=False)]
        return []

    def _lasts(self, least: float) -> bool:
        """Whether the present sound is longer than a click."""
        if len(self._run) < self._shortest:
            return False
        least = max(least, max(self._run) - self.settings.decay)
        return sum(excess >= least for excess in self._run) >= self._shortest

    def _follow(self, excess: float) -> None:
        """Between utterances: what the sound that ended the last one has come down to."""
        if self._waiting:
            before = self._run[-2 * self._shortest : -self._shortest]  # what may become a word is not its own measure
            self._rest = max(self._rest - WANING, min(before, default=0.0))
            self._waiting = self._judged - self._lasting < self._hangover
        if not self._waiting:
            self._rest = max(0.0, min(self._rest, excess))

    def _open(self) -> Boundary:
        least = self._rest + self.settings.onset
        before = next(i for i, excess in enumerate(self._run) if excess >= least)
        self._run = self._run[before:]
        onset = (self._judged + 1 - len(self._run)) * self._hop
        self._start = max(self._kept, onset - self._pre_roll)
        self._found = True
        self._waiting = False
        return Boundary("start", self._start, self._heard_by(self._judged))

    def _close(self, heard: int, complete: bool = True) -> Boundary:
        absorbed = self._loudest is not None and self._remaining < self.settings.onset
        boundary = Boundary("dropped" if absorbed else "end", self._start, min(self._end(), heard), complete)
        self._kept = boundary.end
        self._rest = self._peak
        self._start, self._peak, self._remaining, self._loudest, self._run = None, 0.0, 0.0, None, []
        return boundary

    def _end(self) -> int:
        """Past-the-last sample to keep if no more sound comes."""
        return (self._sound + 1 + self._tail) * self._hop

    def _heard_by(self, frame: int) -> int:
        """Samples needed to judge a frame."""
        return (frame + 2) * self._hop
