"""How the settings for Arabic were chosen: the training speakers of each fold, halved again."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import NARROW_VTLP, OTHERS, TABLE_HEAD, Setup, by_speaker, choose, corpus_argument, load

from recognizer.sound.perturbation import MILD, VTLP
from recognizer.training.settings import TrainingSettings


def few(states: int, mixtures: int) -> TrainingSettings:
    """As `train` does where there are few takes of a word."""
    return TrainingSettings(states=states, mixtures=mixtures, variance_floor=0.1, borrowed_frames=20)


CANDIDATES = [
    Setup(few(5, 8), NARROW_VTLP),
    Setup(few(8, 8), NARROW_VTLP),
    Setup(few(8, 4), NARROW_VTLP),
    Setup(few(8, 8), MILD),
    Setup(few(8, 4), VTLP),
]

if __name__ == "__main__":
    data = corpus_argument(OTHERS["arabic40"])
    rows = choose(by_speaker(load(data / "arabic40"), 4), CANDIDATES, lambda training: by_speaker(training, 2))
    print("\n".join([TABLE_HEAD, *rows]))
