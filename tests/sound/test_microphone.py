"""The microphone on a made-up sound system and a clock that moves when somebody sleeps or waits for sound."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from refusing import refusal
from soundcard import Plug, SoundCard
from synthetic import say, write
from telling import after_told

from recognizer.errors import MicrophoneError
from recognizer.sound import microphone
from recognizer.sound.microphone import Device, Microphone, choose, devices, rates, record
from recognizer.sound.source import BLOCK, Block, Lost, OnlyZeros

SYSTEMS = ("linux", "darwin", "win32")
SOUND = np.random.default_rng(0).uniform(-0.5, 0.5, 48000).astype(np.float32)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nothing comes from another thread here, so what is not there now is not waited for."""
    monkeypatch.setattr(microphone, "POLL", 0)


@pytest.fixture
def card(soundcard) -> SoundCard:
    """Three inputs, one of them through two sound systems, and a loudspeaker in front."""
    return soundcard(
        Plug("Speaker", inputs=0),
        Plug("Built-in Mic"),
        Plug("USB Audio: Mic (hw:1,0)", rates=(44100,)),
        Plug("Headset", rates=(16000, 8000)),
        Plug("Headset", rates=(48000,), host=1),
        chosen=1,
    )


class Time:
    """Moves by what is slept, and a tenth of a second whenever it is looked at."""

    def __init__(self, step: float = 0.1) -> None:
        self.now, self.step, self.slept = 100.0, step, []
        self.then = lambda: None

    def clock(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        assert len(self.slept) < 100, "it waits in vain"
        self.then()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def opened(card, time):
    """Open a microphone of the card."""

    def open_(wanted: str | None = None) -> Microphone:
        return Microphone(wanted, clock=time.clock, sleep=time.sleep)

    return open_


refused = partial(refusal, MicrophoneError)


def hears(mic: Microphone, samples: np.ndarray, **how) -> np.ndarray:
    """Sound is delivered, and what the microphone makes of it."""
    sounds = iter(mic)
    mic._stream.deliver(samples, **how)
    count = -(-len(samples) // round(BLOCK * mic.sample_rate))
    return np.concatenate([block.samples for block in islice(sounds, count)])


# Which there are


def test_only_inputs_are_listed_with_their_numbers(card):
    assert devices() == [
        Device(1, "Built-in Mic", "ALSA", 1, 48000, default=True),
        Device(2, "USB Audio: Mic (hw:1,0)", "ALSA", 1, 44100, default=False),
        Device(3, "Headset", "ALSA", 1, 16000, default=False),
        Device(4, "Headset", "JACK", 1, 48000, default=False),
    ]


def test_without_a_default_that_of_the_first_sound_system_that_has_one_is_taken(card):
    card.chosen, card.host_default = -1, 3
    assert [device.index for device in devices() if device.default] == [3]
    card.host_default = -1
    assert not any(device.default for device in devices())


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 1),
        ("2", 2),
        (" 3 ", 3),
        ("usb", 2),
        ("HW:1", 2),
        ("Built", 1),
        ("headset", 3),  # the same twice: the first
        ("4", 4),
    ],
)
def test_a_device_is_chosen_by_number_or_part_of_its_name(card, wanted, index):
    assert choose(wanted, devices()).index == index


def test_of_the_same_device_twice_the_default_is_chosen(card):
    card.chosen = 4
    assert choose("headset", devices()).index == 4


def test_a_whole_name_is_meant_though_it_is_part_of_another(soundcard):
    soundcard(Plug("Mic 2"), Plug("Mic"), Plug("2"))
    assert choose("mic", devices()).index == 1
    assert choose("2", devices()).name == "2", "a number is a number first"


def test_without_a_default_the_first_is_chosen(card):
    card.chosen = -1
    assert choose(None, devices()).index == 1


@pytest.mark.parametrize("wanted", ["mic", "m"])
def test_a_part_of_several_names_is_refused_with_their_numbers(card, wanted):
    refused(
        lambda: choose(wanted, devices()), repr(wanted), "1 'Built-in Mic'", "2 'USB Audio: Mic (hw:1,0)'", "number"
    )


@pytest.mark.parametrize("wanted", ["0", "5", "-1", "webcam"])  # 0 is the loudspeaker, and in the name of another
def test_a_device_that_is_not_there_is_refused_with_those_that_are(card, wanted):
    refused(lambda: choose(wanted, devices()), repr(wanted), "1 'Built-in Mic'", "4 'Headset'")


def test_rates_are_those_it_takes(card):
    assert [rates(device) for device in devices()] == [[16000, 44100, 48000], [44100], [8000, 16000], [48000]]


# Opening


@pytest.mark.parametrize(("wanted", "rate"), [(None, 48000), ("usb", 44100), ("headset", 16000)])
def test_it_is_opened_at_its_own_rate(card, opened, wanted, rate):
    with opened(wanted) as mic:
        assert mic.sample_rate == card.streams[0].rate == rate
        assert len(card.streams) == 1
        assert card.streams[0].running


def test_leaving_closes_it(card, opened):
    with opened():
        pass
    with pytest.raises(ZeroDivisionError), opened("usb"):
        raise ZeroDivisionError
    assert [stream.closed for stream in card.streams] == [True, True]
    assert not any(stream.running for stream in card.streams)


def test_a_rate_that_is_refused_leads_to_the_next(card, opened, monkeypatch):
    """What a device says of itself need not be true."""
    plug = card.plugged[1]
    told = card.query_devices()
    plug.rates = (22050, 16000)
    monkeypatch.setattr(card, "query_devices", lambda: told)
    with opened() as mic:
        assert mic.device.sample_rate == 48000
        assert mic.sample_rate == 16000, "the higher rates were tried before"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("refusal", "parts"),
    [
        (("Device unavailable", -9985), {"": "in use by another program (Device unavailable)", "linux": "fuser"}),
        (("Invalid sample rate", -9997), {"": "takes none of the rates 48000, 44100, 16000", "darwin": "MIDI"}),
        (
            ("Invalid number of channels", -9998),
            {"": "takes neither one channel nor all", "linux": "recognizer devices"},
        ),
        (("Unanticipated host error", -9999), {"": "cannot be opened", "darwin": "Privacy", "win32": "Privacy"}),
        (("Internal error", -9986), {"": "cannot be opened (Internal error)", "linux": "pactl"}),
        (("no number",), {"": "cannot be opened (no number)"}),
        ((), {"": "cannot be opened"}),
    ],
    ids=["busy", "rate", "channels", "host", "internal", "text", "nothing"],
)
def test_a_device_that_cannot_be_opened(card, opened, monkeypatch, system, refusal, parts):
    monkeypatch.setattr(sys, "platform", system)
    card.plugged[1].refusal = refusal or ("",)
    refused(opened, "'Built-in Mic'", parts[""], parts.get(system, ""))


@pytest.mark.parametrize(("system", "part"), list(zip(SYSTEMS, ["arecord", "System Settings", "Settings > System"])))
def test_no_device_at_all(card, opened, monkeypatch, system, part):
    monkeypatch.setattr(sys, "platform", system)
    card.plugged[:] = card.plugged[:1]
    card._initialize()
    refused(opened, "no sound input found", part)
    assert devices() == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_sound_system_that_does_not_answer(card, opened, monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    card._terminate()
    for call in (opened, devices):
        refused(call, "the sound system does not answer (PortAudio not initialized")


class NoPortAudio:
    """Makes `import sounddevice` fail as it does where PortAudio is missing."""

    def find_spec(self, name, *_):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")


@pytest.mark.parametrize(("system", "part"), list(zip(SYSTEMS, ["apt-get install", "brew install", "pip install"])))
def test_no_portaudio(monkeypatch, system, part):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoPortAudio(), *sys.meta_path])
    for call in (devices, Microphone):
        refused(call, "PortAudio", "is not installed", part)


def test_every_trouble_has_a_remedy_on_every_system():
    for trouble, remedies in microphone._REMEDIES.items():
        assert set(remedies) == set(SYSTEMS), trouble
        assert all(remedy.isprintable() for remedy in remedies.values())


@pytest.mark.parametrize("system", ["freebsd14", "emscripten"])
def test_other_systems_get_the_remedies_of_linux(card, opened, monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    card.plugged[1].refusal = ("Device unavailable", -9985)
    refused(opened, "fuser")


# Listening


@pytest.mark.parametrize("wanted", [None, "usb", "headset"])
def test_what_is_delivered_is_heard(opened, wanted):
    with opened(wanted) as mic:
        np.testing.assert_array_equal(hears(mic, SOUND[:10_000]), SOUND[:10_000])


def test_blocks_are_stamped_when_they_are_delivered(card, opened, time):
    time.step = 0.0
    with opened() as mic:
        sounds = iter(mic)
        for moment in (101.0, 101.5):
            time.now = moment
            card.streams[0].deliver(SOUND[:1440])
        time.now = 110.0
        assert [block.arrived for block in islice(sounds, 2)] == [101.0, 101.5]


def test_overflows_are_counted_once(card, opened):
    with opened() as mic:
        sounds, stream = iter(mic), card.streams[0]
        stream.deliver(SOUND[:1440], overflow=True)
        assert next(sounds).lost == 1440
        stream.deliver(SOUND[:1440])
        assert next(sounds).lost == 0


@pytest.mark.parametrize("wanted", [None, "headset"])
def test_a_reader_that_is_too_late_loses_sound_that_is_counted(card, opened, wanted):
    with opened(wanted) as mic:
        rate = mic.sample_rate
        card.streams[0].deliver(np.resize(SOUND, 12 * rate))  # nothing raises, though two seconds do not fit
        sounds = iter(mic)
        held = list(islice(sounds, round(microphone.QUEUE / BLOCK)))
        assert not any(block.lost for block in held)  # what was lost came after these
        card.streams[0].deliver(SOUND[: round(BLOCK * rate)])
        after = next(sounds)
        assert after.lost == pytest.approx(2 * rate, abs=BLOCK * rate)
        assert after.lost + sum(len(block.samples) for block in held) == 12 * rate
        card.streams[0].deliver(SOUND[: round(BLOCK * rate)])
        assert next(sounds).lost == 0


# A device that goes, and comes back


def listens_through_loss(card, mic, time, comes_back, after=3):
    """Unplug what is open; it comes back, changed by `comes_back`, after some attempts: what is heard meanwhile."""

    def plug():
        if len(time.slept) == after:
            comes_back()

    time.then = plug
    sounds, before = iter(mic), len(card.history)
    card.streams[0].deliver(SOUND[:1000])
    assert isinstance(next(sounds), Block)
    card.plugged.remove(card.streams[0].plug)
    lost = next(sounds)
    card.started = lambda stream: stream.deliver(SOUND[: round(0.1 * stream.rate)])
    back = next(sounds)
    return lost, back, card.history[before:]


@pytest.mark.parametrize("wanted", [None, "built"])
def test_a_device_that_goes_is_waited_for(card, opened, time, wanted):
    with opened(wanted) as mic:
        plug = card.plugged[1]
        others = [] if wanted else [p for p in card.plugged if p is not plug]
        for other in others:  # without a wish, any other would do
            card.plugged.remove(other)

        lost, back, history = listens_through_loss(card, mic, time, lambda: card.plugged.append(plug))
        assert lost == Lost("Built-in Mic", "the device is gone")
        assert isinstance(back, Block)
        np.testing.assert_array_equal(back.samples, SOUND[:1440])
        assert time.slept == [microphone.RETRY] * 3
        assert card.streams[0].closed
        assert history == ["close", *["terminate", "initialize"] * 3, "open Built-in Mic", "start"]


def test_it_is_found_by_its_name_when_its_number_has_changed(card, opened, time):
    with opened("usb") as mic:
        plug = card.plugged[2]
        _, back, _ = listens_through_loss(card, mic, time, lambda: card.plugged.insert(0, plug))
        assert isinstance(back, Block)
        assert (mic.device.name, mic.device.index) == (plug.name, 0)
        assert card.streams[-1].plug is plug


def test_one_chosen_by_number_is_found_by_its_name_too(card, opened, time):
    with opened("2") as mic:
        plug = card.plugged[2]
        listens_through_loss(card, mic, time, lambda: card.plugged.append(plug))
        assert (mic.device.name, mic.device.index) == (plug.name, 4)


def test_without_a_wish_the_new_default_takes_over(card, opened, time):
    with opened() as mic:
        card.chosen = 1  # the one that moves up
        lost, back, _ = listens_through_loss(card, mic, time, lambda: None)
        assert lost.device == "Built-in Mic"
        assert (mic.device.name, mic.sample_rate, back.sample_rate) == ("USB Audio: Mic (hw:1,0)", 44100, 44100)
        assert time.slept == [microphone.RETRY]


def test_a_sound_system_that_does_not_start_is_tried_again(card, opened, time):
    with opened("usb") as mic:
        plug = card.plugged[2]
        card.failures = 4
        _, back, _ = listens_through_loss(card, mic, time, lambda: card.plugged.append(plug))
        assert isinstance(back, Block)
        assert len(time.slept) == 5


def test_it_is_known_again_under_another_card_number(card, opened, time):
    with opened("usb") as mic:
        listens_through_loss(card, mic, time, lambda: card.plugged.append(Plug("USB Audio: Mic (hw:3,0)")))
        assert mic.device.name == "USB Audio: Mic (hw:3,0)"


def test_a_stream_that_broke_is_a_device_that_is_gone(card, opened):
    with opened() as mic:
        sounds = iter(mic)
        card.streams[0].deliver(SOUND[:1440])
        assert isinstance(next(sounds), Block)
        card.streams[0].broken = True
        assert next(sounds) == Lost("Built-in Mic", "the device is gone")


def test_a_device_that_takes_all_its_channels_only(card, opened):
    card.plugged[1].inputs = card.plugged[1].fewest = 4
    with opened() as mic:
        card.streams[0].deliver(SOUND[:1440])
        np.testing.assert_allclose(next(iter(mic)).samples, SOUND[:1440] / 4, rtol=1e-6)


def test_it_is_waited_for_while_it_refuses(card, opened, time):
    with opened("usb") as mic:
        plug = card.plugged[2]

        def comes_back():
            plug.refusal = ("Device unavailable", -9985)
            card.plugged.append(plug)
            time.then = lambda: setattr(plug, "refusal", None) if len(time.slept) == 5 else None

        _, back, history = listens_through_loss(card, mic, time, comes_back)
        assert isinstance(back, Block)
        assert len(time.slept) == 5
        assert history.count("open USB Audio: Mic (hw:1,0)") == 3


def test_one_that_stops_to_deliver_is_opened_again(card, opened, time):
    """As when a computer sleeps: the stream says it is active, and nothing comes."""
    with opened() as mic:
        sounds = iter(mic)
        card.streams[0].deliver(SOUND[:1440])
        assert isinstance(next(sounds), Block)
        before = time.now
        assert next(sounds) == Lost("Built-in Mic", "no sound for 2 s")
        assert time.now - before == pytest.approx(microphone.NEXT_BLOCK, abs=0.5)
        card.started = lambda stream: stream.deliver(SOUND[:1440])
        assert isinstance(next(sounds), Block)
        assert [stream.closed for stream in card.streams] == [True, False]


def test_the_first_sound_may_take_longer(opened, time):
    with opened() as mic:
        before = time.now
        assert next(iter(mic)) == Lost("Built-in Mic", "no sound for 8 s")
        assert time.now - before == pytest.approx(microphone.FIRST_BLOCK, abs=0.5)


def test_waiting_for_a_device_can_be_interrupted(card, opened, time):
    def interrupted():
        raise KeyboardInterrupt

    time.then = interrupted
    with opened() as mic:
        sounds = iter(mic)
        assert isinstance(next(sounds), Lost)
        with pytest.raises(KeyboardInterrupt):
            next(sounds)
    assert all(stream.closed for stream in card.streams)


# Zeros


def kinds(mic: Microphone, stream, seconds: float, value: float) -> list[type]:
    """What comes of so many seconds of a value."""
    stream.deliver(np.full(round(seconds * stream.rate), value))
    sounds, found, heard = mic_sounds(mic), [], 0
    while heard < round(seconds * stream.rate):
        sound = next(sounds)
        found.append(type(sound))
        heard += len(sound.samples) if isinstance(sound, Block) else 0
    return found


def mic_sounds(mic: Microphone):
    """One iterator a microphone."""
    if not hasattr(mic, "test_sounds"):
        mic.test_sounds = iter(mic)
    return mic.test_sounds


def test_zeros_are_told_once_and_again_only_after_sound(card, opened):
    with opened() as mic:
        stream = card.streams[0]
        quiet = round(2.4 / BLOCK) * [Block]
        assert kinds(mic, stream, 2.4, 0.0) == quiet
        later = kinds(mic, stream, 7.2, 0.0)
        later += kinds(mic, stream, 0.03, 0.1)
        assert later.count(OnlyZeros) == 1
        assert OnlyZeros in later[:6]
        assert kinds(mic, stream, 2.4, 0.0) == quiet, "it begins to count anew"
        assert kinds(mic, stream, 5.0, 0.0).count(OnlyZeros) == 1


def test_the_least_noise_is_not_muted(card, opened):
    with opened() as mic:
        assert OnlyZeros not in kinds(mic, card.streams[0], 9.0, 2.0**-24)


@pytest.mark.parametrize(("system", "part"), list(zip(SYSTEMS, ["alsamixer", "Privacy", "Privacy"])))
def test_the_remedy_against_zeros(card, opened, monkeypatch, system, part):
    monkeypatch.setattr(sys, "platform", system)
    with opened() as mic:
        card.streams[0].deliver(np.zeros(3 * 48000))
        [muted] = [sound for sound in islice(iter(mic), 100) if isinstance(sound, OnlyZeros)]
        assert muted.device == "Built-in Mic"
        assert part in muted.remedy


# Recording


@pytest.mark.parametrize("seconds", [0.03, 0.5, 1.0])
def test_record_gives_the_next_seconds(card, opened, seconds):
    with opened() as mic:
        card.streams[0].deliver(SOUND)
        got = record(mic, seconds)
        np.testing.assert_array_equal(got, SOUND[: round(seconds * 48000)])
        assert got.dtype == np.float32


def test_record_does_not_mind_zeros(card, opened):
    with opened() as mic:
        card.streams[0].deliver(np.zeros(5 * 48000))
        assert not record(mic, 4.0).any()


def test_record_ends_when_the_device_goes(card, opened):
    with opened() as mic:
        card.streams[0].deliver(SOUND[:4800])
        card.plugged.remove(card.streams[0].plug)
        refused(lambda: record(mic, 1.0), "'Built-in Mic' was lost while recording (the device is gone)")


def test_record_from_nothing():
    refused(lambda: record([], 1.0), "stopped")


# Without PortAudio


WITHOUT = """
import sys
class NoPortAudio:
    def find_spec(self, name, *_):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
sys.meta_path.insert(0, NoPortAudio())
import recognizer
from recognizer.cli import main
for call in {calls!r}:
    sys.argv = ["recognizer", *call]
    try:
        main()
        status = 0
    except SystemExit as done:
        status = done.code or 0
    print("status", status, flush=True)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Where a model is written without PortAudio."""
    return tmp_path_factory.mktemp("trained") / "m.npz"


@pytest.fixture(scope="module")
def without_portaudio(recordings, model_file, trained) -> tuple[str, str]:
    """What commands print, on both streams, in a process in which sounddevice cannot be imported."""
    spoken = write(trained.with_name("a.wav"), say("rise"))
    calls = [
        ["batch", recordings / "hum_anna_0.wav", "--model", model_file],
        ["train", recordings, "--output", trained, "--mixtures", 1],
        ["models", "list"],
        ["live", "--from-file", spoken, "--fast", "--model", model_file, "--quiet"],
        ["live", "--model", model_file],
        ["devices"],
        ["devices", "--test"],
    ]
    code = WITHOUT.format(calls=[list(map(str, call)) for call in calls])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_everything_else_works_without_portaudio(without_portaudio, trained):
    stdout, _ = without_portaudio
    assert re.findall(r"^status (\d+)$", stdout, re.MULTILINE)[:4] == ["0"] * 4
    assert " rise " in stdout
    assert trained.exists()


def test_the_microphone_without_portaudio_is_one_line(without_portaudio):
    stdout, stderr = without_portaudio
    assert stdout.endswith("status 0\nstatus 1\nstatus 1\nstatus 1\n"), "and nothing on stdout"
    lines = after_told(stderr).splitlines()
    assert len(lines) == 3
    assert len(set(lines)) == 1
    assert lines[0].startswith("error: PortAudio, which reads the microphone, is not installed; ")
