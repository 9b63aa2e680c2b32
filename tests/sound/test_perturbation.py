"""Copies sound as asked, each time, by measurements that know nothing of how they are made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import welch
from synthetic import RATE, say, write

from recognizer.features.analysis import Analyser
from recognizer.features.front_end import FrontEnd
from recognizer.sound.audio import prepare
from recognizer.sound.background import BABBLE, CLIP, MADE_UP, Background
from recognizer.sound.perturbation import MU, NOISE, PLAIN, VTLP, Perturbation, add_noise, digitised, telephoned
from recognizer.sound.rooms import Room

SAMPLES = np.concatenate([np.zeros(2000), 0.3 * np.sin(np.arange(4000) / 3), np.zeros(2000)]).astype(np.float32)
SPEECH = slice(2000, 6000)


@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0])
@pytest.mark.parametrize("offset", [0.0, 0.9])
def test_noise_has_the_power_asked_whatever_the_offset(snr, offset):
    samples = SAMPLES + np.float32(offset)
    noise = add_noise(samples, SPEECH, snr) - samples
    assert 10 * np.log10(np.var(samples[SPEECH]) / np.mean(noise**2)) == pytest.approx(snr, abs=0.1)


def test_noise_is_the_same_every_time_and_another_at_another_ratio():
    first, again, other = (add_noise(SAMPLES, SPEECH, snr) - SAMPLES for snr in (10.0, 10.0, 20.0))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.1


def test_one_sample_and_silence_stay_finite():
    assert np.isfinite(add_noise(np.array([0.5]), slice(0, 1), 10.0)).all()
    assert (add_noise(np.zeros(100), slice(0, 100), 10.0) == 0).all()


def test_the_sets_reach_from_child_to_man_and_from_quiet_to_loud_rooms():
    assert min(p.warp for p in VTLP) == 0.82
    assert max(p.warp for p in VTLP) == 1.2
    assert {p.snr for p in NOISE} == {10.0, 20.0}


def energy(samples: np.ndarray, rate: int) -> float:
    """Mean power by the integral of the spectrum, without a constant part."""
    frequency, power = welch(samples, rate, window="boxcar", nperseg=len(samples), detrend="constant")
    return float(power.sum() * (frequency[1] - frequency[0]))


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("kind", [*MADE_UP, BABBLE, CLIP])
@pytest.mark.parametrize("snr", [-3.0, 7.0, 25.0])
@pytest.mark.parametrize("room", [None, Room(0.3, 1)])
def test_speech_is_so_far_over_any_noise(tmp_path, kind, snr, rate, room):
    samples = say("rise", "anna", rate=rate)
    speech = slice(rate // 4, len(samples) - rate // 4)
    files = {
        BABBLE: [write(tmp_path / f"{n}.wav", say("hum", n, rate=rate), rate) for n in ("bob", "carl", "dora")],
        CLIP: [write(tmp_path / "n.wav", np.random.default_rng(0).normal(0, 0.1, 3 * rate), rate)],
    }
    background = Background(kind, 4, tuple(files.get(kind, ())), 3.0)
    clean = Perturbation(room=room).heard(samples, speech, rate)
    noisy = Perturbation(room=room, snr=snr, background=background).heard(samples, speech, rate)
    ratio = energy(clean[speech], rate) / energy(noisy - clean, rate)
    assert 10 * np.log10(ratio) == pytest.approx(snr, abs=0.05)
    assert energy((noisy - clean)[: speech.start], rate) > 0, "the margins are noisy, too"


def test_a_background_that_cannot_be_heard_adds_nothing(tmp_path):
    gone = Background(CLIP, 0, (tmp_path / "gone.wav",), 3.0)
    np.testing.assert_array_equal(Perturbation(snr=0.0, background=gone).heard(SAMPLES, SPEECH, RATE), SAMPLES)


def test_what_is_plain_is_left_as_it_is():
    assert PLAIN.heard(SAMPLES, SPEECH, RATE) is SAMPLES
    assert Perturbation(warp=1.1, pace=0.9).heard(SAMPLES, SPEECH, RATE) is SAMPLES


def test_sound_passes_the_room_then_the_noise_then_the_converter_then_the_line():
    p = Perturbation(1.0, 10.0, Background("pink", 3), Room(0.2, 1), 1.0, -12.0, telephone=True)
    step = p.room.reverberated(SAMPLES, RATE)
    step = Perturbation(snr=10.0, background=p.background).heard(step, SPEECH, RATE)
    np.testing.assert_array_equal(p.heard(SAMPLES, SPEECH, RATE), telephoned(digitised(step, -12.0), RATE))


def test_a_card_tells_what_differs():
    assert PLAIN.as_json() == {}
    assert Perturbation(0.9, 20.0, telephone=True).as_json() == {"warp": 0.9, "snr": 20.0, "telephone": True}
    p = Perturbation(room=Room(0.3, 1), background=Background(CLIP, 2, (Path("a.wav"),), 3.0), snr=5.0)
    told = json.loads(json.dumps(p.as_json()))
    assert told["room"] == "Room(rt60=0.3, seed=1)"
    assert "a.wav" in told["background"]


# Levels


@pytest.mark.parametrize("peak", [-40.0, -20.0, 0.0])
def test_a_quiet_recording_has_few_steps(peak):
    heard = digitised(SAMPLES, peak)
    assert np.abs(heard).max() == pytest.approx(10 ** (peak / 20), abs=1 / 32768)
    steps = heard * 32768
    np.testing.assert_array_equal(steps, np.round(steps))
    wanted = SAMPLES / np.abs(SAMPLES).max() * 10 ** (peak / 20)
    assert np.abs(heard - wanted).max() <= 0.5001 / 32768 + (peak == 0) / 32768


def test_a_loud_recording_is_clipped():
    """A sine of twice full scale is beyond it two thirds of the time, for the arcsine of a half is 30 degrees."""
    heard = digitised(SAMPLES, 20 * np.log10(2))[SPEECH]
    assert np.mean(np.abs(heard) > 0.9999) == pytest.approx(2 / 3, abs=0.01)
    assert np.abs(heard).max() <= 1


@pytest.mark.parametrize("make", [lambda x: digitised(x, -10.0), lambda x: telephoned(x, RATE)])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_silence_stays_silence(make, count):
    assert (make(np.zeros(count)) == 0).all()
    assert make(np.full(count, 0.5)).shape == (count,)


# Telephones


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_a_line_carries_300_to_3400_hz(rate):
    noise = np.random.default_rng(0).normal(0, 0.1, 20 * rate)
    heard = telephoned(noise, rate)
    assert heard.shape == noise.shape
    frequency, before = welch(noise, rate, nperseg=2048)
    _, after = welch(heard * np.sqrt(np.mean(noise**2) / np.mean(heard**2)), rate, nperseg=2048)
    gain = 10 * np.log10(after / before)
    middle = gain[(frequency > 600) & (frequency < 2600)]
    assert np.ptp(middle) < 3
    level = middle.mean()
    for edge in (300, 3400):
        assert gain[np.abs(frequency - edge).argmin()] - level == pytest.approx(-3, abs=2.5)
    assert gain[(frequency > 10) & (frequency < 130)].max() < level - 20
    assert (gain[frequency > 4300] < level - 20).all()


def test_a_line_has_the_steps_of_the_logarithmic_scale():
    heard = telephoned(np.random.default_rng(0).normal(0, 0.1, 50_000), 8000)
    steps = np.sort(np.concatenate([s * ((1 + MU) ** (np.arange(128) / 127) - 1) / MU for s in (-1, 1)]))
    distance = np.abs(heard[:, None] - steps).min(1)
    assert distance.max() < 1e-6
    assert len(np.unique(np.round(heard, 7))) > 100


def test_a_line_is_as_good_as_eight_bits_for_loud_and_quiet():
    """The ratio of speech to the noise of the scale is nearly the same over 30 dB; for sines it is about 38 dB."""
    time = np.arange(2 * 8000) / 8000
    envelope = np.where(time < 1, 1.0, 10 ** (-30 / 20))
    heard = telephoned(envelope * np.sin(2 * np.pi * 1000.3 * time), 8000)
    for part in (slice(1000, 7000), slice(9000, 15000)):
        basis = np.stack([np.sin(2 * np.pi * 1000.3 * time), np.cos(2 * np.pi * 1000.3 * time)], axis=1)[part]
        fitted = basis @ np.linalg.lstsq(basis, heard[part], rcond=None)[0]
        ratio = 10 * np.log10(np.mean(fitted**2) / np.mean((heard[part] - fitted) ** 2))
        assert 30 < ratio < 45


# Pace


def read(samples: np.ndarray, *perturbations: Perturbation):
    analyser = Analyser(FrontEnd.for_rate(RATE)).reading((PLAIN, *perturbations))
    return analyser.analyse(prepare(samples, RATE, RATE))


@pytest.mark.parametrize("word", ["rise", "hum", "fall"])
@pytest.mark.parametrize("pace", [0.8, 0.9, 1.1, 1.25])
def test_another_pace_keeps_the_mean_of_the_cepstra(word, pace):
    found = read(say(word, seconds=1.0), Perturbation(pace=pace))
    plain, paced = found.features
    assert len(paced) == pytest.approx(len(plain) / pace, abs=1.5)
    inside = [f[slice(*span)] for f, span in zip(found.features, found.spans, strict=True)]
    assert len(inside[1]) == pytest.approx(len(inside[0]) / pace, abs=2)
    spread = inside[0].std(0).max()
    np.testing.assert_allclose(inside[1].mean(0), inside[0].mean(0), atol=0.05 * spread)


def test_at_twice_the_pace_every_other_frame_is_left():
    found = read(say("rise", seconds=1.0), Perturbation(pace=2.0))
    plain, paced = found.features
    others = plain[::2][: len(paced)]
    shift = np.median(paced - others, axis=0)  # the level, which loud frames decide, moves the first alone
    np.testing.assert_allclose(paced - shift, others, atol=0.05)
    assert np.abs(shift[1:]).max() < 0.01
    assert found.spans == [found.speech, (round(found.speech[0] / 2), round(found.speech[1] / 2))]


def test_spans_lie_inside_whatever_the_pace():
    found = read(say("hum"), *(Perturbation(pace=p) for p in (0.5, 1.0, 3.0, 20.0, 60.0)))
    assert found.spans[0] == found.spans[2] == found.speech
    for features, (first, last) in zip(found.features, found.spans, strict=True):
        assert 0 <= first < last <= len(features)


# In the analysis


def test_copies_of_its_own_stand_behind_those_of_all():
    recordings = [prepare(say(word, speaker), RATE, RATE) for word in ("rise", "hum") for speaker in ("anna", "bob")]
    silence = prepare(np.zeros(RATE), RATE, RATE)
    analyser = Analyser(FrontEnd.for_rate(RATE)).reading((PLAIN, *VTLP[:1]))
    room, noise = Perturbation(1.1, room=Room(0.3, 1), pace=0.9), Perturbation(snr=3.0, background=Background("hum", 2))
    copies = [(room, noise), (), (noise,), (noise, noise), (room, room)]
    found = analyser.analyse_all([*recordings[:2], silence, *recordings[2:]], copies)
    assert [len(analysis.features) for analysis in found] == [4, 2, 0, 4, 4]
    for recording, own, analysis in zip(recordings, [*copies[:2], *copies[3:]], [*found[:2], *found[3:]], strict=True):
        alone = replace(analyser, perturbations=(PLAIN, VTLP[0], *own)).analyse(recording)
        for one, other in zip(analysis.features, alone.features, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_array_equal(found[3].features[2], found[3].features[3])
