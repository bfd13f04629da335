"""A small panel, the spec over it, and a world to run its forecast in: what tests of many rooms start from."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import yaml

from mlops_assets.assets import build_assets
from mlops_assets.definitions import build_environment, faced
from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.kinds import Model
from mlops_assets.lifecycle.versions import Portable
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec, load_spec

DAYS = pd.date_range("2024-03-01", "2024-05-31", freq="D")
HISTORY = "2024-03-01...2024-05-10"
"""Partitions that a world has learnt from before a test begins."""

SPEC: dict[str, Any] = {
    "name": "demo",
    "description": "Sales of a few shops.",
    "source": {"kind": "file", "path": "sales.csv"},
    "columns": {"item_id": "shop", "timestamp": "day", "target": "sales"},
    "frequency": "D",
    "partitions": {"kind": "daily", "start": "2024-03-01", "end": "2024-06-01"},
    "horizon": 7,
    "covariates": {"past": ["rain"]},
    "model": {"parameters": {"n_estimators": 10, "n_jobs": 1}, "max_training_rows": 3000},
    "backtest": {"windows": 2},
    "retraining": {"metric": "wql", "threshold": 0.2, "breaches": 2, "window": 3},
    "schedule": "0 6 * * *",
    "owners": ["team:shops"],
}


def panel(seed: int = 0, items: int = 4, odd_days: bool = True) -> pd.DataFrame:
    """A daily panel with a weekly season, a level for each item and a little noise, odd days among it."""
    rng = np.random.default_rng(seed)
    weekday = np.array([1.0, 1.1, 1.2, 1.1, 1.3, 0.6, 0.5])
    frames = []
    for number in range(items):
        level = 20.0 * (number + 1)
        season = level * weekday[DAYS.dayofweek] * (1 + 0.002 * np.arange(len(DAYS)))
        # Seasonal naive repeats an odd day a week later, a forest does not.
        noise = rng.standard_t(2, len(DAYS)) if odd_days else rng.normal(0, 1, len(DAYS))
        target = season + noise * level / 20
        frames.append(
            pd.DataFrame(
                {
                    "day": DAYS,
                    "shop": f"shop {number}",
                    "sales": target.round(2),
                    "rain": rng.random(len(DAYS)).round(2),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def declare(folder: Path, data: pd.DataFrame | None = None, **changes: Any) -> ForecastSpec:
    """Write the panel and a spec over it into a folder; keyword arguments replace fields of the spec."""
    folder.mkdir(parents=True, exist_ok=True)
    (panel() if data is None else data).to_csv(folder / "sales.csv", index=False)
    fields = {name: value for name, value in {**SPEC, **changes}.items() if value is not None}
    file = folder / f"{fields['name']}.yaml"
    file.write_text(yaml.safe_dump(fields, sort_keys=False))
    return load_spec(file)


def portable(model: Model) -> Portable:
    """Return a fitted model as versions are handed on."""
    return Portable(model, kinds.state_of(model))


def sandbox(folder: Path, mlflow_database: Path, environment: str = "test", **variables: str) -> Settings:
    """Settings over a folder with an MLflow database of its own; keyword arguments are further variables."""
    (folder / "data" / "mlflow").mkdir(parents=True, exist_ok=True)
    shutil.copy(mlflow_database, folder / "data" / "mlflow" / "mlflow.db")
    return Settings.read(
        {
            "MLOPS_ENV": environment,
            "MLOPS_DATA": str(folder / "data"),
            "MLOPS_FORECASTS": str(folder / "forecasts"),
            **variables,
        }
    )


class World:
    """A forecast's graph over the test environment, with a Dagster instance in memory."""

    def __init__(self, spec: ForecastSpec, settings: Settings) -> None:
        self.spec = spec
        self.resources = build_environment(settings).resources
        self.instance = dg.DagsterInstance.ephemeral()
        self.assets = build_assets(spec)

    @property
    def tables(self) -> Any:
        return self.resources["tables"]

    @property
    def tracking(self) -> Any:
        return self.resources["tracking"]

    def key(self, name: str) -> dg.AssetKey:
        return dg.AssetKey([self.spec.name, name])

    def table(self, name: str, partitions: list[str] | None = None) -> pd.DataFrame:
        return self.tables.read([self.spec.name, name], partitions=partitions)

    def run(
        self,
        *names: str,
        partition: str | None = None,
        until: str | None = None,
        config: dict[str, Any] | None = None,
        raise_on_error: bool = True,
    ) -> dg.ExecuteInProcessResult:
        """Materialize assets; `FIRST...LAST` is a single run over many partitions."""
        first, _, last = (partition or "").partition("...")
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if last else {}
        return dg.materialize(
            self.assets,
            selection=[self.key(name) for name in names],
            partition_key=first if first and not last else None,
            tags=tags,
            instance=self.instance,
            resources=faced(self.resources),
            run_config=config
            or ({"ops": {f"{self.spec.name}__training_set": {"config": {"until": until}}}} if until else None),
            raise_on_error=raise_on_error,
        )

    def train(self, until: str | None = None) -> dg.ExecuteInProcessResult:
        return self.run("training_set", "random_forest", "backtest", "model_version", "champion", until=until)

    def metadata(self, result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
        found = [m for m in result.get_asset_materialization_events() if m.asset_key == self.key(name)]
        return {k: v.value for k, v in found[-1].materialization.metadata.items()}
