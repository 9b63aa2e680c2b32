"""From a corpus to a model: analyse all recordings, train, calibrate on speech held out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
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
from recognizer.features import FrontEnd, GivenFeatures
from recognizer.gmm import GaussianBank
from recognizer.htk import parameters
from recognizer.model import Model
from recognizer.noises import synthetic_noises
from recognizer.perturbation import MILD, PLAIN, Perturbation
from recognizer.rejection import Rejection, default, examine, fit, train_noise, with_operating_points
from recognizer.training import TrainingSettings, WordModels, train, variance_floor

FEW_TAKES = 15  # of a word, on average; with more there is little to gain
BORROWED_FRAMES = 20.0
FLOOR_BESIDE_BORROWED = 0.1  # lower than the usual one, whose task what is borrowed takes over
HELD_OUT = 3  # every third speaker, or take, is held out to calibrate
FEWEST_TO_CALIBRATE = 30  # held-out utterances; below, the default calibration is kept
ENOUGH_TO_CALIBRATE = 300  # held-out utterances; a trial more, of other speakers, is made until there are so many
FEWEST_WORDS = 3  # to leave one out: two must stay, for the lead of one over the other is evidence
NOISES = 120  # made up: half of them to train on, half to calibrate on
NOISES_COUNT = 1.0  # for all of them together, as much as for all words left out, or all unknown recordings

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
    front_end: FrontEnd | GivenFeatures

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
    enough: int = ENOUGH_TO_CALIBRATE,
    few: bool | None = None,
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
    enough : utterances to hold out: up to two more such models are trained, each without another third of the
        speakers, until there are so many
    few : train as few recordings of a word demand: on mild copies of them beside what is asked for, with
        variances borrowed from the background model; when None, if there are up to FEW_TAKES of a word
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
    front_end = front_end or corpus_front_end(utterances)
    if (perturbations or unknown) and not front_end.hears:
        raise TrainingError(
            "copies with other tracts or noise, and what is unknown, need sound, and these are parameter files; "
            "leave them out"
        )
    words = tuple(sorted({u.word for u in utterances}))
    if len(utterances) <= FEW_TAKES * len(words) if few is None else few:
        settings = replace(settings, borrowed_frames=BORROWED_FRAMES, variance_floor=FLOOR_BESIDE_BORROWED)
        perturbations = tuple(dict.fromkeys((*perturbations, *(MILD if front_end.hears else ()))))
    material, refused = _analyse(utterances, front_end, endpointer, settings, (PLAIN, *perturbations), jobs, progress)
    _check_words(words, material, refused)
    strangers, unreadable = _strangers(unknown, words, material.front_end, endpointer, jobs) if calibrate else ([], [])
    refused += unreadable
    calibrated = Calibrated()
    if calibrate:
        calibrated = _calibrate(material, words, settings, endpointer, strangers, enough, jobs, progress)

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
        "held_out": calibrated.held_out,
        **(card or {}),
    }
    calibration, rejection = calibrated.calibration, calibrated.rejection
    return Model(words, material.front_end, endpointer, models, calibration, rejection, card), refused


def corpus_front_end(utterances: Sequence[Utterance]) -> FrontEnd | GivenFeatures:
    """The defaults for the sample rate of recordings; of parameter files, what is in the first that can be read.

    Raises
    ------
    TrainingError
        if that holds symbols.
    """
    given = [u.path for u in utterances if u.path.suffix.lower() in parameters.SUFFIXES]
    for path in given if len(given) == len(utterances) else ():
        try:
            found = parameters.read(path)
        except AudioError:
            continue
        if found.kind == "DISCRETE":
            raise TrainingError(
                f"{shown(path)}: holds symbols, which cannot be clustered again; train from the features they stand for"
            )
        return GivenFeatures(parameters.normalised_kind(found.kind), found.vectors.shape[1], found.period)
    return FrontEnd.for_rate(corpus_rate(utterances))


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
        front_end = front_end.with_speech(
            np.concatenate([a.features[0][:, slice(*a.speech)] for a in analyses], axis=1)
        )
    finished = [replace(a, features=tuple(front_end.finish(f, a.speech) for f in a.features)) for a in analyses]
    return _Material(kept, finished, front_end), refused


_REMEDY = {
    "too quiet": "no speech found; record it again, or leave it out",
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
class Calibrated:
    """What was fitted on speech held out of the training; defaults where that is too little.

    Attributes
    ----------
    calibration, rejection : for the model
    held_out : how many utterances the first trial got right, for the card
    """

    calibration: Calibration = field(default_factory=Calibration)
    rejection: Rejection | None = None
    held_out: dict | None = None


@dataclass(frozen=True)
class _Trial:
    """A model that has not heard every third speaker (or take), tried on them and on what is to be rejected.

    Attributes
    ----------
    members : (U,) which utterances were held out
    truth : (U,) indices of their words
    scores : (U, W), -inf for words that the trial's model lacks
    evidence : (U, E)
    left_out : (U, E), where the word itself was left out of the vocabulary; (0, E) with too few words
    noises, strangers : (N, E) and (M, E)
    """

    members: np.ndarray
    truth: np.ndarray
    scores: np.ndarray
    evidence: np.ndarray
    left_out: np.ndarray
    noises: np.ndarray
    strangers: np.ndarray


def _calibrate(
    material: _Material,
    words: Sequence[str],
    settings: TrainingSettings,
    endpointer: Endpointer,
    strangers: Sequence[tuple[str, np.ndarray]],
    enough: int,
    jobs: int,
    progress: Progress,
) -> Calibrated:
    """Calibration and rejection from as many trials as it takes to hold out enough."""
    if not material.utterances:
        return Calibrated()
    noises = _noises(material.front_end, endpointer) if material.front_end.hears else []
    everything = np.concatenate([f for analysis in material.analyses for f in analysis.features])
    noise = train_noise(noises[::2], variance_floor(everything, settings)) if noises else None
    speakers = sorted({u.speaker or "" for u in material.utterances})
    by_speaker = len(speakers) >= HELD_OUT
    groups = np.array([speakers.index(u.speaker or "") if by_speaker else i for i, u in enumerate(material.utterances)])
    others = [f for _, f in strangers]
    trials: list[_Trial] = []
    for fold in (1, 2, 0):
        if sum(len(trial.truth) for trial in trials) >= enough:
            break
        seen = np.flatnonzero(groups % HELD_OUT != fold)
        known = sorted({material.utterances[i].word for i in seen})
        members = [i for i in np.flatnonzero(groups % HELD_OUT == fold) if material.utterances[i].word in known]
        if len(known) < 2 or len(members) < FEWEST_TO_CALIBRATE:
            if not trials:
                return Calibrated(rejection=noise and default(noise))
            continue
        progress("held-out test", len(trials), HELD_OUT, "")
        trials.append(_try(material, words, seen, np.array(members), noise, noises[1::2], others, settings, jobs))
        right = int((trials[-1].scores.argmax(1) == trials[-1].truth).sum())
        progress("held-out test", len(trials), HELD_OUT, f"{right} of {len(members)} right")
    first = trials[0]
    correct, n = int((first.scores.argmax(1) == first.truth).sum()), len(first.truth)
    held_out = {
        "accuracy": correct / n,
        "n": n,
        "interval": list(wilson(correct, n)),
        "unseen": "speakers" if by_speaker else "takes",
    }
    return Calibrated(*_fit(noise, trials, groups, [folder for folder, _ in strangers]), held_out)


def _try(
    material: _Material,
    words: Sequence[str],
    seen: np.ndarray,
    members: np.ndarray,
    noise: GaussianBank | None,
    noises: Sequence[np.ndarray],
    strangers: Sequence[np.ndarray],
    settings: TrainingSettings,
    jobs: int,
) -> _Trial:
    """Train on some utterances, and try the model on others of the same words."""
    known = sorted({material.utterances[i].word for i in seen})
    with warnings.catch_warnings():  # about a model that nobody gets
        warnings.simplefilter("ignore", RecognizerWarning)
        models: WordModels = train(*material.training_set(seen, known), settings, jobs=jobs)
    features = [material.analyses[i].features[0] for i in members]
    truth = np.array([known.index(material.utterances[i].word) for i in members])
    found = examine(models, noise, features)
    scores = np.full((len(members), len(words)), -np.inf)
    column = np.array([words.index(word) for word in known])
    scores[:, column] = found.scores
    left_out = found.evidence[:0]
    if len(known) >= FEWEST_WORDS:
        left_out = examine(models, noise, features, left_out=truth).evidence
    sounds = [examine(models, noise, sound).evidence for sound in (noises, strangers)]
    return _Trial(members, column[truth], scores, found.evidence, left_out, *sounds)


def _fit(
    noise: GaussianBank | None, trials: Sequence[_Trial], groups: np.ndarray, folders: Sequence[str]
) -> tuple[Calibration, Rejection | None]:
    """Calibration and rejection from all trials together; no rejection where nothing is known of noise.

    What the trials mistake for another word is no example of a word known: to reject it is right.
    """
    pooled = {f.name: np.concatenate([getattr(trial, f.name) for trial in trials]) for f in fields(_Trial)}
    scores, truth, evidence = pooled["scores"], pooled["truth"], pooled["evidence"]
    # A speaker's takes are alike: a hundred of them tell less than takes of a hundred speakers.
    takes = _shares(groups[pooled["members"]])
    weight = np.sqrt(takes)
    calibration = fit_calibration(scores, truth, weight)
    if noise is None:
        return calibration, None
    left_out = np.concatenate([np.full(len(trial.truth), len(trial.left_out) > 0) for trial in trials])
    sounds = [(pooled["left_out"], weight[left_out], 1.0)]
    sounds += [(pooled["noises"], np.ones(len(pooled["noises"])), NOISES_COUNT)]
    sounds += [(pooled["strangers"], np.tile(_shares(folders), len(trials)), 1.0)]
    sounds = [(found, w * count / w.sum()) for found, w, count in sounds if len(found)]
    right = scores.argmax(1) == truth
    if not right.any() or not sounds:
        return calibration, default(noise)
    other, other_weight = (np.concatenate(parts) for parts in zip(*sounds))
    rejection = fit(noise, evidence[right], weight[right], other, other_weight)
    probable = np.minimum(posteriors(scores, calibration).max(1), rejection.known(evidence))
    return calibration, with_operating_points(rejection, probable[right], takes[right])


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
