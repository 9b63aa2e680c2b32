"""The page that `evaluate --report` writes, in a real browser, from the disk and without a network."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from browsing import browser, is_slip
from playwright.sync_api import Page, expect
from synthetic import record, say, write
from typer.testing import CliRunner

from recognizer.cli import app

CLIPPED = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def report(model_file, tmp_path_factory) -> Path:
    """Of recordings some of which are of another word than their name says."""
    folder = record(tmp_path_factory.mktemp("mixed") / "takes", speakers=["eve", "carl"], takes=2)
    for take in range(3):
        write(folder / f"rise_eve_{90 + take}.wav", say("fall", take=90 + take))
    written = folder.parent / "report"
    command = ["evaluate", folder, "--model", model_file, "--report", written]
    done = CliRunner().invoke(app, list(map(str, command)))
    assert done.exit_code == 0, done.output
    return written


@pytest.fixture(params=["light", "dark"])
def page(request, report) -> Iterator[Page]:
    with browser(color_scheme=request.param, offline=True, viewport={"width": 390, "height": 800}) as context:
        opened = context.new_page()
        wrong = []
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.on("console", lambda message: wrong.append(message.text) if is_slip(message) else None)
        opened.goto((report / "index.html").as_uri())
        yield opened
        assert wrong == []


def test_a_mistake_is_found_heard_and_left_again(page, report):
    mistaken = list(csv.DictReader((report / "mistakes.csv").read_text("utf-8").splitlines()))
    assert len(mistaken) >= 3
    cell = page.get_by_role("button", name="said \u2068“rise”\u2069, heard \u2068“fall”\u2069: 3 recordings")
    cell.focus()
    page.keyboard.press("Enter")
    behind = page.locator("#behind")
    expect(behind).to_be_visible()
    expect(behind.locator("h3")).to_be_focused()
    assert sorted(behind.locator("li bdi").all_inner_texts()) == sorted(
        row["file"] for row in mistaken if (row["word"], row["heard"]) == ("rise", "fall")
    )
    sound = behind.locator("audio").first
    seconds = sound.evaluate(
        """async (sound) => {
            await sound.play();
            if (!(sound.duration > 0)) await new Promise((ready) => { sound.ondurationchange = ready; });
            await new Promise((over) => { sound.onended = over; });
            return sound.currentTime;
        }"""
    )
    assert 0.2 < seconds < 2
    behind.get_by_role("button").click()
    expect(behind).to_be_hidden()
    expect(cell).to_be_focused()


def test_the_worst_files_are_drawn(page):
    pictures = page.locator("#worst img")
    assert pictures.count() >= 3
    for picture in pictures.all():
        assert picture.evaluate("async (picture) => { await picture.decode(); return picture.naturalWidth; }") > 20


def test_it_fits_a_telephone_and_a_screen_reader(page):
    page.locator("button[data-cell]").first.click()
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))  # tags are against the policy
    assert page.evaluate("axe.run().then(({violations}) => violations)") == []
    assert not page.evaluate(CLIPPED)
