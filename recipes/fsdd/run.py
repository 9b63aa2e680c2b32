"""Free Spoken Digit Dataset: the official split, and speakers never heard before."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import (
    SERVE_OTHERS,
    TABLE_HEAD,
    Setup,
    by_speaker,
    corpus_argument,
    load,
    run,
    speaker_table,
    write_results,
)

from recognizer.training.settings import TrainingSettings

OFFICIAL = Setup()  # the defaults: five states, eight mixtures
OFFICIAL_TOO = {
    "semi-continuous": Setup(TrainingSettings(density="semi-continuous", codebook=256)),
    "discrete": Setup(TrainingSettings(density="discrete", codebook=128)),  # in each of three streams
    "skip": Setup(TrainingSettings(topology="skip")),
}
UNSEEN = Setup(TrainingSettings(states=7, variance_floor=0.5), SERVE_OTHERS)  # see choose.py

if __name__ == "__main__":
    utterances = load(corpus_argument("https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0)"))
    take = {u: int(u.path.stem.split("_")[2]) for u in utterances}
    official = [([u for u in utterances if take[u] >= 5], [u for u in utterances if take[u] < 5])]
    rows, totals = zip(
        run("fsdd/official", official, OFFICIAL),
        *(run(f"fsdd/official, {name}", official, setup) for name, setup in OFFICIAL_TOO.items()),
        run("fsdd/unseen", by_speaker(utterances), UNSEEN),
    )
    write_results(
        Path(__file__),
        "Results on the Free Spoken Digit Dataset",
        "python recipes/fsdd/run.py FOLDER",
        "\n".join([TABLE_HEAD, *rows]),
        "`official` trains on takes 5 to 49 of all six speakers and tests on takes 0 to 4. `unseen` trains on five\n"
        "speakers and tests on the sixth, without adaptation, six folds pooled; by speaker:",
        speaker_table(totals[-1]),
    )
