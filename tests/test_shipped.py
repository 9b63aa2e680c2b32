"""The shipped models: small, with a card that tells how good they are, and able to do what their samples claim."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recognizer import Recognizer
from recognizer.corpus import find
from recognizer.model import Model, locate

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES = {"digits": REPOSITORY / "audio_samples"} | {
    folder.name: folder for folder in (REPOSITORY / "model_samples").iterdir() if folder.is_dir()
}
MODELS = sorted(path.stem for path in (REPOSITORY / "models").glob("*.npz"))
ARABIC = re.compile(r"[\u0621-\u064a ]+")


def test_every_model_has_samples_and_the_other_way_round():
    assert set(MODELS) == set(SAMPLES)
    assert {"digits", "commands", "digits-ar", "commands-ar", "dspspeech20"} <= set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_small_and_tells_how_good_it_is(name):
    path = locate(name)
    assert path.stat().st_size < 1_000_000
    card = Model.load(path).card
    assert card["licence"]
    assert card["command"].startswith("python recipes/")
    assert card["protocol"]
    assert card["accuracy"]
    for score in card["accuracy"].values():
        low, high = score["interval"]
        assert 0 < low <= score["accuracy"] <= high <= 1
        assert score["n"] > 0


@pytest.mark.parametrize("name", MODELS)
def test_the_best_word_for_each_sample_is_the_one_in_its_name(name):
    """As model_samples/README.md claims; synthetic voices may be rejected, for they sound like nobody."""
    utterances = find(SAMPLES[name], known=Model.load(locate(name)).words)
    assert len(utterances) >= 5
    answers = Recognizer.load(name).recognize_files([u.path for u in utterances], threshold=0.0)
    heard = [(u.path.name, a.result.word) for u, a in zip(utterances, answers)]
    assert heard == [(u.path.name, u.word) for u in utterances]


@pytest.mark.parametrize("name", ["digits-ar", "commands-ar"])
def test_arabic_words_are_written_in_arabic_and_told_in_latin_letters(name):
    model = Model.load(locate(name))
    assert all(ARABIC.fullmatch(word) for word in model.words)
    assert set(model.spoken) == set(model.words) == set(model.card["meaning"])
    assert all(spoken.isascii() for spoken in model.spoken.values())


def test_mandarin_words_are_written_in_characters_and_told_in_pinyin():
    model = Model.load(locate("dspspeech20"))
    mandarin = {word for word in model.words if not word.isascii()}
    assert len(mandarin) == 12
    assert set(model.spoken) == mandarin == set(model.card["meaning"])
    assert model.spoken["数字"] == "shùzì"
