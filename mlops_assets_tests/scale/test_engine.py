"""Engines on this machine: results in order, errors as they were raised, killed processes replaced."""

import os
import pickle
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pytest

from mlops_assets.definitions import build_environment
from mlops_assets.errors import DataError
from mlops_assets.scale import spark_session
from mlops_assets.scale.address import Address
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.failures import EngineAddressError, EngineUnavailableError, WorkerLostError, WorkerReleaseError
from mlops_assets.scale.worker import require_release
from mlops_assets.settings import Settings
from mlops_assets_tests.scale.work import deadly, double, whole


@pytest.fixture(scope="module")
def processes() -> Iterator[Engine]:
    engine = Engine(address="local?workers=2")
    yield engine
    engine.close()


def test_what_is_opened_for_a_run_is_not_opened_to_be_checked():
    assert Engine.at("local?workers=3").ping() == "processes of this machine, at most 3, where a table is large"
    for address in ("dask://local", "dask://mlops_assets_tests.scale.work:opened", "spark://host:7077", "databricks"):
        assert Engine.at(address).ping() == f"{address}, not tried: it is opened by the first step that needs it"


def test_results_come_in_order_and_only_as_they_are_asked_for():
    asked = []

    def noting(number: int) -> int:
        asked.append(number)
        return number

    results = Engine.local().map(noting, range(5))
    assert (next(results), asked) == (0, [0])
    assert list(results) == [1, 2, 3, 4]


def test_processes_answer_as_this_process_does(processes):
    assert list(processes.map(double, range(9))) == list(Engine.local().map(double, range(9)))
    assert list(processes.map(double, [])) == []
    pids = set(processes.map(whole, [0, 1, 2]))
    assert os.getpid() not in pids
    assert next(processes.map(whole, [0])) == os.getpid()  # a single task is not worth another process
    assert next(processes.map(whole, [0, 1], here=True)) == os.getpid()


def test_an_error_of_a_worker_is_raised_here_with_its_traceback(processes):
    results = processes.map(whole, [1, 3])
    next(results)
    with pytest.raises(DataError, match="three is odd") as raised:
        next(results)
    assert raised.value.advice == ("mlops-assets list",)
    assert "in whole" in str(raised.value.__cause__)


def test_a_killed_process_loses_nothing_and_one_killed_ever_again_is_given_up(processes, tmp_path, monkeypatch):
    monkeypatch.setattr("mlops_assets.scale.processes.FAILURES", 1)
    assert list(processes.map(partial(deadly, str(tmp_path), 1), range(6))) == list(range(6))
    with pytest.raises(WorkerLostError, match="2 workers died of it"):
        list(processes.map(partial(deadly, str(tmp_path), 9), range(6)))


@pytest.mark.parametrize(
    ("text", "kind", "place", "options"),
    [
        ("local", "local", "", {}),
        ("local?workers=4", "local", "", {"workers": 4}),
        ("dask://host:8786", "dask", "host:8786", {}),
        ("dask+tls://host:8786", "dask", "host:8786", {}),
        ("dask://local?workers=2&memory=1GiB", "dask", "local", {"workers": 2, "memory": "1GiB"}),
        ("spark://local-cluster[2,1,1024]", "spark", "local-cluster[2,1,1024]", {}),
        ("sc://host:15002", "sc", "host:15002", {}),
        ("databricks", "databricks", "", {}),
    ],
)
def test_an_address_is_read(text, kind, place, options):
    address = Address.of(text)
    assert (address.kind, address.place, address.options) == (kind, place, options)


def test_an_address_may_name_what_opens_a_cluster():
    assert Address.of("dask://coiled:Cluster?n_workers=10").opener == "coiled:Cluster"
    assert Address.of("dask://host:8786").opener == ""


@pytest.mark.parametrize("text", ["", "dsk://host:8786", "dask", "dask://", "databricks://x", "local://here", "spark"])
def test_what_is_no_address_is_refused_with_examples(text):
    with pytest.raises(EngineAddressError, match="it takes an address such as local, "):
        Address.of(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cluster", "MLOPS_ENGINE: found 'cluster'; it takes an address such as local, local?workers=4, dask://"),
        ("local://host", "found 'local://host'; it takes"),
        ("local?workers=0", "workers takes a number from 1 on, found 0"),
        ("local?workers=two", "workers takes a number from 1 on, found 'two'"),
        ("local?workers=[2", "workers takes a number from 1 on, found '[2'"),
        ("local?worker=2", "no option 'worker'; there are: workers"),
        ("dask://local?memory=2", "memory takes a size such as 1GiB, found 2"),
        ("dask://host", "MLOPS_ENGINE=dask://host: a scheduler of Dask has a port, such as dask://host:8786"),
        ("dask://h:x", "there is no module 'h' here to open a cluster, and 'x' is no port"),
        ("dask://127.0.0.1:x", "MLOPS_ENGINE=dask://127.0.0.1:x: a scheduler of Dask has a port"),
        ("spark://host", "MLOPS_ENGINE=spark://host: a master of Spark has a port, such as spark://host:7077"),
    ],
)
def test_a_wrong_address_or_option_is_named_before_there_is_work_for_it(text, message):
    with pytest.raises(EngineAddressError) as raised:
        build_environment(Settings.read({"MLOPS_ENGINE": text}))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("spark://127.0.0.1:9", "127.0.0.1:9"),
        ("spark://127.0.0.1:9,127.0.0.2:9", "127.0.0.1:9"),
        ("sc://127.0.0.1:9/;user_id=me", "127.0.0.1:9"),
        ("sc://127.0.0.1", "127.0.0.1:1"),
    ],
)
def test_spark_is_knocked_at_before_it_tries_for_minutes(text, place, monkeypatch):
    monkeypatch.setattr(spark_session, "_CONNECT", 1)
    with pytest.raises(EngineUnavailableError, match=rf"MLOPS_ENGINE={text}: nothing answers at {place} within 20 s"):
        spark_session._require_answer(Address.of(text))


def test_what_spark_finds_by_itself_is_not_knocked_at():
    for text in ("spark://yarn", "spark://local-cluster[2,1,1024]", "spark://k8s://no.such.host:443"):
        spark_session._require_answer(Address.of(text))


def test_an_executor_of_another_release_says_which_it_has_instead_of_working():
    run = spark_session._on_executor("0.0.1", b"", [b""])
    (answer,) = run(iter([pa.RecordBatch.from_pydict({"id": [0]})]))
    found, where = pickle.loads(answer.column(0)[0].as_py())
    with pytest.raises(WorkerReleaseError, match=rf"the worker .* has mlops-assets {found}, here is 0\.0\.1"):
        require_release(found, where, "0.0.1")
