"""The command line: one file a command, each of which parses, calls and prints."""

from __future__ import annotations

import sys
from importlib import import_module

import typer
from typer.core import TyperGroup

# Names in the order of the help, with the module of each and what it does, so that only what is called is imported.
COMMANDS = {
    "live": ("live", "Recognise words as they are spoken, until Ctrl-C."),
    "batch": ("batch", "Recognise the word in every recording."),
    "train": ("train", "Train a model on labelled recordings."),
    "record": ("record", "Record words to train a model from."),
    "enroll": ("enroll", "Fit a model to a voice, at the microphone or from recordings."),
    "evaluate": ("evaluate", "Measure accuracy on labelled recordings, see the mistakes, and hear them."),
    "align": ("align", "Show where each state of a word begins and ends in a recording, in seconds."),
    "export": ("export", "Write a model, or the features of recordings, in HTK's formats."),
    "import": ("importing", "Make a model from HTK's files, such as those of `HERest` or of `recognizer export`."),
    "devices": ("devices", "List the microphones, or test one."),
    "models": ("models", "List the installed models, show one, or compare two."),
    "speakers": (
        "speakers",
        "List, show, rename, remove, move or refresh the speakers that are enrolled, or forget takes.",
    ),
}


class Commands(TyperGroup):
    """The commands, each imported when it is called."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> typer.core.TyperCommand | TyperGroup | None:
        """The command with its options; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        app = import_module(f"recognizer.cli.{COMMANDS[cmd_name][0]}").app
        return typer.main.get_command(app)

    def format_commands(self, ctx: typer.Context, formatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


app = typer.Typer(
    cls=Commands,
    name="recognizer",
    help="Recognise single spoken words: private, offline, trainable on a handful of recordings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would double the time to --help
)


@app.callback()
def recognizer() -> None:
    """Nothing is common to the commands."""


def main() -> None:
    """Entry point of the console script."""
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may not be text of any encoding
    app(prog_name="recognizer")
