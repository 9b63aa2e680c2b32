"""`recognizer export`: a model, and features, in the formats of HTK."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recognizer.cli.options import (
    DebugOption,
    JobsOption,
    JsonOption,
    QuietOption,
    check_folder,
    usage_error,
    workers,
)
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    complain,
    counted,
    does_work,
    print_json,
    progress_bar,
    say,
    working,
    writing,
)
from recognizer.errors import shown


@does_work
def export(
    model: Annotated[str, typer.Argument(help="Model by name, or a .npz file.", metavar="NAME|FILE")],
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Recordings, or folders of them, whose features are to be written.",
            metavar="[PATH]...",
            readable=False,
        ),
    ] = None,
    htk: Annotated[
        Path | None,
        typer.Option(
            "--htk",
            help="File for the models, in HTK's ASCII format (MMF). Beside it go network.slf, dict.txt and models.list "
            "for HVite, and words.dict for Julius.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    parameters: Annotated[
        Path | None,
        typer.Option(
            "--parameters",
            help="Folder for the recordings' features, as HTK's parameter files (.mfc).",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    jobs: JobsOption = 1,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Write a model, and the features of recordings, for HTK and Julius."""
    if htk is None and parameters is None:
        raise usage_error(
            "say what to write: --htk FILE for the models, --parameters FOLDER for features of recordings"
        )
    if parameters is not None and not recordings:
        raise usage_error(f"--parameters {shown(parameters)} needs recordings: name files or folders after the model")
    if recordings and parameters is None:
        raise usage_error("recordings were named; say with --parameters FOLDER where to write their features")
    if htk is not None and htk.is_dir():
        raise usage_error(f"--htk {shown(htk)} is a folder; name a file, such as {shown(htk / 'models.mmf')}")
    check_folder(htk and htk.parent, "--htk")
    if parameters is not None and parameters.exists() and not parameters.is_dir():
        raise usage_error(f"--parameters {shown(parameters)} is a file; name a folder")
    check_folder(parameters, "--parameters")

    written, refused = [], []
    with working("writing the models" if htk else "reading the model", quiet, SOON):
        from recognizer.htk import exchange
        from recognizer.model import Model, locate

        loaded = Model.load(locate(model))
        files = exchange.parameter_paths(recordings or [], parameters) if recordings else {}
        if htk is not None:
            with writing(htk, "--htk"):
                written = exchange.export_model(loaded, htk)
    with progress_bar(quiet or not files) as progress:
        progress("features", 0, len(files))
        found = exchange.export_parameters(loaded, files, jobs=workers(jobs))
        for done, error in enumerate(found, 1):
            progress("features", done, len(files))
            if error:
                refused.append(error)
    if as_json:
        record = {"files": [str(path) for path in written], "parameters": len(files) - len(refused), "errors": refused}
        print_json(record)
    else:
        for path in written:
            say(shown(path))
        if count := len(files) - len(refused):
            say(f"{shown(parameters)}: {counted(count, 'parameter file')}")
    for error in refused:
        complain(f"error: {error}")
    return ExitStatus.FAILED if refused else ExitStatus.OK
