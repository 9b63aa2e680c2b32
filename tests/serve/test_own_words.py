"""Words of one's own through the service: recordings said or sent, what is wrong with them, and the model they make."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from synthetic import WORDS, say, write
from talking import PATIENCE, Here, here, listen_and_say

from recognizer import Recognizer, own_models
from recognizer.corpus.likeness import alike_in_writing
from recognizer.model import Model
from recognizer.serve import own_words

TONES = "/v1/words/tones"
LONG = 10 * PATIENCE  # seconds that a training may take, which gives way to all others


@pytest.fixture
def sent(tmp_path) -> dict[str, list[bytes]]:
    """Three recordings of each word, as files."""
    return {
        word: [write(tmp_path / "sent.wav", say(word, take=take)).read_bytes() for take in range(3)] for word in WORDS
    }


def send(server: Here, sent: dict[str, list[bytes]]) -> None:
    server.told(f"{TONES}?words={','.join(sent)}", "PUT")
    for word, files in sent.items():
        for file in files:
            server.told(f"{TONES}/takes/{word}", "POST", file)


def trained(server: Here) -> dict:
    """How the training ended."""
    end = time.monotonic() + LONG
    while (state := server.told("/v1/training"))["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.1)
    return state


# Which words


@pytest.mark.parametrize(
    ("words", "alike"),
    [
        (["no", "go", "yes"], [("no", "go")]),
        (["five", "nine"], [("five", "nine")]),
        (["一", "七"], []),
        (["zwei", "drei", "eins"], [("zwei", "drei")]),
        (["start", "stop", "off"], []),
    ],
)
def test_words_that_are_written_alike(words, alike):
    assert alike_in_writing(words) == alike


def test_words_are_looked_at_before_anybody_says_them(home, model_file):
    with here(model_file) as server:
        found = server.told("/v1/alike?words=no,%20go,yes")
        assert found == {"words": ["no", "go", "yes"], "alike": [{"words": ["no", "go"]}]}
        for words in ("yes,Yes", "yes,ye%E2%80%8Bs", f"{quote('né')},{quote('né')}"):
            status, error = server.refused(f"/v1/alike?words={words}")
            assert (status, "the same word" in error or "has a" in error) == (400, True)
    assert not (home / "words").exists()


def test_names_that_cannot_be_folders_are_refused(home, model_file):
    with here(model_file) as server:
        for name, words in (("..", "yes"), ("a/b", "yes"), ("con", "yes"), ("mine", "../x"), ("mine", "a_nohash_b")):
            assert server.refused(f"/v1/words/{quote(name, safe='')}?words={quote(words)}", "PUT")[0] in (400, 404)
    assert not (home / "words").exists()


def test_two_collections_do_not_differ_by_case_only(home, model_file):
    with here(model_file) as server:
        server.told("/v1/words/mine?words=yes", "PUT")
        assert server.refused("/v1/words/Mine?words=yes", "PUT")[0] == 409
        assert server.refused("/v1/words/other")[0] == 404


# Recordings


def test_recordings_that_are_sent_can_be_had_and_removed(home, model_file, sent):
    with here(model_file) as server:
        send(server, sent)
        files = ["1.wav", "2.wav", "3.wav"]
        assert server.told(TONES) == {"name": "tones", "words": dict.fromkeys(WORDS, files)}
        assert server.ask(f"{TONES}/takes/hum/2.wav").body == sent["hum"][1]
        server.told(f"{TONES}/takes/hum/2.wav", "DELETE")
        assert server.told(TONES)["words"]["hum"] == ["1.wav", "3.wav"]
        assert server.refused(f"{TONES}/takes/hum/2.wav")[0] == 404
        assert server.refused(f"{TONES}/takes/hum/..%2F..%2Fx")[0] == 404
        assert server.refused(f"{TONES}/takes/nix", "POST", sent["hum"][0])[0] == 404
        assert server.refused(f"{TONES}/takes/hum", "POST", b"no sound")[0] == 422
        server.told(f"{TONES}/takes/hum", "DELETE")
        assert "hum" not in server.told(TONES)["words"]
        server.told(TONES, "DELETE")
        assert server.told("/v1/words")["collections"] == []
    assert list((home / "words").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_nobody_else_may_read_recordings(home, model_file, sent):
    with here(model_file) as server:
        send(server, sent)
    modes = {path: path.stat().st_mode & 0o077 for path in (home / "words", *(home / "words").rglob("*"))}
    assert len(modes) > 12
    assert not any(modes.values())


def test_what_check_tells_is_told(home, model_file, sent):
    sent = {"hum": sent["hum"], "rise": sent["rise"][:2], "hmm": [*sent["hum"][:2], sent["hum"][2]]}
    with here(model_file) as server:
        send(server, sent)
        found = server.told(f"{TONES}/check")
    assert found["few"] == ["hmm", "hum", "rise"]
    assert ["hmm/1.wav", "hum/1.wav"] in found["doubles"]


def test_words_that_sound_alike_are_told_after_a_take_of_each(home, model_file, sent):
    close = {"hum": [sent["hum"][0]], "huum": [sent["hum"][1]], "rise": [sent["rise"][0]]}
    with here(model_file) as server:
        send(server, close)
        assert [pair["words"] for pair in server.told(f"{TONES}/check")["alike"]] == [["hum", "huum"]]
        send(server, {word: sent[word] for word in ("fall",)})
        server.told(f"{TONES}/takes/huum", "DELETE")
        assert server.told(f"{TONES}/check")["alike"] == []


def test_bounds(home, model_file, sent):
    with here(model_file, words=2, takes=1, kept=30_000) as server:
        assert server.refused(f"{TONES}?words=a,b,c", "PUT")[0] == 413
        assert server.refused("/v1/alike?words=a,b,c") == (413, "3 words are too many for a collection; 2 are the most")
        send(server, {"hum": sent["hum"][:1], "rise": []})
        status, error = server.refused(f"{TONES}/takes/hum", "POST", sent["hum"][1])
        assert (status, "'hum' has 1 recordings" in error) == (413, True)
        server.told(f"{TONES}/takes/rise", "POST", sent["rise"][0])
        server.told(f"{TONES}/takes/hum/1.wav", "DELETE")
    with here(model_file, kept=10_000) as server:
        status, error = server.refused(f"{TONES}/takes/hum", "POST", sent["hum"][1])
        assert (status, "remove some first" in error) == (413, True)


@pytest.mark.parametrize(
    ("files", "words", "readings"),
    [
        (["yes/1.wav", "yes/2.wav", "no/1.wav", "no/2.wav"], [], [{"yes", "no"}]),
        (["yes_1.wav", "yes_2.wav", "no_1.wav", "no_2.wav"], [], [{"yes", "no"}]),
        (["yes.wav", "no.wav"], ["yes", "no"], [{"yes", "no"}]),
        (["yes_anna_1.wav", "yes_bob_1.wav", "no_anna_1.wav", "no_bob_1.wav"], [], [{"yes", "no"}, {"anna", "bob"}]),
        (["yes_anna_1.wav", "yes_bob_1.wav", "no_anna_1.wav", "no_bob_1.wav"], ["yes", "no"], [{"yes", "no"}]),
        (["a.wav"], [], [{"a"}]),
        ([], [], []),
        (["../../yes/1.wav", "/yes/2.wav", "C:\\no\\1.wav", "no/2.wav"], ["yes", "no"], None),
    ],
)
def test_names_tell_words_where_they_are_plain(files, words, readings):
    found = own_words.read(files, words)["readings"]
    if readings is not None:
        assert [set(reading["words"].values()) for reading in found] == readings
        assert all(set(reading["words"]) == set(files) for reading in found)


def test_a_request_for_a_reading_that_is_none_is_refused(home, model_file):
    with here(model_file) as server:
        for body in (b"", b"[]", b'{"files": 1}', b'{"files": ["a"], "words": [1]}', b"[" * 100_000):
            assert server.refused("/v1/reading", "POST", body)[0] == 400
        body = json.dumps({"files": ["yes/1.wav", "yes/2.wav", "no/1.wav", "no/2.wav"]}).encode()
        assert server.told("/v1/reading", "POST", body)["readings"][0]["pattern"] == "{word}/*"


def test_words_are_recorded_as_record_does_it_and_gone_on_with(home, model_file):
    with here(model_file) as server:
        with server.talk(f"{TONES}/record?words=hum,rise&takes=2&rate=8000") as talk:
            listen_and_say(talk, "kept")
            assert server.refused(f"{TONES}/record?rate=8000")[0] == 409
        for _ in range(100):
            if server.ask(f"{TONES}/record?rate=8000").status == 426:
                break
        with server.talk(f"{TONES}/record?words=hum,rise&takes=2&rate=8000") as talk:
            events = listen_and_say(talk, "recorded", after=lambda e: "finish" if e["event"] == "finished" else None)
        assert [event["done"] for event in events if event["event"] == "prompt"] == [1, 2, 3]
        assert events[-1] == {"event": "recorded", "collection": "tones", "words": {"hum": 2, "rise": 2}}
        assert server.told(TONES)["words"] == {"hum": ["1.wav", "2.wav"], "rise": ["1.wav", "2.wav"]}


def test_a_collection_that_is_removed_while_somebody_records_does_not_come_back(home, model_file):
    with here(model_file) as server, server.talk(f"{TONES}/record?words=hum,rise&rate=8000") as talk:
        listen_and_say(talk, "kept")
        server.told(TONES, "DELETE")
        error = listen_and_say(talk, "kept")[-1]
    assert error == {"event": "error", "message": "collection 'tones' was removed meanwhile; begin again"}
    assert list((home / "words").iterdir()) == []


def test_a_word_that_is_removed_while_somebody_records_does_not_come_back(home, model_file):
    with here(model_file) as server, server.talk(f"{TONES}/record?words=hum&takes=3&rate=8000") as talk:
        listen_and_say(talk, "kept")
        server.told(f"{TONES}/takes/hum", "DELETE")
        error = listen_and_say(talk, "kept")[-1]
    assert error == {"event": "error", "message": "word 'hum' was removed meanwhile; begin again"}
    assert list((home / "words" / "tones").iterdir()) == []


# The model


@pytest.mark.slow
def test_the_model_is_the_one_that_the_same_recordings_make_elsewhere(home, model_file, sent, tmp_path):
    with here(model_file) as server:
        send(server, sent)
        assert server.ask(f"{TONES}/train?model=mine", method="POST").status == 202
        assert server.refused(f"{TONES}/train?model=other", "POST")[0] == 409  # one at a time
        state = trained(server)
        assert (state["state"], state["recordings"], state["left_out"]) == ("done", 12, [])
        assert (state["trial"]["count"], state["trial"]["n"], state["trial"]["unseen"]) == (12, 12, "takes")
        mine = next(model for model in server.told("/v1/models")["models"] if model["name"] == "mine")
        assert (mine["own"], mine["words"]) == (True, list(WORDS))
        heard = server.told("/v1/recognize?model=mine", "POST", sent["rise"][0])
        assert heard["word"] == "rise"
        file = server.ask("/v1/models/mine/file")
        status, error = server.refused(f"{TONES}/train?model=mine", "POST")
        assert (status, "you have a model 'mine' already" in error) == (409, True)
        assert server.ask(f"{TONES}/train?model=mine&replace=true", method="POST").status == 202
        assert trained(server)["state"] == "done"
        expected = Recognizer.train(home / "words" / "tones", layout="{word}/*").model
        (tmp_path / "mine.npz").write_bytes(file.body)
        assert Model.load(tmp_path / "mine.npz").fingerprint == expected.fingerprint
        assert mine["fingerprint"] == expected.fingerprint
        if os.name != "nt":
            assert own_models.files()["mine"].stat().st_mode & 0o077 == 0
        assert server.told("/v1/models/mine", "DELETE") == {"removed": "mine", "speakers": []}
        assert server.refused("/v1/models/mine")[0] == 404


def test_models_are_named_as_at_the_terminal(home, model_file, sent):
    with here(model_file) as server:
        send(server, {"hum": sent["hum"][:1]})
        for name in ("digits", "con", "a/b", "x.npz"):
            assert server.refused(f"{TONES}/train?model={quote(name, safe='')}", "POST")[0] == 400, name
        assert server.told("/v1/training") == {"state": "none"}


def test_only_models_of_ones_own_are_removed(home, model_file):
    with here("digits") as server:
        assert server.refused("/v1/models/digits", "DELETE")[0] == 409
        status, error = server.refused("/v1/models/commands", "DELETE")
        assert (status, "comes with the program" in error) == (404, True)
        assert server.refused("/v1/models/nix/file")[0] == 404


@pytest.mark.slow
def test_a_training_can_be_cancelled_and_what_fails_is_told(home, model_file, sent):
    with here(model_file) as server:
        send(server, sent)
        server.told(f"{TONES}/train", "POST")
        assert server.told("/v1/training", "DELETE")["state"] == "cancelled"
        assert own_models.files() == {}
        silent = write(Path(home) / "silent.wav", 0 * say("hum")).read_bytes()
        send(server, {"nothing": [silent]})
        server.told(f"{TONES}/train", "POST")
        state = trained(server)
        assert state["state"] == "failed"
        assert "'nothing'" in state["error"]
        assert own_models.files() == {}
