"""`recognizer enroll`: fit a model to a voice, at the microphone or from recordings."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli import corpora
from recognizer.cli.defaults import model_option
from recognizer.cli.options import (
    DebugOption,
    DetailsOption,
    DeviceOption,
    JobsOption,
    JsonOption,
    LayoutOption,
    ModelOption,
    QuietOption,
    WithoutTerminalOption,
    checked_speaker,
    lasting_name,
    usage_error,
    workers,
)
from recognizer.cli.prompting import collect, refuse_unseen
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    complain,
    counted,
    details_of,
    does_work,
    doubted,
    echo_wrapped,
    gain_of,
    native_messages_hidden,
    print_json,
    say,
    tell_of_channels,
    tell_of_refusals,
    warn_of_low_rates,
    working,
)
from recognizer.errors import AdaptationError, CorpusError, ProfileError, cited, listed, shown
from recognizer.recognition.chosen import chosen_words

if TYPE_CHECKING:
    from recognizer.adaptation.method import Method
    from recognizer.corpus import Utterance
    from recognizer.model import Model

TAKES, MOST_TAKES = 2, 20  # of each word, see `live.asking`, which takes a while to load
METHODS = ("auto", "map", "mllr", "cmllr", "mllr-map", "cmllr-map")


@does_work
def enroll(
    name: Annotated[
        str,
        typer.Argument(help="Who speaks, as in anna; with a condition, as in anna@cold.", metavar="NAME"),
    ],
    condition: Annotated[
        str | None,
        typer.Option(
            "--as", help="The condition: NAME --as cold is NAME@cold.", metavar="CONDITION", show_default=False
        ),
    ] = None,
    model: ModelOption = "digits",
    labelled: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Learn from labelled recordings in this folder or manifest, not at the microphone.",
            metavar="FOLDER",
            readable=False,
            show_default=False,
        ),
    ] = None,
    layout: LayoutOption = None,
    voice: Annotated[
        str | None,
        typer.Option(help="Which speaker of those in --from.", metavar="SPEAKER", show_default=False),
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(
            help="Learn from recordings in this folder of which nobody told the words.",
            metavar="FOLDER",
            readable=False,
            show_default=False,
        ),
    ] = None,
    takes: Annotated[
        int | None,
        typer.Option(
            help=f"Recordings wanted of each word at the microphone; {TAKES} by default.",
            min=1,
            max=MOST_TAKES,
            show_default=False,
        ),
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Option(
            help="Ask for these words only; may be given more than once.", metavar="A,B,C", show_default=False
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="How to fit; auto tries each on takes that it has not seen.",
            metavar="|".join(METHODS),
        ),
    ] = "auto",
    shape: Annotated[
        str | None,
        typer.Option(help="Of the transform.", metavar="bias|diagonal|block|full", show_default=False),
    ] = None,
    tau: Annotated[
        float | None,
        typer.Option(help="Frames that the base counts for in MAP.", min=0, max=20, metavar="X", show_default=False),
    ] = None,
    class_frames: Annotated[
        float | None,
        typer.Option(
            help="Speech that gives a class of sounds an MLLR transform of its own; one for all by default.",
            metavar="FRAMES",
            show_default=False,
        ),
    ] = None,
    variances: Annotated[bool, typer.Option("--variances", help="MLLR scales the variances, too.")] = False,
    weight: Annotated[
        float | None,
        typer.Option(
            help="Mix the speaker's model with the base: from 0 (the base) to 1 (the speaker).",
            metavar="X",
            show_default=False,
        ),
    ] = None,
    vtln: Annotated[
        bool, typer.Option("--vtln", help="Also stretch the frequency axis to the length of the vocal tract.")
    ] = False,
    forget_audio: Annotated[
        bool, typer.Option("--forget-audio", help="Delete the takes once the profile is made.")
    ] = False,
    device: DeviceOption = None,
    without_terminal: WithoutTerminalOption = False,
    details: DetailsOption = False,
    as_json: JsonOption = False,
    jobs: JobsOption = 1,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Fit a model to a voice, at the microphone or from recordings."""
    name = _checked_name(name, condition)
    if layout is not None and labelled is None:
        raise usage_error(f"--layout {shown(layout)} says how recordings in --from are named; give both")
    _check_sources(labelled, unlabelled, voice, {"--takes": takes, "--words": words or None, "--device": device})
    options = {"shape": shape, "tau": tau, "class_frames": class_frames, "variances": variances, "weight": weight}
    fitting = _method(
        method, {key: value for key, value in options.items() if value is not None and value is not False}
    )
    if vtln and unlabelled is not None:
        raise usage_error("--vtln needs to know the words; leave it out, or give --from instead of --unlabelled")

    with working("reading the model", quiet, SOON):
        from recognizer.model import Model, locate
        from recognizer.speakers import store
        from recognizer.speakers.enrolling import make_profile, refuse_to_lose

        base = Model.load(locate(model))
    if not base.front_end.hears:
        raise AdaptationError(
            f"{shown(model)} knows {base.front_end.source}, and enrolling keeps recordings; choose another "
            "--model, or adapt "
            "to such files as they come with `recognizer batch --adapt`"
        )
    model_name = lasting_name(model)
    refuse_to_lose(name)
    wanted = _wanted(words, base)
    store.make_ready(name)
    status, refused = ExitStatus.OK, []
    if unlabelled is not None:
        return _without_labels(name, base, model_name, unlabelled, fitting, forget_audio, details, as_json, jobs, quiet)
    if labelled is not None:
        found = corpora.recordings_of([labelled], layout, quiet, base.words, debug).utterances
        with working("reading the recordings", quiet):
            refused = _take_over(name, base, labelled, found, voice, workers(jobs), quiet)
    else:
        status, asked = _ask(name, base, wanted, takes or TAKES, device, without_terminal, as_json, quiet, debug)
        if status == ExitStatus.INTERRUPTED:
            return status
    _tell_of_earlier(name, base, quiet)
    try:
        with working("fitting the model to the voice", quiet):
            enrollment, unusable = make_profile(
                name, base, model_name, fitting, vtln=vtln, forget_audio=forget_audio, jobs=workers(jobs)
            )
    except KeyboardInterrupt:
        complain("interrupted; the takes are kept; the same command goes on from there")
        return ExitStatus.INTERRUPTED
    refused += unusable
    _tell_of_forgotten(forget_audio, quiet)
    record = store.load(name).record
    doubts = [doubted(name, doubt) for doubt in enrollment.doubts]
    _report(name, model_name, record, doubts, refused, details, as_json, quiet)
    if labelled is None and not asked and not (as_json or quiet):
        from recognizer.live.asking import kept_of

        more = min(kept_of(name, wanted).values()) + 1
        complain(f"all takes were there; for more, --takes {more}" if more <= MOST_TAKES else "all takes were there")
    return ExitStatus.FAILED if refused else status


# What was asked for


def _checked_name(name: str, condition: str | None) -> str:
    """The speaker's name with the condition, wherever that was given."""
    from recognizer.speakers import store

    if condition is not None:
        if store.MARK in name:
            raise usage_error(f"{shown(name)} names a condition, and so does --as {shown(condition)}; leave one out")
        name += store.MARK + condition
    return checked_speaker(name)


def _check_sources(
    labelled: Path | None, unlabelled: Path | None, voice: str | None, microphone: dict[str, object]
) -> None:
    """Refuse options that do not go together."""
    if labelled is not None and unlabelled is not None:
        raise usage_error("--from and --unlabelled exclude each other; leave one out")
    if voice is not None and labelled is None:
        raise usage_error(f"--voice {shown(voice)} chooses among the speakers of --from; leave it out, or give --from")
    given = next((option for option, value in microphone.items() if value is not None), None)
    if given and (labelled or unlabelled):
        other = "--from" if labelled else "--unlabelled"
        raise usage_error(f"{given} goes with the microphone, not with {other}; leave one out")


def _method(kind: str, chosen: dict[str, float | str | bool]) -> Method | None:
    """The method that the options name; None where it shall be chosen."""
    from recognizer.adaptation.method import Method

    if kind not in METHODS:
        raise usage_error(f"--method {shown(kind)} is not {', '.join(METHODS)}")
    parts = kind.split("-")
    of_mllr, of_transforms = "mllr" in parts, bool({"mllr", "cmllr"} & set(parts))
    fits = {"shape": of_transforms, "tau": "map" in parts, "class_frames": of_mllr, "variances": of_mllr}
    for option in chosen:
        if not fits.get(option, kind != "auto"):
            named = option.replace("_", "-")
            raise usage_error(f"--{named} says nothing about --method {kind}; add --method mllr-map, or leave it out")
    if kind == "auto":
        return None
    try:
        return Method(kind, **chosen)
    except AdaptationError as error:  # begins with the name of the setting, which is that of the option
        raise usage_error(f"--{error}".replace("class_frames", "class-frames")) from error


def _wanted(words: Sequence[str] | None, model: Model) -> list[str]:
    """The words to ask for, in the model's order."""
    import unicodedata

    chosen = chosen_words(words, model.words)
    if chosen is None:
        return list(model.words)
    chosen = [unicodedata.normalize("NFC", word) for word in chosen]
    unknown = [word for word in chosen if word not in model.words]
    if unknown or not chosen:
        named = listed(map(cited, unknown)) or "no words"
        raise usage_error(f"--words has {named}; the model has {listed(model.words)}")
    return [word for word in model.words if word in chosen]


# At the microphone


def _ask(
    name: str,
    model: Model,
    words: Sequence[str],
    takes: int,
    device: str | None,
    without_terminal: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> tuple[ExitStatus, int]:
    """Ask for the takes that are missing: how that ended, and how many there were to ask for."""
    from recognizer.features.analysis import low_rate
    from recognizer.live import asking
    from recognizer.live.guide import Guide
    from recognizer.recognizer import Recognizer
    from recognizer.speakers import store
    from recognizer.speakers.enrolling import prior_of

    prior, _ = prior_of(name, model)
    with working("listening to the takes there are", quiet):
        missing, before = asking.missing(name, words, takes, prior)
    if not missing:
        return ExitStatus.OK, 0
    refuse_unseen(as_json, without_terminal)
    from recognizer.sound.microphone import Microphone

    with native_messages_hidden(debug), Microphone(device) as microphone:
        own, title = microphone.sample_rate, f"enroll {name}: {shown(microphone.device.name)}"
        needed = model.front_end.sample_rate
        if own < needed and not quiet:
            complain(f"warning: {shown(microphone.device.name)}: {low_rate(str(own), needed)}")
        rate = asking.rate_of_takes(model, own)
        objection = asking.objection(Recognizer(asking.best(name, model, prior)), rate)
        guide = Guide(missing, rate, check=objection, before=before)
        outcome = collect(
            guide,
            microphone,
            lambda prompt, samples: store.add_take(name, prompt.word, samples, rate),
            f"{title} at {own} Hz",
            quiet,
            as_json,
            remove=lambda path: store.remove_take(name, path),
            without_terminal=without_terminal,
        )
    return outcome.status, len(missing)


# From recordings


def _take_over(
    name: str, model: Model, folder: Path, found: Sequence[Utterance], voice: str | None, jobs: int, quiet: bool
) -> list[str]:
    """Copy what can be learned from to the speaker's takes; gives why the rest cannot, a line each."""
    from recognizer.speakers.enrolling import take_over

    utterances = _of_one_voice(found, voice, shown(folder))
    known = [utterance for utterance in utterances if utterance.word in model.words]
    others = sorted({utterance.word for utterance in utterances} - set(model.words))
    if not known:
        raise AdaptationError(
            f"{shown(folder)} has no recording of a word that the model has: it has {listed(others, 10)}, "
            f"the model {listed(model.words, 10)}; rename the recordings, write a manifest, or choose another --model"
        )
    if others and not quiet:
        count = len(utterances) - len(known)
        complain(f"warning: not learned from: {count} recordings of words that the model lacks: {listed(others, 10)}")
    usable, refused = take_over(name, known, model, shown(folder), jobs=jobs)
    if not quiet:
        warn_of_low_rates(Counter(take.analysis.source_rate for take in usable), model.front_end)
        tell_of_channels({take.path: take.analysis.channel for take in usable})
    return refused


def _of_one_voice(utterances: Sequence[Utterance], voice: str | None, folder: str) -> list[Utterance]:
    """The recordings of one speaker: the one that is asked for, or all if there is no other."""
    import unicodedata

    voices = sorted({utterance.speaker for utterance in utterances if utterance.speaker})
    if voice is not None:
        voice = unicodedata.normalize("NFC", voice)
        if not voices:
            raise usage_error(f"--voice {shown(voice)}: {folder} does not tell who speaks; leave --voice out")
        if voice not in voices:
            raise usage_error(f"--voice {shown(voice)}: {folder} tells of {listed(voices, 10)}; choose from these")
        return [utterance for utterance in utterances if utterance.speaker == voice]
    if len(voices) > 1:
        raise usage_error(
            f"--from {folder} has recordings of {len(voices)} speakers, {listed(voices, 10)}; choose one with "
            "--voice NAME"
        )
    return list(utterances)


def _without_labels(
    name: str,
    model: Model,
    model_name: str,
    folder: Path,
    method: Method | None,
    forget_audio: bool,
    details: bool,
    as_json: bool,
    jobs: int,
    quiet: bool,
) -> ExitStatus:
    """Enroll from recordings of which nobody told the words."""
    from recognizer import corpus
    from recognizer.files import naming
    from recognizer.speakers import store
    from recognizer.speakers.enrolling import make_unlabelled_profile

    if not folder.exists():
        raise CorpusError(f"--unlabelled {shown(folder)}: no such folder; check the name")
    if told := [take for take in store.takes(name) if not store.is_heard(take)]:
        raise AdaptationError(
            f"{name} has {len(told)} takes whose words are known, which tell more than {shown(folder)}; to add it, "
            f"enroll a condition, which starts from them: {_condition(name)}"
        )
    for word in model.words:
        naming.checked_name(word, "word")
    _tell_of_earlier(name, model, quiet)
    with working("fitting the model to the voice", quiet):
        record, refused = make_unlabelled_profile(
            name,
            model,
            model_name,
            corpus.audio_files([folder]),
            method,
            forget_audio=forget_audio,
            jobs=workers(jobs),
        )
    _tell_of_forgotten(forget_audio, quiet)
    _report(name, model_name, record, (), refused, details, as_json, quiet)
    return ExitStatus.FAILED if refused else ExitStatus.OK


def _condition(name: str) -> str:
    speaker = name.partition("@")[0]
    return f"`recognizer enroll {shlex.quote(speaker)} --as CONDITION --unlabelled FOLDER`"


# What is told


def _tell_of_earlier(name: str, model: Model, quiet: bool) -> None:
    """Say what becomes of a profile that is not just made better."""
    from recognizer.speakers import store

    if quiet or not store.has_profile(name):
        return
    try:
        earlier = store.load(name)
    except ProfileError as error:
        complain(f"warning: the earlier profile cannot be used and is replaced: {error}")
        return
    if earlier.base != model.fingerprint:
        complain(
            f"warning: the profile that is replaced was made for another model, {shown(earlier.model_name)}; to "
            "have it back, "
            f"`recognizer speakers refresh {shlex.quote(name)} --model {shlex.quote(earlier.model_name)}`"
        )


def _tell_of_forgotten(forget_audio: bool, quiet: bool) -> None:
    if forget_audio and not quiet:
        complain("the takes are deleted; `recognizer speakers refresh` cannot make this profile anew")


def _report(
    name: str,
    model_name: str,
    record: dict,
    doubts: Sequence[str],
    refused: Sequence[str],
    details: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell what came of it."""
    tell_of_refusals(refused)
    if as_json:
        from recognizer.speakers.enrolling import enrolled

        print_json(enrolled(name, model_name, record, doubts, refused))
        return
    for line in (*_lines_of(name, record), *(details_of(record) if details else ())):
        echo_wrapped(line, 2)
    if not quiet:
        if record["after"] and record["after"]["correct"] < record["before"]["correct"]:
            complain("warning: takes left out are understood worse than before; listen to the takes, and record more")
        for doubt in doubts:
            complain(f"warning: {doubt}")
    say(f"next: recognizer live --speaker {shlex.quote(name)}{model_option(model_name, 'live')}")


def _lines_of(name: str, record: dict) -> list[str]:
    """What a profile's record tells a person."""
    of_words = f"of {counted(len(record['takes']), 'word')}"
    takes = sum(record["takes"].values())
    if record["before"] is None:
        return [f"{name}: sure of {takes} of {record['recordings']} recordings, {of_words}"]
    lines = [f"{name}: {counted(takes, 'take')} {of_words}"]
    if record.get("unlabelled"):
        lines.append("the words of some takes were told by the recognizer, not by a person: what follows flatters")
    return [*lines, *gain_of(name, record["before"], record["after"])]
