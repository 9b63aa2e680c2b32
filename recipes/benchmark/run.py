"""Training and decoding against hmmlearn's GMMHMM: same data, same features, same sizes, same iterations.

Features are extracted beforehand and are not timed. What is printed are ratios of CPU time within one run, since
machines differ and are rarely idle. hmmlearn is installed into a folder of its own that is removed afterwards. Beside
it: a whole training with the program's own settings, and one of very many words of which there is very little.
"""

import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # CPU time is then the work itself
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from protocols import corpus_argument, load, write_results

from recognizer.acoustics.word_models import WordModels
from recognizer.features.analysis import Analyser
from recognizer.features.front_end import FrontEnd
from recognizer.recognition.decoding import decode
from recognizer.training.settings import TrainingSettings
from recognizer.training.training import converge, cut_and_cluster, laid_out, train

STATES, MIXTURES, ITERATIONS = 5, 4, 10
HMMLEARN = "hmmlearn==0.3.3"
WORDS, TAKES = 1000, 3  # of the large vocabulary
DIMS = 39  # of its features, as many as those of speech have
STAY, PAUSE = (4, 12), (5, 12)  # frames of a state and of a silence, from and up to


def cpu_seconds(work: Callable) -> tuple[float, object]:
    """CPU time of this process, and what the work gave."""
    before = time.process_time()
    value = work()
    return time.process_time() - before, value


def data(corpus: Path) -> tuple[list[np.ndarray], np.ndarray, list[tuple[int, int]], np.ndarray]:
    """Features, word indices and speech spans of FSDD, and which utterances are to test on (takes 0 to 4)."""
    utterances = load(corpus)
    front_end = FrontEnd()
    analyses = list(Analyser(front_end).analyse_files([u.path for u in utterances]))
    words = sorted({u.word for u in utterances})
    return (
        [a.features[0].astype(np.float64) for a in analyses],
        np.array([words.index(u.word) for u in utterances]),
        [a.speech for a in analyses],
        np.array([int(u.path.stem.split("_")[2]) < 5 for u in utterances]),
    )


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


if __name__ == "__main__":
    corpus = corpus_argument("https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0)")
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
        subprocess.run([*pip, HMMLEARN, "scikit-learn", "threadpoolctl"], check=True)
        sys.path.append(folder)
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)  # of hmmlearn: that it has not converged
        features, labels, spans, test = data(corpus)
        trained = [np.flatnonzero(~test), np.flatnonzero(test)]
        seen, unseen = ([features[i] for i in part] for part in trained)
        train_ours, models = cpu_seconds(lambda: ours(seen, labels[~test], [spans[i] for i in trained[0]]))
        decode_ours, scores_ours = cpu_seconds(lambda: decode(models, unseen)[0])
        as_given = [f.astype(np.float32) for f in seen]
        train_whole, _ = cpu_seconds(lambda: train(as_given, labels[~test], [spans[i] for i in trained[0]]))
        many = large_vocabulary()
        train_many, _ = cpu_seconds(lambda: train(*many))
        train_theirs, rivals = cpu_seconds(lambda: theirs(seen, labels[~test]))
        decode_theirs, scores_theirs = cpu_seconds(lambda: np.array([[m.score(f) for m in rivals] for f in unseen]))
    rows = [
        "| | recognizer, CPU s | hmmlearn, CPU s | ratio |",
        "|---|---|---|---|",
        f"| train ten words, {len(seen)} utterances | {train_ours:.2f} | {train_theirs:.1f} "
        f"| {train_theirs / train_ours:.0f} |",
        f"| decode {len(unseen)} utterances with ten words | {decode_ours:.3f} | {decode_theirs:.2f} "
        f"| {decode_theirs / decode_ours:.0f} |",
        f"| accuracy, fsdd/official, % | {accuracy(scores_ours, labels[test])} "
        f"| {accuracy(np.nan_to_num(scores_theirs, nan=-np.inf), labels[test])} | |",
    ]
    whole = [
        "| | recognizer, CPU s |",
        "|---|---|",
        f"| train ten words, {len(seen)} utterances, 5 states, 8 mixtures | {train_whole:.2f} |",
        f"| train {WORDS} words of {TAKES} synthetic takes, 5 states, 8 mixtures | {train_many:.2f} |",
    ]
    write_results(
        Path(__file__),
        "Speed beside hmmlearn",
        "python recipes/benchmark/run.py FOLDER",
        f"{HMMLEARN}, {STATES} states, {MIXTURES} mixtures, {ITERATIONS} iterations, features excluded, one thread.\n"
        "Both start from k-means and then run Baum-Welch. Our decoding includes the alignment of the best word.",
        "\n".join(rows),
        "Whole trainings with the program's defaults, until they have converged, in the same run, features ready:",
        "\n".join(whole),
    )
