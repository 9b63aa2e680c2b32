"""The service takes whatever comes: calls made from its own description, and messages that make no sense."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Server, serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[2]
SEVEN = ROOT / "audio_samples" / "seven_slt_0.wav"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """Whose end tells whether something was printed: a traceback of an error that no caller saw."""
    with serving(RECOGNIZER_HOME=str(tmp_path_factory.mktemp("home"))) as started:
        yield started


@pytest.mark.slow
def test_calls_made_from_the_description_get_what_it_says(server, tmp_path):
    """No 500, no status, type or header that is not described; what makes no sense is never taken."""
    command = [Path(sys.executable).parent / "st", "run", f"{server.address}openapi.json", "--max-examples", "160"]
    command += ["--exclude-checks", "positive_data_acceptance", "--seed", "1"]  # no scheme tells what is sound
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=1200)
    assert done.returncode == 0, done.stdout[-5000:]
    assert int(re.search(r"(\d+) generated", done.stdout)[1]) >= 5000
    assert server.ask("/v1/recognize", SEVEN.read_bytes()).data["word"] == "seven"


def nonsense(source: random.Random) -> str | bytes:
    """A message that is no sound, no command, or neither whole."""
    kind = source.randrange(6)
    if kind == 0:
        return source.randbytes(source.randrange(4000))
    if kind == 1:
        return "".join(chr(source.randrange(1, 0xD800)) for _ in range(source.randrange(300)))
    if kind == 2:
        return json.dumps(
            {source.choice(["command", "event", ""]): source.choice(["finish", "undo", 3, None, [], "x"])}
        )
    if kind == 3:
        return json.dumps({"command": "finish"})[: source.randrange(20)]
    if kind == 4:
        return b"\xff\x7f" * source.randrange(20_000)
    return '{"command": "undo"}'


@pytest.mark.slow
def test_messages_that_make_no_sense_leave_nothing_behind(server):
    source, sent = random.Random(0), 0
    while sent < 2000:
        rate = source.choice([1000, 8000, 16000, 44100, 192000, 384_000])
        with connect(server.socket(f"/v1/stream?rate={rate}&adapt={source.choice(['true', 'false'])}")) as line:
            try:
                for _ in range(source.randrange(1, 30)):
                    line.send(nonsense(source))
                    sent += 1
                line.send('{"command": "finish"}')
                last = list(line)[-1]
            except ConnectionClosed:
                continue
            assert json.loads(last)["event"] in ("end", "error")
    for _ in range(100):
        if server.ask("/healthz").data["streams"] == 0:
            break
    assert server.ask("/healthz").data["streams"] == 0
    assert server.ask("/v1/recognize", SEVEN.read_bytes()).data["word"] == "seven"
