"""A speaker's profile: how one model was fitted to one voice, in a small file that knows which model that was."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from recognizer.acoustics.density import Density, alike, arrays_of, of_arrays
from recognizer.errors import NewerProfileError, ProfileError, shown
from recognizer.files import archive, contents
from recognizer.files.contents import array_fault, shortened
from recognizer.model import Model

FORMAT = "recognizer-profile"
VERSION = 1


@dataclass(frozen=True)
class Profile:
    """What a model becomes for one speaker.

    Attributes
    ----------
    base : fingerprint of the model
    model_name : what the model was called when the profile was made: a name or a file
    bank : the densities of all states, fitted
    transform : of the features, (D, D + 1), or None
    mean, mean_weight, warp : of the front end, for this speaker
    record : what it was made from and what came of it, plain JSON data
    """

    base: str
    model_name: str
    bank: Density
    transform: np.ndarray | None
    mean: tuple[float, ...]
    mean_weight: float
    warp: float
    record: dict = field(default_factory=dict)

    @classmethod
    def of(cls, fitted: Model, base: Model, model_name: str, record: dict) -> Profile:
        """What makes the fitted model of the base."""
        front_end, models = fitted.front_end, fitted.acoustics
        speaker = (front_end.mean, front_end.mean_weight, front_end.warp)
        return cls(base.fingerprint, model_name, models.bank, models.transform, *speaker, record)

    def apply(self, model: Model) -> Model:
        """The model fitted to the speaker; the one given stays as it is.

        Raises
        ------
        ProfileError
            if the profile was made for another model, or does not fit the one it names.
        """
        if model.fingerprint != self.base:
            raise ProfileError(
                f"the profile was made for another model: {shown(self.model_name)} with the fingerprint "
                f"{self.base[:12]}, and this one has {model.fingerprint[:12]}; use that model, or make the "
                "profile anew for this one"
            )
        fits = alike(self.bank, model.acoustics.bank) and len(self.mean) == len(model.front_end.mean)
        if not fits:
            raise ProfileError(
                f"the profile names this model but does not fit it, so it was changed or damaged; {_ANEW}"
            )
        front_end = model.front_end.of_speaker(self.mean, self.mean_weight, self.warp)
        return replace(
            model, front_end=front_end, acoustics=replace(model.acoustics, bank=self.bank, transform=self.transform)
        )

    def save(self, path: Path) -> None:
        """Write the profile, whole or not at all; nobody but its owner may read it.

        Raises
        ------
        ProfileError
            if the file cannot be written; what was there stays.
        """
        arrays = arrays_of(self.bank)
        if self.transform is not None:
            arrays["transform"] = self.transform
        header = {
            "format": FORMAT,
            "version": VERSION,
            "base": self.base,
            "model_name": self.model_name,
            "mean": list(self.mean),
            "mean_weight": self.mean_weight,
            "warp": self.warp,
            "record": self.record,
        }
        try:
            archive.write(path, header, arrays, private=True)
        except OSError as error:
            raise ProfileError(
                f"{shown(path)} cannot be written: {error.strerror}; make room or allow it, and try again"
            ) from error

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read a profile, and check that it is one of finite numbers.

        Raises
        ------
        ProfileError
            if the file is missing, no profile, damaged, or of a newer version.
        """
        name = shown(path)
        try:
            header, arrays = archive.read(path, FORMAT)
        except FileNotFoundError as error:
            raise ProfileError(f"there is no profile at {name}; see `recognizer speakers list`") from error
        except (archive.DamagedError, IsADirectoryError) as error:
            raise ProfileError(f"{name} is no profile, or is damaged; {_ANEW}") from error
        except archive.ForeignError as error:
            raise ProfileError(f"{name} is an .npz file but no profile; {_ANEW}") from error
        except OSError as error:
            raise ProfileError(f"{name} cannot be read ({error.strerror}); change its mode") from error
        version = header.get("version")
        if type(version) is not int or version > VERSION:
            newer = NewerProfileError if type(version) is int else ProfileError
            raise newer(
                f"{name} has profile version {archive.named_version(version)}, this program reads up to {VERSION}; "
                "update with `pip install --upgrade recognizer`"
            )
        if found := _unfit(header, arrays):
            raise ProfileError(f"{name} is damaged ({found}); {_ANEW}")
        transform = arrays.pop("transform", None)
        own = (header["base"], header["model_name"], of_arrays(arrays), transform)
        speaker = (tuple(map(float, header["mean"])), float(header["mean_weight"]), float(header["warp"]))
        return cls(*own, *speaker, header["record"])


_ANEW = "make it anew from the kept takes with `recognizer speakers refresh`, or enroll again"


def _unfit(header: dict, arrays: dict[str, np.ndarray]) -> str | None:
    """What in the header or the arrays is not as `contents` describes it, or cannot be used; None when nothing is."""
    if found := contents.PROFILE.fault(header, ""):
        return found
    bank = {name: array for name, array in arrays.items() if name != "transform"}
    kind = contents.density("bank").get(frozenset(bank))
    if kind is None:
        return f"its arrays are those of no density: {shortened(sorted(bank))}"
    transform = {"transform": contents.TRANSFORM} if "transform" in arrays else {}
    if found := array_fault(arrays, kind | transform, {}):
        return found
    density = of_arrays(bank)
    if found := density.fault(len(density.weights), density.dims):
        return f"the bank's {found}"
    if transform and not np.isfinite(np.linalg.slogdet(arrays["transform"][:, 1:])[1]):
        return "its transform cannot be undone"
    return None
