"""README and docs/ are kept true: their commands run, their files exist, the program prints what they say."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from test_live import KEYS
from test_sound_stack import server  # noqa: F401 - a fixture
from test_theory import resolved

from recognizer.cli import app
from recognizer.live import events
from recognizer.model import REJECTION, locate

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
README = REPOSITORY / "README.md"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
MARKDOWN = [
    *PAGES,
    *(REPOSITORY / folder / "README.md" for folder in ("models", "audio_samples", "model_samples", "recipes")),
    *sorted((REPOSITORY / "recipes").glob("*/*.md")),
    REPOSITORY / "recognizer" / "THEORY.md",
]
SAMPLE = "audio_samples/seven_slt_0.wav"


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and content of each."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text(page), flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """Arguments of each call of the program."""
    lines = [line for language, block in blocks(page) if not language for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [shlex.split(part, comments=True)[1:] for part in parts if part.startswith("recognizer ")]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where the commands are called: samples, a corpus of them, one voice's, a new recording, one of several words."""
    folder = tmp_path / "here"
    shutil.copytree(REPOSITORY / "audio_samples", folder / "audio_samples")
    for sample in sorted((folder / "audio_samples").glob("*.wav")):
        word, speaker, take = sample.stem.split("_")
        (folder / "corpus" / word).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample, folder / "corpus" / word / f"{speaker}_nohash_{take}.wav")
    shutil.copy(folder / SAMPLE, folder / "new.wav")
    (folder / "recordings").mkdir()
    for sample in (folder / "audio_samples").glob("*_slt_0.wav"):
        shutil.copy(sample, folder / "recordings")
    said = [soundfile.read(folder / "audio_samples" / f"{word}_slthts_0.wav") for word in ("three", "five", "nine")]
    soundfile.write(folder / "list.wav", np.concatenate([samples for samples, _ in said]), said[0][1])
    (folder / "strings.csv").write_text("path,digits,speaker\nlist.wav,359,slt\n")
    monkeypatch.chdir(folder)
    return folder


# Commands


@pytest.fixture(scope="module")
def started() -> set[str]:
    """Commands that were started as a program; to do that each time would take longer than what they do."""
    return set()


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name_of)
def test_the_commands_run_in_order(page, folder, run, start, started, signals):
    for command in commands(page):
        name, *options = command
        if name in ("devices", "serve"):
            continue  # see below, and tests/serve
        if name == "record":  # a person would have to speak: the samples are what was recorded
            assert run(name, "--help").status == 0
            shutil.copytree("corpus", options[options.index("--output") + 1])
            continue
        if name in ("live", "enroll"):
            options = without_microphone(name, options)
        if name == "live" or name in started:
            done = run(name, *options)
        else:
            done = start(name, *options, cwd=folder)
            started.add(name)
        assert done.status == 0, f"{command}: {done.stderr}"
        if name in ("batch", "transcribe") and "--output" in options:  # which is instead of what is printed
            assert Path(options[options.index("--output") + 1]).exists()
            continue
        assert done.stdout, command
        if name == "live":
            assert done.stderr == "1 word, 0 rejected in 0.9 s\n", command
            assert "seven" in done.stdout
        if "--save" in options:
            assert len(list(Path("kept").glob("*.wav"))) == 1
            assert Path("kept/utterances.jsonl").exists()
        if command == ["batch", "audio_samples"] and page == README:
            [shown] = re.findall(r"^file +word .*\n(.*)$", text(page), re.MULTILINE)
            assert shown in done.stdout.splitlines()
        if name == "batch" and "--words" not in options and any("audio_samples" in option for option in options):
            assert "seven" in done.stdout


def without_microphone(name: str, options: list[str]) -> list[str]:
    """A call of `live` or `enroll` with the same options, but on recordings."""
    if {"--from-file", "--from", "--unlabelled"} & {*options}:
        return options
    for about in ("--device", "--takes"):
        if about in options:
            place = options.index(about)
            options = options[:place] + options[place + 2 :]
    recordings = {"live": ["--from-file", SAMPLE, "--fast"], "enroll": ["--from", "audio_samples", "--voice", "slt"]}
    return [*options, *recordings[name]]


def test_every_command_is_shown():
    """What a person can do is told somewhere."""
    shown = {name for page in PAGES for name, *_ in commands(page)}
    group = typer.main.get_command(app)
    assert shown == set(group.list_commands(typer.Context(group)))


@pytest.mark.slow
def test_the_commands_about_microphones_run(folder, server):  # noqa: F811
    about = [command for page in PAGES for command in commands(page) if command[0] == "devices"]
    assert about == [["devices"], ["devices", "--test"]]
    for arguments, parts in zip(about, (("* is used", "pulse"), ("level", "SNR", "verdict"))):
        script = Path(sys.executable).with_name("recognizer")
        call = [script, *arguments]
        done = subprocess.run(call, env=server.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == ""
        for part in parts:  # nobody speaks into that microphone, so the verdict on it is bad
            assert part in done.stdout


# What is shown


def test_the_moving_picture_shows_what_the_program_says(tmp_path):
    found = importlib.util.spec_from_file_location("live_picture", DOCS / "live_picture.py")
    found.loader.exec_module(maker := importlib.util.module_from_spec(found))
    soundfile.write(tmp_path / "speech.wav", maker.stream(), maker.RATE, subtype="PCM_16")
    drawn = ET.fromstring(maker.svg(maker.frames(tmp_path / "speech.wav")))
    spoken = [name.split("_")[0] if direction == 1 else "(sounds like no word)" for name, direction in maker.SPOKEN]
    assert answers(ET.parse(DOCS / "live.svg")) == answers(drawn) == spoken
    [caption] = re.findall(r"!\[(.*?)\]\(docs/live.svg\)", text(README))
    assert [word for word in re.findall(r"\w+", caption) if word in spoken] == [w for w in spoken if "(" not in w]


def answers(picture: ET.ElementTree | ET.Element) -> list[str]:
    """What was answered, in order, without how sure it was: all that is ever shown in the row of what came before."""
    texts = [
        (e.get("y"), e.text.replace("\N{NO-BREAK SPACE}", " "))
        for e in picture.iter("{http://www.w3.org/2000/svg}text")
    ]
    [row] = (y for y, text in texts if text == "before")
    shown = [part for y, text in texts if y == row for part in text.split("   ")]
    return list(dict.fromkeys(re.sub(r" [\d.]+$", "", part) for part in shown if part != "before"))


def test_the_moving_picture_is_small_and_needs_nothing_from_elsewhere():
    picture = text(DOCS / "live.svg")
    assert len(picture) < 100_000
    assert re.findall(r"\w+://[^\"]*", picture) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in picture
    assert picture.count("<animate ") > 20


def test_the_events_are_those_of_the_program(folder):
    page = DOCS / "formats.md"
    shown = [json.loads(line) for language, block in blocks(page) if language == "json" for line in block.splitlines()]
    assert [event["event"] for event in shown] == ["result", "rejected"]
    assert "with `--words two,seven`" in text(page)
    for event in shown:
        assert list(event) == ["event", "time", *KEYS[event["event"]]]
    for kind in KEYS:
        assert f"`{kind}`" in text(page)
    script = Path(sys.executable).with_name("recognizer")
    options = ["--from-file", SAMPLE, "--fast", "--json", "--words", "two,seven"]
    done = subprocess.run([script, "live", *options], cwd=folder, capture_output=True, text=True, check=True)
    [told] = (event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "result")
    for name, value in shown[0].items():
        if isinstance(value, float) and name != "latency":
            assert told[name] == pytest.approx(value, abs=0.02), name
        elif name not in ("nbest", "latency", "at"):
            assert told[name] == value, name
    assert [candidate["word"] for candidate in told["nbest"]] == [c["word"] for c in shown[0]["nbest"]]


def keys_under(heading: str) -> set[str]:
    """The names in the first column of the tables of a section of formats.md."""
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text(DOCS / "formats.md"), re.MULTILINE | re.DOTALL)
    return {name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(.+?)`", row)}


def test_the_keys_of_an_answer_are_those_of_the_program(folder, run):
    assert keys_under("Answers of `batch`") == set(json.loads(run("batch", SAMPLE, "--json").stdout))


def test_the_keys_of_a_word_are_those_of_the_program(folder, run):
    assert keys_under("Words of `transcribe`") == set(json.loads(run("transcribe", SAMPLE, "--json").stdout))


def test_the_keys_of_a_cut_are_those_of_the_program(folder, run):
    told = json.loads(run("cut", SAMPLE, "--words", "seven", "--json").stdout)
    assert keys_under("Cuts") == {*told["cuts"][0]}
    for key in (*told, *told["cuts"][0]["before"]):
        assert f"`{key}`" in text(DOCS / "formats.md")


def test_the_parts_of_a_model_are_those_of_the_file():
    with np.load(locate("digits"), allow_pickle=False) as model:
        header = json.loads(str(model["header"]))
        arrays = set(model.files) - {"header"}
    named = keys_under("Models")
    starts = {name.removesuffix("...") for name in named if name.endswith("_...")}
    alone = {name for name in arrays if not name.startswith(tuple(starts))}
    assert {name for name in named if not name.endswith("_...")} == set(header) | alone
    assert alone == {f"rejection_{name}" for name in REJECTION}
    assert all(any(name.startswith(start) for name in arrays) for start in starts)


def test_the_alignment_is_that_of_the_program(folder, run):
    [shown] = (block.splitlines() for _, block in blocks(DOCS / "recordings.md") if block.startswith("state "))
    printed = run("align", SAMPLE).stdout.splitlines()
    start = printed.index(shown[0])
    assert printed[start : start + len(shown)] == shown


def test_the_programs_run_and_print_what_they_say(folder):
    """Those of a page are one program, in parts; that of the service is run beside a server, in tests/serve."""
    pages = {page: [block for language, block in blocks(page) if language == "python"] for page in PAGES}
    assert [page.name for page, parts in pages.items() if parts] == ["python.md", "service.md"]
    program = "\n".join(pages[DOCS / "python.md"])
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    printed = re.findall(r"^ *print\(.*\)  # (.*)$", program, re.MULTILINE)
    assert len(printed) == program.count("print(")
    assert done.stdout.splitlines() == [line for line in printed if line != "which is not printed here"]
    assert printed[0] == "seven"


# Links and names


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text(page), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        place = page.parent / path if path else page
        assert place.exists(), target
        assert not heading or heading in anchors(place), target


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in a link."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_leads_to_every_page():
    linked = {(REPOSITORY / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)\)", text(README))}
    assert {*PAGES[1:]} <= linked


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_the_files_that_a_page_names_exist(page):
    """By their place in the repository; or by their name alone, as those of the page's own folder."""
    for path in re.findall(
        r"(?<![\w./-])((?:\.ci|audio_samples|docs|model_samples|models|recipes|recognizer|tests)/[\w./-]*)", text(page)
    ):
        assert (REPOSITORY / path.rstrip(".")).exists(), path
    for name in re.findall(r"`(\w+\.(?:py|md|svg))`", text(page)):
        assert any(REPOSITORY.glob(f"*/{name}")) or any(REPOSITORY.glob(f"recipes/*/{name}")), name


def test_every_name_in_the_map_of_the_code_exists():
    names = re.findall(r"`(recognizer(?:\.\w+)+)`", text(DOCS / "architecture.md"))
    assert len(names) > 20
    for name in names:
        resolved(name)


def test_the_map_of_the_code_has_every_folder():
    rooms = re.findall(r"^\| `recognizer/(\w+)/` \|", text(DOCS / "architecture.md"), re.MULTILINE)
    folders = {path.parent.name for path in (REPOSITORY / "recognizer").glob("*/__init__.py")}
    assert sorted(rooms) == sorted(folders)


# Figures


PAGES_WITH_FIGURES = [README, DOCS / "results.md"]


@pytest.mark.parametrize("page", PAGES_WITH_FIGURES, ids=name_of)
def test_accuracies_are_those_of_the_recipes(page):
    rows = re.findall(
        r"^\| .*? \| ([\d.]+) % \((\d+)\) \| ([\d.]+ to [\d.]+) \| ([^|]+) \|.*?`recipes/(\w+)`",
        text(page),
        re.MULTILINE,
    )
    assert len(rows) >= 4
    for accuracy, n, interval, over, recipe in rows:
        rounded = " to ".join(rf"{float(end):g}(?:\.0)?" for end in interval.split(" to "))
        row = rf"\| {float(accuracy):.2f} \| {n} \| {rounded} \| {re.escape(over)} \|"
        assert re.search(row, text(REPOSITORY / "recipes" / recipe / "RESULTS.md")), (recipe, accuracy, n, interval)


@pytest.mark.parametrize("page", PAGES_WITH_FIGURES, ids=name_of)
def test_figures_of_rejection_are_those_of_its_recipe(page):
    rate = r"([\d.]+) % \((\d+ of \d+)\)"
    pattern = rf"^\| ([^|]+), at `(\w+)` \| {rate} \| ([^|]+) \| ([^|]+) \| `recipes/live/REJECTION.md` \|"
    rows = re.findall(pattern, text(page), re.MULTILINE)
    assert {what for what, *_ in rows} == {"unknown words accepted", "digits of test speakers rejected"}
    results = text(REPOSITORY / "recipes" / "live" / "REJECTION.md")
    for row in rows:
        assert f"| {' | '.join(row)} |" in results, row


def test_figures_of_live_recognition_are_those_of_its_recipe():
    """A row of the page has a cell of RESULTS.md, word for word, as what was measured."""
    pattern = r"^\| [^|]+ \| ([^|]+) \|[^|]*\|[^|]*\| `recipes/live/RESULTS.md` \|"
    rows = re.findall(pattern, text(DOCS / "results.md"), re.MULTILINE)
    assert len(rows) >= 4
    for measured in rows:
        assert f"| {measured} |" in text(REPOSITORY / "recipes" / "live" / "RESULTS.md"), measured


def test_all_events_are_in_the_formats():
    """Those of a session and of a guide; the classes tell what there is."""
    kinds = {value.kind for value in vars(events).values() if hasattr(value, "kind") and hasattr(value, "record")}
    assert {"muted", "waiting", "result"} <= {str(kind) for kind in kinds}
    assert not [kind for kind in kinds if f"`{kind}`" not in text(DOCS / "formats.md")]
