"""In one breath with a sound that was no word: how long that is, for sentences and for words in a list.

What is said within some time of a sound that was no word must be the surer to be taken for one. Spoken orders, end to
end, hold no word of the models: the fewer are heard in them, the better. Of words half a second apart in quiet noise,
as in `recipes/transcribe`, most should be found.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(RECIPES), str(RECIPES / "transcribe")]

import numpy as np
from protocols import load
from run import CORPORA, WORDS, chosen, joined

from recognizer import Recognizer
from recognizer.intervals import Proportion, in_words
from recognizer.live import session
from recognizer.live.events import Answer, Heard
from recognizer.live.session import Session, listen
from recognizer.sound import audio
from recognizer.sound.segmenter import Segmentation
from recognizer.sound.source import AT_ONCE, Block

RATE = 16000  # Hz, of the orders
GAP = 0.5  # seconds between two orders
BREATHS = (0.4, 0.2, 0.15, 0.1, 0.0)  # seconds up to the pre-roll of the next sound
RESULTS = Path(__file__).with_name("BREATH.md")
COMMAND = "python recipes/live/breath.py FOLDER"


def heard(recognizer: Recognizer, samples: np.ndarray, rate: int) -> list[Answer]:
    """What a session says of a stream."""
    size, listening = round(AT_ONCE * rate), Session(recognizer, partial=False)
    blocks = (Block(samples[i : i + size], rate, 0.0) for i in range(0, len(samples), size))
    return [event for events in listen(blocks, listening) for event in events if isinstance(event, Answer)]


def in_orders(recognizer: Recognizer, samples: np.ndarray) -> str:
    """How many words are heard where there are none."""
    words = sum(isinstance(answer, Heard) for answer in heard(recognizer, samples, RATE))
    return f"{words} ({words / (len(samples) / RATE / 60):.2f} a minute)"


class Listed:
    """A list of words in one recording, and where `batch` finds those that it has right.

    Parameters
    ----------
    folder : holds the corpora of `recipes/transcribe`
    model : by its name
    """

    def __init__(self, folder: Path, model: str) -> None:
        corpus, self.rate = CORPORA[model]
        self.recognizer = Recognizer.load(model)
        takes = [replace(take, word=WORDS[model](take.word)) for take in load(folder / corpus)]
        takes = chosen(takes, self.rate)
        self.samples, begins = joined(takes, self.rate, noisy=True)
        found = self.recognizer.recognize_files([take.path for take in takes])
        results = [item.result for item in found]
        self.right = [
            (take, begin + result.start, begin + result.end)
            for take, begin, result in zip(takes, begins, results)
            if result.word == take.word
        ]

    def found(self) -> str:
        """Which of them are found once and right."""
        words = [answer for answer in heard(self.recognizer, self.samples, self.rate) if isinstance(answer, Heard)]
        share = Proportion()
        for take, start, end in self.right:
            mine = [word.result.word for word in words if word.start < end and word.end > start]
            share += Proportion.of(mine == [take.word], 1, take.speaker)
        return f"{100 * share.share:.2f} % ({in_words(share.as_json())})"


def rows(orders: Sequence[Path], folder: Path) -> list[str]:
    """A row for each time."""
    quiet = np.zeros(round(GAP * RATE), np.float32)
    spoken = np.concatenate([part for order in orders for part in (audio.load(order, RATE).samples, quiet)])
    models = {name: Recognizer.load(name) for name in ("digits", "dspspeech20", "commands")}
    lists = {name: Listed(folder, name) for name in CORPORA}
    head = [*(f"{name} in orders" for name in models), *(f"{CORPORA[name][0]} in a list" for name in lists)]
    made = [f"| up to, s | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    usual = session.BREATH
    for breath in BREATHS:
        session.BREATH = breath
        cells = [in_orders(recognizer, spoken) for recognizer in models.values()]
        cells += [listed.found() for listed in lists.values()]
        whole = f"{breath + Segmentation.pre_roll:.2f}"
        made.append(f"| {f'**{whole}**' if breath == usual else whole} | {' | '.join(cells)} |")
        print(made[-1], file=sys.stderr, flush=True)
    session.BREATH = usual
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds fluent (spoken orders), fsdd and dspspeech20")
    folder = parser.parse_args().folder
    orders = sorted((folder / "fluent").rglob("*.ogg"))
    table = "\n".join(rows(orders, folder))
    RESULTS.write_text(
        f"# In one breath\n\nMade by `{COMMAND}`, {len(orders)} spoken orders.\n\n{table}\n\n"
        "Words of orders are those that a session hears, at `normal`; of lists, what is found once and right of what\n"
        "`batch` has right on the single recordings. In bold is what the program does. At 0.3 s there is no such\n"
        "rule: a pause that ends a sound is hardly shorter.\n",
        encoding="utf-8",
    )
