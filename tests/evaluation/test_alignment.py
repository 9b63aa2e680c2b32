"""Forced alignment: times of frames, the path against its own score, what Praat reads, and bad input."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import RATE, SILENCE, WORDS, quiet, say

from recognizer.errors import AudioError, ModelError
from recognizer.evaluation import alignment as alignments
from recognizer.evaluation.alignment import Alignment, Segment, align, boundaries, write_picture, write_textgrid
from recognizer.features.front_end import FrontEnd
from recognizer.recognizer import Recognizer
from recognizer.sound import audio


def align_recording(recording, model, word=None) -> Alignment:
    return align(model.analyser.analyse(recording), model, word)


def recorded(samples: np.ndarray) -> audio.Recording:
    return audio.prepare(samples, RATE, RATE)


# Times


@given(st.floats(0.004, 0.02), st.floats(0.02, 0.05), st.floats(0, 3), st.integers(1, 50))
@settings(deadline=None)
def test_boundaries_are_as_far_from_the_centre_before_as_from_that_after(hop, window, start, frames):
    end = start + (frames - 1) * hop + window
    times = boundaries(FrontEnd(hop=hop, window=window), start, end, frames)
    centres = start + window / 2 + np.arange(frames) * hop
    assert (times[0], times[-1]) == (start, end)
    np.testing.assert_allclose(times[1:-1], (centres[1:] + centres[:-1]) / 2)
    assert ((times[:-1] < centres) & (centres < times[1:])).all()


# Paths


@pytest.mark.parametrize("word", WORDS)
def test_the_segments_are_the_path_that_has_the_score(built, word):
    recording = recorded(say(word))
    found = align_recording(recording, built, word)
    segments = found.segments
    assert all(before.end == after.start for before, after in pairwise(segments))
    assert [s.state for s in segments if s.state] == list(range(1, built.acoustics.states + 1))
    assert {s.state for s in segments[1:-1]} <= set(range(1, built.acoustics.states + 1)), "silence is around a word"
    frames = np.array([s.frames for s in segments])
    hop = built.front_end.hop
    lengths = np.array([s.end - s.start for s in segments])
    np.testing.assert_allclose(lengths[1:-1], frames[1:-1] * hop)
    margin = (built.front_end.window - hop) / 2
    np.testing.assert_allclose(lengths[[0, -1]], frames[[0, -1]] * hop + margin)
    positions = [s.state or (0 if place == 0 else built.acoustics.states + 1) for place, s in enumerate(segments)]
    entry, moves = hmm_matrices(built, word)
    path = np.repeat(positions, frames)
    transitions = np.log(entry[path[0]]) + np.log(moves[path, [*path[1:], -1]]).sum()
    emitted = sum(s.frames * s.log_density for s in segments)
    assert found.score * frames.sum() == pytest.approx(transitions + emitted)


def hmm_matrices(model, word):
    """Probabilities from the entry, (P,), and from each position to each other and, last, to the exit."""
    entry, moves = model.acoustics.chain.word(np.array([model.words.index(word)])).matrices()
    return entry[0], moves[0]


@pytest.mark.parametrize("word", WORDS)
def test_the_word_is_where_it_was_said(built, word):
    """But for the four frames from which derivatives are taken, which see the tone before it begins."""
    samples = np.concatenate([quiet(0.4), say(word), quiet(0.2)])
    start, end = align_recording(recorded(samples), built).span
    assert start == pytest.approx(0.4 + SILENCE, abs=0.055)
    assert end == pytest.approx(len(samples) / RATE - 0.2 - SILENCE, abs=0.055)


@pytest.mark.parametrize("word", WORDS)
def test_without_a_word_it_is_the_one_that_recognition_puts_first(built, word):
    recording = recorded(say(word, take=7))
    result = Recognizer(built).recognize(recording.samples, RATE)
    found = align_recording(recording, built)
    assert found.word == result.nbest[0].word
    assert found.score == pytest.approx(result.nbest[0].score)
    assert found.duration == result.duration
    assert found.span == pytest.approx((result.start, result.end))


def test_another_word_scores_worse_but_is_aligned(built):
    recording = recorded(say("rise"))
    forced = {word: align_recording(recording, built, word) for word in WORDS}
    assert all(alignment.word == word for word, alignment in forced.items())
    assert max(forced, key=lambda word: forced[word].score) == "rise"


def test_a_transform_of_the_features_counts_as_it_does_in_recognition(built):
    dims = built.front_end.dims
    transform = np.column_stack([np.full(dims, 0.1), 1.1 * np.eye(dims)])
    fitted = replace(built, acoustics=replace(built.acoustics, transform=transform))
    recording = recorded(say("fall"))
    result = Recognizer(fitted).recognize(recording.samples, RATE)
    assert align_recording(recording, fitted).score == pytest.approx(result.nbest[0].score)
    assert align_recording(recording, fitted).score != pytest.approx(align_recording(recording, built).score)


def test_silence_is_left_out_where_the_path_has_none(built):
    path = np.array([1, 1, 2, 3, 4, 5])
    segments = alignments._segments(path, np.arange(6.0), 5, np.arange(7) / 10)
    assert [s.state for s in segments] == [1, 2, 3, 4, 5]
    assert (segments[0].start, segments[0].end, segments[0].frames, segments[0].log_density) == (0, 0.2, 2, 0.5)


# Bad input


def test_a_word_that_the_model_lacks(built):
    recording = recorded(say("rise"))
    with pytest.raises(ModelError) as caught:
        align_recording(recording, built, "rice")
    assert str(caught.value) == "the model has no word 'rice', did you mean 'rise'? it has fall, hum, peep, rise"
    with pytest.raises(ModelError) as caught:
        align_recording(recording, replace(built, words=tuple(f"word {n}" for n in range(25))), "ξ")
    assert str(caught.value).startswith("the model has no word 'ξ'; it has word 0, word 1, ")
    assert str(caught.value).endswith("word 19 and 5 more")


def test_a_word_is_found_however_its_letters_are_composed(built):
    composed = replace(built, words=("caf\u00e9", *built.words[1:]))
    assert align_recording(recorded(say("fall")), composed, "cafe\u0301").word == "caf\u00e9"


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(RATE), "no word can be aligned, it is too quiet; record a whole word, closer or louder"),
        (np.ones(100), "no word can be aligned, it is too short; record a whole word, closer or louder"),
        (say("hum")[2100:2500], "its 0.050 s (3 frames) are too short for 'hum'; record a whole word"),
    ],
)
def test_nothing_to_align(built, samples, message):
    with pytest.raises(AudioError) as caught:
        align_recording(recorded(samples), built, "hum")
    assert str(caught.value) == message


def test_too_short_for_every_word(built):
    with pytest.raises(AudioError, match=r"too short for any word; record a whole word"):
        align_recording(recorded(say("hum")[2100:2500]), built)


# Praat


def read_textgrid(text: str) -> dict[str, list[tuple[float, float, str]]]:
    """Tiers of a TextGrid in the long format; a plain reading, by the words that stand in it."""
    head, *items = re.split(r"item \[\d+\]:", text)
    assert head.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = ')
    assert f"size = {len(items)}" in head
    tiers = {}
    for item in items:
        interval = r'xmin = (\S+)\s+xmax = (\S+)\s+text = "((?:[^"]|"")*)"'
        [name] = re.findall(r'class = "IntervalTier"\s+name = "(.*)"', item)
        tiers[name] = [(float(a), float(b), c.replace('""', '"')) for a, b, c in re.findall(interval, item)]
        assert f"intervals: size = {len(tiers[name])}" in item
    return tiers


@pytest.mark.parametrize("word", ["rise", 'say "ah"', "语音", '"'])
def test_a_textgrid_covers_the_recording(built, tmp_path, word):
    found = replace(align_recording(recorded(say("rise")), built), word=word)
    write_textgrid(found, tmp_path / "x.TextGrid")
    tiers = read_textgrid((tmp_path / "x.TextGrid").read_text(encoding="utf-8"))
    assert list(tiers) == ["word", "states"]
    for intervals in tiers.values():
        assert intervals[0][0] == 0
        assert intervals[-1][1] == found.duration
        assert all(start < end for start, end, _ in intervals)
        assert all(before[1] == after[0] for before, after in pairwise(intervals))
    assert [interval for interval in tiers["word"] if interval[2]] == [(*found.span, word)]
    assert [i for i in tiers["states"] if i[2]] == [(s.start, s.end, s.label) for s in found.segments]


def test_a_textgrid_has_no_empty_intervals(tmp_path):
    whole = Alignment("x", -1.0, (Segment(1, 0.0, 0.2, 20, -1.0), Segment(2, 0.2, 0.5, 30, -1.0)), 0.5)
    write_textgrid(whole, tmp_path / "x.TextGrid")
    tiers = read_textgrid((tmp_path / "x.TextGrid").read_text(encoding="utf-8"))
    assert tiers == {"word": [(0, 0.5, "x")], "states": [(0, 0.2, "1"), (0.2, 0.5, "2")]}


# Pictures


@pytest.mark.filterwarnings("ignore:no font here has")
@pytest.mark.parametrize("word", ["rise", "语音 $x$ \\frac{"])
def test_a_picture_shows_the_boundaries(built, tmp_path, word):
    image = pytest.importorskip("matplotlib.image")
    recording = recorded(say("rise"))
    found = replace(align_recording(recording, built), word=word)
    write_picture(found, recording, tmp_path / "x.png")
    red, green, blue = np.moveaxis(image.imread(tmp_path / "x.png")[..., :3], -1, 0)
    marked = (red > 0.6) & (green < 0.4) & (blue < 0.4)
    lines = np.flatnonzero(marked.mean(0) > 0.5)
    assert (np.diff(lines) > 2).sum() + 1 == len(found.segments) + 1


def test_a_picture_of_digital_silence_around_a_word(built, tmp_path):
    recording = recorded(np.concatenate([np.zeros(4000), say("rise"), np.zeros(RATE)]))
    write_picture(align_recording(recording, built), recording, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
