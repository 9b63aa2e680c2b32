"""The same recording more than once: found by its bytes, whatever it is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.corpus import Utterance, conflict, conflicting
from recognizer.corpus import doubles as module
from recognizer.corpus.doubles import doubles


def take(path: Path, content: bytes, word: str = "hum", speaker: str | None = None) -> Utterance:
    path.write_bytes(content)
    return Utterance(path, word, speaker)


@given(contents=st.lists(st.sampled_from([b"", b"a", b"b", b"ab", b"ba"]), max_size=12))
def test_groups_are_those_of_the_same_bytes(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("takes")
    takes = [take(folder / f"{number}.wav", content) for number, content in enumerate(contents)]
    found = {frozenset(u.path for u in group) for group in doubles(takes)}
    expected = {
        frozenset(u.path for u, other in zip(takes, contents) if other == content)
        for content in contents
        if content and contents.count(content) > 1
    }
    assert found == expected


def test_groups_are_in_order(tmp_path):
    takes = [take(tmp_path / f"{number}.wav", b"x") for number in (3, 1, 2)]
    assert doubles(iter(takes)) == [takes]


def test_long_recordings_that_differ_at_their_end_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PIECE", 4)
    takes = [take(tmp_path / f"{n}.wav", b"0123456789" + end) for n, end in enumerate((b"a", b"b", b"a"))]
    assert doubles(takes) == [[takes[0], takes[2]]]


def test_a_link_is_the_same_recording(tmp_path):
    original = take(tmp_path / "1.wav", b"x")
    (tmp_path / "2.wav").symlink_to(original.path)
    link = Utterance(tmp_path / "2.wav", "rise", None)
    assert conflicting([original, link]) == [[original, link]]


def test_what_cannot_be_read_is_in_no_group(tmp_path):
    takes = [take(tmp_path / f"{number}.wav", b"x") for number in (1, 2)]
    gone = [Utterance(tmp_path / f"gone{number}.wav", word, None) for number, word in enumerate(("hum", "rise"))]
    assert doubles([*takes, *gone]) == [takes]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="modes hold nobody back here")
def test_what_may_not_be_read_is_in_no_group(tmp_path):
    takes = [take(tmp_path / f"{number}.wav", b"x", word) for number, word in ((1, "hum"), (2, "rise"))]
    takes[0].path.chmod(0)
    assert conflicting(takes) == []


def test_only_other_words_contradict(tmp_path):
    same = [take(tmp_path / f"{n}.wav", b"same", "hum", speaker) for n, speaker in enumerate(("anna", "bob", None))]
    other = take(tmp_path / "other.wav", b"other", "rise")
    assert conflicting([*same, other]) == []
    wrong = take(tmp_path / "wrong.wav", b"same", "rise")
    assert conflicting([*same, other, wrong]) == [[*same, wrong]]


def test_a_contradiction_names_files_labels_and_the_remedy(tmp_path):
    group = [take(tmp_path / "1.wav", b"x", "hum"), take(tmp_path / "2\n.wav", b"x", "rise")]
    told = conflict(group)
    assert told.isprintable()
    assert told.startswith(f"{tmp_path / '1.wav'} (labelled 'hum') and ")
    assert "2\\n.wav' (labelled 'rise')" in told
    assert told.endswith("are the same recording; correct the wrong label or leave it out")
