"""Copies are drawn within their bounds, from the recording and the seed alone."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from refusing import refusal
from synthetic import RATE, SPEAKERS, write

from recognizer.corpus import Utterance
from recognizer.errors import CorpusError, TrainingError
from recognizer.sound.background import BABBLE, CLIP, MADE_UP
from recognizer.sound.perturbation import PLAIN, Perturbation
from recognizer.training.augmentation import KINDS, PACES, PEAK, RT60, SNR, VOICES, WARPS, Augmentation, clips

UTTERANCES = [
    Utterance(Path(f"corpus/{word}_{speaker}_{take}.wav"), word, speaker)
    for word in ("rise", "hum")
    for speaker in SPEAKERS
    for take in range(5)
]
SPEAKER_OF = {u.path: u.speaker for u in UTTERANCES}


def drawn(*kinds: str, utterances=UTTERANCES, **options) -> list[Perturbation]:
    return [p for copies in Augmentation(kinds, **options).draws(utterances) for p in copies]


def test_each_has_so_many_copies_and_most_differ():
    copies = Augmentation(KINDS, copies=5).draws(UTTERANCES)
    assert [len(own) for own in copies] == [5] * len(UTTERANCES)
    assert len({p for own in copies for p in own}) > 0.95 * 5 * len(UTTERANCES)


def test_what_is_drawn_depends_on_neither_order_nor_place():
    moved = [Utterance(Path("elsewhere") / u.path.name, u.word, u.speaker) for u in UTTERANCES]
    draws = Augmentation(("rooms", "vtlp", "noise", "level"), seed=3).draws
    plainly = dict(zip(UTTERANCES, draws(UTTERANCES), strict=True))
    assert dict(zip(UTTERANCES[::-1], draws(UTTERANCES[::-1]), strict=True)) == plainly
    for u, own, there in zip(UTTERANCES, plainly.values(), draws(moved), strict=True):
        for p, q in zip(own, there, strict=True):
            assert (p.room, p.warp, p.snr, p.peak) == (q.room, q.warp, q.snr, q.peak), u


def test_a_seed_and_a_copy_are_others():
    assert drawn(*KINDS, seed=1) != drawn(*KINDS, seed=2)
    assert drawn(*KINDS, copies=2) == [p for own in Augmentation(KINDS).draws(UTTERANCES) for p in own[:2]]


CHANGED_BY = {
    "noise": {"snr", "background"},
    "rooms": {"room"},
    "vtlp": {"warp"},
    "pace": {"pace"},
    "level": {"peak"},
    "band": {"telephone"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_drawn_but_what_was_asked(kind):
    changed = set()
    for p in drawn(kind):
        different = {f.name for f in fields(p) if getattr(p, f.name) != getattr(PLAIN, f.name)}
        assert different <= CHANGED_BY[kind]
        assert different or kind in ("vtlp", "pace"), "a copy that is none teaches nothing"
        changed |= different
    assert changed == CHANGED_BY[kind]


def test_draws_fill_their_bounds():
    found = drawn(*KINDS, copies=20)
    for values, (low, high) in (
        ([p.snr for p in found if p.snr is not None], SNR),
        ([p.room.rt60 for p in found if p.room], RT60),
        ([p.peak for p in found if p.peak is not None], PEAK),
        ([p.warp for p in found], (WARPS[0], WARPS[-1])),
        ([p.pace for p in found], (PACES[0], PACES[-1])),
    ):
        edge = 0.05 * (high - low)
        assert low <= min(values) <= low + edge
        assert high - edge <= max(values) <= high
        assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.1 * (high - low))
    for share in (np.mean([p.telephone for p in found]), np.mean([p.room is not None for p in found])):
        assert share == pytest.approx(0.5, abs=0.08)


def test_a_babble_is_of_other_speakers_each_another():
    kinds = set()
    for u, own in zip(UTTERANCES, Augmentation(("noise",), copies=30).draws(UTTERANCES), strict=True):
        for p in own:
            kinds.add(p.background.kind)
            voices = [SPEAKER_OF[file] for file in p.background.files]
            assert u.speaker not in voices
            assert len(set(voices)) == len(voices) <= VOICES[1]
            assert (p.background.kind == BABBLE) == (len(voices) >= 3)
    assert kinds == {*MADE_UP, BABBLE}


@pytest.mark.parametrize("speaker", [None, "anna"])
def test_who_is_alone_hears_no_babble(speaker):
    alone = [Utterance(u.path, u.word, speaker) for u in UTTERANCES]
    assert {p.background.kind for p in drawn("noise", utterances=alone, copies=20)} == set(MADE_UP)


def test_half_of_the_noises_are_clips_where_there_are_some():
    noises = {Path("a.wav"): 5.0, Path("b.wav"): 9.0}
    found = [p.background for p in drawn("noise", copies=10, noises=noises)]
    cut = [b for b in found if b.kind == CLIP]
    assert len(cut) / len(found) == pytest.approx(0.5, abs=0.1)
    assert {(b.files, b.seconds) for b in cut} == {((file,), seconds) for file, seconds in noises.items()}


@pytest.mark.parametrize(
    ("kinds", "options", "part"),
    [
        ((), {}, "differ in nothing"),
        (("noise", "echo"), {}, "'echo' is no way"),
        (("",), {}, "'' is no way"),
        (("noise",), {"copies": 0}, "copies is 0"),
    ],
)
def test_what_cannot_be_drawn(kinds, options, part):
    refusal(TrainingError, lambda: Augmentation(kinds, **options), part)


def test_folders_of_noise(tmp_path):
    hiss = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
    one = write(tmp_path / "one" / "a.wav", hiss)
    two = write(tmp_path / "two" / "deep" / "b.wav", hiss[:RATE])
    silent = write(tmp_path / "two" / "silent.wav", np.zeros(RATE))
    found, left_out = clips([tmp_path / "one", tmp_path / "two"])
    assert found == {one: 2.0, two: 1.0}
    assert left_out == [f"{silent}: is silent; record it again, or remove it"]


@pytest.mark.parametrize("content", ["nothing", "silence", "damage"])
def test_a_folder_of_noise_without_sound(tmp_path, content):
    good, bad = tmp_path / "good", tmp_path / "bad"
    write(good / "a.wav", np.random.default_rng(0).normal(0, 0.1, RATE))
    bad.mkdir()
    if content == "silence":
        write(bad / "a.wav", np.zeros(RATE))
    elif content == "damage":
        (bad / "a.wav").write_bytes(b"no sound")
    refusal(CorpusError, lambda: clips([good, bad]), bad)


def test_one_kind_alone_is_no_kind_a_letter():
    with pytest.raises(TypeError, match=r"kinds is the str 'noise'; give a tuple, as in \('noise',\)"):
        Augmentation("noise")
