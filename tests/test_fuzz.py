"""Thousands of changed files of every format: each is answered, or refused in one line; nothing else ever happens."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutating import changed_archive, changed_bytes, changed_text, changed_zip
from synthetic import RATE, WORDS, say

from recognizer import corpus
from recognizer.acoustics.chain import Chain
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.word_models import WordModels
from recognizer.errors import RecognizerError, RecognizerWarning
from recognizer.features import parameter_files
from recognizer.features.front_end import GivenFeatures
from recognizer.features.parameter_files import Parameters
from recognizer.htk.exchange import export_model, import_model
from recognizer.model import Model
from recognizer.recognition.calibration import Calibration
from recognizer.recognition.result import Result
from recognizer.recognizer import Recognizer
from recognizer.sound.endpoint import Endpointer
from recognizer.speakers import store
from recognizer.speakers.profile import Profile

LONGEST_LINE = 1000
SOUND = say("rise")
FEATURES = np.random.default_rng(0).normal(0, 1, (60, 3)).astype(np.float32)


def told(result: Result) -> None:
    """An answer has no number that is not finite."""
    record = {"confidence": result.confidence, "nbest": [one.record() for one in result.nbest]}
    json.dumps(record | {"start": result.start, "end": result.end, "duration": result.duration}, allow_nan=False)
    assert 0 <= result.confidence <= 1
    assert result.accepted == (result.word is not None)


def read_model(path: Path, built: Model) -> None:
    model = Model.load(path)
    words = Recognizer(model)
    if model.front_end.hears:
        told(words.recognize(SOUND, RATE))
        told(words.recognize(SOUND, RATE, threshold=0.0))
    else:
        told(words.recognize(path.with_name("given.mfc"), threshold=0.0))


def read_profile(path: Path, built: Model) -> None:
    fitted = Profile.load(path).apply(built)
    told(Recognizer(fitted).recognize(SOUND, RATE))


def read_speaker(path: Path, built: Model) -> None:
    for name in store.import_(path):
        try:
            if store.has_profile(name):
                told(Recognizer(store.fitted(built, name)).recognize(SOUND, RATE))
        finally:
            store.remove(name)


def read_definitions(path: Path, built: Model) -> None:
    model = import_model(path)
    model.save(path.with_suffix(".npz"))
    model = Model.load(path.with_suffix(".npz"))
    told(Recognizer(model).recognize(path.with_name("given.mfc"), threshold=0.0))


def read_parameters(path: Path, given: Model) -> None:
    told(Recognizer(given).recognize(path, threshold=0.0))


def read_manifest(path: Path, built: Model) -> None:
    for utterance in corpus.find(path):
        assert utterance.word


def read_sound(path: Path, built: Model) -> None:
    told(Recognizer(built).recognize(path))


@dataclass(frozen=True)
class Format:
    """A kind of file: a valid one, how it is changed, and what reads it with a model."""

    name: str
    content: bytes
    change: Callable[[bytes, np.random.Generator], bytes]
    read: Callable[[Path, Model], None]
    model: Model


def given_model() -> Model:
    """Two words over three values a frame."""
    random = np.random.default_rng(1)
    bank = GaussianBank(np.full((7, 2), 0.5), random.normal(0, 1, (7, 2, 3)), np.ones((7, 2, 3)))
    models = WordModels(bank, Chain.of_topology(2, 3))
    return Model(("one", "two"), GivenFeatures("USER", 3), Endpointer(), models, Calibration())


def sound_file(format_: str, subtype: str) -> bytes:
    soundfile.write(file := io.BytesIO(), SOUND, RATE, format=format_, subtype=subtype)
    return file.getvalue()


@pytest.fixture(scope="module")
def formats(built, fitted, tmp_path_factory) -> dict[str, Format]:
    place, given = tmp_path_factory.mktemp("valid"), given_model()
    built.save(place / "m.npz")
    fitted.save(place / "fitted.npz")
    given.save(place / "given.npz")
    takes = dict.fromkeys(WORDS, 1)
    record = {"made": "2024-02-29", "takes": takes, "method": "MAP", "why": "as asked", "prior": None, "asked": None}
    record |= {"before": {"correct": 3, "n": 4, "confidence": 0.5}, "after": None, "unlabelled": False, "vtln": False}
    Profile.of(built, built, "tones", record | {"warp": 1.0}).save(place / "p.npz")
    parameter_files.write(place / "given.mfc", Parameters(FEATURES, "USER", 0.01))
    export_model(given, place / "hmmdefs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOGNIZER_HOME", str(place / "home"))
        store.save("eve", Profile.load(place / "p.npz"))
        for word in WORDS:
            store.add_take("eve", word, say(word), RATE)
        store.export("eve", place / "eve.zip")
    for word in WORDS:
        soundfile.write(place / f"{word}.wav", say(word), RATE)
    manifest = "path,word,speaker\n" + "".join(f"{place / word}.wav,{word},eve\n" for word in WORDS)

    def either(said: Callable, content: bytes, random: np.random.Generator) -> bytes:
        return said(content, random) if random.random() < 0.8 else changed_bytes(content, random, manifest.encode())

    archives = partial(either, changed_archive)
    members = partial(either, partial(changed_zip, change={".npz": changed_archive}))
    found = [
        Format("model", (place / "m.npz").read_bytes(), archives, read_model, built),
        Format("fitted model", (place / "fitted.npz").read_bytes(), archives, read_model, built),
        Format("given model", (place / "given.npz").read_bytes(), archives, read_model, built),
        Format("profile", (place / "p.npz").read_bytes(), archives, read_profile, built),
        Format("speaker", (place / "eve.zip").read_bytes(), members, read_speaker, built),
        Format("definitions", (place / "hmmdefs").read_bytes(), changed_text, read_definitions, given),
        Format("parameters", (place / "given.mfc").read_bytes(), changed_bytes, read_parameters, given),
        Format("manifest", manifest.encode(), changed_text, read_manifest, built),
        Format("wav", sound_file("WAV", "PCM_16"), changed_bytes, read_sound, built),
        Format("float wav", sound_file("WAV", "FLOAT"), changed_bytes, read_sound, built),
        Format("flac", sound_file("FLAC", "PCM_16"), changed_bytes, read_sound, built),
        Format("ogg", sound_file("OGG", "VORBIS"), changed_bytes, read_sound, built),
    ]
    return {one.name: one for one in found}


SUFFIXES = {"speaker": ".zip", "definitions": "", "parameters": ".mfc", "manifest": ".csv", "wav": ".wav"}
SUFFIXES |= {"float wav": ".wav", "flac": ".flac", "ogg": ".ogg"}
NAMES = ("model", "fitted model", "given model", "profile", "speaker", "definitions", "parameters", "manifest")
NAMES += ("wav", "float wav", "flac", "ogg")


def answered(one: Format, content: bytes, path: Path) -> bool:
    """Whether a file is answered; else it is refused in one line, or the test fails."""
    path.write_bytes(content)
    with warnings.catch_warnings(), np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", RecognizerWarning)
        try:
            one.read(path, one.model)
        except RecognizerError as error:
            line = str(error)
            assert line.isprintable(), line
            assert len(line) < LONGEST_LINE, line
            return False
    return True


def fuzz(one: Format, folder: Path, seeds: range) -> None:
    parameter_files.write(folder / "given.mfc", Parameters(FEATURES, "USER", 0.01))
    path = folder / f"changed{SUFFIXES.get(one.name, '.npz')}"
    found = [0, 0]
    for seed in seeds:
        content = one.change(one.content, np.random.default_rng(seed))
        try:
            found[answered(one, content, path)] += 1
        except Exception as error:
            raise AssertionError(f"{one.name}, seed {seed}: {type(error).__name__}: {error}") from error
    assert found[0], "nothing was refused, so nothing was changed"
    assert answered(one, one.content, path), "the valid one"


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_file_is_answered_or_refused_in_one_line(formats, tmp_path, name):
    fuzz(formats[name], tmp_path, range(170))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_changed_files_are_answered_or_refused_in_one_line(formats, tmp_path, name):
    fuzz(formats[name], tmp_path, range(1000, 5200))
