"""Words asked for at the microphone, as `record` and `enroll` do it: show the prompts, keep the takes, end well."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.cli.lines import keys_of, lines_of
from recognizer.cli.reporting import ExitStatus, complain, in_turn, print_json, sigterm_interrupts
from recognizer.errors import AudioError, LoudspeakerError, RecognizerError, cited, listed, shown

if TYPE_CHECKING:
    import numpy as np

    from recognizer.live.events import Event
    from recognizer.live.guide import Guide
    from recognizer.live.prompts import Prompt
    from recognizer.live.takes import Takes
    from recognizer.sound.source import Sound


LINGER = 3.0  # seconds after the last word in which it can be taken back, where a key is enough for that
COMMANDS = {"u": "undo", "p": "play", "s": "skip"}


@dataclass(frozen=True)
class Ending:
    """How it ended.

    Attributes
    ----------
    kept : number of takes
    skipped : prompts left out because nothing good was said, or because the person wanted to, in order
    status : for the shell: OK, INTERRUPTED, or FAILED if prompts were skipped or the sound ended before all was said
    """

    kept: int
    skipped: tuple[Prompt, ...]
    status: ExitStatus


def refuse_unseen(as_json: bool, without_terminal: bool) -> None:
    """Refuse to ask for words where nobody would see them.

    Parameters
    ----------
    as_json : a program reads them
    without_terminal : somebody reads them elsewhere

    Raises
    ------
    RecognizerError
        if there is neither, and no terminal to show them on.
    """
    if not (as_json or without_terminal or _is_seen()):
        raise RecognizerError(
            "there is no terminal to show the words on, and nobody would say them; call it at one, or give --json or "
            "--without-terminal where somebody reads what it prints"
        )


def _is_seen() -> bool:
    """Whether what to say is shown on a terminal: as a picture on standard output, else as lines on standard error."""
    return sys.stdout.isatty() or sys.stderr.isatty()


def collect(
    guide: Guide,
    microphone: Iterable[Sound],
    keep: Callable[[Prompt, np.ndarray], Path],
    title: str,
    quiet: bool,
    as_json: bool,
    *,
    remove: Callable[[Path], None] = Path.unlink,
    without_terminal: bool = False,
) -> Ending:
    """Ask for all that a guide has to ask for, until it is done or Ctrl-C or SIGTERM comes.

    Meanwhile the person may take the last take back, have it played, or leave a word out: with single keys at a
    terminal, else, where a program or somebody elsewhere reads what is printed, with lines on standard input.

    Parameters
    ----------
    guide : who asks
    microphone : an open one
    keep : called with each good take, 16-bit integers at the guide's rate, as soon as there is one; gives its file
    title : the command, the device and the like
    quiet : no warnings and no progress; what to say, and what was wrong with it, is told
    as_json : print events instead of showing them
    remove : called with the file of a take that is taken back
    without_terminal : somebody reads what is printed, though there is no terminal

    Raises
    ------
    RecognizerError
        if a take cannot be kept or the microphone fails; it tells how many were kept.
    """
    from recognizer.live.events import Kept
    from recognizer.live.takes import Takes

    status = ExitStatus.OK
    with ExitStack() as stack:
        stack.enter_context(sigterm_interrupts())
        at_keys = not as_json and sys.stdin.isatty()
        if at_keys:
            typed = stack.enter_context(keys_of(sys.stdin))
        else:
            typed = lines_of(sys.stdin) if as_json or without_terminal else list
        show = stack.enter_context(_display(guide, title, as_json, quiet, at_keys))
        takes = Takes(guide, keep, remove)
        obeying = stack.enter_context(_Typed(takes))
        try:
            for events in _events(guide, microphone, lambda: obeying.obey(typed(), quiet), LINGER if at_keys else 0.0):
                for event in events:
                    if isinstance(event, Kept):
                        takes.keep(event)
                show(events)
        except KeyboardInterrupt:
            status = ExitStatus.INTERRUPTED
        except RecognizerError as error:
            raise RecognizerError(f"{error}; {_so_far(takes.count, guide)}") from error
    if status:
        complain(f"interrupted; {_so_far(takes.count, guide)}")
    elif guide.skipped or guide.current:
        status = ExitStatus.FAILED
    if guide.skipped:
        left = listed(f"{prompt.word} (take {prompt.take})" for prompt in guide.skipped)
        complain(f"left out: {left}; the same command asks for them again")
    return Ending(takes.count, tuple(guide.skipped), status)


def _events(
    guide: Guide, microphone: Iterable[Sound], obey: Callable[[], list[Event]], linger: float
) -> Iterator[list[Event]]:
    """What comes of each sound, and of what was typed, until all has been done for so many seconds."""
    from recognizer.sound.source import Block

    done = 0.0  # when something was last to be done
    for sound in microphone if guide.current else ():
        yield guide.hear(sound)
        yield obey()
        now = guide.listener.time
        if guide.current:
            done = now
        elif now - done >= linger or not isinstance(sound, Block):
            return
    yield guide.finish()


@dataclass
class _Typed:
    """What is typed, and what comes of it; as a context, it ends what is being played.

    Attributes
    ----------
    takes : that were kept
    """

    takes: Takes
    _sounds: Callable[[], bool] | None = None  # whether what was played last still does

    def __enter__(self) -> _Typed:
        return self

    def __exit__(self, *_: object) -> None:
        if self._sounds:
            from recognizer.sound.loudspeaker import hush

            hush()

    def obey(self, typed: Iterable[str], quiet: bool) -> list[Event]:
        """What comes of keys or lines; and while a take is played, nothing counts as said."""
        from recognizer.live.events import Hint

        found, guide = [], self.takes.guide
        for command in typed:
            match COMMANDS.get(command.lower(), command.lower()):
                case "undo":
                    found += self.takes.undo()
                case "play":
                    found.append(Hint(time=guide.listener.time, note=self._play()))
                case "skip":
                    found += guide.skip()
                case "":
                    pass
                case _ if not quiet:
                    note = f"{cited(command)} is not u (take the last back), p (play it) or s (skip this word)"
                    found.append(Hint(time=guide.listener.time, note=note))
        if self._sounds and self._sounds():
            from recognizer.live.lesson import ECHO

            guide.wait(ECHO)
        return found

    def _play(self) -> str:
        """Play the last take: what is to be said about that."""
        if self.takes.last is None:
            return "there is nothing to play yet"
        from recognizer.sound.loudspeaker import play_aloud

        prompt, path = self.takes.last
        try:
            self._sounds = play_aloud(path)
        except (LoudspeakerError, AudioError) as error:
            return str(error)
        return f"playing {prompt.word}: listen, and wait"


def _so_far(kept: int, guide: Guide) -> str:
    asked = guide.total - guide.before
    there = f", {guide.before + kept} of {guide.total} are there" if guide.before else ""
    return f"{kept} of {asked} kept{there}; the same command goes on from there"


@contextmanager
def _display(
    guide: Guide, title: str, as_json: bool, quiet: bool, keys: bool
) -> Iterator[Callable[[list[Event]], None]]:
    """How events are shown: as JSON, on a terminal's screen, or as plain lines."""
    if as_json or not sys.stdout.isatty():
        if not (as_json or quiet):
            complain(f"{title}: be quiet for a moment")
            if keys:
                from recognizer.cli.prompt_screen import KEYS

                complain(KEYS)
        show = _print_json if as_json else _print_plain
        yield in_turn(lambda event: show(event, quiet))
        return
    from recognizer.cli.drawing import kept_up_to_date
    from recognizer.cli.prompt_screen import PromptPicture

    with kept_up_to_date(lambda width: PromptPicture(guide, title, width, keys)) as show:
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
        case events.Undone() | events.LeftOut() | events.Hint():
            complain(event.note)
        case events.Kept() if not quiet:
            complain(f"kept; {event.note}" if event.note else "kept")
        case events.Mishap() if not quiet:
            complain(f"warning: {event.note}")
        case events.Event(note=str(note)) if not quiet:
            complain(note)
