"""Recordings of a healthy voice turned into a simulated cold.

We know of no open recordings of people with a cold, so this stands in for them: what is said of such voices, as a
chain of filters in the order in which a voice is made. It is a simulation, and what it finds holds for simulated colds.

What is known, and what was taken from it:

- M. L. Ng, H. R. Gilbert and J. W. Lerman, "Some aerodynamic and acoustic characteristics of acute laryngitis",
  J. Voice 11, 356-363, 1997: with an upper respiratory infection eleven speakers had a lower pitch, which suggests
  heavier vocal folds, and sounded hoarse. Hence the lower pitch, jitter, shimmer and breath.
- R. G. Tull and J. C. Rutledge, "Analysis of 'cold-affected' speech for inclusion in speaker recognition systems",
  J. Acoust. Soc. Am. 99, 2549 (A), 1996: one man before, during and after colds; formants, pauses, places of
  articulation and noise from hoarseness differ. With C. R. Larson, "Cepstral analysis of 'cold-speech' for speaker
  recognition: A second look", ASA meeting, December 1996: two more men, who counted to ten; the low mel-cepstral
  coefficients differ. Hence that a recognizer has something to adapt to.
- G. S. Lee, C. C. H. Yang, C. P. Wang and T. B. J. Kuo, "Effect of nasal decongestion on voice spectrum of a nasal
  consonant-vowel", J. Voice 19, 71-77, 2005: the nose shapes the valleys of the spectrum, most of all from 1 to
  2.7 kHz. But they found more, not less, above 1.6 kHz and shallower valleys while the nose was blocked, so the dip
  below is a textbook's simple picture (a closed side branch), and the tilt is put down to the vocal folds.
- B. Schuller et al., "The INTERSPEECH 2017 Computational Paralinguistics Challenge: Addressee, Cold & Snoring": 630
  speakers, about a third with a cold, in recordings that are not open.

None of them gives an amount for each step. `cold_of` says which are our choice.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

LOUDEST = 0.99  # peak of what is returned, full scale 1
SPEED_OF_SOUND = 350.0  # m/s in warm, moist air

# Pitch: P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
# sampled sound", IFA Proceedings 17, 97-110, 1993; the thresholds and costs are Praat's for an autocorrelation.
LOWEST_PITCH, HIGHEST_PITCH = 70.0, 500.0  # Hz
PER_OCTAVE = 48  # candidates; the marks find the rest
HOP = 0.005  # seconds
FRAME = 0.040  # seconds: nearly three periods of the lowest pitch
VOICING_THRESHOLD, SILENCE_THRESHOLD = 0.45, 0.03
OCTAVE_COST, OCTAVE_JUMP_COST, VOICING_COST = 0.01, 0.35, 0.14
COST_HOP = 0.010  # seconds, the hop that the costs refer to

FINE_RATE = 32000  # Hz, at least, where periods are cut and joined: at 8 kHz rounding alone would be 1 % jitter
SEARCH = 0.15  # of a period, on either side of where the next one is expected
UNVOICED_STEP = 0.005  # seconds between grains where there is no pitch
LEAST_OVERLAP = 0.5  # sum of the grains' windows that is still made up for

# Jitter and shimmer are the mean difference of neighbours over the mean; neighbours drawn from a normal distribution
# of standard deviation 1 differ by 2 / sqrt(pi).
NEIGHBOURS_DIFFER = 2 / np.sqrt(np.pi)

NARROW = 80.0  # Hz, bandwidth of the nose's resonance and anti-resonance before they are broadened; our choice
BREATH_FRAME = 0.008  # seconds: about a period, so that the spectrum shows formants and no harmonics
WHITEN = 0.95  # of the first difference: towards high frequencies breath falls 6 dB an octave less than the voice


@dataclass(frozen=True)
class Cold:
    """One person's cold on one day.

    Attributes
    ----------
    pitch : factor on the fundamental frequency
    pace : factor on the duration
    jitter, shimmer : mean difference of neighbouring periods or their amplitudes, over the mean; added to the voice's
    tilt : dB an octave that are lost far above `corner`
    corner : Hz, where half of `tilt` is lost, in dB
    breath : amplitude of breath over that of the voice
    branch : Hz, anti-resonance of the blocked nose
    dip : dB, its depth
    murmur : Hz, lowest resonance of the nose
    damping : dB that it falls by as it broadens
    """

    pitch: float
    pace: float
    jitter: float
    shimmer: float
    tilt: float
    corner: float
    breath: float
    branch: float
    dip: float
    murmur: float
    damping: float


class Marks(NamedTuple):
    """Where a sound may be cut: once a period, and every `UNVOICED_STEP` where there is no pitch.

    Attributes
    ----------
    places : (m,) int, samples, rising, from 0 to the end
    voiced : (m - 1,) bool, whether a mark and the next are one period apart
    """

    places: np.ndarray
    voiced: np.ndarray


def with_cold(samples: np.ndarray, sample_rate: int, severity: float = 1.0, *, seed: int) -> np.ndarray:
    """Say it again with a cold.

    The chain: lower pitch, jitter, shimmer and slower pace (`spoken`), weaker high harmonics (`tilted`), breath
    (`breath`), the blocked nose (`nasal`).

    Parameters
    ----------
    samples : (n,) float
        One word or a few, at least one sample, full scale 1.
    sample_rate : int
        Hz, 8000 or more.
    severity : float
        0 for a healthy voice, whose samples come back as they are; 1 for a plain cold; 2 for twice as much of it all.
    seed : int
        One person's cold on one day. Jitter and breath differ between takes of one seed, and are the same each time
        for the same samples.

    Returns
    -------
    (n',) float, of the type of `samples`
        Finite, longer by `Cold.pace`, and made quieter as a whole where a sample would be beyond `LOUDEST`.

    Notes
    -----
    The nose is blocked all the time alike, where a real one matters most in nasal sounds ("m" becomes "b"): in the
    Free Spoken Digit Dataset the balance of the spectrum does not tell an "n" from the vowel of "two" or "three". There
    are no coughs, sniffs, pauses and no changed articulation. What stays the same throughout a word is what a
    recognizer that normalises its features forgives best, so a real cold may well do more harm than this one.
    """
    if severity == 0:
        return samples.copy()
    cold = cold_of(severity, seed)
    random = np.random.default_rng([seed, zlib.crc32(np.ascontiguousarray(samples).tobytes())])
    voice = tilted(spoken(samples.astype(np.float64), sample_rate, cold, random), sample_rate, cold)
    sick = nasal(voice + breath(voice, sample_rate, cold, random), sample_rate, cold)
    return (sick * min(1.0, LOUDEST / max(np.abs(sick).max(initial=0), LOUDEST))).astype(samples.dtype)


def cold_of(severity: float, seed: int) -> Cold:
    """The cold that a seed stands for.

    Source and size of each at severity 1, where each amount varies by up to 15 % between seeds:

    - pitch 12 % lower: lower by Ng et al. 1997; the amount is our choice
    - 6 % slower: our choice; Tull and Rutledge 1996 heard pauses and extra syllables
    - jitter 1.5 %, shimmer 5 %: our choice, somewhat above 1.04 % and 3.81 %, beyond which the Multi-Dimensional Voice
      Program (Kay Elemetrics) calls a voice disordered
    - tilt 3 dB an octave, from 1.5 kHz: our choice; a glottis that closes softly weakens the high harmonics (D. H.
      Klatt and L. C. Klatt, J. Acoust. Soc. Am. 87, 820-857, 1990)
    - breath 24 dB below the voice: our choice, for slight hoarseness; from 3 to 4 kHz, where a voice is weak, that
      is 8 to 16 dB
    - anti-resonance: a closed tube beside the throat swallows sound a quarter of whose wave it holds, c / 4L (K. N.
      Stevens, Acoustic Phonetics, 1998, on side branches); our choice are L of 8 to 9.5 cm, most of the way from the
      velum to the nostrils, which gives 920 to 1090 Hz, and a depth of 10 dB
    - murmur: nasals have their lowest resonance at 250 to 300 Hz (Stevens 1998); 6 dB, twice the bandwidth, for
      swollen walls are our choice
    """
    random = np.random.default_rng(seed)
    amount = (severity * random.uniform(0.85, 1.15, size=8)).tolist()
    return Cold(
        pitch=0.88 ** amount[0],
        pace=1.06 ** amount[1],
        jitter=0.015 * amount[2],
        shimmer=0.05 * amount[3],
        tilt=3.0 * amount[4],
        corner=1500.0,
        breath=10 ** (-24 / 20) * amount[5],
        branch=SPEED_OF_SOUND / (4 * random.uniform(0.080, 0.095)),
        dip=10.0 * amount[6],
        murmur=random.uniform(250.0, 300.0),
        damping=6.0 * amount[7],
    )


def spoken(samples: np.ndarray, rate: int, cold: Cold, random: np.random.Generator) -> np.ndarray:
    """Pitch, jitter, shimmer and pace, shape (n',); the formants stay.

    TD-PSOLA (E. Moulines and F. Charpentier, "Pitch-synchronous waveform processing techniques for text-to-speech
    synthesis using diphones", Speech Communication 9, 453-467, 1990): the sound is cut into grains of two periods,
    which are joined again at other distances. A grain holds the response of the vocal tract, so its formants do not
    move with the pitch, as they would if the sound were resampled.
    """
    from scipy.signal import resample_poly

    finer = -(-FINE_RATE // rate)
    fine = resample_poly(samples, finer, 1)
    marks = pitch_marks(fine, rate * finer, pitch_track(samples, rate))
    joined = rejoined(fine, marks, cold, random)
    return resample_poly(joined, 1, finer)[: round(len(samples) * cold.pace)]


def pitch_track(samples: np.ndarray, rate: int) -> np.ndarray:
    """Fundamental frequency every `HOP`, shape (frames,), Hz; 0 where there is none.

    Boersma 1993, section 3, but the candidates are a fixed grid of pitches.
    """
    hop, half = round(HOP * rate), round(FRAME / 2 * rate)
    padded = np.pad(samples - samples.mean(), half)
    frames = sliding_window_view(padded, 2 * half)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    window = np.hanning(2 * half)
    pitches = LOWEST_PITCH * 2 ** np.arange(0, np.log2(HIGHEST_PITCH / LOWEST_PITCH), 1 / PER_OCTAVE)
    finer = -(-FINE_RATE // rate)
    lags = np.rint(finer * rate / pitches).astype(int)
    power = np.abs(np.fft.rfft(np.vstack([frames * window, window]), 4 * half)) ** 2
    likeness = np.fft.irfft(power, 4 * half * finer)  # interpolated, as its spectrum ends with zeros
    likeness = likeness[:, lags] / np.maximum(likeness[:, :1], np.finfo(float).tiny)
    peaks = np.abs(frames).max(axis=1)
    loudness = peaks / max(peaks.max(), np.finfo(float).tiny)
    silence = np.maximum(0, 2 - loudness * (1 + VOICING_THRESHOLD) / SILENCE_THRESHOLD)
    voiced = likeness[:-1] / likeness[-1] + OCTAVE_COST * np.log2(pitches / LOWEST_PITCH)
    octaves = np.abs(np.subtract.outer(np.log2(pitches), np.log2(pitches)))
    cost = np.pad(OCTAVE_JUMP_COST * octaves, (0, 1), constant_values=VOICING_COST) * COST_HOP / HOP
    cost[-1, -1] = 0
    path = cheapest(np.column_stack([voiced, VOICING_THRESHOLD + silence]), cost)
    return np.append(pitches, 0)[path]


def cheapest(strength: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """States (T,) whose strengths (T, S), less the costs (S, S) of going from one to the next, sum to the most."""
    score, came_from = strength[0], []
    for gain in strength[1:]:
        total = score[:, None] - cost
        came_from.append(total.argmax(axis=0))
        score = total.max(axis=0) + gain
    path = [int(score.argmax())]
    for previous in reversed(came_from):
        path.append(int(previous[path[-1]]))
    return np.array(path[::-1])


def pitch_marks(samples: np.ndarray, rate: int, pitch: np.ndarray) -> Marks:
    """Marks of a sound (n,) whose pitch is known every `HOP`."""
    period = np.divide(rate, pitch, out=np.zeros_like(pitch), where=pitch > 0)
    edges = np.flatnonzero(np.diff(np.pad(period > 0, 1).astype(int)))
    places, voiced = [0], []
    for first, end in edges.reshape(-1, 2):
        start, stop = round(first * HOP * rate), min(round(end * HOP * rate), len(samples))
        run = periods(samples, start, stop, period, rate)
        run = run[run > places[-1]]
        if len(run) < 2:
            continue
        unvoiced = steps(places[-1], run[0], rate)
        places += [*unvoiced, *run[1:]]
        voiced += [False] * len(unvoiced) + [True] * (len(run) - 1)
    last = steps(places[-1], len(samples), rate)
    return Marks(np.array(places + last), np.array(voiced + [False] * len(last)))


def steps(start: int, end: int, rate: int) -> list[int]:
    """Places after `start` up to `end`, equally far apart, about `UNVOICED_STEP`."""
    count = max(1, round((end - start) / (UNVOICED_STEP * rate)))
    return np.rint(np.linspace(start, end, count + 1)[1:]).astype(int).tolist()


def periods(samples: np.ndarray, start: int, stop: int, period: np.ndarray, rate: int) -> np.ndarray:
    """One place in each period between `start` and `stop`, rising, each as like the one before it as can be.

    From the loudest sample on in both directions: the next place is where the waveform resembles the last period
    best, `SEARCH` around where the pitch has it. `period` is in samples, every `HOP`.
    """
    loudest = start + int(np.abs(samples[start:stop]).argmax())
    places = [loudest]
    for direction in (1, -1):
        here = loudest
        while True:
            long = period[min(round(here / rate / HOP), len(period) - 1)]
            if not long:
                break
            half, slack = round(long / 2), round(SEARCH * long)
            there = here + direction * round(long)
            if not (start <= there < stop and half + slack <= there < len(samples) - half - slack):
                break
            if half <= here < len(samples) - half:
                like = samples[here - half : here + half]
                there += int(np.correlate(samples[there - half - slack : there + half + slack], like).argmax()) - slack
            here = there
            places.append(here)
    return np.unique(places)


def rejoined(samples: np.ndarray, marks: Marks, cold: Cold, random: np.random.Generator) -> np.ndarray:
    """The grains of a sound (n,) at the distances, amplitudes and times of a cold."""
    places, long = marks.places, np.diff(marks.places)
    length = round(len(samples) * cold.pace)
    sound, overlap = np.zeros(length + len(samples)), np.zeros(length + len(samples))
    jitter, shimmer = cold.jitter / NEIGHBOURS_DIFFER, cold.shimmer / NEIGHBOURS_DIFFER
    time = 0.0
    while time < length:
        source = time / cold.pace
        later = min(int(np.searchsorted(places, source, side="right")), len(long))
        mark = later - int(source - places[later - 1] < places[later] - source)
        left = long[mark - 1] if mark else 0
        right = long[mark] if mark < len(long) else 0
        # A Hann window of which each half is as long as the period on its side.
        slope = np.concatenate([np.arange(-left, 0) / max(left, 1), np.arange(right) / max(right, 1)])
        window = 0.5 + 0.5 * np.cos(np.pi * slope)
        begin = round(time) - left
        keep = slice(max(0, -begin), None)
        target = slice(max(0, begin), begin + left + right)
        voiced, step = marks.voiced[min(mark, len(long) - 1)], long[min(mark, len(long) - 1)]
        loud = max(0.0, 1 + shimmer * random.standard_normal()) if voiced else 1.0
        sound[target] += loud * (window * samples[places[mark] - left : places[mark] + right])[keep]
        overlap[target] += window[keep]
        if voiced:
            step *= np.clip(1 + jitter * random.standard_normal(), 0.5, 1.5) / cold.pitch
        time += step
    return sound[:length] / np.maximum(overlap[:length], LEAST_OVERLAP)


def tilted(samples: np.ndarray, rate: int, cold: Cold) -> np.ndarray:
    """Weaker high harmonics, (n,): a low-pass whose slope need not be a multiple of 6 dB an octave, without delay."""
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    size = next_fast_len(len(samples) + rate // 10, real=True)  # what rings over an edge falls into the added zeros
    gain = (1 + (rfftfreq(size, 1 / rate) / cold.corner) ** 2) ** (-cold.tilt / (40 * np.log10(2)))
    return irfft(gain * rfft(samples, size), size)[: len(samples)]


def breath(samples: np.ndarray, rate: int, cold: Cold, random: np.random.Generator) -> np.ndarray:
    """Noise (n,) that breathes what the samples (n,) say: their short spectra, brighter, without their harmonics."""
    from scipy.signal import istft, lfilter, stft

    frame = round(BREATH_FRAME * rate)
    padded = np.pad(samples, (0, frame))  # at least one frame, however short the sound
    noise = lfilter([1.0, -WHITEN], [1.0], random.standard_normal(len(padded)))
    voice, hiss = (stft(x, rate, nperseg=frame)[2] for x in (padded, noise))
    whisper = istft(np.abs(voice) * hiss, rate, nperseg=frame)[1][: len(samples)]
    return whisper * cold.breath * np.std(samples) / max(np.std(whisper), np.finfo(float).tiny)


def nasal(samples: np.ndarray, rate: int, cold: Cold) -> np.ndarray:
    """The blocked nose, (n,): an anti-resonance, and a damped murmur."""
    from scipy.signal import lfilter

    for frequency, fall in ((cold.branch, cold.dip), (cold.murmur, cold.damping)):
        samples = lfilter(pair(frequency, NARROW, rate), pair(frequency, NARROW * 10 ** (fall / 20), rate), samples)
    return samples


def pair(frequency: float, bandwidth: float, rate: int) -> np.ndarray:
    """Polynomial (3,) of a pair of poles or zeros at `frequency` with `bandwidth`, both in Hz, that is 1 at 0 Hz.

    D. H. Klatt, "Software for a cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67, 971-995, 1980,
    equations 1 and 2.
    """
    radius = np.exp(-np.pi * bandwidth / rate)
    polynomial = np.array([1.0, -2 * radius * np.cos(2 * np.pi * frequency / rate), radius**2])
    return polynomial / polynomial.sum()
