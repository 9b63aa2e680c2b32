"""Labelled recordings: where they are, how their names are read, tables that tell of them, and what is wrong there."""

from recognizer.corpus.doubles import conflict, conflicting, same_content
from recognizer.corpus.files import audio_files
from recognizer.corpus.finding import Corpus, find, read_corpus, unknown_files
from recognizer.corpus.layouts import LAYOUT_FILE, WORD_FOLDER, LayoutError, Reading, layout_of
from recognizer.corpus.patterns import Pattern
from recognizer.corpus.tables import rows, weight
from recognizer.corpus.utterance import Utterance

__all__ = [
    "LAYOUT_FILE",
    "WORD_FOLDER",
    "Corpus",
    "LayoutError",
    "Pattern",
    "Reading",
    "Utterance",
    "audio_files",
    "conflict",
    "conflicting",
    "find",
    "layout_of",
    "read_corpus",
    "rows",
    "same_content",
    "unknown_files",
    "weight",
]
