"""A voice and own words taught on the page, in a real browser with a made-up microphone."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from browsing import browser, visited
from playwright.sync_api import Page, expect
from synthetic import WORDS, quiet, say, write
from talking import Here, here

from recognizer.live.faults import FAULTS, Attempt
from recognizer.model import Model
from recognizer.serve import pages
from recognizer.sound.quality import Quality
from recognizer.speakers import store

RATE = 48000
PATIENCE = 60_000  # milliseconds
LARGEST = 60_000  # bytes of the whole page in one language, compressed
LANGUAGES = ("en", "de", "zh")


@pytest.fixture
def microphone(tmp_path) -> Callable[[str], Path]:
    """Gives a sound that a microphone repeats: a word and a pause."""

    def speaking(word: str) -> Path:
        sound = np.concatenate([quiet(0.8, RATE), say(word, rate=RATE), quiet(0.8, RATE)])
        return write(tmp_path / "microphone.wav", sound, RATE, "PCM_16")

    return speaking


@contextmanager
def browsed(server: Here, sound: Path, **options: object) -> Iterator[Page]:
    """The page in a browser; what goes wrong in it fails the test."""
    with browser(sound, again=True, **options) as context:
        page = visited(context, server.address)
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.locator("#enroll-model option").first.wait_for(state="attached")
        yield page
        assert page.wrong == []


@pytest.mark.slow
def test_a_voice_is_taught_gone_on_with_used_and_removed(home, model_file, microphone):
    with here(model_file) as server:
        (home / "models").mkdir(parents=True)
        shutil.copy(model_file, home / "models" / "tones.npz")
        with browsed(server, microphone("rise")) as page:
            page.click("#tab-voice")
            page.fill("#enroll-name", "a/b")
            page.select_option("#enroll-model", "tones")
            page.fill("#enroll-words", "rise")
            page.click("#enroll button")
            page.wait_for_selector("#trouble:visible")
            assert "has a '/'" in page.inner_text("#trouble")
            page.fill("#enroll-name", "eve")
            page.fill("#enroll-takes", "4")
            page.click("#enroll button")
            page.wait_for_selector(".verdict.good")
            assert page.inner_text("#voice-lesson .verdict").startswith("✓ rise")
            page.click("#voice-lesson .pause")
            page.wait_for_selector("#enroll:visible")
            before = len(store.takes("eve"))
            assert before >= 1
            expect(page.locator("#voices")).to_contain_text("begin again to go on")
            page.click("#enroll button")
            page.wait_for_selector("#enrolled button")
            assert Counter(take.word for take in store.takes("eve")) == {"rise": 4}
            assert "The model has learned the voice of eve." in page.inner_text("#enrolled")
            page.click("#enrolled button")
            assert (page.input_value("#model"), page.input_value("#speaker")) == ("tones", "eve")
            page.click("#listen")
            expect(page.locator("#word")).to_have_text("rise")
            page.click("#listen")
            page.click("#tab-voice")
            page.get_by_role("button", name="Rename: eve").click()
            page.fill("#question-input", "ada")
            page.click("#question-yes")
            page.get_by_role("button", name="Remove: ada").wait_for()
            with page.expect_download() as download:
                page.get_by_role("button", name="Export: ada").click()
            page.get_by_role("button", name="Remove: ada").click()
            assert "ada" in page.inner_text("#question-text")
            page.keyboard.press("Escape")
            assert store.names() == ["ada"]
            page.get_by_role("button", name="Remove: ada").click()
            page.click("#question-yes")
            page.wait_for_selector("#no-voices:visible")
            assert store.names() == []
            page.set_input_files("#voice-file", download.value.path())
            page.get_by_role("button", name="Use: ada").wait_for()


@pytest.mark.slow
def test_own_words_are_sent_and_said_and_a_model_of_them_recognises(home, model_file, microphone, tmp_path):
    files = [
        write(tmp_path / "sent" / f"{word}_{take}.wav", say(word, take=take), 8000)
        for word in WORDS
        for take in range(3)
        if word != "rise"
    ]
    with here(model_file) as server, browsed(server, microphone("rise"), locale="de-DE") as page:
        page.click("#tab-own")
        page.fill("#words-name", "töne")
        page.fill("#own-words", "fall, hum\npeep\nrise, ride")
        expect(page.locator("#likeness")).to_contain_text("„rise“ und „ride“")
        page.fill("#own-words", "fall, hum\npeep\nrise")
        expect(page.locator("#likeness")).to_be_empty()
        page.click("#vocabulary-form button")
        page.wait_for_selector("#collection:visible")
        assert page.is_disabled("#train-button")
        page.set_input_files("#files", files)
        page.wait_for_selector("#uploading:visible")
        assert page.eval_on_selector_all("#to-upload select", "all => all.map(({ value }) => value)") == [
            word for word in WORDS if word != "rise" for _ in range(3)
        ]
        page.click("#take-in")
        expect(page.locator("#takes .take")).to_have_count(9)
        page.click("#record")
        expect(page.locator("#takes .take")).to_have_count(12)
        page.wait_for_selector("#train-button:visible:enabled")
        assert page.input_value("#model-name") == "töne"
        page.click("#train-button")
        page.wait_for_selector("#result button", timeout=10 * PATIENCE)  # for training gives way to all others
        assert "12 von 12" in page.inner_text("#result")
        assert Model.load(home / "models" / "töne.npz").words == WORDS
        page.click("#result button")
        assert page.input_value("#model") == "töne"
        page.click("#listen")
        expect(page.locator("#word")).to_have_text("rise")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", ["voice", "own"])
def test_a_narrow_screen_shows_all_and_nothing_is_without_a_name(home, model_file, microphone, scheme, tab):
    with here(model_file) as server:
        server.told("/v1/words/mine?words=yes,no", "PUT")
        options = {"viewport": {"width": 390, "height": 800}, "color_scheme": scheme, "locale": "de-DE"}
        with browsed(server, microphone("hum"), **options) as page:
            page.click(f"#tab-{tab}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            unnamed = page.evaluate(
                f"[...document.querySelectorAll('#{tab} :is(button, input, select, textarea)')]"
                ".filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))"
                ".map((e) => e.id)"
            )
            assert unnamed == []


# Texts


def texts(language: str) -> dict:
    return json.loads((pages.FOLDER / "texts" / f"{language}.json").read_text(encoding="utf-8"))


def test_every_language_says_the_same():
    names = {language: set(texts(language)) - {"said"} for language in LANGUAGES}
    assert names["en"] == names["de"] == names["zh"]
    assert set(texts("de")["said"]) == set(texts("zh")["said"])
    for language in ("de", "zh"):
        others = {texts("en")[name]: texts(language)[name] for name in names["en"]}
        for said, own in (texts(language)["said"] | others).items():
            assert set(re.findall(r"{\w+}", own)) <= set(re.findall(r"{\w+}", said))


@pytest.mark.parametrize("language", ["de", "zh"])
def test_what_is_wrong_with_a_take_is_said_in_every_language(language):
    known = [re.sub(r"\\{\w+\\}", ".+?", re.escape(said)) for said in texts(language)["said"]]
    good = Quality(1.0, -3.0, -20.0, -60.0, 0.0, False)
    sounds = {
        "torn": {"torn": True},
        "noise": {"dropped": True},
        "early": {"early": True},
        "incomplete": {"complete": False},
        "short": {"speech": (0, 100)},
        "clipped": {"quality": Quality(1.0, 0.0, -3.0, -60.0, 0.5, False)},
        "quiet": {"quality": Quality(1.0, -50.0, -70.0, -90.0, 0.0, False)},
        "noisy": {"quality": Quality(1.0, -3.0, -20.0, -22.0, 0.0, False)},
    }
    for name, about in sounds.items():
        attempt = Attempt(np.zeros(8000, np.int16), 8000, **({"speech": (0, 8000), "quality": good} | about))
        told = next(found for look in FAULTS if (found := look(attempt)))
        assert any(re.fullmatch(pattern, told) for pattern in known), (name, told)


def test_the_page_is_small():
    files = [path for path in pages.FOLDER.rglob("*") if path.is_file() and path.parent.name != "texts"]
    whole = sum(len(gzip.compress(path.read_bytes())) for path in files)
    assert whole + max(len(gzip.compress(json.dumps(texts(language)).encode())) for language in LANGUAGES) < LARGEST
