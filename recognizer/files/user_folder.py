"""Where the user's own models and profiles are kept."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from recognizer.errors import RecognizerError, RecognizerWarning, shown
from recognizer.files.writing import remedy


def home() -> Path:
    """The folder of the user's own models and profiles: RECOGNIZER_HOME, or the system's place for programs' data.

    On Linux that was once the place for settings. A folder that is there, and not in the place for data, stays in use,
    so that nobody's voice is lost; whoever moves it is followed.

    Warns
    -----
    RecognizerWarning
        once, if there is a folder in both places.
    """
    used, other = _places()
    if other is not None:
        _tell_of_two(used, other)
    return used


def silent_home() -> Path:
    """As `home`, without a warning."""
    return _places()[0]


def _places() -> tuple[Path, Path | None]:
    """The folder in use, and one in the other place, if there is one."""
    if folder := os.environ.get("RECOGNIZER_HOME"):
        return Path(folder), None
    import platformdirs

    try:
        place, former = (
            find("recognizer", appauthor=False, roaming=True)
            for find in (platformdirs.user_data_path, platformdirs.user_config_path)
        )
    except RuntimeError:  # the system knows no home of this user; older versions leave the tilde
        return Path("~", "recognizer"), None
    if former == place or not os.path.isdir(former):
        return place, None
    return (place, former) if os.path.lexists(place) else (former, None)


@cache
def _tell_of_two(used: Path, other: Path) -> None:
    """Warn, once in the life of the program, of what would seem to be lost."""
    warnings.warn(
        f"models and speakers are those in {shown(used)}; those in {shown(other)}, where they once were, are not used: "
        "move what you need of them, then remove that folder",
        RecognizerWarning,
        stacklevel=3,
    )


@contextmanager
def writing_to(place: Path, kind: type[RecognizerError]) -> Iterator[None]:
    """Say which folder of the user's cannot be written to, by an error of a kind."""
    try:
        yield
    except OSError as error:
        what_to_do = remedy(error, "change its mode, or set RECOGNIZER_HOME to another folder")
        raise kind(f"{shown(place)} cannot be written to ({error.strerror}); {what_to_do}") from error


def is_nobodys(place: Path) -> bool:
    """Whether a place is in the home of a user who has none: made, it would be a folder named `~`."""
    return place.parts[:1] == ("~",)
