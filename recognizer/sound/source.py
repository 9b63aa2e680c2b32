"""Where sound comes from while it happens: blocks of samples, and what can go wrong between them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.errors import AudioError, RecognizerWarning
from recognizer.sound import audio
from recognizer.sound.channels import told

BLOCK = 0.030  # seconds of sound handed on at once: thirty wake-ups a second cost next to nothing
AT_ONCE = 1.0  # and where nobody waits for the answer: what is said of the sound is the same, at a third of the cost

LONGEST = 1e7  # seconds, four months, that a file may say it has: encoders that write to a pipe say that it is endless


@dataclass(frozen=True, eq=False)
class Block:
    """A piece of sound.

    Attributes
    ----------
    samples : (n,) float32, mono, full scale 1
    sample_rate : Hz
    arrived : when its last sample was there, seconds of a monotonic clock
    lost : samples that were lost before it because nobody fetched them in time
    """

    samples: np.ndarray
    sample_rate: int
    arrived: float
    lost: int = 0


@dataclass(frozen=True)
class Lost:
    """The device is gone; blocks follow once it is back.

    Attributes
    ----------
    device : its name
    reason : what was noticed
    """

    device: str
    reason: str


@dataclass(frozen=True)
class OnlyZeros:
    """Nothing but zeros comes in, which no microphone in any room delivers.

    Attributes
    ----------
    device : its name
    remedy : what may be the cause, and what to do
    """

    device: str
    remedy: str


Sound = Block | Lost | OnlyZeros


def play(
    path: str | Path,
    *,
    fast: bool = False,
    seconds: float = BLOCK,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Block]:
    """A recording as a microphone would have delivered it: in real time, or as fast as it is asked for.

    Parameters
    ----------
    path : a sound file of any length
    fast : do not wait between blocks
    seconds : length of a block
    clock, sleep : time, for tests

    Raises
    ------
    AudioError
        if the file cannot be read.

    Warns
    -----
    RecognizerWarning
        if a single one of its channels is heard.
    """
    began, position = clock(), 0.0
    for samples, rate in audio.blocks(path, seconds, taken=lambda channel: _tell(Path(path), channel)):
        position += len(samples) / rate
        ahead = began + position - clock()
        if ahead > 0 and not fast:
            sleep(ahead)
        yield Block(samples, rate, clock())


def duration(path: Path) -> float | None:
    """Seconds of a recording; None where nobody can tell before it is read, such as of a pipe."""
    with suppress(AudioError, OSError, RuntimeError, TypeError, ValueError):  # whoever reads it tells what is wrong
        if path.is_file():
            with audio.opened(path) as sound:
                frames = getattr(sound, "frames", None)  # what another program decodes does not tell
                seconds = frames / sound.samplerate if frames is not None else LONGEST
            return seconds if seconds < LONGEST else None
    return None


def _tell(path: Path, channel: int) -> None:
    warnings.warn(told([(path, channel)]), RecognizerWarning, stacklevel=5)
