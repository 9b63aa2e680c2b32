"""Cut a recording of known words into takes.

The chain of the words' models, with optional silence between, is laid over the recording by the best path (Viterbi):
that tells where each word begins and ends. Then each is judged where it lies, against the other words and silence, and
what stands beside it is looked at: the next word without a pause, silence, or speech that nobody wrote down. Takes
go into a corpus, each with a margin of the silence beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.chain import expected_durations, joined
from recognizer.acoustics.word_models import WordModels
from recognizer.corpus.layouts import SPEAKER_MARK
from recognizer.errors import AudioError, ModelError, cited, listed, shown
from recognizer.features.front_end import FrontEnd, GivenFeatures
from recognizer.files.naming import checked_name
from recognizer.files.writing import make_private_folder, replacing_folder
from recognizer.model import Model
from recognizer.recognition.decoding import score_words
from recognizer.sound import audio
from recognizer.sound.audio import Recording
from recognizer.sound.endpoint import FLOOR, HOP, TILT_RATE, frame_level
from recognizer.training.transcripts import Sentence

# Of 719 digits of children and of adults with accents, whom the shipped model had not heard, 6 % fit worse and are
# lost; of 379 wrong ones in their transcripts 6 in 10 do. Once the model knows such voices, fewer and more. (Measured
# before deviations were normalised, which lowers neither share: recipes/cutting.)
LEAST_FIT = -2.5
SHORTEST = 1 / 3  # of the time that the model gives a word: 0.4 % of those 719 are shorter, half of what is not said
# Nats that a word explains a gap better than silence does, before the gap is taken for speech: 3 % of the gaps of
# those recordings have more, and 6 in 10 of those that a word left out of the transcript makes.
SPEECH = 60.0
MOST_SPEECH = 1200.0  # seconds without long pauses: a minute takes 17 MB of features and densities
AROUND = 3  # frames on both sides that a word is judged with: where it ends is another word's guess, too
QUIET_KEPT = 0.5  # seconds of a pause at each side; more tells nothing, and would lower the level of the whole
RISE = 6.0  # dB over the recording's floor that are no pause
FRAMES_AT_ONCE = 4096  # whose densities of single Gaussians are held


@dataclass(frozen=True)
class Neighbour:
    """What stands on one side of a word.

    Attributes
    ----------
    word : the next one on that side; None at an end of the recording
    gap : seconds to it, or to that end; 0 where two words touch
    silent : whether the gap is like silence, rather than speech that is not in the transcript
    """

    word: str | None
    gap: float
    silent: bool

    @property
    def touches(self) -> bool:
        """Whether the next word follows at once."""
        return self.word is not None and self.gap < 1e-9


@dataclass(frozen=True)
class Cut:
    """A word in a recording.

    Attributes
    ----------
    word : what is said
    start, end : of the word itself, seconds
    fit : natural log likelihood a frame, over that of what fits best beside it; negative where that fits better
    before, after : what stands beside it
    reason : why it does not fit; None if it does
    file : the take in the corpus, relative to its folder; None where none was written
    """

    word: str
    start: float
    end: float
    fit: float
    before: Neighbour
    after: Neighbour
    reason: str | None = None
    file: Path | None = None

    def span(self, margin: float) -> tuple[float, float]:
        """Where its take begins and ends, seconds: with a margin, but of the silence at most the half that is nearer.

        Words that touch are cut where they do.
        """
        widths = []
        for side in (self.before, self.after):
            own = side.gap if side.word is None else side.gap / 2
            widths.append(min(margin, own) if side.silent else 0.0)
        return self.start - widths[0], self.end + widths[1]

    def as_json(self) -> dict:
        """Everything as plain JSON data; times in seconds."""
        return {
            "word": self.word,
            "start": round(self.start, 4),
            "end": round(self.end, 4),
            "fit": round(self.fit, 4),
            "before": {**asdict(self.before), "gap": round(self.before.gap, 4)},
            "after": {**asdict(self.after), "gap": round(self.after.gap, 4)},
            "reason": self.reason,
            "take": None if self.file is None else self.file.as_posix(),
        }


@dataclass(frozen=True)
class CutRecording:
    """What became of one recording.

    Attributes
    ----------
    sentence : the recording and what is said in it
    cuts : its words in order; none where the recording cannot be cut
    source_rate : of its file, Hz; None where it cannot be cut
    channel : the only one taken of it, counted from 1, see `Recording`
    error : why it cannot, one line that names the file; else None
    """

    sentence: Sentence
    cuts: tuple[Cut, ...]
    source_rate: int | None = None
    channel: int | None = None
    error: str | None = None

    def as_json(self) -> dict:
        """Everything as plain JSON data."""
        return {
            "file": str(self.sentence.path),
            "speaker": self.sentence.speaker,
            "cuts": [one.as_json() for one in self.cuts],
            "error": self.error,
        }


def cut(recording: Recording, words: Sequence[str], model: Model, least_fit: float = LEAST_FIT) -> tuple[Cut, ...]:
    """Find known words in a recording.

    Parameters
    ----------
    recording : at the rate of the model's front end; of any length
    words : of the model's vocabulary, one at least, in the order in which they are said
    model : which may be fitted to the speaker
    least_fit : under which a word does not fit

    Returns
    -------
    One for each word, in order

    Raises
    ------
    AudioError
        if there is no speech, or too little for so many words.
    ModelError
        if the model has no such word, or none is given.
    """
    if not words:
        raise ModelError(f"no words to cut were given; the model has {listed(model.words)}")
    if unknown := [word for word in words if word not in model.words]:
        raise ModelError(f"the model has no word {cited(unknown[0])}; it has {listed(model.words)}")
    indices = np.array([model.words.index(word) for word in words])
    place = _heard(recording, model)
    if (seconds := len(place.samples) / place.sample_rate) > MOST_SPEECH:
        most = MOST_SPEECH / 60
        raise AudioError(f"holds {seconds / 60:.0f} minutes besides pauses, and {most:.0f} are the most; cut it up")
    spans, features = _aligned(place.samples, indices, model)
    times = place.times(spans, model.front_end)
    return _judged(features, indices, spans, times, len(recording.samples) / recording.sample_rate, model, least_fit)


def cut_corpus(
    sentences: Sequence[Sentence],
    model: Model,
    folder: Path | None = None,
    *,
    least_fit: float = LEAST_FIT,
    progress: Callable[[int], None] = lambda done: None,
) -> list[CutRecording]:
    """Cut recordings of known words into takes, and write these as a corpus, whole or not at all.

    A take is `{word}/{speaker}_nohash_{recording}.{number}.wav`, without a speaker `{word}/{recording}.{number}.wav`,
    at the rate of its recording. One that cannot be read or cut does not stop the others. Where not one word
    fits, nothing is written.

    Parameters
    ----------
    sentences : recordings, with the words that are said in each
    model : knows the words
    folder : which is made; one that is there must be empty. Nothing is written when None
    least_fit : under which a word does not fit, and is left out
    progress : called with the number of recordings done

    Raises
    ------
    AudioError
        if the model reads parameter files, not sound; if a take cannot be written.
    NamingError
        if a word or a speaker cannot be part of a file's name.
    OSError
        if the folder cannot be written, or has something in it.
    """
    rate = model.front_end.sample_rate
    for sentence in sentences:
        for word in sentence.words:
            checked_name(word, "word")
        if sentence.speaker:
            checked_name(sentence.speaker, "speaker")
    with nullcontext() if folder is None else replacing_folder(folder) as place:
        return list(_cut_all(sentences, model, rate, place, least_fit, progress))


def _cut_all(
    sentences: Sequence[Sentence],
    model: Model,
    rate: int,
    folder: Path | None,
    least_fit: float,
    progress: Callable[[int], None],
) -> Iterator[CutRecording]:
    """Cut one recording after the other, and write the takes that fit into a folder, if there is one."""
    numbers: Counter[str] = Counter()  # of words; two recordings may have one name, in two folders
    for done, sentence in enumerate(sentences, 1):
        try:
            cuts, heard = cut_recording(sentence.path, sentence.words, model, least_fit)
            sound = heard if heard.source_rate == rate else audio.load(sentence.path, None, audio.LONGEST_OF_ALL)
        except AudioError as error:
            yield CutRecording(sentence, (), error=str(error))
        else:
            files = _files(sentence, cuts, numbers)
            if folder is not None:  # what cannot be written ends it all: a corpus with holes would seem whole
                _write(sound, cuts, files, folder, model.endpointer.margin)
                cuts = tuple(replace(one, file=file) for one, file in zip(cuts, files))
            yield CutRecording(sentence, cuts, sound.sample_rate, sound.channel)
        progress(done)


def cut_recording(
    path: Path, words: Sequence[str], model: Model, least_fit: float = LEAST_FIT
) -> tuple[tuple[Cut, ...], Recording]:
    """`cut` a sound file, and the sound at the model's rate; an AudioError names the file."""
    heard = audio.load(path, model.front_end.sample_rate, audio.LONGEST_OF_ALL)
    try:
        return cut(heard, words, model, least_fit), heard
    except AudioError as error:
        raise AudioError(f"{shown(path)}: {error}") from error


def _files(sentence: Sentence, cuts: Sequence[Cut], numbers: Counter[str]) -> list[Path | None]:
    """Where the takes that fit are to be written, in their folder; None for those that do not."""
    prefix = f"{sentence.speaker}{SPEAKER_MARK}" if sentence.speaker else ""
    name = f"{prefix}{sentence.path.stem.removeprefix(prefix)}"
    files: list[Path | None] = []
    for one in cuts:
        numbers[name] += 1
        files.append(None if one.reason else Path(one.word, f"{name}.{numbers[name]}.wav"))
    return files


def _write(
    recording: Recording, cuts: Sequence[Cut], files: Sequence[Path | None], folder: Path, margin: float
) -> None:
    """Write takes of a recording, which has its own rate."""
    for one, file in zip(cuts, files):
        if file is not None:
            make_private_folder((folder / file).parent)
            start, end = (round(time * recording.sample_rate) for time in one.span(margin))
            audio.save(folder / file, recording.samples[start:end], recording.sample_rate)


@dataclass(frozen=True, eq=False)
class _Heard:
    """A recording without its long pauses.

    Attributes
    ----------
    samples : (n,)
    blocks : (n // hop,), which block of `hop` samples of the recording each one is
    hop : samples of a block
    sample_rate : Hz
    """

    samples: np.ndarray
    blocks: np.ndarray
    hop: int
    sample_rate: int

    def times(self, frames: np.ndarray, grid: FrontEnd | GivenFeatures) -> np.ndarray:
        """Where frames begin, in the recording, seconds; each owns the hop around its window's centre."""
        sample = np.rint(((grid.window - grid.hop) / 2 + frames * grid.hop) * self.sample_rate).astype(np.intp)
        block = np.minimum(sample // self.hop, len(self.blocks) - 1)
        return (self.blocks[block] * self.hop + sample - block * self.hop) / self.sample_rate


def _heard(recording: Recording, model: Model) -> _Heard:
    """The recording, its pauses shortened: in their silence, the level would be that of the room, not of the speech."""
    samples, rate = recording.samples, recording.sample_rate
    if model.endpointer.find(samples, rate) is None:
        raise AudioError("holds no speech; record it again, closer or louder")
    hop = round(HOP * rate)
    level = frame_level(samples, hop, max(1, round(rate / TILT_RATE)))
    loud = np.flatnonzero(level > np.quantile(level, FLOOR) + RISE)
    kept = np.zeros(len(level) + 1, dtype=np.intp)
    around = round(QUIET_KEPT / HOP)
    np.add.at(kept, np.maximum(loud - around, 0), 1)
    np.add.at(kept, np.minimum(loud + around + 1, len(level)), -1)
    blocks = np.flatnonzero(kept.cumsum()[:-1])
    if not len(blocks):  # it has no pauses
        blocks = np.arange(len(level))
    return _Heard(samples[: len(level) * hop].reshape(-1, hop)[blocks].ravel(), blocks, hop, rate)


def _aligned(samples: np.ndarray, words: np.ndarray, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """First and past-the-last frame of each word, (N, 2), and the features, (T, D).

    Twice: the first time the mean that the front end subtracts is that of everything; the second that of the words,
    beside which each word's own mean and deviation count, as in recognition.
    """
    front_end, models = model.front_end, model.acoustics
    [[statics]] = front_end.statics([samples])
    heard = front_end.with_speech([statics], [(0, len(statics))], prior=front_end.mean_weight)
    [features] = heard.finish([statics], [(0, 0)])
    spans = _spans(features, words, models)
    speech = [statics[first:last] for first, last in spans]
    heard = front_end.with_speech(speech, [(0, len(s)) for s in speech], prior=front_end.mean_weight)
    borders = (spans[:-1, 1] + spans[1:, 0]) // 2
    starts = np.append(0, borders)
    own = heard.normalised(np.split(statics, borders), spans - starts[:, None])
    features = heard.derived(own, np.array([len(own)]))
    return _spans(features, words, models), features


def _spans(features: np.ndarray, words: np.ndarray, models: WordModels) -> np.ndarray:
    """First and past-the-last frame of each word, (N, 2)."""
    path = _path(models, features, words)
    if path is None:
        raise AudioError(f"too short for {len(words)} words; leave out those that are not said")
    frames = np.flatnonzero(path % (models.states + 1) > 0)
    own, every = path[frames] // (models.states + 1), np.arange(len(words))
    last = frames[np.searchsorted(own, every, side="right") - 1]
    return np.stack([frames[np.searchsorted(own, every)], last + 1], axis=1)


def _path(models: WordModels, features: np.ndarray, words: np.ndarray) -> np.ndarray | None:
    """The best path through the words in turn, (T,) positions of `chain.joined`; None where there is none."""
    rows = np.append(models.rows(words)[:, :-1], len(models.bank.weights) - 1)
    needed, column = np.unique(rows, return_inverse=True)
    score, path = recursions.long_viterbi(
        _densities(models, features, needed), column, joined(models.chain.word(words))
    )
    return path if np.isfinite(score) else None


def _densities(models: WordModels, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Log densities of some rows of the bank, (T, rows), few frames at a time."""
    bank = models.bank.take(rows)
    transformed, log_determinant = models.transformed(features)
    found = np.empty((len(features), len(rows)))  # of an hour, too large to be held twice
    for t in range(0, len(features), FRAMES_AT_ONCE):
        found[t : t + FRAMES_AT_ONCE] = bank.log_density(transformed[t : t + FRAMES_AT_ONCE])
    found += log_determinant
    return found


def _judged(
    features: np.ndarray,
    words: np.ndarray,
    spans: np.ndarray,
    times: np.ndarray,
    duration: float,
    model: Model,
    least_fit: float,
) -> tuple[Cut, ...]:
    """Words with their fits and their neighbours.

    Parameters
    ----------
    features : (T, D)
    words : (N,) indices
    spans : (N, 2), first and past-the-last frame of each
    times : (N, 2), where these begin, seconds
    duration : of the recording, seconds
    """
    models = model.acoustics
    fits, best = _fits(models, features, words, spans)
    usual = expected_durations(models.chain)[words, 1:-1].sum(1) * model.front_end.hop
    starts, ends = times.T.tolist()
    silent = _silent(models, features, np.append(0, spans[:, 1]), np.append(spans[:, 0], len(features)))
    names = [None, *(model.words[i] for i in words), None]
    gaps = [begin - end for end, begin in zip([0.0, *ends], [*starts, duration])]
    cuts = []
    for i, (start, end, fit) in enumerate(zip(starts, ends, fits.tolist())):
        reason = None
        if end - start < SHORTEST * usual[i]:
            reason = f"{end - start:.2f} s are too short for it"
        elif fit < least_fit:
            reason = f"{shown(model.words[best[i]]) if best[i] >= 0 else 'silence'} fits better"
        before = Neighbour(names[i], gaps[i], silent[i])
        after = Neighbour(names[i + 2], gaps[i + 1], silent[i + 1])
        cuts.append(Cut(names[i + 1], start, end, fit, before, after, reason))
    return tuple(cuts)


def _fits(
    models: WordModels, features: np.ndarray, words: np.ndarray, spans: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How well each word fits where it is, (N,), and what else fits best there, (N,): a word's index, -1 silence.

    The log likelihood of the word's best path, alone and with silence at its ends, over that of any other word and of
    nothing but silence, by the frames that it has been given.
    """
    parts = [features[max(0, first - AROUND) : last + AROUND] for first, last in spans]
    scores = score_words(models, parts)
    every = np.arange(len(words))
    own = scores[every, words]
    scores[every, words] = -np.inf
    everything = np.column_stack([scores, _silence(models, parts)])
    best = everything.argmax(1)
    fits = (own - everything[every, best]) / [len(part) for part in parts]
    return fits, np.where(best < scores.shape[1], best, -1)


def _silent(models: WordModels, features: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> list[bool]:
    """Whether each gap between words is like silence, rather than like one more word."""
    parts = [features[first:last] for first, last in zip(begins, ends)]
    wide = [i for i, part in enumerate(parts) if len(part) >= models.least_frames]
    silent = np.ones(len(parts), dtype=bool)
    if wide:
        parts = [parts[i] for i in wide]
        silent[wide] = score_words(models, parts).max(1) - _silence(models, parts) < SPEECH
    return silent.tolist()


def _silence(models: WordModels, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Log likelihood of each part being silence all through, (N,)."""
    density = _densities(models, np.concatenate(parts), np.array([len(models.bank.weights) - 1]))[:, 0]
    lengths = np.array([len(part) for part in parts])
    stay = models.chain.log_stay[0, 0]
    return np.add.reduceat(density, lengths.cumsum() - lengths) + (lengths - 1) * stay
