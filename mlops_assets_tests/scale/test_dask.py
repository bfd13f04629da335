"""A real cluster of Dask: two worker processes with little memory, killed, replaced, and a scheduler that goes away."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
import psutil
import pytest

from mlops_assets.errors import MissingExtraError, TransientError
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets.resources import meter
from mlops_assets.resources.rows import Span
from mlops_assets.scale import dask_cluster
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.failures import (
    EngineAddressError,
    EngineUnavailableError,
    WorkerLostError,
    WorkerReleaseError,
)
from mlops_assets.scale.shards import apply_by_shard, shards
from mlops_assets_tests.scale import work

pytestmark = pytest.mark.process
KEY = ["demo", "observations"]
MEMORY = 500
"""Megabytes of a worker, half of which it needs for the libraries."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    from dask import config
    from distributed import Client  # noqa: F401  (its defaults come first)

    made = Engine(address=f"dask://local?workers=2&memory={MEMORY}MB")
    with config.set({"distributed.scheduler.allowed-failures": 1}):
        assert list(made.map(work.double, range(5))) == [0, 2, 4, 6, 8]
        yield made
    made.close()


@pytest.fixture(scope="module")
def workers(engine: Engine) -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_nobody_outside_sees_it_and_its_pages_are_not_there(engine, workers):
    ports = [
        one.laddr for process in (psutil.Process(), *workers) for one in process.net_connections("tcp") if not one.raddr
    ]
    assert ports
    assert {one.ip for one in ports} <= {"127.0.0.1", "::1"}
    assert 8787 not in {one.port for one in ports}


def test_a_worker_that_is_merely_full_is_not_paused(engine):
    list(engine.map(work.double, range(4)))
    paused = engine._opened._client.run(lambda dask_worker: dask_worker.memory_manager.memory_pause_fraction)
    assert set(paused.values()) == {False}


def test_what_workers_spent_is_counted(engine):
    with meter.metering() as spent:
        list(engine.map(work.double, range(50)))
    assert 0 < spent.worker_seconds < 5


def test_a_killed_worker_loses_nothing_and_one_killed_ever_again_is_given_up(engine, tmp_path):
    assert list(engine.map(partial(work.deadly, str(tmp_path), 1), range(6))) == list(range(6))
    with pytest.raises(WorkerLostError, match=r"2 workers died of it, .* more memory than the 476.84 MiB of a worker"):
        list(engine.map(partial(work.deadly, str(tmp_path), 9), range(6)))


def test_more_data_than_a_worker_has_memory_are_worked_on_in_parts(engine, tmp_path):
    tables = ObjectTables(base=str(tmp_path))
    ids = np.repeat([f"item {number:05}" for number in range(2000)], 100)
    rain = {f"rain {number}": float(number) for number in range(6)}
    frame = pd.DataFrame({"item_id": ids, "timestamp": pd.Timestamp(0), "target": 1.0, **rain})
    for month in range(20):
        days = pd.date_range("2020-01-01", periods=100) + pd.Timedelta(days=100 * month)
        tables.write(KEY, frame.assign(timestamp=np.tile(days, 2000)), f"{month:02}")
    assert 20 * frame.memory_usage(deep=True).sum() / 1e6 > MEMORY
    parts = shards(tables, KEY, None)
    found = list(apply_by_shard(engine, work.rows_of, parts, str(tmp_path), KEY))
    assert len(found) == 32
    assert sum(rows for rows, _ in found) == 4_000_000
    assert sum(total for _, total in found) == 4_000_000


def test_an_item_that_alone_is_too_large_is_named_with_the_memory_that_there_is(engine):
    giant = Span("all", "all")
    with pytest.raises(WorkerLostError, match=r"item all: .* MiB of a worker; .* lack a column"):
        list(engine.map(partial(work.greedy, 2 * MEMORY), [giant, giant]))


def test_a_worker_of_another_release_or_without_the_package_is_refused(engine):
    client, until = engine._opened._client, time.monotonic() + 60
    while len(engine._opened._workers()) < 2:  # those before have killed some
        assert time.monotonic() < until
        time.sleep(1)
        list(engine.map(work.double, [1]))
    for release, message in (("0.1.0", "has mlops-assets 0.1.0, here is 0.2"), ("", "does not have mlops-assets")):
        client.run(work.without_package, release)
        engine._opened._checked = False
        with pytest.raises(WorkerReleaseError, match=message) as raised:
            list(engine.map(work.double, range(3)))
        assert "pip install mlops-assets==" in raised.value.advice[0]
    client.run(work.without_package, None)
    assert list(engine.map(work.double, range(3))) == [0, 2, 4]


def test_a_cluster_of_ones_own_is_opened_by_its_import_path(engine, monkeypatch):
    monkeypatch.setattr(work, "ADDRESS", engine._opened._client.scheduler.address)
    own = Engine(address="dask://mlops_assets_tests.scale.work:opened")
    assert list(own.map(work.double, range(3))) == [0, 2, 4]
    own.close()
    for place, message in (("no.such:thing", "No module named 'no'"), ("mlops_assets_tests.scale.work:x", "'x'")):
        with pytest.raises(EngineAddressError, match=message):
            list(Engine(address=f"dask://{place}").map(work.double, [1]))
    with pytest.raises(EngineUnavailableError, match="unexpected keyword argument"):
        list(Engine(address="dask://mlops_assets_tests.scale.work:opened?colour=red").map(work.double, [1]))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("dask+ftp://127.0.0.1:9", "unknown address scheme 'ftp'"),
        ("dask+tls://127.0.0.1:9", "no certificates for it; name them in DASK_DISTRIBUTED__COMM__TLS__CA_FILE"),
        ("dask://local?memory=lots", "Could not interpret 'lots'"),
    ],
)
def test_an_address_that_no_scheduler_can_have_is_no_fault_of_the_network(address, message):
    with pytest.raises(EngineAddressError, match=message):
        list(Engine(address=address).map(work.double, [1]))


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"needs the module distributed .*mlops-assets\[dask\]"):
        list(Engine(address="dask://127.0.0.1:9").map(work.double, [1]))


def test_a_scheduler_that_does_not_answer_has_no_worker_or_goes_away_is_said_and_may_be_tried_again(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(dask_cluster, "PATIENCE", 2.0)
    monkeypatch.setattr(dask_cluster, "WORKERLESS", 1.0)
    with pytest.raises(EngineUnavailableError, match="no scheduler of Dask has answered there within 2 s"):
        Engine(address="dask://127.0.0.1:9").ping()

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{arguments[0]}", "--no-dashboard", *arguments[1:]]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)

    file = tmp_path / "scheduler.json"
    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    worker = None
    try:
        until(lambda: file.exists() and file.read_text())
        address = f"dask://{pd.read_json(file, typ='series')['address'].removeprefix('tcp://')}"
        engine = Engine(address=address)
        with pytest.raises(EngineUnavailableError, match="the scheduler has had no worker for 1 s"):
            list(engine.map(work.double, [1]))
        monkeypatch.setattr(dask_cluster, "WORKERLESS", 60.0)
        monkeypatch.setattr(dask_cluster, "PATIENCE", 20.0)
        worker = start("worker", "--scheduler-file", str(file), "--no-nanny", "--nthreads", "1")
        assert engine.ping() == f"{address} answers, and has workers"
        results = engine.map(work.sleepy, range(50))
        assert next(results) == 0
        worker.kill()
        monkeypatch.setattr(dask_cluster, "WORKERLESS", 2.0)
        with pytest.raises(EngineUnavailableError, match="nobody has worked for 2 s: its workers are gone"):
            list(results)
        monkeypatch.setattr(dask_cluster, "WORKERLESS", 60.0)
        worker = start("worker", "--scheduler-file", str(file), "--no-nanny", "--nthreads", "1")
        assert engine.ping() == f"{address} answers, and has workers"
        results = engine.map(work.sleepy, range(50))
        assert next(results) == 0
        os.kill(scheduler.pid, signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises(EngineUnavailableError, match="the scheduler of Dask does not answer any more") as raised:
            list(results)
        assert time.monotonic() - began < 20
        assert isinstance(raised.value, TransientError)
        assert engine._opened is None  # opened anew by the next try
    finally:
        for process in (worker, scheduler):
            if process is not None:
                process.kill()
                process.wait()


def until(true: object, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
