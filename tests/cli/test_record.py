"""`recognizer record`: who follows the prompts at a made-up microphone gets a folder to train from."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from soundcard import Plug, Stream
from synthetic import RATE, WORDS, answer, quiet, say, write
from test_guide import loud

from recognizer.cli import prompting
from recognizer.corpus import find
from recognizer.live.prompts import Prompt, prompts
from recognizer.sound import audio

pytestmark = pytest.mark.usefixtures("signals")


@pytest.fixture
def record(run, tmp_path) -> Callable:
    """Record words into a folder of the test."""
    return lambda *arguments: run("record", "--output", tmp_path / "mine", "--sample-rate", RATE, *arguments)


def events_of(stdout: str) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in stdout.splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


# What is recorded


def test_words_are_asked_for_and_kept_where_train_finds_them(record, run, speaking, tmp_path):
    wanted = prompts(WORDS, 3)
    speaking(*wanted)
    outcome = record(*WORDS)
    assert outcome.status == 0, outcome.stderr
    assert names(tmp_path / "mine") == sorted(f"{word}/{take}.wav" for word in WORDS for take in (1, 2, 3))
    assert Counter(u.word for u in find(tmp_path / "mine")) == dict.fromkeys(WORDS, 3)
    for prompt in wanted:
        samples, rate = soundfile.read(tmp_path / "mine" / prompt.word / f"{prompt.take}.wav", dtype="int16")
        assert rate == RATE
        said = answer(prompt).astype(np.float32)
        assert np.rint(said * 32768)[6000:6600].astype(np.int16).tobytes() in samples.tobytes()
    told, following = outcome.stdout.splitlines()
    assert told == f"{tmp_path / 'mine'}: 12 new recordings; in all fall 3, hum 3, peep 3, rise 3"
    program, *arguments = following.removeprefix("next: ").split()
    assert program == "recognizer"
    arguments[arguments.index("mine.npz")] = tmp_path / "mine.npz"
    trained = run(*arguments, "--mixtures", "1", "--quiet")
    assert trained.status == 0, trained.stderr
    assert "4 words from 12 recordings" in trained.stdout


def test_a_folder_of_its_own_is_taken_where_none_is_named(run, speaking, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    where = f"recordings go to {tmp_path / 'recordings'}; --output chooses another folder"
    for take, form in enumerate(([], ["--json"], ["--quiet"]), 1):
        speaking(Prompt("hum", take))
        outcome = run("record", "hum", "--takes", take, "--sample-rate", RATE, *form)
        assert outcome.status == 0
        assert (where in outcome.stderr.splitlines()) is (form != ["--quiet"])
        assert names(tmp_path / "recordings") == [f"hum/{number}.wav" for number in range(1, take + 1)]
    assert "recordings: 1 new recording; in all hum 3\n" in outcome.stdout


def test_the_person_is_told_what_to_say(record, speaking):
    wanted = prompts(["hum", "rise"], 2)
    speaking(*wanted)
    outcome = record("hum", "rise", "--takes", "2")
    lines = outcome.stderr.splitlines()
    assert lines[0] == f"record: Desk Mic at {RATE} Hz: be quiet for a moment"
    asked = [f"{n + 1} of 4, say: {prompt.word}" for n, prompt in enumerate(wanted)]
    assert lines[1:] == [line for prompt in asked for line in (prompt, "kept")]


def test_json_is_one_event_a_line(record, speaking):
    wanted = prompts(["hum", "rise"], 1)
    speaking(wanted[0], loud(answer(wanted[1]), 5.0), wanted[1])
    outcome = record("hum", "rise", "--takes", "1", "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    events = events_of(outcome.stdout)
    kinds = [event["event"] for event in events]
    assert kinds == ["calibrated", "prompt", "kept", "prompt", "again", "prompt", "kept", "finished"]
    about = ["event", "time", "word", "take", "attempt", "done", "total"]
    quality = ["duration", "level", "floor", "snr", "clipped", "message"]
    keys = {"calibrated": ["event", "time", "floor"], "finished": ["event", "time", "kept", "skipped"]}
    for event in events:
        assert list(event) == keys.get(event["event"], about if event["event"] == "prompt" else about + quality)
    assert [(e["word"], e["attempt"], e["done"]) for e in events if e["event"] == "prompt"] == [
        (wanted[0].word, 1, 0),
        (wanted[1].word, 1, 1),
        (wanted[1].word, 2, 1),
    ]
    assert events[4]["message"].startswith("clipped (")
    assert events[2]["message"] is None
    assert events[-1]["kept"] == 2
    times = [event["time"] for event in events]
    assert times == sorted(times)


def test_words_are_written_as_they_are(record, speaking, tmp_path):
    speaking(answer(Prompt("hum", 1)))
    outcome = record("北京", "--takes", "1", "--json", "--speaker", "Анна")
    assert '"word": "北京"' in outcome.stdout
    [utterance] = find(tmp_path / "mine")
    assert (utterance.word, utterance.speaker, utterance.path.name) == ("北京", "Анна", "Анна_nohash_1.wav")


def test_the_speaker_is_in_the_names(record, speaking, tmp_path):
    for speaker in ("anna", "bob"):
        speaking(*prompts(["hum"], 2))
        assert record("hum", "--takes", "2", "--speaker", speaker).status == 0
    assert names(tmp_path / "mine") == [f"hum/{name}_nohash_{n}.wav" for name in ("anna", "bob") for n in (1, 2)]
    assert {utterance.speaker for utterance in find(tmp_path / "mine")} == {"anna", "bob"}


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_the_rate_is_the_one_asked_for(run, speaking, tmp_path, rate):
    speaking(quiet(1.0, rate), np.concatenate([say("hum", rate=rate), quiet(0.6, rate)]), rate=rate)
    assert run("record", "hum", "--takes", "1", "--output", tmp_path, "--sample-rate", "11025").status == 0
    assert soundfile.info(tmp_path / "hum" / "1.wav").samplerate == 11025


def test_a_microphone_under_that_rate_is_warned_of(run, speaking, tmp_path):
    for more, lines in ([], 1), (["--quiet"], 0):
        speaking(Prompt("hum", 1))
        outcome = run("record", "hum", "--takes", "1", "--output", tmp_path / str(lines), "--json", *more)
        assert outcome.stderr.count("\n") == lines
        assert (
            not lines or outcome.stderr == "warning: Desk Mic delivers 8000 Hz, under 16000; use --sample-rate 8000\n"
        )


# Going on


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("form", [[], ["--json"], ["--quiet"]])
def test_what_was_kept_is_there_after_an_interruption_and_is_not_asked_for_again(
    record, speaking, tmp_path, number, form
):
    wanted = prompts(WORDS, 2)
    speaking(*wanted[:3], answer(wanted[3])[:5000], number=number)
    outcome = record(*WORDS, "--takes", "2", *form)
    assert outcome.status == 130
    assert outcome.stderr.splitlines()[-1] == "interrupted; 3 of 8 kept; the same command goes on from there"
    before = names(tmp_path / "mine")
    assert before == sorted(f"{prompt.word}/{prompt.take}.wav" for prompt in wanted[:3])
    rest = prompts(WORDS, 2, Counter(prompt.word for prompt in wanted[:3]))
    speaking(*rest)
    outcome = record(*WORDS, "--takes", "2", "--json")
    assert outcome.status == 0
    asked = [(event["word"], event["take"]) for event in events_of(outcome.stdout) if event["event"] == "prompt"]
    assert asked == [(prompt.word, prompt.take) for prompt in rest]
    assert Counter(u.word for u in find(tmp_path / "mine")) == dict.fromkeys(WORDS, 2)


def test_when_all_is_there_it_says_how_to_get_more(record, soundcard, speaking, tmp_path):
    speaking(*prompts(["hum"], 2))
    record("hum", "--takes", "2")
    soundcard()  # no microphone is needed
    outcome = record("hum", "--takes", "2")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert "no new recordings; in all hum 2\n" in outcome.stdout
    assert "all takes are there; for more, --takes 3\n" in outcome.stdout
    assert events_of(record("hum", "--takes", "1", "--json").stdout) == [
        {"event": "finished", "time": 0.0, "kept": 0, "skipped": 0}
    ]
    speaking(Prompt("hum", 3))
    assert record("hum").status == 0
    assert names(tmp_path / "mine") == ["hum/1.wav", "hum/2.wav", "hum/3.wav"]


def test_numbers_go_on_after_the_highest_and_nothing_is_written_over(record, speaking, tmp_path):
    write(tmp_path / "mine" / "hum" / "7.wav", say("hum"))
    write(tmp_path / "mine" / "hum" / "old recording.flac", say("hum"))
    write(tmp_path / "mine" / "hum" / "anna_nohash_9.wav", say("hum"))
    (tmp_path / "mine" / "hum" / "notes.txt").write_text("mine")
    speaking(Prompt("hum", 3), Prompt("hum", 4))
    outcome = record("hum", "--takes", "4", "--json")
    assert [e["take"] for e in events_of(outcome.stdout) if e["event"] == "kept"] == [3, 4]
    assert {"hum/8.wav", "hum/9.wav"} == set(names(tmp_path / "mine")) - {
        *("hum/7.wav", "hum/old recording.flac", "hum/anna_nohash_9.wav", "hum/notes.txt")
    }


def test_other_words_may_come_later(record, speaking, tmp_path):
    for word in ("hum", "rise"):
        speaking(Prompt(word, 1))
        assert record(word, "--takes", "1").status == 0
    assert {utterance.word for utterance in find(tmp_path / "mine")} == {"hum", "rise"}


@pytest.mark.skipif(sys.platform == "darwin", reason="names are composed by the system")
def test_a_folder_whose_letters_are_composed_otherwise_is_the_same_word(record, speaking, tmp_path):
    write(tmp_path / "mine" / "ne\N{COMBINING ACUTE ACCENT}" / "1.wav", say("hum"))
    speaking(Prompt("hum", 2))
    assert record("n\N{LATIN SMALL LETTER E WITH ACUTE}", "--takes", "2").status == 0
    assert names(tmp_path / "mine") == [f"ne\N{COMBINING ACUTE ACCENT}/{n}.wav" for n in (1, 2)]


def test_takes_that_were_there_count_as_done(record, speaking):
    speaking(*prompts(["hum", "rise"], 2)[:3])
    assert record("hum", "rise", "--takes", "2").status == 130
    speaking(*prompts(["hum", "rise"], 2)[3:])
    outcome = record("hum", "rise", "--takes", "2")
    assert "4 of 4, say: " in outcome.stderr
    speaking()
    said = record("hum", "rise", "--takes", "4").stderr
    assert "5 of 8, say: " in said
    assert said.splitlines()[-1].startswith("interrupted; 0 of 4 kept, 4 of 8 are there; ")


def test_more_takes_of_a_word_than_wanted_are_not_counted(record, speaking):
    speaking(*prompts(["hum"], 3))
    record("hum")
    speaking()
    assert "2 of 2, say: rise" in record("hum", "rise", "--takes", "1").stderr


# Where nobody would see the words


def test_away_from_a_terminal_it_refuses_at_once(record, soundcard, monkeypatch, tmp_path):
    card = soundcard(Plug("Desk Mic"))
    monkeypatch.setattr("recognizer.cli.prompting._is_seen", lambda: False)
    outcome = record("hum")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: there is no terminal to show the words on")
    assert "--without-terminal" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert card.history == []
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_terminal_is_where_the_words_are_shown(monkeypatch, stream):
    assert not prompting._is_seen()
    monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    assert prompting._is_seen()


@pytest.mark.parametrize("option", ["--json", "--without-terminal"])
def test_told_that_somebody_reads_it_goes_on(record, speaking, monkeypatch, option):
    speaking(*prompts(["hum"], 1))
    monkeypatch.setattr("recognizer.cli.prompting._is_seen", lambda: False)
    assert record("hum", "--takes", "1", option).status == 0


# What goes wrong


def test_words_that_are_never_good_are_left_out_and_1(record, speaking, tmp_path):
    first, second = prompts(["hum", "rise"], 1)
    bad = loud(answer(first), 5.0)
    speaking(bad, bad, bad, second)
    outcome = record("hum", "rise", "--takes", "1")
    assert outcome.status == 1
    assert names(tmp_path / "mine") == [f"{second.word}/1.wav"]
    lines = outcome.stderr.splitlines()
    assert [line.split(" (")[0] for line in lines[2:7]] == [
        "again: clipped",
        f"1 of 2, say: {first.word}",
        "again: clipped",
        f"1 of 2, say: {first.word}",
        "skipped: clipped",
    ]
    assert lines[-1] == f"left out: {first.word} (take 1); the same command asks for them again"
    assert "1 new recording; " in outcome.stdout


def test_quiet_tells_only_what_to_say_and_what_was_wrong(record, speaking):
    first, second = prompts(["hum", "rise"], 1)
    speaking(loud(answer(first), 5.0), np.zeros(4 * RATE), first, second)
    lines = record("hum", "rise", "--takes", "1", "--quiet").stderr.splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        f"1 of 2, say: {first.word}",
        "again: clipped",
        f"1 of 2, say: {first.word}",
        f"2 of 2, say: {second.word}",
    ]


def test_a_microphone_that_goes_is_waited_for(record, speaking, tmp_path):
    def unplug(stream: Stream) -> None:
        stream.running = False

    prompt = Prompt("hum", 1)
    for form in ([], ["--json"]):
        speaking(answer(prompt)[:6000], unplug, quiet(1.0), prompt)
        outcome = record("hum", "--takes", 1 if not form else 2, *form)
        assert outcome.status == 0
        assert "warning: Desk Mic: the device is gone; waiting for it\n" in outcome.stderr
    kinds = [event["event"] for event in events_of(outcome.stdout)]
    assert kinds == ["calibrated", "prompt", "device_lost", "calibrated", "prompt", "kept", "finished"]
    assert names(tmp_path / "mine") == ["hum/1.wav", "hum/2.wav"]


def test_zeros_and_lost_sound_are_told(record, speaking):
    prompt = Prompt("hum", 1)
    speaking(np.zeros(4 * RATE), lambda stream: stream.deliver(quiet(0.1), overflow=True), quiet(2.0), prompt)
    outcome = record("hum", "--takes", "1", "--json")
    kinds = [event["event"] for event in events_of(outcome.stdout)]
    assert {"muted", "overflow"} < set(kinds)
    assert kinds[-2:] == ["kept", "finished"]
    assert "Desk Mic delivers only zeros: " in outcome.stderr
    assert "of sound lost" in outcome.stderr


@pytest.mark.parametrize("form", [[], ["--json"], ["--quiet"]])
def test_a_full_disk_ends_it_with_one_line(record, speaking, tmp_path, monkeypatch, form):
    wanted = prompts(["hum", "rise"], 2)
    speaking(*wanted)
    replacing, left = audio.replacing, [None, None]

    @contextmanager
    def full(path: Path, **how: bool) -> Iterator[Path]:
        with replacing(path, **how) as temporary:
            yield temporary
            if not left:
                raise OSError(28, "No space left on device")
            left.pop()

    monkeypatch.setattr("recognizer.sound.audio.replacing", full)
    outcome = record("hum", "rise", "--takes", "2", *form)
    assert outcome.status == 1
    line = outcome.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert "No space left on device" in line
    assert line.endswith("; 2 of 4 kept; the same command goes on from there")
    assert len([line for line in outcome.stderr.splitlines() if "error" in line]) == 1
    assert len(names(tmp_path / "mine")) == 2
    if form == ["--json"]:
        kinds = [event["event"] for event in events_of(outcome.stdout)]
        assert kinds == ["calibrated", "prompt", "kept", "prompt", "kept", "prompt"], "it is not told as kept"


@pytest.mark.parametrize(
    ("refusal", "part"), [(("Device unavailable", -9985), "in use"), (("Invalid sample rate", -9997), "rates")]
)
def test_a_microphone_that_cannot_be_opened_is_one_line(record, speaking, tmp_path, refusal, part):
    speaking().plugged[0].refusal = refusal
    outcome = record("hum")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: 'Desk Mic' ")
    assert part in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert not (tmp_path / "mine").exists()


def test_a_full_disk_is_told_before_anybody_speaks(record, soundcard, tmp_path, monkeypatch):
    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    card = soundcard(Plug("Desk Mic"))
    monkeypatch.setattr(Path, "write_bytes", full)
    outcome = record("hum")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert (
        outcome.stderr == f"error: {tmp_path} cannot be written to (No space left on device); make room on the disk\n"
    )
    assert card.history == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_closed_meanwhile_is_named(record, speaking, tmp_path, monkeypatch):
    def closed(path: Path, **_) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    speaking(*prompts(["hum"], 1))
    monkeypatch.setattr(Path, "mkdir", closed)
    outcome = record("hum", "--takes", "1")
    assert outcome.status == 1
    where = tmp_path / "mine" / "hum"
    line = f"error: hum cannot be kept in {where} (Permission denied); change its mode; 0 of 1 kept; the same command"
    assert outcome.stderr.splitlines()[-1].startswith(line)


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["one", "one"], "words 'one' and 'one' are the same word; leave one out"),
        (["One", "two", "one"], "words 'One' and 'one' are the same word"),
        (["ne\N{COMBINING ACUTE ACCENT}", "n\N{LATIN SMALL LETTER E WITH ACUTE}"], "are the same word"),
        ([""], "the word is empty"),
        (["a/b"], "word 'a/b' has a '/'"),
        ([".."], "word '..' begins or ends with '.'"),
        (["con"], "is the name of a device on Windows"),
        (["w" * 81], "80 are the most"),
        (["a_nohash_b"], "word 'a_nohash_b' has '_nohash' in it"),
        (["_background_noise_"], "has '_background_noise_' in it"),
        (["one", "--speaker", ""], "the speaker is empty"),
        (["one", "--speaker", "a/b"], "speaker 'a/b' has a '/'"),
        (["one", "--speaker", "a_nohash"], "speaker 'a_nohash' has '_nohash' in it"),
        (["one", "--takes", "0"], "--takes"),
        (["one", "--takes", "many"], "--takes"),
        (["one", "--sample-rate", "7999"], "--sample-rate"),
        (["one", "--sample-rate", "48001"], "--sample-rate"),
    ],
)
def test_wrong_usage_is_2_before_the_microphone_is_opened(run, soundcard, tmp_path, arguments, part):
    card = soundcard(Plug("Desk Mic"))
    outcome = run("record", "--output", tmp_path / "mine", *arguments)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert part in " ".join(outcome.stderr.split())
    assert card.history == []
    assert not (tmp_path / "mine").exists()


def refused(run, output: Path, *words: str) -> str:
    outcome = run("record", *words or ["hum"], "--output", output)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "--output" in outcome.stderr
    return " ".join(outcome.stderr.split())


def test_an_output_that_is_no_folder(run, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is no folder" in refused(run, tmp_path / "file")
    assert "is no folder" in refused(run, tmp_path / "file" / "inside" / "it")
    write(tmp_path / "mine" / "rise" / "1.wav", say("rise"))
    (tmp_path / "mine" / "hum").write_text("")
    assert "hum is no folder" in refused(run, tmp_path / "mine")


@pytest.mark.skipif(sys.platform == "win32", reason="links need permission there")
def test_an_output_that_is_a_broken_link(run, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert "is no folder" in refused(run, tmp_path / "link")


def test_an_output_that_may_not_be_written_to(run, tmp_path, monkeypatch):
    allowed = os.access
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).endswith("locked") and allowed(path, mode))
    (tmp_path / "locked").mkdir()
    for output in (tmp_path / "locked", tmp_path / "locked" / "new" / "folder"):
        assert "no permission to write into" in refused(run, output)
    (tmp_path / "mine" / "locked").mkdir(parents=True)
    assert "no permission to write into" in refused(run, tmp_path / "mine", "hum", "locked")


@pytest.mark.parametrize("name", ["hum_anna_1.wav", "anna/hum_anna_1.wav", "anna/anna-hum-1.wav", "1.wav"])
def test_an_output_whose_recordings_are_named_otherwise(run, tmp_path, name):
    write(tmp_path / "mine" / name, say("hum"))
    said = refused(run, tmp_path / "mine")
    assert "choose another folder" in said or "tells no word" in said


def test_a_word_that_is_there_but_for_case(run, tmp_path):
    write(tmp_path / "mine" / "Hum" / "1.wav", say("hum"))
    assert "has the word 'Hum' already; write 'hum' like that" in refused(run, tmp_path / "mine")
