"""Reading HTK's definitions of HMMs: their text form, with diagonal Gaussians, tied mixtures or discrete probabilities.

The language is that of HTK Book 3.4, chapter 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import AudioError, ModelError, cited, shown
from recognizer.features.parameter_files import normalised_kind
from recognizer.htk.definitions import (
    HMM,
    LOG_SCALE,
    LOG_ZERO,
    Definitions,
    Gaussians,
    State,
    StreamDensity,
    Symbols,
    TiedWeights,
)
from recognizer.htk.scanner import LARGEST, Scanner, amount, shown_word

ROW_TOLERANCE = 1e-3  # of the sum of a row of transitions: numbers cut to four digits pass, slips do not
WEIGHT_TOLERANCE = 1e-2  # of the sum of the weights of a mixture, as in HTK
EQUAL_TOLERANCE = 1e-6  # between a stream weight and one: HTK prints seven digits
MANY = 10  # numbers of states or mixtures that a message lists: it is to stay one line
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # control characters, but for those that part words and lines
LIGHT = 1e-4  # what the weights of the mixtures that a file leaves out may add up to; HTK leaves out those under 1e-5
REFUSED_OPTIONS = {
    **dict.fromkeys(("FULLC", "LLTC", "XFORMC", "INVDIAGC"), "only diagonal covariances (<DIAGC>) are read"),
    **dict.fromkeys(("POISSOND", "GAMMAD", "RELD", "GEND"), "only models without durations (<NULLD>) are read"),
    **dict.fromkeys(("PROJSIZE", "INPUTXFORM", "PARENTXFORM"), "models with a linear transform are not read"),
    "USE": "options of HTK 1 are not read",
}
REFUSED_COVARIANCES = ("LLTCOVAR", "XFORM", "~i", "~c", "~x")


def parse_file(path: str | Path) -> Definitions:
    """Read a file of HMM definitions, and check everything in it.

    Raises
    ------
    ModelError
        if the file cannot be read, is in HTK's binary format, or is not what `parse` accepts.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"there are no HMM definitions at {shown(path)}; check the name") from error
    except (OSError, ValueError) as error:  # ValueError: a zero character in the name
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{shown(path)} cannot be read ({reason}); give a file you may read") from error
    if BINARY.search(content):
        raise ModelError(
            f"{shown(path)} is not text; if it holds HMM definitions in HTK's binary format, "
            "save them as text: HHEd without -B"
        )
    try:
        return parse(content.decode("utf-8-sig"), shown(path))
    except UnicodeDecodeError as error:
        raise ModelError(f"{shown(path)} is not UTF-8 text ({error.reason}); convert it, e.g. with iconv") from error


def parse(text: str, where: str) -> Definitions:
    """Read HMM definitions.

    Parameters
    ----------
    text : of one file
    where : names it in messages

    Raises
    ------
    ModelError
        if the definitions are damaged, contradict themselves, or use what is not supported; one line that tells
        the line of the text, the model and the state.
    """
    return _Parser(Scanner(text, where)).definitions()


class _Parser:
    """The grammar; what a file has defined so far."""

    def __init__(self, scanner: Scanner):
        self.scan = scanner
        self.macros: dict[tuple[str, str], object] = {}
        self.kind = ""
        self.widths: tuple[int, ...] | None = None
        self.size: int | None = None
        self.codebooks: dict[str, Gaussians] = {}
        self.density: type | None = None

    def definitions(self) -> Definitions:
        hmms: list[HMM] = []
        while not self.scan.at_end():
            word = self.scan.peek()
            if word == "~o":
                self.scan.step()
                self.options()
            elif word in ("~h", "BEGINHMM"):
                hmms.append(self.named_hmm({hmm.name for hmm in hmms}))
            elif word.startswith("~"):
                self.macro()
            else:
                raise self.scan.unexpected(word, "~o, ~h or another macro")
        if not hmms:
            raise self.scan.failure("the file defines no HMM (<BEGINHMM>); give one that does")
        return Definitions(self.kind, self.widths, tuple(hmms), self.codebooks)

    def named_hmm(self, known: set[str | None]) -> HMM:
        name = None
        if self.scan.peek() == "~h":
            self.scan.step()
            name = self.scan.name()
        if name in known:
            what = "a model without a name" if name is None else f"the model {cited(name)}"
            raise self.scan.failure(f"{what} is defined twice; rename or remove one")
        with self.scan.inside("HMM" if name is None else f"HMM {cited(name)}"):
            return self.hmm(name)

    def macro(self) -> None:
        """Define what later lines refer to by letter and name."""
        readers: dict[str, Callable[[], object]] = {
            "~m": self.gaussian,
            "~r": self.regression_tree,
            "~s": self.state_parts,
            "~t": self.transition_matrix,
            "~u": lambda: self.vector_of("MEAN"),
            "~v": lambda: self.variance("VARIANCE", "INVCOVAR"),
            "~w": self.stream_weights,
        }
        letter = self.scan.peek()
        if letter not in readers:
            raise self.scan.failure(f"macros of the kind {letter} are not supported; save the models without them")
        self.scan.step()
        name = self.scan.name()
        if (letter, name) in self.macros:
            raise self.scan.failure(f"the macro {letter} {cited(name)} is defined twice; rename or remove one")
        with self.scan.inside(f"{letter} {cited(name)}"):
            content = readers[letter]()
        self.macros[letter, name] = State(name, content) if letter == "~s" else content

    def regression_tree(self) -> None:
        """Skip what only adaptation needs."""
        while (word := self.scan.peek()) and not word.startswith("~"):
            self.scan.step()
            self.scan.tokens()

    def options(self) -> int | None:
        """Global options, up to a state or macro; the number of states if they tell it."""
        states = None
        while (word := self.scan.peek()) and not word.startswith("~") and word not in ("STATE", "BEGINHMM"):
            self.scan.step()
            if word in REFUSED_OPTIONS:
                raise self.scan.failure(f"<{word}> is not supported: {REFUSED_OPTIONS[word]}; convert the models")
            if word == "NUMSTATES":
                states = self.scan.one_integer("<NUMSTATES>")
                if states < 3:
                    raise self.scan.failure(f"<NUMSTATES> is {states}; need at least 3: entry, one that emits, exit")
            elif word == "HMMSETID":
                self.scan.name()
            elif word == "VECSIZE":
                self.size = self.agreed(self.size, self.scan.one_integer("<VECSIZE>"), "<VECSIZE>")
            elif word == "STREAMINFO":
                count, *widths = self.scan.integers("<STREAMINFO>")
                self.scan.counted(f"<STREAMINFO> {count}", list(map(str, widths)), count)
                self.widths = self.agreed(self.widths, tuple(widths), "<STREAMINFO>")
            elif word not in ("NULLD", "DIAGC"):
                try:
                    kind = normalised_kind(word)
                except AudioError:
                    raise self.scan.unexpected(word, "an option, <STATE> or a macro") from None
                self.kind = self.agreed(self.kind or None, kind, "the parameter kind")
        if self.size is not None and self.widths is None:
            self.widths = (1,) * self.size if self.kind.startswith("DISCRETE") else (self.size,)
        if self.widths is not None and (not self.widths or min(self.widths) < 1):
            raise self.scan.failure(f"streams have {list(self.widths)} values; each needs one or more, correct it")
        if self.size is not None and sum(self.widths) != self.size:
            raise self.scan.failure(
                f"<STREAMINFO> adds up to {sum(self.widths)} values, <VECSIZE> says {self.size}; correct one"
            )
        return states

    def agreed(self, before: Any, now: Any, what: str) -> Any:
        """The value now, if it is the first or the same as before."""
        if before is not None and before != now:
            raise self.scan.failure(f"{what} is {now} but was {before} before; give models of one kind in one file")
        return now

    def hmm(self, name: str | None) -> HMM:
        self.scan.take("BEGINHMM")
        count = self.options()
        if count is None:
            raise self.scan.unexpected(self.scan.peek(), "<NUMSTATES>")
        states: dict[int, State] = {}
        while self.scan.peek() == "STATE":
            self.scan.step()
            number = self.scan.one_integer("<STATE>")
            if not 2 <= number < count:
                raise self.scan.failure(f"<STATE> {number} is out of range; <NUMSTATES> {count} has 2 to {count - 1}")
            if number in states:
                raise self.scan.failure(f"state {number} is defined twice; remove one")
            with self.scan.inside(f"state {number}"):
                states[number] = self.state()
        if self.scan.peek() not in ("TRANSP", "~t"):
            raise self.scan.unexpected(self.scan.peek(), "<STATE> or <TRANSP>")
        if missing := [str(number) for number in range(2, count) if number not in states]:
            raise self.scan.failure(f"<NUMSTATES> is {count} but {_listed('state', missing)} missing; define all")
        macro = None
        if self.scan.peek() == "~t":
            self.scan.step()
            macro, transitions = self.referred("~t")
        else:
            transitions = self.transition_matrix()
        if len(transitions) != count:
            raise self.scan.failure(f"<TRANSP> is for {len(transitions)} states, <NUMSTATES> is {count}; correct one")
        if self.scan.peek() == "DURATION":
            raise self.scan.failure("<DURATION> is not supported; save the models without durations")
        self.scan.take("ENDHMM")
        return HMM(name, tuple(states[number] for number in range(2, count)), transitions, macro)

    def referred(self, letter: str) -> tuple[str, object]:
        """Name and content of a macro that must be known already."""
        name = self.scan.name()
        if (letter, name) not in self.macros:
            raise self.scan.failure(f"there is no macro {letter} {cited(name)} before this line; define it further up")
        return name, self.macros[letter, name]

    def transition_matrix(self) -> np.ndarray:
        self.scan.take("TRANSP")
        words = self.scan.tokens()
        if not words:
            self.scan.counted("<TRANSP>", words, 1)
        count = self.scan.integer(words[0], "<TRANSP>")
        self.scan.counted(f"<TRANSP> {count}", words[1:], count * count)
        matrix = self.scan.values(words[1:], "<TRANSP>").reshape(count, count)
        if fault := transition_fault(matrix):
            raise self.scan.failure(fault)
        return matrix

    def state(self) -> State:
        if self.scan.peek() == "~s":
            self.scan.step()
            return self.referred("~s")[1]
        return State(None, self.state_parts())

    def state_parts(self) -> tuple[StreamDensity, ...]:
        """The streams of a state that is defined here."""
        sizes = None
        if self.scan.peek() == "NUMMIXES":
            self.scan.step()
            sizes = self.scan.integers("<NUMMIXES>")
        if self.scan.peek() in ("SWEIGHTS", "~w"):
            if self.scan.peek() == "~w":
                self.scan.step()
                weights = self.referred("~w")[1]
            else:
                weights = self.stream_weights()
            if np.abs(weights - 1).max(initial=0) > EQUAL_TOLERANCE:
                raise self.scan.failure(
                    f"stream weights other than 1 ({weights.tolist()}) are not supported; set all to 1"
                )
        count = len(self.widths) if self.widths else len(sizes or [1])
        streams: dict[int, StreamDensity] = {}
        while not streams or self.scan.peek() == "STREAM":
            number = 1
            if self.scan.peek() == "STREAM":
                self.scan.step()
                number = self.scan.one_integer("<STREAM>")
            if not self.widths and not sizes:
                count = max(count, number)
            if not 1 <= number <= count:
                raise self.scan.failure(f"<STREAM> {number} is out of range; there are {count}")
            if number in streams:
                raise self.scan.failure(f"stream {number} is defined twice; remove one")
            if sizes is not None and len(sizes) != count:
                raise self.scan.failure(f"<NUMMIXES> needs {amount(count, 'number')}, one a stream, not {len(sizes)}")
            streams[number] = self.stream(sizes[number - 1] if sizes else 1)
        if self.scan.peek() in ("DURATION", "~d"):
            raise self.scan.failure("<DURATION> is not supported; save the models without durations")
        if missing := [str(number) for number in range(1, count + 1) if number not in streams]:
            raise self.scan.failure(f"there are {count} streams but {_listed('stream', missing)} missing; define all")
        ordered = tuple(streams[number] for number in range(1, count + 1))
        self.check_widths(ordered)
        return ordered

    def check_widths(self, streams: tuple[StreamDensity, ...]) -> None:
        found = tuple(stream.width(self.codebooks) for stream in streams)
        if self.widths is None:
            self.widths = found
        for number, (width, expected) in enumerate(zip(found, self.widths), 1):
            if width != expected:
                raise self.scan.failure(
                    f"stream {number} has {amount(width, 'value')} a frame but {expected} elsewhere in the file "
                    "(<VECSIZE>, <STREAMINFO> or an earlier state); correct it"
                )

    def stream(self, size: int) -> StreamDensity:
        word = self.scan.peek()
        if size < 1:
            raise self.scan.failure(f"<NUMMIXES> is {size}; need 1 or more")
        kind = {"TMIX": TiedWeights, "DPROB": Symbols}.get(word, Gaussians)
        self.density = self.density or kind
        if kind is not self.density:
            raise self.scan.failure(
                f"found {kind.meaning} in a file with {self.density.meaning}; give models of one kind"
            )
        if word == "TMIX":
            self.scan.step()
            return self.tied_weights(size)
        if word == "DPROB":
            self.scan.step()
            codes = self.scan.runs(size, "<DPROB>")
            if (codes != np.clip(np.round(codes), 0, LOG_ZERO)).any():
                raise self.scan.failure(f"<DPROB> holds what is no whole number from 0 to {LOG_ZERO}; correct it")
            probabilities = np.where(codes == LOG_ZERO, 0.0, np.exp(-codes / LOG_SCALE))
            self.check_sum(probabilities, "the probabilities of <DPROB>")
            return Symbols(probabilities)
        return self.mixtures(size)

    def tied_weights(self, size: int) -> TiedWeights:
        name = self.scan.name()
        if name not in self.codebooks:
            unknown = [f"{name}{n}" for n in range(1, size + 1) if ("~m", f"{name}{n}") not in self.macros]
            if unknown:
                raise self.scan.failure(
                    f"<TMIX> {cited(name)} needs the macros ~m {shown(name)}1 to {shown(name)}{size}, but "
                    f"{cited(unknown[0])} is not defined "
                    "before this line; define it further up"
                )
            parts = [self.macros["~m", f"{name}{n}"] for n in range(1, size + 1)]
            self.codebooks[name] = self.stacked(np.full(size, 1 / size), parts)
        if (known := len(self.codebooks[name].weights)) != size:
            raise self.scan.failure(
                f"<TMIX> {cited(name)} has {size} weights here but {known} before; correct <NUMMIXES>"
            )
        weights = self.scan.runs(size, f"<TMIX> {cited(name)}")
        self.check_sum(weights, f"the weights of <TMIX> {cited(name)}")
        return TiedWeights(name, weights)

    def mixtures(self, size: int) -> Gaussians:
        found: dict[int, tuple[float, tuple[np.ndarray, np.ndarray]]] = {}
        if self.scan.peek() != "MIXTURE":
            found[1] = 1.0, self.gaussian()
        while self.scan.peek() == "MIXTURE":
            self.scan.step()
            words = self.scan.tokens()
            self.scan.counted("<MIXTURE>", words, 2)
            number = self.scan.integer(words[0], "<MIXTURE>")
            weight = self.scan.number(words[1], "<MIXTURE>")
            if not 1 <= number <= size:
                raise self.scan.failure(f"<MIXTURE> {number} is out of range; <NUMMIXES> is {size}")
            if number in found:
                raise self.scan.failure(f"mixture {number} is defined twice; remove one")
            found[number] = weight, self.gaussian()
        # HTK does not write mixtures of next to no weight.
        light = bool(found) and abs(sum(weight for weight, _ in found.values()) - 1) < LIGHT
        missing = [str(number) for number in range(1, size + 1) if number not in found]
        if missing and not light:
            raise self.scan.failure(f"<NUMMIXES> is {size} but {_listed('mixture', missing)} missing; define all")
        if missing:
            self.scan.warn(f"<NUMMIXES> is {size} but {_listed('mixture', missing)} missing, taken for weight 0")
        weights, parts = zip(*(found[number] for number in sorted(found)))
        self.check_sum(np.array(weights), "the weights of the mixtures")
        return self.stacked(np.array(weights), parts)

    def stacked(self, weights: np.ndarray, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> Gaussians:
        means, variances = zip(*parts)
        if len(lengths := {len(mean) for mean in means}) > 1:
            raise self.scan.failure(f"the mixtures have means of different lengths {sorted(lengths)}; correct them")
        return Gaussians(weights, np.stack(means), np.stack(variances))

    def check_sum(self, weights: np.ndarray, what: str) -> None:
        if (weights < 0).any():
            raise self.scan.failure(f"{what} include {weights.min():g}, less than 0; correct it")
        if abs(weights.sum() - 1) > WEIGHT_TOLERANCE:
            raise self.scan.failure(f"{what} add up to {weights.sum():.6g} instead of 1; correct them")

    def gaussian(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance."""
        if self.scan.peek() == "~m":
            self.scan.step()
            return self.referred("~m")[1]
        if self.scan.peek() == "RCLASS":  # a number that only adaptation needs
            self.scan.step()
            self.scan.one_integer("<RCLASS>")
        mean = self.vector_of("MEAN", "~u")
        variance = self.variance("VARIANCE", "INVCOVAR", "~v")
        if len(mean) != len(variance):
            raise self.scan.failure(
                f"the mean has {amount(len(mean), 'value')}, the variance {len(variance)}; correct one"
            )
        if not len(mean):
            raise self.scan.failure("the mean has no values; give one or more")
        if not variance.min() > 0:
            raise self.scan.failure(
                f"variance {int(variance.argmin()) + 1} of {len(variance)} is {variance.min():g}; all must be over 0, "
                "train again with a variance floor"
            )
        if self.scan.peek() == "GCONST":  # follows from the variances
            self.scan.step()
            self.scan.numbers(1, "<GCONST>")
        return mean, variance

    def vector_of(self, *words: str) -> np.ndarray:
        word = self.expect(*words)
        return self.referred(word)[1] if word.startswith("~") else self.scan.vector(f"<{word}>")

    def variance(self, *words: str) -> np.ndarray:
        word = self.expect(*words)
        if word == "~v":
            return self.referred(word)[1]
        return self.scan.vector("<VARIANCE>") if word == "VARIANCE" else self.inverse_covariance()

    def expect(self, *words: str) -> str:
        found = self.scan.peek()
        if found in REFUSED_COVARIANCES:
            raise self.scan.failure(
                f"{shown_word(found)} is not supported: only diagonal covariances are read; convert the models"
            )
        return self.scan.take(*words)

    def inverse_covariance(self) -> np.ndarray:
        """The variances, from the upper triangle row by row, which must be diagonal, or from its diagonal alone."""
        words = self.scan.tokens()
        if not words:
            self.scan.counted("<INVCOVAR>", words, 1)
        count = self.scan.integer(words[0], "<INVCOVAR>")
        values = self.scan.values(words[1:], "<INVCOVAR>")
        if len(values) != count:
            self.scan.counted(f"<INVCOVAR> {count}", words[1:], count * (count + 1) // 2)
            rows, columns = np.triu_indices(count)
            if values[rows != columns].any():
                raise self.scan.failure(
                    "<INVCOVAR> has values off the diagonal: only diagonal covariances are read; convert the models"
                )
            values = values[rows == columns]
        if not values.min(initial=1) > 1 / LARGEST:
            raise self.scan.failure(f"<INVCOVAR> holds {values.min():g} on the diagonal; all must be over 0")
        return 1 / values

    def stream_weights(self) -> np.ndarray:
        self.scan.take("SWEIGHTS")
        return self.scan.vector("<SWEIGHTS>")


def transition_fault(matrix: np.ndarray) -> str | None:
    """What is wrong with transition probabilities (N, N), in HTK's numbering from 1; None if nothing is.

    The entry, state 1, is never returned to; the exit, state N, is never left, and can be reached from every other.
    """
    count = len(matrix)
    if count < 3:
        return f"<TRANSP> is for {amount(count, 'state')}; need at least 3: entry, one that emits, exit"
    if (matrix < 0).any():
        row = int(np.argmax((matrix < 0).any(1)))
        return f"row {row + 1} of <TRANSP> holds {matrix[row].min():g}, less than 0; correct it"
    if matrix[-1].any():
        return f"the last row of <TRANSP> is of the exit, state {count}, which nothing leaves; set it to zeros"
    if matrix[:, 0].any():
        row = int(np.argmax(matrix[:, 0] > 0))
        return f"row {row + 1} of <TRANSP> leads back to the entry, state 1; set its first value to 0"
    sums = matrix[:-1].sum(1)
    if (np.abs(sums - 1) > ROW_TOLERANCE).any():
        row = int(np.argmax(np.abs(sums - 1) > ROW_TOLERANCE))
        return f"row {row + 1} of <TRANSP> adds up to {sums[row]:.6g} instead of 1; correct it"
    reaches = (matrix > 0) | np.eye(count, dtype=bool)
    for _ in range(count.bit_length()):  # paths of twice the length each time
        reaches = reaches @ reaches
    lost = [state for state in range(1, count - 1) if not reaches[state, -1]]
    if not lost:
        return None
    # Among the states they lead to, some lead only to one another.
    trapped = next(i for i in lost if all(reaches[j, i] for j in np.flatnonzero(reaches[i])))
    trap = [str(state + 1) for state in np.flatnonzero(reaches[trapped])]
    leads = (
        f"states {_and(trap)} lead only to one another" if len(trap) > 1 else f"state {trap[0]} leads only to itself"
    )
    one = "one of them" if len(trap) > 1 else "it"
    return (
        f"the exit, state {count}, cannot be reached from state{'s' * (len(lost) > 1)} "
        f"{_and([str(state + 1) for state in lost])}: {leads}; give {one} a way out in <TRANSP>"
    )


def _and(items: list[str]) -> str:
    if len(items) > MANY:
        items = [*items[: MANY - 1], f"{len(items) - MANY + 1} others"]
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def _listed(what: str, items: list[str]) -> str:
    return f"{what} {items[0]} is" if len(items) == 1 else f"{what}s {_and(items)} are"
