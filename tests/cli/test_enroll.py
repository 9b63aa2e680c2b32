"""`recognizer enroll`: a voice at a made-up microphone, or in recordings, becomes a profile."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from soundcard import Plug
from synthetic import RATE, WORDS, answer, say, write
from test_guide import loud

from recognizer import Recognizer
from recognizer.cli import enroll as command
from recognizer.live import asking
from recognizer.live.prompts import Prompt, prompts
from recognizer.model import Model
from recognizer.speakers import store
from recognizer.speakers.profile import Profile

pytestmark = pytest.mark.usefixtures("signals")


@pytest.fixture
def enroll(run, model_file) -> Callable:
    """Enroll with the model of tones."""
    return lambda *arguments: run("enroll", "--model", model_file, *arguments)


@pytest.fixture
def eve(tmp_path) -> Path:
    """A folder of two takes of each word by eve, whom the model does not know."""
    for word in WORDS:
        for take in (1, 2):
            write(tmp_path / "eve" / word / f"{take}.wav", say(word, take=take))
    return tmp_path / "eve"


def events_of(stdout: str) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in stdout.splitlines()]


def kept(name: str = "eve") -> list[str]:
    """The takes of a speaker, as word/number."""
    place = store.root() / name / "takes"
    return sorted(path.relative_to(place).with_suffix("").as_posix() for path in place.rglob("*.wav"))


def both(*words: str) -> list[str]:
    return sorted(f"{word}/{take}" for word in words for take in (1, 2))


def flat(text: str) -> str:
    """A message of wrong usage, which is broken into lines."""
    return " ".join(text.split())


# At the microphone


def test_words_are_asked_for_and_a_profile_is_made(enroll, speaking, model_file, built):
    speaking(*prompts(WORDS, 2))
    outcome = enroll("eve")
    assert outcome.status == 0, outcome.stderr
    assert kept() == both(*WORDS)
    lines = outcome.stdout.splitlines()
    assert lines[0] == "eve: 8 takes of 4 words"
    before, after = (store.load("eve").record[trial] for trial in ("before", "after"))
    right = f"before: {before['correct']} of 8 words right; now: {after['correct']} of 8"
    assert lines[1] == f"{right} (each take recognised by a model that had not heard it)"
    assert lines[2] == f"how sure: {before['confidence']:.2f} before, {after['confidence']:.2f} now, of at most 1"
    assert lines[3] == f"next: recognizer live --speaker eve --model {model_file}"
    assert outcome.stderr.splitlines()[0] == f"enroll eve: Desk Mic at {RATE} Hz: be quiet for a moment"
    profile = store.load("eve")
    assert profile.record["takes"] == dict.fromkeys(built.words, 2)
    assert Recognizer(profile.apply(built)).recognize(say("rise", take=9), RATE).word == "rise"


def test_json_is_events_and_at_the_end_what_came_of_it(enroll, speaking, model_file):
    speaking(*prompts(["hum", "rise"], 2))
    outcome = enroll("eve", "--words", "rise,hum", "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    *events, last = events_of(outcome.stdout)
    assert [event["event"] for event in events] == ["calibrated", *["prompt", "kept"] * 4, "finished"]
    assert list(last) == [
        *("event", "speaker", "model", "takes", "method", "why", "before", "after"),
        *("unlabelled", "doubts", "refused"),
    ]
    assert (last["event"], last["speaker"], last["model"]) == ("enrolled", "eve", str(model_file))
    assert last["takes"] == {"hum": 2, "rise": 2}
    assert last["before"]["n"] == last["after"]["n"] == 4
    assert (last["unlabelled"], last["doubts"], last["refused"]) == (False, [], [])


def test_as_many_takes_are_asked_for_here_as_on_the_page():
    """The numbers are written down twice, for the help must not wait until the one place is loaded."""
    assert (command.TAKES, command.MOST_TAKES) == (asking.TAKES, asking.MOST_TAKES)


def test_prompts_tell_how_a_word_is_said(run, speaking, built, tmp_path):
    replace(built, card={"spoken": {"hum": "hm"}}).save(tmp_path / "m.npz")
    options = ["--model", tmp_path / "m.npz", "--words", "hum,rise", "--takes", "1"]
    speaking(*prompts(["hum", "rise"], 1))
    told = run("enroll", "eve", *options).stderr.splitlines()
    assert {line.partition("say: ")[2] for line in told if "say: " in line} == {"hum (hm)", "rise"}
    speaking(*prompts(["hum", "rise"], 1))
    asked = [
        event for event in events_of(run("enroll", "ann", *options, "--json").stdout) if event["event"] == "prompt"
    ]
    assert {event["word"]: event.get("spoken") for event in asked} == {"hum": "hm", "rise": None}


def test_one_take_of_few_words_says_how_to_measure(enroll, speaking):
    speaking(*prompts(["hum", "rise"], 1))
    outcome = enroll("eve", "--words", "hum,rise", "--takes", "1")
    assert outcome.status == 0
    assert "before: 2 of 2 words right" in outcome.stdout
    assert "now: too few takes to tell; with two of each word it can be: recognizer enroll eve\n" in outcome.stdout


def test_another_word_said_clearly_is_asked_for_again(enroll, speaking):
    speaking(answer(Prompt("rise", 1)), Prompt("hum", 1))
    outcome = enroll("eve", "--words", "hum", "--takes", "1", "--json")
    events = events_of(outcome.stdout)
    [again] = [event for event in events if event["event"] == "again"]
    assert again["message"] == "that sounded like rise, not hum: say hum"
    assert kept() == ["hum/1"]
    heard, rate = soundfile.read(store.root() / "eve" / "takes" / "hum" / "1.wav")
    assert rate == RATE
    assert Recognizer(Model.load(store.load("eve").model_name)).recognize(heard, rate).word == "hum"


def test_who_is_not_understood_is_recorded_all_the_same(enroll, speaking):
    """The third time it is believed: it is for such voices that there is enrollment."""
    speaking(*[answer(Prompt("rise", n)) for n in (1, 2, 3)])
    outcome = enroll("eve", "--words", "hum", "--takes", "1")
    assert outcome.status == 0
    assert outcome.stderr.count("again: that sounded like rise, not hum: say hum") == 2
    assert kept() == ["hum/1"]


def earlier(enroll, eve: Path) -> bytes:
    """Enroll with two takes of one word; gives the profile."""
    shutil.copytree(eve / "fall", eve.parent / "earlier" / "fall")
    assert enroll("eve", "--from", eve.parent / "earlier", "--quiet").status == 0
    return (store.root() / "eve" / "profile.npz").read_bytes()


@pytest.mark.parametrize("form", [[], ["--json"], ["--quiet"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_the_takes_and_the_earlier_profile(enroll, speaking, eve, form, number):
    before = earlier(enroll, eve)
    there = Counter(fall=2)
    wanted = prompts(WORDS, 2, there)
    speaking(*wanted[:3], number=number)
    outcome = enroll("eve", *form)
    assert outcome.status == 130
    assert (
        outcome.stderr.splitlines()[-1]
        == "interrupted; 3 of 6 kept, 5 of 8 are there; the same command goes on from there"
    )
    there += Counter(prompt.word for prompt in wanted[:3])
    assert Counter(take.partition("/")[0] for take in kept()) == there
    assert (store.root() / "eve" / "profile.npz").read_bytes() == before
    rest = prompts(WORDS, 2, there)
    speaking(*rest)
    outcome = enroll("eve", "--json")
    assert outcome.status == 0
    asked = [(event["word"], event["take"]) for event in events_of(outcome.stdout) if event["event"] == "prompt"]
    assert asked == [(prompt.word, prompt.take) for prompt in rest]
    assert kept() == both(*WORDS)


def test_a_take_that_is_taken_back_is_gone_from_the_store(enroll, speaking, monkeypatch):
    """Also the first one, of whom there is nothing else."""
    typed, seen = [], []
    monkeypatch.setattr("recognizer.cli.prompting.lines_of", lambda stream: lambda: [typed.pop()] if typed else [])
    first, second = prompts(["hum", "rise"], 1)

    def undo(stream) -> None:
        seen.append(kept() if store.names() else None)
        typed.append("u")
        stream.deliver(np.random.default_rng(0).normal(0, 3e-4, RATE))

    def look(stream) -> None:
        seen.append(kept() if store.names() else None)
        stream.deliver(np.random.default_rng(1).normal(0, 3e-4, RATE // 2))

    speaking(first, undo, look, first, second)
    outcome = enroll("eve", "--words", "hum,rise", "--takes", "1", "--json")
    assert outcome.status == 0, outcome.stderr
    assert seen == [[f"{first.word}/1"], None]
    assert kept() == ["hum/1", "rise/1"]
    assert [event["event"] for event in events_of(outcome.stdout)].count("undone") == 1


def test_away_from_a_terminal_it_refuses_at_once_unless_told(enroll, soundcard, speaking, monkeypatch):
    card = soundcard(Plug("Desk Mic"))
    monkeypatch.setattr("recognizer.cli.prompting._is_seen", lambda: False)
    outcome = enroll("eve")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: there is no terminal to show the words on")
    assert outcome.stderr.count("\n") == 1
    assert (card.history, store.names()) == ([], [])
    for option in ("--json", "--without-terminal"):
        speaking(*prompts(["hum"], 1))
        monkeypatch.setattr("recognizer.cli.prompting._is_seen", lambda: False)
        assert enroll("eve", "--words", "hum", "--takes", "1", option).status == 0
        assert enroll("eve", "--words", "hum", "--takes", "1").status == 0, "there is nothing to ask for"
        shutil.rmtree(store.root())


def test_takes_that_were_there_count_as_done(enroll, speaking, eve):
    earlier(enroll, eve)
    speaking(*prompts(WORDS, 2, {"fall": 2}))
    assert "3 of 8, say: " in enroll("eve").stderr


def test_when_all_is_there_the_profile_is_made_anew_without_a_microphone(enroll, soundcard, speaking):
    speaking(*prompts(["hum"], 2))
    enroll("eve", "--words", "hum")
    (store.root() / "eve" / "profile.npz").unlink()
    soundcard()
    outcome = enroll("eve", "--words", "hum")
    assert outcome.status == 0
    assert outcome.stderr == "all takes were there; for more, --takes 3\n"
    assert store.has_profile("eve")
    assert [event["event"] for event in events_of(enroll("eve", "--words", "hum", "--json").stdout)] == ["enrolled"]
    speaking(Prompt("hum", 3))
    assert enroll("eve", "--words", "hum", "--takes", "3").status == 0
    assert kept() == ["hum/1", "hum/2", "hum/3"]


def test_a_damaged_take_is_named_and_asked_for_again(enroll, speaking, eve):
    enroll("eve", "--from", eve)
    (store.root() / "eve" / "takes" / "hum" / "2.wav").write_bytes(b"RIFF")
    speaking(Prompt("hum", 2))
    outcome = enroll("eve")
    assert outcome.status == 1
    assert "hum/2.wav: is not sound or is damaged" in outcome.stderr
    assert "eve: 8 takes of 4 words" in outcome.stdout


def test_words_that_are_never_good_are_left_out_and_the_rest_is_done(enroll, speaking):
    first, second = prompts(["hum", "rise"], 1)
    bad = loud(answer(first), 5.0)
    speaking(bad, bad, bad, second)
    outcome = enroll("eve", "--words", "hum,rise", "--takes", "1")
    assert outcome.status == 1
    assert f"left out: {first.word} (take 1); the same command asks for them again\n" in outcome.stderr
    assert "eve: 1 take of 1 word\n" in outcome.stdout


def test_nothing_good_at_all_is_no_profile(enroll, speaking):
    bad = loud(answer(Prompt("hum", 1)), 5.0)
    speaking(bad, bad, bad)
    outcome = enroll("eve", "--words", "hum", "--takes", "1", "--quiet")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "error: speaker 'eve' has no usable take; record some with `recognizer enroll eve`" in outcome.stderr
    assert not store.has_profile("eve")


def test_takes_are_kept_at_a_rate_that_serves_other_models(enroll, speaking):
    samples = np.concatenate([np.zeros(6000), say("hum", rate=16000), np.zeros(9000)])
    noise = 3e-4 * np.random.default_rng(0).standard_normal(len(samples))
    speaking(3e-4 * np.random.default_rng(1).standard_normal(16000), samples + noise, rate=16000)
    assert enroll("eve", "--words", "hum", "--takes", "1").status == 0
    assert soundfile.info(store.root() / "eve" / "takes" / "hum" / "1.wav").samplerate == 16000


def test_a_microphone_under_the_models_rate_is_warned_of(run, speaking, monkeypatch, built, tmp_path):
    from dataclasses import replace

    fine = replace(built, front_end=replace(built.front_end, sample_rate=16000))
    fine.save(tmp_path / "fine.npz")
    for form, told in ([], True), (["--quiet"], False):
        speaking(Prompt("hum", 1))
        outcome = run("enroll", "eve", "--model", tmp_path / "fine.npz", "--words", "hum", "--takes", "1", *form)
        assert ("warning: Desk Mic: recorded at 8000 Hz, under the model's 16000 Hz" in outcome.stderr) is told
        shutil.rmtree(store.root())


def test_a_microphone_that_cannot_be_opened_is_one_line(enroll, soundcard):
    soundcard(Plug("Desk Mic", refusal=("Device unavailable", -9985)))
    outcome = enroll("eve")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: 'Desk Mic' ")
    assert outcome.stderr.count("\n") == 1
    assert store.names() == []


# Conditions


def test_a_condition_starts_from_the_speakers_own_profile(enroll, eve):
    assert enroll("eve", "--from", eve).status == 0
    for call in (["eve", "--as", "cold"], ["eve@cold"]):
        assert enroll(*call, "--from", eve / "hum").status == 1  # one folder deep, its files tell no word
    assert enroll("eve", "--as", "cold", "--from", eve).status == 0
    assert store.names() == ["eve", "eve@cold"]
    assert [store.load(name).record["prior"] for name in store.names()] == [None, "eve"]


def test_a_condition_of_another_model_is_an_error_before_anything_is_recorded(enroll, run, soundcard, eve, other):
    enroll("eve", "--from", eve)
    soundcard()
    outcome = run("enroll", "eve@cold", "--model", other)
    assert outcome.status == 1
    assert "the profile was made for another model" in outcome.stderr
    assert "recognizer speakers refresh" in outcome.stderr
    assert store.names() == ["eve"]


@pytest.fixture
def other(built, tmp_path) -> Path:
    """A model of the same words that is not the same."""
    from dataclasses import replace

    path = tmp_path / "other.npz"
    replace(built, calibration=replace(built.calibration, scale=0.5 * built.calibration.scale)).save(path)
    return path


# From recordings


def test_labelled_recordings_are_copied_and_learned_from(enroll, eve):
    outcome = enroll("eve", "--from", eve)
    assert outcome.status == 0, outcome.stderr
    assert (outcome.after_told, kept()) == ("", both(*WORDS))
    assert "eve: 8 takes of 4 words\n" in outcome.stdout
    copy, rate = soundfile.read(store.root() / "eve" / "takes" / "hum" / "1.wav", dtype="int16")
    original, _ = soundfile.read(eve / "hum" / "1.wav", dtype="int16")
    assert rate == RATE
    assert np.array_equal(copy, original)


def test_the_same_recordings_are_not_taken_twice_whatever_file_they_are_in(enroll, eve, tmp_path):
    enroll("eve", "--from", eve)
    for word in WORDS:
        samples, _ = soundfile.read(eve / word / "1.wav", dtype="int16")
        write(tmp_path / "flac" / word / "other name.flac", samples)
        write(tmp_path / "flac" / word / "copy.wav", samples)
    for folder in (eve, tmp_path / "flac"):
        assert enroll("eve", "--from", folder, "--layout", "{word}/*").status == 0
    assert kept() == both(*WORDS)


def test_a_recording_that_is_labelled_otherwise_now_moves(enroll, eve):
    (eve / "hum" / "2.wav").rename(eve / "rise" / "3.wav")
    enroll("eve", "--from", eve)
    assert kept() == sorted([*both("fall", "peep", "rise"), "hum/1", "rise/3"])
    (eve / "rise" / "3.wav").rename(eve / "hum" / "2.wav")
    enroll("eve", "--from", eve)
    assert kept() == both(*WORDS)


def test_the_rate_of_the_recordings_is_kept(enroll, tmp_path):
    write(tmp_path / "hum" / "1.wav", say("hum", rate=44100), 44100)
    assert enroll("eve", "--from", tmp_path).status == 0
    assert soundfile.info(store.root() / "eve" / "takes" / "hum" / "1.wav").samplerate == 44100


def test_recordings_under_the_models_rate_are_warned_of(enroll, tmp_path):
    for take in (1, 2):
        write(tmp_path / "hum" / f"{take}.wav", say("hum", take=take, rate=6000), 6000)
    assert "warning: 2 of 2 files: recorded at 6000 Hz, under" in enroll("eve", "--from", tmp_path).stderr
    assert enroll("eve", "--from", tmp_path, "--quiet").stderr == ""


def test_other_words_are_counted_in_one_line(enroll, eve):
    for take in range(3):
        write(eve / "bird" / f"{take}.wav", say("hum", take=take))
    outcome = enroll("eve", "--from", eve)
    assert outcome.status == 0
    assert outcome.after_told == "warning: not learned from: 3 recordings of words that the model lacks: bird\n"
    assert kept() == both(*WORDS)


def test_only_other_words_are_an_error_that_names_them(enroll, tmp_path):
    write(tmp_path / "bird" / "1.wav", say("hum"))
    outcome = enroll("eve", "--from", tmp_path)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "it has bird, the model fall, hum, peep, rise; " in outcome.stderr
    assert store.names() == []


def test_one_voice_of_several_is_chosen(enroll, recordings):
    outcome = enroll("eve", "--from", recordings)
    assert outcome.status == 2
    assert "has recordings of 4 speakers, anna, bob, carl, dora; choose one with --voice NAME" in flat(outcome.stderr)
    outcome = enroll("eve", "--from", recordings, "--voice", "eve")
    assert outcome.status == 2
    assert "tells of anna, bob, carl, dora; choose from these" in flat(outcome.stderr)
    assert store.names() == []
    outcome = enroll("eve", "--from", recordings, "--voice", "bob")
    assert outcome.status == 0
    assert "eve: 12 takes of 4 words\n" in outcome.stdout


def test_words_of_the_model_tell_how_names_are_read(enroll, unclear):
    outcome = enroll("eve", "--from", unclear, "--voice", "bob")
    assert (outcome.status, outcome.after_told) == (0, "")
    assert ": names are {word}_{speaker}_{take}: 48 recordings" in outcome.stderr
    assert "eve: 12 takes of 4 words\n" in outcome.stdout


def test_names_that_are_not_plain_are_asked_and_the_answer_taken(enroll, eve, unclear):
    for file in unclear.iterdir():
        file.rename(unclear / f"new{file.name}")  # so that the model knows none of the words
    outcome = enroll("eve", "--from", unclear, "--voice", "bob")
    assert (outcome.status, outcome.stdout) == (1, "")
    first, *choices = outcome.stderr.splitlines()
    assert first.startswith(f"error: {unclear}: the names can be read in several ways")
    assert [line.split("'")[1] for line in choices] == ["{word}_{speaker}_{take}", "{speaker}_{word}_{take}"]
    assert store.names() == []
    outcome = enroll("eve", "--from", unclear, "--voice", "bob", "--layout", "new{word}_{speaker}_{take}")
    assert (outcome.status, outcome.after_told) == (0, "")
    assert len(kept()) == 12


@pytest.mark.parametrize(
    ("pattern", "part"), [("{speaker}", "write {word} there"), ("{word}-*", "does not fit {word}-*")]
)
def test_a_layout_that_is_none_or_does_not_fit(enroll, eve, pattern, part):
    outcome = enroll("eve", "--from", eve, "--layout", pattern)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert part in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert store.names() == []


@pytest.mark.parametrize("options", [[], ["--unlabelled", "x"]])
def test_a_layout_is_for_labelled_recordings(enroll, options):
    outcome = enroll("eve", "--layout", "{word}/*", *options)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "--layout {word}/* says how recordings in --from are named; give both" in flat(outcome.stderr)


def test_a_table_tells_itself_whatever_the_layout(enroll, eve):
    (eve / "one.csv").write_text("file;label\nhum/1.wav;hum\n", encoding="utf-8-sig")
    outcome = enroll("eve", "--from", eve / "one.csv", "--layout", "{speaker}/{word}")
    assert (outcome.status, outcome.after_told) == (0, "")
    assert kept() == ["hum/1"]


@pytest.mark.parametrize("source", ["--from", "--unlabelled"])
def test_one_corrupt_file_is_named_and_the_rest_done(enroll, eve, source):
    (eve / "hum" / "3.wav").write_bytes(b"RIFF")
    outcome = enroll("eve", source, eve, "--json")
    assert outcome.status == 1
    told = outcome.after_told if source == "--from" else outcome.stderr
    assert told.startswith(f"left out: {eve / 'hum' / '3.wav'}: ")
    assert told.count("\n") == 1
    [event] = events_of(outcome.stdout)
    assert event["takes"] == dict.fromkeys(WORDS, 2)
    assert len(event["refused"]) == 1
    assert len(kept()) == 8


def test_many_corrupt_files_are_counted(enroll, eve):
    for take in range(3, 10):
        (eve / "hum" / f"{take}.wav").write_bytes(b"RIFF")
    lines = enroll("eve", "--from", eve).after_told.splitlines()
    assert len(lines) == 6
    assert lines[-1] == "left out: 2 more"


@pytest.mark.parametrize("source", ["--from", "--unlabelled"])
@pytest.mark.parametrize("content", [b"RIFF", "silence"])
def test_nothing_usable_leaves_all_as_it_was(enroll, eve, tmp_path, source, content):
    if source == "--from":
        enroll("eve", "--from", eve)
    before, files = store.has_profile("eve") and store.load("eve").record, kept()
    path = tmp_path / "new" / "hum" / "1.wav"
    write(path, np.zeros(RATE))
    if content != "silence":
        path.write_bytes(content)
    outcome = enroll("eve", source, tmp_path / "new")
    assert (outcome.status, outcome.stdout) == (1, "")
    told = outcome.after_told if source == "--from" else outcome.stderr
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert kept() == files
    assert (store.has_profile("eve") and store.load("eve").record) == before


@pytest.mark.parametrize("source", ["--from", "--unlabelled"])
def test_a_folder_that_is_not_there_or_empty(enroll, tmp_path, source):
    outcome = enroll("eve", source, tmp_path / "gone")
    assert outcome.status == 1
    assert f"{tmp_path / 'gone'}: no such folder" in outcome.stderr
    (tmp_path / "empty").mkdir()
    outcome = enroll("eve", source, tmp_path / "empty")
    assert outcome.status == 1
    assert "no audio in this folder" in outcome.stderr
    assert store.names() == []


def test_a_take_with_the_wrong_label_is_doubted(enroll, eve):
    for take in (3, 4, 5, 6):
        for word in WORDS:
            write(eve / word / f"{take}.wav", say(word, take=take))
    write(eve / "hum" / "6.wav", say("peep", take=7))
    outcome = enroll("eve", "--from", eve)
    assert outcome.status == 0
    assert "hum/6.wav: labelled 'hum' but sounds like 'peep'; " in outcome.stderr
    assert "`recognizer speakers forget eve hum/6.wav`, and then `recognizer enroll eve` to say it" in outcome.stderr
    assert outcome.after_told.startswith("warning: ")
    assert enroll("eve", "--from", eve, "--quiet").stderr == ""
    [event] = events_of(enroll("eve", "--from", eve, "--json", "--quiet").stdout)
    assert len(event["doubts"]) == 1


def test_what_is_doubted_is_forgotten_as_the_warning_says(enroll, run, eve):
    for take in (3, 4, 5, 6):
        for word in WORDS:
            write(eve / word / f"{take}.wav", say(word, take=take))
    write(eve / "hum" / "6.wav", say("peep", take=7))
    warning = enroll("eve", "--from", eve).stderr
    command = shlex.split(warning.split("`")[1])
    outcome = run(*command[1:])
    assert (command[0], outcome.status, outcome.stderr) == ("recognizer", 0, "")
    assert "  23 takes  " in outcome.stdout
    assert "hum/6" not in kept()
    assert store.load("eve").record["takes"] == {"fall": 6, "hum": 5, "peep": 6, "rise": 6}


# The same recording as two words


def test_a_recording_under_two_labels_is_refused_and_the_rest_done(enroll, eve):
    shutil.copy(eve / "hum" / "2.wav", eve / "rise" / "3.wav")
    outcome = enroll("eve", "--from", eve)
    assert outcome.status == 1
    first, second = eve / "hum" / "2.wav", eve / "rise" / "3.wav"
    assert outcome.after_told == (
        f"left out: {first} (labelled 'hum') and {second} (labelled 'rise') are the same recording; "
        "correct the wrong label or leave it out\n"
    )
    assert kept() == sorted([*both("fall", "peep", "rise"), "hum/1"])
    assert store.load("eve").record["takes"] == {"fall": 2, "hum": 1, "peep": 2, "rise": 2}


def test_a_recording_is_the_same_in_another_format_and_by_another_name(enroll, eve):
    samples, _ = soundfile.read(eve / "hum" / "2.wav", dtype="int16")
    write(eve / "rise" / "3.flac", samples)
    (eve / "peep" / "9.wav").symlink_to(eve / "fall" / "1.wav")
    outcome = enroll("eve", "--from", eve, "--quiet")
    assert outcome.status == 1
    first, second = outcome.stderr.splitlines()
    assert first.startswith(f"left out: {eve / 'fall' / '1.wav'} (labelled 'fall') and {eve / 'peep' / '9.wav'} (l")
    assert second.startswith(f"left out: {eve / 'hum' / '2.wav'} (labelled 'hum') and {eve / 'rise' / '3.flac'} (l")
    assert kept() == sorted([*both("peep", "rise"), "fall/1", "hum/1"])  # numbered anew


def test_nothing_but_contradictions_is_an_error(enroll, eve):
    lines = ["path,word,speaker", "hum/1.wav,hum,eve", "hum/../hum/1.wav,rise,eve"]
    (eve / "all.csv").write_text("\n".join(lines), encoding="utf-8")
    outcome = enroll("eve", "--from", eve / "all.csv")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told.startswith(f"error: nothing in {eve / 'all.csv'} can be learned from (")
    assert f"{eve / 'hum' / '1.wav'} (labelled 'hum') are the same recording; " in outcome.after_told
    assert outcome.after_told.count("\n") == 1
    assert store.names() == []


def test_the_same_recording_twice_under_one_label_is_welcome(enroll, eve):
    shutil.copy(eve / "hum" / "2.wav", eve / "hum" / "3.wav")
    assert enroll("eve", "--from", eve).status == 0
    assert kept() == both(*WORDS)


# Whose voice it is


def test_recordings_of_another_voice_are_not_mixed_in(enroll, run, recordings, eve):
    assert enroll("eve", "--from", recordings, "--voice", "bob").status == 0
    before = (store.root() / "eve" / "profile.npz").read_bytes(), kept()
    outcome = enroll("eve", "--from", recordings, "--voice", "anna")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told == (
        "error: the takes of 'eve' are of the voice 'bob', and these of 'anna'; enroll these under another name, or "
        "start anew after `recognizer speakers remove eve`\n"
    )
    assert ((store.root() / "eve" / "profile.npz").read_bytes(), kept()) == before
    assert enroll("eve", "--from", recordings, "--voice", "bob").status == 0
    assert enroll("eve", "--from", eve).status == 0, "nobody says who that is"
    run("speakers", "remove", "eve", "--yes")
    assert enroll("eve", "--from", recordings, "--voice", "anna").status == 0


def test_a_voice_is_remembered_without_its_option_and_before_there_is_a_profile(enroll, eve, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("recognizer.speakers.enrolling.make_profile", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        (eve / "one.csv").write_text("path,word,speaker\nhum/1.wav,hum,ann\n", encoding="utf-8")
        assert enroll("eve", "--from", eve / "one.csv").status == 130
    (eve / "two.csv").write_text("path,word,speaker\nhum/2.wav,hum,bea\n", encoding="utf-8")
    outcome = enroll("eve", "--from", eve / "two.csv")
    assert outcome.status == 1
    assert "are of the voice 'ann', and these of 'bea'" in outcome.stderr
    assert enroll("eve", "--as", "other", "--from", eve / "two.csv").status == 0


def test_a_corpus_that_tells_no_speakers_has_none_to_choose(enroll, eve):
    outcome = enroll("eve", "--from", eve, "--voice", "bob")
    assert outcome.status == 2
    assert f"--voice bob: {eve} does not tell who speaks; leave --voice out" in outcome.stderr.replace("\n", "")


def test_a_full_disk_while_copying_says_to_make_room(enroll, eve, monkeypatch):
    @contextmanager
    def full(path: Path, **how: bool):
        yield path.parent / ".partly"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recognizer.sound.audio.replacing", full)
    outcome = enroll("eve", "--from", eve)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "cannot be written (No space left on device); make room on the disk\n" in outcome.stderr


def no_room(*_, **__) -> None:
    raise OSError(28, "No space left on device")


def read_only(*_, **__) -> None:
    raise OSError(30, "Read-only file system")


@pytest.mark.parametrize(
    ("failing", "how", "parts"),
    [
        ("pathlib.Path.write_bytes", no_room, ("speakers cannot be written to (No space left", "; make room on the")),
        ("pathlib.Path.mkdir", no_room, ("speakers cannot be made (No space left", "; make room on the disk")),
        ("pathlib.Path.mkdir", read_only, ("speakers cannot be made (Read-only", "set RECOGNIZER_HOME to another")),
        ("filelock.FileLock.acquire", read_only, (".lock cannot be written (Read-only", "set RECOGNIZER_HOME to")),
    ],
)
def test_a_home_that_cannot_be_written_is_told_before_anything_is_heard(
    enroll, eve, soundcard, monkeypatch, failing, how, parts
):
    card = soundcard(Plug("Desk Mic"))
    monkeypatch.setattr(failing, how)
    monkeypatch.setattr("recognizer.corpus.find", lambda folder: pytest.fail("it was read"))
    monkeypatch.setattr("recognizer.corpus.audio_files", lambda folders: pytest.fail("it was read"))
    for options in ([], ["--from", eve], ["--unlabelled", eve]):
        outcome = enroll("eve", *options)
        assert (outcome.status, outcome.stdout) == (1, "")
        assert outcome.stderr.count("\n") == 1
        assert all(part in outcome.stderr for part in parts)
    assert card.history == []


def test_a_closed_word_is_told_before_anything_is_heard(enroll, eve, soundcard, monkeypatch):
    enroll("eve", "--from", eve)
    card, allowed = soundcard(Plug("Desk Mic")), os.access
    closed = store.root() / "eve" / "takes" / "hum"
    monkeypatch.setattr("os.access", lambda path, mode: path != closed and allowed(path, mode))
    outcome = enroll("eve", "--takes", "3")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == f"error: {closed} cannot be read and written to; change its mode or owner\n"
    assert card.history == []


def test_a_manifest_tells_the_words_too(enroll, eve):
    (eve / "all.csv").write_text("path,word,speaker\nhum/1.wav,hum,eve\nrise/1.wav,rise,eve\n", encoding="utf-8")
    assert enroll("eve", "--from", eve / "all.csv").status == 0
    assert kept() == ["hum/1", "rise/1"]


# Without labels


def test_unlabelled_recordings_are_learned_from_where_they_are_sure(enroll, eve):
    everything = eve.parent / "everything"
    for n, file in enumerate(sorted(eve.rglob("*.wav"))):
        everything.mkdir(exist_ok=True)
        shutil.copy(file, everything / f"{n}.wav")
    write(everything / "silence.wav", 1e-4 * np.random.default_rng(0).standard_normal(RATE))
    outcome = enroll("eve", "--unlabelled", everything, "--details")
    assert outcome.status == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert lines[0] == "eve: sure of 8 of 9 recordings, of 4 words"
    assert lines[1].startswith("method: MLLR (full), then MAP (tau 4), the usual method; ")
    assert lines[1].endswith("passes")
    assert kept() == sorted(f"{word}/heard-{take}" for word in WORDS for take in (1, 2))
    record = store.load("eve").record
    assert record["unlabelled"] is True
    assert (record["recordings"], record["takes"]) == (9, dict.fromkeys(WORDS, 2))
    [event] = events_of(enroll("eve", "--unlabelled", everything, "--json", "--method", "map").stdout)
    assert (event["unlabelled"], event["recordings"], event["method"]) == (True, 9, "MAP (tau 4)")
    assert (event["before"], event["after"]) == (None, None)
    assert len(kept()) == 8


def test_what_a_person_says_it_is_counts_more(enroll, eve):
    enroll("eve", "--unlabelled", eve)
    outcome = enroll("eve", "--from", eve / "..", "--voice", "x")
    assert outcome.status == 2
    shutil.rmtree(eve / "rise")
    outcome = enroll("eve", "--from", eve)
    assert outcome.status == 0
    assert kept() == sorted([*both("fall", "hum", "peep"), "rise/heard-1", "rise/heard-2"])
    assert "the words of some takes were told by the recognizer" in outcome.stdout
    assert store.load("eve").record["unlabelled"] is True


def test_unlabelled_recordings_do_not_replace_labelled_ones(enroll, eve):
    enroll("eve", "--from", eve)
    outcome = enroll("eve", "--unlabelled", eve)
    assert outcome.status == 1
    assert "eve has 8 takes whose words are known" in outcome.stderr
    assert "`recognizer enroll eve --as CONDITION --unlabelled FOLDER`" in outcome.stderr
    assert store.load("eve").record["unlabelled"] is False
    assert enroll("eve", "--as", "late", "--unlabelled", eve).status == 0
    assert store.load("eve@late").record["prior"] == "eve"


# How


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--method", "map", "--tau", "8"], "MAP (tau 8)"),
        (["--method", "mllr", "--shape", "bias"], "MLLR (bias)"),
        (["--method", "cmllr-map", "--shape", "diagonal", "--tau", "0"], "CMLLR (diagonal), then MAP (tau 0)"),
    ],
)
def test_the_method_is_the_one_asked_for(enroll, eve, options, told):
    [event] = events_of(enroll("eve", "--from", eve, "--json", *options).stdout)
    assert (event["method"], event["why"]) == (told, f"{told}, as asked")


def test_the_warp_is_told(enroll, eve):
    line = "warp of the frequency axis: "
    assert line not in enroll("eve", "--from", eve, "--method", "map", "--details").stdout
    assert line not in enroll("eve", "--from", eve, "--method", "map", "--vtln").stdout
    outcome = enroll("eve", "--from", eve, "--method", "map", "--vtln", "--details")
    assert "method: MAP (tau 4), as asked\n" in outcome.stdout
    warp = store.load("eve").record["warp"]
    told = "none, for none makes takes left out likelier" if warp == 1 else f"{warp:g}"
    assert f"{line}{told}\n" in outcome.stdout


def test_takes_are_deleted_when_they_shall_be_forgotten(enroll, run, eve):
    outcome = enroll("eve", "--from", eve, "--forget-audio")
    assert outcome.status == 0
    assert "the takes are deleted; `recognizer speakers refresh` cannot make this profile anew\n" in outcome.stderr
    assert [path.name for path in (store.root() / "eve").iterdir()] == ["profile.npz"]
    assert enroll("bob", "--unlabelled", eve, "--forget-audio", "--quiet").stderr == ""
    assert [path.name for path in (store.root() / "bob").iterdir()] == ["profile.npz"]


def test_takes_that_cannot_be_deleted_are_told(enroll, eve, monkeypatch):
    def refuse(place: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    outcome = enroll("eve", "--from", eve, "--forget-audio")
    assert outcome.status == 1
    assert "takes cannot be deleted (Permission denied); change its mode" in outcome.stderr
    assert "deleted; " not in outcome.stderr


def test_an_interruption_while_fitting_keeps_the_takes(enroll, eve, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("recognizer.speakers.enrolling.make_profile", interrupted)
    outcome = enroll("eve", "--from", eve)
    assert (outcome.status, outcome.stdout) == (130, "")
    assert outcome.after_told == "interrupted; the takes are kept; the same command goes on from there\n"
    assert kept() == both(*WORDS)


def test_what_makes_it_worse_is_warned_of(enroll, eve, monkeypatch):
    from recognizer.speakers import enrolling

    def worse(*arguments) -> dict:
        record = record_of(*arguments)
        return record | {"after": record["after"] | {"correct": 0}}

    record_of = enrolling.record_of
    monkeypatch.setattr(enrolling, "record_of", worse)
    assert "warning: takes left out are understood worse than before; " in enroll("eve", "--from", eve).stderr
    assert enroll("eve", "--from", eve, "--quiet").stderr == ""


# The profile that was there


def test_a_profile_of_another_model_is_replaced_and_that_is_told(enroll, run, eve, other, model_file):
    enroll("eve", "--from", eve)
    outcome = run("enroll", "eve", "--from", eve, "--model", other)
    assert outcome.status == 0
    back = f"`recognizer speakers refresh eve --model {model_file}`"
    assert outcome.after_told.startswith("warning: the profile that is replaced was made for another model")
    assert back in outcome.after_told
    assert run("enroll", "eve", "--from", eve, "--model", model_file, "--quiet").stderr == ""


def test_a_profile_of_a_newer_program_is_not_replaced(enroll, eve, monkeypatch):
    enroll("eve", "--from", eve)
    path = store.root() / "eve" / "profile.npz"
    with monkeypatch.context() as later:
        later.setattr("recognizer.speakers.profile.VERSION", 99)
        Profile.load(path).save(path)
    before = path.read_bytes()
    for arguments in ((), ("--from", eve)):
        outcome = enroll("eve", *arguments)
        assert outcome.status == 1
        assert "profile version 99" in outcome.stderr
        assert "update with" in outcome.stderr
        assert path.read_bytes() == before


def test_a_profile_whose_takes_were_deleted_is_not_replaced(enroll, eve):
    enroll("eve", "--from", eve, "--forget-audio")
    path = store.root() / "eve" / "profile.npz"
    before = path.read_bytes()
    for arguments in ((), ("--from", eve), ("--unlabelled", eve)):
        outcome = enroll("eve", *arguments)
        assert outcome.status == 1
        assert "were deleted" in outcome.stderr
        assert "--as" in outcome.stderr
        assert path.read_bytes() == before
    assert enroll("eve", "--as", "hoarse", "--from", eve).status == 0


def test_a_damaged_profile_is_replaced_and_that_is_told(enroll, eve):
    enroll("eve", "--from", eve)
    (store.root() / "eve" / "profile.npz").write_bytes(b"PK")
    outcome = enroll("eve")  # all takes are there
    assert outcome.status == 0
    assert outcome.stderr.startswith("warning: the earlier profile cannot be used and is replaced: ")
    assert store.load("eve").record["takes"] == dict.fromkeys(WORDS, 2)


def test_a_full_disk_leaves_the_earlier_profile(enroll, eve, monkeypatch):
    enroll("eve", "--from", eve)
    before = (store.root() / "eve" / "profile.npz").read_bytes()

    @contextmanager
    def full(path: Path, **how: bool):
        yield path.parent / ".partly"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recognizer.files.archive.replacing", full)
    outcome = enroll("eve", "--forget-audio")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "cannot be written: No space left on device; make room" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert (store.root() / "eve" / "profile.npz").read_bytes() == before
    assert kept() == both(*WORDS), "nothing is forgotten that was not learned from"


def test_a_full_disk_while_recording_tells_what_is_kept(enroll, speaking, monkeypatch):
    from recognizer.sound import audio

    replacing, left = audio.replacing, [None]

    @contextmanager
    def full(path: Path, **how: bool):
        with replacing(path, **how) as temporary:
            yield temporary
            if not left:
                raise OSError(28, "No space left on device")
            left.pop()

    monkeypatch.setattr("recognizer.sound.audio.replacing", full)
    speaking(*prompts(WORDS, 2))
    outcome = enroll("eve")
    assert outcome.status == 1
    assert outcome.stderr.splitlines()[-1].endswith("; 1 of 8 kept; the same command goes on from there")
    assert len(kept()) == 1


KILLED = """
import os, signal, sys
from recognizer.files import writing
replace, left = os.replace, [int(sys.argv.pop(1))]
first = sys.argv.pop(1) == "before"
def killed(*paths):
    left[0] -= 1
    if first and not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*paths)
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
writing.os.replace = killed
from recognizer.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signal")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("write_number", [1, 3, 5])  # takes, and last the profile
def test_a_kill_at_any_moment_leaves_what_is_whole(enroll, eve, model_file, moment, write_number):
    before = earlier(enroll, eve)
    for word in ("fall", "rise"):
        shutil.rmtree(eve / word)
    arguments = ["enroll", "eve", "--from", eve, "--model", model_file, "--method", "map"]
    command = [sys.executable, "-c", KILLED, str(write_number), moment, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    now = (store.root() / "eve" / "profile.npz").read_bytes()
    assert (now == before) is ((write_number, moment) != (5, "after"))
    store.load("eve")
    assert len(kept()) - len(hidden()) == 2 + write_number - (moment == "before") - (now != before)
    assert all(soundfile.info(take.path).frames > RATE / 2 for take in store.takes("eve"))
    assert enroll("eve", "--from", eve, "--method", "map").status == 0
    assert [take for take in kept() if "/." not in take] == both("fall", "hum", "peep")
    assert store.load("eve").record["takes"] == {"fall": 2, "hum": 2, "peep": 2}


def hidden() -> list[str]:
    """What a kill left half written, which nobody takes for anything."""
    return [take for take in kept() if "/." in take]


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([""], "the speaker is empty"),
        (["@"], "the speaker is empty"),
        (["eve@"], "the condition is empty"),
        (["@cold"], "the speaker is empty"),
        (["eve@cold@late"], "condition 'cold@late' has a '@'"),
        (["a/b"], "speaker 'a/b' has a '/'"),
        (["../eve"], "speaker '../eve' has a '/'"),
        (["eve\N{GRINNING FACE}"], "use letters, digits"),
        (["con"], "is the name of a device on Windows"),
        (["eve", "--as", ""], "the condition is empty"),
        (["eve", "--as", "nul"], "is the name of a device on Windows"),
        (["eve@cold", "--as", "cold"], "eve@cold names a condition, and so does --as cold; leave one out"),
        (["eve", "--takes", "0"], "--takes"),
        (["eve", "--takes", "21"], "--takes"),
        (["eve", "--words", "hum,bird"], "--words has 'bird'; the model has fall, hum, peep, rise"),
        (["eve", "--words", ","], "--words has no words; the model has"),
        (["eve", "--method", "none"], "--method none is not auto, map, mllr"),
        (["eve", "--method", "magic"], "--method magic is not auto, map, mllr"),
        (["eve", "--shape", "full"], "--shape says nothing about --method auto; add --method mllr-map"),
        (["eve", "--method", "map", "--shape", "full"], "--shape says nothing about --method map"),
        (["eve", "--method", "mllr", "--shape", "round"], "--shape 'round' is not"),
        (["eve", "--tau", "4"], "--tau says nothing about --method auto; add --method mllr-map"),
        (["eve", "--method", "mllr", "--tau", "4"], "--tau says nothing about --method mllr"),
        (["eve", "--method", "cmllr", "--variances"], "--variances says nothing about --method cmllr"),
        (["eve", "--class-frames", "100"], "--class-frames says nothing about --method auto"),
        (["eve", "--method", "mllr", "--class-frames", "0"], "--class-frames 0.0 is not over 0"),
        (["eve", "--method", "map", "--weight", "1.5"], "--weight 1.5 is not from 0"),
        (["eve", "--vtln", "--unlabelled", "a"], "--vtln needs to know the words"),
        (["eve", "--method", "map", "--tau", "21"], "--tau"),
        (["eve", "--method", "map", "--tau", "-1"], "--tau"),
        (["eve", "--method", "map", "--tau", "nan"], "tau nan is not from 0 (only the speaker) to 20"),
        (["eve", "--from", "a", "--unlabelled", "b"], "exclude each other"),
        (["eve", "--voice", "bob"], "--voice bob chooses among the speakers of --from"),
        (["eve", "--unlabelled", "a", "--voice", "bob"], "--voice bob chooses"),
        (["eve", "--from", "a", "--takes", "2"], "--takes goes with the microphone, not with --from"),
        (["eve", "--unlabelled", "a", "--words", "hum"], "--words goes with the microphone, not with --unlabelled"),
        (["eve", "--from", "a", "--device", "1"], "--device goes with the microphone"),
    ],
)
def test_wrong_usage_is_2_before_anything_is_done(enroll, soundcard, home, arguments, part):
    card = soundcard(Plug("Desk Mic"))
    outcome = enroll(*arguments)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert part in flat(outcome.stderr)
    assert card.history == []
    assert not home.exists()


def test_a_name_that_differs_by_case_only(enroll, eve):
    enroll("eve", "--from", eve)
    outcome = enroll("Eve", "--from", eve)
    assert outcome.status == 2
    assert "there is 'eve' already, which differs from 'Eve' by case only" in flat(outcome.stderr)


def test_a_model_that_is_gone_is_an_error_before_anything_is_recorded(run, soundcard, home, tmp_path):
    soundcard()
    for model in ("gone", tmp_path / "gone.npz"):
        outcome = run("enroll", "eve", "--model", model)
        assert (outcome.status, outcome.stdout) == (1, "")
        assert "there is no model" in outcome.stderr
    assert not home.exists()
