"""Voices that the page is taught: a conversation in which words are asked for, and what is kept of who enrolled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import numpy as np

from recognizer.errors import AdaptationError, NamingError, ProfileError, cited
from recognizer.live import asking
from recognizer.live.guide import Guide
from recognizer.live.lesson import Lesson
from recognizer.live.prompts import Prompt
from recognizer.live.takes import Takes
from recognizer.recognizer import Recognizer
from recognizer.serve.engine import ConflictError, Engine
from recognizer.serve.lessons import Asking, talk_of
from recognizer.serve.query import WishError, Wishes
from recognizer.serve.shelf import Shelf
from recognizer.serve.streams import Conversation, Messages
from recognizer.speakers import store
from recognizer.speakers.enrolling import enrolled, make_profile, prior_of, refuse_to_lose

SPEAKER = "speaker"


@asynccontextmanager
async def enrolling(wishes: Wishes, engine: Engine, shelf: Shelf) -> AsyncIterator[Conversation]:
    """A conversation in which a speaker enrolls, as `recognizer enroll` does it.

    What is good is kept at once; who begins again is asked for what is missing. To finish is to make the profile of
    what there is.

    Parameters
    ----------
    wishes : speaker, model, words and takes; the rate of the sound
    engine, shelf : of the server

    Raises
    ------
    WishError, NamingError, ModelError, ProfileError, AdaptationError
        if that speaker cannot enroll so.
    ConflictError
        if the same speaker does so already.
    """
    if wishes.speaker is None:
        raise WishError("speaker is missing; say who speaks, as in ?speaker=anna")
    name = await engine.run(store.checked, wishes.speaker)
    with engine.alone(SPEAKER, name):
        recognizer = await engine.run(shelf.take, wishes.model)
        voice = await engine.run(_Enrolling, name, recognizer, wishes)
        yield talk_of(voice, wishes.rate, engine)


class _Enrolling(Asking):
    """A speaker who enrolls."""

    def __init__(self, name: str, recognizer: Recognizer, wishes: Wishes) -> None:
        base = recognizer.model
        if not base.front_end.hears:
            raise AdaptationError(f"{cited(recognizer.name)} hears no sound; choose another model")
        refuse_to_lose(name)
        chosen = wishes.chosen(recognizer.words)
        indices = recognizer.indices(chosen)
        words = [base.words[index] for index in sorted(indices)]
        store.make_ready(name)
        prior, _ = prior_of(name, base)
        prompts, before = asking.missing(name, words, wishes.takes or asking.TAKES, prior)
        self._name, self._recognizer = name, recognizer
        self._folder = store.folder(name)
        self._there = self._folder.is_dir()
        self.rate = asking.rate_of_takes(base, wishes.rate)
        check = asking.objection(Recognizer(asking.best(name, base, prior)), self.rate)
        guide = Guide(prompts, self.rate, check=check, before=before)
        self.lesson = Lesson(Takes(guide, self._keep, partial(store.remove_take, name)), wishes.rate)

    def push(self, samples: np.ndarray) -> Messages:
        self._look()
        return super().push(samples)

    def undo(self) -> Messages:
        self._look()
        found = super().undo()
        self._there = self._folder.is_dir()  # gone with its only take
        return found

    def finish(self) -> Messages:
        self._look()
        found = list(super().finish())
        base, model_name = self._recognizer.model, self._recognizer.name
        enrollment, refused = make_profile(self._name, base, model_name)
        record = store.load(self._name).record
        return [*found, enrolled(self._name, model_name, record, [str(doubt) for doubt in enrollment.doubts], refused)]

    def _keep(self, prompt: Prompt, samples: np.ndarray) -> Path:
        path = store.add_take(self._name, prompt.word, samples, self.rate)
        self._there = True
        return path

    def _look(self) -> None:
        """Refuse to go on with a speaker who was removed: takes would bring back a part of what somebody deleted."""
        if self._there and not self._folder.is_dir():
            raise ProfileError(f"speaker {cited(self._name)} was removed or renamed meanwhile; begin again")


def renamed(name: str, to: str | None) -> dict:
    """Give a speaker another name.

    Raises
    ------
    WishError, NamingError, ProfileError, ConflictError
        if that cannot be.
    """
    if to is None:
        raise WishError("to is missing; say the new name, as in ?to=anna")
    store.existing(name)
    try:
        return {"renamed": store.rename(name, to)}
    except ProfileError as error:
        raise ConflictError(str(error)) from error


def removed(name: str) -> dict:
    """Delete a speaker with all conditions and takes, or one condition."""
    return {"removed": store.remove(name)}


def exported(name: str, path: Path) -> str:
    """Write a speaker to a file; gives a name for it."""
    store.export(name, path)
    return f"{store.existing(name).name}.zip"


def imported(path: Path) -> dict:
    """Take in what was exported.

    Raises
    ------
    ConflictError
        if it cannot be, or there is a speaker of that name already.
    """
    try:
        return {"imported": store.import_(path)}
    except (ProfileError, NamingError) as error:
        raise ConflictError(str(error).replace(str(path), "the file")) from error
