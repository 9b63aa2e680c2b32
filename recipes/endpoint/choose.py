"""How the segmenter's onset and offset were chosen, for each detector, on half of the speakers and noises."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from detectors import UNSCALED, LikelihoodRatio, amplitudes, energy
from protocols import corpus_argument
from streams import RATE, each_alone, false_alarms, noises, one_stream, words

from recognizer.sound.segmenter import Segmentation, Segmenter, over_floor

LEVELS = [(4, 2), (5, 3), (6, 3), (7, 4), (9, 6)]  # dB
RATIOS = [(0, -2), (1, -1), (2, 0), (3, 0)]  # natural logarithm
OTHERS = [
    {"share": 0.0},
    {"share": 0.3},
    {"patience": 1.0},
    {"quantile": 0.1},
    {"quantile": 0.3},
    {"memory": 3.0},
    {"decay": 20.0},
    {"shortest": 0.07},
]


def row(name: str, settings: Segmentation, measure, material) -> None:
    """Print one candidate: words found once alone and in a stream, clean and at 10 dB."""
    spoken, clips = material

    def make() -> Segmenter:
        return Segmenter(RATE, settings, measure)

    shares, noise = [], list(clips.values())
    for snr in (None, 10.0):
        for tally in (each_alone(make, spoken, noise, snr), one_stream(make, spoken, noise, snr)[0]):
            shares.append(100 * tally.once[0].share)
    cells = " | ".join(f"{share:.1f}" for share in [np.mean(shares), *shares])
    print(f"| {name} | {cells} | {false_alarms(make, clips)[0]:.1f} |", flush=True)


if __name__ == "__main__":
    folder = corpus_argument("as for recipes/endpoint/run.py")
    material = list(words(folder, 0)), noises(folder, 0)
    print(f"{len(material[0])} words, {len(material[1])} noises\n")
    print("| setting | mean | clean, alone | clean, stream | 10 dB, alone | 10 dB, stream | false a minute |")
    print("|---|---|---|---|---|---|---|")
    base = Segmentation()
    ratio = LikelihoodRatio.trained(material[0][::2], list(material[1].values()))
    for onset, offset in LEVELS:
        row(f"energy {onset}, {offset}", replace(base, onset=onset, offset=offset), energy, material)
    for onset, offset in LEVELS:
        row(f"amplitudes {onset}, {offset}", replace(base, onset=onset, offset=offset), amplitudes, material)
    for onset, offset in LEVELS:
        row(f"bands {onset}, {offset}", replace(base, onset=onset, offset=offset), over_floor, material)
    for onset, offset in RATIOS:
        settings = replace(base, onset=onset, offset=offset, **UNSCALED)
        row(f"likelihood ratio {onset}, {offset}", settings, ratio, material)
    for change in OTHERS:
        row(f"bands, {change}", replace(base, **change), over_floor, material)
