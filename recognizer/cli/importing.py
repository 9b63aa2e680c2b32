"""`recognizer import`: a model that was made with HTK."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recognizer.cli.options import DebugOption, JsonOption, QuietOption, check_file, usage_error
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    complain,
    counted,
    does_work,
    echo_wrapped,
    print_json,
    working,
)
from recognizer.errors import listed, shown


@does_work
def import_(
    file: Annotated[Path, typer.Argument(help="HMM definitions in HTK's ASCII format (MMF).", readable=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The model file to write; by default among your own models, under the name of FILE.",
            metavar="FILE.npz",
            show_default=False,
        ),
    ] = None,
    dictionary: Annotated[
        Path | None,
        typer.Option(
            help="What the HMMs stand for, a line each: a word, then the name of its HMM.",
            metavar="FILE",
            readable=False,
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Read a model that was made with HTK; it recognises parameter files of the kind it was trained on."""
    check_file(output, "--output", ".npz")

    from recognizer.htk import exchange
    from recognizer.model import folders, installed
    from recognizer.own_models import make_folder

    own = folders()[0] / f"{file.stem}.npz"
    if output is None and installed().get(file.stem, own) != own:
        raise usage_error(
            f"{shown(file)} would hide the model {shown(file.stem)}; rename it, or say with --output where to write it"
        )
    with working("reading the models", quiet, SOON):
        model = exchange.import_model(file, dictionary)
    if output is None:
        output = own
        make_folder(own.parent, "say with --output where to write")
    model.save(output)
    if as_json:
        record = {
            "model": str(output),
            "words": list(model.words),
            "kind": model.front_end.kind,
            "dims": model.front_end.dims,
        }
        print_json(record)
    else:
        words = counted(len(model.words), "word")
        echo_wrapped(f"{shown(output)}: {words}, {model.acoustics.bank.name}, for {model.front_end.source}", 2)
        echo_wrapped(f"words: {listed(model.words, len(model.words))}", 2)
    renamed = [word for word in model.words if word.startswith(exchange.RENAMED)]
    if renamed and not quiet and (beside := file.parent / exchange.DICTIONARY).is_file():
        complain(f"{shown(renamed[0])} is the name of an HMM; --dictionary {shown(beside)} tells what it stands for")
    return ExitStatus.OK
