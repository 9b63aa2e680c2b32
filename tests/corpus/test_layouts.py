"""Layouts of real corpora, and of folders as people have them: the right words at once, or a question."""

# ruff: noqa: RUF001 - words of several scripts

from __future__ import annotations

import itertools
import tempfile
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer import corpus
from recognizer.corpus import LayoutError
from recognizer.errors import CorpusError

WORDS, SPEAKERS = ("yes", "no", "stop"), ("anna", "bob")
DIGITS = tuple(map(str, range(10)))


def grid(
    name: str,
    words: Iterable[str] = WORDS,
    speakers: Iterable[str] = ("x",),
    takes: Iterable = range(3),
    **more: Callable,
) -> dict[str, str]:
    """Names of recordings and their words, of every word by every speaker."""
    found = {}
    for word, speaker, take in itertools.product(words, speakers, takes):
        fields = {key: value(word, speaker, take) for key, value in more.items()}
        found[name.format(word=word, speaker=speaker, take=take, **fields)] = word
    return found


def split(word: str, speaker: str, take: int) -> str:
    return "train" if take else "test"


def gender(word: str, speaker: str, take: int) -> str:
    return "MAN" if speaker < "B" else "WOMAN"


# Words that nothing else could be: taken at once.
PLAIN = {
    "word folders": grid("{word}/{take}.wav"),
    "word folders, numbered all through": grid(
        "{word}/rec_{number:04d}.wav", number=lambda word, _, take: 3 * WORDS.index(word) + take
    ),
    "splits of word folders": grid("{split}/{word}/{take}.wav", split=split),
    "word folders with splits": grid("{word}/{split}/{take}.wav", split=split),
    "Speech Commands": grid("{word}/{speaker}_nohash_{take}.wav", speakers=("0a7c2e1f", "1b3c4d5e")),
    "FSDD": grid("recordings/{word}_{speaker}_{take}.wav", DIGITS, ("jackson", "theo"), range(12)),
    "FSDD the other way round": grid("{speaker}_{word}_{take}.wav", DIGITS, ("jackson", "theo"), range(12)),
    "digits of speakers": grid("{speaker}/{word}/{take}.wav", DIGITS, ("jackson", "theo")),
    "folders of digits": grid("{word}/{take}.wav", DIGITS),
    "folders of digits, by one speaker": grid("{word}/{word}_jackson_{take}.wav", DIGITS),
    "AudioMNIST": grid("{speaker}/{word}_{speaker}_{take}.wav", DIGITS, ("01", "02", "03", "12"), range(5)),
    "numbered speakers with hyphens": grid(
        "{speaker}/{speaker}-{word}-{take:02d}.flac", [f"{n:02d}" for n in range(20)], ("15307130288", "15307110252")
    ),
    "Ukrainian": grid("{speaker}/{word}_{take}_1.wav", ("так", "ні", "слово1"), ("user_1", "user_2")),
    "Ukrainian, words with numbers": grid(
        "{speaker}/{word}_{take}_1.wav", ("слово1", "слово2", "слово3"), ("user_1", "user_2")
    ),
    "Vietnamese": grid("{speaker}/{word}_{take}.wav", ("không", "một", "hai"), ("spk01", "spk02")),
    "Chinese": grid("{speaker}/{word}{take}.wav", ("上海", "北京", "中国"), ("S0001", "S0002")),
    "speakers with a letter and a number": grid("{speaker}_{word}_{take}.wav", speakers=("M01", "F02", "M03")),
    "one person's sessions": grid(
        "session {session}/Anna/{word} ({take}).wav", session=lambda w, s, take: 1 + take // 2
    ),
    "flat": grid("{word}_{take}.wav"),
    "flat, numbers at the words": grid("{word}{take}.wav"),
    "flat, copies": grid("{word} ({take}).wav"),
    "flat, dates": grid("{word}_2024-05-0{take}.wav"),
    "names of a telephone": grid("{word}/REC2024050112{number}.m4a", number=lambda word, _, take: f"{word[:1]}{take}"),
    "codes": grid(
        "{word}/{code}.wav", code=lambda word, _, take: f"{hash(word) % 2**32:08x}-0000-4000-8000-0000000{take}abcd"
    ),
    "UASpeech": grid(
        "{speaker}/{speaker}_B1_{word}_{take}.wav", ("C1", "C2", "D3", "CW1"), ("F02", "M01"), ("M2", "M3")
    ),
    "a number beside each word": grid("{word}/{number}_jackson_{take}.wav", number=lambda word, *_: WORDS.index(word)),
}
# Names that could be read in two ways or more: asked.
ASKED = {
    "words in the folders and the names": grid("{word}/{speaker}_{word}_{take}.wav", speakers=SPEAKERS),
    "sessions of persons": grid(
        "session {s}/{speaker}/{word} ({take}).wav", speakers=SPEAKERS, s=lambda w, s, t: len(s)
    ),
    "splits of numbers": grid("{split}_audio/{word}_{take}.wav", ("1", "2", "3"), split=split),
    "speaker, number, number": grid("{speaker}_{word}_{take}.wav", ("1", "2", "3"), ("jackson", "george")),
    "number, speaker, number": grid("{word}_{speaker}_{take}.wav", ("1", "2", "3"), ("jackson", "george")),
    "folders of numbers and speakers": grid("{word}/{speaker}/{take}.wav", ("1", "2", "3"), ("jackson", "george")),
    "TIDIGITS": grid(
        "{gender}/{speaker}/{word}{letter}.WAV",
        "123456789ZO",
        ("AE", "AJ", "BD", "CK"),
        range(2),
        gender=gender,
        letter=lambda w, s, take: "AB"[take],
    ),
    "Hindi": grid("{speaker}/{speaker}_{word}.wav", ("01", "02", "03", "04"), ("man_1", "man_2", "woman_1"), [0]),
    "splits in word folders": grid("{word}/train/{speaker}{take}.wav", ("1", "2", "3"), ("george", "jackson")),
    "Vietnamese, by names": grid("{word}/{take}_{speaker}.wav", ("không", "một", "hai"), ("nam", "nữ")),
    "Chinese, by names": grid("{word}/{word}_{speaker}_{take}.wav", ("上海", "北京"), ("李明", "王芳")),
    "speaker folders": grid("{speaker}/{word}_{take}.wav", speakers=SPEAKERS),
    "word folders": grid("{word}/{speaker}_{take}.wav", speakers=SPEAKERS),
    "speakers first": grid("{speaker}_{word}_{take}.wav", speakers=SPEAKERS),
    "words first": grid("{word}_{speaker}_{take}.wav", speakers=SPEAKERS),
    "hyphens": grid("{speaker}-{word}-{take}.wav", speakers=SPEAKERS),
    "once each": grid("{speaker}/{word}.wav", speakers=(*SPEAKERS, "carl"), takes=[0]),
    "numerals of persons": grid("{speaker}/{word}.wav", DIGITS, ("jackson", "theo"), [0]),
    "folders in folders": grid("{speaker}/{word}/{take}.wav", speakers=SPEAKERS),
    "kinds of words": grid(
        "{kind}/{word}/{take}.wav", ("dog", "cat", "red"), kind=lambda w, *_: "animal" if w != "red" else "colour"
    ),
    "man and woman are words": grid("{word}/{speaker}_{take}.wav", ("man", "woman"), SPEAKERS),
    "men and women say words": grid("{who}/{word}_{take}.wav", who=lambda w, s, take: "male" if take else "female"),
    "numbered folders": grid("{word}/{take}.wav", ("1", "2", "3")),
}


def made(root: Path, files: Iterable[str]) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def words_of(root: Path, **how) -> dict[str, str]:
    return {u.path.relative_to(root).as_posix(): u.word for u in corpus.find(root, **how)}


def composed(files: dict[str, str]) -> dict[str, str]:
    return {file: unicodedata.normalize("NFC", word) for file, word in files.items()}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_layouts_are_read_at_once(tmp_path, name):
    root = made(tmp_path / "corpus", [*PLAIN[name], "_background_noise_/hum.wav"])
    assert words_of(root) == composed(PLAIN[name])
    (told,) = corpus.read_corpus(root).told
    assert f" {len(set(PLAIN[name].values()))} words " in told
    example = next(iter(sorted(PLAIN[name], key=lambda file: root / file)))
    assert f"{example} is {PLAIN[name][example]}" in told


@pytest.mark.parametrize("name", ASKED)
def test_others_are_asked_and_the_answer_is_among_the_readings(tmp_path, name):
    root = made(tmp_path / "corpus", ASKED[name])
    with pytest.raises(LayoutError) as error:
        corpus.find(root)
    readings = error.value.readings
    assert 1 <= len(readings) <= 3
    assert composed(ASKED[name]) in [words_of(root, layout=reading.pattern) for reading in readings]
    for reading in readings:
        found = corpus.find(root, layout=reading.pattern)
        assert set(reading.words) == {u.word for u in found}
        assert set(reading.speakers) == {u.speaker for u in found if u.speaker}
        assert repr(reading.pattern) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", sorted(set(ASKED) - {"numbered folders", "numerals of persons", "splits of numbers"}))
def test_words_that_are_known_are_no_question(tmp_path, name):
    root = made(tmp_path / "corpus", ASKED[name])
    expected = composed(ASKED[name])
    known = set(expected.values())
    if any(word.isdecimal() for word in known):
        with_answer = [known, {*known, "other"}]
    else:
        with_answer = [known, {word.upper() for word in known}]
    for words in with_answer:
        try:
            assert words_of(root, known=words) == expected
        except LayoutError:  # numbers may count takes whatever is known
            assert any(word.isdecimal() for word in known)


@pytest.mark.parametrize("speakers", [("eve",), ("anna", "bob", "eve")])
@pytest.mark.parametrize("takes", [1, 3])
@pytest.mark.parametrize(
    "written",
    [
        "{word}/{speaker}_{take}.wav",
        "{speaker}/{word}_{take}.wav",
        "{speaker}_{word}_{take}.wav",
        "{word}_{speaker}_{take}.wav",
        "{speaker}/{word}/{take}.wav",
    ],
)
def test_a_single_word_is_found_where_it_is_known(tmp_path, written, speakers, takes):
    """Without anybody who knows it, nothing tells it from what else is the same in all names."""
    expected = grid(written, ("rise",), speakers, range(takes))
    root = made(tmp_path / "corpus", expected)
    assert words_of(root, known={"fall", "rise"}) == expected


@pytest.mark.parametrize("speakers", [("eve",) * 4, ("anna", "bob", "anna", "bob"), ("anna", "bob", "eve", "zoe")])
@pytest.mark.parametrize("written", ["{word}_{speaker}_0.wav", "{speaker}_{word}_0.wav", "{speaker}/{word}_0.wav"])
def test_words_that_come_once_each_are_found_where_they_are_known(tmp_path, written, speakers):
    expected = {
        written.format(word=word, speaker=speaker): word
        for word, speaker in zip(("left", "right", "rise", "fall"), speakers)
    }
    root = made(tmp_path / "corpus", expected)
    assert words_of(root, known={"fall", "left", "right", "rise", "more"}) == expected


def test_words_that_are_not_there_tell_nothing(tmp_path):
    root = made(tmp_path / "corpus", ASKED["speaker folders"])
    with pytest.raises(LayoutError):
        corpus.find(root, known={"left", "right"})
    with pytest.raises(LayoutError):  # of both kinds
        corpus.find(root, known={"anna", "bob", "yes", "no"})


@settings(max_examples=60, deadline=None)
@given(
    written=st.sampled_from(
        [
            *("{word}/{speaker}_{take}.wav", "{speaker}/{word}_{take}.wav", "{speaker}_{word}_{take}.wav"),
            *("{word}_{speaker}_{take}.wav", "{speaker}/{word}/{take}.wav", "{speaker}/{speaker}-{word}-{take}.wav"),
        ]
    ),
    words=st.lists(st.text("abcdeя语é", min_size=2, max_size=5), min_size=2, max_size=5, unique=True),
    speakers=st.lists(st.text("fghijя音à", min_size=2, max_size=5), min_size=2, max_size=4, unique=True),
    takes=st.integers(2, 4),
)
def test_never_wrong_words(written, words, speakers, takes):
    words = sorted({unicodedata.normalize("NFC", word) for word in words})
    with tempfile.TemporaryDirectory() as folder:
        expected = grid(written, words, speakers, range(takes))
        root = made(Path(folder) / "corpus", expected)
        try:
            readings = [words_of(root)]
        except LayoutError as error:
            readings = [words_of(root, layout=reading.pattern) for reading in error.readings]
        assert expected in readings


def test_splits_and_speakers_alone_are_no_words(tmp_path):
    for name, files, looks in (
        ("splits", grid("{word}/{take}.wav", ("train", "test", "dev")), "parts of a corpus"),
        ("sessions", grid("{word}/{take}.wav", ("session 1", "session 2")), "parts of a corpus"),
        (
            "people",
            grid("{word}/{code}.wav", ("speaker1", "speaker2"), code=lambda w, s, t: f"{w[-1]}{t}a"),
            "speakers",
        ),
    ):
        root = made(tmp_path / name, files)
        with pytest.raises(CorpusError) as error:
            corpus.find(root)
        assert looks in str(error.value) or "tells no word" in str(error.value)
        if isinstance(error.value, LayoutError):
            assert words_of(root, layout=error.value.readings[0].pattern)


def test_names_without_order_beside_folders_are_asked(tmp_path):
    files = [
        f"{speaker}/{word}{mark}{take}.wav"
        for speaker in SPEAKERS
        for word, mark in (("yes", "_"), ("no", " "), ("stop", "-take_"), ("go", "_x_y_"))
        for take in range(3)
    ]
    with pytest.raises(LayoutError, match="anna"):
        corpus.find(made(tmp_path, files))


def test_a_folder_may_say_its_layout_itself(tmp_path):
    root = made(tmp_path / "corpus", ASKED["speaker folders"])
    (root / "layout.txt").write_bytes("\ufeff{speaker}/{word}_{take}\r\n".encode())
    assert words_of(root) == ASKED["speaker folders"]
    assert corpus.layout_of(root) == "{speaker}/{word}_{take}"
    assert set(words_of(root, layout="{word}/*").values()) == set(SPEAKERS)
    (root / "layout.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(CorpusError, match=r"layout.txt: cannot be read; write a layout"):
        corpus.find(root)


def test_a_table_beside_recordings_is_named(tmp_path):
    root = made(tmp_path / "cv", [f"clips/common_voice_uk_{n}.mp3" for n in range(101, 107)])
    with pytest.raises(CorpusError) as error:
        corpus.find(root)
    assert "validated.tsv" not in str(error.value)
    lines = ["client_id\tpath\tsentence\tage"]
    lines += [f"abc{n % 2}\tcommon_voice_uk_{n}.mp3\t{'так' if n % 2 else 'ні'}\t" for n in range(101, 107)]
    (root / "validated.tsv").write_text("\n".join(lines), encoding="utf-8")
    (root / "notes.csv").write_text("nothing", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"validated\.tsv") as error:
        corpus.find(root)
    assert "notes.csv" not in str(error.value)
    found = corpus.find(root / "validated.tsv")
    assert {u.word for u in found} == {"так", "ні"}
    assert {u.path for u in found} == {root / "clips" / f"common_voice_uk_{n}.mp3" for n in range(101, 107)}
    assert {u.speaker for u in found} == {"abc0", "abc1"}


def test_one_odd_name_among_takes_makes_no_words_of_them(tmp_path):
    files = [*grid("{word}/{take}.wav", takes=range(8)), "yes/new one.wav"]
    assert {u.word for u in corpus.find(made(tmp_path, files))} == set(WORDS)
