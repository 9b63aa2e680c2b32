"""Training for the page: one at a time, in a process of its own that gives way to all others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from recognizer import own_models
from recognizer.corpus import WORD_FOLDER, Utterance, find
from recognizer.errors import RecognizerError, RecognizerWarning
from recognizer.intervals import Proportion
from recognizer.recognizer import Recognizer
from recognizer.serve.engine import ConflictError
from recognizer.training.building import build
from recognizer.training.trials import Progress

NICE = 10  # so much less of the machine than others, where they want it
FOLDS = 3  # of a trial with few recordings
NONE, RUNNING, DONE, FAILED, CANCELLED = "none", "running", "done", "failed", "cancelled"
GONE = "the training ended by itself; is there enough memory?"


class Training:
    """The training that runs, or that ran last."""

    def __init__(self) -> None:
        self._last: _Run | None = None

    def begin(self, corpus: Path, file: Path, instead: bool) -> None:
        """Train on a folder of recordings, and keep the model.

        Parameters
        ----------
        corpus : with a folder for each word
        file : of the model, among the user's own
        instead : whether it may take the place of another

        Raises
        ------
        ConflictError
            if there is a training already.
        """
        if self.told()["state"] == RUNNING:
            raise ConflictError("another training is running; wait for it, or cancel it")
        self._last = _Run(corpus, file, instead)

    def told(self) -> dict:
        """How far it is: the stage, steps done and in all, and seconds that the stage may still take."""
        return {"state": NONE} if self._last is None else self._last.told()

    def cancel(self) -> None:
        """End it, if it runs; a model of that name stays as it was."""
        if self._last is not None:
            self._last.cancel()


class _Run:
    """A training, whose process tells how far it is."""

    def __init__(self, corpus: Path, file: Path, instead: bool) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        self._state = {"state": RUNNING, "words": corpus.name, "model": file.stem, "stage": "begin"}
        self._since = time.monotonic()  # when the present stage began
        self._process = context.Process(target=_train, args=(corpus, file, instead, theirs), daemon=True)
        self._process.start()
        theirs.close()
        threading.Thread(target=self._follow, args=(ours,), daemon=True).start()

    def told(self) -> dict:
        state = dict(self._state)
        if state["state"] == RUNNING and 0 < state.get("done", 0) < state.get("total", 0):
            spent = time.monotonic() - self._since
            state["left"] = round(spent / state["done"] * (state["total"] - state["done"]), 1)
        return state

    def cancel(self) -> None:
        if self._state["state"] == RUNNING:
            self._state = self._state | {"state": CANCELLED}
            self._process.terminate()

    def _follow(self, connection: Connection) -> None:
        """Take what the process tells until it ends."""
        with connection, suppress(EOFError, OSError):
            while True:
                told = connection.recv()
                if self._state["state"] == RUNNING:
                    if told.get("stage") != self._state["stage"]:
                        self._since = time.monotonic()
                    self._state = self._state | told
        self._process.join()
        if self._state["state"] == RUNNING:
            self._state = self._state | {"state": FAILED, "error": GONE}


def _train(corpus: Path, file: Path, instead: bool, connection: Connection) -> None:
    """What the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which ends this
    if hasattr(os, "nice"):
        os.nice(NICE)
    warnings.simplefilter("ignore", RecognizerWarning)

    def progress(stage: str, done: int, total: int, note: str) -> None:
        connection.send({"stage": stage, "done": done, "total": total})

    try:
        utterances = find(corpus, layout=WORD_FOLDER)
        model, refused = build(utterances, card={"data": corpus.name, "licence": None}, progress=progress)
        left_out = {refusal.utterance for refusal in refused}
        tried = model.card["held_out"] or _trial([u for u in utterances if u not in left_out], progress)
        own_models.save(model, file, instead, private=True)
    except RecognizerError as error:
        connection.send({"state": FAILED, "error": str(error)})
    else:
        told = {"trial": tried, "left_out": [refusal.reason for refusal in refused], "recordings": len(utterances)}
        connection.send({"state": DONE, **told})


def _trial(utterances: Sequence[Utterance], progress: Progress) -> dict | None:
    """How many recordings models get right that have not heard them, where these are few; None with single takes."""
    counts: Counter[str] = Counter()
    number = {}
    for utterance in utterances:
        number[utterance], counts[utterance.word] = counts[utterance.word], counts[utterance.word] + 1
    folds = min(FOLDS, *counts.values())
    if folds < 2 or len(counts) < 2:
        return None
    right = []
    for fold in range(folds):
        progress("trial", fold, folds, "")
        heard = [u for u in utterances if number[u] % folds != fold]
        unheard = [u for u in utterances if number[u] % folds == fold]
        model, _ = build(heard, calibrate=False)
        for utterance, found in zip(unheard, Recognizer(model).recognize_files([u.path for u in unheard], threshold=0)):
            right.append(found.result is not None and found.result.word == utterance.word)
    return {**Proportion.counted(right, [None] * len(right)).as_json(), "unseen": "takes"}
