"""Words of known place, made of noise or tones, in quiet and in noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.sound.endpoint import Endpointer, frame_level

ENDPOINTER = Endpointer(threshold=0.3, depth=35.0, pause=0.25, margin=0.10, quietest=-75.0, flattest=3.5, steady=0.6)
TOLERANCE = 0.030  # seconds
seeds = st.integers(0, 2**32 - 1)
rates = st.sampled_from([8000, 11025, 16000, 44100])


def hiss(random, seconds, rate, level):
    """White noise of a level in dB full scale."""
    return 10 ** (level / 20) * random.standard_normal(round(seconds * rate))


def word(random, seconds, rate, level, kind="noise"):
    """A word of a level in dB: a burst of noise, or a buzz of harmonics, with 5 ms of fade."""
    time = np.arange(round(seconds * rate)) / rate
    if kind == "noise":
        sound = random.standard_normal(len(time))
    else:
        harmonics = [np.sin(2 * np.pi * 150 * n * time + random.uniform(0, 6)) for n in range(1, 20)]
        sound = np.mean(harmonics, axis=0)
    sound *= np.minimum(1, np.minimum(time, time[::-1]) / 0.005)
    return sound * 10 ** (level / 20) / np.sqrt(np.mean(sound**2))


def recording(random, rate, *, snr=40.0, level=-20.0, lead=0.4, trail=0.5, lengths=(0.4,), gaps=(), kind="noise"):
    """Words in noise, and where each starts and ends, seconds."""
    places, at = [], lead
    for length, gap in zip(lengths, (*gaps, 0.0)):
        places.append((at, at + length))
        at += length + gap
    samples = hiss(random, at + trail, rate, level - snr)
    for start, end in places:
        first = round(start * rate)
        sound = word(random, end - start, rate, level, kind)
        samples[first : first + len(sound)] += sound
    return samples, places


def found(samples, rate, endpointer=ENDPOINTER):
    """Start and end of what was found, seconds."""
    span = endpointer.find(samples, rate)
    assert span is not None
    assert 0 <= span[0] < span[1] <= len(samples)
    assert all(type(edge) is int for edge in span)
    return span[0] / rate, span[1] / rate


@settings(max_examples=60, deadline=None)
@given(seeds, rates, st.sampled_from([12.0, 20.0, 30.0, 60.0]), st.floats(0.15, 1.0), st.floats(0.1, 1.0))
def test_a_burst_in_noise_is_found(seed, rate, snr, length, lead):
    samples, [place] = recording(np.random.default_rng(seed), rate, snr=snr, lengths=[length], lead=lead)
    assert found(samples, rate) == pytest.approx(place, abs=TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(
    seeds,
    st.sampled_from([8000, 16000]),
    st.sampled_from([25.0, 40.0]),
    st.floats(0.15, 1.0),
    st.floats(0.1, 1.0),
)
def test_a_buzz_in_noise_is_found(seed, rate, snr, length, lead):
    """Harmonics are low, white noise is everywhere: it takes a better ratio than a burst."""
    samples, [place] = recording(np.random.default_rng(seed), rate, snr=snr, lengths=[length], lead=lead, kind="buzz")
    assert found(samples, rate) == pytest.approx(place, abs=TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(seeds, rates, st.floats(-2, 2), st.floats(-3, 3))
def test_gain_and_dc_do_not_matter(seed, rate, decades, offset):
    samples, [place] = recording(np.random.default_rng(seed), rate, level=-25.0)
    changed = 10**decades * (samples + offset)
    assert found(changed, rate) == found(samples, rate) == pytest.approx(place, abs=TOLERANCE)


def test_a_word_in_digital_silence_is_found():
    samples, [place] = recording(np.random.default_rng(0), 8000, snr=300.0)
    assert found(samples, 8000) == pytest.approx(place, abs=TOLERANCE)


def test_a_word_over_hum_is_found():
    samples, [place] = recording(np.random.default_rng(0), 8000, level=-30.0)
    hum = 10 ** (-30 / 20) * np.sin(2 * np.pi * 50 * np.arange(len(samples)) / 8000)
    assert found(samples + hum, 8000) == pytest.approx(place, abs=TOLERANCE)


@pytest.mark.parametrize("seconds", [5, 20, 60])
def test_a_word_in_a_long_recording_is_found(seconds):
    samples, [place] = recording(np.random.default_rng(0), 8000, lead=2.0, trail=seconds - 2.4)
    assert found(samples, 8000) == pytest.approx(place, abs=TOLERANCE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_samples_are_left_as_they_are(dtype):
    samples = recording(np.random.default_rng(0), 8000)[0].astype(dtype)
    before = samples.copy()
    ENDPOINTER.find(samples, 8000)
    np.testing.assert_array_equal(samples, before)


# Pauses and several words


@settings(max_examples=30, deadline=None)
@given(seeds, rates, st.floats(0.02, 0.8))
def test_a_pause_inside_a_word_is_bridged(seed, rate, part):
    gap = part * ENDPOINTER.pause
    samples, places = recording(np.random.default_rng(seed), rate, lengths=[0.25, 0.15], gaps=[gap])
    assert found(samples, rate) == pytest.approx((places[0][0], places[1][1]), abs=TOLERANCE)


@settings(max_examples=30, deadline=None)
@given(seeds, rates, st.floats(1.4, 6.0), st.booleans())
def test_of_two_words_far_apart_the_one_with_more_speech_is_chosen(seed, rate, part, first):
    lengths = [0.5, 0.3] if first else [0.3, 0.5]
    gap = part * ENDPOINTER.pause
    samples, places = recording(np.random.default_rng(seed), rate, lengths=lengths, gaps=[gap])
    assert found(samples, rate) == pytest.approx(places[0 if first else 1], abs=TOLERANCE)


@pytest.mark.parametrize("clicks", [[2400], [1600, 4000]])
def test_clicks_long_before_the_word_are_not_the_word(clicks):
    samples, [place] = recording(np.random.default_rng(0), 8000, lead=1.0)
    for click in clicks:
        samples[click : click + 40] += 0.9
    assert found(samples, 8000) == pytest.approx(place, abs=TOLERANCE)


# No speech


@pytest.mark.parametrize("samples", [np.zeros(8000), np.full(8000, 0.4), np.full(8000, -1.0)])
def test_nothing_is_found_where_nothing_moves(samples):
    assert ENDPOINTER.find(samples, 8000) is None
    assert ENDPOINTER.find(samples[:1600], 8000) is None


@settings(max_examples=40, deadline=None)
@given(seeds, rates, st.floats(1.0, 4.0), st.floats(-60, -10))
def test_nothing_is_found_in_steady_noise(seed, rate, seconds, level):
    assert ENDPOINTER.find(hiss(np.random.default_rng(seed), seconds, rate, level), rate) is None


def test_nothing_is_found_in_a_minute_of_steady_noise():
    assert ENDPOINTER.find(hiss(np.random.default_rng(0), 60, 8000, -40), 8000) is None


def test_nothing_is_found_in_a_recording_under_the_quietest_level():
    samples, _ = recording(np.random.default_rng(0), 8000, level=-95.0)
    assert ENDPOINTER.find(samples, 8000) is None


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_nothing_is_found_in_less_than_a_hundredth_of_a_second(rate):
    for samples in range(0, round(0.0099 * rate), 13):
        assert ENDPOINTER.find(np.random.default_rng(0).normal(size=samples), rate) is None


# Trimmed recordings and margins


@settings(max_examples=30, deadline=None)
@given(seeds, rates, st.floats(0.1, 0.5), st.sampled_from(["noise", "buzz"]))
def test_a_short_recording_that_is_all_word_is_kept_whole(seed, rate, seconds, kind):
    samples = word(np.random.default_rng(seed), seconds, rate, -20.0, kind)
    assert found(samples, rate) == pytest.approx((0, seconds), abs=0.015)


@pytest.mark.parametrize("lead", [0.0, 0.02])
@pytest.mark.parametrize("trail", [0.0, 0.02])
def test_a_word_cut_close_is_kept(lead, trail):
    samples, [place] = recording(np.random.default_rng(0), 8000, lead=lead, trail=trail)
    assert found(samples, 8000) == pytest.approx(place, abs=TOLERANCE)


@given(st.integers(1, 50000), st.floats(0, 1), st.data())
def test_margins_stay_inside_the_recording(length, margin, data):
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    endpointer = Endpointer(margin=margin)
    first, last = endpointer.widen((start, end), length, 8000)
    assert 0 <= first <= start
    assert end <= last <= length
    wanted = round(margin * 8000)
    assert first == 0 or start - first == wanted
    assert last == length or last - end == wanted


# Levels


@given(st.integers(0, 1000), st.integers(1, 90))
def test_there_is_a_level_for_every_whole_hop(samples, hop):
    level = frame_level(np.random.default_rng(0).normal(size=samples), hop, 1)
    assert level.shape == (samples // hop,)
    assert np.isfinite(level).all()


def test_ten_times_the_amplitude_is_twenty_decibels_more():
    samples = hiss(np.random.default_rng(0), 0.5, 8000, -30.0)
    np.testing.assert_allclose(frame_level(10 * samples, 80, 1) - frame_level(samples, 80, 1), 20, atol=1e-3)


@pytest.mark.parametrize("before", [0.2, 0.75])
def test_a_slam_before_the_word_is_not_the_word(before):
    """A slam is louder than the word and decays within 80 ms."""
    random, rate = np.random.default_rng(5), 8000
    word = 0.1 * np.sin(2 * np.pi * 600 * np.arange(0.4 * rate) / rate)
    slam = random.normal(0, 0.5, round(0.08 * rate)) * np.exp(-np.arange(0.08 * rate) / (0.02 * rate))
    quiet = np.zeros(round(before * rate))
    samples = np.concatenate([np.zeros(2000), slam, quiet, word, np.zeros(4000)])
    samples += random.normal(0, 1e-4, len(samples))
    start, end = Endpointer().find(samples, rate)
    first = 2000 + len(slam) + len(quiet)
    assert end >= first + len(word) - 240
    if before > Endpointer().pause:
        assert start >= first - 240
