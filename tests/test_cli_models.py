"""`recognizer models`: what there is, and what is in it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from recognizer import model as models
from recognizer.rejection import EVIDENCE


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch) -> Path:
    """Let the package seem to be installed without models."""
    folder = tmp_path / "site-packages" / "recognizer"
    (folder / "models").mkdir(parents=True)
    monkeypatch.setattr(models, "__file__", str(folder / "model.py"))
    return folder / "models"


@pytest.fixture
def own(home) -> Path:
    (home / "models").mkdir(parents=True)
    return home / "models"


# List


def test_no_models(run, home):
    outcome = run("models", "list")
    assert (outcome.status, outcome.stdout) == (0, "")
    assert "no models found" in outcome.stderr
    assert str(home / "models") in outcome.stderr, "where to put some"
    assert run("models", "list", "--quiet").stderr == ""
    assert run("models", "list", "--json").stdout == ""


def test_the_list(run, built, own, package):
    built.save(own / "tones.npz")
    replace(built, words=("语音", "b", "c", "d")).save(package / "other.npz")
    outcome = run("models", "list")
    assert (outcome.status, outcome.stderr) == (0, "")
    lines = {line.split()[0]: line for line in outcome.stdout.splitlines()}
    assert set(lines) == {"tones", "other"}
    for name, path in (("tones", own / "tones.npz"), ("other", package / "other.npz")):
        assert lines[name].endswith(str(path))
        assert "4 words, 8000 Hz" in lines[name]
    records = [json.loads(line) for line in run("models", "list", "--json").stdout.splitlines()]
    assert {record["name"]: record for record in records}["tones"] == {
        "name": "tones",
        "file": str(own / "tones.npz"),
        "words": list(built.words),
        "fingerprint": built.fingerprint,
    }
    assert "语音" in run("models", "list", "--json").stdout


def test_the_users_model_hides_an_installed_one(run, built, own, package):
    built.save(own / "digits.npz")
    (package / "digits.npz").write_bytes(b"hidden, so never read")
    outcome = run("models", "list", "--json")
    assert outcome.status == 0
    assert [json.loads(line)["file"] for line in outcome.stdout.splitlines()] == [str(own / "digits.npz")]


def test_a_damaged_model_does_not_hide_the_others(run, built, own):
    built.save(own / "tones.npz")
    (own / "broken.npz").write_bytes((own / "tones.npz").read_bytes()[:1000])
    for options in ([], ["--json"], ["--quiet"]):
        outcome = run("models", "list", *options)
        assert outcome.status == 1
        assert "tones" in outcome.stdout
        assert "broken" not in outcome.stdout
        assert outcome.stderr.startswith(f"error: {own / 'broken.npz'} is not a model")
        assert outcome.stderr.count("\n") == 1


def test_listing_makes_no_folder(run, home):
    run("models", "list")
    assert not home.exists()


# Show


def test_json_tells_everything(run, built, model_file):
    outcome = run("models", "show", model_file, "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    record = json.loads(outcome.stdout)
    bank = built.models.bank
    assert record == {
        "file": str(model_file),
        "bytes": model_file.stat().st_size,
        "fingerprint": built.fingerprint,
        "words": list(built.words),
        "states": 5,
        "mixtures": bank.weights.shape[1],
        "gaussians": int((bank.weights > 0).sum()),
        "background_gaussians": int((built.models.background.weights > 0).sum()),
        "dims": bank.means.shape[2],
        "front_end": json.loads(json.dumps(asdict(built.front_end))),
        "endpointer": asdict(built.endpointer),
        "calibration": asdict(built.calibration),
        "rejection": {
            **dict(zip(EVIDENCE, built.rejection.weights.tolist(), strict=True)),
            "bias": built.rejection.bias,
            **built.rejection.thresholds,
            "noise_gaussians": int((built.rejection.noise.weights > 0).sum()),
        },
        "history": built.models.history,
        "card": built.card,
    }


def test_the_text_tells_the_same(run, model_file):
    record = json.loads(run("models", "show", model_file, "--json").stdout)
    outcome = run("models", "show", model_file)
    assert (outcome.status, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    for key, value in record.items():
        if key == "history":
            for stage, curve in value.items():
                (line,) = (line for line in lines if line.startswith(f"{stage}, "))
                assert [float(point) for point in line.split(": ")[1].split()] == pytest.approx(curve, abs=0.0051)
        elif isinstance(value, dict):
            place = lines.index(f"{key}:")
            for offset, (name, item) in enumerate(value.items(), 1):
                told = lines[place + offset].removeprefix(f"  {name}: ")
                assert told != lines[place + offset]
                if isinstance(item, int | float | str | None):
                    assert told == str(item)
        elif isinstance(value, list):
            assert f"{key}: {', '.join(value)}" in lines
        else:
            assert f"{key}: {value}" in lines


def test_by_name(run, built, own):
    built.save(own / "tones.npz")
    assert json.loads(run("models", "show", "tones", "--json").stdout)["file"] == str(own / "tones.npz")
    outcome = run("models", "show", "tonnes")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: there is no model 'tonnes'; known by name: tones; ")


def test_a_card_of_any_kind(run, built, tmp_path):
    card = {"data": "语音", "licence": None, "tests": [1, "b", 0.123456], "nested": {"a": {"b": 1}}}
    replace(built, card=card).save(tmp_path / "m.npz")
    assert json.loads(run("models", "show", tmp_path / "m.npz", "--json").stdout)["card"] == card
    outcome = run("models", "show", tmp_path / "m.npz")
    assert "  data: 语音\n" in outcome.stdout
    assert "  tests: 1, b, 0.1235\n" in outcome.stdout


def test_the_script_itself(start, model_file):
    outcome = start("models", "show", model_file, "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert json.loads(outcome.stdout)["file"] == str(model_file)
