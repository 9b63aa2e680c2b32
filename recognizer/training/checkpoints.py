"""How far a training has come, in files, so that one that was killed goes on where it was.

Estimation goes from models to models, and needs nothing else: so what is kept are the models after an iteration, in
double precision, and the log likelihoods before. Whatever goes on from them ends with the same model, to the bit.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from recognizer.acoustics.chain import Chain
from recognizer.acoustics.density import arrays_of, of_arrays
from recognizer.acoustics.word_models import WordModels
from recognizer.errors import TrainingError, shown
from recognizer.files import archive
from recognizer.files.writing import remedy

FORMAT, VERSION = "recognizer-checkpoint", 1
BANK, CHAIN, JUMP = "bank_", "chain_", "chain_jump_"
MOVES = ("log_entry", "log_stay", "log_next", "log_exit")
EVERY = 1.0  # seconds, at least, between two: iterations that take less are soon done again


@dataclass(frozen=True)
class Reached:
    """Models after some iterations of a stage.

    Attributes
    ----------
    models : with the history of the stages before
    stage : that they are in, or have ended with
    curve : its log likelihoods a frame so far
    """

    models: WordModels
    stage: str
    curve: list[float]


@dataclass
class Checkpoint:
    """Of one estimation, a file that the next iteration replaces.

    Parameters
    ----------
    path : of the file; None keeps nothing
    of : what tells this training from others
    """

    path: Path | None = None
    of: str = ""

    def __post_init__(self) -> None:
        self._last = time.monotonic()

    def load(self) -> Reached | None:
        """What was kept last; None if there is nothing.

        Raises
        ------
        TrainingError
            if it is of another training, or damaged.
        """
        if self.path is None or not self.path.exists():
            return None
        try:
            header, arrays = archive.read(self.path, FORMAT)
        except (OSError, ValueError) as error:
            raise TrainingError(f"{shown(self.path)} cannot be read ({error}); train without resuming") from error
        if (header["version"], header["of"]) != (VERSION, self.of):
            raise TrainingError(
                f"{shown(self.path)} is of a training with other recordings, settings or another version; "
                "give it those, or train without resuming"
            )
        jumps = {int(name.removeprefix(JUMP)): array for name, array in arrays.items() if name.startswith(JUMP)}
        chain = Chain(*(arrays[CHAIN + name] for name in MOVES), jumps)
        bank = of_arrays({n.removeprefix(BANK): array for n, array in arrays.items() if n.startswith(BANK)})
        return Reached(WordModels(bank, chain, header["history"]), header["stage"], header["curve"])

    def save(self, models: WordModels, stage: str, curve: list[float]) -> None:
        """Keep what was reached, unless something was a moment ago.

        Raises
        ------
        TrainingError
            if it cannot be written.
        """
        if self.path is None or time.monotonic() < self._last + EVERY:
            return
        chain, bank = models.chain, models.bank
        arrays = {CHAIN + name: getattr(chain, name) for name in MOVES}
        arrays |= {f"{JUMP}{far}": array for far, array in chain.log_jumps.items()}
        arrays |= {BANK + name: array for name, array in arrays_of(bank).items()}
        header = {"format": FORMAT, "version": VERSION, "of": self.of, "stage": stage, "curve": curve}
        try:
            self.path.parent.mkdir(exist_ok=True)
            archive.write(self.path, {**header, "history": models.history}, arrays)
        except OSError as error:
            what_to_do = remedy(error, "write the model elsewhere")
            raise TrainingError(f"{shown(self.path)} cannot be written: {error.strerror}; {what_to_do}") from error
        self._last = time.monotonic()


@dataclass(frozen=True)
class Checkpoints:
    """Of a whole training, in which several models are estimated, a folder.

    Attributes
    ----------
    folder : None keeps nothing
    of : what tells this training from others
    """

    folder: Path | None = None
    of: str = ""

    def one(self, name: str) -> Checkpoint:
        """Of the estimation that is called so."""
        return Checkpoint(self.folder and self.folder / f"{name}.npz", self.of)

    def remove(self) -> None:
        """When all is done, or begins anew."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
