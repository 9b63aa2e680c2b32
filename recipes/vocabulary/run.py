"""Large vocabularies: what 10, 1,000 and 10,000 words cost, and what the fast match changes beside scoring all words.

The words are made of pieces of real ones, see `corpus.py`. Half of the speakers are trained on, a quarter choose the
settings of the fast match, and the last quarter is tested.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # CPU time is then the work itself
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from corpus import CORPORA, RATE, Part, Voices, cut_up, vocabulary
from protocols import corpus_argument, write_results

from recognizer import Model, Recognizer, RecognizerWarning
from recognizer.acoustics import fast_match
from recognizer.acoustics.word_models import WordModels
from recognizer.corpus import Utterance
from recognizer.features.analysis import FILES_AT_ONCE, Analyser, Analysis, finished
from recognizer.features.front_end import FrontEnd
from recognizer.intervals import Proportion
from recognizer.recognition import decoding
from recognizer.recognition.calibration import Calibration
from recognizer.recognition.decoding import score_words
from recognizer.recognition.evidence import examine
from recognizer.sound.audio import Recording
from recognizer.training.settings import TrainingSettings
from recognizer.training.trials import ENOUGH_TO_CALIBRATE, TrainingData, hold_out

WHERE = (
    "https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset (CC BY 4.0), "
    "https://github.com/zhongyuchen/DSPSpeech-20 (MIT), in folders arabic40 and dspspeech20"
)
TRAINED, CHOSEN_ON, TESTED = range(3)  # parts of the speakers
FEW, MANY, MOST = 10, 1000, 10_000  # words
EDGE = decoding.LARGE + 1  # the fewest that the fast match is for
TAKES = {MANY: 4, MOST: 2}  # of a word to train on
CHOOSING, TESTING = 2, 3  # takes of a word
STRANGE = 1000  # words that the model of a thousand lacks, one take each
SETTINGS = TrainingSettings(states=8, mixtures=2, borrowed_frames=20.0, variance_floor=0.1)
SHARED = (1, 2, 4, 8)  # states of words that are one tied state, on average
PLACES = (50, 100, 150, 200)
TIMED, RUNS = 2 * FILES_AT_ONCE, 5

INHERITED: list = []  # by processes, of what is too large to be sent to them
Word = tuple[Voices, tuple[Part, ...]]
Wanted = tuple[int, int, int]  # a word, who says it, and the take


def said(words: Sequence[Word], wanted: Sequence[Wanted], analyser: Analyser) -> list[Analysis]:
    """Recordings of words, analysed on two processes."""
    chunks = [wanted[i : i + FILES_AT_ONCE] for i in range(0, len(wanted), FILES_AT_ONCE)]
    INHERITED[:] = words, analyser
    with get_context("fork").Pool(2) as pool:
        return [analysis for part in pool.imap(_said, chunks) for analysis in part]


def _said(wanted: Sequence[Wanted]) -> list[Analysis]:
    words, analyser = INHERITED
    recordings = []
    for word, who, take in wanted:
        voices, parts = words[word]
        speakers = voices.speakers[who]
        random = np.random.default_rng([word, who, take])
        samples = voices.say(parts, speakers[(word // 2 + take) % len(speakers)], random)
        recordings.append(Recording(samples, RATE, RATE))
    return analyser.analyse_all(recordings)


def training_data(words: Sequence[Word], count: int, analyser: Analyser) -> TrainingData:
    """So many of the words by the speakers to train on."""
    wanted = [(word, TRAINED, take) for word in range(count) for take in range(TAKES[count])]
    analyses = said(words, wanted, analyser.reading())
    front_end = analyser.front_end.with_speech([a.features[0] for a in analyses], [a.speech for a in analyses])
    own = replace(analyser, front_end=front_end)
    utterances = []
    for word, _, take in wanted:
        speakers = words[word][0].speakers[TRAINED]
        speaker = speakers[(word // 2 + take) % len(speakers)]
        utterances.append(Utterance(Path(f"{word}_{take}.wav"), f"{word:05d}", speaker))
    return TrainingData(utterances, finished(analyses, front_end), own, SETTINGS, 2)


@contextmanager
def whole():
    """Every word is scored, however many there are."""
    usual, decoding.LARGE = decoding.LARGE, MOST + 1
    try:
        yield
    finally:
        decoding.LARGE = usual


def trained(data: TrainingData, calibrate: bool = True) -> Model:
    """A model; what it rejects is learned from a third of the speakers and from words left out."""
    settings = data.settings if len(data.words) < MOST else replace(data.settings, mixtures=1)
    data = replace(data, settings=settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        models = data.train(range(len(data.utterances)), data.words)
        model = Model(data.words, data.analyser.front_end, data.analyser.endpointer, models, Calibration())
        return learned(model, data) if calibrate else model


def first_words(model: Model, count: int) -> Model:
    """A model of so many of its words."""
    models, some = model.acoustics, np.arange(count)
    rows = np.append(models.rows(some)[:, 1:-1], len(models.bank.weights) - 1)
    return replace(
        model, words=model.words[:count], acoustics=WordModels(models.bank.take(rows), models.chain.word(some))
    )


def learned(model: Model, data: TrainingData) -> Model:
    """With what a trial tells of confidence and rejection."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        held_out = hold_out(data, [], ENOUGH_TO_CALIBRATE, lambda *_: None).fit()
    return replace(model, calibration=held_out.calibration, rejection=held_out.rejection)


def answers(model: Model, analyses: Sequence[Analysis]) -> list:
    """Results, as `recognize_files` gives them."""
    recognizer, least, every = Recognizer(model), model.rejection.thresholds["normal"], np.arange(len(model.words))
    groups = [analyses[i : i + FILES_AT_ONCE] for i in range(0, len(analyses), FILES_AT_ONCE)]
    return [result for group in groups for result in recognizer._decode(group, every, least)]


def cpu(work: Callable) -> float:
    """Seconds of CPU time, the least of some runs: others are at work on the machine, too."""
    times = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_SELF)
        work()
        after = resource.getrusage(resource.RUSAGE_SELF)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times)


def costs(model: Model, analyses: Sequence[Analysis]) -> tuple[float, float]:
    """Milliseconds of an utterance, of many at a time and of each by itself."""
    answers(model, analyses[:2])
    alone = analyses[:: max(1, len(analyses) // 20)][:20]
    return (
        1000 * cpu(lambda: answers(model, analyses)) / len(analyses),
        1000 * cpu(lambda: [answers(model, [analysis]) for analysis in alone]) / len(alone),
    )


def exact_cost(model: Model, analyses: Sequence[Analysis]) -> float:
    """Milliseconds of an utterance under all words, however long it is."""
    features, noise = [a.features[0] for a in analyses], model.rejection.noise
    with whole():
        return 1000 * cpu(lambda: examine(model.acoustics, noise, features)) / len(features)


def loading(model: Model) -> str:
    """A row: how large a model's file is, what reading it costs, and the most memory that takes."""
    code = (
        "import re, sys, time; from recognizer import Model\n"
        "def most():\n    return re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
        "start, before = most(), time.process_time(); model = Model.load(sys.argv[1]); "
        "spent = time.process_time() - before\n"
        "print(spent, start, most())"
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "words.npz"
        model.save(path)
        told = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        spent, before, after = map(float, told.stdout.split())
        size = path.stat().st_size / 1e6
    return f"| {len(model.words):,} | {size:.1f} | {spent:.2f} | {(after - before) / 1024:.0f} |"


def places(model: Model, analyses: Sequence[Analysis]) -> list[str]:
    """Rows: how far down the fast match's list the word stands that is the best by exact scores."""
    features = [a.features[0] for a in analyses]
    best = score_words(model.acoustics, features).argmax(1)
    rows, usual = [], fast_match.POOLED
    for pooled in (2, 3, 4):
        fast_match.POOLED = pooled
        fits = (model.acoustics.fast_match.scores(f) for f in features)
        place = np.array([(fit > fit[word]).sum() for fit, word in zip(fits, best)])
        beyond = " | ".join(f"{100 * (place >= count).mean():.3f}" for count in PLACES)
        rows.append(f"| {pooled} | {beyond} | {place.max() + 1} |")
    fast_match.POOLED = usual
    return rows


def tied(data: TrainingData, features: Sequence[np.ndarray], truth: np.ndarray) -> list[str]:
    """Rows: what becomes of models whose words share states."""
    rows = []
    for shared in SHARED:
        count = len(data.words) * data.settings.states // shared
        model = trained(replace(data, settings=replace(data.settings, tie=count)), calibrate=False)
        found = examine(model.acoustics, None, features)
        best = found.words[np.arange(len(truth)), found.scores.argmax(1)]
        with TemporaryDirectory() as folder:
            model.save(path := Path(folder) / "words.npz")
            size = path.stat().st_size / 1e6
        gaussians = int((model.acoustics.bank.weights > 0).sum())
        rows.append(f"| {count:,} | {gaussians:,} | {size:.1f} | {share(best == truth)} |")
    return rows


def share(right: np.ndarray, digits: int = 2) -> str:
    """A share in %, with Wilson's interval."""
    score = Proportion.of(int(right.sum()), len(right))
    low, high = (100 * bound for bound in score.interval)
    return f"{100 * score.share:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def compared(fast: list, full: list, truth: np.ndarray) -> list[str]:
    """Rows: what the fast match changes; truth is -1 for words that the model lacks."""
    known = truth >= 0
    first = [np.array([int(r.nbest[0].word) if r.nbest else -1 for r in results]) for results in (fast, full)]
    accepted = [np.array([r.accepted for r in results]) for results in (fast, full)]
    confidence = [np.array([r.confidence for r in results]) for results in (fast, full)]
    same = first[0] == first[1]
    moved = np.abs(confidence[0] - confidence[1])[same]
    right = [f == truth for f in first]
    rows = [
        ("best word is another, known words, %", share(~same[known], 3), ""),
        ("best word is another, unknown words, %", share(~same[~known], 3), ""),
        ("accepted or rejected otherwise, %", share(accepted[0] != accepted[1]), ""),
        ("confidence moves by, median and 99 of 100", f"{np.median(moved):.3f}, {np.quantile(moved, 0.99):.3f}", ""),
        ("right, were nothing rejected, %", *(share(r[known]) for r in right)),
        ("rejected of right answers, %", *(share(~a[known & r]) for a, r in zip(accepted, right))),
        ("rejected of unknown words, %", *(share(~a[~known]) for a in accepted)),
    ]
    return [f"| {name} | {one} | {other} |" for name, one, other in rows]


def say(what: str, start: float) -> None:
    """How far it is."""
    print(f"{time.monotonic() - start:.0f} s: {what}", file=sys.stderr, flush=True)


def main(folder: Path) -> None:
    """Measure everything, and write it down."""
    start = time.monotonic()
    voices = [cut_up(folder / corpus) for corpus in CORPORA]
    words = vocabulary(voices, MOST)
    say("recordings cut", start)
    data = training_data(words, MANY, Analyser(FrontEnd.for_rate(RATE)))
    analyser = data.analyser
    model = trained(data)
    say("1,000 words trained", start)
    wanted = [(word, TESTED, take) for word in range(MANY) for take in range(TESTING)]
    strange = [(word, TESTED, 0) for word in range(MANY, MANY + STRANGE)]
    heard = said(words, wanted + strange, analyser)
    truth = np.array([word if word < MANY else -1 for word, *_ in wanted + strange])
    fast = answers(model, heard)
    say("tested", start)
    with whole():
        full_model = learned(model, data)
        say("rejection learned from all words", start)
        full = answers(full_model, heard)
    say("tested with all words", start)
    known = truth >= 0
    tied_rows = tied(data, [a.features[0] for a, wanted in zip(heard, known) if wanted], truth[known])
    say("states tied", start)
    choosing = said(words, [(word, CHOSEN_ON, take) for word in range(MANY) for take in range(CHOOSING)], analyser)
    place_rows = places(model, choosing)
    say("places", start)
    most = replace(trained(training_data(words, MOST, analyser), False), rejection=model.rejection)
    say("10,000 words trained", start)
    few, edge = first_words(model, FEW), first_words(model, EDGE)
    by_size = {
        FEW: costs(few, heard[:TIMED]),
        EDGE: costs(edge, heard[:TIMED]),
        MANY: costs(model, heard[:TIMED]),
        MOST: costs(most, heard[:TIMED]),
    }
    sizes = ((FEW, few, TIMED), (EDGE, edge, TIMED), (MANY, model, FILES_AT_ONCE), (MOST, most, 16))
    rows = [
        f"| {count:,} | {mixed(count)} | {by_size[count][0]:.2f} | {by_size[count][1]:.1f} | "
        f"{exact_cost(own, heard[:some]):.2f} |"
        for count, own, some in sizes
    ]
    ratios = [by_size[b][i] / by_size[a][i] for a, b in ((FEW, MANY), (MANY, MOST)) for i in (0, 1)]
    write_results(
        Path(__file__),
        "Large vocabularies",
        "python recipes/vocabulary/run.py FOLDER",
        "The words are two to four pieces of real words, joined: see `corpus.py`. Speakers are never those trained on.",
        "## What an utterance costs",
        "CPU time after the features, with verification; ms an utterance, 64 at a time and each by itself; where all "
        "words are scored, without making results of scores.\n\n"
        "| words | Gaussians a state | 64 at a time | by itself | all words scored |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nFrom 10 to 1,000 words: {ratios[0]:.1f} times, by itself {ratios[1]:.1f}; from 1,000 to 10,000: "
        f"{ratios[2]:.1f} times, by itself {ratios[3]:.1f}.",
        "## What the fast match changes, 1,000 words",
        f"{len(wanted):,} takes of known words and {len(strange):,} of unknown ones; thresholds at `normal`, each way "
        "learned from its own trial. In brackets Wilson's 95 % interval.\n\n"
        "| | fast match | all words scored |\n|---|---|---|\n" + "\n".join(compared(fast, full, truth)),
        "## The choice of the fast match",
        f"By other speakers, {len(choosing):,} takes: share of them, %, whose best word is not among so many of the "
        "fast match.\n\n"
        f"| frames that are one | {' | '.join(f'first {count}' for count in PLACES)} | farthest |\n"
        f"|---|{'---|' * (len(PLACES) + 1)}\n" + "\n".join(place_rows),
        "## Tied states, 1,000 words",
        "Takes of known words, were nothing rejected; the first row is of words that share no states.\n\n"
        "| states of all words | Gaussians | file, MB | right, % |\n|---|---|---|---|\n" + "\n".join(tied_rows),
        "## Reading a model",
        "| words | file, MB | CPU, s | most memory, MB |\n|---|---|---|---|\n" + "\n".join(map(loading, (model, most))),
    )


def mixed(count: int) -> int:
    """Gaussians of a state in the model of so many words."""
    return 1 if count == MOST else SETTINGS.mixtures


if __name__ == "__main__":
    main(corpus_argument(WHERE))
