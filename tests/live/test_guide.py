"""A person follows a guide, or does not: what is said to each prompt is made up, and so is what must come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import NOISE, RATE, SILENCE, WORDS, say
from test_session import BLOCK, quiet

from recognizer.live.events import Event, Refused
from recognizer.live.faults import Attempt, attempt_quality, fault
from recognizer.live.guide import PAUSE, REMINDER, Guide
from recognizer.live.prompts import Prompt, prompts
from recognizer.sound.audio import sixteen_bits
from recognizer.sound.quality import CLIPPED, Quality, measure
from recognizer.sound.source import Block, Lost, OnlyZeros

ONE = [Prompt("hum", 1)]


class Person:
    """Says something to every prompt, and is quiet otherwise.

    Parameters
    ----------
    guide : who asks
    answers : samples for one prompt after the other, or what makes them of a prompt; sounds other than samples are
        given to the guide as they are, after what was said before
    rate : of the microphone, Hz
    opening : what is heard first
    noise : of the room
    """

    def __init__(self, guide: Guide, answers: Iterable | Callable, rate: int = RATE, opening=(), noise=NOISE) -> None:
        self.guide, self.rate, self.events, self.stream = guide, rate, [], []
        self._answers = answers if callable(answers) else iter(answers)
        self._room = quiet(10.0, rate, level=noise)
        self._waiting = [np.asarray(opening)]
        self._position = 0

    def follow(self, seconds: float = 60.0) -> list[Event]:
        """Go on until all is done, or for so long."""
        end = self._position + seconds * self.rate
        while self.guide.current and self._position < end:
            for event in self._go_on():
                self.events.append(event)
                if event.kind == "prompt":
                    answer = self._answers(event.prompt) if callable(self._answers) else next(self._answers)
                    self._waiting += answer if isinstance(answer, list) else [answer]
        return self.events

    def _go_on(self) -> list[Event]:
        """What comes of the next piece of what is to be said, over the noise of the room, or of that alone."""
        if self._waiting and not isinstance(self._waiting[0], np.ndarray):
            return self.guide.hear(self._waiting.pop(0))
        size = round(BLOCK * self.rate)
        said = self._waiting.pop(0) if self._waiting else np.zeros(0)
        if len(said) > size:
            self._waiting.insert(0, said[size:])
        start = self._position % (len(self._room) - size)
        block = self._room[start : start + size] + np.pad(said[:size], (0, max(0, size - len(said))))
        self._position += size
        self.stream.append(np.clip(block, -1, 1).astype(np.float32))
        return self.guide.hear(Block(self.stream[-1], self.rate, self._position / self.rate))


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


def of(events: list[Event], *kinds: str) -> list[Event]:
    return [event for event in events if event.kind in kinds]


def word(prompt: Prompt) -> np.ndarray:
    return say(prompt.word, take=prompt.take)


def loud(samples: np.ndarray, peak: float) -> np.ndarray:
    return np.clip(samples * peak / np.abs(samples).max(), -1, 1)


def hum(seconds: float) -> np.ndarray:
    """A vowel, with a pause before it."""
    return say("hum", seconds=seconds)


# What is asked for


names = st.lists(st.text("abcdefg", min_size=1, max_size=2), unique=True, max_size=6)


@given(names, st.integers(0, 6), st.integers(0, 9))
def test_each_word_is_asked_for_once_a_round(words, takes, seed):
    asked = prompts(words, takes, seed=seed)
    size = len(words)
    for turn in range(takes):
        some = asked[turn * size : (turn + 1) * size]
        assert sorted(prompt.word for prompt in some) == sorted(words)
        assert {prompt.take for prompt in some} <= {turn + 1}
    assert len(asked) == takes * size
    if size > 1:
        assert all(one.word != other.word for one, other in pairwise(asked))


@given(st.dictionaries(st.text("abcdefg", min_size=1, max_size=2), st.integers(0, 7), max_size=6), st.integers(0, 6))
def test_only_what_is_missing_is_asked_for_and_repeated_only_where_it_must(have, takes):
    asked = prompts(list(have), takes, have)
    missing = {word: max(0, takes - count) for word, count in have.items()}
    assert Counter(prompt.word for prompt in asked) == Counter(missing)
    for name, count in have.items():
        assert [p.take for p in asked if p.word == name] == list(range(count + 1, takes + 1))
    repeated = sum(one.word == other.word for one, other in pairwise(asked))
    assert repeated == max(0, 2 * max(missing.values(), default=0) - 1 - len(asked))


def test_the_order_is_shuffled_and_the_same_again():
    words = list("abcdefgh")
    first = prompts(words, 3)
    assert first == prompts(words, 3)
    assert first != prompts(words, 3, seed=1)
    rounds = [[prompt.word for prompt in first[n : n + 8]] for n in (0, 8, 16)]
    assert words not in rounds
    assert rounds[0] != rounds[1] != rounds[2]


def test_how_a_word_is_said_goes_with_every_prompt_for_it():
    asked = prompts(["صفر", "no"], 2, have={"no": 1}, spoken={"صفر": "sifr"})
    assert {(prompt.word, prompt.spoken) for prompt in asked} == {("صفر", "sifr"), ("no", None)}


# A person who does what is asked


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_what_is_said_is_kept(rate):
    wanted = prompts(WORDS, 2)
    guide = Guide(wanted, RATE)
    person = Person(guide, lambda prompt: say(prompt.word, take=prompt.take, rate=rate), rate)
    events = person.follow()
    assert kinds(events) == ["calibrated", *["prompt", "kept"] * 8, "finished"]
    assert [event.prompt for event in of(events, "prompt")] == [event.prompt for event in of(events, "kept")] == wanted
    assert [event.done for event in of(events, "prompt")] == list(range(8))
    assert [event.done for event in of(events, "kept")] == list(range(1, 9))
    assert {event.total for event in events if event.kind != "calibrated"} == {8}
    assert {event.attempt for event in of(events, "prompt", "kept")} == {1}
    assert not any(event.note or isinstance(event, Refused) for event in events)
    assert (guide.kept, guide.skipped, guide.current, guide.state) == (8, [], None, "done")
    assert guide.hear(Block(np.zeros(9, np.float32), rate, 0.0)) == []


def test_takes_are_the_samples_of_the_stream_in_order():
    person = Person(Guide(prompts(WORDS, 2), RATE), word, noise=0.0)
    kept = of(person.follow(), "kept")
    stream, position = sixteen_bits(np.concatenate(person.stream)), 0
    for event in kept:
        assert event.samples.dtype == np.int16
        said = core(word(event.prompt))
        within = find(said, event.samples)
        assert 0 < within < len(event.samples) - len(said), "with something before and after it"
        position += find(event.samples, stream[position:]) + len(event.samples)


def core(said: np.ndarray) -> np.ndarray:
    """The last 0.3 s of a word in 16 bits, without the silence after it."""
    end = len(said) - round(SILENCE * RATE)
    return sixteen_bits(said.astype(np.float32))[end - round(0.3 * RATE) : end]


def find(part: np.ndarray, whole: np.ndarray) -> int:
    """Where samples are found again, the same to the last bit."""
    place = whole.tobytes().find(part.tobytes())
    assert place >= 0
    assert place % 2 == 0
    return place // 2


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([0.4, 3.0, 0.003]), max_size=8), st.integers(1, 3))
def test_each_attempt_has_a_verdict_and_only_good_ones_are_kept(peaks, attempts):
    """Loud enough to clip, or too soft to be of use, or good as all are after those given."""
    wanted, expected, coming = prompts(WORDS, 1), [], iter(peaks)
    for prompt in wanted:
        for attempt in range(1, attempts + 1):
            good = next(coming, 0.4) == 0.4
            expected.append(("kept" if good else "again" if attempt < attempts else "skipped", prompt, attempt))
            if good:
                break
    coming = iter(peaks)
    guide = Guide(wanted, RATE, attempts=attempts)
    events = Person(guide, lambda prompt: loud(word(prompt), next(coming, 0.4))).follow(200)
    verdicts = of(events, "kept", "again", "skipped")
    assert [(event.kind, event.prompt, event.attempt) for event in verdicts] == expected
    assert [(event.prompt, event.attempt) for event in of(events, "prompt")] == [(p, n) for _, p, n in expected]
    assert events[-1].kind == "finished"
    assert guide.skipped == [prompt for kind, prompt, _ in expected if kind == "skipped"]
    assert guide.kept == guide.total - len(guide.skipped)


# What is not good enough


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (loud(word(ONE[0]), 3.0), "clipped ("),
        (loud(word(ONE[0]), 0.004), "too quiet (-5"),
        (hum(0.08), "too short (0."),
        (hum(4.5), "its end is cut off: "),
        (np.concatenate([quiet(0.2), quiet(3.0, level=0.05), quiet(0.5)]), "no speech was heard, only noise: "),
    ],
    ids=["clipped", "quiet", "click", "long", "noise"],
)
def test_what_is_wrong_is_told_and_the_word_asked_for_again(answer, part):
    events = Person(Guide(ONE, RATE), [answer, word(ONE[0]), word(ONE[0])]).follow()
    assert kinds(events)[:3] == ["calibrated", "prompt", "again"]
    [again, *_] = of(events, "again")
    assert again.problem.startswith(part)
    assert again.problem.isprintable()
    assert ": " in again.problem, "with a remedy"
    assert (again.prompt, again.attempt, again.done) == (ONE[0], 1, 0)
    [kept] = of(events, "kept")
    assert kept.attempt == len(of(events, "again")) + 1


def test_a_word_in_noise_is_asked_for_again_and_kept_with_a_note_in_less():
    said = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(round(0.4 * RATE)) / RATE)
    for noise, kind, part in [(0.09, "again", "no speech over the noise (SNR "), (0.04, "kept", "noisy (SNR 1")]:
        events = Person(Guide(ONE, RATE), [np.pad(said, (RATE // 2, 0))] * 3, noise=noise).follow(6)
        [event, *_] = of(events, "kept", "again")
        assert event.kind == kind
        assert event.message.startswith(part)
        assert event.quality.floor == pytest.approx(20 * np.log10(noise), abs=1.5)


def test_after_the_last_attempt_the_word_is_skipped():
    wanted = [Prompt("hum", 1), Prompt("rise", 1)]
    guide = Guide(wanted, RATE, attempts=2)
    events = Person(guide, [hum(0.08), loud(word(wanted[0]), 3.0), word(wanted[1])]).follow()
    assert kinds(events) == ["calibrated", "prompt", "again", "prompt", "skipped", "prompt", "kept", "finished"]
    [skipped] = of(events, "skipped")
    assert (skipped.prompt, skipped.attempt, skipped.done) == (wanted[0], 2, 1)
    assert skipped.problem.startswith("clipped ")
    assert (guide.skipped, guide.kept) == ([wanted[0]], 1)
    assert (events[-1].kept, events[-1].skipped, events[-1].total) == (1, 1, 2)


def test_a_click_or_the_echo_after_a_word_is_not_taken_for_the_next():
    echo = np.concatenate([quiet(0.1), 0.2 * word(Prompt("rise", 1)), quiet(0.1)])
    person = Person(Guide(prompts(WORDS, 1), RATE), lambda prompt: [word(prompt), echo])
    kept = of(person.follow(), "kept")
    assert [event.attempt for event in kept] == [1] * 4
    assert len(of(person.events, "prompt")) == 4
    for event in kept:
        assert np.abs(event.samples).max() > 0.2 * 32768, "it is the word"


def test_between_two_words_there_is_a_pause():
    events = Person(Guide(prompts(WORDS, 1), RATE), word).follow()
    for kept, prompt in zip(of(events, "kept"), of(events, "prompt")[1:]):
        assert PAUSE <= prompt.time - kept.time < PAUSE + 0.2


@pytest.mark.parametrize("begin", np.arange(0.05, 1.3, 0.05))
def test_what_had_begun_before_the_word_was_asked_for_is_never_kept(begin):
    """Over before the prompt, it is ignored; when that came while it was not yet noticed, it is told."""
    too_early = np.concatenate([quiet(begin), word(Prompt("rise", 1))[round(SILENCE * RATE) :]])
    person = Person(Guide(ONE, RATE), [word(ONE[0])] * 2, opening=too_early, noise=0.0)
    events = person.follow()
    first = of(events, "prompt")[0]
    [kept] = of(events, "kept")
    find(core(word(ONE[0]) if begin < first.time else too_early), kept.samples)
    for again in of(events, "again"):
        assert again.problem.startswith("its beginning is cut off: wait until the word is shown")
        assert first.time - 0.16 < begin < first.time


def test_sound_lost_in_the_middle_of_a_word_is_told():
    said = word(ONE[0])
    middle = len(said) // 2
    lost = Block(np.zeros(0, np.float32), RATE, 0.0, lost=800)
    events = Person(Guide(ONE, RATE), [[said[:middle], lost, said[middle:]], said]).follow()
    assert kinds(events) == ["calibrated", "prompt", "overflow", "again", "prompt", "kept", "finished"]
    assert of(events, "overflow")[0].note == "0.10 s of sound lost: the computer is too busy"
    assert of(events, "again")[0].problem.startswith("sound was lost in the middle of it: ")


def test_sound_lost_between_words_harms_none():
    lost = Block(np.zeros(0, np.float32), RATE, 0.0, lost=8000)
    events = Person(Guide(ONE, RATE), [[lost, quiet(0.4), word(ONE[0])]]).follow()
    assert kinds(events) == ["calibrated", "prompt", "overflow", "kept", "finished"]


def test_a_device_lost_in_the_middle_of_a_word_is_no_attempt():
    said = word(ONE[0])
    answers = [[said[: len(said) // 2], Lost("Mic", "unplugged")], said]
    person = Person(Guide(ONE, RATE), answers)
    events = person.follow()
    assert kinds(events) == ["calibrated", "prompt", "device_lost", "calibrated", "prompt", "kept", "finished"]
    assert {event.attempt for event in of(events, "prompt", "kept")} == {1}
    assert of(events, "device_lost")[0].note == "Mic: unplugged; waiting for it"
    assert of(events, "calibrated")[1].note == "the microphone is back"


def test_the_end_of_the_stream_cuts_a_word():
    said = word(ONE[0])
    guide = Guide(ONE, RATE)
    Person(guide, [said]).follow(0.9 + len(said) / RATE / 2)
    [again] = guide.finish()
    assert (again.kind, again.problem[:22]) == ("again", "its end is cut off: sa")


def test_zeros_are_told():
    guide = Guide(ONE, RATE)
    [muted] = guide.hear(OnlyZeros("Mic", "unmute it"))
    assert (muted.kind, muted.note) == ("muted", "Mic delivers only zeros: unmute it")


def test_who_says_nothing_is_reminded_and_that_is_no_attempt():
    events = Person(Guide(ONE, RATE), [quiet(20.0), word(ONE[0])]).follow(2.5 * REMINDER)
    assert kinds(events) == ["calibrated", "prompt", "waiting", "waiting"]
    prompt, one, other = events[1:]
    assert one.time - prompt.time == pytest.approx(REMINDER, abs=0.2)
    assert other.time - one.time == pytest.approx(REMINDER, abs=0.2)
    assert "say hum" in one.note
    assert (one.prompt, one.attempt) == (ONE[0], 1)


# What the person wants otherwise


def test_a_take_is_taken_back_and_asked_for_again_before_the_next():
    wanted = [Prompt("hum", 1), Prompt("rise", 1)]
    guide = Guide(wanted, RATE)
    person = Person(guide, word)
    while not of(person.follow(0.1), "kept"):
        pass
    [undone] = guide.undo()
    assert (undone.kind, undone.prompt, undone.had_take, undone.done) == ("undone", wanted[0], True, 0)
    assert (guide.kept, guide.current, guide.attempt) == (0, wanted[0], 1)
    events = person.follow()
    assert [e.prompt for e in of(events, "prompt")] == [wanted[0], *wanted]
    assert [e.prompt for e in of(events, "kept")] == [wanted[0], *wanted]
    assert (guide.kept, guide.skipped) == (2, [])


def test_one_goes_back_step_by_step_also_from_the_end_and_over_what_was_left_out():
    wanted = prompts(WORDS, 1)
    guide = Guide(wanted, RATE)
    Person(guide, word).follow()
    assert guide.state == "done"
    [undone] = guide.undo()
    assert (undone.prompt, guide.current) == (wanted[3], wanted[3])
    [left_out, finished] = guide.skip()
    assert (left_out.kind, left_out.prompt, left_out.done) == ("left_out", wanted[3], 4)
    assert (finished.kind, finished.kept, finished.skipped) == ("finished", 3, 1)
    assert guide.skipped == [wanted[3]]
    assert guide.skip() == [], "there is nothing more"
    back = [guide.undo()[0] for _ in range(4)]
    assert [event.prompt for event in back] == wanted[::-1]
    assert [event.had_take for event in back] == [False, True, True, True]
    [hint] = guide.undo()
    assert (hint.kind, hint.note) == ("hint", "there is nothing to take back")
    assert (guide.done, guide.skipped) == (0, [])


def test_what_is_being_said_when_a_word_is_left_out_is_not_taken_for_the_next():
    wanted = [Prompt("hum", 1), Prompt("rise", 1)]
    guide = Guide(wanted, RATE)
    said = word(wanted[0])
    person = Person(guide, [said, word(wanted[1])], noise=0.0)
    while guide.state != "speech":
        person.follow(0.01)
    person.events += guide.skip()
    events = person.follow()
    assert kinds(events) == ["calibrated", "prompt", "left_out", "prompt", "kept", "finished"]
    find(core(word(wanted[1])), of(events, "kept")[0].samples)


def test_what_sounds_while_the_guide_waits_does_not_count():
    guide = Guide(ONE, RATE)
    person = Person(guide, [np.concatenate([word(Prompt("rise", 1))] * 3), word(ONE[0])], noise=0.0)
    person.follow(1.0)
    assert kinds(person.events) == ["calibrated", "prompt"]
    guide.wait(4.0)
    assert guide.state == "pause"
    events = person.follow()
    assert kinds(events) == ["calibrated", "prompt", "prompt", "kept", "finished"]
    assert of(events, "prompt")[1].time >= 4.9
    assert {event.attempt for event in of(events, "prompt", "kept")} == {1}
    find(core(word(ONE[0])), of(events, "kept")[0].samples)


def test_takes_that_were_there_before_count_as_done():
    wanted = prompts(WORDS, 2, {"hum": 2, "rise": 1})
    guide = Guide(wanted, RATE, before=3)
    assert (guide.done, guide.total, guide.kept, guide.current) == (3, 8, 0, wanted[0])
    events = Person(guide, word).follow()
    assert [event.done for event in of(events, "prompt")] == [3, 4, 5, 6, 7]
    assert {event.total for event in of(events, "prompt", "kept")} == {8}
    assert (events[-1].kept, guide.done, guide.before) == (5, 8, 3)


# What the caller objects to


def objecting(*objections: str | None) -> tuple[list, Callable]:
    """A check that says one thing after the other, and what it was asked."""
    asked, coming = [], iter(objections)

    def check(word: str, samples: np.ndarray) -> str | None:
        asked.append((word, samples))
        return next(coming)

    return asked, check


def test_another_word_is_asked_for_again():
    asked, check = objecting("sounds like seven, not hum: say hum", None)
    events = Person(Guide(ONE, RATE, check=check), [word(ONE[0])] * 2).follow()
    assert kinds(events) == ["calibrated", "prompt", "again", "prompt", "kept", "finished"]
    assert of(events, "again")[0].problem == "sounds like seven, not hum: say hum"
    [kept] = of(events, "kept")
    assert (kept.note, kept.attempt) == (None, 2)
    assert [name for name, _ in asked] == ["hum", "hum"]
    assert asked[1][1] is kept.samples
    assert asked[1][1].dtype == np.int16


def test_who_is_never_understood_is_kept_in_the_end():
    _, check = objecting(*["sounds like seven"] * 3)
    guide = Guide(ONE, RATE, check=check)
    events = Person(guide, [word(ONE[0])] * 3).follow()
    assert kinds(of(events, "kept", "again", "skipped")) == ["again", "again", "kept"]
    [kept] = of(events, "kept")
    assert kept.note == "sounds like seven"
    assert len(kept.samples)
    assert guide.kept == 1


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_who_is_not_understood_and_not_well_recorded_either_is_skipped(bad):
    asked, check = objecting(*["sounds like seven"] * 2)
    answers = [loud(word(ONE[0]), 3.0 if n == bad else 0.4) for n in range(3)]
    guide = Guide(ONE, RATE, check=check)
    events = Person(guide, answers).follow()
    assert kinds(of(events, "kept", "again", "skipped")) == ["again", "again", "skipped"]
    assert len(asked) == 2, "not asked about takes that are bad anyway"
    assert guide.skipped == ONE


def test_the_next_word_begins_with_a_clean_slate():
    wanted = [Prompt("hum", 1), Prompt("rise", 1)]
    _, check = objecting(None, *["sounds like seven"] * 3)
    answers = [loud(word(wanted[0]), 3.0), *[word(p) for p in (wanted[0], *[wanted[1]] * 3)]]
    events = Person(Guide(wanted, RATE, check=check), answers).follow()
    assert kinds(of(events, "kept", "again", "skipped")) == ["again", "kept", "again", "again", "kept"]


# The state


def test_the_state_is_what_the_person_sees():
    guide = Guide([Prompt("hum", 1), Prompt("rise", 1)], RATE)
    told = []
    person = Person(guide, word)
    hear = guide.hear

    def watched(sound) -> list[Event]:
        events = hear(sound)
        if [guide.state] != told[-1:]:
            told.append(guide.state)
        return events

    guide.hear = watched
    person.follow()
    assert told == ["calibrating", "listening", "speech", "pause", "listening", "speech", "done"]
    guide = Guide(ONE, RATE)
    guide.hear(Lost("Mic", "gone"))
    assert guide.state == "lost"


def test_with_nothing_to_say_it_is_done():
    guide = Guide([], RATE)
    assert (guide.state, guide.current, guide.done, guide.total) == ("done", None, 0, 0)
    assert guide.hear(Block(quiet(1.0), RATE, 1.0)) == []


# Checks


def take(samples: np.ndarray, floor: float = -70.0, speech: tuple[int, int] | None = (2000, 4000), **more) -> Attempt:
    samples = sixteen_bits(samples)
    return Attempt(samples, RATE, speech, attempt_quality(samples, RATE, floor), **more)


def test_a_good_take_has_no_fault():
    assert fault(take(hum(0.3))) is None


@pytest.mark.parametrize(
    ("bad", "part"),
    [
        (take(hum(0.3), torn=True), "sound was lost"),
        (take(hum(0.3), dropped=True), "no speech was heard"),
        (take(hum(0.3), speech=None), "no speech was heard"),
        (take(hum(0.3), early=True), "its beginning is cut off"),
        (take(hum(0.3)[3000:]), "its beginning is cut off"),
        (take(hum(0.3)[:3000]), "its end is cut off"),
        (take(hum(0.3), complete=False), "its end is cut off"),
        (take(hum(0.3), speech=(2000, 2900)), "too short (0.11 s)"),
        (take(loud(hum(0.3), 3.0)), "clipped"),
        (take(0.01 * hum(0.3)), "too quiet"),
        (take(hum(0.3) + quiet(0.8, level=0.15), floor=-16.0), "no speech over the noise"),
    ],
)
def test_each_fault_is_found(bad, part):
    assert fault(bad).startswith(part)


def test_the_quality_is_that_of_the_samples_with_the_floor_of_the_room():
    samples = sixteen_bits(hum(0.3)[2000:-2000])
    quality, measured = attempt_quality(samples, RATE, -60.0), measure(samples / 32768, RATE)
    assert quality.floor == -60
    for name in ("duration", "peak", "level", "clipped", "dead"):
        assert getattr(quality, name) == getattr(measured, name)
    assert isinstance(quality, Quality)
    assert quality.clipped <= CLIPPED


@pytest.mark.parametrize("offset", [0.001, -0.02])
def test_a_constant_offset_of_the_microphone_is_no_noise(offset):
    noise = 1e-3
    person = Person(Guide(ONE, RATE), [word(ONE[0])], noise=noise)
    person._room += offset
    [kept] = of(person.follow(), "kept")
    assert kept.note is None
    assert kept.quality.snr > 30
