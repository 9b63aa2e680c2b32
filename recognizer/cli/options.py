"""The options that commands share, and what each names."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.errors import ModelError, NamingError, shown

if TYPE_CHECKING:
    from recognizer.parallel import Workers

FIRST_MODEL = "digits"  # where neither a call nor its user names one
RecordingsArgument = Annotated[
    list[Path],
    typer.Argument(
        help="Recordings, or folders of them; - is standard input.", readable=False, allow_dash=True, metavar="PATH"
    ),
]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="Model by name, or a .npz file.", metavar="NAME|FILE")]
SpeakerOption = Annotated[
    str | None,
    typer.Option(
        "--speaker",
        help="Use the profile of an enrolled speaker, or of a condition: anna, anna@cold.",
        metavar="NAME",
        show_default=False,
    ),
]
LayoutOption = Annotated[
    str | None,
    typer.Option(
        "--layout",
        help="How recordings are named, such as '{word}/{speaker}_{take}'; * is what does not matter.",
        metavar="PATTERN",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", help="Processes to use; 0 for one a core.", min=0, metavar="N")
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        help="Let other computers do the work: the address of a Dask scheduler, such as tcp://10.0.0.5:8786.",
        metavar="ADDRESS",
        show_default=False,
    ),
]
WordsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--words",
        help="Only choose from these words; may be given more than once, for words with commas.",
        metavar="A,B,C",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="Microphone by index or part of its name.", metavar="N|NAME", show_default=False),
]
WithoutTerminalOption = Annotated[
    bool,
    typer.Option("--without-terminal", help="Ask for words though no terminal shows them: somebody reads the output."),
]
ThresholdOption = Annotated[
    str,
    typer.Option(
        "--threshold",
        help="How sure an answer must be: strict, normal, lenient, or a probability from 0 (never reject) to 1.",
        metavar="strict|normal|lenient|NUMBER",
    ),
]
HangoverOption = Annotated[
    int, typer.Option("--hangover", help="Silence that ends a word.", min=100, max=2000, metavar="MS")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no warnings.")]
AdaptOption = Annotated[
    bool, typer.Option("--adapt", help="First adapt to the recordings, by what is surely said in them.")
]
DetailsOption = Annotated[bool, typer.Option("--details", help="Also tell the method and its parameters.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def usage_error(message: str) -> typer.BadParameter:
    """An error in how the command was called: exit status 2."""
    return typer.BadParameter(message)


@contextmanager
def names_checked() -> Iterator[None]:
    """A name that nothing can have is wrong usage."""
    try:
        yield
    except NamingError as error:
        from recognizer.cli.reporting import with_options

        raise usage_error(with_options(str(error))) from error


def checked_speaker(name: str) -> str:
    """A speaker's name, as it is kept; one that can be nobody's is wrong usage."""
    from recognizer.speakers import store

    with names_checked():
        return store.checked(name)


def lasting_name(model: str) -> str:
    """The name of a model, which a profile remembers: a file's holds in any folder."""
    from recognizer.model import locate

    path = locate(model)
    return os.path.abspath(path) if Path(model) == path else model


def threshold_of(option: str) -> str | float:
    """What `--threshold` names: an operating point, or a number from 0 to 1."""
    from recognizer.recognition.chosen import operating_point

    try:
        return operating_point(option, f"--threshold {shown(option)}")
    except ModelError as error:
        raise usage_error(str(error)) from error


def workers(jobs: int) -> int:
    """Number of processes that `--jobs` asks for."""
    if jobs:
        return jobs
    import joblib

    return joblib.cpu_count()


@contextmanager
def at_work(jobs: int, cluster: str | None) -> Iterator[int | Workers]:
    """Who does the work: so many processes, or the computers of a cluster."""
    if cluster is None:
        yield workers(jobs)
        return
    if jobs != 1:
        raise usage_error("--jobs is for this computer, and --cluster for others; leave one out")
    from recognizer.parallel.cluster import Cluster

    with Cluster(cluster) as them:
        yield them


def check_file(path: Path | None, option: str, suffix: str = "", recordings: Collection[Path] = ()) -> None:
    """Refuse, before anything is done, a file that could not be written in the end.

    Parameters
    ----------
    path : of the file; None where there is none to write
    option : that names it, or `FILE` where it is an argument
    suffix : that the name must have
    recordings : that are read, none of which it may be
    """
    if path is None:
        return
    name = f"{option} {shown(path)}"
    if suffix and path.suffix != suffix:
        raise usage_error(f"{name} must end in {suffix}")
    if os.path.lexists(path.parent) and not path.parent.is_dir():
        raise usage_error(f"{name}: {shown(path.parent)} is no folder; choose another")
    if not path.parent.is_dir():
        raise usage_error(f"{name}: the folder {shown(path.parent)} does not exist; make it first")
    if path.is_dir():
        raise usage_error(f"{name} is a folder; name a file")
    if path.exists() and not path.is_file():
        raise usage_error(f"{name} is a device or a pipe; name a file")
    if os.path.abspath(path) in {os.path.abspath(recording) for recording in recordings}:
        raise usage_error(f"{name} is the recording itself; choose another")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise usage_error(f"{name}: no permission to write into {shown(path.parent)}; choose another")


def check_folder(path: Path | None, option: str, within: Sequence[Path] = ()) -> None:
    """Refuse, before anything is done, a folder that could not be written to, or not be made, in the end.

    Parameters
    ----------
    path : of the folder; None where there is none to write to
    option : that names it
    within : folders in it that are to be written to, too
    """
    for folder in () if path is None else (path, *within):
        standing = standing_folder(folder)
        if not standing.is_dir():
            raise usage_error(f"{option} {shown(path)}: {shown(standing)} is no folder; choose a folder to write to")
        if not os.access(standing, os.R_OK | os.W_OK | os.X_OK):
            raise usage_error(f"{option} {shown(path)}: no permission to write into {shown(standing)}; choose another")


def standing_folder(folder: Path) -> Path:
    """The folder itself, or the nearest above it that there is."""
    standing = folder.absolute()
    while not os.path.lexists(standing):
        standing = standing.parent
    return standing


def png_for(path: Path | None, option: str) -> None:
    """Check, before anything is done, that a picture can be drawn, written, and has a name that says what it is."""
    if path is None:
        return
    if path.suffix.lower() != ".png":
        raise usage_error(f"{option} {shown(path)} does not end in .png; pictures are PNG files")
    check_file(path, option)
    from recognizer.files.pictures import require_matplotlib

    require_matplotlib()
