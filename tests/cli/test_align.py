"""`recognizer align`: what it prints and writes is the alignment; every bad input is one line."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from synthetic import RATE, say, write
from test_alignment import align_recording, read_textgrid
from typer.testing import CliRunner

from recognizer.cli import app
from recognizer.recognizer import Recognizer
from recognizer.sound import audio


@pytest.fixture
def sound(tmp_path):
    return write(tmp_path / "rise.wav", say("rise"))


def test_json_is_the_alignment(run, built, model_file, sound):
    outcome = run("align", sound, "--model", model_file, "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    record = json.loads(outcome.stdout)
    found = align_recording(audio.load(sound, RATE), built)
    assert record == {"file": str(sound), **found.as_json()}
    assert record["word"] == "rise"
    assert [segment["state"] for segment in record["segments"]] == [None, 1, 2, 3, 4, 5, None]
    assert set(record["segments"][0]) == {"state", "start", "end", "frames", "log_density"}
    assert record["segments"][-1]["end"] == pytest.approx(found.segments[-1].end, abs=1e-4)


def test_the_table_tells_the_same(run, model_file, sound):
    record = json.loads(run("align", sound, "-m", model_file, "--word", "fall", "--json").stdout)
    outcome = run("align", sound, "-m", model_file, "--word", "fall")
    assert (outcome.status, outcome.stderr) == (0, "")
    first, score, _, head, *rows = outcome.stdout.splitlines()
    assert first.startswith(f"{sound}: fall, ")
    assert float(score.split()[-1]) == pytest.approx(record["score"], abs=0.006)
    assert head.split("  ")[0] == "state"
    assert len(rows) == len(record["segments"])
    for row, segment in zip(rows, record["segments"]):
        state, start, end, frames, density = row.split()
        assert state == ("silence" if segment["state"] is None else str(segment["state"]))
        assert (float(start), float(end)) == pytest.approx((segment["start"], segment["end"]), abs=0.00051)
        assert int(frames) == segment["frames"]
        assert float(density) == pytest.approx(segment["log_density"], abs=0.006)
    assert max(len(line) for line in (head, *rows)) <= 60, "fits a narrow terminal"


def test_a_textgrid_and_a_picture(run, model_file, sound, tmp_path):
    pytest.importorskip("matplotlib")
    grid, picture = tmp_path / "rise.TextGrid", tmp_path / "rise.png"
    options = ["align", sound, "-m", model_file, "--textgrid", grid, "--plot", picture]
    outcome = run(*options)
    assert outcome.status == 0
    assert outcome.stderr == f"written to {grid}\nwritten to {picture}\n"
    assert set(read_textgrid(grid.read_text(encoding="utf-8"))) == {"word", "states"}
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(*options, "--quiet").stderr == ""
    assert {path.name for path in tmp_path.iterdir()} == {"rise.wav", "rise.TextGrid", "rise.png"}


def test_a_speakers_profile(run, enroll, built, model_file, sound):
    enroll("eve")
    told = json.loads(run("align", sound, "-m", model_file, "--speaker", "eve", "--json").stdout)
    expected = align_recording(audio.load(sound, RATE), Recognizer.load(model_file, "eve").model)
    assert told["score"] == pytest.approx(expected.score, abs=1e-4)
    assert told["score"] != pytest.approx(align_recording(audio.load(sound, RATE), built).score, abs=1e-3)


def test_a_low_rate_is_warned_of(run, model_file, tmp_path):
    low = write(tmp_path / "low.wav", say("hum", rate=6000), 6000)
    outcome = run("align", low, "-m", model_file)
    assert outcome.status == 0
    assert outcome.stderr.startswith("warning: recorded at 6000 Hz, under the model's 8000 Hz")
    assert run("align", low, "-m", model_file, "--quiet").stderr == ""


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(RATE), "no word can be aligned, it is too quiet; record a whole word, closer or louder"),
        (np.ones(10), "no word can be aligned, it is too short; record a whole word, closer or louder"),
        (say("hum")[2100:2500], "its 0.050 s (3 frames) are too short for 'hum'; record a whole word"),
        (np.zeros(0), "holds no samples"),
    ],
)
def test_sounds_that_hold_no_word(run, model_file, tmp_path, samples, said):
    sound = write(tmp_path / "x.wav", samples)
    outcome = run("align", sound, "-m", model_file, "--word", "hum")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: {sound}: {said}")
    assert outcome.stderr.count("\n") == 1


def test_files_and_words_that_there_are_not(run, model_file, sound, tmp_path):
    for options, said in (
        ([tmp_path / "no.wav"], f"error: {tmp_path / 'no.wav'}: "),
        ([tmp_path], f"error: {tmp_path}: "),
        ([sound, "--word", "rize"], "error: the model has no word 'rize', did you mean 'rise'? it has fall, hum,"),
        ([sound, "--speaker", "nobody"], "error: "),
    ):
        outcome = run("align", *options, "-m", model_file)
        assert (outcome.status, outcome.stdout) == (1, "")
        assert outcome.stderr.startswith(said)
        assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize(("option", "name"), [("--textgrid", "x.TextGrid"), ("--plot", "x.png")])
def test_outputs_that_cannot_be_written(run, model_file, sound, tmp_path, option, name):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / name).mkdir()
    for path, why in (
        (tmp_path / "missing" / name, f": the folder {tmp_path / 'missing'} does not exist; make it first"),
        (tmp_path / "file" / name, f": {tmp_path / 'file'} is no folder; choose another"),
        (tmp_path / name, " is a folder; name a file"),
    ):
        outcome = run("align", tmp_path / "not looked at.wav", "-m", "nor this", option, path)
        assert (outcome.status, outcome.stdout) == (2, "")
        assert f"{option} {path}{why}" in outcome.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"rise.wav", "file", name}


def test_a_picture_must_be_a_png_and_needs_matplotlib(run, model_file, sound, tmp_path, monkeypatch):
    outcome = run("align", sound, "-m", model_file, "--plot", tmp_path / "x.pdf")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "x.pdf does not end in .png; pictures are PNG files" in outcome.stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = run("align", sound, "-m", model_file, "--plot", tmp_path / "x.png")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == "error: pictures need matplotlib; install it with `pip install recognizer[plot]`\n"


def test_parameter_files_are_aligned_by_models_that_read_them(run, model_file, tmp_path):
    """The same features give the same path; the times are those of the features."""
    write(tmp_path / "hum_eve_0.wav", say("hum"))
    exported = run("export", model_file, tmp_path, "--htk", tmp_path / "m.mmf", "--parameters", tmp_path / "mfc")
    assert exported.status == 0
    assert run("import", tmp_path / "m.mmf", "--output", tmp_path / "m.npz").status == 0
    sound = json.loads(run("align", tmp_path / "hum_eve_0.wav", "--model", model_file, "--json").stdout)
    given = tmp_path / "mfc" / "hum_eve_0.mfc"
    found = json.loads(run("align", given, "--model", tmp_path / "m.npz", "--json").stdout)
    assert (found["word"], found["score"]) == (sound["word"], pytest.approx(sound["score"], rel=1e-4))
    assert [s["frames"] for s in found["segments"]] == [s["frames"] for s in sound["segments"]]
    assert found["segments"][1]["start"] == pytest.approx(found["segments"][0]["frames"] * 0.01)
    refused = run("align", given, "--model", tmp_path / "m.npz", "--plot", tmp_path / "a.png")
    assert refused.status == 2
    assert "--plot draws sound" in refused.stderr


def test_a_recording_through_a_pipe(model_file, sound, tmp_path):
    call = ["align", "-m", str(model_file), "--json"]
    grid = ["--textgrid", str(tmp_path / "a.TextGrid")]
    piped = CliRunner().invoke(app, [*call, "-", *grid], input=sound.read_bytes())
    named = CliRunner().invoke(app, [*call, str(sound)])
    assert piped.exit_code == 0
    assert json.loads(piped.stdout) == json.loads(named.stdout) | {"file": "-"}
    assert (tmp_path / "a.TextGrid").exists()
    broken = CliRunner().invoke(app, [*call, "-"], input=b"no sound")
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert broken.stderr.startswith("error: standard input: is not sound")
