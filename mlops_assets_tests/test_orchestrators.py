"""What docs/orchestrators names is there: commands, variables, columns, fields of other people's files.

The step that runs outside of Dagster is run here; the DAG in `test_airflow.py`. Data Factory and Databricks cannot be
run: their files are held against the fields that their makers publish, by hand here and with `make test-airflow` by
their own models.
"""

import ast
import importlib.util
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest
import yaml

from mlops_assets.commands.main import main
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.settings import Settings
from mlops_assets_tests.worlds import declare

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "orchestrators"
FILES = sorted(file for file in FOLDER.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
PIPELINE = json.loads((FOLDER / "data_factory_pipeline.json").read_text(encoding="utf-8"))
JOB = yaml.safe_load((FOLDER / "databricks" / "databricks.yml").read_text(encoding="utf-8"))["resources"]["jobs"]


def commands(file: Path) -> list[list[str]]:
    """Return the arguments of every call of our command line in a file; what is not written out is a name."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        lists = [node.elts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.List)]
        written = [[str(e.value) if isinstance(e, ast.Constant) else "name" for e in one] for one in lists]
        return [one[n + 1 :] for one in written for n, e in enumerate(one) if e in ("mlops-assets", "mlops_assets")]
    return [shlex.split(call) for call in re.findall(r"(?:\bmlops-assets|-m mlops_assets) ([a-z][^`|;&>#\n]*)", text)]


CALLS = [(file, call) for file in FILES for call in commands(file)]


@pytest.mark.parametrize(("file", "call"), CALLS, ids=lambda value: value.name if isinstance(value, Path) else None)
def test_every_command_is_understood(file, call):
    name, command, rest = main.resolve_command(click.Context(main), call)
    context = command.make_context(name, rest)
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, [*context.protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    assert not context.args


def test_commands_are_found_where_they_stand():
    units = {"mlops-assets@.service", "mlops-assets-jobs.service"}
    assert {file.name for file, _ in CALLS} >= {"airflow_dag.py", "forecast.py", "README.md", *units}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_variable_is_one_of_ours(file):
    ours = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"\b(?:MLOPS|MLFLOW|DAGSTER)_[A-Z_]+\b", file.read_text(encoding="utf-8")))
    assert named <= ours


def queries() -> list[str]:
    """Return the queries of the pipeline and the page, with values where Data Factory would put them."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    (lookup,) = [a for a in activities(PIPELINE["properties"]["activities"]) if a["type"] == "Lookup"]
    asked = lookup["typeProperties"]["source"]["query"]["value"]
    return [re.sub(r"@\{.*?\}(?=')", "demo", asked), *re.findall(r"```sql\n(.*?)```", page, re.S)]


def test_the_log_answers_every_query(tmp_path):
    Ledger.open(Settings(data=tmp_path))
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as database:
        answers = [database.execute(query).fetchall() for query in queries()]
    assert len(answers) > 1
    assert answers[0] == [("start", "")]


def activities(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return activities of Data Factory with all that are within them."""
    inner = [one for a in found for one in a["typeProperties"].get("activities", [])]
    inner += [one for a in found for case in a["typeProperties"].get("cases", []) for one in case["activities"]]
    return found + (activities(inner) if inner else [])


ACTIVITIES = {
    "Until": {"expression", "timeout", "activities"},
    "Lookup": {"source", "dataset", "firstRowOnly"},
    "SetVariable": {"variableName", "value"},
    "Switch": {"on", "cases", "defaultActivities"},
    "DatabricksJob": {"jobId", "jobParameters"},
    "Wait": {"waitTimeInSeconds"},
    "Fail": {"message", "errorCode"},
}
"""`typeProperties` as azure-mgmt-datafactory 10.0.0 has them (models of the REST API of 2018-06-01)."""


def test_the_pipeline_has_the_published_fields_and_branches_on_every_next_action():
    found = activities(PIPELINE["properties"]["activities"])
    for one in found:
        assert set(one["typeProperties"]) <= ACTIVITIES[one["type"]]
        assert set(one) <= {"name", "type", "dependsOn", "linkedServiceName", "typeProperties"}
    names = [one["name"] for one in found]
    assert len(names) == len(set(names))
    assert {waited["activity"] for one in found for waited in one.get("dependsOn", [])} <= set(names)
    cases = [case["value"] for one in found for case in one["typeProperties"].get("cases", [])]
    assert sorted(cases) == ["collect", "deliver", "repair", "start", "wait"]


TASK = {
    "task_key", "depends_on", "job_cluster_key", "max_retries", "spark_python_task", "libraries", "condition_task",
}  # fmt: skip
FIELDS = {"name", "parameters", "schedule", "max_concurrent_runs", "tasks", "job_clusters"}
"""Of a job and its tasks: Jobs API 2.2, `POST /api/2.2/jobs/create`, as databricks-bundles 1.22.1 has them."""


def test_the_bundle_has_the_published_fields_and_files_that_are_there():
    for job in JOB.values():
        assert set(job) <= FIELDS
        assert all(set(task) <= TASK for task in job["tasks"])
        clusters = {cluster["job_cluster_key"] for cluster in job["job_clusters"]}
        for task in job["tasks"]:
            if "spark_python_task" in task:
                assert (FOLDER / "databricks" / task["spark_python_task"]["python_file"]).is_file()
                assert task["job_cluster_key"] in clusters


@pytest.mark.skipif(not os.environ.get("MLOPS_TEST_AIRFLOW"), reason="their models are installed by make test-airflow")
def test_the_makers_own_models_take_pipeline_and_bundle():
    python = ROOT / ".services" / "orchestrators" / "bin" / "python"
    subprocess.run([str(python), str(Path(__file__).with_name("makers.py")), str(FOLDER)], check=True, timeout=120)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path):
    for file in (FOLDER / "systemd").iterdir():
        text = file.read_text(encoding="utf-8").replace("/opt/mlops-assets/bin/mlops-assets", "/bin/true")
        (tmp_path / file.name.replace("@", "@demo")).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.process
def test_a_step_outside_reports_what_it_made(tmp_path, monkeypatch):
    declare(tmp_path / "forecasts", name="nyc_departures", model={"kind": "seasonal_naive"})
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    found = importlib.util.spec_from_file_location("subprocess_assets", FOLDER / "pipes" / "subprocess_assets.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    assert module.defs.resolve_asset_graph().has(module.outside.key)

    pipes = dg.PipesSubprocessClient(env={"PYTHONPATH": str(ROOT)})
    result = dg.materialize([module.outside], resources={"pipes": pipes})
    (made,) = result.asset_materializations_for_node("nyc_departures__outside")
    told = {name: value.value for name, value in made.metadata.items()}
    assert (told["rows"], told["mase"] > 0, Path(told["file"]).is_file()) == (28, True, True)
