"""What a house can ask for: the models as Wyoming describes them."""

from __future__ import annotations

import json
import locale
import re
import warnings
from pathlib import Path

with warnings.catch_warnings():  # it uses audioop, as long as Python has it
    warnings.simplefilter("ignore", DeprecationWarning)
    from wyoming.info import AsrModel, AsrProgram, Attribution, Info, WakeModel, WakeProgram

from recognizer.errors import counted, listed
from recognizer.model import installed
from recognizer.serve import catalogue
from recognizer.serve.openapi import VERSION

PROGRAM = "recognizer"
ABOUT = "Single words, private and offline"
NOBODY = "unknown"  # who made a model that does not tell
ADDRESS = re.compile(r"https?://[^\s\"'\\,;)]+(?<!\.)")
# A model knows words, not a language. Where its card tells none it is offered for all that have a name on computers:
# a house lets nobody choose what does not speak its language.
ANY = tuple(sorted({name[:2] for name in locale.locale_alias.values() if name[2:3] == "_"}))


def offered(usual: str) -> dict[str, dict]:
    """The models that can be read, by name, the usual one first; where that is a file, it has the file's."""
    named = installed()
    first = {public(usual): named.get(usual, Path(usual))}
    found = {name: catalogue.of_file(path) for name, path in (first | named | first).items()}
    return {name: offer for name, offer in found.items() if offer is not None}


def public(usual: str) -> str:
    """The name of the usual model, without the folder where that is a file: it is nobody's business."""
    return usual if usual in installed() else Path(usual).stem


def fitting(usual: str, language: str) -> str:
    """The name of the model for a language: the first whose card tells it, or else the usual one."""
    bases = ((name, map(_base, _told(offer["card"]))) for name, offer in offered(usual).items())
    return next((name for name, found in bases if _base(language) in found), public(usual))


def _told(card: dict) -> list[str]:
    """The languages in a card: a text under language, or a list of them."""
    told = card.get("language")
    told = told if isinstance(told, list) else [told]
    return [language for language in told if isinstance(language, str)]


def _base(language: str) -> str:
    """Of a language in a country: de of de-AT."""
    return language.lower().replace("_", "-").partition("-")[0]


def information(usual: str, wake_word: str | None) -> Info:
    """What is served: speech to text with every model, and a wake word of the usual one where there is one."""
    about = {
        "name": PROGRAM,
        "description": ABOUT,
        "version": VERSION,
        "attribution": Attribution(PROGRAM, ""),
        "installed": True,
    }
    offers = offered(usual)
    info = Info(asr=[AsrProgram(**about, models=[_asr(name, offer) for name, offer in offers.items()])])
    if wake_word is not None and (offer := offers.get(public(usual))):
        wake = WakeModel(name=wake_word, description=wake_word, phrase=wake_word, **_origin(offer))
        info.wake.append(WakeProgram(**about, models=[wake]))
    return info


def _asr(name: str, offer: dict) -> AsrModel:
    words = f"{counted(len(offer['words']), 'word')}: {listed(offer['words'])}"
    return AsrModel(name=name, description=words, **_origin(offer))


def _origin(offer: dict) -> dict:
    """Languages, when it was made, of whose recordings and where these are, as far as its card tells."""
    made, data = offer["card"].get("made"), offer["card"].get("data", "")
    who = [*data.values()] if isinstance(data, dict) else [data]
    address = ADDRESS.search(json.dumps(data, ensure_ascii=False))
    return {
        "languages": _told(offer["card"]) or list(ANY),
        "version": made if isinstance(made, str) else None,
        "attribution": Attribution(listed(who, 1) or NOBODY, address.group() if address else ""),
        "installed": True,
    }
