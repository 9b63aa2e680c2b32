"""`recognizer cut`: takes of single words out of recordings of several."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.options import (
    DebugOption,
    JsonOption,
    ModelOption,
    QuietOption,
    SpeakerOption,
    checked_speaker,
    usage_error,
)
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    counted,
    print_json,
    print_table,
    progress_bar,
    reports_errors,
    say,
    tell_of_channels,
    tell_of_refusals,
    warn_of_low_rates,
    working,
    writing,
)
from recognizer.errors import AudioError, CorpusError, NamingError, cited, shown

if TYPE_CHECKING:
    from recognizer.training.cutting import Cut, CutRecording, Neighbour
    from recognizer.training.transcripts import Sentence


@reports_errors
def cut(
    file: Annotated[
        Path | None,
        typer.Argument(help="Recording of known words; of a transcript, all if not given.", readable=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the takes, new or empty; without it they are only told of.",
            metavar="FOLDER",
            readable=False,
            show_default=False,
        ),
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(
            "--words",
            "-w",
            help="What is said in it, in order; a number digit by digit.",
            metavar='"A B C"',
            show_default=False,
        ),
    ] = None,
    transcript: Annotated[
        Path | None,
        typer.Option(
            "--transcript",
            help="Table of what is said in which recording: path, words and, if known, speaker.",
            metavar="FILE.csv",
            readable=False,
            show_default=False,
        ),
    ] = None,
    column: Annotated[str, typer.Option(help="Column of the transcript that has the words.", metavar="NAME")] = "words",
    voice: Annotated[
        str | None,
        typer.Option(
            help="Who speaks, for the takes' names; else as the transcript or the recording's name tells.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = "digits",
    speaker: SpeakerOption = None,
    fit: Annotated[
        float | None,
        typer.Option(help="The least that a word must fit to be kept.", metavar="NUMBER", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Cut recordings of known words into takes, as a corpus to train from.

    Tells of each word where it is, how well it fits there (over 0, nothing fits better), and what is beside it. What
    does not fit is left out.
    """
    if (words is None) == (transcript is None):
        raise usage_error('say what is said, with either --words "A B C" or --transcript FILE.csv')
    if transcript is None and file is None:
        raise usage_error("--words needs the recording in which they are said; name it before")
    if fit is not None and fit != fit:
        raise usage_error("--fit nan is no number; give one, such as -2")
    voice = None if voice is None else _checked_voice(voice)
    if output is not None:
        _check_folder(output)
    with working("reading the model", quiet, SOON):
        from recognizer.recognizer import Recognizer
        from recognizer.training import cutting

        fitted = Recognizer.load(model, None if speaker is None else checked_speaker(speaker)).model
    sentences = _sentences(file, words, transcript, column, voice, fitted.words)
    least = cutting.LEAST_FIT if fit is None else fit
    with progress_bar(quiet) as progress, writing(output, "--output") if output else nullcontext():
        progress("cutting", 0, len(sentences))
        found = cutting.cut_corpus(
            sentences, fitted, output, least_fit=least, progress=lambda done: progress("cutting", done, len(sentences))
        )
    if not quiet:
        warn_of_low_rates(Counter(each.source_rate for each in found), fitted.front_end)
        tell_of_channels({each.sentence.path: each.channel for each in found})
    for each in found:
        if as_json:
            print_json(each.as_json())
        elif not each.error:
            _print(each)
    errors = [each.error for each in found if each.error]
    if len(found) == 1 and errors and not as_json:
        raise AudioError(errors[0])
    tell_of_refusals(errors)
    cuts = [one for each in found for one in each.cuts]
    kept = sum(one.reason is None for one in cuts)
    if not as_json and cuts:
        _sum_up(found, kept, len(cuts), output)
    return ExitStatus.FAILED if not kept or errors else ExitStatus.OK


def _checked_voice(name: str) -> str:
    """The name, which can be part of a file's and is read from there as it is."""
    from recognizer.corpus.layouts import SPEAKER_MARK
    from recognizer.files.naming import checked_name

    try:
        name = checked_name(name, "voice")
    except NamingError as error:
        raise usage_error(str(error)) from error
    if SPEAKER_MARK in f"{name}_":
        raise usage_error(
            f"voice {cited(name)} has {SPEAKER_MARK[:-1]!r} in it, which divides names of files; leave it out"
        )
    return name


def _check_folder(output: Path) -> None:
    """Refuse, before anything is done, a folder that cannot be made, or that has something in it."""
    name = f"--output {shown(output)}"
    if os.path.lexists(output):
        if not output.is_dir():
            raise usage_error(f"{name} is no folder; choose another")
        if not os.access(output, os.R_OK | os.W_OK | os.X_OK):
            raise usage_error(f"{name}: no permission to write into it; change its mode, or choose a new folder")
        try:
            empty = not os.listdir(output)
        except OSError as error:
            raise usage_error(f"{name} cannot be opened ({error.strerror}); choose a new folder") from error
        if not empty:
            raise usage_error(f"{name} has something in it; choose a new folder")
    parent = output.absolute().parent
    if not parent.is_dir():
        raise usage_error(f"{name}: the folder {shown(parent)} does not exist; make it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise usage_error(f"{name}: no permission to write into {shown(parent)}; choose another")


def _sentences(
    file: Path | None, words: str | None, transcript: Path | None, column: str, voice: str | None, known: Sequence[str]
) -> list[Sentence]:
    """What is said in which recording."""
    from recognizer.training.transcripts import Sentence, named_speaker, read_transcript, spelled

    if transcript is None:
        return [Sentence(file, spelled(words, known), voice or named_speaker(file))]
    sentences = read_transcript(transcript, column, known)
    if file is not None:
        sentences = [each for each in sentences if os.path.abspath(each.path) == os.path.abspath(file)]
        if not sentences:
            raise CorpusError(f"{shown(file)} is not in {shown(transcript)}; add a line for it")
    return [replace(each, speaker=voice or each.speaker) for each in sentences]


def _print(found: CutRecording) -> None:
    """The words of a recording, and what became of each."""
    say(shown(found.sentence.path))
    rows = [("word", "start", "end", "fit", "before", "after", "")]
    for one in found.cuts:
        times = f"{one.start:.2f}", f"{one.end:.2f}", f"{one.fit:.1f}"
        rows.append((one.word, *times, _beside(one.before), _beside(one.after), _outcome(one)))
    print_table(rows, right={1, 2, 3})


def _beside(neighbour: Neighbour) -> str:
    """What stands beside a word, for people."""
    if neighbour.touches:
        return "touches"
    return f"{neighbour.gap:.2f} s {'silent' if neighbour.silent else 'of speech'}"


def _outcome(one: Cut) -> str:
    return f"left out: {one.reason}" if one.reason else ""


def _sum_up(found: Sequence[CutRecording], kept: int, words: int, output: Path | None) -> None:
    """How much was kept, and what to do with it."""
    recordings = counted(len(found), "recording")
    say(f"{kept} of {counted(words, 'word')} in {recordings} fit" + ("" if output else "; keep them with --output"))
    if kept and output:
        folder = shlex.quote(str(output))
        say(f"written to {shown(output)}; next: recognizer train {folder} --output mine.npz")
