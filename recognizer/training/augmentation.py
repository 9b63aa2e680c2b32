"""Copies of training recordings drawn at random: other rooms, noises, voices, levels and lines for each.

What is drawn for a recording depends on the seed and on the recording alone (its name, word and speaker, and for a
babble on who the other speakers are): not on the order of the corpus, nor on how the work is shared out.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recognizer.corpus import Utterance, audio_files
from recognizer.errors import CorpusError, TrainingError, cited, shown
from recognizer.sound.background import BABBLE, CLIP, MADE_UP, Background, sounding
from recognizer.sound.perturbation import Perturbation
from recognizer.sound.rooms import Room

KINDS = ("noise", "rooms", "vtlp", "pace", "level", "band")
ALWAYS = ("vtlp", "pace")  # drawn from about one on, and so mild as often as not
CHANCE = 0.5  # of each of the others in a copy: half know nothing of it, and all mixtures of them occur
COPIES = 3  # of each recording: with as many again, training takes twice as long
SNR = (0.0, 25.0)  # dB: from as loud as the speech to hardly heard
RT60 = (0.1, 0.6)  # seconds: from a padded booth to a bare kitchen
PEAK = (-40.0, 6.0)  # dB over full scale: from six bits left to clipped at half its height
WARPS = tuple(np.arange(80, 124, 4) / 100)  # from a child's tract to a tall man's; few enough to share filters
PACES = tuple(np.arange(85, 125, 5) / 100)  # from slow to hurried, as people differ in reading digits
VOICES = (3, 8)  # of a babble: with fewer, words are understood; more are a hiss
CLIPS = 0.5  # share of real noise in the noises, where there is some


def clips(folders: Sequence[Path]) -> tuple[dict[Path, float], list[str]]:
    """Recordings of noise in folders, with the seconds of each, and why others do not serve.

    Raises
    ------
    CorpusError
        if nothing in a folder sounds.
    """
    noises: dict[Path, float] = {}
    left_out: list[str] = []
    for folder in folders:
        found, silent = sounding(audio_files([folder]))
        if not found:
            raise CorpusError(
                f"{shown(folder)}: nothing in it sounds (such as {silent[0]}); name a folder with recordings of noise"
            )
        noises |= found
        left_out += silent
    return noises, left_out


@dataclass(frozen=True)
class Augmentation:
    """How copies are drawn.

    Attributes
    ----------
    kinds : what may differ in a copy, of KINDS
    copies : of each recording
    seed : of all that is random
    noises : files of real noise, and the seconds of each, as `clips` gives them; made-up noise alone where none
    """

    kinds: tuple[str, ...]
    copies: int = COPIES
    seed: int = 0
    noises: dict[Path, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.kinds, str):
            raise TypeError(f"kinds is the str {cited(self.kinds)}; give a tuple, as in ({cited(self.kinds)},)")
        if not self.kinds:
            raise TrainingError(f"copies that differ in nothing teach nothing; choose of {', '.join(KINDS)}")
        for kind in self.kinds:
            if kind not in KINDS:
                raise TrainingError(f"{cited(kind)} is no way to augment recordings; choose of {', '.join(KINDS)}")
        if self.copies < 1:
            raise TrainingError(f"copies is {self.copies}; it must be 1 or more")

    def as_json(self) -> dict[str, object]:
        """What a model's card says of it."""
        return {"kinds": list(self.kinds), "copies": self.copies, "seed": self.seed, "clips": len(self.noises)}

    def draws(self, utterances: Sequence[Utterance]) -> list[tuple[Perturbation, ...]]:
        """Copies of each utterance."""
        voices: dict[str, list[Path]] = {}
        for u in sorted((u for u in utterances if u.speaker), key=lambda u: (u.speaker, u.word, u.path.name, u.path)):
            voices.setdefault(u.speaker, []).append(u.path)
        return [tuple(self._draw(u, copy, voices) for copy in range(self.copies)) for u in utterances]

    def _draw(self, utterance: Utterance, copy: int, voices: dict[str, list[Path]]) -> Perturbation:
        name = f"{utterance.word}\n{utterance.speaker}\n{utterance.path.name}"
        random = np.random.default_rng([self.seed, zlib.crc32(name.encode("utf-8", "surrogateescape")), copy])
        chosen = {kind for kind in KINDS if kind in self.kinds and (kind in ALWAYS or random.random() < CHANCE)}
        if not chosen:
            chosen = {random.choice(self.kinds)}
        found: dict[str, object] = {}
        if "vtlp" in chosen:
            found["warp"] = float(random.choice(WARPS))
        if "pace" in chosen:
            found["pace"] = float(random.choice(PACES))
        if "rooms" in chosen:
            found["room"] = Room(random.uniform(*RT60), int(random.integers(2**32)))
        if "noise" in chosen:
            found["snr"] = random.uniform(*SNR)
            found["background"] = self._background(random, utterance, voices)
        if "level" in chosen:
            found["peak"] = random.uniform(*PEAK)
        return Perturbation(**found, telephone="band" in chosen)

    def _background(
        self, random: np.random.Generator, utterance: Utterance, voices: dict[str, list[Path]]
    ) -> Background:
        seed = int(random.integers(2**32))
        if self.noises and random.random() < CLIPS:
            clips = sorted(self.noises)
            clip = clips[random.integers(len(clips))]
            return Background(CLIP, seed, (clip,), self.noises[clip])
        others = [speaker for speaker in voices if speaker != utterance.speaker] if utterance.speaker else []
        kinds = (*MADE_UP, BABBLE) if others else MADE_UP
        kind = str(random.choice(kinds))
        if kind != BABBLE:
            return Background(kind, seed)
        count = min(len(others), int(random.integers(*VOICES, endpoint=True)))
        speakers = sorted(random.choice(others, count, replace=False))
        return Background(kind, seed, tuple(voices[s][random.integers(len(voices[s]))] for s in speakers))
