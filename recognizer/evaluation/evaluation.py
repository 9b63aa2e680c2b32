"""How well a model does on a labelled corpus: accuracy with its intervals, rejections, confusions, the worst files."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.corpus import Utterance
from recognizer.errors import RecognizerError
from recognizer.intervals import Proportion, in_words
from recognizer.recognizer import FileResult

NOTHING = ""  # the column of the confusion matrix for utterances in which no word was heard


@dataclass(frozen=True)
class Mistake:
    """A file whose best word was not its label; `margin` is how far the label scored behind, nats a frame."""

    path: Path
    word: str
    heard: str | None
    confidence: float
    margin: float | None


@dataclass(frozen=True)
class Evaluation:
    """The outcome of a test.

    Attributes
    ----------
    total : of the forced choice, over all files that could be read and hold a word of the model
    by_word, by_speaker : the same for each word, and for each speaker that is known
    words : rows of the confusion matrix, words that the model lacks among them
    heard : its columns; "" is no word
    confusion : (words, heard) counts of the forced choice
    mistakes : of the forced choice, worst first
    false_rejections : words of the model that were rejected
    false_acceptances : words that the model lacks, taken for one of its own
    unknown : the same for each of these words
    unreadable : files that could not be read, with the reason
    answered : the others with what was heard, as they were given
    """

    total: Proportion
    by_word: dict[str, Proportion]
    by_speaker: dict[str, Proportion]
    words: tuple[str, ...]
    heard: tuple[str, ...]
    confusion: np.ndarray
    mistakes: tuple[Mistake, ...]
    false_rejections: Proportion
    false_acceptances: Proportion
    unknown: dict[str, Proportion]
    unreadable: dict[str, str]
    answered: tuple[tuple[Utterance, FileResult], ...] = ()

    def as_json(self) -> dict:
        """Everything as plain JSON data."""
        return {
            **self.total.as_json(),
            "false_rejections": self.false_rejections.as_json("rate"),
            "false_acceptances": self.false_acceptances.as_json("rate"),
            "unknown": {word: rate.as_json("rate") for word, rate in self.unknown.items()},
            "by_word": {word: score.as_json() for word, score in self.by_word.items()},
            "by_speaker": {speaker: score.as_json() for speaker, score in self.by_speaker.items()},
            "confusion": {
                word: {heard: int(n) for heard, n in zip(self.heard, row) if n}
                for word, row in zip(self.words, self.confusion)
            },
            "mistakes": [
                {
                    "file": str(m.path),
                    "word": m.word,
                    "heard": m.heard,
                    "confidence": m.confidence,
                    "margin": m.margin,
                }
                for m in self.mistakes
            ],
            "unreadable": self.unreadable,
        }


def evaluate(
    utterances: Sequence[Utterance], results: Iterable[FileResult], vocabulary: Collection[str] | None = None
) -> Evaluation:
    """Compare what was heard with labels, as a forced choice, and count what should (not) have been rejected.

    The forced choice takes the best word even of what was rejected; an utterance without any counts as wrong.

    Parameters
    ----------
    utterances : what was said
    results : what was heard, in the same order
    vocabulary : the words of the model; whatever was said is one of them when None

    Raises
    ------
    RecognizerError
        if no file at all could be read.
    """
    answered: list[tuple[Utterance, FileResult]] = []
    unreadable: dict[str, str] = {}
    for utterance, result in zip(utterances, results):
        if result.error is None:
            answered.append((utterance, result))
        else:
            unreadable[str(utterance.path)] = result.error
    if not answered:
        reason = next(iter(unreadable.values()), "the corpus is empty")
        raise RecognizerError(f"none of the {len(unreadable)} files can be tested: {reason}")
    said = [u.word for u, _ in answered]
    heard = [best_word(r) for _, r in answered]
    accepted = np.array([r.result.accepted for _, r in answered])
    known = np.array([vocabulary is None or word in vocabulary for word in said])
    words = tuple(sorted(set(said), key=a_to_z))
    columns = tuple(sorted(set(said) | set(heard) - {NOTHING}, key=a_to_z)) + ((NOTHING,) if NOTHING in heard else ())
    confusion = np.zeros((len(words), len(columns)), dtype=int)
    np.add.at(confusion, ([words.index(w) for w in said], [columns.index(w) for w in heard]), 1)
    said, heard, speakers = (
        np.array(column, dtype=object) for column in (said, heard, [u.speaker for u, _ in answered])
    )
    right = said == heard
    tested = [answer for answer, k in zip(answered, known) if k]
    named = known & (speakers != None)  # noqa: E711 - of every element
    return Evaluation(
        Proportion.counted(right[known], speakers[known]),
        _by(said[known], right[known], speakers[known]),
        _by(speakers[named], right[named], speakers[named]),
        words,
        columns,
        confusion,
        tuple(sorted((_mistake(u, r) for (u, r), ok in zip(tested, right[known]) if not ok), key=_badness)),
        Proportion.counted(~accepted[known], speakers[known]),
        Proportion.counted(accepted[~known], speakers[~known]),
        _by(said[~known], accepted[~known], speakers[~known]),
        unreadable,
        tuple(answered),
    )


def best_word(answer: FileResult) -> str:
    """What a file that could be read is taken for in the forced choice; NOTHING where no word was heard."""
    return answer.result.nbest[0].word if answer.result.nbest else NOTHING


def a_to_z(name: str) -> tuple[str, str]:
    """Sorts names as a dictionary does, wherever it is read: capitals and accents beside the plain letters."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)), name


def _by(keys: np.ndarray, happened: np.ndarray, speakers: np.ndarray) -> dict[str, Proportion]:
    """How often it happened, by word or by speaker."""
    return {
        key: Proportion.counted(happened[keys == key], speakers[keys == key]) for key in sorted(set(keys), key=a_to_z)
    }


def _mistake(utterance: Utterance, answer: FileResult) -> Mistake:
    result = answer.result
    scores = {candidate.word: candidate.score for candidate in result.nbest}
    heard = result.nbest[0].word if result.nbest else None
    margin = scores[heard] - scores[utterance.word] if utterance.word in scores else None
    return Mistake(utterance.path, utterance.word, heard, result.confidence, margin)


def _badness(mistake: Mistake) -> tuple[float, str]:
    return -mistake.confidence, str(mistake.path)


def headline(total: Proportion) -> str:
    """One line: accuracy, n and intervals."""
    if not total.n:
        return "accuracy: none of the recordings is of a word of the model"
    return f"accuracy {100 * total.share:.2f} % ({in_words(total.as_json())})"
