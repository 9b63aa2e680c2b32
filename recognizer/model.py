"""The model: vocabulary, front end, acoustic models, calibration and card, in one file."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from recognizer.acoustics.chain import JUMP, MOVES, Chain, shortest
from recognizer.acoustics.density import Density, arrays_of, of_arrays
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.word_models import WordModels
from recognizer.errors import ModelError, cited, listed, shown
from recognizer.features.analysis import Analyser
from recognizer.features.front_end import FrontEnd, GivenFeatures, of_settings
from recognizer.files import archive, contents
from recognizer.files.contents import Table, array_fault, shortened
from recognizer.files.user_folder import home
from recognizer.files.writing import FULL
from recognizer.recognition.calibration import Calibration
from recognizer.recognition.evidence import SUMMARY, evidence_size, stays
from recognizer.recognition.verification import Rejection
from recognizer.sound.endpoint import Endpointer

FORMAT = "recognizer-model"
# 5: deviations are normalised, cepstra smoothed; 4: a network weighs the evidence;
# 3: the front end is in the file as its matrices, no background mixture.
VERSION = 5
BANKS = ("bank", "noise")
CHAIN = "chain_"
TYING = "tying"
REJECTION = ("least", "most", "weights", "hidden", "output")
DISTANCE = re.compile("-?[1-9][0-9]{0,4}")  # that a jump goes
EVIDENCE = "rejection_"
FRONT_END = "front_end_"
GAUSSIAN = frozenset(array.name for array in fields(GaussianBank))


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

    def __repr__(self) -> str:
        return f"Model({in_few_words(self)})"

    def _repr_html_(self) -> str:
        """For a notebook: what it knows, how large it is, and how well it does."""
        from recognizer.files.html import table

        return table("Model", facts(self))

    def save(self, path: str | Path, *, private: bool = False, new: bool = False) -> None:
        """Write the model to one `.npz`, whole or not at all.

        Parameters
        ----------
        path : of the file; what was there is replaced
        private : whether nobody but its owner may read it, as with one that is fitted to a voice
        new : whether nothing may be there

        Raises
        ------
        ModelError
            if the file cannot be written.
        """
        path = Path(path)
        arrays, header = _arrays(self), _header(self)
        header |= {"card": self.card, "fingerprint": _fingerprint(arrays, header)}
        try:
            archive.write(path, header, arrays, private=private, new=new)
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
    except archive.NoNumbersError as error:
        raise _changed(name) from error
    except archive.ForeignError as error:
        raise ModelError(f"{name} is an .npz file but not a model; train one with `recognizer train`") from error
    except ValueError as error:  # a DamagedError, or a zero character in the name
        raise ModelError(f"{name} is not a model, or is damaged; train it again or fetch a new copy") from error


def _arrays(model: Model) -> dict[str, np.ndarray]:
    arrays = {f"{CHAIN}{name}": array for name, array in model.acoustics.chain.arrays.items()}
    for name, bank in _banks(model).items():
        arrays |= {f"{name}_{key}": array for key, array in arrays_of(bank).items()}
    if model.acoustics.tying is not None:
        arrays[TYING] = model.acoustics.tying
    if model.rejection:
        arrays |= {f"{EVIDENCE}{name}": getattr(model.rejection, name) for name in REJECTION}
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
        digest.update(np.ascontiguousarray(arrays[name], dtype="<f8").ravel())
    return digest.hexdigest()


def _not_written(path: Path, error: OSError) -> ModelError:
    room = ", or make room on the disk" if error.errno in FULL else ""
    return ModelError(f"{shown(path)} cannot be written: {error.strerror}; write the model elsewhere{room}")


def _assemble(path: Path, header: dict, arrays: dict[str, np.ndarray]) -> Model:
    name, version = shown(path), header.get("version")
    if type(version) is not int or version > VERSION:
        raise ModelError(
            f"{name} has format version {archive.named_version(version)}, this program reads up to {VERSION}; "
            "update with `pip install --upgrade recognizer`"
        )
    if version < VERSION:
        raise ModelError(
            f"{name} has format version {archive.named_version(version)}, which this program no longer reads; train it "
            "again with `recognizer train`"
        )
    card, fingerprint = header.pop("card", {}), header.pop("fingerprint", None)
    if fingerprint != _fingerprint(arrays, header):
        raise _changed(name)
    if found := _unfit(header, arrays) or contents.CARD.fault(card, "card"):
        raise ModelError(f"{name} is no working model ({found}); train it again or fetch a new copy")
    banks = {name: of_arrays(_starting(arrays, f"{name}_")) for name in _bank_names(header)}
    rejection = None
    if "noise" in banks:
        own = {name: arrays[f"{EVIDENCE}{name}"] for name in REJECTION}
        rejection = Rejection(noise=banks["noise"], **own, **header["rejection"])
    tying = arrays[TYING].astype(np.intp) if TYING in arrays else None
    model = Model(
        tuple(header["words"]),
        of_settings(header["front_end"], _starting(arrays, FRONT_END)),
        Endpointer(**header["endpointer"]),
        WordModels(banks["bank"], Chain.of_arrays(_starting(arrays, CHAIN)), header["history"], tying=tying),
        Calibration(**header["calibration"]),
        rejection,
        card,
    )
    if found := _contradiction(model):
        raise ModelError(f"{name} is no working model ({found}); train it again or fetch a new copy")
    return model


def _changed(name: str) -> ModelError:
    return ModelError(f"{name} was changed or damaged after it was saved; train it again or fetch a new copy")


def in_few_words(model: Model) -> str:
    """The vocabulary and the kind of a model, on one line."""
    count = f"{len(model.words)} word{'' if len(model.words) == 1 else 's'}"
    kind = f"{model.acoustics.states} states, {model.acoustics.bank.name}"
    return f"{count}: {listed(model.words, 3)}; {kind}; {model.front_end.source}"


def facts(model: Model) -> list[tuple[str, str]]:
    """What a person may want to know of a model, line by line; what is not as a card has it is passed over."""
    tied = model.acoustics.tied_states
    shared = f", {tied} of all words together" if tied else ""
    told = {
        "words": f"{len(model.words)}: {listed(model.words, len(model.words))}",
        "front end": f"{model.front_end.source}, {model.front_end.dims} features a frame",
        "states of a word": f"{model.acoustics.states}{shared}",
        "density": f"{model.acoustics.bank.name}, {np.count_nonzero(model.acoustics.bank.weights)} components",
        "size": f"{sum(array.size for array in _arrays(model).values())} numbers",
        "rejects other words": "yes" if model.rejection else "no",
    }
    measured = model.card.get("accuracy")
    tests = {"held out": model.card.get("held_out")} | (measured if isinstance(measured, dict) else {})
    for name, test in tests.items():
        share, of = (test.get("accuracy"), test.get("n")) if isinstance(test, dict) else (None, None)
        if isinstance(share, int | float) and isinstance(of, int) and 0 <= share <= 1:
            told[f"accuracy, {shown(name)}"] = f"{100 * share:.1f} % of {of}"
    told |= {name: shown(model.card[name]) for name in ("licence", "made") if isinstance(model.card.get(name), str)}
    return list(told.items())


def flaw(model: Model) -> str | None:
    """What keeps a model from being one that is read again once it is saved; None when nothing does."""
    return _unfit(_header(model), _arrays(model)) or contents.CARD.fault(model.card, "card") or _contradiction(model)


def too_large(words: int, positions: int) -> str | None:
    """What keeps a model from having so many words, each with so many positions; None when nothing does."""
    if words > contents.MOST_WORDS:
        return f"it has {words} words, and {contents.MOST_WORDS} are the most"
    if not 3 <= positions <= contents.MOST_STATES or words * positions > contents.MOST_POSITIONS:
        return (
            f"each of its {words} words has {positions} positions, not 3 to {contents.MOST_STATES}, or they are more "
            f"than {contents.MOST_POSITIONS} in all"
        )
    return None


def _starting(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Those whose names start so, under what follows in the name."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _bank_names(header: dict) -> tuple[str, ...]:
    return BANKS if "rejection" in header else BANKS[:1]


def _unfit(header: dict, arrays: dict[str, np.ndarray]) -> str | None:
    """What in the header or the arrays is not as `contents` describes it; None when nothing is."""
    front_end = header.get("front_end")
    given = isinstance(front_end, dict) and "kind" in front_end
    table = contents.MODEL | {"front_end": contents.GIVEN if given else contents.FRONT_END}
    table |= {"rejection": contents.REJECTION} if "rejection" in header else {}
    settings = {key: value for key, value in header.items() if key not in ("format", "version")}
    if found := Table(table).fault(settings, ""):
        return found
    sizes = {"words": len(header["words"]), "dims": front_end["dims"] if given else 3 * front_end["cepstra"]}
    jumps = _starting(arrays, f"{CHAIN}{JUMP}")
    expected = {f"{CHAIN}{name}": contents.CHAIN for name in MOVES}
    expected |= {f"{CHAIN}{JUMP}{far}": contents.CHAIN for far in jumps if DISTANCE.fullmatch(far)}
    expected |= {TYING: contents.TYING} if TYING in arrays else {}
    for name in _bank_names(header):
        own = frozenset(_starting(arrays, f"{name}_"))
        kind = contents.density(name).get(own)
        if kind is None or (name == "noise" and own != GAUSSIAN):
            return f"the {name}'s arrays are those of no density: {shortened(sorted(own))}"
        expected |= {f"{name}_{key}": array for key, array in kind.items()}
    if "rejection" in header:
        expected |= {f"{EVIDENCE}{name}": array for name, array in contents.EVIDENCE.items()}
    if not given:
        sizes |= {name: front_end[name] for name in ("filters", "cepstra", "smoothing_width", "delta_width")}
        sizes["window"] = round(front_end["window"] * front_end["sample_rate"])
        expected |= {f"{FRONT_END}{name}": array for name, array in contents.MATRICES.items()}
    return array_fault(arrays, expected, sizes)


def _contradiction(model: Model) -> str | None:
    """What keeps the parts, each of which is as it should be, from being one model; None when nothing does."""
    if len(set(model.words)) < len(model.words) or not all(map(str.strip, model.words)):
        return "a word is empty or there twice"
    if found := model.front_end.fault:
        return f"the front end's {found}"
    words, positions = model.acoustics.chain.log_entry.shape
    jumps = model.acoustics.chain.log_jumps
    if found := too_large(words, positions):
        return found
    if words * positions * (2 + len(jumps)) > contents.MOST_MOVES:
        return f"its words have more than {contents.MOST_MOVES} transitions"
    if wrong := [distance for distance in jumps if distance == 1 or abs(distance) >= positions]:
        return f"its transitions go {wrong[0]} states far, and it has {positions}"
    if found := _tying_fault(model.acoustics):
        return found
    for name, bank in _banks(model).items():
        rows = 1 + (model.acoustics.tied_states or words * (positions - 2)) if name == "bank" else 1
        if found := bank.fault(rows, model.front_end.dims):
            return f"the {name}'s {found}"
    if not shortest(model.acoustics.chain).all():
        return "a word has no path through its states"
    return _rejection_fault(model.rejection, model.acoustics) if model.rejection else None


def _tying_fault(models: WordModels) -> str | None:
    """What keeps the states that words have in common from being all those that there are; None when nothing does."""
    if models.tying is None:
        return None
    needed = (len(models.chain.log_stay), models.states)
    if models.tying.shape != needed:
        return f"tying has the shape {models.tying.shape}, not {needed}"
    if not np.array_equal(np.unique(models.tying), np.arange(models.tied_states)):
        return f"tying does not name each of {models.tied_states} tied states and no other"
    return None


def _rejection_fault(rejection: Rejection, models: WordModels) -> str | None:
    """What keeps evidence from being weighed: there is none on a word of which no state is heard."""
    if rejection.size not in (len(SUMMARY), stays(models.states).stop, evidence_size(models)):
        return "its rejection does not weigh the evidence"
    chain = models.chain
    past = [chain.log_entry[:, -1], chain.log_exit[:, 0], *(far[:, 0] for far in _farthest(chain))]
    if any(np.isfinite(way).any() for way in past):
        return "a path through a word may leave out all of its states"
    return None


def _farthest(chain: Chain) -> list[np.ndarray]:
    """The jumps over all states of a word, from one silence to the other."""
    return [jump for distance, jump in chain.log_jumps.items() if distance == chain.log_entry.shape[1] - 1]


def folders() -> list[Path]:
    """Where models are looked for by name: the user's own, then those installed with the package."""
    package = Path(__file__).resolve().parent
    return [home() / "models", package / "models", package.parent / "models"]


def installed() -> dict[str, Path]:
    """All models that have a name, with their files; a user's model hides an installed one of that name."""
    found = {}
    for folder in reversed(folders()):
        with suppress(OSError):
            files = sorted(file for file in os.listdir(folder) if os.path.splitext(file)[1] == ".npz")
            found |= {file.removesuffix(".npz"): folder / file for file in files}
    return found


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
