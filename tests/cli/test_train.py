"""`recognizer train`: a model file that works, or none."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic import RATE, SPEAKERS, WORDS, record, say, write

from recognizer.intervals import in_words
from recognizer.model import Model
from recognizer.recognizer import Recognizer
from recognizer.sound.perturbation import MILD, Perturbation

SMALL = ["--mixtures", "1"]  # as many as a few recordings support without a warning


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "new" / "m.npz"


@pytest.fixture(autouse=True)
def folder(output) -> Path:
    output.parent.mkdir()
    return output.parent


def hears_everything(path: Path) -> bool:
    recognizer = Recognizer.load(path)
    return [recognizer.recognize(say(word), RATE).word for word in WORDS] == list(WORDS)


# What is written


def test_a_model_is_written_that_hears(run, recordings, output):
    outcome = run("train", recordings, "--output", output, *SMALL)
    assert (outcome.status, outcome.after_told) == (0, "")
    assert hears_everything(output)
    assert list(output.parent.iterdir()) == [output]
    model = Model.load(output)
    first, second, *stages = outcome.stdout.splitlines()
    assert first == f"{output}: 4 words from 48 recordings"
    assert second == "words: fall, hum, peep, rise"
    for line, (stage, curve) in zip(stages, model.acoustics.history.items(), strict=True):
        assert line.startswith(f"{stage}: ")
        assert f"{curve[0]:.3f} to {curve[-1]:.3f}, {len(curve)} iterations" in line


def test_json_tells_what_is_in_the_file(run, recordings, output):
    outcome = run("train", recordings, "-o", output, "--json", *SMALL)
    model = Model.load(output)
    assert json.loads(outcome.stdout) == {
        "model": str(output),
        "words": list(WORDS),
        "utterances": 48,
        "left_out": [],
        "held_out": None,
        "history": model.acoustics.history,
    }
    assert outcome.after_told == ""


def test_the_held_out_trial_is_told(run, recordings, output, monkeypatch):
    monkeypatch.setattr("recognizer.training.trials.FEWEST_TO_CALIBRATE", 12)
    told = json.loads(run("train", recordings, "-o", output, "--json", *SMALL).stdout)["held_out"]
    assert told == Model.load(output).card["held_out"]
    assert (told["n"], told["unseen"]) == (12, "speakers")
    text = run("train", recordings, "-o", output, *SMALL).stdout.splitlines()[-1]
    assert (told["over"], told["count"]) == ("12 takes of one speaker", 12)
    assert f"without a third of the speakers got 100.0 % of them right ({in_words(told)})" in text


def test_options_are_in_the_model(run, recordings, output):
    options = ["--states", 3, "--mixtures", 2, "--sample-rate", 16000, "--licence", "CC0, made up", "--jobs", 2]
    outcome = run("train", recordings, "-o", output, *options)
    assert outcome.status == 0
    model = Model.load(output)
    assert model.acoustics.states == 3
    assert model.acoustics.bank.means.shape[1] == 2
    assert model.front_end.sample_rate == 16000
    assert model.card["licence"] == "CC0, made up"
    assert model.card["data"] == recordings.name
    assert [Perturbation(**p) for p in model.card["perturbations"]] == list(MILD), "for there are few recordings"


def test_states_are_tied(run, recordings, output):
    outcome = run("train", recordings, "-o", output, *SMALL, "--tie", 8)
    assert (outcome.status, outcome.after_told) == (0, "")
    assert hears_everything(output)
    assert Model.load(output).acoustics.tied_states == 8
    assert "tied_states: 8" in run("models", "show", output).stdout
    assert json.loads(run("models", "show", output, "--json").stdout)["tied_states"] == 8


def test_where_there_is_nothing_to_tie_that_is_told(run, recordings, output):
    outcome = run("train", recordings, "-o", output, *SMALL, "--tie", 20)
    assert outcome.status == 0
    assert "--tie 20 ties nothing: 4 words of 5 states have 20; give fewer" in outcome.stderr
    assert Model.load(output).acoustics.tying is None
    assert "tied" not in run("models", "show", output).stdout
    assert run("train", recordings, "-o", output, *SMALL, "--tie", 20, "--quiet").stderr == ""


@pytest.mark.parametrize(
    ("tie", "told"),
    [
        ("0", "0 is not in the range x>=1"),
        ("-3", "-3 is not in the range x>=1"),
        ("half", "'half' is not a valid"),
        ("4", "tie is 4; it must be 5 or more, the states of a word"),
    ],
)
def test_tied_states_that_cannot_be(run, recordings, output, tie, told):
    outcome = run("train", recordings, "-o", output, *SMALL, "--tie", tie)
    assert outcome.status == 2
    assert told in outcome.stderr
    assert not output.exists()


@pytest.mark.parametrize("kinds", ["noise,rooms,vtlp,pace,level,band", "vtlp", " noise, level,noise"])
def test_copies(run, output, tmp_path, kinds):
    few = record(tmp_path / "few", takes=1)
    options = ["--augment", kinds, "--copies", 2, "--seed", 7]
    assert run("train", few, "-o", output, *SMALL, *options).status == 0
    model = Model.load(output)
    told = list(dict.fromkeys(kind.strip() for kind in kinds.split(",")))
    assert model.card["augmentation"] == {"kinds": told, "copies": 2, "seed": 7, "clips": 0}
    assert model.card["utterances"] == 16
    assert hears_everything(output)
    again, other = output.with_name("again.npz"), output.with_name("other.npz")
    assert run("train", few, "-o", again, *SMALL, *options, "--jobs", 2).status == 0
    assert Model.load(again).fingerprint == model.fingerprint
    assert run("train", few, "-o", other, *SMALL, *options[:-1], 8).status == 0
    assert Model.load(other).fingerprint != model.fingerprint


def test_real_noise(run, recordings, output, tmp_path):
    noises = tmp_path / "noises"
    write(noises / "fan.wav", 0.1 * np.random.default_rng(0).standard_normal(3 * RATE))
    options = ["-o", output, *SMALL, "--augment", "noise", "--copies", 1, "--noise", noises]
    assert run("train", recordings, *options).status == 0
    assert Model.load(output).card["augmentation"]["clips"] == 1
    silent = write(noises / "silent.wav", np.zeros(RATE))
    outcome = run("train", recordings, *options)
    assert (outcome.status, outcome.after_told) == (
        1,
        f"left out: {silent}: is silent; record it again, or remove it\n",
    )
    assert hears_everything(output)


def test_a_folder_of_noise_without_sound(run, recordings, output, tmp_path):
    noises = tmp_path / "noises"
    write(noises / "silent.wav", np.zeros(RATE))
    outcome = run("train", recordings, "-o", output, "--augment", "noise", "--noise", noises)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told.startswith(f"error: {noises}: nothing in it sounds")
    assert outcome.after_told.count("\n") == 1
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--augment", "echo"], "'echo' is no way to augment recordings"),
        (["--augment", ""], "choose of noise, rooms, vtlp, pace, level, band"),
        (["--noise", "somewhere"], "add --augment noise"),
        (["--noise", "somewhere", "--augment", "vtlp"], "add --augment noise"),
        (["--augment", "vtlp", "--copies", 0], "copies"),
        (["--augment", "vtlp", "--seed", -1], "seed"),
    ],
)
def test_copies_that_cannot_be_made(run, recordings, output, options, part):
    outcome = run("train", recordings, "-o", output, *options)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert part in " ".join(outcome.stderr.split())
    assert list(output.parent.iterdir()) == []


def test_the_same_recordings_give_the_same_model(run, recordings, output):
    again = output.with_name("again.npz")
    run("train", recordings, "-o", output, *SMALL)
    run("train", recordings, "-o", again, "--jobs", 2, *SMALL)
    assert Model.load(again).fingerprint == Model.load(output).fingerprint


def test_a_manifest(run, recordings, output, tmp_path):
    manifest = tmp_path / "list.csv"
    lines = [f"{file},{file.name.split('_')[0]}!,anna" for file in sorted(recordings.glob("*.wav"))[::2]]
    manifest.write_text("\n".join(["path,word,speaker", *lines]))
    assert run("train", manifest, "-o", output, *SMALL).status == 0
    model = Model.load(output)
    assert model.words == tuple(f"{word}!" for word in WORDS)
    assert model.card["data"] == "list.csv"
    assert model.card["speakers"] == 1


def test_a_model_that_was_there_is_replaced(run, recordings, output):
    output.write_bytes(b"an older model")
    assert run("train", recordings, "-o", output, *SMALL).status == 0
    assert hears_everything(output)


def test_the_folder_may_be_this_one(run, recordings, output, monkeypatch):
    monkeypatch.chdir(output.parent)
    assert run("train", recordings, "-o", "m.npz", *SMALL).status == 0
    assert hears_everything(output)


# Several corpora, and what each counts


def test_several_folders_are_one_corpus(run, recordings, output, tmp_path):
    other = record(tmp_path / "other", words=["peep", "hum"], speakers=["eve"], takes=2)
    assert run("train", recordings, other, "-o", output, *SMALL).status == 0
    model = Model.load(output)
    assert (model.card["utterances"], model.card["speakers"]) == (52, 5)
    assert model.card["data"] == f"{recordings.name}, other"
    assert hears_everything(output)


def heard_with(run, monkeypatch, *arguments) -> dict[str, float]:
    """What each recording counts in the training of the model, by the name of its file."""
    import recognizer.training.trials as module

    seen = {}

    def watch(data, members):
        weights = original(data, members)
        seen.update({data.utterances[i].path.name: float(w) for i, w in zip(members, weights, strict=True)})
        return weights

    original = module.TrainingData.weights
    monkeypatch.setattr(module.TrainingData, "weights", watch)
    assert run("train", *arguments).status == 0
    return seen


def test_folders_and_speakers_weigh(run, recordings, output, monkeypatch, tmp_path):
    other = record(tmp_path / "a=b", words=["peep"], speakers=["eve"], takes=3)
    options = ["-o", output, *SMALL, "--weight", f"{other}=8", "--weight", f"{recordings}=0.5", "--even-speakers", 0.5]
    seen = heard_with(run, monkeypatch, recordings, other, *options)
    assert len(seen) == 51
    for name, weight in seen.items():
        assert weight == pytest.approx(8 / 3**0.5 if "eve" in name else 0.5 / 12**0.5)


def test_weights_change_a_model_and_their_scale_does_not(run, recordings, output):
    fingerprints = []
    for options in ([], ["--weight", f"{recordings}=4"], ["--even-speakers", 1]):
        assert run("train", recordings, "-o", output, *SMALL, *options).status == 0
        fingerprints.append(Model.load(output).fingerprint)
    assert len(set(fingerprints)) == 1, "all are of equal weight"
    uneven = record(output.parent / "uneven", speakers=["anna"], takes=9)
    record(uneven, speakers=["bob"], takes=2)
    models = []
    for options in ([], ["--even-speakers", 1]):
        assert run("train", uneven, "-o", output, *SMALL, *options).status == 0
        models.append(Model.load(output).fingerprint)
    assert len(set(models)) == 2


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{corpus}=0", "is not a number over 0"),
        ("{corpus}=-1", "is not a number over 0"),
        ("{corpus}=nan", "is not a number over 0"),
        ("{corpus}=many", "is not a number over 0"),
        ("{corpus}=", "is not FOLDER=NUMBER"),
        ("{corpus}", "is not FOLDER=NUMBER"),
        ("=2", "is not FOLDER=NUMBER"),
    ],
)
def test_weights_that_are_none(run, recordings, output, text, part):
    outcome = run("train", recordings, "-o", output, "--weight", text.format(corpus=recordings))
    assert (outcome.status, outcome.stdout) == (2, "")
    assert part in " ".join(outcome.stderr.split())
    assert list(output.parent.iterdir()) == []


def test_a_weight_for_no_recording(run, recordings, output, tmp_path):
    outcome = run("train", recordings, "-o", output, "--weight", f"{tmp_path / 'elsewhere'}=2")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told.startswith(f"error: {tmp_path / 'elsewhere'}: ")
    assert outcome.after_told.count("\n") == 1
    assert list(output.parent.iterdir()) == []


# How names are read


def test_what_was_taken_for_words_is_told_unless_quiet(run, recordings, output):
    told = run("train", recordings, "-o", output, *SMALL).stderr
    assert told == (
        f"{recordings}: names are {{word}}_{{speaker}}_{{take}}: 48 recordings, 4 words (fall, hum, peep, rise), "
        "4 speakers (anna, bob, carl, dora); fall_anna_0.wav is fall by anna\n"
    )
    assert run("train", recordings, "-o", output, *SMALL, "--quiet").stderr == ""


def test_each_corpus_is_told_of(run, recordings, output, tmp_path):
    other = write(tmp_path / "other" / "hum" / "1.wav", say("hum")).parents[1]
    outcome = run("train", recordings, other, "-o", output, *SMALL)
    assert (outcome.status, outcome.after_told) == (0, "")
    assert [line.split(": ")[:2] for line in outcome.stderr.splitlines()] == [
        [str(recordings), "names are {word}_{speaker}_{take}"],
        [str(other), "names are {word}/*"],
    ]


@pytest.mark.parametrize("options", [[], ["--quiet"], ["--json"]])
def test_names_that_are_not_plain_are_asked_before_anything_is_written(run, unclear, output, options):
    outcome = run("train", unclear, "-o", output, *options)
    assert (outcome.status, outcome.stdout) == (1, "")
    first, *choices = outcome.stderr.splitlines()
    assert first.startswith(f"error: {unclear}: the names can be read in several ways")
    assert first.endswith("; say it with --layout, or once for all in layout.txt there:")
    assert [" ".join(line.split()) for line in choices] == [
        "--layout '{word}_{speaker}_{take}' 4 words: fall, hum, peep, rise; 4 speakers: anna, bob, carl, dora",
        "--layout '{speaker}_{word}_{take}' 4 words: anna, bob, carl, dora; 4 speakers: fall, hum, peep, rise",
    ]
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize("once_for_all", [False, True])
def test_the_answer_is_taken(run, unclear, output, once_for_all):
    question = run("train", unclear, "-o", output).stderr
    _, pattern = shlex.split(question.splitlines()[1])[:2]
    if once_for_all:
        (unclear / "layout.txt").write_text(f"{pattern}\n", encoding="utf-8")
    outcome = run("train", unclear, "-o", output, *SMALL, *([] if once_for_all else ["--layout", pattern]))
    assert (outcome.status, outcome.after_told) == (0, "")
    assert hears_everything(output)
    assert Model.load(output).card["speakers"] == 4


def test_the_option_is_heeded_before_the_file(run, recordings, output):
    assert run("train", recordings, "-o", output, *SMALL, "--layout", "{speaker}_{word}_*").status == 0
    assert Model.load(output).words == SPEAKERS


def test_words_of_installed_models_are_known(run, unclear, model_file, home, output):
    (home / "models").mkdir(parents=True)
    shutil.copy(model_file, home / "models" / "mine.npz")
    (home / "models" / "damaged.npz").write_bytes(b"PK")
    outcome = run("train", unclear, "-o", output, *SMALL)
    assert (outcome.status, outcome.after_told) == (0, "")
    assert hears_everything(output)


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("{wort}_*", ["'{wort}_*' has {wort}", "the fields are"]),
        ("*_*", ["does not say where the word is", "write {word} there"]),
        ("", ["folder without a name"]),
        ("{word}-{speaker}-{take}", ["does not fit {word}-{speaker}-{take}", "nor do 47 others", "rename or move"]),
        ("{speaker}/{word}/{take}", ["does not fit {speaker}/{word}/{take}", "rename or move"]),
    ],
)
def test_layouts_that_are_none_or_do_not_fit(run, recordings, output, pattern, parts):
    outcome = run("train", recordings, "-o", output, "--layout", pattern)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert all(part in outcome.stderr for part in parts)
    assert outcome.stderr.count("\n") == 1
    assert list(output.parent.iterdir()) == []


def test_a_layout_is_for_folders_and_a_table_tells_itself(run, unclear, output, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text(f"path;label\n{write(tmp_path / 'x.wav', say('hum'))};hum\n", encoding="utf-16")
    outcome = run("train", table, unclear, "-o", output, *SMALL, "--layout", "{word}_{speaker}_{take}")
    assert (outcome.status, outcome.after_told) == (0, "")
    assert outcome.stderr.startswith(f"{table}: a table tells: 1 recording, 1 word (hum); x.wav is hum\n")
    assert Model.load(output).card["utterances"] == 49


def test_a_single_word_is_no_vocabulary_unless_that_is_meant(run, output, tmp_path):
    """It mostly is the name of a person."""
    corpus = tmp_path / "corpus"
    for take in range(6):
        write(corpus / "anna" / f"{WORDS[take % 2]}{take}x.wav", say(WORDS[take % 2], "anna", take))
    outcome = run("train", corpus, "-o", output, *SMALL)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told.startswith(
        f"error: {corpus}: there is only one word, 'anna', where names are {{word}}/*; "
    )
    assert "--layout '{word}/*'; else say where the word is" in outcome.after_told
    assert outcome.after_told.count("\n") == 1
    assert list(output.parent.iterdir()) == []
    assert run("train", corpus, "-o", output, *SMALL, "--quiet").stderr == outcome.after_told
    assert run("train", corpus, "-o", output, *SMALL, "--layout", "{word}/*").status == 0
    assert Model.load(output).words == ("anna",)


def test_a_table_of_a_single_word_means_it(run, output, tmp_path):
    files = [write(tmp_path / f"{take}.wav", say("hum", take=take)) for take in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["path,word", *(f"{file},hum" for file in files)]))
    assert run("train", tmp_path / "list.csv", "-o", output, *SMALL).status == 0
    assert Model.load(output).words == ("hum",)


# Recordings that are left out


def test_one_recording_as_two_words_is_learned_as_neither(run, output, tmp_path):
    corpus = record(tmp_path / "corpus", takes=2)
    first, second = corpus / "hum_bob_1.wav", corpus / "rise_bob_7.wav"
    shutil.copy(first, second)
    shutil.copy(corpus / "fall_bob_0.wav", corpus / "fall_bob_7.wav")  # under one label, and welcome
    outcome = run("train", corpus, "-o", output, *SMALL, "--json")
    said = f"{first} (labelled 'hum') and {second} (labelled 'rise') are the same recording; "
    assert outcome.status == 1
    assert outcome.after_told == f"left out: {said}correct the wrong label or leave it out\n"
    told = json.loads(outcome.stdout)
    assert told["left_out"] == [f"{said}correct the wrong label or leave it out"]
    assert told["utterances"] == 4 * 4 * 2 - 1 + 1
    assert hears_everything(output)


def test_one_recording_as_two_words_in_two_folders(run, recordings, output, tmp_path):
    other = tmp_path / "other" / "rise"
    other.mkdir(parents=True)
    shutil.copy(recordings / "hum_bob_1.wav", other / "1.wav")
    write(other / "2.wav", say("rise"))
    outcome = run("train", recordings, tmp_path / "other", "-o", output, *SMALL)
    assert outcome.status == 1
    assert f"{recordings / 'hum_bob_1.wav'} (labelled 'hum') and {other / '1.wav'} (la" in outcome.after_told
    assert Model.load(output).card["utterances"] == 48


def test_nothing_but_contradictions(run, output, tmp_path):
    for word in ("hum", "rise"):
        write(tmp_path / "c" / word / "1.wav", say("hum"))
    outcome = run("train", tmp_path / "c", "-o", output, *SMALL)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told.startswith("error: ")
    assert outcome.after_told.count("\n") == 1
    assert "are the same recording" in outcome.after_told
    assert list(output.parent.iterdir()) == []


def test_a_word_with_nothing_but_contradictions(run, output, tmp_path):
    corpus = record(tmp_path / "corpus", takes=1)
    shutil.copy(corpus / "hum_bob_0.wav", corpus / "lost_bob_0.wav")
    outcome = run("train", corpus, "-o", output, *SMALL)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told.startswith("error: no usable recording of 'lost'")
    assert "are the same recording" in outcome.after_told
    assert list(output.parent.iterdir()) == []


def spoil(corpus: Path, count: int) -> list[Path]:
    spoilt = [corpus / f"hum_spoilt_{n}.wav" for n in range(count)]
    for file in spoilt:
        file.write_bytes(b"")
    return spoilt


@pytest.mark.parametrize("count", [1, 5, 8])
def test_bad_recordings_are_named_and_the_rest_is_done(run, output, tmp_path, count):
    corpus = record(tmp_path / "corpus", takes=2)
    spoilt = spoil(corpus, count)
    outcome = run("train", corpus, "-o", output, *SMALL)
    assert outcome.status == 1
    assert hears_everything(output)
    lines = outcome.after_told.splitlines()
    for file, line in zip(spoilt[:5], lines, strict=False):
        assert line == f"left out: {file}: is empty (0 bytes); record or copy it again"
    assert lines[5:] == ([f"left out: {count - 5} more"] if count > 5 else [])
    assert f"from {len(WORDS) * len(SPEAKERS) * 2} recordings" in outcome.stdout

    as_json = run("train", corpus, "-o", output, "--json", "--quiet", *SMALL)
    assert as_json.status == 1
    assert as_json.stderr.splitlines() == lines  # errors are told even when quiet
    assert [reason.partition(": ")[0] for reason in json.loads(as_json.stdout)["left_out"]] == list(map(str, spoilt))


def test_a_word_without_a_usable_recording(run, output, tmp_path):
    corpus = record(tmp_path / "corpus", takes=1)
    write(corpus / "lost_anna_0.wav", np.zeros(RATE))
    outcome = run("train", corpus, "-o", output, *SMALL)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told.startswith("error: no usable recording of 'lost'")
    assert str(corpus / "lost_anna_0.wav") in outcome.after_told
    assert outcome.after_told.count("\n") == 1
    assert list(output.parent.iterdir()) == []


def test_few_recordings_for_many_gaussians_are_no_reason_to_warn(run, recordings, output):
    outcome = run("train", recordings, "-o", output, "--mixtures", 50)
    assert (outcome.status, outcome.after_told) == (0, "")


def test_a_folder_without_permission_is_told_before_any_work(run, recordings, output, monkeypatch):
    """As root may write everywhere, the system's answer is played."""
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != output.parent)
    for work in ("find", "read_corpus"):
        monkeypatch.setattr(f"recognizer.corpus.{work}", lambda *_, **__: pytest.fail("work was done"))
    outcome = run("train", recordings, "-o", output)
    assert outcome.status == 2
    assert "no permission to write into" in " ".join(outcome.stderr.split())


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "no such folder"),
        ({}, "no audio"),
        ({"a_b_1.wav": b""}, "tells no word"),
        ({"A/1.wav": b"", "a/1.wav": b""}, "case"),
    ],
)
def test_what_is_no_corpus(run, tmp_path, output, content, part):
    corpus = tmp_path / "corpus"
    if content is not None:
        corpus.mkdir()
        for name, data in content.items():
            (corpus / name).parent.mkdir(exist_ok=True)
            (corpus / name).write_bytes(data)
    outcome = run("train", corpus, "-o", output)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert part in outcome.stderr
    assert str(corpus) in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert list(output.parent.iterdir()) == []


# Interruption


@pytest.mark.parametrize(
    "where",
    [
        "recognizer.training.trials.train",
        "recognizer.features.analysis.Analyser.analyse_files",
        "numpy.savez_compressed",
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_an_interrupted_training_leaves_what_was_there(run, recordings, output, monkeypatch, where, exists):
    if exists:
        output.write_bytes(b"an older model")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupted)
    outcome = run("train", recordings, "-o", output, *SMALL)
    assert (outcome.status, outcome.stdout, outcome.after_told) == (130, "", "interrupted\n")
    assert list(output.parent.iterdir()) == ([output] if exists else [])
    assert not exists or output.read_bytes() == b"an older model"


def test_a_full_disk_leaves_what_was_there(run, recordings, output, monkeypatch):
    def full(file, **_):
        file.write(b"PK")
        raise OSError(28, "No space left on device")

    output.write_bytes(b"an older model")
    monkeypatch.setattr(np, "savez_compressed", full)
    outcome = run("train", recordings, "-o", output, *SMALL)
    assert (outcome.status, outcome.stdout) == (1, "")
    what_to_do = "choose another --output, or make room on the disk"
    assert outcome.after_told == f"error: {output} cannot be written: No space left on device; {what_to_do}\n"
    assert list(output.parent.iterdir()) == [output]
    assert output.read_bytes() == b"an older model"


# What is to be rejected


def test_unknown_recordings_are_learned_to_be_rejected(run, tmp_path, output):
    """Two of four words are taught, the others given as unknown; one file of a known word among them is left out."""
    known = record(tmp_path / "known", words=["fall", "rise", "hum"], takes=10)
    other = record(tmp_path / "other", words=["peep"], takes=10)
    record(tmp_path / "other", words=["hum"], speakers=["anna"], takes=1)
    (other / "peep_anna_99.wav").write_text("no sound")
    outcome = run("train", known, "-o", output, *SMALL, "--unknown", other, "--unknown", other / "peep_bob_0.wav")
    assert outcome.status == 1, "one file cannot be read"
    left_out, *rest = outcome.after_told.splitlines()
    assert left_out == "left out of --unknown: 1 recordings of words that the model shall know"
    assert len(rest) == 1
    assert "peep_anna_99.wav" in rest[0]
    plain = output.with_name("plain.npz")
    assert run("train", known, "-o", plain, *SMALL).status == 0
    with_, without = Recognizer.load(output), Recognizer.load(plain)
    assert with_.model.rejection.bias != without.model.rejection.bias
    np.testing.assert_array_equal(with_.model.acoustics.bank.means, without.model.acoustics.bank.means)
    assert not any(with_.recognize(say("peep", take=take), RATE).accepted for take in range(5))
    assert sum(with_.recognize(say(w, take=t), RATE).word == w for w in ("fall", "rise", "hum") for t in range(5)) >= 13


def test_an_unknown_folder_that_is_not_there(run, recordings, output, tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = run("train", recordings, "-o", output, *SMALL, "--unknown", tmp_path / "empty")
    assert outcome.status == 1
    assert "no audio in this folder" in outcome.stderr
    assert not output.exists()


# A model with a name


def test_a_model_is_kept_under_a_name(run, recordings, home, folder):
    outcome = run("train", recordings, "--name", "kitchen", *SMALL)
    file = home / "models" / "kitchen.npz"
    assert (outcome.status, outcome.after_told) == (0, "")
    first, *_, last = outcome.stdout.splitlines()
    assert first == f"{file}: 4 words from 48 recordings"
    assert last == "next: recognizer live --model kitchen"
    assert hears_everything("kitchen")
    assert list(file.parent.iterdir()) == [file]
    if sys.platform != "win32":
        assert home.stat().st_mode & 0o077 == 0


def test_a_named_model_is_lost_only_to_one_who_says_so(run, recordings, home):
    file = home / "models" / "kitchen.npz"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"dear to somebody")
    outcome = run("train", recordings, "--name", "kitchen", *SMALL)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "you have a model 'kitchen' already; choose another name, or add --replace to lose" in outcome.stderr
    assert file.read_bytes() == b"dear to somebody"
    assert run("train", recordings, "--name", "kitchen", "--replace", *SMALL).status == 0
    assert hears_everything("kitchen")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "say where the model goes, with either --name NAME or --output FILE.npz"),
        (
            ["--name", "a", "--output", "a.npz"],
            "say where the model goes, with either --name NAME or --output FILE.npz",
        ),
        (["--output", "a.npz", "--replace"], "--replace is for --name"),
        (["--name", "digits"], "digits comes with the program, and would be hidden"),
        (["--name", "digits", "--replace"], "digits comes with the program, and would be hidden"),
        (["--name", "a/b"], "model 'a/b' has a '/'"),
        (["--name", "a.npz"], "a.npz is no name but a file"),
    ],
)
def test_where_a_model_cannot_go(run, recordings, options, told, home, monkeypatch, folder):
    monkeypatch.chdir(folder)
    outcome = run("train", recordings, *options)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert told in outcome.stderr.splitlines()[-1]
    assert not home.exists()
    assert list(folder.iterdir()) == []


def test_a_name_that_was_taken_during_training_stays_taken(run, recordings, home, monkeypatch):
    """Somebody else trains a model of that name, and is done first."""
    from recognizer.training import building

    file, build = home / "models" / "kitchen.npz", building.build

    def slow(*arguments: object, **options: object):
        file.write_bytes(b"dear to somebody")
        return build(*arguments, **options)

    monkeypatch.setattr(building, "build", slow)
    outcome = run("train", recordings, "--name", "kitchen", *SMALL)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.after_told.startswith("error: you have a model 'kitchen' already; ")
    assert file.read_bytes() == b"dear to somebody"


def test_a_folder_that_cannot_be_made_is_told_before_training(run, recordings, home):
    home.write_text("in the way")
    outcome = run("train", recordings, "--name", "kitchen", *SMALL)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: {home / 'models'} cannot be made (")
    assert outcome.stderr.count("\n") == 1


# Large corpora, and trainings that are ended


def test_memory_a_cache_and_resuming_change_nothing(run, recordings, output, tmp_path):
    assert run("train", recordings, "--output", output, *SMALL).status == 0
    whole = output.read_bytes()
    cache = tmp_path / "cache"
    for _ in range(2):
        outcome = run("train", recordings, "-o", output, "--memory", "10kB", "--cache", cache, *SMALL)
        assert (outcome.status, outcome.after_told) == (0, "")
        assert output.read_bytes() == whole
    outcome = run("train", recordings, "-o", output, "--resume", *SMALL)
    assert outcome.status == 0
    assert f"{output}.checkpoints is not there: nothing was begun, or not for long; beginning anew" in outcome.stderr
    assert output.read_bytes() == whole
    assert list(output.parent.iterdir()) == [output]


def test_an_interrupted_training_is_gone_on_with(run, recordings, output, monkeypatch):
    assert run("train", recordings, "--output", output, *SMALL).status == 0
    whole = output.read_bytes()
    output.unlink()
    monkeypatch.setattr("recognizer.training.checkpoints.EVERY", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr("recognizer.model.Model.save", interrupted)
        outcome = run("train", recordings, "--output", output, *SMALL)
    assert outcome.status == 130
    with monkeypatch.context() as patch:
        patch.setattr("recognizer.training.training.Chain.of_topology", interrupted)  # which a start needs
        outcome = run("train", recordings, "--output", output, "--resume", *SMALL)
    assert outcome.status == 0
    assert output.read_bytes() == whole
    assert list(output.parent.iterdir()) == [output]


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_an_interrupted_training_says_how_to_go_on(run, recordings, output, monkeypatch):
    monkeypatch.setattr("recognizer.training.checkpoints.EVERY", 0.0)
    monkeypatch.setattr("recognizer.training.building.Model", interrupted)
    outcome = run("train", recordings, "--output", output, *SMALL)
    assert outcome.status == 130
    assert outcome.after_told.splitlines() == [
        "what is done is kept; the same command with --resume goes on from there",
        "interrupted",
    ]


def test_what_is_of_another_training_is_not_resumed(run, recordings, output, monkeypatch):
    monkeypatch.setattr("recognizer.training.checkpoints.EVERY", 0.0)
    monkeypatch.setattr("recognizer.training.building.Model", interrupted)
    run("train", recordings, "--output", output, *SMALL)
    outcome = run("train", recordings, "--output", output, "--resume", *SMALL, "--states", "4")
    assert outcome.status == 1
    assert "is of a training with other recordings, settings or another version" in outcome.after_told


@pytest.mark.parametrize("text", ["5", "much", "-1GB", "2 PB", ""])
def test_a_memory_that_is_no_size(run, recordings, output, text):
    outcome = run("train", recordings, "-o", output, "--memory", text)
    assert outcome.status == 2
    assert "is no size, such as 500MB or 2GB" in outcome.stderr


def test_a_cache_that_is_none(run, recordings, output, tmp_path):
    (tmp_path / "analyses.sqlite").write_bytes(b"something else" * 100)
    outcome = run("train", recordings, "-o", output, "--cache", tmp_path, *SMALL)
    assert outcome.status == 1
    assert "analyses.sqlite: is no cache" in outcome.after_told
    assert len(outcome.after_told.splitlines()) == 1
    outcome = run("train", recordings, "-o", output, "--cache", tmp_path / "analyses.sqlite", *SMALL)
    assert outcome.status in (1, 2)
    assert not output.exists()
