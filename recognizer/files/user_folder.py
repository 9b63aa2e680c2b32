"""Where the user's own models and profiles are kept."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of the user's own models and profiles: RECOGNIZER_HOME, or the system's place for programs' data.

    On Linux that was once the place for settings. A folder that is there, and not in the place for data, stays in use,
    so that nobody's voice is lost; whoever moves it is followed.
    """
    if folder := os.environ.get("RECOGNIZER_HOME"):
        return Path(folder)
    import platformdirs

    try:
        place, former = (
            find("recognizer", appauthor=False, roaming=True)
            for find in (platformdirs.user_data_path, platformdirs.user_config_path)
        )
    except RuntimeError:  # the system knows no home of this user; older versions leave the tilde
        return Path("~", "recognizer")
    return former if os.path.isdir(former) and not os.path.lexists(place) else place


def is_nobodys(place: Path) -> bool:
    """Whether a place is in the home of a user who has none: made, it would be a folder named `~`."""
    return place.parts[:1] == ("~",)
