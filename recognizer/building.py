"""From a corpus to a model: analyse all recordings, train, calibrate on speech held out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np

from recognizer.analysis import Analysis, analyse, analyse_files, analyse_pieces
from recognizer.audio import Recording, shown
from recognizer.corpus import Utterance
from recognizer.decoding import Calibration, fit_calibration, posteriors
from recognizer.endpoint import Endpointer
from recognizer.errors import AudioError, RecognizerWarning, TrainingError
from recognizer.evaluation import wilson
from recognizer.features import FrontEnd
from recognizer.model import Model
from recognizer.noises import synthetic_noises
from recognizer.perturbation import PLAIN, Perturbation
from recognizer.rejection import Rejection, default, examine, fit, train_noise, with_operating_points
from recognizer.training import TrainingSettings, WordModels, train, variance_floor

HELD_OUT = 3  # every third speaker, or take, is held out to calibrate
FEWEST_TO_CALIBRATE = 30  # held-out utterances; below, the default calibration is kept
FEWEST_WORDS = 3  # to leave one out: two must stay, for the lead of one over the other is evidence
NOISES = 120  # made up: half of them to train on, half to calibrate on
NOISES_COUNT = 0.5  # of what all words left out count for together, and so do all unknown recordings count 1

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
    unknown: Sequence[Path] = (),
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
    unknown : recordings of other words and of noises, to be rejected; every folder of them counts the same
    calibrate : train a second model without a third of the speakers (or takes), to fit confidences and
        rejection on them and to see how many of them it gets right; a model without never rejects
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
    strangers, unreadable = _strangers(unknown, words, material.front_end, endpointer, jobs) if calibrate else ([], [])
    refused += unreadable
    trial = Trial()
    if calibrate:
        trial = _try(material, words, settings, endpointer, strangers, jobs, progress)

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
        "held_out": trial.held_out,
        **(card or {}),
    }
    return Model(words, material.front_end, endpointer, models, trial.calibration, trial.rejection, card), refused


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


@dataclass(frozen=True)
class Trial:
    """What a model learned that had not heard every third speaker (or take).

    Attributes
    ----------
    calibration, rejection : fitted on them; defaults where they are too few
    held_out : how many of them it got right, for the card
    """

    calibration: Calibration = field(default_factory=Calibration)
    rejection: Rejection | None = None
    held_out: dict | None = None


def _try(
    material: _Material,
    words: Sequence[str],
    settings: TrainingSettings,
    endpointer: Endpointer,
    strangers: Sequence[tuple[str, np.ndarray]],
    jobs: int,
    progress: Progress,
) -> Trial:
    """Train without every third speaker (or take), and calibrate on them."""
    noises = _noises(material.front_end, endpointer)
    everything = np.concatenate([f for analysis in material.analyses for f in analysis.features])
    noise = train_noise(noises[::2], variance_floor(everything, settings))
    speakers = sorted({u.speaker or "" for u in material.utterances})
    by_speaker = len(speakers) >= HELD_OUT
    groups = [speakers.index(u.speaker or "") if by_speaker else i for i, u in enumerate(material.utterances)]
    fold = [group % HELD_OUT for group in groups]
    seen = [i for i, f in enumerate(fold) if f != 1]
    known = sorted({material.utterances[i].word for i in seen})
    held_out = [i for i, f in enumerate(fold) if f == 1 and material.utterances[i].word in known]
    if len(held_out) < FEWEST_TO_CALIBRATE or len(known) < 2:
        return Trial(rejection=default(noise))
    progress("held-out test", 0, 1, "")
    with warnings.catch_warnings():  # about a model that nobody gets
        warnings.simplefilter("ignore", RecognizerWarning)
        models: WordModels = train(*material.training_set(seen, known), settings, jobs=jobs)
    features = [material.analyses[i].features[0] for i in held_out]
    truth = np.array([known.index(material.utterances[i].word) for i in held_out])
    found = examine(models, noise, features)
    correct = int((found.scores.argmax(1) == truth).sum())
    progress("held-out test", 1, 1, f"{correct} of {len(truth)} right")
    # A speaker's takes are alike: a hundred of them tell less than takes of a hundred speakers.
    takes = _shares([groups[i] for i in held_out])
    calibration = fit_calibration(found.scores, truth, np.sqrt(takes))

    other, weight = [examine(models, noise, noises[1::2]).evidence], [np.full(len(noises[1::2]), NOISES_COUNT)]
    if len(known) >= FEWEST_WORDS:
        other.append(examine(models, noise, features, left_out=truth).evidence)
        weight.append(np.sqrt(takes))
    if strangers:
        other.append(examine(models, noise, [f for _, f in strangers]).evidence)
        weight.append(_shares([folder for folder, _ in strangers]))
    count = [NOISES_COUNT, *[1.0] * (len(weight) - 1)]
    weight = np.concatenate([c * w / w.sum() for c, w in zip(count, weight)])
    rejection = fit(noise, found.evidence, np.sqrt(takes), np.concatenate(other), weight)
    probable = np.minimum(posteriors(found.scores, calibration).max(1), rejection.known(found.evidence))
    low, high = wilson(correct, len(truth))
    return Trial(
        calibration,
        with_operating_points(rejection, probable, takes),
        {
            "accuracy": correct / len(truth),
            "n": len(truth),
            "interval": [low, high],
            "unseen": "speakers" if by_speaker else "takes",
        },
    )


def _shares(groups: Sequence) -> np.ndarray:
    """A weight for each member, so that all groups weigh one."""
    _, group, size = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    return 1.0 / size[group]


def _noises(front_end: FrontEnd, endpointer: Endpointer) -> list[np.ndarray]:
    """Features of made-up noises."""
    rate = front_end.sample_rate
    found = (analyse(Recording(x, rate, rate), front_end, endpointer) for x in synthetic_noises(NOISES, rate))
    return [analysis.features[0] for analysis in found if analysis.features]


def _strangers(
    paths: Sequence[Path], words: Sequence[str], front_end: FrontEnd, endpointer: Endpointer, jobs: int
) -> tuple[list[tuple[str, np.ndarray]], list[Refusal]]:
    """Features of unknown recordings, each with its folder, and those that cannot be read."""
    strangers, refused = [], []
    for path, pieces in zip(paths, analyse_pieces(paths, front_end, endpointer, jobs=jobs)):
        if isinstance(pieces, AudioError):
            refused.append(Refusal(Utterance(path, "", None), str(pieces)))
        else:
            strangers += [(str(path.parent), piece.features[0]) for piece in pieces if piece.features]
    return strangers, refused
