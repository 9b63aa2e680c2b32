"""The shipped commands: nine words of Speech Commands, and what else of its thirty a few takes teach (none so far).

A quarter of the speakers is never heard before the test. Which words are in the model is decided without them: of the
other 21 words there are but 7 to 10 takes each, and one is in if folds over the training speakers get 95 % of it right.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import (
    CELLS,
    OTHERS,
    TABLE_HEAD,
    Setup,
    by_speaker,
    cells,
    corpus_argument,
    held_out_quarter,
    load,
    run,
    ship,
    train_and_test,
    write_results,
)

from recognizer.corpus import Utterance
from recognizer.intervals import Proportion
from recognizer.sound.perturbation import VTLP
from recognizer.training.augmentation import Augmentation
from recognizer.training.settings import TrainingSettings

# See recipes/speech_commands/CHOICE.md.
SETUP = Setup(TrainingSettings(states=6, mixtures=16), VTLP, Augmentation(("noise",)))
ENOUGH = 0.95
CORPORA = ("speech_commands", "speech_commands_30")


def recordings(data: Path) -> list[Utterance]:
    """All recordings of thirty words, none twice."""
    named = {(u.word, u.path.name): u for corpus in reversed(CORPORA) for u in load(data / corpus)}
    return list(named.values())


def by_word(utterances: list[Utterance]) -> dict[str, Proportion]:
    """How many of each word are right, where every speaker is tested by a model of the others."""
    scores: dict[str, Proportion] = {}
    for fold in by_speaker(utterances, 4):
        for word, score in train_and_test(fold, SETUP).by_word.items():
            scores[word] = scores.get(word, Proportion()) + score
    return scores


if __name__ == "__main__":
    data = corpus_argument(f"{'; '.join(OTHERS[corpus] for corpus in CORPORA)}, in folders {', '.join(CORPORA)}")
    utterances = recordings(data)
    training, _ = held_out_quarter(utterances)
    scores = by_word(training)
    nine = {u.word for u in load(data / CORPORA[0])}
    words = nine | {word for word, score in scores.items() if score.share >= ENOUGH}
    chosen = [u for u in utterances if u.word in words]
    row, total = run("commands, speakers never heard before", [held_out_quarter(chosen)], SETUP)
    command = "python recipes/commands/run.py FOLDER"
    card = {
        "data": {corpus: OTHERS[corpus] for corpus in CORPORA},
        "licence": "CC BY 4.0, after the recordings it was trained on",
        "protocol": "a quarter of the speakers, by the hash of their names, tested by a model trained on the others; "
        "this file is then trained on all of them",
        "accuracy": {"speech_commands": total.as_json()},
        "command": command,
    }
    ship("commands", chosen, SETUP, data, words, card)
    told = [
        f"| {word} | {'yes' if word in words else 'no'} | {cells(score)} |"
        for word, score in sorted(scores.items(), key=lambda item: (item[0] not in nine, -item[1].share, item[0]))
    ]
    write_results(
        Path(__file__),
        "The shipped commands",
        command,
        f"{TABLE_HEAD}\n{row}",
        "Trained on the speakers for whom `int(sha1(speaker).hexdigest(), 16) % 4 != 0`, tested on the others. The\n"
        "shipped file is then trained on everybody; nobody has tested that file on people it has not heard.",
        "Which words are in it: four folds over the training speakers alone, all thirty words to choose from.",
        "\n".join([f"| word | in the model | {CELLS} |", "|---|---|---|---|---|---|", *told]),
    )
