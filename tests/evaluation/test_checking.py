"""What is wrong with recordings is found, each fault where it is, and nothing is said of what is well."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic import RATE, SPEAKERS, WORDS, record, say, write

from recognizer.corpus import find
from recognizer.errors import TrainingError
from recognizer.evaluation import checking
from recognizer.evaluation.checking import CheckedCorpus, check_corpus
from recognizer.features import parameter_files
from recognizer.training.building import build


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Three takes of two words by two speakers, with nothing wrong; to be changed."""
    return record(tmp_path / "corpus", words=("hum", "rise"), speakers=("anna", "bob"))


def check(folder: Path) -> CheckedCorpus:
    return check_corpus(find(folder))


def problems(checked: CheckedCorpus) -> dict[str, list[str]]:
    """What kinds of fault each recording has that has any."""
    return {path.name: [kind for kind, _ in heard.problems] for path, heard in checked.heard.items() if heard.problems}


def names(groups) -> list[list[str]]:
    return [[utterance.path.name for utterance in group] for group in groups]


def test_good_recordings_have_no_problems(recordings):
    checked = check(recordings)
    assert (problems(checked), checked.unread, checked.kinds, checked.few) == ({}, (), {}, [])
    assert (checked.two_words, checked.two_speakers, checked.twice) == ([], [], [])
    assert {word: len(takes) for word, takes in checked.words.items()} == dict.fromkeys(WORDS, 3 * len(SPEAKERS))
    for utterance in checked.utterances:
        heard = checked.heard[utterance.path]
        assert heard.rate == RATE
        assert 0.79 < heard.duration < 0.91


def spoilt_by(samples: np.ndarray, how: str) -> np.ndarray:
    """A recording with a fault."""
    return {
        "clipped": lambda: np.clip(8 * samples, -1, 1),
        "too quiet": lambda: 0.002 * samples,
        "noisy": lambda: samples + 0.03 * np.random.default_rng(0).standard_normal(len(samples)),
        "much longer": lambda: np.concatenate([samples] * 4),
        "one channel taken": lambda: np.stack(
            [0.3 * np.random.default_rng(0).standard_normal(len(samples)), samples], axis=1
        ),
    }[how]()


@pytest.mark.parametrize("how", ["clipped", "too quiet", "noisy", "much longer", "one channel taken"])
def test_a_fault_is_found_in_its_recording_alone(corpus, how):
    file = write(corpus / "hum_anna_1.wav", spoilt_by(say("hum", "anna", 1), how))
    checked = check(corpus)
    assert checked.unread == ()
    assert problems(checked) == {file.name: [how]}
    assert checked.kinds == {how: [file]}


def test_a_recording_much_shorter_than_the_others_of_its_word(corpus):
    for file in corpus.glob("rise_*.wav"):
        write(file, np.concatenate([np.zeros(2 * RATE), say("rise"), np.zeros(RATE)]))
    file = write(corpus / "rise_anna_1.wav", say("rise"))
    assert problems(check(corpus)) == {file.name: ["much shorter"]}


def test_lengths_of_few_takes_are_not_compared(tmp_path):
    write(tmp_path / "hum" / "1.wav", say("hum"))
    write(tmp_path / "hum" / "2.wav", np.concatenate([say("hum", take=take) for take in range(5)]))
    assert problems(check(tmp_path)) == {}


def test_a_recording_without_a_room_around_the_word_is_not_called_noisy(corpus):
    """What is quietest in it belongs to the word."""
    samples = say("hum", "anna", 1)
    write(corpus / "hum_anna_1.wav", samples[round(0.24 * RATE) : -round(0.24 * RATE)])
    assert problems(check(corpus)) == {}


@pytest.mark.parametrize(
    ("content", "part"), [(b"", "is empty"), (b"no sound", "is not sound or is damaged"), (None, "too quiet")]
)
def test_what_would_be_left_out_of_training_is_told_as_training_tells_it(corpus, content, part):
    file = corpus / "hum_anna_1.wav"
    if content is None:
        write(file, np.zeros(RATE))
    else:
        file.write_bytes(content)
    checked = check(corpus)
    [reason] = checked.unread
    assert reason.startswith(f"{file}: ")
    assert part in reason
    assert file not in checked.heard
    assert {word: len(takes) for word, takes in checked.words.items()} == {"hum": 5, "rise": 6}


def test_nothing_that_can_be_read(tmp_path):
    for word in ("hum", "rise"):
        (tmp_path / word).mkdir()
        (tmp_path / word / "1.wav").write_bytes(b"")
    checked = check(tmp_path)
    assert len(checked.unread) == 2
    assert checked.words == {"hum": [], "rise": []}
    assert checked.few == ["hum", "rise"]
    assert checked.alike == []


# The same recording more than once


def test_one_recording_as_two_words_is_not_counted(corpus):
    shutil.copy(corpus / "hum_anna_1.wav", corpus / "rise_anna_9.wav")
    checked = check(corpus)
    assert names(checked.two_words) == [["hum_anna_1.wav", "rise_anna_9.wav"]]
    assert (checked.two_speakers, checked.twice) == ([], [])
    assert {word: len(takes) for word, takes in checked.words.items()} == {"hum": 5, "rise": 6}


@pytest.mark.parametrize("name", ["rise_anna_9.flac", "rise_anna_9.wav"])
def test_one_recording_in_another_file_or_by_a_link(corpus, name):
    original, other = corpus / "hum_anna_1.wav", corpus / name
    if name.endswith("wav"):
        other.symlink_to(original)
    else:
        soundfile.write(other, *soundfile.read(original, dtype="int16"))
    checked = check(corpus)
    assert names(checked.two_words) == [[original.name, name]]
    with pytest.raises(TrainingError, match=r"^no usable recording of 'rise' .*are the same recording"):
        build([u for u in find(corpus) if u.word == "hum" or u.path == other], calibrate=False)


def test_one_recording_that_is_known_from_before(corpus, tmp_path):
    shutil.copy(corpus / "hum_anna_1.wav", corpus / "lost_anna_9.wav")
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"^no usable recording of 'lost' .*are the same recording"):
            build(find(corpus), calibrate=False, cache=tmp_path / "cache")


def test_one_parameter_file_as_two_words(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(20, 39)).astype(np.float32)
    for word, take, shift in (("hum", 1, 0.0), ("hum", 2, 1.0), ("rise", 1, 0.0), ("rise", 2, 2.0)):
        path = tmp_path / word / f"{take}.mfc"
        path.parent.mkdir(exist_ok=True)
        parameter_files.write(path, parameter_files.Parameters(vectors + shift, "MFCC_0_D_A", 0.01))
    checked = check(tmp_path)
    assert [[u.path for u in group] for group in checked.two_words] == [
        [tmp_path / w / "1.mfc" for w in ("hum", "rise")]
    ]
    _, refused = build(find(tmp_path), calibrate=False)
    assert len(refused) == 1
    assert "are the same recording" in refused[0].reason


def test_recordings_that_differ_in_one_sample_are_two(corpus):
    samples, rate = soundfile.read(corpus / "hum_anna_1.wav", dtype="int16")
    samples[-1] += 1
    soundfile.write(corpus / "rise_anna_9.wav", samples, rate)
    checked = check(corpus)
    assert (checked.two_words, checked.two_speakers, checked.twice) == ([], [], [])


def test_one_recording_of_two_speakers(corpus):
    shutil.copy(corpus / "hum_anna_1.wav", corpus / "hum_bob_9.wav")
    checked = check(corpus)
    assert names(checked.two_speakers) == [["hum_anna_1.wav", "hum_bob_9.wav"]]
    assert (checked.two_words, checked.twice) == ([], [])


def test_one_recording_twice(corpus):
    shutil.copy(corpus / "hum_anna_1.wav", corpus / "hum_anna_9.wav")
    checked = check(corpus)
    assert names(checked.twice) == [["hum_anna_1.wav", "hum_anna_9.wav"]]
    assert (checked.two_words, checked.two_speakers) == ([], [])
    assert len(checked.words["hum"]) == 7


# Words


@pytest.mark.parametrize("takes", [1, 2, 3, 4])
def test_words_of_few_takes(corpus, takes):
    record(corpus, words=["peep"], speakers=["carl"], takes=takes)
    assert check(corpus).few == (["peep"] if takes < checking.FEW else [])


def test_takes_that_cannot_be_learned_from_do_not_count(corpus):
    record(corpus, words=["peep"], speakers=["carl"], takes=3)
    assert check(corpus).few == []
    shutil.copy(corpus / "peep_carl_1.wav", corpus / "rise_carl_9.wav")
    assert check(corpus).few == ["peep"]


def test_words_that_sound_the_same_are_most_alike(corpus):
    for take in range(4):
        write(corpus / f"drone_carl_{take}.wav", say("hum", "carl", take))
    record(corpus, words=["fall", "peep"])
    alike = check(corpus).alike
    assert set(alike[0]["words"]) == {"drone", "hum"}
    assert [pair["distance"] for pair in alike] == sorted(pair["distance"] for pair in alike)


def test_one_word_is_like_no_other(tmp_path):
    write(tmp_path / "hum" / "1.wav", say("hum"))
    assert check(tmp_path).alike == []


def test_more_words_than_can_be_compared_are_not(corpus, monkeypatch):
    assert len(check(corpus).alike) == 1
    monkeypatch.setattr(checking, "MOST_COMPARED", 1)
    assert check(corpus).alike == []


def test_progress_goes_through_all_recordings(corpus):
    steps = []
    check_corpus(find(corpus), lambda *step: steps.append(step))
    assert steps == [("listening", done, 12) for done in range(1, 13)]
