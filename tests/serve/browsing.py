"""The page in a real browser, whose microphone is a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def browser(
    sound: Path | None = None, *, again: bool = False, allowed: bool = True, **context: object
) -> Iterator[BrowserContext]:
    """A browser; its microphone plays a WAV file from when it is opened, once or over and over, or there is none."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        if os.environ.get("RECOGNIZER_BROWSER") == "required":
            pytest.fail("no Chromium")
        pytest.skip("no Chromium; install the package chromium")
    options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    if sound is not None:
        options += [
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={sound}{'' if again else '%noloop'}",
        ]
        options += ["--use-fake-ui-for-media-stream"] * allowed
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=options)
        opened = started.new_context(**{"locale": "en-US", **context})
        yield opened
        started.close()


def is_slip(message: ConsoleMessage) -> bool:
    """Whether it is an error of a script or of the policy: answers that are refusals are told on the page."""
    told = ("Failed to load resource", "WebSocket connection to")
    return message.type == "error" and not message.text.startswith(told)


def visited(context: BrowserContext, address: str) -> Page:
    """The page, loaded; what goes wrong in it, or is refused by its policy, fails the test at the end."""
    page = context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda message: page.wrong.append(message.text) if is_slip(message) else None)
    page.goto(address)
    expect(page.locator("#vocabulary")).not_to_be_empty(timeout=20000)
    return page
