"""`recognizer models`: what there is, and what is in it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import RATE, record, say, write

from recognizer import model as models
from recognizer.cli import models as command
from recognizer.evaluation import divergence
from recognizer.evaluation.description import most_alike, state_durations
from recognizer.evaluation.evaluation import headline
from recognizer.intervals import Proportion, in_words
from recognizer.recognition.evidence import stays


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch) -> Path:
    """Let the package seem to be installed without models."""
    folder = tmp_path / "site-packages" / "recognizer"
    (folder / "models").mkdir(parents=True)
    monkeypatch.setattr(models, "__file__", str(folder / "model.py"))
    return folder / "models"


@pytest.fixture(autouse=True)
def few_frames(monkeypatch):
    """Distances need not be exact here."""
    monkeypatch.setattr(divergence, "FRAMES", 2000)


@pytest.fixture
def own(home) -> Path:
    (home / "models").mkdir(parents=True)
    return home / "models"


# List


def test_no_models(run, home):
    outcome = run("models", "list")
    assert (outcome.status, outcome.stdout) == (0, "")
    assert "no models found" in outcome.stderr
    assert str(home / "models") in outcome.stderr, "where to put some"
    assert run("models", "list", "--quiet").stderr == ""
    assert run("models", "list", "--json").stdout == ""


def test_the_list(run, built, own, package):
    built.save(own / "tones.npz")
    replace(built, words=("语音", "b", "c", "d")).save(package / "other.npz")
    outcome = run("models", "list")
    assert (outcome.status, outcome.stderr) == (0, "")
    lines = {line.split()[0]: line for line in outcome.stdout.splitlines()}
    assert set(lines) == {"tones", "other"}
    for name, path in (("tones", own / "tones.npz"), ("other", package / "other.npz")):
        assert lines[name].endswith(str(path))
        assert "4 words, 8000 Hz" in lines[name]
    records = [json.loads(line) for line in run("models", "list", "--json").stdout.splitlines()]
    assert {record["name"]: record for record in records}["tones"] == {
        "name": "tones",
        "file": str(own / "tones.npz"),
        "words": list(built.words),
        "fingerprint": built.fingerprint,
    }
    assert "语音" in run("models", "list", "--json").stdout


def test_the_users_model_hides_an_installed_one(run, built, own, package):
    built.save(own / "digits.npz")
    (package / "digits.npz").write_bytes(b"hidden, so never read")
    outcome = run("models", "list", "--json")
    assert outcome.status == 0
    assert [json.loads(line)["file"] for line in outcome.stdout.splitlines()] == [str(own / "digits.npz")]


def test_a_damaged_model_does_not_hide_the_others(run, built, own):
    built.save(own / "tones.npz")
    (own / "broken.npz").write_bytes((own / "tones.npz").read_bytes()[:1000])
    for options in ([], ["--json"], ["--quiet"]):
        outcome = run("models", "list", *options)
        assert outcome.status == 1
        assert "tones" in outcome.stdout
        assert "broken" not in outcome.stdout
        assert outcome.stderr.startswith(f"error: {own / 'broken.npz'} is not a model")
        assert outcome.stderr.count("\n") == 1


def test_listing_makes_no_folder(run, home):
    run("models", "list")
    assert not home.exists()


# Show


def test_json_tells_everything(run, built, model_file):
    outcome = run("models", "show", model_file, "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    record = json.loads(outcome.stdout)
    bank, durations = built.acoustics.bank, state_durations(built.acoustics, 0.010).sum(1)
    assert record == {
        "file": str(model_file),
        "bytes": model_file.stat().st_size,
        "fingerprint": built.fingerprint,
        "words": list(built.words),
        "spoken": {},
        "states": 5,
        "density": "continuous",
        "mixtures": bank.weights.shape[1],
        "gaussians": int((bank.weights > 0).sum()),
        "dims": bank.means.shape[2],
        "durations": pytest.approx(dict(zip(built.words, durations)), abs=1e-4),
        "confusable": most_alike(built),
        "front_end": json.loads(json.dumps(built.front_end.settings)),
        "endpointer": asdict(built.endpointer),
        "calibration": asdict(built.calibration),
        "rejection": {
            "evidence": stays(5).stop,
            "units": 1,
            **built.rejection.thresholds,
            "noise_gaussians": int((built.rejection.noise.weights > 0).sum()),
        },
        "history": built.acoustics.history,
        "card": built.card,
    }


def test_the_text_tells_the_same(run, model_file):
    record = json.loads(run("models", "show", model_file, "--json").stdout)
    outcome = run("models", "show", model_file)
    assert (outcome.status, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[:2] == [f"model: {model_file}", "words: 4: fall, hum, peep, rise"]
    seconds = {word: float(told) for word, told in (line.split()[:2] for line in lines if line.endswith(" s"))}
    assert seconds == pytest.approx(record["durations"], abs=0.0051)
    assert list(seconds.values()) == sorted(seconds.values(), reverse=True), "the longest comes first"
    start = next(number for number, line in enumerate(lines) if line.startswith("Words most easily taken"))
    for line, pair in zip(lines[start + 1 :], record["confusable"]):
        assert line.split() == [f"{pair['distance']:.2f}", pair["words"][0], "and", pair["words"][1]]
    for stage, curve in record["history"].items():
        (line,) = (line for line in lines if line.startswith(f"  {stage} "))
        assert f" {curve[0]:.2f} to {curve[-1]:.2f} in {len(curve)} iteration" in line
        assert line.count("\N{FULL BLOCK}") >= 1
    for key, value in (record | record["card"]).items():
        if isinstance(value, str | int) and key not in ("file", "bytes"):
            assert f"{key}: {value}" in lines
    for part in ("front_end", "endpointer", "calibration", "rejection"):
        place = lines.index(f"{part}:")
        for offset, name in enumerate(record[part], 1):
            assert lines[place + offset].startswith(f"  {name}: ")


def test_how_words_are_said_stands_beside_them(run, built, tmp_path):
    spoken = {"fall": "fo:l", "rise": "raiz", "unknown": "of no word"}
    replace(built, card=built.card | {"spoken": spoken}).save(tmp_path / "m.npz")
    lines = run("models", "show", tmp_path / "m.npz").stdout.splitlines()
    assert lines[1] == "words: 4: fall (fo:l), hum, peep, rise (raiz)"
    assert not any("of no word" in line or line.startswith("spoken") for line in lines), "once is enough"
    record = json.loads(run("models", "show", tmp_path / "m.npz", "--json").stdout)
    assert record["spoken"] == {"fall": "fo:l", "rise": "raiz"}


def test_many_words_are_not_all_listed(run, built, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "FEW", 2)
    built.save(tmp_path / "m.npz")
    lines = run("models", "show", tmp_path / "m.npz").stdout.splitlines()
    assert lines[1] == "words: 4: fall, hum and 2 more"
    assert "  (the 1 longest and the 1 shortest; --json has all)" in lines
    assert sum(line.endswith(" s") for line in lines) == 2


def test_a_picture(run, built, tmp_path):
    image = pytest.importorskip("matplotlib.image")
    replace(built, words=("语音", "$b$", "c", "d")).save(tmp_path / "m.npz")
    pictures = []
    for word in ([], ["--word", "$b$"]):
        outcome = run("models", "show", tmp_path / "m.npz", "--plot", tmp_path / "m.png", *word)
        assert (outcome.status, outcome.stderr) == (0, f"written to {tmp_path / 'm.png'}\n")
        assert outcome.stdout == run("models", "show", tmp_path / "m.npz").stdout
        pictures.append(image.imread(tmp_path / "m.png"))
        assert pictures[-1][..., :3].std() > 0.01, "something is drawn"
    assert pictures[0].shape != pictures[1].shape or (pictures[0] != pictures[1]).any(), "of another word"


def test_pictures_that_cannot_be_drawn(run, model_file, tmp_path, monkeypatch):
    outcome = run("models", "show", model_file, "--plot", tmp_path / "m.png", "--word", "pep")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == "error: the model has no word 'pep', did you mean 'peep'? it has fall, hum, peep, rise\n"
    missing = tmp_path / "no" / "m.png"
    outcome = run("models", "show", model_file, "--plot", missing)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == f"error: {missing} cannot be written: No such file or directory; choose another --plot\n"
    outcome = run("models", "show", model_file, "--word", "rise")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "--word chooses what --plot draws; give both" in outcome.stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = run("models", "show", model_file, "--plot", tmp_path / "m.png")
    assert outcome.stderr == "error: pictures need matplotlib; install it with `pip install recognizer[plot]`\n"
    assert list(tmp_path.glob("*.png")) == []


def test_by_name(run, built, own):
    built.save(own / "tones.npz")
    assert json.loads(run("models", "show", "tones", "--json").stdout)["file"] == str(own / "tones.npz")
    outcome = run("models", "show", "tonnes")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: there is no model 'tonnes'; known by name: tones; ")


def test_a_card_of_any_kind(run, built, tmp_path):
    card = {
        **{"data": "语音", "licence": None, "tests": [1, "b", 0.123456], "nested": {"a": {"b": 1}}},
        "accuracy": {"x": {"accuracy": 0.75, "n": 4, "interval": [0.3, 0.95]}},
        "held_out": {"accuracy": "good", "n": None, "interval": None},
        "odd": {"accuracy": 0.5, "n": 2, "interval": [0.1, 0.9], "bootstrap": "wide"},
    }
    card["accuracy"]["y"] = Proportion({"anna": (3, 4), "bob": (1, 4)}).as_json()
    replace(built, card=card).save(tmp_path / "m.npz")
    assert json.loads(run("models", "show", tmp_path / "m.npz", "--json").stdout)["card"] == card
    outcome = run("models", "show", tmp_path / "m.npz")
    assert "\ndata: 语音\n" in outcome.stdout
    assert "\nlicence: not known\n" in outcome.stdout
    assert "\ntests: 1, b, 0.1235\n" in outcome.stdout
    assert "\nnested:\n  a:\n    b: 1\n" in outcome.stdout
    y = f"  y: 50.00 % ({in_words(card['accuracy']['y'])})\n"
    assert f"\naccuracy:\n  x: 75.00 % (n = 4, 95 % interval 30.0 to 95.0)\n{y}" in outcome.stdout
    assert "\nodd:\n  accuracy: 0.5\n" in outcome.stdout
    assert "\nheld_out:\n  accuracy: good\n" in outcome.stdout


def test_the_script_itself(start, model_file):
    outcome = start("models", "show", model_file, "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert json.loads(outcome.stdout)["file"] == str(model_file)


# Compare


@pytest.fixture
def rival(built, tmp_path) -> Path:
    """A model that takes rise for fall and the other way round."""
    path = tmp_path / "rival.npz"
    replace(built, words=("rise", "hum", "peep", "fall")).save(path)
    return path


@pytest.fixture
def corpus(tmp_path) -> Path:
    return record(tmp_path / "corpus", speakers=["eve"], takes=5)


def test_which_model_is_better(run, model_file, rival, corpus):
    outcome = run("models", "compare", model_file, rival, corpus, "--json")
    assert (outcome.status, outcome.after_told) == (0, "")
    told = json.loads(outcome.stdout)
    assert (told["model_a"], told["model_b"]) == (str(model_file), str(rival))
    assert [told[key] for key in ("both", "only_a", "only_b", "neither")] == [10, 10, 0, 0]
    assert told["p"] == pytest.approx(2 / 2**10)
    assert told["significant"] is True
    assert (told["lost"], told["gained"]) == ({"fall": 5, "rise": 5}, {})
    assert [told["a"]["accuracy"], told["b"]["accuracy"]] == [1.0, 0.5]
    lines = run("models", "compare", model_file, rival, corpus).stdout.splitlines()
    assert lines == [
        f"A, {model_file}: {headline(Proportion.of(20, 20, 'eve'))}",
        f"B, {rival}: {headline(Proportion.of(10, 20, 'eve'))}",
        "",
        "         B right  B wrong",
        "A right       10       10",
        "A wrong        0        0",
        "",
        "A is better: chance alone would hardly make such a difference (p = 0.002).",
        "(McNemar's exact test on the 10 recordings that only one of them recognised)",
        "Only one speaker is known: recordings of one speaker are alike, so that this holds for one voice.",
        "B is worse at: fall (5), rise (5)",
    ]


def test_only_words_that_both_know_are_compared(run, built, model_file, corpus, tmp_path):
    other = tmp_path / "other.npz"
    replace(built, words=("fall", "hum", "tweet", "rise")).save(other)
    write(corpus / "tweet_eve_0.wav", say("peep"))
    outcome = run("models", "compare", model_file, other, corpus, "--json")
    assert outcome.status == 0
    told = json.loads(outcome.stdout)
    assert set(told["by_word"]) == {"fall", "hum", "rise"}
    assert told["left_out"] == ["peep", "tweet"]
    assert told["both"] == 15
    assert outcome.after_told.splitlines() == [
        f"warning: only {model_file} has peep; only the words that both have are compared",
        f"warning: only {other} has tweet; only the words that both have are compared",
        "warning: 6 recordings left out, of words that not both models have: peep, tweet",
    ]
    assert run("models", "compare", model_file, other, corpus, "--quiet").stderr == ""


def test_words_of_the_models_tell_how_names_are_read(run, model_file, rival, unclear):
    outcome = run("models", "compare", model_file, rival, unclear, "--json")
    assert (outcome.status, outcome.after_told) == (0, "")
    assert ": names are {word}_{speaker}_{take}: 48 recordings" in outcome.stderr
    assert set(json.loads(outcome.stdout)["by_word"]) == {"fall", "hum", "peep", "rise"}


def test_names_in_which_the_models_know_no_word_are_asked_and_the_answer_taken(run, model_file, rival, unclear):
    for file in unclear.iterdir():
        file.rename(unclear / f"new{file.name}")
    outcome = run("models", "compare", model_file, rival, unclear)
    assert (outcome.status, outcome.stdout) == (1, "")
    first, *choices = outcome.stderr.splitlines()
    assert first.startswith(f"error: {unclear}: the names can be read in several ways")
    assert [line.split("'")[1] for line in choices] == ["{word}_{speaker}_{take}", "{speaker}_{word}_{take}"]
    options = ["--layout", "new{word}_{speaker}_{take}"]
    outcome = run("models", "compare", model_file, rival, unclear, "--json", *options)
    assert (outcome.status, outcome.after_told) == (0, "")
    assert json.loads(outcome.stdout)["a"]["n"] == 48


@pytest.mark.parametrize(
    ("pattern", "part"), [("{speaker}", "write {word} there"), ("{word}-*", "does not fit {word}-*")]
)
def test_a_layout_that_is_none_or_does_not_fit(run, model_file, rival, corpus, pattern, part):
    outcome = run("models", "compare", model_file, rival, corpus, "--layout", pattern)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert part in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_a_table_tells_itself_whatever_the_layout(run, model_file, rival, corpus, tmp_path):
    (tmp_path / "list.tsv").write_text(f"file\tlabel\n{corpus / 'hum_eve_0.wav'}\thum\n")
    call = ["models", "compare", model_file, rival, tmp_path / "list.tsv", "--json", "--layout", "{speaker}/{word}"]
    outcome = run(*call)
    assert (outcome.status, outcome.after_told) == (0, "")
    assert set(json.loads(outcome.stdout)["by_word"]) == {"hum"}


def test_comparisons_that_cannot_be_made(run, built, model_file, rival, corpus, tmp_path):
    foreign = tmp_path / "foreign.npz"
    replace(built, words=("a", "b", "c", "d")).save(foreign)
    others = record(tmp_path / "others", words=["hum"], speakers=["eve"], takes=1)
    (others / "hum_eve_0.wav").rename(others / "left_eve_0.wav")
    for call, said in (
        ([model_file, foreign, corpus], f"error: {model_file} and {foreign} have no word in common; compare models"),
        ([model_file, tmp_path / "no.npz", corpus], f"error: there is no model at {tmp_path / 'no.npz'}; "),
        ([model_file, rival, tmp_path / "none"], "error: "),
        ([model_file, rival, others, "-q"], "error: none of the recordings is of a word that both models have: left"),
    ):
        outcome = run("models", "compare", *call)
        assert (outcome.status, outcome.stdout) == (1, "")
        assert outcome.stderr.startswith(said)
        assert outcome.stderr.count("\n") == 1


def test_unreadable_recordings_are_told_and_left_out(run, model_file, rival, corpus):
    (corpus / "hum_eve_0.wav").write_bytes(b"")
    write(corpus / "hum_eve_1.wav", np.zeros(RATE))
    outcome = run("models", "compare", model_file, rival, corpus)
    assert outcome.status == 1
    assert "A right        8       10\nA wrong        0        1\n" in outcome.stdout, "silence is wrong for both"
    assert outcome.stdout.endswith("\n1 file could not be read\n")
    assert outcome.after_told.startswith(f"error: {corpus / 'hum_eve_0.wav'}: is empty")
