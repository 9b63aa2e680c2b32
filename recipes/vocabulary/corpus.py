"""A large vocabulary that real people say: words cut in pieces, and pieces of one speaker joined to new words.

No corpus of ten thousand words is at hand. Every recording of forty Arabic words and of twenty Mandarin and English
ones is aligned with a small model and cut in three; two to four pieces of one corpus, drawn at random, are a new word,
and every speaker of that corpus says it by pieces of the speaker's own takes.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from protocols import load

from recognizer import RecognizerWarning
from recognizer.corpus import Utterance
from recognizer.features.analysis import Analysis
from recognizer.recognition.decoding import align_frames
from recognizer.sound import audio
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings

CORPORA = ("arabic40", "dspspeech20")
RATE = 16_000
PIECES, STATES = 3, 2  # of a recording, and of each piece in the model that finds it
LENGTHS = (2, 3, 4)  # pieces of a new word
FADE = 0.005  # seconds in which one piece goes over into the next
AROUND = 0.15  # seconds of a quiet room before and after a word
LEVEL, ROOM = 0.05, 1e-4  # root mean square of a word and of that room

Part = tuple[str, int]  # the word that a piece is cut from, and which of its pieces


@dataclass(frozen=True)
class Voices:
    """What the speakers of a corpus have said, in pieces.

    Attributes
    ----------
    speakers : half of them to train on, a quarter to choose settings on, a quarter to test on
    pieces : by speaker and part, the samples of all takes
    parts : those that all speakers have
    """

    speakers: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    pieces: dict[tuple[str, Part], list[np.ndarray]]
    parts: tuple[Part, ...]

    def say(self, parts: Sequence[Part], speaker: str, random: np.random.Generator) -> np.ndarray:
        """A word said by a speaker, float32."""
        samples, fade = np.zeros(0), round(FADE * RATE)
        slope = np.linspace(0, 1, fade)
        for part in parts:
            takes = self.pieces[speaker, part]
            piece = takes[random.integers(len(takes))].astype(np.float64)
            piece[:fade] *= slope
            piece[-fade:] *= slope[::-1]
            overlap = min(fade, len(samples))
            joined = np.zeros(len(samples) - overlap + len(piece))
            joined[: len(samples)] += samples
            joined[len(joined) - len(piece) :] += piece
            samples = joined
        quiet = np.zeros(round(AROUND * RATE))
        samples = np.concatenate([quiet, samples * LEVEL / np.sqrt(np.mean(samples**2)), quiet])
        return (samples + ROOM * random.standard_normal(len(samples))).astype(np.float32)


def cut_up(corpus: Path) -> Voices:
    """All recordings of a corpus, each in pieces, where the states of a small model say that they are."""
    utterances = load(corpus)
    settings = TrainingSettings(states=PIECES * STATES, mixtures=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        model, _ = build(utterances, settings=settings, calibrate=False, few=False, jobs=2)
    pieces: dict[tuple[str, Part], list[np.ndarray]] = defaultdict(list)
    for utterance, analysis in zip(utterances, model.analyser.analyse_files([u.path for u in utterances], jobs=2)):
        if isinstance(analysis, Analysis) and analysis.features:
            path = align_frames(model.acoustics, analysis.features[0], model.words.index(utterance.word))
            for number, piece in enumerate(_pieces(utterance, analysis, path)):
                pieces[utterance.speaker, (utterance.word, number)].append(piece)
    names = sorted({u.speaker for u in utterances})
    parts = sorted({part for _, part in pieces})
    whole = tuple(part for part in parts if all((name, part) in pieces for name in names))
    return Voices((tuple(names[::2]), tuple(names[1::4]), tuple(names[3::4])), dict(pieces), whole)


def _pieces(utterance: Utterance, analysis: Analysis, path: np.ndarray | None) -> list[np.ndarray]:
    """Samples of each piece; none where one is hardly heard."""
    if path is None:
        return []
    samples = audio.load(utterance.path, RATE).samples
    frames = np.searchsorted(path, 1 + STATES * np.arange(PIECES + 1))
    first = round(analysis.start * RATE) + round((analysis.window - analysis.hop) / 2 * RATE)
    bounds = first + frames * round(analysis.hop * RATE)
    found = [samples[start:end] for start, end in pairwise(bounds)]
    return found if min(map(len, found)) > 4 * FADE * RATE else []


def vocabulary(voices: Sequence[Voices], size: int) -> list[tuple[Voices, tuple[Part, ...]]]:
    """So many new words, no two alike, of each language in turn; more words begin with the same ones."""
    random = np.random.default_rng(0)
    words: dict[tuple[Part, ...], Voices] = {}
    while len(words) < size:
        voice = voices[len(words) % len(voices)]
        chosen = random.choice(len(voice.parts), random.choice(LENGTHS))
        words.setdefault(tuple(voice.parts[i] for i in chosen), voice)
    return [(voice, parts) for parts, voice in words.items()]
