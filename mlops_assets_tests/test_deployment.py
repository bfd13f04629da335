"""The files of docs/deployment, and docs/deploy.md, name commands, options, variables and settings that there are."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from dagster._core.storage.compute_log_manager import ComputeLogManager

from mlops_assets.resources.instance import CODE_LOCATION
from mlops_assets.scale.address import Address
from mlops_assets.serving import dagster_webserver
from mlops_assets.serving.guard import hosts_of
from mlops_assets.settings import Settings, variables

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FOLDER = DOCS / "deployment"
FILES = sorted(file for file in FOLDER.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
PAGE = DOCS / "deploy.md"
UNITS = sorted((FOLDER / "systemd").iterdir())
SERVICES: dict[str, Any] = yaml.safe_load((FOLDER / "docker-compose.yaml").read_text(encoding="utf-8"))["services"]
DAGSTER: dict[str, Any] = yaml.safe_load((FOLDER / "dagster.yaml").read_text(encoding="utf-8"))
HELM: dict[str, Any] = yaml.safe_load((FOLDER / "helm-values.yaml").read_text(encoding="utf-8"))
OURS = ("mlops-assets", "dagster", "dagster-daemon", "dagster-webserver", "mlflow", "dask")
ELSEWHERE = {"MLOPS_IMAGE"}
"""Variables of these files' own."""
OF_DAGSTER = {"DAGSTER_HOME"}
"""Variables that Dagster reads by itself."""


@pytest.mark.parametrize("file", [*FILES, PAGE, DOCS / "scale.md"], ids=lambda file: file.name)
def test_variables_and_addresses_are_understood(file):
    text = file.read_text(encoding="utf-8")
    assert set(re.findall(r"\bMLOPS_[A-Z_]+\b", text)) <= {*variables(), *ELSEWHERE}
    for address in re.findall(r"\b(?:dask(?:\+\w+)?|spark|sc)://[^\s`\"'<,]+", text):
        assert Address.of(Settings(MLOPS_ENGINE=address).engine).place
    if file.suffix in (".yaml", ".yml"):
        assert list(yaml.safe_load_all(text))


def environ(name: str) -> dict[str, str]:
    """Return the variables of a file, also those that are commented out."""
    text = (FOLDER / f"{name}.env").read_text(encoding="utf-8")
    return dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", text, re.M))


def named_in_dagsters_files() -> set[str]:
    texts = [(FOLDER / file).read_text(encoding="utf-8") for file in ("dagster.yaml", "workspace.yaml")]
    return {name for text in texts for name in re.findall(r"\{env: (\w+)\}", text)}


def test_the_variables_of_dagsters_files_are_those_of_its_environment():
    given = {name for name in environ("dagster") if name.startswith("DAGSTER_")}
    assert given == named_in_dagsters_files() | OF_DAGSTER


def test_the_variables_of_mlflow_are_options_of_its_server_or_known_to_it():
    from mlflow.cli import server

    options = {option.envvar for option in server.params}
    known = (Path(importlib.util.find_spec("mlflow").origin).parent / "environment_variables.py").read_text()
    given = set(environ("mlflow"))
    assert given <= options | set(re.findall(r'"(MLFLOW_\w+)"', known))
    assert {
        "MLFLOW_BACKEND_STORE_URI",
        "MLFLOW_ARTIFACTS_DESTINATION",
        "MLFLOW_SERVER_ALLOWED_HOSTS",
    } <= given & options


def test_our_settings_are_taken_as_they_stand():
    settings = Settings.read(environ("forecasts"))
    assert (settings.environment, settings.executor, settings.automation) == ("production", "in_process", True)


def plain(words: list[str]) -> list[str]:
    """Return a command in which Dagster's web server stands where the guarded one does: it takes the same options."""
    return ["dagster-webserver", *words[3:]] if words[:3] == ["python", "-m", dagster_webserver.__name__] else words


def calls() -> Iterator[tuple[str, list[str]]]:
    """Yield every command of a program of ours, with where it stands."""
    for name, service in SERVICES.items():
        if isinstance(service.get("command"), str):
            words = plain(shlex.split(service["command"]))
            if words[0] in OURS:
                yield f"compose {name}", words
        if service.get("healthcheck", {}).get("test", [""])[1:2] == ["dagster-daemon"]:
            yield f"compose {name} health", service["healthcheck"]["test"][1:]
    for unit in UNITS:
        (call,) = re.findall(r"^ExecStart=/opt/mlops-assets/bin/(.*)$", unit.read_text(encoding="utf-8"), re.M)
        yield unit.name, plain(shlex.split(call))
    (served,) = HELM["dagster-user-deployments"]["deployments"]
    yield "helm code", ["dagster", "api", "grpc", *served["dagsterApiGrpcArgs"], "--port", str(served["port"])]
    page = PAGE.read_text(encoding="utf-8")
    lines = [
        line.partition(" #")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", page, re.S)
        for line in block.splitlines()
    ]
    lines += re.findall(r"`([a-z][^`\n]+)`", page)
    for line in lines:
        words = plain(shlex.split(line.replace("NAME", "name")))
        if words[:3] == ["docker", "compose", "run"]:
            assert words[4] in SERVICES
            words = words[5:]
        if words[0] in OURS and len(words) > 1:
            yield f"page {line}", words


def programs() -> Mapping[str, click.Command]:
    from dagster._cli import cli as dagster
    from dagster._daemon.cli import cli as daemon
    from dagster_webserver.cli import dagster_webserver as webserver
    from distributed.cli import dask_scheduler, dask_worker
    from mlflow.cli import cli as mlflow

    from mlops_assets.commands.main import main

    dask = click.Group(commands={"scheduler": dask_scheduler.main, "worker": dask_worker.main})
    return dict(zip(OURS, (main, dagster, daemon, webserver, mlflow, dask), strict=True))


def test_every_command_is_understood():
    known, seen = programs(), []
    for place, words in calls():
        command, rest = (
            known[words[0]],
            [re.sub(r"^(/dagster|\$\{DAGSTER_HOME\})/", f"{FOLDER}/", word) for word in words[1:]],
        )
        while isinstance(command, click.Group):
            _, command, rest = command.resolve_command(click.Context(command), rest)
            assert command is not None, place
        assert command.make_context(words[-1], list(rest)).args == [], place
        seen.append(words[0])
    assert set(seen) == set(OURS)
    assert len(seen) > 20


def test_services_and_units_name_files_services_and_volumes_that_are_there():
    for name, service in SERVICES.items():
        assert all((FOLDER / file).is_file() for file in service.get("env_file", [])), name
        assert set(service.get("depends_on", [])) <= set(SERVICES), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in ("postgres", "objects", "./forecasts") or (FOLDER / source).is_file(), name
    for unit in UNITS:
        for file in re.findall(r"^EnvironmentFile=/etc/mlops-assets/(.*)$", unit.read_text(encoding="utf-8"), re.M):
            assert (FOLDER / file).is_file(), unit.name


def test_each_password_is_the_same_wherever_it_stands():
    given = SERVICES["postgres"]["environment"]
    assert environ("dagster")["DAGSTER_POSTGRES_PASSWORD"] == given["DAGSTER_PASSWORD"]
    assert f":{given['TABLES_PASSWORD']}@" in environ("forecasts")["MLOPS_DATABASE_URL"]
    assert f":{given['MLFLOW_PASSWORD']}@" in environ("mlflow")["MLFLOW_BACKEND_STORE_URI"]
    assert environ("storage")["AWS_SECRET_ACCESS_KEY"] == SERVICES["s3"]["environment"]["ROOT_SECRET_KEY"]


def test_dagster_takes_its_files_with_the_variables_that_they_name(tmp_path, monkeypatch):
    from dagster._config import process_config
    from dagster._core.instance.ref import InstanceRef
    from dagster._core.workspace.load import location_origins_from_yaml_paths
    from dagster_postgres.event_log import PostgresEventLogStorage
    from dagster_postgres.utils import pg_url_from_config

    for name in named_in_dagsters_files():
        monkeypatch.setenv(name, "5432" if name.endswith("_PORT") else "here")
    (tmp_path / "dagster.yaml").write_bytes((FOLDER / "dagster.yaml").read_bytes())
    made = InstanceRef.from_dir(str(tmp_path))
    assert made.storage_data is not None
    storage = process_config(PostgresEventLogStorage.config_type(), yaml.safe_load(made.storage_data.config_yaml)).value
    assert pg_url_from_config(storage) == "postgresql+psycopg2://here:here@here:5432/here"
    assert made.run_launcher.supports_check_run_worker_health
    assert made.compute_logs_data.rehydrate(ComputeLogManager)
    (origin,) = location_origins_from_yaml_paths([str(FOLDER / "workspace.yaml")])
    assert (origin.location_name, origin.host, origin.port) == (CODE_LOCATION, "here", 5432)


def snaked(values: Any) -> Any:
    """Return values of a chart under the names that Dagster's own settings have."""
    if isinstance(values, dict):
        return {re.sub("([A-Z])", lambda m: f"_{m[1].lower()}", name): snaked(one) for name, one in values.items()}
    return [snaked(one) for one in values] if isinstance(values, list) else values


def test_the_chart_sets_what_dagsters_own_file_sets():
    daemon = snaked(HELM["dagsterDaemon"])
    for name in ("run_monitoring", "run_retries", "schedules", "sensors"):
        assert daemon[name] == DAGSTER[name]
    assert daemon["run_coordinator"]["config"]["queued_run_coordinator"] == DAGSTER["concurrency"]["runs"]
    retention = snaked(HELM["retention"])
    assert retention["schedule"] == DAGSTER["retention"]["schedule"]
    assert retention["sensor"]["purge_after_days"] == {
        **DAGSTER["retention"]["sensor"]["purge_after_days"],
        "started": -1,
    }
    logs = {**DAGSTER["compute_logs"]["config"], "bucket": environ("dagster")["DAGSTER_LOGS_BUCKET"]}
    assert snaked(HELM["computeLogManager"])["config"]["s3_compute_log_manager"] == logs
    assert HELM["postgresql"]["postgresqlScheme"] == DAGSTER["storage"]["postgres"]["postgres_db"]["scheme"]


def test_the_launcher_of_pods_takes_what_the_chart_gives_it():
    from dagster._config import process_config
    from dagster_k8s import K8sRunLauncher

    given = HELM["runLauncher"]["config"]["k8sRunLauncher"]
    asked = {
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "dagster_home": "/opt/dagster/dagster_home",
        "image_pull_policy": given["imagePullPolicy"],
        "env_secrets": [one["name"] for one in given["envSecrets"]],
        "volumes": given["volumes"],
        "volume_mounts": given["volumeMounts"],
        "resources": given["resources"],
    }
    assert process_config(K8sRunLauncher.config_type(), asked).success


def test_every_image_is_of_one_release():
    named = {name: service["image"] for name, service in SERVICES.items() if "build" not in service}
    built = re.findall(r"^FROM (\S+)", (FOLDER / "Dockerfile").read_text(encoding="utf-8"), re.M)
    for image in [*named.values(), *built]:
        assert image.partition(":")[2] not in ("", "latest"), image
    assert named.keys() == {"postgres", "s3"}


def test_who_starts_dagsters_web_server_in_the_image_has_the_guard():
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    (script,) = re.findall(r"^COPY (\S+) /venv/bin/dagster-webserver$", dockerfile, re.M)
    assert dockerfile.index("COPY --from=build /venv /venv") < dockerfile.index(script)
    bin_of_it = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    given = ["sh", str(ROOT / script), "--version"]
    done = subprocess.run(given, env=bin_of_it, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"python -m {dagster_webserver.__name__} " in (ROOT / script).read_text(encoding="utf-8")
    web = HELM["dagsterWebserver"]
    probe = web["readinessProbe"]["httpGet"]
    assert probe["port"] == web["service"]["port"]
    hosts = hosts_of(Settings.read({one["name"]: one["value"] for one in web["env"]}))
    assert {one["name"]: one["value"] in hosts for one in probe["httpHeaders"]} == {"Host": True}
    assert "dagster.example.com" in hosts


def test_the_read_api_listens_where_prometheus_asks():
    asked = yaml.safe_load((FOLDER / "prometheus.yaml").read_text(encoding="utf-8"))
    ((target,),) = [one["targets"] for one in asked["scrape_configs"][0]["static_configs"]]
    port = target.partition(":")[2]
    served = {place: words for place, words in calls() if words[:2] == ["mlops-assets", "serve"]}
    assert len(served) == 3
    assert {words[words.index("--port") + 1] for words in served.values()} == {port}
    assert SERVICES["api"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_commands_of_people_have_the_variables_of_the_units(tmp_path):
    for file in ("dagster", "storage", "forecasts"):
        (tmp_path / f"{file}.env").write_text(f"# {file}\nOF_{file.upper()}='a b&c=$d'\n")
    text = (FOLDER / "command.sh").read_text(encoding="utf-8")
    assert '"/etc/mlops-assets/$file.env"' in text
    assert "exec /opt/mlops-assets/bin/mlops-assets " in text
    assert "umask 077\n" in text
    script = tmp_path / "command.sh"
    script.write_text(
        text.replace("/etc/mlops-assets", str(tmp_path)).replace("/opt/mlops-assets/bin/mlops-assets", "env")
    )
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=True)
    for file in ("DAGSTER", "STORAGE", "FORECASTS"):
        assert f"OF_{file}=a b&c=$d\n" in done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path):
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        for closed in ("UMask=0077", "StateDirectoryMode=0700"):  # systemd itself opens the folder of its own accord
            assert closed in text.splitlines(), unit.name
        (tmp_path / unit.name).write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M))
    units = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.sh")), ids=lambda file: file.name)
def test_scripts_are_executable_shell(script):
    assert os.access(script, os.X_OK)
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0


def test_the_opener_of_the_job_is_there():
    spec = importlib.util.spec_from_file_location("clusters", FOLDER / "clusters.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")
    (address,) = re.findall(r'"(dask://[^"]+)"', text)
    where = Address.of(address)
    assert where.opener.partition(":")[0] == "clusters"
    opener = getattr(module, where.opener.partition(":")[2])
    assert where.options.keys() <= opener.__annotations__.keys()
