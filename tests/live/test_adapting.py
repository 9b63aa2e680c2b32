"""What is learned from answers is what the statistics of all of them ask for, and is taken back without a trace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from extracting import extract
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import RATE, WORDS, say

from recognizer.acoustics import recursions
from recognizer.adaptation.method import Method, maximise, tree_of
from recognizer.adaptation.unlabelled import sure_words
from recognizer.corpus import find
from recognizer.live.adapting import METHOD, Adaptation
from recognizer.recognition.result import Result
from recognizer.recognizer import Recognizer
from recognizer.sound import audio
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings
from recognizer.training.training import accumulate, chunks_of

Said = tuple[np.ndarray, Result]


@pytest.fixture(scope="module", params=["states of their own", "tied states"])
def recognizer(request, built, recordings) -> Recognizer:
    if request.param == "states of their own":
        return Recognizer(built)
    chosen = TrainingSettings(mixtures=2, tie=12)
    return Recognizer(build(find(recordings), settings=chosen, few=False)[0])


@pytest.fixture(scope="module")
def said(recognizer) -> list[Said]:
    """Utterances of an unheard speaker with the recognizer's answers, all of them right and sure."""
    spoken = [audio.sixteen_bits(say(word, take=take)) for take in (20, 21) for word in WORDS]
    answers = [recognizer.recognize(samples, RATE) for samples in spoken]
    assert [answer.word for answer in answers] == [*WORDS, *WORDS]
    assert all(sure(recognizer, samples) == answer.word for samples, answer in zip(spoken, answers))
    return list(zip(spoken, answers))


def sure(recognizer: Recognizer, samples: np.ndarray) -> str | None:
    """What may be learned from, by the same rule as where nobody labelled the recordings."""
    model = recognizer.model
    analysis = model.analyser.analyse(audio.prepare(samples, RATE, RATE))
    [word] = sure_words(model, analysis.features)
    return model.words[word] if word >= 0 else None


def learned_from(recognizer: Recognizer, said: list[Said]) -> Adaptation:
    adaptation = Adaptation(recognizer)
    for samples, answer in said:
        assert adaptation.learn(samples, answer)
    assert adaptation.learned == len(said)
    return adaptation


def test_the_models_are_those_that_all_statistics_ask_for(recognizer, said):
    model = recognizer.model
    own = learned_from(recognizer, said).recognizer.model
    features = [extract(model.front_end, *heard(model, samples)) for samples, _ in said]
    words = np.array([model.words.index(answer.word) for _, answer in said])
    statistics = accumulate(model.acoustics, chunks_of(features, words), recursions.soft_posteriors)
    expected = maximise(model.acoustics, statistics, METHOD, tree_of(model.acoustics))
    bank = own.acoustics.bank
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(bank, name), getattr(expected.bank, name), rtol=1e-4, atol=1e-4)
    assert own.front_end == model.front_end
    assert replace(own, acoustics=model.acoustics) == model


def heard(model, samples: np.ndarray) -> tuple[np.ndarray, float, tuple[int, int]]:
    """The word in an utterance, as the front end takes it."""
    loaded = audio.prepare(samples, RATE, RATE)
    start, end = model.endpointer.widen(model.endpointer.find(loaded.samples, RATE), len(loaded.samples), RATE)
    return loaded.samples[start:end], 1.0, model.analyser.analyse(loaded).speech


def test_what_was_said_becomes_likelier(recognizer, said):
    own = learned_from(recognizer, said).recognizer
    for samples, answer in said:
        after = own.recognize(samples, RATE)
        assert after.word == answer.word
        assert after.nbest[0].score > answer.nbest[0].score


def test_the_recognizer_that_it_began_with_stays(recognizer, said):
    fingerprint, speaker = recognizer.model.fingerprint, replace(recognizer, speaker="eve")
    adaptation = learned_from(speaker, said)
    assert speaker.model.fingerprint == fingerprint != adaptation.recognizer.model.fingerprint
    assert adaptation.recognizer.speaker == "eve"


@pytest.mark.parametrize(
    "changes",
    [
        {"word": "hum"},
        {"accepted": False, "word": None, "reason": "two words too close"},
        {"accepted": False, "word": None, "reason": "sounds like no word"},
    ],
)
def test_nothing_is_learned_from_what_is_not_sure(recognizer, said, changes):
    adaptation = Adaptation(recognizer)
    samples, answer = said[0]
    assert not adaptation.learn(samples, replace(answer, **changes))
    assert adaptation.learned == 0
    assert adaptation.recognizer is recognizer


def test_nothing_is_learned_from_what_the_first_models_would_not_say(recognizer, said):
    """Or a mistake would make itself ever surer."""
    adaptation = Adaptation(recognizer)
    samples, answer = said[0]
    assert not adaptation.learn(samples, replace(said[1][1], confidence=1.0))
    assert not adaptation.learn(say("peep")[::7], replace(answer, confidence=1.0))
    assert not Adaptation(recognizer, words=WORDS[1:], threshold=0).learn(samples, answer)
    assert not Adaptation(recognizer, threshold=1.0).learn(samples, answer)
    assert adaptation.learned == 0
    assert adaptation.learn(samples, answer)


@settings(max_examples=20, deadline=None)
@given(steps=st.lists(st.one_of(st.integers(0, 7), st.just("undo"), st.just("reset")), max_size=10))
def test_what_is_taken_back_leaves_no_trace(recognizer, said, steps):
    """To the last bit, the models are those of a session in which only the rest was said."""
    adaptation, left = Adaptation(recognizer), []
    for step in steps:
        if step == "undo":
            assert adaptation.undo() == (left.pop()[1].word if left else None)
        elif step == "reset":
            adaptation.reset()
            left.clear()
        else:
            left.append(said[step])
            assert adaptation.learn(*said[step])
    assert adaptation.learned == len(left)
    assert adaptation.recognizer.model.fingerprint == learned_from(recognizer, left).recognizer.model.fingerprint
    if not left:
        assert adaptation.recognizer is recognizer


def test_only_so_many_can_be_taken_back_one_by_one(recognizer, said, monkeypatch):
    monkeypatch.setattr("recognizer.live.adapting.KEPT", 2)
    adaptation = learned_from(recognizer, said[:5])
    assert len(adaptation._recent) == 2, "the others are one sum, however many they are"
    assert [adaptation.undo() for _ in range(3)] == [WORDS[4 % 4], WORDS[3], None]
    assert adaptation.learned == 3
    first = learned_from(recognizer, said[:3])
    assert adaptation.recognizer.model.fingerprint == first.recognizer.model.fingerprint
    adaptation.reset()
    assert adaptation.learned == 0
    assert adaptation.recognizer is recognizer
    assert adaptation.learn(*said[0])
    alone = learned_from(recognizer, said[:1])
    assert adaptation.recognizer.model.fingerprint == alone.recognizer.model.fingerprint


def test_it_goes_on_from_a_profile(enroll, recognizer, said):
    own = Recognizer(enroll("eve"), "eve")
    samples, _ = said[0]
    adaptation = Adaptation(own)
    assert adaptation.learn(samples, own.recognize(samples, RATE))
    assert adaptation.recognizer.model.front_end == own.model.front_end != recognizer.model.front_end
    adaptation.undo()
    assert adaptation.recognizer is own


def test_another_method(recognizer, said):
    adaptation = Adaptation(recognizer, Method("map", tau=1.0))
    assert adaptation.learn(*said[0])
    bank, base = adaptation.recognizer.model.acoustics.bank, recognizer.model.acoustics.bank
    changed = (bank.means != base.means).any((1, 2))
    rows = np.unique(recognizer.model.acoustics.rows(0))
    assert set(np.flatnonzero(changed)) <= set(rows), "MAP moves what was heard alone"
    assert changed.any()
