"""Words asked for at the microphone, as `record` and `enroll` do it: show the prompts, keep the takes, end well."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from recognizer.cli.common import ExitStatus, complain, sigterm_interrupts
from recognizer.errors import RecognizerError
from recognizer.files.writing import remedy

if TYPE_CHECKING:
    import numpy as np

    from recognizer.live.guide import Guide, GuideEvent, Prompt
    from recognizer.sound.source import Sound

ABOUT = ("kept", "again", "skipped")  # kinds of events that tell of a take
MISHAPS = ("device_lost", "overflow", "muted")


@dataclass(frozen=True)
class Outcome:
    """How it ended.

    Attributes
    ----------
    kept : number of takes
    skipped : prompts left out because nothing good was said, in order
    status : for the shell: OK, INTERRUPTED, or FAILED if prompts were skipped or the sound ended before all was said
    """

    kept: int
    skipped: tuple[Prompt, ...]
    status: ExitStatus


def collect(
    guide: Guide,
    microphone: Iterable[Sound],
    keep: Callable[[Prompt, np.ndarray], None],
    title: str,
    quiet: bool,
    as_json: bool,
) -> Outcome:
    """Ask for all that a guide has to ask for, until it is done or Ctrl-C or SIGTERM comes.

    Parameters
    ----------
    guide : who asks
    microphone : an open one
    keep : called with each good take, 16-bit integers at the guide's rate, as soon as there is one
    title : the command, the device and the like
    quiet : no warnings and no progress; what to say, and what was wrong with it, is told
    as_json : print events instead of showing them

    Raises
    ------
    RecognizerError
        if a take cannot be kept or the microphone fails; it tells how many were kept.
    """
    status, kept = ExitStatus.OK, 0
    with ExitStack() as stack:
        show = stack.enter_context(_display(guide, title, as_json, quiet))
        stack.enter_context(sigterm_interrupts())
        try:
            for events in _events(guide, microphone):
                for event in events:
                    if event.kind == "kept":
                        _keep(keep, event)
                        kept += 1
                show(events)
        except KeyboardInterrupt:
            status = ExitStatus.INTERRUPTED
        except RecognizerError as error:
            raise RecognizerError(f"{error}; {_so_far(kept, guide)}") from error
    if status:
        complain(f"interrupted; {_so_far(kept, guide)}")
    elif guide.skipped or guide.current:
        status = ExitStatus.FAILED
    return Outcome(kept, tuple(guide.skipped), status)


def _events(guide: Guide, microphone: Iterable[Sound]) -> Iterator[list[GuideEvent]]:
    """What comes of each sound until all is done."""
    for sound in microphone if guide.current else ():
        yield guide.hear(sound)
        if guide.current is None:
            return
    yield guide.finish()


def _keep(keep: Callable[[Prompt, np.ndarray], None], event: GuideEvent) -> None:
    try:
        keep(event.prompt, event.samples)
    except OSError as error:
        what_to_do = remedy(error, "check the disk")
        raise RecognizerError(f"{event.prompt.word} cannot be kept ({error}); {what_to_do}") from error


def _so_far(kept: int, guide: Guide) -> str:
    return f"{kept} of {guide.total} kept; the same command goes on from there"


@contextmanager
def _display(guide: Guide, title: str, as_json: bool, quiet: bool) -> Iterator[Callable[[list[GuideEvent]], None]]:
    """How events are shown: as JSON, on a terminal's screen, or as plain lines."""
    if as_json:
        yield lambda events: _each(events, lambda event: _json_line(event, guide, quiet))
    elif sys.stdout.isatty():
        from recognizer.cli.prompt_screen import screen

        with screen(guide, title) as show:
            yield show
    else:
        if not quiet:
            complain(f"{title}: be quiet for a moment")
        yield lambda events: _each(events, lambda event: _plain_line(event, quiet))


def _each(events: list[GuideEvent], show: Callable[[GuideEvent], None]) -> None:
    for event in events:
        show(event)
    if events:
        sys.stdout.flush()  # a program that reads the lines must have them while they are news


def as_record(event: GuideEvent, guide: Guide) -> dict:
    """An event as plain data; times in seconds since it began, levels in dB full scale."""
    record: dict = {"event": event.kind, "time": round(event.time, 3)}
    if event.prompt:
        record |= {"word": event.prompt.word, "take": event.prompt.take, "attempt": event.attempt}
        record |= {"done": event.done, "total": event.total}
    if event.kind in ABOUT:
        quality = event.quality
        measured = {"duration": quality.duration, "level": quality.level, "floor": quality.floor, "snr": quality.snr}
        record |= {name: round(value, 2) for name, value in measured.items()}
        record |= {"clipped": round(quality.clipped, 4), "message": event.problem or event.note}
    elif event.kind == "calibrated":
        record |= {"floor": round(event.floor, 1)}
    elif event.kind == "finished":
        record |= {"kept": guide.kept, "skipped": len(guide.skipped)}
    elif event.note:
        record |= {"message": event.note}
    return record


def _json_line(event: GuideEvent, guide: Guide, quiet: bool) -> None:
    if event.kind in MISHAPS and not quiet:
        complain(f"warning: {event.note}")
    typer.echo(json.dumps(as_record(event, guide), ensure_ascii=False))


def _plain_line(event: GuideEvent, quiet: bool) -> None:
    about = event.problem or event.note
    if event.kind == "prompt":
        again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
        complain(f"{event.done + 1} of {event.total}, say: {event.prompt.word}{again}")
    elif event.kind in ("again", "skipped"):
        complain(f"{event.kind}: {about}")
    elif quiet:
        return
    elif event.kind == "kept":
        complain(f"kept; {about}" if about else "kept")
    elif about:
        complain(f"warning: {about}" if event.kind in MISHAPS else about)
