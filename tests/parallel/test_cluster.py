"""Workers of a real Dask cluster find what this computer finds, also when they are killed."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import warnings
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from buckets import bucket_with
from computers import computers
from synthetic import SPEAKERS, WORDS, record
from threadpoolctl import threadpool_limits

from recognizer.acoustics.density import KINDS
from recognizer.corpus import find
from recognizer.parallel import cluster as clusters
from recognizer.parallel import tree
from recognizer.parallel.cluster import Cluster, ClusterError
from recognizer.parallel.here import Here
from recognizer.recognizer import Recognizer
from recognizer.training import training, trials
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

def unlucky(log, times, number):
    """Its worker is killed so many times that it is at the third."""
    if number == 3:
        with open(log, "a") as file:
            file.write("+")
            file.flush()
            if file.tell() <= times:
                os._exit(1)
    return number

def wrong(number):
    return 1 / (number - 3)

def aligned(item):
    return item[1].flags.aligned

def together(function, item, _):
    time.sleep(0.01)
    return function(item)
'''


@pytest.fixture(autouse=True, scope="module")
def nothing_left():
    """Dask closes some connections only when nobody holds them any more."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


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
    assert one.fingerprint == other.fingerprint
    assert (one.acoustics.history, one.card) == (other.acoustics.history, other.card)


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


def test_what_cannot_be_read_has_the_name_that_was_given(cluster, built):
    [found] = built.analyser.analyse_files([Path("not-there.wav")], jobs=cluster)
    assert str(found) == "not-there.wav: no such file; check the name"


def test_a_cluster_that_is_not_there_is_told_before_anything_is_looked_at(run, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.5)
    how = ("--output", tmp_path / "a.npz", "--cluster", "tcp://127.0.0.1:1")
    outcome = run("train", tmp_path / "no-such-corpus", *how)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "tcp://127.0.0.1:1: nobody answers there" in outcome.stderr


def test_workers_read_from_a_store(folder, few, built):
    near = [utterance.path for utterance in few]
    with bucket_with(near[0].parent) as far, computers(str(folder), 1) as one, Cluster(one.address) as cluster:
        files = [far / path.name for path in near]
        found = list(Recognizer(built).recognize_files(files, jobs=cluster))
        assert [each.path for each in found] == files
        assert [each.result for each in found] == [each.result for each in Recognizer(built).recognize_files(near)]


def test_of_sums_nothing_stays_on_the_workers(two, cluster):
    held = cluster.hold(list(range(40)))
    for _ in range(2):
        assert cluster.total("adding", float, held, sum) == 780
    known = cluster._client.run_on_scheduler(lambda dask_scheduler: sorted(map(str, dask_scheduler.tasks)))
    for _ in range(50):
        if all(key.startswith("held-") for key in known):
            break
        time.sleep(0.1)
        known = cluster._client.run_on_scheduler(lambda dask_scheduler: sorted(map(str, dask_scheduler.tasks)))
    assert len(known) == 10
    assert all(key.startswith("held-") for key in known)


@pytest.mark.parametrize(("count", "first"), [(1, 2048), (2, 2048), (33, 2048), (700, 2048), (200, 7)])
def test_few_pieces_and_many_are_added_up_in_the_same_order(cluster, monkeypatch, count, first):
    monkeypatch.setattr(tree, "FIRST", first)
    numbers = [0.1 * number for number in range(count)]
    assert cluster.total("adding", float, numbers, sum) == Here().total("adding", float, numbers, sum)


def test_large_items_come_as_they_are(cluster):
    given = [np.arange(300_000.0) + number for number in range(5)]
    assert list(cluster.map("large", np.sum, given)) == [items.sum() for items in given]


def test_arrays_begin_where_arithmetic_is_fast(cluster):
    from slow_work import aligned, together

    items = [(bytes(length), np.arange(1, 9)) for length in range(8)]
    assert cluster.total("adding", aligned, cluster.hold(items), sum) == len(items)
    for item in items:
        assert all(cluster.map("looking", partial(together, aligned, item), range(16)))


def test_what_goes_wrong_where_the_items_come_from_is_told(cluster):
    def items():
        yield -1
        raise OSError(5, "the disk is gone")

    found = cluster.map("squares", abs, items())
    with pytest.raises(OSError, match="the disk is gone"):
        list(found)
    with pytest.raises(OSError, match="unreadable"):
        cluster.total("adding", float, cluster.hold([1], unreadable), sum)


def unreadable(item: object) -> object:
    raise OSError(5, f"{item} is unreadable")


def test_a_client_that_gave_up_connects_again(cluster):
    cluster._client.close()
    assert list(cluster.map("squares", abs, [-1, -2])) == [1, 2]
    cluster._client.close()
    assert cluster.sees([Path(__file__)]) == [Path(__file__)]
    cluster._client.close()
    assert cluster.total("adding", float, [1, 2], sum) == 3


def test_a_worker_has_one_thread(folder):
    with computers(str(folder), 0) as some:
        some.add(threads=2)
        some.ready(1)
        with pytest.raises(ClusterError, match=r"has 2 threads; start it as 2 workers with one thread each"):
            Cluster(some.address)


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


def test_quick_pieces_are_sent_together_and_slow_and_large_ones_one_by_one(cluster, folder, monkeypatch):
    from slow_work import noted

    sent, some = [], clusters._some

    def counted(items, most):
        if together := some(items, most):
            sent.append(len(together))
        return together

    monkeypatch.setattr(clusters, "_some", counted)
    assert list(cluster.map("quick", abs, iter(range(1000)))) == list(range(1000))
    assert sum(sent) == 1000
    assert len(sent) < 100
    sent.clear()
    large = [bytes(2_000_000)] * 6
    assert list(cluster.map("large", len, iter(large))) == [2_000_000] * 6
    assert sent == [1] * 6
    sent.clear()
    assert list(cluster.map("slow", partial(noted, folder / "log", 0.3), iter(range(8)))) == list(range(8))
    assert sent == [1] * 8
    done(folder / "log")


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
    sent, read_in = [], training._read_in
    monkeypatch.setattr(training, "_read_in", lambda chunk: (sent.append(chunk), read_in(chunk))[1])
    build(few, settings=settings_of("continuous"), jobs=cluster)
    once = len(sent)

    def kill(stage: str, *_: object) -> None:
        if stage in ("viterbi", "baum-welch", "held-out test"):
            for _ in two.workers[:]:  # else what is held may be with another
                two.lose()

    there = build(few, settings=settings_of("continuous"), jobs=cluster, progress=kill)[0]
    the_same(here, there)
    assert len(sent) - once >= 2 * once  # what was held was lost more than once


# What cannot be


def test_nobody_answers(monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.5)
    with pytest.raises(ClusterError, match=r"^tcp://127\.0\.0\.1:1: nobody answers there; start a scheduler"):
        Cluster("tcp://127.0.0.1:1")


@pytest.mark.parametrize("address", ["", "here", "10.0.0.5:8786", "tcp://10.0.0.5", "tcp://:x", "http://a:8787"])
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
    monkeypatch.setattr(clusters, "PATIENCE", 3.0)
    from slow_work import deadly, wrong

    with computers(str(folder), 5) as many, Cluster(many.address) as cluster:
        many.ready(5)
        with pytest.raises(ClusterError, match=r"^dying: several workers died one after the other at the same piece"):
            list(cluster.map("dying", deadly, range(5)))
        assert sum(worker.poll() is None for worker in many.workers) == 1, "they are not all killed"
        many.add()
        with pytest.raises(ClusterError, match=r"^failing: a worker failed \(.ZeroDivisionError.*see its terminal$"):
            list(cluster.map("failing", wrong, range(5)))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["map", "total"])
def test_work_whose_workers_were_killed_by_chance_is_done(folder, monkeypatch, how):
    monkeypatch.syspath_prepend(folder)
    from slow_work import unlucky

    deaths, ended = folder / f"deaths-{how}", threading.Event()
    with computers(str(folder), 5) as many, Cluster(many.address) as cluster:
        many.ready(5)

        def replace() -> None:
            while not ended.wait(0.1):
                for worker in [worker for worker in many.workers if worker.poll() is not None]:
                    many.workers.remove(worker)
                    many.add()

        def added(stage: str, times: int) -> int:
            work = partial(unlucky, deaths, times)
            return (
                sum(cluster.map(stage, work, range(5))) if how == "map" else cluster.total(stage, work, range(5), sum)
            )

        replacing = threading.Thread(target=replace)
        replacing.start()
        try:
            assert added("by chance", 4) == 10
            deaths.unlink()
            with pytest.raises(ClusterError, match=r"^deadly: several workers died|is lost again and again; see"):
                added("deadly", 99)
            assert 4 < len(deaths.read_text()) < 99, "it was given out again, and not for ever"
        finally:
            ended.set()
            replacing.join()


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


def test_a_cache_is_of_this_computer(run, few, tmp_path):
    how = ("--cache", tmp_path, "--cluster", "tcp://127.0.0.1:8786", "--output", tmp_path / "a.npz")
    outcome = run("train", few[0].path.parent, *how)
    assert outcome.status == 2
    assert "is for recordings that this computer reads; with --cluster, leave it out" in outcome.stderr


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
