"""The command line: one file a command, each of which parses, calls and prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

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
    "serve": ("serve:serve", "Serve a page to speak to, and recognition to other programs, until Ctrl-C."),
    "check": ("check:check", "Tell what is in a corpus and what is wrong with it, without training anything."),
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
    "models": (
        "models:app",
        "List the models that have a name, add, rename or remove your own, choose the default, show or compare some.",
    ),
    "speakers": (
        "speakers:app",
        "List, show, rename, remove, move or refresh the speakers that are enrolled, or forget takes.",
    ),
    "config": ("config:config", "Show your own defaults of options, and the file that they are written in."),
    "completion": ("completion:completion", "Print what lets a shell complete commands, options and names."),
}
PLACEHOLDERS = {"int": "N", "float": "X", "path": "PATH"}  # by what the names of types begin with
WILDCARDS = "*?["
# A thread for every core, to multiply matrices as small as these, means waiting for the slowest of them: beside another
# program that works, a command takes far longer (recipes/scale). Cores are used by --jobs.
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def _watched(call: Callable, *errors: type[Exception]) -> Callable:
    """Tell what goes wrong while a command is found and its options are read, or its help is printed."""

    @wraps(call)
    def watched(*args: object, **kwargs: object) -> object:
        try:
            return call(*args, **kwargs)
        except errors as error:
            from recognizer.cli.defaults import tell_origin
            from recognizer.cli.reporting import tell_of_call

            tell_origin(error)
            tell_of_call(error)

    return watched


class Commands(Mapping):
    """All commands by name, each imported when it is asked for."""

    summaries = COMMANDS

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        place, _ = COMMANDS[name]
        module, attribute = place.split(":")
        found = getattr(import_module(f"recognizer.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(name)(found)
            found = alone
        command = typer.main.get_command(found)
        below = getattr(command, "commands", {})
        for child in below.values():
            child.short_help = " ".join(child.help.split("\n\n")[0].split())  # whole: the help of the group has room
        for names, each in (((name,), command), *(((name, other), child) for other, child in below.items())):
            make = each.make_context if each is command and below else self._with_defaults(names, each)
            each.make_context = _watched(make, OSError)
            each.format_epilog = _examples(names)
            for parameter in each.params:
                _complete(parameter)
        return command

    def _with_defaults(self, names: tuple[str, ...], command: TyperCommand) -> Callable:
        """How a command reads its options: what a call leaves out is as its user wants it."""
        make = command.make_context

        @wraps(make)
        def make_context(name: str, args: list[str], parent: typer.Context, **extra: object) -> typer.Context:
            from recognizer.cli import defaults

            context = make(name, args, parent, default_map=defaults.of(names, command, self), **extra)
            defaults.give_way(names, context)
            return context

        return make_context

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _examples(names: tuple[str, ...]) -> Callable:
    """What writes the examples of a command at the end of its help."""

    def write(context: typer.Context, formatter: HelpFormatter) -> None:
        from recognizer.cli.examples import EXAMPLES

        if lines := EXAMPLES.get(" ".join(names)):
            with formatter.section("Examples"):
                for line in lines:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")

    return write


def _complete(parameter: typer.CallbackParam) -> None:
    """Name what a parameter takes, where its command does not, and look at the paths that it is given."""
    if parameter.metavar is None:
        kinds = (sign for kind, sign in PLACEHOLDERS.items() if parameter.type.name.startswith(kind))
        is_argument = parameter.param_type_name == "argument"
        parameter.metavar = parameter.name.upper() if is_argument else next(kinds, "TEXT")
    if parameter.nargs == -1 and "..." not in parameter.metavar:
        parameter.metavar += "..."
    if parameter.type.name == "path":
        parameter.callback = _named


def _named(context: typer.Context, parameter: typer.CallbackParam, value: object) -> object:
    """What a path parameter was given, unless that is empty: an empty path would be the present folder.

    Of files to read, patterns are replaced by what fits them, which is the shell's work only in some systems.
    """
    paths = value if isinstance(value, list | tuple) else [value]
    if "" in paths:
        raise typer.BadParameter("the name is empty; write one, or . for the folder you are in", context, parameter)
    if parameter.param_type_name != "argument" or parameter.type.readable:  # an option, or a file to write
        return value
    found = [each for path in paths for each in _fitting(path, context, parameter)]
    if parameter.nargs == -1:
        return found
    if len(found) > 1:
        told = f"fits {len(found)} files, and one is wanted; write its name"
        raise typer.BadParameter(f"{paths[0]} {told}", context, parameter)
    return found[0]


def _fitting(path: str | None, context: typer.Context, parameter: typer.CallbackParam) -> list[str | None]:
    """All that a pattern fits, by name; what is no pattern, or is there as it is written, is itself."""
    if path is None or not any(sign in path for sign in WILDCARDS) or os.path.lexists(path):
        return [path]
    from glob import glob

    if found := sorted(glob(path, recursive=True)):
        return found
    raise typer.BadParameter(f"nothing fits {path}; look with what it begins, or name a folder", context, parameter)


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
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Recognise single spoken words: private, offline, trainable on a handful of recordings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would double the time to --help
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from recognizer.cli.reporting import say

        say(f"recognizer {import_module('recognizer').__version__}")
        raise typer.Exit


@app.callback()
def recognizer(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Show the version and exit.", is_eager=True, callback=_tell_version),
    ] = False,
) -> None:
    """Nothing that the commands share: without this, there would be no group."""


def main() -> None:
    """Entry point of the console script."""
    for name in BLAS_THREADS:  # which NumPy's library heeds if they are there before it is loaded
        os.environ.setdefault(name, "1")
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from recognizer.cli.streams import open_missing

        open_missing()
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may not be text of any encoding
    app(prog_name="recognizer")  # also where it is a module of python that is run
