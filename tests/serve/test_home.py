"""The server for Home Assistant: the real program, called with the protocol's own client."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import RATE, quiet, say
from wyoming.asr import Transcribe
from wyoming.client import AsyncClient
from wyoming.event import Event
from wyoming.ping import Ping

with warnings.catch_warnings():  # of audioop
    warnings.simplefilter("ignore", DeprecationWarning)
    from wyoming.audio import AudioChunk, AudioStart, AudioStop
    from wyoming.info import Describe, Info
    from wyoming.wake import Detect, Detection

from recognizer import Heard, Recognizer, __version__
from recognizer.serve.addresses import AddressError, is_public, listening_at, uri_of
from recognizer.serve.engine import Engine
from recognizer.serve.home import LONGEST, MOST_CHANNELS, Home
from recognizer.serve.home_messages import HEADER
from recognizer.serve.limits import Limits
from recognizer.serve.shelf import Shelf
from recognizer.sound import audio

SAMPLES = Path(__file__).resolve().parents[2] / "audio_samples"
AT = 16000  # Hz, of what a house sends
UNIX = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no such sockets")
DESCRIBE, START, STOP = Describe().event(), AudioStart(AT, 2, 1).event(), AudioStop().event()
CHUNK = AudioChunk(AT, 2, 1, bytes(640)).event()


@dataclass(frozen=True)
class Served:
    """A server that runs, and where the house reaches it."""

    uri: str
    process: subprocess.Popen
    ending: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        """As a system ends it; who does so twice does not wait for the end."""
        if not self.ending.is_set():
            self.ending.set()
            self.process.terminate()

    @property
    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@contextmanager
def serving(*options: object, uri: str = "tcp://127.0.0.1:0", **environment: str) -> Iterator[Served]:
    """Start it, and end it; it must then have said nothing."""
    call = [sys.executable, "-m", "recognizer", "serve", "--port", "0", "--quiet", "--wyoming", uri]
    process = subprocess.Popen(
        [*call, *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        address, at = process.stdout.readline(), process.stdout.readline().strip()
        assert address.startswith("http://"), process.communicate(timeout=60)
        yield (served := Served(at, process))
        served.end()
        stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout, stderr) == (0, "", "")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Served]:
    with serving("--wake-word", "seven", RECOGNIZER_HOME=str(tmp_path_factory.mktemp("home"))) as served:
        yield served


def ask(uri: str, *events: Event, most: int = 1) -> list[Event]:
    """What comes of some events: as many as are wanted, or until the server closes."""

    async def asking() -> list[Event]:
        async with AsyncClient.from_uri(uri) as client:
            for event in events:
                await client.write_event(event)
            found = []
            while len(found) < most and (answer := await client.read_event()) is not None:
                found.append(answer)
            return found

    return asyncio.run(asking())


def send(uri: str, data: bytes, *, end: bool = True) -> bytes:
    """What comes of bytes, until the server closes."""

    async def sending() -> bytes:
        host, port = uri.removeprefix("tcp://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(data)
            if end:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), 60)
        finally:
            writer.close()

    return asyncio.run(sending())


def answers_in(data: bytes) -> list[Event]:
    """What a server sent."""
    found = []
    while data:
        head, _, data = data.partition(b"\n")
        header = json.loads(head)
        size = header.get("data_length", 0)
        found.append(Event(header["type"], json.loads(data[:size] or "{}")))
        data = data[size:]
    return found


def written(*events: Event) -> bytes:
    """Events as they are sent."""
    return b"".join(
        json.dumps({"type": event.type, "data": event.data, "payload_length": len(event.payload or b"")}).encode()
        + b"\n"
        + (event.payload or b"")
        for event in events
    )


def spoken(samples: np.ndarray, rate: int, width: int = 2, size: int = 1024) -> list[Event]:
    """Sound as a house sends it; samples of 32 bits may be sent with 24."""
    samples = np.atleast_2d(samples.T).T
    data, channels = samples.astype(samples.dtype.newbyteorder("<")).tobytes(), samples.shape[1]
    if width == 3:
        data = np.frombuffer(data, np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    step = size * width * channels
    chunks = [
        AudioChunk(
            rate, width, channels, data[first : first + step], timestamp=first // (width * channels * rate // 1000)
        )
        for first in range(0, len(data), step)
    ]
    return [event.event() for event in (AudioStart(rate, width, channels), *chunks, AudioStop())]


def said(*names: str, rate: int = AT) -> np.ndarray:
    """Samples of recordings with pauses between them, int16."""
    noise = np.random.default_rng(0)

    def pause() -> np.ndarray:
        return noise.normal(scale=3e-4, size=round(0.7 * rate)).astype(np.float32)

    parts = [pause(), pause()]
    for name in names:
        parts += [audio.load(SAMPLES / f"{name}.wav", rate).samples, pause()]
    return audio.sixteen_bits(np.concatenate(parts))


def words_in(samples: np.ndarray, rate: int, recognizer: Recognizer | None = None) -> str:
    recognizer = recognizer or Recognizer.load("digits")
    return " ".join(a.result.word for a in recognizer.transcribe(samples, rate) if isinstance(a, Heard))


def transcribed(uri: str, *events: Event) -> str:
    (answer,) = ask(uri, *events)
    assert answer.type == "transcript", answer
    return answer.data["text"]


# What there is


def test_it_tells_what_it_does(server):
    (answer,) = ask(server.uri, DESCRIBE)
    info = Info.from_event(answer)
    (asr,), (wake,) = info.asr, info.wake
    assert asr.models[0].name == "digits"
    assert {model.name for model in asr.models} == {"digits", "digits-ar", "commands", "commands-ar", "dspspeech20"}
    assert asr.version == wake.version == __version__
    assert [(model.name, model.phrase) for model in wake.models] == [("seven", "seven")]
    for program in (asr, wake):
        for part in (program, *program.models):
            assert part.installed
            assert part.attribution.name
    for model in (*asr.models, *wake.models):
        assert {"en", "de", "ar", "zh", "cy"} <= set(model.languages)  # nothing tells, so a house may have it for any
    assert {model.attribution.url for model in asr.models} >= {"https://github.com/zhongyuchen/DSPSpeech-20"}


def test_it_answers_a_ping(server):
    assert [answer.data["text"] for answer in ask(server.uri, Ping("x").event())] == ["x"]


def test_no_wake_word_where_none_is_set(tmp_path):
    with serving("--model", "commands") as served:
        (answer,) = ask(served.uri, DESCRIBE)
        assert Info.from_event(answer).wake == []
        assert Info.from_event(answer).asr[0].models[0].name == "commands"
        (answer,) = ask(served.uri, Detect().event(), START)
        assert answer.type == "error"


def test_a_model_with_a_language_is_found_by_it(built, home, tmp_path):
    """And one by its file without telling where that is."""
    folder = home / "models"
    folder.mkdir(parents=True)
    replace(built, card=built.card | {"language": ["de", "nds"]}).save(folder / "tones.npz")
    (tmp_path / "hidden").mkdir()
    replace(built, card=built.card | {"data": {"a": "See https://example.org/a."}}).save(tmp_path / "hidden/own.npz")
    sound = np.concatenate([quiet(1.5), say("rise"), quiet(1.0)])
    samples = audio.sixteen_bits(sound)
    expected = words_in(samples, RATE, Recognizer(built))
    assert expected == "rise"
    with serving("--model", tmp_path / "hidden/own.npz", "--wake-word", "rise") as served:
        (answer,) = ask(served.uri, DESCRIBE)
        assert "hidden" not in json.dumps(answer.data)
        info = Info.from_event(answer)
        models = {model.name: model for model in info.asr[0].models}
        assert next(iter(models)) == "own"
        assert models["own"].attribution.url == "https://example.org/a"
        assert models["tones"].languages == ["de", "nds"]
        assert [model.name for model in info.wake[0].models] == ["rise"]
    with serving() as served:
        assert transcribed(served.uri, Transcribe(language="de-AT").event(), *spoken(samples, RATE)) == expected
        assert transcribed(served.uri, Transcribe(name="tones").event(), *spoken(samples, RATE)) == expected
        assert transcribed(served.uri, Transcribe(language="en").event(), *spoken(samples, RATE)) != expected


# Speech to text


def test_the_words_are_those_of_transcribe(server):
    """In each recording alone, and in one of several."""
    names = sorted(path.stem for path in SAMPLES.glob("*.wav"))
    found = []
    for name in names:
        samples = said(name)
        found.append(transcribed(server.uri, Transcribe().event(), *spoken(samples, AT)))
        assert found[-1] == words_in(samples, AT)
    assert sum(word == name.split("_")[0] for word, name in zip(found, names)) > 0.8 * len(names)
    samples = said("three_slthts_0", "five_slthts_0", "nine_slthts_0")
    assert transcribed(server.uri, *spoken(samples, AT)) == words_in(samples, AT) == "three five nine"


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_any_rate(server, rate):
    samples = said("five_slthts_0", "nine_slthts_0", rate=rate)
    assert transcribed(server.uri, *spoken(samples, rate)) == words_in(samples, rate) != ""


@pytest.mark.parametrize("channels", [1, 2, MOST_CHANNELS])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_any_width_and_channels(server, width, channels):
    samples = said("five_slthts_0", "nine_slthts_0").astype(np.int32)
    samples = {
        1: lambda: ((samples >> 8) + 128).astype(np.uint8),
        2: lambda: samples.astype(np.int16),
        3: lambda: samples << 16,
        4: lambda: samples << 16,
    }[width]()
    samples = np.repeat(samples[:, None], channels, axis=1)
    found = transcribed(server.uri, *spoken(samples, AT, width))
    assert found == words_in(samples, AT)
    assert found == "five nine" or width == 1


@pytest.mark.parametrize("size", [1, 7, 160, 5000, 100_000])
def test_chunks_of_any_size(server, size):
    samples = said("five_slthts_0", rate=8000)
    assert transcribed(server.uri, *spoken(samples, 8000, size=size)) == "five"


def test_silence_and_nothing_are_no_words(server):
    for samples in (np.zeros(AT, np.int16), np.zeros(0, np.int16)):
        assert transcribed(server.uri, Transcribe().event(), *spoken(samples, AT)) == ""


def test_one_connection_after_the_other_sound(server):
    """A new start forgets what was heard before it."""
    one, two = said("five_slthts_0"), said("nine_slthts_0")
    answers = ask(server.uri, *spoken(one, AT), *spoken(two, AT)[:-1], *spoken(one, AT), *spoken(two, AT), most=3)
    assert [answer.data["text"] for answer in answers] == ["five", "five", "nine"]


def test_fifty_at_once(server):
    names = ["five_slthts_0", "nine_slthts_0", "three_slthts_0", "seven_slt_0", "zero_slt_0"]
    sounds = {name.split("_")[0]: spoken(said(name), AT) for name in names}

    async def one(word: str) -> bool:
        async with AsyncClient.from_uri(server.uri) as client:
            for event in sounds[word]:
                await client.write_event(event)
            return (await client.read_event()).data == {"text": word}

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(one(word) for _ in range(10) for word in sounds))

    found = asyncio.run(all_of_them())
    assert len(found) == 50
    assert all(found)


# The wake word


def test_it_wakes_once_and_for_its_word_alone(server):
    samples = said("five_slthts_0", "seven_slt_0", "nine_slthts_0")
    for names in (None, [], ["seven"], ["seven", "hey"]):
        (answer,) = ask(server.uri, Detect(names).event(), *spoken(samples, AT), Ping("over").event())[:1]
        detection = Detection.from_event(answer)
        assert detection.name == "seven"
        before = len(said("five_slthts_0")) / AT * 1000
        assert before < detection.timestamp < 1000 * len(samples) / AT
        found = ask(server.uri, Detect(names).event(), *spoken(samples, AT), Ping("over").event(), most=2)
        assert [answer.type for answer in found] == ["detection", "pong"]


def test_it_does_not_wake_for_other_words(server):
    samples = said("five_slthts_0", "nine_slthts_0", "six_slt_0", "zero_slt_0")
    found = ask(server.uri, Detect().event(), *spoken(samples, AT), Ping("over").event(), most=2)
    assert [answer.type for answer in found] == ["not-detected", "pong"]


def test_it_wakes_as_soon_as_the_word_is_over(server):
    """Without the end of the sound; and again, when the house asks again without having ended it."""
    events = [Detect().event(), *spoken(said("seven_slt_0"), AT)[:-1]]
    events = [*(replace(e, data=e.data | {"timestamp": None}) for e in events), Ping("over").event()]
    found = ask(server.uri, *events, *events, most=4)
    assert [answer.type for answer in found] == ["detection", "pong"] * 2
    for answer in found[::2]:
        assert 700 < answer.data["timestamp"] < 3000


# What callers do wrong


def start(**changed: object) -> Event:
    return Event("audio-start", {"rate": AT, "width": 2, "channels": 1} | changed)


def line(**header: object) -> bytes:
    return json.dumps(header).encode() + b"\n"


WRONG = {
    "chunk before start": (written(CHUNK), "before audio-start"),
    "stop before start": (written(STOP), "before audio-start"),
    "stop twice": (written(START, STOP, STOP), "before audio-start"),
    "no rate": (written(start(rate=None)), "rate is None"),
    "rate 0": (written(start(rate=0)), "rate is 0"),
    "low rate": (written(start(rate=999)), "rate is 999"),
    "high rate": (written(start(rate=10**9)), "rate is 1000000000"),
    "endless rate": (line(type="audio-start", data={"rate": float("inf"), "width": 2, "channels": 1}), "rate is inf"),
    "no number": (line(type="audio-start", data={"rate": float("nan"), "width": 2, "channels": 1}), "rate is nan"),
    "rate in words": (written(start(rate="16000")), "rate is '16000'"),
    "width 0": (written(start(width=0)), "width is '0'"),
    "width 5": (written(start(width=5)), "width is '5'"),
    "true width": (written(start(width=True)), "width is 'True'"),
    "no channels": (written(start(channels=0)), "channels is '0'"),
    "many channels": (written(start(channels=10**6)), "channels is '1000000'"),
    "other sound": (written(start(rate=8000), CHUNK), "of audio-start"),
    "half a sample": (written(START, replace(CHUNK, payload=b"odd")), "3 bytes are no whole samples"),
    "long sound": (
        written(start(rate=1000, width=1), AudioChunk(1000, 1, 1, bytes(1000 * LONGEST + 1)).event()),
        "more than 600 s",
    ),
    "unknown model": (written(Transcribe(name="../x").event(), START), "there is no model"),
    "model in numbers": (written(Event("transcribe", {"name": 3}), START), "name of transcribe is '3'"),
    "language in numbers": (written(Event("transcribe", {"language": 3})), "language of transcribe is '3'"),
    "unknown wake word": (written(Detect(["hey"]).event()), "there is no wake word"),
    "wake words as text": (written(Event("detect", {"names": "seven"})), "there is no wake word"),
    "ping in numbers": (written(Event("ping", {"text": 1})), "text of ping is '1'"),
    "a web page": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "is no JSON object"),
    "a list": (b"[1]\n", "is no JSON object"),
    "deep": (b"[" * 60_000 + b"\n", "is no JSON object"),
    "no letters": (b"\xff\xfe\n", "is no JSON object"),
    "an empty line": (b"\n", "is no JSON object"),
    "a long number": (b'{"type": ' + b"9" * 6000 + b"}\n", "is no JSON object"),
    "no type": (line(data={}), "is no event"),
    "type as number": (line(type=1), "is no event"),
    "data as list": (line(type="ping", data=[1]), "is no event"),
    "data behind it": (line(type="ping", data_length=3) + b"abc", "is no JSON object"),
    "a long line": (b'{"type": "ping", "x": "' + b"x" * 2 * HEADER + b'"}\n', "more than 65536 bytes"),
    "no line at all": (b"x" * 10 * HEADER, "more than 65536 bytes"),
    "much data": (line(type="ping", data_length=10**12), "data_length is '1000000000000'"),
    "much sound": (line(type="audio-chunk", payload_length=1 << 40), "payload_length is '1099511627776'"),
    "less than none": (line(type="audio-chunk", payload_length=-1), "payload_length is '-1'"),
    "length in words": (line(type="audio-chunk", payload_length="9"), "payload_length is '9'"),
    "text as sound": (written(START, replace(CHUNK, payload=None)) + b"not sound\n", "is no JSON object"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("end", [True, False], ids=["", "and waits"])
def test_what_is_wrong_is_told_once_and_ends_it(server, case, end):
    data, message = WRONG[case]
    *before, answer = answers_in(send(server.uri, data, end=end))
    assert answer.type == "error"
    assert message in answer.data["text"]
    assert "error" not in {event.type for event in before}
    assert transcribed(server.uri, *spoken(said("five_slthts_0"), AT)) == "five"


def test_what_belongs_to_other_servers_is_passed_over(server):
    found = ask(server.uri, Event("synthesize", {"text": "x"}), Event("x" * 1000, payload=bytes(9)), Ping("").event())
    assert [answer.type for answer in found] == ["pong"]


@pytest.mark.parametrize("data", [b"", b'{"type": "desc', written(START, CHUNK)[:-1], written(START, CHUNK, CHUNK)])
def test_who_goes_is_missed_by_nobody(server, data):
    assert send(server.uri, data) == b""
    assert len(ask(server.uri, DESCRIBE)) == 1


def test_there_is_room_for_so_many(tmp_path):
    async def three(uri: str) -> list[str]:
        first, second, third = (AsyncClient.from_uri(uri) for _ in range(3))
        told = []
        async with first, second:
            for client in (first, second):
                await client.write_event(Ping("x").event())
                told.append((await client.read_event()).type)
            async with third:
                answer = await third.read_event()
                told.append(answer.data["text"])
                assert await third.read_event() is None
        while True:  # until the first ones are found to be gone
            async with third:
                await third.write_event(Ping("x").event())
                if (answer := await third.read_event()).type == "pong":
                    break
        return told

    with serving("--streams", "2") as served:
        assert asyncio.run(three(served.uri)) == [
            "pong",
            "pong",
            "all 2 places for streams are taken; try again soon",
        ]


def impatient(do: Callable, limits: Limits = Limits(patience=0.3)) -> object:
    """What `do` gives, called with the address of a server in this process that waits for nobody."""

    async def doing() -> object:
        engine = Engine(1, {"streams": 4})
        try:
            with listening_at("tcp://127.0.0.1:0") as listening:
                async with Home(engine, Shelf("digits", 1), limits).open(listening):
                    given = await asyncio.wait_for(do(uri_of(listening)), 60)
                    while engine.taken["streams"]:
                        await asyncio.sleep(0.01)
                    return given
        finally:
            engine.close()

    return asyncio.run(doing())


@pytest.mark.parametrize("events", [[], [START], [START, CHUNK], [DESCRIBE]], ids=len)
def test_who_says_nothing_is_told_so_and_left(events):
    async def wait(uri: str) -> list[Event]:
        async with AsyncClient.from_uri(uri) as client:
            for event in events:
                await client.write_event(event)
            found = []
            while (answer := await client.read_event()) is not None:
                found.append(answer)
            return found

    *_, last = impatient(wait)
    assert last.data["text"] == "nothing came for 0.3 s; connect again"


def test_who_does_not_listen_is_left():
    """In a thread, for it must not take the server's turn; it is no matter how often it asks before it is closed."""

    def ask_on(place: tuple[str, int]) -> None:
        with socket.create_connection(place, timeout=30) as caller, suppress(ConnectionError):
            while True:
                caller.sendall(written(DESCRIBE))

    async def flood(uri: str) -> None:
        host, port = uri.removeprefix("tcp://").split(":")
        await asyncio.to_thread(ask_on, (host, int(port)))

    impatient(flood)


def test_at_the_end_nobody_is_left():
    async def ending() -> list:
        engine = Engine(1, {"streams": 4})
        with listening_at("tcp://127.0.0.1:0") as listening:
            async with Home(engine, Shelf("digits", 1), Limits()).open(listening):
                client = AsyncClient.from_uri(uri_of(listening))
                await client.connect()
                for event in (START, CHUNK, Ping("x").event()):
                    await client.write_event(event)
                assert (await client.read_event()).type == "pong"
        engine.close()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        ended = await client.read_event() if not client._reader.exception() else None
        await asyncio.gather(client.disconnect(), return_exceptions=True)
        return [*left, ended, engine.taken["streams"]]

    assert asyncio.run(ending()) == [None, 0]


def test_an_error_in_the_server_is_told_on_both_sides(monkeypatch, capsys):
    async def broken(uri: str) -> Event:
        async with AsyncClient.from_uri(uri) as client:
            await client.write_event(DESCRIBE)
            return await client.read_event()

    monkeypatch.setattr("recognizer.serve.home_catalogue.information", lambda *_: 1 / 0)
    assert impatient(broken).data["text"].startswith("an error in the server")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_it_ends_with_callers_in_the_middle():
    async def leave(served: Served) -> None:
        async with AsyncClient.from_uri(served.uri) as client:
            for event in (Detect().event(), *spoken(said("five_slthts_0"), AT)[:-1], Ping("x").event()):
                await client.write_event(event)
            assert (await client.read_event()).type == "pong"
            served.end()
            assert await client.read_event() is None

    with serving("--wake-word", "seven") as served:
        asyncio.run(leave(served))


# Noise on the line


def malformed(seed: int) -> bytes:
    """A conversation, damaged."""
    draw = random.Random(seed)
    whole = written(
        *draw.choice(
            [
                [DESCRIBE],
                [Transcribe(name="digits", language="en").event(), START, CHUNK, STOP],
                [Detect(["seven"]).event(), START, CHUNK, CHUNK, STOP],
                [Ping("x").event(), start(rate=draw.choice([8000, 10**6, 1, -1])), CHUNK, STOP, START, CHUNK],
            ]
        )
    )
    data = bytearray(whole)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(data) + 1)
        to = min(len(data), at + draw.choice([1, 3, 20, 700]))
        match draw.randrange(6):
            case 0:
                data[at:to] = draw.randbytes(to - at)
            case 1:
                del data[at:to]
            case 2:
                data[at:at] = data[at:to]
            case 3:
                data[at:at] = draw.randbytes(draw.choice([1, 50, 3000]))
            case 4:
                data[at:at] = draw.choice(
                    [b"\n", b"{", b"}", b'"', b"[" * 3000, b"9" * 5000, b"null", b"\x00", b"-1", b"1e999"]
                )
            case 5:
                old = draw.choice([b"16000", b"640", b"null", b"2", b"1", b"audio-chunk", b'"data"'])
                data = data.replace(old, draw.choice([b"0", b"-5", b"1e9", b"true", b"[]", b"{}", b"99999999", b'"x"']))
    return bytes(data)


def is_still_well(server: Served, files: int) -> None:
    """It answers, and has closed what was opened."""
    assert transcribed(server.uri, *spoken(said("five_slthts_0"), AT)) == "five"
    if sys.platform == "linux":
        for _ in range(600):
            if server.open_files <= files:
                break
            signal.sigtimedwait([], 0.1)
        assert server.open_files <= files
    assert server.process.poll() is None


@pytest.mark.parametrize("seeds", [range(100), pytest.param(range(100, 2100), marks=pytest.mark.slow)], ids=len)
def test_noise_on_the_line(server, seeds):
    assert len(ask(server.uri, DESCRIBE)) == 1
    files = server.open_files if sys.platform == "linux" else 0
    for seed in seeds:
        answers = answers_in(send(server.uri, malformed(seed)))
        assert "error" not in {answer.type for answer in answers[:-1]}, seed
        assert not answers or "an error in the server" not in str(answers[-1].data), seed
    is_still_well(server, files)


# Where it is


@UNIX
def test_a_socket_in_a_folder(tmp_path):
    """Which only its owner reaches; one that a killed server left is no hindrance, one that is used is."""
    path = tmp_path / "home.sock"
    uri = f"unix://{path}"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with serving(uri=uri) as served:
        assert served.uri == uri
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert transcribed(uri, *spoken(said("five_slthts_0"), AT)) == "five"
        call = [sys.executable, "-m", "recognizer", "serve", "--port", "0", "--wyoming", uri]
        done = subprocess.run(call, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: cannot listen at '{uri}'")
        assert path.is_socket()
    assert not path.exists()


@pytest.mark.parametrize(
    "uri",
    [
        *("", "x", "tcp://", "tcp://127.0.0.1", "tcp://:10300", "tcp://127.0.0.1:x", "tcp://127.0.0.1:99999"),
        *("http://127.0.0.1:10300", "stdio://", "unix://", "unix://home.sock", "tcp://127.0.0.1:1/x", "tcp://[::1:5"),
        *("tcp://\x1b:1", "tcp://" + "x" * 5000 + ":1", "tcp://..:1"),
    ],
)
def test_what_is_no_address(run, uri):
    outcome = run("serve", "--port", "0", "--wyoming", uri)
    assert outcome.status == 2
    assert "is no address" in " ".join(outcome.stderr.split())


@UNIX
@pytest.mark.parametrize("place", ["unix:///nowhere/home.sock", "unix:///" + "x" * 200, "unix:///tmp"])
def test_where_nobody_can_listen(run, place):
    outcome = run("serve", "--port", "0", "--wyoming", place)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: cannot listen at '{place}'")
    assert outcome.stderr.count("\n") == 1
    assert Path("/tmp").is_dir()


def test_a_file_is_no_socket(tmp_path, run):
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("this system has no such sockets")
    (tmp_path / "mine").write_text("mine")
    assert run("serve", "--port", "0", "--wyoming", f"unix://{tmp_path}/mine").status == 1
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_port_that_is_taken(run):
    with listening_at("tcp://127.0.0.1:0") as listening:
        outcome = run("serve", "--port", "0", "--wyoming", uri_of(listening))
        assert (outcome.status, outcome.stdout) == (1, "")
        assert outcome.stderr.startswith(f"error: cannot listen at '{uri_of(listening)}'")


@pytest.mark.parametrize("options", [[], ["--quiet"]], ids=["", "quiet"])
@pytest.mark.parametrize(("uri", "public"), [("tcp://127.0.0.1:0", False), ("tcp://0.0.0.0:0", True)])
def test_who_can_be_reached_by_others_is_warned(uri, public, options):
    with listening_at(uri) as listening:
        assert is_public(listening) is public
    call = [sys.executable, "-m", "recognizer", "serve", "--port", "0", "--wyoming", uri, *options]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            at = [process.stdout.readline().strip() for _ in range(2)][1]
        finally:
            process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    warning = f"warning: all who reach {at} can send sound to it, for Wyoming knows no token; mind your firewall\n"
    assert (warning in stderr) is (public and not options)
    assert not (options and stderr)


def test_a_new_address_of_the_sixth_version():
    try:
        with listening_at("tcp://[::1]:0") as listening:
            assert uri_of(listening).startswith("tcp://[::1]:")
            assert not is_public(listening)
    except AddressError:
        pytest.skip("this system has no such addresses")


# The command


def test_a_wake_word_is_one_of_the_model(run):
    outcome = run("serve", "--wyoming", "tcp://127.0.0.1:0", "--wake-word", "computer")
    assert (outcome.status, outcome.stdout) == (1, "")
    words = ", ".join(Recognizer.load("digits").words)
    assert outcome.stderr == f"error: the model has no word 'computer'; it has {words}\n"


def test_a_wake_word_needs_an_address(run):
    outcome = run("serve", "--wake-word", "seven")
    assert outcome.status == 2
    assert "--wake-word goes with --wyoming" in " ".join(outcome.stderr.split())


def test_without_the_package_the_extra_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "wyoming", None)
    for name in [name for name in sys.modules if name.startswith(("wyoming.", "recognizer.serve.home"))]:
        monkeypatch.delitem(sys.modules, name)
    outcome = run("serve", "--wyoming", "tcp://127.0.0.1:0")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert (
        outcome.stderr == "error: Home Assistant needs wyoming; install it with: pip install 'recognizer[serve,home]'\n"
    )
