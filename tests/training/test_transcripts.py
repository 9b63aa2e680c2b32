"""What is said in recordings, as people write it, and as tables tell it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from recognizer.errors import CorpusError
from recognizer.training.transcripts import Sentence, named_speaker, read_transcript, spelled

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.mark.parametrize(
    ("text", "vocabulary", "words"),
    [
        ("three five nine", DIGITS, "three five nine"),
        (" Three,five ,\tNINE\n", DIGITS, "three five nine"),
        ("0351", DIGITS, "zero three five one"),
        ("one 23, four 5", DIGITS, "one two three four five"),
        ("0351", "0123456789", "0 3 5 1"),
        ("10", ("10", "0", "1"), "10"),
        ("fünf " + unicodedata.normalize("NFD", "fünf"), ("fünf",), "fünf fünf"),
        ("语音 语言", ("语言", "语音"), "语音 语言"),
    ],
)
def test_words_are_read_as_the_vocabulary_has_them(text, vocabulary, words):
    assert spelled(text, tuple(vocabulary)) == tuple(words.split())


def test_a_word_of_several_is_one_between_commas():
    assert spelled("turn on, turn off, on", ("turn on", "turn off", "on")) == ("turn on", "turn off", "on")


@pytest.mark.parametrize("text", ["", " ", ",", " , ,\n"])
def test_no_words_are_refused(text):
    with pytest.raises(CorpusError, match=r"^no words are given; write those that are said, in order$"):
        spelled(text, DIGITS)


@pytest.mark.parametrize(
    ("text", "vocabulary", "said"),
    [
        ("three fife", ("five", "three"), "the model has no word 'fife'; it has five, three"),
        ("32", ("three",), "the model has no word 'two'; it has three"),
        ("x", [str(i) for i in range(30)], "the model has no word 'x'; it has 0, 1, 2, .*, 19, ...$"),
    ],
)
def test_a_word_that_the_vocabulary_lacks_is_named(text, vocabulary, said):
    with pytest.raises(CorpusError, match=f"^{said}"):
        spelled(text, vocabulary)


def table(folder: Path, *lines: str) -> Path:
    path = folder / "strings.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_table_tells_recordings_words_and_speakers(tmp_path):
    path = table(
        tmp_path, "age,Digits,path,speaker", "6,0351,a/1.wav,ann", "", "7,nine,bob_nohash_2.wav,", "8,5,/c.wav,"
    )
    assert read_transcript(path, "digits", DIGITS) == [
        Sentence(tmp_path / "a/1.wav", ("zero", "three", "five", "one"), "ann"),
        Sentence(tmp_path / "bob_nohash_2.wav", ("nine",), "bob"),
        Sentence(Path("/c.wav"), ("five",), None),
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["path,words", "a.wav,one", "b.wav,ten"], "line 3: the model has no word 'ten'; it has zero,"),
        (["path,words", "a.wav,"], "line 2: no words are given; write those that are said, in order"),
        (
            ["path,digits", "a.wav,one"],
            "line 1: no column 'words' among 'path', 'digits'; name the column of the words",
        ),
        (["words", "one"], "line 1: no column 'path' among 'words'; "),
        (["path,words", ",one"], "line 2: empty path; name the sound file"),
        (["path,words", "a.wav,one", "a.wav,two"], "line 3: .*a.wav is on line 2 already; remove one"),
        (["path,words", "a.wav,one,two"], "line 2: 3 cells under 2 columns; quote cells that have commas"),
        (["path,words"], "no recordings in this transcript; add lines below the header"),
        ([""], "no recordings in this transcript; add lines below the header"),
    ],
)
def test_a_table_that_is_wrong_is_refused_in_one_line(tmp_path, lines, said):
    path = table(tmp_path, *lines)
    with pytest.raises(CorpusError, match=f"strings.csv: {said}") as caught:
        read_transcript(path, "words", DIGITS)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(CorpusError, match=r"no.csv: cannot be read \(No such file or directory\)"):
        read_transcript(tmp_path / "no.csv", "words", DIGITS)


@pytest.mark.parametrize(
    ("name", "speaker"), [("ann_nohash_1.wav", "ann"), ("ann_1.wav", None), ("_nohash_1.wav", None)]
)
def test_a_recordings_name_may_tell_who_speaks(name, speaker):
    assert named_speaker(Path(name)) == speaker
