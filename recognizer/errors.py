"""Everything that can go wrong, as the package says it: one line, the value, the remedy."""

from __future__ import annotations

from pathlib import Path


class RecognizerError(Exception):
    """Base of all errors the package raises on purpose; its text is one line for the user."""


class AudioError(RecognizerError):
    """A recording that cannot be read, or holds nothing that could be analysed."""


class CorpusError(RecognizerError):
    """A folder or manifest that does not yield labelled recordings."""


class ModelError(RecognizerError):
    """A model file that is missing, damaged, foreign, or from a newer version."""


class TrainingError(RecognizerError):
    """Recordings from which no model can be estimated."""


class MicrophoneError(RecognizerError):
    """A microphone that is missing, in use, not allowed or not understood, or no library to reach it."""


class NamingError(RecognizerError):
    """A name for a speaker or a word that cannot be a folder on every system."""


class AdaptationError(RecognizerError):
    """Recordings to which models cannot be fitted, or a way of fitting that there is not."""


class ProfileError(RecognizerError):
    """A speaker's profile that is missing, damaged, from a newer version, or for another model."""


class NewerProfileError(ProfileError):
    """A profile that a newer program made: what this one cannot read, it must not replace."""


class RecognizerWarning(UserWarning):
    """Something the user should know although the work was done."""


def shown(path: str | Path) -> str:
    """Name a file in a message: as it is, or escaped where a character would break the line."""
    name = str(path)
    return name if name.isprintable() else repr(name)
