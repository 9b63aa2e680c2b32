"""DSPSpeech-20, twelve Mandarin and eight English words: speakers never heard before."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import (
    NARROW_VTLP,
    TABLE_HEAD,
    Setup,
    by_speaker,
    corpus_argument,
    load,
    run,
    speaker_table,
    write_results,
)

SETUP = Setup(perturbations=NARROW_VTLP)

if __name__ == "__main__":
    utterances = load(corpus_argument("https://github.com/zhongyuchen/DSPSpeech-20 (MIT)"))
    row, total = run("dspspeech20/unseen", by_speaker(utterances), SETUP)
    write_results(
        Path(__file__),
        "Results on DSPSpeech-20",
        "python recipes/dspspeech20/run.py FOLDER",
        f"{TABLE_HEAD}\n{row}",
        "Trained on twenty-one speakers and tested on the other, without adaptation, 22 folds pooled; by speaker:",
        speaker_table(total),
    )
