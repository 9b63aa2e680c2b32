"""Which models and speakers there are."""

from __future__ import annotations

from recognizer import own_models
from recognizer.errors import ModelError, RecognizerError
from recognizer.model import Model, installed
from recognizer.speakers import records, store

TOLD = ("made", "accuracy", "held_out", "licence")  # of a card, in a list


def described(name: str, model: Model, *, whole: bool) -> dict:
    """A model as plain data, with all of its card or the most of it."""
    card = {key: value for key, value in model.card.items() if whole or key in TOLD}
    return {
        "name": name,
        "words": list(model.words),
        "spoken": model.spoken,
        "sample_rate": model.front_end.sample_rate,
        "fingerprint": model.fingerprint,
        "card": card,
    }


def models(usual: str) -> list[dict]:
    """All that have a name, and can be read."""
    found, own = [], own_models.files()
    for name, path in installed().items():
        try:
            about = {"default": name == usual, "own": name in own}
            found.append(described(name, Model.load(path), whole=False) | about)
        except ModelError:  # damaged: `recognizer models list` tells why
            continue
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
