"""`recognizer check`: what a corpus is like, before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.corpora import recordings_of
from recognizer.cli.options import DebugOption, JsonOption, LayoutOption, QuietOption
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    echo_wrapped,
    print_json,
    print_table,
    progress_bar,
    reports_errors,
    say,
    working,
)
from recognizer.errors import counted, listed, shown

if TYPE_CHECKING:
    from recognizer.corpus import Corpus, Utterance
    from recognizer.evaluation.checking import CheckedCorpus

NAMED = 5  # recordings of a kind that are named; --json has all
PAIRS = 5  # of words that are alike


@reports_errors
def check(
    corpus: Annotated[
        list[Path],
        typer.Argument(help="Folders of recordings, or tables with the columns path,word,speaker.", readable=False),
    ],
    layout: LayoutOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Tell what is in a corpus and what is wrong with it, without training anything.

    How its names are read, words and takes, speakers, rates and lengths, recordings that cannot be read, are clipped,
    too quiet or noisy, the same recording under two labels, labels that differ by case or by what nobody sees, and
    which words sound alike. The exit status is 1 if something would be left out of training, or stop it.
    """
    found = recordings_of(corpus, layout, True, debug=debug, strict=False)
    with working("loading", quiet, SOON):
        from recognizer.evaluation.checking import check_corpus
    with progress_bar(quiet) as progress:
        checked = check_corpus(found.utterances, progress)
    if as_json:
        print_json(_record(checked, found))
    else:
        for line in found.told:
            echo_wrapped(line, 2)
        _print(checked)
        for fault in found.faults:
            echo_wrapped(f"to be mended: {fault}", 2)
    return ExitStatus.FAILED if found.faults or checked.unread or checked.two_words else ExitStatus.OK


def _record(checked: CheckedCorpus, found: Corpus) -> dict:
    """All that was found as plain data."""

    def groups(found: list[list[Utterance]]) -> list[list[dict]]:
        return [[{"file": str(u.path), "word": u.word, "speaker": u.speaker} for u in group] for group in found]

    return {
        "layouts": found.layouts,
        "faults": found.faults,
        "words": {word: len(takes) for word, takes in checked.words.items()},
        "speakers": Counter(u.speaker for u in checked.utterances if u.speaker),
        "rates": Counter(heard.rate for heard in checked.heard.values() if heard.rate),
        "seconds": round(sum(heard.duration for heard in checked.heard.values()), 3),
        "few": checked.few,
        "left_out": list(checked.unread),
        "problems": {
            str(path): [problem for _, problem in heard.problems]
            for path, heard in checked.heard.items()
            if heard.problems
        },
        "two_words": groups(checked.two_words),
        "two_speakers": groups(checked.two_speakers),
        "twice": groups(checked.twice),
        "alike": checked.alike,
    }


def _print(checked: CheckedCorpus) -> None:
    say()
    rows = [("word", "takes", "speakers", "seconds", "doubtful")]
    for word, takes in checked.words.items():
        heard = [checked.heard[take.path] for take in takes]
        speakers = len({take.speaker for take in takes if take.speaker})
        lengths = sorted(found.duration for found in heard)
        doubtful = sum(bool(found.problems) for found in heard)
        usual = f"{lengths[len(lengths) // 2]:.2f}" if lengths else "-"
        rows.append((word, str(len(takes)), str(speakers or "-"), usual, str(doubtful or "-")))
    print_table(rows, right={1, 2, 3, 4})
    say()
    rates = dict(Counter(heard.rate for heard in checked.heard.values()).most_common())
    lengths = sorted(heard.duration for heard in checked.heard.values())
    if lengths:
        kinds = ", ".join(
            f"{count} at {rate} Hz" if rate else f"{count} of parameters" for rate, count in rates.items()
        )
        echo_wrapped(f"recordings: {kinds}; {lengths[0]:.2f} to {lengths[-1]:.2f} s, {sum(lengths):.0f} s in all", 2)
    if checked.few:
        echo_wrapped(f"few takes: {listed(checked.few)}; record at least three of each, better ten", 2)
    for kind, paths in checked.kinds.items():
        echo_wrapped(f"{kind}: {counted(len(paths), 'recording')}: {listed(paths, NAMED)}", 2)
    for what, groups in (
        ("the same recording as different words, which are left out", checked.two_words),
        ("the same recording of different speakers", checked.two_speakers),
        ("the same recording more than once", checked.twice),
    ):
        for group in groups[:NAMED]:
            labels = ("word", "speaker") if groups is checked.two_speakers else ("word",)
            named = (f"{shown(u.path)} ({', '.join(shown(getattr(u, label)) for label in labels)})" for u in group)
            echo_wrapped(f"{what}: {', '.join(named)}", 2)
        if len(groups) > NAMED:
            say(f"{what}: {len(groups) - NAMED} more")
    for reason in checked.unread[:NAMED]:
        echo_wrapped(f"left out: {reason}", 2)
    if len(checked.unread) > NAMED:
        say(f"left out: {len(checked.unread) - NAMED} more")
    if checked.alike:
        pairs = ", ".join(" and ".join(map(shown, pair["words"])) for pair in checked.alike[:PAIRS])
        echo_wrapped(f"most alike: {pairs}", 2)
