"""`recognizer evaluate`: measure a model on labelled recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.corpora import recordings_of
from recognizer.cli.options import (
    AdaptOption,
    ClusterOption,
    CsvOption,
    DebugOption,
    JobsOption,
    JsonOption,
    LayoutOption,
    ModelOption,
    QuietOption,
    SpeakerOption,
    ThresholdOption,
    at_work,
    check_folder,
    checked_speaker,
    threshold_of,
    usage_error,
)
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    complain,
    counted,
    echo_wrapped,
    print_csv,
    print_json,
    print_table,
    progress_bar,
    reports_errors,
    say,
    tell_of_adaptations,
    tell_of_channels,
    warn_of_low_rates,
    working,
)

if TYPE_CHECKING:
    from recognizer.adaptation.unlabelled import SelfAdaptation
    from recognizer.corpus import Utterance
    from recognizer.evaluation.evaluation import Evaluation
    from recognizer.intervals import Proportion
    from recognizer.recognizer import FileResult, Recognizer

WORST = 10  # files shown


@reports_errors
def evaluate(
    corpus: Annotated[
        Path, typer.Argument(help="Folder of recordings, or a CSV manifest path,word,speaker.", readable=False)
    ],
    layout: LayoutOption = None,
    model: ModelOption = "digits",
    speaker: SpeakerOption = None,
    adapt: AdaptOption = False,
    threshold: ThresholdOption = "normal",
    report: Annotated[
        Path | None,
        typer.Option(help="Also write a page, JSON, CSV and PNG files there.", metavar="DIR", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    jobs: JobsOption = 1,
    cluster: ClusterOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Measure accuracy on labelled recordings, and how many are rejected.

    Accuracy is that of a forced choice, whatever is rejected. Recordings of words that the model lacks do not
    count for it: they should be rejected, and those that are not are false acceptances. With --adapt, the recordings
    of each speaker of the corpus are adapted to on their own; their labels are not used for that.
    """
    if as_json and as_csv:
        raise usage_error("--json and --csv exclude each other; choose one")
    least = threshold_of(threshold)
    check_folder(report, "--report")
    with working("reading the model and the corpus", quiet, SOON):
        from recognizer.errors import listed, shown
        from recognizer.evaluation import evaluation as scoring
        from recognizer.evaluation.report import score_rows, write_report
        from recognizer.files.pictures import require_matplotlib
        from recognizer.recognizer import Recognizer

        recognizer = Recognizer.load(model, None if speaker is None else checked_speaker(speaker))
    utterances = recordings_of([corpus], layout, quiet, recognizer.words, debug).utterances
    foreign = sorted({u.word for u in utterances} - set(recognizer.words))
    if foreign and not quiet:
        complain(f"warning: the model lacks {listed(foreign, 10)}; their recordings should be rejected")

    if report is not None:
        require_matplotlib()
    if adapt:
        utterances = sorted(utterances, key=_speaker)
    rates, channels, adaptations = Counter(), {}, []

    def answers():
        with at_work(jobs, cluster) as power, progress_bar(quiet) as progress:
            how = {"threshold": least, "jobs": power}
            progress("recognising", 0, len(utterances))
            if adapt:
                found = _adapted(recognizer, utterances, adaptations, **how)
            else:
                found = recognizer.recognize_files([u.path for u in utterances], **how)
            for done, item in enumerate(found, 1):
                progress("recognising", done, len(utterances))
                rates[item.source_rate] += 1
                if item.result:
                    channels[item.path] = item.result.channel
                yield item

    evaluation = scoring.evaluate(utterances, answers(), recognizer.words)
    if not quiet:
        tell_of_adaptations(adaptations)
        warn_of_low_rates(rates, recognizer.model.front_end)
        tell_of_channels(channels)
    if as_json:
        print_json(evaluation.as_json())
    elif as_csv:
        for row in score_rows(evaluation):
            print_csv(row)
    else:
        _print(evaluation)
    if report is not None:
        with working("writing the report", quiet, SOON):
            front_end = recognizer.model.front_end
            written = write_report(evaluation, report, front_end.sample_rate if front_end.hears else None)
        if not quiet:
            complain(f"{len(written)} files written to {shown(report)}")
    for reason in list(evaluation.unreadable.values())[:WORST]:
        complain(f"error: {reason}")
    return ExitStatus.FAILED if evaluation.unreadable else ExitStatus.OK


def _speaker(utterance: Utterance) -> str:
    return utterance.speaker or ""


def _adapted(
    recognizer: Recognizer, utterances: Sequence[Utterance], adaptations: list[SelfAdaptation], **how
) -> Iterator[FileResult]:
    """Answers on utterances in the order of their speakers, each of whom is adapted to alone; tells how that went."""
    for _, own in groupby(utterances, _speaker):
        found, adaptation = recognizer.recognize_adapted([u.path for u in own], **how)
        adaptations.append(adaptation)
        yield from found


def _print(evaluation: Evaluation) -> None:
    from recognizer.errors import shown
    from recognizer.evaluation.evaluation import headline
    from recognizer.intervals import in_words

    echo_wrapped(headline(evaluation.total), 2)
    for rate, what, of in (
        (evaluation.false_rejections, "false rejections", "words of the model"),
        (evaluation.false_acceptances, "false acceptances", "words that the model lacks"),
    ):
        if rate.n:
            echo_wrapped(f"{what} {100 * rate.share:.2f} % of {of} ({in_words(rate.as_json())})", 2)
    for name, scores in (("word", evaluation.by_word), ("speaker", evaluation.by_speaker)):
        if scores:
            _print_shares(name, "right", "accuracy", sorted(scores.items(), key=_share))
    if evaluation.unknown:
        worst = sorted(evaluation.unknown.items(), key=_share, reverse=True)
        _print_shares("unknown word", "accepted", "accepted", worst)
    _print_confusion(evaluation)
    if evaluation.mistakes:
        say()
        say(f"worst files ({counted(len(evaluation.mistakes), 'mistake')} in all):")
        for m in evaluation.mistakes[:WORST]:
            heard = f"heard {shown(m.heard)} with confidence {m.confidence:.2f}" if m.heard else "nothing heard"
            echo_wrapped(f"  {shown(m.path)}: {shown(m.word)}, {heard}", 4)
    if evaluation.unreadable:
        say()
        say(f"{counted(len(evaluation.unreadable), 'file')} could not be read")


def _share(item: tuple[str, Proportion]) -> float:
    return item[1].share


def _print_shares(name: str, what: str, share: str, proportions: Iterable[tuple[str, Proportion]]) -> None:
    """A table of proportions with both intervals."""
    rows = [(name, what, "n", f"{share} %", "95 % interval", "bootstrap", "over")]
    for key, p in proportions:
        intervals = (f"{100 * low:.1f} to {100 * high:.1f}" for low, high in (p.interval, p.bootstrap))
        rows.append((key, str(p.count), str(p.n), f"{100 * p.share:.1f}", *intervals, p.over))
    say()
    print_table(rows, right={1, 2, 3, 4, 5})


def _print_confusion(evaluation: Evaluation) -> None:
    rows = [("said \\ heard", *(heard or "(nothing)" for heard in evaluation.heard))]
    rows += [(word, *(str(n) if n else "." for n in row)) for word, row in zip(evaluation.words, evaluation.confusion)]
    say()
    print_table(rows, right=range(1, len(rows[0])))
