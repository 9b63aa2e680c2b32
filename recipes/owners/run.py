"""Owners: people who teach the program a few words of their own, with few recordings and few voices.

Draws such owners from all corpora in a folder, trains each a model as `recognizer train` does, and counts how many
right answers it rejects, to other takes of the same speakers and to other speakers, and how many other words and noises
it accepts. From the same evidence learns the default rejection of verification.py, and measures it on corpora that it
was not learned from.
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from drawing import FEW, MANY, Owner, draw_all
from protocols import corpus_argument, percent, write_results

from recognizer import RecognizerWarning
from recognizer.intervals import Proportion
from recognizer.recognition.evidence import SUMMARY, examine, stays
from recognizer.recognition.verification import Taught, belief, default, logistic_regression, quantile
from recognizer.training import trials
from recognizer.training.building import training_data
from recognizer.training.trials import ENOUGH_TO_CALIBRATE, HeldOut, hold_out, made_up_noises, unknown_features

WHERE = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0), "
    "https://github.com/zhongyuchen/DSPSpeech-20 (MIT), "
    "https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset (CC BY 4.0), Speech Commands v0.01 (CC BY "
    "4.0, Pete Warden / Google), digits and other words spoken by Kokoro-82M (Apache-2.0), "
    "https://github.com/karolpiczak/ESC-10 (CC BY 3.0)"
)
NOISES = "noise/esc10"
EVERY = 4  # of the noises one is heard
# How much a kind of sound counts in learning the default, noises of both kinds as much as words, as in the trials of
# `train`; all owners count the same.
KNOWN = {"same": 0.5, "others": 1.0}
OTHER = {"unknown": 1.0, "noise": 0.5, "made up": 0.5}
# Of right answers to others than the speakers of the training, rejected: ten at `strict`, three at `normal`.
REFUSED = {"strict": 0.10, "normal": 0.03, "lenient": 0.01}
FEWEST = 3  # right answers of a kind, for an owner to tell something about it
EFFECTIVE = 3000.0  # observations that all sounds count for together: some of many takes alike


@dataclass(frozen=True)
class Sounds:
    """What a model made of sounds of one kind: scores and evidence, and whether the answer was right."""

    scores: np.ndarray
    evidence: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class Tried:
    """An owner's model, tried.

    Attributes
    ----------
    owner : whose it is
    name : of the owner
    states : of each word
    held_out : utterances that could be held out
    shipped : what was held out teaches, as `recognizer train` has it
    fitted : the same if rejection were always learned from it
    heard : by kind, a key of KNOWN or OTHER
    """

    owner: Owner
    name: str
    states: int
    held_out: int
    shipped: HeldOut
    fitted: HeldOut
    heard: dict[str, Sounds]


def tried(owner: Owner, name: str, noises: Sequence[Path]) -> Tried:
    """Train a model as `build` does, and let it hear everything."""
    data, _ = training_data(owner.training)
    held = hold_out(data, [], ENOUGH_TO_CALIBRATE, lambda *_: None)
    with patch.object(trials, "FEWEST_TO_REJECT", 0):
        fitted = held.fit()
    models = data.train(range(len(data.utterances)), data.words)

    def hear(features: Sequence[np.ndarray], words: Sequence[str]) -> Sounds:
        found = examine(models, held.noise, features)
        answers = np.array(data.words)[found.scores.argmax(1)] if len(features) else np.array([], dtype=str)
        possible = np.isfinite(found.scores).any(1)
        return Sounds(found.scores, found.evidence, (answers == np.array(words, dtype=str)) & possible)

    heard = {}
    for kind in ("same", "others", "unknown"):
        utterances = getattr(owner, kind)
        analyses = data.analyser.analyse_files([u.path for u in utterances])
        speech = [(a.features[0], u.word) for a, u in zip(analyses, utterances) if a.features]
        heard[kind] = hear([f for f, _ in speech], [word for _, word in speech])
    pieces = [features for _, features in unknown_features(dict.fromkeys(noises, Path(NOISES)), data.analyser, 1)[0]]
    for kind, sounds in (("noise", pieces), ("made up", made_up_noises(data.analyser)[1::2])):
        heard[kind] = hear(sounds, [""] * len(sounds))
    count = sum(len(trial.members) for trial in held.tried)
    return Tried(owner, name, models.states, count, held.fit(), fitted, heard)


def weighed(evidence: np.ndarray, states: int) -> np.ndarray:
    """What the default weighs, (..., 7): the summary, the evenness, and how much better noise explains the sound."""
    summary, noise = evidence[:, : len(SUMMARY)], evidence[:, SUMMARY.index("noise")]
    return np.column_stack([summary, evidence[:, stays(states)].mean(1), np.minimum(noise, 0.0)])


def learned(some: Sequence[Tried]) -> Taught:
    """The default that some owners teach: right answers against other words and noises, every owner alike."""
    parts = []
    for label, kinds in ((1.0, KNOWN), (-1.0, OTHER)):
        found = []
        for kind, count in kinds.items():
            for one in some:
                sounds = one.heard[kind]
                chosen = sounds.right if label > 0 else np.isfinite(sounds.scores).any(1)
                if chosen.sum() >= FEWEST:
                    evidence = weighed(sounds.evidence[chosen], one.states)
                    found.append((evidence, np.full(len(evidence), count / len(evidence))))
        evidence, weight = (np.concatenate(part) for part in zip(*found))
        parts.append((evidence, np.full(len(evidence), label), weight / weight.sum()))
    evidence, label, share = (np.concatenate(part) for part in zip(*parts))
    weights, bias = logistic_regression(evidence, label, share / 2 * EFFECTIVE)
    odds, weight = [], []
    for one in some:
        others = one.heard["others"]
        if others.right.sum() >= FEWEST:
            odds.append(weighed(others.evidence[others.right], one.states) @ weights + bias)
            weight.append(np.full(others.right.sum(), 1 / others.right.sum()))
    probable, weight = 1 / (1 + np.exp(-np.concatenate(odds))), np.concatenate(weight)
    *summary, evenness, against_noise = weights
    thresholds = {point: quantile(probable, weight, share) for point, share in REFUSED.items()}
    return Taught(tuple(summary), evenness, against_noise, bias, thresholds)


def beyond(one: Tried, held: HeldOut, kind: str, point: str) -> Proportion:
    """How many right answers are rejected; of unknown sounds, how many are accepted."""
    sounds = one.heard[kind]
    least = held.rejection.thresholds[point]
    accepted = belief(sounds.scores, sounds.evidence, held.calibration, held.rejection).lesser >= least
    accepted &= np.isfinite(sounds.scores).any(1)
    happened = ~accepted[sounds.right] if kind in KNOWN else accepted
    return Proportion.of(int(happened.sum()), len(happened), one.name)


def cell(some: Sequence[Tried], method: Callable[[Tried], HeldOut], kind: str, point: str) -> str:
    """Percent of a kind, and the interval over owners."""
    total = sum((beyond(one, method(one), kind, point) for one in some), Proportion())
    return f"{100 * total.share:.1f} ({percent(total.bootstrap)}), n = {total.n}" if total.n else "-"


KINDS = (*KNOWN, *OTHER)
HEADS = (
    "same speakers' rejected | other speakers' rejected | other words accepted | noises accepted | "
    "made-up noises accepted"
)


def table(rows: Sequence[tuple[str, Sequence[Tried], Callable[[Tried], HeldOut], str]]) -> str:
    """Rows of a name, owners, a rejection, and an operating point."""
    lines = [f"| rejection, owners | point | {HEADS} | most rejected of an owner's other speakers' |", "|---" * 8 + "|"]
    for name, some, method, point in rows:
        cells = " | ".join(cell(some, method, kind, point) for kind in KINDS)
        shares = [beyond(one, method(one), "others", point).share or 0.0 for one in some]
        lines.append(f"| {name} ({len(some)}) | {point} | {cells} | {100 * max(shares, default=0):.0f} |")
    return "\n".join(lines)


def each(some: Sequence[Tried]) -> str:
    """A row for every owner, at `normal`, percent."""
    lines = [f"| corpus | speakers, words, recordings | held out | {HEADS} |", "|---" * 8 + "|"]
    for one in some:
        size = f"{one.owner.speakers}, {len({u.word for u in one.owner.training})}, {len(one.owner.training)}"
        shares = [beyond(one, one.shipped, kind, "normal").share for kind in KINDS]
        cells = " | ".join("-" if share is None else f"{100 * share:.0f}" for share in shares)
        lines.append(f"| {one.owner.corpus} | {size} | {one.held_out} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Draw, train, hear, learn, and write down."""
    folder = corpus_argument(WHERE)
    noises = sorted((folder / NOISES).rglob("*.flac"))[::EVERY]
    found = []
    for kind in (FEW, MANY):
        found.append([])
        for number, owner in enumerate(draw_all(folder, kind), 1):
            found[-1].append(tried(owner, f"{owner.corpus} {number}", noises))
            print(f"{found[-1][-1].name}: {len(owner.training)} recordings", file=sys.stderr, flush=True)
    few, many = found
    corpora = sorted({one.owner.corpus for one in few})
    without = {c: learned([one for one in few if one.owner.corpus != c]) for c in corpora}
    taught = learned(few)

    def fitted(one: Tried) -> HeldOut:
        return one.fitted

    def shipped(one: Tried) -> HeldOut:
        return one.shipped

    def crossed(one: Tried) -> HeldOut:
        rejection = default(one.fitted.rejection.noise, one.states, without[one.owner.corpus])
        return HeldOut(one.fitted.calibration, rejection)

    methods = {"learned from its own": fitted, "default of other corpora": crossed}
    own = [one for one in few if one.held_out]
    rows = [(f"{name}, owners with a trial", own, m, p) for p in REFUSED for name, m in methods.items()]
    rows += [("default of other corpora, all owners", few, crossed, p) for p in REFUSED]
    rows += [
        (f"default of other corpora, {c}", [o for o in few if o.owner.corpus == c], crossed, "normal") for c in corpora
    ]
    for n in range(1, 6):
        some = [o for o in few if o.owner.speakers == n]
        rows.append((f"default of other corpora, {n} speaker{'s' * (n > 1)}", some, crossed, "normal"))
    rows.append(("as shipped, all owners", few, shipped, "normal"))
    more = [(f"{name}, all", many, m, p) for p in REFUSED for name, m in methods.items()]
    for c in sorted({one.owner.corpus for one in many}):
        some = [o for o in many if o.owner.corpus == c]
        speakers = sorted(o.owner.speakers for o in some)
        more += [
            (f"{name}, {c}, {speakers[0]} to {speakers[-1]} speakers", some, m, "normal") for name, m in methods.items()
        ]
    weights = ", ".join(f"{weight:.3f}" for weight in taught.weights)
    points = ", ".join(f"{name} {threshold:.3f}" for name, threshold in taught.thresholds.items())
    write_results(
        Path(__file__),
        "Owners of few recordings",
        "python recipes/owners/run.py FOLDER",
        __doc__.split("\n\n", 1)[1].strip(),
        "Of right answers, per cent rejected, and of other sounds, per cent accepted; the interval is over owners, who "
        "are drawn from the same recordings and so not quite independent.",
        f"## Few recordings ({FEW.recordings[0]} to {FEW.recordings[1]})",
        table(rows),
        "The made-up noises are the same for all owners: they were among those that each default learned from.",
        f"Learned from all these owners: weights of {', '.join(SUMMARY)} {weights}; of evenness {taught.evenness:.3f}, "
        f"against noise {taught.against_noise:.3f}; bias {taught.bias:.3f}; "
        f"thresholds {points}.",
        f"## Many recordings ({MANY.recordings[0]} to {MANY.recordings[1]})",
        table(more),
        "## Each owner of few, as shipped, at `normal`",
        each(few),
    )


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        main()
