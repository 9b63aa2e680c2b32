"""`recognizer devices`: the list, and the verdict on one, with a made-up sound system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from soundcard import Plug, SoundCard
from terminal import picture
from test_quality import spoken

from recognizer.sound import microphone
from recognizer.sound.microphone import devices
from recognizer.sound.quality import measure

DEVICE = ["index", "name", "host", "channels", "sample_rate", "default", "rates"]
TEST = ["device", "sample_rate", "duration", "peak", "level", "floor", "clipped", "dead", "snr", "verdict", "problems"]
PLUGS = [
    Plug("Speaker", inputs=0),
    Plug("Desk Mic", rates=(44100, 48000, 16000)),
    Plug("マイク [usb]", rates=(96000,), inputs=8, host=1),
    Plug("Headset", rates=(8000,)),
]


@pytest.fixture
def card(soundcard) -> SoundCard:
    return soundcard(*map(replace, PLUGS), chosen=3)


@pytest.fixture
def hearing(soundcard) -> Callable[[np.ndarray], SoundCard]:
    """Two microphones that hear the same, at 16 kHz."""

    def install(samples: np.ndarray) -> SoundCard:
        plugs = [Plug("Desk Mic", rates=(16000,)), Plug("Headset", rates=(16000,))]
        return soundcard(*plugs, started=lambda stream: stream.deliver(samples))

    return install


# The list


def test_the_table_has_a_line_for_every_input(run, card):
    outcome = run("devices")
    assert (outcome.status, outcome.stderr) == (0, "")
    head, *rows, note = outcome.stdout.splitlines()
    assert head.split()[:3] == ["index", "name", "system"]
    assert note == "* is used when no --device is given"
    for row, index in zip(rows, (1, 2, 3), strict=True):
        assert row.split()[0] == ("*" if index == 3 else str(index))
        assert f" {index}  {PLUGS[index].name} " in row
        assert ("JACK" if PLUGS[index].host else "ALSA") in row.split()
    assert rows[0].endswith("44100 16000 48000"), "its own first"
    assert rows[1].endswith(" 96000"), "though nobody asked for it"
    assert rows[2].endswith(" 8000")


def test_columns_are_aligned(run, card):
    card.plugged[2].name = "Microphone of some length"
    card._initialize()
    head, *rows, _ = run("devices").stdout.splitlines()
    column = head.index("system")
    assert [row[column:].split()[0] for row in rows] == ["ALSA", "JACK", "ALSA"]


def test_json_tells_the_same(run, card):
    outcome = run("devices", "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    records = json.loads(outcome.stdout)
    assert outcome.stdout.count("\n") == 1
    assert "マイク [usb]" in outcome.stdout
    for record, device in zip(records, devices(), strict=True):
        assert list(record) == DEVICE
        assert {name: value for name, value in record.items() if name != "rates"} == asdict(device)
    assert [record["rates"] for record in records] == [[16000, 44100, 48000], [], [8000]]


@pytest.mark.parametrize("plugs", [[], PLUGS[:1]], ids=["nothing", "speaker"])
def test_no_input_is_one_line(run, soundcard, plugs):
    soundcard(*plugs)
    for call, stdout in ((["devices"], ""), (["devices", "--test"], ""), (["devices", "--json"], "[]\n")):
        outcome = run(*call)
        assert (outcome.status, outcome.stdout) == (1, stdout)
        assert outcome.stderr.startswith("error: no sound input found; ")
        assert outcome.stderr.count("\n") == 1


def test_looking_opens_nothing(run, card):
    run("devices")
    run("devices", "--json")
    assert card.streams == []


# The test of one


def rows_of(stdout: str) -> dict[str, str]:
    """The lines of a test by name; the problems under the verdict are one, without a name."""
    return {line[:12].strip(): line[13:] for line in stdout.splitlines()}


@pytest.mark.parametrize(
    ("samples", "verdict", "status"),
    [
        (spoken(-25, -65), "good", 0),
        (spoken(-50, -85), "usable", 0),
        (spoken(-25, -40), "usable", 0),
        (spoken(-40, -40), "unusable", 1),
        (np.zeros(48000), "unusable", 1),
    ],
    ids=["good", "quiet", "noisy", "nothing said", "muted"],
)
def test_the_verdict_is_that_on_the_sound(run, hearing, samples, verdict, status):
    card = hearing(samples)
    quality = measure(samples.astype(np.float32), 16000)
    outcome = run("devices", "--test")
    assert (outcome.status, outcome.stderr) == (status, "")
    rows = rows_of(outcome.stdout)
    assert rows["device"] == "Desk Mic, 16000 Hz, 3.0 s"
    assert rows["verdict"] == verdict == quality.verdict
    assert rows["level"].startswith(f"{quality.level:.0f} dB")
    assert rows["noise floor"].startswith(f"{quality.floor:.0f} dB")
    assert rows["SNR"] == f"{quality.snr:.0f} dB"
    assert outcome.stdout.splitlines()[6:] == [f"             {problem}" for problem in quality.problems]
    assert (verdict == "good") == (quality.problems == ())
    assert card.streams[0].closed

    outcome = run("devices", "--test", "--json", "--quiet")
    assert (outcome.status, outcome.stderr) == (status, "")
    assert outcome.stdout.count("\n") == 1
    record = json.loads(outcome.stdout, parse_constant=pytest.fail)
    assert list(record) == TEST
    assert (record["device"], record["sample_rate"]) == ("Desk Mic", 16000)
    assert record["dead"] is quality.dead
    assert record["problems"] == list(quality.problems)
    for name in ("duration", "peak", "level", "floor", "clipped", "snr"):
        assert record[name] == pytest.approx(getattr(quality, name), abs=1e-4)


@pytest.mark.parametrize("level", [-60, -80])
def test_where_nobody_spoke_that_is_the_verdict(run, hearing, level):
    hearing(spoken(level, level))
    outcome = run("devices", "--test")
    assert (outcome.status, outcome.stderr) == (1, "")
    assert rows_of(outcome.stdout)["verdict"] == "you were not heard: nothing but quiet"
    assert outcome.stdout.splitlines()[-1].strip().startswith(f"nothing but quiet ({level} dB): speak, ")
    assert json.loads(run("devices", "--test", "--json").stdout)["verdict"] == "unheard"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
@pytest.mark.parametrize("form", [[], ["--quiet"]])
def test_on_a_terminal_a_bar_moves_meanwhile(form):
    """Of a made-up microphone, in a process of its own."""
    pty = pytest.importorskip("pty")
    code = """
import sys, time
sys.path[:0] = sys.argv[1:3]
from soundcard import Plug, SoundCard
from test_quality import spoken
from recognizer.sound import microphone
microphone.POLL = 0
waiting = [part for part in spoken(-25, -65).reshape(10, -1)]
def hear(stream):
    time.sleep(0.13)
    stream.deliver(waiting.pop(0))
sys.modules["sounddevice"] = SoundCard([Plug("Desk Mic", rates=(16000,))], starved=hear)
from recognizer.cli import main
sys.argv = ["recognizer", "devices", "--test", *sys.argv[3:]]
main()
"""
    master, terminal = pty.openpty()
    tests = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tests), str(tests / "sound"), *form],
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUTF8": "1", "TERM": "xterm", "COLUMNS": "60", "LINES": "40"},
    )
    os.close(terminal)
    shown, stderr = picture(process, master) if not form else (rest(process, master), "")
    assert process.wait(30) == 0
    assert "verdict      good" in shown
    if form:
        assert "█" not in shown
        return
    assert stderr == ""
    assert "Desk Mic" in shown
    bars = {line.count("█") for line in shown.splitlines() if "█" in line or "·" in line}
    assert len(bars) > 2, "it moves"
    assert max(bars) > 15


def rest(process: subprocess.Popen, master: int) -> str:
    """What a program prints on a terminal on which it draws nothing."""
    shown = b""
    with suppress(OSError):
        while piece := os.read(master, 65536):
            shown += piece
    os.close(master)
    process.communicate(timeout=30)
    return shown.decode()


def test_only_the_first_three_seconds_count(run, hearing):
    hearing(np.concatenate([spoken(-25, -65), np.ones(16000)]))
    assert json.loads(run("devices", "--test", "--json").stdout)["verdict"] == "good"


@pytest.mark.parametrize("wanted", ["1", "head"])
def test_the_one_asked_for_is_tested(run, hearing, wanted):
    hearing(spoken(-25, -65))
    assert rows_of(run("devices", "--test", "--device", wanted).stdout)["device"].startswith("Headset, ")


def test_a_device_needs_a_test(run, card):
    outcome = run("devices", "--device", "1")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "--device goes with --test" in " ".join(outcome.stderr.split())


@pytest.mark.parametrize(
    ("wanted", "refusal", "part"),
    [
        ("7", None, "no sound input '7'; choose one of 0 'Desk Mic', 1 'Headset'"),
        ("webcam", None, "no sound input 'webcam'"),
        ("e", None, "'e' fits 0 'Desk Mic', 1 'Headset'"),
        ("0", ("Device unavailable", -9985), "'Desk Mic' is in use by another program"),
        ("0", ("Unanticipated host error", -9999), "'Desk Mic' cannot be opened"),
    ],
)
def test_a_device_that_cannot_be_tested_is_one_line(run, hearing, wanted, refusal, part):
    card = hearing(spoken(-25, -65))
    card.plugged[0].refusal = refusal
    outcome = run("devices", "--test", "--device", wanted)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: {part}")
    assert outcome.stderr.count("\n") == 1


def test_a_device_that_goes_meanwhile_is_one_line(run, hearing, monkeypatch):
    monkeypatch.setattr(microphone, "POLL", 0)
    card = hearing(spoken(-25, -65)[:16000])
    card.starved = lambda stream: card.plugged.clear()
    outcome = run("devices", "--test")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: 'Desk Mic' was lost while recording (the device is gone); ")
    assert outcome.stderr.count("\n") == 1
    assert card.streams[0].closed
