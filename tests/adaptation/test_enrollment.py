"""Enrollment from recordings: a strange voice is understood better, bad takes are named, and nothing is random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from adapting import same_bank
from extracting import finished
from synthetic import WORDS, say, write

from recognizer.acoustics.chain import Chain
from recognizer.adaptation import enrollment
from recognizer.adaptation.choice import FEWEST, USUAL, Outcome
from recognizer.adaptation.enrollment import Doubt, enroll
from recognizer.adaptation.method import KINDS, Method, adapt
from recognizer.adaptation.takes import MEAN_PRIOR, MEAN_WEIGHT, READINGS, analyse_takes, with_speaker_mean
from recognizer.adaptation.unlabelled import ENOUGH_TO_MAP, PASSES, self_adapt, sure_words
from recognizer.adaptation.vtln import best_warp
from recognizer.corpus import Utterance, find
from recognizer.errors import AdaptationError
from recognizer.recognition.calibration import posteriors
from recognizer.recognition.decoding import score_words
from recognizer.recognition.verification import SURE
from recognizer.sound.audio import Recording
from recognizer.training.training import chunks_of


def recorded(folder, speaker="zoe", takes=(0,), words=WORDS) -> list[Utterance]:
    return [
        Utterance(write(folder / f"{word}_{speaker}_{take}.wav", say(word, speaker, take)), word, speaker)
        for word in words
        for take in takes
    ]


def takes_of(folder, model, *args, **options):
    usable, refused = analyse_takes(recorded(folder, *args, **options), model)
    assert not refused
    return usable


def heard_as(model, speaker="zoe", takes=range(10, 16)):
    """How many unseen takes are recognised, and how likely what is said is, in nats a frame."""
    features, words = [], []
    for number, word in enumerate(WORDS):
        for take in takes:
            analysis = static(model, say(word, speaker, take))
            features.append(finished(model.front_end, analysis.features[0], analysis.speech))
            words.append(number)
    scores = score_words(model.acoustics, features)
    said = scores[np.arange(len(words)), words] / [len(f) for f in features]
    return (scores.argmax(1) == words).mean(), said.mean()


def static(model, samples):
    rate = model.front_end.sample_rate
    return model.analyser.reading().analyse(Recording(samples, rate, rate))


def same_models(one, other, **tolerance):
    same_bank(one.acoustics.bank, other.acoustics.bank, **tolerance)
    assert (one.acoustics.transform is None) == (other.acoustics.transform is None)
    if one.acoustics.transform is not None:
        np.testing.assert_allclose(one.acoustics.transform, other.acoustics.transform, **tolerance)
    np.testing.assert_allclose(one.front_end.mean, other.front_end.mean, **tolerance)


# Enrollment


@pytest.mark.parametrize("takes", [1, 2])
def test_a_strange_voice_is_understood_better(built, tmp_path, takes):
    before = heard_as(built)
    found = enroll(takes_of(tmp_path, built, takes=range(takes)), built)
    after = heard_as(found.model)
    assert found.method.kind != "none"
    assert after[0] == 1.0
    assert after[0] > before[0]
    assert after[1] > before[1] + 5
    assert found.after.correct >= found.before.correct
    if takes > 1:
        assert found.after.correct == 4 * takes
        assert found.doubts == ()


@pytest.mark.parametrize("speaker", ["eve", "anna", "carl"])
def test_a_usual_voice_is_understood_no_worse(built, tmp_path, speaker):
    found = enroll(takes_of(tmp_path, built, speaker), built)
    before, after = heard_as(built, speaker), heard_as(found.model, speaker)
    assert after[0] >= before[0]
    assert after[1] >= before[1], "and the same where no method helps"


@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_method_may_be_asked_for(built, tmp_path, kind):
    method = Method(kind, "diagonal", 8.0)
    found = enroll(takes_of(tmp_path, built), built, method)
    assert found.method == method
    assert found.why == f"{method}, as asked"
    assert heard_as(found.model)[1] > heard_as(built)[1]


def test_no_method_is_the_base_itself(built, tmp_path):
    found = enroll(takes_of(tmp_path, built), built, Method("none"))
    assert found.model is built
    assert found.after is found.before
    assert found.why == "no adaptation, as asked"


def test_the_base_is_left_alone(built, tmp_path):
    before = built.fingerprint
    own = enroll(takes_of(tmp_path, built), built).model
    assert built.fingerprint == before != own.fingerprint
    for name in ("words", "calibration", "rejection", "endpointer"):
        assert getattr(own, name) is getattr(built, name)
    assert own.acoustics.chain is built.acoustics.chain


def test_the_same_takes_give_the_same_model_to_the_last_bit(built, tmp_path):
    one = enroll(takes_of(tmp_path / "1", built, takes=(0, 1)), built)
    other = enroll(takes_of(tmp_path / "2", built, takes=(0, 1)), built)
    same_models(one.model, other.model)
    assert one.model.fingerprint == other.model.fingerprint
    assert (one.method, one.why) == (other.method, other.why)
    np.testing.assert_array_equal(one.after.scores, other.after.scores)


@pytest.mark.parametrize("method", [None, USUAL, Method("cmllr-map", "diagonal")])
def test_the_order_of_the_takes_does_not_matter(built, tmp_path, method):
    takes = takes_of(tmp_path, built, takes=(0, 1))
    one = enroll(takes, built, method)
    other = enroll([takes[i] for i in np.random.default_rng(0).permutation(len(takes))], built, method)
    assert one.method == other.method
    same_models(one.model, other.model, rtol=1e-5, atol=1e-5)


def test_one_take_is_enough_to_start(built, tmp_path):
    found = enroll(takes_of(tmp_path, built, words=["rise"]), built)
    assert found.why == f"{USUAL}, the usual method: 1 take is too few to compare it with others"
    assert found.after is None
    assert found.doubts == ()
    assert heard_as(found.model)[1] > heard_as(built)[1]


def test_with_too_few_takes_nothing_is_compared(built, tmp_path):
    takes = takes_of(tmp_path, built)
    few = enroll(takes[: FEWEST - 1], built)
    assert few.after is None
    assert f"{FEWEST - 1} takes are too few" in few.why
    assert enroll(takes[:FEWEST], built).after is not None


def test_no_take_says_so(built):
    with pytest.raises(AdaptationError, match="there is no take to learn from; record some"):
        enroll([], built)


def test_all_readings_of_all_takes_are_learned_from_each_counting_for_its_share(built, tmp_path):
    used = takes_of(tmp_path, built)
    own = enroll(used, built, USUAL).model
    features = [finished(own.front_end, f, take.analysis.speech) for take in used for f in take.analysis.features]
    words = np.repeat([take.word for take in used], len(READINGS))
    expected = adapt(built.acoustics, chunks_of(features, words), USUAL, enrollment.SHARE)
    same_bank(own.acoustics.bank, expected.bank, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("takes", [(0,), (0, 1)])
def test_before_is_what_the_base_says_of_the_takes(built, tmp_path, takes):
    used = takes_of(tmp_path, built, takes=takes)
    found = enroll(used, built)
    features = [finished(built.front_end, take.analysis.features[0], take.analysis.speech) for take in used]
    np.testing.assert_array_equal(found.before.scores, score_words(built.acoustics, features))
    assert list(found.before.words) == [number for number in range(len(WORDS)) for _ in takes]
    assert list(found.before.frames) == [len(f) for f in features]


# Refused takes


def test_takes_that_cannot_be_learned_from_are_named(built, tmp_path):
    quiet = np.random.default_rng(0).normal(0, 1e-4, 8000)
    sounds = {"quiet": quiet, "short": say("rise")[:100], "foreign": say("hum"), "good": say("hum")}
    paths = {name: write(tmp_path / f"{name}.wav", samples) for name, samples in sounds.items()}
    paths |= {"corrupt": tmp_path / "corrupt.wav", "missing": tmp_path / "missing.wav"}
    paths["corrupt"].write_bytes(b"RIFF no sound at all")
    said = {"foreign": "sieben"}
    usable, refused = analyse_takes([Utterance(p, said.get(name, "hum"), "zoe") for name, p in paths.items()], built)
    assert [take.path for take in usable] == [paths["good"]]
    assert usable[0].word == WORDS.index("hum")
    assert len(usable[0].analysis.features) == len(READINGS)
    reasons = dict(zip([name for name in paths if name != "good"], refused))
    assert reasons["quiet"] == f"{paths['quiet']}: too quiet; record it again"
    assert reasons["short"] == f"{paths['short']}: too short; record it again"
    assert reasons["foreign"] == f"{paths['foreign']}: the model has no word 'sieben'"
    for name in ("corrupt", "missing"):
        assert str(paths[name]) in reasons[name]
    assert all(reason.isprintable() for reason in refused)


def test_a_take_with_fewer_frames_than_a_word_has_states_is_too_short(built, tmp_path):
    utterance = recorded(tmp_path, words=["hum"])[0]
    takes, _ = analyse_takes([utterance], built)
    frames = takes[0].analysis.features[0].shape[0]
    for states, usable in ((frames, True), (frames + 1, False)):
        longer = replace(built, acoustics=replace(built.acoustics, chain=Chain.of_topology(len(WORDS), states)))
        takes, refused = analyse_takes([utterance], longer)
        assert bool(takes) is usable
        assert refused == ([] if usable else [f"{utterance.path}: too short for a word; record it again"])


def test_a_take_with_another_label_among_many_is_doubted(built, tmp_path):
    takes = takes_of(tmp_path, built, "eve", takes=range(3))
    assert enroll(takes, built).doubts == ()
    wrong = replace(takes[0], word=WORDS.index("peep"))
    found = enroll([wrong, *takes[1:]], built)
    assert found.doubts == (Doubt(wrong.path, "peep", "fall"),)
    assert str(found.doubts[0]) == f"{wrong.path}: labelled 'peep' but sounds like 'fall'"


def test_a_doubt_needs_the_base_and_the_other_takes_to_agree(built, tmp_path):
    takes = takes_of(tmp_path, built, "eve")
    words = np.array([take.word for take in takes])
    sure = np.where(np.eye(4)[words] > 0, 0.0, -200.0)
    wrong, nobody = np.roll(sure, 1, axis=1), np.zeros((4, 4))
    outcomes = {
        name: Outcome(USUAL, words, x, np.full(4, 40)) for name, x in [("r", sure), ("w", wrong), ("n", nobody)]
    }
    doubts = {(a, b): len(enrollment._doubts(takes, built, outcomes[a], outcomes[b])) for a in "rwn" for b in "rwn"}
    assert doubts[("w", "w")] == 4
    assert sum(doubts.values()) == 4 + doubts[("n", "w")]  # where all are alike, the first is the best
    assert enrollment._doubts(takes, built, outcomes["w"], None) == ()


# The speaker's mean


def test_the_mean_of_a_speaker_is_that_of_the_speech_and_of_frames_of_the_old_one(built):
    analyses = [static(built, say(word, "zoe")) for word in WORDS]
    found = with_speaker_mean(built.front_end, analyses)
    frames = [a.features[0][t] for a in analyses for t in range(*a.speech)]
    old = np.array(built.front_end.mean)
    expected = (np.sum(frames, axis=0, dtype=float) + MEAN_PRIOR * old) / (len(frames) + MEAN_PRIOR)
    np.testing.assert_allclose(found.mean, expected, rtol=1e-6)
    assert found.mean_weight == MEAN_WEIGHT
    assert replace(found, mean=built.front_end.mean, mean_weight=built.front_end.mean_weight) == built.front_end


# Without labels


def unlabelled(model, speaker="zoe", takes=range(2), words=WORDS):
    return [static(model, say(word, speaker, take)) for word in words for take in takes]


def test_easy_speech_labels_itself_right(built):
    found = self_adapt(unlabelled(built, "eve", range(3)), built)
    assert list(found.words) == [w for w in range(4) for _ in range(3)]
    assert 1 <= found.passes <= PASSES
    assert heard_as(found.model, "eve")[1] > heard_as(built, "eve")[1]
    assert heard_as(found.model, "eve")[0] >= heard_as(built, "eve")[0]


@pytest.mark.parametrize(("speaker", "all_sure"), [("eve", True), ("zoe", False)])
def test_the_result_is_the_base_fitted_to_what_it_was_sure_of(built, speaker, all_sure):
    analyses = unlabelled(built, speaker)
    found = self_adapt(analyses, built)
    again = self_adapt(analyses, built)
    assert found.model.fingerprint == again.model.fingerprint
    features = [finished(found.model.front_end, a.features[0], a.speech) for a in analyses]
    np.testing.assert_array_equal(sure_words(found.model, features), found.words)
    sure = np.flatnonzero(found.words >= 0)
    assert (len(sure) == len(features)) is all_sure
    chunks = chunks_of([features[i] for i in sure], found.words[sure])
    method = USUAL if len(sure) >= ENOUGH_TO_MAP * len(WORDS) else Method("mllr")
    same_bank(found.model.acoustics.bank, adapt(built.acoustics, chunks, method).bank, rtol=1e-9, atol=1e-9)


def test_silence_and_foreign_sounds_are_passed_over(built):
    random = np.random.default_rng(1)
    quiet = 1e-4 * random.standard_normal(8000)
    clicks = quiet.copy()
    clicks[2000:6000] += 0.3 * random.standard_normal(4000) * (random.random(4000) < 0.01)
    strangers = [static(built, sound) for sound in (quiet, clicks, say("rise")[:50])]
    assert [a.reason for a in strangers] == ["too quiet", None, "too short"]
    found = self_adapt([strangers[0], *unlabelled(built, "eve", [0]), *strangers[1:]], built)
    assert list(found.words) == [-1, 0, 1, 2, 3, -1, -1]


def test_only_foreign_sounds_leave_the_models_as_they_are(built):
    random = np.random.default_rng(2)
    sounds = []
    for _ in range(3):
        noise = np.zeros(8000)
        noise[2000:6000] = 0.3 * random.standard_normal(4000)
        sounds.append(static(built, noise))
    found = self_adapt(sounds, built)
    assert list(found.words) == [-1, -1, -1]
    assert found.passes == 1
    assert found.model.acoustics is built.acoustics


@pytest.mark.parametrize("sounds", [[], ["quiet"], ["quiet", "short"]])
def test_no_speech_at_all_says_so(built, sounds):
    made = {"quiet": np.zeros(8000), "short": np.zeros(10)}
    with pytest.raises(AdaptationError, match="there is no speech to adapt to in any of the recordings; record some"):
        self_adapt([static(built, made[name]) for name in sounds], built)


def test_answers_that_never_settle_end_after_the_last_pass(built, monkeypatch):
    answers = iter(range(100))

    def restless(model, features, *_):
        return np.full(len(features), next(answers) % 2)

    monkeypatch.setattr("recognizer.adaptation.unlabelled.sure_words", restless)
    found = self_adapt(unlabelled(built, "eve", [0]), built)
    assert found.passes == PASSES
    assert set(found.words) == {(PASSES - 1) % 2}


def test_without_rejection_only_the_probability_counts(built):
    plain = replace(built, rejection=None)
    analyses = unlabelled(plain, "eve", [0])
    features = [finished(plain.front_end, a.features[0], a.speech) for a in analyses]
    probable = posteriors(score_words(plain.acoustics, features), plain.calibration)
    expected = np.where(probable.max(1) >= SURE, probable.argmax(1), -1)
    np.testing.assert_array_equal(sure_words(plain, features), expected)
    assert (expected >= 0).any()


def test_takes_found_in_a_folder_are_learned_from(built, tmp_path):
    for utterance in recorded(tmp_path):
        assert utterance.path.exists()
    usable, refused = analyse_takes(find(tmp_path, known=built.words), built)
    assert [WORDS[take.word] for take in usable] == sorted(WORDS)
    assert refused == []


def test_the_warp_that_undoes_a_warp_is_found(built, tmp_path):
    """To a model that reads everything stretched, the same voice needs the stretch taken back."""
    utterances = [Utterance(write(tmp_path / f"{word}.wav", say(word, "carl", 60)), word, None) for word in WORDS]
    usual = best_warp(utterances, built)
    stretched = replace(built, front_end=replace(built.front_end, warp=1 / 1.12))
    assert best_warp(utterances, stretched) == pytest.approx(1.12 * usual, abs=0.05)
    assert best_warp(utterances[:1], stretched) == 1, "of one take nothing is left to try it on"
    assert best_warp([], stretched) == best_warp([Utterance(tmp_path / "none.wav", "hum", None)], stretched) == 1


@pytest.mark.parametrize(
    ("gains", "warp"),
    [
        ([3.0, 3.0, 3.0], 1.12),
        ([10.0, -1.0], 1.0),  # the likeliest in all, by one take: without it there is nothing for it
        ([10.0, -1.0, 2.0], 1.12),  # without the first, there is still a little
        ([-1.0, -1.0], 1.0),
        ([0.0, 0.0], 1.0),
    ],
)
def test_a_warp_must_make_takes_likelier_that_it_was_not_chosen_by(built, monkeypatch, gains, warp):
    by_warp = {1.0: np.zeros(len(gains)), 1.12: np.array(gains)}

    def likelihood(utterances, model, warps, jobs):
        return np.stack([by_warp.get(warp, np.full(len(gains), -9.0)) for warp in warps])

    monkeypatch.setattr("recognizer.adaptation.vtln._likelihood", likelihood)
    assert best_warp([Utterance(None, "hum", None)] * len(gains), built) == warp
