"""What beginners do wrong: each ends in one line that says what is wrong and what to do, or in a question."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from synthetic import RATE, SPEAKERS, WORDS, quiet, say, write

PAGE = b"<!DOCTYPE html><html><body>Not found</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9000\n"
# What is typed, the exit status, and what the one line has in it. MODEL has the words fall, hum, peep and rise.
MISTAKES: dict[str, tuple[str, int, tuple[str, ...]]] = {
    # What is typed
    "no command": ("traim folder -o x.npz", 2, ("train",)),
    "a slip in an option": ("batch one.wav --modle MODEL", 2, ("--model",)),
    "an option without its value": ("batch one.wav --model", 2, ("--model",)),
    "a command without its argument": ("batch", 2, ("PATH",)),
    "an empty name": ("batch '' -m MODEL", 2, ("name is empty",)),
    "a number that is none": ("train folder -o x.npz --states five", 2, ("--states", "five")),
    "too large a number": ("train folder -o x.npz --mixtures 99999", 2, ("--mixtures", "1024")),
    "a threshold that is none": ("batch one.wav -m MODEL --threshold high", 2, ("strict", "high")),
    "two kinds of output": ("batch one.wav -m MODEL --json --csv", 2, ("choose one",)),
    "no such word": ("batch one.wav -m MODEL --words yes", 1, ("'yes'", "fall, hum, peep, rise")),
    "a density that is none": ("train folder -o x.npz --density gaussian", 2, ("gaussian", "continuous")),
    "an augmentation that is none": ("train folder -o x.npz --augment echo", 2, ("echo", "noise")),
    "a speaker who is a path": ("batch one.wav -m MODEL --speaker ../anna", 2, ("../anna",)),
    # Files that are not there, or something else
    "no such file": ("batch gone.wav -m MODEL", 1, ("gone.wav", "no such file")),
    "no such model": ("batch one.wav -m gone", 1, ("gone", "known by name")),
    "a recording as the model": ("batch one.wav -m one.wav", 1, ("one.wav", "not a model")),
    "a model as the recording": ("batch MODEL -m MODEL", 1, ("ZIP archive, not sound",)),
    "no such speaker": ("batch one.wav -m MODEL --speaker nobody", 1, ("nobody",)),
    "no such folder": ("train gone -o x.npz", 1, ("gone", "no such folder")),
    "an empty folder": ("train empty -o x.npz", 1, ("empty", "no audio")),
    "an empty file": ("batch nothing.wav -m MODEL", 1, ("empty (0 bytes)",)),
    "a web page": ("batch page.wav -m MODEL", 1, ("page.wav", "web page")),
    "a pointer of Git LFS": ("batch pointer.wav -m MODEL", 1, ("Git LFS", "git lfs pull")),
    "a text": ("batch text.wav -m MODEL", 1, ("text.wav", "text")),
    "a pattern that nothing fits": ("batch *.flac -m MODEL", 2, ("*.flac",)),
    # Where things shall go
    "a model without its ending": ("train folder -o x", 2, (".npz",)),
    "a model without a name": ("train folder", 2, ("--name", "--output")),
    "two places for a model": ("train folder -o x.npz --name x", 2, ("--name", "--output")),
    "a name that can be no file": ("train folder --name a/b", 2, ("a/b",)),
    "a name that is taken by the program": ("train folder --name digits", 2, ("digits",)),
    "a folder that is not there": ("train folder -o gone/x.npz", 2, ("gone", "does not exist")),
    "a folder as the file": ("train folder -o folder", 2, ("folder",)),
    "a report into a file": ("evaluate folder -m MODEL --report one.wav", 2, ("one.wav", "no folder")),
    "a picture that is none": ("align one.wav -m MODEL --plot x.jpg", 2, (".png",)),
    "takes into a file": ("cut one.wav --words hum -m MODEL --output one.wav", 2, ("one.wav",)),
    "the output over the recording": ("batch one.wav -m MODEL --csv --output one.wav", 2, ("is the recording itself",)),
    # Recordings to learn from
    "names that tell no word": ("train loose -o x.npz", 1, ("tells no word", "{word}/")),
    "speakers or words": (
        "train either -o x.npz",
        1,
        ("--layout '{speaker}/{word}_{take}'", "--layout '{word}/{speaker}_{take}'"),
    ),
    "splits for words": ("train splits -o x.npz", 1, ("parts of a corpus",)),
    "one word alone": ("train alone -o x.npz", 1, ("only one word", "--layout")),
    "a layout without a word": ("train folder -o x.npz --layout {speaker}/{take}", 1, ("{word}",)),
    "a layout that nothing fits": ("train folder -o x.npz --layout {word}_{speaker}_{take}", 1, ("does not fit",)),
    "a word in two ways": ("train cases -o x.npz", 1, ("'Hum'", "'hum'", "only by case")),
    "a label that nobody sees": ("train unseen.csv -o x.npz", 1, ("cannot be seen",)),
    "a table in another encoding": ("train latin.csv -o x.npz", 1, ("line 2", "UTF-8")),
    "a table without a header": ("train headless.csv -o x.npz", 1, ("no header", "path,word,speaker")),
    "a table with other columns": ("train columns.csv -o x.npz", 1, ("no column 'path'",)),
    "a word of silence": ("train silence -o x.npz", 1, ("no usable recording", "'quiet'")),
    "nothing to be heard": ("enroll anna --from mute --layout {word}/* -m MODEL", 1, ("can be learned from",)),
    "words that the model lacks": ("enroll anna --from others -m MODEL", 1, ("left, right", "fall, hum")),
    "two voices for one": ("enroll anna --from voices -m MODEL", 2, ("--voice",)),
    "a voice of whom nothing is known": (
        "enroll anna --from folder --voice bob -m MODEL",
        2,
        ("does not tell who speaks",),
    ),
    "two sources": ("enroll anna --from folder --unlabelled folder -m MODEL", 2, ("exclude each other",)),
    "weights without a number": ("train folder -o x.npz --weight folder", 2, ("FOLDER=NUMBER",)),
    "several models in one": ("models compare MODEL folder folder", 1, ("folder",)),
    # Recordings to be recognised
    "live without a microphone or a file": ("live --fast -m MODEL", 2, ("--from-file",)),
    "a microphone and a file": ("live --from-file one.wav --device 1 -m MODEL", 2, ("choose one",)),
    "a program that is not there": (
        "live --from-file one.wav --fast -m MODEL --exec 'no-such-program {word}'",
        2,
        ("no-such-program",),
    ),
    "two words to be aligned": ("align one.wav -m MODEL --word 'hum rise'", 1, ("hum rise",)),
    "a transcript with a word too many": ("cut one.wav --words 'hum yes' -m MODEL", 1, ("'yes'",)),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory, recordings) -> Path:
    """A folder in which all of that goes wrong."""
    place = tmp_path_factory.mktemp("mistakes")
    write(place / "one.wav", say("hum"))
    for folder, names in {
        "folder": [f"{word}/{take}.wav" for word in WORDS for take in range(3)],
        "either": [f"{speaker}/{word}_{take}.wav" for speaker in SPEAKERS[:2] for word in WORDS for take in range(2)],
        "voices": [
            f"{word}/{speaker}_nohash_{take}.wav" for speaker in SPEAKERS[:2] for word in WORDS for take in (0, 1)
        ],
        "splits": [f"{split}/{take}.wav" for split in ("train", "test") for take in range(3)],
        "loose": ["hum.wav", "rise.wav", "fall.wav"],
        "alone": [f"hum/{take}.wav" for take in range(3)],
        "others": [f"{word}/{take}.wav" for word in ("left", "right") for take in range(3)],
    }.items():
        for name in names:
            word = next((word for word in WORDS if word in name), "hum")
            write(place / folder / name, say(word, take=len(name)))
    for name in ("Hum/1.wav", "hum/2.wav", "rise/3.wav"):
        write(place / "cases" / name, say("hum"))
    for take in range(3):
        write(place / "silence" / "hum" / f"{take}.wav", say("hum", take=take))
        write(place / "silence" / "quiet" / f"{take}.wav", np.zeros(RATE))
        write(place / "mute" / "hum" / f"{take}.wav", np.zeros(RATE))
    (place / "empty").mkdir()
    for name, content in {
        "nothing.wav": b"",
        "page.wav": PAGE,
        "pointer.wav": POINTER,
        "text.wav": b"Dear diary, today I said seven.\n" * 20,
        "unseen.csv": "path,word\none.wav,hum\ntwo.wav,hum\u200b\n".encode(),
        "latin.csv": "path;word\none.wav;d\xf3s\n".encode("latin-1"),
        "headless.csv": b"one.wav,hum\ntwo.wav,rise\n",
        "columns.csv": b"name,meaning\none.wav,hum\n",
    }.items():
        (place / name).write_bytes(content)
    return place


def typed(text: str, model: Path) -> list[str]:
    parts = re.findall(r"'([^']*)'|(\S+)", text)
    return [str(model) if part == "MODEL" else part for part in (quoted or plain for quoted, plain in parts)]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_line_says_what_to_do(run, place, model_file, home, monkeypatch, mistake):
    monkeypatch.chdir(place)
    text, status, parts = MISTAKES[mistake]
    before = sorted(place.rglob("*"))
    done = run(*typed(text, model_file))
    assert done.status == status, done
    said = (done.stderr or done.stdout).strip()
    lines = [line for line in said.splitlines() if not re.search(r"^Usage|^Try |^$|: names are |: a table tells", line)]
    lines = [line for line in lines if "could not be read" not in line]
    told = [line for line in done.stdout.splitlines() if ": " in line and "error" in line] + lines
    assert told, done
    if "--layout" in said and "say it with" in said:
        assert all(line.startswith("  --layout ") for line in told[1:])
        assert len(told) <= 4
    else:
        assert len(told) == 1, told
    for part in parts:
        assert part in "\n".join(told)
    assert "Traceback" not in said
    assert sorted(place.rglob("*")) == before, "nothing is left behind"


def test_there_are_fifty_of_them():
    assert len(MISTAKES) >= 50
    assert len({text for text, _, _ in MISTAKES.values()}) == len(MISTAKES)


# Mistakes after which there is an answer, and a line about it


@pytest.mark.parametrize(
    ("samples", "parts"),
    [
        (
            lambda: np.concatenate([part for word in WORDS for part in (quiet(0.5), say(word))]),
            ("several words", "transcribe"),
        ),
        (lambda: np.clip(20 * say("hum"), -1, 1), ("clipped", "turn the input level down")),
        (lambda: 0.003 * say("hum"), ("quiet", "closer")),
    ],
)
def test_what_makes_an_answer_doubtful_is_told(run, model_file, tmp_path, samples: Callable[[], np.ndarray], parts):
    file = write(tmp_path / "a.wav", samples(), subtype="FLOAT")
    done = run("batch", file, "-m", model_file, "--threshold", "0", "--json")
    assert done.status == 0
    assert json.loads(done.stdout)["word"]
    (line,) = done.stderr.splitlines()
    for part in (*parts, str(file)):
        assert part in line
    assert run("batch", file, "-m", model_file, "--quiet").stderr == ""
