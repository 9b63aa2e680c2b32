"""Words asked for at the microphone, as `record` and `enroll` do it: show the prompts, keep the takes, end well."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recognizer.cli.reporting import ExitStatus, complain, in_turn, print_json, sigterm_interrupts
from recognizer.errors import RecognizerError, listed, shown
from recognizer.files.writing import remedy

if TYPE_CHECKING:
    import numpy as np

    from recognizer.live.events import Event, Kept
    from recognizer.live.guide import Guide
    from recognizer.live.prompts import Prompt
    from recognizer.sound.source import Sound


@dataclass(frozen=True)
class Ending:
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
) -> Ending:
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
    from recognizer.live.events import Kept

    status, kept = ExitStatus.OK, 0
    with ExitStack() as stack:
        show = stack.enter_context(_display(guide, title, as_json, quiet))
        stack.enter_context(sigterm_interrupts())
        try:
            for events in _events(guide, microphone):
                for event in events:
                    if isinstance(event, Kept):
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
    if guide.skipped:
        left = listed(f"{prompt.word} (take {prompt.take})" for prompt in guide.skipped)
        complain(f"left out: {left}; the same command asks for them again")
    return Ending(kept, tuple(guide.skipped), status)


def _events(guide: Guide, microphone: Iterable[Sound]) -> Iterator[list[Event]]:
    """What comes of each sound until all is done."""
    for sound in microphone if guide.current else ():
        yield guide.hear(sound)
        if guide.current is None:
            return
    yield guide.finish()


def _keep(keep: Callable[[Prompt, np.ndarray], None], event: Kept) -> None:
    try:
        keep(event.prompt, event.samples)
    except OSError as error:
        where = "" if error.filename is None else f" in {shown(error.filename)}"
        what_to_do, why = remedy(error, "change its mode" if where else "check the disk"), error.strerror or error
        raise RecognizerError(f"{shown(event.prompt.word)} cannot be kept{where} ({why}); {what_to_do}") from error


def _so_far(kept: int, guide: Guide) -> str:
    return f"{kept} of {guide.total} kept; the same command goes on from there"


@contextmanager
def _display(guide: Guide, title: str, as_json: bool, quiet: bool) -> Iterator[Callable[[list[Event]], None]]:
    """How events are shown: as JSON, on a terminal's screen, or as plain lines."""
    if as_json or not sys.stdout.isatty():
        if not (as_json or quiet):
            complain(f"{title}: be quiet for a moment")
        show = _print_json if as_json else _print_plain
        yield in_turn(lambda event: show(event, quiet))
        return
    from recognizer.cli.drawing import kept_up_to_date
    from recognizer.cli.prompt_screen import PromptPicture

    with kept_up_to_date(lambda width: PromptPicture(guide, title, width)) as show:
        yield show


def _print_json(event: Event, quiet: bool) -> None:
    from recognizer.live.events import Mishap

    if isinstance(event, Mishap) and not quiet:
        complain(f"warning: {event.note}")
    print_json(event.record())


def _print_plain(event: Event, quiet: bool) -> None:
    """What to say, and what was wrong with it, is told in any case."""
    from recognizer.live import events

    match event:
        case events.Prompted():
            again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
            spoken = f" ({event.note})" if event.note else ""
            complain(f"{event.done + 1} of {event.total}, say: {shown(event.prompt.word)}{spoken}{again}")
        case events.Refused():
            complain(f"{event.kind}: {event.problem}")
        case events.Kept() if not quiet:
            complain(f"kept; {event.note}" if event.note else "kept")
        case events.Mishap() if not quiet:
            complain(f"warning: {event.note}")
        case events.Event(note=str(note)) if not quiet:
            complain(note)
