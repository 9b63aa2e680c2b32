"""`recognizer models`: what there is, and what is in it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from reading import Element, read_page
from synthetic import RATE, record, say, write

from recognizer import model as models
from recognizer import own_models
from recognizer.cli import models as command
from recognizer.cli.reporting import width_of
from recognizer.evaluation import divergence
from recognizer.evaluation.description import most_alike, state_durations
from recognizer.evaluation.evaluation import headline
from recognizer.intervals import Proportion, in_words
from recognizer.model import Model
from recognizer.recognition.evidence import stays
from recognizer.speakers import store


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
        "default": False,
        "own": True,
        "bytes": (own / "tones.npz").stat().st_size,
        "made": built.card["made"],
        "accuracy": None,
        "held_out": built.card["held_out"],
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


SCORE = {"accuracy": 0.9, "n": 100, "interval": [0.8, 0.95]}


@pytest.fixture
def several(built, own, package) -> None:
    """Models with a card of each kind; one of them is the default."""
    cards = {
        "nothing": {},
        "trial": {"held_out": SCORE, "made": "2020-01-02"},
        "kitchen": {"accuracy": {"us": SCORE}, "held_out": SCORE},
        "wide": {"accuracy": {"us": SCORE, "them": SCORE | {"accuracy": 0.5}}, "made": 3},
        "odd": {"accuracy": "good", "held_out": ["a"]},
    }
    for name, card in cards.items():
        replace(built, card=card).save(own / f"{name}.npz")
    replace(built, card={}).save(package / "一二三四五.npz")
    (own.parent / "config.toml").write_text('model = "kitchen"\n')


def test_how_good_they_are_is_told(run, several):
    lines = {line.split("  ")[0]: line for line in run("models", "list").stdout.splitlines()}
    for name, told in {
        "nothing": "no trial",
        "trial": "90.0 % of a trial",
        "kitchen": "90.0 % of us",
        "wide": "50.0 to 90.0 % of 2 corpora",
        "odd": "no trial",
    }.items():
        assert f"  {told}  " in lines[name]
    assert "  2020-01-02  " in lines["trial"]
    assert "  not known  " in lines["wide"]
    assert [name for name, line in lines.items() if "  default  " in line] == ["kitchen"]


@pytest.mark.parametrize(
    ("columns", "has"), [(160, ("made", "which")), (80, ("size", "made")), (40, ("words", "right"))]
)
def test_the_table_fits_the_terminal(several, columns, has, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    command.list_models()
    header, *lines, last = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["model", "words"]
    assert all(title in header for title in has)
    assert all(width_of(line) <= columns for line in (header, *lines))
    assert len(lines) == 6
    assert sum(line.startswith("kitchen * ") for line in lines) == 1
    assert last == "* is the default"


def test_the_table_names_the_words_where_there_is_room(several, built, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for columns, whole in ((160, True), (82, False)):
        monkeypatch.setenv("COLUMNS", str(columns))
        command.list_models()
        _, *lines, _ = capsys.readouterr().out.splitlines()
        assert all(line.endswith(f"  {', '.join(built.words)}") == whole for line in lines)
        assert all(line.endswith(built.words[-1][-3:]) for line in lines)
        assert max(map(width_of, lines)) <= columns


def test_a_default_that_has_no_name_is_told_below(several, own, capsys, monkeypatch, model_file):
    (own.parent / "config.toml").write_text(f"model = '{model_file}'\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    command.list_models()
    assert capsys.readouterr().out.replace("\n  ", " ").splitlines()[-1] == f"the default is {model_file}"


# Add, rename, remove


def test_a_model_is_added_under_a_name(run, built, model_file, home, package):
    outcome = run("models", "add", model_file, "--name", "kitchen")
    file = home / "models" / "kitchen.npz"
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout == f"kitchen: 4 words; {file}\nnext: recognizer live --model kitchen\n"
    assert Model.load(file).fingerprint == built.fingerprint
    assert json.loads(run("models", "show", "kitchen", "--json").stdout)["file"] == str(file)
    assert json.loads(run("models", "add", model_file, "--json").stdout)["name"] == "tones", "as the file"
    assert list(file.parent.glob(".*")) == []
    if sys.platform != "win32":
        assert home.stat().st_mode & 0o077 == 0


def test_a_model_is_lost_only_to_one_who_says_so(run, built, model_file, own, tmp_path):
    other = tmp_path / "other.npz"
    replace(built, words=("a", "b", "c", "d")).save(other)
    assert run("models", "add", model_file).status == 0
    outcome = run("models", "add", other, "--name", "tones")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "you have a model 'tones' already; choose another name, or add --replace" in outcome.stderr
    assert Model.load(own / "tones.npz").words == built.words
    assert run("models", "add", other, "--name", "tones", "--replace").status == 0
    assert Model.load(own / "tones.npz").words == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("digits", "digits comes with the program, and would be hidden; choose another name"),
        ("Digits", "there is digits already, which differs by case only"),
        ("a/b", "model 'a/b' has a '/'"),
        ("..", "begins or ends with '.'"),
        ("", "the model is empty"),
        ("con", "is the name of a device on Windows"),
        ("m.npz", "m.npz is no name but a file; leave .npz out"),
    ],
)
def test_names_that_no_model_can_have(run, built, model_file, own, package, name, told):
    built.save(package / "digits.npz")
    built.save(own / "tones.npz")
    for call in (["models", "add", model_file, "--name"], ["models", "rename", "tones"]):
        outcome = run(*call, name)
        assert (outcome.status, outcome.stdout) == (2, "")
        assert told in outcome.stderr.splitlines()[-1]
    assert list(own.iterdir()) == [own / "tones.npz"]


def test_what_is_no_model_is_not_added(run, tmp_path, own):
    (tmp_path / "m.npz").write_bytes(b"PK")
    outcome = run("models", "add", tmp_path / "m.npz")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "is not a model" in outcome.stderr
    assert list(own.iterdir()) == []


def test_who_comes_second_does_not_take_the_name(run, built, model_file, own, monkeypatch):
    """Two add a model at the same time: the name was free when both looked."""
    built.save(own / "kitchen.npz")
    before = (own / "kitchen.npz").read_bytes()
    monkeypatch.setattr(own_models, "files", dict)
    outcome = run("models", "add", model_file, "--name", "kitchen")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: you have a model 'kitchen' already; ")
    assert (own / "kitchen.npz").read_bytes() == before


def test_a_model_is_renamed_with_all_that_names_it(run, built, own, enroll):
    built.save(own / "tones.npz")
    assert run("models", "default", "tones").status == 0
    enroll("eve")
    outcome = run("models", "rename", "tones", "kitchen")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines() == [
        "renamed tones to kitchen, which is the default",
        "the profiles of eve name it so, too",
    ]
    assert [file.name for file in own.iterdir()] == ["kitchen.npz"]
    assert run("models", "default").stdout == "kitchen\n"
    assert store.load("eve").model_name == "kitchen"
    assert run("speakers", "refresh", "eve").status == 0


def test_a_name_that_is_taken_stays(run, built, own):
    built.save(own / "tones.npz")
    replace(built, words=("a", "b", "c", "d")).save(own / "other.npz")
    outcome = run("models", "rename", "tones", "other")
    assert outcome.status == 2
    assert "you have a model 'other' already" in outcome.stderr
    assert Model.load(own / "other.npz").words == ("a", "b", "c", "d")
    assert (own / "tones.npz").exists()


def test_a_model_is_removed_and_who_needs_it_is_told(run, built, own, package, enroll):
    built.save(own / "tones.npz")
    built.save(package / "digits.npz")
    enroll("eve")
    run("models", "default", "tones")
    outcome = run("models", "remove", "tones")
    assert (outcome.status, outcome.stdout) == (0, "removed tones\n")
    first, second = outcome.stderr.splitlines()
    assert first == "it was the default, which is now digits"
    assert second.startswith("warning: the profiles of eve were made for it")
    assert list(own.iterdir()) == []
    built.save(own / "tones.npz")
    assert json.loads(run("models", "remove", "tones", "--json", "-q").stdout) == {"name": "tones", "speakers": ["eve"]}


@pytest.mark.parametrize("call", [["remove"], ["rename"]], ids=" ".join)
def test_models_that_are_not_ones_own_stay(run, built, own, package, call):
    built.save(package / "digits.npz")
    for name, told in (
        ("digits", "error: digits comes with the program, and stays as it is; only your own models can be changed\n"),
        ("nonsuch", "error: you have no model 'nonsuch'; your own: none yet\n"),
        ("../../x", "error: you have no model '../../x'; your own: none yet\n"),
    ):
        outcome = run("models", *call, name, *["new"] * (call == ["rename"]))
        assert (outcome.status, outcome.stdout, outcome.stderr) == (1, "", told)
    assert (package / "digits.npz").exists()


def test_a_damaged_model_can_be_removed(run, own):
    (own / "broken.npz").write_bytes(b"no model")
    assert run("models", "remove", "broken").status == 0
    assert list(own.iterdir()) == []


def test_a_model_that_cannot_be_deleted_is_one_line(run, built, own, monkeypatch):
    built.save(own / "tones.npz")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(own_models.os, "remove", refuse)
    outcome = run("models", "remove", "tones")
    assert (outcome.status, outcome.stdout) == (1, "")
    file = own / "tones.npz"
    assert outcome.stderr == (
        f"error: {file} cannot be changed: Permission denied; change its mode or that of its folder\n"
    )


# The default


def test_the_default_is_shown_and_chosen(run, built, own, home, package, model_file, monkeypatch):
    built.save(package / "digits.npz")
    built.save(own / "tones.npz")
    assert run("models", "default").stdout == "digits\n"
    assert run("models", "default", "tones").stdout == "tones\n"
    assert (home / "config.toml").read_text() == 'model = "tones"\n'
    assert json.loads(run("models", "default", "--json").stdout) == {"model": "tones", "file": str(own / "tones.npz")}
    assert run("models", "default", model_file).stdout == f"{model_file}\n"
    monkeypatch.setenv("RECOGNIZER_MODEL", "digits")
    outcome = run("models", "default")
    assert outcome.stdout == "digits\n"
    assert outcome.stderr.startswith("note: RECOGNIZER_MODEL says so")


def test_a_default_must_be_a_model(run, own, home):
    (own / "broken.npz").write_bytes(b"PK")
    for name in ("nonsuch", "broken"):
        outcome = run("models", "default", name)
        assert (outcome.status, outcome.stdout) == (1, "")
        assert outcome.stderr.count("\n") == 1
    assert not (home / "config.toml").exists()


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
        *warnings, last = outcome.stderr.splitlines()
        assert (outcome.status, last) == (0, f"written to {tmp_path / 'm.png'}")
        assert [line for line in warnings if not line.startswith("warning: no font here has 语, 音; ")] == []
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
    assert (outcome.status, outcome.stdout) == (2, "")
    assert f"--plot {missing}: the folder {missing.parent} does not exist; make it first" in outcome.stderr
    outcome = run("models", "show", model_file, "--word", "rise")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "--word chooses what --plot draws; give both" in outcome.stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = run("models", "show", model_file, "--plot", tmp_path / "m.png")
    assert outcome.stderr == "error: pictures need matplotlib; install it with `pip install recognizer[plot]`\n"
    assert list(tmp_path.glob("*.png")) == []


def cells(page: Element, section: str) -> list[list[str]]:
    return page.one("section", id=section).one("table").rows[1:]


def test_the_page_tells_the_same(run, built, model_file, tmp_path):
    card = {
        "licence": "<b>none</b>",
        "data": {"ours": "https://example.org/ ← \u202e"},
        "nested": {"a": {"b": [1, None]}},
        "accuracy": {
            "x": {"accuracy": 0.75, "n": 4, "interval": [0.3, 0.95]},
            "y": Proportion.of(1, 2, "eve").as_json(),
        },
        "held_out": Proportion.of(3, 4, "anna").as_json() | {"unseen": "speakers"},
        "odd": {"accuracy": "good", "n": None, "interval": None},
        "spoken": {"九": "jiǔ"},
    }
    words = ("九", "<script>alert(1)</script>", "سبعة", '"onload="x')
    replace(built, words=words, card=card).save(tmp_path / "m.npz")
    outcome = run("models", "show", tmp_path / "m.npz", "--html", tmp_path / "page.html")
    assert (outcome.status, outcome.stderr) == (0, f"written to {tmp_path / 'page.html'}\n")
    assert outcome.stdout == run("models", "show", tmp_path / "m.npz").stdout
    assert run("models", "show", tmp_path / "m.npz", "--html", tmp_path / "page.html", "--quiet").stderr == ""
    page = read_page((tmp_path / "page.html").read_text(encoding="utf-8"))
    record = json.loads(run("models", "show", tmp_path / "m.npz", "--json").stdout)

    assert page.one("title").text == "Model m"
    facts = page.one("section", id="facts").text
    assert str(tmp_path / "m.npz") in facts
    assert f"4 words九 (jiǔ), {words[1]}, {words[2]}, {words[3]}" in facts
    assert [row[:3] + row[4:] for row in cells(page, "card")] == [
        ["accuracy: x", "4", "75.00", "30.0 to 95.0", "not known", "", ""],
        ["accuracy: y", "2", "50.00", "9.5 to 90.5", "0.0 to 100.0", "2 takes of one speaker", ""],
        ["held_out", "4", "75.00", "30.1 to 95.4", "0.0 to 100.0", "4 takes of one speaker", "speakers"],
    ]
    told = page.one("section", id="card").text
    for part in ("licence<b>none</b>", "https://example.org/ ← \\u202e", "1, not known", "accuracygood"):
        assert part in told
    assert "spoken" not in told
    durations = {word: float(seconds) for word, seconds, _ in cells(page, "durations")}
    assert durations == pytest.approx(record["durations"], abs=0.0051)
    assert list(durations.values()) == sorted(durations.values(), reverse=True)
    pairs = [[*pair["words"], f"{pair['distance']:.2f}"] for pair in record["confusable"]]
    assert cells(page, "confusable") == pairs
    assert len(pairs) > 0
    history = [[n, str(len(line)), f"{line[0]:.2f}", f"{line[-1]:.2f}", ""] for n, line in record["history"].items()]
    assert cells(page, "training") == history
    inside = page.one("section", id="inside").text
    assert f"fingerprint{record['fingerprint']}" in inside
    assert all(name in inside for name in record["front_end"])


def test_a_page_of_a_model_that_tells_little_of_itself(run, built, tmp_path):
    bare = replace(built, card={}, acoustics=replace(built.acoustics, history={}))
    bare.save(tmp_path / "m.npz")
    assert run("models", "show", tmp_path / "m.npz", "--html", tmp_path / "page.html").status == 0
    page = read_page((tmp_path / "page.html").read_text(encoding="utf-8"))
    sections = [section.attributes["id"] for section in page.all("section")]
    assert sections == ["facts", "durations", "confusable", "inside"]


def test_pages_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "x.html").mkdir()
    missing = tmp_path / "no" / "m.html"
    for options, told in (
        (["--html", missing], f"--html {missing}: the folder {missing.parent} does not exist; make it first"),
        (["--html", tmp_path / "file" / "m.html"], f"{tmp_path / 'file'} is no folder; choose another"),
        (["--html", tmp_path / "x.html"], f"--html {tmp_path / 'x.html'} is a folder; name a file"),
        (["--html", tmp_path / "m.png"], f"--html {tmp_path / 'm.png'} must end in .html"),
        (["--html", tmp_path / "m.html", "--json"], "--html and --json exclude each other; choose one"),
    ):
        outcome = run("models", "show", "no model", *options)
        assert (outcome.status, outcome.stdout) == (2, ""), "before the model is read"
        assert told in outcome.stderr
    assert [path.name for path in tmp_path.rglob("*.html")] == ["x.html"]


def test_a_default_of_json_gives_way_to_a_page(run, home, model_file, tmp_path):
    home.mkdir()
    (home / "config.toml").write_text("json = true\n")
    outcome = run("models", "show", model_file, "--html", tmp_path / "m.html")
    assert outcome.status == 0
    assert outcome.stdout.startswith("model: ")
    assert (tmp_path / "m.html").exists()


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
