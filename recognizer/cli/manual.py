"""The page of the manual, recognizer(1), from the help of all commands: `python -m recognizer.cli.manual` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from recognizer.cli import app
from recognizer.cli.defaults import FILE, MODEL
from recognizer.cli.examples import EXAMPLES
from recognizer.cli.reporting import say

if TYPE_CHECKING:
    from typer import CallbackParam
    from typer.core import TyperCommand, TyperGroup

FILES = (
    (
        FILE,
        "Defaults of options, as `recognizer config` shows them, in the folder of your own data: RECOGNIZER_HOME, "
        "or the system's place for programs' data.",
    ),
    ("models/", "Your own models, in the same folder."),
    ("speakers/", "Profiles and takes of those who enrolled, in the same folder. Nobody but you may read it."),
)
VARIABLES = (
    ("RECOGNIZER_HOME", "The folder of your own models, speakers and defaults."),
    (MODEL, "The model of every call that names none. It comes before the file of defaults."),
)
STATUS = (
    ("0", "All went well."),
    ("1", "Something failed; the rest was done."),
    ("2", "The call was wrong."),
    ("130", "It was interrupted."),
)


def page() -> str:
    """The page in the language of man(7)."""
    program = typer.main.get_command(app)
    return "\n".join(_lines(program)) + "\n"


def _lines(program: TyperGroup) -> Iterator[str]:
    about = _escaped(program.help)
    yield f'.TH RECOGNIZER 1 "" "recognizer {import_module("recognizer").__version__}" "User Commands"'
    yield from (".SH NAME", rf"recognizer \- {about[0].lower()}{about[1:].rstrip('.')}")
    yield from (".SH SYNOPSIS", r".B recognizer", r"\fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]...")
    yield from (".SH DESCRIPTION", about, ".PP")
    yield r"Each command tells of itself with \fB\-\-help\fR."
    yield ".SH OPTIONS"
    yield from _parameters(program)
    yield ".SH COMMANDS"
    for name, command in program.commands.items():
        yield from _command(("recognizer", name), command)
        for below, child in getattr(command, "commands", {}).items():
            yield from _command(("recognizer", name, below), child)
    for title, items in (("FILES", FILES), ("ENVIRONMENT", VARIABLES), ("EXIT STATUS", STATUS)):
        yield f".SH {title}"
        for term, text in items:
            yield from (".TP", rf"\fB{_escaped(term)}\fR", _escaped(text))


def _command(names: tuple[str, ...], command: TyperCommand | TyperGroup) -> Iterator[str]:
    """How a command is called, what it does, its options, and examples; a group has none beside those of its own."""
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    called = "".join(rf" \fI{_escaped(_placeholder(each))}\fR" for each in arguments if not each.hidden)
    if hasattr(command, "commands"):
        called = r" \fICOMMAND\fR"
    yield f'.SS "{" ".join(names)}{called}"'
    for number, paragraph in enumerate(command.help.split("\n\n")):
        yield from ([".PP"] if number else []) + [_escaped(" ".join(paragraph.split()))]
    yield from _parameters(command)
    if not hasattr(command, "commands") and (lines := EXAMPLES.get(" ".join(names[1:]))):
        yield from (".PP", "Examples:", ".PP", ".nf", ".RS", *map(_escaped, lines), ".RE", ".fi")


def _parameters(command: TyperCommand | TyperGroup) -> Iterator[str]:
    for parameter in command.params:
        if not getattr(parameter, "hidden", False):
            yield from (".TP", _term(parameter), _escaped(_told(parameter)))


def _term(parameter: CallbackParam) -> str:
    if parameter.param_type_name == "argument":
        return rf"\fI{_escaped(_placeholder(parameter))}\fR"
    names = ", ".join(rf"\fB{_escaped(name)}\fR" for name in parameter.opts)
    return names if parameter.is_flag else rf"{names} \fI{_escaped(parameter.metavar)}\fR"


def _placeholder(argument: CallbackParam) -> str:
    return argument.metavar if argument.required or argument.metavar.startswith("[") else f"[{argument.metavar}]"


def _told(parameter: CallbackParam) -> str:
    """The help of a parameter, with the least and the most that it may be, and what it is where it is left out."""
    ends = [getattr(parameter.type, end, None) for end in ("min", "max")]
    notes = []
    if ends != [None, None]:
        least, most = (None if end is None else f"{end:g}" for end in ends)
        notes.append(f"from {least} to {most}" if None not in (least, most) else f"{least} or more")
    if parameter.show_default and parameter.default not in (None, False):
        notes.append(f"{parameter.default} by default")
    return parameter.help + (f" ({'; '.join(notes)})" if notes else "")


def _escaped(text: str) -> str:
    """A text that man(7) takes as it is, in ASCII as far as the text is."""
    text = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    text = text.replace("'", r"\(aq").replace("`", r"\(ga").replace("^", r"\(ha").replace("~", r"\(ti")
    return rf"\&{text}" if text.startswith(".") else text


if __name__ == "__main__":
    for line in page().splitlines():
        say(line)
