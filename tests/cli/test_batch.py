"""`recognizer batch`: one line a file, in three forms that tell the same."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from synthetic import RATE, WORDS, say, write
from typer.testing import CliRunner

from recognizer import parallel
from recognizer.cli import app, batch
from recognizer.model import Model
from recognizer.recognizer import Recognizer
from recognizer.speakers import store

KEYS = ["file", "word", "confidence", "accepted", "nbest", "start", "end", "duration", "error", "reason", "warnings"]


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """Every word, one silent file, and one that is no sound."""
    folder = tmp_path / "new"
    spoken = [write(folder / f"{word}.wav", say(word)) for word in WORDS]
    (folder / "text.wav").write_text("no sound")
    return [*spoken, write(folder / "silent.wav", np.zeros(RATE)), folder / "text.wav"]


def json_lines(stdout: str) -> list[dict]:
    assert stdout.endswith("\n")
    return [json.loads(line) for line in stdout.splitlines()]


def csv_lines(stdout: str) -> list[dict]:
    return list(csv.DictReader(io.StringIO(stdout, newline="")))


# JSON


def test_json_is_what_the_recognizer_says(run, built, model_file, files):
    outcome = run("batch", "--json", "--model", model_file, *files)
    assert outcome.status == 1
    records = json_lines(outcome.stdout)
    for file, record, answer in zip(files, records, Recognizer(built).recognize_files(files), strict=True):
        assert list(record) == KEYS
        assert record["file"] == str(file)
        if answer.error is not None:
            assert record == {**dict.fromkeys(KEYS), "file": str(file), "accepted": False, "nbest": []} | {
                "error": answer.error
            }
            continue
        result = answer.result
        assert (record["word"], record["accepted"], record["error"]) == (result.word, result.accepted, None)
        assert record["reason"] == result.reason
        assert record["confidence"] == pytest.approx(result.confidence, abs=1e-4)
        for key in ("start", "end", "duration"):
            exact = getattr(result, key)
            assert record[key] == (None if exact is None else pytest.approx(exact, abs=1e-3))
        for told, candidate in zip(record["nbest"], result.nbest, strict=True):
            assert told["word"] == candidate.word
            assert told["score"] == pytest.approx(candidate.score, abs=1e-4)
            assert told["confidence"] == pytest.approx(candidate.confidence, abs=1e-4)


def test_what_was_said_is_heard_and_the_bad_file_is_told(run, model_file, files):
    outcome = run("batch", "--json", "-m", model_file, *files)
    records = {Path(record["file"]).stem: record for record in json_lines(outcome.stdout)}
    assert {name: records[name]["word"] for name in WORDS} == {word: word for word in WORDS}
    assert records["silent"]["word"] is None
    assert records["silent"]["error"] is None, "silence is no failure"
    assert records["text"]["error"].startswith(f"{files[-1]}: ")
    assert outcome.stderr == f"1 of {len(files)} files could not be read\n"


def test_a_manifest_is_read_as_the_recordings_it_lists(run, model_file, files, tmp_path):
    manifest = tmp_path / "test.csv"
    manifest.write_text("path,word\n" + "".join(f"{file},any\n" for file in files), encoding="utf-8")
    whole, listed = (run("batch", "--json", "-m", model_file, *paths) for paths in (files, [manifest]))
    assert listed == whole
    manifest.write_text("word,speaker\nyes,eve\n", encoding="utf-8")
    outcome = run("batch", "--json", "-m", model_file, manifest, files[0])
    assert outcome.status == 1
    wrong, right = json_lines(outcome.stdout)
    remedy = "begin with the header path,word,speaker"
    assert wrong["error"] == f"{manifest}: line 1: no column 'path' among 'word', 'speaker'; {remedy}"
    assert right["file"] == str(files[0])


def test_words_are_written_as_they_are(run, built, tmp_path, files):
    replace(built, words=("语言", "语音", "né", "a,b")).save(tmp_path / "m.npz")
    outcome = run("batch", "--json", "-m", tmp_path / "m.npz", files[1])
    assert json_lines(outcome.stdout)[0]["word"] == "语音"
    assert "语音" in outcome.stdout
    assert csv_lines(run("batch", "--csv", "-m", tmp_path / "m.npz", files[3]).stdout)[0]["word"] == "a,b"


# CSV and table


def test_csv_tells_the_same(run, model_file, files):
    records = json_lines(run("batch", "--json", "-m", model_file, *files).stdout)
    outcome = run("batch", "--csv", "-m", model_file, *files)
    assert outcome.status == 1
    assert outcome.stdout.splitlines()[0] == ",".join(KEYS)
    for record, row in zip(records, csv_lines(outcome.stdout), strict=True):
        for key in ("file", "word", "error", "reason"):
            assert row[key] == (record[key] or "")
        for key in ("confidence", "start", "end", "duration"):
            assert row[key] == ("" if record[key] is None else str(record[key]))
        assert row["accepted"] == str(record["accepted"]).lower()
        assert row["nbest"] == " ".join(f"{c['word']}:{c['confidence']}" for c in record["nbest"])


def test_the_table_tells_the_same(run, model_file, files):
    records = json_lines(run("batch", "--json", "-m", model_file, *files).stdout)
    outcome = run("batch", "-m", model_file, *files)
    assert outcome.status == 1
    head, *lines = outcome.stdout.splitlines()
    assert head.split() == ["file", "word", "confidence", "start", "end", "runner-up", "reason"]
    for record, line in zip(records, lines, strict=True):
        name, *cells = line.split()
        assert record["file"] == name
        if record["error"]:
            assert record["error"] in line
        elif record["word"] is None:
            assert " ".join(cells) == "- too quiet"
        else:
            best, second = record["nbest"][:2]
            assert cells[0] == best["word"]
            numbers = [best["confidence"], record["start"], record["end"]]
            assert [float(cell) for cell in cells[1:4]] == pytest.approx(numbers, abs=0.0051)
            assert cells[4] == second["word"]
            assert float(cells[5]) == pytest.approx(second["confidence"], abs=0.0051)
        assert line == line.rstrip()


def test_columns_of_the_table_are_aligned(run, model_file, files, monkeypatch):
    monkeypatch.chdir(files[0].parent)
    lines = run("batch", "-m", model_file, *(file.name for file in files[:4])).stdout.splitlines()
    column = lines[0].index("word")
    assert [line[column:].split()[0] for line in lines] == ["word", *WORDS]


@given(st.integers(1, 300), st.integers(37, 250))
def test_the_table_has_room(longest, room):
    columns, name_cells = batch._layout(longest, room)
    assert name_cells + sum(cells + len(gap) for _, cells, gap in columns) <= room
    assert min(longest, batch.SHORTEST_NAME) <= name_cells <= longest
    assert [title for title, _, _ in columns[:2]] == ["word", "confidence"]
    wider, _ = batch._layout(longest, room + 1)
    assert {*columns} <= {*wider}


@given(st.text("aé你한", max_size=30), st.integers(1, 12))
def test_a_word_that_is_cut_keeps_its_beginning(word, cells):
    cut = batch._cut(word, cells)
    assert cell_len(cut) <= cells
    assert cut == word if cell_len(word) <= cells else cut.endswith("…") and word.startswith(cut[:-1])


def test_a_single_word_has_no_runner_up(run, model_file, files):
    line = run("batch", "-m", model_file, "--words", "fall", files[0]).stdout.splitlines()[1]
    assert line.split()[1:3] == ["fall", "1.00"]
    assert len(line.split()) == 5


def test_a_name_with_a_line_break_stays_on_its_line(run, model_file, tmp_path):
    (tmp_path / "a\nb.wav").write_bytes(b"")
    file = write(tmp_path / "c\nd.wav", say("hum"))
    outcome = run("batch", "-m", model_file, file, tmp_path / "a\nb.wav")
    assert len(outcome.stdout.splitlines()) == 3
    for form, read in (("--json", json_lines), ("--csv", csv_lines)):
        assert read(run("batch", form, "-m", model_file, file).stdout)[0]["file"] == str(file)


def test_no_two_forms_at_once(run, model_file, files):
    outcome = run("batch", "--json", "--csv", "-m", model_file, *files)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "--json and --csv" in outcome.stderr
    assert "choose one" in outcome.stderr


# To a file


def test_a_table_for_spreadsheets(run, built, model_file, files, tmp_path):
    records = json_lines(run("batch", "--json", "-m", model_file, *files).stdout)
    outcome = run("batch", "--csv", "-m", model_file, *files, "--output", tmp_path / "a.csv")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert f"written to {tmp_path / 'a.csv'}\n" in outcome.stderr
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with open(tmp_path / "a.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    ranked = [f"{what}_{n}" for n in range(1, 5) for what in ("word", "confidence")]
    assert list(rows[0]) == [*(key for key in KEYS if key != "nbest"), *ranked]
    for record, row in zip(records, rows, strict=True):
        assert (row["file"], row["word"]) == (record["file"], record["word"] or "")
        cells = [str(cell) for c in record["nbest"] for cell in (c["word"], c["confidence"])]
        assert [row[column] for column in ranked] == cells + [""] * (8 - len(cells))
    some = run("batch", "--csv", "-m", model_file, "--words", "rise,hum", files[0], "-o", tmp_path / "b.csv", "-q")
    assert (some.status, some.stderr) == (0, "")
    assert (
        (tmp_path / "b.csv").read_text("utf-8-sig").splitlines()[0].endswith("word_1,confidence_1,word_2,confidence_2")
    )


def test_no_cell_of_a_spreadsheet_is_a_formula(run, built, files, tmp_path, monkeypatch):
    replace(built, words=("=1+1", "+1", "-1", "@SUM(A1)")).save(tmp_path / "m.npz")
    monkeypatch.chdir(files[0].parent)
    files[0].rename("=cmd.wav")
    run("batch", "--csv", "-m", tmp_path / "m.npz", "=cmd.wav", "--output", tmp_path / "a.csv")
    with open(tmp_path / "a.csv", encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=cmd.wav" in cells
    assert {"'=1+1", "'+1", "'-1", "'@SUM(A1)"} <= set(cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_json_to_a_file(run, model_file, files, tmp_path):
    printed = run("batch", "--json", "-m", model_file, *files)
    outcome = run("batch", "--json", "-m", model_file, *files, "--output", tmp_path / "a.jsonl")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert (tmp_path / "a.jsonl").read_text("utf-8") == printed.stdout


def test_output_that_cannot_be_written_is_refused_before_anything_is_heard(run, files, tmp_path, monkeypatch):
    monkeypatch.setattr("recognizer.recognizer.Recognizer.load", pytest.fail)
    for options, part in (
        (["--output", tmp_path / "a.csv"], "add --json or --csv"),
        (["--csv", "--output", tmp_path], "is a folder; name a file"),
        (["--csv", "--output", tmp_path / "none" / "a.csv"], "does not exist; make it first"),
        (["--csv", "--output", files[0]], "is the recording itself"),
    ):
        outcome = run("batch", files[0], *options)
        assert (outcome.status, outcome.stdout) == (2, "")
        assert part in " ".join(outcome.stderr.split())


# What is told of recordings


def test_several_words_in_one_recording_are_told(run, model_file, files, tmp_path):
    long = write(tmp_path / "two words.wav", np.concatenate([say(word) for word in WORDS] * 2))
    outcome = run("batch", "--json", "-m", model_file, long, *files[:2])
    assert [record["warnings"] for record in json_lines(outcome.stdout)] == [["several words"], [], []]
    [line] = outcome.stderr.splitlines()
    assert line.startswith(f"warning: {long} holds several words")
    assert f"`recognizer transcribe '{long}'`" in line
    assert csv_lines(run("batch", "--csv", "-m", model_file, long).stdout)[0]["warnings"] == "several words"
    outcome = run("batch", "-m", model_file, long, long, *files[:2])
    assert outcome.stderr.startswith(f"warning: 2 of 4 recordings, such as {long}, hold several words")
    assert run("batch", "-m", model_file, long, "--quiet").stderr == ""
    adapted = run("batch", "--json", "--adapt", "-m", model_file, long, *files[:2])
    assert json_lines(adapted.stdout)[0]["warnings"] == ["several words"]


def test_levels_that_are_wrong_are_told_in_one_line_each(run, model_file, tmp_path):
    loud = [write(tmp_path / f"{i}.wav", np.clip(8 * say("hum"), -1, 1)) for i in range(2)]
    soft = write(tmp_path / "soft.wav", 0.002 * say("hum"))
    outcome = run("batch", "--json", "-m", model_file, *loud, soft)
    assert [record["warnings"] for record in json_lines(outcome.stdout)] == [["clipped"]] * 2 + [["too quiet"]]
    assert outcome.stderr.splitlines() == [
        f"warning: 2 of 3 recordings, such as {loud[0]}, are clipped; turn the input level down or move back",
        f"warning: {soft} is very quiet; turn the input level up or come closer",
    ]


# Standard input


def test_a_recording_through_a_pipe(model_file, files):
    call = ["batch", "-m", str(model_file), "--json"]
    piped = CliRunner().invoke(app, [*call, "-", str(files[1])], input=files[0].read_bytes())
    named = CliRunner().invoke(app, [*call, *map(str, files[:2])])
    assert piped.exit_code == 0
    first, second = json_lines(named.stdout)
    assert json_lines(piped.stdout) == [first | {"file": "-"}, second]
    broken = CliRunner().invoke(app, [*call, "-"], input=b"no sound")
    assert broken.exit_code == 1
    assert json_lines(broken.stdout)[0]["error"].startswith("standard input: is not sound")


# What is recognised


def test_folders_are_searched(run, model_file, recordings, files):
    outcome = run("batch", "--json", "-m", model_file, recordings, files[0], recordings / "hum_anna_0.wav")
    found = [Path(record["file"]) for record in json_lines(outcome.stdout)]
    assert found == [*sorted(recordings.glob("*.wav")), files[0], recordings / "hum_anna_0.wav"]
    assert (outcome.status, outcome.stderr) == (0, "")


def test_a_folder_without_audio_does_not_stop_the_others(run, model_file, files, tmp_path):
    (tmp_path / "none").mkdir()
    for form, read in (("--json", json_lines), ("--csv", csv_lines)):
        outcome = run("batch", form, "-m", model_file, files[0], tmp_path / "none", files[1])
        records = {record["file"]: record for record in read(outcome.stdout)}
        assert [records[str(file)]["word"] for file in files[:2]] == list(WORDS[:2])
        assert "no audio in this folder; put files there" in records[str(tmp_path / "none")]["error"]
        assert outcome.status == 1
        assert outcome.stderr == "1 of 3 files could not be read\n"
    table = run("batch", "-m", model_file, tmp_path / "none")
    assert table.status == 1
    assert len(table.stdout.splitlines()) == 2


def test_only_some_words(run, model_file, files):
    outcome = run("batch", "--json", "-m", model_file, "--words", " rise , fall,", "--threshold", 0, *files[:4])
    for record in json_lines(outcome.stdout):
        assert {candidate["word"] for candidate in record["nbest"]} == {"fall", "rise"}
        assert record["word"] in ("fall", "rise")
    assert outcome.status == 0


def test_rejections(run, model_file, files, tmp_path, monkeypatch):
    """A rejected recording keeps its candidates, and says why it is rejected, in every form."""
    bang = np.random.default_rng(0).standard_normal(RATE // 2) * np.hanning(RATE // 2) * 0.1
    bang = write(tmp_path / "bang.wav", bang)
    forced, normal = (
        json_lines(run("batch", "--json", "-m", model_file, "--threshold", threshold, bang, files[0]).stdout)
        for threshold in ("0", "normal")
    )
    assert forced[1] == normal[1]
    assert forced[0]["accepted"]
    assert forced[0]["word"] == normal[0]["nbest"][0]["word"]
    assert normal[0] == forced[0] | {"word": None, "accepted": False, "reason": "sounds like no word"}
    (row,) = csv_lines(run("batch", "--csv", "-m", model_file, bang).stdout)
    assert (row["word"], row["accepted"], row["reason"]) == ("", "false", "sounds like no word")
    assert row["nbest"]
    monkeypatch.chdir(tmp_path)  # so that the name fits its column
    head, table = run("batch", "-m", model_file, bang.name).stdout.splitlines()
    assert table.index("sounds like no word") == head.index("reason")
    assert table[head.index("runner-up") :].startswith(f"{normal[0]['nbest'][0]['word']} ")
    assert table.split()[1] == "-"
    assert table.endswith("sounds like no word")


@pytest.mark.parametrize("threshold", ["severe", "1.5", "-1", "nan", ""])
def test_what_is_no_threshold_is_wrong_usage(run, model_file, files, threshold):
    for command in ("batch", "evaluate"):
        outcome = run(command, "-m", model_file, f"--threshold={threshold}", files[0])
        assert outcome.status == 2
        assert "strict, normal, lenient" in outcome.stderr


@pytest.mark.parametrize(("words", "named"), [("fall,fell", "'fell'"), ("", "no word"), (",", "no word")])
def test_words_that_the_model_does_not_have(run, model_file, files, words, named):
    outcome = run("batch", "--json", "-m", model_file, "--words", words, *files)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert named in outcome.stderr
    assert "fall, hum, peep, rise" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_a_model_by_name(run, model_file, files, home):
    (home / "models").mkdir(parents=True)
    (home / "models" / "mine.npz").write_bytes(model_file.read_bytes())
    by_name = run("batch", "--json", "--model", "mine", *files)
    assert by_name.stdout == run("batch", "--json", "--model", model_file, *files).stdout
    outcome = run("batch", "--model", "yours", *files)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "no model 'yours'; known by name: " in outcome.stderr
    assert "mine" in outcome.stderr


def test_the_default_model_is_digits(run, model_file, files, home):
    (home / "models").mkdir(parents=True)
    (home / "models" / "digits.npz").write_bytes(model_file.read_bytes())
    assert json_lines(run("batch", "--json", files[0]).stdout)[0]["word"] == WORDS[0]


def test_workers_give_the_same(run, model_file, files, monkeypatch):
    serial = run("batch", "--json", "-m", model_file, *files)
    assert run("batch", "--json", "-m", model_file, "--jobs", 0, *files) == serial
    monkeypatch.setattr(parallel, "WORTH", 1)
    assert run("batch", "--json", "-m", model_file, "--jobs", 2, *files) == serial


# A speaker


def test_a_speakers_profile(run, enroll, built, model_file, files):
    everybody = run("batch", "--json", "-m", model_file, *files)
    own = Recognizer(enroll("eve"))
    outcome = run("batch", "--json", "-m", model_file, "--speaker", "eve", *files)
    assert (outcome.status, outcome.stderr) == (everybody.status, everybody.stderr)
    assert outcome.stdout != everybody.stdout
    assert json_lines(outcome.stdout) == [batch.as_record(item) for item in own.recognize_files(files)]
    assert run("batch", "--json", "-m", model_file, *files) == everybody, "only where it is asked for"


@pytest.mark.parametrize("command", ["batch", "evaluate", "live"])
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("anna", ["no speaker 'anna'", "enrolled: bob, eve", "recognizer enroll anna"]),
        ("bob", ["'bob' has takes but no profile yet", "recognizer enroll bob"]),
        ("eve", ["the profile was made for another model: tones with the fingerprint", "use that model"]),
        ("eve@cold", ["no speaker 'eve@cold'"]),
    ],
)
def test_a_profile_that_cannot_be_used_is_one_line(run, enroll, built, model_file, files, command, name, parts):
    enroll("eve", replace(built, words=tuple(reversed(WORDS))))
    write(store.take_path("bob", "hum"), say("hum", "bob"))
    given = ["--from-file", files[0], "--fast"] if command == "live" else [files[0]]
    outcome = run(command, "-m", model_file, "--speaker", name, *given)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("\n") == 1
    for part in parts:
        assert part in outcome.stderr


@pytest.mark.parametrize("command", ["batch", "evaluate", "live"])
@pytest.mark.parametrize(("name", "part"), [("../eve", "'../eve' has a '/'"), ("", "the speaker is empty")])
def test_a_name_that_can_be_nobodys_is_wrong_usage(run, model_file, files, command, name, part):
    given = ["--from-file", files[0], "--fast"] if command == "live" else [files[0]]
    outcome = run(command, "-m", model_file, "--speaker", name, *given)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert part in outcome.stderr


# Adapted to the recordings


ADAPTED = re.compile(r"adapted to (\d+) of (\d+) recordings in (\d+) pass(?:es)?")


def test_adapt(run, built, model_file, files, tmp_path):
    """In every form; the order stays, errors keep their lines, and the status tells of them."""
    (tmp_path / "none").mkdir()
    given = [files[-1], *files[:3], tmp_path / "none", *files[3:-1]]
    expected, adaptation = Recognizer(built).recognize_adapted([file for file in given if file != tmp_path / "none"])
    expected = list(expected)
    for form, read in (("--json", json_lines), ("--csv", csv_lines)):
        outcome = run("batch", form, "--adapt", "-m", model_file, *given)
        assert outcome.status == 1
        told, failed = outcome.stderr.splitlines()
        assert [int(n) for n in ADAPTED.fullmatch(told).groups()] == [4, len(expected), adaptation.passes]
        assert failed == f"2 of {len(given)} files could not be read"
        refused, *records = read(outcome.stdout)
        assert refused["file"] == str(tmp_path / "none")
        assert [record["file"] for record in records] == [str(item.path) for item in expected]
        for record, item in zip(records, expected):
            assert (record["word"] or None) == (item.result and item.result.word)
            assert (record["error"] or None) == item.error
        if form == "--json":
            assert records == [batch.as_record(item) for item in expected]
            assert outcome.stdout != run("batch", form, "-m", model_file, *given).stdout
    table = run("batch", "--adapt", "-m", model_file, *given).stdout.splitlines()
    assert len(table) == 1 + len(given)


def test_adapt_from_a_profile(run, enroll, model_file, files):
    own = Recognizer(enroll("eve"), "eve")
    profile = (store.folder("eve") / store.PROFILE).read_bytes()
    outcome = run("batch", "--json", "--adapt", "--speaker", "eve", "-m", model_file, *files)
    assert json_lines(outcome.stdout) == [batch.as_record(item) for item in own.recognize_adapted(files)[0]]
    assert outcome.stdout != run("batch", "--json", "--adapt", "-m", model_file, *files).stdout
    assert (store.folder("eve") / store.PROFILE).read_bytes() == profile


@pytest.mark.parametrize("count", [1, 2])
def test_adapt_to_hardly_anything(run, model_file, files, count):
    outcome = run("batch", "--json", "--adapt", "-m", model_file, *files[:count])
    assert outcome.status == 0
    assert [record["word"] for record in json_lines(outcome.stdout)] == list(WORDS[:count])
    assert outcome.stderr.startswith(f"adapted to {count} of {count} recordings in ")


def test_adapt_to_nothing(run, model_file, files):
    plain, adapted = (run("batch", "--json", *more, "-m", model_file, *files[-2:]) for more in ([], ["--adapt"]))
    assert (adapted.status, adapted.stdout) == (1, plain.stdout)
    assert adapted.stderr == "adapted to 0 of 2 recordings in 0 passes\n" + plain.stderr


def test_adapt_keeps_to_words_and_is_quiet(run, model_file, files):
    options = ["batch", "--json", "--adapt", "-m", model_file, "--quiet", *files]
    assert run(*options).stderr == ""
    for record in json_lines(run(*options, "--words", "rise,fall", "--threshold", "0").stdout):
        assert {candidate["word"] for candidate in record["nbest"]} <= {"fall", "rise"}
    outcome = run(*options, "--words", "gone")
    assert (outcome.status, outcome.stdout, outcome.stderr.count("\n")) == (1, "", 1)


# Messages


def test_low_rates_are_told_once_for_all(run, model_file, tmp_path):
    files = [
        write(tmp_path / f"{n}.wav", say("hum", rate=rate), rate) for n, rate in enumerate([4000, 8000, 4000, 6000])
    ]
    outcome = run("batch", "--json", "-m", model_file, *files)
    assert outcome.status == 0
    assert [record["word"] for record in json_lines(outcome.stdout)] == ["hum"] * 4
    assert outcome.stderr.startswith("warning: 3 of 4 files: recorded at 4000, 6000 Hz, under the model's 8000 Hz")
    assert outcome.stderr.count("\n") == 1
    assert run("batch", "--json", "-m", model_file, "--quiet", *files).stderr == ""


def test_a_channel_that_was_taken_is_told(run, model_file, tmp_path):
    """Once for all, with the files of which it was."""
    sound = say("hum")
    noise = 0.3 * np.random.default_rng(0).standard_normal(len(sound))
    columns = {"upside_down": (sound, -sound), "noise": (noise, sound), "both": (sound, sound)}
    files = [write(tmp_path / f"{name}.wav", np.stack(pair, axis=1), RATE) for name, pair in columns.items()]
    outcome = run("batch", "--json", "-m", model_file, *files)
    assert [record["word"] for record in json_lines(outcome.stdout)] == ["hum"] * 3
    told = f"channel 1 (left) of {files[0]}, channel 2 (right) of {files[1]}"
    assert outcome.stderr == f"note: the mean of the channels buries the speech; heard instead: {told}\n"
    assert run("batch", "--json", "-m", model_file, "--quiet", *files).stderr == ""


def test_quiet_says_nothing_but_the_data(run, model_file, files):
    for form in ("--json", "--csv", "--debug"):
        loud, quiet = (run("batch", form, "-m", model_file, *more, *files) for more in ([], ["-q"]))
        assert quiet.stderr == ""
        assert (quiet.stdout, quiet.status) == (loud.stdout, 1)


def test_the_record_has_the_documented_columns():
    assert list(batch.COLUMNS) == KEYS


def test_numbers_are_never_nan(run, built, tmp_path):
    """NaN is no JSON; not even strange sounds give one."""
    random = np.random.default_rng(0)
    clicks = np.zeros((20, RATE))
    clicks[np.arange(20), random.integers(RATE, size=20)] = 1
    files = [write(tmp_path / f"{n}.wav", samples) for n, samples in enumerate(clicks)]
    built.save(tmp_path / "m.npz")
    outcome = run("batch", "--json", "-m", tmp_path / "m.npz", *files)
    for line in outcome.stdout.splitlines():
        json.loads(line, parse_constant=pytest.fail)
    assert Model.load(tmp_path / "m.npz").fingerprint == built.fingerprint, "recognising changes no model"


# As a user does it


def test_the_script_itself(start, model_file, files):
    outcome = start("batch", "--json", "--model", model_file, *files)
    assert outcome.status == 1
    assert [record["word"] for record in json_lines(outcome.stdout)] == [*WORDS, None, None]
    assert outcome.stderr == "1 of 6 files could not be read\n"
