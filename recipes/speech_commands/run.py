"""Google Speech Commands, nine words: a quarter of the speakers is never heard before the test."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import (
    TABLE_HEAD,
    Setup,
    corpus_argument,
    held_out_quarter,
    load,
    run,
    write_results,
)

from recognizer.sound.perturbation import VTLP
from recognizer.training.augmentation import Augmentation
from recognizer.training.settings import TrainingSettings

SETUP = Setup(TrainingSettings(states=6, mixtures=16), VTLP, Augmentation(("noise",)))  # see CHOICE.md

if __name__ == "__main__":
    where = "http://download.tensorflow.org/data/speech_commands_v0.01.tar.gz (CC BY 4.0); zero one five eight go "
    utterances = load(corpus_argument(where + "up down left right, up to 375 takes each"))
    row, _ = run("speech_commands/unseen", [held_out_quarter(utterances)], SETUP)
    write_results(
        Path(__file__),
        "Results on nine words of Speech Commands",
        "python recipes/speech_commands/run.py FOLDER",
        f"{TABLE_HEAD}\n{row}",
        "Trained on the speakers for whom `int(sha1(speaker).hexdigest(), 16) % 4 != 0`, tested on the others.",
    )
