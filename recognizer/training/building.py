"""From a corpus to a model: analyse all recordings, train, calibrate on speech held out."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

import numpy as np

from recognizer.corpus import Utterance, conflict, conflicting, same_content
from recognizer.errors import AudioError, RecognizerWarning, TrainingError, cited, listed, shown
from recognizer.features import parameter_files
from recognizer.features.analysis import FILES_AT_ONCE, Analyser, Analysis, finished
from recognizer.features.cache import Cache
from recognizer.features.front_end import FrontEnd, GivenFeatures
from recognizer.features.store import Store
from recognizer.files import brought
from recognizer.model import Model, too_large
from recognizer.parallel import Workers
from recognizer.parallel.here import in_one_thread
from recognizer.sound.audio import opened
from recognizer.sound.channels import told
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.perturbation import MILD, PLAIN, Perturbation
from recognizer.training.augmentation import Augmentation
from recognizer.training.checkpoints import Checkpoints
from recognizer.training.settings import TrainingSettings
from recognizer.training.trials import (
    ENOUGH_TO_CALIBRATE,
    HeldOut,
    Progress,
    Refusal,
    TrainingData,
    hold_out,
    unknown_features,
)

FEW_TAKES = 15  # of a word, on average; with more there is little to gain
BORROWED_FRAMES = 20.0  # of each Gaussian: as many as a take of a word has in two states
A_RECORDING = 2_000  # bytes of memory for all that is known of one beside its features
START = 220_000_000  # bytes of memory for clustering the frames of one state, at most
LEAST = 1 / 20  # of the memory asked for, that features have in any case
STATIC = 1 / 4  # of the memory for features: a third of what they become with their derivatives
FLOOR_BESIDE_BORROWED = 0.1  # lower than the usual one, whose task what is borrowed takes over


@in_one_thread
def build(
    utterances: Sequence[Utterance],
    *,
    front_end: FrontEnd | None = None,
    endpointer: Endpointer = Endpointer(),
    settings: TrainingSettings = TrainingSettings(),
    perturbations: Sequence[Perturbation] = (),
    augmentation: Augmentation | None = None,
    unknown: Mapping[Path, Path] = MappingProxyType({}),
    calibrate: bool = True,
    enough: int = ENOUGH_TO_CALIBRATE,
    few: bool | None = None,
    jobs: int | Workers = 1,
    memory: int | None = None,
    cache: Path | None = None,
    checkpoints: Path | None = None,
    resume: bool = False,
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
    augmentation : how further copies are drawn at random, others of each recording
    unknown : recordings of other words and of noises, to be rejected, each with the folder it was given in; these
        folders all count the same
    calibrate : train a second model without a third of the speakers (or takes), to fit confidences and
        rejection on them and to see how many of them it gets right; a model without never rejects
    enough : utterances to hold out: up to two more such models are trained, each without another third of the
        speakers, until there are so many
    few : train as few recordings of a word demand: on mild copies of them beside what is asked for, with
        variances borrowed from all words; when None, if there are up to FEW_TAKES of a word
    jobs : processes, or what else works
    memory : bytes for features and what else grows with the recordings, all when None; what has no room goes to a
        file. The model is the same
    cache : a folder where what was heard in recordings is kept, for the next training from them
    checkpoints : a folder for what a later call needs to go on where this one was ended; of no use once the model is
        saved, see `Checkpoints.remove`
    resume : go on from what is there
    card : what to say of the data and their licence
    progress : called with stage, steps done, steps in all, and a note

    Returns
    -------
    model : the model, calibrated
    refused : the utterances left out

    Raises
    ------
    TrainingError
        if a word has no utterance that can be trained on, or the checkpoints are of another training.

    Warns
    -----
    RecognizerWarning
        if of some recordings a single channel was taken.
    """
    front_end = front_end or corpus_front_end(utterances)
    _check_sound(front_end, unknown)
    data, refused = training_data(
        utterances,
        front_end=front_end,
        endpointer=endpointer,
        settings=settings,
        perturbations=perturbations,
        augmentation=augmentation,
        few=few,
        jobs=jobs,
        memory=memory,
        cache=cache,
        progress=progress,
    )
    if checkpoints is not None:
        data = replace(data, checkpoints=Checkpoints(checkpoints, _identity(data)))
        if not resume:
            data.checkpoints.remove()
    held_out = HeldOut()
    if calibrate:
        strangers, unreadable = unknown_features(unknown, data.analyser, jobs)
        refused += unreadable
        held_out = hold_out(data, strangers, enough, progress).fit()

    def report(stage: str, iteration: int, log_likelihood: float) -> None:
        progress(stage, iteration, settings.max_iterations, f"log likelihood {log_likelihood:.3f} a frame")

    models = data.train(range(len(data.utterances)), data.words, report)
    speakers = {u.speaker for u in data.utterances} - {None}
    card = {
        "made": date.today().isoformat(),
        "utterances": len(data.utterances),
        "speakers": len(speakers) or None,
        "perturbations": [p.as_json() for p in data.perturbations],
        **({"augmentation": augmentation.as_json()} if augmentation else {}),
        "held_out": held_out.held_out,
        **(card or {}),
    }
    calibration, rejection = held_out.calibration, held_out.rejection
    return Model(data.words, data.analyser.front_end, endpointer, models, calibration, rejection, card), refused


def training_data(
    utterances: Sequence[Utterance],
    *,
    front_end: FrontEnd | GivenFeatures | None = None,
    endpointer: Endpointer = Endpointer(),
    settings: TrainingSettings = TrainingSettings(),
    perturbations: Sequence[Perturbation] = (),
    augmentation: Augmentation | None = None,
    few: bool | None = None,
    jobs: int | Workers = 1,
    memory: int | None = None,
    cache: Path | None = None,
    progress: Progress = lambda stage, done, total, note: None,
) -> tuple[TrainingData, list[Refusal]]:
    """Analyse a corpus to train on: the first half of `build`, whose parameters and errors it shares.

    Returns
    -------
    data : what can be trained on
    refused : the utterances left out
    """
    front_end = front_end or corpus_front_end(utterances)
    _check_sound(front_end, perturbations or augmentation)
    words = tuple(sorted({u.word for u in utterances}))
    if found := too_large(len(words), settings.states + 2):  # now, and not when it is trained and cannot be read
        raise TrainingError(f"no such model can be read again: {found}; train with fewer states, or on fewer words")
    if len(utterances) <= FEW_TAKES * len(words) if few is None else few:
        settings = replace(settings, borrowed_frames=BORROWED_FRAMES, variance_floor=FLOOR_BESIDE_BORROWED)
        perturbations = tuple(dict.fromkeys((*perturbations, *(MILD if front_end.hears else ()))))
    analyser = Analyser(front_end, endpointer, cache=cache and Cache(cache)).reading((PLAIN, *perturbations))

    def analysed(chosen: Sequence[Utterance]) -> tuple[TrainingData, list[Refusal]]:
        copies = augmentation.draws(chosen) if augmentation else None
        return _analyse(chosen, analyser, copies, settings, jobs, memory, progress)

    data, refused = analysed(utterances)
    contents = {utterance.path: analysis.content for utterance, analysis in zip(data.utterances, data.analyses)}
    # Only of what could be trained on: all silence is the same.
    if conflicts := conflicting(same_content(data.utterances, contents.get).values()):
        doubtful = {utterance for group in conflicts for utterance in group}
        del data  # and its memory
        data, refused = analysed([utterance for utterance in utterances if utterance not in doubtful])
        refused = [*(Refusal(group[0], conflict(group)) for group in conflicts), *refused]
    _check_words(words, data, refused)
    return data, refused


def _identity(data: TrainingData) -> str:
    """What tells a training from others: all that its models are made of."""
    digest = hashlib.sha256(json.dumps([data.analyser.front_end.settings, asdict(data.settings)]).encode())
    for utterance, analysis in zip(data.utterances, data.analyses, strict=True):
        about = utterance.word, utterance.speaker, utterance.weight, analysis.spans
        digest.update(json.dumps(about).encode())
        for features in analysis.features:
            digest.update(np.ascontiguousarray(features))
    return digest.hexdigest()


def _check_sound(front_end: FrontEnd | GivenFeatures, wanted: object) -> None:
    if wanted and not front_end.hears:
        raise TrainingError(
            "copies with other tracts or noise, and what is unknown, need sound, and these are parameter files; "
            "leave them out"
        )


def corpus_front_end(utterances: Sequence[Utterance]) -> FrontEnd | GivenFeatures:
    """The defaults for the sample rate of recordings; of parameter files, what is in the first that can be read.

    Raises
    ------
    TrainingError
        if that holds symbols.
    """
    given = [u.path for u in utterances if u.path.suffix.lower() in parameter_files.SUFFIXES]
    for path in given if len(given) == len(utterances) else ():
        try:
            found = parameter_files.read(path)
        except AudioError:
            continue
        if found.kind == "DISCRETE":
            raise TrainingError(
                f"{shown(path)}: holds symbols, which cannot be clustered again; train from the features they stand for"
            )
        return GivenFeatures(parameter_files.normalised_kind(found.kind), found.vectors.shape[1], found.period)
    return FrontEnd.for_rate(corpus_rate(utterances))


def corpus_rate(utterances: Sequence[Utterance]) -> int:
    """The rate to train at: 16 kHz if most recordings have it, else 8 kHz."""
    rates, chosen = [], [utterance.path for utterance in utterances[:: max(1, len(utterances) // 200)]]
    with brought(chosen):
        for path in chosen:
            # Unreadable ones are reported when they are loaded.
            with suppress(AudioError, OSError, RuntimeError, TypeError, ValueError), opened(path) as sound:
                rates.append(sound.samplerate)
    return 16000 if rates and np.median(rates) >= 16000 else 8000


def _analyse(
    utterances: Sequence[Utterance],
    analyser: Analyser,
    copies: Sequence[Sequence[Perturbation]] | None,
    settings: TrainingSettings,
    jobs: int | Workers,
    memory: int | None,
    progress: Progress,
) -> tuple[TrainingData, list[Refusal]]:
    """Analyse every recording in all ways, normalise, and set aside what cannot be trained on."""
    kept: list[Utterance] = []
    analyses: list[Analysis] = []
    refused: list[Refusal] = []
    lone: list[tuple[Path, int]] = []
    if memory is not None:
        memory = round(max(LEAST * memory, memory - A_RECORDING * len(utterances) - START))
    static = Store(None if memory is None else round(STATIC * memory))
    found = analyser.analyse_files([u.path for u in utterances], copies, jobs=jobs)
    for number, (utterance, analysis) in enumerate(zip(utterances, found), 1):
        progress("analysis", number, len(utterances), "")
        if isinstance(analysis, Analysis) and analysis.channel:
            lone.append((utterance.path, analysis.channel))
        if isinstance(analysis, AudioError):
            refused.append(Refusal(utterance, str(analysis)))
        elif analysis.reason:
            refused.append(Refusal(utterance, f"{shown(utterance.path)}: {_REMEDY[analysis.reason]}"))
        elif (frames := len(analysis.features[0])) < settings.states:
            refused.append(
                Refusal(
                    utterance,
                    f"{shown(utterance.path)}: {frames} frames, fewer than the {settings.states} states of a "
                    "word; record it longer or train with fewer states",
                )
            )
        else:
            kept.append(utterance)
            long_enough = tuple(f for f in analysis.features if len(f) >= settings.states)  # not all of hurried copies
            analyses.append(replace(analysis, features=tuple(map(static.keep, long_enough))))
    if lone:
        warnings.warn(told(lone), RecognizerWarning, stacklevel=4)
    front_end = analyser.front_end
    if kept:
        front_end = front_end.with_speech([a.features[0] for a in analyses], [a.speech for a in analyses])
    store = Store(None if memory is None else round((1 - STATIC) * memory))
    for first in range(0, len(analyses), FILES_AT_ONCE):
        part = slice(first, first + FILES_AT_ONCE)
        done = finished(analyses[part], front_end)
        analyses[part] = [replace(a, features=tuple(map(store.keep, a.features))) for a in done]
    own = Analyser(front_end, analyser.endpointer)
    return TrainingData(kept, analyses, own, settings, jobs, analyser.perturbations[1:]), refused


_REMEDY = {
    "too quiet": "no speech found; record it again, or leave it out",
    "too long": "too long for a word; cut it up, or leave it out",
    "too short": "too short to hold a word; record it again, or leave it out",
}


def _check_words(words: Sequence[str], data: TrainingData, refused: Sequence[Refusal]) -> None:
    missing = sorted(set(words) - {u.word for u in data.utterances})
    if missing:
        reason = next((r.reason for r in refused if r.utterance.word == missing[0]), refused[0].reason)
        raise TrainingError(
            f"no usable recording of {listed(map(cited, missing))} (such as {reason}); add one or leave the word out"
        )
