"""The front end against librosa, against formulas, and against what it says it does not depend on."""

from __future__ import annotations

from dataclasses import replace

import librosa
import numpy as np
import pytest
from extracting import extract, finished, statics_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import idct
from scipy.ndimage import correlate1d

from recognizer.features.front_end import FrontEnd, mel_filters, segment_quantile

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
    return idct(statics, axis=1, norm="ortho")


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
    size = 2 * (front_end.matrices.filters.shape[1] - 1)
    filters = mel_filters(front_end.sample_rate, size, front_end.filters, front_end.low, front_end.high, warp)
    assert (filters > 0).any(1).all()


# Frames


@quick
@given(st.integers(2, 5000), st.sampled_from([8000, 11025, 16000]))
def test_there_are_as_many_frames_as_fit_wholly_inside(samples, rate):
    front_end = replace(FRONT_END, sample_rate=rate)
    window, hop = round(0.025 * rate), round(0.010 * rate)
    fitting = sum(1 for start in range(0, samples, hop) if start + window <= samples)
    assert front_end.frames(samples) == max(1, fitting)
    features = extract(front_end, noise(samples=samples))
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
    changed = np.abs(statics_of(front_end, samples) - statics_of(front_end, swapped))[:, 1:].max(1) > 1e-3
    start = np.arange(front_end.frames(2000)) * HOP
    # The difference from the sample before, taken ahead of the analysis, reaches one further.
    np.testing.assert_array_equal(changed, (start <= place + 2) & (place < start + WINDOW))


def test_one_sample_makes_the_difference_of_a_frame():
    assert statics_of(FRONT_END, noise(samples=WINDOW + HOP - 1)).shape[0] == 1
    assert statics_of(FRONT_END, noise(samples=WINDOW + HOP)).shape[0] == 2


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("floor", [1e-4, 1e-2, 1.0])
def test_the_floor_is_a_fraction_of_the_power_in_loud_frames(floor, share):
    front_end = replace(SPECTRUM, floor=floor)
    samples = np.zeros(8000)
    samples[: round(share * 8000)] = noise(samples=round(share * 8000))
    power = np.exp(log_spectrum(statics_of(front_end, samples).astype(float))) - floor
    loud = power[: round(share * 90)].mean()
    assert loud == pytest.approx(1, abs=0.3)


def test_the_samples_after_the_last_whole_frame_do_not_matter():
    samples = noise(samples=WINDOW + 10 * HOP + 70)
    shuffled = samples.copy()
    shuffled[-70:] = samples[-70:][::-1]
    np.testing.assert_allclose(extract(FRONT_END, samples), extract(FRONT_END, shuffled), atol=1e-5)


# What does not matter


@quick
@given(seeds, st.floats(-6, 6), st.floats(-100, 100))
def test_gain_and_dc_do_not_matter(seed, decades, offset):
    samples = noise(seed)
    gained = 10**decades * (samples + offset)
    np.testing.assert_allclose(extract(FRONT_END, gained), extract(FRONT_END, samples), atol=1e-3)


def test_the_precision_and_the_kind_of_the_samples_do_not_matter():
    samples = np.round(noise() * 20000).astype(np.int16)
    expected = extract(FRONT_END, samples.astype(np.float64))
    np.testing.assert_allclose(extract(FRONT_END, samples), expected, atol=1e-4)
    np.testing.assert_allclose(extract(FRONT_END, samples.astype(np.float32)), expected, atol=1e-4)


def test_the_samples_are_left_as_they_are():
    samples = noise()
    before = samples.copy()
    extract(FRONT_END, samples)
    np.testing.assert_array_equal(samples, before)


def test_noise_far_under_the_speech_does_not_matter():
    speech = np.concatenate([np.zeros(800), noise(1), np.zeros(800)])
    hiss = noise(2, len(speech)) * 1e-5
    difference = statics_of(FRONT_END, speech) - statics_of(FRONT_END, speech + hiss)
    assert np.abs(difference).max() < 0.1


# Hard input


@pytest.mark.parametrize("samples", [1, 2, 3, 79, 80, 199, 200, 201, 280])
def test_a_few_samples_give_finite_features(samples):
    features = extract(FRONT_END, noise(samples=samples))
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
    assert np.isfinite(extract(FRONT_END, samples, warp)).all()


def test_silence_has_no_changes():
    features = extract(FRONT_END, np.zeros(2000))
    np.testing.assert_allclose(features[:, FRONT_END.cepstra :], 0, atol=1e-5)


# Derivatives and normalisation


def test_features_are_smoothed_statics_with_deltas_and_accelerations_of_librosa():
    statics = statics_of(FRONT_END, noise())
    smooth = correlate1d(statics, np.array([1, 2, 3, 2, 1]) / 9, axis=0, mode="nearest")
    first, second = (librosa.feature.delta(smooth.T, width=9, order=n, mode="nearest").T for n in (1, 2))
    expected = np.concatenate([smooth, first, second], axis=1)
    np.testing.assert_allclose(extract(FRONT_END, noise()), expected, atol=1e-5)


def test_derivatives_are_those_of_a_line_and_a_parabola_fitted_around_the_frame():
    cepstra, width = FRONT_END.cepstra, FRONT_END.delta_width
    half = width // 2
    features = extract(FRONT_END, noise()).astype(np.float64)
    time = np.arange(-half, half + 1)
    for t in range(half, len(features) - half):
        around = features[t - half : t + half + 1, :cepstra]
        np.testing.assert_allclose(features[t, cepstra : 2 * cepstra], np.polyfit(time, around, 1)[0], atol=1e-4)
        np.testing.assert_allclose(features[t, 2 * cepstra :], 2 * np.polyfit(time, around, 2)[0], atol=1e-4)


@pytest.mark.parametrize("weight", [0.0, 5.0, 1e9])
def test_the_mean_taken_off_is_between_the_known_one_and_the_utterances_own(weight):
    known = tuple(np.linspace(-5, 5, FRONT_END.cepstra))
    front_end = replace(FRONT_END, mean=known, mean_weight=weight)
    statics = statics_of(FRONT_END, noise())
    frames = len(statics)
    mean = (frames * statics.mean(0) + weight * np.array(known)) / (frames + weight)
    features, plain = extract(front_end, noise()), extract(FRONT_END, noise())
    np.testing.assert_allclose(features[:, : FRONT_END.cepstra], plain[:, : FRONT_END.cepstra] - mean, atol=1e-4)
    np.testing.assert_allclose(features[:, FRONT_END.cepstra :], plain[:, FRONT_END.cepstra :], atol=1e-4)


@pytest.mark.parametrize("weight", [0.0, 5.0, 1e9])
def test_the_deviation_is_brought_to_the_known_one_as_far_as_the_utterances_own_counts(weight):
    known = np.linspace(0.5, 2, FRONT_END.cepstra)
    front_end = replace(
        FRONT_END,
        smoothing_width=1,
        mean=(0.0,) * FRONT_END.cepstra,
        mean_weight=0.0,
        deviation=tuple(known),
        deviation_weight=weight,
    )
    statics = statics_of(FRONT_END, noise())
    found = extract(front_end, noise())[:, : FRONT_END.cepstra]
    own, frames = statics.astype(np.float64).std(0), len(statics)
    expected = own * known / np.sqrt((frames * own**2 + weight * known**2) / (frames + weight))
    np.testing.assert_allclose(found.std(0), expected, rtol=1e-3)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)


def test_the_deviation_of_training_is_that_about_the_means_of_utterances():
    utterances = [statics_of(FRONT_END, noise(seed)) + shift for seed, shift in ((1, 0.0), (2, 30.0))]
    spans = [(0, len(u)) for u in utterances]
    learned = FRONT_END.with_speech(utterances, spans)
    expected = np.concatenate([u - u.mean(0) for u in utterances]).std(0)
    np.testing.assert_allclose(learned.deviation, expected, rtol=1e-5)
    np.testing.assert_allclose(learned.with_speech(utterances[:1], spans[:1], prior=5.0).deviation, expected, rtol=1e-5)


def test_features_do_not_depend_on_what_is_finished_with_them():
    utterances = [statics_of(FRONT_END, noise(seed))[: 12 + 3 * seed] for seed in range(4)]
    spans = [(2, 9), (5, 5), (0, 18), (4, 99)]  # one is without speech
    learned = FRONT_END.with_speech(utterances, spans)
    together = learned.finish(utterances, spans)
    for statics, span, features in zip(utterances, spans, together, strict=True):
        np.testing.assert_array_equal(learned.finish([statics], [span])[0], features)
    spoken = np.concatenate([statics[slice(*span)] for statics, span in zip(utterances, spans)])
    np.testing.assert_allclose(learned.mean, spoken.mean(0), rtol=1e-5)


@pytest.mark.parametrize("width", [1, FRONT_END.smoothing_width])
def test_silence_beside_the_word_does_not_move_its_cepstra(width):
    """But for the frames that smoothing reaches from there."""
    known = {"mean": (1.0,) * FRONT_END.cepstra, "deviation": (2.0,) * FRONT_END.cepstra}
    front_end = replace(FRONT_END, **known, mean_weight=5.0, smoothing_width=width)
    statics = statics_of(FRONT_END, noise())
    frames, reach = len(statics), width // 2
    silence = np.full((30, FRONT_END.cepstra), -20.0, dtype=np.float32)
    [padded] = front_end.finish([np.concatenate([silence, statics, silence])], [(30, 30 + frames)])
    expected = finished(front_end, statics)[reach : frames - reach, : FRONT_END.cepstra]
    found = padded[30 + reach : 30 + frames - reach, : FRONT_END.cepstra]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("front_end", [FRONT_END, WIDE, FrontEnd(), FrontEnd.for_rate(16000)])
@pytest.mark.parametrize("samples", [noise(), noise(3, 777), tone(700), np.round(noise(5) * 20000).astype(np.int16)])
def test_statics_are_those_that_librosas_own_stages_give(front_end, samples):
    """STFT, mel filters and cosine transform as librosa runs them; between them the logarithm as it is described."""
    rate, coefficient = front_end.sample_rate, front_end.pre_emphasis
    plain = samples - np.mean(samples, dtype=np.float64)
    plain = plain / np.abs(plain).max()
    emphasised = librosa.effects.preemphasis(plain, coef=coefficient)
    window, hop = round(front_end.window * rate), round(front_end.hop * rate)
    size = 2 ** int(np.ceil(np.log2(2 * window)))
    padded = np.pad(emphasised, (size - window) // 2 + np.array([0, (size - window) % 2]))
    spectrum = librosa.stft(padded, n_fft=size, hop_length=hop, win_length=window, window="hamming", center=False)
    mel = librosa.filters.mel(
        sr=rate, n_fft=size, n_mels=front_end.filters, fmin=front_end.low, fmax=front_end.high, htk=True, norm=None
    )
    power = mel @ np.abs(spectrum) ** 2
    log_power = np.log(power / (np.percentile(power.mean(0), 90) + 1e-10) + front_end.floor)
    expected = librosa.feature.mfcc(S=log_power, n_mfcc=front_end.cepstra)
    np.testing.assert_allclose(statics_of(front_end, samples).T, expected, rtol=1e-5, atol=1e-5)


def test_matrices_are_librosas_own():
    matrices = FRONT_END.matrices
    expected = librosa.filters.mel(sr=8000, n_fft=512, n_mels=24, fmin=100, fmax=3800, htk=True, norm=None)
    np.testing.assert_allclose(matrices.filters, expected, atol=1e-7)
    np.testing.assert_array_equal(matrices.window, librosa.filters.get_window("hamming", WINDOW))
    some = np.random.default_rng(1).normal(size=(24, 5))
    np.testing.assert_allclose(matrices.cosines @ some, librosa.feature.mfcc(S=some, n_mfcc=13), atol=1e-12)
    line = np.random.default_rng(2).normal(size=9)
    around = [librosa.feature.delta(line, width=9, order=order)[4] for order in (1, 2)]
    np.testing.assert_allclose(matrices.derivatives @ line, around, atol=1e-12)
    np.testing.assert_allclose(matrices.smoothing, [np.array([1, 2, 3, 2, 1]) / 9], atol=1e-12)


def test_other_settings_have_other_matrices():
    """Whoever changes a setting that they depend on does not keep the old ones."""
    assert replace(FRONT_END, mean=(1.0,) * 13, warp=1.1).matrices is FRONT_END.matrices
    for change in (
        {"filters": 20},
        {"high": 3700.0},
        {"cepstra": 12},
        {"sample_rate": 11025},
        {"delta_width": 7},
        {"smoothing_width": 3},
    ):
        assert replace(FRONT_END, **change).matrices is not FRONT_END.matrices
        assert replace(FRONT_END, **change).fault is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": (1.0,) * 5},
        {"deviation": (1.0,)},
        {"deviation": (1.0,) * 12 + (-1.0,)},
        {"mean_weight": -1.0},
        {"deviation_weight": -5.0},
        {"smoothing_width": 4},
    ],
)
def test_settings_that_are_none_of_a_front_end_are_found(wrong):
    assert FRONT_END.fault is None
    assert replace(FRONT_END, **wrong).fault


@pytest.mark.parametrize("weight", [0.0, 60.0])
def test_where_there_is_no_speech_mean_and_deviation_are_those_of_the_training(weight):
    known = {"mean": (1.0,) * FRONT_END.cepstra, "deviation": (2.0,) * FRONT_END.cepstra}
    front_end = replace(FRONT_END, **known, mean_weight=60.0, deviation_weight=weight)
    statics = statics_of(FRONT_END, noise())
    found, plain = front_end.finish([statics], [(0, 0)])[0], FRONT_END.finish([statics], [(0, 0)])[0]
    np.testing.assert_allclose(found[:, : FRONT_END.cepstra], plain[:, : FRONT_END.cepstra] - 1, atol=1e-5)


# Many words at a time


@quick
@given(seeds, st.lists(st.integers(1, 4000), min_size=1, max_size=12), st.sampled_from([(1.0,), (0.9, 1.0, 1.2)]))
def test_a_word_has_the_same_features_whatever_it_is_analysed_with(seed, lengths, warps):
    front_end = replace(FRONT_END, mean=tuple(np.linspace(-3, 3, 13)))
    words = [noise(seed + i, n) for i, n in enumerate(lengths)]
    together = front_end.statics(words, warps)
    for word, readings in zip(words, together, strict=True):
        for warp, statics in zip(warps, readings, strict=True):
            assert statics.dtype == np.float32
            np.testing.assert_allclose(statics, statics_of(front_end, word, warp), rtol=1e-5, atol=1e-5)
    plain = [readings[0] for readings in together]
    speech = [(len(statics) // 3, len(statics) // 3 + 1) for statics in plain]
    for statics, span, features in zip(plain, speech, front_end.finish(plain, speech), strict=True):
        np.testing.assert_allclose(features, front_end.finish([statics], [span])[0], rtol=1e-5, atol=1e-5)


def test_nothing_gives_nothing():
    assert FRONT_END.statics([]) == FRONT_END.finish([], []) == []


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), min_size=1, max_size=6), st.floats(0, 1))
def test_a_quantile_of_runs_is_numpys_of_each(runs, share):
    found = segment_quantile(np.concatenate(runs), np.array([len(run) for run in runs]), share)
    np.testing.assert_allclose(found, [np.quantile(run, share) for run in runs], rtol=1e-9, atol=1e-6)


# Frequencies


@pytest.mark.parametrize("frequency", [400, 1000, 2000, 3000])
def test_a_tone_is_loudest_in_the_filter_around_it(frequency):
    mel = mel_filters(8000, 512, 24, 100.0, 3800.0, 1.0)
    expected = mel[:, round(frequency * 512 / 8000)].argmax()
    spectrum = log_spectrum(statics_of(SPECTRUM, tone(frequency))).mean(0)
    assert spectrum.argmax() == expected


@pytest.mark.parametrize("warp", [0.8, 0.9, 1.1, 1.2])
@pytest.mark.parametrize("frequency", [600, 900, 1400])
def test_a_tone_under_a_warp_looks_like_one_lower_by_the_warp(frequency, warp):
    """A factor over 1 reads a short vocal tract, whose formants are high, as a longer one."""
    front_end = replace(SPECTRUM, floor=1e-2)
    seen = statics_of(front_end, tone(frequency), warp).mean(0)
    factors = np.array([0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3])
    distances = [np.linalg.norm(seen - statics_of(front_end, tone(frequency / factor)).mean(0)) for factor in factors]
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
    assert np.isfinite(extract(front_end, noise())).all()


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
    seen = [log_spectrum(statics_of(replace(f, cepstra=f.filters), x)) for f, x in ((wide, at_16), (FRONT_END, at_8))]
    shape = [x.mean(0)[4:-4] - x.mean() for x in seen]
    assert np.corrcoef(np.diff(shape[0]), np.diff(shape[1]))[0, 1] > 0.8
