"""From a corpus to a model: analyse all recordings, train, calibrate on speech held out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date

import numpy as np

from recognizer.analysis import Analysis, analyse_files
from recognizer.audio import shown
from recognizer.corpus import Utterance
from recognizer.decoding import Calibration, fit_calibration, score_words
from recognizer.endpoint import Endpointer
from recognizer.errors import AudioError, RecognizerWarning, TrainingError
from recognizer.evaluation import wilson
from recognizer.features import FrontEnd
from recognizer.model import Model
from recognizer.perturbation import PLAIN, Perturbation
from recognizer.training import TrainingSettings, WordModels, train

HELD_OUT = 3  # every third speaker, or take, is held out to calibrate
FEWEST_TO_CALIBRATE = 30  # held-out utterances; below, the default calibration is kept

Progress = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Refusal:
    """An utterance that could not be trained on, and why."""

    utterance: Utterance
    reason: str


@dataclass(frozen=True)
class _Material:
    """Analysed utterances that can be trained on; every one has its plain features first, then the copies."""

    utterances: list[Utterance]
    analyses: list[Analysis]
    front_end: FrontEnd

    def training_set(self, members: Sequence[int], words: Sequence[str]) -> tuple[list, np.ndarray, list]:
        """Features, word indices and speech spans of some utterances, with their copies."""
        features, labels, spans = [], [], []
        for i in members:
            label = words.index(self.utterances[i].word)
            for f in self.analyses[i].features:
                features.append(f)
                labels.append(label)
                spans.append(self.analyses[i].speech)
        return features, np.array(labels), spans


def build(
    utterances: Sequence[Utterance],
    *,
    front_end: FrontEnd | None = None,
    endpointer: Endpointer = Endpointer(),
    settings: TrainingSettings = TrainingSettings(),
    perturbations: Sequence[Perturbation] = (),
    calibrate: bool = True,
    jobs: int = 1,
    card: dict | None = None,
    progress: Progress = lambda stage, done, total, note: None,
) -> tuple[Model, list[Refusal]]:
    """Train a model on a corpus.

    Parameters
    ----------
    utterances : labelled recordings
    front_end : analysis settings; the defaults for the corpus' sample rate when None
    endpointer : how the word is found in a recording
    settings : sizes and limits of the training
    perturbations : copies of every recording to train on beside itself, such as `perturbation.VTLP`
    calibrate : train a second model without a third of the speakers (or takes), to fit confidences on them
        and to see how many of them it gets right
    jobs : processes for the analysis, threads for the training
    card : what to say of the data and their licence
    progress : called with stage, steps done, steps in all, and a note

    Returns
    -------
    model : the model, calibrated
    refused : the utterances left out

    Raises
    ------
    TrainingError
        if a word has no utterance that can be trained on.
    """
    front_end = front_end or FrontEnd.for_rate(corpus_rate(utterances))
    material, refused = _analyse(utterances, front_end, endpointer, settings, (PLAIN, *perturbations), jobs, progress)
    words = tuple(sorted({u.word for u in utterances}))
    _check_words(words, material, refused)
    calibration, held_out = Calibration(), None
    if calibrate:
        calibration, held_out = _calibrate(material, words, settings, jobs, progress)

    def report(stage: str, iteration: int, log_likelihood: float) -> None:
        progress(stage, iteration, settings.max_iterations, f"log likelihood {log_likelihood:.3f} a frame")

    everyone = range(len(material.utterances))
    models = train(*material.training_set(everyone, words), settings, jobs=jobs, progress=report)
    speakers = {u.speaker for u in material.utterances} - {None}
    card = {
        "made": date.today().isoformat(),
        "utterances": len(material.utterances),
        "speakers": len(speakers) or None,
        "perturbations": [asdict(p) for p in perturbations],
        "held_out": held_out,
        **(card or {}),
    }
    return Model(words, material.front_end, endpointer, models, calibration, card), refused


def corpus_rate(utterances: Sequence[Utterance]) -> int:
    """The rate to train at: 16 kHz if most recordings have it, else 8 kHz."""
    import soundfile

    rates = []
    for utterance in utterances[:: max(1, len(utterances) // 200)]:
        try:
            rates.append(soundfile.info(str(utterance.path)).samplerate)
        except (OSError, RuntimeError, TypeError):  # unreadable ones are reported when they are loaded
            continue
    return 16000 if rates and np.median(rates) >= 16000 else 8000


def _analyse(utterances, front_end, endpointer, settings, perturbations, jobs, progress):
    """Analyse every recording, normalise, and set aside what cannot be trained on."""
    kept: list[Utterance] = []
    analyses: list[Analysis] = []
    refused: list[Refusal] = []
    found = analyse_files([u.path for u in utterances], front_end, endpointer, perturbations, finish=False, jobs=jobs)
    for number, (utterance, analysis) in enumerate(zip(utterances, found), 1):
        progress("analysis", number, len(utterances), "")
        if isinstance(analysis, AudioError):
            refused.append(Refusal(utterance, str(analysis)))
        elif analysis.reason:
            refused.append(Refusal(utterance, f"{shown(utterance.path)}: {_REMEDY[analysis.reason]}"))
        elif (frames := analysis.features[0].shape[1]) < settings.states:
            refused.append(
                Refusal(
                    utterance,
                    f"{shown(utterance.path)}: {frames} frames, fewer than the {settings.states} states of a "
                    "word; record it longer or train with fewer --states",
                )
            )
        else:
            kept.append(utterance)
            analyses.append(analysis)
    if kept:
        mean = np.concatenate([a.features[0] for a in analyses], axis=1).mean(1, dtype=np.float64)
        front_end = replace(front_end, mean=tuple(map(float, mean)))
    finished = [replace(a, features=tuple(front_end.finish(f) for f in a.features)) for a in analyses]
    return _Material(kept, finished, front_end), refused


_REMEDY = {
    "silence": "no speech found; record it again, or leave it out",
    "too short": "too short to hold a word; record it again, or leave it out",
}


def _check_words(words: Sequence[str], material: _Material, refused: Sequence[Refusal]) -> None:
    missing = sorted(set(words) - {u.word for u in material.utterances})
    if missing:
        reason = next(r.reason for r in refused if r.utterance.word == missing[0])
        raise TrainingError(
            f"no usable recording of {', '.join(map(repr, missing))} (such as {reason}); add one or leave the word out"
        )


def _calibrate(
    material: _Material, words: Sequence[str], settings: TrainingSettings, jobs: int, progress: Progress
) -> tuple[Calibration, dict | None]:
    """Calibration, and accuracy, of a model that has not seen every third speaker (or take)."""
    speakers = sorted({u.speaker or "" for u in material.utterances})
    by_speaker = len(speakers) >= HELD_OUT
    groups = [speakers.index(u.speaker or "") if by_speaker else i for i, u in enumerate(material.utterances)]
    fold = [group % HELD_OUT for group in groups]
    seen = [i for i, f in enumerate(fold) if f != 1]
    known = sorted({material.utterances[i].word for i in seen})
    held_out = [i for i, f in enumerate(fold) if f == 1 and material.utterances[i].word in known]
    if len(held_out) < FEWEST_TO_CALIBRATE or len(known) < 2:
        return Calibration(), None
    progress("held-out test", 0, 1, "")
    with warnings.catch_warnings():  # about a model that nobody gets
        warnings.simplefilter("ignore", RecognizerWarning)
        models: WordModels = train(*material.training_set(seen, known), settings, jobs=jobs)
    scores = score_words(models, [material.analyses[i].features[0] for i in held_out])
    truth = np.array([known.index(material.utterances[i].word) for i in held_out])
    correct = int((scores.argmax(1) == truth).sum())
    progress("held-out test", 1, 1, f"{correct} of {len(truth)} right")
    low, high = wilson(correct, len(truth))
    return fit_calibration(scores, truth), {
        "accuracy": correct / len(truth),
        "n": len(truth),
        "interval": [low, high],
        "unseen": "speakers" if by_speaker else "takes",
    }
