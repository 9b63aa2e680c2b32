"""Text from outside, whatever is in it, put into every place: what comes to a terminal is printable, and no novel."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import read_page
from rich.console import Console
from soundcard import Plug
from synthetic import WORDS, say, write
from test_cli import LEAVES, arguments
from test_screen import result as answer
from test_surroundings import Terminal

import recognizer
from recognizer.cli import reporting
from recognizer.cli.prompt_screen import PromptPicture
from recognizer.cli.screen import LivePicture
from recognizer.errors import (
    LONGEST,
    LONGEST_LINE,
    RecognizerError,
    RecognizerWarning,
    cited,
    in_short,
    listed,
    printable,
    shown,
)
from recognizer.files import archive
from recognizer.files.pictures import lettering
from recognizer.live.events import DeviceLost, Prompted, Waiting
from recognizer.live.guide import Guide
from recognizer.live.prompts import Prompt
from recognizer.live.session import Session
from recognizer.model import Model
from recognizer.recognizer import Recognizer
from recognizer.speakers import store

HOSTILE = (
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[31m",
    "\r",
    "\n",
    "\u202e",
    "\u200b",
    "\x9b31m",
    "\u2028",
    "\x00",
    "\udcff",
    "x" * 5000,
    "[red]",
    "[link=file:///etc]",
)
ALL = "".join(HOSTILE)
texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5), min_size=1, max_size=6).map("".join)
WIDEST = 2 * LONGEST_LINE  # of a table with several names in a row


def clean(text: str) -> str:
    """What came to a terminal, if it may: lines of printable letters, none of them too long to be read."""
    for line in text.split("\n"):
        assert line.isprintable(), ascii(line)
        assert len(line) <= WIDEST or line[0] in "{["  # JSON is for programs
    return text


@pytest.fixture
def clean_run(run) -> Callable[..., str]:
    """Run a command and give all that it wrote; no part of it may be foreign."""

    def command(*call: object) -> str:
        outcome = run(*call)
        assert outcome.status in (0, 1, 2)
        assert "this should not happen" not in outcome.stderr
        assert all(len(line) <= LONGEST_LINE + len("Error: ") for line in outcome.stderr.splitlines())
        return clean(outcome.stdout) + clean(outcome.stderr)

    return command


# The functions that show it


@given(texts)
def test_what_is_shown_is_printable_and_short(text):
    for told in (shown(text), cited(text), listed([text] * 50)):
        assert told.isprintable()
        assert len(told) <= 2 * LONGEST
    assert printable(text).isprintable()
    for error in (RecognizerError(f"{text}; do that"), RecognizerWarning(f"{text}; do that")):
        assert str(error).isprintable()
        assert len(str(error)) <= LONGEST_LINE
        assert str(error).endswith("; do that")


@given(st.text(max_size=300))
def test_what_is_printable_and_short_is_shown_as_it_is(text):
    assert shown(text) == (text if text.isprintable() else cited(text))
    assert cited(text) == repr(text) or len(repr(text)) > LONGEST
    if text.isprintable():
        assert printable(text) == str(RecognizerError(text)) == text


@given(texts, st.integers(2, 300))
def test_no_escape_is_cut(text, longest):
    escaped = repr(text)
    told = in_short(escaped, longest)
    assert len(told) <= max(longest, 0) or told == escaped
    if told != escaped:
        begin, end = told.split("…", 1)
        units = r"(?:\\(?:x..|u.{4}|U.{8}|[^xuU])|[^\\])*"
        assert re.fullmatch(units, begin, re.DOTALL)
        assert re.fullmatch(units, end, re.DOTALL)
        assert escaped.startswith(begin)
        assert escaped.endswith(end)


def test_only_one_module_writes_to_the_terminal():
    """What is printed elsewhere would pass by those who escape it."""
    found = set()
    for file in sorted((Path(recognizer.__file__).parent).rglob("*.py")):
        calls = [
            node.func for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
        ]
        if {"print", "typer.echo", "sys.stdout.write", "sys.stderr.write"} & set(map(ast.unparse, calls)):
            found.add(file.name)
    assert found == {"reporting.py"}


# Through the commands


@pytest.mark.parametrize("names", LEAVES, ids=" ".join)
@pytest.mark.parametrize("text", ["a\x1b]0;t\x07\u202e\u2028\x9b", "\udcff\r\n" + 5000 * "x"], ids=["codes", "long"])
def test_values_on_the_command_line(clean_run, names, text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    values = dict.fromkeys(("sound", "model", "corpus", "output"), text)
    told = clean_run(*(text if value in ("eve", "hum/1.wav", "hum") else value for value in arguments(names, **values)))
    assert told or names in (("models", "list"), ("speakers", "refresh"))
    assert "usage:" in clean_run(*names, f"--{text}").lower()
    assert clean_run(*names, "--jobs", text)
    assert clean_run(text)


@pytest.fixture(scope="module")
def hostile_model(built, tmp_path_factory) -> Path:
    """A model whose words, card and history are as hostile as a model's may be.

    Its words are those of `synthetic` with something behind.
    """
    words = tuple(f"{word}{text}" for word, text in zip(WORDS, ("\u2066", "\u202e\u200b", "x" * 990, "[red]")))
    card = built.card | {
        "\u202e[red]": ALL,
        "data": ALL,
        "licence": [ALL, {"a": ALL}],
        "spoken": dict.fromkeys(words, ALL),
    }
    card = json.loads(json.dumps(card).replace("\\udcff", "\\u200f"))  # no archive holds halves of characters
    acoustics = replace(built.acoustics, history={"\u202e[31m": [0.0, 1.0], "y" * 190: [0.0]})
    path = tmp_path_factory.mktemp("hostile") / "m.npz"
    replace(built, words=words, card=card, acoustics=acoustics).save(path)
    return path


@pytest.mark.parametrize("text", ["\x1b[31m", "\u202e\n", "x" * 5000, "[red]\x9b"], ids=["c0", "line", "long", "c1"])
def test_words_that_no_model_may_have(clean_run, text, built, recordings, tmp_path):
    replace(built, words=(f"fall{text}", *WORDS[1:])).save(tmp_path / "m.npz")
    for call in (["models", "show", tmp_path / "m.npz"], ["batch", recordings, "--model", tmp_path / "m.npz"]):
        assert "words[0]" in clean_run(*call)


def test_words_and_card_of_a_model(clean_run, hostile_model, recordings, tmp_path):
    sound, m = recordings / "rise_anna_0.wav", ("--model", hostile_model)
    told = [clean_run("models", "show", hostile_model)]
    told.append(clean_run("batch", sound, *m, "--threshold", "0"))
    told.append(clean_run("align", sound, *m))
    told.append(clean_run("evaluate", recordings, *m))
    told.append(clean_run("live", "--from-file", sound, "--fast", *m, "--threshold", "0"))
    told.append(clean_run("cut", sound, "--words", "a", *m))
    told.append(clean_run("batch", sound, *m, "--words", "\x1b"))
    told.append(clean_run("models", "compare", hostile_model, hostile_model, recordings))
    told.append(clean_run("enroll", "eve", "--from", recordings, "--voice", "anna", *m))
    told.append(clean_run("enroll", "eve", "--words", "\x1b,a", *m))
    assert all(told)
    for call in (["models", "show", hostile_model], ["batch", sound, *m, "--threshold", "0"]):
        assert clean_json(clean_run(*call, "--json"))
    found = json.loads(clean_run("models", "show", hostile_model, "--json"))
    assert tuple(found["words"]) == Model.load(hostile_model).words  # the data are as they were
    assert clean_run("models", "show", hostile_model, "--html", tmp_path / "m.html")
    read_page((tmp_path / "m.html").read_text(encoding="utf-8"))


def clean_json(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def hostile_folder(tmp_path, built) -> Path:
    """Recordings whose words, speakers and files have names such as no one gives."""
    folder = tmp_path / "corpus\x1b[31m\u202e"
    try:
        for word, take in ((f"{word}\u200b\x9b[red]", take) for word in WORDS[:2] for take in range(2)):
            plain = write(folder / word.replace("\x9b", "\u2066") / "plain.wav", say(word[:4].rstrip("\u200b")))
            plain.rename(plain.with_name(f"\x1b]0;t\x07\udcff{take}.wav"))  # which soundfile cannot write
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    (folder / "broken\u202e").mkdir()
    (folder / "broken\u202e" / "\r\n.wav").write_text("no sound")
    return folder


def test_names_of_files_and_folders(clean_run, hostile_folder, model_file, tmp_path):
    m = ("--model", model_file)
    calls = [
        ("batch", hostile_folder, *m),
        ("batch", hostile_folder, *m, "--json"),
        ("evaluate", hostile_folder, *m),
        ("train", hostile_folder, "--output", tmp_path / "a\x1b[2J.npz"),
        ("train", hostile_folder, "--output", tmp_path / "a\x1b[2J"),
        ("enroll", "eve", "--from", hostile_folder, *m),
        ("enroll", "eve", "--unlabelled", hostile_folder, *m),
        ("export", model_file, hostile_folder, "--parameters", tmp_path / "p\x1b"),
        ("models", "compare", model_file, model_file, hostile_folder),
        ("align", next(hostile_folder.rglob("*0.wav")), *m),
        ("cut", next(hostile_folder.rglob("*0.wav")), "--words", "hum", *m),
        ("live", "--from-file", next(hostile_folder.rglob("*0.wav")), "--fast", *m),
        ("record", "one", "--output", hostile_folder),
        ("models", "show", hostile_folder),
        ("import", hostile_folder),
    ]
    for call in calls:
        assert clean_run(*call), call


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cell=texts)
def test_cells_of_manifests_and_transcripts(clean_run, recordings, model_file, tmp_path, cell):
    sound = recordings / "hum_anna_0.wav"
    for header, cells in (
        ("path,word,speaker", [sound, cell, "a"]),
        ("path,words", [sound, cell]),
        ("path,word", [cell, "a"]),
    ):
        row = io.StringIO()
        csv.writer(row).writerow(cells)
        (tmp_path / "m.csv").write_text(f"{header}\n{row.getvalue()}", encoding="utf-8", errors="surrogatepass")
        assert clean_run("batch", tmp_path / "m.csv", "--model", model_file)
        assert clean_run("cut", "--transcript", tmp_path / "m.csv", "--model", model_file)
        assert clean_run("evaluate", tmp_path / "m.csv", "--model", model_file)
    (tmp_path / "m.csv").write_text(cell, encoding="utf-8", errors="surrogatepass")
    assert clean_run("train", tmp_path / "m.csv", "--output", tmp_path / "m.npz")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=texts)
def test_names_in_definitions_of_htk(clean_run, tmp_path, name):
    told = name.encode("utf-8", "surrogatepass").replace(b"\x00", b"")
    for text in (
        b"~h " + told,
        b'~h "' + told + b'" <BEGINHMM> <NUMSTATES> 3',
        b"<" + told + b">",
        b"~s '" + told,
        told,
    ):
        (tmp_path / "m.mmf").write_bytes(text)
        assert clean_run("import", tmp_path / "m.mmf", "--output", tmp_path / "m.npz")
    (tmp_path / "d.txt").write_bytes(told)
    (tmp_path / "m.mmf").write_bytes(b'~h "a" <BEGINHMM> <NUMSTATES> 3')
    assert clean_run("import", tmp_path / "m.mmf", "--dictionary", tmp_path / "d.txt", "--output", tmp_path / "m.npz")


def test_records_of_profiles(clean_run, enroll, model_file):
    enroll("eve")
    path = store.folder("eve") / store.PROFILE
    header, arrays = archive.read(path, "recognizer-profile")
    evil = ALL.replace("\udcff", "")
    for change in (
        {"model_name": evil},
        {"base": evil},
        {"record": header["record"] | {"made": evil, "why": evil, evil: evil, "takes": {evil: 2}, "method": [evil]}},
        {"version": evil},
    ):
        archive.write(path, header | change, arrays)
        assert clean_run("speakers", "list")
        assert clean_run("speakers", "show", "eve")
        assert clean_run("speakers", "show", "eve", "--json")
        assert clean_run("speakers", "refresh", "eve")
        assert clean_run("batch", "x.wav", "--speaker", "eve", "--model", model_file)
        assert clean_run("enroll", "eve", "--unlabelled", "x", "--model", model_file)


def test_names_in_an_exported_speaker(clean_run, tmp_path):
    import zipfile

    for name in (f"{ALL[:40]}/profile.npz", f"eve/takes/{ALL[:40]}/1.wav", "eve/profile.npz"):
        with zipfile.ZipFile(tmp_path / "s.zip", "w") as packed:
            packed.writestr(name.replace("\udcff", "").replace("\x00", ""), b"x")
        assert clean_run("speakers", "import", tmp_path / "s.zip")


@pytest.mark.parametrize("name", ["Mic\x1b]0;t\x07\u202e\n", "[red]\x9b" + 5000 * "m"], ids=["codes", "long"])
def test_names_of_devices(clean_run, soundcard, name):
    soundcard(Plug(name), Plug(f"{name} 2"), chosen=0)
    assert clean_run("devices")
    assert clean_run("devices", "--json")
    assert clean_run("devices", "--test", "--device", "9")
    assert clean_run("devices", "--test", "--device", "m")


# To programs, and into pictures


def test_csv_gives_names_as_they_are(run, model_file, tmp_path):
    names = ["a\r.wav", "b\n.wav", 'c",.wav', "d\x1b[31m.wav", "e\u2028.wav"]
    for name in names:
        try:
            (tmp_path / name).write_text("no sound")
        except OSError:
            pytest.skip("this file system has no such names")
    outcome = run("batch", *(tmp_path / name for name in names), "--model", model_file, "--csv", "--quiet")
    rows = list(csv.DictReader(io.StringIO(outcome.stdout, newline="")))
    assert [row["file"] for row in rows] == [str(tmp_path / name) for name in names]


def test_csv_on_a_terminal_is_escaped(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(reporting.sys, "stdout", terminal)
    reporting.print_csv(["a\x1b[31m", "b\r\nc"])
    assert terminal.getvalue() == 'a\\x1b[31m,"b\\r\\nc"\n'


@pytest.mark.parametrize("what", ["reading [red]x[/red] \x1b[31m", "[link=file:///etc]\u202e[/nothing]"])
def test_what_is_being_done_is_no_markup(monkeypatch, what):
    terminal = Terminal()
    monkeypatch.setattr(reporting.sys, "stderr", terminal)
    with reporting.working(what, quiet=False):
        pass
    assert printable(what) in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


def test_labels_of_pictures_leave_room():
    with lettering(["a" * 5000]) as drawable:
        assert len(drawable("a" * 5000)) <= 30


def test_a_report_on_long_words_is_drawn(clean_run, hostile_model, recordings, tmp_path):
    pytest.importorskip("matplotlib")
    assert clean_run("evaluate", recordings, "--model", hostile_model, "--report", tmp_path / "r\x1b")
    assert len(list((tmp_path / "r\x1b").glob("*.png"))) >= 1
    read_page((tmp_path / "r\x1b" / "index.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "a\u202e\x9b", "[red]\x1b]0;t\x07", "w" * 5000], ids=["c0", "c1", "osc", "long"]
)
def test_pictures_on_a_terminal(text, built):
    live = LivePicture(Session(Recognizer(built)), text)
    prompt = PromptPicture(Guide([Prompt(text, 1, text)], 8000), text)
    drawn = [live.draw(), prompt.draw()]
    for event in (answer(text, "rise"), answer(text, reason=text), DeviceLost(time=0.0, note=text)):
        live.take(event)
        drawn.append(live.draw())
    for kind in (Prompted, Waiting):
        prompt.take(kind(time=0.0, note=text, prompt=Prompt(text, 1), attempt=1, done=0, total=1))
        drawn.append(prompt.draw())
    for picture in drawn:
        file = io.StringIO()
        Console(file=file, width=100, force_terminal=False, color_system=None).print(picture)
        clean(file.getvalue())
