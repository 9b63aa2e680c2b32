"""Files and names: what is written whole or not at all, and where."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from recognizer.errors import ADDRESS


def is_elsewhere(path: str | Path) -> bool:
    """Whether a path is an address, see `files.elsewhere`, and no file or folder of such a name is here."""
    return ADDRESS.fullmatch(str(path)) is not None and not os.path.lexists(path)


def here(path: Path) -> AbstractContextManager[Path]:
    """A file of this computer with what is at a path: itself, or a copy for the block, see `elsewhere.copied`."""
    if not is_elsewhere(path):
        return nullcontext(path)
    from recognizer.files.elsewhere import copied  # here, for hardly anybody needs it

    return copied(path)


def brought(paths: Sequence[Path]) -> AbstractContextManager[None]:
    """Those that are elsewhere copied at once for the block, in which `here` finds them, see `elsewhere.all_copied`."""
    far = [path for path in paths if is_elsewhere(path)]
    if not far:
        return nullcontext()
    from recognizer.files.elsewhere import all_copied

    return all_copied(far)
