"""Isolated-word speech recognition: MFCC, one GMM-HMM a word, Viterbi.

>>> from recognizer import Recognizer
>>> Recognizer.load("digits").recognize("audio_samples/seven_slt_0.wav").word
'seven'

Names are imported when they are first used, so that `import recognizer` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recognizer.errors import (
        AudioError,
        CorpusError,
        MicrophoneError,
        ModelError,
        RecognizerError,
        RecognizerWarning,
        TrainingError,
    )
    from recognizer.model import Model
    from recognizer.recognition.result import Candidate, Result
    from recognizer.recognizer import Recognizer

__version__ = "0.1.0"

_HOME = {
    "Recognizer": "recognizer",
    "Result": "recognition.result",
    "Candidate": "recognition.result",
    "Model": "model",
    "RecognizerError": "errors",
    "AudioError": "errors",
    "CorpusError": "errors",
    "MicrophoneError": "errors",
    "ModelError": "errors",
    "TrainingError": "errors",
    "RecognizerWarning": "errors",
}
__all__ = [
    "AudioError",
    "Candidate",
    "CorpusError",
    "MicrophoneError",
    "Model",
    "ModelError",
    "Recognizer",
    "RecognizerError",
    "RecognizerWarning",
    "Result",
    "TrainingError",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'recognizer' has no attribute {name!r}")
    return getattr(import_module(f"recognizer.{_HOME[name]}"), name)
