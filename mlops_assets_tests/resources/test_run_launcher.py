"""The launcher of servers: which runs it takes for lost, asked over real gRPC."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace

import dagster as dg
import grpc
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster._grpc.__generated__.dagster_api_pb2_grpc import DagsterApiServicer, add_DagsterApiServicer_to_server
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value, serialize_value

from mlops_assets.resources import run_launcher
from mlops_assets.resources.run_launcher import CheckedRunLauncher, end_with
from mlops_assets_tests.io_managers.servers import free_port

LAUNCHER = {"module": CheckedRunLauncher.__module__, "class": CheckedRunLauncher.__name__}


class CodeServer(DagsterApiServicer):
    """Answers for the runs that it has, as Dagster's does."""

    def __init__(self, runs: set[str]):
        self.runs = runs

    def CanCancelExecution(self, request, context):
        asked = deserialize_value(request.serialized_can_cancel_execution_request, CanCancelExecutionRequest)
        answer = serialize_value(CanCancelExecutionResult(can_cancel=asked.run_id in self.runs))
        return dagster_api_pb2.CanCancelExecutionReply(serialized_can_cancel_execution_result=answer)


@contextmanager
def serving(runs: set[str]) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(1))
    add_DagsterApiServicer_to_server(CodeServer(runs), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


@pytest.fixture
def instance(tmp_path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"run_launcher": LAUNCHER}) as made:
        yield made


def started(instance: dg.DagsterInstance, port: int | None) -> dg.DagsterRun:
    @dg.job
    def demo_daily() -> None: ...

    tags = {} if port is None else {GRPC_INFO_TAG: json.dumps({"host": "127.0.0.1", "port": port})}
    return instance.create_run_for_job(demo_daily, status=dg.DagsterRunStatus.STARTED, tags=tags)


def test_a_run_that_its_code_server_does_not_have_is_lost_and_one_that_it_has_is_not(instance, monkeypatch):
    launcher, held = instance.run_launcher, set()
    assert launcher.supports_check_run_worker_health
    with serving(held) as port:
        there, gone = started(instance, port), started(instance, port)
        held.add(there.run_id)
        seen = [launcher.check_run_worker_health(run).status for run in (there, gone)]
        assert seen == [WorkerStatus.RUNNING] * 2, "the daemon may not have found the code server yet"
        monkeypatch.setattr(run_launcher, "SETTLE_SECONDS", 0)
        seen = [launcher.check_run_worker_health(run).status for run in (there, gone)]
        assert seen == [WorkerStatus.RUNNING, WorkerStatus.NOT_FOUND]


def test_where_nobody_answers_a_run_counts_as_running_for_as_long_as_a_server_may_be_replaced(instance, monkeypatch):
    launcher, port = instance.run_launcher, free_port()
    alone = started(instance, port)
    assert launcher.check_run_worker_health(alone).status == WorkerStatus.RUNNING
    monkeypatch.setattr(run_launcher, "SILENCE_SECONDS", 0)
    assert launcher.check_run_worker_health(alone).status == WorkerStatus.NOT_FOUND


def test_a_run_of_a_command_is_not_the_launchers(instance):
    assert instance.run_launcher.check_run_worker_health(started(instance, None)).status == WorkerStatus.RUNNING


def test_a_process_ends_when_the_one_that_has_started_it_is_gone():
    reader, writer = os.pipe()
    ended = Event()
    watching = end_with(SimpleNamespace(sentinel=reader), ended.set)  # pyright: ignore[reportArgumentType]
    assert not ended.wait(0.1)
    os.close(writer)
    watching.join(10)
    assert ended.is_set()
    os.close(reader)
