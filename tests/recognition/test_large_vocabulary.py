"""Large vocabularies against the scores of all words."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from synthetic import RATE, WORDS, say, write

from recognizer import Recognizer
from recognizer.acoustics import fast_match
from recognizer.acoustics.chain import Chain, walk
from recognizer.acoustics.discrete import STREAMS
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.tied import TiedBank
from recognizer.acoustics.word_models import WordModels
from recognizer.corpus import find
from recognizer.live.asking import objection
from recognizer.recognition import decoding, evidence
from recognizer.recognition.calibration import fit_calibration
from recognizer.recognition.decoding import list_length, most_listed, positions_scored, score_words
from recognizer.recognition.evidence import examine
from recognizer.training import trials
from recognizer.training.building import training_data

DIMS, STATES = 8, 4
MANY = 400


def bank_of(kind: str, rows: int, random: np.random.Generator):
    if kind == "tied":
        own = (np.arange(DIMS) % STREAMS == np.arange(STREAMS)[:, None]).astype(float)
        weights = random.dirichlet(np.full(20, 0.02), (rows, STREAMS))
        return TiedBank(
            weights, random.normal(0, 2, (STREAMS, 20, DIMS)), random.uniform(0.2, 1, (STREAMS, 20, DIMS)), own
        )
    centres = random.normal(0, 1.5, (rows, 1, DIMS))
    means = centres + random.normal(0, 0.5, (rows, 2, DIMS))
    return GaussianBank(random.dirichlet([1, 1], rows), means, random.uniform(0.3, 1.5, (rows, 2, DIMS)))


def vocabulary(words: int, kind: str = "continuous", topology: str = "left-right") -> WordModels:
    return WordModels(
        bank_of(kind, words * STATES + 1, np.random.default_rng(0)), Chain.of_topology(words, STATES, topology)
    )


def spoken(models: WordModels, said: np.ndarray, spread: float = 1.4) -> list[np.ndarray]:
    """An utterance of each word, drawn from its model, but wider, so that some are taken for others."""
    random, found = np.random.default_rng(1), []
    for word in said:
        path = walk(models.chain.word(word), random)
        while len(path) < STATES + 2:
            path = walk(models.chain.word(word), random)
        means, variances = models.bank.moments(models.rows(word)[path])
        found.append((means + spread * np.sqrt(variances) * random.normal(size=means.shape)).astype(np.float32))
    return found


@pytest.fixture(scope="module")
def models() -> WordModels:
    return vocabulary(MANY)


@pytest.fixture(scope="module")
def noise() -> GaussianBank:
    return GaussianBank(np.ones((1, 1)), np.zeros((1, 1, DIMS)), np.full((1, 1, DIMS), 9.0))


@pytest.fixture(scope="module")
def said() -> np.ndarray:
    return np.arange(0, MANY, 12)


@pytest.fixture(scope="module")
def heard(models, said) -> list[np.ndarray]:
    return spoken(models, said)


@pytest.mark.parametrize(("kind", "topology"), [("continuous", "left-right"), ("continuous", "skip"), ("tied", "skip")])
def test_the_best_of_all_words_is_listed_with_its_score(kind, topology, said, noise):
    models = vocabulary(MANY, kind, topology)
    heard = spoken(models, said, 1.0 if kind == "tied" else 1.4)
    found, full = examine(models, noise, heard), score_words(models, heard)
    np.testing.assert_array_equal(found.best, full.argmax(1))
    np.testing.assert_allclose(found.scores, np.take_along_axis(full, found.words, 1), rtol=1e-9)
    assert found.scores.shape[1] == list_length(models) < MANY
    assert all(len(set(words)) == len(words) for words in found.words.tolist())
    assert np.isfinite(found.evidence).all()


def test_without_rejection_the_answers_are_the_same(models, heard, noise):
    with_noise, without = examine(models, noise, heard), examine(models, None, heard)
    for name in ("scores", "words", "spans"):
        np.testing.assert_array_equal(getattr(without, name), getattr(with_noise, name))
    assert without.evidence.shape == (len(heard), 0)


def test_an_answer_does_not_depend_on_the_others(models, heard, noise):
    whole, turned = examine(models, noise, heard), examine(models, noise, heard[::-1])
    for place, features in enumerate(heard[:20]):
        alone = examine(models, noise, [features])
        for found, at in ((whole, place), (turned, len(heard) - 1 - place)):
            np.testing.assert_array_equal(alone.words[0], found.words[at])
            np.testing.assert_array_equal(alone.spans[0], found.spans[at])
            np.testing.assert_allclose(alone.scores[0], found.scores[at], rtol=1e-9)
            np.testing.assert_allclose(alone.evidence[0], found.evidence[at], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("words", [[7], list(range(3, 12)), list(range(0, MANY, 2)), list(range(100, 390))])
def test_only_words_to_choose_from_are_answered(words, models, heard, noise):
    words = np.array(words)
    found, full = examine(models, noise, heard, words), score_words(models, heard, words)
    np.testing.assert_array_equal(found.best, words[full.argmax(1)])
    assert set(found.words[np.isfinite(found.scores)]) <= set(words)
    count = np.isfinite(found.scores).sum(1)
    assert count.min() >= min(len(words), decoding.SHORTLIST)
    assert count.max() <= min(len(words), most_listed(models))


def test_words_that_cannot_be_chosen_speak_against_those_that_can(models, heard, noise):
    """A few words are all listed, and the others that fit best beside them."""
    words = np.arange(3, 12)
    found, everything = examine(models, noise, heard, words), examine(models, noise, heard)
    assert all(set(words) <= set(listed) for listed in found.words)
    assert all(best in listed for best, listed in zip(everything.best, found.words))


def test_a_word_left_out_is_as_if_it_had_never_been(models, heard, said, noise):
    typical = np.linspace(0, MANY - 1, decoding.TYPICAL).astype(int)
    assert set(said) & set(typical)
    assert set(said) - set(typical)
    found = examine(models, noise, heard, left_out=said)
    assert (found.words[:, decoding.TYPICAL :] != said[:, None]).all()
    full = score_words(models, heard)
    full[np.arange(len(said)), said] = -np.inf
    np.testing.assert_array_equal(found.best, full.argmax(1))
    assert not np.isfinite(found.scores[found.words == said[:, None]]).any()


def test_where_all_words_are_listed_the_evidence_is_that_of_all(noise, monkeypatch):
    """All but the lead, which is over the words that stand for all."""
    models = vocabulary(12)
    heard = spoken(models, np.arange(12))
    full = examine(models, noise, heard, np.arange(8), left_out=np.arange(12))
    monkeypatch.setattr(decoding, "LARGE", 1)
    monkeypatch.setattr(decoding, "TYPICAL", 8)
    found = examine(models, noise, heard, np.arange(8), left_out=np.arange(12))
    np.testing.assert_array_equal(found.best, full.best)
    np.testing.assert_allclose(found.evidence[:, 1:], full.evidence[:, 1:], rtol=1e-9, atol=1e-9)
    scores = score_words(models, heard)
    for word, (best, listed, row) in enumerate(zip(found.best, found.words, found.evidence)):
        others = [scores[word, other] for other in listed[:8] if other not in (best, word)]
        assert row[0] * np.exp(row[1]) == pytest.approx(scores[word, best] - np.mean(others))


def test_up_to_a_size_all_words_are_scored(noise, monkeypatch):
    def never(*_):
        raise AssertionError("the fast match is for large vocabularies")

    monkeypatch.setattr(evidence, "shortlisted", never)
    models = vocabulary(decoding.LARGE)
    heard = spoken(models, np.arange(0, decoding.LARGE, 50))
    for mixture in (noise, None):
        found = examine(models, mixture, heard)
        np.testing.assert_array_equal(found.scores, score_words(models, heard))
        assert (found.words == np.arange(decoding.LARGE)).all()
        with pytest.raises(AssertionError, match="large"):
            examine(vocabulary(decoding.LARGE + 1), mixture, heard)
    assert 100 < decoding.LARGE >= decoding.TYPICAL + decoding.SHORTLIST


def test_what_is_scored_does_not_grow_with_the_vocabulary():
    assert positions_scored(vocabulary(350)) == positions_scored(vocabulary(3000))
    assert list_length(vocabulary(350)) == list_length(vocabulary(3000))


def test_a_long_utterance_of_many_words_takes_little_memory(noise):
    """The scores of all words would take 240 MB, each of a few arrays that recognition needs of them."""
    models = vocabulary(5000)
    long = [np.random.default_rng(2).normal(0, 2, (1000, DIMS)).astype(np.float32)]
    examine(models, noise, long)
    tracemalloc.start()
    examine(models, noise, long)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6


def test_words_of_one_state(noise):
    random = np.random.default_rng(3)
    means = random.normal(0, 3, (351, 1, DIMS))
    models = WordModels(GaussianBank(np.ones((351, 1)), means, np.ones_like(means)), Chain.of_topology(350, 1))
    said = np.arange(0, 350, 7)
    heard = [means[word] + random.normal(size=(frames, DIMS)) for word, frames in zip(said, 1 + said % 9)]
    np.testing.assert_array_equal(examine(models, noise, heard).best, score_words(models, heard).argmax(1))


def test_words_said_as_fast_as_can_be(noise):
    """One frame a state: of every three of them, some would be lost."""
    random, states = np.random.default_rng(4), 9
    means = random.normal(0, 3, (350 * states + 1, 1, DIMS))
    models = WordModels(
        GaussianBank(np.ones((len(means), 1)), means, np.ones_like(means)), Chain.of_topology(350, states)
    )
    said = np.arange(0, 350, 7)
    heard = [means[word * states : (word + 1) * states, 0] + random.normal(size=(states, DIMS)) for word in said]
    np.testing.assert_array_equal(examine(models, noise, heard).best, said)


def test_a_fast_match_in_parts_is_the_same(models, heard, monkeypatch):
    whole = [models.fast_match.scores(features) for features in heard[:20]]
    monkeypatch.setattr(fast_match, "CHUNK_VALUES", 1)
    for features, fit in zip(heard, whole):
        np.testing.assert_allclose(models.fast_match.scores(features), fit, rtol=1e-4)


@pytest.mark.parametrize("far", [1e-9, 1.0, 1e15])
def test_numbers_of_any_size_leave_the_fast_match_finite(far, models, heard):
    """HTK's features may be powers of samples; with the densities they grow, and single precision must bear both."""
    bank = replace(
        models.bank, means=models.bank.means * far, variances=np.clip(models.bank.variances * far**2, 1e-20, 1e30)
    )
    large = replace(models, bank=bank)
    fit = [large.fast_match.scores(features * np.float32(far)) for features in heard[:5]]
    assert np.isfinite(fit).all()
    assert np.isfinite(large.fast_match.scores(np.full((9, DIMS), 1e30, dtype=np.float32))).all()


def test_densities_of_any_width_leave_the_fast_match_finite(models, heard):
    means, variances = models.bank.means.copy(), models.bank.variances.copy()
    means[0], means[1], variances[1], variances[2] = 1e15, 0.0, 1e-20, 1e30
    odd = replace(models, bank=replace(models.bank, means=means, variances=variances))
    assert np.isfinite([odd.fast_match.scores(features) for features in heard[:5]]).all()


def test_a_recognizer_answers_from_its_list(fitted, monkeypatch):
    recognizer = Recognizer(fitted)
    full = [recognizer.recognize(say(word), RATE) for word in WORDS]
    for name, value in (("LARGE", 1), ("TYPICAL", 1), ("SHORTLIST", 2)):
        monkeypatch.setattr(decoding, name, value)
    for word, before in zip(WORDS, full):
        result = recognizer.recognize(say(word), RATE)
        assert result.nbest[0].word == before.nbest[0].word == word
        assert (result.start, result.end) == (before.start, before.end)
        assert len(result.nbest) == 3
        scores = {candidate.word: candidate.score for candidate in before.nbest}
        for candidate in result.nbest:
            assert candidate.score == pytest.approx(scores[candidate.word])
        some = recognizer.recognize(say(word), RATE, words=["rise", "hum"])
        assert {candidate.word for candidate in some.nbest} == {"rise", "hum"}


def test_a_table_has_columns_for_words_that_can_be_listed(fitted, monkeypatch, tmp_path, run):
    for name, value in (("LARGE", 1), ("TYPICAL", 1), ("SHORTLIST", 1)):
        monkeypatch.setattr(decoding, name, value)
    fitted.save(tmp_path / "m.npz")
    sample = write(tmp_path / "rise.wav", say("rise"))
    assert run("batch", "--csv", "-m", tmp_path / "m.npz", sample, "-o", tmp_path / "a.csv", "-q").status == 0
    head, row = (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()
    assert head.endswith("word_1,confidence_1,word_2,confidence_2")
    assert "rise" in row


def test_who_says_a_word_that_is_not_listed_said_another(fitted, monkeypatch):
    """The two words that are listed beside it never hold the one that was asked for."""
    for name, value in (("LARGE", 1), ("TYPICAL", 1), ("SHORTLIST", 1)):
        monkeypatch.setattr(decoding, name, value)
    objects = objection(Recognizer(fitted), RATE)
    said = [objects(word, say("rise")) for word in WORDS]
    assert said[WORDS.index("rise")] is None
    assert sum(told == f"that sounded like rise, not {word}: say {word}" for told, word in zip(said, WORDS)) >= 2


def test_a_word_that_a_trial_did_not_list_counts_as_its_last(recordings, small, monkeypatch):
    """So that a calibration can be fitted, and is no surer than it may be."""
    monkeypatch.setattr(trials, "FEWEST_TO_CALIBRATE", 8)
    for name, value in (("LARGE", 1), ("TYPICAL", 1), ("SHORTLIST", 1)):
        monkeypatch.setattr(decoding, name, value)
    data, _ = training_data(find(recordings), settings=small)
    turned = dict(zip(WORDS, WORDS[1:] + WORDS[:1]))
    labels = [replace(u, word=turned[u.word]) if u.speaker in ("bob", "carl") else u for u in data.utterances]
    found = trials.hold_out(replace(data, utterances=labels), [], 13, lambda *_: None)
    for trial in found.tried:
        own = trial.scores[np.arange(len(trial.truth)), trial.truth]
        listed = np.isfinite(trial.scores).sum(1) == 2
        assert not listed.all()
        np.testing.assert_array_equal(own[~listed], np.sort(trial.scores[~listed], axis=1)[:, 1])
        assert 0 < fit_calibration(trial.scores, trial.truth).scale <= 1
