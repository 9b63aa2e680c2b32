"""Labelled recordings for a command: what was taken for words and speakers is told, what is not plain is asked."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recognizer.cli.reporting import ExitStatus, complain
from recognizer.errors import shown

if TYPE_CHECKING:
    from recognizer.corpus import Corpus, LayoutError


def recordings_of(
    corpora: Sequence[Path],
    layout: str | None,
    quiet: bool,
    known: Collection[str] | None = None,
    debug: bool = False,
    strict: bool = True,
) -> Corpus:
    """The recordings in folders and tables.

    Parameters
    ----------
    known : words that may be said, which tell words from speakers; None for those of all models that have a name, if
        the names do not tell
    strict : see `recognizer.corpus.read_corpus`

    Raises
    ------
    typer.Exit
        where the names can be read in several ways, after these have been shown with the option for each.
    """
    from recognizer.corpus import LayoutError, read_corpus

    try:
        try:
            found = read_corpus(*corpora, layout=layout, known=known or (), strict=strict)
        except LayoutError:
            if known is not None:
                raise
            found = read_corpus(*corpora, known=_installed_words(), strict=strict)
    except LayoutError as error:
        if debug:
            raise
        _ask(error)
        raise typer.Exit(int(ExitStatus.FAILED)) from error
    if not quiet:
        for line in found.told:
            complain(line)
    return found


def _ask(error: LayoutError) -> None:
    from recognizer.corpus import LAYOUT_FILE

    complain(
        f"error: {shown(error.folder)}: {error.why}; say it with --layout, or once for all in {LAYOUT_FILE} there:"
    )
    for reading in error.readings:
        complain(f"  --layout {shlex.quote(reading.pattern)}  {reading.told}")


def _installed_words() -> set[str]:
    """The words of all models that have a name."""
    from recognizer.errors import ModelError
    from recognizer.model import Model, installed

    words: set[str] = set()
    for path in installed().values():
        try:
            words.update(Model.load(path).words)
        except ModelError:  # told by whoever uses it
            continue
    return words
