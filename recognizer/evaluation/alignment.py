"""Where each state of a word begins and ends in a recording: forced alignment.

Frame t of the features is a window of the recording that begins at `start + t * hop`; windows overlap. So the
boundary between two frames lies half-way between their centres: frame t owns the `hop` seconds around its centre,
from `start + (window - hop) / 2 + t * hop` on. Before the first and after the last there is no other to share with:
what is analysed begins where the first window does and ends where the last one does.
"""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from recognizer.acoustics.word_models import WordModels
from recognizer.errors import AudioError, ModelError, cited, listed
from recognizer.evaluation.spectrogram import SHOWN_DEPTH, spectrogram
from recognizer.features.analysis import Analysis
from recognizer.features.front_end import FrontEnd
from recognizer.files.pictures import lettering
from recognizer.files.textgrid import textgrid
from recognizer.files.writing import replacing
from recognizer.model import Model
from recognizer.recognition import decoding
from recognizer.recognition.evidence import examine
from recognizer.sound.audio import Recording

SHOWN_AROUND = 0.25  # seconds of the recording that a picture has on both sides of what was analysed
LETTER = 0.01  # of a picture's width that a letter takes below it


@dataclass(frozen=True)
class Segment:
    """A stretch of the recording in which the path stays in one state.

    Attributes
    ----------
    state : 1 to the word's number of states; None is silence
    start, end : seconds
    frames : that the path spends here
    log_density : natural logarithm, a frame, the mean; the higher, the better the state explains what is here
    """

    state: int | None
    start: float
    end: float
    frames: int
    log_density: float

    @property
    def label(self) -> str:
        """The state for people to read."""
        return "silence" if self.state is None else str(self.state)


@dataclass(frozen=True)
class Alignment:
    """A word laid over a recording.

    Attributes
    ----------
    word : its label
    score : natural log likelihood a frame of the best path, as recognition has it
    segments : in the order of time, without gaps; silence stands only before and after the word
    duration : of the recording, seconds
    """

    word: str
    score: float
    segments: tuple[Segment, ...]
    duration: float

    @property
    def span(self) -> tuple[float, float]:
        """Where the word itself begins and ends, seconds."""
        own = [segment for segment in self.segments if segment.state is not None]
        return own[0].start, own[-1].end

    def as_json(self) -> dict:
        """Everything as plain JSON data; the state of silence is null."""
        return {
            "word": self.word,
            "score": round(self.score, 4),
            "duration": round(self.duration, 4),
            "segments": [
                {
                    "state": segment.state,
                    "start": round(segment.start, 4),
                    "end": round(segment.end, 4),
                    "frames": segment.frames,
                    "log_density": round(segment.log_density, 4),
                }
                for segment in self.segments
            ],
        }


def align(analysis: Analysis, model: Model, word: str | None = None) -> Alignment:
    """Find the states of a word in what was analysed, by the best path through them (Viterbi).

    Parameters
    ----------
    analysis : by the model's front end
    model : which may be fitted to the speaker
    word : of the vocabulary; the one that scores best when None

    Raises
    ------
    ModelError
        if the model has no such word.
    AudioError
        if there is no speech in the recording, or too little for the word.
    """
    models = model.acoustics
    candidates = np.arange(len(model.words)) if word is None else np.array([word_index(model.words, word)])
    if not analysis.features:
        raise AudioError(f"no word can be aligned, it is {analysis.reason}; record a whole word, closer or louder")
    (features,) = analysis.features
    heard = examine(models, None, [features], candidates)
    best, scores = int(heard.best[0]), heard.scores[0]
    found = decoding.along_path(models, features, best)
    if found is None:
        what = "any word" if word is None else cited(model.words[best])
        raise AudioError(
            f"its {analysis.duration:.3f} s ({len(features)} frames) are too short for {what}; record a whole word"
        )
    path, along = found
    segments = segments_of(analysis, models, path, along)
    return Alignment(model.words[best], float(scores.max() / len(path)), segments, analysis.duration)


def segments_of(analysis: Analysis, models: WordModels, path: np.ndarray, along: np.ndarray) -> tuple[Segment, ...]:
    """A path, as `along_path` gives it, in seconds."""
    end = min(analysis.start + (len(path) - 1) * analysis.hop + analysis.window, analysis.duration)
    return _segments(path, along, models.states, boundaries(analysis, analysis.start, end, len(path)))


def boundaries(grid: Analysis | FrontEnd, start: float, end: float, frames: int) -> np.ndarray:
    """Where each frame begins, and the last one ends, seconds, (frames + 1,); see the top of this module.

    Parameters
    ----------
    grid : has the window and the hop
    start, end : of what was analysed, seconds
    frames : how many
    """
    times = start + (grid.window - grid.hop) / 2 + np.arange(frames + 1) * grid.hop
    times[0], times[-1] = start, end
    return times


def _segments(path: np.ndarray, along: np.ndarray, states: int, times: np.ndarray) -> tuple[Segment, ...]:
    changes = np.flatnonzero(np.diff(path)) + 1
    edges = [0, *changes.tolist(), len(path)]
    return tuple(
        Segment(
            state=int(path[first]) if 1 <= path[first] <= states else None,
            start=float(times[first]),
            end=float(times[last]),
            frames=last - first,
            log_density=float(along[first:last].mean()),
        )
        for first, last in pairwise(edges)
    )


def word_index(words: tuple[str, ...], word: str) -> int:
    """Which of the words it is.

    Raises
    ------
    ModelError
        if it is none of them; it tells the one that is spelled most alike.
    """
    word = unicodedata.normalize("NFC", word)
    if word in words:
        return words.index(word)
    close = difflib.get_close_matches(word, words, 1)
    raise ModelError(
        f"the model has no word {cited(word)}{f', did you mean {cited(close[0])}?' if close else ';'} "
        f"it has {listed(words)}"
    )


def write_textgrid(alignment: Alignment, path: Path) -> None:
    """Write the alignment for Praat: a tier of the word and one of its states, over the whole recording.

    What was not analysed has an empty label.

    Raises
    ------
    OSError
        if the file cannot be written.
    """
    states = [(segment.start, segment.end, segment.label) for segment in alignment.segments]
    grid = textgrid({"word": [(*alignment.span, alignment.word)], "states": states}, alignment.duration)
    with replacing(path) as temporary:
        temporary.write_text(grid, encoding="utf-8")


def write_picture(alignment: Alignment, recording: Recording, path: Path) -> None:
    """Write a PNG: waveform and spectrogram around the word, with the boundaries of its states, and the word below.

    Parameters
    ----------
    alignment : of the recording
    recording : what was aligned
    path : a file that ends in .png

    Raises
    ------
    OSError
        if the file cannot be written.
    """
    from matplotlib.figure import Figure

    segments = alignment.segments
    shown = max(0.0, segments[0].start - SHOWN_AROUND), min(alignment.duration, segments[-1].end + SHOWN_AROUND)
    first, last = (round(time * recording.sample_rate) for time in shown)
    samples = recording.samples[first:last]
    with lettering([alignment.word]) as drawable, replacing(path) as temporary:
        figure = Figure(figsize=(9, 5.5), layout="constrained")
        wave, spectrum, tier = figure.subplots(3, sharex=True, height_ratios=(1, 2, 0.4))
        wave.plot(shown[0] + np.arange(len(samples)) / recording.sample_rate, samples, color="#30506a", linewidth=0.5)
        loudest = max(float(np.abs(samples).max(initial=0)), 1e-3)
        wave.set(ylabel="amplitude,\nfull scale 1", xlim=shown, ylim=(-1.1 * loudest, 1.1 * loudest))
        level, top = spectrogram(samples, recording.sample_rate)
        spectrum.imshow(
            level, origin="lower", aspect="auto", cmap="Greys", vmin=-SHOWN_DEPTH, vmax=0, extent=(*shown, 0, top)
        )
        spectrum.set(ylabel="frequency, Hz")
        edges = [segments[0].start, *(segment.end for segment in segments)]
        for axes in (wave, spectrum, tier):
            axes.vlines(edges, 0, 1, transform=axes.get_xaxis_transform(), color="#c0392b", linewidth=0.8)
        for segment in segments:
            wide = segment.end - segment.start > LETTER * len(segment.label) * (shown[1] - shown[0])
            middle = (segment.start + segment.end) / 2
            tier.text(middle, 0.5, segment.label if wide else "", ha="center", va="center", fontsize=8)
        tier.set(yticks=[], ylim=(0, 1), xlabel="seconds", ylabel="states")
        start, end = alignment.span
        told = f"{start:.3f} to {end:.3f} s, log likelihood a frame {alignment.score:.2f}"
        figure.suptitle(f"{drawable(alignment.word)}\n{told}", fontsize=10)  # a line each: words may run right to left
        figure.savefig(temporary, dpi=120)
