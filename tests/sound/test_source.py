"""A recording played as a microphone would deliver it, on a clock that moves only when it is told to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import RATE, say, write

from recognizer.errors import AudioError, RecognizerWarning
from recognizer.sound import audio
from recognizer.sound.source import BLOCK, play


class Time:
    """A clock that stands still but for sleep, which is counted, and what is added by hand."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.slept += seconds


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A stereo recording of 1.01 s at 11025 Hz, which makes 33 whole blocks and a shorter one."""
    values = np.random.default_rng(0).uniform(-0.5, 0.5, (11135, 2))
    return write(tmp_path_factory.mktemp("play") / "a.wav", values, 11025)


@pytest.mark.parametrize("fast", [True, False])
def test_what_is_played_is_the_file(file, fast):
    time = Time()
    blocks = list(play(file, fast=fast, clock=time.clock, sleep=time.sleep))
    assert {block.sample_rate for block in blocks} == {11025}
    assert {len(block.samples) for block in blocks[:-1]} == {round(BLOCK * 11025)}
    assert not any(block.lost for block in blocks)
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]), audio.load(file, 11025).samples)


def test_a_block_comes_when_its_last_sample_would_have_been_spoken(file):
    time, heard = Time(), 0
    for block in play(file, clock=time.clock, sleep=time.sleep):
        heard += len(block.samples)
        assert block.arrived == time.now == pytest.approx(1000 + heard / 11025, abs=1e-6)
    assert time.slept == pytest.approx(11135 / 11025)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 0.2), min_size=34, max_size=34))
def test_a_slow_listener_is_waited_for_and_catches_up(file, work):
    time, heard = Time(), 0
    player = play(file, clock=time.clock, sleep=time.sleep)
    for seconds in work:
        asked, block = time.now, next(player)
        heard += len(block.samples)
        assert block.arrived == pytest.approx(max(asked, 1000 + heard / 11025), abs=1e-6)
        time.now += seconds
    assert next(player, None) is None


def test_fast_playing_never_waits(file):
    def sleep(seconds):
        pytest.fail("it slept")

    time = Time()
    assert {block.arrived for block in play(file, fast=True, clock=time.clock, sleep=sleep)} == {1000.0}


def test_a_file_that_is_none_is_told_when_it_is_played(tmp_path):
    with pytest.raises(AudioError, match=r"a\.wav: no such file; "):
        next(play(tmp_path / "a.wav", fast=True))


def test_a_channel_that_was_taken_is_warned_of_once(tmp_path):
    sound = say("hum")
    noise = 0.3 * np.random.default_rng(0).standard_normal(len(sound))
    file = write(tmp_path / "a.wav", np.stack([noise, sound], axis=1), RATE)
    with pytest.warns(RecognizerWarning, match=r"heard instead: channel 2 \(right\) of .*a\.wav$") as caught:
        blocks = list(play(file, fast=True))
    assert len(caught) == 1
    np.testing.assert_allclose(np.concatenate([block.samples for block in blocks]), sound, atol=2**-15)
