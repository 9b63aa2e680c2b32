"""Owners at random: who teaches the program some words of their own, and what their models will hear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.corpus import Utterance, find

TESTED = 100  # recordings at most of each kind
DRAWS = 10_000  # before giving up


@dataclass(frozen=True)
class Corpus:
    """Where owners are drawn from.

    Attributes
    ----------
    folders : of the recordings
    beside : of words as unknown as those that an owner leaves over
    """

    folders: tuple[str, ...]
    beside: tuple[str, ...] = ()


CORPORA = {
    "fsdd": Corpus(("fsdd",)),
    "dspspeech20": Corpus(("dspspeech20",)),
    "arabic40": Corpus(("arabic40",)),
    "speech_commands": Corpus(("speech_commands",), ("speech_commands_30",)),
    "synthetic": Corpus(("synthetic/digits",), ("synthetic/other_words",)),
}


@dataclass(frozen=True)
class Kind:
    """How owners are: least and most of everything.

    Attributes
    ----------
    owners : how many are drawn from each corpus
    speakers : from each corpus
    words : of the vocabulary; two of the corpus at least are left over
    takes : of a word, by all speakers together
    recordings : in all
    """

    owners: dict[str, int]
    speakers: dict[str, tuple[int, int]]
    words: tuple[int, int]
    takes: tuple[int, int]
    recordings: tuple[int, int]


# More owners where speakers have more takes of a word.
FEW = Kind(
    {"fsdd": 16, "dspspeech20": 16, "arabic40": 16, "speech_commands": 10, "synthetic": 10},
    dict.fromkeys(CORPORA, (1, 5)),
    (5, 20),
    (3, 20),
    (60, 250),
)
MANY = Kind(
    {"fsdd": 2, "dspspeech20": 4, "arabic40": 4, "speech_commands": 4},
    {"fsdd": (4, 4), "dspspeech20": (9, 18), "arabic40": (12, 20), "speech_commands": (30, 79)},
    (5, 30),
    (30, 200),
    (400, 1500),
)


@dataclass(frozen=True)
class Owner:
    """Whom a model is for, and what it will hear.

    Attributes
    ----------
    corpus : its name
    training : what the model is trained on
    same : other takes of the same words and speakers
    others : the same words by other speakers
    unknown : other words, half of them by the speakers of the training where there are so many
    """

    corpus: str
    training: list[Utterance]
    same: list[Utterance]
    others: list[Utterance]
    unknown: list[Utterance]

    @property
    def speakers(self) -> int:
        """Of the training."""
        return len({u.speaker for u in self.training})


def draw_all(folder: Path, kind: Kind) -> list[Owner]:
    """All owners of a kind, from the corpora in a folder."""
    random = np.random.default_rng(0)
    found = []
    for name, count in kind.owners.items():
        utterances, beside = _read(folder, CORPORA[name].folders), _read(folder, CORPORA[name].beside)
        found += [draw(name, utterances, beside, kind, random) for _ in range(count)]
    return found


def _read(folder: Path, names: Sequence[str]) -> list[Utterance]:
    return [u for name in names for u in find(folder / name)]


def draw(corpus: str, utterances: Sequence[Utterance], beside: Sequence[Utterance], kind: Kind, random) -> Owner:
    """One owner; drawn anew until there are as many recordings as wanted."""
    words = sorted({u.word for u in utterances})
    by_speaker = {s: [u for u in utterances if u.speaker == s] for s in sorted({u.speaker for u in utterances})}
    talkative = sorted(by_speaker, key=lambda s: -len(by_speaker[s]))[: max(20, len(by_speaker) // 4)]
    for _ in range(DRAWS):
        least, most = kind.speakers[corpus]
        number = random.integers(least, most + 1)
        chosen = set(random.choice(talkative, number, replace=False))
        size = random.integers(kind.words[0], min(kind.words[1], len(words) - 2) + 1)
        vocabulary = set(random.choice(words, size, replace=False))
        takes = round(float(np.exp(random.uniform(*np.log(kind.takes)))))
        training, same = [], []
        for speaker in sorted(chosen):
            for word in sorted(vocabulary):
                own = [u for u in by_speaker[speaker] if u.word == word]
                own = [own[i] for i in random.permutation(len(own))]
                share = min(-(-takes // number), len(own) if len(own) < 3 else len(own) - 1)
                training += own[:share]
                same += own[share:]
        as_many = kind.recordings[0] <= len(training) <= kind.recordings[1]
        if as_many and {u.word for u in training} == vocabulary:
            break
    else:
        raise ValueError(f"no owner of such a kind in {DRAWS} draws from {corpus}")
    others = [u for u in utterances if u.speaker not in chosen and u.word in vocabulary]
    strange = [u for u in [*utterances, *beside] if u.word not in vocabulary]
    own = _some([u for u in strange if u.speaker in chosen], TESTED // 2, random)
    rest = _some([u for u in strange if u.speaker not in chosen], TESTED - len(own), random)
    return Owner(corpus, training, _some(same, TESTED, random), _some(others, TESTED, random), own + rest)


def _some(utterances: Sequence[Utterance], most: int, random) -> list[Utterance]:
    return [utterances[i] for i in random.permutation(len(utterances))[:most]]
