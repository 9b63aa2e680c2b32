"""Streams with words of known place, made of noise or tones, cut into blocks of any size."""

from __future__ import annotations

import sys
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_endpoint import hiss, word

from recognizer.errors import AudioError
from recognizer.sound import audio
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.noise_floor import BANDS, band_edges
from recognizer.sound.segmenter import Boundary, Segmentation, Segmenter

TOLERANCE = 0.060  # seconds
SETTINGS = Segmentation()
TAIL = SETTINGS.tail * SETTINGS.hangover
seeds = st.integers(0, 2**32 - 1)
rates = st.sampled_from([8000, 11025, 16000, 44100])


def stream(random, rate, *places, seconds=4.0, snr=40.0, level=-25.0, kind="noise"):
    """Noise with a word, or whatever `kind` is, in each place (start, end), seconds."""
    samples = hiss(random, seconds, rate, level - snr)
    for start, end in places:
        sound = word(random, end - start, rate, level, kind)
        samples[round(start * rate) :][: len(sound)] += sound
    return samples


def heard(samples, rate, settings=SETTINGS, block=None):
    """All boundaries of a stream that ends; in order and well formed."""
    segmenter = Segmenter(rate, settings)
    block = block or len(samples)
    found = [b for first in range(0, len(samples), block) for b in segmenter.push(samples[first : first + block])]
    found += segmenter.finish()
    assert found[0].kind == "calibrated"
    kinds = [b.kind for b in found[1:]]
    assert kinds[::2] == ["start"] * (len(kinds) // 2)
    assert set(kinds[1::2]) <= {"end", "dropped"}
    for start, end in zip(found[1::2], found[2::2]):
        assert 0 <= start.start == end.start < end.end <= len(samples)
    assert all(one.end <= other.start for one, other in pairwise(b for b in found if b.kind == "end"))
    return found


def utterances(*args, **kwargs):
    return [b for b in heard(*args, **kwargs) if b.kind == "end"]


def holds(utterance, place, rate):
    """Whether an utterance holds a place (seconds) with its pre-roll and its decay, and not much more."""
    before, after = place[0] - utterance.start / rate, utterance.end / rate - place[1]
    return (
        min(place[0], SETTINGS.pre_roll) - TOLERANCE <= before <= SETTINGS.pre_roll + TOLERANCE
        and TAIL - TOLERANCE <= after <= TAIL + TOLERANCE
    )


# Words


@settings(max_examples=40, deadline=None)
@given(seeds, rates, st.sampled_from([15.0, 25.0, 40.0, 300.0]), st.floats(0.15, 1.0), st.floats(0.6, 2.0))
def test_a_word_is_one_utterance_with_pre_roll_and_decay(seed, rate, snr, length, start):
    samples = stream(np.random.default_rng(seed), rate, (start, start + length), snr=snr)
    [utterance] = utterances(samples, rate)
    assert holds(utterance, (start, start + length), rate)
    assert utterance.complete


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0.02, 0.3), st.floats(0.2, 0.4), st.sampled_from(["noise", "buzz"]))
def test_a_word_in_the_first_half_second_is_found(seed, start, length, kind):
    samples = stream(np.random.default_rng(seed), 8000, (start, start + length), seconds=1.0, kind=kind)
    [utterance] = utterances(samples, 8000)
    assert utterance.start == 0
    assert utterance.end >= min(8000, 8000 * (start + length))


@settings(max_examples=40, deadline=None)
@given(seeds, rates, st.floats(0.14, 0.45), st.sampled_from(["noise", "buzz"]), st.floats(-60, -5))
def test_a_stream_that_is_nothing_but_a_word_is_an_utterance(seed, rate, seconds, kind, level):
    samples = word(np.random.default_rng(seed), seconds, rate, level, kind)
    [utterance] = utterances(samples, rate)
    assert utterance == Boundary("end", 0, len(samples), complete=False)


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0.3, 0.5), st.floats(0.3, 0.5))
def test_two_words_apart_are_two_utterances(seed, first, second):
    places = [(0.7, 0.7 + first), (1.3 + first, 1.3 + first + second)]
    samples = stream(np.random.default_rng(seed), 16000, *places, snr=25.0)
    found = utterances(samples, 16000)
    assert len(found) == 2
    assert all(u.start / 16000 <= place[0] and u.end / 16000 >= place[1] for u, place in zip(found, places))


@settings(max_examples=25, deadline=None)
@given(seeds, rates, st.floats(0.02, 0.17), st.sampled_from([20.0, 40.0]))
def test_a_stop_closure_does_not_split_a_word(seed, rate, closure, snr):
    samples = stream(np.random.default_rng(seed), rate, (1.0, 1.2), (1.2 + closure, 1.3 + closure), snr=snr)
    [utterance] = utterances(samples, rate)
    assert holds(utterance, (1.0, 1.3 + closure), rate)


def test_a_release_after_a_closure_belongs_to_the_word():
    """A stop that ends a word is released in 30 ms, which for itself would be a click."""
    samples = stream(np.random.default_rng(0), 16000, (1.0, 1.3), (1.45, 1.48))
    [utterance] = utterances(samples, 16000)
    assert utterance.end >= 1.48 * 16000


def test_a_soft_onset_is_kept():
    """A fricative 35 dB under the vowel, and in the noise."""
    samples = stream(np.random.default_rng(0), 16000, (1.2, 1.5))
    soft = slice(round(1.02 * 16000), round(1.2 * 16000))
    samples[soft] += hiss(np.random.default_rng(1), 0.18, 16000, -63.0)
    [utterance] = utterances(samples, 16000)
    assert utterance.start <= soft.start


def test_a_slow_decay_is_kept():
    random, rate = np.random.default_rng(0), 8000
    samples = stream(random, rate, (1.0, 1.3), snr=45.0)
    decay = 10 ** (-60 / 20 * np.arange(rate) / rate)  # 60 dB a second
    samples[round(1.3 * rate) :][:rate] += decay * hiss(random, 1.0, rate, -25.0)
    [utterance] = utterances(samples, rate)
    assert utterance.end >= (1.3 + 30 / 60) * rate


@pytest.mark.parametrize("hangover", [0.15, 0.25, 0.4])
def test_the_hangover_is_the_users(hangover):
    samples = stream(np.random.default_rng(0), 8000, (1.0, 1.3), (1.6, 1.9))
    segmenter, ends = Segmenter(8000, Segmentation(hangover=hangover)), []
    for first in range(0, len(samples), 80):
        ends += [(b, first + 80) for b in segmenter.push(samples[first : first + 80]) if b.kind == "end"]
    assert len(ends) == (1 if hangover > 0.3 else 2)
    last, decided = ends[-1]
    assert decided / 8000 == pytest.approx(1.9 + hangover, abs=TOLERANCE)
    assert last.end / 8000 == pytest.approx(1.9 + SETTINGS.tail * hangover, abs=TOLERANCE)


def test_an_utterance_is_pending_until_it_ends():
    samples = stream(np.random.default_rng(0), 8000, (1.0, 1.4))
    segmenter = Segmenter(8000)
    assert segmenter.pending is None
    seen, ends = [], []
    for first in range(0, len(samples), 80):
        ends += [b for b in segmenter.push(samples[first : first + 80]) if b.kind == "end"]
        seen.append(segmenter.pending)
    times = [80 * i for i, pending in enumerate(seen) if pending]
    assert times[0] / 8000 == pytest.approx(1.0 + SETTINGS.shortest, abs=TOLERANCE)
    assert times[-1] / 8000 == pytest.approx(1.4 + SETTINGS.hangover, abs=TOLERANCE)
    assert [(b.start, b.end) for b in ends] == [pending for pending in seen if pending][-1:]


# What is no word


@settings(max_examples=30, deadline=None)
@given(seeds, rates, st.sampled_from([20.0, 60.0]), st.lists(st.integers(0, 7), max_size=4))
def test_clicks_are_ignored(seed, rate, snr, clicks):
    random = np.random.default_rng(seed)
    samples = stream(random, rate, snr=snr)
    for click in clicks:
        first = round((0.6 + 0.37 * click) * rate)
        samples[first : first + rate // 400] += 0.5 * random.standard_normal(rate // 400)
    assert len(heard(samples, rate)) == 1


def test_a_ticking_clock_neither_starts_nor_holds_an_utterance():
    samples = stream(np.random.default_rng(0), 16000, (2.0, 2.5), seconds=6.0)
    for tick in np.arange(0.1, 5.9, 0.2):
        samples[round(tick * 16000) :][:40] += 0.1
    [utterance] = utterances(samples, 16000)
    assert utterance.start <= 2.0 * 16000
    assert 2.5 * 16000 <= utterance.end <= (2.5 + SETTINGS.patience * SETTINGS.hangover + 0.3) * 16000


@settings(max_examples=20, deadline=None)
@given(seeds, rates, st.floats(-90, -5))
def test_steady_noise_is_no_utterance(seed, rate, level):
    assert len(heard(hiss(np.random.default_rng(seed), 10.0, rate, level), rate)) == 1


@pytest.mark.parametrize("samples", [np.zeros(40000), np.full(40000, 0.3), np.tile([1, -1, 0], 20000) / 32768])
def test_silence_is_no_utterance(samples):
    """Digital silence, an offset, and dither."""
    segmenter = Segmenter(16000)
    assert [b.kind for b in segmenter.push(samples) + segmenter.finish()] == ["calibrated"]
    assert np.isfinite([segmenter.level, segmenter.floor]).all()


@pytest.mark.parametrize("seconds", [0.1, 0.3])
def test_short_silence_is_no_utterance(seconds):
    assert len(heard(np.zeros(round(16000 * seconds)), 16000)) == 1


def test_a_stream_of_nothing_has_no_boundaries():
    segmenter = Segmenter(16000)
    assert segmenter.push(np.zeros(0)) == segmenter.push(np.zeros(100)) == segmenter.finish() == []


@pytest.mark.parametrize("rise", [10.0, 20.0, 40.0])
def test_a_fan_that_starts_is_absorbed(rise):
    random, rate = np.random.default_rng(0), 16000
    samples = hiss(random, 12.0, rate, -70.0)
    samples[2 * rate :] += hiss(random, 10.0, rate, -70.0 + rise)
    samples[8 * rate :][: rate // 2] += hiss(random, 0.5, rate, -50.0 + rise)
    dropped, utterance = heard(samples, rate)[2::2]
    assert (dropped.kind, utterance.kind) == ("dropped", "end")
    assert dropped.end <= 5 * rate
    assert holds(utterance, (8.0, 8.5), rate)


def test_the_floor_follows_a_fan_that_stops():
    random, rate = np.random.default_rng(0), 16000
    segmenter = Segmenter(rate)
    segmenter.push(hiss(random, 4.0, rate, -40.0))
    assert segmenter.floor == pytest.approx(-40, abs=1.5)
    segmenter.push(hiss(random, 0.6, rate, -70.0))
    assert segmenter.floor == pytest.approx(-70, abs=1.5)
    assert segmenter.level == pytest.approx(-70, abs=1.5)


def test_the_floor_does_not_follow_words():
    rate = 8000
    segmenter = Segmenter(rate)
    places = [(at, at + 0.6) for at in np.arange(0.6, 19.0, 1.0)]
    segmenter.push(stream(np.random.default_rng(0), rate, *places, seconds=20.0, level=-20.0))
    assert segmenter.floor == pytest.approx(-60, abs=2)


def test_a_sound_that_goes_on_is_cut_once():
    random, rate = np.random.default_rng(0), 8000
    swell = 10 ** (0.6 * np.sin(2 * np.pi * 3 * np.arange(15 * rate) / rate))  # it never is the floor
    samples = np.concatenate([hiss(random, 1.0, rate, -70.0), swell * hiss(random, 15.0, rate, -30.0)])
    samples = np.concatenate([samples, stream(random, rate, (1.5, 2.0), seconds=3.0, snr=45.0)])
    cut, *_, last = utterances(samples, rate)
    assert not cut.complete
    assert (cut.end - cut.start) / rate == pytest.approx(SETTINGS.longest, abs=0.05)
    assert len(utterances(samples, rate)) == 2
    assert holds(last, (17.5, 18.0), rate)


# The stream


@settings(max_examples=30, deadline=None)
@given(seeds, rates, st.sampled_from([10.0, 40.0]), st.data())
def test_blocks_of_any_size_give_the_same(seed, rate, snr, data):
    random = np.random.default_rng(seed)
    samples = stream(random, rate, (0.1, 0.4), (1.5, 1.9), (2.0, 2.4), snr=snr)[: data.draw(st.integers(0, 4 * rate))]
    settings = Segmentation(calibration=data.draw(st.sampled_from([0.3, 0.5, 0.77])))
    whole, blocks = Segmenter(rate, settings), Segmenter(rate, settings)
    expected = whole.push(samples) + whole.finish()
    found, first = [], 0
    while first < len(samples):
        size = data.draw(st.integers(1, 3000)) if random.random() < 0.01 else int(random.integers(0, 2000))
        found += blocks.push(samples[first : first + size])
        first += size
    assert found + blocks.finish() == expected
    assert (blocks.level, blocks.floor) == (whole.level, whole.floor)


@settings(max_examples=30, deadline=None)
@given(seeds, rates, st.floats(-20, 20))
def test_gain_does_not_matter(seed, rate, gain):
    samples = stream(np.random.default_rng(seed), rate, (0.2, 0.5), (1.5, 2.0), snr=20.0, level=-40.0)
    assert heard(samples * 10 ** (gain / 20), rate) == heard(samples, rate)


def test_both_rates_give_the_same():
    samples = stream(np.random.default_rng(0), 16000, (1.0, 1.4), (2.2, 2.7), kind="buzz")
    found = [utterances(audio.prepare(samples, 16000, rate).samples, rate) for rate in (8000, 16000)]
    seconds = [[(u.start / rate, u.end / rate) for u in us] for us, rate in zip(found, (8000, 16000))]
    np.testing.assert_allclose(*seconds, atol=0.03)


def test_memory_does_not_grow():
    rate = 8000
    block = stream(np.random.default_rng(0), rate, (1.0, 1.4), (5.0, 9.5), seconds=60.0).astype(np.float32)
    segmenter = Segmenter(rate)
    sizes = []
    tracemalloc.start()
    for _ in range(15):
        segmenter.push(block)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[5:]) - min(sizes[5:]) < 20_000


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(0.2, 2.0))
def test_no_boundary_reaches_further_back_than_said(seed, longest):
    random, rate = np.random.default_rng(seed), 8000
    samples = stream(random, rate, (0.1, 0.8), (1.5, 3.7), (4.5, 4.6), seconds=6.0, snr=random.uniform(5, 40))
    settings = Segmentation(longest=longest + SETTINGS.pre_roll + SETTINGS.hangover)
    segmenter = Segmenter(rate, settings)
    for first in range(0, len(samples), 80):
        for boundary in segmenter.push(samples[first : first + 80]):
            assert boundary.end <= first + 80
            assert first + 80 - boundary.start <= settings.reach * rate or boundary.kind == "calibrated"


@pytest.mark.parametrize("block", [np.array([0.1, np.nan]), np.array([np.inf]), np.array([1e300])])
def test_what_is_no_sound_is_refused(block):
    with pytest.raises(AudioError, match="no sound"):
        Segmenter(8000).push(block)


def test_two_channels_are_refused():
    with pytest.raises(AudioError, match=r"shape \(80, 2\).*one channel"):
        Segmenter(8000).push(np.zeros((80, 2)))


@pytest.mark.parametrize("settings", [{"hangover": 0.0}, {"longest": 0.5}, {"calibration": 3.0}, {"shortest": np.nan}])
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        Segmentation(**settings)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_no_band_is_empty(rate):
    edges = band_edges(rate, 2 * round(rate / 100))
    assert len(edges) == BANDS + 1
    assert (np.diff(edges) > 0).all()
    assert edges[-1] <= round(rate / 100)


# Recordings


@pytest.mark.parametrize("folder", ["fsdd", "speech_commands", "dspspeech20"])
def test_the_word_of_a_recording_is_one_utterance(shared_data, folder):
    rate = 8000 if folder == "fsdd" else 16000
    paths = sorted(p for p in shared_data(folder).rglob("*") if p.suffix in (".wav", ".flac"))[::40]
    kept = 0
    for path in paths:
        samples = audio.load(path, rate).samples
        word = Endpointer().find(samples, rate)
        over = [u for u in utterances(samples, rate, block=rate // 50) if u.start < word[1] and u.end > word[0]]
        edge = TOLERANCE * rate
        kept += len(over) == 1 and over[0].start <= word[0] + edge and over[0].end >= word[1] - edge
    assert kept / len(paths) >= 0.95, f"{kept} of {len(paths)}"


def test_it_needs_no_librosa():
    """Listening has to begin at once."""
    import subprocess

    check = "import sys, recognizer.sound.segmenter; sys.exit('librosa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
