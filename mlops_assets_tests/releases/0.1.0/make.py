"""Write the fixture of release 0.1.0 with that release's own code: see README.md beside it.

    python make.py FOLDER    # in a checkout of that release

Beside this file it leaves what the release keeps of one small forecast after a story of three versions, with tables in
Parquet files (files.tar.xz) and in SQLite (sqlite.tar.xz), a model that is no forest (ridge.skops), and what all of
them forecast (expected.parquet). FOLDER is for the work.
"""

import dataclasses
import os
import shutil
import sqlite3
import sys
import tarfile
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
from mlops_assets.forecasting.forest import Forecaster, fit
from mlops_assets.forecasting.task import ModelSettings
from mlops_assets.resources.lifecycle import Lifecycle

import mlops_assets
from mlops_assets import model_file, runner
from mlops_assets.automation.sensors import build_sensors
from mlops_assets.environments import open_stores
from mlops_assets.settings import Settings
from mlops_assets.spec import load_spec

HERE = Path(__file__).parent
PLACEHOLDER = "/where/it/was/made"
NAME, FROM = "shops", "2024-04-20"


def sales() -> pd.DataFrame:
    """Ten weeks of five shops with a weekly season; from 12 April on they sell more, and some rows are broken."""
    rng = np.random.default_rng(1)
    days = pd.date_range("2024-03-01", "2024-05-10", unit="us")
    season = np.array([1.0, 1.1, 1.2, 1.1, 1.3, 0.6, 0.5])[days.dayofweek]
    frames = []
    for number in range(5):
        promotion = (rng.random(len(days)) < 0.15).astype(int)
        level = 10.0 * (number + 1) * np.where(days >= "2024-04-12", 1.4, 1.0)
        target = level * season * (1 + 0.3 * promotion) * rng.normal(1, 0.04, len(days))
        frames.append(
            pd.DataFrame(
                {
                    "day": days,
                    "region": "north" if number < 2 else "south",
                    "shop": f"shop {number}",
                    "sales": target.round(2),
                    "rain": rng.random(len(days)).round(2),
                    "promotion": promotion,
                }
            )
        )
    rows = pd.concat(frames, ignore_index=True)
    rows["sales"] = rows["sales"].astype(str)
    rows.loc[10, "sales"] = "twelve"
    twice = rows[(rows["day"] == "2024-04-18") & (rows["shop"] == "shop 3")]
    rows = rows[~((rows["shop"] == "shop 4") & (rows["day"] < "2024-03-20"))]
    return pd.concat([rows, twice]).sort_values(["day", "shop"], ignore_index=True)


class Story:
    """One deployment of the release."""

    def __init__(self, folder: Path, tables: str) -> None:
        self.folder = folder
        self.variables = {
            "MLOPS_ENV": "local",
            "MLOPS_DATA": str(folder / "data"),
            "MLOPS_FORECASTS": str(HERE / "forecasts"),
            "MLOPS_TABLES": tables,
            "MLOPS_DATABASE_URL": f"sqlite:///{folder}/data/tables.db",
        }
        os.environ |= self.variables
        (folder / "data").mkdir(parents=True)
        self.instance = dg.DagsterInstance.ephemeral()

    def settings(self, now: str, **variables: str) -> Settings:
        return Settings.read({**self.variables, "MLOPS_NOW": f"{now}T07:00:00", **variables})

    def run(self, first: str, last: str, retrain: bool = False, **variables: str) -> None:
        now = f"{pd.Timestamp(last) + pd.Timedelta(days=1):%Y-%m-%d}"
        settings = self.settings(now, **variables)
        spec = load_spec(HERE / "forecasts" / f"{NAME}.yaml").approved_by(settings.approval)
        keys = runner.resolve_partitions(spec, f"{first}...{last}", settings)
        runner.run_round(spec, keys, settings, self.instance, retrain, lambda _: None)

    def decide(self, now: str, decision: str, *args: object) -> None:
        with open_stores(self.settings(now)) as stores:
            getattr(Lifecycle(stores.tables, stores.tracking, stores.clock, NAME), decision)(*args)

    def sensor(self, now: str) -> None:
        """Do what the daemon does: ask the policy, and train if it says so."""
        from mlops_assets.definitions import build

        settings = self.settings(now)
        spec = load_spec(HERE / "forecasts" / f"{NAME}.yaml")
        (sensor,) = (made for made in build_sensors(spec) if made.name == f"{NAME}_retrain_on_breach")
        with open_stores(settings) as stores:
            needed = {name: getattr(stores, name) for name in ("tables", "tracking", "clock", "notifications")}
            with dg.build_sensor_context(instance=self.instance, resources=needed) as context:
                answer = sensor(context)
        print(now, getattr(answer, "skip_message", None) or answer.tags)
        if isinstance(answer, dg.RunRequest):
            job = build(settings).resolve_job_def(f"{NAME}_retrain")
            job.execute_in_process(instance=self.instance, tags={**answer.tags, "dagster/run_key": answer.run_key})

    def tell(self) -> None:
        """Version 1 promoted, 2 and 3 asked for by a breach and refused, 3 approved by a person, then back to 1."""
        self.run("2024-04-10", "2024-04-13")
        self.sensor("2024-04-14")
        self.run("2024-04-14", "2024-04-14")
        self.sensor("2024-04-15")
        self.run("2024-04-15", "2024-04-16")
        self.sensor("2024-04-17")
        self.decide("2024-04-17", "approve", 3, "Ann", "it has seen the new shelves", True)
        self.run("2024-04-17", "2024-04-18")
        self.decide("2024-04-19", "rollback", "Ben", "the new shelves are gone again")
        self.run("2024-04-19", "2024-04-20")

    def log(self) -> pd.DataFrame:
        with open_stores(self.settings(FROM)) as stores:
            return Lifecycle(stores.tables, stores.tracking, stores.clock, NAME).log.all()

    def expected(self) -> pd.DataFrame:
        """What each version forecasts from the last partition."""
        frames = []
        with open_stores(self.settings("2024-04-21")) as stores:
            history = stores.tables.read([NAME, "observations"])
            future = stores.tables.read([NAME, "future_covariates"], partitions=[FROM])
            origin = pd.Timestamp(FROM)
            registry = stores.tracking.registry(NAME)
            for version in reversed(registry.versions()):
                forecaster = Forecaster.from_state(registry.load(version))
                made = forecaster.predict(history, origin, future=future[["item_id", "timestamp", "promotion"]])
                frames.append(made.assign(model=f"version {version.number}"))
            rows = stores.tables.read([NAME, "training_set"])
            settings = ModelSettings("sklearn.linear_model.Ridge", {})
            other = fit(rows, dataclasses.replace(forecaster.task, model=settings))
            model_file.save(other.state(), HERE / "ridge.skops")
            made = other.predict(history, origin, future=future[["item_id", "timestamp", "promotion"]])
            frames.append(made.assign(model="ridge"))
        return pd.concat(frames, ignore_index=True)

    def pack(self, to: Path) -> None:
        """Write the data folder as an archive in which nothing tells where it was made."""
        data = self.folder / "data"
        shutil.rmtree(data / "dagster", ignore_errors=True)
        for pattern in ("mlflow/artifacts/**/pictures", "mlflow/artifacts/**/*.html", "**/*.lock", "**/__pycache__"):
            for found in sorted(data.glob(pattern)):
                shutil.rmtree(found) if found.is_dir() else found.unlink()
        checkout = Path(mlops_assets.__file__).parents[1]
        for old in (data, checkout, HERE):
            replace_in_database(data / "mlflow" / "mlflow.db", str(old), PLACEHOLDER)
        for file in sorted(data.rglob("*")):
            for old in (data, checkout, HERE):
                if file.is_file() and str(old).encode() in (content := file.read_bytes()):
                    if b"\0" in content:
                        raise ValueError(f"{file} tells where it was made")
                    file.write_bytes(content.replace(str(old).encode(), PLACEHOLDER.encode()))
        with tarfile.open(to, "w:xz", preset=9) as archive:
            archive.add(data, "data", filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 1_714_000_000
    return member


def replace_in_database(file: Path, old: str, new: str) -> None:
    """Replace a text in every cell of an SQLite database."""
    with sqlite3.connect(file) as base:
        for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, kind, *_ in base.execute(f'PRAGMA table_info("{table}")').fetchall():
                if "CHAR" in kind.upper() or "TEXT" in kind.upper():
                    base.execute(
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?)',
                        (old, new, old),
                    )
    base = sqlite3.connect(file)
    base.execute("VACUUM")
    base.close()


def main(folder: Path) -> None:
    """Tell the story on files and on SQLite, and pack both."""
    file = HERE / "forecasts" / "sales.csv"
    if not file.exists():
        sales().to_csv(file, index=False)
    for place, tables in (("files", "files"), ("sqlite", "sql")):
        story = Story(folder / place, tables)
        story.tell()
        print(story.log()[["kind", "outcome", "version", "champion_after", "reason"]].to_string())
        expected = story.expected()
        if place == "files":
            expected.to_parquet(HERE / "expected.parquet", index=False)
        else:
            pd.testing.assert_frame_equal(expected, pd.read_parquet(HERE / "expected.parquet"), check_exact=True)
        story.pack(HERE / f"{place}.tar.xz")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
