"""Names become folders on any system, or are refused with a reason."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.errors import NamingError, RecognizerError
from recognizer.files.naming import LONGEST, checked_name

DEVICES = {"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in range(10))}


@pytest.mark.parametrize(
    "name",
    [
        "anna",
        "Anna Maria",
        "anna_2",
        "jean-luc",
        "o'neill",
        "O\u2019Neill",
        "Łukasz",
        "语音",
        "أحمد",
        "आनंद",
        "conrad",
        "_",
        "7",
        "x.y",
    ],
)
def test_names_of_people_are_taken_as_they_are(name):
    assert checked_name(name) == unicodedata.normalize("NFC", name)


def test_two_ways_to_write_a_letter_are_one():
    assert checked_name("Zoe\u0308") == "Zo\u00eb"


@pytest.mark.parametrize("name", ["", " ", "\t", "\n"])
def test_nothing_is_no_name(name):
    with pytest.raises(NamingError, match=r"^the speaker is empty; write one, such as anna$"):
        checked_name(name, "speaker")


@pytest.mark.parametrize(
    ("name", "character"),
    [
        ("a/b", "/"),
        ("a\\b", "\\"),
        ("../up", "/"),
        ("a:b", ":"),
        ("a*", "*"),
        ("a\0b", "\0"),
        ("a\nb", "\n"),
        ("tab\t", "\t"),
        ("anna😀", "😀"),
        ("a@b", "@"),
        ("~anna", "~"),
        ("$HOME", "$"),
        ("a\u202eb", "\u202e"),
        ("a\u200bb", "\u200b"),
        ("a\udc80b", "\udc80"),
        ("a\u00a0b", "\u00a0"),
    ],
)
def test_what_is_no_text_is_named(name, character):
    with pytest.raises(NamingError) as caught:
        checked_name(name, "speaker")
    assert f"has a {character!r}; use letters, digits, spaces, hyphens and underscores" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", [" anna", "anna ", ".anna", "anna.", "..", ".", "-rf", "'anna"])
def test_ends_that_some_systems_drop_or_hide_are_refused(name):
    with pytest.raises(NamingError, match=r"begins or ends with .*; leave that out"):
        checked_name(name)


@pytest.mark.parametrize("name", [*sorted(DEVICES), "CON", "Nul", "aux.txt", "com1.tar.gz", "COM\u00b9"])
def test_names_of_devices_are_refused(name):
    with pytest.raises(NamingError, match="device on Windows; choose another, such as"):
        checked_name(name)


def test_a_name_may_be_as_long_as_a_file_name_allows_and_no_longer():
    assert checked_name("x" * LONGEST) == "x" * LONGEST
    with pytest.raises(NamingError, match=f"has {LONGEST + 1} bytes; {LONGEST} are the most"):
        checked_name("x" * (LONGEST + 1))
    with pytest.raises(NamingError, match=r"has 81 bytes"):
        checked_name("语" * 27)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_whatever_is_written_is_a_safe_folder_or_one_line_of_reason(text):
    try:
        name = checked_name(text)
    except RecognizerError as error:
        reason = str(error)
        assert reason.isprintable()
        assert "; " in reason
        return
    assert name == checked_name(name), "checking twice changes nothing"
    assert name
    assert not set(name) & set('/\\:*?"<>|@\0\n')
    assert name[0] not in " .-"
    assert name[-1] not in " ."
    assert len(name.encode()) <= LONGEST
    assert name.split(".")[0].lower() not in DEVICES
