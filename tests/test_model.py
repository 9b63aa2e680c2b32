"""A model must come back as it was saved, or not at all."""

from __future__ import annotations

import json
import os
import re
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import typer
from refusing import refusal
from synthetic import WORDS, say

from recognizer import model as model_module
from recognizer import model as models
from recognizer.errors import ModelError, RecognizerWarning
from recognizer.files.user_folder import home
from recognizer.model import REJECTION, Model, installed, locate
from recognizer.recognition.calibration import Calibration
from recognizer.recognition.evidence import evidence_size
from recognizer.recognizer import Recognizer


def refused(path: Path, *parts: object) -> str:
    """Expect a ModelError of one line that names the file and a remedy; its text."""
    return refusal(ModelError, lambda: Model.load(path), path, *parts)


@pytest.fixture(scope="module")
def networked(built) -> Model:
    """`built`, but all evidence is weighed by a network."""
    random, size = np.random.default_rng(0), evidence_size(built.acoustics)
    network = {"hidden": random.standard_normal((size + 1, 6)) / 30, "output": random.standard_normal(6)}
    ends = {"least": random.uniform(-5, -4, size), "most": random.uniform(4, 5, size)}
    weights = random.standard_normal(size) / 30
    return replace(built, rejection=replace(built.rejection, weights=weights, **ends, **network))


@pytest.fixture(scope="module")
def networked_file(networked, tmp_path_factory) -> Path:
    """The file of `networked`; not to be changed."""
    networked.save(path := tmp_path_factory.mktemp("networks") / "tones.npz")
    return path


@pytest.fixture(scope="module")
def tied(built) -> Model:
    """`built`, but its words share states: each its first one with the last one of the word before."""
    tying = np.arange(20).reshape(4, 5)
    tying[1:, 0] = tying[:-1, -1]
    kept, tying = np.unique(tying, return_inverse=True)
    bank = built.acoustics.bank.take(np.append(kept, 20))
    return replace(built, acoustics=replace(built.acoustics, bank=bank, tying=tying.reshape(4, 5)))


def arrays(model: Model) -> dict[str, np.ndarray]:
    """All numbers of the acoustic models and the rejection, found without the code that saves them."""
    parts = {"chain": model.acoustics.chain, "bank": model.acoustics.bank, "rejection": model.rejection}
    parts["noise"] = model.rejection.noise
    names = [(name, part, field.name) for name, part in parts.items() for field in fields(part)]
    found = {f"{name}_{field}": getattr(part, field) for name, part, field in names}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


def with_array(model: Model, name: str, value: np.ndarray) -> Model:
    """The model with another array of a name as in `arrays`."""
    part, _, attribute = name.partition("_")
    if part == "rejection":
        return replace(model, rejection=replace(model.rejection, **{attribute: value}))
    whole = "rejection" if part == "noise" else "acoustics"
    changed = replace(getattr(getattr(model, whole), part), **{attribute: value})
    return replace(model, **{whole: replace(getattr(model, whole), **{part: changed})})


def with_item(values: np.ndarray, place: int, value: float) -> np.ndarray:
    values = values.copy()
    values.flat[place] = value
    return values


def rewrite(source: Path, target: Path, change: Callable[[dict, dict], None]) -> Path:
    """Write a model file anew, with sound checksums, after a change to its header and arrays."""
    with np.load(source) as file:
        content = {name: file[name] for name in file.files}
    header = json.loads(str(content.pop("header")))
    change(header, content)
    np.savez(target, header=np.array(json.dumps(header)), **content)
    return target


# Saving and loading


@pytest.mark.parametrize("kind", ["built", "networked"])
def test_a_saved_model_comes_back(kind, request, tmp_path):
    saved = request.getfixturevalue(kind)
    saved.save(tmp_path / "m.npz")
    loaded = Model.load(tmp_path / "m.npz")
    before, after = arrays(saved), arrays(loaded)
    assert {"rejection_weights", "rejection_hidden", "noise_means", "bank_means", "chain_log_stay"} < set(before)
    for name, values in before.items():
        assert after[name].dtype == values.dtype
        np.testing.assert_array_equal(after[name], values, strict=True)
    for field in fields(Model):
        if field.name not in ("acoustics", "rejection"):
            assert getattr(loaded, field.name) == getattr(saved, field.name)
    assert (loaded.rejection.bias, loaded.rejection.thresholds) == (saved.rejection.bias, saved.rejection.thresholds)
    assert loaded.acoustics.history == saved.acoustics.history
    assert set(loaded.acoustics.history) == {"viterbi", "baum-welch"}
    assert loaded.fingerprint == saved.fingerprint
    for word in WORDS:
        sound = say(word), 8000
        assert Recognizer(loaded).recognize(*sound) == Recognizer(saved).recognize(*sound)


def test_the_card_comes_back_whatever_is_in_it(built, tmp_path):
    card = {
        "data": "Wörter, 语音, \U0001f600",
        "licence": None,
        "nested": {"n": [1, 2.5, True]},
        "line": "a\nb",
    }
    replace(built, card=card).save(tmp_path / "m.npz")
    assert Model.load(str(tmp_path / "m.npz")).card == card


def test_words_of_any_script_come_back(built, tmp_path):
    words = ("语音", "café", "a b", "क्\u200dष")
    replace(built, words=words).save(tmp_path / "m.npz")
    assert Model.load(tmp_path / "m.npz").words == words


def test_a_file_of_an_older_program_has_no_card(model_file, tmp_path):
    path = rewrite(model_file, tmp_path / "m.npz", lambda header, content: header.pop("card"))
    assert Model.load(path).card == {}


def test_a_model_replaces_another(built, tmp_path):
    path = tmp_path / "m.npz"
    path.write_bytes(b"something else")
    built.save(path)
    assert Model.load(path).fingerprint == built.fingerprint
    assert list(tmp_path.glob("**/*.npz")) == [path]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["m.npz"]


# Fingerprint


def test_which_states_are_tied_comes_back(tied, built, tmp_path):
    tied.save(tmp_path / "m.npz")
    loaded = Model.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(loaded.acoustics.tying, tied.acoustics.tying)
    assert loaded.fingerprint == tied.fingerprint != built.fingerprint
    assert loaded.acoustics.tied_states == 17
    for word in WORDS:
        assert Recognizer(loaded).recognize(say(word), 8000) == Recognizer(tied).recognize(say(word), 8000)
    np.testing.assert_array_equal(loaded.acoustics.rows(1), [17, 4, 5, 6, 7, 8, 17])
    np.testing.assert_array_equal(loaded.acoustics.rows(np.array([1, 3]))[1, 1:3], [12, 13])


def test_a_model_without_tied_states_says_nothing_of_them(built, model_file):
    with np.load(model_file) as file:
        assert "tying" not in file.files
    assert Model.load(model_file).acoustics.tying is None
    assert built.acoustics.tied_states is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda t: t[:-1], r"tying has the shape \(3, 5\), not \(4, states\)"),
        (lambda t: t[:, :-1], r"tying has the shape \(4, 4\), not \(4, 5\)"),
        (lambda t: t[0], r"tying has the shape \(5,\), not \(4, states\)"),
        (lambda t: t.astype(float), "tying holds numbers of the type float64, not integers"),
        (lambda t: with_item(t, 7, 17), "tying does not name each of 17 tied states and no other"),
        (lambda t: np.maximum(t, 1), "tying does not name each of 17 tied states and no other"),
        (lambda t: with_item(t, 7, -1), "tying holds -1, not numbers from 0 to 200000"),
        (lambda t: with_item(t, 7, 10**9), r"tying holds 1e\+09, not numbers from 0 to 200000"),
        (lambda t: t[:0], r"tying has the shape \(0, 5\), not \(4, states\)"),
    ],
)
def test_tied_states_that_are_none(tied, tmp_path, change, fault):
    wrong = replace(tied.acoustics, tying=change(tied.acoustics.tying))
    replace(tied, acoustics=wrong).save(tmp_path / "m.npz")
    assert re.search(fault, refused(tmp_path / "m.npz", "no working model (", "train it again or fetch a new copy"))


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint64])
def test_tied_states_of_any_integers(tied, tmp_path, kind):
    replace(tied, acoustics=replace(tied.acoustics, tying=tied.acoustics.tying.astype(kind))).save(tmp_path / "m.npz")
    loaded = Model.load(tmp_path / "m.npz")
    assert loaded.acoustics.tying.dtype == np.intp
    assert Recognizer(loaded).recognize(say("fall"), 8000) == Recognizer(tied).recognize(say("fall"), 8000)


def changes(model: Model) -> Iterator[tuple[str, Model]]:
    """The model with one number, setting or word changed as little as can be, for each there is."""
    random = np.random.default_rng(0)
    for name, values in arrays(model).items():
        assert values.size, name
        for place in {0, values.size - 1, *random.integers(values.size, size=5)}:
            other = np.nextafter(values.flat[place], np.inf)
            yield f"{name}[{place}]", with_array(model, name, with_item(values, place, other))
    for part in ("front_end", "endpointer", "calibration"):
        found = getattr(model, part)
        for key, value in (found.settings if part == "front_end" else asdict(found)).items():
            if isinstance(value, tuple):
                value = (np.nextafter(value[0], np.inf).item(), *value[1:])
            else:
                value = value + 2 if isinstance(value, int) else np.nextafter(value, np.inf).item()
            yield f"{part}.{key}", replace(model, **{part: replace(getattr(model, part), **{key: value})})
    bias = np.nextafter(model.rejection.bias, np.inf).item()
    yield "bias", replace(model, rejection=replace(model.rejection, bias=bias))
    yield "order of words", replace(model, words=model.words[::-1])
    yield "one word", replace(model, words=("other", *model.words[1:]))


def test_the_fingerprint_changes_with_every_number(networked):
    seen = {networked.fingerprint: "the model itself"}
    for what, changed in changes(networked):
        other = seen.setdefault(changed.fingerprint, what)
        assert other == what, f"{what} has the fingerprint of {other}"
    assert len(seen) > 60


def test_the_fingerprint_leaves_out_the_card(built, tmp_path):
    renamed = replace(built, card={"data": "another"})
    assert renamed.fingerprint == built.fingerprint
    renamed.save(tmp_path / "m.npz")
    assert Model.load(tmp_path / "m.npz").fingerprint == built.fingerprint


def test_the_fingerprint_is_a_name_for_a_file(built):
    assert len(built.fingerprint) == 64
    assert set(built.fingerprint) <= set("0123456789abcdef")


# Whole or not at all


@pytest.fixture
def broken_write(monkeypatch) -> Callable[[BaseException], None]:
    """Let the next save stop in the middle with an exception."""

    def break_with(error: BaseException) -> None:
        def savez(file, **_):
            file.write(b"PK\x03\x04 the first bytes")
            raise error

        monkeypatch.setattr(np, "savez_compressed", savez)

    return break_with


@pytest.mark.parametrize("exists", [True, False])
def test_a_full_disk_leaves_what_was_there(built, tmp_path, broken_write, exists):
    path = tmp_path / "m.npz"
    if exists:
        path.write_bytes(b"the old model")
    broken_write(OSError(28, "No space left on device"))
    with pytest.raises(ModelError) as caught:
        built.save(path)
    text = str(caught.value)
    assert text.isprintable()
    assert str(path) in text
    assert "No space left on device; write the model elsewhere" in text
    assert text.endswith(", or make room on the disk")
    assert [entry.name for entry in tmp_path.iterdir()] == (["m.npz"] if exists else [])
    assert not exists or path.read_bytes() == b"the old model"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_an_interrupted_save_leaves_what_was_there(built, tmp_path, broken_write, error):
    path = tmp_path / "m.npz"
    path.write_bytes(b"the old model")
    broken_write(error)
    with pytest.raises(type(error)):
        built.save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.npz"]
    assert path.read_bytes() == b"the old model"


def test_a_card_that_is_no_json_leaves_what_was_there(built, tmp_path):
    path = tmp_path / "m.npz"
    path.write_bytes(b"the old model")
    with pytest.raises(TypeError):
        replace(built, card={"data": {1, 2}}).save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.npz"]
    assert path.read_bytes() == b"the old model"


def test_the_card_tells_how_words_are_said(built):
    said = {"rise": "raiz", "hum": ["hm"], "of no word": "x"}
    assert replace(built, card={"spoken": said}).spoken == {"rise": "raiz"}
    for card in ({}, {"spoken": None}, {"spoken": "raiz"}):
        assert replace(built, card=card).spoken == {}
    assert replace(built, card={"spoken": said}).fingerprint == built.fingerprint, "it changes nothing"


def test_no_folder_to_save_into(built, tmp_path):
    (tmp_path / "folder.npz").mkdir()
    for path in (tmp_path / "gone" / "m.npz", tmp_path / "folder.npz", tmp_path / ("x" * 300 + ".npz")):
        with pytest.raises(ModelError, match=r"cannot be written: .*; write the model elsewhere") as caught:
            built.save(path)
        assert str(path) in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.npz"]


# Files that are no model


def test_missing(tmp_path):
    refused(tmp_path / "m.npz", "no model", "recognizer models list")
    refused(tmp_path / "no" / "folder.npz", "no model")


def test_a_folder(tmp_path):
    (tmp_path / "m.npz").mkdir()
    refused(tmp_path / "m.npz", "cannot be read", "give a model file")


def test_lack_of_permission_is_told_even_where_root_runs_the_tests(model_file, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)
    refused(model_file, "Permission denied", "give a model file")


def plain_array(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def pickled(path: Path) -> None:
    np.savez(path, header=np.array([{"format": "recognizer-model"}], dtype=object))


def no_python(path: Path) -> None:
    """An array whose own header, which NumPy reads as Python, never closes its brackets."""
    with zipfile.ZipFile(path, "w") as file:
        text = b"{'descr': (((, 'fortran_order': False".ljust(117) + b"\n"
        file.writestr("header.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)


def deep_header(path: Path) -> None:
    np.savez(path, header=np.array("[" * 100_000))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\n"),
        lambda path: path.write_text("a model, honestly\n" * 100),
        lambda path: path.write_bytes(bytes(range(256)) * 40),
        lambda path: path.write_bytes(b"PK\x03\x04" + bytes(1000)),
        lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00{"),
        plain_array,
        pickled,
        no_python,
        deep_header,
        lambda path: np.savez(path),
        lambda path: np.savez(path, weights=np.zeros(3)),
        lambda path: np.savez(path, header=np.zeros(3)),
        lambda path: np.savez(path, header=np.array("{")),
        lambda path: np.savez(path, header=np.array('{"format": "other"}')),
        lambda path: np.savez(path, header=np.array("[]")),
        lambda path: np.savez(path, header=np.array("null")),
    ],
)
def test_foreign_files(tmp_path, write):
    write(tmp_path / "m.npz")
    refused(tmp_path / "m.npz", "not a model", "train")


def test_a_file_that_was_cut_off(model_file, tmp_path):
    content, path = model_file.read_bytes(), tmp_path / "m.npz"
    for length in (*range(0, len(content), 499), len(content) - 1):
        path.write_bytes(content[:length])
        refused(path, "not a model, or is damaged", "train it again or fetch a new copy")


def data_of(path: Path, content: bytes) -> Callable[[int], bool]:
    """Tells whether a place in an archive is in the numbers, not in the names and dates around them."""
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        spans = []
        for member in archive.infolist():
            name, extra = struct.unpack_from("<HH", content, member.header_offset + 26)
            start = member.header_offset + 30 + name + extra
            spans.append(range(start, start + member.compress_size))
    return lambda place: any(place in span for span in spans)


def test_a_flipped_bit_is_found_or_harmless(built, model_file, tmp_path):
    content, path = model_file.read_bytes(), tmp_path / "m.npz"
    random, found, in_data = np.random.default_rng(0), set(), data_of(path.with_name("whole.npz"), content)
    # The directory at the end of the file and the names of its members have more to break than data.
    places = {*range(0, len(content), 97), *range(len(content) - 1500, len(content), 11), *range(0, 100, 7)}
    for place in sorted(places):
        flipped = bytearray(content)
        flipped[place] ^= 1 << random.integers(8)
        path.write_bytes(flipped)
        try:
            assert Model.load(path).fingerprint == built.fingerprint
        except ModelError:
            refused(path)
            found.add(place)
    assert len(found) > 0.8 * len(places)
    data = [place for place in places if in_data(place)]
    assert len(data) > 200
    assert len(found & set(data)) > 0.98 * len(data)


def test_a_file_that_says_it_is_encrypted(model_file, tmp_path):
    content = bytearray(model_file.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "m.npz").write_bytes(content)
    refused(tmp_path / "m.npz", "damaged")


@pytest.mark.parametrize("version", [6, 1000])
def test_a_newer_format(model_file, tmp_path, version):
    path = rewrite(model_file, tmp_path / "m.npz", lambda header, _: header.update(version=version))
    refused(path, f"format version {version}", "reads up to 5", "pip install --upgrade")


@pytest.mark.parametrize("version", [1, 4])
def test_an_older_format(model_file, tmp_path, version):
    path = rewrite(model_file, tmp_path / "m.npz", lambda header, _: header.update(version=version))
    refused(path, f"format version {version}", "no longer reads", "train it again with `recognizer train`")


def test_a_model_without_rejection_rejects_nothing(built, tmp_path):
    replace(built, rejection=None).save(tmp_path / "bare.npz")
    with np.load(tmp_path / "bare.npz") as file:
        header = json.loads(str(file["header"]))
        assert not any(name.startswith(("noise", "rejection")) for name in file.files)
    assert "rejection" not in header
    loaded = Model.load(tmp_path / "bare.npz")
    assert loaded.rejection is None
    assert loaded.fingerprint == header["fingerprint"]
    noise = np.random.default_rng(0).standard_normal(4000) * np.hanning(4000)
    for point in ("strict", "normal", "lenient"):
        assert Recognizer(loaded).recognize(noise, 8000, threshold=point).accepted


def broken_rejection(change: Callable[[dict, dict], None]) -> Callable[[dict, dict], None]:
    """A change to header and arrays, with the fingerprint made good."""

    def changed(header: dict, content: dict) -> None:
        change(header, content)
        bare = {key: value for key, value in header.items() if key not in ("card", "fingerprint")}
        header["fingerprint"] = model_module._fingerprint(content, bare)

    return changed


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda h, c: h["rejection"].update(bias=float("inf")), "does not weigh the evidence"),
        (lambda h, c: h["rejection"]["thresholds"].pop("normal"), "no operating points"),
        (lambda h, c: h["rejection"]["thresholds"].update(strict=1.5), "no operating points"),
        (lambda h, c: c.update(noise_weights=c["noise_weights"] * 2), "the noise's weights"),
        (lambda h, c: c.update(noise_means=c["noise_means"][:, :1]), "the noise's Gaussians"),
    ],
)
def test_a_rejection_that_does_not_work_is_refused(model_file, tmp_path, change, fault):
    assert fault in refused(rewrite(model_file, tmp_path / "m.npz", broken_rejection(change)))


@pytest.mark.parametrize("name", REJECTION)
@pytest.mark.parametrize("kind", ["model_file", "networked_file"])
def test_a_rejection_whose_arrays_do_not_fit_each_other_is_refused(kind, request, tmp_path, name):
    file, key = request.getfixturevalue(kind), f"rejection_{name}"
    with np.load(file) as saved:
        array = saved[key]
    wrong = [array[..., None], array.ravel()[:0].reshape((0,) * (array.ndim + 1)), np.float64(1.0)]
    wrong += [np.concatenate([array, np.ones((1, *array.shape[1:]))])]  # one more kind of evidence, or one more unit
    if array.size:
        wrong += [array[1:], *(with_item(array, array.size // 2, value) for value in (np.nan, np.inf, -np.inf))]
    for value in wrong:
        change = broken_rejection(lambda header, content, value=value: content.update({key: value}))
        assert "does not weigh the evidence" in refused(rewrite(file, tmp_path / "m.npz", change))


@pytest.mark.parametrize("size", [0, 4, 6, 100])
def test_a_rejection_of_other_evidence_than_there_is_is_refused(built, tmp_path, size):
    """Its arrays fit each other; but evidence is all that there is, or its summary."""
    other = {"least": -np.ones(size), "most": np.ones(size), "weights": np.ones(size), "hidden": np.ones((size + 1, 3))}
    rejection = replace(built.rejection, output=np.ones(3), **other)
    replace(built, rejection=rejection).save(tmp_path / "m.npz")
    assert "does not weigh the evidence" in refused(tmp_path / "m.npz")


@pytest.mark.parametrize("version", [None, "1", 1.5])
def test_a_format_version_that_is_none(model_file, tmp_path, version):
    path = rewrite(model_file, tmp_path / "m.npz", lambda header, _: header.update(version=version))
    refused(path, f"format version {version}")


# Files that were a model


def test_every_array_is_guarded(networked, networked_file, tmp_path):
    path, model_file = tmp_path / "m.npz", networked_file
    for name, values in arrays(networked).items():
        other = with_item(values, values.size // 2, np.nextafter(values.flat[values.size // 2], np.inf))
        rewrite(model_file, path, lambda _, content, name=name, other=other: content.update({name: other}))
        refused(path, "changed or damaged", "train it again or fetch a new copy")
        rewrite(model_file, path, lambda _, content, name=name: content.pop(name))
        refused(path, "changed or damaged")
        text = np.full(values.shape, "x")
        rewrite(model_file, path, lambda _, content, name=name, text=text: content.update({name: text}))
        refused(path, "changed or damaged")


def test_every_entry_of_the_header_is_guarded(model_file, tmp_path):
    path, keys = tmp_path / "m.npz", []
    rewrite(model_file, path, lambda header, _: keys.extend(header))
    assert {"words", "front_end", "endpointer", "calibration", "history", "fingerprint"} <= set(keys)
    for key in set(keys) - {"format", "version", "card"}:
        for value in (None, 1, "x", [], {}):
            rewrite(model_file, path, lambda header, _, key=key, value=value: header.update({key: value}))
            refused(path, "changed or damaged")
        rewrite(model_file, path, lambda header, _, key=key: header.pop(key))
        refused(path, "changed or damaged")


@pytest.mark.parametrize(
    "change",
    [
        lambda header, _: header["words"].__setitem__(0, "fell"),
        lambda header, _: header["words"].reverse(),
        lambda header, _: header["front_end"].update(cepstra=12),
        lambda header, _: header["front_end"]["mean"].__setitem__(0, 0.0),
        lambda header, _: header["calibration"].update(scale=1e-3),
        lambda header, _: header.update(fingerprint="0" * 64),
        lambda header, _: header.update(more=1),
        lambda _, content: content.update(more=np.zeros(3)),
    ],
)
def test_a_changed_header(model_file, tmp_path, change):
    refused(rewrite(model_file, tmp_path / "m.npz", change), "changed or damaged")


def poison(value: float) -> Iterator[tuple[str, Callable[[Model], Model]]]:
    for part in ("bank", "chain"):
        for name in ("log_entry", "log_exit") if part == "chain" else ("weights", "means", "variances"):
            key = f"{part}_{name}"
            yield (
                f"{key} {value}",
                lambda model, key=key: with_array(model, key, with_item(arrays(model)[key], 0, value)),
            )


@pytest.mark.parametrize(
    "change",
    [
        *(pytest.param(change, id=name) for value in (np.nan, np.inf) for name, change in poison(value)),
        pytest.param(lambda m: with_array(m, "bank_variances", 0 * m.acoustics.bank.variances), id="variance 0"),
        pytest.param(lambda m: with_array(m, "bank_weights", 0 * m.acoustics.bank.weights), id="weights 0"),
        pytest.param(lambda m: with_array(m, "bank_weights", 2 * m.acoustics.bank.weights), id="weights 2"),
        pytest.param(lambda m: with_array(m, "bank_means", m.acoustics.bank.means[:-1]), id="a state less"),
        pytest.param(lambda m: with_array(m, "bank_means", m.acoustics.bank.means[..., 1:]), id="a dim less"),
        pytest.param(lambda m: with_array(m, "bank_means", m.acoustics.bank.means.ravel()), id="flat"),
        pytest.param(lambda m: with_array(m, "bank_weights", np.array(1.0)), id="one number"),
        pytest.param(lambda m: with_array(m, "chain_log_stay", m.acoustics.chain.log_stay[1:]), id="a row less"),
        pytest.param(lambda m: with_array(m, "chain_log_entry", np.array(0.0)), id="no rows"),
        pytest.param(lambda m: with_array(m, "chain_log_next", m.acoustics.chain.log_next[:, 1:]), id="columns"),
        pytest.param(lambda m: replace(m, words=m.words[1:]), id="a word less"),
        pytest.param(lambda m: replace(m, words=(*m.words, "more")), id="a word more"),
        pytest.param(lambda m: replace(m, words=("", *m.words[1:])), id="empty word"),
        pytest.param(lambda m: replace(m, words=(m.words[1], *m.words[1:])), id="a word twice"),
        pytest.param(lambda m: replace(m, words=(7, *m.words[1:])), id="a number as word"),
        pytest.param(lambda m: replace(m, front_end=replace(m.front_end, cepstra=12)), id="cepstra"),
        pytest.param(lambda m: replace(m, front_end=replace(m.front_end, floor=np.nan)), id="NaN floor"),
        pytest.param(lambda m: replace(m, front_end=replace(m.front_end, mean=(np.nan,) * 13)), id="NaN mean"),
        pytest.param(lambda m: replace(m, endpointer=replace(m.endpointer, depth=np.inf)), id="inf depth"),
        pytest.param(lambda m: replace(m, calibration=Calibration(float("nan"))), id="NaN scale"),
    ],
)
def test_numbers_that_make_no_model(built, tmp_path, change):
    """A program may save, fingerprint and all, what cannot work."""
    change(built).save(tmp_path / "m.npz")
    refused(tmp_path / "m.npz", "no working model (", "train it again or fetch a new copy")


def test_an_error_stays_one_line_whatever_the_name(tmp_path):
    with pytest.raises(ModelError) as caught:
        Model.load(tmp_path / "a\nb.npz")
    assert str(caught.value).isprintable()


# Names


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """Let the package seem to be installed in an empty folder."""
    folder = tmp_path / "site-packages" / "recognizer"
    folder.mkdir(parents=True)
    monkeypatch.setattr(models, "__file__", str(folder / "model.py"))
    return folder


def put(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"")
    return folder / name


def test_models_have_the_names_of_their_files(package, home):
    assert installed() == {}
    expected = {
        "digits": put(package / "models", "digits.npz"),
        "checkout": put(package.parent / "models", "checkout.npz"),
        "my own": put(home / "models", "my own.npz"),
    }
    put(home / "models", "notes.txt")
    put(home / "models", ".m.npz.a1b2c3")
    assert installed() == expected
    for name, path in expected.items():
        assert locate(name) == path


def test_the_users_model_hides_an_installed_one(package, home):
    theirs = put(package / "models", "digits.npz")
    assert locate("digits") == theirs
    mine = put(home / "models", "digits.npz")
    assert locate("digits") == mine
    assert installed() == {"digits": mine}


def test_a_path_is_taken_as_it_is(package, home, tmp_path):
    put(home / "models", "digits.npz")
    gone = tmp_path / "digits.npz"
    assert locate(gone) == locate(str(gone)) == gone
    other = put(tmp_path, "saved as something")
    assert locate(other) == other


def test_an_unknown_name(package, home):
    for name in ("digits", "x" * 5000, "a/b", "", "a\nb"):
        with pytest.raises(ModelError, match=r"known by name: none; or give the path of a \.npz file") as caught:
            locate(name)
        assert (repr(name) if len(name) < 5000 else repr(name)[:200]) in str(caught.value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) <= 1000
    put(home / "models", "mine.npz")
    put(package / "models", "digits.npz")
    with pytest.raises(ModelError, match="no model 'digit'; known by name: digits, mine; or"):
        locate("digit")


def test_a_model_is_loaded_by_name(package, home, built, model_file):
    (home / "models").mkdir(parents=True)
    (home / "models" / "tones.npz").write_bytes(model_file.read_bytes())
    assert Recognizer.load("tones").model.fingerprint == built.fingerprint
    assert Recognizer.load(model_file).words == Recognizer.load(str(model_file)).words == WORDS


def test_home(tmp_path, monkeypatch):
    assert home() == tmp_path / "home" == Path(os.environ["RECOGNIZER_HOME"])
    assert not home().exists(), "asking for the folder makes nothing"
    places = {"XDG_DATA_HOME": tmp_path / "data", "XDG_CONFIG_HOME": tmp_path / "settings"}
    for variable, place in places.items():
        monkeypatch.setenv(variable, str(place))
    expected = platformdirs.user_data_path("recognizer", appauthor=False, roaming=True)
    monkeypatch.setenv("RECOGNIZER_HOME", "")
    assert home() == expected
    monkeypatch.delenv("RECOGNIZER_HOME")
    assert home() == expected


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there, data and settings are in one place")
def test_a_home_in_the_former_place_stays_in_use(tmp_path, monkeypatch):
    monkeypatch.delenv("RECOGNIZER_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    assert home() == tmp_path / "data" / "recognizer"
    former = Path(typer.get_app_dir("recognizer"))
    (former / "speakers" / "anna").mkdir(parents=True)
    assert home() == former == tmp_path / "settings" / "recognizer"
    (tmp_path / "data").mkdir()
    former.rename(tmp_path / "data" / "recognizer")
    assert home() == tmp_path / "data" / "recognizer"
    former.mkdir()
    with pytest.warns(RecognizerWarning) as told:
        assert home() == home() == tmp_path / "data" / "recognizer"
    assert [str(warning.message) for warning in told] == [
        f"models and speakers are those in {home()}; those in {former}, where they once were, are not used: move what "
        "you need of them, then remove that folder"
    ]


def test_chains_of_a_saved_model_are_impossible_where_they_were(built, model_file):
    loaded = Model.load(model_file).acoustics.chain
    for (distance, after), (_, before) in zip(loaded.moves(), built.acoustics.chain.moves(), strict=True):
        assert (np.isneginf(after) == np.isneginf(before)).all(), distance
    for name in ("log_entry", "log_exit"):
        assert (np.isneginf(getattr(loaded, name)) == np.isneginf(getattr(built.acoustics.chain, name))).all()
    assert np.isneginf(loaded.log_next[:, -1]).all()


INSTEAD = ", or remove it, then the installed one of that name is used"


@pytest.mark.parametrize("version", [2, 99])
def test_a_file_that_hides_an_installed_model_may_be_removed(package, home, model_file, version):
    for folder in (package / "models", home / "models"):
        folder.mkdir(parents=True, exist_ok=True)
    rewrite(model_file, home / "models" / "digits.npz", lambda header, _: header.update(version=version))
    assert not refused(locate("digits"), f"format version {version}").endswith(INSTEAD)
    (package / "models" / "digits.npz").write_bytes(model_file.read_bytes())
    assert refused(locate("digits"), f"format version {version}").endswith(INSTEAD)
    locate("digits").unlink()
    assert Model.load(locate("digits")).words == Model.load(model_file).words
