"""Logs as JSON: one object a line, whoever has logged it, and no secret in it."""

import io
import json
import logging
import logging.config
import warnings

import dagster as dg
import pytest

from mlops_assets.resources import logs


@pytest.fixture
def root():
    """The root logger, as it was before afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def lines(root, monkeypatch):
    """Begin to write JSON; returns what was written since."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.begin()
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_a_line_with_its_facts(lines):
    logging.getLogger("mlops_assets.steps").info("%s: done", "forecasts", extra={logs.FACTS: {"seconds": 1.5}})
    logging.getLogger("somebody.else").info("not worth a line")
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == ("forecasts: done", "info", "mlops_assets.steps")
    assert line["seconds"] == 1.5
    assert line["timestamp"].endswith("Z")


def test_a_trace_is_within_its_line_and_secrets_are_not(lines, monkeypatch):
    monkeypatch.setenv("MLOPS_API_TOKEN", "reading-secret-123")
    try:
        raise ValueError("no answer\nof postgresql://anna:pass-word-1@host/db with reading-secret-123")
    except ValueError:
        logging.getLogger("mlops_assets").exception("failed")
    (line,) = lines()
    assert "ValueError: no answer\nof postgresql://***@host" in line["exception"]
    assert "reading-secret-123" not in json.dumps(line)
    assert "pass-word-1" not in json.dumps(line)


def test_warnings_of_python_are_lines_too(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("unusual", UserWarning, stacklevel=1)
    (line,) = lines()
    assert "UserWarning: unusual" in line["event"]
    assert line["level"] == "warning"


def test_dagsters_own_records_say_which_run_and_step(root, tmp_path):
    """As `python_logs` of dagster.yaml sets it up."""
    file = tmp_path / "steps.jsonl"
    handler = {"class": "logging.FileHandler", "filename": str(file), "level": "INFO", "formatter": "json"}
    own = {"handlers": {"json": handler}, "formatters": {"json": {"()": "mlops_assets.resources.logs.JsonFormatter"}}}

    @dg.op
    def step(context):
        context.log.info("learning")

    @dg.job
    def work():
        step()

    with dg.DagsterInstance.ephemeral(settings={"python_logs": {"dagster_handler_config": own}}) as instance:
        result = work.execute_in_process(instance=instance)
    (line,) = [found for found in map(json.loads, file.read_text().splitlines()) if found["event"] == "learning"]
    assert (line["run_id"], line["job_name"], line["step_key"]) == (result.run_id, "work", "step")
