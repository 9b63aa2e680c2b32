"""Words found once in streams, clean and in noise, by three detectors of speech; and what listening costs.

The folder holds `dspspeech20`, `wake_words` and `noise` with `esc10` and `speech_commands`. Onset and offset were
chosen for each detector with choose.py, on the other half of the speakers and noises.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # CPU time is then the work itself
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from detectors import LikelihoodRatio, makers
from protocols import corpus_argument, percent, write_results
from streams import RATE, Make, Tally, Word, each_alone, false_alarms, machines, noises, one_stream, words

from recognizer.intervals import Proportion
from recognizer.sound.segmenter import Segmentation, Segmenter

SNRS = (None, 20.0, 10.0, 5.0, 0.0)  # dB
CHOSEN = {"energy": (4, 2), "bands": (5, 3), "likelihood ratio": (0, -2)}  # onset and offset, see CHOICE.md
WHERE = (
    "https://github.com/zhongyuchen/DSPSpeech-20 (MIT) as dspspeech20, https://github.com/Picovoice/wake-word-"
    "benchmark (Apache-2.0) as wake_words, https://github.com/karolpiczak/ESC-10 (CC BY 3.0) and the noise of "
    "http://download.tensorflow.org/data/speech_commands_v0.01.tar.gz (CC BY 4.0) as noise; 16 kHz FLAC"
)


def share(score: Proportion) -> str:
    """Percentage with its 95 % Wilson interval, and that over speakers."""
    return f"{100 * score.share:.1f} ({percent(score.interval)}; {percent(score.bootstrap)})"


def found_once(name: str, make: Make, spoken: Sequence[Word], clips: Sequence[np.ndarray]) -> list[str]:
    """Rows of the table of words found once."""
    rows = []
    for snr in SNRS:
        noise = "clean" if snr is None else f"{snr:.0f} dB"
        runs: list[tuple[str, Tally]] = [("alone", each_alone(make, spoken, clips, snr))]
        tally, extra = one_stream(make, spoken, clips, snr)
        runs.append((f"one stream, {extra} other utterances", tally))
        for how, tally in runs:
            by_core, by_span = tally.once
            wrong = ", ".join(f"{tally.core[kind]} {kind}" for kind in ("missed", "split", "cut"))
            rows.append(f"| {name} | {noise} | {how} | {share(by_core)} | {share(by_span)} | {by_core.n} | {wrong} |")
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def in_machines(name: str, make: Make, spoken: Sequence[Word]) -> list[str]:
    """Rows of the table of words found once in steady noise."""
    rows = []
    for noise, clip in machines().items():
        for snr in (0.0, -5.0):
            score = each_alone(make, spoken, [clip], snr).once[0]
            rows.append(f"| {name} | {noise} | {snr:.0f} dB | {share(score)} | {score.n} |")
    return rows


def cost(rate: int, milliseconds: int, seconds: int = 120) -> float:
    """CPU seconds for an hour of quiet, in blocks of so many milliseconds."""
    samples = (1e-3 * np.random.default_rng(0).standard_normal(seconds * rate)).astype(np.float32)
    segmenter, size = Segmenter(rate), rate * milliseconds // 1000
    before = time.process_time()
    for first in range(0, len(samples), size):
        segmenter.push(samples[first : first + size])
    return (time.process_time() - before) * 3600 / seconds


if __name__ == "__main__":
    folder = corpus_argument(WHERE)
    ratio = LikelihoodRatio.trained(list(words(folder, 0))[::2], list(noises(folder, 0).values()))
    spoken, clips = list(words(folder, 1)), noises(folder, 1)
    table = ["| detector | noise | streams | core once % | span once % | n | cores |", "|---|---|---|---|---|---|---|"]
    steady = ["| detector | noise | SNR | core once % | n |", "|---|---|---|---|---|"]
    alarms = ["| detector | utterances a minute of noise | of which |", "|---|---|---|"]
    for name, make in makers(Segmentation(), ratio, CHOSEN).items():
        table += found_once(name, make, spoken, list(clips.values()))
        steady += in_machines(name, make, spoken[::4])
        rate, kinds = false_alarms(make, clips)
        alarms.append(f"| {name} | {rate:.1f} | {', '.join(f'{kind} {n}' for kind, n in kinds.most_common())} |")
    costs = ["| rate, Hz | block, ms | CPU s an hour |", "|---|---|---|"]
    costs += [f"| {rate} | {ms} | {cost(rate, ms):.1f} |" for rate in (8000, 16000) for ms in (10, 20, 30)]
    write_results(
        Path(__file__),
        "Words found in streams",
        "python recipes/endpoint/run.py FOLDER",
        "A word is found once if exactly one utterance overlaps it, and covers it but for 60 ms at either end. The "
        "span is what the file endpointer finds in the clean recording; it is wrong where breath, clicks or steps of "
        "the noise stand beside the word. The core is the part of the span with 99 % of its energy. Of the "
        "95 % intervals, the first is Wilson's, the second a bootstrap over speakers, those of the wake words, whom "
        "nobody knows, as one. In one stream the words are equally loud, and the noise goes on and changes every ten "
        "words.",
        "\n".join(table),
        "Every fourth word alone, in steady noise:",
        "\n".join(steady),
        f"Utterances in {len(clips)} clips of noise alone, {sum(map(len, clips.values())) / RATE / 60:.1f} minutes; "
        "barks, cries and sneezes are sounds, which the recognizer has to reject:",
        "\n".join(alarms),
        "What listening to quiet costs (of the segmenter alone; 36 s an hour are one percent of a core):",
        "\n".join(costs),
        f"Settings: {Segmentation()}; onset and offset for each detector {CHOSEN}.",
    )
