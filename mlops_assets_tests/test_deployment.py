"""The files of docs/deployment name commands, options, variables and functions that there are."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.storage.compute_log_manager import ComputeLogManager

from mlops_assets.resources.instance import CODE_LOCATION
from mlops_assets.scale.address import Address
from mlops_assets.settings import Settings, variables

DOCS = Path(__file__).parents[1] / "docs"
FILES = sorted(file for file in (DOCS / "deployment").rglob("*") if file.is_file() and "__pycache__" not in file.parts)
COMPOSE = yaml.safe_load((DOCS / "deployment" / "docker-compose.yaml").read_text(encoding="utf-8"))
DAGSTERS = ("dagster.yaml", "workspace.yaml")
ELSEWHERE = {"MLOPS_IMAGE"}
"""Variables of these files' own."""


@pytest.mark.parametrize("file", [*FILES, DOCS / "scale.md"], ids=lambda file: file.name)
def test_variables_and_addresses_are_understood(file):
    text = file.read_text(encoding="utf-8")
    assert set(re.findall(r"\bMLOPS_[A-Z_]+\b", text)) <= {*variables(), *ELSEWHERE, "MLOPS_PRICE_PER_CPU_HOUR"}
    for address in re.findall(r"\b(?:dask(?:\+\w+)?|spark|sc)://[^\s`\"'<,]+", text):
        assert Address.of(Settings(MLOPS_ENGINE=address).engine).place
    if file.suffix in (".yaml", ".yml"):
        assert list(yaml.safe_load_all(text))


@pytest.mark.parametrize("service", ["scheduler", "worker"])
def test_dask_understands_its_commands(service):
    from distributed.cli import dask_scheduler, dask_worker

    called: list[str] = shlex.split(COMPOSE["services"][service]["command"])
    commands: dict[str, Any] = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}
    assert called[:2] == ["dask", service]
    commands[service].make_context(service, called[2:])


def test_the_opener_of_the_job_is_there():
    spec = importlib.util.spec_from_file_location("clusters", DOCS / "deployment" / "clusters.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (DOCS / "deployment" / "kubernetes.yaml").read_text(encoding="utf-8")
    (address,) = re.findall(r'"(dask://[^"]+)"', text)
    where = Address.of(address)
    assert where.opener.partition(":")[0] == "clusters"
    opener = getattr(module, where.opener.partition(":")[2])
    assert where.options.keys() <= opener.__annotations__.keys()


def test_dagster_takes_its_files_with_the_variables_that_they_name(tmp_path, monkeypatch):
    from dagster._config import process_config
    from dagster._core.instance.ref import InstanceRef
    from dagster._core.workspace.load import location_origins_from_yaml_paths
    from dagster_postgres.event_log import PostgresEventLogStorage
    from dagster_postgres.utils import pg_url_from_config

    folder = DOCS / "deployment"
    for name in re.findall(r"\{env: (\w+)\}", "".join((folder / file).read_text() for file in DAGSTERS)):
        monkeypatch.setenv(name, "5432" if name.endswith("_PORT") else "here")
    (tmp_path / "dagster.yaml").write_bytes((folder / "dagster.yaml").read_bytes())
    made = InstanceRef.from_dir(str(tmp_path))
    assert made.storage_data is not None
    storage = process_config(PostgresEventLogStorage.config_type(), yaml.safe_load(made.storage_data.config_yaml)).value
    assert pg_url_from_config(storage) == "postgresql+psycopg2://here:here@here:5432/here"
    assert made.run_launcher.supports_check_run_worker_health
    assert made.compute_logs_data.rehydrate(ComputeLogManager)
    (origin,) = location_origins_from_yaml_paths([str(folder / "workspace.yaml")])
    assert (origin.location_name, origin.host, origin.port) == (CODE_LOCATION, "here", 5432)
