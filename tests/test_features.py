"""The front end against librosa, against formulas, and against what it says it does not depend on."""

from __future__ import annotations

from dataclasses import replace

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import idct

from recognizer.features.front_end import FrontEnd, mel_filters

FRONT_END = FrontEnd(
    sample_rate=8000,
    window=0.025,
    hop=0.010,
    pre_emphasis=0.97,
    filters=24,
    low=100.0,
    high=3800.0,
    cepstra=13,
    delta_width=9,
    floor=1e-4,
    mean_weight=30.0,
    mean=(),
)
WIDE = replace(FRONT_END, sample_rate=16000, filters=32, high=7600.0)
SPECTRUM = replace(FRONT_END, cepstra=FRONT_END.filters)  # from all cepstra the log spectrum can be had back
WINDOW, HOP = 200, 80  # samples at 8 kHz
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=25, deadline=None)


def noise(seed=0, samples=3000):
    return np.random.default_rng(seed).normal(0, 0.1, samples)


def tone(frequency, rate=8000, seconds=0.3):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def log_spectrum(statics):
    return idct(statics, axis=0, norm="ortho")


# Mel filters


@pytest.mark.parametrize(
    ("rate", "size", "filters", "low", "high"),
    [(8000, 512, 24, 100, 3800), (16000, 1024, 32, 100, 7600), (16000, 512, 20, 0, 8000)],
)
def test_filters_without_warp_are_those_of_librosa(rate, size, filters, low, high):
    expected = librosa.filters.mel(sr=rate, n_fft=size, n_mels=filters, fmin=low, fmax=high, htk=True, norm=None)
    np.testing.assert_allclose(mel_filters(rate, size, filters, low, high, 1.0), expected, atol=1e-6)


def centres(warp, size=2**15):
    """Where the filters peak, Hz, to a quarter of a Hz."""
    return mel_filters(8000, size, 24, 100.0, 3800.0, warp).argmax(1) * 8000 / size


@pytest.mark.parametrize("warp", [0.75, 0.85, 0.95, 1.05, 1.15, 1.3])
def test_a_warp_multiplies_frequencies_up_to_a_knee_and_is_straight_from_there_to_the_top(warp):
    plain, warped = centres(1.0), centres(warp)
    below = np.abs(warped - warp * plain) < 1.0
    assert below[plain < 0.5 * 3800].all()
    assert not below[-1]
    knee = below.argmin()
    assert below[:knee].all()
    assert not below[knee:].any()
    slopes = (3800 - warped[knee:]) / (3800 - plain[knee:])
    np.testing.assert_allclose(slopes, slopes[0], atol=0.01)
    assert (slopes[0] > 1) == (warp < 1)


@given(st.floats(0.7, 1.4))
def test_warped_filters_stay_in_order_inside_the_band_and_overlap_by_half(warp):
    filters = mel_filters(8000, 2**13, 24, 100.0, 3800.0, warp)
    frequency = np.arange(2**12 + 1) * 8000 / 2**13
    assert (np.diff(filters.argmax(1)) > 0).all()
    assert (filters[:, frequency > 3801] == 0).all()
    assert (filters[:, frequency < 100 * warp - 1] == 0).all()
    np.testing.assert_allclose(filters.max(1), 1, atol=0.05)
    between = slice(filters[0].argmax() + 1, filters[-1].argmax())
    np.testing.assert_allclose(filters.sum(0)[between], 1, err_msg="neighbours share every frequency")


@pytest.mark.parametrize("front_end", [FRONT_END, WIDE])
@pytest.mark.parametrize("warp", [0.8, 1.0, 1.25])
def test_no_filter_is_empty_at_the_resolution_of_the_transform(front_end, warp):
    bins = len(front_end._power(noise()))
    filters = mel_filters(front_end.sample_rate, 2 * (bins - 1), front_end.filters, front_end.low, front_end.high, warp)
    assert (filters > 0).any(1).all()


# Frames


@quick
@given(st.integers(2, 5000), st.sampled_from([8000, 11025, 16000]))
def test_there_are_as_many_frames_as_fit_wholly_inside(samples, rate):
    front_end = replace(FRONT_END, sample_rate=rate)
    window, hop = round(0.025 * rate), round(0.010 * rate)
    fitting = sum(1 for start in range(0, samples, hop) if start + window <= samples)
    assert front_end.frames(samples) == max(1, fitting)
    features = front_end.extract(noise(samples=samples))
    assert features.shape == (front_end.frames(samples), front_end.dims)
    assert features.dtype == np.float32


@pytest.mark.parametrize("place", [0, 2, 77, 78, 79, 197, 198, 199, 200, 717, 718, 719, 837, 838, 839, 840, 1958, 1959])
def test_a_sample_matters_to_the_frames_that_hold_it_and_to_no_other(place):
    """Two neighbours swap, which changes neither mean nor peak; the loudness of all only moves c0."""
    front_end = replace(FRONT_END, floor=1e-12)
    samples = noise(samples=2000)
    samples[1990] = 1.0  # after the last frame
    samples[[place, place + 1]] = 0.5, -0.5
    swapped = samples.copy()
    swapped[[place, place + 1]] = -0.5, 0.5
    changed = np.abs(front_end.statics(samples) - front_end.statics(swapped))[1:].max(0) > 1e-3
    start = np.arange(front_end.frames(2000)) * HOP
    # The difference from the sample before, taken ahead of the analysis, reaches one further.
    np.testing.assert_array_equal(changed, (start <= place + 2) & (place < start + WINDOW))


def test_one_sample_makes_the_difference_of_a_frame():
    assert FRONT_END.statics(noise(samples=WINDOW + HOP - 1)).shape[1] == 1
    assert FRONT_END.statics(noise(samples=WINDOW + HOP)).shape[1] == 2


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("floor", [1e-4, 1e-2, 1.0])
def test_the_floor_is_a_fraction_of_the_power_in_loud_frames(floor, share):
    front_end = replace(SPECTRUM, floor=floor)
    samples = np.zeros(8000)
    samples[: round(share * 8000)] = noise(samples=round(share * 8000))
    power = np.exp(log_spectrum(front_end.statics(samples).astype(float))) - floor
    loud = power[:, : round(share * 90)].mean()
    assert loud == pytest.approx(1, abs=0.3)


def test_the_samples_after_the_last_whole_frame_do_not_matter():
    samples = noise(samples=WINDOW + 10 * HOP + 70)
    shuffled = samples.copy()
    shuffled[-70:] = samples[-70:][::-1]
    np.testing.assert_allclose(FRONT_END.extract(samples), FRONT_END.extract(shuffled), atol=1e-5)


# What does not matter


@quick
@given(seeds, st.floats(-6, 6), st.floats(-100, 100))
def test_gain_and_dc_do_not_matter(seed, decades, offset):
    samples = noise(seed)
    gained = 10**decades * (samples + offset)
    np.testing.assert_allclose(FRONT_END.extract(gained), FRONT_END.extract(samples), atol=1e-3)


def test_the_precision_and_the_kind_of_the_samples_do_not_matter():
    samples = np.round(noise() * 20000).astype(np.int16)
    expected = FRONT_END.extract(samples.astype(np.float64))
    np.testing.assert_allclose(FRONT_END.extract(samples), expected, atol=1e-4)
    np.testing.assert_allclose(FRONT_END.extract(samples.astype(np.float32)), expected, atol=1e-4)


def test_the_samples_are_left_as_they_are():
    samples = noise()
    before = samples.copy()
    FRONT_END.extract(samples)
    np.testing.assert_array_equal(samples, before)


def test_noise_far_under_the_speech_does_not_matter():
    speech = np.concatenate([np.zeros(800), noise(1), np.zeros(800)])
    hiss = noise(2, len(speech)) * 1e-5
    difference = FRONT_END.statics(speech) - FRONT_END.statics(speech + hiss)
    assert np.abs(difference).max() < 0.1


# Hard input


@pytest.mark.parametrize("samples", [1, 2, 3, 79, 80, 199, 200, 201, 280])
def test_a_few_samples_give_finite_features(samples):
    features = FRONT_END.extract(noise(samples=samples))
    assert features.shape == (FRONT_END.frames(samples), FRONT_END.dims)
    assert np.isfinite(features).all()


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(1000),
        np.full(1000, -0.3),
        np.eye(1, 1000, 500)[0],
        noise() * 1e-40,
        noise() * 1e30,
        np.tile([1e300, -1e300], 500),
        np.full(1000, np.float32(3e38)),
        np.sign(noise()),
    ],
    ids=["zeros", "constant", "click", "tiny", "huge", "enormous", "constant huge", "clipped"],
)
@pytest.mark.parametrize("warp", [0.8, 1.0, 1.2])
def test_odd_samples_give_finite_features(samples, warp):
    assert np.isfinite(FRONT_END.extract(samples, warp)).all()


def test_silence_has_no_changes():
    features = FRONT_END.extract(np.zeros(2000))
    np.testing.assert_allclose(features[:, FRONT_END.cepstra :], 0, atol=1e-5)


# Derivatives and normalisation


def test_features_are_statics_deltas_and_accelerations_of_librosa():
    statics = FRONT_END.statics(noise())
    first, second = (librosa.feature.delta(statics, width=9, order=n, mode="nearest") for n in (1, 2))
    expected = np.concatenate([statics, first, second]).T
    np.testing.assert_allclose(FRONT_END.extract(noise()), expected, atol=1e-5)


def test_derivatives_are_those_of_a_line_and_a_parabola_fitted_around_the_frame():
    cepstra, width = FRONT_END.cepstra, FRONT_END.delta_width
    half = width // 2
    features = FRONT_END.extract(noise()).astype(np.float64)
    time = np.arange(-half, half + 1)
    for t in range(half, len(features) - half):
        around = features[t - half : t + half + 1, :cepstra]
        np.testing.assert_allclose(features[t, cepstra : 2 * cepstra], np.polyfit(time, around, 1)[0], atol=1e-4)
        np.testing.assert_allclose(features[t, 2 * cepstra :], 2 * np.polyfit(time, around, 2)[0], atol=1e-4)


@pytest.mark.parametrize("weight", [0.0, 5.0, 1e9])
def test_the_mean_taken_off_is_between_the_known_one_and_the_utterances_own(weight):
    known = tuple(np.linspace(-5, 5, FRONT_END.cepstra))
    front_end = replace(FRONT_END, mean=known, mean_weight=weight)
    statics = FRONT_END.statics(noise())
    frames = statics.shape[1]
    mean = (frames * statics.mean(1) + weight * np.array(known)) / (frames + weight)
    features, plain = front_end.extract(noise()), FRONT_END.extract(noise())
    np.testing.assert_allclose(features[:, : FRONT_END.cepstra], statics.T - mean, atol=1e-4)
    np.testing.assert_allclose(features[:, FRONT_END.cepstra :], plain[:, FRONT_END.cepstra :], atol=1e-4)


def test_silence_beside_the_word_does_not_move_its_cepstra():
    front_end = replace(FRONT_END, mean=tuple(np.ones(FRONT_END.cepstra)), mean_weight=5.0)
    statics = FRONT_END.statics(noise())
    frames = statics.shape[1]
    silence = np.full((FRONT_END.cepstra, 30), -20.0, dtype=np.float32)
    padded = front_end.finish(np.concatenate([silence, statics, silence], axis=1), (30, 30 + frames))
    expected = front_end.finish(statics)[:, : FRONT_END.cepstra]
    np.testing.assert_allclose(padded[30 : 30 + frames, : FRONT_END.cepstra], expected, atol=1e-5)


def test_extracting_is_statics_and_then_finishing():
    front_end = replace(FRONT_END, mean=tuple(np.ones(FRONT_END.cepstra)))
    for warp in (0.9, 1.0, 1.1):
        statics = front_end.statics(noise(), warp)
        assert statics.shape == (front_end.cepstra, front_end.frames(len(noise())))
        np.testing.assert_array_equal(front_end.extract(noise(), warp), front_end.finish(statics))


# Frequencies


@pytest.mark.parametrize("frequency", [400, 1000, 2000, 3000])
def test_a_tone_is_loudest_in_the_filter_around_it(frequency):
    mel = mel_filters(8000, 512, 24, 100.0, 3800.0, 1.0)
    expected = mel[:, round(frequency * 512 / 8000)].argmax()
    spectrum = log_spectrum(SPECTRUM.statics(tone(frequency))).mean(1)
    assert spectrum.argmax() == expected


@pytest.mark.parametrize("warp", [0.8, 0.9, 1.1, 1.2])
@pytest.mark.parametrize("frequency", [600, 900, 1400])
def test_a_tone_under_a_warp_looks_like_one_lower_by_the_warp(frequency, warp):
    """A factor over 1 reads a short vocal tract, whose formants are high, as a longer one."""
    front_end = replace(SPECTRUM, floor=1e-2)
    seen = front_end.statics(tone(frequency), warp).mean(1)
    factors = np.array([0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3])
    distances = [np.linalg.norm(seen - front_end.statics(tone(frequency / factor)).mean(1)) for factor in factors]
    assert factors[np.argmin(distances)] == pytest.approx(warp, abs=0.051)


# Rates


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_front_end_for_a_rate_covers_the_band_of_speech(rate):
    front_end = FrontEnd.for_rate(rate)
    assert front_end.sample_rate == rate
    assert 0.4 * rate <= front_end.high < rate / 2
    assert front_end.cepstra <= front_end.filters
    assert front_end.mean == ()
    default = FrontEnd()
    for name in ("window", "hop", "pre_emphasis", "low", "cepstra", "delta_width", "floor", "mean_weight"):
        assert getattr(front_end, name) == getattr(default, name)
    assert np.isfinite(front_end.extract(noise())).all()


def test_filters_are_as_far_apart_at_every_rate():
    def spacing(rate):
        front_end = FrontEnd.for_rate(rate)
        edges = librosa.hz_to_mel([front_end.low, front_end.high], htk=True)
        return (edges[1] - edges[0]) / (front_end.filters + 1)

    assert spacing(8000) == pytest.approx(spacing(16000), rel=0.03)


def test_the_defaults_are_those_for_their_rate():
    assert FrontEnd.for_rate(FrontEnd().sample_rate) == FrontEnd()


def test_the_same_sound_at_two_rates_has_the_same_spectrum_below_the_lower_band():
    sound = noise(samples=16000)
    at_16, at_8 = (librosa.resample(sound, orig_sr=48000, target_sr=rate) for rate in (16000, 8000))
    wide = replace(FRONT_END, sample_rate=16000)
    seen = [log_spectrum(replace(f, cepstra=f.filters).statics(x)) for f, x in ((wide, at_16), (FRONT_END, at_8))]
    shape = [x.mean(1)[4:-4] - x.mean() for x in seen]
    assert np.corrcoef(np.diff(shape[0]), np.diff(shape[1]))[0, 1] > 0.8
