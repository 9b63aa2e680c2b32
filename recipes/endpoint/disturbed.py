"""Ends that clicks do not steal: digits of FSDD with clicks, knocks, noise and steps beside them.

Every take is put into a quiet room, and what disturbs is added at random places and levels, the same at every run. The
shipped digits then tell which word it is. They were trained on these takes, so that what is lost is lost to the
disturbance; how well they know strangers is another recipe's matter.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import corpus_argument, load, percent

from recognizer import Recognizer
from recognizer.corpus import Utterance
from recognizer.intervals import Proportion
from recognizer.sound import audio

RATE = 8000  # Hz, of FSDD
TAKES = tuple(range(10, 14))  # of a digit by each speaker; the ends were tuned on others
SEED = 20
ROOM = -66.0  # dB full scale, rms of its hiss
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RESULTS = Path(__file__).with_name("DISTURBED.md")

Sound = np.ndarray
Disturbance = Callable[[np.random.Generator, Sound, int, int], Sound]  # of samples, and where the word is in them


def click(random: np.random.Generator, shortest: float = 0.001, longest: float = 0.005) -> Sound:
    """A burst, a step or a ring, louder than any word."""
    count = max(1, round(random.uniform(shortest, longest) * RATE))
    shapes = (
        random.uniform(-1, 1, count),
        np.ones(count),
        np.exp(-3 * np.arange(count) / count) * np.sin(2 * np.pi * random.uniform(800, 3000) * np.arange(count) / RATE),
    )
    return random.uniform(0.5, 0.95) * shapes[random.integers(len(shapes))]


def added(samples: Sound, place: float, sound: Sound) -> Sound:
    """Samples with a sound in them from a place on, in seconds; it is moved inside if it would stick out."""
    samples = samples.copy()
    start = int(np.clip(round(place * RATE), 0, len(samples) - len(sound)))
    samples[start : start + len(sound)] += sound
    return samples


def clicks(before: int, after: int, nearest: float = 0.1, farthest: float = 0.5, longest: float = 0.005) -> Disturbance:
    """So many before and after the word."""

    def disturb(random: np.random.Generator, samples: Sound, start: int, end: int) -> Sound:
        for _ in range(before):
            samples = added(samples, start / RATE - random.uniform(nearest, farthest), click(random, longest=longest))
        for _ in range(after):
            samples = added(samples, end / RATE + random.uniform(nearest, farthest), click(random, longest=longest))
        return samples

    return disturb


def louder_noise(gap: float) -> Disturbance:
    """White noise, 3 to 12 dB over the word, that begins so many seconds behind it."""

    def disturb(random: np.random.Generator, samples: Sound, start: int, end: int) -> Sound:
        level = np.sqrt(np.mean(samples[start:end] ** 2)) * 10 ** (random.uniform(3, 12) / 20)
        noise = level * random.standard_normal(round(random.uniform(0.4, 1.5) * RATE))
        wide = np.pad(samples, (0, max(0, end + round(gap * RATE) + len(noise) - len(samples))))
        return added(wide, end / RATE + gap, noise)

    return disturb


def step(random: np.random.Generator, samples: Sound, start: int, end: int) -> Sound:
    """A direct current that sets in somewhere."""
    place = random.integers(len(samples))
    return samples + random.choice([-1, 1]) * random.uniform(0.05, 0.5) * (np.arange(len(samples)) >= place)


DISTURBANCES: dict[str, Disturbance] = {
    "nothing": lambda random, samples, start, end: samples,
    "two clicks before": clicks(2, 0),
    "one click before, one after": clicks(1, 1),
    "four clicks before, four after": clicks(4, 4, farthest=0.6),
    "clicks of up to 20 ms, one before, one after": clicks(1, 1, longest=0.02),
    "louder noise, 0.4 s after": louder_noise(0.4),
    "louder noise, 0.1 s after": louder_noise(0.1),
    "a step of direct current": step,
    "40 dB weaker, in 16 bits": lambda random, samples, start, end: 0.01 * samples,
}


def disturbed(utterance: Utterance, disturbance: Disturbance, seed: list[int]) -> Sound:
    """A take in a room, with a disturbance, as 16 bits hold it."""
    random = np.random.default_rng(seed)
    word = audio.load(utterance.path, RATE).samples.astype(np.float64)
    lead, trail = (round(random.uniform(0.3, 0.7) * RATE) for _ in range(2))
    samples = np.pad(word, (lead, trail))
    samples += 10 ** (ROOM / 20) * random.standard_normal(len(samples))
    heard = disturbance(random, samples, lead, lead + len(word))
    return np.clip(np.rint(heard * 32768), -32768, 32767).astype(np.int16)


def main() -> None:
    """Disturb, recognise, write down."""
    corpus = corpus_argument("https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0)")
    takes = [u for u in load(corpus) if int(u.path.stem.rpartition("_")[2]) in TAKES]
    recognizer = Recognizer.load("digits")
    rows = []
    for number, (name, disturbance) in enumerate(DISTURBANCES.items()):
        right, accepted = [], []
        for place, utterance in enumerate(takes):
            result = recognizer.recognize(disturbed(utterance, disturbance, [SEED, number, place]), RATE)
            word = DIGITS[int(utterance.word)]
            right.append(bool(result.nbest) and result.nbest[0].word == word)
            accepted.append(result.word == word)
        speakers = [u.speaker for u in takes]
        best, answered = (Proportion.counted(found, speakers) for found in (right, accepted))
        rows.append(
            f"| {name} | {best.count} of {best.n} | {percent(best.interval)} | {percent(best.bootstrap)}, {best.over} "
            f"| {answered.count} |"
        )
        print(rows[-1], file=sys.stderr, flush=True)
    head = "| beside the word | best word right | 95 % interval | bootstrap over speakers | accepted at `normal` |"
    text = [
        "# Ends that clicks do not steal",
        "Made by `python recipes/endpoint/disturbed.py FOLDER`.",
        "\n".join([head, "|---" * 5 + "|", *rows]),
        __doc__.split("\n\n", 1)[1].strip(),
    ]
    RESULTS.write_text("\n\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
