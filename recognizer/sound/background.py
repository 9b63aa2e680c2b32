"""What else is heard while somebody speaks: hisses and hums that are made up, other people, clips of real noise."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.errors import AudioError, shown
from recognizer.sound import audio

MADE_UP = ("white", "pink", "hum")
BABBLE, CLIP = "babble", "clip"
HARMONICS = 12  # of a hum: up to 600 or 720 Hz, where what transformers send out ends
HISS_UNDER_HUM = 0.1  # of its standard deviation: no hum is alone
VOICE = 4.0  # seconds of a voice in a babble, over and over: longer than a word
BLOCK = 10.0  # seconds read at once to see whether a file sounds


@dataclass(frozen=True)
class Background:
    """A sound beside the speech.

    Attributes
    ----------
    kind : one of MADE_UP; BABBLE, of voices; or CLIP, of noise that was recorded
    seed : of what is random in it
    files : the recordings of a babble, each another voice, or the one that a clip is cut from
    seconds : that a clip may be cut from
    """

    kind: str
    seed: int
    files: tuple[Path, ...] = ()
    seconds: float = 0.0

    def sound(self, samples: int, sample_rate: int) -> np.ndarray:
        """So many samples of it, (n,) float64, of mean zero and any level; zeros where nothing can be read."""
        random = np.random.default_rng(self.seed)
        if self.kind == BABBLE:
            heard = _babble(random, self.files, samples, sample_rate)
        elif self.kind == CLIP:
            heard = _clip(random, self, samples, sample_rate)
        else:
            heard = {"white": _white, "pink": _pink, "hum": _hum}[self.kind](random, samples, sample_rate)
        return heard - heard.mean()


def sounding(files: Iterable[Path]) -> tuple[dict[Path, float], list[str]]:
    """Files that hold sound, with their seconds, and why others do not; read bit by bit, however long they are."""
    seconds, silent = {}, []
    for file in files:
        length, least, greatest = 0.0, np.inf, -np.inf
        try:
            for samples, rate in audio.blocks(file, BLOCK):
                length += len(samples) / rate
                least, greatest = min(least, samples.min()), max(greatest, samples.max())
        except AudioError as error:
            silent.append(str(error))
            continue
        if least < greatest:
            seconds[file] = length
        else:
            silent.append(f"{shown(file)}: is silent; record it again, or remove it")
    return seconds, silent


def _white(random: np.random.Generator, samples: int, rate: int) -> np.ndarray:
    return random.standard_normal(samples)


def _pink(random: np.random.Generator, samples: int, rate: int) -> np.ndarray:
    """Power falls as 1/f: 3 dB an octave."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), samples)


def _hum(random: np.random.Generator, samples: int, rate: int) -> np.ndarray:
    """Of the mains, 50 or 60 Hz: its harmonics at random strengths, the even ones of transformers among them."""
    mains, order = random.choice([50.0, 60.0]), np.arange(1, HARMONICS + 1)[:, None]
    strength, phase = random.uniform(0, 1, (2, HARMONICS, 1))
    waves = strength / order * np.sin(2 * np.pi * (mains * order * np.arange(samples) / rate + phase))
    hum = waves.sum(0, where=mains * order < rate / 2)
    return hum + HISS_UNDER_HUM * np.sqrt(np.mean(hum**2)) * random.standard_normal(samples)


def _babble(random: np.random.Generator, files: tuple[Path, ...], samples: int, rate: int) -> np.ndarray:
    """Voices of one power together, each from a place of its own, over and over."""
    together = np.zeros(samples)
    for file in files:
        place, voice = random.random(), _piece(file, 0.0, VOICE, rate)
        if power := np.var(voice):
            together += np.resize(np.roll(voice, -int(place * len(voice))), samples) / np.sqrt(power)
    return together


def _clip(random: np.random.Generator, background: Background, samples: int, rate: int) -> np.ndarray:
    """A piece from anywhere in the file, over and over where that is shorter."""
    wanted = samples / rate
    start = random.random() * max(0.0, background.seconds - wanted)
    return np.resize(_piece(background.files[0], start, wanted, rate), samples)


def _piece(file: Path, start: float, seconds: float, rate: int) -> np.ndarray:
    """Part of a recording, (n,) float64; a zero of one that cannot be read, which is told where it was asked for."""
    try:
        with closing(audio.blocks(file, seconds, start)) as pieces:
            return audio.prepare(*next(pieces), rate).samples.astype(np.float64)
    except AudioError:
        return np.zeros(1)
