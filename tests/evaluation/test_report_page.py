"""The page of an evaluation: it counts what the evaluation counted, and plays what was recognised."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reading import Element, data_of, read_page
from synthetic import RATE, record, say, write

from recognizer.corpus import Utterance, find
from recognizer.errors import RecognizerWarning
from recognizer.evaluation import report_page as pages
from recognizer.evaluation.evaluation import NOTHING, Evaluation, evaluate
from recognizer.evaluation.report_page import report_page
from recognizer.evaluation.spectrogram import small_picture
from recognizer.files.pictures import LABELLED, LONGEST_LABEL
from recognizer.intervals import Proportion
from recognizer.recognition.result import Candidate, Result
from recognizer.recognizer import FileResult, Recognizer
from recognizer.sound import audio

HOSTILE = ["<script>alert(1)</script>", '"onload="alert(1)', "سبعة", "九", "</script>&amp;\u202e"]


def evaluated(model, utterances: list[Utterance]) -> Evaluation:
    return evaluate(utterances, Recognizer(model).recognize_files([u.path for u in utterances]), model.words)


@pytest.fixture
def utterances(tmp_path) -> list[Utterance]:
    """Right answers, mistakes, a silent file, and words that the model does not have, all of which are hostile."""
    folder = record(tmp_path / "mixed", speakers=["eve", "carl"], takes=2)
    for take in range(3):
        write(folder / f"rise_eve_{90 + take}.wav", say("fall", take=90 + take))
    write(folder / "hum_bob_0.wav", np.zeros(RATE))
    write(folder / "stereo" / "peep_eve_7.wav", np.stack([say("hum", take=7)] * 2, axis=1))
    write(folder / "fast" / "hum_eve_8.flac", say("rise", rate=16000), 16000)
    found = find(folder)
    for number, word in enumerate(HOSTILE):
        path = write(tmp_path / f"'{number}&amp;.wav", say("peep", take=number))
        found.append(Utterance(path, word, HOSTILE[-number - 1]))
    return found


@pytest.fixture
def mixed(built, utterances) -> Evaluation:
    return evaluated(built, utterances)


@pytest.fixture
def whole(mixed) -> Element:
    return read_page(report_page(mixed, RATE))


def shown(word: str) -> str:
    return word.replace("\u202e", "\\u202e")


def buttons(whole: Element) -> dict[str, Element]:
    return {
        button.attributes["data-cell"]: button for button in whole.all("button") if "data-cell" in button.attributes
    }


def sounds(whole: Element) -> dict[int, str]:
    """The sound that the page has, by the number of the recording."""
    found = {number: r["sound"] for number, r in enumerate(data_of(whole)["recordings"]) if "sound" in r}
    drawn = {int(e.attributes["id"].removeprefix("sound-")): e.attributes["src"] for e in whole.all("audio")}
    assert not found.keys() & drawn.keys(), "nothing is there twice"
    return found | drawn


def played(address: str) -> tuple[np.ndarray, int]:
    with wave.open(
        io.BytesIO(base64.b64decode(address.removeprefix("data:audio/wav;base64,"), validate=True))
    ) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2"), sound.getframerate()


# Numbers


def test_every_count_is_that_of_the_evaluation(mixed, whole):
    table = whole.one("section", id="confusion").one("table")
    head, *rows = table.rows
    assert head[1:] == [shown(heard) or "(nothing)" for heard in mixed.heard]
    told = mixed.as_json()["confusion"]
    assert len(rows) == len(mixed.words)
    for word, (name, *counts) in zip(mixed.words, rows):
        assert name == shown(word) + (" (not in the model)" if word in HOSTILE else "")
        assert {heard: int(count) for heard, count in zip(mixed.heard, counts) if count != "0"} == told[word]
    framed = table.all("button", **{"class": "right"})
    assert sum(int(button.text) for button in framed) == mixed.total.count


def test_shares_and_intervals_are_those_of_the_evaluation(mixed, whole):
    def cells(score: Proportion) -> list[str]:
        told = score.as_json()
        ends = [f"{100 * low:.1f} to {100 * high:.1f}" for low, high in (told["interval"], told["bootstrap"])]
        return [str(score.count), str(score.n), f"{100 * score.share:.2f}", "", *ends, score.over]

    for name, scores in (("words", mixed.by_word), ("speakers", mixed.by_speaker)):
        rows = whole.one("section", id=name).one("table").rows[1:]
        assert {row[0]: row[1:] for row in rows} == {shown(key): cells(score) for key, score in scores.items()}
        shares = [float(row[3]) for row in rows]
        assert shares == sorted(shares), "the worst comes first"
    rows = {row[0]: row[1:] for row in whole.one("section", id="accuracy").one("table").rows[1:]}
    assert rows["accuracy, were nothing rejected"] == cells(mixed.total)
    assert rows["words of the model that were rejected"] == cells(mixed.false_rejections)
    assert rows["words that the model lacks, and accepted"] == cells(mixed.false_acceptances)
    for word, rate in mixed.unknown.items():
        assert rows[f"of these: {shown(word)}"] == cells(rate)


def test_behind_a_cell_are_the_recordings_that_it_counts(mixed, utterances, whole, built):
    data, number = data_of(whole), 0
    answers = Recognizer(built).recognize_files([u.path for u in utterances])
    expected: dict[str, list[str]] = {}
    for utterance, answer in zip(utterances, answers):
        best = answer.result.nbest[0].word if answer.result.nbest else NOTHING
        cell = f"{mixed.words.index(utterance.word)}-{mixed.heard.index(best)}"
        expected.setdefault(cell, []).append(str(utterance.path))
    found = {cell: [data["recordings"][n]["file"] for n in numbers] for cell, numbers in data["cells"].items()}
    assert found == expected
    for cell, button in buttons(whole).items():
        row, column = map(int, cell.split("-"))
        assert int(button.text) == len(found[cell]) == mixed.confusion[row, column]
        label = button.attributes["aria-label"].replace("\u2068", "").replace("\u2069", "")
        heard = f"“{shown(mixed.heard[column])}”" if mixed.heard[column] else "nothing"
        told = f"said “{shown(mixed.words[row])}”, heard {heard}: {button.text} recording"
        assert label == told + "s" * (len(found[cell]) > 1)
        number += len(found[cell])
    assert number == len(utterances) == len(data["recordings"])
    for recording, (utterance, answer) in zip(data["recordings"], mixed.answered):
        assert recording["speaker"] == shown(utterance.speaker)
        assert recording["confidence"] == round(answer.result.confidence, 4)
        assert recording.get("rejected") == answer.result.reason


def test_the_worst_files_are_those_of_the_evaluation(mixed, whole, monkeypatch):
    def told(whole: Element) -> list[str]:
        return [item.text for item in whole.one("section", id="worst").all("li")]

    items = told(whole)
    assert len(items) == len(mixed.mistakes) == 6
    for item, mistake in zip(items, mixed.mistakes):
        heard = f"heard {mistake.heard} with confidence {mistake.confidence:.2f}" if mistake.heard else "nothing heard"
        assert item.startswith(f"said {mistake.word}, {heard}")
        assert str(mistake.path) in item
    monkeypatch.setattr(pages, "WORST", 2)
    few = read_page(report_page(mixed, RATE))
    assert [item.split("\n")[0] for item in told(few)] == [item.split("\n")[0] for item in items[:2]]
    assert "6 mistakes in all" in few.one("section", id="worst").text
    assert len(list(few.all("img"))) == 2
    assert sounds(few) == sounds(whole)


# Sound


def test_what_one_hears_is_what_was_recognised(mixed, whole, built, tmp_path):
    found = sounds(whole)
    wrong = [n for n, (u, a) in enumerate(mixed.answered) if (a.result.nbest and a.result.nbest[0].word) != u.word]
    assert sorted(found) == wrong
    assert len(wrong) == 6 + len(HOSTILE)
    for number, address in found.items():
        utterance, answer = mixed.answered[number]
        samples, rate = played(address)
        result, heard = answer.result, audio.sixteen_bits(audio.load(utterance.path, RATE).samples)
        assert rate == RATE
        if result.start is None:
            np.testing.assert_array_equal(samples, heard)
            continue
        first, last = (round(place * RATE) for place in (result.start, result.end))
        around = round(pages.AROUND * RATE)
        start = max(0, first - around)
        assert abs(len(samples) - (min(len(heard), last + around) - start)) <= 1
        np.testing.assert_array_equal(samples, heard[start:][: len(samples)])
        again = Recognizer(built).recognize(write(tmp_path / "again.wav", samples, rate))
        assert again.nbest[0].word == result.nbest[0].word


def test_only_the_word_is_heard_of_a_long_recording(built, tmp_path):
    quiet = 0.0003 * np.random.default_rng(0).standard_normal(20 * RATE)
    long = write(tmp_path / "long.wav", np.concatenate([quiet, say("rise"), quiet]))
    silent = write(tmp_path / "silent.wav", np.zeros(20 * RATE))
    whole = read_page(
        report_page(evaluated(built, [Utterance(long, "hum", None), Utterance(silent, "hum", None)]), RATE)
    )
    spoken, beginning = (played(sounds(whole)[number])[0] for number in (0, 1))
    assert len(spoken) < 1.5 * RATE
    assert np.abs(spoken).max() > 3000
    assert len(beginning) == 4 * RATE
    assert "0.00 to 4.00 of 20.00 s; 0 to 4000 Hz" in whole.text


@pytest.mark.parametrize("most", [0, 30_000, 80_000])
def test_sound_and_pictures_are_bounded_and_what_is_left_out_is_said(mixed, monkeypatch, most):
    monkeypatch.setattr(pages, "MOST_EMBEDDED", most)
    text = report_page(mixed, RATE)
    whole = read_page(text)
    pictures = [picture.attributes["src"] for picture in whole.all("img")]
    found = sounds(whole)
    assert sum(map(len, [*found.values(), *pictures])) <= most
    data, told = data_of(whole)["recordings"], whole.one("section", id="worst")
    silent = [number for number, recording in enumerate(data) if "silent" in recording]
    assert len(silent) + len(found) == 11
    assert len(found) > 0 or most == 0
    assert {data[number]["silent"] for number in silent} == {pages.NO_ROOM}
    said = whole.one("section", id="confusion").text
    assert f"Of {len(silent)} recordings among these there is no sound here" in said
    assert f"more than {most // 10**6} MB" in said
    for item, mistake in zip(told.all("li"), mixed.mistakes, strict=True):
        assert str(mistake.path) in item.text
        assert (pages.NO_ROOM in item.text) == (not list(item.all("audio")))


def test_a_page_with_room_for_all_says_nothing_of_that(whole):
    assert "no sound" not in whole.text


def test_recordings_that_are_gone_or_no_sound_are_named(mixed):
    for path in {utterance.path for utterance, _ in mixed.answered}:
        path.unlink()
    *others, (utterance, answer) = mixed.answered
    given = (*others, (utterance, replace(answer, source_rate=None)))
    whole = read_page(report_page(replace(mixed, answered=given), RATE))
    assert sounds(whole) == {}
    told = [recording.get("silent") for recording in data_of(whole)["recordings"]]
    assert told[-1] == pages.NO_SOUND
    assert set(told[:-1]) == {None, pages.GONE}
    assert whole.one("section", id="worst").text.count(pages.GONE) == len(mixed.mistakes)


def test_recordings_that_are_others_by_now_are_named(mixed):
    first, second, *_ = [m.path for m in mixed.mistakes if m.path.name.startswith("rise")]
    first.write_text("no sound")
    write(second, np.zeros(3))  # which ends before the word that was heard
    later = {"start": 5.0, "end": 5.5, "duration": 6.0}
    given = tuple(
        (u, replace(a, result=replace(a.result, **later)) if u.path == second else a) for u, a in mixed.answered
    )
    items = read_page(report_page(replace(mixed, answered=given), RATE)).one("section", id="worst").all("li")
    gone = [item.text for item in items if pages.GONE in item.text]
    assert len(gone) == 2
    assert all(any(str(path) in text for text in gone) for path in (first, second))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_came_through_a_pipe_is_not_waited_for(mixed, monkeypatch):
    path, load = mixed.mistakes[0].path, audio.load
    path.unlink()
    os.mkfifo(path)
    loaded = []

    def noted(file: Path, rate: int) -> audio.Recording:
        loaded.append(file)
        assert file != path
        return load(file, rate)

    monkeypatch.setattr(audio, "load", noted)
    items = list(read_page(report_page(mixed, RATE)).one("section", id="worst").all("li"))
    assert pages.GONE in items[0].text
    assert len(loaded) == 10


def test_what_was_told_when_it_was_recognised_is_not_told_again(mixed):
    path = next(m.path for m in mixed.mistakes if m.path.name.startswith("rise"))
    file = bytearray(path.read_bytes())
    file[40:44] = (100).to_bytes(4, "little")  # as if there were less in it
    path.write_bytes(file)
    with pytest.warns(RecognizerWarning):
        audio.load(path, RATE)
    assert len(sounds(read_page(report_page(mixed, RATE)))) == 11  # and no warning, which would be an error


def test_spectrograms_are_of_the_sound_beside_them(whole):
    image = pytest.importorskip("matplotlib.image")
    for figure in whole.all("figure"):
        samples, rate = played(figure.one("audio").attributes["src"])
        file = base64.b64decode(
            figure.one("img").attributes["src"].removeprefix("data:image/png;base64,"), validate=True
        )
        seen, again = (image.imread(io.BytesIO(f)) for f in (file, small_picture(samples / 32768, rate)))
        assert seen.shape == again.shape
        assert np.abs(seen - again).mean() < 0.02, "but for what is lost in 16 bits"


# What looks like HTML, and words of any script


def test_what_is_hostile_stays_text(mixed):
    text = report_page(mixed, RATE)
    whole = read_page(text)  # in which there is one script, no comment and no attribute of anybody else
    assert text.count("<script") == text.count("</script") == 2
    assert "onload=" not in [name for element in whole.all() for name in element.attributes]
    assert "\u202e" not in text
    cells = {cell for row in whole.one("section", id="confusion").one("table").rows for cell in row}
    assert {shown(word) for word in HOSTILE} <= cells


def test_words_run_in_their_own_direction(whole):
    head = {cell.text: cell.attributes for cell in whole.all("th", scope="col")}
    for word in ("سبعة", "九"):
        assert head[word]["dir"] == "auto"
        rows = [cell for cell in whole.all("th", scope="row") if cell.text.endswith(f"{word} (not in the model)")]
        assert [element.text for cell in rows for element in cell.all("bdi")] == [word]


def test_names_that_are_no_text_are_shown_escaped(mixed):
    path = Path("a\udcff\n.wav")
    (utterance, answer), *others = mixed.answered
    given = ((replace(utterance, path=path), answer), *others)
    whole = read_page(report_page(replace(mixed, answered=given), RATE))
    assert data_of(whole)["recordings"][0]["file"] == "a\\udcff\\n.wav"
    report_page(replace(mixed, answered=given), RATE).encode()


def test_a_long_word_leaves_room_for_the_table():
    long = "x" * 400 + "y"
    whole = read_page(report_page(made_up([(long, "a"), ("a", "a")])))
    assert whole.one("section", id="words").one("table").rows[1][0] == long
    names = [cell.text for cell in whole.one("section", id="confusion").all("th")]
    assert max(map(len, names)) <= LONGEST_LABEL
    assert names.count("x" * 15 + "…" + "x" * 13 + "y") == 2
    assert long in buttons(whole)["1-0"].attributes["aria-label"]


# Many words


def made_up(pairs: list[tuple[str, str]]) -> Evaluation:
    """What is said and heard, of files that are not there."""
    utterances, results = [], []
    for number, (said, heard) in enumerate(pairs):
        utterances.append(Utterance(Path(f"{number}.wav"), said, "anna"))
        result = Result(heard, 0.5, True, (Candidate(heard, -1.0, 0.5),), 0.1, 0.5, 1.0)
        results.append(FileResult(Path(f"{number}.wav"), result, None, RATE))
    return evaluate(utterances, results)


def test_of_many_words_the_pairs_that_were_mistaken_are_shown(monkeypatch):
    words = [f"word {number}" for number in range(LABELLED + 1)]
    pairs = [(word, word) for word in words] + [(words[0], words[1])] * 3 + [(words[2], words[3])]
    found = made_up(pairs)
    whole = read_page(report_page(found))
    assert whole.one("section", id="confusion").one("table").rows[1:] == [
        ["word 0", "word 1", "3"],
        ["word 2", "word 3", "1"],
    ]
    cells = data_of(whole)["cells"]
    assert [len(cells[cell]) for cell in buttons(whole)] == [3, 1]
    monkeypatch.setattr(pages, "MOST_PAIRS", 1)
    whole = read_page(report_page(found))
    assert len(buttons(whole)) == 1
    assert "the first 1 of 2" in whole.one("section", id="confusion").one("caption").text
    assert read_page(report_page(made_up(pairs[1:-4]))).one("section", id="confusion").one("table").rows[1:] != []


def test_all_right_has_no_worst_files():
    whole = read_page(report_page(made_up([("a", "a"), ("b", "b")])))
    assert [section.attributes["id"] for section in whole.all("section")] == [
        *("accuracy", "words", "speakers", "confusion"),
        "behind",
    ]


def test_where_nobody_knows_who_spoke_there_is_no_table_of_speakers(mixed):
    nobody = evaluate([replace(u, speaker=None) for u, _ in mixed.answered], [answer for _, answer in mixed.answered])
    whole = read_page(report_page(nobody, RATE))
    assert "speakers" not in [section.attributes["id"] for section in whole.all("section")]
    assert not any("speaker" in recording for recording in data_of(whole)["recordings"])


def test_what_could_not_be_read_is_told():
    found = replace(made_up([("a", "a")]), unreadable={"x.wav": "x.wav: is <b>empty; record it again"})
    [item] = read_page(report_page(found)).one("section", id="unreadable").all("li")
    assert item.text == "x.wav: is <b>empty; record it again"


# Its script

BROWSER = """
class Element {
  constructor(tag, attributes = {}) {
    Object.assign(this, { tag, attributes, children: [], listeners: {}, hidden: true, textContent: "" });
    this.dataset = { cell: attributes["data-cell"] };
  }
  getAttribute(name) { return this.attributes[name]; }
  setAttribute(name, value) { this.attributes[name] = value; }
  append(...parts) { this.children.push(...parts); }
  replaceChildren(...parts) { this.children = parts; }
  querySelector(tag) { return this[tag] ||= new Element(tag); }
  addEventListener(kind, act) { this.listeners[kind] = act; }
  click() { this.listeners.click(); }
  focus() { focused = this; }
}
let focused = null;
const page = JSON.parse(require("fs").readFileSync(0, "utf8"));
const known = { behind: new Element("section"), data: new Element("script") };
known.data.textContent = page.data;
for (const [id, src] of Object.entries(page.sounds)) known[id] = Object.assign(new Element("audio"), { src });
const buttons = page.buttons.map((attributes) => new Element("button", attributes));
const document = {
  getElementById: (id) => known[id] || null,
  createElement: (tag) => new Element(tag),
  querySelectorAll: () => buttons,
};
new Function("document", page.script)(document);
const list = known.behind.querySelector("ol"), title = known.behind.querySelector("h3");
for (const button of buttons) button.click();
const seen = buttons.map((button) => {
  button.click();
  const shown = {
    title: title.textContent, hidden: known.behind.hidden, pressed: button.attributes["aria-pressed"],
    told: focused === title, all: buttons.filter((other) => other.attributes["aria-pressed"] === "true").length,
    items: list.children.map((item) => ({
      file: item.children[0].textContent, told: item.children[1], sound: item.children[2] && item.children[2].src,
    })),
  };
  known.behind.querySelector("button").click();
  return { ...shown, back: focused === button && known.behind.hidden };
});
console.log(JSON.stringify(seen));
"""


@pytest.fixture
def browse() -> Callable[[Element], list[dict]]:
    """Presses every button of a page, in what is a browser to its script; gives what is then seen."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here to run JavaScript")

    def press(whole: Element) -> list[dict]:
        scripts = {element.attributes.get("type"): element.text for element in whole.all("script")}
        drawn = {element.attributes["id"]: element.attributes["src"] for element in whole.all("audio")}
        page = {"data": scripts["application/json"], "script": scripts[None], "sounds": drawn}
        page["buttons"] = [button.attributes for button in buttons(whole).values()]
        done = subprocess.run(
            [node, "-e", BROWSER], input=json.dumps(page), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return press


def test_a_button_shows_the_recordings_of_its_cell_and_gives_the_focus_back(mixed, whole, browse):
    data, found = data_of(whole), sounds(whole)
    for (cell, button), seen in zip(buttons(whole).items(), browse(whole), strict=True):
        assert (seen["hidden"], seen["pressed"], seen["told"], seen["all"], seen["back"]) == (
            False,
            "true",
            True,
            1,
            True,
        )
        assert seen["title"] == button.attributes["aria-label"]
        numbers = data["cells"][cell]
        assert [item["file"] for item in seen["items"]] == [data["recordings"][number]["file"] for number in numbers]
        assert [item.get("sound") for item in seen["items"]] == [found.get(number) for number in numbers]
        for item, number in zip(seen["items"], numbers):
            utterance, answer = mixed.answered[number]
            told = f": speaker \u2068{shown(utterance.speaker)}\u2069, confidence {answer.result.confidence:.2f}"
            assert item["told"] == told + (f", rejected: {answer.result.reason}" if answer.result.reason else "")
