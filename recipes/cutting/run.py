"""Cutting recordings of known words: what is kept, what is noticed when the words are told wrongly, where the ends are.

Speakers are never those that the model was trained on. Of digits joined from single takes the true ends are known; of
strings of digits, read by children and by adults with accents, only the words.
"""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import by_speaker, corpus_argument, percent, write_results

from recognizer import Model, RecognizerWarning
from recognizer.corpus import Utterance, find
from recognizer.features.front_end import FrontEnd
from recognizer.intervals import Proportion
from recognizer.sound import audio
from recognizer.sound.audio import Recording
from recognizer.sound.perturbation import VTLP
from recognizer.training.building import build
from recognizer.training.cutting import Cut, cut, cut_corpus
from recognizer.training.settings import TrainingSettings
from recognizer.training.transcripts import NUMERALS, Sentence, read_transcript

WHERE = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0), Speech Commands v0.01 (CC BY 4.0, Pete "
    "Warden / Google), https://github.com/jimbozhang/speechocean762 (free for any use), "
    "https://github.com/Sakshee5/alphanumeric-audio-dataset (MIT)"
)
SETTINGS = TrainingSettings(states=7, mixtures=8, variance_floor=0.5)
RATE = 8000
JOINED, STRINGS = 12, 8  # words of a joined recording, and such recordings of a speaker
PAUSES = {"pauses of 0.1 to 0.6 s": (0.1, 0.6), "no pauses": (0.0, 0.0)}
LEVEL, NOISE = 0.05, 3e-4  # root mean square of a word, and of the room: 44 dB between them
FOLDS = 3


@dataclass
class Tally:
    """What happened in one kind of recordings."""

    kept: list[Proportion] = field(default_factory=list)
    wrong: list[Proportion] = field(default_factory=list)
    added: list[Proportion] = field(default_factory=list)
    missing: list[Proportion] = field(default_factory=list)
    touching: list[Proportion] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    errors: list[np.ndarray] = field(default_factory=list)  # (N, 2), of starts and ends, seconds

    def row(self, name: str) -> str:
        """Of the table."""
        columns = (self.kept, self.wrong, self.added, self.missing, self.touching)
        return f"| {name} | {' | '.join(share(sum(column, Proportion())) for column in columns)} |"


def share(score: Proportion) -> str:
    """Percent, n and the interval over speakers."""
    return f"{100 * score.share:.1f} ({score.n}; {percent(score.bootstrap)})"


def digits(corpus: Path) -> list[Utterance]:
    """The digits in a corpus, labelled by their names."""
    named = [replace(u, word=NUMERALS[int(u.word)] if u.word.isdigit() else u.word) for u in find(corpus)]
    return [u for u in named if u.word in NUMERALS]


def trained(utterances: Sequence[Utterance], perturbations=()) -> Model:
    """A model of the digits, which rejects nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        model, _ = build(
            utterances,
            front_end=FrontEnd.for_rate(RATE),
            settings=SETTINGS,
            perturbations=perturbations,
            calibrate=False,
            jobs=2,
        )
    return model


def joined(takes: Sequence[Utterance], pauses: tuple[float, float], model: Model, random) -> tuple:
    """A recording of some takes, trimmed to their speech; its words, and where they are, (N, 2) seconds."""
    parts, words, spans = [np.zeros(RATE // 2)], [], []
    for number in random.choice(len(takes), JOINED, replace=False):
        samples = audio.load(takes[number].path, RATE).samples
        first, last = model.endpointer.find(samples, RATE) or (0, len(samples))
        speech = samples[first:last].astype(float)
        pause = np.zeros(round(random.uniform(*pauses) * RATE) if words else 0)
        start = sum(map(len, parts)) + len(pause)
        parts += [pause, LEVEL * speech / np.sqrt((speech**2).mean())]
        spans.append((start / RATE, (start + len(speech)) / RATE))
        words.append(takes[number].word)
    samples = np.concatenate([*parts, np.zeros(RATE // 2)])
    samples += NOISE * random.standard_normal(len(samples))
    return audio.prepare(samples, RATE, RATE), tuple(words), np.array(spans)


def count(tally: Tally, recording: Recording, words: Sequence[str], model: Model, speaker, random) -> tuple[Cut, ...]:
    """Cut a recording by its words, and by words of which one is wrong, one is too many, and one is missing."""

    def once(happened: bool) -> Proportion:
        return Proportion.of(int(happened), 1, speaker)

    def other_than(*taken: str) -> str:
        return str(random.choice([word for word in NUMERALS if word not in taken]))

    cuts = cut(recording, words, model)
    tally.kept += [once(one.reason is None) for one in cuts]
    tally.touching += [once(one.after.touches) for one in cuts[:-1]]
    tally.durations += [one.end - one.start for one in cuts if one.reason is None]
    around = (None, *words, None)
    place = random.integers(len(words))
    told = [*words[:place], other_than(*around[place : place + 3]), *words[place + 1 :]]
    tally.wrong.append(once(cut(recording, told, model)[place].reason is not None))
    place = random.integers(len(words) + 1)
    told = [*words[:place], other_than(*around[place : place + 2]), *words[place:]]
    tally.added.append(once(cut(recording, told, model)[place].reason is not None))
    if len(words) > 1:
        place = random.integers(len(words))
        found = cut(recording, [*words[:place], *words[place + 1 :]], model)
        heard = (*found[place - 1 : place], *found[place : place + 1])
        gap = found[place].before if place < len(found) else found[-1].after
        tally.missing.append(once(not gap.silent or any(one.reason for one in heard)))
    return cuts


def measure_joined(fsdd: list[Utterance], others: list[Utterance]) -> dict[str, Tally]:
    """Joined takes of each man, cut by a model of the others and of Speech Commands."""
    tallies = {name: Tally() for name in PAUSES}
    for training, takes in by_speaker(fsdd):
        model, random = trained(training + others), np.random.default_rng(0)
        for name, pauses in PAUSES.items():
            for _ in range(STRINGS):
                recording, words, spans = joined(takes, pauses, model, random)
                cuts = count(tallies[name], recording, words, model, takes[0].speaker, random)
                tallies[name].errors.append(np.array([(one.start, one.end) for one in cuts]) - spans)
        print(f"{takes[0].speaker}: {tallies[name].row(name)}", file=sys.stderr, flush=True)
    return tallies


def measure_strings(sentences: list[Sentence], models: Sequence[Model]) -> Tally:
    """Recorded strings, each cut by the model of its fold."""
    tally, random = Tally(), np.random.default_rng(0)
    for sentence, model in zip(sentences, models, strict=True):
        recording = audio.load(sentence.path, RATE)
        count(tally, recording, sentence.words, model, sentence.speaker, random)
    return tally


def second_round(corpora: dict[str, list[Sentence]], first: Model, base: list[Utterance]) -> dict[str, list[Model]]:
    """For each sentence a model that was trained on first cuts of the other speakers, too."""
    speakers = sorted({s.speaker for part in corpora.values() for s in part})
    fold = {speaker: i % FOLDS for i, speaker in enumerate(speakers)}
    with TemporaryDirectory() as folder:
        takes = []
        for name, sentences in corpora.items():
            cut_corpus(sentences, first, Path(folder, name))
            takes += find(Path(folder, name))
        models = [trained(base + [u for u in takes if fold[u.speaker] != f], VTLP) for f in range(FOLDS)]
    return {name: [models[fold[s.speaker]] for s in sentences] for name, sentences in corpora.items()}


if __name__ == "__main__":
    folder = corpus_argument(WHERE)
    fsdd, others = digits(folder / "fsdd"), digits(folder / "speech_commands") + digits(folder / "speech_commands_30")
    others = list({(u.word, u.path.name): u for u in others}.values())  # some takes are in both
    joint = measure_joined(fsdd, others)
    tallies = {f"men of FSDD, {JOINED} digits joined with {name}": tally for name, tally in joint.items()}
    corpora = {
        name: read_transcript(folder / f"digits_{name}" / "strings.csv", "digits", NUMERALS)
        for name in ("children", "accents")
    }
    model = trained(fsdd + others, VTLP)
    again = second_round(corpora, model, fsdd + others)
    for name, sentences in corpora.items():
        tallies[f"strings, {name}"] = measure_strings(sentences, [model] * len(sentences))
        tallies[f"strings, {name}, second round"] = measure_strings(sentences, again[name])
    table = [
        "| recordings | kept % | wrong word noticed % | added one noticed % | missing one noticed % | touching % |",
        "|---|---|---|---|---|---|",
        *(tally.row(name) for name, tally in tallies.items()),
    ]
    ends = ["| joined with | start, median | 9 in 10 | end, median | 9 in 10 |", "|---|---|---|---|---|"]
    for name, tally in joint.items():
        off = 1000 * np.abs(np.concatenate(tally.errors))
        cells = [f"{np.quantile(side, q):.0f}" for side in off.T for q in (0.5, 0.9)]
        ends.append(f"| {name} | {' | '.join(cells)} |")
    lasting = ["| recordings | 1 % | median | 99 % |", "|---|---|---|---|"]
    for name, tally in tallies.items():
        cells = " | ".join(f"{seconds:.2f}" for seconds in np.quantile(tally.durations, (0.01, 0.5, 0.99)))
        lasting.append(f"| {name} | {cells} |")
    write_results(
        Path(__file__),
        "Recordings of known words, cut",
        "python recipes/cutting/run.py FOLDER",
        "Each cell: percent (n; 95 % interval over speakers). Kept are words of the right transcript that are not left "
        "out. In a wrong transcript one word stands in the place of another, or is added and not said: noticed if it "
        "is left out; or one is missing: noticed if speech is found where it is, or a word beside it does not fit. "
        "Second round: by models that were trained on the first cuts of the other speakers, too.",
        "\n".join(table),
        "How far the ends are from where the takes were joined, ms; these were trimmed by the file endpointer:",
        "\n".join(ends),
        "How long the words last that are kept, seconds:",
        "\n".join(lasting),
        f"Models: {SETTINGS.states} states, {SETTINGS.mixtures} mixtures, {RATE} Hz; of the strings, with longer and "
        "shorter vocal tracts.",
    )
