"""`recognizer check`: what is in a corpus and what is wrong with it, for a person and for a program."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from synthetic import SPEAKERS, WORDS, record, say, write

from recognizer.cli import check as command


@pytest.fixture
def corpus(tmp_path) -> Path:
    """A corpus with one of each fault: see the tests."""
    folder = record(tmp_path / "corpus")
    write(folder / "hum_anna_0.wav", np.clip(8 * say("hum", "anna"), -1, 1))
    write(folder / "peep_bob_0.wav", say("peep", "bob", rate=16000), 16000)
    write(folder / "few_anna_0.wav", say("peep"))
    (folder / "rise_carl_2.wav").write_text("no sound")
    shutil.copy(folder / "hum_dora_1.wav", folder / "rise_dora_9.wav")
    shutil.copy(folder / "fall_anna_1.wav", folder / "fall_bob_9.wav")
    shutil.copy(folder / "fall_anna_2.wav", folder / "fall_anna_9.wav")
    return folder


def lines_of(stdout: str, start: str) -> list[str]:
    return [line for line in stdout.splitlines() if line.startswith(start)]


# What is printed


def test_a_good_corpus(run, recordings):
    outcome = run("check", recordings)
    assert (outcome.status, outcome.stderr) == (0, "")
    told, *table, numbers, alike = outcome.stdout.split("\n\n")[0:1] + outcome.stdout.splitlines()[2:]
    assert told.startswith(
        f"{recordings}: names are {{word}}_{{speaker}}_{{take}}: 48 recordings, 4 words (fall, hum, "
    )
    assert "4 speakers (anna, bob, carl, dora); fall_anna_0.wav is fall by anna" in told
    head, *rows, blank = [line.split() for line in table]
    assert (head, blank) == (["word", "takes", "speakers", "seconds", "doubtful"], [])
    assert [row[0] for row in rows] == list(WORDS)
    for _, takes, speakers, seconds, doubtful in rows:
        assert (takes, speakers, doubtful) == ("12", "4", "-")
        assert 0.79 < float(seconds) < 0.91
    assert numbers.startswith("recordings: 48 at 8000 Hz; 0.8")
    assert numbers.endswith(" s in all")
    assert alike.startswith("most alike: ")
    assert alike.count(" and ") == 5


def test_every_fault_is_told(run, corpus):
    outcome = run("check", corpus)
    assert (outcome.status, outcome.stderr) == (1, "")
    rows = {line.split()[0]: line.split()[1:] for line in outcome.stdout.splitlines()[3:8]}
    assert list(rows) == ["fall", "few", "hum", "peep", "rise"]
    assert [rows[word][0] for word in rows] == ["14", "1", "11", "12", "11"]
    assert [rows[word][-1] for word in rows] == ["-", "-", "1", "-", "-"]
    [numbers] = lines_of(outcome.stdout, "recordings: ")
    assert numbers.startswith("recordings: 50 at 8000 Hz, 1 at 16000 Hz; ")
    assert lines_of(outcome.stdout, "few takes: ") == ["few takes: few; record at least three of each, better ten"]
    assert lines_of(outcome.stdout, "clipped") == [f"clipped: 1 recording: {corpus / 'hum_anna_0.wav'}"]
    assert lines_of(outcome.stdout, "the same recording") == [
        "the same recording as different words, which are left out: "
        f"{corpus / 'hum_dora_1.wav'} (hum), {corpus / 'rise_dora_9.wav'} (rise)",
        "the same recording of different speakers: "
        f"{corpus / 'fall_anna_1.wav'} (fall, anna), {corpus / 'fall_bob_9.wav'} (fall, bob)",
        f"the same recording more than once: {corpus / 'fall_anna_2.wav'} (fall), {corpus / 'fall_anna_9.wav'} (fall)",
    ]
    [left_out] = lines_of(outcome.stdout, "left out: ")
    assert left_out.startswith(f"left out: {corpus / 'rise_carl_2.wav'}: is not sound")
    assert lines_of(outcome.stdout, "most alike: few and peep, ")


def test_json_tells_the_same(run, corpus):
    outcome = run("check", corpus, "--json")
    assert (outcome.status, outcome.stderr) == (1, "")
    found = json.loads(outcome.stdout, parse_constant=pytest.fail)
    assert found["layouts"] == ["{word}_{speaker}_{take}"]
    assert found["words"] == {"fall": 14, "few": 1, "hum": 11, "peep": 12, "rise": 11}
    assert found["speakers"] == {"anna": 14, "bob": 13, "carl": 12, "dora": 13}
    assert found["rates"] == {"8000": 50, "16000": 1}
    assert 40 < found["seconds"] < 46
    assert found["few"] == ["few"]
    [left_out] = found["left_out"]
    assert left_out.startswith(f"{corpus / 'rise_carl_2.wav'}: is not sound")
    [(file, [problem])] = found["problems"].items()
    assert file == str(corpus / "hum_anna_0.wav")
    assert problem.startswith("clipped (")
    for kind, files, labels in (
        ("two_words", ("hum_dora_1.wav", "rise_dora_9.wav"), (("hum", "dora"), ("rise", "dora"))),
        ("two_speakers", ("fall_anna_1.wav", "fall_bob_9.wav"), (("fall", "anna"), ("fall", "bob"))),
        ("twice", ("fall_anna_2.wav", "fall_anna_9.wav"), (("fall", "anna"), ("fall", "anna"))),
    ):
        assert found[kind] == [
            [
                {"file": str(corpus / file), "word": word, "speaker": speaker}
                for file, (word, speaker) in zip(files, labels)
            ]
        ]
    assert set(found["alike"][0]["words"]) == {"few", "peep"}


def test_the_json_of_a_good_corpus_has_nothing_to_complain_of(run, recordings):
    found = json.loads(run("check", recordings, "--json", "--quiet").stdout)
    assert found["words"] == dict.fromkeys(WORDS, 12)
    assert found["speakers"] == dict.fromkeys(SPEAKERS, 12)
    for kind in ("few", "left_out", "problems", "two_words", "two_speakers", "twice"):
        assert not found[kind], kind


def test_many_of_a_kind_are_counted(run, recordings, tmp_path):
    folder = shutil.copytree(recordings, tmp_path / "many")
    for number in range(command.NAMED + 2):
        (folder / f"hum_anna_{90 + number}.wav").write_bytes(b"")
        shutil.copy(folder / f"hum_{SPEAKERS[number % 4]}_{number // 4}.wav", folder / f"rise_bob_{90 + number}.wav")
        write(folder / f"peep_carl_{90 + number}.wav", np.clip(8 * say("peep", "carl", number), -1, 1))
    stdout = run("check", folder).stdout
    left_out = lines_of(stdout, "left out: ")
    assert (len(left_out), left_out[-1]) == (command.NAMED + 1, "left out: 2 more")
    same = lines_of(stdout, "the same recording as different words")
    assert (len(same), same[-1][-8:]) == (command.NAMED + 1, ": 2 more")
    [clipped] = lines_of(stdout, "clipped: 7 recordings: ")
    assert clipped.endswith(" and 2 more")
    found = json.loads(run("check", folder, "--json").stdout)
    assert [len(found[kind]) for kind in ("left_out", "two_words", "problems")] == [7, 7, 7]


def test_nothing_readable_is_still_told_of(run, tmp_path):
    for word in ("no", "yes"):
        (tmp_path / "c" / word).mkdir(parents=True)
        (tmp_path / "c" / word / "1.wav").write_bytes(b"")
    outcome = run("check", tmp_path / "c")
    assert (outcome.status, outcome.stderr) == (1, "")
    assert [line.split() for line in outcome.stdout.splitlines()[3:5]] == [
        [w, "0", "-", "-", "-"] for w in ("no", "yes")
    ]
    assert len(lines_of(outcome.stdout, "left out: ")) == 2
    assert not lines_of(outcome.stdout, "recordings: ")


# How names are read


@pytest.mark.parametrize("form", [[], ["--json"], ["--quiet"]])
def test_names_that_are_not_plain_are_asked(run, unclear, form):
    outcome = run("check", unclear, *form)
    assert (outcome.status, outcome.stdout) == (1, "")
    first, *choices = outcome.stderr.splitlines()
    assert first.startswith(f"error: {unclear}: the names can be read in several ways")
    assert "--layout" in first
    assert "layout.txt" in first
    assert sorted(line.split("'")[1] for line in choices) == ["{speaker}_{word}_{take}", "{word}_{speaker}_{take}"]


def test_each_answer_is_one_that_can_be_given(run, unclear):
    for line in run("check", unclear).stderr.splitlines()[1:]:
        pattern = line.split("'")[1]
        outcome = run("check", unclear, "--layout", pattern, "--json")
        assert outcome.status == 0
        found = json.loads(outcome.stdout)
        assert found["layouts"] == [pattern]
        assert list(found["words"]) == (list(WORDS) if pattern.startswith("{word}") else list(SPEAKERS))


def test_words_of_a_model_that_is_installed_are_known(run, unclear, model_file, home):
    (home / "models").mkdir(parents=True)
    shutil.copy(model_file, home / "models" / "mine.npz")
    outcome = run("check", unclear, "--json")
    assert outcome.status == 0
    assert list(json.loads(outcome.stdout)["words"]) == list(WORDS)


def test_several_folders_and_tables_are_checked_as_one(run, recordings, tmp_path):
    other = write(tmp_path / "other" / "hum" / "1.wav", say("hum")).parents[1]
    table = tmp_path / "list.tsv"
    table.write_text(f"file\tlabel\n{write(tmp_path / 'x.wav', say('rise'))}\trise\n")
    outcome = run("check", recordings, other, table, "--json")
    found = json.loads(outcome.stdout)
    assert found["layouts"] == ["{word}_{speaker}_{take}", "{word}/*", None]
    assert found["words"] == {"fall": 12, "hum": 13, "peep": 12, "rise": 13}
    told = run("check", recordings, other, table).stdout.splitlines()[:3]
    assert [line.split(": ")[0] for line in told] == [str(recordings), str(other), str(table)]


# What is no corpus


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("none", ["no such folder or manifest", "check the name"]),
        ("empty", ["no audio in this folder", ".wav"]),
        ("wrong.csv", ["no column 'path'"]),
    ],
)
def test_what_is_no_corpus(run, tmp_path, name, parts):
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    outcome = run("check", tmp_path / name)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: {tmp_path / name}: ")
    assert all(part in outcome.stderr for part in parts)
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("{wort}_*", ["{wort}", "the fields are"]),
        ("{speaker}_*", ["does not say where the word is"]),
        ("{word}-{speaker}", ["does not fit {word}-{speaker}", "rename or move files"]),
    ],
)
def test_a_layout_that_is_none_or_does_not_fit(run, recordings, pattern, parts):
    outcome = run("check", recordings, "--layout", pattern)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert all(part in outcome.stderr for part in parts)
    assert outcome.stderr.count("\n") == 1


def test_what_would_stop_training_does_not_stop_the_check(run, tmp_path):
    for word in ("hum", "Hum", "rise", "rise\u200b"):
        for take in range(8):
            write(tmp_path / word / f"{take}.wav", say("hum" if "um" in word else "rise", take=take + len(word)))
    write(tmp_path / "stray.wav", say("fall"))
    (tmp_path / "rise" / "empty.wav").touch()
    outcome = run("check", tmp_path)
    assert (outcome.status, outcome.stderr) == (1, "")
    told = lines_of(outcome.stdout, "to be mended: ")
    assert len(told) == 3
    for parts in (
        ("stray.wav", "does not fit {word}/*"),
        ("'Hum'", "'hum'", "by case"),
        ("'rise\\u200b'", "cannot be seen"),
    ):
        assert any(all(part in line for part in parts) for line in told), parts
    assert lines_of(outcome.stdout, "left out: ")
    assert json.loads(run("check", tmp_path, "--json").stdout)["faults"] == [
        line.removeprefix("to be mended: ") for line in told
    ]
    assert run("train", tmp_path, "--output", tmp_path / "m.npz").status == 1


def test_a_corpus_must_be_named(run):
    outcome = run("check")
    assert outcome.status == 2
    assert "Missing argument" in outcome.stderr
