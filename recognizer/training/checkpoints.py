"""How far a training has come, in files, so that one that was killed goes on where it was.

Estimation goes from models to models, and needs nothing else: so what is kept are the models after an iteration, in
double precision, and the log likelihoods before. Whatever goes on from them ends with the same model, to the bit.
"""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recognizer.acoustics.chain import Chain
from recognizer.acoustics.density import arrays_of, of_arrays
from recognizer.acoustics.word_models import WordModels
from recognizer.errors import RecognizerWarning, TrainingError, shown
from recognizer.files import archive
from recognizer.files.writing import remedy

FORMAT, VERSION = "recognizer-checkpoint", 2  # 2: sums are added up in a tree
BANK, CHAIN, TYING = "bank_", "chain_", "tying"
EVERY = 1.0  # seconds, at least, between two: iterations that take less are soon done again
TIMES = 10.0  # as long as one takes to write, at least: so it costs a tenth of the time
ALL = "*.npz"  # the names of what is written


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
        self._next = time.monotonic() + EVERY
        self._given_up = False

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
        if (header.get("version"), header.get("of")) != (VERSION, self.of):
            raise TrainingError(
                f"{shown(self.path)} is of a training with other recordings, settings or another version; "
                "give it those, or train without resuming"
            )
        chain, bank = (
            {name.removeprefix(own): array for name, array in arrays.items() if name.startswith(own)}
            for own in (CHAIN, BANK)
        )
        models = WordModels(of_arrays(bank), Chain.of_arrays(chain), header["history"], tying=arrays.get(TYING))
        return Reached(models, header["stage"], header["curve"])

    def save(self, models: WordModels, stage: str, curve: list[float], ended: bool = False) -> None:
        """Keep what was reached, unless something was a moment ago, or the stage has ended with it.

        Warns
        -----
        RecognizerWarning
            if it cannot be written, once: the training itself needs it not.
        """
        began = time.monotonic()
        if self.path is None or self._given_up or (began < self._next and not (ended and self.path.exists())):
            return
        arrays = {CHAIN + name: array for name, array in models.chain.arrays.items()}
        arrays |= {BANK + name: array for name, array in arrays_of(models.bank).items()}
        arrays |= {} if models.tying is None else {TYING: models.tying}
        header = {"format": FORMAT, "version": VERSION, "of": self.of, "stage": stage, "curve": curve}
        try:
            self.path.parent.mkdir(exist_ok=True)
            archive.write(self.path, {**header, "history": models.history}, arrays)
        except OSError as error:
            self._given_up = True
            what_to_do = remedy(error, "write the model elsewhere")
            warnings.warn(
                f"{shown(self.path)} cannot be written: {error.strerror}; going on, but this training cannot be "
                f"resumed; for another one, {what_to_do}",
                RecognizerWarning,
                stacklevel=2,
            )
        now = time.monotonic()
        self._next = now + max(EVERY, TIMES * (now - began))


NOT_KEPT = Checkpoint()


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
        """When all is done, or begins anew; what else is in the folder stays."""
        if self.folder is not None:
            with suppress(OSError):
                for path in self.folder.glob(ALL):
                    path.unlink()
                self.folder.rmdir()
