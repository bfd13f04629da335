"""Dagster's run launcher for servers: the code server starts runs, and is asked whether they are still there.

Chosen by `run_launcher` in dagster.yaml. Under Dagster's default launcher a run whose code server was killed stays
STARTED until its longest runtime is over, and nobody makes it again.

A run's process ends when the code server that has started it is gone, for the run is given up and made again then.
"""

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from threading import Thread

from dagster import DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

PATIENCE_SECONDS = 10
"""That a code server has to answer."""
SILENCE_SECONDS = 30 * 60
"""That a code server may be silent: longer than one takes that ends its runs before it is replaced."""
SETTLE_SECONDS = 75
"""Before a run is given up: Dagster's daemon looks once a minute for code servers that have come back, and a run that
fails before it has found one is never made again."""


def end_with(server: BaseProcess, end: "Callable[[], None] | None" = None) -> Thread:
    """Let this process end when the one that has started it does: two processes would execute the same run.

    It is killed: a failure that Dagster hears of while no code server answers is never made good. The launcher finds
    the run lost when one answers again.

    Args:
        server: the process.
        end: what is done then, if not that.
    """

    def watch() -> None:
        wait([server.sentinel])
        (end or _end)()

    watching = Thread(target=watch, name="end with the code server", daemon=True)
    watching.start()
    return watching


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class CheckedRunLauncher(DefaultRunLauncher):
    """Starts runs in the code server, as Dagster's default launcher does, and knows which ones it has lost.

    The code server is to be `dagster api grpc`: it holds its runs itself, and has none after a restart. (`dagster
    code-server start` hands runs to a server that each reload replaces; those of before the reload would be given up.)
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._seen: dict[tuple[str, str], float] = {}

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether Dagster's run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Return whether the code server that started a run still has it.

        One that does not answer may be about to end its runs before it is replaced, so they count as running until
        another answers in its place, or for half an hour. So do runs that no code server has started: those of
        commands.
        """
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "started by no code server")
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=PATIENCE_SECONDS)
        except DagsterUserCodeUnreachableError:
            return self._lost(run, "its code server does not answer", SILENCE_SECONDS)
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            self._seen = {key: since for key, since in self._seen.items() if key[0] != run.run_id}
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return self._lost(
            run, "its code server has been restarted, and with it the run's process is gone", SETTLE_SECONDS
        )

    def _lost(self, run: DagsterRun, why: str, after: float) -> CheckRunHealthResult:
        """Return that a run is lost if that has been seen for so many seconds, and until then that it is running."""
        now = time.monotonic()
        lost = now - self._seen.setdefault((run.run_id, why), now) >= after
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND if lost else WorkerStatus.RUNNING, why)
