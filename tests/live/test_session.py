"""A session hears made-up words with pauses between them; what it should say is known from how they were put there."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import RATE, SILENCE, WORDS, quiet, say

from recognizer.errors import ModelError, RecognizerWarning
from recognizer.live.adapting import Adaptation
from recognizer.live.events import Tally
from recognizer.live.session import LATE, PARTIAL_SHARE, Session, listen
from recognizer.recognition.verification import NO_WORD, SURE, least_beside
from recognizer.recognizer import Recognizer
from recognizer.sound import audio
from recognizer.sound.listener import IDLE
from recognizer.sound.segmenter import Segmentation
from recognizer.sound.source import Block, Lost, OnlyZeros

BLOCK = 0.03
PRE_ROLL, HANGOVER = Segmentation().pre_roll, Segmentation().hangover
TOLERANCE = 0.06  # seconds; of where a word begins and ends
OPENING, PAUSE = 0.8, 0.4


def talk(*words: str, rate: int = RATE) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Words with pauses before, between and after; and where they are, seconds."""
    parts, places, position = [quiet(OPENING, rate)], [], OPENING
    for n, word in enumerate(words):
        said = say(word, rate=rate)
        places.append((position + SILENCE, position + len(said) / rate - SILENCE))
        parts += [said, quiet(PAUSE, rate, seed=n + 1)]
        position += len(said) / rate + PAUSE
    return np.concatenate(parts), places


def blocks(samples: np.ndarray, rate: int = RATE, seconds: float = BLOCK, begin: float = 0.0) -> list[Block]:
    """Cut as a microphone does, each stamped with the moment its last sample is there."""
    size = max(1, round(seconds * rate))
    pieces = [samples[first : first + size].astype(np.float32) for first in range(0, len(samples), size)]
    ends = begin + np.cumsum([len(piece) for piece in pieces]) / rate
    return [Block(piece, rate, float(end)) for piece, end in zip(pieces, ends)]


def heard(session: Session, sounds) -> list:
    """All events of a stream that ends, in order, their times rising."""
    events = [event for some in listen(sounds, session) for event in some]
    assert all(one.time <= other.time for one, other in pairwise(events))
    return events


def of(events, *kinds: str) -> list:
    return [event for event in events if event.kind in kinds]


@pytest.fixture(scope="module")
def recognizer(built) -> Recognizer:
    return Recognizer(built)


@pytest.fixture(scope="module")
def everything(recognizer) -> list:
    """The events of all words in a row."""
    return heard(Session(recognizer, clock=lambda: 0.0), blocks(talk(*WORDS)[0]))


# Words


def test_every_word_is_announced_then_guessed_then_told(everything):
    kinds = [event.kind for event in everything if event.kind != "partial"]
    assert kinds == ["calibrated", *["speech_start", "result"] * len(WORDS)]
    assert [event.result.word for event in of(everything, "result")] == list(WORDS)
    places = [n for n, event in enumerate(everything) if event.kind != "partial"]
    for first, last in zip(places[1::2], places[2::2]):
        assert last - first > 1, "there are guesses between"


def test_times_are_those_of_the_words_in_the_stream(everything):
    _, places = talk(*WORDS)
    assert of(everything, "calibrated")[0].time == pytest.approx(Segmentation().calibration, abs=TOLERANCE)
    for start, result, place in zip(of(everything, "speech_start"), of(everything, "result"), places, strict=True):
        assert place[0] <= start.time <= place[0] + 0.06 + IDLE + TOLERANCE, "once it is no click"
        assert start.start <= place[0], "with what was before it"
        assert result.start == pytest.approx(place[0], abs=TOLERANCE)
        assert result.end == pytest.approx(place[1], abs=TOLERANCE)
        assert place[1] + HANGOVER - TOLERANCE <= result.time <= place[1] + HANGOVER + TOLERANCE


def test_the_floor_is_that_of_the_room(everything):
    assert of(everything, "calibrated")[0].floor == pytest.approx(-70, abs=2)


def test_an_answer_is_what_the_recognizer_says_of_the_samples(everything, recognizer, tmp_path):
    """To the last bit, for the samples themselves and for the file they are saved in."""
    for event in of(everything, "result"):
        assert event.samples.dtype == np.int16
        assert event.result == recognizer.recognize(event.samples, RATE)
        audio.save(tmp_path / "a.wav", event.samples, RATE)
        assert event.result == recognizer.recognize(tmp_path / "a.wav")
        [batch] = recognizer.recognize_files([tmp_path / "a.wav"])
        assert event.result == batch.result


@pytest.mark.parametrize(("pause", "gain", "surer"), [(0.0, 1.0, True), (2.0, 1.0, False), (0.0, 0.05, False)])
def test_in_one_breath_with_no_word_a_word_must_be_surer(recognizer, pause, gain, surer):
    """The first word of two is taken for a piece of other speech, unless it is as soft as a breath."""
    asked: dict[str, set[float]] = {}

    class Deaf:
        """A recognizer that knows the first word for no word at all."""

        def __getattr__(self, name: str):
            return getattr(recognizer, name)

        def recognize(self, samples, rate, *, words, threshold):
            found = recognizer.recognize(samples, rate, words=words, threshold=0.0)
            if found.nbest and len(samples) < 2 * RATE:
                asked.setdefault(found.nbest[0].word, set()).add(threshold)
            no_word = found.word == WORDS[0]
            return replace(found, word=None, accepted=False, reason=NO_WORD, confidence=0.01) if no_word else found

    first, second = (talk(word)[0] for word in WORDS[:2])
    first = quiet(len(first) / RATE, seed=3)[: len(first)] + gain * first
    samples = np.concatenate([first[: -round(PAUSE * RATE)], quiet(pause, seed=9), second[round(OPENING * RATE) :]])
    session = Session(Deaf(), threshold=0.25)
    asked.clear()
    assert [event.kind for event in of(heard(session, blocks(samples)), "result", "rejected")] == ["rejected", "result"]
    assert asked[WORDS[0]] == {0.25}
    assert asked[WORDS[1]] == {least_beside(0.25, 0.01) if surer else 0.25}


def test_the_samples_are_those_of_the_stream(everything):
    steps = np.rint(talk(*WORDS)[0].astype(np.float32) * 32768).astype(np.int16)
    for announced, event in zip(of(everything, "speech_start"), of(everything, "result")):
        first = round(announced.start * RATE)
        np.testing.assert_array_equal(event.samples, steps[first:][: len(event.samples)])
        assert event.start == announced.start + event.result.start


def answers(events) -> list[tuple]:
    """What of the answers must not depend on how the stream comes."""
    return [(event.start, event.end, event.result) for event in of(events, "result", "rejected")]


@settings(max_examples=12, deadline=None)
@given(seconds=st.floats(0.002, 3.0))
def test_answers_do_not_depend_on_the_size_of_blocks(recognizer, everything, seconds):
    events = heard(Session(recognizer, clock=lambda: 0.0), blocks(talk(*WORDS)[0], seconds=seconds))
    assert answers(events) == answers(everything)
    assert [e.start for e in of(events, "speech_start")] == [e.start for e in of(everything, "speech_start")]
    for event, other in zip(of(events, "result"), of(everything, "result")):
        assert event.time == pytest.approx(other.time, abs=max(seconds, BLOCK) + 1e-6)


@pytest.mark.parametrize("rate", [11025, 16000, 44100, 48000])
def test_other_rates_give_the_same_words(recognizer, rate):
    samples, places = talk(*WORDS, rate=rate)
    found = [
        of(heard(Session(recognizer), blocks(samples, rate, seconds)), "result", "rejected") for seconds in (0.03, 0.07)
    ]
    assert [event.result.word for event in found[0]] == list(WORDS)
    assert answers(found[0]) == answers(found[1]), "resampled the same in any blocks"
    for event, place in zip(found[0], places, strict=True):
        assert (event.start, event.end) == pytest.approx(place, abs=TOLERANCE)


@pytest.mark.parametrize("hangover", [0.15, 0.4])
def test_a_longer_hangover_answers_later(recognizer, hangover):
    samples, places = talk("rise")
    session = Session(recognizer, segmentation=Segmentation(hangover=hangover))
    [event] = of(heard(session, blocks(samples)), "result")
    assert event.time == pytest.approx(places[0][1] + hangover, abs=TOLERANCE)


def test_a_word_that_the_end_of_the_stream_cuts_is_answered(recognizer):
    samples, places = talk("peep")
    [event] = of(heard(Session(recognizer), blocks(samples[: round(places[0][1] * RATE)])), "result")
    assert event.result.word == "peep"
    assert event.time == pytest.approx(places[0][1], abs=1e-3)


def test_only_the_words_allowed_are_heard(recognizer):
    session = Session(recognizer, words=["rise", "fall"])
    events = heard(session, blocks(talk("rise", "fall")[0]))
    assert [event.result.word for event in of(events, "result")] == ["rise", "fall"]
    for event in of(events, "result", "partial"):
        assert {candidate.word for candidate in event.result.nbest} == {"rise", "fall"}


@pytest.mark.parametrize("words", [["rise", "raise"], []])
def test_words_that_the_model_does_not_have_are_told_before_anything_is_said(recognizer, words):
    with pytest.raises(ModelError, match="fall, hum, peep, rise"):
        Session(recognizer, words=words)


WHILE_LISTENING = """
import sys
import numpy as np
from test_session import blocks
from recognizer.live.session import Session
from recognizer.recognizer import Recognizer
session = Session(Recognizer.load(sys.argv[1]), adapt=True)
loaded = set(sys.modules)
said = np.load(sys.argv[2])
assert any(event.kind == "result" for block in blocks(said) for event in session.hear(block))
print(*sorted({name.split(".")[0] for name in set(sys.modules) - loaded}))
"""


def test_nothing_is_loaded_while_somebody_speaks(model_file, tmp_path):
    """The libraries take seconds, for which the first answer would be late."""
    np.save(tmp_path / "said.npy", talk("hum")[0])
    call = [sys.executable, "-c", WHILE_LISTENING, model_file, tmp_path / "said.npy"]
    here = Path(__file__).parent
    paths = [str(here), str(here.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


def test_a_stream_of_nothing(recognizer):
    for sounds in ([], blocks(np.zeros(0)), blocks(np.zeros(1))):
        session = Session(recognizer)
        assert of(heard(session, sounds), "result", "rejected", "speech_start") == []
        assert session.end().tally == Tally()


# What is no word


def test_noise_that_stays_is_rejected_with_a_reason(recognizer):
    """A fan that is switched on: once the floor has caught up with it, it was no word."""
    samples = np.concatenate([quiet(1.0), quiet(4.0, level=0.05)])
    session = Session(recognizer)
    events = heard(session, blocks(samples))
    assert of(events, "result") == []
    [event] = of(events, "rejected")
    assert event.result.reason
    assert event.result.word is None
    assert not event.result.accepted
    assert len(event.samples)
    assert event.latency >= 0
    assert session.tally.rejected == 1


@pytest.mark.parametrize("seconds", [0.002, 0.01, 0.1, 0.4])
def test_every_sound_that_is_announced_is_answered(recognizer, seconds):
    samples = quiet(3.0)
    samples[RATE:][: round(seconds * RATE)] += quiet(seconds, level=0.1, seed=1)
    events = heard(Session(recognizer), blocks(samples))
    assert len(of(events, "speech_start")) == len(of(events, "result", "rejected")) <= 1
    for event in of(events, "rejected"):
        assert event.result.reason
    if seconds < 0.02:
        assert of(events, "speech_start") == [], "a click is nothing"


def test_quiet_is_no_event(recognizer):
    events = heard(Session(recognizer), blocks(quiet(20.0)))
    assert [event.kind for event in events] == ["calibrated"]


# Guesses


def guesses(events) -> list[list]:
    """The partial results of each utterance."""
    found = []
    for event in events:
        if event.kind == "speech_start":
            found.append((event, []))
        elif event.kind == "partial":
            found[-1][1].append(event)
    return found


def test_guesses_begin_after_200_ms_and_are_100_ms_apart(everything):
    for announced, partial in guesses(everything):
        assert len(partial) >= 3
        assert partial[0].time >= announced.start + PRE_ROLL + 0.2 - 1e-6
        assert partial[0].time <= announced.start + PRE_ROLL + 0.2 + BLOCK + 1e-6
        assert all(b.time - a.time >= 0.1 - 1e-6 for a, b in pairwise(partial))
        assert all(b.time - a.time <= 0.1 + BLOCK + 1e-6 for a, b in pairwise(partial))
        assert {event.start for event in partial} == {announced.start}


def test_a_guess_is_what_the_recognizer_says_so_far(recognizer, everything):
    steps = np.rint(talk(*WORDS)[0].astype(np.float32) * 32768).astype(np.int16)
    for announced, partial in guesses(everything):
        so_far = steps[round(announced.start * RATE) : round(partial[0].time * RATE)]
        assert partial[0].result == recognizer.recognize(so_far, RATE)


def test_guesses_that_take_long_are_rarer(recognizer):
    """A clock that takes 0.1 s a look: each guess takes as long, and four times as long passes until the next."""
    moments = iter(np.arange(0, 1000, 0.1))
    events = heard(Session(recognizer, clock=lambda: float(next(moments))), blocks(talk(*WORDS)[0]))
    assert [event.result.word for event in of(events, "result")] == list(WORDS)
    assert of(events, "partial")
    for _, partial in guesses(events):
        assert all(b.time - a.time >= 0.1 / PARTIAL_SHARE - 1e-6 for a, b in pairwise(partial))


def test_there_are_no_guesses_while_sound_waits(recognizer):
    """A machine that is behind has no time for them; answers are the same, and once it has caught up there are some."""
    now, events = 0.0, []
    session = Session(recognizer, clock=lambda: now)
    samples, places = talk("hum", "fall")
    between = (places[0][1] + places[1][0]) / 2
    for block in blocks(samples):
        now = block.arrived + (LATE + 0.01 if block.arrived < between else LATE - 0.01)
        events += session.hear(block)
    assert [event.result.word for event in of(events, "result")] == ["hum", "fall"]
    assert of(events, "partial")
    assert all(event.start > between for event in of(events, "partial"))


# Time


@pytest.mark.parametrize("late", [0.0, 0.005, 0.25])
def test_latency_is_from_the_last_sound_to_the_answer(recognizer, late):
    now = 0.0
    session = Session(recognizer, clock=lambda: now)
    events = []
    for block in blocks(talk("fall", "hum")[0], begin=5000.0):
        now = block.arrived + late
        events += session.hear(block)
    assert [event.latency for event in of(events, "result")] == pytest.approx([late] * 2)


def test_latency_is_never_negative(recognizer):
    events = heard(Session(recognizer, clock=lambda: 0.0), blocks(talk("hum")[0], begin=100.0))
    assert of(events, "result")[0].latency == 0


# State


@pytest.mark.parametrize("seconds", [0.005, BLOCK])
def test_the_state_follows_the_word(recognizer, seconds):
    session = Session(recognizer)
    assert session.state == "calibrating"
    changes = [("calibrating", 0.0)]
    samples, [(start, end)] = talk("hum")
    for block in blocks(samples, seconds=seconds):
        session.hear(block)
        if session.state != changes[-1][0]:
            changes.append((session.state, session.time))
    between = {"speech", "thinking"} if seconds < 0.01 else {"speech"}  # it thinks for a hundredth of a second
    assert [state for state, _ in changes[:3]] == ["calibrating", "listening", "speech"]
    assert between <= {state for state, _ in changes[2:-1]} <= {"speech", "thinking"}
    assert start < changes[2][1] < start + 0.06 + IDLE + TOLERANCE
    assert changes[-1][0] == "listening"
    assert changes[-1][1] == pytest.approx(end + HANGOVER, abs=TOLERANCE)
    session.hear(Lost("Mic", "the device is gone"))
    assert session.state == "lost"
    session.hear(Block(np.zeros(240, np.float32), RATE, 100.0))
    assert session.state == "calibrating"


def test_level_and_floor_are_those_of_the_sound(recognizer):
    session = Session(recognizer)
    for block in blocks(quiet(1.0, level=0.01)):
        session.hear(block)
    assert session.listener.floor == pytest.approx(-40, abs=2)
    for block in blocks(np.sin(np.arange(1000))):
        session.hear(block)
    assert session.listener.level == pytest.approx(-3, abs=0.5)


def test_the_tally_is_what_was_told(recognizer):
    session = Session(recognizer)
    samples = np.concatenate([talk("hum", "fall")[0], quiet(4.0, level=0.05), quiet(1.0)])
    sounds = blocks(samples)
    sounds[10] = Block(sounds[10].samples, RATE, sounds[10].arrived, lost=80)
    sounds.insert(300, Lost("Mic", "the device is gone"))
    told = Counter(event.kind for event in heard(session, sounds))
    end = session.end()
    assert end.kind == "end"
    assert end.time == session.time
    assert asdict(end.tally) == {
        "words": told["result"],
        "rejected": told["rejected"],
        "overflows": told["overflow"],
        "losses": told["device_lost"],
    }
    assert end.tally.words >= 2
    assert end.tally.overflows == end.tally.losses == 1


# A device that goes


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_after_a_loss_it_calibrates_anew_and_times_include_the_gap(recognizer, rate):
    samples, places = talk("fall", rate=rate)
    gap, lasts = 12.5, len(samples) / rate
    session = Session(recognizer)
    sounds = [*blocks(samples, rate), Lost("Mic", "unplugged"), *blocks(samples, rate, begin=lasts + gap)]
    events = heard(session, sounds)
    kinds = [event.kind for event in events if event.kind != "partial"]
    word = ["calibrated", "speech_start", "result"]
    assert kinds == [*word, "device_lost", *word]
    [lost] = of(events, "device_lost")
    assert lost.time == pytest.approx(lasts, abs=1e-3)
    assert "Mic" in lost.note
    assert "unplugged" in lost.note
    first, second = of(events, "result")
    assert first.result.word == second.result.word == "fall"
    assert second.start - first.start == pytest.approx(lasts + gap, abs=2e-3)
    assert second.start == pytest.approx(places[0][0] + lasts + gap, abs=TOLERANCE)
    assert session.time == pytest.approx(2 * lasts + gap, abs=2e-3)
    assert session.tally.losses == 1


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 1.3])
def test_an_utterance_that_a_loss_cuts_is_answered_before_it(recognizer, part):
    samples, [(start, end)] = talk("rise")
    session = Session(recognizer)
    cut = round((start + part * (end - start)) * RATE)
    events = heard(session, [*blocks(samples[:cut]), Lost("Mic", "unplugged")])
    kinds = [event.kind for event in events if event.kind != "partial"]
    assert kinds[:2] == ["calibrated", "speech_start"]
    assert kinds[2] in ("result", "rejected")
    assert kinds[3:] == ["device_lost"]
    [event] = of(events, "result", "rejected")
    assert event.end <= cut / RATE + 1e-6
    assert session.tally.words + session.tally.rejected == 1


def test_another_rate_begins_a_new_stream(recognizer):
    low, high = talk("hum")[0], talk("hum", rate=16000)[0]
    session = Session(recognizer)
    events = heard(session, [*blocks(low), *blocks(high, 16000, begin=len(low) / RATE)])
    assert [event.result.word for event in of(events, "result")] == ["hum", "hum"]
    first, second = of(events, "result")
    assert second.start - first.start == pytest.approx(len(low) / RATE, abs=0.02)


@pytest.mark.parametrize("before", [[], [Block(np.zeros(240, np.float32), RATE, 1.0)]])
def test_losses_with_nothing_between_them_are_told_each(recognizer, before):
    session = Session(recognizer)
    events = heard(session, [*before, Lost("Mic", "gone"), Lost("Mic", "no sound for 8 s"), *blocks(talk("hum")[0])])
    assert len(of(events, "device_lost")) == session.tally.losses == 2
    assert [event.result.word for event in of(events, "result")] == ["hum"]


# Sound that is lost, and sound that is none


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_an_overflow_is_told_and_moves_the_times_on(recognizer, rate):
    samples, places = talk("hum", "fall", rate=rate)
    lost = round(0.5 * rate)
    session = Session(recognizer)
    sounds = blocks(samples, rate)
    at = round((places[0][1] + 0.5) / BLOCK)  # in the pause
    moved = [Block(s.samples, rate, s.arrived + 0.5, lost if n == 0 else 0) for n, s in enumerate(sounds[at:])]
    events = heard(session, [*sounds[:at], *moved])
    [overflow] = of(events, "overflow")
    assert "0.50 s of sound lost" in overflow.note
    assert session.tally.overflows == 1
    first, second = of(events, "result")
    assert [first.result.word, second.result.word] == ["hum", "fall"]
    assert first.start == pytest.approx(places[0][0], abs=TOLERANCE)
    assert second.start == pytest.approx(places[1][0] + 0.5, abs=TOLERANCE)


@pytest.mark.parametrize("rate", [RATE, 48000])
@pytest.mark.parametrize("times", [1, 2])
def test_an_overflow_within_a_word_makes_it_longer_and_moves_nothing_else(recognizer, rate, times):
    samples, places = talk("hum", "fall", rate=rate)
    session, sounds = Session(recognizer, clock=lambda: 0.0), blocks(samples, rate)
    at = round((places[0][0] + 0.2) / BLOCK)
    nothing = Block(np.zeros(0, np.float32), rate, sounds[at].arrived, lost=rate)
    sounds[at:at] = [nothing] * times
    events = heard(session, sounds)
    overflows = of(events, "overflow")
    assert [event.time for event in overflows] == pytest.approx([at * BLOCK + 1 + n for n in range(times)], abs=1e-3)
    announced, first = of(events, "speech_start")[0], of(events, "result")[0]
    assert announced.start <= first.start == pytest.approx(places[0][0], abs=TOLERANCE)
    assert first.end == pytest.approx(places[0][1] + times, abs=TOLERANCE)
    assert {event.start for event in of(events, "partial") if event.time < first.time} == {announced.start}
    second = of(events, "result")[1]
    assert (second.start, second.end) == pytest.approx([place + times for place in places[1]], abs=TOLERANCE)
    assert session.time == pytest.approx(len(samples) / rate + times, abs=1e-3)
    assert session.tally.overflows == times


def test_an_overflow_long_ago_still_counts(recognizer):
    samples, places = talk("hum")
    sounds = [*blocks(quiet(1.0)), Block(quiet(0.03), RATE, 1.03, lost=RATE), *blocks(quiet(20.0)), *blocks(samples)]
    session = Session(recognizer)
    [event] = of(heard(session, sounds), "result")
    assert event.start == pytest.approx(places[0][0] + 22.03, abs=TOLERANCE)
    assert session.listener._timeline.gaps == (), "and takes no memory"


def test_a_rate_under_the_models_is_warned_of_once(recognizer):
    samples = talk("hum", rate=4000)[0]
    session = Session(recognizer)
    with pytest.warns(RecognizerWarning, match="recorded at 4000 Hz, under the model's 8000 Hz") as told:
        heard(session, [*blocks(samples, 4000), Lost("Mic", "gone"), *blocks(samples, 4000, begin=10.0)])
    assert len(told) == 1


def test_a_session_may_end_while_the_device_is_lost(recognizer):
    session = Session(recognizer)
    session.hear(Block(quiet(0.3), RATE, 0.3))
    session.hear(Lost("Mic", "gone"))
    assert session.finish() == []


def test_clipping_is_told(recognizer, everything):
    assert not any(event.note for event in everything)
    samples = talk("rise", "hum")[0]
    loud = np.clip(samples * (5 / np.abs(samples).max()), -1, 1)
    told = of(heard(Session(recognizer), blocks(loud)), "result", "rejected")
    assert len(told) == 2
    assert all(event.note.startswith("clipped: turn the input level down") for event in told)


def test_zeros_are_told_and_change_nothing(recognizer, everything):
    sounds = blocks(talk(*WORDS)[0])
    sounds.insert(60, OnlyZeros("Mic", "unmute it"))
    events = heard(Session(recognizer, clock=lambda: 0.0), sounds)
    [muted] = of(events, "muted")
    assert "Mic" in muted.note
    assert muted.note.endswith("unmute it")
    assert answers(events) == answers(everything)


# As long as one likes


def test_ten_minutes_of_quiet_are_not_kept(recognizer):
    session = Session(recognizer)
    noise = blocks(quiet(10.0), seconds=0.5)
    for sound in noise:
        session.hear(sound)
    tracemalloc.start()
    try:
        for _ in range(60):
            for sound in noise:
                session.hear(sound)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    minute = 60 * RATE * 4
    assert held < minute / 4
    assert peak < minute
    assert session.time == pytest.approx(610, abs=1)


def test_words_are_not_kept_either(recognizer):
    session = Session(recognizer)
    sounds = blocks(talk(*WORDS, *WORDS)[0], seconds=0.09)
    held = []
    for _ in range(5):
        for sound in sounds:
            session.hear(sound)
        held.append(len(session.listener._samples))
    assert session.tally.words == 5 * 8
    assert max(held) == max(held[:2]) < len(np.concatenate([sound.samples for sound in sounds]))


# Adapting to what was said


@pytest.fixture(scope="module")
def adapted(recognizer) -> list:
    """The events of all words twice, adapted to."""
    return heard(Session(recognizer, adapt=True, clock=lambda: 0.0), blocks(talk(*WORDS, *WORDS)[0]))


def test_it_learns_after_each_sure_answer(adapted):
    kinds = [event.kind for event in adapted if event.kind != "partial"]
    assert kinds == ["calibrated", *["speech_start", "result", "adapted"] * 8]
    assert [event.learned for event in of(adapted, "adapted")] == list(range(1, 9))
    assert [event.word for event in of(adapted, "adapted")] == [*WORDS, *WORDS]
    assert {event.note for event in of(adapted, "adapted")} == {None}


def test_an_answer_does_not_wait_for_what_is_learned_from_it(recognizer):
    session = Session(recognizer, adapt=True)
    told = [[event.kind for event in session.hear(sound)] for sound in blocks(talk("rise", "hum")[0])]
    for events, following in pairwise(told):
        if "result" in events:
            assert "adapted" not in events
            assert following == ["adapted"]


def test_answers_are_those_of_the_models_adapted_so_far(recognizer, adapted):
    adaptation = Adaptation(recognizer)
    for event in of(adapted, "result"):
        assert event.result == adaptation.recognizer.recognize(event.samples, RATE)
        assert adaptation.learn(event.samples, event.result)
    plain = [recognizer.recognize(event.samples, RATE) for event in of(adapted, "result")]
    last = of(adapted, "result")[-1].result
    assert last.nbest[0].score > plain[-1].nbest[0].score


@pytest.mark.parametrize("seconds", [0.005, 0.5, 30.0])
def test_adapted_answers_do_not_depend_on_the_size_of_blocks(recognizer, adapted, seconds):
    session = Session(recognizer, adapt=True, clock=lambda: 0.0)
    events = heard(session, blocks(talk(*WORDS, *WORDS)[0], seconds=seconds))
    assert answers(events) == answers(adapted)


def probable_among_words(result):
    """That it was this word, if it was one: every confidence is that times the probability that it was one."""
    return result.confidence / sum(candidate.confidence for candidate in result.nbest)


def test_nothing_is_learned_from_what_is_rejected(recognizer):
    session = Session(recognizer, adapt=True, words=["rise", "hum"])
    events = heard(session, blocks(talk(*WORDS)[0]))
    sure = [e.result.word for e in of(events, "result") if probable_among_words(e.result) >= SURE]
    assert [event.word for event in of(events, "adapted")] == sure
    assert set(sure) == {"hum", "rise"}
    assert session.learned == len(sure)
    assert Session(recognizer, adapt=True, threshold=1.0).learned == 0


@pytest.mark.parametrize("way", ["reset", "undo"])
def test_after_all_is_taken_back_answers_are_as_if_nothing_had_been_learned(recognizer, way):
    """To the last bit, also where a word is just being said."""
    session = Session(recognizer, adapt=True)
    for sound in blocks(talk("rise", "fall")[0]):
        session.hear(sound)
    for sound in blocks(talk("hum")[0][: round(1.2 * RATE)]):
        session.hear(sound)
    assert session.state == "speech"
    assert session.learned == 2
    if way == "reset":
        [event] = session.reset()
        assert (event.kind, event.learned, event.word, event.note) == ("adapted", 0, None, "all taken back")
    else:
        found = [event for _ in range(3) for event in session.undo()]
        assert [event.kind for event in found] == ["adapted"] * 3
        assert [(event.learned, event.word) for event in found] == [(1, "fall"), (0, "rise"), (0, None)]
        assert [event.note for event in found] == ["fall taken back", "rise taken back", "nothing to take back"]
    [event] = of(session.finish(), "result")
    assert event.result == recognizer.recognize(event.samples, RATE)


def test_what_seems_to_be_over_is_heard_anew_when_something_is_taken_back(recognizer):
    session = Session(recognizer, adapt=True)
    sounds = iter(blocks(talk("rise", "fall")[0], seconds=0.01))
    for sound in sounds:
        session.hear(sound)
        if session.learned and session.state == "thinking":
            break
    assert session.undo()[0].word == "rise"
    events = [event for sound in sounds for event in session.hear(sound)]
    [event] = of(events, "result")
    assert event.result == recognizer.recognize(event.samples, RATE)


def test_taking_back_right_after_an_answer_takes_that_answer_back(recognizer):
    session = Session(recognizer, adapt=True)
    for sound in blocks(talk("rise")[0]):
        if of(session.hear(sound), "result"):
            break
    learned, taken = session.undo()
    assert (learned.word, learned.learned, taken.word, taken.learned) == ("rise", 1, "rise", 0)


def test_of_long_ago_all_is_taken_back_at_once(recognizer, monkeypatch):
    monkeypatch.setattr("recognizer.live.adapting.KEPT", 1)
    session = Session(recognizer, adapt=True)
    heard(session, [*blocks(talk("rise", "fall")[0])])
    session.undo()
    [event] = session.undo()
    assert (event.learned, event.word, event.note) == (1, None, "those before can be taken back only all at once")
    assert session.reset()[0].learned == 0


def test_a_session_that_does_not_adapt_has_nothing_to_take_back(recognizer, everything):
    session = Session(recognizer)
    assert session.learned is None
    assert session.undo() == session.reset() == of(everything, "adapted") == []


def test_digital_silence_beside_a_word_is_left_out(recognizer):
    """Of an editor or a noise gate: what is kept, and recognised as a file would be, begins and ends with sound."""
    words = [trimmed(say(word)) for word in WORDS]
    gap = np.zeros(round(0.6 * RATE))
    samples = np.concatenate([gap, *(part for word in words for part in (word, gap))])
    answers = of(heard(Session(recognizer), blocks(samples)), "result")
    assert [answer.result.word for answer in answers] == list(WORDS)
    begin = len(gap)
    for answer, word in zip(answers, words, strict=True):
        assert abs(len(answer.samples) - len(word)) <= 0.1 * RATE
        assert answer.start >= begin / RATE - 0.05
        assert answer.end <= (begin + len(word)) / RATE + 0.05
        assert recognizer.recognize(answer.samples, RATE) == answer.result
        begin += len(word) + len(gap)


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Without all but 0.1 s of the silence around a word."""
    cut = round((SILENCE - 0.1) * RATE)
    return samples[cut:-cut]
