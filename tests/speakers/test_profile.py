"""A profile must come back as it was saved, fit the model it was made for, or be refused."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import fields, replace

import numpy as np
import pytest
from extracting import extract
from refusing import refusal
from synthetic import WORDS, say

from recognizer.acoustics.gaussians import GaussianBank
from recognizer.errors import ProfileError
from recognizer.model import Model
from recognizer.recognition.decoding import score_words
from recognizer.recognizer import Recognizer
from recognizer.speakers import profile as profile_module
from recognizer.speakers.profile import VERSION, Profile

ANEW = "make it anew from the kept takes with `recognizer speakers refresh`, or enroll again"


def shifted(model: Model, size=0.1, transform=True) -> Model:
    """The model fitted to somebody, made up."""
    bank, dims = model.acoustics.bank, model.front_end.dims
    random = np.random.default_rng(0)
    means = bank.means + size * random.normal(0, 1, bank.means.shape)
    own = np.column_stack([random.normal(0, size, dims), np.eye(dims) + 0.01 * random.normal(0, 1, (dims, dims))])
    moved = GaussianBank(bank.weights, means, 1.1 * bank.variances)
    models = replace(model.acoustics, bank=moved, transform=own if transform else None)
    mean = tuple(m + size for m in model.front_end.mean)
    return replace(model, acoustics=models, front_end=replace(model.front_end, mean=mean, mean_weight=123.5))


@pytest.fixture
def profile(built) -> Profile:
    return Profile.of(shifted(built), built, "tones", {"made": "2024-02-29", "takes": {"rise": 3}, "why": "日本"})


@pytest.fixture
def path(profile, tmp_path):
    profile.save(tmp_path / "p.npz")
    return tmp_path / "p.npz"


def refused(path, *parts) -> str:
    """Expect a ProfileError of one line that names the file and a remedy; its text."""
    return refusal(ProfileError, lambda: Profile.load(path), path, *parts)


def rewrite(path, change):
    """Change the header and the arrays of a profile."""
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    header = json.loads(str(content.pop("header")))
    change(header, content)
    np.savez(path, header=np.array(json.dumps(header)), **content)
    return path


# Round trip


@pytest.mark.parametrize("transform", [True, False])
def test_a_saved_profile_comes_back_to_the_last_bit(built, tmp_path, transform):
    saved = Profile.of(shifted(built, transform=transform), built, "tones", {"n": [1, None, "é"]})
    saved.save(tmp_path / "p.npz")
    loaded = Profile.load(tmp_path / "p.npz")
    for field in fields(GaussianBank):
        np.testing.assert_array_equal(getattr(loaded.bank, field.name), getattr(saved.bank, field.name), strict=True)
    if transform:
        np.testing.assert_array_equal(loaded.transform, saved.transform, strict=True)
    else:
        assert loaded.transform is None
    for name in ("base", "model_name", "mean", "mean_weight", "warp", "record"):
        assert getattr(loaded, name) == getattr(saved, name)


def test_what_is_applied_is_the_model_that_was_fitted_and_the_base_stays(built, path):
    before, bank = built.fingerprint, built.acoustics.bank
    own = Profile.load(path).apply(built)
    assert own.fingerprint == shifted(built).fingerprint
    np.testing.assert_array_equal(own.acoustics.transform, shifted(built).acoustics.transform)
    assert built.fingerprint == before
    assert built.acoustics.bank is bank
    assert built.acoustics.transform is None
    assert (own.words, own.rejection, own.calibration) == (built.words, built.rejection, built.calibration)
    for word in WORDS:
        sound = say(word), 8000
        assert Recognizer(own).recognize(*sound) == Recognizer(shifted(built)).recognize(*sound)


def test_a_profile_of_the_base_itself_changes_no_answer(built):
    own = Profile.of(built, built, "tones", {}).apply(built)
    features = [extract(built.front_end, say(word)) for word in WORDS]
    np.testing.assert_array_equal(score_words(own.acoustics, features), score_words(built.acoustics, features))


def test_another_model_is_refused_with_both_fingerprints(built, path):
    other = replace(built, words=built.words[::-1])
    with pytest.raises(ProfileError) as caught:
        Profile.load(path).apply(other)
    text = str(caught.value)
    assert built.fingerprint[:12] in text
    assert other.fingerprint[:12] in text
    assert "made for another model: tones with the fingerprint" in text
    assert "use that model, or make the profile anew" in text


# What is refused


def test_a_missing_profile_says_where_to_look(tmp_path):
    refused(tmp_path / "none.npz", "there is no profile at", "see `recognizer speakers list`")


def test_a_folder_or_text_or_nothing_is_no_profile(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("folder", "text.npz", "empty.npz"):
        refused(tmp_path / name, "is no profile, or is damaged", ANEW)


def test_every_truncation_is_refused(path):
    content = path.read_bytes()
    for size in np.linspace(0, len(content) - 1, 40).astype(int):
        path.write_bytes(content[:size])
        refused(path, "is no profile, or is damaged", ANEW)


def test_a_changed_byte_is_refused_or_changes_nothing(profile, path):
    content = path.read_bytes()
    for place in np.linspace(0, len(content) - 1, 150).astype(int):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            loaded = Profile.load(path)
        except ProfileError:
            continue
        np.testing.assert_array_equal(loaded.bank.means, profile.bank.means)
        assert loaded.base == profile.base


def test_a_model_is_no_profile(model_file):
    refused(model_file, "is an .npz file but no profile")


def test_a_pickle_is_not_opened(tmp_path):
    np.savez(tmp_path / "p.npz", header=np.array([{"a": 1}], dtype=object))
    refused(tmp_path / "p.npz", "is no profile, or is damaged")


@pytest.mark.parametrize("version", [VERSION + 1, None, "1"])
def test_a_newer_version_says_so(path, version):
    rewrite(path, lambda header, content: header.update(version=version))
    refused(path, f"has profile version {version}, this program reads up to {VERSION}", "update with")


DAMAGE = {
    "mean is NaN": lambda h, c: c["means"].__setitem__((0, 0, 0), np.nan),
    "mean is infinite": lambda h, c: c["means"].__setitem__((0, 0, 0), np.inf),
    "variance is zero": lambda h, c: c["variances"].__setitem__((0, 0, 0), 0.0),
    "variance is negative": lambda h, c: c["variances"].__setitem__((1, 0, 0), -1.0),
    "variance is NaN": lambda h, c: c["variances"].__setitem__((1, 0, 0), np.nan),
    "weight is negative": lambda h, c: c["weights"].__setitem__(0, [1.5, -0.5]),
    "weight is NaN": lambda h, c: c["weights"].__setitem__((0, 0), np.nan),
    "weights are no shares": lambda h, c: c["weights"].__setitem__(0, [0.9, 0.9]),
    "no weights": lambda h, c: c.pop("weights"),
    "fewer variances": lambda h, c: c.update(variances=c["variances"][1:]),
    "fewer dimensions": lambda h, c: c.update(variances=c["variances"][..., 1:]),
    "flat means": lambda h, c: c.update(means=c["means"].ravel(), variances=c["variances"].ravel()),
    "means are text": lambda h, c: c.update(means=c["means"].astype(str)),
    "means are complex": lambda h, c: c.update(means=c["means"] * (1 + 1j)),
    "transform is NaN": lambda h, c: c["transform"].__setitem__((0, 0), np.nan),
    "transform is square": lambda h, c: c.update(transform=c["transform"][:, 1:]),
    "transform loses a dimension": lambda h, c: c["transform"].__setitem__(0, 0.0),
    "cepstral mean is NaN": lambda h, c: h["mean"].__setitem__(0, float("nan")),
    "cepstral mean is text": lambda h, c: h.update(mean=["x"]),
    "mean weight is negative": lambda h, c: h.update(mean_weight=-1),
    "mean weight is nothing": lambda h, c: h.update(mean_weight=None),
    "warp is zero": lambda h, c: h.update(warp=0),
    "no base": lambda h, c: h.pop("base"),
    "base is a number": lambda h, c: h.update(base=7),
    "model name is a list": lambda h, c: h.update(model_name=[]),
    "record is a list": lambda h, c: h.update(record=[]),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_numbers_that_cannot_be_used_are_refused(path, what):
    refused(rewrite(path, DAMAGE[what]), "is damaged", ANEW)


@pytest.mark.parametrize(
    "change",
    [
        lambda h, c: c.update({name: c[name][1:] for name in ("weights", "means", "variances")}),
        lambda h, c: c.update({name: c[name][..., :-3] for name in ("means", "variances")}) or c.pop("transform"),
        lambda h, c: c.update(
            weights=np.ones_like(c["weights"][:, :1]), means=c["means"][:, :1], variances=c["variances"][:, :1]
        ),
        lambda h, c: h.update(mean=h["mean"][:-1]),
        lambda h, c: h.update(mean=[]),
    ],
    ids=["states", "dimensions", "components", "cepstral mean", "no cepstral mean"],
)
def test_numbers_that_are_sound_but_of_another_model_are_refused_when_applied(built, path, change):
    loaded = Profile.load(rewrite(path, change))
    with pytest.raises(ProfileError, match=r"names this model but does not fit it, .*; make it anew"):
        loaded.apply(built)


# Writing


def only(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_program_killed_before_the_end_leaves_the_old_profile(built, path, monkeypatch):
    old = path.read_bytes()

    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        Profile.of(shifted(built, 0.5), built, "tones", {}).save(path)
    assert path.read_bytes() == old
    assert only(path.parent) == ["p.npz"]


@pytest.mark.parametrize("where", ["os.replace", "np.savez_compressed"])
def test_a_full_disk_leaves_the_old_profile_and_says_so(built, path, monkeypatch, where):
    old = path.read_bytes()

    def full(file, *args, **kwargs):
        if hasattr(file, "write"):
            file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if where == "os.replace":
        monkeypatch.setattr(os, "replace", full)
    else:
        monkeypatch.setattr(profile_module.np, "savez_compressed", full)
    with pytest.raises(ProfileError) as caught:
        Profile.of(shifted(built, 0.5), built, "tones", {}).save(path)
    assert str(caught.value) == (
        f"{path} cannot be written: No space left on device; make room or allow it, and try again"
    )
    assert path.read_bytes() == old
    assert only(path.parent) == ["p.npz"]


def test_a_folder_that_is_not_there_is_named(profile, tmp_path):
    with pytest.raises(ProfileError, match=r"nowhere.p\.npz cannot be written: No such file or directory; "):
        profile.save(tmp_path / "nowhere" / "p.npz")


def test_a_profile_replaces_another(built, path):
    Profile.of(shifted(built, 0.5), built, "other", {}).save(path)
    assert Profile.load(path).model_name == "other"
    assert only(path.parent) == ["p.npz"]
