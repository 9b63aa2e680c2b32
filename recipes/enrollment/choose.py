"""How the settings of enrollment were chosen: on speakers of the training parts only.

For each fold of `fsdd/enroll-10` and `-30`, three of the five training speakers in turn play the new one: models of the
other four are fitted to the voice. What is printed was never computed on the speaker that a fold tests.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import run
from protocols import percent
from run import FSDD, Voice, base_of, enrolled, fitted_by, summed, voice

from recognizer.adaptation import enrollment
from recognizer.adaptation import method as methods
from recognizer.adaptation.method import Method
from recognizer.corpus import Utterance
from recognizer.intervals import Proportion

INFINITE = float("inf")
# What is changed, and to what: (module, setting, value); the rest stays as it is.
CHANGES = [
    ("as it is", Method(), []),
    *((f"tau {tau:g}", Method(tau=tau), []) for tau in (1.0, 2.0, 8.0, 20.0)),
    *((f"shape {shape}", Method(shape=shape), []) for shape in ("block", "diagonal", "bias")),
    *((f"kind {kind}", Method(kind), []) for kind in ("map", "mllr", "cmllr", "cmllr-map")),
    ("kind cmllr-map, diagonal", Method("cmllr-map", "diagonal"), []),
    *((f"TRANSFORM_PRIOR {x:g}", Method(), [(methods, "TRANSFORM_PRIOR", x)]) for x in (50.0, 100.0, 400.0)),
    *((f"CLASS_PRIOR {x:g}", Method(), [(methods, "CLASS_PRIOR", x)]) for x in (5.0, 10.0, 40.0, 1e6)),
    *((f"WEIGHT_TAU {x:g}", Method(), [(methods, "WEIGHT_TAU", x)]) for x in (2.0, 20.0, INFINITE)),
    *((f"VARIANCE_TAU {x:g}", Method(), [(methods, "VARIANCE_TAU", x)]) for x in (5.0, 50.0, INFINITE)),
    *((f"ROUNDS {x}", Method(), [(methods, "ROUNDS", x)]) for x in (1, 3)),
    ("no mean of one's own", Method(), [(enrollment, "MEAN_WEIGHT", 60.0), (enrollment, "MEAN_PRIOR", 1e9)]),
    ("MEAN_WEIGHT 1000", Method(), [(enrollment, "MEAN_WEIGHT", 1000.0)]),
    *((f"SHARE {x:g}", Method(), [(run, "SHARE", x)]) for x in (0.2, 0.6)),
    ("chosen by cross-validation", None, []),
]  # fmt: skip


@contextmanager
def changed(settings: list) -> Iterator[None]:
    """The settings of some modules, for a while."""
    before = [(module, name, getattr(module, name)) for module, name, _ in settings]
    for module, name, value in settings:
        setattr(module, name, value)
    yield
    for module, name, value in before:
        setattr(module, name, value)


def inner_voices(utterances: list[Utterance]) -> list[Voice]:
    """Every speaker as the new one, once for each of three others who is tested meanwhile and so left out, too."""
    voices = []
    for one, other in combinations(enumerate(sorted({u.speaker for u in utterances})), 2):
        if (one[0] - other[0]) % 2:  # of the fifteen pairs these nine have each speaker three times
            pair = one[1], other[1]
            base = base_of([u for u in utterances if u.speaker not in pair], FSDD)
            voices += [voice(base, [u for u in utterances if u.speaker == new]) for new in pair]
    return voices


def scored(voices: list[Voice], takes: int, method: Method | None) -> list[Proportion]:
    """Fitted to the first takes of each word, tested on the others; without a trial of a method that is given."""
    if method is None:
        return enrolled(voices, takes, None)[0]
    fit = fitted_by(method)
    return [v.correct(fit(v, v.order < takes), v.order >= takes) for v in voices]


MEASURED = "95 % interval | bootstrap over speakers | worst new speaker %"
HEAD = f"| setting | 10 words % | {MEASURED} | 30 words % | {MEASURED} |\n|{'---|' * 9}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fsdd", type=Path, help="folder of the Free Spoken Digit Dataset")
    from protocols import load

    voices = inner_voices(load(parser.parse_args().fsdd))
    rows = [HEAD]
    print(HEAD, flush=True)
    for name, method, settings in CHANGES:
        with changed(settings):
            ten, thirty = (scored(voices, takes, method) for takes in (1, 3))
        rows.append(f"| {name} | {cells(ten)} | {cells(thirty)} |")
        print(rows[-1], flush=True)
    text = [
        "# The choice of the settings of enrollment",
        "Made by `python recipes/enrollment/choose.py FSDD`. " + " ".join(__doc__.split("\n\n")[1].split()),
        f"Accuracy on the takes not enrolled, n = {summed(ten).n} and {summed(thirty).n}: each recording under three "
        "models, which the intervals take for recordings of their own. `as it is` are the settings of the program with "
        "the usual method; each other row changes what it names.",
        "\n".join(rows),
    ]
    (Path(__file__).parent / "CHOICE.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")


def cells(scores: list[Proportion]) -> str:
    """Accuracy, intervals, and the worst of the new speakers, each pooled over the models that have not heard him."""
    total = summed(scores)
    worst = min(count / n for count, n in total.by_speaker.values())
    intervals = f"{percent(total.interval)} | {percent(total.bootstrap)}, {total.over}"
    return f"{100 * total.share:.2f} | {intervals} | {100 * worst:.1f}"


if __name__ == "__main__":
    main()
