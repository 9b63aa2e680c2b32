"""The service: what `batch`, `transcribe` and `live` say, by HTTP and WebSocket; and what is refused."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from serving import Server, as_bytes, serving, with_pauses
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect

from recognizer.recognizer import Recognizer

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "audio_samples").glob("*.wav"))
SEVEN = next(path for path in SAMPLES if path.name == "seven_slt_0.wav")
OF_THE_CLOCK = ("latency",)


@pytest.fixture(scope="module")
def home_of_all(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home_of_all) -> Iterator[Server]:
    with serving("--model", "digits", RECOGNIZER_HOME=str(home_of_all)) as started:
        yield started


@pytest.fixture(scope="module")
def digits() -> Recognizer:
    return Recognizer.load("digits")


# Recordings


def test_a_recording_is_recognised_as_by_batch(server, digits):
    for found in digits.recognize_files(SAMPLES):
        expected = found.record()
        del expected["file"], expected["error"]
        assert server.ask("/v1/recognize", found.path.read_bytes()).data == expected


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "AIFF"])
def test_any_file_that_batch_reads_is(server, tmp_path, kind):
    samples, rate = soundfile.read(SEVEN)
    soundfile.write(tmp_path / "one", samples, rate, format=kind)
    assert server.ask("/v1/recognize", (tmp_path / "one").read_bytes()).data["word"] == "seven"


def test_samples_without_a_file_are(server, digits):
    samples, rate = soundfile.read(SEVEN, dtype="int16")
    told = server.ask(f"/v1/recognize?rate={rate}", samples.astype("<i2").tobytes()).data
    result = digits.recognize(samples, rate)
    assert (told["word"], told["confidence"]) == (result.word, round(result.confidence, 4))
    assert told["nbest"] == [candidate.record() for candidate in result.nbest]


def test_words_and_thresholds_are_as_everywhere(server):
    body = SEVEN.read_bytes()
    assert server.ask("/v1/recognize?words=one,nine&threshold=0", body).data["word"] in ("one", "nine")
    assert server.ask("/v1/recognize?words=one&words=nine&threshold=0", body).data["word"] in ("one", "nine")
    assert server.ask("/v1/recognize?words=one,nine&threshold=strict", body).data["accepted"] is False


def test_all_words_of_a_long_recording_are_found_as_by_transcribe(server, digits, tmp_path):
    soundfile.write(tmp_path / "long.wav", with_pauses(SAMPLES[:6], 16000), 16000)
    found = list(digits.transcribe(tmp_path / "long.wav", hangover=0.3))
    told = server.ask("/v1/transcribe?hangover=300", (tmp_path / "long.wav").read_bytes()).data["answers"]
    assert [(a["word"], a["start"], a["end"]) for a in told] == [
        (answer.result.word, round(answer.start, 3), round(answer.end, 3)) for answer in found
    ]
    assert len(told) == 6
    samples = soundfile.read(tmp_path / "long.wav", dtype="int16")[0].astype("<i2").tobytes()
    assert server.ask("/v1/transcribe?hangover=300&rate=16000", samples).data["answers"] == told


def test_why_is_explained_for_the_best_words(server, digits):
    told = server.ask("/v1/explain", SEVEN.read_bytes()).data["words"]
    expected = digits.recognize(SEVEN)
    assert [word["word"] for word in told] == [candidate.word for candidate in expected.nbest[: len(told)]]
    assert [word["score"] for word in told] == [round(candidate.score, 4) for candidate in expected.nbest[: len(told)]]


@pytest.mark.parametrize(
    ("call", "status", "error"),
    [
        (("/v1/recognize", b""), 422, "is empty (0 bytes); record or copy it again"),
        (("/v1/recognize", b"hello there"), 422, "is not sound or is damaged (it is text)"),
        (("/v1/recognize?rate=16000", b"123"), 422, "3 bytes are no whole 16-bit samples"),
        (("/v1/recognize?rate=16000", b""), 422, "no sound came"),
        (("/v1/recognize?rate=10", b"12"), 400, "rate '10' is no whole number from 1000 to 1000000"),
        (("/v1/recognize?rate=1e4", b"12"), 400, "rate '1e4' is no whole number"),
        (("/v1/recognize?rate=%C2%B2000", b"12"), 400, "is no whole number"),
        (("/v1/recognize?n=1", b"12"), 400, "'n' means nothing here; there are model, rate, speaker"),
        (("/v1/recognize?hangover=300", b"12"), 400, "'hangover' means nothing here"),
        (("/v1/recognize?threshold=nan", b"12"), 400, "threshold 'nan' is not strict, normal, lenient"),
        (("/v1/recognize?threshold=2", b"12"), 400, "threshold '2' is not strict, normal, lenient"),
        (("/v1/recognize?model=", b"12"), 400, "model is empty"),
        (("/v1/recognize?model=a&model=b", b"12"), 400, "model is given twice"),
        (("/v1/recognize?model=/etc/passwd", b"12"), 404, "there is no model '/etc/passwd'; there are "),
        (("/v1/recognize?model=../digits", b"12"), 404, "there is no model '../digits'"),
        (("/v1/recognize?speaker=nobody", b"12"), 404, "there is no speaker 'nobody'"),
        (("/v1/recognize?speaker=../x", b"12"), 400, "../x"),
        (("/v1/recognize?words=eleven", SEVEN.read_bytes()), 404, "the model has no word 'eleven'; it has eight"),
        (("/v1/transcribe?hangover=5", b"12"), 400, "hangover '5' is no whole number from 100 to 2000"),
        (("/v1/transcribe", b"hello there"), 422, "is not sound"),
        (("/v1/explain", np.zeros(8000, "<i2").tobytes()), 422, "is not sound"),
        (("/v1/explain?rate=8000", np.zeros(8000, "<i2").tobytes()), 422, "no word can be laid over it"),
        (("/v1/models/none",), 404, "there is no model 'none'"),
        (("/v1/models/none", b"1"), 405, "POST is not for '/v1/models/none'; see /openapi.json"),
        (("/v1/models?x=1",), 400, "'x' means nothing here; nothing does"),
        (("/nothing",), 404, "there is nothing at '/nothing'"),
        (("/v1/stream",), 400, "rate is missing"),
        (("/v1/stream?rate=16000",), 426, "a stream needs a WebSocket"),
        (("/v1/stream?rate=16000&adapt=maybe",), 400, "adapt 'maybe' is neither true nor false"),
    ],
)
def test_what_cannot_be_done_is_said(server, call, status, error):
    answer = server.ask(*call)
    assert (answer.status, list(answer.data)) == (status, ["error"])
    assert error in answer.data["error"]
    assert "\n" not in answer.data["error"]
    assert "/tmp" not in answer.data["error"]


def test_a_recording_that_is_too_large_is_refused_at_once(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line:
        line.sendall(b"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n")
        assert line.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_and_where_its_size_is_not_told(server):
    parts = (b"\0" * (1 << 20) for _ in range(70))
    try:
        answer = server.ask("/v1/recognize?rate=16000", parts, "POST")
    except (BrokenPipeError, ConnectionResetError):
        return  # it was closed while more came, which says it as well
    assert (answer.status, answer.data) == (413, {"error": "the recording has more than 64 MB; send it in parts"})


def test_models_and_speakers_are_listed(server, digits):
    found = {model["name"]: model for model in server.ask("/v1/models").data["models"]}
    assert found["digits"]["words"] == list(digits.words)
    assert [name for name, model in found.items() if model["default"]] == ["digits"]
    whole = server.ask("/v1/models/digits").data
    assert whole["card"] == json.loads(json.dumps(digits.model.card))
    assert server.ask("/v1/speakers").data == {"speakers": []}
    assert server.ask("/healthz").data["status"] == "ok"


def test_a_model_of_ones_own_is_there_as_soon_as_it_is_made_and_goes_on_when_it_is_removed(server, home_of_all):
    place = home_of_all / "models" / "mine.npz"
    place.parent.mkdir(exist_ok=True)
    digits = Recognizer.load("digits")
    digits.save(place)
    with connect(server.socket("/v1/stream?model=mine&rate=16000")) as line:
        place.unlink()
        assert server.ask("/v1/recognize?model=mine", SEVEN.read_bytes()).status == 404
        line.send(with_pauses([SEVEN], 16000).astype("<i2").tobytes())
        assert [event["word"] for event in finished(line) if event["event"] == "result"] == ["seven"]


# Streams


def open_stream(server: Server, path: str = "/v1/stream?rate=16000", **how: object) -> ClientConnection:
    return connect(server.socket(path), **how)


def refusal(server: Server, path: str = "/v1/stream?rate=16000", **how: object) -> Response:
    """What is answered instead of a stream."""
    with pytest.raises(InvalidStatus) as refused, open_stream(server, path, **how):
        pass
    return refused.value.response


def finished(line: ClientConnection) -> list[dict]:
    """Say that no more comes, and hear the rest."""
    line.send('{"command": "finish"}')
    return [json.loads(message) for message in line]


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("size", [480, 1, 100_000])
def test_a_stream_tells_what_live_tells(server, digits, rate, size):
    """To the bit, at any rate, however the sound is cut; only how long it took differs."""
    samples = with_pauses(SAMPLES[:3], rate)
    if size == 1:
        samples, sizes = samples[: 2 * rate], [1, 7, 333]  # samples, not bytes
        cuts = np.cumsum(np.resize(sizes, len(samples)))
        pieces = np.split(samples, cuts[cuts < len(samples)])
    else:
        pieces = np.split(samples, range(size, len(samples), size))
    stream = digits.stream(rate)
    expected = [event.record() for event in stream.push(samples) + stream.finish()]
    with connect(server.socket(f"/v1/stream?rate={rate}")) as line:
        for piece in pieces:
            line.send(piece.astype("<i2").tobytes())
        told = finished(line)
        assert line.close_code == 1000
    for event in (*told, *expected):
        for name in OF_THE_CLOCK:
            event.pop(name, None)
    told, expected = ([event for event in events if event["event"] != "partial"] for events in (told, expected))
    assert told == json.loads(json.dumps(expected))
    assert size == 1 or [event["event"] for event in told].count("result") == 3


def test_what_was_learned_can_be_taken_back(server):
    with connect(server.socket("/v1/stream?rate=16000&adapt=true")) as line:
        line.send(with_pauses([SEVEN], 16000).astype("<i2").tobytes())
        line.send('{"command": "undo"}')
        events = finished(line)
    learned = [event for event in events if event["event"] == "adapted"]
    assert [(event["learned"], event["word"]) for event in learned] == [(1, "seven"), (0, "seven")]


@pytest.mark.parametrize(
    ("message", "error", "code"),
    [
        ("seven", "'seven' is no command; send ", 1003),
        ('{"command": "stop"}', "is no command", 1003),
        ("[" * 100_000, "is no command", 1003),
        ('{"command": ["finish"]}', "is no command", 1003),
        (b"123", "3 bytes are no whole 16-bit samples", 1007),
    ],
)
def test_what_is_neither_sound_nor_command_ends_a_stream_with_the_reason(server, message, error, code):
    with connect(server.socket("/v1/stream?rate=16000")) as line:
        line.send(message)
        told = json.loads(line.recv())
        with pytest.raises(ConnectionClosed):
            line.recv()
        assert (told["event"], line.close_code) == ("error", code)
        assert error in told["message"]
        assert len(told["message"]) < 1100


def test_a_message_that_is_too_long_ends_a_stream(server):
    with connect(server.socket("/v1/stream?rate=16000")) as line:
        line.send(b"\0" * ((1 << 20) + 2))
        with pytest.raises(ConnectionClosed):
            line.recv()
        assert line.close_code == 1009


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("", 400, "rate is missing"),
        ("rate=1", 400, "no whole number"),
        (
            "rate=999983",
            400,
            "rate 999983 is no rate of a sound card; send the sound at a multiple of 25 up to 384000 Hz",
        ),
        ("rate=16000&adapt=maybe", 400, "adapt 'maybe' is neither true nor false"),
        ("rate=16000&model=none", 404, "there is no model 'none'"),
        ("rate=16000&words=eleven", 404, "no word 'eleven'"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_with_the_reason_which_a_page_can_ask_for(server, query, status, error):
    answer = refusal(server, f"/v1/stream?{query}")
    assert answer.status_code == status
    assert error in json.loads(answer.body)["error"]
    assert server.ask(f"/v1/stream?{query}", Recognizer_Probe="1").data == json.loads(answer.body)


def test_places_are_free_again_however_a_stream_ends(tmp_path):
    with serving("--streams", 2, RECOGNIZER_HOME=str(tmp_path)) as server:
        for _ in range(3):
            with open_stream(server) as first, open_stream(server) as second:
                refused = refusal(server)
                assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
                answer = server.ask("/v1/stream?rate=16000", Recognizer_Probe="1")
                assert (answer.status, answer.headers["retry-after"]) == (503, "1")
                assert "all 2 places for streams are taken" in answer.data["error"]
                assert finished(first)[-1]["event"] == "end"
                # Gone without a word, as when a computer is unplugged.
                second.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                second.socket.close()
                wait_until(lambda: server.ask("/healthz").data["streams"] == 0)


def wait_until(true: object) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError


def test_many_at_once_are_served_or_told_to_come_again(server):
    body = SEVEN.read_bytes()
    with ThreadPoolExecutor(100) as callers:
        answers = list(callers.map(lambda _: server.ask("/v1/recognize", body), range(300)))
    assert {answer.status for answer in answers} <= {200, 503}
    assert {answer.data["word"] for answer in answers if answer.status == 200} == {"seven"}
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status == 503)
    assert server.ask("/v1/recognize", body).data["word"] == "seven"
    assert server.ask("/healthz").data["recordings"] == 0


def test_a_thousand_connections_that_say_nothing_keep_nobody_out(server):
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    with ExitStack() as stack:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1000):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
        assert server.ask("/v1/recognize", SEVEN.read_bytes()).data["word"] == "seven"
        with open_stream(server) as line:
            assert finished(line)[-1]["event"] == "end"


def test_streams_do_not_wait_for_a_long_recording(server, digits):
    """While ten minutes are transcribed, a word that is streamed is answered."""
    long = np.tile(with_pauses(SAMPLES[:10], 16000), 20).astype("<i2").tobytes()
    with ThreadPoolExecutor(1) as callers:
        transcribing = callers.submit(server.ask, "/v1/transcribe?rate=16000", long)
        with connect(server.socket("/v1/stream?rate=16000")) as line:
            line.send(as_bytes(SEVEN, 16000))
            line.send(with_pauses([], 16000, 0.5).astype("<i2").tobytes())
            heard = []
            while "result" not in heard:
                heard.append(json.loads(line.recv(30))["event"])
            assert not transcribing.done()
        assert len(transcribing.result().data["answers"]) == 200


# Who may call


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1].evil:1"])
def test_a_host_that_is_not_this_server_is_refused(server, host):
    answer = server.ask("/v1/models", Host=host)
    assert answer.status in (400, 403)
    assert server.ask("/", Host=host).status in (400, 403)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://localhost", "http://localhost:1", "http://["]
)
def test_pages_of_others_may_not_listen_through_it(server, origin):
    assert server.ask("/v1/models", Origin=origin).status == 403
    assert server.ask("/v1/recognize", b"1", Origin=origin).status == 403
    assert refusal(server, origin=origin).status_code == 403
    for site in ("cross-site", "same-site"):
        assert server.ask("/v1/models", Sec_Fetch_Site=site).status == 403
        assert server.ask("/", Sec_Fetch_Site=site).status == 200, "a link to the page"


def test_a_link_to_a_conversation_opens_none(server):
    """As a picture of another page could be: it makes nothing and takes no place."""
    assert server.ask("/v1/words/evil/record?words=a,b&rate=16000").status == 426
    assert server.ask("/v1/words").data["collections"] == []


def test_a_disk_without_room_is_told(tmp_path):
    with serving(largest_file=100_000, RECOGNIZER_HOME=str(tmp_path)) as server:
        for query in ("", "?rate=16000"):
            answer = server.ask(f"/v1/recognize{query}", bytes(200_000))
            assert answer.status == 507
            assert answer.data["error"].startswith("the server cannot keep the recording (File too large); free some")
        assert server.ask("/v1/recognize", SEVEN.read_bytes()).data["word"] == "seven"
        assert server.ask("/healthz").data["recordings"] == 0


@pytest.mark.slow
def test_a_connection_that_asks_for_nothing_is_ended(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        with suppress(ConnectionResetError):
            assert silent.recv(100) == b""


def test_a_caller_who_leaves_is_not_worked_for(server):
    """An hour of sound, most of which is not heard."""
    long = np.tile(with_pauses(SAMPLES[:10], 8000), 100).astype("<i2").tobytes()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line:
        head = f"POST /v1/transcribe?rate=8000 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(long)}\r\n\r\n"
        line.sendall(head.encode() + long)
        wait_until(lambda: server.ask("/healthz").data["recordings"] == 1)
    wait_until(lambda: server.ask("/healthz").data["recordings"] == 0)


def test_its_own_page_may(server):
    own = server.address.rstrip("/")
    assert server.ask("/v1/models", Origin=own, Host=own.removeprefix("http://")).status == 200
    with connect(server.socket("/v1/stream?rate=16000"), origin=own) as line:
        assert finished(line)[-1]["event"] == "end"


def test_nothing_may_be_run_or_fetched_from_elsewhere(server):
    for path in ("/", "/app.js", "/v1/models", "/nothing"):
        headers = server.ask(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


TOKEN = "a-token-of-20-letters"


def test_others_need_the_token(tmp_path):
    with serving("--host", "0.0.0.0", "--token", TOKEN, RECOGNIZER_HOME=str(tmp_path)) as server:
        assert server.address.endswith(f"/#token={TOKEN}")
        for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}, {"Authorization": "Bearer ü"}):
            headers = {name: value.encode("utf-8").decode("latin1") for name, value in wrong.items()}
            answer = server.ask("/v1/models", **headers)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert "Authorization: Bearer TOKEN" in answer.data["error"]
        assert server.ask("/v1/models", Authorization=f"Bearer {TOKEN}").status == 200
        assert server.ask("/healthz").status == server.ask("/").status == 200
        assert refusal(server).status_code == 401
        with connect(server.socket("/v1/stream?rate=16000"), subprotocols=[f"bearer.{TOKEN}"]) as line:
            assert finished(line)[-1]["event"] == "end"
        assert server.ask("/v1/models", Authorization=f"Bearer {TOKEN}", Origin="http://evil.example").status == 403


def test_a_token_is_made_up_where_others_can_call(tmp_path):
    with serving("--host", "0.0.0.0", RECOGNIZER_HOME=str(tmp_path)) as server:
        _, _, token = server.address.partition("#token=")
        assert len(token) >= 16
        assert server.ask("/v1/models").status == 401
        assert server.ask("/v1/models", Authorization=f"Bearer {token}").status == 200


# The command


def failing(*options: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "recognizer", "serve", *map(str, options)], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("options", "status", "error"),
    [
        (("--token", "short"), 2, "the token must be 16 letters"),
        (("--token", "with spaces in between"), 2, "the token must be 16 letters"),
        (("--host", "no-such-host.invalid"), 2, "--host 'no-such-host.invalid' is no address of this computer"),
        (("--host", "192.0.2.1", "--port", 0), 1, "cannot listen at 192.0.2.1, port 0"),
        (("--port", "70000"), 2, "70000"),
        (("--model", "none", "--port", 0), 1, "no model"),
    ],
)
def test_a_wrong_call_is_told_in_a_line(options, status, error):
    returned, told = failing(*options)
    assert (returned, error in " ".join(told.split())) == (status, True), told
    assert "Traceback" not in told


def test_a_port_that_is_taken_is_told(server):
    status, told = failing("--port", server.port)
    assert status == 1
    assert told.startswith(f"error: cannot listen at 127.0.0.1, port {server.port} (Address already in use); choose ")
    assert told.count("\n") == 1


def test_a_missing_extra_is_told(tmp_path):
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError(name='starlette')")
    command = [sys.executable, "-m", "recognizer", "serve"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "pip install 'recognizer[serve]'" in done.stderr


def test_it_ends_in_order_while_streams_are_open(tmp_path):
    with serving(RECOGNIZER_HOME=str(tmp_path)) as server:
        with open_stream(server) as line:
            line.send(as_bytes(SEVEN, 16000))
            server.process.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed):
                list(line)
            assert line.close_code == 1012
        server.process.wait(30)
