"""`recognizer align`: where each state of a word begins and ends in a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.options import (
    DebugOption,
    JsonOption,
    ModelOption,
    QuietOption,
    SpeakerOption,
    check_file,
    checked_speaker,
    png_for,
    usage_error,
)
from recognizer.cli.piped import read_from, standard_input_kept, told_of
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    complain,
    echo_wrapped,
    print_json,
    print_table,
    reports_errors,
    say,
    tell_of_channels,
    working,
    writing,
)
from recognizer.errors import AudioError, shown

if TYPE_CHECKING:
    from recognizer.evaluation.alignment import Alignment
    from recognizer.features.analysis import Analysis
    from recognizer.model import Model


@reports_errors
def align(
    file: Annotated[
        Path, typer.Argument(help="Recording of one word; - is standard input.", readable=False, allow_dash=True)
    ],
    word: Annotated[
        str | None,
        typer.Option("--word", "-w", help="What was said; the best-scoring word if not given.", show_default=False),
    ] = None,
    model: ModelOption = "digits",
    speaker: SpeakerOption = None,
    textgrid: Annotated[
        Path | None,
        typer.Option("--textgrid", help="Also write it for Praat.", metavar="FILE", show_default=False),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", help="Also draw waveform, spectrogram and states.", metavar="FILE.png", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show where each state of a word begins and ends in a recording, in seconds.

    A state is one of the pieces, in order, of which the model has built the word; the last column tells how well
    the piece fits what is heard there, the higher the better.
    """
    png_for(plot, "--plot")
    check_file(textgrid, "--textgrid")
    with standard_input_kept([file]) as kept:
        try:
            _align(file, read_from(file, kept), word, model, speaker, textgrid, plot, as_json, quiet)
        except AudioError as error:
            raise AudioError(told_of(error, kept)) from error
    return ExitStatus.OK


def _align(
    file: Path,
    sound: Path,
    word: str | None,
    model: str,
    speaker: str | None,
    textgrid: Path | None,
    plot: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Align a recording, which is read from where its sound is kept."""
    with working("reading the model and the recording", quiet, SOON):
        fitted, analysis = _read(sound, model, speaker)
    from recognizer.evaluation import alignment
    from recognizer.features.analysis import low_rate
    from recognizer.sound import audio

    front_end, source_rate = fitted.front_end, analysis.source_rate
    if not quiet and source_rate and source_rate < front_end.sample_rate:
        complain(f"warning: {low_rate(str(source_rate), front_end.sample_rate)}")
    if not quiet:
        tell_of_channels({file: analysis.channel})
    if plot is not None and source_rate is None:
        raise usage_error(f"--plot draws sound, and {shown(file)} holds none; leave it out")
    try:
        found = alignment.align(analysis, fitted, word)
    except AudioError as error:
        raise AudioError(f"{shown(file)}: {error}") from error
    for path, option, write in (
        (textgrid, "--textgrid", lambda path: alignment.write_textgrid(found, path)),
        (plot, "--plot", lambda path: alignment.write_picture(found, audio.load(sound, front_end.sample_rate), path)),
    ):
        if path is not None:
            with writing(path, option), working(f"writing {shown(path)}", quiet, SOON):
                write(path)
            if not quiet:
                complain(f"written to {shown(path)}")
    if as_json:
        print_json({"file": str(file), **found.as_json()})
    else:
        _print(shown(file), found)


def _read(file: Path, model: str, speaker: str | None) -> tuple[Model, Analysis]:
    from recognizer.recognizer import Recognizer

    fitted = Recognizer.load(model, None if speaker is None else checked_speaker(speaker)).model
    return fitted, fitted.analyser.analyse_file(file)


def _print(name: str, alignment: Alignment) -> None:
    start, end = alignment.span
    told = f"{name}: {shown(alignment.word)}, {start:.3f} to {end:.3f} s of {alignment.duration:.3f} s"
    echo_wrapped(told, 2)
    say(f"log likelihood a frame {alignment.score:.2f}")
    say()
    rows = [("state", "start", "end", "frames", "log p")]
    for s in alignment.segments:
        rows.append((s.label, f"{s.start:.3f}", f"{s.end:.3f}", str(s.frames), f"{s.log_density:.2f}"))
    print_table(rows, right={1, 2, 3, 4})
