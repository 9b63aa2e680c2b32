"""A stream of a program hears what `live` hears of the recording, however the program cuts it into blocks."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import RATE, WORDS, quiet, write
from test_session import talk

from recognizer.errors import AudioError, ModelError, RecognizerWarning
from recognizer.live.events import Adapted, End, Heard, Partial, Ready
from recognizer.live.session import Session, listen
from recognizer.live.stream import Stream
from recognizer.recognizer import Recognizer
from recognizer.sound.source import play

SAID = WORDS[:2]
STEPS = np.rint(np.concatenate([talk(*SAID)[0], 0.1 * quiet(0.013, seed=8)]) * 32768).astype(np.int16)


def still() -> float:
    return 0.0


def told(events) -> list[tuple]:
    """All that an event is, its samples included."""
    return [(e.record(), getattr(e, "result", None), getattr(e, "samples", np.zeros(0)).tolist()) for e in events]


@pytest.fixture(scope="module")
def recognizer(built) -> Recognizer:
    return Recognizer(built)


@pytest.fixture(scope="module")
def played(recognizer, tmp_path_factory) -> list:
    """The events of `live --from-file --fast`."""
    file = write(tmp_path_factory.mktemp("streams") / "said.wav", STEPS)
    session = Session(recognizer, clock=still)
    sounds = play(file, fast=True, clock=still)
    return [event for some in listen(sounds, session) for event in some] + [session.end()]


def pushed(stream: Stream, blocks) -> list:
    return [event for block in blocks for event in stream.push(block)] + stream.finish()


FORMS = {
    "int16": lambda steps: steps,
    "float64": lambda steps: steps / 32768,
    "float32": lambda steps: (steps / 32768).astype(np.float32),
    "list": lambda steps: (steps / 32768).tolist(),
    "one channel": lambda steps: steps[:, None],
    "two channels": lambda steps: np.stack([steps, steps], axis=1),
}


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, len(STEPS)), max_size=30), form=st.sampled_from(sorted(FORMS)))
def test_events_do_not_depend_on_how_it_is_cut(recognizer, played, cuts, form):
    edges = [0, *sorted(cuts), len(STEPS)]
    blocks = [FORMS[form](STEPS[first:last]) for first, last in pairwise(edges)]
    assert told(pushed(Stream(recognizer, RATE, clock=still), blocks)) == told(played)
    assert [event.result.word for event in played if isinstance(event, Heard)] == list(SAID)
    assert isinstance(played[-1], End)


def test_a_sample_at_a_time_and_all_at_once(recognizer, played):
    short = STEPS[: round(1.9 * RATE)]
    single = pushed(Stream(recognizer, RATE, clock=still), short[:, None])
    assert told(single) == told(pushed(Stream(recognizer, RATE, clock=still), [short]))
    assert [event.result.word for event in single if isinstance(event, Heard)] == [SAID[0]]


def test_the_command_line_says_the_same(recognizer, run, signals, model_file, tmp_path):
    """Guesses apart, which depend on how fast the computer is."""
    file = write(tmp_path / "said.wav", STEPS)
    printed = run("live", "--from-file", file, "--fast", "--json", "--quiet", "--model", model_file).stdout
    records = [json.loads(line) for line in printed.splitlines()]
    own = [event.record() for event in pushed(recognizer.stream(RATE), np.array_split(STEPS, 77))]
    kept = [
        [{key: value for key, value in record.items() if key not in ("latency", "at")} for record in every]
        for every in ([r for r in records if r["event"] != "partial"], [r for r in own if r["event"] != "partial"])
    ]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 2 + 2 * len(SAID)


@pytest.mark.parametrize("rate", [11025, 44100])
def test_other_rates(recognizer, rate):
    samples, _ = talk(*SAID, rate=rate)
    ways = [pushed(Stream(recognizer, rate, clock=still), np.array_split(samples, count)) for count in (1, 333)]
    assert told(ways[0]) == told(ways[1])
    assert [event.result.word for event in ways[0] if isinstance(event, Heard)] == list(SAID)


def test_the_words_and_the_threshold_are_those_asked_for(recognizer):
    events = pushed(recognizer.stream(RATE, words=[SAID[0]], threshold=0), [STEPS])
    assert {event.result.nbest[0].word for event in events if isinstance(event, Heard | Partial)} == {SAID[0]}
    assert pushed(recognizer.stream(RATE, threshold=1), [STEPS])[-1].tally.words == 0


def test_what_it_learns_can_be_taken_back(recognizer):
    stream = recognizer.stream(RATE, adapt=True, hangover=0.2)
    learned = [event for event in pushed(stream, [STEPS]) if isinstance(event, Adapted)]
    assert [event.word for event in learned] == list(SAID)
    assert stream.session.learned == len(SAID)
    assert stream.session.undo()[-1].word == SAID[1]


# Its end


def test_left_as_a_context_manager_it_is_finished(recognizer, played):
    with Stream(recognizer, RATE, clock=still) as stream:
        events = stream.push(STEPS)
    assert told(events + stream.finish()) == told(played)
    assert stream.finish() == stream.finish()


@pytest.mark.parametrize("samples", [[], np.zeros(0), np.zeros((0, 2), np.int16), np.zeros(1)])
def test_a_stream_of_nothing(recognizer, samples):
    [end] = pushed(recognizer.stream(RATE), [samples])
    assert (end.tally.words, end.tally.rejected) == (0, 0)


def test_after_its_end_nothing_is_heard(recognizer):
    stream = recognizer.stream(RATE)
    assert repr(stream) == "Stream(8000 Hz, calibrating)"
    stream.finish()
    assert repr(stream) == "Stream(8000 Hz, finished)"
    with pytest.raises(ValueError, match=r"the stream is finished; begin another one with Recognizer\.stream"):
        stream.push(STEPS)


# Wrong use


@pytest.mark.parametrize(
    ("samples", "part"),
    [
        (np.array([0.0, np.nan]), "a sample is nan"),
        (np.array([np.inf, 0.0]), "a sample is inf"),
        (np.zeros((2, 2, 2)), "shape (2, 2, 2)"),
        (np.zeros((2, 1000)), "transpose"),
        (np.float32(0.0), "shape ()"),
        (np.zeros(100, complex), "complex"),
        ([1, 2, 3], "int64"),
        ([[0.0], [0.0, 0.0]], "samples are no array"),
        ("seven.wav", "shape ()"),
    ],
)
def test_a_block_that_is_no_sound_is_refused_and_the_next_one_heard(recognizer, played, samples, part):
    stream = Stream(recognizer, RATE, clock=still)
    events = stream.push(STEPS[:5000])
    with pytest.raises(AudioError) as caught:
        stream.push(samples)
    text = str(caught.value)
    assert part in text
    assert text.isprintable()
    assert told(events + stream.push(STEPS[5000:]) + stream.finish()) == told(played)


@pytest.mark.parametrize("rate", [0, -1, 999, 8000.5, float("nan"), 2_000_000, "8000", None])
def test_a_rate_that_is_none(recognizer, rate):
    with pytest.raises(AudioError, match=r"the stream's sample rate is .*; need a whole number"):
        recognizer.stream(rate)


def test_a_rate_under_the_models_warns_once(recognizer):
    samples = talk("hum", rate=4000)[0]
    with pytest.warns(RecognizerWarning, match="4000 Hz, under the model's 8000 Hz") as caught:
        events = pushed(recognizer.stream(4000), np.array_split(samples, 9))
    assert len(caught) == 1
    assert isinstance(events[0], Ready)


def test_settings_that_are_none(recognizer):
    with pytest.raises(ModelError, match="fall, hum, peep, rise"):
        recognizer.stream(RATE, words=["raise"])
    with pytest.raises(ModelError, match="threshold"):
        recognizer.stream(RATE, threshold="hard")
    with pytest.raises(ValueError, match="hangover is 0 s"):
        recognizer.stream(RATE, hangover=0)


def test_an_event_reads_on_one_line(played):
    for event in played:
        assert len(repr(event).splitlines()) == 1
        assert "array" not in repr(event)
