"""Metrics on the command line, and its own log as JSON."""

import json
import logging

import pytest


@pytest.fixture
def as_json(monkeypatch):
    """The log is JSON; afterwards the root logger is as it was."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    monkeypatch.setenv("MLOPS_LOG_FORMAT", "json")
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logging.captureWarnings(False)


def test_metrics_of_what_is_declared(call, tmp_path):
    result = call("metrics")
    assert result.exit_code == 0
    assert 'mlops_assets_forecast_state{forecast="demo",state="empty"} 1.0' in result.stdout
    file = tmp_path / "mlops.prom"
    assert call("metrics", "demo", "--output", str(file)).stdout == ""
    assert file.read_text() == result.stdout
    assert [one.name for one in tmp_path.glob("*.prom*")] == ["mlops.prom"]


def test_a_file_that_cannot_be_written_is_wrong_usage(call, tmp_path):
    result = call("metrics", "--output", str(tmp_path / "nowhere" / "mlops.prom"))
    assert result.exit_code == 2
    assert "mlops.prom cannot be written: No such file or directory" in result.stderr


def test_a_broken_spec_is_a_state(call, tmp_path):
    file = tmp_path / "forecasts" / "demo.yaml"
    file.write_text(file.read_text().replace("horizon: 7", "horizon: 0"))
    assert 'mlops_assets_forecast_state{forecast="demo",state="broken"} 1.0' in call("metrics").stdout


@pytest.mark.parametrize(
    ("arguments", "event", "code"),
    [
        (("status", "dem"), "no forecast 'dem'", 2),
        (("status", "--nothing"), "No such option", 2),
        (("run", "demo", "--partition", "1999-01-01"), "has no partition '1999-01-01'", 2),
    ],
)
def test_why_a_command_failed_is_a_line_of_json(as_json, call, arguments, event, code):
    result = call(*arguments)
    assert result.exit_code == code
    last = [json.loads(line) for line in result.stderr.splitlines()][-1]
    assert event in last["event"]
    assert (last["level"], last["exit_code"]) == ("error", code)


def test_a_bug_is_a_line_with_its_trace(as_json, call, monkeypatch):
    monkeypatch.setattr("mlops_assets.analysis.status.status", lambda *_: 1 / 0)
    result = call("status")
    assert result.exit_code == 1
    (line,) = map(json.loads, result.stderr.splitlines())
    assert line["event"] == "a bug in status: ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in line["exception"]
