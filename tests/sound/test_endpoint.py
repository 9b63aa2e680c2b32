"""Words of known place, made of noise or tones, in quiet and in noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recognizer.sound.endpoint import Endpointer, even, frame_level, held

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


# What is not the word


def syllables(random, rate, level):
    """A word of two syllables and a soft middle, 0.45 s, which rises and falls as speech does."""
    sound = word(random, 0.45, rate, level, "buzz")
    time = np.arange(len(sound)) / len(sound)
    return sound * (0.1 + np.abs(np.sin(2 * np.pi * time)))


def beside(random, rate, level=-30.0, room=-65.0, lead=0.8, trail=0.8):
    """A word in a quiet room, and where it starts and ends, seconds."""
    sound = syllables(random, rate, level)
    samples = hiss(random, lead + 0.45 + trail, rate, room)
    first = round(lead * rate)
    samples[first : first + len(sound)] += sound
    return samples, (lead, lead + 0.45)


def ends_of(samples, rate):
    """What is found with the settings that people get."""
    return found(samples, rate, Endpointer())


@settings(max_examples=80, deadline=None)
@given(
    seeds,
    rates,
    st.floats(-45, -30),
    st.lists(st.tuples(st.floats(0.001, 0.020), st.floats(0.1, 0.7), st.booleans()), min_size=1, max_size=3),
    st.sampled_from(["step", "noise", "ring"]),
)
@example(0, 8000, -30.0, [(0.016, 0.125, False), (0.020, 0.375, False)], "step")  # smoothing makes five frames of each
def test_clicks_beside_the_word_are_not_the_word(seed, rate, level, clicks, kind):
    """They are louder; and apart from it and from each other, or they make a longer sound together."""
    random = np.random.default_rng(seed)
    samples, (start, end) = beside(random, rate, level)
    before, after = [0.0], [0.0]
    for length, distance, first in clicks:
        taken = before if first else after
        if min(abs(distance - other) for other in taken) < 0.08:
            continue
        taken.append(distance)
        count = max(1, round(length * rate))
        time = np.arange(count) / rate
        shape = {
            "step": np.ones(count),
            "noise": random.uniform(-1, 1, count),
            "ring": np.sin(2 * np.pi * 1500 * time) * np.exp(-3 * time / length),
        }[kind]
        place = round((start - distance - length if first else end + distance) * rate)
        samples[place : place + count] += 0.9 * shape
    assert ends_of(samples, rate) == pytest.approx((start, end), abs=TOLERANCE)


@settings(max_examples=30, deadline=None)
@given(seeds, rates, st.floats(0.1, 0.6), st.booleans())
def test_a_knock_beside_the_word_is_not_the_word(seed, rate, distance, first):
    """Twenty decibels louder than the word, it dies away within 80 ms."""
    random = np.random.default_rng(seed)
    samples, (start, end) = beside(random, rate)
    count = round(0.08 * rate)
    knock = 0.3 * random.standard_normal(count) * np.exp(-np.arange(count) / (0.02 * rate))
    place = round((start - distance - 0.08 if first else end + distance) * rate)
    samples[place : place + count] += knock
    assert ends_of(samples, rate) == pytest.approx((start, end), abs=TOLERANCE)


@settings(max_examples=60, deadline=None)
@given(
    seeds,
    rates,
    st.floats(0.0, 15.0),
    st.sampled_from([0.0, 0.1, 0.2, 0.5]),
    st.floats(0.8, 3.0),
    st.booleans(),
    st.sampled_from(["white", "hum"]),
)
@example(1060828, 8000, 0.0, 0.1, 1.0304512711344873, True, "white")  # noise whose last frame is no longer even
def test_louder_noise_beside_the_word_is_not_the_word(seed, rate, louder, gap, seconds, first, kind):
    """A fan that is switched on after the word, or off before it, at once or after a pause.

    At once, the soft end of the word goes over into the noise.
    """
    random = np.random.default_rng(seed)
    samples, (start, end) = beside(random, rate, lead=0.5, trail=0.5)
    if kind == "white":
        noise = hiss(random, seconds, rate, -30.0 + louder)
    else:
        time = np.arange(round(seconds * rate)) / rate
        noise = 10 ** ((-27.0 + louder) / 20) * np.sin(2 * np.pi * 300 * time)
    lead, word_end = round((start - gap) * rate), round((end + gap) * rate)
    if first:
        samples, shift = np.concatenate([noise, samples[lead:]]), seconds - lead / rate
    else:
        samples, shift = np.concatenate([samples[:word_end], noise]), 0.0
    assert ends_of(samples, rate) == pytest.approx((start + shift, end + shift), abs=0.07)


@settings(max_examples=30, deadline=None)
@given(seeds, rates, st.floats(0.2, 0.5), st.floats(0.3, 0.6), st.floats(5.0, 15.0))
def test_a_breath_before_the_word_is_not_the_word(seed, rate, length, gap, softer):
    random = np.random.default_rng(seed)
    samples, (start, end) = beside(random, rate, lead=1.2)
    count = round(length * rate)
    place = round((start - gap - length) * rate)
    samples[place : place + count] += np.hanning(count) * hiss(random, length, rate, -30.0 - softer)[:count]
    assert ends_of(samples, rate) == pytest.approx((start, end), abs=TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(seeds, rates, st.floats(-0.5, 0.5), st.floats(0.0, 0.5) | st.floats(0.8, 1.25) | st.floats(1.55, 2.0))
def test_a_step_of_dc_changes_nothing(seed, rate, step, at):
    """In the word, too; so soon after it that it may be a stop's release, it is one."""
    samples, place = beside(np.random.default_rng(seed), rate)
    samples[round(at * rate) :] += step
    assert ends_of(samples, rate) == pytest.approx(place, abs=TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(seeds, rates, st.floats(-42, -20), st.floats(0, 40))
def test_a_word_turned_down_and_rounded_to_sixteen_bits_is_found(seed, rate, level, down):
    samples, place = beside(np.random.default_rng(seed), rate, level)
    rounded = np.rint(samples * 10 ** (-down / 20) * 32768) / 32768
    assert ends_of(rounded, rate) == pytest.approx(place, abs=0.06)


@pytest.mark.parametrize("room", [-90.0, -100.0, -110.0])
def test_the_last_steps_of_sixteen_bits_are_too_quiet(room):
    """Also where they begin in the middle of the recording, after zeros."""
    noise = np.rint(hiss(np.random.default_rng(0), 1.0, 8000, room) * 32768) / 32768
    assert Endpointer().find(noise, 8000) is None
    assert Endpointer().find(np.concatenate([np.zeros(8000), 0.5 * noise]), 8000) is None


@pytest.mark.parametrize("seconds", [0.2, 0.3, 0.5])
def test_an_even_vowel_is_no_noise(seconds):
    """With a soft consonant before it and after it."""
    random, rate = np.random.default_rng(0), 8000
    samples = hiss(random, 1.6, rate, -70.0)
    parts = [word(random, 0.1, rate, -40.0), word(random, seconds, rate, -25.0, "buzz"), word(random, 0.1, rate, -40.0)]
    sound = np.concatenate(parts)
    samples[4000 : 4000 + len(sound)] += sound
    assert ends_of(samples, rate) == pytest.approx((0.5, 0.5 + len(sound) / rate), abs=TOLERANCE)


@pytest.mark.parametrize("seconds", [0.7, 1.0, 2.0])
def test_an_even_sound_by_itself_is_found(seconds):
    """There is nothing else that could be the word."""
    samples, [place] = recording(np.random.default_rng(0), 8000, lengths=[seconds])
    assert found(samples, 8000) == pytest.approx(place, abs=TOLERANCE)


@pytest.mark.parametrize("after", [0.06, 0.1, 0.2])
def test_the_release_of_a_stop_is_the_words(after):
    """Short as a click, but softer than the word, and after it."""
    random, rate = np.random.default_rng(0), 8000
    samples, (start, end) = beside(random, rate)
    burst = word(random, 0.02, rate, -38.0)
    place = round((end + after) * rate)
    samples[place : place + len(burst)] += burst
    assert ends_of(samples, rate) == pytest.approx((start, end + after + 0.02), abs=TOLERANCE)


# Levels that are held


@given(hnp.arrays(float, st.integers(1, 60), elements=st.floats(-120, 0)), st.integers(1, 70))
def test_what_is_held_is_the_least_of_every_stretch(level, frames):
    stretches = np.lib.stride_tricks.sliding_window_view(level, min(frames, len(level)))
    np.testing.assert_array_equal(held(level, frames), stretches.min(1))


@given(hnp.arrays(float, st.integers(1, 60), elements=st.floats(-9, 0)), st.integers(1, 20), st.floats(0.1, 9))
def test_even_frames_are_those_of_even_stretches(level, frames, most):
    """And two beside them."""
    expected = np.zeros(len(level), dtype=bool)
    for first in range(len(level) - frames + 1):
        stretch = level[first : first + frames]
        if stretch.max() - stretch.min() < most:
            expected[max(0, first - 2) : first + frames + 2] = True
    np.testing.assert_array_equal(even(level, frames, most), expected)


# Margins


@settings(max_examples=30, deadline=None)
@given(seeds, rates, st.floats(0.055, 0.09), st.floats(0.055, 0.09))
def test_margins_leave_out_clicks_next_to_the_word(seed, rate, before, after):
    """They are whole where there is none. One still closer, smoothing makes a part of the word."""
    random = np.random.default_rng(seed)
    samples, (start, end) = beside(random, rate)
    span, around = Endpointer().place(samples, rate)
    assert span == Endpointer().find(samples, rate)
    assert around == Endpointer().widen(span, len(samples), rate)
    count = round(0.002 * rate)
    first, last = round((start - before) * rate) - count, round((end + after) * rate)
    samples[first : first + count] = 0.9
    samples[last : last + count] = -0.9
    span, around = Endpointer().place(samples, rate)
    assert (span[0] / rate, span[1] / rate) == pytest.approx((start, end), abs=TOLERANCE)
    assert first + count <= around[0] <= span[0]
    assert span[1] <= around[1] <= last
    for edge, click in ((around[0], first + count), (around[1], last)):
        assert abs(edge - click) <= 3 * round(0.01 * rate)


def test_what_is_silent_has_no_place():
    assert Endpointer().place(np.zeros(8000), 8000) is None


# Several words


def test_several_words_are_noticed():
    random, rate = np.random.default_rng(0), 8000

    def heard(*parts: np.ndarray) -> bool:
        samples = np.concatenate([np.zeros(rate // 2), *parts, np.zeros(rate)])
        return Endpointer().several(samples + 1e-4 * random.standard_normal(len(samples)), rate)

    one = syllables(random, rate, -20.0)
    pause, breath, click = np.zeros(rate // 2), 0.02 * one, np.zeros(rate // 2)
    click[:40] = 0.5
    assert heard(one, pause, one)
    assert heard(one, pause, pause, 0.5 * one, pause, one)
    assert not heard(one)
    assert not heard(one, pause, breath, pause, breath)
    assert not heard(click, one, pause, click, click)
    assert not heard(pause)
