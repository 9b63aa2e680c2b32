"""Long recordings of many words: which `recognizer transcribe` finds, once and right, beside `batch`, and at what cost.

Words are half a second apart, with quiet noise or digital silence between. What `batch` answers on the single
recordings is what can be expected.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # CPU time is then the work itself
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import soundfile
from protocols import load, percent, write_results

from recognizer import Recognizer
from recognizer.corpus import Utterance
from recognizer.intervals import Proportion
from recognizer.sound import audio
from recognizer.training.transcripts import NUMERALS

WHERE = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0), "
    "https://github.com/zhongyuchen/DSPSpeech-20 (MIT)"
)
CORPORA = {"digits": ("fsdd", 8000), "dspspeech20": ("dspspeech20", 16000)}  # by the model: recordings, Hz
SPOKEN = (
    "数字 语音 语言 识别 中国 总工 北京 背景 上海 商行 复旦 饭店 Speech Speaker Signal Process Print Open Close Project"
)
WORDS = {  # of a model, by what the recordings are labelled
    "digits": lambda label: NUMERALS[int(label)],
    "dspspeech20": lambda label: SPOKEN.split()[int(label)],
}
GAP = 0.5  # seconds
LONG = 1800.0  # seconds of a recording, at most
FRAME, SOFTEST = 0.01, 0.01  # seconds, and the share of these that are the room of a speaker
AROUND = 0.25  # seconds, of the gaps, that `batch` is given in the second comparison
QUIET = 40.0  # dB under the speech, at least, that the noise in a gap is


def room(recordings: Sequence[np.ndarray], rate: int) -> float:
    """Root mean square of the softest part of a speaker's recordings; QUIET under the speech where that is no room.

    Those of FSDD have no silence beside the word.
    """
    hop = round(FRAME * rate)
    power = [(samples[: len(samples) // hop * hop].reshape(-1, hop) ** 2).mean(1) for samples in recordings]
    power = np.concatenate(power)
    return float(np.sqrt(min(np.quantile(power, SOFTEST), power.mean() * 10 ** (-QUIET / 10))))


def joined(takes: Sequence[Utterance], rate: int, noisy: bool) -> tuple[np.ndarray, list[float]]:
    """Takes with gaps between them, speaker by speaker, and where each begins, seconds."""
    random, parts, begins, position = np.random.default_rng(0), [], [], 0
    for _, own in groupby(takes, key=lambda take: take.speaker):
        recordings = [audio.load(take.path, rate).samples for take in own]
        level = room(recordings, rate) if noisy else 0.0
        for samples in recordings:
            gap = random.standard_normal(round(GAP * rate)) * level
            begins.append((position + len(gap)) / rate)
            parts += [gap, samples]
            position += len(gap) + len(samples)
    return np.concatenate([*parts, np.zeros(round(GAP * rate))]), begins


def chosen(takes: Sequence[Utterance], rate: int) -> list[Utterance]:
    """Of all speakers, and of all their words, as many as are LONG together."""
    takes = sorted(takes, key=lambda take: (take.speaker, take.path.name))
    seconds = sum(soundfile.info(take.path).duration + GAP for take in takes)
    return takes[:: max(1, math.ceil(seconds / LONG))]


def transcribed(model: str, recording: Path) -> tuple[list[dict], float]:
    """What the command says, and its CPU time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call = [sys.executable, "-m", "recognizer", "transcribe", str(recording), "--model", model, "--json", "-q"]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [json.loads(line) for line in done.stdout.splitlines()], spent


def row(corpus: str, takes: Sequence[Utterance], model: str, noisy: bool) -> str:
    """Of the table: one corpus and kind of gap."""
    _, rate = CORPORA[model]
    samples, begins = joined(takes, rate, noisy)
    recognizer = Recognizer.load(model)
    alone = [item.result for item in recognizer.recognize_files([take.path for take in takes])]
    with tempfile.TemporaryDirectory() as folder:
        audio.save(Path(folder, "long.wav"), samples, rate)
        found, spent = transcribed(model, Path(folder, "long.wav"))
    words = [record for record in found if record["accepted"]]
    both, missed, wrong, twice, right, amid = Proportion(), 0, 0, 0, 0, Proportion()
    for take, begin, result in zip(takes, begins, alone):
        end = begin + soundfile.info(take.path).duration
        around = samples[round((begin - AROUND) * rate) : round((end + AROUND) * rate)]
        beside = recognizer.recognize(around, rate).word
        if result.start is None:
            continue
        start, end = begin + result.start, begin + result.end
        mine = [record["word"] for record in words if record["start"] < end and record["end"] > start]
        right += mine == [take.word]
        if beside == take.word:
            amid += Proportion.of(mine == [take.word], 1, take.speaker)
        if result.word == take.word:
            both += Proportion.of(mine == [take.word], 1, take.speaker)
            missed += not mine
            twice += len(mine) > 1
            wrong += len(mine) == 1 and mine != [take.word]
    seconds = len(samples) / rate
    share, in_gaps = (
        f"{100 * of.share:.2f} ({percent(of.interval)}; {percent(of.bootstrap)} over {of.over})" for of in (both, amid)
    )
    return (
        f"| {corpus}, {'quiet noise' if noisy else 'digital silence'} | {seconds / 60:.0f} | {len(takes)} | {both.n} | "
        f"{right} | {100 * right / both.n:.2f} | {share} | {missed}, {twice}, {wrong} | {amid.n} | {in_gaps} | "
        f"{100 * spent / seconds:.2f} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"The recordings: {WHERE}")
    parser.add_argument("folder", type=Path, help="holds the corpora fsdd and dspspeech20")
    folder = parser.parse_args().folder
    rows = [
        "| words half a second apart | minutes | words | `batch` right | found once and right | of `batch` % | of "
        "those that `batch` answers right, found once and right % | not found, twice, wrong | right by `batch` with "
        "the gaps | of these, found once and right % | CPU, % of real time |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (corpus, rate) in CORPORA.items():
        takes = chosen([replace(take, word=WORDS[name](take.word)) for take in load(folder / corpus)], rate)
        for noisy in (True, False):
            rows.append(row(corpus, takes, name, noisy))
            print(rows[-1], file=sys.stderr, flush=True)
    write_results(
        Path(__file__),
        "Words of long recordings",
        "python recipes/transcribe/run.py FOLDER",
        "\n".join(rows),
        "Models are the shipped ones, which know these speakers: what is compared are two ways to hear the same words. "
        "The noise between two words is white, as strong as the softest hundredth of the speaker's recordings, and "
        f"{QUIET:.0f} dB under them at least. A word is found once and right if exactly one answer that is no "
        "rejection "
        "overlaps it where `batch` finds it, and is that word; such words may be others than those that `batch` has "
        "right alone. `batch` with the gaps is given the word and a quarter of a second on both sides of it. "
        "Intervals: 95 %, Wilson's and over speakers. The CPU time is that of the whole command.",
    )
