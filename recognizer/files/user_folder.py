"""Where the user's own models and profiles are kept."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of the user's own models and profiles: RECOGNIZER_HOME, or the system's place for it."""
    if folder := os.environ.get("RECOGNIZER_HOME"):
        return Path(folder)
    import typer

    return Path(typer.get_app_dir("recognizer"))
