"""Nothing leaves the computer: commands run where every connection, name lookup and listening socket is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "audio_samples"
# Sockets between processes of one machine have no address of a network.
GUARDED = """
import socket, sys
def guard(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        raise RuntimeError(f"goes out: {event} {arguments}")
    if event in ("socket.connect", "socket.bind") and arguments[0].family != getattr(socket, "AF_UNIX", None):
        raise RuntimeError(f"goes out: {event} {arguments}")
sys.addaudithook(guard)
"""
RUN = "from recognizer.cli import main; main()"
COMMANDS = [
    ["batch", str(SAMPLES), "--json"],
    ["live", "--from-file", str(SAMPLES / "seven_slt_0.wav"), "--fast", "--json"],
    ["align", str(SAMPLES / "seven_slt_0.wav")],
    ["models", "list"],
    ["models", "show", "digits"],
    ["speakers", "list"],
    ["enroll", "anna", "--from", str(SAMPLES), "--voice", "awb", "--quiet"],
    ["train", str(ROOT / "model_samples" / "commands"), "--output", "own.npz", "--quiet"],
]


def guarded(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"RECOGNIZER_HOME": str(folder / "home")}
    command = [sys.executable, "-c", GUARDED + code, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command[:2]).replace(str(ROOT), "")[:20])
def test_a_command_opens_no_connection(command, tmp_path):
    done = guarded(RUN, *command, folder=tmp_path)
    assert "goes out" not in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import urllib.request as r; r.urlopen('http://localhost:9')",
        "import socket; socket.create_connection(('::1', 9))",
    ],
)
def test_the_guard_sees_what_goes_out(code, tmp_path):
    assert "goes out" in guarded(code, folder=tmp_path).stderr
