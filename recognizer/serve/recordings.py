"""Recordings that come whole: the word in one, or all words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recognizer.errors import AudioError, cited, shown
from recognizer.evaluation.explanation import explain
from recognizer.live.events import Answer, Event
from recognizer.live.session import Session, listen
from recognizer.recognizer import FileResult, Recognizer
from recognizer.serve.query import Wishes
from recognizer.sound.audio import prepare
from recognizer.sound.segmenter import Segmentation
from recognizer.sound.source import AT_ONCE, Block, play

SAMPLE = np.dtype("<i2")  # of sound that comes without a file
MOST_EXPLAINED = 8  # words beside each other: more are no rivals of the first
OF_LIVE = ("event", "time", "latency")  # what only a stream can tell


def recognized(recognizer: Recognizer, path: Path, wishes: Wishes) -> dict:
    """What `batch` says of a recording.

    Raises
    ------
    AudioError
        if it cannot be read.
    ModelError
        if a word is not in the vocabulary.
    """
    how = {"words": wishes.chosen(recognizer.words), "threshold": wishes.threshold}
    if wishes.rate is None:
        (found,) = recognizer.recognize_files([path], **how)
        if found.error is not None:
            raise AudioError(_of_the_recording(found.error, path))
    else:
        result = recognizer.recognize(samples_of(path.read_bytes()), wishes.rate, **how)
        found = FileResult(path, result, source_rate=wishes.rate)
    record = found.record()
    del record["file"], record["error"]
    return record


def transcribing(recognizer: Recognizer, path: Path, wishes: Wishes) -> Iterator[list[dict]]:
    """What `transcribe` says of a recording, one list for each second of it, most of them empty.

    Raises
    ------
    AudioError
        if it cannot be read.
    ModelError
        at once, if a word is not in the vocabulary.
    """
    session = Session(
        recognizer,
        words=wishes.chosen(recognizer.words),
        threshold=wishes.threshold,
        segmentation=Segmentation(hangover=wishes.hangover),
        partial=False,
    )
    sounds = play(path, fast=True, seconds=AT_ONCE) if wishes.rate is None else _pieces(path, wishes.rate)

    def answers() -> Iterator[list[dict]]:
        try:
            for events in listen(sounds, session):
                yield [_record(event) for event in events if isinstance(event, Answer)]
        except AudioError as error:
            raise AudioError(_of_the_recording(str(error), path)) from error

    return answers()


def explained(recognizer: Recognizer, path: Path, wishes: Wishes) -> dict:
    """Why a recording is taken for a word, see `evaluation.explanation`.

    Raises
    ------
    AudioError
        if it cannot be read, or has no word in it.
    ModelError
        if a word is not in the vocabulary.
    """
    model, words = recognizer.model, recognizer.indices(wishes.chosen(recognizer.words))
    if wishes.rate is None:
        try:
            analysis = model.analyser.analyse_file(path)
        except AudioError as error:
            raise AudioError(_of_the_recording(str(error), path)) from error
    else:
        rate = model.front_end.sample_rate
        analysis = model.analyser.analyse(prepare(samples_of(path.read_bytes()), wishes.rate, rate))
    return {"words": [word.record() for word in explain(analysis, model, words, MOST_EXPLAINED)]}


def samples_of(data: bytes) -> np.ndarray:
    """Sound that comes without a file: 16-bit integers, little-endian, of one channel.

    Raises
    ------
    AudioError
        if half a sample is among them, or none.
    """
    if len(data) % SAMPLE.itemsize:
        raise AudioError(f"{len(data)} bytes are no whole 16-bit samples; send two bytes each")
    if not data:
        raise AudioError("no sound came; send samples or a file as the body")
    return np.frombuffer(data, SAMPLE).astype(np.int16)


def _record(event: Event) -> dict:
    return {name: value for name, value in event.record().items() if name not in OF_LIVE}


def _pieces(path: Path, rate: int) -> Iterator[Block]:
    """Of samples in a file, a second each."""
    samples, size = samples_of(path.read_bytes()), round(AT_ONCE * rate)
    for first in range(0, len(samples), size):
        yield Block(samples[first : first + size] / np.float32(32768), rate, time.perf_counter())


def _of_the_recording(error: str, path: Path) -> str:
    """What is wrong, without the name that the file has here."""
    return error.removeprefix(f"{shown(path)}: ").replace(cited(path), "the recording")
