"""What a round and the ticks after it ask of PostgreSQL."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.definitions import build
from mlops_assets.resources.instance import open_instance
from mlops_assets.rounds.round import resolve_partitions, run_round
from mlops_assets.settings import Settings
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.io_managers.statements import Asked, Watched
from mlops_assets_tests.worlds import declare

ROUND, QUIET = 800, 100
"""More statements than these a daily round, and a tick of all sensors that find nothing new, do not send."""


@pytest.mark.process
def test_a_round_and_its_ticks_send_few_statements_and_read_no_table_whole(
    tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch
):
    spec = declare(tmp_path / "forecasts", automation=True)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    (tmp_path / "data" / "mlflow").mkdir(parents=True)
    (tmp_path / "data" / "mlflow" / "mlflow.db").write_bytes(empty_mlflow.read_bytes())
    with servers.postgres(tmp_path / "pg") as server:
        watched = Watched(server, tmp_path / "pg", "tables")

        def at(day: str) -> Settings:
            return Settings.read(
                {
                    "MLOPS_DATA": str(tmp_path / "data"),
                    "MLOPS_FORECASTS": str(tmp_path / "forecasts"),
                    "MLOPS_TABLES": "sql",
                    "MLOPS_DATABASE_URL": watched.url,
                    "MLOPS_NOW": f"{day}T06:30:00+00:00",
                }
            )

        with open_instance(at("2024-05-10")) as instance:

            def day(day: str) -> Asked:
                settings = at(day)
                with watched.asked() as asked:
                    keys = resolve_partitions(spec, None, settings)
                    run_round(spec, keys, settings, instance, False, lambda *_: None, catch_up=True)
                    assert watched.connections() <= 5
                return asked

            day("2024-05-08")
            day("2024-05-09")  # with which the last table is made
            asked = day("2024-05-10")
            assert asked.whole == {}
            assert 100 < len(asked.statements) <= ROUND, asked.kinds
            assert asked.connections <= 5
            tick(at("2024-05-10"), instance)
            with watched.asked() as asked:
                tick(at("2024-05-10"), instance)
            assert asked.whole == {}
            assert len(asked.statements) <= QUIET, asked.kinds


def tick(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Evaluate each sensor once, with the cursor that its last tick has left in the environment."""
    made = build(settings)
    repository = made.get_repository_def()
    for sensor in repository.sensor_defs:
        with dg.build_sensor_context(
            instance=instance, repository_def=repository, sensor_name=sensor.name, resources=dict(made.resources or {}),
            cursor=CURSORS.get(sensor.name),
        ) as context:  # fmt: skip
            CURSORS[sensor.name] = sensor.evaluate_tick(context).cursor


CURSORS: dict[str, Any] = {}
