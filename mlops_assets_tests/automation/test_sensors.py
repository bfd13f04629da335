"""The retraining sensor over stored accuracy."""

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.automation.sensors import accuracy_history, build_sensors
from mlops_assets_tests.conftest import World


def store(world: World, day: str, error: float, in_sample: bool = False) -> None:
    """Store the accuracy of a day on which every forecast was off by a share of the target."""
    target = 100.0
    rows = pd.DataFrame(
        {
            "item_id": ["a", "b"],
            "timestamp": pd.Timestamp(day),
            "origin": pd.Timestamp(day) - pd.Timedelta(days=1),
            "lead": 1,
            "target": target,
            **dict.fromkeys(("mean", "q10", "q50", "q90", "naive"), target * (1 + error)),
            "error": target * error,
            "mase_scale": 1.0,
            "rmsse_scale": 1.0,
            "source": "champion",
            "model_version": 1,
            "in_sample": in_sample,
        }
    )
    world.tables.write(["demo", "forecast_accuracy"], rows, day)


def tick(world: World):
    (sensor,) = build_sensors(world.spec)
    with dg.build_sensor_context(instance=world.instance, resources={"tables": world.tables}) as context:
        return sensor(context)


def test_no_data_is_said_in_words(world):
    assert tick(world()).skip_message == "no forecast has been scored yet"


def test_a_breach_requests_one_retraining_with_its_reason(world):
    made = world()
    for day, error in (("2024-05-01", 0.0), ("2024-05-02", 0.5), ("2024-05-03", 0.6)):
        store(made, day, error)
    request = tick(made)
    assert request.run_key == "demo:2024-05-03"
    assert "above 0.2" in request.tags["mlops/reason"]


def test_the_same_breach_twice_has_the_same_run_key(world):
    made = world()
    for day in ("2024-05-02", "2024-05-03"):
        store(made, day, 0.5)
    assert tick(made).run_key == tick(made).run_key


def test_no_breach_says_why_not(world):
    made = world()
    store(made, "2024-05-02", 0.5)
    store(made, "2024-05-03", 0.01)
    assert "within 0.2" in tick(made).skip_message


def test_forecasts_of_a_model_that_had_seen_the_actuals_do_not_vote(world):
    made = world()
    for day in ("2024-05-01", "2024-05-02", "2024-05-03"):
        store(made, day, 0.5, in_sample=True)
    assert tick(made).skip_message == "no forecast has been scored yet"


def test_without_a_threshold_accuracy_never_retrains(world):
    made = world(retraining={"metric": "wql"})
    store(made, "2024-05-03", 5.0)
    assert "threshold is not set" in tick(made).skip_message


def test_history_reads_the_latest_partitions_only(world):
    made = world()
    for day in range(1, 9):
        store(made, f"2024-05-0{day}", day / 10)
    history = accuracy_history(made.tables, made.spec, 3)
    assert list(history["partition"]) == ["2024-05-06", "2024-05-07", "2024-05-08"]
    assert list(history["wql"]) == pytest.approx([0.6, 0.7, 0.8])


def test_partitions_that_could_not_be_scored_take_no_place_in_the_window(world):
    made = world()
    for day in ("2024-05-01", "2024-05-02"):
        store(made, day, 0.5)
    store(made, "2024-05-03", 0.5, in_sample=True)
    assert list(accuracy_history(made.tables, made.spec, 2)["partition"]) == ["2024-05-01", "2024-05-02"]
