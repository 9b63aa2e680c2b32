"""The user's own models, which have a name: a file each, in one folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.errors import ModelError, NamingError, RecognizerError, cited, listed, shown
from recognizer.files.writing import remedy

if TYPE_CHECKING:
    from recognizer.model import Model
    from recognizer.speakers.profile import Profile

SUFFIX = ".npz"


class TakenError(NamingError):
    """A name that a model of the user's own has already."""


def files() -> dict[str, Path]:
    """The user's own models by name."""
    from recognizer.model import folders

    own = folders()[0]
    return {file.stem: file for file in sorted(own.glob(f"*{SUFFIX}"))} if os.access(own, os.R_OK) else {}


def new_file(name: str, instead: bool = False) -> Path:
    """The file of a model that is to get a name; the folder is made.

    Parameters
    ----------
    name : for the model
    instead : whether it may take the place of one of the user's own

    Raises
    ------
    NamingError
        if no model can have the name, or one has it that must stay.
    ModelError
        if the folder cannot be made.
    """
    from recognizer.files import naming
    from recognizer.model import folders, installed

    if name.lower().endswith(SUFFIX):
        raise NamingError(f"{shown(name)} is no name but a file; leave {SUFFIX} out")
    name = naming.checked_name(name, "model")
    own, *others = folders()
    for known in installed():
        if known != name and known.lower() == name.lower():
            raise NamingError(f"there is {shown(known)} already, which differs by case only; choose another name")
    if any(os.path.isfile(folder / f"{name}{SUFFIX}") for folder in others):
        raise NamingError(f"{name} comes with the program, and would be hidden; choose another name")
    if name in files() and not instead:
        raise TakenError(_taken(name))
    make_folder(own, "set RECOGNIZER_HOME to another folder")
    return own / f"{name}{SUFFIX}"


def make_folder(folder: Path, otherwise: str) -> None:
    """The folder of the user's own models, if it is not there yet.

    Raises
    ------
    ModelError
        if it cannot be made, or nothing can be written to it.
    """
    from recognizer.files.user_folder import is_nobodys
    from recognizer.files.writing import make_private_folder

    if is_nobodys(folder):
        raise ModelError("there is no home folder to keep a model in; set RECOGNIZER_HOME to a folder")
    try:
        make_private_folder(folder.parent)  # where voices are kept, too
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ModelError(f"{shown(folder)} cannot be made ({error.strerror}); {remedy(error, otherwise)}") from error
    if not os.access(folder, os.W_OK):
        raise ModelError(f"{shown(folder)} cannot be written to; change its mode, or {otherwise}")


def save(model: Model, file: Path, instead: bool, private: bool = False) -> None:
    """Write a model to a file that `new_file` named, unless somebody else has taken the name meanwhile.

    Parameters
    ----------
    model : to be kept
    file : where
    instead : whether it may take the place of one of the user's own
    private : whether nobody but its owner may read it

    Raises
    ------
    ModelError
        if somebody has, or it cannot be written.
    """
    try:
        model.save(file, new=not instead, private=private)
    except ModelError as error:
        if isinstance(error.__cause__, FileExistsError):
            raise ModelError(_taken(file.stem)) from error
        raise


def remove(name: str) -> list[str]:
    """Delete a model; gives the speakers whose profiles were made for it.

    Raises
    ------
    ModelError
        if it is none of the user's own, or cannot be deleted.
    """
    file = _existing(name)
    speakers = [speaker for speaker, _ in _profiles(name, file)]
    with _changing(file):
        os.remove(file)
    return speakers


def rename(old: str, new: str) -> tuple[str, list[str]]:
    """Give a model another name; gives that as it is kept, and the speakers whose profiles now name it so.

    Raises
    ------
    NamingError
        as `new_file`.
    ModelError
        if it is none of the user's own, or cannot be renamed.
    """
    from recognizer.files.writing import replacing
    from recognizer.speakers import store

    source = _existing(old)
    profiles = list(_profiles(old, source))
    target = new_file(new)
    try:
        with _changing(source), replacing(target, new=True) as temporary:
            shutil.copyfile(source, temporary)
    except FileExistsError as error:
        raise ModelError(_taken(new)) from error
    for speaker, profile in profiles:  # the old name stays until nobody needs it
        store.save(speaker, replace(profile, model_name=target.stem))
    with _changing(source):
        os.remove(source)
    return target.stem, [speaker for speaker, _ in profiles]


def _existing(name: str) -> Path:
    """The file of a model of the user's own."""
    from recognizer.model import installed

    own = files()
    if name in own:
        return own[name]
    if name in installed():
        raise ModelError(f"{name} comes with the program, and stays as it is; only your own models can be changed")
    raise ModelError(f"you have no model {cited(name)}; your own: {listed(own) or 'none yet'}")


def _profiles(name: str, file: Path) -> Iterator[tuple[str, Profile]]:
    """The speakers whose profiles were made for a model, with them; those that cannot be read are passed over."""
    from recognizer.speakers import store

    for speaker in store.names():
        try:
            profile = store.load(speaker) if store.has_profile(speaker) else None
        except RecognizerError:
            continue
        if profile and profile.model_name in (name, str(file)):
            yield speaker, profile


@contextmanager
def _changing(file: Path) -> Iterator[None]:
    """Say of a model that cannot be renamed or deleted which one it is."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        what_to_do = remedy(error, "change its mode or that of its folder")
        raise ModelError(f"{shown(file)} cannot be changed: {error.strerror}; {what_to_do}") from error


def _taken(name: str) -> str:
    return f"you have a model {cited(name)} already; choose another name, or let this one take its place"
