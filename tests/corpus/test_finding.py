"""Corpora are written in a known layout and must come back as the labels they were written from."""

from __future__ import annotations

import csv
import itertools
import os
import sys
import tempfile
import unicodedata
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusing import refusal

from recognizer import corpus
from recognizer.corpus import LayoutError, Utterance, audio_files, find
from recognizer.errors import CorpusError
from recognizer.sound.formats import AUDIO_SUFFIXES


def touch(root: Path, *names: str) -> Path:
    """Make empty files; a corpus is found by names alone."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def labels(root: Path, **how) -> dict[str, tuple[str, str | None]]:
    return {u.path.relative_to(root).as_posix(): (u.word, u.speaker) for u in find(root, **how)}


refused = partial(refusal, CorpusError)


# Layouts

# How files are named, and the layout by which they come back.
LAYOUTS = {
    "word folders": ("{word}/{speaker}{take}.wav", "{word}/*"),
    "word folders, deeper": ("set/{word}/{speaker}{take}.FLAC", "{word}/*"),
    "nohash": ("{word}/{speaker}_nohash_{take}.wav", None),
    "nohash that looks like a take": ("{word}/a_{speaker}_nohash_{take}.wav", None),
    "word folders, two underscores": ("{word}/{speaker}_home_{take}.wav", "{word}/*"),
    "one folder": ("{word}_{speaker}_{take}.wav", "{word}_{speaker}_{take}"),
    "recordings": ("recordings/{word}_{speaker}_{take}.ogg", "{word}_{speaker}_{take}"),
    "train and test": ("{split}/{word}_{speaker}_{take}.wav", "{word}_{speaker}_{take}"),
    "speaker folders": ("{speaker}/{word}_{speaker}_{take}.wav", "{speaker}/{word}_{speaker}_{take}"),
    "word folders of full names": ("{word}/{word}_{speaker}_{take}.wav", "{word}_{speaker}_{take}"),
    "hyphens": ("{speaker}/{speaker}-{word}-{take}.flac", "{speaker}/{speaker}-{word}-{take}"),
    "hyphens, deeper": ("set/{speaker}/{speaker}-{word}-{take}.flac", "{speaker}/{speaker}-{word}-{take}"),
}
SPEAKER_TOLD = {"nohash": "{}", "nohash that looks like a take": "a_{}"}

name = st.text("abcé语音 0123456789", min_size=1, max_size=6).map(str.strip).filter(bool)


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=20, deadline=None)
@given(
    words=st.lists(name, min_size=2, max_size=4, unique=True),
    speakers=st.lists(name, min_size=1, max_size=3, unique=True),
    takes=st.integers(1, 3),
)
def test_every_layout_comes_back(layout, words, speakers, takes):
    if set(words) & set(speakers):
        speakers = [f"speaker {speaker}" for speaker in speakers]
    written, told = LAYOUTS[layout]
    with tempfile.TemporaryDirectory() as folder:
        root, expected = Path(folder), {}
        for word, speaker, take in itertools.product(words, speakers, range(takes)):
            split = "train" if take else "test"
            file = written.format(word=word, speaker=speaker, take=take, split=split)
            if told is None:
                expected[file] = (word, SPEAKER_TOLD[layout].format(speaker))
            else:
                expected[file] = (word, speaker if "speaker" in told else None)
        touch(root, *expected)
        found = find(root, layout=told)
        assert [u.path for u in found] == sorted(root / file for file in expected)
        assert labels(root, layout=told) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # Word folders whose file names happen to have two underscores.
        (["yes/anna_home_1.wav", "no/bob_home_2.wav"], [("no", None), ("yes", None)]),
        # One odd file does not turn word folders into another layout.
        (["yes/1.wav", "yes/no_anna_2.wav", "no/3.wav"], [("no", None), ("yes", None), ("yes", None)]),
        (["yes/1.wav", "yes/no_yes_2.wav", "no/3.wav"], [("no", None), ("yes", None), ("yes", None)]),
        (["yes/1.wav", "yes/yes-a-2.wav", "no/3.wav"], [("no", None), ("yes", None), ("yes", None)]),
        # Half of them are not most.
        (["yes/1.wav", "yes/no_anna_2.wav"], [("yes", None), ("yes", None)]),
        (["yes/1.wav", "yes/yes-a-2.wav"], [("yes", None), ("yes", None)]),
        # _nohash_ never counts as word_speaker_take.
        (["yes/a_nohash_0.wav", "yes/b_nohash_1.wav"], [("yes", "a"), ("yes", "b")]),
        (["no/yes_no_nohash_0.wav", "no/_nohash_1.wav"], [("no", None), ("no", "yes_no")]),
        # What is different in every name labels nothing.
        (["yes/yes_anna_a.wav", "no/no_anna_b.wav"], [("no", None), ("yes", None)]),
        (["yes/yes-anna-a.wav", "no/no-anna-b.wav"], [("no", None), ("yes", None)]),
        # The nearest folder is the word.
        (["a/b/yes/1.wav", "no/2.wav"], [("yes", None), ("no", None)]),
        # Splits of word folders.
        (["train/yes/1.wav", "test/yes/2.wav"], [("yes", None), ("yes", None)]),
        # A word that is called like a split.
        (["train/a_b_1.wav", "car/a_b_2.wav"], [("car", None), ("train", None)]),
    ],
)
def test_the_layout_is_decided_on_the_whole(tmp_path, files, expected):
    assert [(u.word, u.speaker) for u in find(touch(tmp_path, *files))] == expected


@pytest.mark.parametrize(
    ("files", "layout", "expected"),
    [
        (["x/anna_home_1.wav", "x/bob_home_2.wav"], "{word}_{speaker}_{take}", [("anna", "home"), ("bob", "home")]),
        # Words may have what divides the parts; what stands beside it may not.
        (["turn_on_anna_0.wav", "off_bob_1.wav"], "{word}_{speaker}_{take}", [("off", "bob"), ("turn_on", "anna")]),
        (
            ["b-1/b-1-x-ray-01.wav", "c/c-x-ray-02.wav"],
            "{speaker}/{speaker}-{word}-{take}",
            [("x-ray", "b-1"), ("x-ray", "c")],
        ),
        # Speakers' folders may have folders for a day, too.
        (
            ["1/anna/yes_anna_1.wav", "2/bob/yes_bob_1.wav"],
            "{speaker}/{word}_{speaker}_{take}",
            [("yes", "anna"), ("yes", "bob")],
        ),
        (["a/1/yes x.wav", "b/2/no y.wav"], r"{speaker}\*\{word} *.wav", [("yes", "a"), ("no", "b")]),
    ],
)
def test_a_layout_that_is_told(tmp_path, files, layout, expected):
    assert [(u.word, u.speaker) for u in find(touch(tmp_path, *files), layout=layout)] == expected


def test_one_speakers_folder_alone(tmp_path, monkeypatch):
    touch(tmp_path, "anna/anna-yes-1.wav", "anna/anna-yes-2.wav", "anna/anna-no-1.wav", "anna/anna-no-2.wav")
    expected = {f"anna-{word}-{take}.wav": (word, "anna") for word in ("no", "yes") for take in (1, 2)}
    assert labels(tmp_path / "anna") == expected
    monkeypatch.chdir(tmp_path / "anna")
    assert labels(Path(".")) == expected
    assert find(".") == find(Path("."))


def test_paths_stay_as_they_were_given(tmp_path, monkeypatch):
    touch(tmp_path, "c/yes/1.wav", "c/yes/2.wav")
    monkeypatch.chdir(tmp_path)
    assert find("c") == [Utterance(Path(f"c/yes/{n}.wav"), "yes", None) for n in (1, 2)]


def test_a_flat_folder_without_layout(tmp_path):
    touch(tmp_path, "hello.wav", "world.wav")
    layouts = ["{word}/{anything}", "{word}_{speaker}_{take}", "{speaker}-{word}-{take}", "path,word,speaker"]
    refused(lambda: find(tmp_path), tmp_path / "hello.wav", *layouts)


@pytest.mark.parametrize(
    ("files", "misfit"),
    [
        (["r/yes_anna_1.wav", "r/no_anna_1.wav", "r/yes_anna_2.wav", "r/no_anna_2.wav", "r/test.wav"], "r/test.wav"),
        (["yes/1.wav", "no/2.wav", "stray.wav"], "stray.wav"),
    ],
)
def test_a_file_that_does_not_fit_the_others(tmp_path, files, misfit):
    refused(lambda: find(touch(tmp_path, *files)), tmp_path / misfit)


@pytest.mark.parametrize(
    ("files", "layout", "misfit"),
    [
        (["a/a-yes-1.wav", "b/b-yes-1.wav", "b/a-no-1.wav"], "{speaker}/{speaker}-{word}-{take}", "b/a-no-1.wav"),
        (["a/yes_a_1.wav", "a/no_a_1.wav", "b/yes.wav"], "{speaker}/{word}_{speaker}_{take}", "b/yes.wav"),
        (["yes/1.wav", "no/2.wav", "3.wav"], "{speaker}/{word}/*", "3.wav"),
    ],
)
def test_a_file_that_does_not_fit_what_was_told(tmp_path, files, layout, misfit):
    refused(lambda: find(touch(tmp_path, *files), layout=layout), tmp_path / misfit, layout)


# What is searched


def test_hidden_things_and_other_files_are_skipped(tmp_path):
    touch(tmp_path, "yes/1.wav", "yes/._1.wav", "yes/1.txt", ".git/1.wav", "_background_noise_/hum.wav")
    touch(tmp_path, "README.md", "yes/.x/2.wav", "yes/1.wav.part", "yes/wav")
    (tmp_path / "yes" / "folder.wav").mkdir()
    assert labels(tmp_path) == {"yes/1.wav": ("yes", None)}


def test_the_folder_that_is_searched_may_be_hidden_itself(tmp_path):
    assert labels(touch(tmp_path / ".data", "yes/1.wav")) == {"yes/1.wav": ("yes", None)}


def test_every_suffix_in_any_case(tmp_path):
    for n, suffix in enumerate(sorted(AUDIO_SUFFIXES)):
        touch(tmp_path, f"yes/{n}{suffix}", f"yes/{n}x{suffix.upper()}")
    assert {".wav", ".flac", ".ogg"} <= AUDIO_SUFFIXES
    assert len(find(tmp_path)) == 2 * len(AUDIO_SUFFIXES)


def test_links_to_folders_are_followed_without_loops(tmp_path):
    outside = touch(tmp_path / "outside", "1.wav")
    root = touch(tmp_path / "corpus", "no/2.wav")
    (root / "yes").symlink_to(outside)
    (root / "no" / "up").symlink_to(root)
    (root / "again").symlink_to(root / "no")  # before "no" in the alphabet, yet only another name for it
    (root / "circle").symlink_to(root / "circle")
    (outside / "back").symlink_to(root)
    assert labels(root) == {"no/2.wav": ("no", None), "yes/1.wav": ("yes", None)}
    assert audio_files([root]) == [root / "no/2.wav", root / "yes/1.wav"]


def test_broken_links_to_audio_are_kept(tmp_path):
    touch(tmp_path, "yes/1.wav")
    (tmp_path / "yes" / "2.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "yes" / "3.wav").symlink_to(tmp_path / "yes" / "3.wav")
    (tmp_path / "yes" / "4.txt").symlink_to(tmp_path / "gone.txt")
    assert [u.path.name for u in find(tmp_path)] == ["1.wav", "2.wav", "3.wav"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_in_a_folder_are_not_waited_for(tmp_path):
    touch(tmp_path, "yes/1.wav")
    os.mkfifo(tmp_path / "yes" / "2.wav")
    (tmp_path / "yes" / "3.wav").symlink_to(tmp_path / "yes" / "2.wav")
    assert list(labels(tmp_path)) == ["yes/1.wav"]


def test_no_audio(tmp_path):
    touch(tmp_path, "yes/1.txt")
    for call in (lambda: find(tmp_path), lambda: audio_files([tmp_path])):
        refused(call, tmp_path, "no audio", ".wav")
    refused(lambda: find(tmp_path / "missing"), tmp_path / "missing", "no such folder")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(tmp_path):
    touch(tmp_path, "yes/1.wav", "no/1.wav")
    (tmp_path / "no").chmod(0)
    try:
        refused(lambda: find(tmp_path), tmp_path / "no", "cannot be opened")
    finally:
        (tmp_path / "no").chmod(0o700)


def test_lack_of_permission_is_told_even_where_root_runs_the_tests(tmp_path, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", forbidden)
    refused(lambda: find(tmp_path), tmp_path, "cannot be opened", "Permission denied")


def test_audio_files_take_files_as_they_are_and_search_folders(tmp_path):
    touch(tmp_path, "b/2.wav", "b/a/1.flac", "b/notes.txt", "a.txt")
    missing = tmp_path / "missing.wav"
    assert audio_files(iter([missing, str(tmp_path / "b"), tmp_path / "a.txt", missing])) == [
        missing,
        tmp_path / "b/2.wav",
        tmp_path / "b/a/1.flac",
        tmp_path / "a.txt",
        missing,
    ]
    assert audio_files([]) == []


def test_audio_files_of_a_manifest_are_those_it_lists(tmp_path):
    touch(tmp_path, "b/2.wav", "b/1.wav", "sets/c.wav")
    manifest = tmp_path / "sets" / "Test.CSV"
    manifest.write_text(f"path,word\n../b/2.wav,yes\nc.wav,no\n{tmp_path / 'b' / '1.wav'},no\n", encoding="utf-8")
    found = audio_files([tmp_path / "b" / "1.wav", manifest])
    assert found == [tmp_path / "b/1.wav", tmp_path / "sets/../b/2.wav", tmp_path / "sets/c.wav", tmp_path / "b/1.wav"]
    manifest.write_text("path\nc.wav\n", encoding="utf-8")
    refused(lambda: audio_files([manifest]), manifest, "line 1", "no column 'word'")
    assert audio_files([tmp_path / "missing.csv"]) == [tmp_path / "missing.csv"]


# Labels


def test_two_forms_of_one_letter_are_one_word(tmp_path):
    forms = [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")]
    touch(tmp_path, *(f"caf{form}/1.wav" for form in forms))
    assert {u.word for u in find(tmp_path)} == {"café"}


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_speakers_folder_and_files_may_differ_in_form(tmp_path, forms):
    folder, file = (unicodedata.normalize(form, "rené") for form in forms)
    touch(tmp_path, f"{folder}/{file}-oui-1.wav", f"{folder}/{file}-non-1.wav")
    found = find(tmp_path, layout="{speaker}/{speaker}-{word}-{take}")
    assert {(u.word, u.speaker) for u in found} == {("oui", "rené"), ("non", "rené")}
    refused(lambda: find(tmp_path), tmp_path, "{speaker}-{word}-*", "{word}/*")


def test_mandarin_words(tmp_path):
    touch(tmp_path, "语音/1.wav", "语言/1.wav")
    assert [u.word for u in find(tmp_path)] == ["语言", "语音"]


def test_words_that_differ_only_by_case(tmp_path):
    if (touch(tmp_path, "Yes/1.wav") / "yes").exists():
        pytest.skip("this file system does not tell upper from lower case")
    touch(tmp_path, "yes/2.wav", "no/1.wav")
    both = tmp_path / "Yes", tmp_path / "yes"
    refused(lambda: find(tmp_path), *both, "differ only by case", "rename", "merge")


def test_words_that_differ_by_more_than_case(tmp_path):
    touch(tmp_path, "Maße/1.wav", "Masse/1.wav")
    assert len({u.word for u in find(tmp_path)}) == 2


@pytest.mark.parametrize("word", ["a\nb", "a\tb", "\x7f", "a\u2028b", "\x85"])
def test_control_characters_are_refused(tmp_path, word):
    refused(lambda: find(touch(tmp_path, f"x{word}x/1.wav", "no/1.wav")), "control character")


@pytest.mark.skipif(sys.platform != "linux", reason="only here are file names any bytes")
def test_names_that_are_no_text_are_refused(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    with open(folder + b"/1.wav", "wb"):
        refused(lambda: find(tmp_path), "control character")


def test_joiners_that_some_scripts_need_are_letters_here(tmp_path):
    word = "क्\u200dष"
    assert find(touch(tmp_path, f"{word}/1.wav"))[0].word == word


@pytest.mark.parametrize(
    ("files", "layout"),
    [(["  _anna_1.wav", "no_anna_1.wav"], "{word}_{speaker}_{take}"), ([" /1.wav", "no/1.wav"], None)],
)
def test_empty_words_are_refused(tmp_path, files, layout):
    if sys.platform == "win32":
        pytest.skip("Windows has no such names")
    refused(lambda: find(touch(tmp_path, *files), layout=layout), tmp_path, "empty word")


# Manifests


def write(path: Path, text: str, encoding="utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.tuples(name, name, name | st.just("")), min_size=1, unique_by=lambda row: row[0]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    header=st.permutations(["path", "word", "speaker", "note"]),
)
def test_manifests_come_back(rows, encoding, ending, quoting, header):
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "m.csv"
        with open(manifest, "w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, header, lineterminator=ending, quoting=quoting)
            writer.writeheader()
            for path, word, speaker in rows:
                writer.writerow({"path": path, "word": word, "speaker": speaker, "note": 'a, "b"\nc'})
        expected = [Utterance(Path(folder) / path, word, speaker or None) for path, word, speaker in rows]
        assert find(manifest) == sorted(expected, key=lambda utterance: utterance.path)


def test_manifest_paths_start_from_its_folder(tmp_path, monkeypatch):
    manifest = write(tmp_path / "m.csv", "path,word\nsub/b.wav,yes\n/abs/a.wav,no\n../c.flac,yes\n")
    monkeypatch.chdir("/")
    paths = [u.path for u in find(manifest)]
    assert paths == sorted([tmp_path / "sub/b.wav", Path("/abs/a.wav"), tmp_path / "../c.flac"])


def test_a_manifest_may_be_sloppy_about_blanks_and_capitals(tmp_path):
    manifest = write(tmp_path / "m.csv", "\nPath, Word ,SPEAKER\n\na.wav, yes , anna \n,,\nb.wav,no\n")
    first, second = find(manifest)
    assert first == Utterance(tmp_path / "a.wav", "yes", "anna")
    assert second == Utterance(tmp_path / "b.wav", "no", None)


def test_manifest_labels_are_normalised(tmp_path):
    manifest = write(tmp_path / "m.csv", unicodedata.normalize("NFD", "path,word,speaker\na.wav,café,rené\n"))
    assert find(manifest)[0] == Utterance(tmp_path / "a.wav", "café", "rené")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("place,word\na.wav,yes\n", ["line 1", "no column 'path'", "path,word,speaker"]),
        ("path,said\na.wav,yes\n", ["line 1", "no column 'word'"]),
        ("place;word;speaker\na.wav;yes;anna\n", ["line 1", "no column 'path'"]),
        ("\npath,said\n", ["line 2", "no column 'word'"]),
        ("path,word\na.wav,yes\nb.wav,\n", ["line 3", "empty word"]),
        ("path,word\na.wav,yes\nb.wav\n", ["line 3", "empty word"]),
        ("path,word,speaker\n,yes,anna\n", ["line 2", "empty path"]),
        ("path,word\na.wav,yes,anna\n", ["line 2", "3 cells under 2 columns"]),
        ('path,word\na.wav,"yes\nb.wav,no\n', ["line 3", "not CSV"]),
        ('path,word\n"a"b.wav,yes\n', ["line 2", "not CSV"]),
        ("path,word\na.wav,yes\na.wav,no\n", ["line 3", "line 2 already"]),
        ('path,word\na.wav,"y\nes"\n', ["line 3", "control character"]),
        ('path,word,speaker\na.wav,yes,"a\x07"\n', ["line 2", "control character"]),
        ("path,word\na.wav,yes\nb.wav,Yes\n", ["'yes'", "'Yes'", "a.wav", "b.wav", "differ only by case"]),
        ("path,word,weight\na.wav,yes,1\nb.wav,no,0\n", ["line 3", "weight '0'", "over 0"]),
        ("path,word,weight\na.wav,yes,-2\n", ["line 2", "weight '-2'"]),
        ("path,word,weight\na.wav,yes,much\n", ["line 2", "weight 'much'"]),
        ("path,word,weight\na.wav,yes,nan\n", ["line 2", "weight 'nan'"]),
        ("path,word,weight\na.wav,yes,1e7\n", ["line 2", "weight '1e7'", "1e+06"]),
        ("path,word,speaker\n", ["no recordings"]),
        ("", ["no recordings"]),
    ],
)
def test_a_wrong_manifest(tmp_path, text, parts):
    manifest = write(tmp_path / "m.csv", text)
    refused(lambda: find(manifest), tmp_path, *parts)


def test_a_manifest_may_weigh(tmp_path):
    manifest = write(tmp_path / "m.csv", "path,word,Weight\na.wav,yes, 2.5\nb.wav,no,\nc.wav,no,1e-3\nd.wav,no\n")
    assert [u.weight for u in find(manifest)] == [2.5, 1.0, 0.001, 1.0]


def test_several_corpora_are_one(tmp_path):
    one = touch(tmp_path / "one", "yes/anna_nohash_0.wav", "no/anna_nohash_0.wav")
    two = touch(tmp_path / "two", "yes_bob_0.wav", "no_bob_1.wav", "no_eve_0.wav")
    three = write(tmp_path / "m.csv", "path,word,speaker,weight\nx.wav,yes,carl,3\n")
    found = find(two, one, three, known=["yes"])
    assert found == sorted([*find(one), *find(two, known=["yes"]), *find(three)], key=lambda u: u.path)
    with pytest.raises(LayoutError):
        find(two, one, three)
    assert {u.speaker for u in found} == {"anna", "bob", "carl", "eve"}


def test_corpora_that_are_not_one(tmp_path):
    one = touch(tmp_path / "one", "sub/yes/0.wav", "sub/no/1.wav")
    refused(lambda: find(one, one / "sub"), one, "in two of the corpora")
    other = touch(tmp_path / "other", "Yes/0.wav", "no/1.wav")
    refused(lambda: find(one, other), "'yes'", "'Yes'", "differ only by case")
    refused(lambda: find(one, tmp_path / "missing"), tmp_path / "missing", "no such folder")


def test_a_manifest_that_is_not_utf_8(tmp_path):
    manifest = write(tmp_path / "m.csv", "path,word\na.wav,yes\nb.wav,café\n", encoding="latin-1")
    refused(lambda: find(manifest), f"{manifest}: line 3", "not UTF-8")
    write(manifest, "path,word\na.wav,yes\n", encoding="utf-16-le")  # without the mark that tells
    refused(lambda: find(manifest), manifest, "line 1")
    write(manifest, "path,word\na.wav,café\n", encoding="utf-16")
    assert [u.word for u in find(manifest)] == ["café"]


def test_a_sound_file_is_no_corpus(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVE")
    refused(lambda: find(tmp_path / "a.wav"), tmp_path / "a.wav", "name a folder")


# Real corpora, against what their descriptions say


@pytest.mark.parametrize(
    ("folder", "files", "words", "speakers"),
    [("fsdd", 3000, 10, 6), ("speech_commands", 3017, 9, 319), ("dspspeech20", 1760, 20, 22)],
)
def test_real_corpora(shared_data, folder, files, words, speakers):
    found = find(shared_data(folder))
    assert len(found) == files
    assert len({u.word for u in found}) == words
    assert len({u.speaker for u in found}) == speakers
    assert all(u.speaker for u in found)
    assert [u.path for u in found] == sorted(u.path for u in found) == audio_files([shared_data(folder)])


def test_real_labels(shared_data):
    digits = find(shared_data("fsdd"))
    assert Counter((u.word, u.speaker) for u in digits) == {
        (str(digit), speaker): 50
        for digit in range(10)
        for speaker in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    }
    commands = {"zero", "one", "five", "eight", "go", "up", "down", "left", "right"}
    assert {u.word for u in find(shared_data("speech_commands"))} == commands
    assert {u.word for u in find(shared_data("dspspeech20"))} == {f"{label:02d}" for label in range(20)}


# What is unknown


def test_recordings_of_known_words_are_not_unknown(tmp_path):
    for name in ("words/yes/1.wav", "words/tree/1.wav", "noise/bang-1.wav", "noise/hiss.flac"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    unknown, known = corpus.unknown_files([tmp_path / "words", tmp_path / "noise"], {"yes", "no"})
    assert [file.name for file in unknown] == ["1.wav", "bang-1.wav", "hiss.flac"]
    assert next(iter(unknown)).parent.name == "tree"
    assert list(unknown.values()) == [tmp_path / "words", *2 * [tmp_path / "noise"]], "where they were given"
    assert [file.parent.name for file in known] == ["yes"]
    assert corpus.unknown_files([], {"yes"}) == ({}, [])
    (tmp_path / "none").mkdir()
    with pytest.raises(CorpusError, match="no audio"):
        corpus.unknown_files([tmp_path / "none"], set())


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (["yes/1.wav", "no/anna_nohash_2.wav"], corpus.WORD_FOLDER),
        ([f"{word}_anna_{take}.wav" for word in ("yes", "no") for take in (1, 2)], "{word}_{speaker}_{take}"),
        (["notes.txt"], None),
        ([], None),
    ],
)
def test_the_layout_of_a_folder_is_told(tmp_path, names, layout):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert corpus.layout_of(tmp_path) == layout
    assert corpus.layout_of(tmp_path / "gone") is None
