"""What several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Find a folder of real recordings by name, as in ``shared_data("fsdd")``, or skip the test.

    Their parent folder is what RECOGNIZER_TEST_DATA names, by default ``../shared/data`` beside the
    repository.
    """
    root = Path(os.environ.get("RECOGNIZER_TEST_DATA") or BESIDE_THE_REPOSITORY)

    def folder(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"no recordings in {root / name}; set RECOGNIZER_TEST_DATA to the folder above them")
        return root / name

    return folder
