"""A forecast's whole round gives the same to the last bit on one shard and on many, with a worker killed in each stage.

On Dask by default; `make test-scale` adds processes of this machine, Spark and Spark Connect, and the shipped example.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mlops_assets
from mlops_assets.forecasting.model import model_file
from mlops_assets.scale import worker
from mlops_assets.scale.engine import Engine
from mlops_assets.spec import ForecastSpec, load_spec
from mlops_assets_tests.scale import work
from mlops_assets_tests.scale.spark_server import connect_server
from mlops_assets_tests.worlds import World, declare, panel, sandbox

pytestmark = pytest.mark.process
ALL = os.environ.get("MLOPS_TEST_SCALE") == "all"
KILLED = ("training_set", "backtest", "forecasts", "forecast_accuracy")
"""The stages in which a worker is killed by default; all are, in `make test-scale`."""
SHARDED = ("training_set", "backtest", "forecasts", "forecast_accuracy", "anomalies", "forecast_change")
"""The assets whose work is done in shards; drift is measured in this process, on as many items as it holds."""
NOT_OF_DATA = ("created_at", "known_at", "made_at", "scored_at", "run_id")
"""Columns that say when, or in which run, a row was made."""


@dataclass(frozen=True)
class Story:
    """A forecast, and the partitions of its round.

    Attributes:
        make: declares it in a folder.
        history: is learnt from.
        origins: are forecast, one after the other.
        after: is scored.
    """

    make: Callable[[Path], ForecastSpec]
    history: str
    origins: tuple[str, ...]
    after: str


def example(_: Path) -> ForecastSpec:
    return load_spec(Path(mlops_assets.__file__).parent / "forecasts" / "nyc_departures.yaml")


STORIES = {
    "demo": Story(
        lambda folder: declare(folder, panel()),
        "2024-03-01...2024-05-10",
        ("2024-05-10", "2024-05-11"),
        "2024-05-12",
    ),
    "example": Story(example, "2013-12-03...2013-12-14", ("2013-12-14", "2013-12-15"), "2013-12-16"),
}


class Round:
    """A round of a story in a world of its own, on an engine."""

    def __init__(self, story: Story, folder: Path, mlflow: Path, address: str = "local") -> None:
        self.story = story
        spec = story.make(folder / "forecasts")
        settings = sandbox(folder, mlflow).model_copy(update={"tables": "files", "models": "files", "engine": address})
        self.world = World(spec, settings)

    def steps(self) -> Iterator[str]:
        """Materialize asset by asset, and name each before."""
        first, second = self.story.origins
        ingested = ["observations", "quarantine"] + ["future_covariates"] * bool(self.world.spec.covariates.all_known)
        self.world.run(*ingested, partition=self.story.history)
        for name in ("training_set", "random_forest", "backtest", "model_version", "champion"):
            yield name
            self.world.run(name)
        yield "forecasts"
        self.world.run("forecasts", partition=first)
        self.world.run(*ingested, partition=second)
        self.world.run("forecasts", partition=second)
        self.world.run(*ingested, partition=self.story.after)
        self.world.run("forecasts", partition=self.story.after)
        for name in ("forecast_accuracy", "data_drift", "anomalies", "forecast_change"):
            yield name
            self.world.run(name, partition=self.story.after)

    def digests(self) -> dict[str, str]:
        """Return a digest of each table, and of the model's file."""
        found = {name: digest(self.world.table(name)) for name in (*SHARDED, "data_drift")}
        model = self.world.resources["models"].load(self.world.key("random_forest").path)["forecaster"]
        return {**found, "model": hashlib.sha256(model_file.dumps(model)).hexdigest()}  # without the seconds it took


def digest(frame: pd.DataFrame) -> str:
    """Return a digest of all values, types and columns; of the order of rows, too."""
    kept = frame.drop(columns=[name for name in NOT_OF_DATA if name in frame])
    text = f"{kept.dtypes.to_dict()}{kept.to_csv(index=False, float_format=lambda value: float(value).hex())}"
    return hashlib.sha256(text.encode()).hexdigest()


LONG = pytest.mark.skipif(not ALL, reason="make test-scale")


@pytest.fixture(scope="module", params=["demo", pytest.param("example", marks=LONG)])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Any:
    """A story, and the digests of its round on one shard, in this process."""
    story = STORIES[request.param]
    one = Round(story, tmp_path_factory.mktemp("whole"), empty_mlflow)
    list(one.steps())
    return story, one.digests()


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two Dask workers, each a process with a limit of memory."""
    from dask import config
    from distributed import LocalCluster

    options = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    never = {f"distributed.worker.memory.{act}": False for act in ("target", "spill", "pause")}  # as docs/scale.md says
    lost = {"distributed.deploy.lost-worker-timeout": "10 minutes"}  # who comes back late, under load, is let in
    with (
        config.set(never | lost),
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="800MB", scheduler_kwargs=options) as made,
    ):
        yield made.scheduler_address


def test_dask_gives_the_same_though_a_worker_is_killed_in_each_stage(
    whole, cluster, tmp_path, empty_mlflow, monkeypatch
):
    from distributed import Client

    story, expected = whole
    monkeypatch.setattr("mlops_assets.scale.shards.ROWS", 1)  # a shard for each item
    monkeypatch.setattr("mlops_assets.stages.shards.accuracy.HERE", 0)
    one = Round(story, tmp_path, empty_mlflow, f"dask://{cluster.removeprefix('tcp://')}")
    with Client(cluster, set_as_default=False) as client:
        for name in one.steps():
            client.wait_for_workers(1, timeout=180)
            if ALL or name in KILLED:
                client.run(work.doom, str(tmp_path / f"killed in {name}"))
    killed = {file.name.removeprefix("killed in ") for file in tmp_path.glob("killed in *")}
    assert killed >= set(SHARDED if ALL else KILLED)
    assert one.digests() == expected


@LONG
@pytest.mark.parametrize("address", ["local?workers=2", "spark://local-cluster[2,1,1024]", "connect"])
def test_every_other_engine_gives_the_same(whole, address, tmp_path, empty_mlflow, monkeypatch, request):
    """Of Spark's local cluster an executor is killed in the backtest, of processes the one that has the task."""
    story, expected = whole
    pack, killed = worker.pack, tmp_path / "killed"
    monkeypatch.setattr("mlops_assets.scale.shards.ROWS", 1)  # a shard for each item
    monkeypatch.setattr("mlops_assets.stages.shards.accuracy.HERE", 0)
    if address == "connect":
        address = request.getfixturevalue("connect")
    first = Engine(address=address)  # whose session of Spark the others find
    try:
        assert list(first.map(work.double, [1, 2])) == [2, 4]
        one = Round(story, tmp_path, empty_mlflow, address)
        for name in one.steps():
            if name == "backtest" and not address.startswith("sc:"):  # whose one process is also the server
                monkeypatch.setattr(worker, "pack", lambda made: pack(partial(work.deadly_once, str(killed), made)))
    finally:
        first.close()
    assert killed.exists() or address.startswith("sc:")
    assert one.digests() == expected


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with connect_server(tmp_path_factory.mktemp("connect")) as address:
        yield address
