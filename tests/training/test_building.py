"""Models are built from a made-up language and must hear what they were not shown."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import permutations
from operator import eq
from pathlib import Path

import numpy as np
import pytest
from synthetic import RATE, SPEAKERS, WORDS, record, say, write

from recognizer import corpus, parallel
from recognizer.corpus import Utterance
from recognizer.errors import RecognizerWarning, TrainingError
from recognizer.features import analysis
from recognizer.features.front_end import FrontEnd
from recognizer.intervals import wilson
from recognizer.model import Model
from recognizer.recognition.calibration import Calibration
from recognizer.recognizer import Recognizer
from recognizer.sound import audio
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.perturbation import MILD, NOISE, VTLP, Perturbation
from recognizer.training import building, trials
from recognizer.training.augmentation import KINDS, Augmentation
from recognizer.training.building import FEW_TAKES, corpus_rate
from recognizer.training.trials import Refusal

build = partial(building.build, few=False)  # what many recordings get; few are made here, to be quick


@pytest.fixture(scope="module")
def utterances(recordings) -> list[Utterance]:
    return corpus.find(recordings)


def right(model: Model, names: dict[str, str] | None = None, speakers: Iterable[str] = (*SPEAKERS, "eve")) -> float:
    """Share of right answers to words that no training saw."""
    said = [(word, speaker, take) for word in WORDS for speaker in speakers for take in (50, 51)]
    hear = Recognizer(model).recognize
    answers = [hear(say(*utterance), RATE).word == (names or {}).get(utterance[0], utterance[0]) for utterance in said]
    return float(np.mean(answers))


def never_falls(model: Model) -> bool:
    return all((np.diff(curve) > -1e-9).all() for curve in model.acoustics.history.values())


# What comes out


def test_words_that_training_did_not_see_are_heard(built):
    assert right(built) == 1
    assert built.words == WORDS
    assert never_falls(built)


def test_a_speaker_who_was_left_out_is_heard(utterances, small):
    for speaker in SPEAKERS:
        model, refused = build([u for u in utterances if u.speaker != speaker], settings=small)
        assert refused == []
        assert right(model, speakers=[speaker]) == 1


def test_what_the_caller_chooses_is_in_the_model(utterances, small):
    front_end = FrontEnd(sample_rate=RATE, filters=20, cepstra=10)
    endpointer = Endpointer(margin=0.05)
    settings = replace(small, states=3, mixtures=2)
    model, _ = build(utterances, front_end=front_end, endpointer=endpointer, settings=settings, card={"licence": "CC0"})
    assert replace(model.front_end, mean=(), deviation=()) == front_end
    assert len(model.front_end.mean) == len(model.front_end.deviation) == 10
    assert model.endpointer == endpointer
    assert model.acoustics.states == 3
    assert model.acoustics.bank.means.shape == (len(WORDS) * 3 + 1, 2, 30)
    assert model.card["licence"] == "CC0"
    assert right(model) == 1


def test_the_card_tells_what_the_model_was_made_from(utterances, small):
    model, _ = build(utterances, settings=small)
    assert model.card["utterances"] == len(utterances)
    assert model.card["speakers"] == len(SPEAKERS)
    assert model.card["perturbations"] == []
    assert date.fromisoformat(model.card["made"]) <= date.today()
    nobody, _ = build([replace(u, speaker=None) for u in utterances], settings=small)
    assert nobody.card["speakers"] is None


def test_progress_is_told(utterances, small):
    told = []
    build(utterances, settings=small, progress=lambda *step: told.append(step))
    stages = list(dict.fromkeys(stage for stage, *_ in told))
    assert stages == ["analysis", "viterbi", "baum-welch"]
    for stage in stages:
        done = [step[1] for step in told if step[0] == stage]
        assert done == list(range(1, len(done) + 1))
    assert all(done <= total for _, done, total, _ in told)
    assert sum(stage == "analysis" for stage, *_ in told) == len(utterances)


# The same again


def test_the_same_recordings_give_the_same_model(utterances, small, monkeypatch):
    once, _ = build(utterances, settings=small)
    assert build(utterances, settings=small)[0].fingerprint == once.fingerprint
    monkeypatch.setattr(parallel, "WORTH", 1)
    assert build(utterances, settings=small, jobs=2)[0].fingerprint == once.fingerprint


def test_where_the_recordings_lie_does_not_matter(utterances, small, tmp_path):
    moved = corpus.find(record(tmp_path / "elsewhere"))
    assert build(moved, settings=small)[0].fingerprint == build(utterances, settings=small)[0].fingerprint


# Recordings that cannot be used


def bad_files(folder: Path, word: str = "hum") -> dict[Path, str]:
    """Recordings of a word from which nothing can be learnt, and a part of the reason."""
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("no sound")
    return {
        folder / "missing.wav": "no such file",
        folder / "empty.wav": "0 bytes",
        folder / "text.wav": "not sound",
        write(folder / "zeros.wav", np.zeros(RATE)): "no speech found; record it again, or leave it out",
        write(folder / "short.wav", np.ones(20)): "too short to hold a word; record it again, or leave it out",
        write(folder / "few.wav", say(word)[2000:2300]): "frames, fewer than the 5 states of a word; record it longer",
        write(folder / "nan.wav", np.array([0, np.nan]), subtype="FLOAT"): "nan",
    }


def test_bad_recordings_are_named_and_change_nothing(utterances, small, built, tmp_path):
    bad = bad_files(tmp_path)
    mixed = [*utterances, *(Utterance(path, "hum", None) for path in bad)]
    mixed = [mixed[i] for i in np.random.default_rng(0).permutation(len(mixed))]
    good_only = [u for u in mixed if u.path not in bad]
    model, refused = build(mixed, settings=small)
    assert [refusal.utterance for refusal in refused] == [u for u in mixed if u.path in bad]
    for refusal in refused:
        assert refusal.reason.startswith(f"{refusal.utterance.path}: ")
        assert bad[refusal.utterance.path] in refusal.reason
        assert refusal.reason.isprintable()
        assert "; " in refusal.reason
    assert model.fingerprint == build(good_only, settings=small)[0].fingerprint
    assert model.card["utterances"] == len(utterances)


def test_the_reason_stays_one_line_whatever_the_name(utterances, small, tmp_path):
    odd = Utterance(write(tmp_path / "a\nb.wav", np.zeros(RATE)), "hum", None)
    _, refused = build([*utterances, odd], settings=small)
    assert refused == [Refusal(odd, refused[0].reason)]
    assert refused[0].reason.isprintable()


def test_a_word_without_a_usable_recording(utterances, small, tmp_path):
    lost = [Utterance(path, word, None) for path in bad_files(tmp_path) for word in ("lost", "gone")]
    with pytest.raises(TrainingError) as caught:
        build([*utterances, *lost], settings=small)
    text = str(caught.value)
    assert "'gone', 'lost'" in text
    assert str(tmp_path) in text, "one of the reasons is told"
    assert "add one or leave the word out" in text
    assert "hum" not in text
    assert text.isprintable()


def test_nothing_at_all(small):
    with pytest.raises(TrainingError, match="nothing to train from"):
        build([], settings=small)


def test_too_many_states(utterances, small):
    with pytest.raises(TrainingError, match=r"no usable recording of 'fall', 'hum', .* with fewer states"):
        build(utterances, settings=replace(small, states=100))


# Few recordings


def test_one_word(utterances, small):
    model, _ = build([u for u in utterances if u.word == "rise"], settings=small)
    assert model.words == ("rise",)
    result = Recognizer(model).recognize(say("rise"), RATE)
    assert (result.word, len(result.nbest)) == ("rise", 1)
    assert result.confidence == pytest.approx(1, abs=0.01)


def test_one_recording_of_a_word(utterances, small):
    first = [u for u in utterances if u.word != "rise" or (u.speaker, u.path.stem[-1]) == ("anna", "0")]
    assert len(first) == len(utterances) - 11
    model, _ = build(first, settings=small)
    assert right(model) == 1


def test_one_recording_of_every_word(tmp_path, small):
    files = record(tmp_path / "c", speakers=["carl"], takes=1)
    model, refused = build(corpus.find(files), settings=small)
    assert refused == []
    assert right(model, speakers=["carl"]) == 1
    assert never_falls(model)


def test_identical_recordings(tmp_path, small):
    """Nothing varies: variances come from their floors, and nothing divides by zero."""
    same = [
        Utterance(write(tmp_path / word / f"{take}.wav", say(word, "carl")), word, None)
        for word in WORDS
        for take in range(6)
    ]
    model, _ = build(same, settings=small)
    assert right(model, speakers=["carl"]) == 1
    assert (model.acoustics.bank.variances > 0).all()


def test_two_words_that_sound_the_same(utterances, small):
    """Neither can win; both are as probable as the recordings say."""
    twins = [replace(u, word=name) for u in utterances for name in ((u.word, "twin") if u.word == "hum" else (u.word,))]
    model, _ = build(twins, settings=small)
    nbest = Recognizer(model).recognize(say("hum"), RATE).nbest
    assert {nbest[0].word, nbest[1].word} == {"hum", "twin"}
    assert nbest[0].confidence == pytest.approx(0.5, abs=0.01)


def test_words_without_silence_around_them(tmp_path, small):
    trimmed = [
        Utterance(write(tmp_path / f"{word}{take}.wav", say(word, speaker, take)[2000:-2000]), word, None)
        for word in WORDS
        for speaker in SPEAKERS
        for take in range(3)
    ]
    model, refused = build(trimmed, settings=small)
    assert refused == []
    hear = Recognizer(model).recognize
    assert [hear(say(word)[2000:-2000], RATE).word for word in WORDS] == list(WORDS)


def test_few_recordings_for_many_gaussians_warn(utterances, small):
    with pytest.warns(RecognizerWarning, match="fewer than 30 Gaussians") as caught:
        model, _ = build(utterances, settings=replace(small, mixtures=30))
    assert len(caught) == 1
    assert right(model) == 1


# Labels


def test_words_of_any_script(utterances, small, tmp_path):
    names = {"fall": "语言", "hum": "语音", "peep": "наверх", "rise": "घर की ओर"}
    model, _ = build([replace(u, word=names[u.word]) for u in utterances], settings=small)
    assert model.words == tuple(sorted(names.values()))
    assert right(model, names) == 1
    model.save(tmp_path / "m.npz")
    assert right(Model.load(tmp_path / "m.npz"), names) == 1


def test_two_unicode_forms_of_a_word_are_one(tmp_path, small):
    for number, form in enumerate(("NFC", "NFD")):
        for take in range(3):
            word = unicodedata.normalize(form, "né")
            write(tmp_path / f"{word}_anna_{number}{take}.wav", say("rise", take=take))
            write(tmp_path / f"non_anna_{number}{take}.wav", say("fall", take=take))
    model, _ = build(corpus.find(tmp_path), settings=small)
    assert model.words == ("non", "né")
    assert Recognizer(model).recognize(say("rise", take=9), RATE).word == "né"


# Copies


@pytest.mark.parametrize("perturbations", [VTLP, NOISE])
def test_copies_are_trained_on_but_are_no_recordings(utterances, small, trainings, perturbations):
    plain, _ = build(utterances, settings=small)
    model, refused = build(utterances, settings=small, perturbations=perturbations)
    assert refused == []
    assert trainings == [len(utterances), len(utterances) * (1 + len(perturbations))]
    assert model.fingerprint != plain.fingerprint
    assert [Perturbation(**copy) for copy in model.card["perturbations"]] == list(perturbations)
    assert model.card["utterances"] == len(utterances)
    assert model.front_end == plain.front_end, "the mean is that of the recordings"
    assert right(model) == 1
    assert never_falls(model)
    assert build(utterances, settings=small, perturbations=perturbations)[0].fingerprint == model.fingerprint


def test_drawn_copies_are_the_same_on_two_processes(utterances, small, trainings, monkeypatch):
    monkeypatch.setattr(parallel, "WORTH", 2)
    monkeypatch.setattr(analysis, "FILES_AT_ONCE", 16)
    drawing = Augmentation(KINDS, copies=2)
    one, two = (build(utterances, settings=small, augmentation=drawing, jobs=jobs)[0] for jobs in (1, 2))
    assert trainings == 2 * [3 * len(utterances)]
    assert one.fingerprint == two.fingerprint
    assert one.card["augmentation"] == drawing.as_json()
    assert "augmentation" not in build(utterances, settings=small)[0].card
    assert right(one) == 1
    assert never_falls(one)


def test_copies_hurried_to_too_few_frames_are_left_out_alone(utterances, small, trainings, monkeypatch):
    monkeypatch.setattr("recognizer.training.augmentation.PACES", (20.0,))
    _, refused = build(utterances, settings=small, augmentation=Augmentation(("pace",)))
    assert refused == []
    assert trainings == [len(utterances)]


def test_a_copy_that_changes_nothing_changes_no_mean(utterances, small):
    once, _ = build(utterances, settings=small)
    twice, _ = build(utterances, settings=small, perturbations=[Perturbation()])
    for name in ("weights", "means", "variances"):
        bank, other = once.acoustics.bank, twice.acoustics.bank
        np.testing.assert_allclose(getattr(other, name), getattr(bank, name), rtol=1e-3, atol=1e-3)


def test_other_vocal_tracts_are_closer_to_warped_copies(utterances, small):
    """A voice a fifth deeper or higher than all others scores better where warps were trained on."""
    plain, _ = build(utterances, settings=small)
    warped, _ = build(utterances, settings=small, perturbations=VTLP)

    def score(model: Model, factor: float) -> float:
        stretched = [say(word, "carl", rate=round(RATE / factor)) for word in WORDS]
        results = [Recognizer(model).recognize(samples, RATE) for samples in stretched]
        return float(np.mean([{c.word: c.score for c in r.nbest}[w] for w, r in zip(WORDS, results)]))

    for factor in (0.8, 1.25):
        assert score(warped, factor) > score(plain, factor)


def test_noise_is_closer_to_noisy_copies(utterances, small):
    plain, _ = build(utterances, settings=small)
    noisy, _ = build(utterances, settings=small, perturbations=NOISE)
    noise = np.random.default_rng(0).standard_normal(2 * RATE) * 0.05

    def score(model: Model) -> float:
        heard = [Recognizer(model).recognize(s + noise[: len(s)], RATE) for s in map(say, WORDS)]
        return float(np.mean([{c.word: c.score for c in r.nbest}[w] for w, r in zip(WORDS, heard)]))

    assert score(noisy) > score(plain)


# Rates


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([8000], 8000),
        ([16000], 16000),
        ([44100], 16000),
        ([11025], 8000),
        ([8000, 16000, 16000], 16000),
        ([8000, 8000, 16000], 8000),
        ([48000, 48000, 8000], 16000),
    ],
)
def test_the_rate_is_that_of_most_recordings(tmp_path, rates, expected):
    """Whatever cannot be opened has no say."""
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "headerless.raw").write_bytes(bytes(1000))
    unreadable = [tmp_path / name for name in ("missing.wav", "text.wav", "headerless.raw")] + [tmp_path]
    files = [write(tmp_path / f"{n}.wav", np.zeros(10), rate) for n, rate in enumerate(rates)]
    assert corpus_rate([Utterance(path, "x", None) for path in (*unreadable, *files)]) == expected
    assert corpus_rate([Utterance(path, "x", None) for path in unreadable]) == 8000


def test_a_corpus_of_many_rates(tmp_path, small):
    files = [
        Utterance(write(tmp_path / f"{word}{rate}.wav", say(word, rate=rate), rate), word, None)
        for word in WORDS
        for rate in (16000, 22050, 48000)
    ]
    model, _ = build(files, settings=small)
    assert model.front_end.sample_rate == 16000
    hear = Recognizer(model).recognize
    assert [hear(say(word, rate=44100, take=9), 44100).word for word in WORDS] == list(WORDS)


# Calibration


@pytest.fixture
def little_is_enough(monkeypatch):
    monkeypatch.setattr("recognizer.training.trials.FEWEST_TO_CALIBRATE", 8)
    monkeypatch.setattr("recognizer.training.trials.FEWEST_TO_REJECT", 8)


@pytest.fixture
def trainings(monkeypatch) -> list[int]:
    """The number of utterances of every training."""
    sizes, train = [], trials.train

    def counting(features, *arguments, **options):
        sizes.append(len(features))
        return train(features, *arguments, **options)

    monkeypatch.setattr(trials, "train", counting)
    return sizes


def test_a_third_of_the_speakers_is_held_out(utterances, small, little_is_enough, trainings):
    model, _ = build(utterances, settings=small)
    held_out = model.card["held_out"]
    assert held_out["n"] == len(utterances) // len(SPEAKERS), "one of four speakers"
    others = [len(utterances) - held_out["n"], len(utterances) // 2]  # the other thirds, of one speaker and of two
    assert trainings == [len(utterances) - held_out["n"], *others, len(utterances)]
    assert held_out["unseen"] == "speakers"
    assert held_out["accuracy"] == 1
    assert held_out["interval"] == pytest.approx(wilson(held_out["n"], held_out["n"]))
    assert 0 < model.calibration.scale <= 1
    assert model.calibration != Calibration()


@pytest.mark.parametrize("speaker", [None, "anna"])
def test_a_third_of_the_takes_is_held_out_where_speakers_are_few(
    utterances, small, little_is_enough, trainings, speaker
):
    model, _ = build([replace(u, speaker=speaker) for u in utterances], settings=small)
    assert model.card["held_out"]["unseen"] == "takes"
    assert model.card["held_out"]["n"] == len(utterances) // 3
    assert trainings == [len(utterances) * 2 // 3] * 3 + [len(utterances)]


def test_trials_end_when_they_have_held_out_enough(utterances, small, little_is_enough, trainings):
    models = [build(utterances, settings=small, enough=enough)[0] for enough in (1, 13, 25)]
    assert trainings == [36, 36, 48, 36, 36, 48, 36, 36, 24, 48], "one speaker is never enough"
    assert len({model.rejection.bias for model in models}) == 2
    assert len({model.card["held_out"]["n"] for model in models}) == 1


def test_few_recordings_keep_the_default_calibration(utterances, small, trainings):
    model, _ = build(utterances, settings=small)
    assert model.calibration == Calibration()
    assert model.card["held_out"] is None
    assert len(trainings) == 1


def test_one_word_needs_no_calibration(utterances, small, little_is_enough):
    model, _ = build([u for u in utterances if u.word == "rise"], settings=small)
    assert model.card["held_out"] is None


def test_a_word_that_is_only_in_the_held_out_part(utterances, small, little_is_enough):
    """The trial does without it, the model has it."""
    only = [u for u in utterances if u.word != "peep" or u.speaker == "bob"]
    model, _ = build(only, settings=small)
    assert model.card["held_out"]["n"] == 9
    assert "peep" in model.words
    assert right(model, speakers=["bob"]) == 1


def test_copies_are_not_tested_on(utterances, small, little_is_enough):
    model, _ = build(utterances, settings=small, perturbations=VTLP)
    assert model.card["held_out"]["n"] == len(utterances) // len(SPEAKERS)


def test_held_out_accuracy_is_that_of_a_model_without_them(utterances, small, little_is_enough):
    """Labels mixed up among the held-out speaker's words are mistakes of the trial."""
    swap = {"fall": "rise", "rise": "fall"}
    mixed = [replace(u, word=swap.get(u.word, u.word)) if u.speaker == "bob" else u for u in utterances]
    assert sorted({u.speaker for u in utterances})[1] == "bob"
    with pytest.warns(RecognizerWarning, match="^a trial got 6 of 12 recordings held out right"):
        model, _ = build(mixed, settings=small)
    assert model.card["held_out"]["accuracy"] == 0.5
    low, high = model.card["held_out"]["interval"]
    assert low < 0.5 < high
    sure, _ = build(utterances, settings=small)
    assert model.calibration.scale < sure.calibration.scale, "who errs should be less confident"


def test_channels_that_were_taken_are_warned_of(utterances, small, tmp_path):
    """And the models are those of the channel with the speech."""
    louder = []
    for utterance in utterances:
        sound = audio.load(utterance.path, RATE).samples
        file = write(tmp_path / utterance.path.name, np.stack([sound, -sound], axis=1), RATE)
        louder.append(replace(utterance, path=file))
    told = rf"heard instead: channel 1 \(left\) of {re.escape(str(louder[0].path))}, .* and of {len(louder) - 3} more$"
    with pytest.warns(RecognizerWarning, match=told) as caught:
        model, refused = build(louder, settings=small, calibrate=False)
    assert len(caught) == 1
    assert not refused
    expected, _ = build(utterances, settings=small, calibrate=False)
    np.testing.assert_allclose(model.acoustics.bank.means, expected.acoustics.bank.means, atol=1e-3)


def test_a_trial_that_is_not_above_chance_warns(utterances, small, little_is_enough):
    """The held-out speaker's words are all named as others are."""
    words = sorted({u.word for u in utterances})
    turned = dict(zip(words, words[1:] + words[:1]))
    mixed = [replace(u, word=turned[u.word]) if u.speaker == "bob" else u for u in utterances]
    told = r"^a trial got 0 of 12 recordings held out right, which is not above chance \(3\): are the labels right\? "
    with pytest.warns(RecognizerWarning, match=told) as caught:
        build(mixed, settings=small)
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)


def warns_of_chance(answers, truth) -> bool:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trials._warn_of_chance(np.array(answers), np.array(truth))
    return bool(caught)


@pytest.mark.parametrize("truth", [[0, 0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 0, 1, 1]])
@pytest.mark.parametrize("wrong", range(6))
def test_chance_is_what_labels_dealt_at_random_would_give(truth, wrong):
    """All ways to deal seven labels, counted."""
    answers = [(label + 1) % 3 if place < wrong else label for place, label in enumerate(truth)]
    right = sum(map(eq, answers, truth))
    dealt = [sum(map(eq, answers, labels)) for labels in permutations(truth)]
    share = np.mean([found >= right for found in dealt])
    if abs(share - 0.05) > 0.02:  # where a thousand deals are enough to tell
        assert warns_of_chance(answers, truth) == (wrong > 0 and share >= 0.05)


def test_who_is_always_right_is_never_told_that_it_was_chance():
    for truth in ([0] * 40, [0] * 40 + [1], [0, 1]):
        assert not warns_of_chance(truth, truth)
    assert warns_of_chance([0] * 41, [0] * 40 + [1]), "guessing the most frequent word"


def test_the_trial_does_not_warn(utterances, small, little_is_enough):
    """Its Gaussians are fewer still, but nobody gets that model."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build(utterances, settings=replace(small, mixtures=30))
    assert len([w for w in caught if issubclass(w.category, RecognizerWarning)]) == 1


def test_few_recordings_are_copied_and_borrow_their_variances(recordings, small):
    utterances = corpus.find(recordings)
    assert len(utterances) <= FEW_TAKES * len({u.word for u in utterances})
    few, _ = building.build(utterances, calibrate=False)
    assert [Perturbation(**p) for p in few.card["perturbations"]] == list(MILD)
    asked, _ = building.build(utterances, calibrate=False, perturbations=(*VTLP, *NOISE))
    assert [Perturbation(**p) for p in asked.card["perturbations"]] == [*VTLP, *NOISE, *MILD[len(NOISE) :]]
    many, _ = building.build(utterances * 4, calibrate=False, settings=small)
    assert many.card["perturbations"] == []


def test_one_take_of_each_word_is_enough_for_the_same_voice(recordings):
    takes = {}
    for u in corpus.find(recordings):
        takes.setdefault((u.speaker, u.word), []).append(u)
    first = [t[0] for (speaker, _), t in takes.items() if speaker == "anna"]
    rest = [u for (speaker, _), t in takes.items() if speaker == "anna" for u in t[1:]]
    model, _ = building.build(first, calibrate=False)
    assert np.isfinite(model.acoustics.bank.variances).all()
    heard = Recognizer(model).recognize_files([u.path for u in rest], threshold=0)
    assert [item.result.word for item in heard] == [u.word for u in rest]


@pytest.mark.parametrize(
    ("words", "states"), [(10_001, 1), (2, 999), (5001, 38)], ids=["words", "states of a word", "states of all"]
)
def test_what_could_not_be_read_again_is_not_trained(tmp_path, words, states):
    """Known before a recording is read, and not when a model that took hours is to be used."""
    utterances = [Utterance(tmp_path / "missing.wav", f"w{number}", None) for number in range(words)]
    with pytest.raises(TrainingError, match=r"no such model can be read again: .*; train with fewer states"):
        build(utterances, front_end=FrontEnd.for_rate(8000), settings=building.TrainingSettings(states=states))
