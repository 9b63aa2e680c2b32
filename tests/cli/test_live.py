"""`recognizer live`: what it prints, keeps and says at its end, on recordings and on a made-up microphone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from soundcard import Plug, SoundCard
from synthetic import RATE, WORDS, write
from terminal import picture
from test_session import quiet, talk
from typer.testing import CliRunner

from recognizer.cli import app, executing
from recognizer.live.events import Answer
from recognizer.live.session import Session, listen
from recognizer.recognizer import Recognizer
from recognizer.sound import microphone
from recognizer.sound.source import play
from recognizer.speakers import store

NUMBERS = ["words", "rejected", "overflows", "losses"]
ANSWER = ["word", "confidence", "accepted", "reason", "nbest", "start", "end", "latency"]
KEYS = {
    "calibrated": ["floor", "speaker"],
    "speech_start": ["start"],
    "partial": ["word", "nbest", "start"],
    "result": ANSWER,
    "rejected": ANSWER,
    "device_lost": ["message"],
    "overflow": ["message"],
    "adapted": ["learned", "word", "message"],
    "end": NUMBERS,
}
KEYS = {kind: [*keys, "at"] for kind, keys in KEYS.items()}


pytestmark = pytest.mark.usefixtures("signals")


@pytest.fixture(scope="module")
def talked(tmp_path_factory) -> Path:
    """A recording of every word with pauses, and at its end a noise that stays."""
    samples = np.concatenate([talk(*WORDS)[0], quiet(4.0, level=0.05)])
    return write(tmp_path_factory.mktemp("talk") / "talk.wav", samples)


@pytest.fixture
def live(run, model_file) -> Callable:
    """Run the command on a recording, fast."""
    return lambda file, *options: run("live", "--model", model_file, "--from-file", file, "--fast", *options)


def events_of(stdout: str) -> list[dict]:
    """The lines as data; each is an event with its documented keys, in order of time."""
    assert stdout == "" or stdout.endswith("\n")
    events = [json.loads(line, parse_constant=pytest.fail) for line in stdout.splitlines()]
    for event in events:
        assert list(event) == ["event", "time", *KEYS[event["event"]]]
        for candidate in event.get("nbest", []):
            score = ["score"] if event["event"] != "partial" else []
            assert list(candidate) == ["word", *score, "confidence"]
            assert 0 <= candidate["confidence"] <= 1
    times = [event["time"] for event in events]
    assert times == sorted(times)
    return events


# JSON


def test_json_is_one_event_a_line(live, talked):
    outcome = live(talked, "--json")
    kinds = [event["event"] for event in events_of(outcome.stdout)]
    word = "speech_start (partial )+result "
    rejected = "speech_start (partial )*rejected "
    assert re.fullmatch(f"calibrated ({word}){{4}}{rejected}end", " ".join(kinds))
    assert outcome.status == 0
    assert re.fullmatch(r"4 words, 1 rejected in \d+\.\d s\n", outcome.stderr)


def test_json_tells_what_the_session_told(live, talked, built):
    told = [event for event in events_of(live(talked, "--json").stdout) if event["event"] != "end"]
    session = Session(Recognizer(built))
    events = [event for some in listen(play(talked, fast=True), session) for event in some]
    # How many guesses there are depends on how long they take.
    told, events = ([e for e in some if kind(e) != "partial"] for some, kind in ((told, by_name), (events, by_kind)))
    for record, event in zip(told, events, strict=True):
        assert record["event"] == event.kind
        assert record["time"] == pytest.approx(event.time, abs=6e-4)
        for name in {"start", "end", "floor"} & set(record):
            assert record[name] == pytest.approx(getattr(event, name), abs=0.06)
        if isinstance(event, Answer):
            assert (record["word"], record["reason"]) == (event.result.word, event.result.reason)
            assert record["accepted"] == event.result.accepted
            assert record["confidence"] == pytest.approx(event.result.confidence, abs=1e-4)
            assert record["latency"] >= 0
            for candidate, other in zip(record["nbest"], event.result.nbest, strict=True):
                assert candidate["word"] == other.word
                assert candidate["score"] == pytest.approx(other.score, abs=1e-4)
                assert candidate["confidence"] == pytest.approx(other.confidence, abs=1e-4)


def by_name(event: dict) -> str:
    return event["event"]


def by_kind(event) -> str:
    return event.kind


def test_the_last_event_counts_the_others(live, talked):
    *events, end = events_of(live(talked, "--json").stdout)
    kinds = [event["event"] for event in events]
    counts = [kinds.count(kind) for kind in ("result", "rejected", "overflow", "device_lost")]
    assert [end[name] for name in NUMBERS] == counts == [4, 1, 0, 0]


def test_words_are_written_as_they_are(run, built, talked, tmp_path):
    from dataclasses import replace

    replace(built, words=("下降", "né", "a b", "<&>")).save(tmp_path / "m.npz")
    outcome = run("live", "-m", tmp_path / "m.npz", "--from-file", talked, "--fast", "--json")
    assert '"word": "下降"' in outcome.stdout
    assert [e["word"] for e in events_of(outcome.stdout) if e["event"] == "result"] == ["下降", "né", "a b", "<&>"]


# Lines


def test_plain_lines_tell_the_same(live, talked):
    records = [e for e in events_of(live(talked, "--json").stdout) if e["event"] in ("result", "rejected")]
    outcome = live(talked)
    assert outcome.status == 0
    for record, line in zip(records, outcome.stdout.splitlines(), strict=True):
        time, unit, word, *cells = line.split()
        assert float(time) == pytest.approx(record["start"], abs=0.0051)
        assert unit == "s"
        if record["accepted"]:
            best, *others = record["nbest"][:3]
            assert word == record["word"]
            assert float(cells[0]) == pytest.approx(best["confidence"], abs=0.0051)
            assert [cell.strip(",") for cell in cells[1::2]] == [other["word"] for other in others]
        else:
            assert word == "-"
            assert f"rejected: {record['reason']}" in line
        assert line == line.rstrip()


@pytest.mark.parametrize("form", [[], ["--json"], ["--debug"]])
def test_quiet_says_nothing_but_the_data(live, talked, form):
    outcome = live(talked, "--quiet", *form)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert "fall" in outcome.stdout


def test_a_single_word_is_no_words(live, tmp_path):
    assert live(write(tmp_path / "a.wav", talk("hum")[0])).stderr.startswith("1 word, 0 rejected in ")


# Options


def test_fast_is_handed_on(run, model_file, talked, monkeypatch):
    asked = []

    def played(file, *, fast):
        asked.append((file, fast))
        return play(file, fast=True)

    monkeypatch.setattr("recognizer.sound.source.play", played)
    for options in ([], ["--fast"]):
        assert run("live", "--model", model_file, "--from-file", talked, *options).status == 0
    assert asked == [(talked, False), (talked, True)]


def test_only_some_words(live, talked):
    events = events_of(live(talked, "--json", "--words", " rise , hum,", "--threshold", "0").stdout)
    for event in events:
        assert {candidate["word"] for candidate in event.get("nbest", [])} <= {"hum", "rise"}
    assert [e["word"] for e in events if e["event"] == "result"][1::2] == ["hum", "rise"]
    events = events_of(live(talked, "--json", "--words", "rise,hum").stdout)
    assert [e["word"] for e in events if e["event"] == "result"] == ["hum", "rise"], "the others are unknown now"


def test_the_threshold_is_how_sure_an_answer_must_be(live, talked):
    counts = []
    for threshold in ("0", "lenient", "normal", "strict", "1"):
        options = ("--words", "rise", "--threshold", threshold)  # the other words are unknown then
        end = events_of(live(talked, "--json", *options).stdout)[-1]
        counts.append(end["words"])
        assert end["words"] + end["rejected"] == 5
    assert counts == sorted(counts, reverse=True)
    assert counts[0] >= 4
    assert counts[-1] <= 1


def test_a_rate_under_the_models_is_warned_of_once(live, tmp_path):
    file = write(tmp_path / "a.wav", talk("hum", "rise", rate=4000)[0], 4000)
    for form in ([], ["--json"]):
        warning, counts = live(file, *form).stderr.splitlines()
        assert warning.startswith("warning: recorded at 4000 Hz, under the model's 8000 Hz")
        assert " in " in counts
        assert live(file, *form, "--quiet").stderr == ""


def test_the_hangover_delays_the_answer(live, talked):
    first = {}
    for hangover in (100, 350):
        events = events_of(live(talked, "--json", "--hangover", hangover).stdout)
        first[hangover] = next(event["time"] for event in events if event["event"] == "result")
    assert first[350] - first[100] == pytest.approx(0.25, abs=0.06)


def test_a_model_by_name(run, model_file, talked, home):
    (home / "models").mkdir(parents=True)
    (home / "models" / "digits.npz").write_bytes(model_file.read_bytes())
    assert " rise " in run("live", "--from-file", talked, "--fast").stdout, "digits is the default"


def test_a_speakers_profile(live, enroll, talked):
    assert {e["speaker"] for e in events_of(live(talked, "--json").stdout) if e["event"] == "calibrated"} == {None}
    session = Session(Recognizer(enroll("eve"), "eve"))
    told = events_of(live(talked, "--json", "--speaker", "eve").stdout)
    expected = [event for some in listen(play(talked, fast=True), session) for event in some]
    assert [e["speaker"] for e in told if e["event"] == "calibrated"] == ["eve"]
    assert [event.speaker for event in expected if event.kind == "calibrated"] == ["eve"]
    results = [event.result for event in expected if event.kind == "result"]
    for one, other in zip([e for e in told if e["event"] == "result"], results, strict=True):
        assert one["word"] == other.word
        assert one["confidence"] == pytest.approx(other.confidence, abs=1e-4)


def test_the_title_tells_who_is_meant(live, enroll, talked, model_file, monkeypatch):
    titles = []

    @contextmanager
    def display(session, title, as_json, quiet):
        titles.append(title)
        yield lambda events: None

    monkeypatch.setattr("recognizer.cli.live._display", display)
    enroll("eve@cold")
    live(talked, "--speaker", "eve@cold")
    live(talked)
    assert titles == [f"{model_file} for eve@cold, {talked}", f"{model_file}, {talked}"]


@pytest.mark.parametrize(("rate", "channels", "name"), [(44100, 2, "a.wav"), (16000, 1, "a.flac")])
def test_any_recording_may_be_played(live, tmp_path, rate, channels, name):
    samples = np.stack([talk("rise", rate=rate)[0]] * channels, axis=1)
    events = events_of(live(write(tmp_path / name, samples, rate), "--json").stdout)
    assert [event["word"] for event in events if event["event"] == "result"] == ["rise"]


# Keeping


def test_utterances_are_kept_and_recognised_again_as_they_were(live, run, talked, model_file, tmp_path):
    folder = tmp_path / "new" / "kept"
    told = [
        e for e in events_of(live(talked, "--json", "--save", folder).stdout) if e["event"] in ("result", "rejected")
    ]
    kept = [json.loads(line) for line in (folder / "utterances.jsonl").read_text("utf-8").splitlines()]
    names = [line.pop("file") for line in kept]
    for one, other in zip(kept, told, strict=True):
        assert one | {"latency": None} == other | {"latency": None}
    assert sorted(path.name for path in folder.iterdir()) == [*sorted(names), "utterances.jsonl"]
    batch = run("batch", "--json", "--model", model_file, *[folder / name for name in names])
    for line, record in zip(batch.stdout.splitlines(), kept, strict=True):
        again = json.loads(line)
        assert again["nbest"] == record["nbest"]
        if record["accepted"]:
            for name in ("word", "confidence", "accepted"):
                assert again[name] == record[name]
            assert again["end"] - again["start"] == pytest.approx(record["end"] - record["start"], abs=0.0021)


def test_a_second_session_keeps_beside_the_first(live, tmp_path):
    file = write(tmp_path / "a.wav", talk("hum")[0])
    for _ in range(2):
        assert live(file, "--save", tmp_path / "kept").status == 0
    kept = [json.loads(line)["file"] for line in (tmp_path / "kept" / "utterances.jsonl").read_text().splitlines()]
    assert len(set(kept)) == 2
    assert all((tmp_path / "kept" / name).exists() for name in kept)


def test_events_tell_the_time_of_day(live, talked, tmp_path):
    before = datetime.now(UTC)
    told = events_of(live(talked, "--json", "--save", tmp_path / "kept").stdout)
    times = [datetime.fromisoformat(event["at"]) for event in told]
    assert all(time.tzinfo for time in times)
    assert times == sorted(times)
    assert before - timedelta(seconds=1) <= times[0] <= times[-1] <= datetime.now(UTC)
    kept = [json.loads(line)["at"] for line in (tmp_path / "kept" / "utterances.jsonl").read_text("utf-8").splitlines()]
    assert kept == [event["at"] for event in told if event["event"] in ("result", "rejected")]


# Through a pipe


@pytest.fixture
def piped(model_file) -> Callable:
    """Run the command with what comes in at standard input."""
    return lambda content, *options: CliRunner().invoke(
        app, ["live", "--model", str(model_file), *map(str, options)], input=content
    )


def words_of(stdout: str) -> list[str]:
    return [event["word"] for event in events_of(stdout) if event["event"] == "result"]


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF, 0x80000000])
@pytest.mark.parametrize("source", [["-"], ["--from-file", "-"]])
def test_a_wav_file_comes_through_a_pipe(piped, live, talked, size, source):
    """Also as it is while it is recorded, when nobody knows how long it will be."""
    content = bytearray(talked.read_bytes())
    if size is not None:
        place = content.index(b"data") + 4
        content[4:8] = content[place : place + 4] = size.to_bytes(4, "little")
    done = piped(bytes(content), *source, "--json")
    assert done.exit_code == 0
    expected = events_of(live(talked, "--json").stdout)
    answers = [
        [(e["word"], e["nbest"], e["start"], e["end"]) for e in events if e["event"] in ("result", "rejected")]
        for events in (events_of(done.stdout), expected)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_of_any_kind(piped, tmp_path, subtype, channels):
    samples = np.stack([talk("rise", "hum")[0]] * channels, 1)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype=subtype)
    assert words_of(piped((tmp_path / "a.wav").read_bytes(), "-", "--json").stdout) == ["rise", "hum"]


def test_samples_alone(piped):
    content = np.rint(talk("rise", "hum")[0] * 32767).astype("<i2").tobytes()
    assert words_of(piped(content + b"\x01", "-", "--raw", RATE, "--json").stdout) == ["rise", "hum"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "nothing came"),
        (b"fLaC and more of it", "is no WAV file; send one, or samples of 16 bits alone with --raw RATE"),
        (b"RIFF\0\0\0\0WAVE", "ends before there are samples"),
        (b"RIFF\0\0\0\0WAVEdata\x10\0\0\0", "before it says what they are"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16), "has samples of kind 0 with 0 bits"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\x7f", "bytes before the samples"),
        (b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0" + bytes(4), "is damaged"),
    ],
)
def test_what_comes_through_a_pipe_and_is_no_sound(piped, content, part):
    done = piped(content, "-")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("error: standard input: ")
    assert part in done.stderr


def test_no_samples_come(piped, tmp_path):
    write(tmp_path / "a.wav", np.zeros(0))
    assert "no samples came" in piped((tmp_path / "a.wav").read_bytes(), "-").stderr
    assert "no samples came" in piped(b"", "-", "--raw", RATE).stderr


def test_an_answer_comes_while_the_pipe_is_open(script, model_file, home):
    """Before more is sent, and without an end."""
    samples = np.concatenate([talk("rise")[0], quiet(0.5)])
    call = [*script, "live", "-", "--raw", str(RATE), "--model", str(model_file), "--json"]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False) as process:
        process.stdin.write(np.rint(samples * 32767).astype("<i2").tobytes())
        process.stdin.flush()
        for line in process.stdout:
            if json.loads(line)["event"] == "result":
                break
        assert json.loads(line)["word"] == "rise"
        process.stdin.close()
        assert [json.loads(line)["event"] for line in process.stdout][-1] == "end"
    assert process.returncode == 0


# A program for every word


@pytest.fixture
def noting(tmp_path) -> tuple[str, Path]:
    """A program, as one types it, that writes its arguments to a file of its own, a line of JSON; and that folder."""
    folder = tmp_path / "noted"
    folder.mkdir()
    code = "import sys, json, uuid; open(sys.argv[1] + '/' + uuid.uuid4().hex, 'w').write(json.dumps(sys.argv[2:]))"
    (tmp_path / "note.py").write_text(code)
    return f'"{sys.executable}" "{tmp_path / "note.py"}" "{folder}" {{word}} "at {{start}}" {{confidence}}', folder


def noted(folder: Path) -> list[list[str]]:
    return sorted((json.loads(file.read_text()) for file in folder.iterdir()), key=lambda line: line[1])


def test_a_program_runs_for_every_word(live, talked, noting):
    command, folder = noting
    outcome = live(talked, "--json", "--exec", command)
    assert outcome.status == 0
    results = [event for event in events_of(outcome.stdout) if event["event"] == "result"]
    expected = [[e["word"], f"at {e['start']:.3f}", f"{e['confidence']:.4f}"] for e in results]
    assert noted(folder) == sorted(expected, key=lambda line: line[1])
    assert len(expected) == 4


def test_a_word_is_no_command(run, built, talked, noting):
    """Each is one argument, whatever is in it; what it names is not filled in again."""
    command, folder = noting
    words = ("$(id)", "a; b {start}", '"quoted" \\ word', "下降 {word}")
    from dataclasses import replace

    replace(built, words=words).save(folder.parent / "m.npz")
    call = ["live", "-m", folder.parent / "m.npz", "--from-file", talked, "--fast", "--json", "--exec", command]
    told = [event["word"] for event in events_of(run(*call).stdout) if event["event"] == "result"]
    assert sorted(line[0] for line in noted(folder)) == sorted(told) == sorted(words)


def test_what_nothing_is_filled_in_for_is_told_and_passed_on(live, talked, noting):
    command, folder = noting
    outcome = live(talked, "--json", "--exec", f"{command} {{wrod}}")
    warnings = [line for line in outcome.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings == ["warning: --exec: '{wrod}' stays as it is; filled in are {word}, {confidence}, {start}"]
    assert [line[-1] for line in noted(folder)] == ["{wrod}"] * 4


def test_a_program_that_fails_is_told_once(live, talked):
    command = f'"{sys.executable}" -c "import sys; sys.exit(3)" {{word}}'
    outcome = live(talked, "--exec", command)
    assert outcome.status == 0
    assert len(outcome.stdout.splitlines()) == 5
    warnings = [line for line in outcome.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert "ended with status 3" in warnings[0]
    assert "status 3" not in live(talked, "--exec", command, "--quiet").stderr


def test_what_a_program_prints_is_not_among_the_events(start, talked, model_file):
    command = f'"{sys.executable}" -c "print(\'chatter\')"'
    done = start("live", "--model", model_file, "--from-file", talked, "--fast", "--json", "--exec", command)
    assert done.status == 0
    assert len([e for e in events_of(done.stdout) if e["event"] == "result"]) == 4
    assert done.stderr.count("chatter") == 4


def test_programs_do_not_pile_up_and_do_not_hold_anything_up(live, talked, tmp_path, monkeypatch):
    monkeypatch.setattr(executing, "AT_ONCE", 2)
    monkeypatch.setattr(executing, "PATIENCE", 0.1)
    go = tmp_path / "go"
    wait = "import os,sys,time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    (tmp_path / "wait.py").write_text(wait)
    outcome = live(talked, "--json", "--exec", f'"{sys.executable}" "{tmp_path / "wait.py"}" "{go}"')
    go.write_text("")
    assert len([e for e in events_of(outcome.stdout) if e["event"] == "result"]) == 4
    slow, left, _ = outcome.stderr.splitlines()
    assert slow == "warning: 2 programs of --exec are running still; not run for 'peep'"
    assert left == "warning: 2 programs of --exec still running, and left alone"


# Adapting


TAKE_BACK = "; u and Enter takes the last back"
HOW_TO_KEEP = (
    "adapted to 4 words, in this session only; to keep what is learned: "
    "`recognizer live --save DIR`, then `recognizer enroll NAME --unlabelled DIR`"
)


def test_adapt_tells_what_it_learned(live, talked):
    outcome = live(talked, "--json", "--adapt")
    assert outcome.status == 0
    told = [event for event in events_of(outcome.stdout) if event["event"] in ("result", "adapted")]
    assert [event["event"] for event in told] == ["result", "adapted"] * 4
    assert [event["word"] for event in told] == [word for word in WORDS for _ in range(2)]
    assert [(event["learned"], event["message"]) for event in told[1::2]] == [(n, None) for n in range(1, 5)]
    summary, hint = outcome.stderr.splitlines()
    assert summary.startswith("4 words, 1 rejected in ")
    assert hint == HOW_TO_KEEP
    plain = [event for event in events_of(live(talked, "--json").stdout) if event["event"] == "result"]
    assert told[0]["nbest"] == plain[0]["nbest"]
    assert told[-2]["nbest"] != plain[-1]["nbest"]


def test_adapt_in_plain_lines(live, talked):
    outcome = live(talked, "--adapt")
    assert len(outcome.stdout.splitlines()) == 5
    *told, _, hint = outcome.stderr.splitlines()
    assert told == [f"adapted to {n} word{'s' * (n > 1)}{TAKE_BACK}" for n in range(1, 5)]
    assert hint == HOW_TO_KEEP
    assert live(talked, "--adapt", "--quiet").stderr == ""
    assert "adapted" not in live(talked).stderr


@pytest.fixture
def typing(monkeypatch) -> Callable[[dict[int, list[str]]], None]:
    """Type lines when so many pieces of sound have been heard."""

    def install(lines: dict[int, list[str]]) -> None:
        heard = iter(range(10**6))
        monkeypatch.setattr("recognizer.cli.live.lines_of", lambda stream: lambda: lines.get(next(heard), []))

    return install


def test_what_was_learned_is_taken_back(live, typing, talked):
    """After all is taken back, the answer is that of the model itself."""
    pieces = round(talk(*WORDS)[0].size / RATE / 0.03)
    typing({pieces // 2 + 10: ["u", " ", "UNDO", "u"], pieces + 5: ["Reset", "r"]})
    outcome = live(talked, "--json", "--adapt")
    told = [event for event in events_of(outcome.stdout) if event["event"] in ("result", "adapted")]
    seen = [(event["event"], event["word"], event.get("learned"), event.get("message")) for event in told]
    fall, hum, peep, rise = WORDS
    assert seen == [
        *[("result", fall, None, None), ("adapted", fall, 1, None)],
        *[("result", hum, None, None), ("adapted", hum, 2, None)],
        *[("adapted", hum, 1, "hum taken back"), ("adapted", fall, 0, "fall taken back")],
        ("adapted", None, 0, "nothing to take back"),
        *[("result", peep, None, None), ("adapted", peep, 1, None)],
        *[("result", rise, None, None), ("adapted", rise, 2, None)],
        *[("adapted", None, 0, "all taken back")] * 2,
    ]
    plain = [event for event in events_of(live(talked, "--json").stdout) if event["event"] == "result"]
    assert [e["nbest"] for e in told if e["event"] == "result"][2] == plain[2]["nbest"]
    summary = outcome.stderr.splitlines()[-1]
    assert summary.startswith("4 words, "), "there is nothing left to keep"


def test_a_line_that_means_nothing_is_told(live, typing, talked):
    typing({5: ["bogus"]})
    warning, *_ = live(talked, "--json", "--adapt").stderr.splitlines()
    assert warning == "warning: 'bogus' is not u (take the last word back) or r (take all back)"
    typing({5: ["bogus"]})
    assert live(talked, "--adapt", "--quiet").stderr == ""


def test_what_was_taken_back_is_told_in_plain_lines(live, typing, talked):
    typing({10**5: ["u"], 100: ["u"]})
    told = live(talked, "--adapt").stderr.splitlines()
    taken = [line for line in told if "taken back" in line]
    assert taken == ["hum taken back; adapted to 1 word"]


def test_adapt_from_a_profile_leaves_it_as_it_is(live, enroll, talked, tmp_path):
    own = Recognizer(enroll("eve"), "eve")
    profile = (store.folder("eve") / store.PROFILE).read_bytes()
    outcome = live(talked, "--json", "--adapt", "--speaker", "eve", "--save", tmp_path / "kept here")
    expected = listen(play(talked, fast=True), Session(own, adapt=True))
    words = [event.word for some in expected for event in some if event.kind == "adapted"]
    told = [event for event in events_of(outcome.stdout) if event["event"] == "adapted"]
    assert [event["word"] for event in told] == words
    assert (store.folder("eve") / store.PROFILE).read_bytes() == profile
    assert outcome.stderr.splitlines()[-1] == (
        f"adapted to {len(words)} words, in this session only; the profile of eve is as it was; "
        f"to keep what is learned: `recognizer enroll eve --unlabelled '{tmp_path / 'kept here'}'`"
    )


def test_adapting_to_what_is_rejected_is_not_done(live, talked):
    outcome = live(talked, "--json", "--adapt", "--threshold", "1")
    assert "adapted" not in outcome.stdout + outcome.stderr
    words = [
        e["word"] for e in events_of(live(talked, "--json", "--adapt", "--words", "rise,hum").stdout) if "learned" in e
    ]
    assert set(words) <= {"rise", "hum"}


# Wrong usage and errors


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--fast"], ["--fast", "--from-file"]),
        (["--device", "2", "--from-file", "FILE"], ["--device", "--from-file", "choose one"]),
        (["--from-file", "FILE", "--fast", "--hangover", "99"], ["--hangover", "100"]),
        (["--from-file", "FILE", "--fast", "--hangover", "2001"], ["--hangover", "2000"]),
        (["--from-file", "FILE", "--fast", "--hangover", "long"], ["--hangover", "'long' is not"]),
        (["--from-file", "FILE", "--fast", "--threshold", "1.5"], ["--threshold 1.5", "strict, normal, lenient"]),
        (["--from-file", "FILE", "--fast", "--threshold", "sure"], ["--threshold sure", "from 0 to 1"]),
        (["--from-file"], ["--from-file"]),
        (["--from-file", "FILE", "--fast", "--save", "FILE"], ["--save", "choose a folder"]),
        (["--from-file", "FILE", "--fast", "--save", "FILE/inside"], ["--save", "choose a folder"]),
        (["file.wav"], ["file.wav"]),
        (["file.wav"], ["--from-file file.wav"]),
        (["-", "--adapt"], ["--adapt", "standard input"]),
        (["-", "--fast"], ["--fast", "pipe"]),
        (["-", "--device", "1"], ["--device and -", "choose one"]),
        (["-", "--from-file", "FILE"], ["- and --from-file", "choose one"]),
        (["--raw", "16000"], ["--raw 16000", "give - as well"]),
        (["-", "--raw", "999"], ["--raw", "1000"]),
        (["--from-file", "FILE", "--exec", "no-such-program {word}"], ["there is no program no-such-program"]),
        (["--from-file", "FILE", "--exec", "{word}"], ["names no program"]),
        (["--from-file", "FILE", "--exec", ""], ["names no program"]),
        (["--from-file", "FILE", "--exec", "say 'it"], ["close the quotes"]),
    ],
)
def test_wrong_usage_is_2(run, model_file, talked, options, parts):
    outcome = run("live", "--model", model_file, *[option.replace("FILE", str(talked)) for option in options])
    assert (outcome.status, outcome.stdout) == (2, "")
    said = " ".join(outcome.stderr.split())
    for part in parts:
        assert part in said


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--words", "fall,fell"], ["'fell'", "fall, hum, peep, rise"]),
        (["--words", ","], ["no words", "fall, hum, peep, rise"]),
        (["--model", "gone"], ["no model 'gone'"]),
        (["--from-file", "gone.wav"], ["gone.wav", "no such file"]),
        (["--from-file", "/"], ["is a folder"]),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--quiet"]])
def test_an_error_is_one_line_and_1(live, talked, options, parts, form):
    outcome = live(talked, *options, *form)
    assert (outcome.status, outcome.stdout) == (1, "")
    line = outcome.stderr.removesuffix("\n")
    assert line.isprintable()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line


def test_a_recording_that_breaks_off_is_told_after_what_was_heard(live, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.flac", np.concatenate([talk(*WORDS)[0]] * 2), RATE)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    outcome = live(tmp_path / "a.flac", "--json")
    assert outcome.status == 1
    assert "fall" in [event.get("word") for event in events_of(outcome.stdout)]
    assert events_of(outcome.stdout)[-1]["event"] == "end"
    summary, error = outcome.stderr.splitlines()
    assert " rejected in " in summary
    assert error.startswith(f"error: {tmp_path / 'a.flac'}: ")


def test_a_full_disk_is_told_once_and_listening_goes_on(live, talked, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recognizer.sound.audio.replacing", full)
    outcome = live(talked, "--save", tmp_path / "kept", "--quiet")
    assert outcome.status == 1
    assert "No space left on device" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert len(outcome.stdout.splitlines()) == 5
    assert list((tmp_path / "kept").glob("*.wav")) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to write to")
def test_a_full_disk_for_what_is_told_of_recordings(live, talked, tmp_path, monkeypatch):
    told = tmp_path / "kept" / "utterances.jsonl"
    told.parent.mkdir()
    told.symlink_to("/dev/full")
    outcome = live(talked, "--save", told.parent, "--quiet")
    assert outcome.status == 1
    reason = "No space left on device; make room on the disk; nothing more is kept"
    assert outcome.stderr == f"warning: {told} cannot be written: {reason}\n"

    def full(*_, **__) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    outcome = live(talked, "--save", tmp_path / "new")
    assert outcome.status == 2
    assert "No space left on device; make room on the disk" in " ".join(outcome.stderr.replace("│", " ").split())


# The microphone


@pytest.fixture
def speaking(soundcard, monkeypatch) -> Callable[..., SoundCard]:
    """A microphone into which is said what is given; then Ctrl-C is pressed, or another signal sent."""

    def install(*parts: np.ndarray | str, rate: int = RATE, number: int = signal.SIGINT) -> SoundCard:
        monkeypatch.setattr(microphone, "POLL", 0)
        waiting = list(parts)

        def say_next(stream) -> None:
            if not waiting:
                signal.raise_signal(number)
            part = waiting.pop(0)
            if isinstance(part, str):  # unplugged, and put back in
                stream.running = False
            else:
                stream.deliver(part)

        return soundcard(Plug("Desk Mic", rates=(rate,)), starved=say_next)

    monkeypatch.setattr(microphone, "RETRY", 0.0)
    return install


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_what_is_said_into_the_microphone_is_heard(run, speaking, model_file, rate):
    speaking(talk("rise", "hum", rate=rate)[0], rate=rate)
    outcome = run("live", "--model", model_file, "--json", "--device", "desk")
    assert outcome.status == 130, "Ctrl-C"
    events = events_of(outcome.stdout)
    assert [event["word"] for event in events if event["event"] == "result"] == ["rise", "hum"]
    assert events[-1]["event"] == "end"
    assert outcome.stderr.startswith("2 words, 0 rejected in ")
    assert outcome.stderr.count("\n") == 1


def test_ctrl_c_within_a_word_answers_it(run, speaking, model_file):
    samples, [(_, end)] = talk("rise")
    speaking(samples[: round(end * RATE)])
    outcome = run("live", "--model", model_file, "--json")
    assert outcome.status == 130
    assert [event["word"] for event in events_of(outcome.stdout) if event["event"] == "result"] == ["rise"]


def test_sigterm_ends_it_as_ctrl_c_does(run, speaking, model_file):
    speaking(talk("rise")[0], number=signal.SIGTERM)
    outcome = run("live", "--model", model_file, "--json")
    assert outcome.status == 130
    assert events_of(outcome.stdout)[-1]["words"] == 1
    assert outcome.stderr.startswith("1 word, 0 rejected in ")


def test_a_microphone_that_goes_is_told_and_waited_for(run, speaking, model_file):
    card = speaking(talk("rise")[0], "unplugged", talk("hum")[0])
    outcome = run("live", "--model", model_file, "--json")
    kinds = [event["event"] for event in events_of(outcome.stdout) if event["event"] != "partial"]
    word = ["calibrated", "speech_start", "result"]
    assert kinds == [*word, "device_lost", *word, "end"]
    told, back, summary = outcome.stderr.splitlines()
    assert told == "warning: Desk Mic: the device is gone; waiting for it"
    assert back == "the microphone is back"
    assert summary.startswith("2 words, 0 rejected in ")
    assert summary.endswith("; device lost 1 time")
    assert all(stream.closed for stream in card.streams)


def test_sound_that_comes_too_fast_is_told(run, speaking, model_file):
    speaking(np.resize(talk("rise")[0], 12 * RATE), talk("rise")[0])
    outcome = run("live", "--model", model_file, "--json")
    [overflow] = [event for event in events_of(outcome.stdout) if event["event"] == "overflow"]
    assert "of sound lost" in overflow["message"]
    assert outcome.stderr.startswith(f"warning: {overflow['message']}\n")
    assert "; sound lost 1 time" in outcome.stderr


def test_a_muted_microphone_is_told_to_the_person_only(run, speaking, model_file):
    speaking(np.zeros(4 * RATE))
    outcome = run("live", "--model", model_file, "--json")
    assert {event["event"] for event in events_of(outcome.stdout)} == {"calibrated", "end"}
    warning, _ = outcome.stderr.splitlines()
    assert warning.startswith("warning: Desk Mic delivers only zeros: ")
    speaking(np.zeros(4 * RATE))
    assert run("live", "--model", model_file, "--quiet").stderr == ""


@pytest.mark.parametrize(
    ("refusal", "part"), [(("Device unavailable", -9985), "in use"), (("Invalid sample rate", -9997), "rates")]
)
def test_a_microphone_that_cannot_be_opened_is_one_line(run, speaking, model_file, refusal, part):
    speaking().plugged[0].refusal = refusal
    outcome = run("live", "--model", model_file)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: 'Desk Mic' ")
    assert part in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_a_microphone_that_is_not_there_is_one_line(run, soundcard, model_file):
    soundcard()
    outcome = run("live", "--model", model_file)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: no sound input found; ")
    assert outcome.stderr.count("\n") == 1


# As a user does it


@pytest.fixture
def playing(script, home, model_file, talked) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start the script on the recording in real time."""
    started = []

    def start(*options: object, **streams) -> subprocess.Popen:
        call = [*script, "live", "--model", model_file, "--from-file", talked, *options]
        started.append(
            subprocess.Popen(
                list(map(str, call)),
                stdout=streams.pop("stdout", subprocess.PIPE),
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONUTF8": "1", "TERM": "xterm"},
                **streams,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are otherwise there")
def test_ctrl_c_ends_it_with_its_counts(playing):
    process = playing("--json")
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    events = events_of((first + rest).decode())
    assert events[0]["event"] == "calibrated"
    assert events[-1]["event"] == "end"
    assert re.fullmatch(r"\d words?, \d rejected in \d+\.\d s\n", stderr.decode())
    assert events[-1]["time"] < 5, "it did not go on to the end"


@pytest.mark.slow
def test_a_program_takes_back_through_a_pipe(playing):
    process = playing("--json", "--adapt", stdin=subprocess.PIPE)
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "adapted":
            if event["message"]:
                break
            process.stdin.write(b"u\n")
            process.stdin.flush()
    assert event["message"] == f"{event['word']} taken back"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.mark.parametrize("stdin", ["nothing", "silence", "closed"])
def test_where_nobody_types_nothing_happens(playing, stdin):
    """Also not at the end, where a thread that waits for a line must not keep Python from ending."""
    options = {
        "nothing": {"stdin": subprocess.DEVNULL},
        "silence": {"stdin": subprocess.PIPE},
        "closed": {"preexec_fn": lambda: os.close(0)},
    }
    process = playing("--fast", "--json", "--adapt", **options[stdin])
    stdout, stderr = process.stdout.read().decode(), process.stderr.read().decode()
    assert process.wait(30) == 0
    assert [event["learned"] for event in events_of(stdout) if event["event"] == "adapted"] == [1, 2, 3, 4]
    assert stderr.splitlines()[1:] == [HOW_TO_KEEP]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_that_leaves_is_no_error(playing):
    process = playing("--fast", "--json")
    assert process.stdout.readline()
    process.stdout.close()
    with process.stderr as stderr:
        said = stderr.read().decode()
    assert process.wait(30) == 0
    assert re.fullmatch(r"(\d words?, \d rejected in \d+\.\d s\n)?", said)


def test_on_a_terminal_there_is_a_picture(playing):
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    from recognizer.cli.drawing import large

    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = playing("--fast", stdout=terminal)
    os.close(terminal)
    text, stderr = picture(process, master)
    assert process.returncode == 0
    assert re.fullmatch(r"4 words, 1 rejected in \d+\.\d s\n", stderr)
    for part in ("╭", "╰", "recognizer live: ", "Ctrl-C ends", "listening", "confidence", "rejected: "):
        assert part in text
    for word in WORDS:
        for line in large(word).splitlines():
            assert line.strip() in text


def test_a_folder_to_save_to_that_cannot_be_made_is_told_before_anything_is_loaded(run, soundcard, tmp_path):
    card = soundcard(Plug("Desk Mic"))
    (tmp_path / "file").write_text("in the way")
    outcome = run("live", "--model", "no model", "--save", tmp_path / "file" / "kept")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert f"{tmp_path / 'file'} is no folder; choose a folder to write to" in outcome.stderr
    assert card.history == []
