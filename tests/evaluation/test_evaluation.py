"""Every count is compared with a plain loop over the answers, the intervals are tested in test_intervals."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from recognizer.corpus import Utterance
from recognizer.errors import RecognizerError
from recognizer.evaluation.evaluation import NOTHING, Evaluation, a_to_z, evaluate, headline
from recognizer.evaluation.report import score_rows, write_report
from recognizer.intervals import Proportion, wilson
from recognizer.recognition.result import Candidate, Result
from recognizer.recognizer import FileResult

VOCABULARY = ("no", "up", "yes")


def answer(path: Path, heard: str | None, confidence: float = 0.9, scores: dict[str, float] | None = None):
    """What a recognizer says of a file; `scores` are those of the words it considered."""
    scores = scores or {word: -10.0 - (word != heard) for word in VOCABULARY}
    if heard is None:
        return FileResult(path, Result(None, 0.0, False, (), None, None, 1.0, "too quiet"), None, 8000)
    ranked = sorted(scores, key=lambda word: -scores[word])
    nbest = tuple(Candidate(word, scores[word], confidence if word == heard else 0.0) for word in ranked)
    return FileResult(path, Result(heard, confidence, True, nbest, 0.1, 0.5, 1.0), None, 8000)


def unreadable(path: Path):
    return FileResult(path, None, f"{path}: is empty (0 bytes); record or copy it again")


@pytest.fixture
def mixed() -> Evaluation:
    """Right and wrong answers, a silent file, a foreign word, files without speaker, one unreadable."""
    said = [
        ("yes", "anna", answer(Path("0.wav"), "yes")),
        ("yes", "bob", answer(Path("1.wav"), "no", 0.4, {"no": -10.0, "yes": -10.5, "up": -12.0})),
        ("yes", None, answer(Path("2.wav"), None)),
        ("no", "anna", answer(Path("3.wav"), "no")),
        ("no", "bob", unreadable(Path("4.wav"))),
        ("left", "bob", answer(Path("5.wav"), "up", 0.7)),
        ("no", "anna", answer(Path("6.wav"), "no")),
    ]
    utterances = [Utterance(result.path, word, speaker) for word, speaker, result in said]
    return evaluate(utterances, (result for *_, result in said))


# Intervals


def test_the_headline_tells_accuracy_n_and_intervals():
    score = Proportion({"anna": (8, 10), "bob": (10, 10)})
    low, high = binomtest(18, 20).proportion_ci(method="wilson")
    least, most = (100 * p for p in score.bootstrap)
    told = f"n = 20, 95 % interval {100 * low:.1f} to {100 * high:.1f}, over 2 speakers {least:.1f} to {most:.1f}"
    assert headline(score) == f"accuracy 90.00 % ({told})"


# Counts

words = st.sampled_from(["no", "up", "yes", "语音"])
outcome = st.tuples(
    words,
    st.sampled_from([None, "anna", "bob"]),
    st.sampled_from(["bad", None, *VOCABULARY]),
    st.floats(0, 1),
)


@pytest.mark.parametrize(
    "names",
    [
        ("Affe", "Äpfel", "apfelmus", "Zebra", "zebras"),  # code points would have Zebra before apfelmus and Äpfel last
        ("cote", "coté", "côte", "côté"),
        ("e\u0301tat", "état", "étude"),  # composed or not
        ("ابدأ", "إغلاق"),
        ("a", "я", "你"),
    ],
)
def test_words_are_in_the_order_of_a_dictionary(names):
    assert sorted({*names}, key=a_to_z) == list(names)
    paths = [Path(f"{number}.wav") for number in range(len(names))]
    utterances = [Utterance(path, name, name) for path, name in zip(paths, reversed(names))]
    found = evaluate(utterances, [answer(path, names[0], scores={names[0]: -1.0}) for path in paths])
    assert found.words == found.heard == names
    assert list(found.by_word) == list(found.by_speaker) == list(names)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(outcome, min_size=1, max_size=40))
def test_counts_are_those_of_a_plain_loop(outcomes):
    utterances, results, right, wrong = [], [], Counter(), []
    for number, (word, speaker, heard, confidence) in enumerate(outcomes):
        path = Path(f"{number}.wav")
        utterances.append(Utterance(path, word, speaker))
        results.append(unreadable(path) if heard == "bad" else answer(path, heard, confidence))
        if heard != "bad" and heard != word:
            wrong.append((path, word, heard))
    read = [item for item in outcomes if item[2] != "bad"]
    right = [item for item in read if item[0] == item[2]]
    if not read:
        with pytest.raises(RecognizerError):
            evaluate(utterances, results)
        return
    found = evaluate(utterances, iter(results))

    assert (found.total.count, found.total.n) == (len(right), len(read))
    for place, scores in ((0, found.by_word), (1, found.by_speaker)):
        every = Counter(item[place] for item in read if item[place] is not None)
        correct = Counter(item[place] for item in right)
        assert {key: (score.count, score.n) for key, score in scores.items()} == {
            key: (correct[key], n) for key, n in every.items()
        }
        assert list(scores) == sorted(scores)
        for key, score in [(None, found.total), *scores.items()]:
            own = [item for item in read if key is None or item[place] == key]
            assert score.by_speaker == {
                speaker: (sum(item[0] == item[2] for item in own if item[1] == speaker), n)
                for speaker, n in Counter(item[1] for item in own).items()
            }

    assert found.words == tuple(sorted({item[0] for item in read}))
    assert found.confusion.shape == (len(found.words), len(found.heard))
    pairs = Counter((item[0], item[2] or NOTHING) for item in read)
    for row, said in enumerate(found.words):
        for column, heard in enumerate(found.heard):
            assert found.confusion[row, column] == pairs[said, heard]
    assert found.confusion.sum() == len(read)
    assert (NOTHING in found.heard) == any(item[2] is None for item in read)
    assert NOTHING not in found.heard[:-1], "nothing comes last"

    assert sorted((m.path, m.word, m.heard or None) for m in found.mistakes) == sorted(
        wrong, key=lambda mistake: mistake[0]
    )
    confidences = [mistake.confidence for mistake in found.mistakes]
    assert confidences == sorted(confidences, reverse=True), "the most confident mistake is the worst"
    assert set(found.unreadable) == {f"{n}.wav" for n, item in enumerate(outcomes) if item[2] == "bad"}
    assert json.loads(json.dumps(found.as_json())) == found.as_json()


def test_a_mixed_evaluation(mixed):
    assert mixed.total == Proportion({"anna": (3, 3), "bob": (0, 2), None: (0, 1)})
    assert mixed.by_word == {
        "left": Proportion({"bob": (0, 1)}),
        "no": Proportion({"anna": (2, 2)}),
        "yes": Proportion({"anna": (1, 1), "bob": (0, 1), None: (0, 1)}),
    }
    assert mixed.by_speaker == {"anna": Proportion({"anna": (3, 3)}), "bob": Proportion({"bob": (0, 2)})}
    assert mixed.words == ("left", "no", "yes")
    assert mixed.heard == ("left", "no", "up", "yes", NOTHING)
    np.testing.assert_array_equal(mixed.confusion, [[0, 0, 1, 0, 0], [0, 2, 0, 0, 0], [0, 1, 0, 1, 1]], strict=False)
    assert [(m.path.name, m.word, m.heard, m.confidence) for m in mixed.mistakes] == [
        ("5.wav", "left", "up", 0.7),
        ("1.wav", "yes", "no", 0.4),
        ("2.wav", "yes", None, 0.0),
    ]
    # How far the label was behind; unknown for a word the model lacks, or where nothing was heard.
    assert [m.margin for m in mixed.mistakes] == [None, pytest.approx(0.5), None]
    assert list(mixed.unreadable) == ["4.wav"]
    assert "0 bytes" in mixed.unreadable["4.wav"]


def test_rejections_are_counted_beside_the_forced_choice():
    """Two words are known; counted by hand."""

    def rejected(name: str, best: str) -> FileResult:
        found = answer(Path(name), best)
        result = replace(found.result, word=None, accepted=False, reason="sounds like no word")
        return replace(found, result=result)

    said = [
        ("yes", answer(Path("0.wav"), "yes")),
        ("yes", rejected("1.wav", "yes")),
        ("no", rejected("2.wav", "yes")),
        ("no", answer(Path("3.wav"), None)),
        ("tree", answer(Path("4.wav"), "yes")),
        ("tree", rejected("5.wav", "no")),
        ("dog", rejected("6.wav", "no")),
    ]
    utterances = [Utterance(result.path, word, "anna") for word, result in said]
    found = evaluate(utterances, [result for _, result in said], ("yes", "no"))
    assert found.total == Proportion.of(2, 4, "anna"), "a forced choice does not mind rejection, nor count other words"
    assert found.by_word == {"no": Proportion.of(0, 2, "anna"), "yes": Proportion.of(2, 2, "anna")}
    assert found.by_speaker == {"anna": Proportion.of(2, 4, "anna")}
    assert found.false_rejections == Proportion.of(3, 4, "anna")
    assert found.false_acceptances == Proportion.of(1, 3, "anna")
    assert found.unknown == {"dog": Proportion.of(0, 1, "anna"), "tree": Proportion.of(1, 2, "anna")}
    assert found.words == ("dog", "no", "tree", "yes")
    assert [m.path.name for m in found.mistakes] == ["2.wav", "3.wav"]
    report = found.as_json()
    interval = {"interval": list(wilson(3, 4)), "over": "4 takes of one speaker"}
    bootstrap = list(found.false_rejections.bootstrap)
    assert report["false_rejections"] == {"rate": 0.75, "count": 3, "n": 4, **interval, "bootstrap": bootstrap}
    assert report["unknown"]["dog"]["rate"] == 0
    rates = [row[:4] for row in score_rows(found) if row[0].startswith("false")]
    assert rates == [
        ["false rejections", "", 3, 4],
        ["false acceptances", "", 1, 3],
        ["false acceptances", "dog", 0, 1],
        ["false acceptances", "tree", 1, 2],
    ]


def test_ties_among_mistakes_are_in_order_of_their_files():
    paths = [Path(f"{name}.wav") for name in "cab"]
    found = evaluate([Utterance(p, "yes", None) for p in paths], [answer(p, "no") for p in paths])
    assert [m.path.stem for m in found.mistakes] == ["a", "b", "c"]


def test_nothing_that_could_be_read():
    path = Path("a.wav")
    with pytest.raises(RecognizerError, match=r"none of the 1 files can be tested: a\.wav: is empty"):
        evaluate([Utterance(path, "yes", None)], [unreadable(path)])
    with pytest.raises(RecognizerError, match="empty"):
        evaluate([], [])


# Reports


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_all_parts_of_a_report_agree(mixed, tmp_path):
    folder = tmp_path / "new" / "report"
    written = write_report(mixed, folder)
    assert sorted(written) == sorted(folder.iterdir())
    tables = ["by_speaker", "by_word", "confusion", "mistakes", "rejection"]
    assert {p.name for p in written} == {
        "evaluation.json",
        "index.html",
        *(f"{name}.csv" for name in tables),
        *(f"{name}.png" for name in tables[:3]),
    }
    report = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert report == mixed.as_json()
    assert (report["accuracy"], report["n"], report["interval"]) == (0.5, 6, list(wilson(3, 6)))

    for name in ("by_word", "by_speaker"):
        table = rows(folder / f"{name}.csv")
        assert [row[name.removeprefix("by_")] for row in table] == list(report[name])
        for row, score in zip(table, report[name].values(), strict=True):
            assert int(row["n"]) == score["n"]
            assert int(row["correct"]) == score["accuracy"] * score["n"]
            assert [float(row[key]) for key in ("accuracy", "low", "high")] == [score["accuracy"], *score["interval"]]
            assert [float(row[f"bootstrap_{end}"]) for end in ("low", "high")] == score["bootstrap"]
            assert row["over"] == score["over"]

    confusion = {row.pop("said"): row for row in rows(folder / "confusion.csv")}
    assert list(next(iter(confusion.values()))) == ["left", "no", "up", "yes", "(nothing)"]
    for said, row in confusion.items():
        counted = {heard if heard != "(nothing)" else NOTHING: int(n) for heard, n in row.items() if int(n)}
        assert counted == report["confusion"][said]

    mistakes = rows(folder / "mistakes.csv")
    for row, mistake in zip(mistakes, report["mistakes"], strict=True):
        assert {key: value if value is None else str(value) for key, value in mistake.items()} == {
            key: value or None for key, value in row.items()
        }


@pytest.mark.filterwarnings("ignore:no font here has")
@pytest.mark.parametrize("count", [1, 30])
def test_pictures_are_pictures(tmp_path, count):
    image = pytest.importorskip("matplotlib.image")
    # Letters that no font has, what looks like mathematics, and a very long word.
    words = ["语音", "$x$", "a_$\\bad$", "x" * 50, *(f"word {n}" for n in range(26))][:count]
    paths = [Path(f"{n}.wav") for n in range(count)]
    utterances = [Utterance(p, word, f"s{n}") for n, (p, word) in enumerate(zip(paths, words, strict=True))]
    found = evaluate(utterances, [answer(p, words[0], 0.5, dict.fromkeys(words, -1.0)) for p in paths])
    for path in write_report(found, tmp_path):
        if path.suffix == ".png":
            pixels = image.imread(path)
            assert min(pixels.shape[:2]) > 50
            assert pixels[..., :3].std() > 0.01, "something is drawn"


def test_a_report_without_speakers_has_no_picture_of_them(tmp_path):
    path = Path("a.wav")
    written = write_report(evaluate([Utterance(path, "yes", None)], [answer(path, "yes")]), tmp_path)
    assert "by_speaker.png" not in {file.name for file in written}
    assert rows(tmp_path / "by_speaker.csv") == []
    assert rows(tmp_path / "mistakes.csv") == []


def test_a_report_replaces_an_older_one(mixed, tmp_path):
    write_report(mixed, tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_report(mixed, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_missing_matplotlib_is_told_before_anything_is_written(mixed, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RecognizerError) as caught:
        write_report(mixed, tmp_path / "report")
    text = str(caught.value)
    assert "matplotlib" in text
    assert "pip install recognizer[plot]" in text
    assert text.isprintable()
    assert not (tmp_path / "report").exists()


def test_no_folder_to_write_into(mixed, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "report", tmp_path / ("x" * 300)):
        with pytest.raises(RecognizerError, match=r"cannot be written: .*; write the report elsewhere") as caught:
            write_report(mixed, folder)
        assert str(folder) in str(caught.value)
