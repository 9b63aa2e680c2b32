"""`recognizer import`: models that were made with HTK, and what works with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from soundcard import Plug
from synthetic import WORDS, say, write
from test_definitions import COURSE, MENDED

from recognizer import corpus
from recognizer.features import parameter_files
from recognizer.features.parameter_files import Parameters, normalised_kind
from recognizer.model import Model
from recognizer.recognizer import Recognizer

CANNOT = (
    "this model cannot hear sound: it knows HTK parameter files of kind USER, 39 values a frame; give it such files, "
    "or choose another --model"
)


@pytest.fixture
def exchanged(run, model_file, recordings, tmp_path) -> Path:
    """A folder with models.mmf, and with the features of one voice in `{word}_{speaker}_{take}.mfc`."""
    files = sorted(recordings.glob("*_anna_*.wav"))
    out = tmp_path / "htk"
    run("export", model_file, *files, "--htk", out / "models.mmf", "--parameters", out / "mfc")
    assert len(list((out / "mfc").iterdir())) == 12
    return out


@pytest.fixture
def imported(run, exchanged) -> Path:
    """The same, with the model imported under the name models."""
    assert run("import", exchanged / "models.mmf").status == 0
    return exchanged


# What is written


def test_a_model_that_has_the_name_of_the_file(run, exchanged, home, built, recordings):
    outcome = run("import", exchanged / "models.mmf")
    assert (outcome.status, outcome.stderr) == (0, "")
    path = home / "models" / "models.npz"
    assert outcome.stdout.splitlines() == [
        f"{path}: 4 words, continuous, for USER files",
        "words: fall, hum, peep, rise",
    ]
    found = run("batch", exchanged / "mfc", "--model", "models", "--json", "--threshold", "0")
    assert (found.status, found.stderr) == (0, "")
    records = [json.loads(line) for line in found.stdout.splitlines()]
    for record in records:
        recording = recordings / f"{Path(record['file']).stem}.wav"
        expected = Recognizer(built).recognize(recording, threshold=0)
        assert record["word"] == expected.word
        assert record["nbest"][0]["score"] == pytest.approx(expected.nbest[0].score, abs=1e-4)
    assert run("import", exchanged / "models.mmf").status == 0, "again is no error"


def test_output(run, exchanged, tmp_path, home):
    outcome = run("import", exchanged / "models.mmf", "-o", tmp_path / "mine.npz", "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert json.loads(outcome.stdout) == {
        "model": str(tmp_path / "mine.npz"),
        "words": list(WORDS),
        "kind": "USER",
        "dims": 39,
    }
    assert Model.load(tmp_path / "mine.npz").card["data"] == "imported from models.mmf"
    assert not home.exists()


def test_dictionary(run, exchanged, tmp_path):
    (exchanged / "mine.txt").write_text('"up and down" rise\n语音 hum\n', encoding="utf-8")
    outcome = run("import", exchanged / "models.mmf", "--dictionary", exchanged / "mine.txt")
    assert outcome.status == 0
    assert outcome.stdout.splitlines()[1] == "words: 语音, up and down", "in the order of the models"
    outcome = run("batch", exchanged / "mfc" / "hum_anna_0.mfc", "-m", "models", "--threshold", "0", "--json")
    assert json.loads(outcome.stdout)["word"] == "语音"


def test_models_list_and_show(run, imported, home):
    listed = run("models", "list").stdout.splitlines()
    file = home / "models" / "models.npz"
    size = f"{file.stat().st_size / 1000:.0f} kB"
    assert f"models  4 words, USER files  no trial  {size}  not known  {file}" in listed
    shown = run("models", "show", "models")
    assert (shown.status, shown.stderr) == (0, "")
    assert "words: 4: fall, hum, peep, rise" in shown.stdout
    assert "imported from models.mmf" in shown.stdout
    front_end = json.loads(run("models", "show", "models", "--json").stdout)["front_end"]
    assert front_end == {"kind": "USER", "dims": 39, "hop": 0.01, "symbols": 0}


@pytest.mark.filterwarnings("ignore:.*may go back")
def test_the_example_of_the_course(run, tmp_path):
    (tmp_path / "course.mmf").write_text(COURSE)
    outcome = run("import", tmp_path / "course.mmf")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == (
        f"error: {tmp_path / 'course.mmf'}, line 10, HMM: the exit, state 5, cannot be reached from states 2, 3 and 4: "
        "states 3 and 4 lead only to one another; give one of them a way out in <TRANSP>\n"
    )
    (tmp_path / "course.mmf").write_text(MENDED)
    assert run("import", tmp_path / "course.mmf").status == 0
    vectors = np.random.default_rng(0).normal(0.3, 0.5, (20, 6)).astype(np.float32)
    parameter_files.write(tmp_path / "a.mfc", Parameters(vectors, "USER", 0.01))
    found = json.loads(run("batch", tmp_path / "a.mfc", "-m", "course", "--json").stdout)
    assert (found["word"], found["duration"]) == ("course", 0.2)


def test_warnings(run, tmp_path):
    back = MENDED.replace("0.0 0.0 0.0 0.6 0.4", "0.0 0.0 0.2 0.4 0.4")
    (tmp_path / "back.mmf").write_text(back)
    message = "may go back to earlier states (4 to 3), as words do not; it is decoded as it is"
    outcome = run("import", tmp_path / "back.mmf")
    assert (outcome.status, outcome.stderr) == (0, f"warning: {tmp_path / 'back.mmf'}: 'back' {message}\n")
    assert run("import", tmp_path / "back.mmf", "--quiet").stderr == ""


# What is not


def test_an_installed_model_is_not_hidden(run, exchanged, home):
    """Or `recognizer live` could hear nothing any more."""
    file = (exchanged / "models.mmf").rename(exchanged / "digits.mmf")
    outcome = run("import", file)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert f"{file} would hide the model digits; rename it, or say with --output where to write it" in outcome.stderr
    assert not home.exists()
    assert run("import", file, "--output", home.parent / "digits.npz").status == 0


def test_bad_files(run, tmp_path, exchanged):
    (tmp_path / "text").write_text("what is this?")
    (tmp_path / "binary").write_bytes(bytes(50))
    place = "a keyword such as <MEAN> or a macro such as ~h belongs"
    for name, message in {
        "missing": f"there are no HMM definitions at {tmp_path / 'missing'}; check the name",
        "text": f"{tmp_path / 'text'}, line 1: found 'what' where {place}; correct it",
        "binary": f"{tmp_path / 'binary'} is not text; if it holds HMM definitions in HTK's binary format, "
        "save them as text: HHEd without -B",
    }.items():
        outcome = run("import", tmp_path / name)
        assert (outcome.status, outcome.stdout, outcome.stderr) == (1, "", f"error: {message}\n")
    outcome = run("import", exchanged / "models.mmf", "--dictionary", tmp_path / "missing")
    assert outcome.status == 1
    assert outcome.stderr.startswith(f"error: {tmp_path / 'missing'} cannot be read (")


def test_bad_outputs(run, exchanged, tmp_path, home):
    file = exchanged / "models.mmf"
    outcome = run("import", file, "-o", tmp_path / "m.model")
    assert outcome.status == 2
    assert f"--output {tmp_path / 'm.model'} must end in .npz" in outcome.stderr
    outcome = run("import", file, "-o", tmp_path / "missing" / "m.npz")
    assert outcome.status == 2
    told = f"--output {tmp_path / 'missing' / 'm.npz'}: the folder {tmp_path / 'missing'} does not exist; make it first"
    assert told in outcome.stderr
    home.write_text("in the way")
    outcome = run("import", file)
    assert outcome.status == 1
    assert outcome.stderr.startswith(f"error: {home / 'models'} cannot be made (")
    assert outcome.stderr.count("\n") == 1


# Sound


def test_sound_is_one_error_a_file(run, imported, recordings):
    files = sorted(recordings.glob("hum_bob_*.wav"))
    outcome = run("batch", *files, "--model", "models", "--json")
    assert outcome.status == 1
    errors = [json.loads(line)["error"] for line in outcome.stdout.splitlines()]
    assert errors == [f"{file}: {CANNOT}" for file in files]
    assert outcome.stderr == "3 of 3 files could not be read\n"
    outcome = run("evaluate", recordings, "--model", "models")
    assert outcome.status == 1
    assert CANNOT in outcome.stderr
    assert outcome.after_told.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["--from-file", "hum_bob_0.wav", "--fast"]])
def test_live_says_why_not(run, imported, recordings, soundcard, monkeypatch, options):
    monkeypatch.chdir(recordings)
    soundcard(Plug("Mic"))
    outcome = run("live", "--model", "models", *options)
    assert (outcome.status, outcome.stdout, outcome.stderr) == (1, "", f"error: {CANNOT}\n")


@pytest.mark.parametrize("source", [[], ["--from", "mfc"], ["--unlabelled", "mfc"]])
def test_enroll_says_why_not(run, imported, soundcard, monkeypatch, home, source):
    monkeypatch.chdir(imported)
    soundcard(Plug("Mic"))
    outcome = run("enroll", "anna", "--model", "models", *source)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == (
        "error: models knows USER files, and enrolling keeps recordings; choose another --model, or adapt to such "
        "files as they come with `recognizer batch --adapt`\n"
    )
    assert [path.name for path in home.iterdir()] == ["models"]


def test_adaptation_to_the_files(run, imported):
    outcome = run("batch", imported / "mfc", "--model", "models", "--adapt", "--json")
    assert outcome.status == 0
    assert outcome.stderr.startswith("adapted to 12 of 12 recordings in ")
    words = [json.loads(line)["word"] for line in outcome.stdout.splitlines()]
    assert words == [path.name.partition("_")[0] for path in sorted((imported / "mfc").iterdir())]


# Parameter files and models that hear


def test_features_for_a_model_that_hears(run, imported, model_file):
    """They are what it would have made of the sound."""
    arguments = ["batch", imported / "mfc", "--model", model_file, "--json"]
    outcome = run(*arguments, "--threshold", "0")
    assert (outcome.status, outcome.stderr) == (0, "")
    words = [json.loads(line)["word"] for line in outcome.stdout.splitlines()]
    assert words == [path.name.partition("_")[0] for path in sorted((imported / "mfc").iterdir())]
    outcome = run(*arguments, "--adapt")
    assert outcome.status == 1
    errors = [json.loads(line)["error"] for line in outcome.stdout.splitlines()]
    assert {error.partition(": ")[2] for error in errors} == {
        "holds finished features, and this needs the sound; give the recording"
    }


@pytest.mark.parametrize("model", ["models", "hearing"])
def test_features_of_another_kind(run, imported, model_file, model):
    model = model_file if model == "hearing" else model
    for name, (dims, kind) in {"narrow": (3, "USER"), "mfcc": (39, "MFCC_0_D_A")}.items():
        parameter_files.write(imported / f"{name}.mfc", Parameters(np.ones((20, dims)), kind, 0.01))
        outcome = run("batch", imported / f"{name}.mfc", "--model", model, "--json")
        assert outcome.status == 1
        assert json.loads(outcome.stdout)["error"] == (
            f"{imported / f'{name}.mfc'}: {dims} values a frame of kind {normalised_kind(kind)}, and the "
            "model needs 39 of kind USER; convert the file, or choose another --model"
        )


@pytest.mark.parametrize("density", ["continuous", "semi-continuous", "discrete"])
def test_training_on_features(run, exchanged, tmp_path, density):
    size = [] if density == "continuous" else ["--codebook", "8"]
    trained = run("train", exchanged / "mfc", "-o", tmp_path / "m.npz", "--density", density, "-q", *size)
    assert (trained.status, trained.stderr) == (0, "")
    outcome = run("batch", exchanged / "mfc", "--model", tmp_path / "m.npz", "--threshold", "0", "--json")
    assert outcome.status == 0
    words = [json.loads(line)["word"] for line in outcome.stdout.splitlines()]
    assert words == [path.name.partition("_")[0] for path in sorted((exchanged / "mfc").iterdir())]
    outcome = run("evaluate", exchanged / "mfc", "--model", tmp_path / "m.npz", "--json")
    assert (outcome.status, json.loads(outcome.stdout)["accuracy"]) == (0, 1.0)


def test_symbols_need_statics_and_derivatives(run, tmp_path):
    for number, word in enumerate(("yes", "no")):
        for take in range(4):
            vectors = np.random.default_rng(take).normal(number, 1, (20, 4))
            parameter_files.write(tmp_path / f"{word}_anna_{take}.mfc", Parameters(vectors, "USER", 0.01))
    outcome = run("train", tmp_path, "-o", tmp_path / "m.npz", "--density", "discrete")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told == (
        "error: 4 values a frame are not 3 streams of equal width; a discrete density needs statics, deltas and "
        "accelerations\n"
    )


@pytest.mark.parametrize("option", [["--augment", "vtlp"], ["--augment", "noise,band"], ["--unknown", "others"]])
def test_training_that_needs_sound(run, exchanged, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "others" / "bang.wav", say("hum"))
    outcome = run("train", exchanged / "mfc", "-o", tmp_path / "m.npz", *option)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told == (
        "error: copies with other tracts or noise, and what is unknown, need sound, and these are parameter files; "
        "leave them out\n"
    )
    assert not (tmp_path / "m.npz").exists()


def test_parameter_files_have_no_sample_rate(run, exchanged, tmp_path):
    outcome = run("train", exchanged / "mfc", "-o", tmp_path / "m.npz", "--sample-rate", 8000)
    assert outcome.status == 2
    assert "--sample-rate 8000 is for sound" in outcome.stderr
    assert "leave it out" in outcome.stderr
    assert not (tmp_path / "m.npz").exists()


def test_where_there_is_sound_it_is_taken(run, exchanged, model_file):
    wav = write(exchanged / "mfc" / "hum_eve_0.wav", say("hum"))
    assert corpus.audio_files([exchanged / "mfc"]) == [wav]
    outcome = run("batch", exchanged / "mfc", "--model", model_file, "--json")
    assert [json.loads(line)["file"] for line in outcome.stdout.splitlines()] == [str(wav)]
