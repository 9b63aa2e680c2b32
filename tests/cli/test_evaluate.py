"""`recognizer evaluate`: what it prints and writes is what the evaluation found."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from reading import read_page
from synthetic import RATE, WORDS, record, say, write

from recognizer import corpus
from recognizer.cli import evaluate as command
from recognizer.evaluation.evaluation import Evaluation, evaluate, headline
from recognizer.features.analysis import Analyser
from recognizer.intervals import Proportion, in_words
from recognizer.recognizer import Recognizer


@pytest.fixture
def mixed(tmp_path) -> Path:
    """Right answers, mistakes, a silent file, and a word that the model does not have."""
    folder = record(tmp_path / "mixed", speakers=["eve", "carl"], takes=2)
    for take in range(3):
        write(folder / f"rise_eve_{90 + take}.wav", say("fall", take=90 + take))
    write(folder / "hum_bob_0.wav", np.zeros(RATE))
    write(folder / "left_bob_0.wav", say("peep"))
    return folder


@pytest.fixture
def expected(mixed, built) -> Evaluation:
    utterances = corpus.find(mixed)
    return evaluate(utterances, Recognizer(built).recognize_files([u.path for u in utterances]), built.words)


def table(lines: list[str], head: str, rows: int) -> list[list[str]]:
    """Cells of the table that begins with a line; columns are two blanks apart."""
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[start : start + 1 + rows]]


# What is printed


def test_json_is_what_the_evaluation_found(run, mixed, model_file, expected):
    outcome = run("evaluate", mixed, "--model", model_file, "--json")
    assert outcome.status == 0, "mistakes are no failure"
    assert json.loads(outcome.stdout) == expected.as_json()
    assert expected.total.count == 16
    assert expected.total.n == 20
    assert (expected.false_acceptances.count, expected.false_acceptances.n) == (1, 1), "left is said like peep"
    assert (expected.false_rejections.count, expected.false_rejections.n) == (1, 20), "the silent file"
    assert outcome.after_told == "warning: the model lacks left; their recordings should be rejected\n"


def test_the_tables_tell_the_same(run, mixed, model_file, expected):
    outcome = run("evaluate", mixed, "-m", model_file)
    assert outcome.status == 0
    lines = outcome.stdout.splitlines()
    assert lines[0] == headline(expected.total)
    told = in_words(expected.false_rejections.as_json())
    assert lines[1] == f"false rejections 5.00 % of words of the model ({told})"
    assert "n = 20, 95 % interval 0.9 to 23.6, over 3 speakers " in lines[1]
    alone = "n = 1, 95 % interval 20.7 to 100.0, over 1 take of one speaker 20.7 to 100.0"
    assert lines[2] == f"false acceptances 100.00 % of words that the model lacks ({alone})"
    head, row = table(lines, "unknown word", 1)
    assert row == ["left", "1", "1", "100.0", *["20.7 to 100.0"] * 2, "1 take of one speaker"]
    for name, scores in (("word", expected.by_word), ("speaker", expected.by_speaker)):
        head, *rows = table(lines, f"{name} ", len(scores))
        assert head == [name, "right", "n", "accuracy %", "95 % interval", "bootstrap", "over"]
        assert {row[0] for row in rows} == set(scores)
        shares = []
        for key, right, n, accuracy, *intervals, over in rows:
            score = scores[key]
            assert (int(right), int(n)) == (score.count, score.n)
            assert accuracy == f"{100 * score.share:.1f}"
            ends = (score.interval, score.bootstrap)
            assert intervals == [f"{100 * low:.1f} to {100 * high:.1f}" for low, high in ends]
            assert over == score.over
            shares.append(score.share)
        assert shares == sorted(shares), "the worst comes first"
    head, *rows = table(lines, "said \\ heard", len(expected.words))
    assert head[1:] == [heard or "(nothing)" for heard in expected.heard]
    counts = [[0 if cell == "." else int(cell) for cell in row[1:]] for row in rows]
    np.testing.assert_array_equal(counts, expected.confusion)
    start = lines.index(f"worst files ({len(expected.mistakes)} mistakes in all):")
    for line, mistake in zip(lines[start + 1 :], expected.mistakes, strict=True):
        assert line.startswith(f"  {mistake.path}: {mistake.word}, ")
        assert line.endswith(
            f"heard {mistake.heard} with confidence {mistake.confidence:.2f}" if mistake.heard else "nothing heard"
        )


def test_only_the_worst_files_are_shown(run, tmp_path, model_file, monkeypatch):
    monkeypatch.setattr(command, "WORST", 3)
    folder = tmp_path / "wrong"
    for take in range(5):
        write(folder / f"rise_eve_{take}.wav", say("fall", take=take))
    lines = run("evaluate", folder, "-m", model_file).stdout.splitlines()
    assert "worst files (5 mistakes in all):" in lines
    assert sum(line.startswith("  ") for line in lines) == 3


def test_nothing_is_cut_off_where_no_terminal_limits_it(run, tmp_path, recordings, model_file):
    """Forty words, with names that look like markup, in a table wider than any screen."""
    words = [*WORDS, "[red]", "[/x]", ":smile:", "语音", *(f"a longer word {n}" for n in range(32))]
    sound = (recordings / "hum_anna_0.wav").read_bytes()
    for word in words:
        (tmp_path / "wide" / word.replace("/", "_")).mkdir(parents=True)
        (tmp_path / "wide" / word.replace("/", "_") / f"{'x' * 100}.wav").write_bytes(sound)
    lines = run("evaluate", tmp_path / "wide", "-m", model_file).stdout.splitlines()
    head, *rows = table(lines, "said \\ heard", len(words))
    assert head[1:] == sorted(word.replace("/", "_") for word in words)
    assert len(rows) == len(words)
    assert all(len(row) == len(words) + 1 for row in rows)
    head, *rows = table(lines, "unknown word", len(words) - len(WORDS))
    assert ["[red]", "1", "1", "100.0", *["20.7 to 100.0"] * 2, "1 take"] in rows


def test_a_channel_that_was_taken_is_told(run, tmp_path, model_file):
    sound = say("rise")
    noise = 0.3 * np.random.default_rng(0).standard_normal(len(sound))
    file = write(tmp_path / "stereo" / "rise_eve_0.wav", np.stack([noise, sound], axis=1), RATE)
    outcome = run("evaluate", tmp_path / "stereo", "-m", model_file, "--json")
    assert json.loads(outcome.stdout)["accuracy"] == 1
    told = f"note: the mean of the channels buries the speech; heard instead: channel 2 (right) of {file}\n"
    assert outcome.after_told == told
    assert run("evaluate", tmp_path / "stereo", "-m", model_file, "--json", "--quiet").stderr == ""


def test_the_model_may_know_more_words_than_are_said(run, tmp_path, model_file):
    folder = record(tmp_path / "some", words=["rise"], speakers=["eve"])
    outcome = run("evaluate", folder, "-m", model_file, "--json")
    assert (outcome.status, outcome.after_told) == (0, "")
    assert json.loads(outcome.stdout)["accuracy"] == 1


def test_a_manifest(run, recordings, model_file, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text(f"path,word\n{recordings / 'hum_anna_0.wav'},hum\n{recordings / 'rise_anna_0.wav'},hum\n")
    found = json.loads(run("evaluate", manifest, "-m", model_file, "--json").stdout)
    assert found["confusion"] == {"hum": {"hum": 1, "rise": 1}}
    assert found["by_speaker"] == {}
    assert "speaker" not in run("evaluate", manifest, "-m", model_file).stdout


def test_workers_are_passed_on(run, mixed, model_file, monkeypatch):
    serial, asked, analyse = run("evaluate", mixed, "-m", model_file, "--json"), [], Analyser.analyse_files

    def counting(*arguments, jobs, **others):
        asked.append(jobs)
        return analyse(*arguments, jobs=jobs, **others)

    monkeypatch.setattr(Analyser, "analyse_files", counting)
    assert run("evaluate", mixed, "-m", model_file, "--json", "--jobs", 2) == serial
    assert asked == [2]


def test_a_speakers_profile(run, enroll, mixed, model_file, expected):
    utterances = corpus.find(mixed)
    own = Recognizer(enroll("eve")).recognize_files([u.path for u in utterances])
    outcome = run("evaluate", mixed, "-m", model_file, "--speaker", "eve", "--json")
    assert outcome.status == 0
    assert json.loads(outcome.stdout) == evaluate(utterances, own, WORDS).as_json()
    assert json.loads(outcome.stdout) != expected.as_json()


# How names are read


def test_words_of_the_model_tell_how_names_are_read(run, unclear, recordings, model_file):
    outcome = run("evaluate", unclear, "-m", model_file, "--json")
    assert (outcome.status, outcome.after_told) == (0, "")
    assert outcome.stdout == run("evaluate", recordings, "-m", model_file, "--json").stdout.replace(
        str(recordings), str(unclear)
    )


def test_names_in_which_the_model_knows_no_word_are_asked(run, unclear, model_file, tmp_path, built):
    replace(built, words=("a", "b", "c", "d")).save(tmp_path / "foreign.npz")
    outcome = run("evaluate", unclear, "-m", tmp_path / "foreign.npz")
    assert (outcome.status, outcome.stdout) == (1, "")
    first, *choices = outcome.stderr.splitlines()
    assert first.startswith(f"error: {unclear}: the names can be read in several ways")
    assert [line.split("'")[1] for line in choices] == ["{word}_{speaker}_{take}", "{speaker}_{word}_{take}"]


@pytest.mark.parametrize(("pattern", "n"), [("{word}_{speaker}_{take}", 48), ("{speaker}_{word}_{take}", 0)])
def test_a_layout_is_taken_as_given(run, unclear, model_file, pattern, n):
    outcome = run("evaluate", unclear, "-m", model_file, "--json", "--layout", pattern)
    assert outcome.status == 0
    assert f": names are {pattern}: 48 recordings" in outcome.stderr.splitlines()[0]
    assert json.loads(outcome.stdout)["n"] == n


@pytest.mark.parametrize(
    ("pattern", "part"), [("{speaker}", "write {word} there"), ("{word}-*", "does not fit {word}-*")]
)
def test_a_layout_that_is_none_or_does_not_fit(run, recordings, model_file, pattern, part):
    outcome = run("evaluate", recordings, "-m", model_file, "--layout", pattern)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert part in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_a_table_tells_itself_whatever_the_layout(run, recordings, model_file, tmp_path):
    file = recordings / "hum_anna_0.wav"
    (tmp_path / "list.csv").write_text(f"file;label;user\n{file};hum;anna\n")
    outcome = run("evaluate", tmp_path / "list.csv", "-m", model_file, "--json", "--layout", "{speaker}/{word}")
    assert (outcome.status, outcome.after_told) == (0, "")
    assert outcome.stderr.endswith(
        "list.csv: a table tells: 1 recording, 1 word (hum), 1 speaker (anna); hum_anna_0.wav is hum by anna\n"
    )
    assert json.loads(outcome.stdout)["by_speaker"].keys() == {"anna"}


# Adapted to


def test_each_speaker_is_adapted_to_alone(run, mixed, model_file, built, expected):
    (mixed / "hum_carl_9.wav").write_text("no sound")
    utterances = corpus.find(mixed)
    results = {}
    for speaker in ("bob", "carl", "eve"):
        own = [u.path for u in utterances if u.speaker == speaker]
        results |= dict(zip(own, Recognizer(built).recognize_adapted(own)[0]))
    outcome = run("evaluate", mixed, "-m", model_file, "--adapt", "--json")
    assert outcome.status == 1
    found = json.loads(outcome.stdout)
    assert found == evaluate(utterances, [results[u.path] for u in utterances], WORDS).as_json()
    assert found["n"] == 20
    assert found["mistakes"] != expected.as_json()["mistakes"]
    _, told, error = outcome.after_told.splitlines()
    assert re.fullmatch(r"adapted to \d+ of 22 recordings of 3 speakers, each in up to \d passes", told)
    assert error.startswith(f"error: {mixed / 'hum_carl_9.wav'}: ")
    assert "adapted to" not in run("evaluate", mixed, "-m", model_file, "--adapt", "--json", "--quiet").stderr


def test_without_speakers_all_are_adapted_to_as_one(run, recordings, built, model_file, tmp_path):
    files = sorted(recordings.glob("*_anna_*.wav"))
    lines = [f"{file},{file.name.partition('_')[0]}" for file in files]
    (tmp_path / "list.csv").write_text("\n".join(["path,word", *lines]))
    outcome = run("evaluate", tmp_path / "list.csv", "-m", model_file, "--adapt", "--json")
    _, adaptation = Recognizer(built).recognize_adapted(files)
    assert outcome.after_told == f"adapted to {len(files)} of {len(files)} recordings in {adaptation.passes} passes\n"
    assert json.loads(outcome.stdout)["accuracy"] == 1


def test_adaptation_to_a_speaker_starts_from_a_profile(run, enroll, mixed, model_file):
    own, utterances, results = Recognizer(enroll("eve"), "eve"), corpus.find(mixed), {}
    for speaker in ("bob", "carl", "eve"):
        files = [u.path for u in utterances if u.speaker == speaker]
        results |= dict(zip(files, own.recognize_adapted(files)[0]))
    outcome = run("evaluate", mixed, "-m", model_file, "--adapt", "--speaker", "eve", "--json")
    expected = evaluate(utterances, [results[u.path] for u in utterances], WORDS)
    assert json.loads(outcome.stdout) == expected.as_json()


# What is written


def test_a_report(run, mixed, model_file, expected, tmp_path):
    folder = tmp_path / "deep" / "report"
    outcome = run("evaluate", mixed, "-m", model_file, "--json", "--report", folder)
    assert outcome.status == 0
    assert json.loads(outcome.stdout) == expected.as_json()
    assert json.loads((folder / "evaluation.json").read_text(encoding="utf-8")) == expected.as_json()
    assert f"{len(list(folder.iterdir()))} files written to {folder}" in outcome.stderr
    assert (folder / "confusion.png").stat().st_size > 1000
    page = read_page((folder / "index.html").read_text(encoding="utf-8"))
    assert headline(expected.total) in page.text
    sounds = [sound.attributes["src"].removeprefix("data:audio/wav;base64,") for sound in page.all("audio")]
    assert len(sounds) == len(expected.mistakes)
    for sound in sounds:
        assert soundfile.info(io.BytesIO(base64.b64decode(sound))).samplerate == RATE


def test_a_report_with_the_sound_as_the_model_hears_it(run, tmp_path, model_file):
    write(tmp_path / "c" / "rise_eve_0.wav", say("fall", rate=48000), 48000, "FLOAT")
    assert run("evaluate", tmp_path / "c", "-m", model_file, "--report", tmp_path / "r").status == 0
    [sound] = read_page((tmp_path / "r" / "index.html").read_text(encoding="utf-8")).all("audio")
    found = soundfile.info(io.BytesIO(base64.b64decode(sound.attributes["src"].partition(",")[2])))
    assert (found.samplerate, found.subtype, found.channels) == (RATE, "PCM_16", 1)


def test_a_report_on_features_has_no_sound(run, model_file, tmp_path):
    write(tmp_path / "a.wav", say("fall"))
    assert run("export", model_file, tmp_path / "a.wav", "--parameters", tmp_path / "c" / "rise").status == 0
    outcome = run("evaluate", tmp_path / "c", "-m", model_file, "--report", tmp_path / "r")
    assert outcome.status == 0
    page = read_page((tmp_path / "r" / "index.html").read_text(encoding="utf-8"))
    assert not list(page.all("audio"))
    assert "a file of features, without sound" in page.one("section", id="worst").text


def test_quiet(run, mixed, model_file, tmp_path):
    (mixed / "hum_bob_1.wav").write_bytes(b"")
    for options in ([], ["--json"], ["--report", tmp_path / "report"]):
        outcome = run("evaluate", mixed, "-m", model_file, "--quiet", *options)
        assert outcome.status == 1
        assert outcome.stderr.startswith(f"error: {mixed / 'hum_bob_1.wav'}: ")
        assert outcome.stderr.count("\n") == 1  # of an error, and of nothing else
        assert outcome.stdout


def test_only_unknown_words(run, tmp_path, model_file):
    """No accuracy, and no NaN, where nothing could be right."""
    folder = record(tmp_path / "some", words=["rise"], speakers=["eve"])
    for file in folder.iterdir():
        file.rename(folder / file.name.replace("rise", "arise"))
    outcome = run("evaluate", folder, "-m", model_file, "--json", "--report", tmp_path / "report")
    found = json.loads(outcome.stdout)
    assert (outcome.status, found["accuracy"], found["n"]) == (0, None, 0)
    assert found["false_acceptances"]["count"] == found["unknown"]["arise"]["count"] == 3
    assert found["false_rejections"] == Proportion().as_json("rate")
    assert "none of the recordings is of a word of the model" in run("evaluate", folder, "-m", model_file).stdout
    rows = list(csv.reader(io.StringIO(run("evaluate", folder, "-m", model_file, "--csv").stdout)))
    assert [row[:4] for row in rows[1:]] == [
        ["false acceptances", "", "3", "3"],
        ["false acceptances", "arise", "3", "3"],
    ]


def test_a_threshold_changes_rejections_alone(run, mixed, model_file):
    found = [
        json.loads(run("evaluate", mixed, "-m", model_file, "--json", "--threshold", t).stdout) for t in ("0", "1")
    ]
    assert found[0]["false_rejections"]["count"] == 1 <= found[1]["false_rejections"]["count"]
    assert found[0]["false_acceptances"]["count"] == 1 >= found[1]["false_acceptances"]["count"]
    for f in found:
        del f["false_rejections"], f["false_acceptances"], f["unknown"]
    assert found[0] == found[1]


def test_csv_has_all_scores(run, mixed, model_file):
    rows = list(csv.DictReader(io.StringIO(run("evaluate", mixed, "-m", model_file, "--csv").stdout)))
    as_json = json.loads(run("evaluate", mixed, "-m", model_file, "--json").stdout)
    assert float(rows[0]["accuracy"]) == as_json["accuracy"]
    assert int(rows[0]["n"]) == as_json["n"]
    by_word = {row["name"]: float(row["accuracy"]) for row in rows if row["of"] == "word"}
    assert by_word == {word: score["accuracy"] for word, score in as_json["by_word"].items()}
    assert {row["name"] for row in rows if row["of"] == "speaker"} == set(as_json["by_speaker"])
    assert [float(rows[0][f"bootstrap_{end}"]) for end in ("low", "high")] == as_json["bootstrap"]
    assert rows[0]["over"] == as_json["over"] == "3 speakers"


def test_a_report_that_cannot_be_written(run, mixed, model_file, tmp_path):
    (tmp_path / "file").write_text("in the way")
    outcome = run("evaluate", mixed, "-m", model_file, "-q", "--report", tmp_path / "file")
    assert outcome.status == 2
    told = f"--report {tmp_path / 'file'}: {tmp_path / 'file'} is no folder; choose a folder to write to"
    assert told in outcome.stderr


def test_matplotlib_missing(run, mixed, model_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = run("evaluate", mixed, "-m", model_file, "-q", "--report", tmp_path / "report")
    assert outcome.status == 1
    assert outcome.stderr == "error: pictures need matplotlib; install it with `pip install recognizer[plot]`\n"
    assert not (tmp_path / "report").exists()
    assert run("evaluate", mixed, "-m", model_file).status == 0, "without a report it is not needed"


# What cannot be read


def test_unreadable_files_are_told_and_left_out(run, mixed, model_file, expected):
    bad = [mixed / f"hum_bob_{n}.wav" for n in (1, 2)]
    for file in bad:
        file.write_text("no sound")
    outcome = run("evaluate", mixed, "-m", model_file, "--json")
    assert outcome.status == 1
    found = json.loads(outcome.stdout)
    assert found.pop("unreadable").keys() == {str(file) for file in bad}
    assert found == {key: value for key, value in expected.as_json().items() if key != "unreadable"}
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1] for line in errors] == [str(file) for file in bad]
    assert "2 files could not be read" in run("evaluate", mixed, "-m", model_file).stdout


def test_nothing_that_could_be_read(run, tmp_path, model_file):
    (tmp_path / "c" / "hum").mkdir(parents=True)
    (tmp_path / "c" / "hum" / "1.wav").write_bytes(b"")
    outcome = run("evaluate", tmp_path / "c", "-m", model_file)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "none of the 1 files can be tested" in outcome.after_told
    assert str(tmp_path / "c" / "hum" / "1.wav") in outcome.after_told
    assert outcome.after_told.count("\n") == 1


def test_a_report_that_cannot_be_written_is_told_before_anything_is_read(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "in it"):
        outcome = run("evaluate", "no corpus", "--model", "no model", "--report", place)
        assert (outcome.status, outcome.stdout) == (2, "")
        assert f"--report {place}: {tmp_path / 'file'} is no folder; choose a folder to write to" in outcome.stderr
    allowed = os.access
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "locked" and allowed(path, mode))
    (tmp_path / "locked").mkdir()
    outcome = run("evaluate", "no corpus", "--model", "no model", "--report", tmp_path / "locked" / "new")
    assert outcome.status == 2
    assert f"no permission to write into {tmp_path / 'locked'}; choose another" in outcome.stderr
