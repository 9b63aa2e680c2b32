"""`recognizer transcribe`: every word of long recordings, in forms that tell the same."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic import RATE, WORDS, write
from test_alignment import read_textgrid
from test_session import quiet, talk
from typer.testing import CliRunner

from recognizer.cli import app, reporting
from recognizer.live.events import Answer
from recognizer.live.session import Session, listen
from recognizer.recognizer import Recognizer
from recognizer.sound import formats
from recognizer.sound.source import play

KEYS = ["file", "word", "confidence", "accepted", "nbest", "start", "end", "error", "reason"]


@pytest.fixture(scope="module")
def talked(tmp_path_factory) -> Path:
    """A recording of every word with pauses, and at its end a noise that stays."""
    samples = np.concatenate([talk(*WORDS)[0], quiet(4.0, level=0.05)])
    return write(tmp_path_factory.mktemp("talk") / "talk.wav", samples)


@pytest.fixture
def transcribe(run, model_file) -> Callable:
    return lambda *arguments: run("transcribe", "--model", model_file, *arguments)


def lines(stdout: str) -> list[dict]:
    return [json.loads(line) for line in stdout.splitlines()]


# What is heard


def test_the_words_are_those_of_live_and_of_batch_to_the_last_bit(transcribe, built, talked):
    """Blocks of another size, and no partial results: the same answers, which `recognize` gives on what is cut out."""
    recognizer = Recognizer(built)
    live = [event for some in listen(play(talked, fast=True), Session(recognizer)) for event in some]
    live = [event for event in live if isinstance(event, Answer)]
    found = list(recognizer.transcribe(talked))
    assert [a.kind for a in found] == ["result"] * 4 + ["rejected"]
    for one, other in zip(found, live, strict=True):
        assert (one.kind, one.start, one.end, one.result) == (other.kind, other.start, other.end, other.result)
        np.testing.assert_array_equal(one.samples, other.samples)
        if one.kind == "result":
            assert one.result == recognizer.recognize(one.samples, RATE)
    told = lines(transcribe(talked, "--json").stdout)
    for record, one in zip(told, found, strict=True):
        assert list(record) == KEYS
        assert (record["word"], record["reason"]) == (one.result.word, one.result.reason)
        assert record["nbest"] == [candidate.record() for candidate in one.result.nbest]
        assert (record["start"], record["end"]) == pytest.approx((one.start, one.end), abs=6e-4)


def test_the_table_and_csv_tell_the_same(transcribe, talked):
    records = lines(transcribe(talked, "--json").stdout)
    name, head, *table = transcribe(talked).stdout.splitlines()
    assert (name, head.split()) == (str(talked), ["start", "end", "word", "confidence", "runner-up"])
    rows = list(csv.DictReader(io.StringIO(transcribe(talked, "--csv").stdout, newline="")))
    for record, line, row in zip(records, table, rows, strict=True):
        start, end, word, *cells = line.split()
        assert (float(start), float(end)) == pytest.approx((record["start"], record["end"]), abs=0.0051)
        assert (float(row["start"]), float(row["end"])) == (record["start"], record["end"])
        assert word == (record["word"] or "-")
        assert (row["file"], row["word"], row["reason"]) == (str(talked), record["word"] or "", record["reason"] or "")
        assert float(row["confidence"]) == record["confidence"]
        if record["accepted"]:
            assert cells[1] == row["runner_up"] == record["nbest"][1]["word"]
            assert float(cells[0]) == pytest.approx(record["confidence"], abs=0.0051)
            assert float(row["runner_up_confidence"]) == record["nbest"][1]["confidence"]
        else:
            assert line.endswith(f"({record['reason']})")


def test_the_table_fits_a_narrow_terminal(transcribe, talked, monkeypatch):
    whole = transcribe(talked).stdout.splitlines()
    monkeypatch.setattr(reporting, "_terminal_width", lambda: 40)
    _, *table = transcribe(talked).stdout.splitlines()
    assert max(map(len, table)) <= 40
    assert " ".join(table).split() == " ".join(whole[1:]).split()


def test_other_programs_get_the_words_and_not_what_is_none(transcribe, talked):
    words = [record for record in lines(transcribe(talked, "--json").stdout) if record["accepted"]]
    expected = [(record["start"], record["end"], record["word"]) for record in words]
    assert len(expected) == 4
    labels = [line.split("\t") for line in transcribe(talked, "--labels").stdout.splitlines()]
    assert [(float(start), float(end), word) for start, end, word in labels] == expected
    grid = read_textgrid(transcribe(talked, "--textgrid").stdout)
    assert [interval for interval in grid["words"] if interval[2]] == expected
    subtitles = transcribe(talked, "--srt").stdout.split("\n\n")
    assert subtitles.pop() == ""
    for number, (text, (start, end, word)) in enumerate(zip(subtitles, expected, strict=True), 1):
        assert text.split("\n")[::2] == [str(number), word]
        assert re.fullmatch(r"\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}", text.split("\n")[1])
        assert [seconds(time) for time in text.split("\n")[1].split(" --> ")] == pytest.approx([start, end])


def seconds(time: str) -> float:
    hours, minutes, rest = time.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def test_the_summary_goes_to_the_person(transcribe, talked):
    outcome = transcribe(talked)
    assert outcome.status == 0
    assert re.fullmatch(r"4 words, 1 rejected in \d+\.\d s\n", outcome.stderr)
    assert transcribe(talked, "--quiet").stderr == ""


def test_silence_has_no_words(transcribe, tmp_path):
    file = write(tmp_path / "a.wav", np.zeros(3 * RATE))
    assert transcribe(file, "--srt").stdout == transcribe(file, "--json").stdout == ""
    assert [*read_textgrid(transcribe(file, "--textgrid").stdout)["words"]] == [(0, 3.0, "")]
    assert transcribe(file).stderr == "0 words, 0 rejected in 3.0 s\n"


@pytest.mark.parametrize(("rate", "channels", "name"), [(44100, 2, "a.wav"), (16000, 1, "a.flac")])
def test_any_recording(transcribe, tmp_path, rate, channels, name):
    samples = np.stack([talk("rise", "hum", rate=rate)[0]] * channels, axis=1)
    told = lines(transcribe(write(tmp_path / name, samples, rate), "--json").stdout)
    assert [record["word"] for record in told] == ["rise", "hum"]


def test_samples_give_what_their_file_gives(built, talked, tmp_path):
    recognizer, (samples, rate) = Recognizer(built), soundfile.read(talked, dtype="int16")
    heard = []
    found = list(recognizer.transcribe(samples, rate, progress=heard.append))
    assert [a.result for a in found] == [a.result for a in recognizer.transcribe(talked)]
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(len(samples) / rate, abs=0.02)
    with pytest.raises(TypeError, match="its own"):
        recognizer.transcribe(talked, 8000)
    with pytest.raises(TypeError, match="need their sample_rate"):
        recognizer.transcribe(samples)


# Options


def test_options_of_live(transcribe, talked, enroll, built):
    told = lines(transcribe(talked, "--json", "--words", "rise,hum", "--threshold", "0").stdout)
    assert {candidate["word"] for record in told for candidate in record["nbest"]} == {"rise", "hum"}
    assert lines(transcribe(talked, "--json", "--threshold", "1").stdout) != told
    own = Recognizer(enroll("eve"))
    told = lines(transcribe(talked, "--json", "--speaker", "eve").stdout)
    assert [record["nbest"] for record in told] == [
        [candidate.record() for candidate in a.result.nbest] for a in own.transcribe(talked)
    ]


def test_the_hangover_parts_words(transcribe, tmp_path):
    """Two words that close are two with a short hangover only."""
    one, other = talk("hum")[0], talk("rise")[0]
    both = np.concatenate([one, other])
    counts = [
        len(lines(transcribe(write(tmp_path / "a.wav", both), "--json", "--hangover", ms).stdout)) for ms in (100, 2000)
    ]
    assert counts == [2, 1]


def test_a_rate_under_the_models_is_warned_of_once(transcribe, tmp_path):
    files = [write(tmp_path / name, talk("hum", rate=4000)[0], 4000) for name in ("a.wav", "b.wav")]
    outcome = transcribe(*files)
    assert outcome.stderr.count("warning: recorded at 4000 Hz, under the model's 8000 Hz") == 1
    assert transcribe(*files, "--quiet").stderr == ""


# Several recordings, and files


def test_several_recordings_on_standard_output(transcribe, talked, tmp_path):
    other = write(tmp_path / "new" / "b.wav", talk("hum")[0])
    told = lines(transcribe(talked, other.parent, "--json").stdout)
    assert [record["file"] for record in told] == [str(talked)] * 5 + [str(other)]
    rows = transcribe(talked, other, "--csv").stdout.splitlines()
    assert [row.split(",")[0] for row in rows] == ["file", *[str(talked)] * 5, str(other)]
    table = transcribe(talked, other).stdout.splitlines()
    assert [line for line in table if line.endswith(".wav")] == [str(talked), str(other)]
    assert transcribe(talked, other).stderr.startswith("5 words, 1 rejected in ")


@pytest.mark.parametrize("form", ["--json", "--csv", "--textgrid", "--srt", "--labels"])
def test_a_file_has_what_would_be_printed(transcribe, talked, tmp_path, form):
    printed = transcribe(talked, form).stdout
    outcome = transcribe(talked, form, "--output", tmp_path / "out.x")
    assert (outcome.status, outcome.stdout) == (0, "")
    assert outcome.stderr.endswith(f"written to {tmp_path / 'out.x'}\n")
    content = (tmp_path / "out.x").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf") == (form == "--csv")
    assert content.decode("utf-8-sig").replace("\r\n", "\n") == printed
    assert transcribe(talked, form, "-o", tmp_path / "out.x", "--quiet").stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["out.x"]


def test_several_recordings_make_a_file_each(transcribe, talked, tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    write(folder / "a.wav", talk("hum")[0])
    write(folder / "below" / "a.wav", talk("rise")[0])
    outcome = transcribe(talked, folder, "--labels", "--output", output)
    assert (outcome.status, outcome.stdout) == (0, "")
    made = {path.relative_to(output).as_posix(): path.read_text("utf-8") for path in output.rglob("*.txt")}
    assert sorted(made) == ["a.txt", "below/a.txt", "talk.txt"]
    assert made["below/a.txt"].split()[2:] == ["rise"]
    assert transcribe(folder / "a.wav", "--srt", "--output", output).status == 0
    assert (output / "a.srt").exists(), "into a folder that is there"


def test_what_cannot_be_read_does_not_stop_the_others(transcribe, talked, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "none").mkdir()
    given = [tmp_path / "gone.wav", tmp_path / "text.wav", tmp_path / "none", talked]
    outcome = transcribe(*given, "--json")
    assert outcome.status == 1
    told = lines(outcome.stdout)
    errors = {record["file"]: record["error"] for record in told if record["error"]}
    assert set(errors) == set(map(str, given[:3]))
    assert all(list(record) == KEYS for record in told)
    assert len(told) == 8
    assert outcome.stderr.endswith("3 of 4 files could not be read\n")
    table = transcribe(*given)
    assert (table.status, table.stdout.count("error: ")) == (1, 3)
    outcome = transcribe(*given, "--srt", "--output", tmp_path / "out")
    assert outcome.status == 1
    assert outcome.stderr.count("error: ") == 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["talk.srt"]


def test_a_recording_that_breaks_off_is_told_after_what_was_heard(transcribe, tmp_path):
    soundfile.write(tmp_path / "a.flac", np.concatenate([talk(*WORDS)[0]] * 2), RATE)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    outcome = transcribe(tmp_path / "a.flac", "--json")
    *words, error = lines(outcome.stdout)
    assert outcome.status == 1
    assert "fall" in [record["word"] for record in words]
    assert error["error"].startswith(f"{tmp_path / 'a.flac'}: ")
    outcome = transcribe(tmp_path / "a.flac", "--labels")
    assert "fall" in outcome.stdout
    assert outcome.stderr.startswith("error: ")


def test_words_that_forms_have_a_meaning_for(run, built, talked, tmp_path):
    from dataclasses import replace

    words = ('say "hi"', "=1+1", "-->", "下降")
    replace(built, words=words).save(tmp_path / "m.npz")
    call = ["transcribe", "-m", tmp_path / "m.npz", talked, "--threshold", "0"]
    heard = [record["word"] for record in lines(run(*call, "--json").stdout) if record["accepted"]]
    assert set(heard) == set(words)
    assert [word for *_, word in read_textgrid(run(*call, "--textgrid").stdout)["words"] if word] == heard
    assert [line.split("\t")[2] for line in run(*call, "--labels").stdout.splitlines()] == heard
    run(*call, "--csv", "--output", tmp_path / "a.csv")
    with open(tmp_path / "a.csv", encoding="utf-8-sig", newline="") as file:
        cells = [row["word"] for row in csv.DictReader(file) if row["word"]]
    assert cells == [f"'{word}" if word[0] in "=-" else word for word in heard]


# Standard input


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_recording_through_a_pipe(model_file, talked, tmp_path, suffix):
    file = tmp_path / f"a{suffix}"
    samples, rate = soundfile.read(talked)
    soundfile.write(file, samples, rate)
    call = ["transcribe", "-m", str(model_file), "--json"]
    piped = CliRunner().invoke(app, [*call, "-"], input=file.read_bytes())
    named = CliRunner().invoke(app, [*call, str(file)])
    assert piped.exit_code == 0
    assert lines(piped.stdout) == [record | {"file": "-"} for record in lines(named.stdout)]


def test_what_comes_through_a_pipe_and_is_no_sound(model_file, tmp_path):
    for content, part in ((b"", "is empty"), (b"no sound", "is not sound")):
        done = CliRunner().invoke(app, ["transcribe", "-m", str(model_file), "-", "--json"], input=content)
        assert done.exit_code == 1
        [record] = lines(done.stdout)
        assert record["file"] == "-"
        assert record["error"].startswith(f"standard input: {part}")
    done = CliRunner().invoke(app, ["transcribe", "-m", str(model_file), "-", "-"], input=b"")
    assert done.exit_code == 2


# Wrong usage and errors


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["FILE", "--json", "--srt"], "--json and --srt exclude each other"),
        (["FILE", "FOLDER", "--srt"], "say where with --output FOLDER"),
        (["FILE", "--hangover", "99"], "100"),
        (["FILE", "--threshold", "sure"], "--threshold sure"),
        (["FILE", "--srt", "--output", "FILE"], "is the recording itself"),
        (["FILE", "--srt", "--output", "FOLDER/none/a.srt"], "does not exist; make it first"),
        (["FILE", "FOLDER", "--srt", "--output", "FILE"], "is no folder"),
        (["FILE", "FOLDER", "--srt", "--output", "FOLDER/none/out"], "do one after the other"),
        (["FOLDER/a.wav", "FOLDER/a.flac", "--srt", "--output", "FOLDER/out"], "would both be"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_is_2_before_anything_is_heard(run, talked, tmp_path, monkeypatch, options, part):
    monkeypatch.setattr("recognizer.recognizer.Recognizer.load", pytest.fail)
    write(tmp_path / "in" / "a.wav", np.zeros(RATE))
    write(tmp_path / "in" / "a.flac", np.zeros(RATE))
    names = {"FILE": str(talked), "FOLDER": str(tmp_path / "in")}
    given = [re.sub("FILE|FOLDER", lambda match: names[match[0]], option) for option in options]
    outcome = run("transcribe", *given)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert part in " ".join(outcome.stderr.split())
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"a.wav", "a.flac"}


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="this system has no such devices")
def test_a_device_is_not_replaced(transcribe, talked):
    outcome = transcribe(talked, "--srt", "--output", "/dev/null")
    assert outcome.status == 2
    assert "is a device" in outcome.stderr


@pytest.mark.parametrize(
    ("options", "part"), [(["--words", "fall,fell"], "'fell'"), (["--model", "gone"], "no model 'gone'")]
)
def test_an_error_is_one_line_and_1(transcribe, talked, options, part):
    outcome = transcribe(talked, *options)
    assert (outcome.status, outcome.stdout, outcome.stderr.count("\n")) == (1, "", 1)
    assert part in outcome.stderr


def test_a_full_disk_leaves_no_half_of_a_file(transcribe, talked, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recognizer.cli.outputs.replacing", full)
    outcome = transcribe(talked, "--srt", "--output", tmp_path / "a.srt")
    assert outcome.status == 1
    assert "No space left on device; make room on the disk" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


# On a terminal


def test_how_far_it_is_is_told_in_seconds_of_sound(transcribe, talked, tmp_path, monkeypatch):
    told = []

    @contextmanager
    def bar(quiet):
        yield lambda *steps: told.append((quiet, *steps))

    monkeypatch.setattr("recognizer.cli.transcribe.progress_bar", bar)
    assert transcribe(talked, talked.parent, "--json").status == 0
    whole = int(soundfile.info(talked).duration)
    assert {(stage, total, note) for _, stage, _, total, note in told} == {("transcribing", whole, "s")}
    done = [seconds for _, _, seconds, _, _ in told]
    assert done == sorted(done)
    assert done[-1] == whole
    transcribe(talked, "--quiet", "--json")
    assert told[-1][0] is True


def test_what_ffmpeg_decodes_is_transcribed_alone_and_in_a_folder(transcribe, talked, tmp_path):
    program = formats.ffmpeg()
    if program is None:
        pytest.skip("ffmpeg is not installed; install ffmpeg")
    (tmp_path / "folder").mkdir()
    coded = tmp_path / "folder" / "a.m4a"
    call = [program, "-loglevel", "fatal", "-i", str(talked), str(coded)]
    subprocess.run(call, check=True, stdin=subprocess.DEVNULL)
    (tmp_path / "folder" / "b.wav").write_bytes(talked.read_bytes())
    alone, both = transcribe(coded, "--json"), transcribe(tmp_path / "folder", "--json")
    assert (alone.status, both.status) == (0, 0)
    said = [line["word"] for line in lines(transcribe(talked, "--json").stdout)]
    assert [line["word"] for line in lines(alone.stdout)] == said
    assert [line["word"] for line in lines(both.stdout)] == 2 * said
