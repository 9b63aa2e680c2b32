"""`recognizer cut`: what it tells and writes is what was cut; every bad input is one line, and leaves nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from synthetic import RATE, quiet, say, write
from test_cutting import SAID, spoken

from recognizer.corpus import find
from recognizer.errors import AudioError
from recognizer.recognizer import Recognizer
from recognizer.training.cutting import cut_corpus
from recognizer.training.transcripts import Sentence

WORDS = " ".join(SAID)
KEYS = ["word", "start", "end", "fit", "before", "after", "reason", "take"]


@pytest.fixture
def sound(tmp_path) -> Path:
    return write(tmp_path / "list.wav", spoken()[0])


@pytest.fixture
def table(tmp_path, sound) -> Path:
    """Of two recordings."""
    write(tmp_path / "more" / "ann_nohash_x.wav", spoken(("hum", "peep"))[0])
    path = tmp_path / "strings.csv"
    path.write_text(f"path,said,speaker\nlist.wav,{WORDS},eve\nmore/ann_nohash_x.wav,Hum Peep,\n")
    return path


def refused(outcome, status, said, tmp_path, before) -> None:
    """Assert one line and no file."""
    assert (outcome.status, outcome.stdout) == (status, "")
    told = outcome.stderr
    if status == 2:  # below the usage, in a frame
        told = told[told.index("Error") :]
        assert said in " ".join(told.replace("│", " ").split())
    else:
        assert told.startswith(f"error: {said}")
        assert told.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_json_is_what_was_cut(run, built, model_file, sound, tmp_path):
    outcome = run("cut", sound, "--words", WORDS, "--model", model_file, "-o", tmp_path / "out", "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    [found] = cut_corpus([Sentence(sound, SAID, None)], built, tmp_path / "expected")
    record = json.loads(outcome.stdout)
    assert record == json.loads(json.dumps(found.as_json()))
    assert list(record) == ["file", "speaker", "cuts", "error"]
    assert all(list(one) == KEYS for one in record["cuts"])
    assert record["cuts"][1]["before"] == {
        "word": "rise",
        "gap": pytest.approx(record["cuts"][1]["start"] - record["cuts"][0]["end"], abs=2e-4),
        "silent": True,
    }
    assert record["cuts"][0]["take"] == "rise/list.1.wav"
    written, expected = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.wav")}
        for folder in (tmp_path / "out", tmp_path / "expected")
    )
    assert len(written) == len(SAID)
    assert written == expected


def test_the_table_tells_the_same(run, model_file, sound, tmp_path):
    words = WORDS.replace("fall", "peep")
    record = json.loads(run("cut", sound, "-w", words, "-m", model_file, "--json").stdout)
    outcome = run("cut", sound, "-w", words, "-m", model_file)
    assert (outcome.status, outcome.stderr) == (0, "")
    name, head, *rows, total = outcome.stdout.splitlines()
    assert name == str(sound)
    assert head.split() == ["word", "start", "end", "fit", "before", "after"]
    for row, one in zip(rows, record["cuts"], strict=True):
        word, start, end, fit = row.split()[:4]
        assert word == one["word"]
        assert (float(start), float(end)) == pytest.approx((one["start"], one["end"]), abs=0.0051)
        assert float(fit) == pytest.approx(one["fit"], abs=0.051)
        assert f"{one['before']['gap']:.2f} s" in row
        assert (f"left out: {one['reason']}" in row) == (one["reason"] is not None)
    assert [one["reason"] is None for one in record["cuts"]] == [word != "fall" for word in SAID]
    assert total == "5 of 6 words in 1 recording fit; keep them with --output"
    assert [path.name for path in tmp_path.iterdir()] == ["list.wav"]


def test_neighbours_are_told(run, model_file, tmp_path):
    joined = write(tmp_path / "joined.wav", spoken(gaps=(0.4, 0, 0, 0, 0, 0, 0.4))[0])
    options = ["cut", joined, "-w", WORDS, "-m", model_file]
    touching = [one["after"]["gap"] == 0 for one in json.loads(run(*options, "--json").stdout)["cuts"]]
    rows = [row.split("  ") for row in run(*options).stdout.splitlines()[2:-1]]
    assert [row[-1] == "touches" for row in rows] == touching
    assert sum(touching) >= 3
    more = write(tmp_path / "more.wav", spoken(("rise", "peep", "hum"))[0])
    first, second = run("cut", more, "-w", "rise hum", "-m", model_file).stdout.splitlines()[2:4]
    assert "s of speech" in first
    assert "s of speech" in second


def test_train_reads_what_cut_writes(run, model_file, table, tmp_path):
    out = tmp_path / "my takes"
    options = ["cut", "--transcript", table, "--column", "said", "-m", model_file]
    outcome = run(*options, "--output", out)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines()[-2:] == [
        "8 of 8 words in 2 recordings fit",
        f"written to {out}; next: recognizer train '{out}' --output mine.npz",
    ]
    assert sorted((u.word, u.speaker) for u in find(out)) == sorted(
        [(word, "eve") for word in SAID] + [("hum", "ann"), ("peep", "ann")]
    )
    trained = run("train", out, "--output", tmp_path / "mine.npz", "--mixtures", "1", "--quiet")
    assert trained.status == 0
    assert "4 words from 8 recordings" in trained.stdout
    assert Recognizer.load(tmp_path / "mine.npz").recognize(say("fall"), RATE).word == "fall"


def test_one_recording_of_a_transcript(run, model_file, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "more")
    options = ["--transcript", table, "--column", "SAID", "-m", model_file, "--json"]
    [line] = run("cut", "ann_nohash_x.wav", *options).stdout.splitlines()
    assert [one["word"] for one in json.loads(line)["cuts"]] == ["hum", "peep"]
    before = sorted(tmp_path.rglob("*"))
    outcome = run("cut", "list.wav", *options)
    refused(outcome, 1, f"list.wav is not in {table}; add a line for it", tmp_path, before)


@pytest.mark.parametrize(("given", "named"), [([], None), (["--voice", "bob"], "bob")])
def test_whose_voice_it_is(run, model_file, sound, tmp_path, given, named):
    run("cut", sound, "-w", WORDS, "-m", model_file, "-o", tmp_path / "out", *given)
    assert {u.speaker for u in find(tmp_path / "out")} == {named}


def test_what_must_fit_how_well_may_be_chosen(run, model_file, sound, tmp_path):
    fits = [one["fit"] for one in json.loads(run("cut", sound, "-w", WORDS, "-m", model_file, "--json").stdout)["cuts"]]
    least = sorted(fits)[2] - 1e-3
    record = json.loads(run("cut", sound, "-w", WORDS, "-m", model_file, "--fit", least, "--json").stdout)
    assert [one["reason"] is None for one in record["cuts"]] == [fit >= least for fit in fits]
    out = tmp_path / "out"
    outcome = run("cut", sound, "-w", WORDS, "-m", model_file, "--fit", 1e6, "--output", out)
    assert outcome.status == 1, "nothing was kept"
    assert outcome.stdout.splitlines()[-1] == "0 of 6 words in 1 recording fit"
    assert not out.exists()


def test_a_speakers_profile(run, enroll, model_file, sound):
    enroll("eve")
    plain, fitted = (
        json.loads(run("cut", sound, "-w", WORDS, "-m", model_file, *given, "--json").stdout)
        for given in ([], ["--speaker", "eve"])
    )
    assert [one["fit"] for one in plain["cuts"]] != [one["fit"] for one in fitted["cuts"]]


def test_a_low_rate_is_warned_of(run, model_file, tmp_path):
    low = write(tmp_path / "low.wav", spoken(rate=6000)[0], 6000)
    outcome = run("cut", low, "-w", WORDS, "-m", model_file)
    assert outcome.stderr.startswith("warning: 1 of 1 files: recorded at 6000 Hz, under the model's 8000 Hz")
    assert run("cut", low, "-w", WORDS, "-m", model_file, "--quiet").stderr == ""


# Bad input


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rise rize", "the model has no word 'rize'; it has fall, hum, peep, rise"),
        ("", "no words are given; write those that are said, in order"),
        (" , ", "no words are given; write those that are said, in order"),
        ("hum " * 100, "{sound}: too short for 100 words; leave out those that are not said"),
    ],
)
def test_words_that_cannot_be_cut(run, model_file, sound, tmp_path, words, said):
    before = sorted(tmp_path.rglob("*"))
    outcome = run("cut", sound, "--words", words, "-m", model_file, "-o", tmp_path / "out")
    refused(outcome, 1, said.format(sound=sound), tmp_path, before)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (quiet(2.0), "holds no speech; record it again, closer or louder"),
        (np.ones(10), "holds no speech; record it again, closer or louder"),
        (np.zeros(0), "holds no samples; record it again"),
    ],
)
def test_sounds_that_hold_no_words(run, model_file, tmp_path, samples, said):
    sound = write(tmp_path / "x.wav", samples)
    before = sorted(tmp_path.rglob("*"))
    outcome = run("cut", sound, "--words", "hum", "-m", model_file, "-o", tmp_path / "out")
    refused(outcome, 1, f"{sound}: {said}", tmp_path, before)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("list.wav,rise ten", "line 3: the model has no word 'ten'; it has fall, hum, peep, rise"),
        ("list.wav,", "line 3: no words are given; write those that are said, in order"),
        (",rise", "line 3: empty path; name the sound file"),
        ("a.wav,hum", "line 3: {folder}/a.wav is on line 2 already; remove one"),
    ],
)
def test_a_transcript_with_a_wrong_line_is_refused_before_anything_is_cut(run, model_file, sound, tmp_path, line, said):
    (tmp_path / "t.csv").write_text(f"path,words\na.wav,hum\n{line}\n")
    before = sorted(tmp_path.rglob("*"))
    outcome = run("cut", "--transcript", tmp_path / "t.csv", "-m", model_file, "-o", tmp_path / "out")
    refused(outcome, 1, f"{tmp_path / 't.csv'}: {said.format(folder=tmp_path)}", tmp_path, before)


def test_a_transcript_without_the_column_of_the_words(run, model_file, table, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    outcome = run("cut", "--transcript", table, "-m", model_file, "-o", tmp_path / "out")
    said = (
        f"{table}: line 1: no column 'words' among 'path', 'said', 'speaker'; begin with the header "
        "path,words,speaker, or name the column of the words with --column"
    )
    refused(outcome, 1, said, tmp_path, before)


def test_a_recording_that_cannot_be_cut_is_told_and_the_others_are(run, model_file, table, tmp_path):
    with table.open("a") as file:
        file.write("gone.wav,hum,\n")
    options = ["cut", "--transcript", table, "--column", "said", "-m", model_file]
    outcome = run(*options, "-o", tmp_path / "out")
    assert outcome.status == 1
    assert outcome.stderr == f"left out: {tmp_path / 'gone.wav'}: no such file; check the name\n"
    assert "8 of 8 words in 3 recordings fit\n" in outcome.stdout
    assert len(find(tmp_path / "out")) == 8
    records = [json.loads(line) for line in run(*options, "--json").stdout.splitlines()]
    assert [record["error"] is None for record in records] == [True, True, False]
    assert records[2]["cuts"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "say what is said, with either"),
        (["list.wav"], "say what is said, with either"),
        (["list.wav", "-w", "hum", "--transcript", "t.csv"], "say what is said, with either"),
        (["-w", "hum"], "--words needs the recording in which they are said"),
        (["list.wav", "-w", "hum", "--fit", "nan"], "--fit nan is no number"),
        (["list.wav", "-w", "hum", "--voice", "a/b"], "voice 'a/b' has a '/'"),
        (["list.wav", "-w", "hum", "--voice", "a_nohash"], "has '_nohash' in it"),
        (["list.wav", "-w", "hum", "-o", "list.wav"], "--output list.wav is no folder; choose another"),
        (["list.wav", "-w", "hum", "-o", "full"], "--output full has something in it; choose a new folder"),
        (["list.wav", "-w", "hum", "-o", "no/out"], "does not exist; make it first"),
        (["", "-w", "hum"], "the name is empty"),
    ],
)
def test_wrong_usage(run, model_file, sound, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    before = sorted(tmp_path.rglob("*"))
    refused(run("cut", *options, "-m", model_file), 2, said, tmp_path, before)


def test_a_folder_that_nobody_may_write_to(run, model_file, sound, tmp_path):
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("root may write everywhere, and Windows has no such modes")
    (tmp_path / "closed").mkdir(mode=0o500)
    outcome = run("cut", sound, "-w", WORDS, "-m", model_file, "-o", tmp_path / "closed" / "out")
    assert outcome.status == 2
    assert "no permission to write into" in outcome.stderr


def test_an_empty_folder_that_may_not_be_read(run, model_file, sound, tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    allowed = os.access
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).endswith("closed") and allowed(path, mode))
    before = sorted(tmp_path.rglob("*"))
    outcome = run("cut", sound, "-w", WORDS, "-m", model_file, "-o", tmp_path / "closed")
    assert outcome.status == 2
    assert "no permission to write into it; change its mode" in " ".join(outcome.stderr.replace("│", " ").split())
    assert sorted(tmp_path.rglob("*")) == before


def test_a_model_that_cannot_hear(run, model_file, sound, tmp_path):
    write(tmp_path / "corpus" / "hum_eve_0.wav", say("hum"))
    mmf, deaf = tmp_path / "m.mmf", tmp_path / "m.npz"
    assert run("export", model_file, tmp_path / "corpus", "--htk", mmf, "--parameters", tmp_path / "mfc").status == 0
    assert run("import", mmf, "--output", deaf).status == 0
    before = sorted(tmp_path.rglob("*"))
    outcome = run("cut", sound, "-w", WORDS, "-m", deaf, "-o", tmp_path / "out")
    refused(outcome, 1, "this model cannot hear sound: it knows HTK parameter files", tmp_path, before)


def test_a_full_disk_leaves_nothing(run, model_file, table, tmp_path, monkeypatch):
    """Not even the takes of the recordings before."""
    from recognizer.sound import audio

    written = []

    def full(path, pcm, rate, new, write=audio._write_wav):
        if len(written) == 7:
            raise AudioError("cannot be written (No space left on device); make room on the disk")
        written.append(path)
        write(path, pcm, rate, new)

    monkeypatch.setattr(audio, "_write_wav", full)
    before = sorted(tmp_path.rglob("*"))
    options = ["--transcript", table, "--column", "said", "-m", model_file, "-o", tmp_path / "out"]
    outcome = run("cut", *options)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: {tmp_path}")
    assert outcome.stderr.endswith(": cannot be written (No space left on device); make room on the disk\n")
    assert len(written) == 7
    assert sorted(tmp_path.rglob("*")) == before


def test_a_channel_that_was_taken_is_told(run, model_file, tmp_path):
    """And the takes are cut out of it."""
    said, _ = spoken()
    noise = 0.3 * np.random.default_rng(0).standard_normal(len(said))
    file = write(tmp_path / "stereo.wav", np.stack([noise, said], axis=1), RATE)
    output = tmp_path / "takes"
    outcome = run("cut", file, "--words", " ".join(SAID), "--model", model_file, "--output", output)
    assert outcome.status == 0
    told = f"note: the mean of the channels buries the speech; heard instead: channel 2 (right) of {file}\n"
    assert outcome.stderr == told
    assert sorted(u.word for u in find(output)) == sorted(SAID)
