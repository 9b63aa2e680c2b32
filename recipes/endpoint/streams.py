"""Words with noise as streams, and whether a segmenter found each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path

import numpy as np

from recognizer.intervals import Proportion
from recognizer.sound import audio
from recognizer.sound.endpoint import HOP, TILT_RATE, Endpointer, frame_level
from recognizer.sound.segmenter import Boundary, Segmenter

RATE = 16000  # Hz
TOLERANCE = 0.060  # seconds of a word that an utterance may lack at either end
SHARE = 0.99  # of a word's energy that is its core
SPEECH_LEVEL = -26.0  # dB full scale of the words in one stream
WORDS_A_CLIP = 10  # in one stream, before the noise changes
NEAR = 8  # utterances looked at on either side of a word in one stream

Make = Callable[[], Segmenter]


@dataclass(frozen=True)
class Word:
    """A recording of a word.

    Attributes
    ----------
    samples : (n,) float32
    span : where the endpointer finds it in the clean recording, samples
    core : the part of the span with most of its energy: clicks, breath and noise beside the word are not in it
    speaker : who says it; None where nobody knows
    """

    samples: np.ndarray
    span: tuple[int, int]
    core: tuple[int, int]
    speaker: str | None


def half(name: str) -> int:
    """0, to choose with, or 1, to test with."""
    return int(sha1(name.encode()).hexdigest(), 16) % 2


def words(folder: Path, part: int) -> Iterator[Word]:
    """DSPSpeech-20 halved by speaker, and the wake words halved by the recordings' numbers."""
    files = [(path, path.parent.name) for path in sorted((folder / "dspspeech20").rglob("*.flac"))]
    files += [(path, None) for path in sorted((folder / "wake_words").rglob("*.flac"))]
    for path, speaker in files:
        if half(speaker or path.name) == part:
            samples = audio.load(path, RATE).samples
            span = Endpointer().find(samples, RATE)
            if span is not None:
                yield Word(samples, span, core(samples, span), speaker)


def noises(folder: Path, part: int) -> dict[str, np.ndarray]:
    """ESC-10 halved by fold, and the noises of Speech Commands, every other one."""
    paths = [p for p in sorted((folder / "noise" / "esc10").rglob("*.flac")) if p.name.startswith(f"{part + 1}-")]
    paths += sorted((folder / "noise" / "speech_commands").glob("*.flac"))[part::2]
    return {f"{path.parent.name}/{path.stem}": audio.load(path, RATE).samples for path in paths}


def machines() -> dict[str, np.ndarray]:
    """Steady noise as machines make it, 5 s each."""
    time = np.arange(5 * RATE) / RATE
    hum = [np.sin(2 * np.pi * frequency * time + frequency) for frequency in range(100, 301, 50)]
    hiss = np.random.default_rng(0).standard_normal(len(time))
    return {"1 kHz tone": np.sin(2 * np.pi * 1000 * time), "hum of 100 to 300 Hz": sum(hum), "white noise": hiss}


def core(samples: np.ndarray, span: tuple[int, int]) -> tuple[int, int]:
    """The middle of a span that holds `SHARE` of its energy above the hum."""
    hop = round(HOP * RATE)
    first, last = span[0] // hop, span[1] // hop
    energy = np.cumsum(10 ** (frame_level(samples, hop, round(RATE / TILT_RATE))[first:last] / 10))
    low, high = np.searchsorted(energy / energy[-1], [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return (first + int(low)) * hop, min(span[1], (first + int(high) + 1) * hop)


def mixed(word: Word, clips: Sequence[np.ndarray], snr: float | None, random: np.random.Generator) -> np.ndarray:
    """The recording with a part of a clip, the power of the word's span this many dB over the clip's."""
    if snr is None:
        return word.samples
    clip = clips[random.integers(len(clips))]
    noise = np.resize(np.roll(clip, -random.integers(len(clip))), len(word.samples))
    speech = np.var(word.samples[slice(*word.span)], dtype=np.float64)
    return word.samples + noise * np.sqrt(speech / np.mean(clip**2, dtype=np.float64) / 10 ** (snr / 10))


def verdict(utterances: Sequence[Boundary], place: tuple[int, int]) -> str:
    """Found "once", "missed", "split", or its begin or end "cut"."""
    over = [u for u in utterances if u.start < place[1] and u.end > place[0]]
    if len(over) != 1:
        return "split" if over else "missed"
    edge = TOLERANCE * RATE
    return "once" if over[0].start <= place[0] + edge and over[0].end >= place[1] - edge else "cut"


def ended(segmenter: Segmenter, samples: np.ndarray) -> list[Boundary]:
    """The utterances of a stream."""
    return [b for b in segmenter.push(samples) + segmenter.finish() if b.kind == "end"]


@dataclass
class Tally:
    """Verdicts on words, by their core and by their span."""

    core: Counter = field(default_factory=Counter)
    span: Counter = field(default_factory=Counter)
    once: tuple[Proportion, Proportion] = (Proportion(), Proportion())  # found once, by core and by span

    def add(self, utterances: Sequence[Boundary], word: Word, offset: int = 0) -> None:
        """Count one word that begins `offset` samples into the stream."""
        by_core = verdict(utterances, (word.core[0] + offset, word.core[1] + offset))
        by_span = verdict(utterances, (word.span[0] + offset, word.span[1] + offset))
        self.core[by_core] += 1
        self.span[by_span] += 1
        found = (Proportion.of(how == "once", 1, word.speaker) for how in (by_core, by_span))
        self.once = tuple(old + new for old, new in zip(self.once, found))


def each_alone(make: Make, words: Sequence[Word], clips: Sequence[np.ndarray], snr: float | None) -> Tally:
    """Every recording is a stream of its own."""
    random, tally = np.random.default_rng(0), Tally()
    for word in words:
        tally.add(ended(make(), mixed(word, clips, snr, random)), word)
    return tally


def one_stream(make: Make, words: Sequence[Word], clips: Sequence[np.ndarray], snr: float | None) -> tuple[Tally, int]:
    """All recordings one after another, equally loud, in noise that goes on; and how many utterances hold no word."""
    random = np.random.default_rng(0)
    order = [words[i] for i in random.permutation(len(words))]
    segmenter, found, starts, heard = make(), [], [], 0
    for first in range(0, len(order), WORDS_A_CLIP):
        group = []
        for word in order[first : first + WORDS_A_CLIP]:
            speech = word.samples - word.samples.mean(dtype=np.float64)
            group.append(speech * 10 ** (SPEECH_LEVEL / 20) / speech[slice(*word.span)].std())
            starts.append(heard)
            heard += len(speech)
        samples = np.concatenate(group)
        if snr is not None:
            clip = clips[random.integers(len(clips))]
            noise = np.resize(np.roll(clip, -random.integers(len(clip))), len(samples))
            samples += noise * 10 ** ((SPEECH_LEVEL - snr) / 20) / np.sqrt(np.mean(clip**2, dtype=np.float64))
        found += segmenter.push(samples)
    found = [b for b in found + segmenter.finish() if b.kind == "end"]
    tally, ends, used = Tally(), np.array([b.end for b in found]), set()
    for word, start in zip(order, starts):
        near = max(0, np.searchsorted(ends, start) - NEAR)
        tally.add(found[near : near + 2 * NEAR], word, start)
        span = start + word.span[0], start + word.span[1]
        used |= {b.start for b in found[near : near + 2 * NEAR] if b.start < span[1] and b.end > span[0]}
    return tally, len(found) - len(used)


def false_alarms(make: Make, clips: dict[str, np.ndarray]) -> tuple[float, Counter]:
    """Utterances a minute in noise alone, and how many in each kind."""
    kinds = Counter({name.split("/")[0]: 0 for name in clips})
    for name, clip in clips.items():
        kinds[name.split("/")[0]] += len(ended(make(), clip))
    return kinds.total() / (sum(map(len, clips.values())) / RATE / 60), kinds
