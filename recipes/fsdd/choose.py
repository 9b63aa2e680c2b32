"""How the settings for unseen speakers of FSDD were chosen: every fold's five training speakers, split again."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import NARROW_VTLP, SERVE_OTHERS, TABLE_HEAD, Setup, by_speaker, choose, corpus_argument, load

from recognizer.sound.perturbation import VTLP
from recognizer.training.settings import TrainingSettings

CANDIDATES = [
    Setup(TrainingSettings(states=states, variance_floor=floor), perturbations)
    for states, floor, perturbations in [
        (5, 0.3, ()),
        (7, 0.3, ()),
        (7, 0.3, NARROW_VTLP),
        (7, 0.5, NARROW_VTLP),
        (9, 0.5, NARROW_VTLP),
        (7, 0.3, VTLP),
        (7, 0.5, SERVE_OTHERS),
    ]
]

if __name__ == "__main__":
    utterances = load(corpus_argument("https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0)"))
    print("\n".join([TABLE_HEAD, *choose(by_speaker(utterances), CANDIDATES, by_speaker)]))
