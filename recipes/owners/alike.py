"""Words that sound alike, after a take of each: which the page names when own words are recorded, and which not.

The ten digits of one voice, one take each, with a word beside them that rhymes with one of them: the pair should be
named. The digits alone should not be: people tell them from each other. What is named is what `recognizer check` finds
closest, if that is under a bound.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(RECIPES))

import numpy as np
from protocols import load

from recognizer.corpus import Utterance
from recognizer.evaluation.checking import check_corpus
from recognizer.intervals import Proportion, in_words
from recognizer.serve.own_words import CLOSE

RHYMES = {  # words that differ from a digit in a sound at the beginning or the end
    "one": ("gun", "run", "sun", "son"),
    "two": ("blue", "do", "shoe", "who", "you"),
    "three": ("free", "he", "key", "sea", "she", "tea", "tree", "we"),
    "four": ("door", "fort", "more", "or"),
    "five": ("drive", "fire", "fight", "hive", "live", "wife"),
    "six": ("fix", "sex", "sick", "sit"),
    "seven": ("eleven", "heaven"),
    "eight": ("ate", "bait", "gate", "hate", "late", "wait", "ape"),
    "nine": ("fine", "line", "mine", "night", "wine", "vine"),
    "zero": ("hero", "nero"),
}
BOUNDS = (10.0, 15.0, 18.0, 20.0, 22.0, CLOSE, 27.0, 30.0)  # nats a frame
TAKES = 5  # of each person: as many collections
RESULTS = Path(__file__).with_name("ALIKE.md")
COMMAND = "python recipes/owners/alike.py FOLDER"
Pair = tuple[frozenset[str], float]


def closest(utterances: Sequence[Utterance]) -> list[Pair]:
    """The pairs that `recognizer check` names."""
    return [(frozenset(pair["words"]), pair["distance"]) for pair in check_corpus(list(utterances)).alike]


def takes_of(utterances: Sequence[Utterance]) -> dict[str, list[list[Utterance]]]:
    """By speaker: collections of one take of each word, as far as there are takes of all."""
    by_speaker: dict[str, dict[str, list[Utterance]]] = defaultdict(lambda: defaultdict(list))
    for utterance in sorted(utterances, key=lambda utterance: utterance.path):
        by_speaker[utterance.speaker][utterance.word].append(utterance)
    return {
        speaker: [list(each) for each in zip(*words.values())][:TAKES]
        for speaker, words in by_speaker.items()
        if len(words) == 10
    }


def row(bound: float, rhymes: list[tuple[str, float]], alone: dict[str, list[list[float]]]) -> str:
    """What a bound names, of rhymes and of digits."""
    named = sum((Proportion.of(distance < bound, 1, voice) for voice, distance in rhymes), Proportion())
    cells = [f"{100 * named.share:.1f} % ({in_words(named.as_json())})"]
    for collections in alone.values():
        counts = [sum(distance < bound for distance in distances) for distances in collections]
        cells.append(f"{np.mean(counts):.2f}, at most {max(counts)}")
    shown = f"**{bound:.0f}**" if bound == CLOSE else f"{bound:.0f}"
    return f"| {shown} | {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds synthetic/digits, synthetic/other_words and fsdd")
    folder = parser.parse_args().folder
    made = takes_of(load(folder / "synthetic" / "digits"))
    people = takes_of(load(folder / "fsdd"))
    digits = {word: digit for digit, words in RHYMES.items() for word in words}
    rhymes = []
    for other in load(folder / "synthetic" / "other_words"):
        if other.word in digits and other.speaker in made:
            pair = frozenset({other.word, digits[other.word]})
            distances = dict(closest([*made[other.speaker][0], other]))
            rhymes.append((other.speaker, distances.get(pair, np.inf)))
    alone = {
        name: [[distance for _, distance in closest(takes)] for collections in voices for takes in collections]
        for name, voices in {"made-up voices": made.values(), "people": people.values()}.items()
    }
    counts = {name: f"{len(collections)} collections of {name}" for name, collections in alone.items()}
    head = ["bound, nats a frame", "rhymes named", *(f"pairs of digits named, {name}" for name in alone)]
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|", *(row(bound, rhymes, alone) for bound in BOUNDS)]
    table = "\n".join(lines)
    RESULTS.write_text(
        f"# Words that sound alike\n\nMade by `{COMMAND}`: {', '.join(counts.values())},\n"
        f"one take of each digit in each; {len(rhymes)} rhymes of made-up voices.\n\n{table}\n\n"
        "At most five pairs are named of a collection. In bold is what the page does.\n",
        encoding="utf-8",
    )
    print(RESULTS.read_text(encoding="utf-8"))
