"""What every error of the package must be, asserted where it is provoked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from recognizer.errors import RecognizerError


def refusal(error: type[RecognizerError], call: Callable[[], object], *parts: object) -> str:
    """Expect an error of one line, with these parts and a remedy; its text."""
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    assert text.isprintable(), "an error is one line"
    assert "; " in text, "an error says what to do"
    for part in parts:
        assert str(part) in text
    assert isinstance(caught.value, RecognizerError)
    return text
