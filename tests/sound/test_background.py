"""What is heard beside the speech has the spectrum of its kind, and is cut from the files that were named."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import welch
from synthetic import write

from recognizer.sound import audio
from recognizer.sound.background import BABBLE, CLIP, MADE_UP, Background, sounding

RATE = 8000


def octave_levels(samples: np.ndarray) -> np.ndarray:
    """Mean power density of the octaves from 125 Hz to 2 kHz, dB."""
    frequency, power = welch(samples, RATE, nperseg=1024)
    edges = [125, 250, 500, 1000, 2000]
    inside = [(frequency >= low) & (frequency < high) for low, high in pairwise(edges)]
    return 10 * np.log10([power[i].mean() for i in inside])


@pytest.mark.parametrize(("kind", "slope"), [("white", 0.0), ("pink", -3.0)])
def test_noise_falls_by_so_many_db_an_octave(kind, slope):
    levels = octave_levels(Background(kind, 3).sound(20 * RATE, RATE))
    np.testing.assert_allclose(np.diff(levels), slope, atol=0.5)


def test_a_hum_stands_on_the_harmonics_of_the_mains():
    mains = set()
    for seed in range(8):
        sound = Background("hum", seed).sound(4 * RATE, RATE)
        power = np.abs(np.fft.rfft(sound)) ** 2
        frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
        share = {f: power[np.isin(frequency, f * np.arange(1, 13))].sum() / power.sum() for f in (50, 60)}
        mains.add(max(share, key=share.get))
        assert max(share.values()) > 0.95
    assert mains == {50, 60}


@pytest.mark.parametrize("kind", MADE_UP)
@pytest.mark.parametrize("count", [1, 2, 999])
def test_any_length_is_finite_and_the_same_each_time(kind, count):
    sound = Background(kind, 5).sound(count, RATE)
    assert sound.shape == (count,)
    assert np.isfinite(sound).all()
    assert abs(sound.mean()) < 1e-12
    np.testing.assert_array_equal(sound, Background(kind, 5).sound(count, RATE))
    if count > 2:
        assert np.abs(sound - Background(kind, 6).sound(count, RATE)).max() > 0.01


def tone(frequency: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def test_all_voices_of_a_babble_are_equally_loud(tmp_path):
    files = tuple(
        write(tmp_path / f"{f}.wav", loud * tone(f, 0.5)) for f, loud in ((440, 1.0), (1000, 0.1), (2000, 0.5))
    )
    files = (*files, tmp_path / "missing.wav", write(tmp_path / "silent.wav", np.zeros(100)))
    sound = Background(BABBLE, 1, files).sound(RATE, RATE)
    power = np.abs(np.fft.rfft(sound * np.hanning(RATE))) ** 2
    levels = [10 * np.log10(power[f - 20 : f + 20].sum()) for f in (440, 1000, 2000)]
    np.testing.assert_allclose(levels, levels[0], atol=1.0)
    assert (Background(BABBLE, 1, files[3:]).sound(RATE, RATE) == 0).all(), "nothing can be heard"


@pytest.mark.parametrize("seed", range(4))
def test_a_clip_is_a_piece_of_the_file(tmp_path, seed):
    noise = np.random.default_rng(9).uniform(-0.5, 0.5, 5 * RATE)
    file = write(tmp_path / "n.wav", noise)
    whole = audio.load(file, RATE).samples.astype(float)
    sound = Background(CLIP, seed, (file,), 5.0).sound(RATE, RATE)
    places = np.fft.irfft(np.fft.rfft(whole) * np.conj(np.fft.rfft(sound, len(whole))), len(whole))
    start = int(places.argmax())
    assert start <= 4 * RATE
    piece = whole[start : start + RATE]
    np.testing.assert_allclose(sound, piece - piece.mean(), atol=1e-6)


def test_clips_come_from_all_over_the_file(tmp_path):
    """A file that rises: the mean of its squares tells where a piece is from."""
    rising = np.linspace(0, 0.9, 10 * RATE) * np.random.default_rng(0).choice([-1, 1], 10 * RATE)
    file = write(tmp_path / "n.wav", rising)
    places = [Background(CLIP, seed, (file,), 10.0).sound(RATE, RATE).std() for seed in range(40)]
    assert min(places) < 0.15
    assert max(places) > 0.75


def test_a_short_clip_goes_on_from_its_beginning(tmp_path):
    file = write(tmp_path / "n.wav", tone(1000, 0.25))
    sound = Background(CLIP, 0, (file,), 0.25).sound(RATE, RATE)
    np.testing.assert_allclose(sound[:2000], sound[2000:4000], atol=1e-9)
    assert sound.std() == pytest.approx(0.3 / 2**0.5, rel=0.01)


def test_a_clip_at_another_rate(tmp_path):
    file = write(tmp_path / "n.wav", tone(1000, 3, 44100), 44100)
    sound = Background(CLIP, 2, (file,), 3.0).sound(RATE, RATE)
    power = np.abs(np.fft.rfft(sound * np.hanning(RATE))) ** 2
    assert power[990:1011].sum() > 0.99 * power.sum()


def test_a_clip_that_is_gone_is_silence(tmp_path):
    assert (Background(CLIP, 0, (tmp_path / "gone.wav",), 3.0).sound(100, RATE) == 0).all()


def test_files_that_sound_and_others(tmp_path):
    good = write(tmp_path / "good.wav", tone(300, 23.5))
    silent = write(tmp_path / "silent.wav", np.zeros(RATE))
    offset = write(tmp_path / "offset.wav", np.full(RATE, 0.25))
    (tmp_path / "empty.wav").touch()
    found, left_out = sounding([good, silent, offset, tmp_path / "empty.wav"])
    assert found == {good: pytest.approx(23.5)}
    assert left_out == [
        f"{silent}: is silent; record it again, or remove it",
        f"{offset}: is silent; record it again, or remove it",
        f"{tmp_path / 'empty.wav'}: is empty (0 bytes); record or copy it again",
    ]
