"""HTK's definitions of HMMs, files of which are called MMFs (HTK Book 3.4, chapter 7), and how they are written.

HTK 3.4.1 reads what is written here, and so does Julius 4.6 (which knows no discrete probabilities). How such files
are read is the matter of `recognizer.htk.parser`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import ClassVar, Protocol

import numpy as np

from recognizer.errors import AudioError, ModelError, cited
from recognizer.features.parameter_files import normalised_kind

LOG_SCALE = 2371.8  # discrete probabilities are written as -ln(p) times this (HTK Book 3.4, section 7.6)
LOG_ZERO = 32767  # and zero as this, the largest short (likewise)
LONGEST_RUN = 255  # of equal weights, written as weight*run; where HTK writes it in binary, the run is a byte
A_LINE = 50  # numbers of at most 20 characters: a line is under 1 kB, and fits any reader's buffer


class StreamDensity(Protocol):
    """The density of one stream of a state.

    Attributes
    ----------
    meaning : what it is, for messages
    size : number of its components
    symbols : how many it knows, 0 if it is of numbers
    codebook : name of that which it refers to, None if it refers to none
    """

    meaning: ClassVar[str]
    size: int
    symbols: int
    codebook: str | None

    def width(self, codebooks: dict[str, Gaussians]) -> int:
        """Values a frame."""

    def parameter_kind(self, kind: str) -> str:
        """HTK's name for what it is a density of, where the features are of some kind, or "" if nobody knows."""

    def lines(self, numbered: bool) -> list[str]:
        """As text; `numbered` components have a number and weight, which Julius wants wherever it reads <NUMMIXES>."""


@dataclass(frozen=True, eq=False)
class Gaussians:
    """A mixture of diagonal Gaussians; a single one has the weight 1.

    Attributes
    ----------
    weights : (K,)
    means, variances : (K, D)
    """

    meaning: ClassVar[str] = "Gaussian mixtures"
    codebook: ClassVar[None] = None
    symbols: ClassVar[int] = 0

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray

    @property
    def size(self) -> int:
        """Components that have weight."""
        return int((self.weights > 0).sum())

    def width(self, codebooks: dict[str, Gaussians]) -> int:
        """Values a frame."""
        return self.means.shape[1]

    def parameter_kind(self, kind: str) -> str:
        """See `StreamDensity.parameter_kind`."""
        return kind or "USER"

    def lines(self, numbered: bool) -> list[str]:
        """See `StreamDensity.lines`."""
        lines = []
        used = self.weights > 0
        parts = zip(self.weights[used], self.means[used], self.variances[used])
        for number, (weight, mean, variance) in enumerate(parts, 1):
            lines += [f"<MIXTURE> {number} {_float(weight)}"] if numbered else []
            lines += _gaussian_lines(mean, variance)
        return lines


@dataclass(frozen=True, eq=False)
class TiedWeights:
    """A mixture of the Gaussians in a codebook.

    Attributes
    ----------
    codebook : its name in `Definitions.codebooks`
    weights : (N,)
    """

    meaning: ClassVar[str] = "tied mixtures (<TMIX>)"
    symbols: ClassVar[int] = 0

    codebook: str
    weights: np.ndarray

    @property
    def size(self) -> int:
        """Gaussians in the codebook."""
        return len(self.weights)

    def width(self, codebooks: dict[str, Gaussians]) -> int:
        """Values a frame."""
        return codebooks[self.codebook].width(codebooks)

    def parameter_kind(self, kind: str) -> str:
        """See `StreamDensity.parameter_kind`."""
        return kind or "USER"

    def lines(self, numbered: bool) -> list[str]:
        """See `StreamDensity.lines`."""
        return [f"<TMIX> {quoted(self.codebook)}", *_rows(_runs(map(_float, self.weights)))]


@dataclass(frozen=True, eq=False)
class Symbols:
    """Discrete probabilities.

    Attributes
    ----------
    probabilities : (N,), of the symbols 1 to N
    """

    meaning: ClassVar[str] = "symbols (<DPROB>)"
    codebook: ClassVar[None] = None

    probabilities: np.ndarray

    @property
    def symbols(self) -> int:
        """How many it knows."""
        return len(self.probabilities)

    size = symbols

    def width(self, codebooks: dict[str, Gaussians]) -> int:
        """Values a frame."""
        return 1

    def parameter_kind(self, kind: str) -> str:
        """See `StreamDensity.parameter_kind`."""
        return "DISCRETE" if kind in ("", "USER") else kind

    def lines(self, numbered: bool) -> list[str]:
        """See `StreamDensity.lines`."""
        with np.errstate(divide="ignore"):
            codes = np.minimum(np.round(-np.log(self.probabilities) * LOG_SCALE), LOG_ZERO).astype(int)
        return ["<DPROB>", *_rows(_runs(map(str, codes)))]


@dataclass(frozen=True, eq=False)
class State:
    """An emitting state.

    Attributes
    ----------
    name : of its ~s macro, None if it has none
    streams : the density of each stream
    """

    name: str | None
    streams: tuple[StreamDensity, ...]


@dataclass(frozen=True, eq=False)
class HMM:
    """A hidden Markov model.

    Attributes
    ----------
    name : of its ~h macro, None in a file of one nameless model
    states : the emitting ones; HTK numbers them from 2
    transitions : (N, N) probabilities between all states, N = len(states) + 2: entry, emitting states, exit
    transition_name : of their ~t macro, None if they have none
    """

    name: str | None
    states: tuple[State, ...]
    transitions: np.ndarray
    transition_name: str | None


@dataclass(frozen=True, eq=False)
class Definitions:
    """What a file defines.

    Attributes
    ----------
    kind : parameter kind, as `parameter_files.normalised_kind` has it; "" where the file does not say
    widths : how many values of a frame each stream has; ones if the densities are `Symbols`
    hmms : at least one
    codebooks : those that states refer to; their weights are all equal and mean nothing
    """

    kind: str
    widths: tuple[int, ...]
    hmms: tuple[HMM, ...]
    codebooks: dict[str, Gaussians] = field(default_factory=dict)


def printed(definitions: Definitions) -> str:
    """The whole file as text: options, shared transitions, codebooks, shared states, models.

    Numbers have nine significant digits, enough for single precision. Components of weight 0 are left out. A file
    must tell its parameter kind: where it is unknown it is USER. Names are written as HTK writes them, bytes outside
    ASCII as octal numbers.

    Raises
    ------
    ModelError
        if two different states, transition matrices or components of codebooks share a name, a codebook is missing, or
        a number is none in single precision.
    """
    states: dict[str, State] = {}
    transitions: dict[str, np.ndarray] = {}
    codebooks: dict[str, Gaussians] = {}
    for hmm in definitions.hmms:
        if hmm.transition_name is not None:
            known = transitions.setdefault(hmm.transition_name, hmm.transitions)
            if not np.array_equal(known, hmm.transitions):
                raise ModelError(f"two transition matrices have the name {cited(hmm.transition_name)}; rename one")
        for state in hmm.states:
            if state.name is not None and not _same(states.setdefault(state.name, state), state):
                raise ModelError(f"two states have the name {cited(state.name)}; rename one")
            for density in state.streams:
                if density.codebook is not None:
                    if density.codebook not in definitions.codebooks:
                        raise ModelError(f"a state refers to the codebook {cited(density.codebook)}, which is missing")
                    codebooks[density.codebook] = definitions.codebooks[density.codebook]
    components = [f"{name}{n}" for name, book in codebooks.items() for n in range(1, len(book.means) + 1)]
    if clashes := {name for name, count in Counter(components).items() if count > 1}:
        raise ModelError(f"components of two codebooks have the name {cited(min(clashes))}; rename a codebook")
    kind = definitions.hmms[0].states[0].streams[0].parameter_kind(definitions.kind)
    lines = [
        "~o",
        f"<STREAMINFO> {len(definitions.widths)} {' '.join(map(str, definitions.widths))}",
        f"<VECSIZE> {sum(definitions.widths)}<NULLD><{_known(kind)}><DIAGC>",
    ]
    for name, matrix in transitions.items():
        lines += [f"~t {quoted(name)}", *_transition_lines(matrix)]
    for name, codebook in codebooks.items():
        for number, (mean, variance) in enumerate(zip(codebook.means, codebook.variances), 1):
            lines += [f"~m {quoted(f'{name}{number}')}", *_gaussian_lines(mean, variance)]
    for name, state in states.items():
        lines += [f"~s {quoted(name)}", *_state_lines(state)]
    for hmm in definitions.hmms:
        lines += [] if hmm.name is None else [f"~h {quoted(hmm.name)}"]
        lines += ["<BEGINHMM>", f"<NUMSTATES> {len(hmm.states) + 2}"]
        for number, state in enumerate(hmm.states, 2):
            lines.append(f"<STATE> {number}")
            lines += _state_lines(state) if state.name is None else [f"~s {quoted(state.name)}"]
        if hmm.transition_name is None:
            lines += _transition_lines(hmm.transitions)
        else:
            lines.append(f"~t {quoted(hmm.transition_name)}")
        lines.append("<ENDHMM>")
    return "\n".join(lines) + "\n"


def quoted(name: str) -> str:
    """The name in quotes, as HTK writes it: quotes and backslashes behind a backslash, other bytes in octal."""
    printable = {byte: chr(byte) for byte in range(0x20, 0x7F)} | {ord('"'): '\\"', ord("\\"): "\\\\"}
    return '"' + "".join(printable.get(byte, f"\\{byte:03o}") for byte in name.encode("utf-8", "surrogatepass")) + '"'


def _same(one: State, other: State) -> bool:
    if one is other:
        return True
    return len(one.streams) == len(other.streams) and all(
        type(a) is type(b) and all(np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values()))
        for a, b in zip(one.streams, other.streams)
    )


def _known(kind: str) -> str:
    try:
        return normalised_kind(kind)
    except AudioError as error:
        raise ModelError(str(error)) from error


def _float(value: float) -> str:
    return f"{value:.8e}"


def _rows(words: list[str]) -> list[str]:
    """Lines that no reader's buffer is too short for."""
    return [" " + " ".join(words[start : start + A_LINE]) for start in range(0, len(words), A_LINE)]


def _transition_lines(matrix: np.ndarray) -> list[str]:
    return [f"<TRANSP> {len(matrix)}", *(line for row in matrix for line in _rows(list(map(_float, row))))]


def _check_single_precision(mean: np.ndarray, variance: np.ndarray) -> None:
    """HTK computes with floats: a variance must be one, and so must its inverse."""
    limits = np.finfo(np.float32)
    least, most, farthest = variance.min(), variance.max(), np.abs(mean).max()
    if least < limits.tiny or most > 1 / float(limits.tiny) or farthest > limits.max:
        raise ModelError(
            f"the model has variances from {least:.3g} to {most:.3g} and means up to {farthest:.3g}, too small or "
            "large for HTK's single precision; scale the features"
        )


def _gaussian_lines(mean: np.ndarray, variance: np.ndarray) -> list[str]:
    """Mean, variance, and D ln(2 pi) + the sum of ln(variance) of the variances as printed."""
    _check_single_precision(mean, variance)
    variances = list(map(_float, variance))
    constant = len(variances) * np.log(2 * np.pi) + np.log(np.array(variances, float)).sum()
    return [
        f"<MEAN> {len(mean)}",
        *_rows(list(map(_float, mean))),
        f"<VARIANCE> {len(variances)}",
        *_rows(variances),
        f"<GCONST> {_float(constant)}",
    ]


def _runs(words: Iterable[str]) -> list[str]:
    """Equal neighbours as word*count."""
    result = []
    for word, group in groupby(words):
        times = len(list(group))
        counts = [LONGEST_RUN] * (times // LONGEST_RUN) + [times % LONGEST_RUN] * (times % LONGEST_RUN > 0)
        result += [word if count == 1 else f"{word}*{count}" for count in counts]
    return result


def _state_lines(state: State) -> list[str]:
    sizes = [density.size for density in state.streams]
    lines = [f"<NUMMIXES> {' '.join(map(str, sizes))}"] if max(sizes) > 1 else []
    for number, density in enumerate(state.streams, 1):
        lines += [f"<STREAM> {number}"] if len(state.streams) > 1 else []
        lines += density.lines(numbered=max(sizes) > 1)
    return lines
