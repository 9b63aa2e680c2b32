"""A made-up language: four words that are gliding tones, said by speakers who differ in pitch."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import soundfile

from recognizer.live.prompts import Prompt

RATE = 8000
SILENCE = 0.25  # seconds before and after a word
NOISE = 10 ** (-70 / 20)
# Where the tone of a word is at its start, middle and end, Hz.
CONTOURS = {
    "fall": (1900, 1100, 500),
    "hum": (350, 350, 350),
    "peep": (2300, 2300, 2300),
    "rise": (500, 1100, 1900),
}
WORDS = tuple(CONTOURS)
PITCH = {"anna": 1.06, "bob": 0.95, "carl": 1.0, "dora": 1.03, "eve": 0.97, "zoe": 1.5}
SPEAKERS = ("anna", "bob", "carl", "dora")  # of the corpus; eve stays unseen, and zoe sounds like nobody in it


def say(word: str, speaker: str = "eve", take: int = 0, *, rate: int = RATE, seconds: float = 0) -> np.ndarray:
    """A word between two silences, float64, full scale 1; `seconds` of speech, 0.3 to 0.4 when 0."""
    random = np.random.default_rng(zlib.crc32(f"{word} {speaker} {take}".encode()))
    seconds = seconds or random.uniform(0.3, 0.4)
    time = np.arange(round(seconds * rate)) / rate
    frequency = np.interp(time / seconds, (0, 0.5, 1), CONTOURS[word]) * PITCH[speaker]
    frequency *= 1 + 0.03 * np.sin(2 * np.pi * random.uniform(8, 12) * time)  # a trembling voice
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    tone = np.sin(phase) + 0.3 * np.sin(1.4 * phase) + 0.05 * random.standard_normal(len(time))
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
    quiet = np.zeros(round(SILENCE * rate))
    samples = np.concatenate([quiet, 0.3 * fade * tone, quiet])
    return samples + NOISE * random.standard_normal(len(samples))


def quiet(seconds: float, rate: int = RATE, level: float = NOISE, seed: int = 0) -> np.ndarray:
    """A room in which nobody speaks."""
    return level * np.random.default_rng(seed).standard_normal(round(seconds * rate))


def answer(prompt: Prompt) -> np.ndarray:
    """What a person says to a prompt, with pauses."""
    return np.concatenate([quiet(0.4), say(prompt.word, take=prompt.take), quiet(0.6)])


def write(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str | None = None) -> Path:
    """Write a sound file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def record(folder: Path, words=WORDS, speakers=SPEAKERS, takes: int = 3) -> Path:
    """Write a corpus, `{word}_{speaker}_{take}.wav`."""
    for word in words:
        for speaker in speakers:
            for take in range(takes):
                write(folder / f"{word}_{speaker}_{take}.wav", say(word, speaker, take))
    (folder / "layout.txt").write_text("{word}_{speaker}_{take}", encoding="utf-8")  # words and speakers look alike
    return folder
