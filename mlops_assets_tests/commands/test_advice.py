"""Every advice of an error: provoked for real, and each command of it run.

The places that give advice are found in the package's source. One that no case below provokes fails the test, and so
does a command that does not end with exit code 0.
"""

import importlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.analysis.opened import open_stored
from mlops_assets.catalog.graph import Graph
from mlops_assets.commands.main import main
from mlops_assets.environments import Stores, open_stores
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.model import regressors
from mlops_assets.jobs.providers.aws import AwsClient
from mlops_assets.lifecycle.lifecycle import Lifecycle, Verdict
from mlops_assets.scale import dask_cluster, worker
from mlops_assets.scale.engine import Engine
from mlops_assets.serving.formats import SHAPES
from mlops_assets.settings import Settings
from mlops_assets.spec import first_spec
from mlops_assets.stages.deliver import Deliverer
from mlops_assets_tests.adjustments.stores import ledger
from mlops_assets_tests.commands.odd_tables import ODD_TABLES, drafting
from mlops_assets_tests.commands.places import places_of, sites
from mlops_assets_tests.io_managers.sql.before import too_many_parts
from mlops_assets_tests.tracking.planted import plant
from mlops_assets_tests.worlds import declare, panel, sandbox

WHO = ("--by", "Ann O'Neil", "--reason", "looked at it")


@dataclass
class Sandbox:
    """A folder with a forecast and stores of its own, and its command line."""

    folder: Path
    env: dict[str, str | None] = field(default_factory=dict)

    def call(self, *arguments: str) -> Any:
        """Run a command."""
        return CliRunner().invoke(main, list(arguments), env=self.env, catch_exceptions=False)

    def error_of(self, *arguments: str) -> BaseException:
        """Run a command that ends with an expected error, and return that; what is printed is its advice."""
        result = self.call(*arguments)
        error = result.exception.__context__
        assert isinstance(error, MlopsAssetsError), result.output
        printed = [line.removeprefix("  try: ") for line in result.stderr.splitlines() if line.startswith("  try: ")]
        assert printed == list(error.advice)
        assert not any(command in error.message for command in error.advice)
        return error

    @property
    def settings(self) -> Settings:
        return Settings.read({name: value for name, value in self.env.items() if value is not None})


def make_sandbox(folder: Path, empty_mlflow: Path, **changes: Any) -> Sandbox:
    declare(folder / "forecasts", **changes)
    settings = sandbox(folder, empty_mlflow, "local")
    return Sandbox(
        folder,
        {
            "MLOPS_ENV": "local",
            "MLOPS_DATA": str(settings.data),
            "MLOPS_FORECASTS": str(settings.forecasts),
            "DAGSTER_HOME": str(folder / "dagster"),
            "MLFLOW_TRACKING_URI": None,  # MLflow sets it to the address that it was last asked at
        },
    )


def decided(box: Sandbox, *outcomes: str) -> None:
    """Plant a decided version for each outcome."""
    rules = '{"verdict": "first", "rules": []}'
    with open_stores(box.settings) as stores:
        for outcome in outcomes:
            version = plant(stores.tracking, box.folder / "planted", trained_until="2024-05-01")
            life_of(stores).decide(version, lambda champion, log, said=outcome: Verdict(said, "why", rules, said), {})


def life_of(stores: Stores) -> Lifecycle:
    return Lifecycle(stores.tables, stores.tracking, stores.clock, "demo")


def raised(provoke: Callable[[], Any]) -> BaseException:
    with pytest.raises(MlopsAssetsError) as caught:
        provoke()
    return caught.value


def without_library(name: str, *arguments: str, **env: str) -> Callable[[Sandbox, pytest.MonkeyPatch], BaseException]:
    def provoke(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
        monkeypatch.setitem(sys.modules, name, None)
        box.env |= env
        return box.error_of(*arguments)

    return provoke


def with_versions(*outcomes: str, ask: tuple[str, ...]) -> Callable[[Sandbox, pytest.MonkeyPatch], BaseException]:
    def provoke(box: Sandbox, _: pytest.MonkeyPatch) -> BaseException:
        decided(box, *outcomes)
        return box.error_of(*ask)

    return provoke


def no_apprise(_: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    monkeypatch.setitem(sys.modules, "apprise", None)
    return raised(Notifications(channel="json://127.0.0.1:9").ping)


def no_file_of_a_version(box: Sandbox, _: pytest.MonkeyPatch) -> BaseException:
    decided(box, "refused")
    shutil.rmtree(box.folder / "planted" / "demo")
    return box.error_of("approve", "demo", "1", *WHO, "--force")


def no_code_of_a_version(box: Sandbox, _: pytest.MonkeyPatch) -> BaseException:
    decided(box, "refused")
    with open_stores(box.settings) as stores:
        registry = stores.tracking.registry("demo")
        return raised(lambda: registry.code(registry.version(1), {"version": 99}))


def no_champion(box: Sandbox, _: pytest.MonkeyPatch) -> BaseException:
    spec = first_spec(box.settings.forecasts).model_copy(update={"deliver": "champion_only"})
    with open_stores(box.settings) as stores:
        deliver = Deliverer(Graph(spec), life_of(stores), stores.clock.now())
        return raised(lambda: deliver(["2024-05-10"], lambda keys, maker: {}))


def no_library_of_the_hierarchy(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    pytest.importorskip("hierarchicalforecast", reason="the extra `hierarchy` is not installed")
    cities = panel().assign(city=lambda rows: rows["shop"].map(lambda shop: "east" if shop < "shop 2" else "west"))
    declare(
        box.folder / "forecasts",
        cities,
        columns={"item_id": ["city", "shop"], "timestamp": "day", "target": "sales"},
        hierarchy={"levels": ["city"], "method": "min_trace"},
    )
    monkeypatch.setitem(sys.modules, "hierarchicalforecast.methods", None)
    return box.error_of("evaluate", "demo")


def no_accelerator(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    declare(box.folder / "forecasts", model={"accelerator": "intelex", "max_training_rows": 200})
    monkeypatch.setitem(sys.modules, "sklearnex.ensemble", None)
    return box.error_of("evaluate", "demo")


def no_library_of_the_model(
    library: str, *arguments: str, **model: Any
) -> Callable[[Sandbox, pytest.MonkeyPatch], BaseException]:
    def provoke(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
        declare(box.folder / "forecasts", model={"max_training_rows": 200, **model})
        monkeypatch.setitem(sys.modules, library, None)
        return box.error_of(*(arguments or ("evaluate", "demo")))

    return provoke


def no_library_of_a_stored_model(_: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    model = regressors.Calibrated("tree", None, np.zeros(1, np.float32), np.zeros(0))
    return raised(lambda: model.locate(np.zeros((1, 1))))


def no_writer_of_excel(_: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    return raised(lambda: SHAPES["xlsx"].write(panel(), {}))


def no_reader_of_excel(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    declare(box.folder / "forecasts", source={"kind": "file", "path": "sales.xlsx"})
    panel().to_excel(box.folder / "forecasts" / "sales.xlsx", index=False)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    return box.error_of("evaluate", "demo")


def no_reader_of_dvc(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    declare(box.folder / "forecasts", source={"kind": "file", "path": "sales.csv", "version": "dvc"})
    (box.folder / "forecasts" / ".dvc").mkdir()
    monkeypatch.setitem(sys.modules, "dvc.api", None)
    return box.error_of("evaluate", "demo")


def no_reader_of_icalendar(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    declare(box.folder / "forecasts", calendars=[{"name": "school", "path": "school.ics"}])
    monkeypatch.setitem(sys.modules, "icalendar", None)
    return box.error_of("evaluate", "demo")


def another_spec(
    *arguments: str, shops: int = 4, **changes: Any
) -> Callable[[Sandbox, pytest.MonkeyPatch], BaseException]:
    def provoke(box: Sandbox, _: pytest.MonkeyPatch) -> BaseException:
        assert box.call("ingest", "demo", "--partition", "2024-03-01...2024-03-03").exit_code == 0
        columns = {"item_id": "shop", "timestamp": "day", "target": "rain"}
        declare(box.folder / "forecasts", panel(items=shops), columns=columns, covariates={}, **changes)
        return box.error_of(*arguments)

    return provoke


def a_role_that_it_has(box: Sandbox, _: pytest.MonkeyPatch) -> BaseException:
    rest = {"submit": {"url": "http://127.0.0.1:9/v1/forecast", "body": {}}}
    declare(box.folder / "forecasts", external={"service": "rest", "exchange": "shared", "rest": rest})
    return box.error_of("external", "demo", "--role", "shadow", "--reason", "once more")


def no_client_of_amazon(_: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    monkeypatch.setitem(sys.modules, "boto3", None)
    return raised(lambda: AwsClient("forecast", "eu-west-1", None, {})._client)


def no_scheduler(_: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    monkeypatch.setattr(dask_cluster, "PATIENCE", 0.5)
    return raised(lambda: list(Engine(address="dask://127.0.0.1:9").map(abs, [1])))


def no_worker(_: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    from distributed import LocalCluster

    monkeypatch.setattr(dask_cluster, "WORKERLESS", 0.1)
    with LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0") as cluster:
        engine = Engine(address=cluster.scheduler_address.replace("tcp:", "dask:"))
        return raised(lambda: list(engine.map(abs, [1])))


def no_library_of_spark(_: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    return raised(lambda: list(Engine(address="spark://127.0.0.1:9").map(abs, [1])))


ADJUSTED = ("adjust", "demo", "--all", "--from", "2024-05-11", "--reason", "looked at it")


def adjusting(*arguments: str) -> Callable[[Sandbox, pytest.MonkeyPatch], BaseException]:
    """Ask for what cannot be adjusted, where all items of a stored forecast are locked."""

    def provoke(box: Sandbox, _: pytest.MonkeyPatch) -> BaseException:
        with open_stores(box.settings) as stores:
            stores.tables.write(["demo", "forecasts"], ledger("2024-05-10"), "2024-05-10")
        assert box.call(*ADJUSTED, "--lock").exit_code == 0
        return box.error_of(*arguments)

    return provoke


def nothing_stored_to_ask(box: Sandbox, _: pytest.MonkeyPatch) -> BaseException:
    with open_stores(box.settings) as stores:
        return raised(lambda: open_stored(first_spec(box.settings.forecasts), stores))


CASES: dict[str, Callable[[Sandbox, pytest.MonkeyPatch], BaseException]] = {
    **{f"drafts/rewriting.py:{place}": drafting(table) for place, table in ODD_TABLES.items()},
    "spec/folder.py:find_spec": lambda box, _: box.error_of("run", "nothing"),
    "analysis/opened.py:open_stored": nothing_stored_to_ask,
    "analysis/revisions.py:_stored": lambda box, _: box.error_of("revisions", "demo"),
    "analysis/quarantine.py:quarantine": lambda box, _: box.error_of("quarantine", "demo", "--reason", "nothing"),
    "forecasting/evaluation/hierarchy.py:_min_trace": no_library_of_the_hierarchy,
    "forecasting/model/regressors.py:forest": no_accelerator,
    "forecasting/model/regressors.py:_class": no_library_of_the_model("lightgbm", kind="lightgbm"),
    "forecasting/model/regressors.py:Calibrated._predict": no_library_of_a_stored_model,
    "forecasting/model/kinds/statistical.py:_model": no_library_of_the_model("statsforecast", kind="theta"),
    "serving/formats.py:_xlsx": no_writer_of_excel,
    "sources/excel_files.py:_workbook": no_reader_of_excel,
    "sources/revisions/dvc_files.py:_open": no_reader_of_dvc,
    "sources/calendar_files.py:_of_icalendar": no_reader_of_icalendar,
    "jobs/ledger.py:Ledger.get": lambda box, _: box.error_of("jobs", "show", "nothing"),
    "jobs/providers/aws.py:AwsClient._client": no_client_of_amazon,
    "resources/databases.py:make_engine": without_library(
        "pymysql", "quarantine", "demo", MLOPS_TABLES="sql", MLOPS_DATABASE_URL="mysql://me:secret@127.0.0.1:9/none"
    ),
    "io_managers/sql/postgres_parts.py:PartTables.settle": too_many_parts,
    "scale/dask_cluster.py:DaskCluster.__init__": no_scheduler,
    "scale/dask_cluster.py:DaskCluster._require_workers": no_worker,
    "scale/spark_session.py:SparkSession.__init__": no_library_of_spark,
    "scale/worker.py:require_release": lambda *_: raised(lambda: worker.require_release("0.1.0", "of another image")),
    "alerts/notifications.py:Notifications._services": no_apprise,
    "report/metrics.py:text": without_library("prometheus_client", "metrics", "demo"),
    "forecasting/evaluation/search.py:require_tunable": without_library("optuna", "tune", "demo", "--minutes", "0.1"),
    "tracking/registry.py:Registry.code": no_code_of_a_version,
    "lifecycle/roles.py:Roles.switch.entry": a_role_that_it_has,
    "lifecycle/lifecycle.py:Lifecycle.approve.entry": with_versions(
        "promoted", "refused", ask=("approve", "demo", "2", *WHO)
    ),
    "lifecycle/lifecycle.py:Lifecycle.reject.entry": with_versions(
        "promoted", "refused", ask=("reject", "demo", "2", *WHO)
    ),
    "lifecycle/lifecycle.py:Lifecycle.rollback": with_versions("promoted", ask=("rollback", "demo", *WHO)),
    "lifecycle/lifecycle.py:Lifecycle._version": with_versions("promoted", ask=("approve", "demo", "9", *WHO)),
    "lifecycle/lifecycle.py:Lifecycle._check": no_file_of_a_version,
    "stages/deliver.py:Deliverer._only": no_champion,
    "analysis/worlds.py:StoredWorld.of": lambda box, _: box.error_of("replay-policy", "demo"),
    "analysis/worlds.py:TrainedWorld.of": lambda box, _: box.error_of("replay-policy", "demo", "--what-if"),
    "lifecycle/meanings.py:require_present": another_spec("run", "demo"),
    "rounds/reingest.py:keep": another_spec("reingest", "demo", "--keep", time_zone="Asia/Tokyo"),
    "commands/reingest.py:reingest": another_spec("reingest", "demo", shops=3),
    "adjustments/scope.py:Scope.latest": lambda box, _: box.error_of(*ADJUSTED, "--factor", "2"),
    "adjustments/adjuster.py:Adjuster._require_unlocked": adjusting(*ADJUSTED, "--factor", "2"),
    "adjustments/adjuster.py:Adjuster._standing": adjusting("adjust", "demo", "--withdraw", "9"),
    "rounds/round.py:resolve_partitions": lambda box, _: box.error_of("run", "demo", "--partition", "2023-01-01"),
}
"""For each place that gives advice, how to come to it."""
CONSTRUCTORS = {"UnknownNameError.of", "MissingExtraError.of", "ModelCodeError.of"}
"""Places that make advice for the cases above."""


def test_every_place_that_gives_advice_has_a_case():
    found = {str(site) for site in sites() if site.name not in CONSTRUCTORS}
    assert found == set(CASES)
    assert {site.name for site in sites()} >= CONSTRUCTORS


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Sandbox:
    """A sandbox for whole rounds, which planted versions are no models for; each command is run there once."""
    return make_sandbox(tmp_path_factory.mktemp("advice"), empty_mlflow)


@pytest.fixture(scope="module")
def done() -> set[str]:
    """Long commands that have been run in another case."""
    return set()


@pytest.mark.process
@pytest.mark.parametrize("place", sorted(CASES))
def test_advice_can_be_followed(place, tmp_path, empty_mlflow, lived_in, done):
    box = make_sandbox(tmp_path, empty_mlflow)
    with pytest.MonkeyPatch.context() as monkeypatch:
        error = CASES[place](box, monkeypatch)
    assert place in places_of(error)
    assert isinstance(error, MlopsAssetsError)
    assert error.advice
    for command in error.advice:
        program, *arguments = shlex.split(command)
        if program == "pip":
            if command not in done:
                installs(arguments)
        elif program == "python":
            subprocess.run([sys.executable, *arguments], check=True, timeout=120)
        elif program == "dask":
            started(*arguments)
        elif arguments[0] in ("run", "replay-policy"):
            if command not in done:
                result = lived_in.call(*arguments)
                assert result.exit_code == 0, result.output
        else:
            assert program == "mlops-assets"
            result = box.call(*arguments)
            assert result.exit_code == 0, result.output
        done.add(command)


NOT_INSTALLED = {"intelex": "scikit-learn-intelex", "spark": "pyspark"}
"""Extras that not every machine can have, or is too small for, and their libraries."""


def installs(arguments: list[str]) -> None:
    """Let pip say whether it knows what it would have to do, without an index.

    Of an extra that the tests do without, pip must get as far as its library.
    """
    dry = [sys.executable, "-m", "pip", *arguments, "--dry-run", "--no-index"]
    told = subprocess.run(dry, capture_output=True, text=True, timeout=120, check=False)
    assert "does not provide the extra" not in told.stderr
    absent = any(f"[{extra}]" in arguments[-1] and library in told.stderr for extra, library in NOT_INSTALLED.items())
    assert told.returncode == 0 or absent, told.stderr
    assert "does not provide the extra" not in told.stderr + told.stdout


def started(role: str, *arguments: str) -> None:
    """Let Dask's command line read a command that does not end by itself."""
    importlib.import_module(f"distributed.cli.dask_{role}").main.make_context(role, list(arguments))
