"""`recognizer models`: what models there are, and what is in one."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from recognizer.cli.common import DebugOption, ExitStatus, JsonOption, QuietOption, complain, reports_errors

app = typer.Typer(help="List the installed models, or show one.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
@reports_errors
def list_models(as_json: JsonOption = False, quiet: QuietOption = False, debug: DebugOption = False) -> ExitStatus:
    """List the models that have a name."""
    from recognizer.errors import ModelError
    from recognizer.model import Model, folders, installed

    status = ExitStatus.OK
    for name, path in installed().items():
        try:
            model = Model.load(path)
        except ModelError as error:
            complain(f"error: {error}")
            status = ExitStatus.FAILED
            continue
        if as_json:
            record = {
                "name": name,
                "file": str(path),
                "words": list(model.words),
                "fingerprint": model.fingerprint,
            }
            typer.echo(json.dumps(record, ensure_ascii=False))
        else:
            typer.echo(f"{name}  {len(model.words)} words, {model.front_end.source}  {path}")
    if not installed() and not quiet:
        complain(f"no models found; put .npz files into {folders()[0]}")
    return status


@app.command()
@reports_errors
def show(
    model: Annotated[str, typer.Argument(help="Model by name, or a .npz file.", metavar="NAME|FILE")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what a model knows, how it was made and how well it does."""
    from dataclasses import asdict

    from recognizer.model import Model, locate
    from recognizer.rejection import EVIDENCE

    path = locate(model)
    loaded = Model.load(path)
    models = loaded.models
    record = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "fingerprint": loaded.fingerprint,
        "words": list(loaded.words),
        "states": models.states,
        "density": models.bank.name,
        **models.bank.summary(),
        "background_gaussians": int((models.background.weights > 0).sum()),
        "dims": models.bank.dims,
        "front_end": asdict(loaded.front_end),
        "endpointer": asdict(loaded.endpointer),
        "calibration": asdict(loaded.calibration),
        "rejection": loaded.rejection
        and {
            **dict(zip(EVIDENCE, map(float, loaded.rejection.weights))),
            "bias": loaded.rejection.bias,
            **loaded.rejection.thresholds,
            "noise_gaussians": int((loaded.rejection.noise.weights > 0).sum()),
        },
        "history": models.history,
        "card": loaded.card,
    }
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
        return ExitStatus.OK
    for key, value in record.items():
        if key == "history":
            for stage, curve in value.items():
                steps = " ".join(f"{point:.2f}" for point in curve)
                typer.echo(f"{stage}, log likelihood a frame: {steps}")
        elif isinstance(value, dict):
            typer.echo(f"{key}:")
            for name, item in value.items():
                typer.echo(f"  {name}: {_plain(item)}")
        else:
            typer.echo(f"{key}: {_plain(value)}")
    return ExitStatus.OK


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(f"{item:.4g}" if isinstance(item, float) else str(item) for item in value)
    return str(value)
