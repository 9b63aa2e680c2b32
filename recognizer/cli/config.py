"""`recognizer config`: the user's own defaults, and where they are written."""

from __future__ import annotations

import json
import os
import shlex

import typer

from recognizer.cli import defaults
from recognizer.cli.options import DebugOption, JsonOption, QuietOption
from recognizer.cli.reporting import complain, print_json, reports_errors, say
from recognizer.errors import shown


@reports_errors
def config(
    context: typer.Context,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show your own defaults of options, and the file that they are written in.

    Write one option a line, such as model = "kitchen", for all commands that have it; below a line such as [live],
    those of one command. What a call says comes first, then the variable RECOGNIZER_MODEL, then the file.
    """
    defaults.check(context.find_root().command.commands)
    said, file, variable = defaults.read(), defaults.file(), os.environ.get(defaults.MODEL)
    if as_json:
        print_json({"file": str(file), "exists": file.exists(), "settings": said, defaults.MODEL: variable})
        return
    say(f"file: {shown(file)}")
    for line in _lines(said):
        say(line)
    if variable:
        say(f"{defaults.MODEL}={shlex.quote(variable)}")
    if not said and not quiet:
        complain('nothing is set; write lines such as model = "kitchen" into that file')


def _lines(said: dict, heading: str = "") -> list[str]:
    """What is set as one would write it: that of all commands, then that of each."""
    plain = {key: value for key, value in said.items() if not isinstance(value, dict)}
    lines = [f"[{heading}]"] if heading and plain else []
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    for key, value in said.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{heading}.{key}" if heading else key)
    return lines
