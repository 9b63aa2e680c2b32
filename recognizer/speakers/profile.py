"""A speaker's profile: how one model was fitted to one voice, in a small file that knows which model that was."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from recognizer.acoustics.density import Density, alike, arrays_of, of_arrays
from recognizer.errors import NewerProfileError, ProfileError, shown
from recognizer.files import archive
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
                f"{self.base[:12]}, and "
                f"this one has {model.fingerprint[:12]}; use that model, or make the profile anew for this one"
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
        """Write the profile, whole or not at all.

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
            archive.write(path, header, arrays)
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
        if not isinstance(version, int) or version > VERSION:
            newer = NewerProfileError if isinstance(version, int) else ProfileError
            raise newer(
                f"{name} has profile version {shown(version)}, this program reads up to {VERSION}; "
                "update with `pip install --upgrade recognizer`"
            )
        try:
            transform = arrays.pop("transform", None)
            bank = of_arrays(arrays)
            mean = tuple(map(float, header["mean"]))
            numbers = (float(header["mean_weight"]), float(header["warp"]))
            profile = cls(header["base"], header["model_name"], bank, transform, mean, *numbers, header["record"])
            sound = _is_sound(profile)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ProfileError(f"{name} is damaged; {_ANEW}") from error
        if not sound:
            raise ProfileError(f"{name} is damaged; {_ANEW}")
        return profile


_ANEW = "make it anew from the kept takes with `recognizer speakers refresh`, or enroll again"


def _is_sound(profile: Profile) -> bool:
    """Whether the numbers can be used."""
    bank, transform = profile.bank, profile.transform
    dims = bank.dims
    fits = all(array.dtype.kind == "f" for array in arrays_of(bank).values()) and not bank.fault(
        len(bank.weights), dims
    )
    if transform is not None:
        fits = fits and transform.shape == (dims, dims + 1) and bool(np.isfinite(transform).all())
        fits = fits and bool(np.isfinite(np.linalg.slogdet(transform[:, 1:])[1]))  # it can be undone
    return (
        fits
        and isinstance(profile.base, str)
        and isinstance(profile.model_name, str)
        and isinstance(profile.record, dict)
        and all(math.isfinite(x) for x in (*profile.mean, profile.mean_weight, profile.warp))
        and profile.warp > 0
        and profile.mean_weight >= 0
    )
