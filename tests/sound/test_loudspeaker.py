"""Recordings played by a made-up sound system."""

from __future__ import annotations

import numpy as np
import pytest
from soundcard import Plug, PortAudioError
from synthetic import RATE, say, write

from recognizer.errors import AudioError, LoudspeakerError
from recognizer.sound.loudspeaker import hush, play_aloud


@pytest.fixture
def word(tmp_path):
    return write(tmp_path / "hum.wav", say("hum"))


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_a_recording_is_played_at_the_loudspeakers_own_rate(soundcard, word, rate):
    card = soundcard(Plug("Desk Mic"), loudspeaker=rate)
    sounds = play_aloud(word)
    [(samples, played_at)] = card.played
    assert played_at == rate
    assert len(samples) == pytest.approx(len(say("hum")) * rate / RATE, abs=1)
    assert np.abs(samples).max() == pytest.approx(np.abs(say("hum")).max(), abs=0.02)
    assert sounds()
    card.output.active = False
    assert not sounds()
    hush()
    assert card.silenced == 1


def test_a_loudspeaker_that_goes_is_silent(soundcard, word, monkeypatch):
    class Gone:
        @property
        def active(self) -> bool:
            raise PortAudioError("Invalid stream pointer", -9988)

    card = soundcard(Plug("Desk Mic"), loudspeaker=RATE)
    monkeypatch.setattr(card, "get_stream", Gone)
    assert not play_aloud(word)()


def test_no_loudspeaker_and_no_recording_are_told(soundcard, word, tmp_path):
    soundcard(Plug("Desk Mic"))
    with pytest.raises(LoudspeakerError, match=r"no loudspeaker can be opened \(Error querying device -1\); plug"):
        play_aloud(word)
    soundcard(Plug("Desk Mic"), loudspeaker=RATE)
    with pytest.raises(AudioError, match="gone"):
        play_aloud(tmp_path / "gone.wav")
