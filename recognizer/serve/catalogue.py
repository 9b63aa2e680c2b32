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

MOST_KNOWN = 64  # models whose description is kept
TOLD = ("made", "accuracy", "held_out", "licence")  # of a card, in a list


def described(name: str, model: Model) -> dict:
    """A model as plain data, with the most of its card."""
    return {
        "name": name,
        "words": list(model.words),
        "spoken": model.spoken,
        "sample_rate": model.front_end.sample_rate,
        "fingerprint": model.fingerprint,
        "card": {key: value for key, value in model.card.items() if key in TOLD},
    }


def described_whole(name: str, model: Model) -> dict:
    """The same with all of its card, the words that are most alike, and how the training went."""
    history = {stage: curve for stage, curve in model.acoustics.history.items() if curve}
    more = {"card": model.card, "confusable": _alike(model.fingerprint, model), "history": history}
    return described(name, model) | more


def models(usual: str) -> list[dict]:
    """All that have a name, and can be read."""
    found, own = [], own_models.files()
    for name, path in installed().items():
        try:
            about = _of_a_file(name, path, state(path))
        except ModelError:  # damaged: `recognizer models list` tells why
            continue
        found.append(about | {"default": name == usual, "own": name in own})
    return found


@lru_cache(MOST_KNOWN)
def _of_a_file(name: str, path: Path, state: tuple | None) -> dict:
    """A model in a file, as long as that is the same."""
    return described(name, Model.load(path))


_ALIKE: dict[str, list[dict]] = {}  # by fingerprint: it takes seconds, and a fingerprint names what the model computes


def _alike(fingerprint: str, model: Model) -> list[dict]:
    if fingerprint not in _ALIKE:
        while len(_ALIKE) >= MOST_KNOWN:
            _ALIKE.pop(next(iter(_ALIKE)))
        _ALIKE[fingerprint] = most_alike(model)
    return _ALIKE[fingerprint]


def speakers() -> list[dict]:
    """All, and whether there is a profile of each that can be used; else what is wrong."""
    found = []
    for name in store.names():
        try:
            found.append({"enrolled": store.has_profile(name)} | records.summary(name))
        except RecognizerError as error:
            found.append({"name": name, "enrolled": False, "error": str(error)})
    return found
