"""What a corpus is like, before anything is trained on it: its recordings one by one, and what does not go together."""

from __future__ import annotations

import random
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from recognizer.corpus.doubles import of_two_words, same_content
from recognizer.corpus.utterance import Utterance
from recognizer.errors import AudioError, RecognizerWarning, TrainingError, shown
from recognizer.evaluation.description import most_alike
from recognizer.features.analysis import Analyser
from recognizer.features.front_end import FrontEnd
from recognizer.sound import audio
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.quality import measure
from recognizer.training.building import build, corpus_front_end
from recognizer.training.settings import TrainingSettings

FEW = 3  # takes of a word: fewer tell little of how it may be said
COMPARED = 20  # takes of each word that are listened to for which words are alike: more change the answer little
MOST_COMPARED = 200  # words that are compared with each other
ROOM = 0.25  # seconds without speech that tell how loud the room is
OF_NOISE = ("noisy", "no speech over the noise")
DIFFERENT_LENGTHS = 3.0  # times the median of its word: a recording so long or so short is of something else


@dataclass(frozen=True)
class Examined:
    """One recording that could be read.

    Attributes
    ----------
    duration : seconds
    rate : Hz, of the file; 0 where that is not sound, but parameters
    problems : what is wrong with it, each with a word that names the kind, such as "clipped"
    content : what is the same in another file of the same recording, see `Analysis`
    """

    duration: float
    rate: int
    problems: tuple[tuple[str, str], ...]
    content: str


@dataclass(frozen=True)
class CheckedCorpus:
    """What was found.

    Attributes
    ----------
    heard : by recording
    unread : why recordings cannot be read or hold no speech, a line each
    two_words, two_speakers, twice : groups of recordings that are the same, under different words, or different
        speakers of a word, or with all labels the same
    alike : pairs of words most easily taken for each other, as `most_alike` has them; none where takes are too few
    """

    utterances: Sequence[Utterance]
    heard: dict[Path, Examined]
    unread: tuple[str, ...]
    two_words: list[list[Utterance]] = field(default_factory=list)
    two_speakers: list[list[Utterance]] = field(default_factory=list)
    twice: list[list[Utterance]] = field(default_factory=list)
    alike: list[dict] = field(default_factory=list)

    @property
    def words(self) -> dict[str, list[Utterance]]:
        """The recordings of each word that can be learned from, maybe none; words from A to Z."""
        doubtful = {utterance.path for group in self.two_words for utterance in group}
        found: dict[str, list[Utterance]] = {word: [] for word in sorted({u.word for u in self.utterances})}
        for utterance in self.utterances:
            if utterance.path in self.heard and utterance.path not in doubtful:
                found[utterance.word].append(utterance)
        return found

    @property
    def few(self) -> list[str]:
        """Words of which there are fewer than FEW takes that can be learned from."""
        return [word for word, takes in self.words.items() if len(takes) < FEW]

    @property
    def kinds(self) -> dict[str, list[Path]]:
        """Recordings by what is wrong with them."""
        found = defaultdict(list)
        for path, heard in self.heard.items():
            for kind, _ in heard.problems:
                found[kind].append(path)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def check_corpus(
    utterances: Sequence[Utterance], progress: Callable[[str, int, int], None] = lambda stage, done, total: None
) -> CheckedCorpus:
    """Listen to all recordings of a corpus, and compare them.

    Parameters
    ----------
    utterances : labelled recordings of sound
    progress : called with stage, recordings done, and recordings in all

    Raises
    ------
    TrainingError
        if all are parameter files that hold symbols.
    """
    front_end = corpus_front_end(utterances)
    analyser = Analyser(front_end, Endpointer()).reading()
    heard: dict[Path, Examined] = {}
    unread = []
    for done, utterance in enumerate(utterances, 1):
        try:
            heard[utterance.path] = _listen(utterance.path, front_end, analyser)
        except AudioError as error:
            unread.append(str(error))
        progress("listening", done, len(utterances))
    _mark_lengths(utterances, heard)
    same = same_content(utterances, lambda path: heard[path].content if path in heard else None).values()
    groups = [group for group in same if len(group) > 1]
    of_words = of_two_words(groups)
    of_speakers = [group for group in groups if group not in of_words and len({u.speaker for u in group}) > 1]
    return CheckedCorpus(
        utterances,
        heard,
        tuple(unread),
        of_words,
        of_speakers,
        [group for group in groups if group not in of_words and group not in of_speakers],
        _alike([u for u in utterances if u.path in heard], front_end),
    )


def _listen(path: Path, front_end: FrontEnd, analyser: Analyser) -> Examined:
    """What one recording is like.

    Raises
    ------
    AudioError
        if it cannot be read, or there is no speech in it.
    """
    recording = audio.load(path, front_end.sample_rate) if front_end.hears else None
    analysis = analyser.analyse_file(path) if recording is None else analyser.analyse(recording)
    if analysis.reason:
        raise AudioError(f"{shown(path)}: {analysis.reason}; record it again")
    if recording is None:
        return Examined(analysis.duration, 0, (), analysis.content)
    quality = measure(recording.samples, recording.sample_rate)
    first, last = analysis.speech
    room = analysis.duration - (last - first) * analysis.hop
    problems = [(problem.partition(" (")[0], problem) for problem in quality.problems]
    if room < ROOM:  # what is quietest in it is a part of the word
        problems = [(kind, problem) for kind, problem in problems if kind not in OF_NOISE]
    if recording.channel:
        problems.append(("one channel taken", f"channel {recording.channel} alone has the word"))
    return Examined(analysis.duration, recording.source_rate, tuple(problems), analysis.content)


def _mark_lengths(utterances: Sequence[Utterance], heard: dict[Path, Examined]) -> None:
    """Add to the problems of recordings that are much longer or shorter than the others of their word."""
    by_word = defaultdict(list)
    for utterance in utterances:
        if utterance.path in heard:
            by_word[utterance.word].append(utterance.path)
    for paths in by_word.values():
        usual = sorted(heard[path].duration for path in paths)[len(paths) // 2]
        for path in paths if len(paths) >= FEW else ():
            found = heard[path]
            for kind, times in (("much longer", found.duration / usual), ("much shorter", usual / found.duration)):
                if times > DIFFERENT_LENGTHS:
                    told = (
                        f"{found.duration:.2f} s, where its word mostly takes {usual:.2f} s: another word, or several?"
                    )
                    heard[path] = replace(found, problems=(*found.problems, (kind, told)))


def _alike(utterances: Sequence[Utterance], front_end: FrontEnd) -> list[dict]:
    """The words most easily taken for each other, by small models of some takes of each."""
    chosen = random.Random(0)
    by_word = defaultdict(list)
    for utterance in utterances:
        by_word[utterance.word].append(utterance)
    if not 2 <= len(by_word) <= MOST_COMPARED:
        return []
    some = [u for takes in by_word.values() for u in chosen.sample(takes, min(COMPARED, len(takes)))]
    settings = TrainingSettings(mixtures=1)
    try:
        with warnings.catch_warnings():  # of recordings that are told of one by one
            warnings.simplefilter("ignore", RecognizerWarning)
            model, _ = build(some, front_end=front_end, settings=settings, calibrate=False, few=False)
    except TrainingError:  # too few to tell
        return []
    return most_alike(model)
