"""Commands that listen, on a real sound server: PulseAudio's null sink is a microphone, `paplay` speaks into it."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from recognizer import Recognizer
from recognizer.sound import audio

pytestmark = pytest.mark.slow  # sound takes the time that it lasts
RATE = 16000
SAMPLES = sorted((Path(__file__).parents[1] / "audio_samples").glob("*.wav"))
PATIENCE = 60.0  # seconds for anything to happen, on a busy machine


class SoundServer:
    """A PulseAudio server of one's own, with one microphone."""

    def __init__(self, folder: Path) -> None:
        self.environment = os.environ | {"XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{folder}/pulse/native"}
        self.process = subprocess.Popen(
            [
                *("pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-n"),
                *("-L", f"module-native-protocol-unix socket={folder}/pulse/native"),
            ],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: self.control("info", check=False) == 0)
        self.plug()

    def control(self, *arguments: str, check: bool = True) -> int:
        command = ["pactl", *arguments]
        return subprocess.run(
            command, env=self.environment, check=check, capture_output=True, timeout=PATIENCE
        ).returncode

    def plug(self) -> None:
        """Plug the microphone in."""
        self.control("load-module", "module-null-sink", "sink_name=mic", f"rate={RATE}", "channels=1")
        self.control("set-default-source", "mic.monitor")

    def unplug(self) -> None:
        self.control("unload-module", "module-null-sink")

    def say(self, samples: np.ndarray, folder: Path) -> None:
        """Speak into the microphone, and wait until all is said."""
        audio.save(folder / "said.wav", samples, RATE)
        command = ["paplay", "--device=mic", str(folder / "said.wav")]
        subprocess.run(command, env=self.environment, check=True, timeout=10 * PATIENCE)


class Listener:
    """A command that listens, `recognizer live` for one, as a process with --json."""

    def __init__(self, server: SoundServer, *options: str, command: str = "live", stdin: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from recognizer.cli import main; main()", command, "--json", *options],
            env=server.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        )
        self.events: list[dict] = []
        self._lines: queue.Queue = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, kind: str, count: int = 1) -> list[dict]:
        """The events up to the so-manieth one of a kind from now on."""
        seen: list[dict] = []
        while sum(event["event"] == kind for event in seen) < count:
            seen.append(json.loads(self._lines.get(timeout=PATIENCE)))
        self.events += seen
        return seen

    def stop(self, number: signal.Signals = signal.SIGINT) -> str:
        """End it as Ctrl-C does; gives what it wrote to stderr."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        while not self._lines.empty():
            self.events.append(json.loads(self._lines.get()))
        self.process.stdout.close()
        with self.process.stderr as stderr:
            return stderr.read()


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the sound server does not answer"
        time.sleep(0.05)


def missing(what: str) -> None:
    """Skip the test; where RECOGNIZER_SOUND_STACK is "required", fail it."""
    if os.environ.get("RECOGNIZER_SOUND_STACK") == "required":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture
def server(tmp_path, tmp_path_factory) -> Iterator[SoundServer]:
    """A sound server, of which there is one at a time, however many processes the tests run in."""
    for program in ("pulseaudio", "pactl", "paplay"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed: apt-get install pulseaudio pulseaudio-utils libasound2-plugins")
    try:
        import sounddevice  # noqa: F401
    except OSError:
        missing("PortAudio is not installed: apt-get install libportaudio2")
    folder = tmp_path / "run"
    (folder / "pulse").mkdir(parents=True)
    folder.chmod(0o700)
    with FileLock(tmp_path_factory.getbasetemp().parent / "sound-server.lock"):
        server = SoundServer(folder)
        yield server
        server.process.terminate()
        server.process.wait(PATIENCE)


def spoken(files: list[Path], noise: float = 3e-4) -> np.ndarray:
    """Recordings with pauses of 0.5 s between them, in a room that is not quite silent."""
    pause = np.zeros(round(0.5 * RATE), np.float32)
    parts = [pause]
    for file in files:
        parts += [audio.load(file, RATE).samples, pause]
    samples = np.concatenate(parts)
    return samples + noise * np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32)


def words(events: list[dict]) -> list[str | None]:
    return [event["word"] for event in events if event["event"] in ("result", "rejected")]


def test_twenty_digits_at_a_microphone_that_is_pulled_out_and_put_back(server, tmp_path):
    listener = Listener(server, "--save", str(tmp_path / "kept"))
    listener.wait_for("calibrated")
    server.say(spoken(SAMPLES[:20]), tmp_path)
    listener.wait_for("result", 20)
    assert words(listener.events) == [file.name.split("_")[0] for file in SAMPLES[:20]]

    server.unplug()
    lost = listener.wait_for("device_lost")[-1]
    server.plug()
    back = listener.wait_for("calibrated")[-1]
    assert back["time"] >= lost["time"]
    server.say(spoken(SAMPLES[20:22]), tmp_path)
    listener.wait_for("result", 2)
    said = listener.stop()
    assert listener.process.returncode == 130
    assert words(listener.events)[20:] == [file.name.split("_")[0] for file in SAMPLES[20:22]]
    assert "22 words" in said.splitlines()[-1]
    assert listener.events[-1]["event"] == "end"
    assert (listener.events[-1]["words"], listener.events[-1]["losses"]) == (22, 1)
    times = [event["time"] for event in listener.events]
    assert times == sorted(times)
    assert_batch_agrees(tmp_path / "kept")


def assert_batch_agrees(kept: Path) -> None:
    """What was kept of a session is recognised again exactly as it was."""
    recognizer = Recognizer.load("digits")
    lines = [json.loads(line) for line in (kept / "utterances.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == len(list(kept.glob("*.wav")))
    for line in lines:
        again = recognizer.recognize(kept / line["file"])
        assert again.word == line["word"]
        for candidate, kept_candidate in zip(again.nbest, line["nbest"]):
            assert (candidate.word, round(candidate.score, 4)) == (kept_candidate["word"], kept_candidate["score"])


def test_digital_silence_is_noticed_and_explained(server):
    listener = Listener(server)
    listener.wait_for("calibrated")
    stderr = listener.process.stderr.readline()
    assert stderr.startswith("warning:")
    assert "only zeros" in stderr
    assert "unmute" in stderr
    listener.stop(signal.SIGTERM)
    assert listener.process.returncode == 130


@pytest.fixture
def room(server, tmp_path) -> Iterator[None]:
    """A room that is not quite silent for the next minutes."""
    noise = 3e-4 * np.random.default_rng(0).standard_normal(200 * RATE)
    audio.save(tmp_path / "room.wav", noise, RATE)
    process = subprocess.Popen(["paplay", "--device=mic", str(tmp_path / "room.wav")], env=server.environment)
    yield
    process.terminate()
    process.wait(PATIENCE)


@pytest.mark.usefixtures("room")
def test_words_are_recorded_as_they_are_asked_for_and_trained_from(server, tmp_path):
    folder = tmp_path / "mine"
    voices = {word: [file for file in SAMPLES if file.name.startswith(word)] for word in ("one", "two")}
    recorder = Listener(server, *voices, "--takes", "2", "--output", str(folder), command="record")
    for answer in range(5):
        prompt = recorder.wait_for("prompt")[-1]
        said = spoken([voices[prompt["word"]][prompt["take"] - 1]], noise=0.0)
        server.say(np.clip(9 * said, -1, 1) if answer == 0 else said, tmp_path)
    recorder.wait_for("finished")
    assert recorder.process.wait(PATIENCE) == 0
    recorder.stop()
    told = [(event["event"], event["attempt"]) for event in recorder.events if event["event"] in ("kept", "again")]
    assert told == [("again", 1), ("kept", 2), ("kept", 1), ("kept", 1), ("kept", 1)]
    [again] = [event for event in recorder.events if event["event"] == "again"]
    assert again["message"].startswith("clipped (")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.wav")) == [
        f"{word}/{take}.wav" for word in voices for take in (1, 2)
    ]
    digits = Recognizer.load("digits")
    for file in folder.rglob("*.wav"):
        assert digits.recognize(file).word == file.parent.name
    command = [sys.executable, "-c", "from recognizer.cli import main; main()", "train", str(folder)]
    trained = subprocess.run(
        [*command, "--output", str(tmp_path / "mine.npz")], capture_output=True, text=True, timeout=PATIENCE
    )
    assert trained.returncode == 0, trained.stderr
    assert "2 words from 4 recordings" in trained.stdout


@pytest.mark.usefixtures("room")
def test_a_take_that_is_played_into_the_microphone_is_not_heard_as_the_next(server, tmp_path):
    """The loudspeaker is the null sink, and so all that it plays comes in, louder than any room would let it."""
    server.control("set-default-sink", "mic")
    said = {word: next(file for file in SAMPLES if file.name.startswith(word)) for word in ("one", "two")}
    folder = tmp_path / "mine"
    recorder = Listener(server, *said, "--takes", "1", "--output", str(folder), command="record", stdin=subprocess.PIPE)
    first = recorder.wait_for("prompt")[-1]["word"]
    server.say(spoken([said[first]], noise=0.0), tmp_path)
    second = recorder.wait_for("prompt")[-1]["word"]
    recorder.process.stdin.write("p\n")
    recorder.process.stdin.flush()
    assert recorder.wait_for("hint")[-1]["message"] == f"playing {first}: listen, and wait"
    again = recorder.wait_for("prompt")
    assert [event["event"] for event in again] == ["prompt"], "what was played is no attempt at it"
    assert (again[-1]["word"], again[-1]["attempt"]) == (second, 1)
    recorder.process.stdin.write("u\n")
    recorder.process.stdin.flush()
    recorder.wait_for("undone")
    assert list(folder.rglob("*.wav")) == []
    recorder.process.stdin.close()
    recorder.stop()


@pytest.mark.usefixtures("room")
def test_a_voice_is_enrolled_with_an_interruption_in_the_middle(server, tmp_path):
    said = {file.name.split("_")[0]: file for file in SAMPLES}

    def enroller() -> Listener:
        return Listener(server, "tester", "--takes", "1", command="enroll")

    def answer(listener: Listener, wrong: bool = False) -> str:
        prompt = listener.wait_for("prompt")[-1]
        other = next(word for word in said if word != prompt["word"])
        server.say(spoken([said[other if wrong else prompt["word"]]], noise=0.0), tmp_path)
        return prompt["word"]

    first = enroller()
    asked = [answer(first, wrong=True), *(answer(first) for _ in range(4))]
    first.wait_for("prompt")
    told = first.stop()
    assert first.process.returncode == 130
    assert told.splitlines()[-1] == "interrupted; 4 of 10 kept; the same command goes on from there"
    assert asked[0] == asked[1], "the wrong word is not taken for the right one"
    [again] = [event for event in first.events if event["event"] == "again"]
    assert (
        again["message"]
        == f"that sounded like {next(w for w in said if w != asked[0])}, not {asked[0]}: say {asked[0]}"
    )

    second = enroller()
    asked = asked[1:] + [answer(second) for _ in range(6)]
    second.wait_for("enrolled")
    assert second.process.wait(PATIENCE) == 0
    second.stop()
    assert sorted(asked) == sorted(said)
    report = second.events[-1]
    assert (report["speaker"], report["model"], report["refused"]) == ("tester", "digits", [])
    assert report["takes"] == dict.fromkeys(report["takes"], 1)
    assert report["before"]["n"] == report["after"]["n"] == 10
    assert report["after"]["confidence"] > 0.5

    command = [sys.executable, "-c", "from recognizer.cli import main; main()", "speakers", "show", "tester", "--json"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    record = json.loads(shown.stdout)
    assert record["kept"] == dict.fromkeys(said, 1)
    assert {key: record[key] for key in ("takes", "method", "before", "after")} == {
        key: report[key] for key in ("takes", "method", "before", "after")
    }


def test_devices_lists_and_tests_the_microphone(server, tmp_path):
    def devices(*options: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", "from recognizer.cli import main; main()", "devices", *options]
        return subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=PATIENCE)

    listed = devices("--json")
    assert listed.returncode == 0
    names = [device["name"] for device in json.loads(listed.stdout)]
    assert "pulse" in names
    speaker = threading.Thread(target=server.say, args=(spoken(SAMPLES[:6], noise=2e-3), tmp_path))
    speaker.start()
    tested = devices("--test", "--json", "--device", "pulse")
    speaker.join()
    assert tested.returncode == 0, tested.stderr
    report = json.loads(tested.stdout)
    assert report["verdict"] == "good"
    assert report["snr"] > 20
    assert report["floor"] == pytest.approx(20 * np.log10(2e-3), abs=3)
    muted = devices("--test", "--json", "--device", "pulse")
    assert muted.returncode == 1
    assert json.loads(muted.stdout)["dead"] is True
