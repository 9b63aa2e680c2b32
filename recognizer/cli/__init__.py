"""The command line: one file a command, each of which parses, calls and prints."""

from __future__ import annotations

import sys

import typer

from recognizer.cli import (
    align,
    batch,
    devices,
    enroll,
    evaluate,
    export,
    importing,
    live,
    models,
    record,
    speakers,
    train,
)

app = typer.Typer(
    name="recognizer",
    help="Recognise single spoken words: private, offline, trainable on a handful of recordings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would double the time to --help
)
app.command()(live.live)
app.command()(batch.batch)
app.command()(train.train)
app.command()(record.record)
app.command()(enroll.enroll)
app.command()(evaluate.evaluate)
app.command()(align.align)
app.command()(export.export)
app.command("import")(importing.import_)
app.command()(devices.devices)
app.add_typer(models.app, name="models")
app.add_typer(speakers.app, name="speakers")


def main() -> None:
    """Entry point of the console script."""
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may not be text of any encoding
    app()
