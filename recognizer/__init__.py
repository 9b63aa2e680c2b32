"""Isolated-word speech recognition: MFCC, one GMM-HMM a word, Viterbi.

>>> from recognizer import Recognizer
>>> Recognizer.load("digits").recognize("audio_samples/seven_slt_0.wav").word
'seven'

`Recognizer` is the door: `load` or `train` one, then `recognize`, `stream`, `enroll`, `cut`, `save`. Names are imported
when they are first used, so that `import recognizer` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recognizer.adaptation.method import Method
    from recognizer.errors import (
        AdaptationError,
        AudioError,
        CorpusError,
        MicrophoneError,
        ModelError,
        NamingError,
        ProfileError,
        RecognizerError,
        RecognizerWarning,
        TrainingError,
    )
    from recognizer.live.events import Adapted, Answer, End, Event, Heard, Partial, Ready, Rejected, SpeechStart
    from recognizer.live.stream import Stream
    from recognizer.model import Model
    from recognizer.recognition.result import Candidate, Result
    from recognizer.recognizer import FileResult, Recognizer
    from recognizer.training.augmentation import Augmentation
    from recognizer.training.cutting import Cut
    from recognizer.training.settings import TrainingSettings

__version__ = "0.1.0"

_NAMES = {
    "errors": (
        "AdaptationError",
        "AudioError",
        "CorpusError",
        "MicrophoneError",
        "ModelError",
        "NamingError",
        "ProfileError",
        "RecognizerError",
        "RecognizerWarning",
        "TrainingError",
    ),
    "model": ("Model",),
    "recognition.result": (
        "Candidate",
        "Result",
    ),
    "recognizer": (
        "FileResult",
        "Recognizer",
    ),
    "live.stream": ("Stream",),
    "live.events": (
        "Adapted",
        "Answer",
        "End",
        "Event",
        "Heard",
        "Partial",
        "Ready",
        "Rejected",
        "SpeechStart",
    ),
    "adaptation.method": ("Method",),
    "training.augmentation": ("Augmentation",),
    "training.cutting": ("Cut",),
    "training.settings": ("TrainingSettings",),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = [
    "AdaptationError",
    "Adapted",
    "Answer",
    "AudioError",
    "Augmentation",
    "Candidate",
    "CorpusError",
    "Cut",
    "End",
    "Event",
    "FileResult",
    "Heard",
    "Method",
    "MicrophoneError",
    "Model",
    "ModelError",
    "NamingError",
    "Partial",
    "ProfileError",
    "Ready",
    "Recognizer",
    "RecognizerError",
    "RecognizerWarning",
    "Rejected",
    "Result",
    "SpeechStart",
    "Stream",
    "TrainingError",
    "TrainingSettings",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'recognizer' has no attribute {name!r}")
    return getattr(import_module(f"recognizer.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
