"""How commands end: an expected error is one line and its exit code, a bug a line that names its trace."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.commands.main import main
from mlops_assets.spec import reading

WHO = ("--by", "Ann", "--reason", "looked at it")
ARGUMENTS = {
    "list": (),
    "run": ("demo",),
    "ingest": ("demo",),
    "reingest": ("demo",),
    "migrate-tables": (),
    "approve": ("demo", "1", *WHO),
    "reject": ("demo", "1", *WHO),
    "rollback": ("demo", *WHO),
    "sign": ("demo", "1", "--decision", "approve", *WHO),
    "promote": ("demo", "1", "--from", "staging", *WHO),
    "retention": ("demo",),
    "history": ("demo",),
    "retire": ("demo",),
    "rename": ("old", "demo"),
    "evaluate": ("demo",),
    "explain": ("demo",),
    "forecast": ("demo",),
    "tune": ("demo", "--minutes", "0.1"),
    "status": ("demo",),
    "report": ("demo",),
    "metrics": ("demo",),
    "replay-policy": ("demo",),
    "check": (),
    "quarantine": ("demo",),
    "revisions": ("demo",),
    "certify": ("--forecast", "demo"),
    "jobs": ("state", "demo"),
    "events": ("drain",),
    "external": ("demo",),
    "adjust": ("demo",),
    "show": ("demo", "--item", "shop 0"),
    "export": ("demo",),
    "init": ("sales.csv",),
    "new": ("shop",),
    "serve": ("--port", "0"),
    "dev": (),
    "simulate": ("--spec", "demo"),
}
"""For each command, arguments that are right; a new command stands here or the tests fail."""
OF_FORECASTS = sorted({*main.commands} - {"stand-in", "serve", "dev", "events", "migrate-tables", "init", "new"})
"""All but those that name no forecast: three go on until they are ended, for the others a broken spec is none."""


@pytest.fixture
def call(call, tmp_path, monkeypatch):
    """Call the command line from the sandbox's folder."""
    monkeypatch.chdir(tmp_path)
    return call


def one_line(result) -> str:
    """Return the only line that a command has written on standard error."""
    (line,) = result.stderr.splitlines()
    assert "Traceback" not in result.output
    return line


@pytest.mark.parametrize("command", OF_FORECASTS)
def test_a_wrong_setting_is_one_line_in_every_command(call, monkeypatch, command):
    monkeypatch.setenv("MLOPS_ENV", "stagin")
    result = call(command, *ARGUMENTS[command])
    if command == "check":
        assert result.exit_code == 1
        assert "✗ settings: wrong environment variable: MLOPS_ENV" in result.stdout
        return
    assert result.exit_code == 2
    assert "did you mean 'staging'?" in one_line(result)


@pytest.mark.parametrize("command", OF_FORECASTS)
def test_a_wrong_spec_is_wrong_usage_in_every_command_that_names_it(call, tmp_path, command):
    file = tmp_path / "forecasts" / "demo.yaml"
    file.write_text(file.read_text().replace("horizon: 7", "horizon: 0"))
    result = call(command, *ARGUMENTS[command])
    assert result.exit_code == {"check": 1, "list": 0}.get(command, 2)
    assert "horizon (line" in (result.stdout if command in ("check", "list") else result.stderr)
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", OF_FORECASTS)
def test_a_bug_is_a_line_that_names_its_trace_in_every_command(call, tmp_path, monkeypatch, command):
    def broken(*_):
        return {}["origin"]

    monkeypatch.setattr(reading, "parse_spec", broken)
    result = call(command, *ARGUMENTS[command])
    if command in ("list", "check"):  # there it is a line among the others
        assert result.exit_code == (1 if command == "check" else 0)
        assert "demo.yaml: a bug in reading it: KeyError: 'origin'" in result.stdout
        return
    assert result.exit_code == 1
    said = re.fullmatch(
        rf"mlops-assets: a bug in {command}: KeyError: 'origin' \(the trace is in (\S+); --debug shows it here\)",
        one_line(result),
    )
    assert said is not None
    trace = (tmp_path / said[1]).read_text()
    assert "in broken" in trace
    assert trace.endswith("KeyError: 'origin'\n")


def broken_by(message: str):
    def broken(*_):
        raise RuntimeError(message)

    return broken


def test_a_bug_in_a_step_of_a_round_is_told_as_one_with_the_trace_of_the_step(call, tmp_path, monkeypatch):
    def broken(*_):
        return {}["origin"]

    monkeypatch.setattr("mlops_assets.sources.files.FileReader.read", broken)
    result = call("run", "demo", "--partition", "2024-05-10")
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("mlops-assets:")]
    said = re.fullmatch(
        r"mlops-assets: a bug in run: StepBugError: ingest failed \(job demo_daily, run \S+\): KeyError: 'origin' "
        r"\(the trace is in (\S+); --debug shows it here\)",
        line,
    )
    assert said is not None, line
    assert "in broken" in (tmp_path / said[1]).read_text()


def test_a_folder_that_cannot_be_made_is_one_line(call, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "file" / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "file" / "dagster"))
    result = call("run", "demo")
    assert result.exit_code == 1
    line = one_line(result)
    assert line.startswith(f"mlops-assets: {tmp_path / 'file'}/")
    assert line.endswith("cannot be written or read: Not a directory; see MLOPS_DATA and DAGSTER_HOME")


def test_a_full_disk_in_a_step_of_a_round_is_no_bug(call, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlops_assets.io_managers.filesystems.LocalFolder.put", full)
    result = call("run", "demo", "--partition", "2024-05-10")
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("mlops-assets:")]
    assert line.startswith("mlops-assets: ingest failed (job demo_daily, run ")
    assert "No space left on device" in line


@pytest.mark.process
@pytest.mark.parametrize("command", ["list", "check"])
def test_a_reader_that_has_left_is_no_bug(call, command):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "mlops_assets", command],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_debug_shows_the_trace_and_writes_none(call, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "parse_spec", broken_by("odd"))
    asked = call("--debug", "history", "demo")
    monkeypatch.setenv("MLOPS_DEBUG", "1")
    for result in (asked, call("history", "demo")):
        assert result.exit_code == 1
        assert "in broken" in result.stderr
        assert result.stderr.endswith("mlops-assets: a bug in history: RuntimeError: odd (the trace is above)\n")
    assert not (tmp_path / "data" / "logs").exists()


def test_a_trace_shows_no_secret_and_finds_a_place_where_the_data_folder_has_none(call, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "hunter2planted")
    monkeypatch.setattr(reading, "parse_spec", broken_by("GET https://me:hunter2planted@api?t=hunter2planted"))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "file" / "data"))
    result = call("history", "demo")
    assert result.exit_code == 1
    written = re.search(r"the trace is in (\S+);", result.stderr)
    assert written is not None
    assert "hunter2planted" not in result.stderr + Path(written[1]).read_text()


def test_a_name_that_is_near_none_comes_with_a_command_that_lists_them(call, tmp_path):
    result = call("run", "nothing")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"mlops-assets: no forecast 'nothing' in {tmp_path / 'forecasts'}. There are: demo",
        "  try: mlops-assets list",
    ]


def test_a_file_that_cannot_be_written_is_wrong_usage(call, tmp_path):
    result = call("report", "demo", "--output", str(tmp_path / "nowhere" / "file.html"))
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in one_line(result)


SERVERS = {
    "MLOPS_TABLES": (
        "sql",
        "MLOPS_DATABASE_URL",
        "postgresql://me:hunter2planted@127.0.0.1:9/none",
        "; see MLOPS_DATABASE_URL",
    ),
    "MLOPS_MODELS": ("object_storage", "MLOPS_OBJECT_STORAGE", "s3://bucket/prefix", "; see MLOPS_OBJECT_STORAGE"),
    "MLFLOW_TRACKING_URI": (
        "http://me:hunter2planted@127.0.0.1:9",
        "MLOPS_NOW",
        "2024-06-01",
        "; see MLFLOW_TRACKING_URI",
    ),
}


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        *(("MLOPS_TABLES", name) for name in ("run", "rollback", "history", "report")),
        *(("MLFLOW_TRACKING_URI", name) for name in ("approve", "explain")),
        *((variable, "check") for variable in SERVERS),
    ],
)
def test_a_server_that_does_not_answer_is_one_line_without_a_secret(call, monkeypatch, variable, command):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    value, other, second, message = SERVERS[variable]
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv(other, second)
    result = call(command, *ARGUMENTS[command])
    assert result.exit_code == 1
    assert message in (result.stdout if command == "check" else one_line(result))
    assert "hunter2planted" not in result.output


def test_a_round_delivers_without_mlflow_and_says_so(call, monkeypatch):
    value, now, moment, message = SERVERS["MLFLOW_TRACKING_URI"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", value)
    monkeypatch.setenv(now, moment)
    result = call("run", "demo", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["source"], said["delivered_because"], said["version"]) == ("seasonal_naive", "no_champion", None)
    assert said["advice"] == ["mlops-assets history demo"]
    assert message in result.stderr
    assert "hunter2planted" not in result.output
    assert "rows from 2024-05-31" in call("run", "demo").stdout


@pytest.mark.parametrize("command", sorted({*OF_FORECASTS} - {"check"}))
def test_a_missing_variable_is_one_line_in_every_command(call, monkeypatch, command):
    monkeypatch.setenv("MLOPS_ENV", "staging")
    result = call(command, *ARGUMENTS[command])
    assert result.exit_code == 2
    assert one_line(result).startswith("mlops-assets: missing environment variable: MLOPS_DATABASE_URL, which")


def test_check_tells_a_bug_by_its_type_and_goes_on(call, monkeypatch):
    def broken(*_):
        return {}["origin"]

    monkeypatch.setattr("mlops_assets.tracking.tracking.Tracking.ping", broken)
    result = call("check")
    assert result.exit_code == 1
    assert "✗ mlflow: KeyError: 'origin'" in result.stdout
    assert "✓ dagster" in result.stdout
