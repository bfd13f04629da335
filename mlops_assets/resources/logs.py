"""The log as JSON, an object a line (`MLOPS_LOG_FORMAT=json`), for whoever collects logs."""

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from mlops_assets.resources.secrets import scrub

FACTS = "facts"
"""Name of the attribute of a log record under which more fields of its line stand: `extra={FACTS: {…}}`."""
_OF_DAGSTER = ("run_id", "job_name", "step_key")
_OURS = ("mlops_assets", "uvicorn")
"""Loggers whose ordinary lines are written too; of all others, warnings and errors."""


class JsonFormatter(structlog.stdlib.ProcessorFormatter):
    """Writes a log record as one line of JSON.

    It has `timestamp` (UTC), `level`, `logger` and `event`, the message; `exception` with the trace where there is
    one; of Dagster's records the run, job and step. Secrets are taken out.
    """

    def __init__(self) -> None:
        super().__init__(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _with_facts,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_secrets,
                structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
            ],
        )


def begin() -> None:
    """Write what this process logs, and what Python warns of, to standard error from now on, as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)


def _with_facts(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    record = event["_record"]
    meta = getattr(record, "dagster_meta", None) or {}
    event["event"] = meta.get("orig_message") or event["event"]
    event.update({name: meta[name] for name in _OF_DAGSTER if meta.get(name)})
    event.update(getattr(record, FACTS, {}))
    return event


def _without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {name: scrub(value) if isinstance(value, str) else value for name, value in event.items()}
