"""Tables as spreadsheets and other programs write them: read where they are plain, or the line says what to change."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusal

from recognizer import corpus
from recognizer.errors import CorpusError

ROWS = [("a.wav", "sí", "anna"), ("b.wav", "no", "bob"), ("c.wav", "sí", "")]


def table(folder: Path, content: bytes, name: str = "t.csv") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def read(path: Path) -> list[tuple[str, str, str]]:
    return [(u.path.name, u.word, u.speaker or "") for u in corpus.find(path)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "header",
    [
        ("path", "word", "speaker"),
        ("file", "label", "speaker"),
        ("filename", "class", "speaker_id"),
        ("File Name", "Sentence", "client_id"),
        ("wav", "text", "user"),
    ],
)
@pytest.mark.parametrize("first", ["", "sep={}"])
def test_the_same_table_in_many_dresses(tmp_path, separator, encoding, ending, header, first):
    lines = [separator.join(cells) for cells in (header, *ROWS)]
    if first:
        lines = [first.format(separator), *lines]
    path = table(tmp_path, (ending.join(lines) + ending).encode(encoding))
    assert read(path) == ROWS


def test_lines_are_counted_as_the_file_has_them(tmp_path):
    path = table(tmp_path, b"sep=;\npath;word\na.wav;yes\nb.wav;\n")
    refusal(CorpusError, lambda: corpus.find(path), path, "line 4", "empty word")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("path;word;speaker\na;d\xf3s;x\n".encode("cp1252"), ["line 2", "not UTF-8", "d\\\\xf3s", "CSV UTF-8"]),
        (b"file,label,text\na.wav,yes,yes\n", ["no column 'word'", "'label' or 'text'", "rename one to word"]),
        (b"file,filename,word\na.wav,a.wav,yes\n", ["no column 'path'", "'file' or 'filename'"]),
        (b"a.wav,yes\nb.wav,no\n", ["line 1", "no header", "path,word,speaker"]),
        (b"name,meaning\na,yes\n", ["no column 'path'", "'name', 'meaning'"]),
        ("path,word\na.wav,uno\nb.wav,uno\u200b\n".encode(), ["'uno'", "'uno\\u200b'", "cannot be seen"]),
        ("path,word\na.wav,uno\nb.wav,\u200funo\n".encode(), ["'uno'", "'\\u200funo'", "cannot be seen"]),
        ("path,word\na.wav,go on\nb.wav,go\u00a0on\n".encode(), ["'go on'", "'go\\xa0on'", "look the same"]),
        ("path,word\na.wav,1\nb.wav,\uff11\n".encode(), ["'1'", "'\uff11'", "look the same"]),
        (b"path;word\na.wav;yes;no\n", ["line 2", "3 cells under 2 columns", "';'"]),
    ],
)
def test_what_is_not_plain_is_told(tmp_path, content, parts):
    path = table(tmp_path, content)
    refusal(CorpusError, lambda: corpus.find(path), tmp_path, *parts)


def test_backslashes_are_folders_where_no_file_is_called_so(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.wav").touch()
    path = table(tmp_path, b"path,word\nsub\\a.wav,yes\ngone\\b.wav,no\n")
    assert [u.path for u in corpus.find(path)] == [tmp_path / "gone/b.wav", tmp_path / "sub" / "a.wav"]


def test_labels_with_joiners_that_are_seen_are_other_words(tmp_path):
    path = table(tmp_path, "path,word\na.wav,نامه‌ای\nb.wav,نامهای\n".encode())
    assert len({u.word for u in corpus.find(path)}) == 2


# Kaldi's


def kaldi(folder: Path, **files: str) -> Path:
    for name, content in {
        "wav.scp": "anna-1 wav/1.wav\nanna-2 wav/2.wav\nbob-1 /abs/3.wav\n",
        "text": "anna-1 yes\nanna-2 turn on\nbob-1 yes\n",
        "utt2spk": "anna-1 anna\nanna-2 anna\nbob-1 bob\n",
        **files,
    }.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_a_folder_of_kaldi(tmp_path):
    data = tmp_path / "data" / "train"
    data.mkdir(parents=True)
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav" / "1.wav").touch()  # Kaldi's paths start from where its scripts are run
    found = {(u.path, u.word, u.speaker) for u in corpus.find(kaldi(data))}
    assert found == {
        (tmp_path / "wav/1.wav", "yes", "anna"),
        (data / "wav/2.wav", "turn on", "anna"),
        (Path("/abs/3.wav"), "yes", "bob"),
    }
    assert "3 recordings, 2 words" in corpus.read_corpus(data).told[0]


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        ({"wav.scp": "a sph2pipe -f wav a.sph |\n"}, ["wav.scp: line 1", "is a program", "none is run"]),
        ({"segments": "a a 0 1\n"}, ["segments", "longer recordings"]),
        ({"text": "anna-1 yes\n"}, ["wav.scp: line 2", "'anna-2'", "no line in"]),
        ({"text": "anna-1 yes\nanna-1 no\n"}, ["text: line 2", "line 1 already"]),
        ({"wav.scp": "\n"}, ["no recordings"]),
        ({"text": "anna-1\nanna-2 x\nbob-1 x\n"}, ["text: line 1", "empty word"]),
    ],
)
def test_a_wrong_folder_of_kaldi(tmp_path, files, parts):
    refusal(CorpusError, lambda: corpus.find(kaldi(tmp_path, **files)), tmp_path, *parts)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_table_or_one_line(tmp_path_factory, content):
    path = table(tmp_path_factory.mktemp("t"), content)
    try:
        corpus.find(path)
    except CorpusError as error:
        told = str(error)
    else:
        return
    assert str(path) in told or "differ only" in told
    assert "\n" not in told
