"""Which models and speakers there are."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from recognizer import own_models
from recognizer.errors import ModelError, RecognizerError
from recognizer.evaluation.description import most_alike
from recognizer.model import Model, installed
from recognizer.serve.shelf import state
from recognizer.speakers import records, store

TOLD = ("made", "accuracy", "held_out", "licence")  # of a card, in a list
MOST_KNOWN = 256  # models whose description is kept


def of_file(path: Path) -> dict | None:
    """A model in a file as plain data, with all of its card; None where it cannot be read.

    `recognizer models list` tells why. It is read once, as long as the file is the same.
    """
    return _of_file(path, state(path))


@lru_cache(MOST_KNOWN)
def _of_file(path: Path, state: tuple | None) -> dict | None:
    try:
        return _described(Model.load(path))
    except ModelError:
        return None


def _described(model: Model) -> dict:
    return {
        "words": list(model.words),
        "spoken": model.spoken,
        "sample_rate": model.front_end.sample_rate,
        "fingerprint": model.fingerprint,
        "card": model.card,
    }


def whole(name: str, path: Path) -> dict:
    """All that there is to tell of a model, with the words that are most alike, and how the training went.

    Raises
    ------
    ModelError
        if it cannot be read.
    """
    return _whole(name, path, state(path))


@lru_cache(MOST_KNOWN)
def _whole(name: str, path: Path, state: tuple | None) -> dict:
    """What is asked for by name; to compare the words takes seconds."""
    model = Model.load(path)
    history = {stage: curve for stage, curve in model.acoustics.history.items() if curve}
    return {"name": name} | _described(model) | {"confusable": most_alike(model), "history": history}


def models(usual: str) -> list[dict]:
    """All that have a name and can be read, with the most of their cards."""
    found, own = [], own_models.files()
    for name, path in installed().items():
        if (about := of_file(path)) is not None:
            card = {key: value for key, value in about["card"].items() if key in TOLD}
            found.append({"name": name} | about | {"card": card, "default": name == usual, "own": name in own})
    return found


def speakers() -> list[dict]:
    """All, and whether there is a profile of each that can be used; else what is wrong."""
    found = []
    for name in store.names():
        try:
            found.append({"enrolled": store.has_profile(name)} | records.summary(name))
        except RecognizerError as error:
            found.append({"name": name, "enrolled": False, "error": str(error)})
    return found
