"""The same recording more than once, whatever it is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from recognizer.corpus import Utterance, conflict, conflicting, same_content


def take(name: str, word: str = "hum", speaker: str | None = None) -> Utterance:
    return Utterance(Path(name), word, speaker)


@given(contents=st.lists(st.sampled_from(["a", "b", None]), max_size=12))
def test_groups_are_those_of_the_same_content_in_order(contents):
    takes = [take(f"{number}.wav") for number in range(len(contents))]
    found = same_content(takes, dict(zip((one.path for one in takes), contents)).get)
    assert found == {
        content: [one for one, other in zip(takes, contents) if other == content] for content in {*contents} - {None}
    }


def test_only_other_words_contradict():
    same = [take(f"{n}.wav", "hum", speaker) for n, speaker in enumerate(("anna", "bob", None))]
    other, wrong = take("other.wav", "rise"), take("wrong.wav", "rise")
    assert conflicting([same, [other]]) == []
    assert conflicting([[*same, wrong], [other]]) == [[*same, wrong]]
    assert conflicting([[same[0], replace(same[0], word="rise")]]) == [], "of one file only what is wrong is told"


def test_a_contradiction_names_files_labels_and_the_remedy():
    told = conflict([take("1.wav", "hum"), take("2\n.wav", "rise")])
    assert told.isprintable()
    assert told.startswith("1.wav (labelled 'hum') and ")
    assert "2\\n.wav' (labelled 'rise')" in told
    assert told.endswith("are the same recording; correct the wrong label or leave it out")
