"""Long recordings of many words: which `recognizer transcribe` finds, once and right, beside `batch`, and at what cost.

Words of speakers whom the models have not heard, half a second apart, with quiet noise or digital silence between. What
`batch` answers on the single recordings is what can be expected.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # CPU time is then the work itself
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from protocols import NARROW_VTLP, by_speaker, load, percent, write_results

from recognizer import Recognizer, RecognizerWarning
from recognizer.corpus import Utterance
from recognizer.features.front_end import FrontEnd
from recognizer.intervals import Proportion
from recognizer.sound import audio
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings
from recognizer.training.transcripts import NUMERALS

WHERE = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0), Speech Commands v0.01 (CC BY 4.0, Pete "
    "Warden / Google), "
    "https://github.com/zhongyuchen/DSPSpeech-20 (MIT)"
)
CORPORA = {"fsdd": 8000, "dspspeech20": 16000}  # Hz
BESIDE = {"fsdd": ("speech_commands", "speech_commands_30")}  # trained on as well: FSDD's words have no silence around
GROUPS = 3  # of speakers, of which one is tested
GAP = 0.5  # seconds
LONG = 1800.0  # seconds of a recording, at most
FRAME, QUIETEST = 0.01, 0.1  # seconds, and the share of these that are the room of a recording


def room(samples: np.ndarray, rate: int) -> float:
    """Root mean square of the quietest part of a recording."""
    hop = round(FRAME * rate)
    power = (samples[: len(samples) // hop * hop].reshape(-1, hop) ** 2).mean(1)
    return float(np.sqrt(np.quantile(power, QUIETEST)))


def joined(takes: Sequence[Utterance], rate: int, noisy: bool) -> tuple[np.ndarray, list[float]]:
    """Takes with gaps between them, as many as are LONG together, and where each begins, seconds."""
    random, parts, begins, position = np.random.default_rng(0), [], [], 0
    for take in takes:
        samples = audio.load(take.path, rate).samples
        gap = random.standard_normal(round(GAP * rate)) * (room(samples, rate) if noisy else 0.0)
        if position + len(gap) + len(samples) > LONG * rate:
            break
        begins.append((position + len(gap)) / rate)
        parts += [gap, samples]
        position += len(gap) + len(samples)
    return np.concatenate([*parts, np.zeros(round(GAP * rate))]), begins


def transcribed(model: Path, recording: Path) -> tuple[list[dict], float]:
    """What the command says, and its CPU time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call = [sys.executable, "-m", "recognizer", "transcribe", str(recording), "--model", str(model), "--json", "-q"]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [json.loads(line) for line in done.stdout.splitlines()], spent


def row(corpus: str, takes: Sequence[Utterance], recognizer: Recognizer, model: Path, noisy: bool) -> str:
    """Of the table: one corpus and kind of gap."""
    rate = CORPORA[corpus]
    samples, begins = joined(takes, rate, noisy)
    takes = takes[: len(begins)]
    alone = [item.result for item in recognizer.recognize_files([take.path for take in takes])]
    with tempfile.TemporaryDirectory() as folder:
        audio.save(Path(folder, "long.wav"), samples, rate)
        found, spent = transcribed(model, Path(folder, "long.wav"))
    words = [record for record in found if record["accepted"]]
    both, missed, wrong, twice, right = Proportion(), 0, 0, 0, 0
    for take, begin, result in zip(takes, begins, alone):
        if result.start is None:
            continue
        start, end = begin + result.start, begin + result.end
        mine = [record["word"] for record in words if record["start"] < end and record["end"] > start]
        right += mine == [take.word]
        if result.word == take.word:
            both += Proportion.of(mine == [take.word], 1, take.speaker)
            missed += not mine
            twice += len(mine) > 1
            wrong += len(mine) == 1 and mine != [take.word]
    seconds = len(samples) / rate
    share = f"{100 * both.share:.2f} ({percent(both.interval)}; {percent(both.bootstrap)} over {both.over})"
    return (
        f"| {corpus}, {'quiet noise' if noisy else 'digital silence'} | {seconds / 60:.0f} | {len(takes)} | {both.n} | "
        f"{right} | {100 * right / both.n:.2f} | {share} | {missed}, {twice}, {wrong} | {100 * spent / seconds:.2f} |"
    )


def digits(corpus: Path) -> list[Utterance]:
    """The digits in a corpus of many words."""
    return [take for take in load(corpus) if take.word in NUMERALS]


def trained(training: Sequence[Utterance], rate: int) -> Recognizer:
    """By the recipe of small corpora, with what it rejects."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        settings, front_end = TrainingSettings(), FrontEnd.for_rate(rate)
        model, _ = build(training, front_end=front_end, settings=settings, perturbations=NARROW_VTLP, jobs=2)
    return Recognizer(model)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"The recordings: {WHERE}")
    parser.add_argument("folder", type=Path, help="holds the corpora that are named above")
    folder = parser.parse_args().folder
    rows = [
        "| words half a second apart | minutes | words | `batch` right | found once and right | of `batch` % | of "
        "those that `batch` answers right, found once and right % | not found, twice, wrong | CPU, % of real time |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as work:
        for corpus, rate in CORPORA.items():
            training, test = by_speaker(load(folder / corpus), GROUPS)[0]
            test = sorted(test, key=lambda take: (take.speaker, take.path.name))
            beside = [take for name in BESIDE.get(corpus, ()) for take in digits(folder / name)]
            if beside:
                training, test = (
                    [replace(take, word=NUMERALS[int(take.word)]) for take in part] for part in (training, test)
                )
            recognizer, model = trained([*training, *beside], rate), Path(work, f"{corpus}.npz")
            recognizer.model.save(model)
            for noisy in (True, False):
                rows.append(row(corpus, test, recognizer, model, noisy))
                print(rows[-1], file=sys.stderr, flush=True)
    write_results(
        Path(__file__),
        "Words of long recordings",
        "python recipes/transcribe/run.py FOLDER",
        "\n".join(rows),
        "Models are trained without the speakers that are tested, a third of all; those of FSDD with Speech Commands. The "
        "noise between two words is white, "
        "and as strong as the quietest tenth of the word that follows. A word is found once and right if exactly one "
        "answer that is no rejection overlaps it where `batch` finds it, and is that word; such words may be more than "
        "those that `batch` has right alone. Intervals: 95 %, Wilson's and over speakers. The CPU time is that of the "
        "whole command.",
    )
