"""What an older release left behind, unpacked as a deployment that today's code goes on with."""

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pandas as pd
from click.testing import CliRunner, Result

from mlops_assets.environments import Stores, open_stores
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec, load_spec

RELEASES = Path(__file__).parent
PLACEHOLDER = "/where/it/was/made"


@dataclass(frozen=True)
class Deployment:
    """A data folder, its forecasts, and the environment variables that lead there."""

    name: str
    variables: dict[str, str] = field(repr=False)

    @property
    def spec(self) -> ForecastSpec:
        return load_spec(Path(self.variables["MLOPS_FORECASTS"]) / f"{self.name}.yaml")

    @property
    def data(self) -> Path:
        return Path(self.variables["MLOPS_DATA"])

    def call(self, day: str, *words: str) -> Result:
        """Call the command line on the morning of a day; it must succeed."""
        from mlops_assets.commands.main import main

        done = CliRunner().invoke(main, list(words), env={**self.variables, "MLOPS_NOW": f"{day}T07:00:00"})
        assert done.exit_code == 0, (done.output, done.exception)
        return done

    @contextmanager
    def opened(self) -> Iterator[Stores]:
        """Open the stores."""
        with patch.dict(os.environ, self.variables), open_stores(Settings.read()) as stores:
            yield stores


def unpack(release: str, place: str, folder: Path) -> Deployment:
    """Unpack what a release left behind in a place of tables, `files` or `sqlite`."""
    with tarfile.open(RELEASES / release / f"{place}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    shutil.copytree(RELEASES / release / "forecasts", folder / "forecasts")
    data = folder / "data"
    relocate(data / "mlflow" / "mlflow.db", str(data))
    for file in (data / "mlflow" / "artifacts").rglob("MLmodel"):
        file.write_text(file.read_text(encoding="utf-8").replace(PLACEHOLDER, str(data)), encoding="utf-8")
    variables = {
        "MLOPS_ENV": "local",
        "MLOPS_DATA": str(data),
        "MLOPS_FORECASTS": str(folder / "forecasts"),
        "MLOPS_TABLES": {"files": "files", "sqlite": "sql"}[place],
        "MLOPS_DATABASE_URL": f"sqlite:///{data / 'tables.db'}",
        "DAGSTER_HOME": str(data / "dagster"),
    }
    return Deployment("shops", variables)


def relocate(database: Path, folder: str) -> None:
    """Tell MLflow's database where its artifacts are now."""
    with sqlite3.connect(database) as base:
        for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, *_ in base.execute(f'PRAGMA table_info("{table}")').fetchall():
                base.execute(
                    f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?)',
                    (PLACEHOLDER, folder, PLACEHOLDER),
                )
    base.close()


def expected(release: str, model: str) -> pd.DataFrame:
    """Return what a model of that release forecast then."""
    rows = pd.read_parquet(RELEASES / release / "expected.parquet")
    return rows[rows["model"] == model].drop(columns="model").reset_index(drop=True)
