"""Files and names: what is written whole or not at all, and where."""

from __future__ import annotations

import os
import re
from pathlib import Path

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):[/\\]+(.+)")  # two letters at least, for C: is a drive


def is_elsewhere(path: str | Path) -> bool:
    """Whether a path is an address, see `files.elsewhere`, and no file or folder of such a name is here."""
    return ADDRESS.fullmatch(str(path)) is not None and not os.path.lexists(path)
