"""The command line: one file a command, each of which parses, calls and prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from click import HelpFormatter

UsageError = typer.BadParameter.__base__  # click's, or what typer has instead
# In the order of the help: the module and the name in it of a command or a group, and what it does. What is not called
# is not imported, which would take three quarters of the time to --help.
COMMANDS = {
    "live": ("live:live", "Recognise words as they are spoken, until Ctrl-C."),
    "batch": ("batch:batch", "Recognise the word in every recording."),
    "transcribe": ("transcribe:transcribe", "Recognise all words of long recordings, and tell when each is said."),
    "train": ("train:train", "Train a model on labelled recordings."),
    "record": ("record:record", "Record words to train a model from."),
    "cut": ("cut:cut", "Cut recordings of known words into takes, as a corpus to train from."),
    "enroll": ("enroll:enroll", "Fit a model to a voice, at the microphone or from recordings."),
    "evaluate": ("evaluate:evaluate", "Measure accuracy on labelled recordings, and how many are rejected."),
    "align": ("align:align", "Show where each state of a word begins and ends in a recording, in seconds."),
    "export": ("export:export", "Write a model, and the features of recordings, for HTK and Julius."),
    "import": (
        "importing:import_",
        "Read a model that was made with HTK; it recognises parameter files of the kind it was trained on.",
    ),
    "devices": ("devices:devices", "List the microphones, or test one."),
    "models": ("models:app", "List the installed models, show one, or compare two."),
    "speakers": (
        "speakers:app",
        "List, show, rename, remove, move or refresh the speakers that are enrolled, or forget takes.",
    ),
}


def _watched(call: Callable, *errors: type[Exception]) -> Callable:
    """Tell what goes wrong while a command is found and its options are read, or its help is printed."""

    @wraps(call)
    def watched(*args: object, **kwargs: object) -> object:
        try:
            return call(*args, **kwargs)
        except errors as error:
            from recognizer.cli.reporting import tell_of_call

            tell_of_call(error)

    return watched


class Commands(Mapping):
    """All commands by name, each imported when it is asked for."""

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        place, _ = COMMANDS[name]
        module, attribute = place.split(":")
        found = getattr(import_module(f"recognizer.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(name)(found)
            found = alone
        command = typer.main.get_command(found)
        for each in (command, *getattr(command, "commands", {}).values()):
            each.make_context = _watched(each.make_context, OSError)
            for parameter in each.params:
                if parameter.type.name == "path":
                    parameter.callback = _named
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _named(context: typer.Context, parameter: typer.CallbackParam, value: object) -> object:
    """What a path parameter was given, unless that is empty: an empty path would be the present folder."""
    if "" in (value if isinstance(value, list | tuple) else [value]):
        raise typer.BadParameter("the name is empty; write one, or . for the folder you are in", context, parameter)
    return value


class Program(TyperGroup):
    """The program, whose help needs none of its commands."""

    def __init__(self, **attributes: object) -> None:
        super().__init__(**attributes)
        self.commands = Commands()

    def list_commands(self, ctx: typer.Context) -> list[str]:
        return list(self.commands)

    make_context = _watched(TyperGroup.make_context, UsageError, OSError)
    invoke = _watched(TyperGroup.invoke, UsageError)

    def format_commands(self, ctx: typer.Context, formatter: HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


app = typer.Typer(
    cls=Program,
    name="recognizer",
    help="Recognise single spoken words: private, offline, trainable on a handful of recordings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would double the time to --help
)


@app.callback()
def recognizer() -> None:
    """Nothing that the commands share: without this, there would be no group."""


def main() -> None:
    """Entry point of the console script."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from recognizer.cli.streams import open_missing

        open_missing()
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may not be text of any encoding
    app()
