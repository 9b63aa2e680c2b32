"""What the docs tell other programs to do is done, against a server of our own."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from serving import Server, serving

ROOT = Path(__file__).resolve().parents[2]
SERVICE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
USUAL = "127.0.0.1:8740"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Server:
    with serving(RECOGNIZER_HOME=str(tmp_path_factory.mktemp("home"))) as started:
        yield started


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", SERVICE, flags=re.MULTILINE | re.DOTALL)


def test_a_call_from_a_shell(server):
    (call,) = examples("sh")
    command = shlex.split(call.replace(USUAL, f"127.0.0.1:{server.port}"))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    [told] = re.findall(r"^    (\{\"word\".*\})$", SERVICE, flags=re.MULTILINE)
    shown = json.loads(told.replace("[...]", "[]").replace(",...", ""))
    answer = json.loads(done.stdout)
    assert {name: answer[name] for name in shown if name != "nbest"} == {n: v for n, v in shown.items() if n != "nbest"}


def test_a_program_in_python(server, capsys, monkeypatch):
    (program,) = examples("python")
    assert f"ws://{USUAL}" in program
    names: dict = {}
    exec(compile(program, "docs/service.md", "exec"), names)
    monkeypatch.chdir(ROOT)
    asyncio.run(names["main"](f"ws://127.0.0.1:{server.port}"))
    assert re.fullmatch(r"seven 0\.9\d+\n", capsys.readouterr().out)


def test_every_address_is_told_of_here_and_in_the_description(server):
    document = server.ask("/openapi.json").data
    pages = SERVICE + (ROOT / "docs" / "page.md").read_text(encoding="utf-8")
    told = {path.replace("NAME", "{name}") for path in re.findall(r"(/v1/[\w/{}]+|/healthz)", pages)}
    assert {path for path in document["paths"] if path.startswith("/v1/")} - told == set()
    assert document["openapi"].startswith("3.1")
