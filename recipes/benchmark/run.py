"""Time and cost of everything a person waits for, each beside what it is compared with, in one run.

Features, training and decoding are measured in this process, commands as a person starts them: CPU time is that of
the command and of all processes it started. Medians of a few runs, since machines are rarely idle; what counts are the
ratios. hmmlearn is installed into a folder of its own that is removed afterwards.
"""

import argparse
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # CPU time is then the work itself
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from protocols import load, write_results

from recognizer.acoustics.word_models import WordModels
from recognizer.features.analysis import Analyser, Analysis
from recognizer.features.front_end import FrontEnd
from recognizer.recognition.decoding import decode
from recognizer.training.settings import TrainingSettings
from recognizer.training.training import converge, cut_and_cluster, laid_out, train

PROJECT = Path(__file__).resolve().parents[2]
COMMAND = str(Path(sys.executable).with_name("recognizer"))
STATES, MIXTURES, ITERATIONS = 5, 4, 10
HMMLEARN = "hmmlearn==0.3.3"
WORDS, TAKES = 1000, 3  # of the large vocabulary
DIMS = 39  # of its features, as many as those of speech have
STAY, PAUSE = (4, 12), (5, 12)  # frames of a state and of a silence, from and up to
RUNS = 5  # of what takes a second or less
FEW = 3  # of what takes longer

# HTK 3.4.1 is not part of this recipe. CPU time on the same recordings, measured elsewhere.
HCOPY = 0.36  # ms an utterance
HCOPY_AND_HVITE = 4.0  # s, 3,000 utterances
HTK_TRAINING = 13.7  # s, 5 states, 8 mixtures, 2,700 utterances
ELSEWHERE = "HTK, measured elsewhere"


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU time, of a process and its children, and of the clock on the wall."""

    cpu: float
    wall: float


def run(command: Sequence[str], **environment: str) -> Cost:
    """Cost of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | environment, cwd=PROJECT)
    return _ended(process, start)


def _ended(process: subprocess.Popen, start: float) -> Cost:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # or `Popen` would wait for it again
    if process.returncode:
        raise SystemExit(f"{process.args} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - start)


def middle(measure: Callable[[], Cost], runs: int = RUNS) -> Cost:
    """Medians of several runs."""
    costs = [measure() for _ in range(runs)]
    return Cost(median(c.cpu for c in costs), median(c.wall for c in costs))


def with_empty_caches() -> Cost:
    """The first command of all: nothing is compiled, NumPy and Python's own library neither."""
    with tempfile.TemporaryDirectory() as folder:
        return run([COMMAND, "batch", "audio_samples"], PYTHONPYCACHEPREFIX=folder)


def until_it_listens(recording: Path) -> Cost:
    """Until `live` says that it has heard the quarter of a second from which it knows the room, played fast."""
    command = [COMMAND, "live", "--from-file", str(recording), "--fast", "--json", "--quiet"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        heard = time.perf_counter() - start
        if '"calibrated"' not in first:
            raise SystemExit(f"live began with {first!r}")
        process.stdout.read()
        return Cost(_ended(process, start).cpu, heard)


def cpu_seconds(work: Callable) -> tuple[float, object]:
    """CPU time of this process, and what the work gave."""
    before = time.process_time()
    value = work()
    return time.process_time() - before, value


def median_cpu(work: Callable) -> tuple[float, object]:
    """Median CPU time of some runs, and what the work gave."""
    times, values = zip(*(cpu_seconds(work) for _ in range(FEW)))
    return median(times), values[-1]


def ours(features, labels, spans) -> object:
    """Uniform cut, k-means, and the same number of Baum-Welch iterations."""
    settings = TrainingSettings(states=STATES, mixtures=MIXTURES, tolerance=-np.inf, max_iterations=ITERATIONS)
    variance_floor = settings.variance_floor * np.concatenate(features).var(0)
    speech = laid_out(features, labels)
    models = WordModels(*cut_and_cluster(speech, labels, spans, settings, variance_floor))
    return converge(models, speech.chunks, "baum-welch", settings, variance_floor)


def theirs(features, labels) -> list:
    """One GMMHMM a word, left to right, the same number of iterations."""
    from hmmlearn.hmm import GMMHMM

    models = []
    for word in range(labels.max() + 1):
        own = [features[i] for i in np.flatnonzero(labels == word)]
        model = GMMHMM(
            STATES, MIXTURES, covariance_type="diag", n_iter=ITERATIONS, tol=-np.inf, init_params="mcw", random_state=0
        )
        model.startprob_ = np.eye(STATES)[0]
        model.transmat_ = np.diag([0.8] * (STATES - 1) + [1.0]) + np.diag([0.2] * (STATES - 1), 1)
        models.append(model.fit(np.concatenate(own), [len(f) for f in own]))
    return models


def large_vocabulary() -> tuple[list[np.ndarray], np.ndarray, list[tuple[int, int]]]:
    """Takes of words that random models say: features, word indices and speech spans."""
    random = np.random.default_rng(0)
    features, spans = [], []
    for _ in range(WORDS):
        means = np.concatenate([random.normal(0, 1.5, (STATES, DIMS)), np.full((1, DIMS), -3.0)])
        for _ in range(TAKES):
            stays = random.integers(*STAY, STATES)
            before, after = random.integers(*PAUSE, 2)
            state = np.repeat([-1, *range(STATES), -1], [before, *stays, after])
            features.append((means[state] + random.normal(0, 1, (len(state), DIMS))).astype(np.float32))
            spans.append((int(before), int(before + stays.sum())))
    return features, np.repeat(np.arange(WORDS), TAKES), spans


def accuracy(scores: np.ndarray, labels: np.ndarray) -> str:
    """Share of right answers, in %."""
    return f"{100 * np.mean(scores.argmax(1) == labels):.1f}"


def beside_hmmlearn(analyses: Sequence[Analysis], labels: np.ndarray, test: np.ndarray) -> list[str]:
    """Rows: training and decoding by both, of the same features."""
    features = [a.features[0].astype(np.float64) for a in analyses]
    training, tested = np.flatnonzero(~test), np.flatnonzero(test)
    seen, unseen, spans = [features[i] for i in training], [features[i] for i in tested], spans_of(analyses, training)
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
        subprocess.run([*pip, HMMLEARN, "scikit-learn", "threadpoolctl"], check=True)
        sys.path.append(folder)
        logging.disable(logging.CRITICAL)  # of hmmlearn: that it has not converged
        trained, models = median_cpu(lambda: ours(seen, labels[~test], spans))
        decoded, scores = median_cpu(lambda: decode(models, unseen)[0])
        their_training, rivals = cpu_seconds(lambda: theirs(seen, labels[~test]))
        their_decoding, their_scores = cpu_seconds(lambda: np.array([[m.score(f) for m in rivals] for f in unseen]))
    right = accuracy(scores, labels[test]), accuracy(np.nan_to_num(their_scores, nan=-np.inf), labels[test])
    size = f"{STATES} states, {MIXTURES} mixtures, {ITERATIONS} iterations"
    return [
        row(f"training, {size}, {len(seen):,} utterances, features ready", "`converge`", s(trained), HMMLEARN,
            s(their_training), their_training / trained),
        row(f"decoding {len(unseen)} utterances with these models, with their alignment", "`decode`", s(decoded),
            HMMLEARN, s(their_decoding), their_decoding / decoded),
        row("right of these, %", "", right[0], HMMLEARN, right[1]),
    ]  # fmt: skip


def spans_of(analyses: Sequence[Analysis], members: np.ndarray) -> list[tuple[int, int]]:
    """Where the speech is in some recordings."""
    return [analyses[i].speech for i in members]


def row(what: str, how: str, figure: str, beside: str = "", its: str = "", ratio: float | None = None) -> str:
    """A row of the table; shown at once, for all of them take minutes."""
    line = f"| {what} | {how} | {figure} | {beside} | {its} | {'' if ratio is None else f'{ratio:.3g}'} |"
    print(line, file=sys.stderr, flush=True)
    return line


def s(seconds: float) -> str:
    """Seconds of CPU time."""
    return f"{seconds:.3g} s"


def both(cost: Cost) -> str:
    """CPU time and that on the wall."""
    return f"{cost.cpu:.2f} s, wall {cost.wall:.2f} s"


def commands(recording: Path) -> list[str]:
    """Rows: what a person waits for before anything is recognized."""
    imports = middle(lambda: run([sys.executable, "-c", "import numpy, soundfile"]))
    floor, name = both(imports), '`python -c "import numpy, soundfile"`'
    helped = middle(lambda: run([COMMAND, "--help"]))
    first = middle(with_empty_caches, FEW)
    again = middle(lambda: run([COMMAND, "batch", "audio_samples"]))
    one = middle(lambda: run([COMMAND, "batch", str(recording)]))
    listening = middle(lambda: until_it_listens(recording))
    return [
        row("the first command, no module compiled yet", "`recognizer batch audio_samples`", both(first), name, floor,
            first.cpu / imports.cpu),
        row("the same afterwards", "`recognizer batch audio_samples`", both(again), name, floor,
            again.cpu / imports.cpu),
        row("one word", "`recognizer batch one.wav`", both(one), name, floor, one.cpu / imports.cpu),
        row("until the first frame was heard: the event `calibrated`", "`recognizer live --from-file one.wav --fast`",
            f"wall {listening.wall:.2f} s", name, floor, listening.wall / imports.wall),
        row("help", "`recognizer --help`", both(helped), name, floor, helped.cpu / imports.cpu),
    ]  # fmt: skip


def main(fsdd: Path, dspspeech20: Path) -> None:
    """Measure everything, and write it down."""
    warnings.simplefilter("ignore")  # of the thousand words, that they have few frames
    utterances = load(fsdd)
    paths = [u.path for u in utterances]
    words = sorted({u.word for u in utterances})
    labels = np.array([words.index(u.word) for u in utterances])
    test = np.array([int(path.stem.split("_")[2]) < 5 for path in paths])
    rows = commands(paths[0])

    analyser = Analyser(FrontEnd())
    extracted, analyses = median_cpu(lambda: list(analyser.analyse_files(paths)))
    each = 1000 * extracted / len(paths)
    rows.append(row("features with endpoints, an utterance", "`analyse_files`", f"{each:.3f} ms",
                    f"HCopy, no endpoints; {ELSEWHERE}", f"{HCOPY} ms", HCOPY / each))  # fmt: skip
    whole = middle(lambda: run([COMMAND, "batch", str(fsdd), "--quiet"]), FEW)
    rows.append(row(f"from WAV to word, {len(paths):,} files", "`recognizer batch FSDD`", both(whole),
                    f"HCopy and HVite; {ELSEWHERE}", s(HCOPY_AND_HVITE), HCOPY_AND_HVITE / whole.cpu))  # fmt: skip

    training = np.flatnonzero(~test)
    seen, spans = [analyses[i].features[0] for i in training], spans_of(analyses, training)
    trained, _ = median_cpu(lambda: train(seen, labels[training], spans))
    rows.append(row(f"training, 5 states, 8 mixtures, {len(seen):,} utterances, features ready", "`train`", s(trained),
                    ELSEWHERE, s(HTK_TRAINING), HTK_TRAINING / trained))  # fmt: skip
    many = large_vocabulary()
    vocabulary, _ = cpu_seconds(lambda: train(*many))
    rows.append(row(f"training {WORDS:,} words of {TAKES} synthetic takes", "`train`", s(vocabulary)))
    rows += beside_hmmlearn(analyses, labels, test)
    with tempfile.TemporaryDirectory() as folder:
        command = [COMMAND, "train", str(dspspeech20), "-o", f"{folder}/model.npz", "--jobs", "2", "--quiet"]
        whole_training = run(command)
    rows.append(row("training on DSPSpeech-20, with its trial",
                    "`recognizer train DSPSPEECH20 -o model.npz --jobs 2`", both(whole_training)))  # fmt: skip

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    write_results(
        Path(__file__),
        "What it costs",
        "python recipes/benchmark/run.py FSDD DSPSPEECH20",
        f"CPU seconds, user and system, of one thread, on {platform.machine()}, {platform.system()}, "
        f"{blas['name']} {blas['version']}; of commands, that of all their processes, and the time on the wall.\n"
        f"Medians of {RUNS} runs, {FEW} of what takes longer; hmmlearn, the thousand words and DSPSpeech-20 run once.\n"
        "Both trainings beside hmmlearn start from k-means and then run Baum-Welch. A ratio of commands says how many\n"
        "times that of the imports they cost; all others, how many times less than the other.",
        "\n".join(["| what | command | figure | beside | its figure | ratio |", "|---|---|---|---|---|---|", *rows]),
        "HTK 3.4.1 does not run in this recipe: its figures were measured elsewhere, on other cores, and say no more\n"
        "than the order of magnitude.",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    origin = "https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0)"
    parser.add_argument("fsdd", type=Path, help=f"folder of the Free Spoken Digit Dataset, {origin}")
    parser.add_argument(
        "dspspeech20", type=Path, help="folder of DSPSpeech-20, https://github.com/zhongyuchen/DSPSpeech-20 (MIT)"
    )
    folders = parser.parse_args()
    main(folders.fsdd.resolve(), folders.dspspeech20.resolve())
