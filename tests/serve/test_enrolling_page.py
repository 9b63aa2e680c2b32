"""A voice that enrolls through the service: the same takes and profile as at the terminal, and nothing lost."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections import Counter
from urllib.parse import quote

import numpy as np
import pytest
from synthetic import RATE, WORDS, answer, quiet
from talking import as_sent, commanded, here, listen_and_say

from recognizer import Recognizer
from recognizer.errors import NamingError
from recognizer.live.events import Finished, Kept
from recognizer.live.guide import Guide
from recognizer.live.prompts import Prompt
from recognizer.sound import audio
from recognizer.sound.source import play
from recognizer.speakers import store

EVE = "/v1/enroll?speaker=eve&rate=8000"
CONVERSATION = {"calibrated", "prompt", "kept", "finished"}


def kept(name: str = "eve") -> Counter[str]:
    return Counter(take.word for take in store.takes(name))


def at_the_end(event: dict) -> str | None:
    return "finish" if event["event"] == "finished" else None


@pytest.fixture
def enrolled(home, model_file) -> dict:
    """What the conversation said in which eve enrolled."""
    with here(model_file) as server, server.talk(EVE) as talk:
        events = listen_and_say(talk, "enrolled", after=at_the_end)
    assert {event["event"] for event in events} >= CONVERSATION
    return events[-1]


def test_the_same_recordings_make_the_same_profile_elsewhere(enrolled, model_file, home, tmp_path, monkeypatch):
    base = Recognizer.load(model_file)
    here_, takes = store.fitted(base.model, "eve").fingerprint, store.folder("eve") / store.TAKES
    modes = {path: path.stat().st_mode & 0o077 for path in home.rglob("*")}
    assert os.name == "nt" or not any(modes.values())  # nobody else may read a voice
    assert kept() == dict.fromkeys(WORDS, 2)
    assert enrolled["takes"] == dict.fromkeys(WORDS, 2)
    shutil.copytree(takes, tmp_path / "copied")
    monkeypatch.setenv("RECOGNIZER_HOME", str(tmp_path / "other"))
    base.enroll(tmp_path / "copied", layout="{word}/*", speaker="eve")
    assert store.fitted(base.model, "eve").fingerprint == here_
    assert store.load("eve").record["before"] == enrolled["before"]
    assert store.load("eve").record["after"] == enrolled["after"]


def test_a_take_is_the_one_that_a_microphone_would_have_given(home, model_file, tmp_path):
    sound = np.concatenate([quiet(1.0), answer(Prompt("hum", 1)), quiet(1.0)])
    guide = Guide([Prompt("hum", 1)], RATE)
    audio.save(tmp_path / "said.wav", sound, RATE)
    blocks = play(tmp_path / "said.wav", fast=True)
    (expected,) = (event for block in blocks for event in guide.hear(block) if isinstance(event, Kept))
    with here(model_file) as server, server.talk(EVE + "&words=hum&takes=1") as talk:
        for part in np.split(sound, [100, 5000, 5001]):
            talk.send(as_sent(part))
        told = listen_and_say(talk, "kept", say=lambda prompt: quiet(0.1))[-1]
    (take,) = store.takes("eve")
    assert (audio.load(take.path, None).samples * 32768).astype(np.int16).tolist() == expected.samples.tolist()
    assert told == expected.record()


def test_a_lost_connection_loses_nothing(home, model_file):
    with here(model_file) as server:
        with server.talk(EVE) as talk:
            first = listen_and_say(talk, "kept")
            talk.socket.shutdown(socket.SHUT_RDWR)
        assert sum(kept().values()) == 1
        said = first[-1]["word"]
        with _talk_again(server) as again:
            events = listen_and_say(again, "finished")
    prompted = next(event for event in events if event["event"] == "prompt")
    assert (prompted["done"], prompted["total"]) == (1, 8)
    assert kept() == dict.fromkeys(WORDS, 2)
    assert Counter(event["word"] for event in events if event["event"] == "kept")[said] == 1


def _talk_again(server, address: str = EVE):
    """The server may need a moment to see that somebody is gone."""
    for _ in range(100):
        if server.ask(address, Recognizer_Probe="1").status == 426:
            return server.talk(address)
    raise AssertionError("the place is not given back")


def test_the_last_take_can_be_heard_taken_back_and_left_out(home, model_file):
    with here(model_file) as server, server.talk(EVE + "&words=hum,rise") as talk:
        word = listen_and_say(talk, "kept")[-1]["word"]
        (take,) = store.takes("eve")
        assert commanded(talk, "play", None) == take.path.read_bytes()
        undone = commanded(talk, "undo", "undone")
        assert (undone["word"], undone["had_take"]) == (word, True)
        assert store.takes("eve") == []
        left_out = commanded(talk, "skip", "left_out")
        assert (left_out["word"], left_out["done"]) == (word, 1)


def test_who_clearly_says_another_word_is_told(home, model_file):
    def other(prompt: Prompt):
        return answer(Prompt("hum" if prompt.word == "rise" else "rise", prompt.take))

    with here(model_file) as server, server.talk(EVE + "&words=hum,rise") as talk:
        again = listen_and_say(talk, "again", say=other)[-1]
    heard = {"hum": "rise", "rise": "hum"}[again["word"]]
    assert again["message"] == f"that sounded like {heard}, not {again['word']}: say {again['word']}"
    assert store.takes("eve") == []


def test_where_all_is_there_nothing_is_asked_for(home, model_file):
    address = EVE + "&words=hum&takes=1"
    with here(model_file) as server:
        with server.talk(address) as talk:
            assert listen_and_say(talk, "finished")[-1]["kept"] == 1
        with _talk_again(server, address) as talk:
            assert listen_and_say(talk, "finished")[-1] == Finished(time=0.0, kept=0, skipped=0).record()


def test_names_are_checked_as_at_the_terminal(home, model_file):
    with here(model_file) as server:
        for name in ("a/b", " ", "con", "anna@", "@cold", "../x", "x" * 81, ".hidden"):
            with pytest.raises(NamingError) as refusal:
                store.checked(name)
            found = server.refused(f"/v1/enroll?speaker={quote(name, safe='')}&rate=8000")
            assert found == (400, str(refusal.value))
    assert not (home / "speakers").exists()


def test_what_cannot_be_wished_for_is_refused(home, model_file):
    with here(model_file) as server:
        for wishes, status, told in (
            ("rate=8000", 400, "speaker is missing"),
            ("speaker=&rate=8000", 400, "speaker is empty"),
            ("speaker=eve", 400, "rate is missing"),
            ("speaker=eve&rate=8000&takes=0", 400, "takes '0' is no whole number from 1 to 20"),
            ("speaker=eve&rate=8000&takes=21", 400, "takes '21'"),
            ("speaker=eve&rate=8000&words=nix", 404, "'nix'"),
            ("speaker=eve&rate=8000&model=nix", 404, "there is no model 'nix'"),
            ("speaker=eve&rate=8000&adapt=true", 400, "'adapt' means nothing here"),
        ):
            found = server.refused(f"/v1/enroll?{wishes}")
            assert found[0] == status, wishes
            assert told in found[1]


def test_a_second_conversation_with_one_speaker_is_refused(home, model_file):
    with here(model_file) as server, server.talk(EVE):
        for name in ("eve", "Eve"):
            status, error = server.refused(f"/v1/enroll?speaker={name}&rate=8000")
            assert (status, "is being recorded in another window" in error) == (409, True)
        assert server.ask("/v1/enroll?speaker=bob&rate=8000").status == 426


def test_places_are_few(home, model_file):
    with here(model_file, enrollments=1) as server, server.talk(EVE):
        full = server.ask("/v1/enroll?speaker=bob&rate=8000", Recognizer_Probe="1")
    assert full.status == 503
    assert full.headers["retry-after"] == "1"


def test_who_is_removed_meanwhile_is_told_and_does_not_come_back(home, model_file):
    with here(model_file) as server, server.talk(EVE) as talk:
        listen_and_say(talk, "kept")
        assert server.told("/v1/speakers/eve", "DELETE") == {"removed": ["eve"]}
        error = listen_and_say(talk, "kept")[-1]
    assert error == {"event": "error", "message": "speaker 'eve' was removed or renamed meanwhile; begin again"}
    assert store.names() == []


def test_a_full_disk_is_told_and_others_go_on(home, model_file, monkeypatch):
    write = audio._write_wav

    def full(path, *arguments):
        if path.parent.parent.parent.name == "eve" and path.name == "2.wav":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, *arguments)

    monkeypatch.setattr(audio, "_write_wav", full)
    with here(model_file) as server:
        with server.talk(EVE + "&words=hum") as talk, server.talk("/v1/enroll?speaker=bob&rate=8000") as other:
            error = listen_and_say(talk, "finished")[-1]
            assert error["event"] == "error"
            assert "make room on the disk" in error["message"]
            assert listen_and_say(other, "kept")[-1]["event"] == "kept"
        assert kept() == {"hum": 1}
        monkeypatch.setattr(audio, "_write_wav", write)
        with _talk_again(server):
            assert server.told("/v1/speakers")["speakers"][1]["takes"] == 1


def test_what_is_kept_of_a_voice_can_be_seen_renamed_moved_and_removed(enrolled, home, model_file):
    with here(model_file) as server:
        (eve,) = server.told("/v1/speakers")["speakers"]
        assert (eve["name"], eve["enrolled"], eve["takes"], eve["before"]) == ("eve", True, 8, enrolled["before"])
        assert server.told("/v1/speakers/eve")["kept"] == dict.fromkeys(WORDS, 2)
        sent = server.ask("/v1/speakers/eve/export")
        assert sent.headers["content-disposition"] == 'attachment; filename="eve.zip"'
        status, error = server.refused("/v1/speakers/import", "POST", sent.body)
        assert (status, "there is a speaker 'eve' already" in error) == (409, True)
        assert server.told("/v1/speakers/eve/rename?to=ada", "POST") == {"renamed": ["ada"]}
        assert server.told("/v1/speakers/import", "POST", sent.body) == {"imported": ["eve"]}
        status, error = server.refused("/v1/speakers/eve/rename?to=ada", "POST")
        assert (status, "there is a speaker 'ada' already" in error) == (409, True)
        assert server.told("/v1/speakers/ada", "DELETE") == {"removed": ["ada"]}
        assert server.refused("/v1/speakers/ada")[0] == 404
        assert server.refused("/v1/speakers/eve/rename", "POST")[0] == 400
        status, error = server.refused("/v1/speakers/import", "POST", b"no zip")
        assert (status, "the file cannot be imported" in error) == (409, True)
    assert store.names() == ["eve"]
