"""The unit and the image that docs/home.md tells of: their calls are calls of the program, and nothing is missing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

from recognizer.cli import app

REPOSITORY = Path(__file__).resolve().parents[2]
UNIT, IMAGE = REPOSITORY / "docs" / "recognizer.service", REPOSITORY / "docs" / "Containerfile"
# What training, evaluation and pictures alone need, see docs/install.md.
NOT_TO_SERVE = {"scipy", "scikit-learn", "librosa", "joblib", "threadpoolctl"}
EXPOSURE = 15  # tenths of what `systemd-analyze security` counts, at most: under 2 is its best class


def calls() -> dict[str, list[str]]:
    (started,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    (entered,) = re.findall(r"^ENTRYPOINT (.*)$", IMAGE.read_text(), re.MULTILINE)
    (edited,) = re.findall(r"^ExecStart=(/.*)$", (REPOSITORY / "docs" / "home.md").read_text(), re.MULTILINE)
    return {"unit": started.split(), "image": json.loads(entered), "page": edited.split()}


@pytest.mark.parametrize("where", calls())
def test_what_is_started_is_a_call_of_the_program(where):
    place, name, *options = calls()[where]
    assert place == "/opt/recognizer/bin/recognizer"
    group = typer.main.get_command(app)
    given = group.commands[name].make_context(name, options, parent=typer.Context(group)).params
    assert given["wyoming"] == "tcp://0.0.0.0:10300"
    assert given["host"] == "127.0.0.1"


def test_the_image_has_all_that_serving_needs():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["serve"], *extras["home"]]
    names = {re.match(r"[\w-]+", requirement).group() for requirement in needed}
    text = IMAGE.read_text().replace("\\\n", " ")
    (installed,) = re.findall(r"pip install --no-cache-dir --no-compile (numpy .*?) &&", text)
    assert {re.match(r"[\w-]+", name.strip('"')).group() for name in installed.split()} == names - NOT_TO_SERVE
    (bounded,) = (requirement for requirement in needed if requirement.startswith("typer"))
    assert f'"typer<{bounded.partition("<")[2]}"' in installed


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here to judge it")
def test_the_unit_is_closed():
    call = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", UNIT]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd judges no files")
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
