"""What stands in the files of models and profiles: every field with its type, its shape, its range and its unit.

The ranges are those of anything that could be meant, and with all of them no computation overflows: features are held
in single precision, up to 1e38, and their squares divided by the least variance in double precision, up to 1e308.
"""

from __future__ import annotations

from dataclasses import replace

from recognizer.files.fields import Array, Flag, Listing, Named, Nullable, Number, OneOf, Plain, Table, Text, Told

MOST_WORDS = 10_000
MOST_STATES = 1000  # of a word, which could last no less than ten seconds
MOST_POSITIONS = 50_000  # of all words together, for which every frame of a recording has a number
MOST_MOVES = 500_000  # of all words together, from any position to another
LONGEST_WORD = 1000  # characters
SINGLE = 3.5e38  # more than single precision holds

WORD = Text(LONGEST_WORD, 1)
SETTING = 1e6  # no setting and no weight is beyond


def whole(least: int, most: int, unit: str = "") -> Number:
    return Number(least, most, unit, whole=True)


CEPSTRA = Listing(Number(-SETTING, SETTING), 1000)
FRONT_END = Table(
    {
        "sample_rate": whole(1000, 1_000_000, "Hz"),
        "window": Number(1e-3, 1, "s"),
        "hop": Number(1e-3, 1, "s"),
        "pre_emphasis": Number(0, 1),
        "filters": whole(1, 1000),
        "low": Number(0, 500_000, "Hz"),
        "high": Number(1, 500_000, "Hz"),
        "cepstra": whole(1, 1000),
        "delta_width": whole(3, 999, "frames"),
        "smoothing_width": whole(1, 999, "frames"),
        "floor": Number(1e-15, SETTING),
        "mean_weight": Number(0, 1e9, "frames"),
        "mean": CEPSTRA,
        "deviation_weight": Number(0, 1e9, "frames"),
        "deviation": Listing(Number(0, SETTING), 1000),
        "warp": Number(0.5, 2),
    }
)
GIVEN = Table(
    {
        "kind": Text(40),
        "dims": whole(1, 10_000),
        "hop": Number(1e-7, 250, "s"),
        "symbols": whole(0, 32_767),
    }
)
MODEL = {
    "words": Listing(WORD, MOST_WORDS, 1),
    "endpointer": Table(
        {
            "threshold": Number(0, 1),
            "depth": Number(0, 1000, "dB"),
            "pause": Number(0, 60, "s"),
            "margin": Number(0, 60, "s"),
            "quietest": Number(-1000, 1000, "dB"),
            "flattest": Number(0, 1000, "dB"),
            "steady": Number(0.01, 60, "s"),
        }
    ),
    "calibration": Table({"scale": Number(1e-6, 1000)}),
    "history": Named(Listing(Number(-1e12, 1e12, "nats"), 100_000), 100, Text(200)),
}
NO_POINTS = "its rejection has no operating points from 0 to 1"
NO_WEIGHTS = "its rejection does not weigh the evidence"
REJECTION = Table(
    {
        "bias": Told(Number(-SETTING, SETTING), NO_WEIGHTS),
        "thresholds": Told(Table({name: Number(0, 1) for name in ("strict", "normal", "lenient")}), NO_POINTS),
    }
)
CARD = Named(Plain(), 1000)

CHAIN = Array(("words", "positions"), -SETTING, 1e-6, impossible=True)
MATRICES = {
    "window": Array(("window",), -1000, 1000),
    "filters": Array(("filters", "bins"), 0, 1000),
    "cosines": Array(("cepstra", "filters"), -1000, 1000),
    "smoothing": Array((1, "smoothing_width"), -1000, 1000),
    "derivatives": Array((2, "delta_width"), -1000, 1000),
}
WEIGHTS = Array(("evidence",), -SETTING, SETTING, told=NO_WEIGHTS, of_values=NO_WEIGHTS)
EVIDENCE = {
    "least": replace(WEIGHTS, least=-SINGLE, most=SINGLE),
    "most": replace(WEIGHTS, least=-SINGLE, most=SINGLE),
    "weights": WEIGHTS,
    "hidden": replace(WEIGHTS, shape=("evidence+1", "units")),
    "output": replace(WEIGHTS, shape=("units",)),
}
# HTK's features may be powers of samples of 16 bits, and sums of them.
FARTHEST, LEAST_VARIANCE, MOST_VARIANCE = 1e15, 1e-20, 1e30
MOST_SHARE = 1.01  # weights may have been printed with few digits


def density(name: str) -> dict[frozenset[str], dict[str, Array]]:
    """What the arrays of a density must be, by their names: one table for each kind.

    Parameters
    ----------
    name : of the density, as messages and its own sizes have it
    """
    gaussians, weights, streams, cells = (
        f"the {name}'s {what}" for what in ("Gaussians", "weights", "streams", "cells")
    )
    own, shared = (f"{name} states", f"{name} mixtures"), (f"{name} streams", f"{name} entries")
    means = Array((*own, "dims"), -FARTHEST, FARTHEST, told=gaussians, of_values=gaussians)
    variances = replace(means, least=LEAST_VARIANCE, most=MOST_VARIANCE)
    shares = Array(own, 0, MOST_SHARE, told=gaussians, of_values=weights)
    of_stream = Array((f"{name} streams", "dims"), 0, 1, told=streams, of_values=streams)
    shared_means, shared_variances = (replace(x, shape=(*shared, "dims")) for x in (means, variances))
    shared_shares = replace(shares, shape=(f"{name} states", *shared))
    kinds = (
        {"weights": shares, "means": means, "variances": variances},
        {"weights": shared_shares, "means": shared_means, "variances": shared_variances, "streams": of_stream},
        {
            "weights": replace(shared_shares, told=cells),
            "centres": replace(shared_means, told=cells, of_values=cells),
            "precision": replace(of_stream, most=1 / LEAST_VARIANCE, of_values=cells),
        },
    )
    return {frozenset(kind): kind for kind in kinds}


METHOD = Table(
    {
        "kind": OneOf(("none", "map", "mllr", "cmllr", "mllr-map", "cmllr-map")),
        "shape": OneOf(("bias", "diagonal", "block", "full")),
        "tau": Number(0, 20, "frames"),
        "class_frames": Nullable(Number(1e-6, 1e9, "frames")),
        "variances": Flag(),
        "weight": Number(0, 1),
    }
)
COUNT = whole(0, 1_000_000_000)
TRIAL = Table({"correct": COUNT, "n": COUNT, "confidence": Number(0, 1)}, frozenset({"confidence"}))
RECORD_FIELDS = {
    "made": Text(40),
    "takes": Named(COUNT, MOST_WORDS, WORD),
    "method": Text(1000),
    "why": Text(10_000),
    "before": Nullable(TRIAL),
    "after": Nullable(TRIAL),
    "prior": Nullable(Text(1000)),
    "asked": Nullable(METHOD),
    "unlabelled": Flag(),
    "vtln": Flag(),
    "warp": FRONT_END.fields["warp"],
    "recordings": COUNT,
    "passes": COUNT,
}
PROFILE = Table(
    {
        "format": Text(40),
        "version": whole(0, 1000),
        "base": Text(200, 1),
        "model_name": Text(5000, lines=True),
        "mean": CEPSTRA,
        "mean_weight": FRONT_END.fields["mean_weight"],
        "warp": FRONT_END.fields["warp"],
        "record": Table(RECORD_FIELDS, frozenset(RECORD_FIELDS), Plain()),
    }
)
TRANSFORM = Array(("dims", "dims+1"), -SETTING, SETTING)
