"""The model: vocabulary, front end, acoustic models, calibration and card, in one file."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from recognizer.acoustics.chain import Chain
from recognizer.acoustics.density import Density, arrays_of, of_arrays
from recognizer.acoustics.word_models import WordModels
from recognizer.errors import ModelError, cited, listed, shown
from recognizer.features.analysis import Analyser
from recognizer.features.front_end import FrontEnd, GivenFeatures, of_settings
from recognizer.files import archive
from recognizer.files.user_folder import home
from recognizer.files.writing import remedy
from recognizer.recognition.calibration import Calibration
from recognizer.recognition.evidence import SUMMARY, evidence_size, stays
from recognizer.recognition.verification import REFUSED, Rejection
from recognizer.sound.endpoint import Endpointer

FORMAT = "recognizer-model"
# 5: deviations are normalised, cepstra smoothed; 4: a network weighs the evidence;
# 3: the front end is in the file as its matrices, no background mixture.
VERSION = 5
BANKS = ("bank", "noise")
CHAIN = ("log_entry", "log_stay", "log_next", "log_exit")
REJECTION = ("least", "most", "weights", "hidden", "output")
JUMP = "chain_jump_"
FRONT_END = "front_end_"


@dataclass(frozen=True)
class Model:
    """Everything that recognition needs.

    Attributes
    ----------
    words : the vocabulary, in the order of the acoustic models
    front_end, endpointer : how recordings become features
    acoustics : the word models
    calibration : how scores become confidences
    rejection : how other words and noises are told from the vocabulary; without it nothing is rejected
    card : what the model was made from and how well it does, plain JSON data
    """

    words: tuple[str, ...]
    front_end: FrontEnd | GivenFeatures
    endpointer: Endpointer
    acoustics: WordModels
    calibration: Calibration
    rejection: Rejection | None = None
    card: dict = field(default_factory=dict)

    @property
    def analyser(self) -> Analyser:
        """How recordings become what this model sees."""
        return Analyser(self.front_end, self.endpointer, cells=self.acoustics.bank.cells)

    @property
    def fingerprint(self) -> str:
        """Names what the model computes: equal if and only if every number of it is; the card is left out."""
        return _fingerprint(_arrays(self), _header(self))

    @property
    def spoken(self) -> dict[str, str]:
        """How words are said, where their spelling does not tell everybody; what the card says of the vocabulary."""
        told = self.card.get("spoken")
        told = told if isinstance(told, dict) else {}  # a card may hold anything
        return {word: told[word] for word in self.words if isinstance(told.get(word), str)}

    def save(self, path: str | Path) -> None:
        """Write the model to one `.npz`, whole or not at all.

        Raises
        ------
        ModelError
            if the file cannot be written.
        """
        path = Path(path)
        arrays, header = _arrays(self), _header(self)
        header |= {"card": self.card, "fingerprint": _fingerprint(arrays, header)}
        try:
            archive.write(path, header, arrays)
        except OSError as error:
            raise _not_written(path, error) from error

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a model file, and check everything in it.

        Raises
        ------
        ModelError
            if the file is missing, not a model, of a newer format, damaged, or changed since it was saved.
        """
        path = Path(path)
        try:
            return _assemble(path, *_read(path))
        except ModelError as error:
            if not _hides_another(path):
                raise
            raise ModelError(f"{error}, or remove it, then the installed one of that name is used") from error


def _read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays of a model file."""
    name = shown(path)
    try:
        return archive.read(path, FORMAT)
    except FileNotFoundError as error:
        raise ModelError(f"there is no model at {name}; see `recognizer models list`") from error
    except OSError as error:
        raise ModelError(f"{name} cannot be read ({error.strerror}); give a model file you may read") from error
    except archive.ForeignError as error:
        raise ModelError(f"{name} is an .npz file but not a model; train one with `recognizer train`") from error
    except ValueError as error:  # a DamagedError, or a zero character in the name
        raise ModelError(f"{name} is not a model, or is damaged; train it again or fetch a new copy") from error


def _arrays(model: Model) -> dict[str, np.ndarray]:
    chain = model.acoustics.chain
    arrays = {f"chain_{name}": getattr(chain, name) for name in CHAIN}
    arrays |= {f"{JUMP}{distance}": log_jump for distance, log_jump in chain.log_jumps.items()}
    for name, bank in _banks(model).items():
        arrays |= {f"{name}_{key}": array for key, array in arrays_of(bank).items()}
    if model.rejection:
        arrays |= {f"rejection_{name}": getattr(model.rejection, name) for name in REJECTION}
    return arrays | {f"{FRONT_END}{name}": array for name, array in model.front_end.arrays.items()}


def _banks(model: Model) -> dict[str, Density]:
    banks = {"bank": model.acoustics.bank}
    return banks | ({"noise": model.rejection.noise} if model.rejection else {})


def _header(model: Model) -> dict:
    rejection = model.rejection
    return {
        "format": FORMAT,
        "version": VERSION,
        "words": list(model.words),
        "front_end": model.front_end.settings,
        "endpointer": asdict(model.endpointer),
        "calibration": asdict(model.calibration),
        "history": model.acoustics.history,
        **({"rejection": {"bias": rejection.bias, "thresholds": rejection.thresholds}} if rejection else {}),
    }


def _fingerprint(arrays: dict[str, np.ndarray], header: dict) -> str:
    """SHA-256 over the numbers and the settings, as they stand in the file."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name], dtype="<f8").tobytes())
    return digest.hexdigest()


def _not_written(path: Path, error: OSError) -> ModelError:
    what_to_do = remedy(error, "write the model elsewhere")
    return ModelError(f"{shown(path)} cannot be written: {error.strerror}; {what_to_do}")


def _assemble(path: Path, header: dict, arrays: dict[str, np.ndarray]) -> Model:
    name = shown(path)
    if not isinstance(header.get("version"), int) or header["version"] > VERSION:
        raise ModelError(
            f"{name} has format version {shown(header.get('version'))}, this program reads up to {VERSION}; "
            "update with `pip install --upgrade recognizer`"
        )
    if header["version"] < VERSION:
        raise ModelError(
            f"{name} has format version {header['version']}, which this program no longer reads; train it again "
            "with `recognizer train`"
        )
    card, fingerprint = header.pop("card", {}), header.pop("fingerprint", None)
    changed = ModelError(f"{name} was changed or damaged after it was saved; train it again or fetch a new copy")
    try:
        if fingerprint != _fingerprint(arrays, header):
            raise changed
        names = BANKS if "rejection" in header else BANKS[:1]
        banks = {name: of_arrays(_starting(arrays, f"{name}_")) for name in names}
        rejection = None
        if "noise" in banks:
            own = {name: arrays[f"rejection_{name}"] for name in REJECTION}
            rejection = Rejection(noise=banks["noise"], **own, **header["rejection"])
        jumps = {int(distance): array for distance, array in _starting(arrays, JUMP).items()}
        chain = Chain(*(arrays[f"chain_{name}"] for name in CHAIN), jumps)
        model = Model(
            tuple(header["words"]),
            of_settings(header["front_end"], _starting(arrays, FRONT_END)),
            Endpointer(**header["endpointer"]),
            WordModels(banks["bank"], chain, header["history"]),
            Calibration(**header["calibration"]),
            rejection,
            card,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise changed from error
    if fault := _fault(model):
        raise ModelError(f"{name} is no working model ({fault}); train it again or fetch a new copy")
    return model


def _starting(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Those whose names start so, under what follows in the name."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _fault(model: Model) -> str | None:
    """What keeps the parts from being one model of finite numbers; None when nothing does."""
    words = len(model.words)
    if not all(isinstance(word, str) and word for word in model.words) or len(set(model.words)) < words:
        return "a word is empty or there twice"
    for part in (model.front_end.settings, asdict(model.endpointer), asdict(model.calibration)):
        for key, value in part.items():
            numbers = value if isinstance(value, tuple | list) else (value,)
            if not all(math.isfinite(x) for x in numbers if isinstance(x, float)):
                return f"{key} is not finite"
    if fault := model.front_end.fault:
        return f"the front end's {fault}"
    chain = [getattr(model.acoustics.chain, name) for name in CHAIN]
    chain += model.acoustics.chain.log_jumps.values()
    positions = chain[0].shape[-1] if chain[0].ndim else 0
    if positions < 3 or any(x.shape != (words, positions) for x in chain):
        return "its transitions do not fit its words"
    if not all((x <= 1e-6).all() for x in chain):  # false for NaN, too
        return "its transitions are not log probabilities"
    for name, bank in _banks(model).items():
        rows = words * (positions - 2) + 1 if name == "bank" else 1
        if fault := bank.fault(rows, model.front_end.dims):
            return f"the {name}'s {fault}"
    return _rejection_fault(model.rejection, model.acoustics) if model.rejection else None


def _rejection_fault(rejection: Rejection, models: WordModels) -> str | None:
    arrays = {name: getattr(rejection, name) for name in REJECTION}
    size, units = rejection.weights.size, rejection.output.size
    shapes = dict.fromkeys(REJECTION, (size,)) | {"hidden": (size + 1, units), "output": (units,)}
    if (
        size not in (len(SUMMARY), stays(models.states).stop, evidence_size(models))
        or any(array.shape != shapes[name] for name, array in arrays.items())
        or not all(np.isfinite(array).all() for array in (*arrays.values(), rejection.bias))
    ):
        return "its rejection does not weigh the evidence"
    if set(rejection.thresholds) != set(REFUSED) or not all(0 <= t <= 1 for t in rejection.thresholds.values()):
        return "its rejection has no operating points from 0 to 1"
    return None


def folders() -> list[Path]:
    """Where models are looked for by name: the user's own, then those installed with the package."""
    package = Path(__file__).resolve().parent
    return [home() / "models", package / "models", package.parent / "models"]


def installed() -> dict[str, Path]:
    """All models that have a name, with their files; a user's model hides an installed one of that name."""
    files = [
        file for folder in reversed(folders()) if os.access(folder, os.R_OK) for file in sorted(folder.glob("*.npz"))
    ]
    return {file.stem: file for file in files}


def _hides_another(path: Path) -> bool:
    """Whether a file is a user's own model that has the name of an installed one."""
    own, *others = folders()
    return path.parent == own and os.path.exists(path) and any(os.path.isfile(other / path.name) for other in others)


def locate(model: str | Path) -> Path:
    """The file of a model given by name or by path.

    Raises
    ------
    ModelError
        if there is neither a file nor a model of that name.
    """
    path = Path(model)
    if path.suffix == ".npz" or os.path.isfile(path):  # which never raises, unlike path.is_file
        return path
    known = installed()
    if str(model) not in known:
        names = listed(known) or "none"
        raise ModelError(
            f"there is no model {cited(str(model))}; known by name: {names}; or give the path of a .npz file"
        )
    return known[str(model)]
