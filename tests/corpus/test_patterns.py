"""Patterns read what they wrote, and say what is wrong with themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusal

from recognizer.corpus import Pattern
from recognizer.errors import CorpusError

label = st.text("abжé语", min_size=1, max_size=5)


@pytest.mark.parametrize(
    "text",
    [
        "{word}/{speaker}_{take}",
        "{speaker}/{word}_{take}",
        "{speaker}/{speaker}-{word}-{take}",
        "{word}_{speaker}_{take}",
        "{take}.{speaker}.{word}",
        "session {take}/{speaker}/{word} x",
        "{speaker}_{word}{take}",
        "a+({speaker})[{word}]{take}",
    ],
)
@given(word=label, speaker=label, take=st.integers(0, 999))
def test_what_was_written_is_read(text, word, speaker, take):
    fields = {"word": word, "speaker": speaker, "take": str(take)}
    names = text.format(**fields).split("/")
    assert Pattern(text).read(names) == fields
    assert Pattern(text).read(["above", "of it", *names]) == fields, "folders above do not matter"
    if len(names) > 1:
        assert Pattern(text).read(names[1:]) is None


@pytest.mark.parametrize(
    ("text", "name", "word"),
    [
        ("{word}_{speaker}_{take}", "turn_on_anna_0", "turn_on"),
        ("{speaker}_{word}_{take}", "anna_turn_on_0", "turn_on"),
        ("*_{word}", "anna_turn_on", "turn_on"),
        ("{word}_*", "yes_anna_0", "yes"),
        ("{word}{take}", "ZA", "Z"),
        ("{word}{take}", "1A", "1"),
        ("{word}{take}", "slovo23", "slovo"),
        ("{word}", "yes (12)", "yes"),
        ("{word} ({take})", "yes (12)", "yes"),
        ("{word}", "(1)", "(1)"),
        ("{word}/*", "yes/any thing", "yes"),
        ("{word}/{anything}.wav", "yes/any thing", "yes"),
        ("{word}\\{take}", "yes/1", "yes"),
        ("/{word}/*/", "yes/1", "yes"),
        ("{WORD}/*".lower(), "Yes/1", "Yes"),
        ("{word}/{word}_*", "Yes/yes_1", "Yes"),
        ("{word}/{word}_*", "no/yes_1", None),
        ("{word}_{take}", "yes", None),
        ("{word}_{take}", "yes_", None),
        ("{word}_{take}", "_1", None),
    ],
)
def test_names_are_divided_in_one_way(text, name, word):
    found = Pattern(text).read(name.split("/"))
    assert (found and found["word"]) == word


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["a folder without a name"]),
        ("*/*", ["does not say where the word is", "{word}"]),
        ("{speaker}/{take}", ["does not say where the word is"]),
        ("{word}/{name}", ["{name}", "{word}, {speaker}, {take}"]),
        ("{word}/{}", ["{}", "the fields are"]),
        ("{word}//{take}", ["a folder without a name"]),
        ("{word}/{take", ["a bracket without its other half"]),
        ("word}/1", ["a bracket without its other half"]),
        ("{speaker}{word}_1", ["does not say what divides {speaker} and {word}"]),
    ],
)
def test_a_pattern_that_is_none(text, parts):
    refusal(CorpusError, lambda: Pattern(text), repr(text), *parts)
