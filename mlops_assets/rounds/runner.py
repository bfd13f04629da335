"""Executes jobs in this process, with news of every step for whoever listens."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg

from mlops_assets.alerts.failures import reason_of
from mlops_assets.catalog.names import step_of
from mlops_assets.catalog.run_tags import MAX_RETRIES, PROCESS, REPOSITORY_LABEL, range_tags
from mlops_assets.errors import ExitCode, MlopsAssetsError
from mlops_assets.resources.instance import REPOSITORY, code_location, list_with_others
from mlops_assets.resources.refusals import refusal
from mlops_assets.rounds.processes import this_process
from mlops_assets.stages.deliver import NoChampionError

_FOLLOWS = "Dependencies for step "
"""So Dagster says of each step after one that failed that it is left out; the failure itself is told."""


class RunFailedError(MlopsAssetsError, RuntimeError):
    """A Dagster run failed; the message says in which asset and why."""


class UndeliveredError(RunFailedError):
    """Nothing was forecast, for only a champion may forecast (`deliver: champion_only`) and there is none that can."""

    exit_code: ClassVar[int] = ExitCode.NOT_ALLOWED


class InterruptedRunError(MlopsAssetsError, RuntimeError):
    """A step was told to end, by a signal: so is the whole command."""


class StepBugError(RuntimeError):
    """A step of a run raised what nobody expected: a bug. The step's trace follows the first line of the message."""


@dataclass(frozen=True)
class Step:
    """News of a run: an asset's step is `planned`, has `started`, is `done`, has `failed`, or has a `warning`.

    `seconds` are those that a step took that is done, and those that a planned one takes, about.
    """

    job: str
    asset: str
    state: str
    seconds: float | None = None
    message: str = ""


Listener = Callable[[Step], None]


class Runner:
    """Executes jobs in this process and tells a listener of every step."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance, listen: Listener) -> None:
        @dg.logger(config_schema={})
        def steps(_: dg.InitLoggerContext) -> logging.Logger:
            logger = logging.Logger("mlops_assets.steps", logging.DEBUG)
            logger.addHandler(_StepHandler(listen))
            return logger

        # Not the step that asks all checks: Dagster adds it wherever assets are chosen, and the round's last asset has
        # told what came of them.
        self.definitions = dg.Definitions(
            assets=definitions.assets,
            jobs=definitions.jobs,
            # Dagster's own, which it opens whether or not anything is stored by it, imports packages of file systems.
            resources={"io_manager": dg.mem_io_manager, **(definitions.resources or {})},
            executor=definitions.executor,
            loggers={"steps": steps},
        )
        self.instance, self.location = instance, code_location(Path.cwd())

    def __call__(
        self,
        job: str,
        keys: Sequence[str] | None = None,
        selection: Sequence[dg.AssetKey] | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Execute a job, or some assets of it, for a partition or a range of them.

        Raises:
            RunFailedError: it failed, for a reason that a person can act on.
            InterruptedRunError: the process was told to end.
            StepBugError: it failed by a bug.
        """
        # Nobody but its command can make it again.
        every = {PROCESS: this_process(), MAX_RETRIES: "0", **(tags or {})}
        every |= {REPOSITORY_LABEL: f"{REPOSITORY}@{self.location}"}
        one = keys[0] if keys and keys[0] == keys[-1] else None
        if keys and one is None:
            every |= range_tags(keys[0], keys[-1])
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config={**(config or {}), "loggers": {"steps": {}}},
            partition_key=one,
            asset_selection=selection,
            tags=every,
            raise_on_error=False,
        )
        list_with_others(self.instance, result.run_id, self.location)
        if not result.success:
            raise _failure(result, job)


class _StepHandler(logging.Handler):
    """Turns Dagster's log records into `Step`s."""

    def __init__(self, listen: Listener) -> None:
        super().__init__()
        self.listen = listen

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", None) or {}
        event = meta.get("dagster_event")
        if event is None:
            said = meta.get("orig_message", "")
            if record.levelno >= logging.WARNING and not said.startswith(_FOLLOWS):
                self.listen(
                    Step(
                        meta.get("job_name") or "",
                        step_of(meta.get("step_key")),
                        "warning",
                        message=said,
                    )
                )
            return
        state = {"STEP_START": "started", "STEP_SUCCESS": "done", "STEP_FAILURE": "failed"}.get(event.event_type_value)
        if state is not None:
            seconds = event.step_success_data.duration_ms / 1000 if state == "done" else None
            self.listen(Step(event.job_name, step_of(event.step_key), state, seconds))


def _failure(result: dg.ExecuteInProcessResult, job: str) -> Exception:
    """Return the error of a run that failed, by what its first failed step raised."""
    for event in result.all_events:
        if event.is_step_failure:
            message = f"{step_of(event.step_key)} failed (job {job}, run {result.run_id}): {reason_of(event)}"
            if _is(event, dg.DagsterExecutionInterruptedError):
                return InterruptedRunError(f"{message}; what was stored before is kept: run the same once more")
            trace = _trace_of_bug(event)
            if trace:
                return StepBugError(f"{message}\n{trace}")
            return (UndeliveredError if _is(event, NoChampionError) else RunFailedError)(message)
    return RunFailedError(f"{job} failed (run {result.run_id}); its log in Dagster's UI says why")


def _trace_of_bug(event: dg.DagsterEvent) -> str:
    """Return the trace of what a step raised; empty if it was expected, also as a `dagster.Failure`."""
    data = event.step_failure_data
    raised = data.error.cause or data.error if data.error is not None else None
    if raised is None or data.user_failure_data is not None or raised.cls_name in _names(MlopsAssetsError):
        return ""
    if refusal(raised.message) is not None:
        return ""
    return raised.to_string()


def _is(event: dg.DagsterEvent, kind: type[BaseException]) -> bool:
    """Whether a step raised such an error, also as the cause of a `dagster.Failure`."""
    error = event.step_failure_data.error
    return error is not None and bool({error.cls_name, error.cause and error.cause.cls_name} & _names(kind))


def _names(root: type[BaseException]) -> set[str]:
    return {root.__name__}.union(*(_names(child) for child in root.__subclasses__()))
