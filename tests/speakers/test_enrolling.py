"""Profiles are made from the takes that are kept, and tell how."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from synthetic import WORDS, say, write
from test_enrollment import takes_of

from recognizer.adaptation.choice import USUAL
from recognizer.adaptation.enrollment import enroll
from recognizer.adaptation.takes import analyse_takes
from recognizer.errors import AdaptationError, NamingError, ProfileError
from recognizer.speakers import store
from recognizer.speakers.enrolling import make_profile, record_of
from recognizer.speakers.profile import Profile


def keep_takes(name, speaker="zoe", takes=range(1), words=WORDS):
    for word in words:
        for take in takes:
            write(store.take_path(name, word), say(word, speaker, take))


def test_a_profile_is_made_from_the_takes_that_are_kept(built):
    keep_takes("zoe")
    found, refused = make_profile("zoe", built, "tones")
    assert refused == []
    loaded = store.load("zoe")
    assert loaded.apply(built).fingerprint == found.model.fingerprint
    assert (loaded.base, loaded.model_name) == (built.fingerprint, "tones")
    record = loaded.record
    assert record["takes"] == dict.fromkeys(WORDS, 1)
    assert record["method"] == str(found.method)
    assert record["before"] == {
        "correct": found.before.correct,
        "n": 4,
        "confidence": round(found.before.confidence(built.calibration), 4),
    }
    assert record["after"]["n"] == 4
    assert record["prior"] is None


def test_a_condition_starts_from_the_speaker_and_fits_the_base_model(built):
    keep_takes("zoe")
    make_profile("zoe", built, "tones")
    keep_takes("zoe@cold", takes=[5])
    found, _ = make_profile("zoe@cold", built, "tones", USUAL)
    own = store.fitted(built, "zoe")
    loaded = store.load("zoe@cold")
    assert loaded.base == built.fingerprint
    assert loaded.record["prior"] == "zoe"
    usable, _ = analyse_takes(store.takes("zoe@cold"), own)
    assert enroll(usable, own, USUAL).model.fingerprint == found.model.fingerprint
    assert loaded.apply(built).fingerprint == found.model.fingerprint


def test_a_condition_of_somebody_unknown_starts_from_the_base(built):
    keep_takes("zoe@cold")
    found, _ = make_profile("zoe@cold", built, "tones", USUAL)
    assert store.load("zoe@cold").record["prior"] is None
    usable, _ = analyse_takes(store.takes("zoe@cold"), built)
    assert enroll(usable, built, USUAL).model.fingerprint == found.model.fingerprint


def test_a_condition_is_not_made_for_a_model_that_the_speaker_is_not_of(built):
    keep_takes("zoe")
    make_profile("zoe", built, "tones", USUAL)
    keep_takes("zoe@cold")
    other = replace(built, words=built.words[::-1])
    with pytest.raises(ProfileError, match="was made for another model"):
        make_profile("zoe@cold", other, "tones")
    assert not store.has_profile("zoe@cold")


def test_without_a_usable_take_an_earlier_profile_stays(built):
    keep_takes("zoe")
    make_profile("zoe", built, "tones", USUAL)
    before = Profile.load(store.folder("zoe") / "profile.npz")
    for utterance in store.takes("zoe"):
        utterance.path.write_bytes(b"")
    with pytest.raises(AdaptationError, match=r"speaker 'zoe' has no usable take \(.*\); record some with `recognizer"):
        make_profile("zoe", built, "tones")
    np.testing.assert_array_equal(store.load("zoe").bank.means, before.bank.means)
    with pytest.raises(AdaptationError, match="speaker 'nobody' has no usable take; record some"):
        make_profile("nobody", built, "tones")
    with pytest.raises(NamingError):
        make_profile("a/b", built, "tones")


def test_a_bad_take_among_good_ones_is_told_and_left_out(built):
    keep_takes("zoe")
    bad = write(store.take_path("zoe", "hum"), np.zeros(8000))
    found, refused = make_profile("zoe", built, "tones", USUAL)
    assert len(refused) == 1
    assert str(bad) in refused[0]
    assert len(found.before.words) == 4


def test_a_record_is_plain_json(built, tmp_path):
    found = enroll(takes_of(tmp_path, built, words=["rise", "hum"]), built)
    record = record_of(found, built)
    assert json.loads(json.dumps(record)) == record
    assert record["after"] is None
    assert record["takes"] == {"hum": 1, "rise": 1}


def test_a_profile_may_have_a_warp(built):
    for word in WORDS:
        write(store.take_path("eve", word), say(word, "eve", 50))
    found, _ = make_profile("eve", built, "tones", vtln=True)
    record = store.load("eve").record
    assert record["vtln"] is True
    assert record["warp"] == found.model.front_end.warp == store.fitted(built, "eve").front_end.warp


def test_what_a_warp_changes_is_told_beside_the_base_without_it(built):
    """To a model that reads everything stretched, the warp takes that back."""
    stretched = replace(built, front_end=replace(built.front_end, warp=1 / 1.12))
    keep_takes("carl", "carl", takes=(60, 61))
    plain, _ = make_profile("carl", stretched, "tones", USUAL)
    found, _ = make_profile("carl", stretched, "tones", USUAL, vtln=True)
    record = store.load("carl").record
    assert record["warp"] == found.model.front_end.warp != stretched.front_end.warp
    np.testing.assert_array_equal(found.before.scores, plain.before.scores)
    assert found.after.said.mean() > plain.after.said.mean()


def test_no_warp_is_kept_where_none_helps(built):
    keep_takes("carl", "carl", takes=[60], words=["hum"])
    found, _ = make_profile("carl", built, "tones", USUAL, vtln=True)
    record = store.load("carl").record
    assert (record["vtln"], record["warp"]) == (True, 1.0)
    assert found.model.fingerprint == make_profile("carl", built, "tones", USUAL)[0].model.fingerprint
