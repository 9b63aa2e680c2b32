"""Sounds that are no speech, made up: hisses, hums, whistles, bangs and crackles of any colour and shape.

A model must refuse noises that nobody recorded for it. These cover the kinds there are, not any one place: the
source is a hiss, a tone with its harmonics, or a crackle; a filter with a few resonances colours it; an
envelope lets it bang and die away, or come and go.
"""

from __future__ import annotations

import numpy as np

SILENCE = 0.25  # seconds before and after a noise
LEVEL = 0.3  # of the loudest sample, full scale 1
ROOM = 1e-3  # standard deviation of the hiss under all of it


def synthetic_noises(count: int, sample_rate: int, seed: int = 1) -> list[np.ndarray]:
    """Noises of 0.4 to 1.6 s between two short silences, the same ones for the same arguments.

    Parameters
    ----------
    count : how many
    sample_rate : Hz
    seed : of the random choices

    Returns
    -------
    list of (n,) float32, full scale 1
    """
    random = np.random.default_rng(seed)
    return [_noise(random, sample_rate) for _ in range(count)]


def _noise(random: np.random.Generator, rate: int) -> np.ndarray:
    time = np.arange(round(random.uniform(0.4, 1.6) * rate)) / rate
    sound = (_hiss, _tone, _crackle)[random.integers(3)](random, time, rate)
    sound = _coloured(random, sound, rate) * _envelope(random, time)
    silence = np.zeros(round(SILENCE * rate))
    sound = np.concatenate([silence, LEVEL * sound / np.abs(sound).max(), silence])
    return (sound + ROOM * random.standard_normal(len(sound))).astype(np.float32)


def _hiss(random: np.random.Generator, time: np.ndarray, rate: int) -> np.ndarray:
    return random.standard_normal(len(time))


def _tone(random: np.random.Generator, time: np.ndarray, rate: int) -> np.ndarray:
    """A gliding, trembling tone with twelve harmonics, as of a horn, a bird, an engine."""
    glide = random.uniform(-0.5, 0.5) * time / time[-1]
    tremble = 0.02 * np.sin(2 * np.pi * random.uniform(2, 9) * time)
    frequency = random.uniform(80, 1500) * 2 ** (glide + tremble)
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    slope = random.uniform(0.3, 1.5)
    harmonics = sum(np.where(h * frequency < rate / 2, np.sin(h * phase), 0.0) / h**slope for h in range(1, 13))
    return harmonics + 10 ** random.uniform(-2, -0.5) * random.standard_normal(len(time))


def _crackle(random: np.random.Generator, time: np.ndarray, rate: int) -> np.ndarray:
    """Clicks at random, a few a second or thousands."""
    clicks = random.random(len(time)) < 10 ** random.uniform(-3.5, -1.5)
    return (clicks + ROOM) * random.standard_normal(len(time))


def _coloured(random: np.random.Generator, sound: np.ndarray, rate: int) -> np.ndarray:
    from scipy.signal import lfilter

    sound = lfilter([1.0], [1.0, -random.uniform(-0.3, 0.98)], sound)
    for _ in range(random.integers(0, 3)):
        radius, angle = random.uniform(0.7, 0.98), 2 * np.pi * random.uniform(150, 0.45 * rate) / rate
        sound = lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], sound)
    return sound


def _envelope(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Dying away from the start, or coming and going at up to eight times a second."""
    if random.random() < 0.3:
        return np.exp(-time / random.uniform(0.03, 0.5))
    points = 2 + int(random.uniform(1, 8) * time[-1])
    level = np.interp(time, np.linspace(0, time[-1], points), random.uniform(-30, 0, points))
    return 10 ** (level / 20)
