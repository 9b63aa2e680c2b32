"""What is asked of a speaker who enrolls: the words that are missing, at which rate, and whether one was another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from recognizer.adaptation.takes import analyse_takes
from recognizer.errors import ProfileError
from recognizer.files import naming
from recognizer.live.adapting import Answering
from recognizer.live.guide import Check
from recognizer.live.prompts import Prompt, prompts
from recognizer.model import Model
from recognizer.speakers import store

TAKES, MOST_TAKES = 2, 20  # of each word: with two, what was gained can be measured without the take itself
CLEARLY, HARDLY = 0.9, 0.02  # confidence of another word, at least, and of the one asked for, at most, to object
KEPT_RATE = 16000  # Hz of takes, at least, where the microphone has it: a later model may need more than this one


def missing(name: str, words: Sequence[str], takes: int, prior: Model) -> tuple[list[Prompt], int]:
    """What a speaker still has to say, and how many takes there are already of what was wanted.

    Parameters
    ----------
    name : of the speaker
    words : wanted, each of the model's
    takes : wanted of each
    prior : what the profile is to start from

    Raises
    ------
    NamingError
        if a word cannot be the name of a folder.
    ProfileError
        if the takes that there are cannot be read.
    """
    for word in words:
        naming.checked_name(word, "word")
    have = _usable(name, words, prior)
    before = sum(min(count, takes) for count in have.values())
    return prompts(words, takes, have, prior.spoken), before


def kept_of(name: str, words: Sequence[str]) -> Counter[str]:
    """How many takes of each word are kept that a person labelled."""
    kept = Counter(take.word for take in store.takes(name) if not store.is_heard(take))
    return Counter({word: kept[word] for word in words})


def rate_of_takes(model: Model, own: int) -> int:
    """Rate at which takes are kept, Hz, where the microphone has its own."""
    return max(model.front_end.sample_rate, min(own, KEPT_RATE))


def best(name: str, model: Model, prior: Model) -> Model:
    """What understands the speaker best up to now: the own profile, if it is one of this model."""
    try:
        return store.fitted(model, name)
    except ProfileError:
        return prior


def objection(recognizer: Answering, rate: int) -> Check:
    """Tells a person who clearly said another word than the one that was asked for.

    Parameters
    ----------
    recognizer : what understands the speaker best
    rate : of takes, Hz
    """

    def object_to(word: str, samples: np.ndarray) -> str | None:
        candidates = recognizer.recognize(samples, rate, words=None, threshold=0).nbest
        if not candidates:
            return f"no word was found in it: say {word} again, closer to the microphone"
        confidence = {candidate.word: candidate.confidence for candidate in candidates}
        heard = candidates[0].word
        if confidence[heard] >= CLEARLY and confidence.get(word, 0.0) <= HARDLY:
            return f"that sounded like {heard}, not {word}: say {word}"
        return None

    return object_to


def _usable(name: str, words: Sequence[str], model: Model) -> Counter[str]:
    """How many takes of each word need not be asked for: a damaged one must be said again."""
    kept = [take for take in store.takes(name) if take.word in words and not store.is_heard(take)]
    return Counter(model.words[take.word] for take in analyse_takes(kept, model)[0])
