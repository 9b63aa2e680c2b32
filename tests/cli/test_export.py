"""`recognizer export`: what HTK and Julius get, and what they do not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hvite import HVite, observations
from synthetic import RATE, WORDS, say, write

from recognizer.cli import export as command
from recognizer.features.analysis import Analyser
from recognizer.recognizer import Recognizer

FILES = ("models.mmf", "network.slf", "dict.txt", "models.list", "words.dict")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


# What is written


def test_models_and_features(run, built, model_file, recordings, out):
    outcome = run("export", model_file, recordings, "--htk", out / "models.mmf", "--parameters", out / "mfc")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines() == [*(str(out / name) for name in FILES), f"{out / 'mfc'}: 48 parameter files"]
    assert {path.name for path in out.iterdir()} == {*FILES, "mfc"}
    assert {path.stem for path in (out / "mfc").iterdir()} == {path.stem for path in recordings.glob("*.wav")}
    hvite, recognizer = HVite(out / "models.mmf"), Recognizer(built)
    for path in sorted(recordings.glob("*_carl_0.wav")):
        assert hvite.best(out / "mfc" / f"{path.stem}.mfc")[0] == recognizer.recognize(path, threshold=0).word


def test_models_alone(run, model_file, out):
    outcome = run("export", model_file, "--htk", out / "deep" / "m.txt")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert {path.name for path in (out / "deep").iterdir()} == {"m.txt", *FILES[1:]}
    assert "parameter" not in outcome.stdout


def test_features_alone(run, model_file, recordings, out):
    file = recordings / "hum_bob_0.wav"
    outcome = run("export", model_file, file, "--parameters", out)
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, f"{out}: 1 parameter file\n", "")
    vectors, kind, period = observations(out / "hum_bob_0.mfc")
    assert (vectors.shape[1], kind, period) == (39, "USER", 0.01)


def test_a_manifest_is_read_as_the_recordings_it_lists(run, model_file, recordings, out, tmp_path):
    """Beside the manifest, elsewhere, and above it: nothing is written outside the folder."""
    beside = write(tmp_path / "set" / "eve" / "1.wav", say("hum"))
    above = write(tmp_path / "2.wav", say("fall"))
    manifest = tmp_path / "set" / "test.csv"
    elsewhere = recordings / "hum_bob_0.wav"
    manifest.write_text(f"path,word\neve/{beside.name},hum\n../{above.name},fall\n{elsewhere},hum\n", encoding="utf-8")
    before = set(tmp_path.rglob("*"))
    outcome = run("export", model_file, manifest, "--parameters", out)
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, f"{out}: 3 parameter files\n", "")
    written = set(tmp_path.rglob("*.mfc"))
    assert written == {out / "eve" / "1.mfc", out / "2.mfc", out / "hum_bob_0.mfc"}
    assert set(tmp_path.rglob("*")) - before == {*written, out, out / "eve"}


def test_the_digits_by_name(run, out):
    assert run("export", "digits", "--htk", out / "models.mmf").status == 0
    assert {*HVite(out / "models.mmf").dictionary} == {
        *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    }


def test_json(run, model_file, recordings, out):
    (out / "in").mkdir(parents=True)
    (out / "in" / "bad.wav").write_text("no sound")
    arguments = ["export", model_file, recordings, out / "in", "--htk", out / "m.mmf", "--parameters", out / "mfc"]
    outcome = run(*arguments, "--json")
    assert outcome.status == 1
    found = json.loads(outcome.stdout)
    (error,) = found.pop("errors")
    assert error.startswith(f"{out / 'in' / 'bad.wav'}: ")
    assert found == {"files": [str(out / name) for name in ("m.mmf", *FILES[1:])], "parameters": 48}
    assert outcome.stderr == f"error: {error}\n"
    assert run(*arguments, "--json", "--quiet").stderr == outcome.stderr


def test_workers_are_passed_on(run, model_file, recordings, out, monkeypatch):
    asked, analyse = [], Analyser.analyse_files

    def counting(*arguments, jobs, **others):
        asked.append(jobs)
        return analyse(*arguments, jobs=jobs, **others)

    monkeypatch.setattr(Analyser, "analyse_files", counting)
    assert run("export", model_file, recordings, "--parameters", out, "--jobs", 2).status == 0
    assert asked == [2]


def test_progress_is_told(run, model_file, recordings, out, monkeypatch):
    told = []

    class Bar:
        def __init__(self, quiet):
            self.quiet = quiet

        def __enter__(self):
            return lambda *step: told.append((*step, self.quiet))

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(command, "progress_bar", Bar)
    run("export", model_file, recordings / "hum_bob_0.wav", recordings / "hum_bob_1.wav", "--parameters", out, "-q")
    assert told == [("features", 0, 2, True), ("features", 1, 2, True), ("features", 2, 2, True)]


# What cannot be read, and the rest


def test_recordings_that_cannot_be_written_are_told_and_the_rest_is_done(run, model_file, tmp_path, out):
    folder = tmp_path / "in"
    write(folder / "a.wav", say("hum"))
    write(folder / "silent.wav", np.zeros(RATE))
    write(folder / "short.wav", np.ones(20))
    (folder / "damaged.wav").write_bytes(b"RIFF")
    outcome = run("export", model_file, folder, tmp_path / "missing.wav", "--parameters", out)
    assert (outcome.status, outcome.stdout) == (1, f"{out}: 1 parameter file\n")
    assert [path.name for path in out.iterdir()] == ["a.mfc"]
    errors = dict(line.removeprefix("error: ").split(": ", 1) for line in outcome.stderr.splitlines())
    assert list(errors) == [
        *(str(folder / f"{name}.wav") for name in ("damaged", "short", "silent")),
        str(tmp_path / "missing.wav"),
    ]
    *_, short, silent, missing = errors.values()
    assert short == "too short; there is no word to write"
    assert silent == "too quiet; there is no word to write"
    assert missing == "no such file; check the name"


def test_a_place_in_the_way(run, model_file, recordings, out):
    write(out.parent / "in" / "sub" / "a.wav", say("hum"))
    write(out.parent / "in" / "b.wav", say("hum"))
    out.mkdir()
    (out / "sub").write_text("in the way")
    outcome = run("export", model_file, out.parent / "in", "--parameters", out)
    assert (outcome.status, outcome.stdout) == (1, f"{out}: 1 parameter file\n")
    assert outcome.stderr.startswith(f"error: {out / 'sub' / 'a.mfc'}: its folder cannot be made (")
    assert outcome.stderr.endswith("; choose another one\n")
    (out / "b.mfc").unlink()
    (out / "b.mfc").mkdir()
    outcome = run("export", model_file, out.parent / "in" / "b.wav", "--parameters", out)
    assert outcome.stderr.startswith(f"error: {out / 'b.mfc'}: cannot be written (")
    assert outcome.stderr.count("\n") == 1


def test_two_recordings_for_one_place(run, model_file, tmp_path, out):
    for suffix in ("wav", "flac"):
        write(tmp_path / "in" / f"a.{suffix}", say("hum"))
    outcome = run("export", model_file, tmp_path / "in", "--htk", out / "m.mmf", "--parameters", out)
    assert (outcome.status, outcome.stdout) == (1, "")
    places = f"{tmp_path / 'in' / 'a.wav'} and {tmp_path / 'in' / 'a.flac'}"
    assert outcome.stderr == f"error: {places} would both be written to {out / 'a.mfc'}; rename one\n"
    assert not out.exists(), "nothing was begun"


# Wrong use


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to write: --htk FILE for the models, --parameters FOLDER for features of recordings"),
        (["--parameters", "F"], "--parameters F needs recordings: name files or folders after the model"),
        (
            ["REC", "--htk", "m.mmf"],
            "recordings were named; say with --parameters FOLDER where to write their features",
        ),
        (["--htk", "DIR"], "--htk DIR is a folder; name a file, such as DIR/models.mmf"),
        (["REC", "--parameters", "FILE"], "--parameters FILE is a file; name a folder"),
        (["REC", "--parameters", "F", "--jobs", "-1"], "Invalid value for '--jobs'"),
    ],
)
def test_wrong_use(run, model_file, recordings, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DIR").mkdir()
    (tmp_path / "FILE").touch()
    outcome = run("export", model_file, *(recordings if a == "REC" else a for a in arguments))
    assert (outcome.status, outcome.stdout) == (2, "")
    assert message in outcome.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["DIR", "FILE"]


def test_models_that_cannot_be_written(run, model_file, recordings, out):
    for name in FILES[1:]:
        outcome = run("export", model_file, "--htk", out / name)
        assert outcome.status == 1
        assert outcome.stderr == (
            f"error: {out / name} is the name of another file that is written; choose another for the models\n"
        )
    assert not out.exists()
    out.write_text("in the way")
    outcome = run("export", model_file, "--htk", out / "m.mmf")
    assert outcome.status == 2
    assert f"--htk {out}: {out} is no folder; choose a folder to write to" in outcome.stderr


def test_no_such_model(run, out):
    outcome = run("export", "nobody", "--htk", out / "m.mmf")
    assert outcome.status == 1
    assert outcome.stderr.startswith("error: there is no model 'nobody'; known by name: ")
    assert not out.exists()


def test_a_model_of_parameter_files_writes_no_sound(run, model_file, recordings, out):
    """It writes what it reads, though: parameter files again."""
    run("export", model_file, recordings, "--htk", out / "m.mmf", "--parameters", out / "mfc")
    run("import", out / "m.mmf")
    outcome = run("export", "m", recordings / "hum_bob_0.wav", "--parameters", out / "again")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: {recordings / 'hum_bob_0.wav'}: this model cannot hear sound: ")
    assert run("export", "m", out / "mfc", "--parameters", out / "again").status == 0
    for path in (out / "mfc").iterdir():
        assert (out / "again" / path.name).read_bytes() == path.read_bytes()
    assert set(WORDS) == {path.name.partition("_")[0] for path in (out / "again").iterdir()}


def test_where_nothing_can_be_written_nothing_is_told_as_a_result(run, model_file, recordings, out):
    out.parent.mkdir(exist_ok=True)
    (out.parent / "file").write_text("no folder")
    outcome = run("export", model_file, recordings / "hum_bob_0.wav", "--parameters", out.parent / "file" / "in")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert f"{out.parent / 'file'} is no folder; choose a folder to write to" in outcome.stderr
