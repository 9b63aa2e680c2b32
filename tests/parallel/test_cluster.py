"""Workers of a real Dask cluster find what this computer finds, also when they are killed."""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from computers import computers
from synthetic import SPEAKERS, WORDS, record
from threadpoolctl import threadpool_limits

from recognizer.acoustics.density import KINDS, arrays_of
from recognizer.corpus import find
from recognizer.parallel import cluster as clusters
from recognizer.parallel.cluster import Cluster, ClusterError
from recognizer.recognizer import Recognizer
from recognizer.training import trials
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings

SLOW = '''
import os, time

def noted(log, seconds, number):
    """The same number, after a while; who did it is written down."""
    with open(log, "a") as file:
        file.write(f"{number} ")
    time.sleep(seconds)
    return float(number)

def deadly(number):
    if number == 3:
        os._exit(1)
    return number

def wrong(number):
    return 1 / (number - 3)
'''


@pytest.fixture(autouse=True)
def one_thread():
    """Of BLAS, as workers and commands have: sums are rounded otherwise by several."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("computers")
    (folder / "slow_work.py").write_text(SLOW)
    return folder


@pytest.fixture(scope="module")
def two(folder):
    with computers(str(folder), 2) as found:
        yield found


@pytest.fixture
def cluster(two, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    two.ready(2)
    with Cluster(two.address) as found:
        yield found


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return find(record(tmp_path_factory.mktemp("few"), WORDS[:3], SPEAKERS[:3], 2))


def the_same(one, other) -> None:
    """Two models, to the last bit."""
    for name, array in arrays_of(one.acoustics.bank).items():
        np.testing.assert_array_equal(getattr(other.acoustics.bank, name), array)
    np.testing.assert_array_equal(one.acoustics.chain.log_stay, other.acoustics.chain.log_stay)
    assert one.acoustics.history == other.acoustics.history
    assert (one.calibration, one.rejection.thresholds, one.card) == (
        other.calibration,
        other.rejection.thresholds,
        other.card,
    )


def settings_of(density: str) -> TrainingSettings:
    return TrainingSettings(3, "skip", density, 2, 8 if KINDS[density].has_codebook else None, max_iterations=3)


@pytest.mark.parametrize(
    "density",
    ["continuous", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("semi-continuous", "discrete"))],
)
def test_a_model_is_the_same(cluster, few, monkeypatch, density):
    monkeypatch.setattr(trials, "FEWEST_TO_CALIBRATE", 4)
    here, there = (build(few, settings=settings_of(density), jobs=jobs)[0] for jobs in (1, cluster))
    the_same(here, there)


def test_stages_have_names_on_the_dashboard(cluster, few):
    build(few, settings=settings_of("continuous"), calibrate=False, jobs=cluster)
    known = cluster._client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.task_prefixes))
    assert {"analysis", "start", "viterbi", "baum-welch"} <= set(known)


def said(transcript) -> tuple:
    """All but how long it took."""
    answers = [(answer.result, answer.start, answer.end) for answer in transcript.answers]
    return transcript.path, answers, transcript.seconds, transcript.error


def test_answers_are_the_same(cluster, few, built, tmp_path):
    files = [utterance.path for utterance in few] + [tmp_path / "not-there.wav"]
    recognizer = Recognizer(built)
    for named in (files, [os.path.relpath(file) for file in files]):
        assert list(recognizer.recognize_files(named, jobs=cluster)) == list(recognizer.recognize_files(named))
        there, here = (list(recognizer.transcribe_files(named, jobs=jobs)) for jobs in (cluster, 1))
        assert list(map(said, there)) == list(map(said, here))
        assert [each.error is None for each in here] == [True] * (len(files) - 1) + [False]
        assert [answer.result for answer in here[0].answers] == [
            answer.result for answer in recognizer.transcribe(named[0])
        ]


@pytest.mark.parametrize("command", ["batch", "transcribe", "evaluate"])
def test_commands_say_the_same(run, two, few, model_file, command):
    corpus = few[0].path.parent
    how = (command, corpus, "--model", model_file, "--csv", "--quiet")
    here, there = run(*how), run(*how, "--cluster", two.address)
    assert (there.status, there.stdout) == (here.status, here.stdout)
    assert here.stdout.count("\n") > 3


def test_training_on_the_command_line(run, two, few, tmp_path):
    how = ("train", few[0].path.parent, "--states", "3", "--mixtures", "2", "--quiet")
    assert run(*how, "--output", tmp_path / "here.npz").status == 0
    assert run(*how, "--output", tmp_path / "there.npz", "--cluster", two.address).status == 0
    assert (tmp_path / "here.npz").read_bytes() == (tmp_path / "there.npz").read_bytes()


# What is lost


def after(seconds: float, what) -> threading.Thread:
    def wait() -> None:
        time.sleep(seconds)
        what()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def done(log: Path) -> list[int]:
    numbers = [int(number) for number in log.read_text().split()]
    log.unlink()
    return numbers


def test_a_worker_that_is_lost_costs_what_it_had(two, cluster, folder):
    from slow_work import noted

    log, numbers = folder / "log", list(range(48))
    held = cluster.hold(numbers)
    for lost in (False, True, False):
        killing = lost and after(1.0, two.lose)
        assert cluster.total("adding", partial(noted, log, 0.1), held, sum) == sum(numbers)
        found = done(log)
        assert set(found) == set(numbers)
        if lost:
            killing.join()
            assert len(numbers) < len(found) <= 1.8 * len(numbers)  # a half that it had, and not all again
        else:
            assert len(found) == len(numbers)
        two.ready(2)


def test_a_scheduler_that_is_lost_is_waited_for(two, cluster, folder):
    from slow_work import noted

    log, numbers = folder / "log", list(range(40))
    held = cluster.hold(numbers)
    killing = after(1.0, two.lose_all)
    assert cluster.total("adding", partial(noted, log, 0.1), held, sum) == sum(numbers)
    killing.join()
    assert len(done(log)) <= 2 * len(numbers)
    killing = after(1.0, two.lose_all)
    assert list(cluster.map("counting", partial(noted, log, 0.1), iter(numbers))) == numbers
    killing.join()
    assert len(done(log)) < 1.5 * len(numbers)  # what was given is not done again


@pytest.mark.slow
def test_workers_killed_in_every_iteration_change_nothing(two, cluster, few, monkeypatch):
    monkeypatch.setattr(trials, "FEWEST_TO_CALIBRATE", 4)
    here = build(few, settings=settings_of("continuous"))[0]
    killed = []

    def kill(stage: str, *_: object) -> None:
        if stage in ("viterbi", "baum-welch", "held-out test"):
            two.lose()
            killed.append(stage)

    there = build(few, settings=settings_of("continuous"), jobs=cluster, progress=kill)[0]
    the_same(here, there)
    assert len(killed) >= sum(map(len, here.acoustics.history.values()))


# What cannot be


def test_nobody_answers(monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.5)
    with pytest.raises(ClusterError, match=r"^tcp://127\.0\.0\.1:1: nobody answers there; start a scheduler"):
        Cluster("tcp://127.0.0.1:1")


@pytest.mark.parametrize("address", ["", "here", "10.0.0.5:8786", "tcp://10.0.0.5", "tcp://:x"])
def test_what_is_no_address(address):
    with pytest.raises(ClusterError, match="is no address of a scheduler; give one such as tcp://"):
        Cluster(address)


def test_a_scheduler_without_workers(folder, monkeypatch):
    monkeypatch.setattr(clusters, "FIRST_WORKER", 0.5)
    monkeypatch.setattr(clusters, "PATIENCE", 3.0)
    with computers(str(folder), 0) as none, pytest.raises(ClusterError, match="has no workers; start some with"):
        Cluster(none.address)


def test_workers_of_another_version(two, monkeypatch):
    real = clusters.version
    monkeypatch.setattr(clusters, "version", lambda name: "0.0.1" if name == "numpy" else real(name))
    monkeypatch.setattr(Cluster, "_found", lambda self, name: self._client.run(real, name, on_error="return"))
    with pytest.raises(ClusterError, match=r"has numpy \S+; install numpy 0\.0\.1 there, as here"):
        Cluster(two.address)


def test_workers_that_lack_the_program(two, monkeypatch):
    monkeypatch.setattr(Cluster, "_found", lambda self, name: {"tcp://10.0.0.6:3": PackageNotFoundError(name)})
    with pytest.raises(ClusterError, match=r"^tcp://10\.0\.0\.6:3 has no recognizer; install recognizer \S+ there$"):
        Cluster(two.address)


def test_workers_without_the_files(cluster, built, tmp_path):
    target = tmp_path / "here.wav"
    target.write_bytes(b"RIFF")
    descriptor = os.dup2(os.open(target, os.O_RDONLY), 777)  # a name that only this process has
    try:
        with pytest.raises(ClusterError, match="has no /dev/fd/777; give recordings in a folder that all computers"):
            Recognizer(built).recognize_files([Path("/dev/fd/777")], jobs=cluster)
    finally:
        os.close(descriptor)


def test_work_that_kills_its_worker_ends_with_a_word(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    from slow_work import deadly, wrong

    with computers(str(folder), 5) as many, Cluster(many.address) as cluster:
        many.ready(5)
        with pytest.raises(ClusterError, match=r"^dying: several workers died one after the other at the same piece"):
            list(cluster.map("dying", deadly, range(5)))
        many.add()
        with pytest.raises(ClusterError, match=r"^failing: a worker failed \(.ZeroDivisionError.*see its terminal$"):
            list(cluster.map("failing", wrong, range(5)))


def test_workers_that_all_leave_are_not_waited_for_for_ever(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(clusters, "AWAITED", 0.5)
    monkeypatch.setattr(clusters, "LOOK", 0.5)
    monkeypatch.setattr(clusters, "FIRST_WORKER", 0.5)
    from slow_work import noted

    with computers(str(folder), 1) as lone, Cluster(lone.address) as cluster:
        leaving = after(1.0, lone.workers[0].kill)
        with pytest.raises(ClusterError, match="has no workers"):
            list(cluster.map("leaving", partial(noted, folder / "left", 0.5), range(9)))
        leaving.join()


def test_jobs_are_of_this_computer(run, few):
    outcome = run("batch", few[0].path, "--jobs", "2", "--cluster", "tcp://127.0.0.1:8786")
    assert outcome.status == 2
    assert "--jobs is for this computer, and --cluster for others; leave one out" in outcome.stderr


def test_it_is_told_who_lacks_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        ClusterError, match=r"a cluster needs Dask; install it with: pip install 'recognizer\[cluster\]'"
    ):
        Cluster("tcp://127.0.0.1:8786")
