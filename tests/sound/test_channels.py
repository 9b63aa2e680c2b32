"""Which channel is taken, of recordings whose speech is known to be in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.errors import AudioError
from recognizer.sound import audio
from recognizer.sound.channels import floats, one, told, with_speech

RATES = st.sampled_from([8000, 16000, 44100])
seeds = st.integers(0, 2**32 - 1)


def speech(random, rate, level=-25.0, seconds=2.0):
    """A buzz of 0.5 s that rises and falls, in a quiet room, (n,)."""
    samples = 10 ** (-65 / 20) * random.standard_normal(round(seconds * rate))
    time = np.arange(round(0.5 * rate)) / rate
    buzz = np.sum([np.sin(2 * np.pi * 150 * n * time + random.uniform(0, 6)) for n in range(1, 20)], axis=0)
    buzz *= np.sin(2 * np.pi * time) ** 2
    first = round(0.7 * rate)
    samples[first : first + len(buzz)] += 10 ** (level / 20) * buzz / np.sqrt(np.mean(buzz**2))
    return samples


def disturbance(random, rate, sound, kind):
    """What stands on another channel."""
    time = np.arange(len(sound)) / rate
    return {
        "upside down": lambda: -sound,
        "almost upside down": lambda: -0.95 * sound + 10 ** (-65 / 20) * random.standard_normal(len(sound)),
        "white noise": lambda: 0.1 * random.standard_normal(len(sound)),
        "loud hum": lambda: 0.45 * sum(np.sin(2 * np.pi * 50 * n * time + n) / n for n in (1, 2, 3)),
        "hum": lambda: 0.2 * np.sin(2 * np.pi * 100 * time),
        "whistle": lambda: 0.3 * np.sin(2 * np.pi * 1000 * time),
        "wavering noise": lambda: 0.1 * random.standard_normal(len(sound)) * (1 + 0.5 * np.sin(2 * np.pi * 3 * time)),
    }[kind]()


KINDS = ["upside down", "almost upside down", "white noise", "loud hum", "hum", "whistle", "wavering noise"]


@settings(max_examples=100, deadline=None)
@given(seeds, RATES, st.sampled_from(KINDS), st.booleans(), st.floats(-40, -15))
def test_of_two_channels_the_one_with_the_speech_is_taken(seed, rate, kind, first, level):
    random = np.random.default_rng(seed)
    sound = speech(random, rate, level)
    other = disturbance(random, rate, sound, kind)
    samples = np.stack([sound, other] if first else [other, sound], axis=1)
    found = audio.prepare(samples, rate, rate)
    if kind in ("upside down", "almost upside down"):  # both have it
        assert found.channel in (1, 2)
    else:
        assert found.channel == (1 if first else 2)
    np.testing.assert_allclose(found.samples, samples[:, found.channel - 1], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(3, 8), st.data())
def test_of_many_channels_too(seed, count, data):
    random, rate = np.random.default_rng(seed), 8000
    sound = speech(random, rate)
    place = data.draw(st.integers(0, count - 1))
    noisy = ["white noise", "loud hum", "whistle"]
    columns = [disturbance(random, rate, sound, noisy[i % 3]) for i in range(count)]
    columns[place] = sound
    assert audio.prepare(np.stack(columns, axis=1), rate, rate).channel == place + 1


@settings(max_examples=40, deadline=None)
@given(seeds, RATES, st.lists(st.floats(-12, 6), min_size=2, max_size=4), st.floats(-75, -50))
def test_where_all_channels_hear_the_same_their_mean_is_taken(seed, rate, gains, noise):
    """Of whatever loudness, each with noise of its own."""
    random = np.random.default_rng(seed)
    sound = speech(random, rate)
    own = 10 ** (noise / 20) * random.standard_normal((len(sound), len(gains)))
    samples = sound[:, None] * 10 ** (np.array(gains) / 20) + own
    found = audio.prepare(samples, rate, rate)
    assert found.channel is None
    np.testing.assert_allclose(found.samples, samples.mean(1), atol=1e-6)


@pytest.mark.parametrize("silent", [np.zeros, lambda n: np.full(n, 0.3)])
def test_a_channel_that_is_off_takes_nothing_away(silent):
    sound = speech(np.random.default_rng(0), 8000)
    found = audio.prepare(np.stack([sound, silent(len(sound))], axis=1), 8000, 8000)
    assert found.channel is None


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("make", [np.zeros, np.ones, lambda shape: np.random.default_rng(0).uniform(-0.5, 0.5, shape)])
def test_without_speech_in_any_of_them_it_is_the_mean(count, make):
    samples = make((8000, count))
    found = audio.prepare(samples, 8000, 8000)
    assert found.channel is None
    np.testing.assert_allclose(found.samples, samples.mean(1), atol=1e-6)


def test_clicks_make_no_channel_clear():
    random, rate = np.random.default_rng(0), 8000
    sound = speech(random, rate)
    clicks = 1e-3 * random.standard_normal(len(sound))
    clicks[1000::4000] = 0.9
    assert audio.prepare(np.stack([clicks, sound, -sound], axis=1), rate, rate).channel in (2, 3)


@pytest.mark.parametrize("seconds", [1.0, 3.0, 9.0])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_file_of_any_length_is_taken_as_its_samples_are(tmp_path, seconds, suffix):
    random, rate = np.random.default_rng(0), 44100
    sound = speech(random, rate, seconds=max(1.3, seconds))
    samples = np.stack([0.1 * random.standard_normal(len(sound)), sound], axis=1)
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, samples, rate, subtype="PCM_16")
    found = audio.load(path, 16000)
    assert found.channel == 2
    np.testing.assert_allclose(found.samples, audio.prepare(sound, rate, 16000).samples, atol=2e-4)
    blocks = np.concatenate([block for block, _ in audio.blocks(path, 0.03)])
    np.testing.assert_allclose(blocks, sound, atol=2**-15)


@pytest.mark.parametrize("samples", [np.zeros((0, 2)), np.zeros((3, 2)), np.ones((79, 3))])
def test_less_than_a_frame_has_no_speech(samples):
    assert with_speech([floats(samples)], 8000) is None


def test_channels_are_counted_from_one():
    channels = floats(np.array([[0.0, 0.5], [0.25, -0.5]]))
    assert channels.tolist() == [[0.0, 0.25], [0.5, -0.5]]
    assert one(channels, 1).tolist() == [0.0, 0.25]
    assert one(channels, 2).tolist() == [0.5, -0.5]
    assert one(channels, None).tolist() == [0.25, -0.125]


def test_the_cut_into_parts_hardly_matters():
    random = np.random.default_rng(0)
    sound = speech(random, 8000)
    channels = np.stack([0.1 * random.standard_normal(len(sound)), sound]).astype(np.float32)
    for cuts in ([], [4000], [801, 9000, 9001]):
        assert with_speech(np.split(channels, cuts, axis=1), 8000) == 2


def test_what_is_no_sound_is_refused():
    with pytest.raises(AudioError, match="a sample is nan where full scale is 1"):
        floats(np.array([[0.0, np.nan]]))


def test_what_is_told_is_one_line():
    taken = [(Path(f"{name}.wav"), channel) for name, channel in zip("abcde", (1, 2, 3, 1, 1))]
    start = "the mean of the channels buries the speech; heard instead: "
    assert told(taken[:1]) == start + "channel 1 (left) of a.wav"
    assert told(taken[:3]) == start + "channel 1 (left) of a.wav, channel 2 (right) of b.wav, channel 3 of c.wav"
    assert told(taken) == told(taken[:3]) + ", and of 2 more"
