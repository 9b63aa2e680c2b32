"""Words in noise: every front end, trained in quiet and in noise, tried in quiet and at four ratios to the noise.

First on training speakers alone, each half of them tested by models of the other: there the front end is chosen. Then
the program's own on speakers and noises that were never heard. What was measured is kept in a file as it comes, so that
an interrupted run goes on where it stopped.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha1
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from front_ends import PowerNormalised, Rasta, Subtracted, averaged, discriminant, stacked
from protocols import LOOKS, NARROW_VTLP, Fold, by_speaker, held_out_quarter, load, percent, write_results

from recognizer import RecognizerWarning
from recognizer.acoustics.word_models import WordModels
from recognizer.corpus import Utterance
from recognizer.features.front_end import FrontEnd
from recognizer.intervals import Proportion
from recognizer.recognition.decoding import align_frames, score_words
from recognizer.sound import audio
from recognizer.sound.audio import Recording
from recognizer.sound.background import CLIP, Background
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.perturbation import mixed
from recognizer.training.augmentation import Augmentation, clips
from recognizer.training.building import training_data
from recognizer.training.settings import TrainingSettings
from recognizer.training.trials import TrainingData

RATE = 16000
SETTINGS = TrainingSettings(mixtures=12)  # of the front ends' choice
CONDITIONS = (None, 20, 10, 5, 0)  # dB; None is as recorded
NOISE_FOLDERS = ("noise/esc10", "noise/speech_commands")
OWN = FrontEnd.for_rate(RATE)
MEAN = {"smoothing_width": 1, "deviation_weight": 1e9}  # nothing smoothed, all deviations the training's
FRONT_ENDS = {
    "the program's": OWN,
    "mean": replace(OWN, **MEAN),
    "mean, floor 30 dB under the speech": replace(OWN, **MEAN, floor=1e-3),
    "mean, floor 20 dB under the speech": replace(OWN, **MEAN, floor=1e-2),
    "mean and variance": replace(OWN, smoothing_width=1),
    "MVA": averaged(OWN),
    "spectral subtraction": replace(Subtracted.for_rate(RATE), **MEAN),
    "power-normalised": replace(PowerNormalised.for_rate(RATE), **MEAN),
    "RASTA": replace(Rasta.for_rate(RATE), **MEAN),
}
FOLDER = Path(__file__).parent
Counts = dict[str, list[int]]  # by speaker, right answers and takes


@dataclass(frozen=True)
class Method:
    """How models are trained.

    Attributes
    ----------
    front_end : one of FRONT_ENDS
    noisy : whether on copies in noise, too
    transform : whether LDA and MLLT stand in place of the derivatives
    """

    front_end: str
    noisy: bool
    transform: bool = False

    @property
    def fingerprint(self) -> str:
        """Names the settings behind it."""
        front_end = FRONT_ENDS[self.front_end]
        return sha1(repr((type(front_end), front_end.settings, SETTINGS, NARROW_VTLP)).encode()).hexdigest()[:8]

    def __str__(self) -> str:
        return f"{self.front_end}{', LDA and MLLT' if self.transform else ''}, {'noise' if self.noisy else 'quiet'}"


CANDIDATES = (
    Method("mean", False),
    Method("the program's", False),
    *(Method(name, True, transform) for transform in (False, True) for name in FRONT_ENDS),
)
FINALISTS = tuple(Method(name, noisy) for name in ("mean", "the program's") for noisy in (False, True))


def noises(data: Path, tested: bool) -> dict[Path, float]:
    """Clips with their seconds, of kinds to train with or, others, to test with."""
    found, _ = clips([data / folder for folder in NOISE_FOLDERS])
    return {path: seconds for path, seconds in found.items() if (kind(path) % 2 == 1) == tested}


def kind(path: Path) -> int:
    """A number that all clips of one kind of noise share, by the hash of its name."""
    name = path.parent.name if path.parent.parent.name == "esc10" else path.stem
    return int(sha1(name.encode()).hexdigest(), 16)


def recordings(utterances: Sequence[Utterance], tested: dict[Path, float], snr: float | None) -> Iterator[Recording]:
    """Test recordings, each with a piece of a clip at a ratio in dB to the speech in it."""
    names = sorted(tested)
    for utterance in utterances:
        heard = audio.load(utterance.path, RATE)
        number = int(sha1(f"{utterance.word}/{utterance.path.name}".encode()).hexdigest(), 16)
        if snr is None:
            yield heard
            continue
        clip = names[number % len(names)]
        noise = Background(CLIP, number % 2**32, (clip,), tested[clip]).sound(len(heard.samples), RATE)
        spans = Endpointer().find(heard.samples, RATE)
        speech = slice(*spans) if spans else slice(0, len(heard.samples))
        sound = mixed(heard.samples, speech, snr, noise)
        yield replace(heard, samples=(sound / max(1.0, np.abs(sound).max())).astype(np.float32))


def trained(fold: Fold, method: Method, heard: dict[Path, float]) -> tuple[TrainingData, WordModels, np.ndarray | None]:
    """What a method makes of the training part: the data, the models, the transform if it has one."""
    augmentation = Augmentation(("noise",), noises=heard) if method.noisy else None
    data, _ = training_data(
        fold[0],
        front_end=FRONT_ENDS[method.front_end],
        settings=SETTINGS,
        perturbations=NARROW_VTLP,
        augmentation=augmentation,
    )
    everybody = range(len(data.utterances))
    models, matrix = data.train(everybody, data.words), None
    if method.transform:
        matrix = transform(data, models)
        analyses = [replace(a, features=tuple(turned(f, matrix) for f in a.features)) for a in data.analyses]
        data = replace(data, analyses=analyses)
        models = data.train(everybody, data.words)
    return data, models, matrix


def transform(data: TrainingData, models: WordModels) -> np.ndarray:
    """LDA and MLLT of neighbouring statics, their classes the states that models see."""
    frames, classes = [], []
    for utterance, analysis in zip(data.utterances, data.analyses):
        word = data.words.index(utterance.word)
        for features in analysis.features:
            path = align_frames(models, features, word)
            frames.append(stacked(features[:, : FrontEnd.cepstra]))
            classes.append(models.rows(word)[path])
    return discriminant(np.concatenate(frames), np.concatenate(classes), 3 * FrontEnd.cepstra)


def turned(features: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Features, (T, D), whose statics are transformed with their neighbours."""
    return (stacked(features[:, : FrontEnd.cepstra]) @ matrix.T).astype(np.float32)


def tried(fold: Fold, method: Method, data: Path) -> dict[str, Counts]:
    """By condition, who was understood how often; what is not heard is not right."""
    found, models, matrix = trained(fold, method, noises(data, tested=False))
    tested, counts = noises(data, tested=True), {}
    for snr in CONDITIONS:
        analyses = [found.analyser.analyse(recording) for recording in recordings(fold[1], tested, snr)]
        heard = [i for i, a in enumerate(analyses) if a.features]
        features = [analyses[i].features[0] for i in heard]
        scores = score_words(models, features if matrix is None else [turned(f, matrix) for f in features])
        right = dict(zip(heard, scores.argmax(1)))
        own: Counts = {}
        for i, utterance in enumerate(fold[1]):
            count = own.setdefault(utterance.speaker, [0, 0])
            count[0] += int(right.get(i) == found.words.index(utterance.word))
            count[1] += 1
        counts[str(snr)] = own
    return counts


def measured(protocol: str, folds: Sequence[Fold], methods: Sequence[Method], data: Path, kept: Path) -> dict:
    """By method and condition the right answers over all folds, from the file where they are kept or measured now.

    What was measured with other settings is measured again; after a change of the code, remove the file.
    """
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    table: dict[Method, dict[str, Proportion]] = {}
    for method in methods:
        for number, fold in enumerate(folds):
            key = {"protocol": protocol, "method": str(method), "fold": number, "with": method.fingerprint}
            cell = next((line for line in done if key.items() <= line.items()), None)
            if cell is None:
                cell = {**key, "counts": tried(fold, method, data)}
                with kept.open("a") as file:
                    file.write(json.dumps(cell) + "\n")
            for condition, counts in cell["counts"].items():
                own = table.setdefault(method, {})
                found = Proportion({speaker: tuple(count) for speaker, count in counts.items()})
                own[condition] = own.get(condition, Proportion()) + found
        shares = ", ".join(f"{100 * score.share:.1f}" for score in table[method].values())
        print(f"{protocol}, {method}: {shares}", file=sys.stderr, flush=True)
    return table


def rows(table: dict[Method, dict[str, Proportion]], intervals: bool) -> list[str]:
    """A table's rows: accuracy in each condition."""
    heads = ["clean" if snr is None else f"{snr} dB" for snr in CONDITIONS]
    lines = [f"| front end, trained in | {' | '.join(heads)} | n |", "|---" * (len(heads) + 2) + "|"]
    for method, scores in table.items():
        cells = [f"{100 * scores[str(snr)].share:.1f}" for snr in CONDITIONS]
        if intervals:
            cells = [f"{cell} ({percent(scores[str(snr)].bootstrap)})" for cell, snr in zip(cells, CONDITIONS)]
        lines.append(f"| {method} | {' | '.join(cells)} | {scores['None'].n} |")
    return lines


def draw(table: dict[Method, dict[str, Proportion]], path: Path) -> None:
    """A picture of accuracy over noise, a line for each method."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 5), layout="constrained")
    names = list(dict.fromkeys(method.front_end for method in table))
    for method, scores in table.items():
        shares = [100 * scores[str(snr)].share for snr in CONDITIONS]
        line = "--" if method.transform else "-" if method.noisy else ":"
        colour, mark = LOOKS[names.index(method.front_end)]
        label = method.front_end if line == "-" else None
        axes.plot(range(len(CONDITIONS)), shares, line, marker=mark, markersize=5, color=colour, label=label)
    lines = "solid: trained in noise; dotted: in quiet; dashed: in noise, LDA and MLLT"
    axes.set_title(f"nine words, n = {next(iter(table.values()))['None'].n}\n{lines}", fontsize=9)
    axes.set_xticks(range(len(CONDITIONS)), ["clean" if snr is None else f"{snr} dB" for snr in CONDITIONS])
    axes.set(xlabel="speech over noise", ylabel="right, %")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds speech_commands, noise/esc10, noise/speech_commands")
    parser.add_argument("--kept", type=Path, default=FOLDER / "measured.jsonl", help="file of what was measured")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RecognizerWarning)
    fold = held_out_quarter(load(arguments.data / "speech_commands"))
    chosen = measured("inner", by_speaker(fold[0], 2), CANDIDATES, arguments.data, arguments.kept)
    final = measured("speech_commands/unseen", [fold], FINALISTS, arguments.data, arguments.kept)
    draw(chosen, FOLDER / "front_ends.png")
    draw(final, FOLDER / "noise.png")
    write_results(
        Path(__file__),
        "Words in noise",
        "python recipes/robustness/run.py FOLDER",
        "Nine words of Speech Commands, right answers in %, with a piece of another noise mixed into each recording\n"
        "before the word is looked for. Kinds of noise that are tested are not trained with.",
        "## The choice, on training speakers alone",
        "\n".join(rows(chosen, intervals=False)),
        "![front ends](front_ends.png)",
        "## Speakers never heard: speech_commands/unseen",
        "Intervals over speakers in brackets.",
        "\n".join(rows(final, intervals=True)),
        "![noise](noise.png)",
    )
