"""The server under load: many streams in real time, requests one after the other, an hour of streams that come and go.

And how soon its page is there, in Chromium.

Everything goes over the network to the real command, whose processor and memory are measured. Caller and server share
the machine.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # CPU time is then the work itself
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from playwright.sync_api import sync_playwright
from protocols import load, measured, write_results
from websockets.asyncio.client import connect

from recognizer import Recognizer
from recognizer.sound import audio

RATE, BLOCK = 16000, 0.03
PAUSE = 1.0  # seconds between words
WORDS = 20  # of a stream
MANY = (30, 60)  # streams at the same time
SECONDS = 20.0  # of requests
AT_ONCE = 16  # requests that wait for an answer
HALF = 0.5  # seconds of the word that is sent
COMING = 16  # streams at the same time, of those that come and go
HOUR = 3600.0  # seconds of sound in all of them
VISITS = 11  # to the page
READY = """async () => {
    for (;;) {
        const button = document.getElementById("listen");
        if (button?.textContent && !button.disabled) return performance.now();
        await new Promise((drawn) => requestAnimationFrame(drawn));
    }
}"""  # milliseconds from the call of the page to a button that works


@contextmanager
def server(cores: Sequence[int] | None = None) -> Iterator[tuple[int, int]]:
    """Port and process of a server."""
    command = [sys.executable, "-m", "recognizer", "serve", "--port", "0", "--quiet", "--streams", "200"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline().strip().rstrip("/").rpartition(":")[2])
        if cores is not None:
            for thread in os.listdir(f"/proc/{process.pid}/task"):
                os.sched_setaffinity(int(thread), cores)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def spoken(files: Sequence[Path], seed: int) -> np.ndarray:
    """Words with quiet noise between them, int16."""
    random = np.random.default_rng(seed)

    def quiet() -> np.ndarray:
        return random.normal(scale=3e-4, size=round(PAUSE * RATE)).astype(np.float32)

    parts = [quiet()]
    for file in files:
        parts += [audio.load(file, RATE).samples, quiet()]
    return audio.sixteen_bits(np.concatenate(parts))


def expected(recognizer: Recognizer, samples: np.ndarray) -> list[tuple]:
    """What a session says of it alone, which is what `batch` says of what it cuts out."""
    stream = recognizer.stream(RATE)
    events = [event.record() for event in stream.push(samples) + stream.finish()]
    return [answer(event) for event in events if event["event"] in ("result", "rejected")]


def answer(event: dict) -> tuple:
    return event["event"], event["word"], event["confidence"], event["start"], event["end"]


async def streamed(port: int, samples: np.ndarray, late: float) -> tuple[list[tuple], list[float]]:
    """The answers to one stream in real time, and how long after the end of its pause each came, seconds."""
    size, answers, latencies = round(BLOCK * RATE), [], []
    await asyncio.sleep(late)
    async with connect(f"ws://127.0.0.1:{port}/v1/stream?rate={RATE}") as line:
        began = time.perf_counter()

        async def listen() -> None:
            async for message in line:
                event = json.loads(message)
                if event["event"] in ("result", "rejected"):
                    answers.append(answer(event))
                    latencies.append(time.perf_counter() - began - event["time"])

        listening = asyncio.create_task(listen())
        for first in range(0, len(samples), size):
            ahead = began + min(first + size, len(samples)) / RATE - time.perf_counter()
            await asyncio.sleep(max(0.0, ahead))
            await line.send(samples[first : first + size].astype("<i2").tobytes())
        await line.send('{"command": "finish"}')
        await listening
    return answers, latencies


def in_real_time(recognizer: Recognizer, files: Sequence[Path], count: int) -> str:
    """A row: streams of different words, none in step with another."""
    random = np.random.default_rng(count)
    said = [spoken(random.choice(files, WORDS), seed) for seed in range(count)]
    wanted = [expected(recognizer, samples) for samples in said]

    async def all_of_them(port: int) -> list:
        lates = random.uniform(0, 1, count)
        return await asyncio.gather(*(streamed(port, samples, late) for samples, late in zip(said, lates)))

    with server() as (port, process):
        before = cpu(process)
        found = asyncio.run(all_of_them(port))
        spent = cpu(process) - before
    different = sum(a != b for (got, _), want in zip(found, wanted) for a, b in zip(got, want))
    lost = sum(abs(len(want) - len(got)) for (got, _), want in zip(found, wanted))
    latencies = 1000 * np.concatenate([times for _, times in found])
    seconds = max(len(samples) for samples in said) / RATE
    return (
        f"| {count} streams in real time | {sum(map(len, wanted))} answers, {lost} lost, {different} different; "
        f"answer after the end of the pause: median {np.median(latencies):.1f}, 99 % within "
        f"{np.quantile(latencies, 0.99):.1f} ms; server {100 * spent / seconds:.0f} % of a core |"
    )


async def asked(port: int, body: bytes, until: float) -> int:
    """How many requests are answered one after the other on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    count = 0
    while time.perf_counter() < until:
        writer.write(head + body)
        told = await reader.readuntil(b"\r\n\r\n")
        if not told.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(told.decode())
        length = int(told.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        count += 1
    writer.close()
    return count


def requests(recognizer: Recognizer, files: Sequence[Path]) -> str:
    """A row: half a second of a word, over and over, the server on one core and the caller on another."""
    samples = next(s for s in (audio.load(file, RATE).samples for file in files) if len(s) >= HALF * RATE)

    async def all_of_them(port: int, body: bytes, seconds: float) -> int:
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(asked(port, body, until) for _ in range(AT_ONCE))))

    own = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder, server([0]) as (port, _):
        audio.save(Path(folder, "half.wav"), samples[: round(HALF * RATE)], RATE)
        body = Path(folder, "half.wav").read_bytes()
        os.sched_setaffinity(0, [1])
        asyncio.run(all_of_them(port, body, 1.0))
        count = asyncio.run(all_of_them(port, body, SECONDS)) / SECONDS
        began = time.process_time()
        many = [Path(folder, "half.wav")] * round(count)
        alone = len(list(recognizer.recognize_files(many))) / (time.process_time() - began)
        os.sched_setaffinity(0, own)
    return (
        f"| `POST /v1/recognize`, {HALF} s of a word, {AT_ONCE} at a time, server on one core | {count:.0f} requests a "
        f"second; `batch` does {alone:.0f} such files in a second of a core, so {count / alone:.2f} times that |"
    )


def an_hour(files: Sequence[Path]) -> str:
    """A row: streams as fast as they are heard, each new one in the place of one that has ended or was torn off."""
    random = np.random.default_rng(0)
    sizes: list[float] = []

    async def come_and_go(port: int, share: float, process: int) -> None:
        done = 0.0
        while done < share:
            samples = spoken(random.choice(files, 5), int(random.integers(1 << 30)))
            async with connect(f"ws://127.0.0.1:{port}/v1/stream?rate={RATE}") as line:
                for piece in np.array_split(samples, 20):
                    await line.send(piece.astype("<i2").tobytes())
                if random.random() < 0.5:
                    await line.send('{"command": "finish"}')
                    async for _ in line:
                        pass
            done += len(samples) / RATE
            sizes.append(resident(process))

    async def all_of_them(port: int, process: int) -> None:
        await asyncio.gather(*(come_and_go(port, HOUR / COMING, process) for _ in range(COMING)))

    with server() as (port, process):
        asyncio.run(all_of_them(port, process))
    tenth = len(sizes) // 10
    growth = np.median(sizes[-tenth:]) - np.median(sizes[tenth : 2 * tenth])
    return (
        f"| an hour of sound in {len(sizes)} streams, half of them torn off | memory grows by {growth:.1f} MB after "
        f"the first tenth; {max(sizes):.0f} MB at most |"
    )


def visits() -> str:
    """A row: the page, each time by a browser that has nothing of it."""
    bytes_, times = [], []
    with server() as (port, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(VISITS + 1):
            context = browser.new_context(locale="en-US")
            page = context.new_page()
            wire = context.new_cdp_session(page)
            wire.send("Network.enable")
            loaded: list[int] = []
            wire.on("Network.loadingFinished", lambda told, loaded=loaded: loaded.append(told["encodedDataLength"]))
            page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
            times.append(page.evaluate(READY) / 1000)
            page.wait_for_load_state("networkidle")
            bytes_.append(sum(loaded))
            context.close()
        browser.close()
    return (
        f"| the page, {VISITS} visits by a browser that has nothing of it | {max(bytes_) / 1000:.0f} kB over the wire, "
        f"answers of the service included; to the button {np.median(times[1:]):.2f} s, at most {max(times[1:]):.2f} s |"
    )


def cpu(process: int) -> float:
    """Seconds that a process has worked."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process: int) -> float:
    """Memory of a process, MB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="fsdd: https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0)"
    )
    parser.add_argument("folder", type=Path, help="holds the corpus fsdd")
    files = [take.path for take in load(parser.parse_args().folder / "fsdd")]
    recognizer = Recognizer.load("digits")
    measurements = (
        visits,
        lambda: requests(recognizer, files),
        *(lambda count=count: in_real_time(recognizer, files, count) for count in MANY),
        lambda: an_hour(files),
    )
    table = measured(measure() for measure in measurements)
    write_results(
        Path(__file__),
        "The server under load",
        "python recipes/serve/run.py FOLDER",
        table,
        "Two cores, which callers and server share. An answer is different if its word, its confidence or its times\n"
        "are not those of a session that is alone.",
    )
