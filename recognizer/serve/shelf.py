"""The models that callers name, each loaded once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from recognizer.errors import ModelError, cited, listed
from recognizer.model import installed
from recognizer.recognizer import Recognizer
from recognizer.speakers import store


class Shelf:
    """Recognizers in memory, the last that were asked for; one whose files have changed is loaded anew.

    Who uses a recognizer keeps it, whatever becomes of its files and of the shelf.

    Parameters
    ----------
    usual : the model of those who name none
    most : recognizers that are kept
    """

    def __init__(self, usual: str, most: int) -> None:
        self.usual, self._most = usual, most
        self._loaded: OrderedDict[tuple, Recognizer] = OrderedDict()
        self._alone = threading.Lock()

    def path(self, name: str) -> Path:
        """The file of a model.

        Raises
        ------
        ModelError
            if no model that is installed has that name; files cannot be named here, only the usual one may be a file.
        """
        named = installed()
        if name not in named and name != self.usual:
            raise ModelError(f"there is no model {cited(name)}; there are {listed(map(cited, named))}")
        return named.get(name, Path(name))

    def take(self, model: str | None = None, speaker: str | None = None) -> Recognizer:
        """The recognizer of a model, fitted to a speaker where one is named.

        Raises
        ------
        ModelError
            if there is none of that name, see `path`, or it is damaged.
        NamingError, ProfileError
            if there is no such speaker, or no profile for that model.
        """
        key = self._key(model, speaker)
        with self._alone:
            if key not in self._loaded:
                self._loaded[key] = Recognizer.load(key[0], speaker)
                while len(self._loaded) > self._most:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def at_hand(self, model: str | None = None, speaker: str | None = None) -> Recognizer | None:
        """What `take` gives, if that takes no time; None where it is to be loaded, or others are at it.

        Raises
        ------
        As `take`.
        """
        key = self._key(model, speaker)
        if not self._alone.acquire(blocking=False):
            return None
        try:
            if key in self._loaded:
                self._loaded.move_to_end(key)
            return self._loaded.get(key)
        finally:
            self._alone.release()

    def _key(self, model: str | None, speaker: str | None) -> tuple:
        name = self.usual if model is None else model
        return name, state(self.path(name)), speaker, _profile_state(speaker)


def state(path: Path) -> tuple | None:
    """What changes when a file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _profile_state(speaker: str | None) -> tuple | None:
    return None if speaker is None else state(store.folder(store.checked(speaker)) / store.PROFILE)
