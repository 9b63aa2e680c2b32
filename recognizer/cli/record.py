"""`recognizer record`: recordings of words, led by prompts, as a folder to train from."""

from __future__ import annotations

import itertools
import os
import shlex
import unicodedata
from collections.abc import Callable
from contextlib import suppress
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
    standing_folder,
    usage_error,
)
from recognizer.cli.prompting import collect, refuse_unseen
from recognizer.cli.reporting import ExitStatus, complain, does_work, native_messages_hidden, print_json, say
from recognizer.errors import CorpusError, NamingError, RecognizerError, cited, listed, shown

if TYPE_CHECKING:
    import numpy as np

    from recognizer.live.prompts import Prompt

FOLDER = "recordings"  # where none is named, in the folder where the command is called
SPEAKER_MARK = "_nohash_"  # what stands between speaker and take, see `recognizer.corpus`
RESERVED = ("_nohash", "_background_noise_")  # would be read otherwise from the names of files and folders


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
    from recognizer.live.events import Finished
    from recognizer.live.guide import Guide
    from recognizer.live.prompts import prompts

    words = _checked_words(words)
    speaker = None if speaker is None else _checked_name(speaker, "speaker")
    named, output = output, output or Path(FOLDER)
    _check_folder(output, words)
    if named is None and not quiet:
        complain(f"recordings go to {shown(output.absolute())}; --output chooses another folder")
    folders = {word: _word_folder(output, word) for word in words}
    have = {word: len(_takes(folder, speaker)) for word, folder in folders.items()}
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
    counts = {word: len(_takes(folder, speaker)) for word, folder in folders.items()}
    there = listed((f"{word} {count}" for word, count in counts.items()), len(counts))
    new = f"{guide.kept or 'no'} new recording{'' if guide.kept == 1 else 's'}"
    say(f"{shown(output)}: {new}; in all {there}")
    if not asked:
        say(f"all takes are there; for more, --takes {min(counts.values()) + 1}")
    say(f"next: recognizer train {shlex.quote(str(output))} --output mine.npz")
    return status


def _checked_name(name: str, what: str) -> str:
    """The name, which can be part of a file's and is read from there as it is."""
    from recognizer.files.naming import checked_name

    try:
        name = checked_name(name, what)
    except NamingError as error:
        raise usage_error(str(error)) from error
    reserved = next((mark for mark in RESERVED if mark in name), None)
    if reserved:
        raise usage_error(f"{what} {cited(name)} has {reserved!r} in it, which divides names of files; leave it out")
    return name


def _checked_words(words: list[str]) -> list[str]:
    """The words, no two of which are the same, be it but for case."""
    spelled: dict[str, str] = {}
    for word in words:
        word = _checked_name(word, "word")
        if word.lower() in spelled:
            same = f"{cited(spelled[word.lower()])} and {cited(word)}"
            raise usage_error(f"words {same} are the same word; leave one out")
        spelled[word.lower()] = word
    return list(spelled.values())


def _check_folder(output: Path, words: list[str]) -> None:
    """Refuse a folder that cannot be written to, or whose recordings are named in a way that ours do not fit."""
    from recognizer import corpus

    name = f"--output {shown(output)}"
    check_folder(output, "--output", [_word_folder(output, word) for word in words])
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


def _word_folder(output: Path, word: str) -> Path:
    """Where the recordings of a word are: in the folder of that name, whichever way its letters are composed."""
    entries = os.listdir(output) if output.is_dir() and os.access(output, os.R_OK) else []
    return output / next((entry for entry in entries if _nfc(entry) == word), word)


def _takes(folder: Path, speaker: str | None) -> list[int]:
    """The numbers of the recordings that a speaker, or nobody named, has in a word's folder; 0 for any without one."""
    from recognizer.sound.formats import AUDIO_SUFFIXES

    numbers = []
    for file in folder.iterdir() if folder.is_dir() else ():
        who, mark, number = _nfc(file.stem).partition(SPEAKER_MARK)
        if not mark:
            who, number = None, who
        if file.suffix.lower() in AUDIO_SUFFIXES and file.name[0] != "." and who == speaker:
            numbers.append(int(number) if number.isdecimal() else 0)
    return numbers


def _keeper(folders: dict[str, Path], speaker: str | None, sample_rate: int) -> Callable[[Prompt, np.ndarray], Path]:
    """Gives a function that writes a take beside those that are there, whoever else does so, and gives its file."""
    from recognizer.files import privacy
    from recognizer.files.writing import make_private_folder
    from recognizer.sound import audio

    for folder in filter(os.path.isdir, folders.values()):
        privacy.close(folder)

    def keep(prompt: Prompt, samples: np.ndarray) -> Path:
        folder = folders[prompt.word]
        make_private_folder(folder)
        prefix = "" if speaker is None else f"{speaker}{SPEAKER_MARK}"
        for number in itertools.count(max(_takes(folder, speaker), default=0) + 1):
            with suppress(FileExistsError):  # another program was faster
                audio.save(path := folder / f"{prefix}{number}.wav", samples, sample_rate, new=True)
                return path

    return keep


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)
