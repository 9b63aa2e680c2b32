"""The shipped digit model: measured on speakers held out, then trained on all of them.

The model serves women, men and children although the largest of its corpora holds six men: every recording is
also trained on with a longer and a shorter vocal tract, and two more corpora bring other rooms and microphones.
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha1
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import TABLE_HEAD, load, table_row, write_results

from recognizer import Recognizer, RecognizerWarning
from recognizer.corpus import Utterance, unknown_files
from recognizer.features.front_end import FrontEnd
from recognizer.intervals import Proportion
from recognizer.sound.perturbation import VTLP, Perturbation
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ORIGINS = {
    "fsdd": "Free Spoken Digit Dataset, CC BY-SA 4.0, https://github.com/Jakobovski/free-spoken-digit-dataset",
    "speech_commands": "Speech Commands v0.01, 40 takes each of zero one five eight, CC BY 4.0, Pete Warden / Google",
    "speech_commands_30": "Speech Commands v0.01, about 8 takes of each digit, CC BY 4.0, Pete Warden / Google",
}
NOISY = tuple(Perturbation(warp, snr) for warp, snr in ((0.85, 20.0), (0.93, 10.0), (1.08, 5.0), (1.16, 15.0)))
PERTURBATIONS = (*VTLP, *NOISY)
TAKES = 40  # of a word of Speech Commands: only four digits have more, and would claim every unknown room
ENOUGH = 10_000  # utterances to hold out: all speakers, in three trials
SETTINGS = TrainingSettings(states=7, mixtures=12, variance_floor=0.5)
UNKNOWN = {
    "speech_commands_30": "Speech Commands v0.01, about 8 takes of the 20 words that are no digits",
    "speech_commands": "Speech Commands v0.01, up, down, left, right and go",
    "dspspeech20": "DSPSpeech-20, MIT, https://github.com/zhongyuchen/DSPSpeech-20",
    "wake_words": "alexa, computer, jarvis of wake-word-benchmark, Apache-2.0, Picovoice, "
    "https://github.com/Picovoice/wake-word-benchmark",
    "noise/speech_commands": "background noises of Speech Commands v0.01, CC BY 4.0, Pete Warden / Google",
    "noise/esc10": "ESC-10, CC BY 3.0, https://github.com/karolpiczak/ESC-10 (credits of each clip in its LICENSE)",
}
MODEL = Path(__file__).resolve().parents[2] / "models" / "digits.npz"
FOLDS = 3


def digits(corpus: Path) -> list[Utterance]:
    """The digits in a corpus, labelled by their names."""
    named = [replace(u, word=DIGITS[int(u.word)] if u.word.isdigit() else u.word) for u in load(corpus)]
    return [u for u in named if u.word in DIGITS]


def balanced(utterances: list[Utterance]) -> list[Utterance]:
    """At most TAKES takes of a word, chosen by the hash of the file's name."""
    taken: Counter[str] = Counter()
    chosen = []
    for utterance in sorted(utterances, key=lambda u: sha1(u.path.name.encode()).hexdigest()):
        taken[utterance.word] += 1
        if taken[utterance.word] <= TAKES:
            chosen.append(utterance)
    return chosen


def train(corpora: dict[str, list[Utterance]], card: dict | None = None, unknown: Sequence[Path] = ()):
    """The recipe itself; a model without a card is for a test only, and needs no confidences."""
    utterances = [u for name, part in corpora.items() for u in (balanced(part) if name == "speech_commands" else part)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        model, _ = build(
            utterances,
            front_end=FrontEnd.for_rate(8000),
            settings=SETTINGS,
            perturbations=PERTURBATIONS,
            unknown=unknown,
            calibrate=card is not None,
            enough=ENOUGH,
            jobs=2,
            card=card,
        )
    return model


def deal(utterances: list[Utterance]) -> dict[str, int]:
    """Every speaker's fold."""
    return {speaker: i % FOLDS for i, speaker in enumerate(sorted({u.speaker for u in utterances}))}


def measure(corpora: dict[str, list[Utterance]]) -> dict[str, Proportion]:
    """Accuracy on each corpus when every speaker is tested by a model that has not heard the speaker."""
    scores = dict.fromkeys(corpora, Proportion())
    fold = deal(corpora["fsdd"]) | deal(corpora["speech_commands"] + corpora["speech_commands_30"])
    for number in range(FOLDS):
        seen = {name: [u for u in part if fold[u.speaker] != number] for name, part in corpora.items()}
        recognizer = Recognizer(train(seen))
        for name, part in corpora.items():
            test = [u for u in part if fold[u.speaker] == number]
            answers = recognizer.recognize_files([u.path for u in test], jobs=2)
            right = [a.result is not None and a.result.word == u.word for u, a in zip(test, answers)]
            scores[name] += Proportion.counted(right, [u.speaker for u in test])
            print(f"fold {number + 1}, {name}: {sum(right)} of {len(test)}", file=sys.stderr, flush=True)
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, epilog="; ".join(ORIGINS.values()))
    parser.add_argument("data", type=Path, help=f"folder that holds the corpora {', '.join(ORIGINS)}")
    data = parser.parse_args().data
    corpora = {name: digits(data / name) for name in ORIGINS}
    twice = {(u.word, u.path.name) for u in corpora["speech_commands"]}
    corpora["speech_commands_30"] = [u for u in corpora["speech_commands_30"] if (u.word, u.path.name) not in twice]
    scores = measure(corpora)
    command = "python recipes/digits/run.py FOLDER"
    card = {
        "data": ORIGINS,
        "rejected": UNKNOWN,
        "licence": "CC BY-SA 4.0, after the recordings it was trained on",
        "protocol": f"speakers in {FOLDS} groups, each tested by a model trained on the others' "
        "speakers; this file is then trained on all of them",
        "accuracy": {name: score.as_json() for name, score in scores.items()},
        "command": command,
    }
    unknown, _ = unknown_files([data / name for name in UNKNOWN], set(DIGITS))
    train(corpora, card, unknown).save(MODEL)
    rows = [
        table_row(
            name,
            score,
            f"{SETTINGS.states} states, {SETTINGS.mixtures} mixtures, {len(PERTURBATIONS)} perturbed copies",
        )
        for name, score in scores.items()
    ]
    write_results(
        Path(__file__),
        "The shipped digit model",
        command,
        "\n".join([TABLE_HEAD, *rows]),
        "Every speaker is tested by a model that has not heard the speaker: the speakers are dealt to\n"
        f"{FOLDS} groups, and each group is tested by a model of the others, four of the six men of FSDD.\n"
        "The shipped file is then trained on everybody; nobody has tested that file on people it has not heard.",
    )
