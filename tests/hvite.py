"""A small HVite, written from the HTK Book (3.4, chapters 5, 7, 12 and 13) and from nothing in this package."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LZERO = -1e10
TOKEN = re.compile(r"""<[^<>]*>|~[a-z]|"(?:\\.|[^"\\])*"|[^\s<>"]+""")
STRING = r"""("(?:\\.|[^"\\])*"|\S+)"""
QUALIFIERS = {"E": 64, "N": 128, "D": 256, "A": 512, "C": 1024, "Z": 2048, "K": 4096, "0": 8192, "V": 16384, "T": 32768}
BASES = [
    "WAVEFORM",
    "LPC",
    "LPREFC",
    "LPCEPSTRA",
    "LPDELCEP",
    "IREFC",
    "MFCC",
    "FBANK",
    "MELSPEC",
    "USER",
    "DISCRETE",
    "PLP",
]


@dataclass(eq=False)
class Hmm:
    """States are functions from observations (T, D) to log densities (T,); the matrix has logarithms."""

    states: list
    transitions: np.ndarray


def text_of(string: str) -> str:
    """What stands in quotes, or not."""
    if string[0] != '"':
        assert "\\" not in string
        return string
    raw = string[1:-1].encode()
    raw = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), raw)
    return re.sub(rb"\\(.)", rb"\1", raw).decode()


def log(numbers) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(np.asarray(numbers, np.float32).astype(float)), LZERO)


class Mmf:
    """The definitions in a file: `hmms` by name, `kind`, `streams`."""

    def __init__(self, path: Path):
        self.tokens = TOKEN.findall(path.read_text(encoding="ascii"))
        self.place = 0
        self.macros: dict[tuple[str, str], object] = {}
        self.hmms: dict[str, Hmm] = {}
        self.kind, self.streams, self.size = "", None, 0
        while self.place < len(self.tokens):
            what = self.next()
            if what == "~o":
                self.options()
            elif what == "~h":
                name = text_of(self.next())
                assert name not in self.hmms
                self.hmms[name] = self.hmm()
            else:
                name = text_of(self.next())
                self.macros[what, name] = self.macro(what)

    def next(self) -> str:
        self.place += 1
        return self.tokens[self.place - 1]

    def peek(self) -> str:
        token = self.tokens[self.place]
        return token.upper() if token[0] == "<" else token

    def take(self, keyword: str) -> None:
        assert self.peek() == keyword, (self.tokens[self.place - 5 : self.place + 5], keyword)
        self.place += 1

    def number(self) -> float:
        return float(np.float32(self.next()))

    def numbers(self, count: int) -> np.ndarray:
        return np.array([self.number() for _ in range(count)])

    def runs(self, count: int) -> list[str]:
        """Numbers, some of them written as number*times."""
        found: list[str] = []
        while len(found) < count:
            number, _, times = self.next().partition("*")
            found += [number] * int(times or 1)
        assert len(found) == count
        return found

    def options(self) -> None:
        while self.place < len(self.tokens) and self.peek()[0] == "<" and self.peek() != "<BEGINHMM>":
            word = self.next().upper()[1:-1]
            if word == "STREAMINFO":
                self.streams = [int(self.next()) for _ in range(int(self.next()))]
            elif word == "VECSIZE":
                self.size = int(self.next())
            elif word not in ("NULLD", "DIAGC"):
                assert word.split("_")[0] in BASES, word
                self.kind = word

    def macro(self, letter: str) -> object:
        if letter == "~s":
            return self.state()
        if letter == "~m":
            return self.gaussian()
        if letter == "~t":
            return self.matrix()
        assert letter == "~v"
        return self.vector("<VARIANCE>")

    def hmm(self) -> Hmm:
        self.take("<BEGINHMM>")
        self.options_of_model()
        self.take("<NUMSTATES>")
        count = int(self.next())
        states = []
        for number in range(2, count):
            self.take("<STATE>")
            assert int(self.next()) == number
            states.append(self.referred("~s") if self.peek() == "~s" else self.state())
        matrix = self.referred("~t") if self.peek() == "~t" else self.matrix()
        assert matrix.shape == (count, count)
        self.take("<ENDHMM>")
        return Hmm(states, matrix)

    def options_of_model(self) -> None:
        while self.peek() != "<NUMSTATES>":
            self.next()

    def referred(self, letter: str) -> object:
        self.take(letter)
        return self.macros[letter, text_of(self.next())]

    def matrix(self) -> np.ndarray:
        self.take("<TRANSP>")
        count = int(self.next())
        return log(self.numbers(count * count).reshape(count, count))

    def state(self):
        sizes = [1] * len(self.streams or [1])
        if self.peek() == "<NUMMIXES>":
            self.next()
            sizes = [int(self.next()) for _ in sizes]
        parts, start = [], 0
        for number, size in enumerate(sizes, 1):
            if self.peek() == "<STREAM>":
                self.next()
                assert int(self.next()) == number
            width = (self.streams or [self.size])[number - 1]
            parts.append((self.stream(size), slice(start, start + width)))
            start += width
        return lambda observations: sum(density(observations[:, own]) for density, own in parts)

    def stream(self, size: int):
        if self.peek() == "<TMIX>":
            self.next()
            name = text_of(self.next())
            members = [self.macros["~m", f"{name}{number}"] for number in range(1, size + 1)]
            return mixture(log(list(map(float, self.runs(size)))), members)
        if self.peek() == "<DPROB>":
            self.next()
            codes = np.array(list(map(int, self.runs(size))))
            table = np.where(codes == 32767, LZERO, -codes / 2371.8)
            return lambda symbols: table[symbols[:, 0].astype(int) - 1]
        if self.peek() != "<MIXTURE>":
            return mixture(np.zeros(1), [self.gaussian()])
        weights, members = [], []
        while self.peek() == "<MIXTURE>":
            self.next()
            assert 1 <= int(self.next()) <= size
            weights.append(self.number())
            members.append(self.gaussian())
        return mixture(log(weights), members)

    def gaussian(self):
        if self.peek() == "~m":
            return self.referred("~m")
        mean, variance = self.vector("<MEAN>"), self.vector("<VARIANCE>")
        constant = len(mean) * np.log(2 * np.pi) + np.log(variance).sum()
        if self.peek() == "<GCONST>":  # which HTK takes as it is
            self.next()
            constant = self.number()
        return lambda x: -0.5 * (constant + ((x - mean) ** 2 / variance).sum(1))

    def vector(self, keyword: str) -> np.ndarray:
        self.take(keyword)
        return self.numbers(int(self.next()))


def mixture(log_weights, members):
    return lambda x: np.logaddexp.reduce([w + density(x) for w, density in zip(log_weights, members)], axis=0)


def observations(path: Path) -> tuple[np.ndarray, str, float]:
    """Vectors, kind without _C and _K, and period in seconds of a parameter file."""
    content = path.read_bytes()
    frames, period, size, code = struct.unpack(">iihH", content[:12])
    data = content[12:]
    base = BASES[code & 63]
    if code & QUALIFIERS["K"]:
        data = data[:-2]
    if code & QUALIFIERS["C"]:
        dims = size // 2
        a, b = np.array(struct.unpack(f">{2 * dims}f", data[: 8 * dims])).reshape(2, dims)
        shorts = np.array(struct.unpack(f">{(frames - 4) * dims}h", data[8 * dims :])).reshape(-1, dims)
        vectors = (shorts + b) / a
    elif base == "DISCRETE":
        vectors = np.array(struct.unpack(f">{frames * size // 2}h", data)).reshape(frames, -1)
    else:
        vectors = np.array(struct.unpack(f">{frames * size // 4}f", data)).reshape(frames, -1)
    letters = sorted(q for q, bit in QUALIFIERS.items() if code & bit and q not in "CK")
    return vectors, "_".join([base, *letters]), period / 1e7


def dictionary_of(path: Path) -> dict[str, list[str]]:
    """Pronunciations, as ReadDictWord of HDict.c reads them."""
    found = {}
    for line in path.read_text(encoding="ascii").splitlines():
        word, *phones = re.findall(STRING, line)
        assert len(phones) == 1, "one line, one pronunciation, one model"
        # What C's strtod takes for a number is a probability there.
        assert not re.match(r"[-+.0-9]|inf|nan|\[", phones[0], re.IGNORECASE)
        assert re.fullmatch(r"[!-~]+", phones[0])
        assert not set("-+") & set(phones[0]), "would tell a context to HNet.c"
        word = text_of(word)
        assert word not in found
        assert len(word.encode()) < 132, "the buffer of ReadOneLattice"
        assert word not in ("!NULL", "!SUBLATID")
        found[word] = phones
    return found


def network_of(path: Path) -> tuple[list[str], list[tuple[int, int]]]:
    """Words of the nodes, and the arcs, of a standard lattice file."""
    lines = path.read_text(encoding="ascii").splitlines()
    assert lines[0] == "VERSION=1.0"
    count, arcs_count = map(int, re.fullmatch(r"N=(\d+) +L=(\d+)", lines[1]).groups())
    nodes, arcs = {}, {}
    for line in lines[2:]:
        if node := re.fullmatch(rf"I=(\d+) +W={STRING}", line):
            nodes[int(node[1])] = text_of(node[2])
        else:
            number, start, end = map(int, re.fullmatch(r"J=(\d+) +S=(\d+) +E=(\d+)", line).groups())
            arcs[number] = start, end
    assert (sorted(nodes), sorted(arcs)) == (list(range(count)), list(range(arcs_count)))
    return [nodes[i] for i in range(count)], list(arcs.values())


def best_path(models: list[Hmm], vectors: np.ndarray) -> float:
    """Log likelihood of the best path through models one after the other, by passing tokens."""
    outputs = [np.stack([state(vectors) for state in model.states]) for model in models]
    entries = np.full(len(models) + 1, -np.inf)
    entries[0] = 0.0
    tokens = [np.full(len(model.states) + 2, -np.inf) for model in models]
    for t in range(len(vectors)):
        for m, model in enumerate(models):
            if model.transitions[0, -1] > LZERO:  # a tee model may be passed in no time
                entries[m + 1] = max(entries[m + 1], entries[m] + model.transitions[0, -1])
        leaving = np.full(len(models) + 1, -np.inf)
        for m, model in enumerate(models):
            tokens[m][0] = entries[m]
            arriving = np.where(model.transitions > LZERO, tokens[m][:, None] + model.transitions, -np.inf).max(0)
            tokens[m][1:-1] = arriving[1:-1] + outputs[m][:, t]
            tokens[m][0] = tokens[m][-1] = -np.inf
            ways = np.where(model.transitions[:, -1] > LZERO, tokens[m] + model.transitions[:, -1], -np.inf)
            leaving[m + 1] = ways.max()
        entries = leaving
    for m, model in enumerate(models):
        if model.transitions[0, -1] > LZERO:
            entries[m + 1] = max(entries[m + 1], entries[m] + model.transitions[0, -1])
    return float(entries[-1])


class HVite:
    """`HVite -H models.mmf -w network.slf dict.txt models.list`, all in one folder."""

    def __init__(self, mmf: Path):
        self.mmf = Mmf(mmf)
        folder = mmf.parent
        listed = (folder / "models.list").read_text(encoding="ascii").split()
        assert sorted(listed) == sorted(set(listed))
        assert set(listed) == set(self.mmf.hmms)
        self.dictionary = dictionary_of(folder / "dict.txt")
        self.nodes, self.arcs = network_of(folder / "network.slf")
        for word in self.nodes:
            assert word == "!NULL" or set(self.dictionary[word]) <= set(listed)

    def scores(self, file: Path) -> dict[str, float]:
        """Total log likelihood of every word, by all ways through the network."""
        vectors, kind, _ = observations(file)
        assert sorted(kind.split("_")) == sorted(self.mmf.kind.split("_")), "HVite refuses what is of another kind"
        assert vectors.shape[1] == sum(self.mmf.streams or [self.mmf.size])
        starts = set(range(len(self.nodes))) - {end for _, end in self.arcs}
        ends = set(range(len(self.nodes))) - {start for start, _ in self.arcs}
        assert len(starts) == len(ends) == 1, "HNet.c wants one start and one end"
        found, waiting = {}, [[*starts]]
        while waiting:
            way = waiting.pop()
            if way[-1] in ends:
                words = [self.nodes[node] for node in way if self.nodes[node] != "!NULL"]
                models = [self.mmf.hmms[phone] for word in words for phone in self.dictionary[word]]
                found[" ".join(words)] = best_path(models, vectors)
            waiting += [[*way, end] for start, end in self.arcs if start == way[-1]]
        return found

    def best(self, file: Path) -> tuple[str, float]:
        scores = self.scores(file)
        word = max(scores, key=scores.get)
        return word, scores[word]
