"""`recognizer train`: make a model from labelled recordings."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from recognizer import own_models
from recognizer.cli.corpora import recordings_of
from recognizer.cli.defaults import model_option
from recognizer.cli.options import (
    ClusterOption,
    DebugOption,
    JobsOption,
    JsonOption,
    LayoutOption,
    QuietOption,
    at_work,
    check_file,
    names_checked,
    usage_error,
)
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    complain,
    does_work,
    print_json,
    progress_bar,
    say,
    tell_of_refusals,
    working,
)
from recognizer.errors import cited, counted, listed, shown

CONTAINERS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # what they may have, bytes


@does_work
def train(
    corpus: Annotated[
        list[Path],
        typer.Argument(help="Folders of recordings, or CSV manifests path,word,speaker.", readable=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The model file to write.", metavar="FILE.npz", show_default=False),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Keep it among your own models under this name instead.", metavar="NAME", show_default=False),
    ] = None,
    instead: Annotated[bool, typer.Option("--replace", help="Your own model of that NAME may be lost.")] = False,
    states: Annotated[int, typer.Option(help="Emitting states of a word.", min=1, max=100)] = 5,
    topology: Annotated[
        str,
        typer.Option(
            help="How speech goes through a word: left-right through every state, or skip, which may leave one out.",
            metavar="left-right|skip",
        ),
    ] = "left-right",
    density: Annotated[
        str,
        typer.Option(
            help="What tells how the sounds of a state are: continuous, a mixture of its own; semi-continuous, a "
            "mixture of Gaussians that all states share; discrete, a table over classes of sounds.",
            metavar="continuous|semi-continuous|discrete",
        ),
    ] = "continuous",
    mixtures: Annotated[int, typer.Option(help="Gaussians of a state, of a continuous density.", min=1, max=1024)] = 8,
    codebook: Annotated[
        int | None,
        typer.Option(
            help="Gaussians that all states share (256), or classes of sounds in each stream of a discrete density "
            "(128).",
            min=1,
            max=1024,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    tie: Annotated[
        int | None,
        typer.Option(
            help="States that all words have together: those that sound alike are one. By default each has its own.",
            min=1,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help="Also train on copies of every recording that differ at random in noise, rooms, vtlp (vocal tracts), "
            "pace, level and band (telephones); name one or more, with commas between.",
            metavar="noise,rooms,vtlp,pace,level,band",
            show_default=False,
        ),
    ] = None,
    copies: Annotated[int, typer.Option(help="Of every recording, to augment.", min=1, max=100)] = 3,
    noise: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of real noise to mix in beside what is made up; may be given more than once.",
            metavar="FOLDER",
            readable=False,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is random in the copies.", min=0)] = 0,
    layout: LayoutOption = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            help="Recordings in this folder count so many times as much; may be given more than once.",
            metavar="FOLDER=NUMBER",
            show_default=False,
        ),
    ] = None,
    even_speakers: Annotated[
        float,
        typer.Option(
            help="How far speakers of many takes are brought down to those of few: 0, each take counts the same; "
            "1, each speaker.",
            min=0.0,
            max=1.0,
        ),
    ] = 0.0,
    sample_rate: Annotated[
        int | None,
        typer.Option(
            help="Of the model, Hz; by default what most recordings have, 8000 or 16000.", min=4000, max=48000
        ),
    ] = None,
    unknown: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of other words and noises that the model shall reject; may be given more than once.",
            metavar="FOLDER",
            readable=False,
            show_default=False,
        ),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Origin and licence of the data, for the model's card.")] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="For all that grows with the recordings; features that have no room go to a file. By default a "
            "quarter of what the system has, where it tells.",
            metavar="SIZE",
            show_default=False,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps what was heard in recordings, so that the next training need not hear them again.",
            metavar="FOLDER",
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the same training was ended, with the same result.")
    ] = False,
    as_json: JsonOption = False,
    jobs: JobsOption = 1,
    cluster: ClusterOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Train a model on labelled recordings."""
    if cache is not None and cluster is not None:
        raise usage_error(
            f"--cache {shown(cache)} is for recordings that this computer reads; with --cluster, leave it out"
        )
    output = _target(output, name, instead)
    room = _room(memory)
    with working("loading", quiet, SOON):
        from recognizer import corpus as corpora
        from recognizer.errors import CorpusError, TrainingError
        from recognizer.features.front_end import FrontEnd
        from recognizer.intervals import in_words
        from recognizer.training.augmentation import Augmentation, clips
        from recognizer.training.building import build, corpus_front_end
        from recognizer.training.checkpoints import Checkpoints
        from recognizer.training.settings import TrainingSettings
        from recognizer.training.weighing import weigh_folders

    checkpoints = Checkpoints(output.with_name(f"{output.name}.checkpoints"))
    if resume and not checkpoints.folder.exists() and not quiet:
        complain(f"{shown(checkpoints.folder)} is not there: nothing was begun, or not for long; beginning anew")
    kinds = tuple(dict.fromkeys(kind.strip() for kind in (augment or "").split(",")))
    if noise and "noise" not in kinds:
        raise usage_error(f"--noise {shown(noise[0])} is for copies with noise; add --augment noise")
    try:
        augmentation = None if augment is None else Augmentation(kinds, copies, seed)
        settings = TrainingSettings(states, topology, density, mixtures, codebook, tie, even_speakers)
        weights = dict(_weight(text, corpora.weight) for text in weight or [])
    except (TrainingError, CorpusError) as error:
        raise usage_error(str(error)) from error
    with at_work(jobs, cluster) as power:  # first of all: a cluster that is not there is told at once
        found = recordings_of(corpus, layout, quiet, debug=debug)
        words = {utterance.word for utterance in found.utterances}
        if len(words) == 1 and layout is None and (read_as := next(filter(None, found.layouts), None)):
            raise CorpusError(
                f"{listed(corpus)}: there is only one word, {cited(*words)}, where names are {read_as}; to train it "
                f"alone, say so with --layout '{read_as}'; else say where the word is, as in --layout "
                "'{speaker}/{word}_{take}'"
            )
        if tie is not None and tie >= (own := len(words) * states) and not quiet:
            complain(
                f"--tie {tie} ties nothing: {counted(len(words), 'word')} of {states} states have {own}; give fewer"
            )
        with working("looking at the recordings", quiet):
            noises, silent = clips(noise or [])
            augmentation = augmentation and replace(augmentation, noises=noises)
            utterances = weigh_folders(found.utterances, weights)
            front_end = corpus_front_end(utterances)
        if sample_rate and not front_end.hears:
            holds = f"{' '.join(map(shown, corpus))} holds {front_end.source}"
            raise usage_error(f"--sample-rate {sample_rate} is for sound, and {holds}; leave it out")
        foreign, known = corpora.unknown_files(unknown or [], {u.word for u in utterances})
        if known and not quiet:
            complain(f"left out of --unknown: {len(known)} recordings of words that the model shall know")
        with _told_how_to_go_on(checkpoints.folder), progress_bar(quiet) as progress:
            progress("analysis", 0, len(utterances))
            model, refused = build(
                utterances,
                front_end=FrontEnd.for_rate(sample_rate) if sample_rate else front_end,
                settings=settings,
                augmentation=augmentation,
                unknown=foreign,
                jobs=power,
                memory=room,
                cache=cache,
                checkpoints=checkpoints.folder,
                resume=resume,
                card={"data": ", ".join(folder.name or str(folder) for folder in corpus), "licence": licence},
                progress=progress,
            )
    model.save(output) if name is None else own_models.save(model, output, instead)
    checkpoints.remove()
    left_out = [*silent, *(refusal.reason for refusal in refused)]
    tell_of_refusals(left_out)
    held_out, history = model.card["held_out"], model.acoustics.history
    if as_json:
        summary = {
            "model": str(output),
            "words": list(model.words),
            "utterances": model.card["utterances"],
            "left_out": left_out,
            "held_out": held_out,
            "history": history,
        }
        print_json(summary)
    else:
        say(f"{shown(output)}: {len(model.words)} words from {model.card['utterances']} recordings")
        say(f"words: {listed(model.words, len(model.words))}")
        for stage, curve in history.items():
            say(f"{stage}: log likelihood a frame {curve[0]:.3f} to {curve[-1]:.3f}, {len(curve)} iterations")
        if held_out:
            right = f"{100 * held_out['accuracy']:.1f} % of them right ({in_words(held_out)})"
            say(f"a trial without a third of the {held_out['unseen']} got {right}")
        if name is not None:
            say(f"next: recognizer live{model_option(output.stem, 'live')}")
    return ExitStatus.FAILED if left_out else ExitStatus.OK


def _target(output: Path | None, name: str | None, instead: bool) -> Path:
    """The file that the model goes to, looked at before anything is done."""
    if (output is None) == (name is None):
        raise usage_error("say where the model goes, with either --name NAME or --output FILE.npz")
    if name is not None:
        with names_checked():
            return own_models.new_file(name, instead)
    if instead:
        raise usage_error("--replace is for --name; a file that --output names is replaced in any case")
    check_file(output, "--output", ".npz")
    return output


@contextmanager
def _told_how_to_go_on(checkpoints: Path) -> Iterator[None]:
    """Say, of a training that is interrupted, that what is done is not lost."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoints.exists():
            complain("what is done is kept; the same command with --resume goes on from there")
        raise


def _room(memory: str | None) -> int | None:
    """Bytes that `--memory` allows; None where nobody knows how many there are."""
    if memory is None:
        known = hasattr(os, "sysconf") and {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys()
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")] if known else []
        for place in CONTAINERS:
            with suppress(OSError, ValueError):  # there is none, or it has no limit
                found.append(int(Path(place).read_text()))
        return min(found) // 4 if found else None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt])b?", memory.strip(), re.IGNORECASE)
    if not found:
        raise usage_error(f"--memory {shown(memory)} is no size, such as 500MB or 2GB")
    return round(float(found[1]) * 1000 ** (1 + "kmgt".index(found[2].lower())))


def _weight(text: str, number: Callable[[str, str], float]) -> tuple[Path, float]:
    """What `--weight FOLDER=NUMBER` says."""
    folder, mark, written = text.rpartition("=")
    if not (mark and folder and written.strip()):
        raise usage_error(f"--weight {shown(text)} is not FOLDER=NUMBER, such as children=4")
    return Path(folder), number(written.strip(), f"--weight {shown(text)}")
