"""`recognizer devices`: the list, and the verdict on one, with a made-up sound system."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest
from soundcard import Plug, SoundCard
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
