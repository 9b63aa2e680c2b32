"""Takes out of recordings of several words: where they are, whether they fit, and the corpus they become."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic import RATE, SILENCE, WORDS, quiet, say, write

from recognizer.corpus import find
from recognizer.errors import AudioError, ModelError, NamingError
from recognizer.features.front_end import GivenFeatures
from recognizer.recognizer import Recognizer
from recognizer.sound import audio
from recognizer.training import cutting
from recognizer.training.cutting import LEAST_FIT, Cut, Neighbour, cut, cut_corpus
from recognizer.training.transcripts import Sentence

SAID = ("rise", "hum", "hum", "fall", "peep", "rise")
OTHER = ("peep", "peep", "peep", "rise", "hum", "hum")  # in place of each, and of none beside it
ADDED = ("peep", "peep", "peep", "peep", "hum", "hum", "hum")  # before each and at the end, and of none beside it
CLOSE = 0.06  # seconds: half a window, and the four frames that a derivative looks ahead


def spoken(words=SAID, gaps=0.4, speaker="eve", seconds=0.0, rate=RATE):
    """A recording of words, and where each begins and ends in it; gaps in seconds, before, between and behind them."""
    gaps = np.broadcast_to(gaps, len(words) + 1)
    parts, spans, now = [], [], 0
    for number, (word, gap) in enumerate(zip(words, gaps)):
        sound = say(word, speaker, number, seconds=seconds, rate=rate)
        sound = sound[round(SILENCE * rate) : -round(SILENCE * rate)]
        parts += [quiet(gap, rate, seed=number), sound]
        spans.append((now + len(parts[-2]), now + len(parts[-2]) + len(sound)))
        now = spans[-1][1]
    samples = np.concatenate([*parts, quiet(gaps[-1], rate, seed=len(words))])
    return samples, np.array(spans) / rate


def prepared(samples):
    return audio.prepare(samples, RATE, RATE)


def test_words_are_found_where_they_are(built):
    samples, spans = spoken()
    cuts = cut(prepared(samples), SAID, built)
    assert tuple(one.word for one in cuts) == SAID
    assert np.array([(one.start, one.end) for one in cuts]) == pytest.approx(spans, abs=CLOSE)
    assert all(one.fit > 0 and one.reason is None for one in cuts)
    ends = [0.0, *(one.end for one in cuts)]
    begins = [*(one.start for one in cuts), len(samples) / RATE]
    gaps = [begin - end for end, begin in zip(ends, begins)]
    names = (None, *SAID, None)
    for i, one in enumerate(cuts):
        assert one.before == Neighbour(names[i], pytest.approx(gaps[i]), True)
        assert one.after == Neighbour(names[i + 2], pytest.approx(gaps[i + 1]), True)


def test_words_that_touch(built):
    samples, spans = spoken(gaps=(0.4, 0, 0, 0, 0, 0, 0.4))
    cuts = cut(prepared(samples), SAID, built)
    assert np.array([(one.start, one.end) for one in cuts]) == pytest.approx(spans, abs=CLOSE)
    assert sum(one.after.touches for one in cuts) >= 3
    for one in cuts:
        start, end = one.span(0.1)
        assert not one.before.touches or start == one.start
        assert not one.after.touches or end == one.end


def test_a_take_has_a_margin_of_the_nearer_half_of_a_silence():
    def beside(before, after):
        start, end = Cut("hum", 1.0, 2.0, 0.0, before, after).span(0.1)
        return pytest.approx((1 - start, end - 2))

    assert beside(Neighbour("rise", 0.3, True), Neighbour("fall", 0.1, True)) == (0.1, 0.05)
    assert beside(Neighbour(None, 0.08, True), Neighbour(None, 0.3, True)) == (0.08, 0.1)
    assert beside(Neighbour("rise", 0.0, True), Neighbour("fall", 0.5, False)) == (0.0, 0.0)


@pytest.mark.parametrize("place", range(len(SAID)))
def test_a_wrong_word_does_not_fit_and_the_others_do(built, place):
    samples, _ = spoken()
    told = [*SAID[:place], OTHER[place], *SAID[place + 1 :]]
    cuts = cut(prepared(samples), told, built)
    assert [one.reason is None for one in cuts] == [i != place for i in range(len(SAID))]


@pytest.mark.parametrize("place", range(len(SAID) + 1))
def test_a_word_that_is_not_said_is_left_out(built, place):
    samples, spans = spoken()
    told = [*SAID[:place], ADDED[place], *SAID[place:]]
    cuts = cut(prepared(samples), told, built)
    assert [one.reason is None for one in cuts] == [i != place for i in range(len(told))]
    rest = [(one.start, one.end) for i, one in enumerate(cuts) if i != place]
    assert np.array(rest) == pytest.approx(spans, abs=CLOSE)


def test_the_fit_is_the_lead_over_what_fits_best_beside_the_word(built):
    """Judged where it is, whatever the transcript has made of it."""
    samples, spans = spoken(("rise", "hum"))
    frames = np.rint(np.array([*spans, (0.05, 0.3)]) / 0.01).astype(int)
    _, features = cutting._aligned(samples, np.array([3, 1]), built)
    names = (*built.words, "silence")
    for words, best in ((("rise", "hum", "fall"), None), (("peep", "rise", "fall"), ("rise", "hum", "silence"))):
        indices = np.array([built.words.index(word) for word in words])
        fits, found = cutting._fits(built.acoustics, features, indices, frames)
        assert (fits[:2] > 0).all() if best is None else (fits < LEAST_FIT).all()
        assert best is None or tuple(names[i] for i in found) == best


def test_what_fits_better_is_told_and_how_much_better_may_be_chosen(built, monkeypatch):
    samples, spans = spoken(("rise", "hum"))
    frames = np.rint(spans / 0.01).astype(int)
    monkeypatch.setattr(cutting, "_path", lambda models, features, words: on_path(frames, len(features), built))
    cuts = cut(prepared(samples), ("rise", "peep"), built)
    assert [one.reason for one in cuts] == [None, "hum fits better"]
    lenient = cut(prepared(samples), ("rise", "peep"), built, least_fit=cuts[1].fit)
    assert [one.reason for one in lenient] == [None, None]


def on_path(spans, frames, model):
    """Positions of a path that has its words where they are told."""
    path, own = np.zeros(frames, dtype=int), model.acoustics.states + 1
    for i, (first, last) in enumerate(spans):
        path[first:last], path[last:] = i * own + 1, (i + 1) * own
    return path


@pytest.mark.parametrize("place", range(len(SAID)))
def test_speech_that_nobody_wrote_down_is_noticed(built, place):
    samples, _ = spoken()
    told = [*SAID[:place], *SAID[place + 1 :]]
    cuts = cut(prepared(samples), told, built)
    silent = [cuts[0].before.silent, *(one.after.silent for one in cuts)]
    [wrong] = (i for i, quiet_there in enumerate(silent) if not quiet_there)
    assert wrong == place or (SAID[place] == "hum" and wrong in (1, 2))  # either hum may be the one
    for i, one in enumerate(cuts):
        start, end = one.span(0.1)
        assert (start < one.start) == (i != wrong)
        assert (end > one.end) == (i + 1 != wrong)


def test_silence_fits_better_where_nothing_is_said(built):
    """A word that the recording has room for, but no sound."""
    samples, _ = spoken(("hum",), gaps=(0.4, 1.2))
    first, second = cut(prepared(samples), ("hum", "peep"), built)
    assert first.reason is None
    assert second.reason


@pytest.mark.parametrize("pause", [2.0, 12.0])
def test_long_pauses_change_nothing(built, pause):
    """Most of such a recording is silence, whose level must not be taken for that of the speech."""
    words = ("rise", "hum", "fall")
    samples, spans = spoken(words, gaps=(pause, pause, 0.3, pause))
    cuts = cut(prepared(samples), words, built)
    assert np.array([(one.start, one.end) for one in cuts]) == pytest.approx(spans, abs=CLOSE)
    plain = cut(prepared(spoken(words)[0]), words, built)
    assert [one.fit for one in cuts] == pytest.approx([one.fit for one in plain], rel=0.25)
    assert all(one.after.silent for one in cuts)


def test_level_and_offset_change_nothing(built):
    samples, _ = spoken()
    plain = cut(prepared(samples), SAID, built)
    for changed in (0.01 * samples, samples + 0.3):
        cuts = cut(prepared(changed), SAID, built)
        assert [(one.start, one.end) for one in cuts] == [(one.start, one.end) for one in plain]


def test_minutes_are_cut_in_little_memory(built):
    words = tuple(np.random.default_rng(0).choice(WORDS, 200).tolist())
    samples, spans = spoken(words)
    recording = prepared(samples)
    assert len(samples) / RATE > 120
    tracemalloc.start()
    cuts = cut(recording, words, built)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array([(one.start, one.end) for one in cuts]) == pytest.approx(spans, abs=CLOSE)
    assert all(one.reason is None for one in cuts)
    assert peak < 30 * recording.samples.nbytes, "of the sound, not of frames times places"


@pytest.mark.parametrize(
    ("samples", "words", "said"),
    [
        (quiet(2.0), ("hum",), "holds no speech; record it again, closer or louder"),
        (np.zeros(RATE), ("hum",), "holds no speech"),
        (np.ones(10), ("hum",), "holds no speech"),
        (say("hum")[2000:5000], ("hum",) * 20, "too short for 20 words; leave out those that are not said"),
    ],
)
def test_recordings_that_cannot_be_cut(built, samples, words, said):
    with pytest.raises(AudioError, match=f"^{said}"):
        cut(prepared(samples), words, built)


# A corpus


def sentence(path: Path, words=SAID, speaker: str | None = "eve", rate=RATE) -> Sentence:
    write(path, spoken(words, rate=rate)[0], rate)
    return Sentence(path, tuple(words), speaker)


def test_a_corpus_is_what_training_reads(built, tmp_path):
    told = [sentence(tmp_path / "a" / "list.wav"), sentence(tmp_path / "b" / "list.wav", ("hum", "rise"))]
    told += [
        sentence(tmp_path / "a_b_1.wav", ("fall",), None),
        sentence(tmp_path / "bob_nohash_1.wav", ("peep",), "bob"),
    ]
    heard = []
    found = cut_corpus(told, built, tmp_path / "out", progress=heard.append)
    assert heard == [1, 2, 3, 4]
    utterances = find(tmp_path / "out")
    names = {u.path.relative_to(tmp_path / "out").as_posix(): (u.word, u.speaker) for u in utterances}
    numbered = [*enumerate(SAID, 1), (7, "hum"), (8, "rise")]
    assert names == {
        **{f"{word}/eve_nohash_list.{number}.wav": (word, "eve") for number, word in numbered},
        "fall/a_b_1.1.wav": ("fall", None),
        "peep/bob_nohash_1.1.wav": ("peep", "bob"),
    }
    assert {one.file.as_posix() for each in found for one in each.cuts} == set(names)
    for each in found:
        samples, _ = soundfile.read(each.sentence.path, dtype="int16")
        for one in each.cuts:
            take, rate = soundfile.read(tmp_path / "out" / one.file, dtype="int16")
            start, end = one.span(built.endpointer.margin)
            assert rate == RATE
            assert take.tolist() == samples[round(start * RATE) : round(end * RATE)].tolist()
    recognizer = Recognizer(built)
    assert all(recognizer.recognize(u.path).word == u.word for u in utterances)


def test_takes_have_the_rate_of_their_recording(built, tmp_path):
    told = sentence(tmp_path / "high.wav", rate=22050)
    [found] = cut_corpus([told], built, tmp_path / "out")
    assert found.source_rate == 22050
    for one in found.cuts:
        take, rate = soundfile.read(tmp_path / "out" / one.file)
        start, end = one.span(built.endpointer.margin)
        assert rate == 22050
        assert len(take) / rate == pytest.approx(end - start, abs=1e-4)


def test_what_does_not_fit_is_not_written(built, tmp_path):
    told = sentence(tmp_path / "list.wav")
    [found] = cut_corpus([dataclasses.replace(told, words=("peep", *SAID[1:]))], built, tmp_path / "out")
    assert found.cuts[0].file is None
    assert [one.file.name for one in found.cuts[1:]] == [f"eve_nohash_list.{number}.wav" for number in range(2, 7)]
    assert len(find(tmp_path / "out")) == 5
    [found] = cut_corpus([dataclasses.replace(told, words=("peep",) * 2)], built, tmp_path / "none", least_fit=1e9)
    assert [one.file for one in found.cuts] == [None, None]
    assert not (tmp_path / "none").exists()


def test_one_that_cannot_be_cut_does_not_stop_the_others(built, tmp_path):
    write(tmp_path / "quiet.wav", quiet(1.0))
    told = [
        Sentence(tmp_path / "no.wav", ("hum",), None),
        Sentence(tmp_path / "quiet.wav", ("hum",), None),
        sentence(tmp_path / "list.wav"),
    ]
    missing, silent, found = cut_corpus(told, built, tmp_path / "out")
    assert missing.error == f"{tmp_path / 'no.wav'}: no such file; check the name"
    assert silent.error == f"{tmp_path / 'quiet.wav'}: holds no speech; record it again, closer or louder"
    assert missing.cuts == silent.cuts == ()
    assert found.error is None
    assert len(find(tmp_path / "out")) == len(SAID)


def test_without_a_folder_nothing_is_written(built, tmp_path):
    told = sentence(tmp_path / "in" / "list.wav")
    [found] = cut_corpus([told], built)
    assert all(one.reason is None and one.file is None for one in found.cuts)
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "list.wav"]


def test_a_failure_leaves_nothing(built, tmp_path, monkeypatch):
    told = [sentence(tmp_path / "in" / "a.wav"), sentence(tmp_path / "in" / "b.wav")]
    before = sorted(tmp_path.rglob("*"))
    written = []

    def fails(path, *args):
        written.append(path)
        if len(written) == 8:
            raise KeyboardInterrupt
        audio.save(path, *args)

    monkeypatch.setattr(cutting.audio, "save", fails)
    with pytest.raises(KeyboardInterrupt):
        cut_corpus(told, built, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_names_that_cannot_be_files_are_refused_before_anything_is_done(built, tmp_path):
    told = sentence(tmp_path / "in" / "a.wav", speaker="a/b")
    with pytest.raises(NamingError, match=r"^speaker 'a/b' has a '/'; "):
        cut_corpus([told], built, tmp_path / "out")
    strange = dataclasses.replace(built, words=("fall", "h/m", "peep", "rise"))
    with pytest.raises(NamingError, match=r"^word 'h/m' has a '/'; "):
        cut_corpus([Sentence(told.path, ("h/m",), None)], strange, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_that_cannot_hear_cuts_nothing(built, tmp_path):
    deaf = dataclasses.replace(built, front_end=GivenFeatures("MFCC", 39))
    with pytest.raises(AudioError, match=r"^this model cannot hear sound"):
        cut_corpus([sentence(tmp_path / "in" / "a.wav")], deaf, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [(), (WORDS[0], "umbrella")])
def test_words_that_the_model_lacks_are_one_line(built, words):
    named = "'umbrella'" if words else "no words to cut"
    with pytest.raises(ModelError, match=rf"{named}.*; (it|the model) has|{named} were given; the model has"):
        cut(audio.prepare(say(WORDS[0]), RATE, RATE), words, built)
