"""Many computers at work, by Dask: a scheduler deals out the work, and its workers do it.

What a worker had done or held that is lost is done or sent again, and nothing else. A scheduler that is lost is waited
for, and what it was at begins anew: of a training, one iteration.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
import secrets
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import count, islice
from pathlib import Path
from typing import Self

from recognizer.errors import RecognizerError, cited, listed, shown
from recognizer.files import is_elsewhere
from recognizer.parallel import tree
from recognizer.parallel.here import keep_freed_memory, listened, said_here

PATIENCE = 10.0  # seconds for somebody to answer at an address
FIRST_WORKER = 60.0  # seconds for a scheduler to have a worker
AWAITED = 600.0  # seconds for a scheduler that was lost, or for any worker, to be back
PIECES = 4  # of a sum at least, for each worker: that it matters less who has one more than what they cost
MOST_HELD = tree.BRANCH**2  # items of a piece, which is sent as a whole; more where there are more than 30,000
SUMS = tree.BRANCH**2  # added up at a time: each time costs milliseconds, whatever it is
AHEAD = 4  # pieces of work that are sent for each worker
SAMPLE = 3  # files, of many, that every worker is asked for
AGAIN = 30  # times in a row that something is lost
DEADLY = 3  # times in a row that Dask gives up what several workers died at, before it is taken for what kills them
TRIED = 12  # times that a piece of a sum is lost with its worker and never done, before that is taken for its doing
LOOK = 5.0  # seconds from one look at whether there are workers to the next
WORTH_SENDING, MOST = 0.15, 64  # seconds; pieces of work that take less are sent together, but so many at most
REACHED = 3.0  # seconds for a worker to be connected to directly
LARGE = 1_000_000  # bytes; what is smaller goes through the scheduler, which can send it again
ADDRESS = re.compile(r"(?:tcp|tls|wss?|ucx)://\S+:\d+")
OURS = (
    "recognizer",
    "numpy",
)  # of which workers must have the same: another rounds differently, or knows not what to do


class ClusterError(RecognizerError):
    """Computers that cannot work together."""


class _LostError(Exception):
    """What was being done, or what it needs, is gone."""


class _DeadlyError(_LostError):
    """Workers died at it, whoever killed them."""


@dataclass
class _Losses:
    """In a row, of what several workers died at, and of whatever else."""

    deadly: int = 0
    others: int = 0


@dataclass
class Held:
    """Items that workers hold.

    Attributes
    ----------
    branches : of the items, each held by one worker
    first : items that are added up at a time, see `tree.total`
    whole : gives of an item one that can be sent
    sent : where, by the number of the branch
    """

    branches: list[Sequence]
    first: int
    whole: Callable
    sent: dict = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.branches)


@dataclass(frozen=True)
class _InOnePiece:
    """What is sent as one piece of bytes.

    Else Dask sends each array on its own, which takes longer where there are many, and puts it anywhere in memory,
    where what is done with it takes longer each time.
    """

    item: object
    size: int = 0  # bytes of it, once it has arrived

    def __reduce__(self) -> tuple:
        return _arrived, (pickle.PickleBuffer(_packed(self.item)),)

    def __sizeof__(self) -> int:
        return self.size  # for Dask, which moves what is small


def _arrived(packed: bytes) -> _InOnePiece:
    return _InOnePiece(_unpacked(packed), len(packed))


class Cluster:
    """See `parallel.Workers`; as a context manager, it takes leave of the cluster.

    Parameters
    ----------
    address : of the scheduler, such as tcp://10.0.0.5:8786

    Raises
    ------
    ClusterError
        if nobody answers there, no worker comes, or one has other versions than this computer.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed  # noqa: F401
        except ModuleNotFoundError as error:
            raise ClusterError(
                "a cluster needs Dask; install it with: pip install 'recognizer[cluster]', here and on its computers"
            ) from error
        for name in list(logging.root.manager.loggerDict):
            if name.partition(".")[0] == "distributed":
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what matters is told in one line
        if not ADDRESS.fullmatch(address):
            raise ClusterError(f"{shown(address)} is no address of a scheduler; give one such as tcp://10.0.0.5:8786")
        self.address, self._client, self._direct, self._workers = address, None, False, 1
        self._connect(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take leave."""
        with suppress(Exception):
            self._client.close(timeout=PATIENCE)

    def sees(self, paths: Sequence[Path]) -> list[Path]:
        """The paths of files as workers find them, which are asked for some of those that this computer has.

        Raises
        ------
        ClusterError
            if one has not.
        """
        paths = [path if is_elsewhere(path) else Path(os.path.abspath(path)) for path in paths]
        here = [path for path in paths[:: max(1, len(paths) // SAMPLE)] if path.exists()]
        if not here:
            return paths
        # Those that cannot be reached are left out.
        told = self._asked(lambda: self._client.run(_missing, here, on_error="ignore"))
        for worker, missing in told.items():
            if missing:
                raise ClusterError(
                    f"{worker} has no {shown(missing[0])}; give recordings in a folder that all computers have under "
                    "the same name, or an address such as s3://bucket/folder"
                )
        return paths

    def _asked(self, ask: Callable) -> object:
        """What the client says, be it lost meanwhile."""
        losses = _Losses()
        while True:
            try:
                with self._losing():
                    return ask()
            except _LostError as error:
                self._recover(losses, error)

    def map(self, stage: str, function: Callable, items: Iterable) -> Iterator:
        name, shared, losses, size = _name(stage), {}, _Losses(), 1
        items, numbers, waiting, sent = iter(items), count(), {}, {}  # what is not done yet, and where it is being done
        looked, ahead = -LOOK, 0
        while True:
            try:
                if time.monotonic() > looked + LOOK:
                    with self._losing():
                        looked, ahead = time.monotonic(), AHEAD * max(1, len(self._client.nthreads()))
                while len(waiting) < ahead and (together := _some(items, size)):
                    waiting[next(numbers)] = together
                if not waiting:
                    return
                with self._losing():
                    work = self._shared(shared, name, function)
                    for number in waiting:
                        if number not in sent:
                            together, key = self._sent(waiting[number]), (name, number, secrets.token_hex(4))
                            sent[number] = self._client.submit(_call_each, work, together, key=key)
                first = next(iter(waiting))
                found, seconds = _unpacked(self._result(sent[first], stage))
            except _LostError as error:
                self._recover(losses, error)
                sent.clear()
                shared.clear()
                continue
            del sent[first]
            losses = _Losses()
            if len(waiting.pop(first)) == size and seconds < WORTH_SENDING:
                size = min(2 * size, MOST)
            elif seconds > 2 * WORTH_SENDING:
                size = max(1, size // 2)
            yield from map(said_here, found)

    def hold(self, items: Sequence, whole: Callable = lambda item: item) -> Held:
        workers = len(self._asked(lambda: self._client.nthreads()))
        size = tree.subtree(len(items), max(PIECES * workers, -(-len(items) // MOST_HELD), 1))
        return Held(tree.branches(items, size), tree.width(len(items)), whole)

    def total(self, stage: str, function: Callable, held: Held | Sequence, add: Callable[[Sequence], object]) -> object:
        held = held if isinstance(held, Held) else self.hold(held)
        if not len(held):
            return None
        name, shared, nodes, lost, losses, before = _name(stage), {}, {}, Counter(), _Losses(), 0
        while True:
            try:
                top = self._planted(name, shared, (function, add, held.first), held, nodes)
                return said_here(self._result(top, stage))
            except _LostError as error:
                done = sum(node.status == "finished" for node in nodes.values())
                losses, before = _Losses() if done > before else losses, done
                # What holds a piece dies with it, so that Dask never counts who died at it.
                for leaf in [key for key in nodes if key[0] == name]:
                    if nodes[leaf].status == "finished":
                        del lost[leaf]
                    elif not self._stands(nodes[leaf]):
                        del nodes[leaf]
                        lost[leaf] += 1
                if max(lost.values(), default=0) >= TRIED:
                    raise ClusterError(_deadly(stage)) from error
                self._recover(losses, error)
                if isinstance(error, _DeadlyError):  # nor is it known what became of the rest
                    shared, nodes = {}, {key: node for key, node in nodes.items() if node.status == "finished"}

    def _sent(self, together: list[bytes]) -> object:
        """Items, or where they are on a worker."""
        if sum(map(len, together)) < LARGE:
            return together
        return self._client.scatter([together], hash=False, direct=self._direct)[0]

    def _planted(self, name: str, shared: dict, work: tuple, held: Held, nodes: dict) -> object:
        """The top of a tree that the cluster adds up; what stands of it already is left as it is.

        Parameters
        ----------
        work : the function of each item, what adds up, and how many items at a time
        """
        with self._losing():
            there = self._shared(shared, name, work)
        for number, branch in enumerate(held.branches):
            if not self._stands(held.sent.get(number)):
                key, whole = f"held-{secrets.token_hex(4)}", _InOnePiece(list(map(held.whole, branch)))
                with self._losing():
                    [held.sent[number]] = self._client.scatter({key: whole}, direct=self._direct).values()
                self._node(nodes, (name, number), _sum_held, there, held.sent[number])  # while the next is sent
        leaves = [(name, number) for number in range(len(held))]
        if missing := [leaf for leaf in leaves if not self._stands(nodes.get(leaf))]:
            given = [there] * len(missing), [held.sent[number] for _, number in missing]
            keys = [(*leaf, secrets.token_hex(4)) for leaf in missing]
            with self._losing():  # all at once, which takes the scheduler less time
                nodes.update(zip(missing, self._client.map(_sum_held, *given, key=keys)))
        level = [nodes[leaf] for leaf in leaves]
        height = 0
        while len(level) > 1:
            height += 1
            level = [
                self._node(nodes, (f"{name}-sum", height, number), _sum_sums, there, *together)
                for number, together in enumerate(tree.branches(level, SUMS))
            ]
        return level[0]

    def _node(self, nodes: dict, key: tuple, call: Callable, *arguments: object) -> object:
        """What is being done under a key, begun if it was not, or is lost."""
        if not self._stands(nodes.get(key)):
            again = secrets.token_hex(4)  # what was lost under a name stays lost under it
            with self._losing():
                nodes[key] = self._client.submit(call, *arguments, key=(*key, again))
        return nodes[key]

    def _stands(self, future: object) -> bool:
        """Whether something is there, or being done."""
        return future is not None and future.client is self._client and future.status in ("pending", "finished")

    def _shared(self, shared: dict, name: str, work: object) -> object:
        """Functions, with all that is bound to them, on every worker."""
        if not self._stands(shared.get(name)):
            key = f"{name}-what-{secrets.token_hex(4)}"
            whole = _InOnePiece((_versions(), work))
            [shared[name]] = self._client.scatter({key: whole}, broadcast=True).values()
        return shared[name]

    def _result(self, future: object, stage: str) -> object:
        """What was found.

        Raises
        ------
        ClusterError, or the worker's own
            if the work failed.
        _LostError
            if it is lost.
        """
        from distributed import KilledWorker

        try:
            self._wait_for(future)
            return self._client.gather(future, direct=self._direct)
        except ClusterError:
            raise
        except Exception as error:
            if future.status != "error":
                raise _LostError from error
            if isinstance(error, RecognizerError):
                raise
            if isinstance(error, KilledWorker):
                raise _DeadlyError(_deadly(stage)) from error
            raise ClusterError(f"{stage}: a worker failed ({cited(repr(error))}); see its terminal") from error

    def _wait_for(self, future: object) -> None:
        """Wait until it is done, as long as there is somebody who might do it."""
        deserted = None
        while True:
            with suppress(TimeoutError):
                future.exception(timeout=LOOK)
            if future.status != "pending":
                return
            with self._losing():
                workers = self._client.nthreads()
            now = time.monotonic()
            deserted = None if workers else deserted or now
            if deserted and now - deserted > AWAITED:
                raise ClusterError(f"{shown(self.address)}: has no workers any more; start some, and begin again")

    @contextmanager
    def _losing(self) -> Iterator[None]:
        """Nothing but calls of the client; whatever goes wrong with one, the connection is lost."""
        try:
            if self._client.status != "running":
                raise _LostError(self._client.status)
            yield
        except (RecognizerError, _LostError):
            raise
        except Exception as error:
            raise _LostError from error

    def _recover(self, losses: _Losses, error: _LostError) -> None:
        """Be connected again, once more."""
        if isinstance(error, _DeadlyError):
            losses.deadly += 1
            if losses.deadly >= DEADLY or not self._replaced():
                raise ClusterError(str(error)) from error
        else:
            losses.others += 1
            if losses.others > AGAIN:
                lost = f"{self.address}: is lost again and again; see the terminals of its workers"
                raise ClusterError(lost) from error
        with suppress(Exception):  # whatever it says, it is connected anew
            if self._client.status == "running":
                self._client.sync(self._client.scheduler.identity, callback_timeout=PATIENCE)
                if self._client.nthreads():
                    self._direct = self._reaches()
                    return
        self.close()
        self._connect(AWAITED)

    def _replaced(self) -> bool:
        """Whether others came for workers that died: else what kills them would have them all."""
        with suppress(Exception):
            self._client.wait_for_workers(self._workers, timeout=PATIENCE)
            return True
        return False

    def _connect(self, patience: float) -> None:
        end = time.monotonic() + patience
        while True:
            try:
                self._greet(max(FIRST_WORKER, end - time.monotonic()))
                return
            except ClusterError:
                self.close()
                raise
            except (ImportError, TypeError, ValueError) as error:
                raise ClusterError(
                    f"{shown(self.address)}: no connection of this kind ({error}); give an address such as "
                    "tcp://10.0.0.5:8786"
                ) from error
            except Exception as error:
                self.close()
                if time.monotonic() >= end:
                    raise ClusterError(
                        f"{shown(self.address)}: nobody answers there; start a scheduler with: dask scheduler, or "
                        "correct the address"
                    ) from error
                time.sleep(0.5)

    def _greet(self, patience: float) -> None:
        """Connect, and see who is there."""
        from distributed import Client

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which are compared below
            self._client = Client(self.address, timeout=PATIENCE, set_as_default=False)
        try:
            self._client.wait_for_workers(1, timeout=patience)
        except TimeoutError as error:
            raise ClusterError(
                f"{shown(self.address)}: has no workers; start some with: dask worker {self.address}, each with one "
                "thread"
            ) from error
        self._direct, threads_of = self._reaches(), self._client.nthreads()
        self._workers = len(threads_of)
        for worker, threads in threads_of.items():
            _check_threads(worker, threads)
        for name in OURS:
            for worker, found in self._found(name).items():
                if isinstance(found, PackageNotFoundError):
                    raise ClusterError(f"{worker} has no {name}; install {name} {version(name)} there")
                if isinstance(found, str):  # else it cannot be reached, and Dask will notice
                    _check(worker, {name: found}, {name: version(name)})

    def _reaches(self) -> bool:
        """Whether all workers can be told and asked directly, which spares the scheduler all features."""
        from dask import config

        with suppress(Exception), config.set({"distributed.comm.timeouts.connect": f"{REACHED} s"}):
            for worker in self._client.nthreads():
                there = self._client.scatter(1, workers=[worker], hash=False, direct=True)
                if self._client.gather(there, direct=True) != 1:
                    return False
            return True
        return False

    def _found(self, name: str) -> dict[str, str | Exception]:
        """The version of a package, by worker."""
        return self._client.run(version, name, on_error="return")


def _deadly(stage: str) -> str:
    return (
        f"{stage}: several workers died one after the other at the same piece of work; they may lack memory: give each "
        "more, or start fewer"
    )


def _packed(item: object) -> bytes:
    # It knows what a user's own program defines, for which it searches all it makes: arrays are kept apart from that.
    from distributed.protocol.pickle import dumps

    arrays: list[pickle.PickleBuffer] = []
    rest = dumps(item, buffer_callback=arrays.append)
    return pickle.dumps((rest, arrays), protocol=5)


def _unpacked(packed: bytes) -> object:
    """It, with arrays in memory of their own."""
    rest, arrays = pickle.loads(packed)
    return pickle.loads(rest, buffers=arrays)


def _some(items: Iterator, most: int) -> list[bytes]:
    """The next items, so many or less that are large together."""
    together, size = [], 0
    for item in map(_packed, islice(items, most)):
        together.append(item)
        size += len(item)
        if size >= LARGE:
            break
    return together


def _name(stage: str) -> str:
    """Under which the dashboard shows a stage, and nothing else is known."""
    return f"{stage.replace(' ', '_')}-{secrets.token_hex(4)}"


@cache  # of packages that are imported already, and looked for in files each time
def _versions() -> dict[str, str]:
    return {name: version(name) for name in OURS}


def _check(worker: str, own: dict[str, str], wanted: dict[str, str]) -> None:
    if other := [f"{name} {own[name]}" for name in own if own[name] != wanted[name]]:
        right = [f"{name} {wanted[name]}" for name in own if own[name] != wanted[name]]
        raise ClusterError(f"{worker} has {listed(other)}; install {listed(right)} there, as here")


def _check_threads(worker: str, threads: int) -> None:
    """Refuse one with several: what Python warns of cannot be told apart by thread."""
    if threads > 1:
        raise ClusterError(f"{worker} has {threads} threads; start it as {threads} workers with one thread each")


def _call_each(shared: _InOnePiece, items: Sequence[bytes]) -> bytes:
    """On a worker: what is shared, of each of what is sent; and how many seconds that took."""
    began, function = time.monotonic(), _fitting(shared)
    found = [listened(function, _unpacked(item)) for item in items]
    return _packed((found, time.monotonic() - began))


def _sum_held(shared: _InOnePiece, branch: _InOnePiece) -> tuple:
    """On a worker: the sum over what it holds."""
    function, add, first = _fitting(shared)
    return listened(tree.total, map(function, branch.item), add, first)


def _sum_sums(shared: _InOnePiece, *outcomes: tuple) -> tuple:
    """On a worker: the sum of sums, each with the warnings that were heard there."""
    _, add, _ = _fitting(shared)
    return listened(tree.total, map(said_here, outcomes), add)


def _fitting(shared: _InOnePiece) -> object:
    """What is shared, if this worker can do it."""
    from distributed import get_worker

    (wanted, work), worker = shared.item, get_worker()
    _check(worker.address, _versions(), wanted)
    _check_threads(worker.address, worker.state.nthreads)
    keep_freed_memory()
    return work


def _missing(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if not os.path.exists(path)]
