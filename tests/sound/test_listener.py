"""A listener hears made-up words with pauses between them; what it tells is known from how they were put there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import RATE, WORDS
from test_session import BLOCK, TOLERANCE, blocks, quiet, talk

from recognizer.sound.listener import (
    Absence,
    DeadInput,
    FloorKnown,
    Happening,
    Listener,
    Onset,
    Over,
    Overrun,
    Speech,
    Timeline,
)
from recognizer.sound.segmenter import Segmentation, Segmenter
from recognizer.sound.source import Block, Lost, OnlyZeros


def heard(listener: Listener, sounds) -> list[Happening]:
    """All that happens in a stream that ends, in order, the times rising."""
    found = [happening for sound in sounds for happening in listener.hear(sound)] + listener.finish()
    assert all(one.time <= other.time for one, other in pairwise(found))
    return found


def of(found, kind: type[Happening]) -> list:
    return [happening for happening in found if isinstance(happening, kind)]


def kinds(found) -> list[type[Happening]]:
    return [type(happening) for happening in found if not isinstance(happening, Speech)]


# Utterances


def test_every_word_starts_goes_on_and_is_over():
    found = heard(Listener(RATE), blocks(talk(*WORDS)[0]))
    assert kinds(found) == [FloorKnown, *[Onset, Over] * len(WORDS)]
    places = [n for n, happening in enumerate(found) if not isinstance(happening, Speech)]
    assert all(last - first > 3 for first, last in zip(places[1::2], places[2::2])), "there is speech between"


def test_the_utterances_are_those_of_the_segmenter():
    samples = talk(*WORDS)[0].astype(np.float32)
    boundaries = [b for b in Segmenter(RATE).push(samples) if b.kind == "end"]
    for over, boundary in zip(of(heard(Listener(RATE), blocks(samples)), Over), boundaries, strict=True):
        assert over.span == (boundary.start, boundary.end)
        np.testing.assert_array_equal(over.heard, samples[boundary.start : boundary.end])
        assert (over.complete, over.dropped) == (True, False)


def test_speech_is_all_that_was_heard_of_it_and_where_it_may_end():
    samples, [(_, end)] = talk("hum")
    samples = samples.astype(np.float32)
    found = heard(Listener(RATE), blocks(samples))
    [over] = of(found, Over)
    ends = []
    for speech in of(found, Speech):
        np.testing.assert_array_equal(speech.heard, samples[over.span[0] :][: len(speech.heard)])
        assert (speech.span[0] + len(speech.heard)) / RATE == pytest.approx(speech.time)
        ends.append(speech.span[1])
    assert ends == sorted(ends)
    assert ends[0] < end * RATE < ends[-1] == over.span[1]


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_times_are_those_of_the_words(rate):
    samples, places = talk(*WORDS, rate=rate)
    found = of(heard(Listener(RATE), blocks(samples, rate)), Over)
    for over, place in zip(found, places, strict=True):
        start, end = (over.timeline.moment(sample / RATE) for sample in over.span)
        assert start == pytest.approx(place[0] - Segmentation().pre_roll, abs=TOLERANCE)
        assert end == pytest.approx(place[1] + 0.8 * Segmentation().hangover, abs=TOLERANCE)
        assert over.arrived == pytest.approx(over.time, abs=BLOCK)


def test_noise_that_stays_is_dropped():
    [over] = of(heard(Listener(RATE), blocks(np.concatenate([quiet(1.0), quiet(4.0, level=0.05)]))), Over)
    assert over.dropped


def test_what_is_too_long_is_not_complete():
    samples = np.concatenate([quiet(1.0), *[talk("hum")[0][int(1.1 * RATE) : int(1.3 * RATE)]] * 10, quiet(1.0)])
    found = heard(Listener(RATE, Segmentation(longest=1.0)), blocks(samples))
    assert [over.complete for over in of(found, Over)] == [False]


def test_what_the_end_of_the_stream_cuts_is_not_complete():
    samples, [(start, end)] = talk("hum")
    [over] = of(heard(Listener(RATE), blocks(samples[: round((start + end) / 2 * RATE)])), Over)
    assert not over.complete
    assert over.time == pytest.approx((start + end) / 2, abs=1e-3)


def test_the_floor_is_that_of_the_room():
    found = heard(Listener(RATE), blocks(talk("hum")[0]))
    for happening in (*of(found, FloorKnown), *of(found, Onset), *of(found, Over)):
        assert happening.floor == pytest.approx(-70, abs=2)


# What goes wrong


def test_sound_lost_within_a_word_is_in_its_timeline():
    samples, [(start, end)] = talk("hum")
    sounds = blocks(samples)
    at = round((start + 0.2) / BLOCK)
    sounds[at] = Block(sounds[at].samples, RATE, sounds[at].arrived, lost=RATE)
    found = heard(Listener(RATE), sounds)
    [overflow], [over] = of(found, Overrun), of(found, Over)
    assert overflow.note == "1.00 s of sound lost: the computer is too busy"
    [(after, lost)] = over.timeline.gaps
    assert over.span[0] < after * RATE < over.span[1]
    assert (after, lost) == (pytest.approx(at * BLOCK), 1.0)
    assert over.time == pytest.approx(end + Segmentation().hangover + 1.0, abs=TOLERANCE)


def test_a_device_that_goes_ends_the_word_and_is_told_when_it_is_back():
    samples, [(start, end)] = talk("hum")
    cut = round((start + end) / 2 * RATE)
    gone = Lost("Mic", "unplugged")
    listener = Listener(RATE)
    found = heard(listener, [*blocks(samples[:cut]), gone, gone, *blocks(samples, begin=100.0)])
    word = [FloorKnown, Onset, Over]
    assert kinds(found) == [*word, Absence, Absence, *word]
    assert [over.complete for over in of(found, Over)] == [False, True]
    assert [c.note for c in of(found, FloorKnown)] == [None, "the microphone is back"]
    assert "Mic: unplugged" in of(found, Absence)[0].note
    assert listener.time == pytest.approx(100 + len(samples) / RATE, abs=2e-3)


def test_the_state_is_what_it_does():
    listener, told = Listener(RATE), ["calibrating"]
    assert listener.state == "calibrating"
    for sound in [*blocks(talk("hum")[0]), Lost("Mic", "gone"), Block(np.zeros(9, np.float32), RATE, 99.0)]:
        listener.hear(sound)
        if listener.state != told[-1]:
            told.append(listener.state)
    assert told == ["calibrating", "listening", "speech", "listening", "lost", "calibrating"]


def test_a_listener_may_end_while_the_device_is_lost():
    listener = Listener(RATE)
    listener.hear(Lost("Mic", "gone"))
    assert listener.finish() == []


def test_zeros_are_told_with_their_remedy():
    [muted] = Listener(RATE).hear(OnlyZeros("Mic", "unmute it"))
    assert (type(muted), muted.note) == (DeadInput, "Mic delivers only zeros: unmute it")


def test_sound_of_long_ago_is_not_kept():
    listener = Listener(RATE)
    held = []
    for sound in blocks(np.concatenate([talk(*WORDS)[0]] * 5), seconds=0.09):
        listener.hear(Block(sound.samples, RATE, sound.arrived, lost=1))
        held.append((len(listener._samples), len(listener._timeline.gaps)))
    longest = Segmentation().reach + 0.1
    assert max(samples for samples, _ in held) < longest * RATE
    assert max(gaps for _, gaps in held) <= longest / 0.09 + 1


# Time


gaps = st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 10)), max_size=5).map(sorted)


@given(gaps, st.floats(0, 100), st.floats(0, 100))
def test_moments_do_not_depend_on_what_is_forgotten(gaps, origin, streamed):
    timeline = Timeline(origin)
    for after, lost in gaps:
        timeline = timeline.interrupted(after, lost)
    later = timeline.since(streamed)
    assert later.moment(streamed) == pytest.approx(timeline.moment(streamed))
    assert later.moment(streamed + 7) == pytest.approx(timeline.moment(streamed + 7))
    assert all(after >= streamed for after, _ in later.gaps)
    assert timeline.moment(streamed + 7) >= timeline.moment(streamed) + 7 - 1e-9
