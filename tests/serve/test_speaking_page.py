"""The page in a real browser: words through its microphone, what it says when something is lost, and who can use it."""

from __future__ import annotations

import csv
import gzip
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browsing import browser, visited
from playwright.sync_api import Page, expect
from serving import Server, serving, with_pauses

import recognizer.serve
from recognizer.recognizer import Recognizer
from recognizer.sound import audio

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "audio_samples").glob("*.wav"))
PAGE = Path(recognizer.serve.__file__).parent / "page"
RATE = 48000
LEAD = 3.0  # seconds
LANGUAGES = ("en", "de", "zh")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with serving(RECOGNIZER_HOME=str(tmp_path_factory.mktemp("home"))) as started:
        yield started


def said(tmp_path: Path, paths: list[Path]) -> Path:
    """Words with pauses, after as much quiet as the browser may take until it listens."""
    audio.save(tmp_path / "said.wav", np.concatenate([with_pauses([], RATE, LEAD / 2), with_pauses(paths, RATE)]), RATE)
    return tmp_path / "said.wav"


def words_heard(page: Page) -> list[str]:
    """Of the table, in the order in which they were said."""
    return page.locator("#history tbody tr td:nth-child(2)").all_inner_texts()[::-1]


def expect_words(page: Page, count: int, seconds: float) -> None:
    expect(page.locator("#history tbody tr")).to_have_count(count, timeout=1000 * (seconds + 10))


# Words


def spoken_through(server: Server, tmp_path: Path, paths: list[Path]) -> None:
    sound = said(tmp_path, paths)
    with browser(sound) as context:
        page = visited(context, server.address)
        page.click("#listen")
        expect_words(page, len(paths), soundfile.info(sound).duration)
        assert words_heard(page) == [path.name.split("_")[0] for path in paths]
        expect(page.locator("#word")).to_have_text(paths[-1].name.split("_")[0])
        assert page.wrong == []


def test_words_are_heard_through_the_microphone_of_a_browser(server, tmp_path):
    spoken_through(server, tmp_path, SAMPLES[:3])


@pytest.mark.slow
def test_all_samples_are(server, tmp_path):
    spoken_through(server, tmp_path, SAMPLES)


def test_the_model_is_seen_at_work(server, tmp_path):
    digits = Recognizer.load("digits")
    with browser(said(tmp_path, SAMPLES[:1])) as context:
        page = visited(context, server.address)
        page.click("#tab-insight")
        expect(page.locator("#about-insight")).to_contain_text("Say a word")
        page.click("#tab-speak")
        page.click("#listen")
        expect_words(page, 1, 4)
        page.click("#tab-insight")
        expect(page.locator("#along")).to_have_value("eight")
        expect(page.locator("#about-insight")).to_contain_text("The states of “eight”")
        states = page.locator("#rivals tbody tr td:first-child").all_inner_texts()
        assert states.count("silence") <= 2
        assert {state for state in states if state != "silence"} <= {
            str(i) for i in range(1, digits.model.acoustics.states + 1)
        }
        page.select_option("#along", "nine")
        expect(page.locator("#about-insight")).to_contain_text("The states of “nine”")
        assert page.locator("#growth path").count() == 5
        assert page.wrong == []


def test_what_is_chosen_is_what_listens(server, tmp_path):
    with browser(said(tmp_path, SAMPLES[:1])) as context:
        page = visited(context, server.address)
        page.fill("#words", "seven, nine")
        page.select_option("#threshold", "strict")
        with page.expect_websocket() as opened:
            page.click("#listen")
        assert opened.value.url.endswith(f"/v1/stream?model=digits&threshold=strict&words=seven%2C+nine&rate={44100}")
        expect_words(page, 1, 4)
        assert words_heard(page)[0].startswith("\u2013 ")


def test_a_word_that_there_is_not_is_said(server, tmp_path):
    with browser(said(tmp_path, [])) as context:
        page = visited(context, server.address)
        page.fill("#words", "eleven")
        page.click("#listen")
        expect(page.locator("#trouble")).to_contain_text("the model has no word 'eleven'; it has eight")
        expect(page.locator("#listen")).to_have_text("Start listening")


def test_what_was_heard_can_be_played(server, tmp_path):
    with browser(said(tmp_path, SAMPLES[:1])) as context:
        page = visited(context, server.address)
        page.evaluate(
            """() => { window.played = []; const start = AudioBufferSourceNode.prototype.start;
            AudioBufferSourceNode.prototype.start = function () {
                const sound = this.buffer.getChannelData(0);
                played.push([this.buffer.duration, Math.max(...sound)]);
                start.call(this); } }"""
        )
        page.click("#listen")
        expect_words(page, 1, 4)
        page.get_by_role("button", name="Play what was heard at").click()
        ((duration, loudest),) = page.evaluate("played")
        assert 0.3 < duration < 1.2
        assert loudest > 0.1


def test_a_folder_is_measured_and_its_table_saved(server, tmp_path):
    """Right by the names of its folders; what is no sound is left out, and what cannot be read has its line."""
    folder = tmp_path / "=mine"
    for sample in SAMPLES[:6]:
        (folder / sample.name.split("_")[0]).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample, folder / sample.name.split("_")[0])
    shutil.copy(SAMPLES[0], folder / "five" / "really_eight.wav")
    (folder / "nine").mkdir()
    (folder / "nine" / "text.wav").write_text("no sound")
    (folder / "notes.txt").write_text("left out")
    with browser() as context:
        page = visited(context, server.address)
        page.click("#tab-measure")
        expect(page.locator("#card tbody tr")).to_have_count(6)  # five corpora and a trial
        expect(page.locator("#alike tbody tr").first).to_be_visible()
        page.set_input_files("#measured-folder", folder)
        expect(page.locator("#measuring")).to_have_text("8 of 8 recognised; other files left out: 1")
        expect(page.locator("#score")).to_have_text(re.compile(r"^6 of 7 are right .* 85\.7 % \(95 %: 49 to 97 %\)"))
        expect(page.locator("#confusion tbody td.wrong")).to_have_text(["1"])
        with page.expect_download() as saved:
            page.click("#as-csv")
        rows = list(csv.DictReader(saved.value.path().read_text("utf-8-sig").splitlines()))
        assert page.wrong == []
    found = {row["file"].removeprefix("'"): row for row in rows}
    assert all(row["file"].startswith("'=mine/") for row in rows), "no formula for a spreadsheet"
    assert "is not sound" in found["=mine/nine/text.wav"]["error"]
    digits = Recognizer.load("digits")
    for sample in SAMPLES[:6]:
        row = found[f"=mine/{sample.name.split('_')[0]}/{sample.name}"]
        result = digits.recognize(sample)
        assert (row["word"], float(row["confidence"])) == (result.word, round(result.confidence, 4))


# What is lost


def test_a_microphone_that_is_not_there_is_said(server):
    with browser() as context:
        page = visited(context, server.address)
        page.click("#listen")
        expect(page.locator("#trouble")).to_have_text(re.compile("There is no microphone|was not allowed"))
        expect(page.locator("#state")).to_have_text("Not listening.")


def test_a_microphone_that_may_not_be_used_is_said(server, tmp_path):
    with browser(said(tmp_path, []), allowed=False) as context:
        page = visited(context, server.address)
        page.click("#listen")
        expect(page.locator("#trouble")).to_contain_text("was not allowed to use the microphone. Allow it")


def test_a_microphone_that_is_pulled_out_is_said(server, tmp_path):
    with browser(said(tmp_path, SAMPLES[:1])) as context:
        page = visited(context, server.address)
        page.evaluate(
            """() => { const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await get(wanted)); }"""
        )
        page.click("#listen")
        expect(page.locator("#listen")).to_have_text("Stop listening")
        page.evaluate("stream.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
        expect(page.locator("#trouble")).to_contain_text("The microphone is gone. Plug it in again")
        expect(page.locator("#listen")).to_have_text("Start listening")
        page.click("#listen")  # it is there again
        expect(page.locator("#trouble")).to_be_hidden()
        expect_words(page, 1, 5)


def test_a_server_that_is_lost_is_said_and_gone_on_with_when_it_is_back(tmp_path):
    home = {"RECOGNIZER_HOME": str(tmp_path)}
    with browser(said(tmp_path, [*[SAMPLES[0]] * 12])) as context:
        with serving(**home) as first:
            page = visited(context, first.address)
            page.click("#listen")
            expect_words(page, 1, 5)
        expect(page.locator("#trouble")).to_contain_text("The connection to the recognizer is lost. Trying again")
        with serving("--port", first.port, **home):
            expect(page.locator("#trouble")).to_be_hidden(timeout=15000)
            before = len(words_heard(page))
            expect_words(page, before + 1, 15)
            page.click("#listen")
            expect(page.locator("#state")).to_have_text("Not listening.")
            page.click("#listen")
        expect(page.locator("#trouble")).to_contain_text("cannot be reached. Is it still running?", timeout=30000)
        expect(page.locator("#listen")).to_have_text("Start listening")


def test_a_token_is_taken_from_the_address_and_asked_for_without(tmp_path):
    home = {"RECOGNIZER_HOME": str(tmp_path)}
    with serving("--host", "0.0.0.0", **home) as server, browser(said(tmp_path, SAMPLES[:1])) as context:
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        page = visited(context, address)
        assert "token" not in page.url
        page.click("#listen")
        expect_words(page, 1, 5)
        assert page.wrong == []
        other = context.new_page()
        other.goto(address.partition("#")[0])
        expect(other.locator("#trouble")).to_contain_text("A token is needed: open the whole address")


# Who can use it


def test_everybody_can_use_it(server, tmp_path):
    """Axe finds nothing, and nothing is wider than the screen: in each view, with something in it."""
    wrong = []
    with browser(said(tmp_path, SAMPLES[:2]), bypass_csp=True) as context:  # for a rule that watches from within
        page = visited(context, server.address)
        page.click("#listen")
        expect_words(page, 2, 6)
        page.add_script_tag(path=str(files("axe_playwright_python") / "axe.min.js"))
        for scheme, language, width in product(("light", "dark"), LANGUAGES, (390, 1000)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            page.select_option("#language", language)
            expect(page.locator("html")).to_have_attribute("lang", language)
            for tab in page.get_by_role("tab").all():
                tab.click()
                how = tab.get_attribute("id"), scheme, language, width
                found = page.evaluate("axe.run().then(({violations}) => violations)")
                wrong += [(*how, each["id"], node["html"]) for each in found for node in each["nodes"]]
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    wrong.append((*how, "wider than the screen"))
    assert wrong == []


def test_the_keyboard_is_enough(server, tmp_path):
    with browser(said(tmp_path, SAMPLES[:1])) as context:
        page = visited(context, server.address)
        page.focus("#tab-speak")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#tab-insight")).to_be_focused()
        expect(page.locator("#insight")).to_be_visible()
        page.keyboard.press("Home")
        expect(page.locator("#speak")).to_be_visible()
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "listen":
                break
        page.keyboard.press("Enter")
        expect_words(page, 1, 5)


def test_what_is_heard_is_read_out(server):
    with browser() as context:
        page = visited(context, server.address)
        assert page.get_attribute("#answer", "aria-live") == "assertive"
        assert page.get_attribute("#state", "role") == "status"


# What it weighs


def test_it_is_small():
    """Bytes over the wire of all that a visit loads, and no script or style from elsewhere."""
    loaded = [file for file in PAGE.rglob("*") if file.suffix in (".html", ".js", ".css", ".svg")]
    loaded.append(PAGE / "texts" / "en.json")
    assert sum(len(gzip.compress(file.read_bytes())) for file in loaded) < 60_000
    for file in loaded:
        assert not re.search(r"(?:src|href|import|url)\W{1,3}https?:", file.read_text("utf-8"))


def test_it_is_loaded_compressed_and_kept_by_name(server):
    for name in ("", "app.js", "style.css", "texts/de.json", "icon.svg"):
        whole = server.ask(f"/{name}")
        small = server.ask(f"/{name}", Accept_Encoding="gzip")
        assert gzip.decompress(small.body) == whole.body == (PAGE / (name or "index.html")).read_bytes()
        again = server.ask(f"/{name}", If_None_Match=whole.headers["etag"])
        assert (again.status, again.body) == (304, b"")


def test_all_scripts_are_asked_for_at_once():
    """Not one after the other, as each names the next."""
    index = (PAGE / "index.html").read_text("utf-8")
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)">', index)
    in_the_sound_thread = {"blocks.js"}
    assert {*preloaded, "app.js"} == {file.name for file in PAGE.glob("*.js")} - in_the_sound_thread


def test_the_button_waits_for_nothing_from_elsewhere(server):
    with browser() as context:
        page = context.new_page()
        asked = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(server.address)))
        page.goto(server.address)
        expect(page.locator("#listen")).to_have_text("Start listening")
        assert not [url for url in asked if url.startswith("http")]
