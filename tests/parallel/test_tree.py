"""Sums are added up in a tree that depends on nothing but the number of its leaves."""

from __future__ import annotations

import gc
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from enumerating import thorough
from hypothesis import given
from hypothesis import strategies as st

from recognizer.parallel import tree, workers_of
from recognizer.parallel.here import Here, WorkerError
from recognizer.parallel.tree import BRANCH, branches, subtree, total, width


def bracketed(parts):
    """What is added to what."""
    return parts[0] if len(parts) == 1 else f"({' '.join(parts)})"


def by_levels(leaves):
    """The same tree, made level by level, as who has all leaves at once would."""
    parts = [bracketed(branch) for branch in branches(leaves, width(len(leaves)))]
    while len(parts) > 1:
        parts = [bracketed(branch) for branch in branches(parts)]
    return parts[0]


@thorough
@given(st.integers(1, 5 * BRANCH**3), st.sampled_from([2, 7, tree.FIRST]))
def test_leaves_that_come_one_by_one_make_the_tree_of_all(count, first):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "FIRST", first)
        leaves = [str(number) for number in range(count)]
        assert total(iter(leaves), bracketed, width(count)) == by_levels(leaves)
        assert len(branches(leaves, width(count))) <= first


@thorough
@given(st.integers(1, 5 * BRANCH**3), st.sampled_from([2, 7, tree.FIRST]), st.integers(1, 40))
def test_sums_of_subtrees_make_the_same_tree(count, first, least):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "FIRST", first)
        leaves = [str(number) for number in range(count)]
        parts = branches(leaves, subtree(count, least))
        assert total((total(part, bracketed, width(count)) for part in parts), bracketed) == by_levels(leaves)
        smallest = 1 if width(count) == BRANCH else width(count)
        assert len(parts) >= min(least, len(branches(leaves, smallest)))
        assert len(parts) == 1 or len(branches(parts)) < least, "there are no larger ones"


def test_of_nothing_there_is_no_sum():
    assert total([], sum) is None


@thorough
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_a_sum_is_the_same_whoever_adds_it_up(numbers):
    one, two = (Here(jobs).total("sum", float, numbers, sum) for jobs in (1, 2))
    assert one == two == pytest.approx(sum(numbers), abs=1e-6)


@pytest.mark.parametrize(("count", "first"), [(1, 2048), (2, 2048), (45, 2048), (49, 2048), (700, 2048), (200, 7)])
def test_few_pieces_and_many_are_added_up_in_the_same_order(monkeypatch, count, first):
    monkeypatch.setattr(tree, "FIRST", first)
    numbers = [0.1 * number for number in range(count)]
    assert Here(2).total("sum", float, numbers, sum) == Here(1).total("sum", float, numbers, sum)


def test_what_is_held_is_read_in_and_added_up_as_often_as_one_likes():
    at_work = Here(2)
    held = at_work.hold(range(40), float)
    assert [at_work.total("sum", abs, held, sum) for _ in range(3)] == [780.0] * 3
    assert at_work.total("sum", abs, [], sum) is None


@pytest.mark.parametrize("jobs", [1, 2])
def test_sums_come_with_the_warnings_of_their_pieces(jobs):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert Here(jobs).total("twice", twice, range(9), sum) == 72
    assert [str(each.message) for each in told] == [f"this was {number}" for number in range(9)]


def dying(number):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    "work",
    [
        lambda at_work: at_work.map("dying", dying, range(4)),
        lambda at_work: at_work.total("dying", dying, range(4), sum),
    ],
    ids=["mapped", "added up"],
)
def test_a_process_that_dies_is_told_in_one_line(work):
    with pytest.raises(WorkerError, match="a process died at its work") as caught:
        list(work(Here(2)))
    assert "\n" not in str(caught.value)


def test_what_is_held_takes_no_room_once_it_is_let_go(tmp_path, monkeypatch):
    """Not in the processes that read it, either, which are there for the next work."""
    held = Here(2).hold([bytes(10_000_000 + number) for number in range(8)])
    assert Here(2).total("sizes", len, held, sum) == 80_000_028
    inode = os.fstat(held[0].spool._file.fileno()).st_ino
    assert inode in set(opened()) or not Path("/proc").exists()
    del held
    gc.collect()
    assert inode not in set(opened())


def opened() -> Iterator[int]:
    """The files that processes have open, where the system tells."""
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # closed meanwhile
            yield path.stat().st_ino


def twice(number):
    warnings.warn(f"this was {number}", UserWarning, stacklevel=1)
    return 2 * number


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_mapped_comes_in_order_with_its_warnings(jobs):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert list(Here(jobs).map("twice", twice, iter(range(9)))) == list(range(0, 18, 2))
    assert [str(each.message) for each in told] == [f"this was {number}" for number in range(9)]


def test_few_recordings_are_not_worth_a_process():
    assert workers_of(4, 3) == Here(1)
    assert workers_of(4, 3000) == workers_of(4) == Here(4)
    assert workers_of(Here(3), 1) == Here(3)
