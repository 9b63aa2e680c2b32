"""How the settings for Speech Commands were chosen: four folds over the training speakers only."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import (
    NARROW_VTLP,
    SERVE_OTHERS,
    TABLE_HEAD,
    Setup,
    by_speaker,
    choose,
    corpus_argument,
    held_out_quarter,
    load,
)

from recognizer.sound.perturbation import VTLP
from recognizer.training.augmentation import Augmentation
from recognizer.training.settings import TrainingSettings

CANDIDATES = [
    Setup(),
    Setup(TrainingSettings(mixtures=12)),
    Setup(TrainingSettings(states=7)),
    Setup(perturbations=NARROW_VTLP),
    Setup(TrainingSettings(mixtures=12), NARROW_VTLP),
    Setup(perturbations=SERVE_OTHERS),
    Setup(TrainingSettings(states=6, mixtures=16), VTLP),
    Setup(TrainingSettings(mixtures=12), NARROW_VTLP, Augmentation(("noise",))),
    Setup(TrainingSettings(states=6, mixtures=16), VTLP, Augmentation(("noise",))),
]

if __name__ == "__main__":
    utterances = load(corpus_argument("Google Speech Commands v0.01 (CC BY 4.0), nine words"))
    rows = choose([held_out_quarter(utterances)], CANDIDATES, lambda training: by_speaker(training, 4))
    print("\n".join([TABLE_HEAD, *rows]))
