"""`recognizer record`: recordings of words, led by prompts, as a folder to train from."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    QuietOption,
    WithoutTerminalOption,
    check_folder,
    names_checked,
    standing_folder,
    usage_error,
)
from recognizer.cli.prompting import collect, refuse_unseen
from recognizer.cli.reporting import ExitStatus, complain, does_work, native_messages_hidden, print_json, say
from recognizer.errors import CorpusError, RecognizerError, cited, listed, shown

if TYPE_CHECKING:
    import numpy as np

    from recognizer.live.prompts import Prompt

FOLDER = "recordings"  # where none is named, in the folder where the command is called


@does_work
def record(
    words: Annotated[list[str], typer.Argument(help="The words to say.", metavar="WORD...")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=f"Folder for the recordings, {FOLDER} by default; those in it count.",
            metavar="FOLDER",
            readable=False,
            show_default=False,
        ),
    ] = None,
    takes: Annotated[int, typer.Option(help="Recordings wanted of each word.", min=1)] = 3,
    speaker: Annotated[
        str | None,
        typer.Option(help="Who speaks, for the files' names.", metavar="NAME", show_default=False),
    ] = None,
    device: DeviceOption = None,
    sample_rate: Annotated[int, typer.Option(help="Of the recordings, Hz.", min=8000, max=48000)] = 16000,
    without_terminal: WithoutTerminalOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Record words to train a model from."""
    from recognizer.corpus import growing
    from recognizer.live.events import Finished
    from recognizer.live.guide import Guide
    from recognizer.live.prompts import prompts

    with names_checked():
        words = growing.checked_words(words)
        speaker = None if speaker is None else growing.checked_label(speaker, "speaker")
    named, output = output, output or Path(FOLDER)
    _check_folder(output, words)
    if named is None and not quiet:
        complain(f"recordings go to {shown(output.absolute())}; --output chooses another folder")
    folders = {word: growing.word_folder(output, word) for word in words}
    have = {word: len(growing.take_numbers(folder, speaker)) for word, folder in folders.items()}
    before = sum(min(count, takes) for count in have.values())
    guide = Guide(prompts(words, takes, have), sample_rate, before=before)
    status = ExitStatus.OK
    if asked := guide.current is not None:
        refuse_unseen(as_json, without_terminal)
        _make_sure_of_room(output)
        from recognizer.sound.microphone import Microphone

        with native_messages_hidden(debug), Microphone(device) as microphone:
            name, rate = shown(microphone.device.name), microphone.sample_rate
            if rate < sample_rate and not quiet:
                complain(f"warning: {name} delivers {rate} Hz, under {sample_rate}; use --sample-rate {rate}")
            keep = _keeper(folders, speaker, sample_rate)
            title = f"record: {name} at {rate} Hz"
            outcome = collect(guide, microphone, keep, title, quiet, as_json, without_terminal=without_terminal)
        status = outcome.status
    elif as_json:
        print_json(Finished(time=0.0, kept=0, skipped=0).record())
    if as_json or status == ExitStatus.INTERRUPTED:
        return status
    counts = {word: len(growing.take_numbers(folder, speaker)) for word, folder in folders.items()}
    there = listed((f"{word} {count}" for word, count in counts.items()), len(counts))
    new = f"{guide.kept or 'no'} new recording{'' if guide.kept == 1 else 's'}"
    say(f"{shown(output)}: {new}; in all {there}")
    if not asked:
        say(f"all takes are there; for more, --takes {min(counts.values()) + 1}")
    say(f"next: recognizer train {shlex.quote(str(output))} --output mine.npz")
    return status


def _check_folder(output: Path, words: list[str]) -> None:
    """Refuse a folder that cannot be written to, or whose recordings are named in a way that ours do not fit."""
    from recognizer import corpus
    from recognizer.corpus import growing

    name = f"--output {shown(output)}"
    check_folder(output, "--output", [growing.word_folder(output, word) for word in words])
    try:
        layout = corpus.layout_of(output, words)
        if layout is None:
            return
        present = {utterance.word.lower(): utterance.word for utterance in corpus.find(output, known=words)}
    except CorpusError as error:
        raise usage_error(f"{name}: {error}") from error
    if layout != corpus.WORD_FOLDER:
        raise usage_error(f"{name} has recordings named {layout}, which these would not fit; choose another folder")
    for word in words:
        if present.get(word.lower(), word) != word:
            raise usage_error(
                f"{name} has the word {cited(present[word.lower()])} already; write {cited(word)} like that"
            )


def _make_sure_of_room(output: Path) -> None:
    """Refuse a full disk before somebody speaks in vain."""
    from recognizer.files.writing import remedy, try_out

    standing = standing_folder(output)
    try:
        try_out(standing)
    except OSError as error:
        what_to_do = remedy(error, "choose another --output")
        raise RecognizerError(f"{shown(standing)} cannot be written to ({error.strerror}); {what_to_do}") from error


def _keeper(folders: dict[str, Path], speaker: str | None, sample_rate: int) -> Callable[[Prompt, np.ndarray], Path]:
    """Gives a function that writes a take beside those that are there, whoever else does so, and gives its file."""
    from recognizer.corpus import growing
    from recognizer.files import privacy

    for folder in filter(os.path.isdir, folders.values()):
        privacy.close(folder)

    return lambda prompt, samples: growing.add_recording(folders[prompt.word], samples, sample_rate, speaker)
