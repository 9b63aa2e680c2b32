"""Recordings that come whole: the word in one, or all words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from recognizer.errors import AudioError, cited, shown
from recognizer.evaluation.explanation import explain
from recognizer.live.events import Answer
from recognizer.live.session import Session, listen
from recognizer.recognizer import Recognizer
from recognizer.serve.query import Wishes
from recognizer.sound.segmenter import Segmentation
from recognizer.sound.source import AT_ONCE, play

SAMPLE = np.dtype("<i2")  # of sound that comes without a file
MOST_EXPLAINED = 8  # words beside each other: more are no rivals of the first


def recognized(recognizer: Recognizer, paths: Sequence[Path], wishes: Wishes) -> list[dict | AudioError]:
    """What `batch` says of recordings; of one that cannot be read, why.

    Raises
    ------
    ModelError
        if a word is not in the vocabulary.
    """
    how = {"words": wishes.chosen(recognizer.words), "threshold": wishes.threshold}
    answers: list[dict | AudioError] = []
    for path, found in zip(paths, recognizer.recognize_files(paths, **how), strict=True):
        record = found.record()
        del record["file"], record["error"]
        answers.append(record if found.error is None else AudioError(_of_the_recording(found.error, path)))
    return answers


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

    def answers() -> Iterator[list[dict]]:
        try:
            for events in listen(play(path, fast=True, seconds=AT_ONCE), session):
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
    try:
        analysis = model.analyser.analyse_file(path)
    except AudioError as error:
        raise AudioError(_of_the_recording(str(error), path)) from error
    return {"words": [word.record() for word in explain(analysis, model, words, MOST_EXPLAINED)]}


def samples_of(data: bytes) -> np.ndarray:
    """Sound that comes without a file: 16-bit integers, little-endian, of one channel.

    Raises
    ------
    AudioError
        if half a sample is among them, or none.
    """
    check_samples(len(data))
    return np.frombuffer(data, SAMPLE).astype(np.int16)


def check_samples(size: int) -> None:
    """Refuse sound without a file, of so many bytes, that is none."""
    if size % SAMPLE.itemsize:
        raise AudioError(f"{size} bytes are no whole 16-bit samples; send two bytes each")
    if not size:
        raise AudioError("no sound came; send samples or a file as the body")


def _record(answer: Answer) -> dict:
    return answer.result.record() | {"start": round(answer.start, 3), "end": round(answer.end, 3)}


def _of_the_recording(error: str, path: Path) -> str:
    """What is wrong, without the name that the file has here."""
    return error.removeprefix(f"{shown(path)}: ").replace(cited(path), "the recording")
