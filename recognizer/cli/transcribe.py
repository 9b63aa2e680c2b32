"""`recognizer transcribe`: the words of long recordings, and when each is said."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.options import (
    ClusterOption,
    CsvOption,
    DebugOption,
    HangoverOption,
    JsonOption,
    ModelOption,
    QuietOption,
    RecordingsArgument,
    SpeakerOption,
    ThresholdOption,
    WordsOption,
    at_work,
    check_file,
    check_folder,
    checked_speaker,
    threshold_of,
    usage_error,
)
from recognizer.cli.outputs import written_whole
from recognizer.cli.piped import STANDARD_INPUT, as_given, read_from, standard_input_kept, told_of
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    complain,
    counted,
    progress_bar,
    reports_errors,
    working,
    writing,
)
from recognizer.cli.transcripts import FORMS, TABLE, Form
from recognizer.errors import AudioError, CorpusError, RecognizerWarning, name_of, shown
from recognizer.recognition.chosen import chosen_words

if TYPE_CHECKING:
    from recognizer.live.events import Answer
    from recognizer.recognizer import Transcript


@reports_errors
def transcribe(
    paths: RecordingsArgument,
    model: ModelOption = "digits",
    speaker: SpeakerOption = None,
    words: WordsOption = None,
    threshold: ThresholdOption = "normal",
    hangover: HangoverOption = 250,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    as_textgrid: Annotated[bool, typer.Option("--textgrid", help="Print a TextGrid for Praat.")] = False,
    as_srt: Annotated[bool, typer.Option("--srt", help="Print subtitles.")] = False,
    as_labels: Annotated[bool, typer.Option("--labels", help="Print labels for Audacity.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write it here instead; of several recordings or a folder, a file each into this folder.",
            metavar="FILE|FOLDER",
            readable=False,
            show_default=False,
        ),
    ] = None,
    cluster: ClusterOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Recognise all words of long recordings, and tell when each is said.

    Between the words must be pauses. Recordings may be of any length. Sounds that are no word are told of in tables,
    JSON and CSV, and left out of the others.
    """
    flags = dict(zip(FORMS, (as_json, as_csv, as_textgrid, as_srt, as_labels), strict=True))
    form = _form([option for option, given in flags.items() if given])
    least = threshold_of(threshold)
    with standard_input_kept(paths) as kept:
        files, refused = _listed(paths)
        if output is None and len(files) > 1 and not form.of_many:
            raise usage_error(f"{len(files)} recordings make as many files; say where with --output FOLDER")
        places = {} if output is None else _places(paths, files, output, form.suffix)
        with working("reading the model", quiet, SOON):
            from recognizer.recognizer import Recognizer

            recognizer = Recognizer.load(model, None if speaker is None else checked_speaker(speaker))
            how = {"words": chosen_words(words, recognizer.words), "threshold": least, "hangover": hangover / 1000}
            recognizer.indices(how["words"])
        if not quiet:
            warnings.simplefilter("default", RecognizerWarning)  # what holds for all recordings is told once
        total = _Tally()
        for path, error in refused.items():
            total.errors += 1
            _refuse(str(path), error, form, output)
        if form.head and output is None:
            form.show(form.head)
        with (
            at_work(1, cluster) as power,
            progress_bar(quiet or (output is None and form.of_many and sys.stdout.isatty())) as progress,
        ):
            reads = [read_from(file, kept) for file in files]
            whole = _duration(reads)
            elsewhere = None if cluster is None else recognizer.transcribe_files(reads, **how, jobs=power)
            for file in files:
                tally, before = _Tally(), total.seconds

                def advance(seconds: float, tally: _Tally = tally, before: float = before) -> None:
                    tally.seconds = seconds
                    progress("transcribing", int(before + seconds), whole, "s")

                if elsewhere is None:
                    heard = recognizer.transcribe(read_from(file, kept), **how, progress=advance)
                else:
                    heard = _told_again(next(elsewhere), advance)
                answers = _counted(heard, tally)
                _write(name_of(as_given(file, kept)), answers, tally, form, places.get(file), kept)
                total += tally
    if not quiet:
        _sum_up(total, len(files) + len(refused), output)
    return ExitStatus.FAILED if total.errors else ExitStatus.OK


@dataclass
class _Tally:
    """What was heard."""

    words: int = 0
    rejected: int = 0
    seconds: float = 0.0
    errors: int = 0
    error: str | None = None  # that ended it

    def __iadd__(self, other: _Tally) -> _Tally:
        self.words += other.words
        self.rejected += other.rejected
        self.seconds += other.seconds
        self.errors += other.error is not None
        return self


def _form(chosen: Sequence[str]) -> Form:
    """The form that was chosen, the table where none was."""
    if len(chosen) > 1:
        raise usage_error(f"{' and '.join(chosen)} exclude each other; choose one")
    return FORMS[chosen[0]] if chosen else TABLE


def _listed(paths: Sequence[Path]) -> tuple[dict[Path, Path], dict[Path, str]]:
    """All recordings, each with its name below the folder that was given, and why there is none where there is none."""
    from recognizer.corpus import audio_files

    files, refused = {}, {}
    for path in paths:
        if path == STANDARD_INPUT:
            files[path] = Path("standard-input")
            continue
        try:
            for file in audio_files([path]):
                files[file] = file.relative_to(path) if path.is_dir() else Path(file.name)
        except CorpusError as error:
            refused[path] = str(error)
    return files, refused


def _places(paths: Sequence[Path], files: dict[Path, Path], output: Path, suffix: str) -> dict[Path, Path]:
    """Where each recording is written down; refuses, before anything is heard, what cannot be written."""
    if len(files) == 1 and not output.is_dir() and not any(path.is_dir() for path in paths):
        check_file(output, "--output", recordings=[*paths, *files])
        return dict.fromkeys(files, output)
    check_folder(output, "--output")
    places: dict[Path, Path] = {}
    taken: dict[str, Path] = {}
    for file, name in files.items():
        place = output / name.with_name(name.stem + suffix)
        other = taken.setdefault(str(place).casefold(), file)
        if other != file:
            raise usage_error(f"{shown(other)} and {shown(file)} would both be {shown(place)}; do one after the other")
        if place.parent.is_dir():
            check_file(place, "--output", recordings=[*paths, *files])
        places[file] = place
    return places


def _duration(files: Sequence[Path]) -> int | None:
    """Seconds of all recordings; None where one does not tell."""
    from recognizer.sound.source import duration

    known = [duration(file) for file in files]
    return None if None in known else int(sum(known))


def _told_again(transcript: Transcript, progress: Callable[[float], None]) -> Iterator[Answer]:
    """What was heard elsewhere, as if it were heard now."""
    progress(transcript.seconds)
    yield from transcript.answers
    if transcript.error is not None:
        raise AudioError(transcript.error)


def _counted(answers: Iterator[Answer], tally: _Tally) -> Iterator[Answer]:
    """The answers, up to an error that ends them."""
    try:
        for answer in answers:
            tally.words += answer.result.accepted
            tally.rejected += not answer.result.accepted
            yield answer
    except AudioError as error:
        tally.error = str(error)


def _write(
    name: str, answers: Iterator[Answer], tally: _Tally, form: Form, place: Path | None, kept: Path | None
) -> None:
    """Write down what is heard in a recording: to a file, or to standard output as soon as it is known."""
    first = list(islice(answers, 1))
    items = form.items(name, chain(first, answers), lambda: tally.seconds) if first or not tally.error else ()
    if place is None:
        for item in items:
            form.show(item)
    elif first or not tally.error:
        with writing(place, "--output"):
            place.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(place, "--output", form.encoding) as write:
            for item in chain([form.head] if form.head else [], items):
                write(form.text(item))
    if tally.error:
        tally.error = told_of(tally.error, kept)
        _refuse(name, tally.error, form, place)


def _refuse(name: str, error: str, form: Form, output: Path | None) -> None:
    """Tell of a recording that cannot be read: where its words would be, or to the person."""
    if form.refused and output is None:
        form.show(form.refused(name, error))
    else:
        complain(f"error: {error}")


def _sum_up(total: _Tally, count: int, output: Path | None) -> None:
    complain(f"{counted(total.words, 'word')}, {total.rejected} rejected in {total.seconds:.1f} s")
    if total.errors:
        complain(f"{total.errors} of {counted(count, 'file')} could not be read")
    if output is not None and total.errors < count:
        complain(f"written to {shown(output)}")
