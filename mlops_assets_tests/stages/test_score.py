"""One truth of scores: what sensor, status and report read, stored or, where an earlier release kept none, computed."""

import pandas as pd
import pytest

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.forecasting.decisions.evidence import Champion
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.report.state import Sources, overview
from mlops_assets.stages.score import keep_scores, latest_origins, read_scores, version_scores
from mlops_assets_tests.releases.unpacked import unpack
from mlops_assets_tests.worlds import declare

DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-05-02", "2024-05-09")]
NOW = pd.Timestamp("2024-05-10")


@pytest.fixture
def spec(tmp_path):
    return declare(tmp_path)


def matched(day: str, error: float, version: int = 1, in_sample: bool = False) -> pd.DataFrame:
    """Forecasts of a day beside its actuals, each off by a share of the target."""
    target = pd.Series([100.0, 50.0, 20.0])
    return pd.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "timestamp": pd.Timestamp(day),
            "origin": pd.Timestamp(day) - pd.Timedelta(days=1),
            "lead": 1,
            "target": target,
            **dict.fromkeys(("mean", "q10", "q50", "q90", "naive"), target * (1 + error)),
            "error": target * error,
            "mase_scale": 1.0,
            "rmsse_scale": 1.0,
            "source": "champion",
            "model_version": version,
            "in_sample": in_sample,
            "role": "delivered",
            "job_key": "",
        }
    )


def store(tables: MemoryTables, spec, day: str, rows: pd.DataFrame, keep: bool = True) -> None:
    """Score a day as the asset does, or as a release did that kept no scores."""
    tables.write(["demo", "forecast_accuracy"], rows, day)
    if keep:
        rows = ledger.honest(rows)
        keep_scores(tables, spec, {day: ledger.scores(rows, spec.task, segments(rows)) if len(rows) else None}, NOW)


def test_scores_that_are_stored_are_those_that_would_be_computed(spec):
    kept, bare = MemoryTables(), MemoryTables()
    for number, day in enumerate(DAYS):
        rows = pd.concat([matched(day, number / 10, 1), matched(day, 0.3, 2), matched(day, 0.9, 3, in_sample=True)])
        store(kept, spec, day, rows)
        store(bare, spec, day, rows, keep=False)
    stored, computed = version_scores(kept, spec), version_scores(bare, spec)
    pd.testing.assert_frame_equal(stored, computed)
    assert stored["model_version"].tolist() == [1, 2] * len(DAYS)
    one = ledger.summary(matched(DAYS[4], 0.4), spec.task)
    row = stored[(stored["partition"] == DAYS[4]) & (stored["model_version"] == 1)].iloc[0]
    assert {name: row[name] for name in one} == pytest.approx(one, nan_ok=True)


def test_where_only_some_partitions_have_scores_the_others_are_computed(spec):
    tables = MemoryTables()
    for number, day in enumerate(DAYS):
        store(tables, spec, day, matched(day, number / 10), keep=number % 2 == 0)
    found = version_scores(tables, spec)
    assert found["partition"].tolist() == DAYS
    assert found["wape"].tolist() == pytest.approx([number / 10 for number in range(len(DAYS))])


def test_the_policy_judges_a_corrected_score_not_the_one_before(spec):
    tables = MemoryTables()
    store(tables, spec, DAYS[0], matched(DAYS[0], 0.5))
    store(tables, spec, DAYS[0], matched(DAYS[0], 0.1))
    assert read_scores(tables, spec, latest=False)["revision"].max() == 2
    assert version_scores(tables, spec)["wape"].tolist() == pytest.approx([0.1])


@pytest.mark.parametrize("keep", [True, False])
def test_of_a_champion_no_more_is_read_than_the_policy_needs(spec, keep):
    tables = MemoryTables()
    for number, day in enumerate(DAYS):
        store(tables, spec, day, matched(day, 0.1, version=1 if number % 2 else 7), keep=keep)
    found = version_scores(tables, spec, Champion(1, pd.Timestamp("2024-05-01")))
    own = found.loc[found["model_version"] == 1, "partition"]
    assert list(own) == DAYS[1::2][-(spec.retraining.window + 1) :]
    late = version_scores(tables, spec, Champion(1, pd.Timestamp("2024-05-08")))
    assert late["partition"].tolist() == DAYS[-2:], "nothing from before its training"


def test_nothing_scored_has_the_same_columns(spec):
    tables = MemoryTables()
    expected = ["partition", "model_version", "rows", *ledger.NUMBERS]
    assert list(version_scores(tables, spec)) == expected
    assert latest_origins(tables, spec).empty
    store(tables, spec, DAYS[0], matched(DAYS[0], 0.1, in_sample=True))
    assert list(version_scores(tables, spec)) == expected
    assert version_scores(tables, spec).empty


def test_policy_and_status_agree_on_what_release_0_1_0_stored(tmp_path):
    deployment = unpack("0.1.0", "files", tmp_path)
    spec = deployment.spec
    with deployment.opened() as stores:
        stored = version_scores(stores.tables, spec)
        status = overview(Sources(spec, stores.tables, stores.tracking, stores.clock, Notifications()))
        stores.tables.delete([spec.name, "accuracy_scores"])
        computed = version_scores(stores.tables, spec)
    assert len(stored) > 3
    known = stored.dropna(axis=1, how="all")  # metrics that release 0.1.0 had
    pd.testing.assert_frame_equal(known, computed[known.columns], check_dtype=False)
    last = stored[stored["partition"] == stored["partition"].max()]
    value, metric = status.to_json()["accuracy"], spec.retraining.metric
    assert value["partition"] == last["partition"].iloc[0]
    assert value["rows"] == last["rows"].sum()
    assert last[metric].min() <= value["value"] <= last[metric].max()
