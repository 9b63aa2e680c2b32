"""Labelled recordings as a program gives them: in folders and manifests, or as arrays in memory.

Arrays are written to a folder that only their owner may read, and that is gone at the end: so whatever is made of
recordings is made of arrays likewise. Messages name them as the program would, as in `yes[3]`.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from recognizer.corpus import Utterance, find
from recognizer.errors import AudioError, CorpusError, RecognizerError, RecognizerWarning, TrainingError, cited, shown
from recognizer.features.front_end import FrontEnd
from recognizer.sound import audio
from recognizer.sound.channels import told

MANIFEST = "words.csv"
RATES = (4000, 48000)  # Hz, least and greatest of a model

Corpora = str | Path | Sequence[str | Path]
Recordings = Corpora | Mapping[str, Sequence[np.ndarray]]


@contextmanager
def labelled(
    recordings: Recordings, sample_rate: int | None, layout: str | None = None, known: Collection[str] = ()
) -> Iterator[tuple[list[Utterance], Callable[[str], str]]]:
    """Recordings, as files to read while the context lasts.

    Parameters
    ----------
    recordings : a folder or a manifest, or several, as `corpus.find` takes them; or of each word its recordings, as
        `audio.prepare` takes them
    sample_rate : of these, Hz; None with files
    layout, known : how files are named, and words that may be said, as for `corpus.find`

    Yields
    ------
    utterances : sorted by path; those of arrays by word, in their order
    named : gives a message with the names that the program knows instead of those of files

    Raises
    ------
    CorpusError
        if there is no recording, or a word is none; see `corpus.find`.
    AudioError
        if an array is no sound.

    Warns
    -----
    RecognizerWarning
        if of some arrays a single channel was taken.
    """
    if not isinstance(recordings, Mapping):
        if sample_rate is not None:
            raise TypeError("sample_rate goes with samples; files know their own")
        yield find(*as_corpora(recordings), layout=layout, known=known), str
        return
    if sample_rate is None:
        raise TypeError("samples need their sample_rate in Hz, as in train({'yes': [samples, ...]}, 16000)")
    with tempfile.TemporaryDirectory() as place:
        names = _write(Path(place), recordings, sample_rate)
        written = re.compile(re.escape(place + os.sep) + rf"(?:(\d+)\.wav|{re.escape(MANIFEST)}: line (\d+))")

        def named(message: str) -> str:
            return written.sub(lambda found: names[int(found[1] or int(found[2]) - 2)], message)

        try:
            yield find(Path(place) / MANIFEST), named
        except RecognizerError as error:
            raise type(error)(named(str(error))) from error


def as_corpora(corpora: Corpora) -> Sequence[str | Path]:
    """Folders and manifests, of which a single one may be given by itself."""
    return [corpora] if isinstance(corpora, str | Path) else corpora


def front_end_at(sample_rate: int) -> FrontEnd:
    """The defaults for a model's rate in Hz, which must be one that speech can be heard at."""
    least, most = RATES
    if not least <= sample_rate <= most:
        raise TrainingError(f"model_rate is {sample_rate} Hz; it must be from {least} to {most}")
    return FrontEnd.for_rate(sample_rate)


def _write(place: Path, recordings: Mapping[str, Sequence[np.ndarray]], sample_rate: int) -> list[str]:
    """Write arrays as `{number}.wav`, to the last bit, with a manifest; gives what each is called."""
    import soundfile

    names, rows, alone = [], [], []
    for word in sorted(recordings):
        if not isinstance(word, str):
            raise TypeError(f"a word is {word!r}; words are of type str")
        if isinstance(recordings[word], np.ndarray) and recordings[word].ndim == 1:
            raise TypeError(f"the word {word!r} has an array; give a list of arrays, one a recording")
        for take, samples in enumerate(recordings[word]):
            if isinstance(samples, str | Path):
                raise TypeError(f"the word {word!r} has {samples!r}; give arrays, or files by folder or manifest")
            name = f"{shown(word)}[{take}]"
            try:
                recording = audio.prepare(samples, sample_rate, sample_rate)
            except AudioError as error:
                raise AudioError(f"{name}: {error}") from error
            if recording.channel:
                alone.append((Path(name), recording.channel))
            file = f"{len(names):06d}.wav"
            soundfile.write(place / file, recording.samples, recording.sample_rate, subtype="FLOAT")
            rows.append((file, word))
            names.append(name)
    if not names:
        raise CorpusError("no recordings are given; give some of each word, as in {'yes': [samples, ...]}")
    if empty := [word for word in sorted(recordings) if not len(recordings[word])]:
        raise CorpusError(f"the word {cited(empty[0])} has no recordings; give some, or leave the word out")
    if alone:
        warnings.warn(told(alone), RecognizerWarning, stacklevel=5)
    with open(place / MANIFEST, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "word"), *rows])
    return names
