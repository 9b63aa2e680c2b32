"""`recognizer live`: speak, and the word appears."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO
from weakref import WeakKeyDictionary

import typer

from recognizer.cli.executing import Executor
from recognizer.cli.lines import lines_of, unseen
from recognizer.cli.options import (
    DebugOption,
    DeviceOption,
    HangoverOption,
    JsonOption,
    ModelOption,
    QuietOption,
    SpeakerOption,
    ThresholdOption,
    WordsOption,
    check_folder,
    checked_speaker,
    threshold_of,
    usage_error,
)
from recognizer.cli.piped import STANDARD_INPUT, refuse_terminal
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    adapted_to,
    complain,
    counted,
    descriptor,
    in_turn,
    native_messages_hidden,
    padded,
    print_json,
    reports_errors,
    say,
    sigterm_interrupts,
    working,
)
from recognizer.errors import AudioError, RecognizerError, cited, shown
from recognizer.files.writing import remedy
from recognizer.recognition.chosen import chosen_words

if TYPE_CHECKING:
    from recognizer.live.events import Event
    from recognizer.live.session import Session
    from recognizer.sound.source import Sound

WORD_CELLS = 12  # of a terminal, for a word in a plain line: as wide as most


@reports_errors
def live(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="-: listen to standard input, a WAV file as it comes, instead of a microphone.",
            allow_dash=True,
            metavar="[-]",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = "digits",
    speaker: SpeakerOption = None,
    device: DeviceOption = None,
    words: WordsOption = None,
    threshold: ThresholdOption = "normal",
    hangover: HangoverOption = 250,
    from_file: Annotated[
        Path | None,
        typer.Option(help="Play a recording instead of listening.", metavar="FILE", show_default=False),
    ] = None,
    raw: Annotated[
        int | None,
        typer.Option(
            "--raw",
            help="Standard input is no WAV file, but 16-bit samples of one channel at this rate, little-endian.",
            min=1000,
            max=1_000_000,
            metavar="RATE",
            show_default=False,
        ),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Play it as fast as possible.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Keep every utterance as a WAV file here.", metavar="DIR", readable=False, show_default=False
        ),
    ] = None,
    adapt: Annotated[
        bool,
        typer.Option(
            "--adapt", help="Adapt to answers it is sure of, until it ends: u and Enter takes the last back, r all."
        ),
    ] = False,
    command: Annotated[
        str | None,
        typer.Option(
            "--exec",
            help="Run a program for every word: {word}, {confidence} and {start} in it stand for what was heard.",
            metavar="COMMAND",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Recognise words as they are spoken, until Ctrl-C.

    With --adapt, the lines u and r on standard input take back what was learned.
    """
    if source not in (None, STANDARD_INPUT):
        raise usage_error(f"{shown(source)} is not -; to play a recording, --from-file {shown(source)}")
    if source and from_file is not None:
        raise usage_error("- and --from-file exclude each other; choose one")
    piped = STANDARD_INPUT in (source, from_file)
    _check_pipe(piped, raw, adapt, fast, device)
    if fast and from_file is None:
        raise usage_error("--fast goes with --from-file; a microphone takes its time")
    if device is not None and from_file is not None:
        raise usage_error("--device and --from-file exclude each other; choose one")
    check_folder(save, "--save")
    least = threshold_of(threshold)
    executor = None if command is None else Executor(command, quiet=quiet)
    with working("reading the model", quiet, SOON):
        from recognizer.live.session import Session
        from recognizer.recognizer import Recognizer
        from recognizer.sound.segmenter import Segmentation

        recognizer = Recognizer.load(model, None if speaker is None else checked_speaker(speaker))
        how = {"words": chosen_words(words, recognizer.words), "threshold": least, "adapt": adapt}
        session = Session(recognizer, **how, segmentation=replace(Segmentation(), hangover=hangover / 1000))
    status, failure, kept = ExitStatus.OK, None, True
    with ExitStack() as stack:
        stack.enter_context(native_messages_hidden(debug))
        sounds, origin = _standard_input(raw) if piped else _source(stack, from_file, fast, device)
        record = _with_time_of_day()
        rate = recognizer.model.front_end.sample_rate
        keep = _keeper(stack, save, rate, record) if save is not None else lambda events: True
        run = _runner(stack, executor, as_json)
        who = f" for {recognizer.speaker}" if recognizer.speaker else ""
        show = stack.enter_context(
            _display(session, f"{shown(model)}{who}, {origin}", record if as_json else None, quiet)
        )
        stack.enter_context(sigterm_interrupts())
        typed = lines_of(sys.stdin) if adapt else list
        try:
            for sound in sounds:
                events = session.hear(sound)
                for line in typed():
                    events += _obey(session, line, quiet)
                show(events)
                run(events)
                kept = keep(events) and kept
        except KeyboardInterrupt:
            status = ExitStatus.INTERRUPTED
        except RecognizerError as error:
            if not session.time:  # nothing was heard: there is nothing else to tell
                raise
            failure = error
        events = session.finish()  # what was being said is answered, whatever ended it
        show([*events, session.end()])
        run(events)
        kept = keep(events) and kept
    if not quiet:
        complain(_summary(session))
        if session.learned:
            complain(_how_to_keep(session.learned, recognizer.speaker, save))
    if failure:
        raise failure
    return status if kept else status or ExitStatus.FAILED


def _obey(session: Session, line: str, quiet: bool) -> list[Event]:
    """What comes of a line that was typed."""
    match line.lower():
        case "u" | "undo":
            return session.undo()
        case "r" | "reset":
            return session.reset()
    if line and not quiet:
        complain(f"warning: {cited(line)} is not u (take the last word back) or r (take all back)")
    return []


def _how_to_keep(learned: int, speaker: str | None, save: Path | None) -> str:

    folder, name = "DIR" if save is None else shlex.quote(shown(save)), speaker or "NAME"
    recording = "`recognizer live --save DIR`, then " if save is None else ""
    return (
        f"adapted to {counted(learned, 'word')}, in this session only"
        + (f"; the profile of {speaker} is as it was" if speaker else "")
        + f"; to keep what is learned: {recording}`recognizer enroll {name} --unlabelled {folder}`"
    )


def _summary(session: Session) -> str:
    tally = session.tally
    return (
        f"{counted(tally.words, 'word')}, {tally.rejected} rejected in {session.time:.1f} s"
        + (f"; sound lost {counted(tally.overflows, 'time')}" if tally.overflows else "")
        + (f"; device lost {counted(tally.losses, 'time')}" if tally.losses else "")
    )


def _source(stack: ExitStack, file: Path | None, fast: bool, device: str | None) -> tuple[Iterable[Sound], str]:
    """What to listen to, and what to call it."""
    from recognizer.sound.source import play

    if file is not None:
        return play(file, fast=fast), shown(file)
    from recognizer.sound.microphone import Microphone

    microphone = stack.enter_context(Microphone(device))
    return microphone, f"{shown(microphone.device.name)} at {microphone.sample_rate} Hz"


def _check_pipe(piped: bool, raw: int | None, adapt: bool, fast: bool, device: str | None) -> None:
    """Refuse what does not go with sound at standard input, or only with that."""
    if not piped:
        if raw is not None:
            raise usage_error(f"--raw {raw} tells of samples at standard input; give - as well")
        return
    if adapt:
        raise usage_error(
            "--adapt reads lines from standard input, and - sound; play a recording with --from-file FILE"
        )
    if fast:
        raise usage_error("--fast goes with a file; what comes through a pipe takes its time")
    if device is not None:
        raise usage_error("--device and - exclude each other; choose one")
    refuse_terminal()


def _standard_input(raw: int | None) -> tuple[Iterable[Sound], str]:
    """Sound that comes through a pipe, and what to call it."""
    from recognizer.sound.pipes import piped

    def sounds() -> Iterator[Sound]:
        try:
            yield from piped(sys.stdin.buffer, raw)
        except AudioError as error:
            raise AudioError(f"standard input: {error}") from error

    return sounds(), "standard input"


def _with_time_of_day() -> Callable[[Event], dict]:
    """Gives a function of an event's record, in which is the time of day when it was first asked for."""
    moments: WeakKeyDictionary[Event, str] = WeakKeyDictionary()

    def record(event: Event) -> dict:
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        return event.record() | {"at": moments.setdefault(event, now)}

    return record


def _runner(stack: ExitStack, executor: Executor | None, as_json: bool) -> Callable[[list[Event]], None]:
    """Gives a function that runs a program for the words among events, if one is to be run."""
    from recognizer.live.events import Heard

    if executor is None:
        return lambda events: None
    stack.callback(executor.close)
    if as_json or not sys.stdout.isatty():  # on the screen, what programs print would push the picture away
        executor.output = executor.output if (place := descriptor(sys.stderr)) is None else place

    def run(events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Heard):
                executor.run(event.result.word, event.result.confidence, event.start)

    return run


@contextmanager
def _display(
    session: Session, title: str, record: Callable[[Event], dict] | None, quiet: bool
) -> Iterator[Callable[[list[Event]], None]]:
    """How events are shown: as JSON, on a terminal's screen, or as plain lines."""
    if record or not sys.stdout.isatty():
        yield in_turn(lambda event: _show(event, record, quiet))
        return
    from recognizer.cli.drawing import kept_up_to_date
    from recognizer.cli.screen import LivePicture

    typed = sys.stdin if session.learned is not None else None
    with unseen(typed), kept_up_to_date(lambda width: LivePicture(session, title, width)) as show:
        yield show


def _show(event: Event, record: Callable[[Event], dict] | None, quiet: bool) -> None:
    """An event as a line of JSON or of text, and what a person should know."""
    from recognizer.live.events import Adapted, Calibrated, Muted

    if event.note and not quiet and not isinstance(event, Adapted):
        complain(event.note if isinstance(event, Calibrated) else f"warning: {event.note}")
    if not record:
        _print_plain(event, quiet)
    elif not isinstance(event, Muted):  # is for the person, who has been told
        print_json(record(event))


def _print_plain(event: Event, quiet: bool) -> None:
    from recognizer.live.events import Adapted, Heard, Rejected

    match event:
        case Adapted() if not quiet:
            complain(adapted_to(event))
        case Heard(start=start, result=result):
            others = ", ".join(f"{shown(c.word)} {c.confidence:.2f}" for c in result.nbest[1:3])
            say(f"{start:8.2f} s  {padded(shown(result.word), WORD_CELLS)} {result.confidence:.2f}  {others}".rstrip())
        case Rejected(start=start, result=result):
            nearest = "".join(f" ({shown(c.word)} {c.confidence:.2f})" for c in result.nbest[:1])
            say(f"{start:8.2f} s  {padded('-', WORD_CELLS)} rejected: {result.reason}{nearest}")


def _close(file: TextIO) -> None:
    with suppress(OSError):  # that something could not be written was told when it was
        file.close()


def _keeper(
    stack: ExitStack, folder: Path, rate: int, record: Callable[[Event], dict]
) -> Callable[[list[Event]], bool]:
    """Gives a function that keeps utterances in a folder: a WAV file each, and a line about it in utterances.jsonl.

    It returns whether all were kept. When the disk is full or the folder gone, that is said once, and it goes on.
    """
    from recognizer.files import privacy
    from recognizer.files.writing import make_private_folder
    from recognizer.live.events import Answer
    from recognizer.sound import audio

    if not folder.name:
        raise usage_error("--save needs the name of a folder")
    try:
        make_private_folder(folder)
        told = folder / "utterances.jsonl"
        log = open(told, "a", encoding="utf-8", opener=privacy.opener)  # noqa: SIM115 - until the stack is left
        privacy.close(told)
    except OSError as error:
        reason = "is a file" if os.path.isfile(folder) else error.strerror or error
        what_to_do = remedy(error, "choose a folder to write to")
        raise usage_error(f"--save {shown(folder)}: {reason}; {what_to_do}") from error
    stack.callback(_close, log)
    session = f"{datetime.now():%Y%m%d-%H%M%S-%f}-{os.getpid()}"  # two sessions may keep in one folder
    number, writable = 0, True

    def keep(events: list[Event]) -> bool:
        nonlocal number, writable
        for event in events:
            if not isinstance(event, Answer) or not writable:
                continue
            number += 1
            name = f"{session}-{number:04d}.wav"
            try:
                audio.save(folder / name, event.samples, rate)
                log.write(json.dumps({"file": name} | record(event), ensure_ascii=False) + "\n")
                log.flush()
            except RecognizerError as error:
                complain(f"warning: {error}; nothing more is kept")
                writable = False
            except OSError as error:
                why = f"{error.strerror}; {remedy(error, 'check the disk')}"
                complain(f"warning: {shown(told)} cannot be written: {why}; nothing more is kept")
                writable = False
        return writable

    return keep
