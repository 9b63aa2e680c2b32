"""The README is kept true: its commands run, its files exist, its program prints what it says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli_live import KEYS
from test_sound_stack import server  # noqa: F401 - a fixture

from recognizer.cli.drawing import WIDTH, large

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    part.strip()
    for language, block in BLOCKS
    for line in block.splitlines()
    for part in line.split("&&")
    if not language and part.strip().startswith("recognizer ")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the README's commands speak of: samples, a corpus of them, one voice's, a new recording."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(REPOSITORY / "audio_samples", folder / "audio_samples")
    for sample in sorted((folder / "audio_samples").glob("*.wav")):
        word = sample.name.split("_")[0]
        (folder / "corpus" / word).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample, folder / "corpus" / word)
    shutil.copy(folder / "audio_samples" / "seven_slt_0.wav", folder / "new.wav")
    (folder / "recordings").mkdir()
    for sample in (folder / "audio_samples").glob("*_slt_0.wav"):
        shutil.copy(sample, folder / "recordings")
    return folder


def test_the_commands_of_the_readme_run_in_order(folder, run, start, monkeypatch, tmp_path):
    monkeypatch.setenv("RECOGNIZER_HOME", str(tmp_path))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # `live` would change what SIGTERM does to the tests
    assert len(COMMANDS) >= 7
    started = set()
    for command in COMMANDS:
        _, *arguments = shlex.split(command, comments=True)
        if arguments[0] == "devices":
            continue  # see below
        if arguments[0] == "record" or (arguments[0] == "enroll" and not {"--from", "--unlabelled"} & {*arguments}):
            assert run(*arguments, "--help").status == 0  # a person would have to speak
            continue
        if arguments[0] == "live":
            arguments = without_microphone(arguments)
            outcome = run(*arguments)  # in this process, because there are many
            assert (outcome.status, outcome.stderr) == (0, "1 word, 0 rejected in 0.9 s\n"), command
            assert "seven" in outcome.stdout
            if "--save" in arguments:
                assert len(list((folder / "kept").glob("*.wav"))) == 1
                assert (folder / "kept" / "utterances.jsonl").exists()
            continue
        if arguments[0] in started:  # to start the program each time takes longer than what it does
            done = run(*arguments)
        else:
            done = start(*arguments, cwd=folder)
            started.add(arguments[0])
        assert done.status == 0, f"{command}: {done.stderr}"
        assert done.stdout
        if command == "recognizer batch audio_samples":
            shown = README.split("runner-up\n")[1].splitlines()[0]
            assert shown in done.stdout
        if arguments[0] in ("batch", "evaluate") and "audio_samples" in command and "--words" not in command:
            assert "seven" in done.stdout


def without_microphone(arguments: list[str]) -> list[str]:
    """A call of `live` with the same options, but on a recording."""
    if "--from-file" in arguments:
        return arguments
    if "--device" in arguments:
        place = arguments.index("--device")
        arguments = arguments[:place] + arguments[place + 2 :]
    return [*arguments, "--from-file", "audio_samples/seven_slt_0.wav", "--fast"]


def test_the_commands_about_microphones_run(folder, server):  # noqa: F811
    commands = [shlex.split(command, comments=True) for command in COMMANDS]
    about = [arguments for _, *arguments in commands if arguments[0] == "devices"]
    assert about == [["devices"], ["devices", "--test"]]
    for arguments, parts in zip(about, (("* is used", "pulse"), ("level", "SNR", "verdict"))):
        script = Path(sys.executable).with_name("recognizer")
        call = [script, *arguments]
        done = subprocess.run(call, env=server.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == ""
        for part in parts:  # nobody speaks into that microphone, so the verdict on it is bad
            assert part in done.stdout


def test_the_picture_of_the_readme_is_that_of_the_program():
    [picture] = (block.splitlines() for language, block in BLOCKS if language == "text")
    assert {len(line) for line in picture} == {WIDTH}
    assert "recognizer live: digits" in picture[0]
    assert "Ctrl-C ends" in picture[-1]
    assert "listening" in picture[2]
    rows = {line[1:15].strip(): line[16:-2] for line in picture[9:-1]}
    assert {"confidence", "otherwise", "before"} <= set(rows)
    word, confidence = rows["before"].split()[:2]
    assert confidence == rows["confidence"].split()[-1]
    for drawn in large(word).splitlines():
        assert any(drawn.strip() in line for line in picture), word


def test_the_events_of_the_readme_are_those_of_the_program(folder):
    shown = [json.loads(line) for language, block in BLOCKS if language == "json" for line in block.splitlines()]
    assert [event["event"] for event in shown] == ["result", "rejected"]
    assert "with `--words two,seven`" in README
    for event in shown:
        assert list(event) == ["event", "time", *KEYS[event["event"]]]
    for kind in KEYS:
        assert f"`{kind}`" in README
    script = Path(sys.executable).with_name("recognizer")
    options = ["--from-file", "audio_samples/seven_slt_0.wav", "--fast", "--json", "--words", "two,seven"]
    done = subprocess.run([script, "live", *options], cwd=folder, capture_output=True, text=True, check=True)
    [told] = (event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "result")
    for name, value in shown[0].items():
        if isinstance(value, float) and name != "latency":
            assert told[name] == pytest.approx(value, abs=0.02), name
        elif name not in ("nbest", "latency"):
            assert told[name] == value, name
    assert [candidate["word"] for candidate in told["nbest"]] == [c["word"] for c in shown[0]["nbest"]]


def test_the_alignment_of_the_readme_is_that_of_the_program(folder, run, monkeypatch):
    monkeypatch.chdir(folder)
    [shown] = (block.splitlines() for _, block in BLOCKS if block.startswith("state "))
    printed = run("align", "audio_samples/seven_slt_0.wav").stdout.splitlines()
    start = printed.index(shown[0])
    assert printed[start : start + len(shown)] == shown


def test_the_program_of_the_readme_runs(folder):
    (program,) = (block for language, block in BLOCKS if language == "python")
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "seven\n"


def test_every_file_that_the_readme_names_exists():
    named = re.findall(r"`((?:recipes|models|audio_samples|LICENSE)[\w/.]*)`", README)
    assert named
    for name in named:
        assert (REPOSITORY / name).exists(), name


def test_the_figures_of_the_readme_are_those_of_the_recipes():
    rows = re.findall(r"^\| .*? \| ([\d.]+) % \((\d+)\) \| .*?`recipes/(\w+)`", README, flags=re.MULTILINE)
    assert len(rows) >= 4
    for accuracy, n, recipe in rows:
        results = (REPOSITORY / "recipes" / recipe / "RESULTS.md").read_text(encoding="utf-8")
        assert re.search(rf"\| {float(accuracy):.2f} \| {n} \|", results), (recipe, accuracy, n)


def test_the_figures_of_rejection_are_those_of_its_recipe():
    pattern = r"^\| ([^|]+), at `(\w+)` \| ([\d.]+) % \((\d+ of \d+)\) \| ([^|]+) \| `recipes/live/REJECTION.md` \|"
    rows = re.findall(pattern, README, flags=re.MULTILINE)
    assert {what for what, *_ in rows} == {"unknown words accepted", "digits of test speakers rejected"}
    results = (REPOSITORY / "recipes" / "live" / "REJECTION.md").read_text(encoding="utf-8")
    for row in rows:
        assert f"| {' | '.join(row)} |" in results, row


def test_the_figures_of_live_recognition_are_those_of_its_recipe():
    """A row of the README has a cell of RESULTS.md, word for word, as what was measured."""
    for measured in re.findall(
        r"^\| [^|]+ \| ([^|]+) \| [^|]* \| `recipes/live/RESULTS.md` \|", README, flags=re.MULTILINE
    ):
        results = (REPOSITORY / "recipes" / "live" / "RESULTS.md").read_text(encoding="utf-8")
        assert f"| {measured} |" in results, measured
