"""One table of strange files, put before every command: a clear line for each, or a result; never a traceback."""

from __future__ import annotations

import json
import os
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from synthetic import NOISE, RATE, SILENCE, SPEAKERS, WORDS, say, write
from test_model import rewrite

from recognizer.model import Model
from recognizer.recognizer import Recognizer

WORD = "rise"  # what is said wherever anything can be said
NO_WORD = None  # the file is read, and rightly nothing is heard in it
NO_ANSWER = ("too quiet", "too short", "too long", "sounds like no word", "two words too close")


@dataclass(frozen=True)
class Case:
    """A strange file.

    Attributes
    ----------
    name : of the file
    make : writes it
    outcome : a part of the error's reason and its remedy; or the word, or NO_WORD, where it works
    """

    name: str
    make: Callable[[Path], object]
    outcome: tuple[str, str] | str | None

    @property
    def refused(self) -> bool:
        return isinstance(self.outcome, tuple)


def cut(share: float) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        whole = write(path, say(WORD)).read_bytes()
        path.write_bytes(whole[: int(share) if share > 1 else int(share * len(whole))])

    return make


def with_value(value: float) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        samples = say(WORD)
        samples[len(samples) // 2] = value
        return write(path, samples, subtype="FLOAT")

    return make


def within_noise(path: Path, seconds: int) -> int:
    """Write a long recording of low noise with the word in its middle; the sample it begins at."""
    samples = np.random.default_rng(0).standard_normal(seconds * RATE) * NOISE
    word, start = say(WORD), len(samples) // 2
    samples[start : start + len(word)] = word
    write(path, samples)
    return start


def link_to_nothing(path: Path) -> None:
    try:
        path.symlink_to(path.with_name("gone.wav"))
    except OSError:
        pytest.skip("no symbolic links here")


def no_permission(path: Path) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("root may read everything, and Windows has no such modes")
    write(path, say(WORD)).chmod(0)


CASES = [
    Case("empty.wav", lambda path: path.write_bytes(b""), ("is empty (0 bytes)", "record or copy it again")),
    Case("cut in its header.wav", cut(30), ("damaged", "convert it")),
    Case("cut before its samples.wav", cut(44), ("holds no samples", "record it again")),
    Case("cut in its samples.wav", cut(0.75), WORD),
    Case("text.wav", lambda path: path.write_text("hello\n" * 50), ("is not sound", "convert it to WAV")),
    Case("random.wav", lambda path: path.write_bytes(bytes(range(256)) * 50), ("is not sound", "convert it to WAV")),
    Case("no samples.wav", lambda path: write(path, np.zeros(0)), ("holds no samples", "record it again")),
    Case("all zero.wav", lambda path: write(path, np.zeros(RATE)), NO_WORD),
    Case("one sample.wav", lambda path: write(path, np.ones(1)), NO_WORD),
    Case("nan.wav", with_value(np.nan), ("a sample is nan", "convert or record it again")),
    Case("infinite.wav", with_value(np.inf), ("a sample is inf", "convert or record it again")),
    Case("huge.wav", with_value(1e30), ("a sample is 1e+30", "convert or record it again")),
    Case("hot.wav", lambda path: write(path, 3e4 * say(WORD), subtype="FLOAT"), WORD),
    Case(
        "studio.wav",
        lambda path: write(path, np.stack([say(WORD, rate=96000)] * 2, axis=1), 96000, "PCM_24"),
        WORD,
    ),
    Case("many channels.wav", lambda path: write(path, np.stack([say(WORD)] * 8, axis=1)), WORD),
    Case("offset.wav", lambda path: write(path, 0.3 * say(WORD) + 0.9), WORD),
    Case("clipped.wav", lambda path: write(path, np.clip(20 * say(WORD), -1, 1)), WORD),
    Case("quiet.wav", lambda path: write(path, 0.01 * say(WORD), subtype="PCM_24"), WORD),
    Case("noise.wav", lambda path: write(path, np.random.default_rng(0).normal(0, 0.1, 2 * RATE)), NO_WORD),
    Case("flac named.wav", lambda path: write(path.with_suffix(".flac"), say(WORD)).rename(path), WORD),
    Case("broken link.wav", link_to_nothing, ("broken symbolic link to", "restore the file or remove the link")),
    Case("no permission.wav", no_permission, ("no permission", "change its mode or owner")),
    Case("folder.wav", lambda path: path.mkdir(), ("no audio in this folder", "put files there")),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request) -> Case:
    return request.param


@pytest.fixture
def strange(case, tmp_path) -> Path:
    """The file of a case, in a folder of its own."""
    (tmp_path / "strange").mkdir()
    path = tmp_path / "strange" / case.name
    case.make(path)
    return path


def told_properly(line: str, path: Path, case: Case) -> None:
    """Assert that one line names the file, what is wrong and what to do."""
    reason, remedy = case.outcome
    assert line.isprintable(), "one line"
    assert str(path) in line
    assert reason in line
    assert remedy in line[line.index(reason) :]


# Recognising


FLAWED = {"hot.wav": "clipped", "offset.wav": "clipped", "clipped.wav": "clipped", "quiet.wav": "very quiet"}


def test_batch(run, model_file, case, strange, tmp_path):
    good = write(tmp_path / "good.wav", say("hum"))
    before = sorted(tmp_path.rglob("*"))
    outcome = run("batch", "--json", "--model", model_file, good, strange, good)
    records = [json.loads(line) for line in outcome.stdout.splitlines()]
    (told,) = (record for record in records if record["file"] == str(strange))
    assert [record["word"] for record in records if record is not told] == ["hum", "hum"]
    if case.refused:
        assert outcome.status == 1
        assert outcome.stderr == "1 of 3 files could not be read\n"
        assert told["word"] is None
        assert not told["accepted"]
        told_properly(told["error"], strange, case)
    else:
        flaw = FLAWED.get(strange.name)
        told_once = f"warning: {strange} is {flaw}; turn the input level " if flaw else ""
        assert outcome.status == 0
        assert outcome.stderr.startswith(told_once)
        assert outcome.stderr.count("\n") == (flaw is not None)
        assert told["error"] is None
        assert told["word"] == case.outcome
        assert told["accepted"] == (case.outcome is not NO_WORD)
    assert sorted(tmp_path.rglob("*")) == before, "recognising writes nothing"


def test_the_table_shows_it_too(run, model_file, case, strange):
    outcome = run("batch", "--model", model_file, strange)
    _, *lines = outcome.stdout.splitlines()
    assert len(lines) == 1
    if case.refused:
        told_properly(lines[0], strange, case)
    else:
        assert lines[0].startswith(str(strange))
        assert any(said in lines[0] for said in ([case.outcome] if case.outcome else NO_ANSWER))


@pytest.mark.parametrize("seconds", [5, 20, 600])
def test_a_word_in_a_long_recording(run, model_file, tmp_path, seconds):
    """The right word in its place, or none; reading it takes no more than moments."""
    start = within_noise(tmp_path / "long.wav", seconds)
    outcome = run("batch", "--json", "--model", model_file, tmp_path / "long.wav")
    told = json.loads(outcome.stdout)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert told["duration"] == seconds
    assert told["error"] is None
    if seconds < 10 or told["word"] is not None:
        assert told["word"] == WORD
        assert told["start"] == pytest.approx(start / RATE + SILENCE, abs=0.06)


def test_lack_of_permission_is_told_even_where_root_runs_the_tests(run, model_file, tmp_path, monkeypatch):
    good, locked = (write(tmp_path / name, say("hum")) for name in ("good.wav", "locked.wav"))
    monkeypatch.setattr("builtins.open", forbid(locked, open))
    outcome = run("batch", "--json", "--model", model_file, locked, good)
    first, second = map(json.loads, outcome.stdout.splitlines())
    told_properly(first["error"], locked, Case("", Path.touch, ("no permission", "change its mode or owner")))
    assert second["word"] == "hum"
    assert outcome.status == 1


def test_a_locked_folder_does_not_stop_the_others(run, model_file, tmp_path, monkeypatch):
    good = write(tmp_path / "good.wav", say("hum"))
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(os, "scandir", forbid(tmp_path / "locked", os.scandir))
    outcome = run("batch", "--json", "--model", model_file, tmp_path / "locked", good)
    records = {record["file"]: record for record in map(json.loads, outcome.stdout.splitlines())}
    told = records[str(tmp_path / "locked")]["error"]
    told_properly(told, tmp_path / "locked", Case("", Path.touch, ("cannot be opened", "change its mode")))
    assert records[str(good)]["word"] == "hum"
    assert outcome.status == 1


def forbid(forbidden: Path, function: Callable) -> Callable:
    """The function, but not for this path."""

    def call(path, *arguments, **options):
        if path == forbidden:
            raise PermissionError(13, "Permission denied", str(path))
        return function(path, *arguments, **options)

    return call


# Training


@pytest.fixture
def corpus(tmp_path) -> Path:
    """A small corpus of word folders, to be spoilt."""
    for word in WORDS:
        for speaker in SPEAKERS:
            write(tmp_path / "corpus" / word / f"{speaker}.wav", say(word, speaker))
    (tmp_path / "corpus" / "layout.txt").write_text("{word}/*", encoding="utf-8")
    return tmp_path / "corpus"


def test_train(run, corpus, case, tmp_path):
    """What cannot be used is left out by name, the rest is trained on, and a folder is only a folder."""
    strange = corpus / WORD / case.name
    case.make(strange)
    output = tmp_path / "m.npz"
    outcome = run("train", corpus, "--output", output, "--mixtures", 1, "--json")
    told = json.loads(outcome.stdout)
    if strange.is_dir():
        assert (outcome.status, told["left_out"]) == (0, [])
    elif case.refused or case.outcome is NO_WORD:
        assert outcome.status == 1
        assert told["utterances"] == 16
        (reason,) = told["left_out"]
        assert outcome.after_told == f"left out: {reason}\n"
        if case.refused:
            told_properly(reason, strange, case)
        else:
            assert reason.startswith(f"{strange}: ")
            assert reason.endswith("; record it again, or leave it out")
            assert reason.isprintable()
    else:
        assert (outcome.status, outcome.after_told, told["left_out"]) == (0, "", [])
        assert told["utterances"] == 17
    recognizer = Recognizer(Model.load(output))
    assert [recognizer.recognize(say(word), RATE).word for word in WORDS] == list(WORDS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "m.npz"]


def test_a_ten_minute_recording(run, corpus, tmp_path):
    """It is trained on or refused by name; either way a model comes out."""
    file = corpus / WORD / "long.wav"
    within_noise(file, 600)
    outcome = run("train", corpus, "--output", tmp_path / "m.npz", "--mixtures", 1)
    assert outcome.status == (1 if outcome.after_told else 0)
    assert outcome.after_told == "" or outcome.after_told.startswith(f"left out: {file}: ")
    assert Recognizer.load(tmp_path / "m.npz").recognize(say(WORD), RATE).word == WORD


def test_words_that_differ_by_case(run, corpus, tmp_path):
    (corpus / "Hum").mkdir(exist_ok=True)
    if (corpus / "Hum").samefile(corpus / "hum"):
        pytest.skip("this file system does not tell upper from lower case")
    write(corpus / "Hum" / "0.wav", say("hum"))
    outcome = run("train", corpus, "--output", tmp_path / "m.npz")
    assert (outcome.status, outcome.stdout) == (1, "")
    for part in ("'Hum'", "'hum'", str(corpus / "Hum" / "0.wav"), "differ only by case; rename one or merge them"):
        assert part in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert not (tmp_path / "m.npz").exists()


def test_words_that_differ_by_unicode_form_are_one(run, corpus, tmp_path):
    for take, form in enumerate(("NFC", "NFD")):
        write(corpus / unicodedata.normalize(form, "écho") / f"{take}.wav", say("hum", take=take))
    outcome = run("train", corpus, "--output", tmp_path / "m.npz", "--mixtures", 1, "--json")
    assert outcome.status == 0
    assert json.loads(outcome.stdout)["words"] == sorted([*WORDS, "écho"])


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["no recordings", "add lines"]),
        (b"path;word\n", ["no recordings", "add lines"]),
        (b"path:word\n", ["line 1", "no column 'path'", "begin with the header"]),
        (b"path,word\na.wav,\n", ["line 2", "empty word", "name what is said"]),
        (b"path,word\na.wav,\xff\n", ["line 2", "not UTF-8"]),
        (b'path,word\n"a.wav,yes\n', ["line 2", "not CSV", "correct its quotes"]),
        (b"path,word\na.wav,yes\na.wav,no\n", ["line 3", "on line 2 already", "remove one"]),
        (b"RIFF\xff\xff\xff\xffWAVE", ["not UTF-8", "name a folder"]),
    ],
)
def test_wrong_manifests(run, tmp_path, model_file, command, content, parts):
    manifest = tmp_path / "list.csv"
    manifest.write_bytes(content)
    options = ["--output", tmp_path / "m.npz"] if command == "train" else ["--model", model_file]
    outcome = run(command, manifest, *options)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.count("\n") == 1
    for part in (f"error: {manifest}", *parts):
        assert part in outcome.stderr
    assert list(tmp_path.iterdir()) == [manifest]


# Cutting


def test_cut(run, model_file, case, strange, tmp_path):
    """A strange file alone is refused in a line, and nothing is written."""
    output = tmp_path / "takes"
    outcome = run("cut", strange, "--words", WORD, "--model", model_file, "--output", output)
    if case.outcome == WORD:
        assert (outcome.status, outcome.stderr) == (0, "")
        assert len(list((output / WORD).iterdir())) == 1
        return
    assert (outcome.status, outcome.stdout) == (1, "")
    line = outcome.stderr.removesuffix("\n")
    if strange.is_dir():
        assert line == f"error: {strange}: is a folder; name a sound file in it"
    elif case.refused:
        told_properly(line, strange, case)
    else:
        assert line == f"error: {strange}: holds no speech; record it again, closer or louder"
    assert not output.exists()


# Evaluating


def test_evaluate(run, model_file, corpus, case):
    strange = corpus / WORD / case.name
    case.make(strange)
    outcome = run("evaluate", corpus, "--model", model_file, "--json")
    found = json.loads(outcome.stdout)
    if case.refused and not strange.is_dir():
        assert outcome.status == 1
        assert list(found["unreadable"]) == [str(strange)]
        told_properly(found["unreadable"][str(strange)], strange, case)
        assert f"error: {found['unreadable'][str(strange)]}\n" in outcome.stderr
        assert found["n"] == 16
    else:
        assert outcome.status == 0
        assert found["unreadable"] == {}
        assert found["n"] == 16 + (not strange.is_dir())
        assert [m["file"] for m in found["mistakes"]] == ([str(strange)] if case.outcome is NO_WORD else [])


# Models


MODELS = {
    "empty.npz": lambda path, whole: path.write_bytes(b""),
    "cut.npz": lambda path, whole: path.write_bytes(whole[: len(whole) // 2]),
    "text.npz": lambda path, whole: path.write_text("a model, honestly"),
    "sound.npz": lambda path, whole: write(path.with_suffix(".wav"), say(WORD)).rename(path),
    "folder.npz": lambda path, whole: path.mkdir(),
    "foreign.npz": lambda path, whole: np.savez(path, x=np.zeros(3)),
    "pickled.npz": lambda path, whole: np.savez(path, header=np.array([{}], dtype=object)),
    "newer.npz": lambda path, whole: np.savez(path, header=np.array('{"format": "recognizer-model", "version": 99}')),
    "headless.npz": lambda path, whole: np.savez(path, header=np.array('{"format": "recognizer-model", "version": 1}')),
    "gone.npz": lambda path, whole: None,
    "link.npz": lambda path, whole: path.symlink_to(path.with_name("nothing.npz")),
}


@pytest.mark.parametrize("command", ["batch", "evaluate", "models show"])
@pytest.mark.parametrize("name", MODELS)
def test_a_bad_model_is_one_line(run, model_file, recordings, tmp_path, name, command):
    path = tmp_path / name
    MODELS[name](path, model_file.read_bytes())
    calls = {
        "batch": ["batch", recordings, "--json", "--model", path],
        "evaluate": ["evaluate", recordings, "--json", "--model", path],
        "models show": ["models", "show", path, "--json"],
    }
    outcome = run(*calls[command])
    assert (outcome.status, outcome.stdout) == (1, "")
    line = outcome.stderr.removesuffix("\n")
    assert line.isprintable()
    assert line.startswith("error: ")
    assert str(path) in line
    assert "; " in line, "with a remedy"


def test_a_flipped_bit_in_a_model(run, model_file, recordings, tmp_path):
    content = bytearray(model_file.read_bytes())
    with zipfile.ZipFile(model_file) as archive:  # not in what the archive says twice, where nothing is lost
        largest = max(archive.infolist(), key=lambda part: part.compress_size)
    content[largest.header_offset + largest.compress_size // 2] ^= 16
    (tmp_path / "m.npz").write_bytes(content)
    outcome = run("batch", "--model", tmp_path / "m.npz", recordings)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "damaged" in outcome.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("batch", "SOUND", "--model", "MODEL"),
        ("live", "--from-file", "SOUND", "--model", "MODEL"),
        ("align", "SOUND", "--model", "MODEL"),
        ("cut", "SOUND", "--words", WORD, "--model", "MODEL", "--output", "FOLDER"),
        ("evaluate", "CORPUS", "--model", "MODEL"),
        ("enroll", "eve", "--from", "CORPUS", "--voice", SPEAKERS[0], "--model", "MODEL"),
        ("models", "show", "MODEL"),
        ("export", "MODEL", "--htk", "FOLDER"),
    ],
    ids=lambda command: command[0],
)
def test_a_model_of_the_earlier_format_is_one_line_with_the_remedy(run, model_file, recordings, tmp_path, command):
    old = rewrite(model_file, tmp_path / "old.npz", lambda header, _: header.update(version=2))
    sound = write(tmp_path / "a.wav", say("rise"))
    given = {"SOUND": sound, "MODEL": old, "CORPUS": recordings, "FOLDER": tmp_path / "exported"}
    outcome = run(*(given.get(word, word) for word in command))
    assert (outcome.status, outcome.stdout) == (1, "")
    [line] = outcome.stderr.splitlines()
    assert str(old) in line
    assert line.endswith("train it again with `recognizer train`")
    assert not (tmp_path / "exported").exists()
