"""observations and quarantine."""

import subprocess

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.catalog.graph import Graph
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.report.ingestion import noted_facts
from mlops_assets.stages.register import Training
from mlops_assets_tests.worlds import SPEC, panel


def _with(rows):
    data = panel().astype({"sales": "object", "day": "str"})
    return pd.concat([data, pd.DataFrame(rows)], ignore_index=True)


def test_bad_rows_go_to_quarantine_and_are_counted(world):
    bad = [
        {"day": "2024-03-03", "shop": "shop 9", "sales": "many", "rain": 0.1},
        {"day": "2024-03-04", "shop": None, "sales": 3, "rain": 0.1},
        {"day": "someday", "shop": "shop 1", "sales": 3, "rain": 0.1},
    ]
    made = world(_with(bad), quarantine={"max_share": 0.2})
    result = made.run("observations", "quarantine", partition="2024-03-01...2024-03-09")
    rows = made.table("quarantine").set_index("reason")
    assert set(rows.index) == {"target_not_a_number", "missing_item", "unparsable_timestamp"}
    assert rows.at["target_not_a_number", "partition"] == "2024-03-03"
    assert '"sales": "many"' in rows.at["target_not_a_number", "record"]
    facts = made.metadata(result, "observations")
    assert (
        facts["rows_read"]
        == facts["rows_accepted"]
        + facts["rows_quarantined"]
        + facts["rows_collapsed"]
        + facts["rows_superseded"]
        + facts["rows_aggregated"]
        + facts["rows_of_other_times"]
    )
    assert facts["rows_quarantined"] == 3


def test_too_many_bad_rows_fail_the_run_and_keep_the_last_good_partition(world):
    made = world()
    made.run("observations", "quarantine", partition="2024-03-05")
    good = made.table("observations")
    data = panel().astype({"sales": "object"})
    data.loc[(data["day"] == "2024-03-05") & (data["shop"] != "shop 0"), "sales"] = "?"
    data.to_csv(made.spec.folder / "sales.csv", index=False)
    result = made.run("observations", "quarantine", partition="2024-03-05", raise_on_error=False)
    assert not result.success
    words = result.failure_data_for_node("demo__ingest").user_failure_data.description
    assert "75.0%" in words
    assert "target_not_a_number (3)" in words
    pd.testing.assert_frame_equal(made.table("observations"), good)
    assert len(made.table("quarantine")) == 3


def test_a_missing_column_names_file_column_and_what_there_is(world):
    made = world(panel().rename(columns={"sales": "turnover"}))
    result = made.run("observations", "quarantine", partition="2024-03-05", raise_on_error=False)
    words = result.failure_data_for_node("demo__ingest").user_failure_data.description
    assert "sales.csv" in words
    assert "'sales'" in words
    assert "turnover" in words


def test_single_run_over_many_partitions_equals_one_run_each(world):
    many, one = world(), world()
    many.run("observations", "quarantine", partition="2024-03-01...2024-03-04")
    for day in pd.date_range("2024-03-01", "2024-03-04"):
        one.run("observations", "quarantine", partition=f"{day:%Y-%m-%d}")
    rows = [made.table("observations").drop(columns="known_at") for made in (many, one)]
    pd.testing.assert_frame_equal(*rows)
    assert many.tables.partitions(["demo", "observations"]) == one.tables.partitions(["demo", "observations"])


def test_both_tables_carry_what_the_ui_shows(world):
    made = world()
    result = made.run("observations", "quarantine", partition="2024-03-05")
    for name in ("observations", "quarantine"):
        facts = made.metadata(result, name)
        assert facts["dagster/row_count"] == (4 if name == "observations" else 0)
        assert isinstance(facts["columns"], dg.TableSchema)


DAYS = "2024-03-03...2024-03-05"


def _left(made, rows):
    """Let the source hold other rows from now on."""
    rows.to_csv(made.spec.folder / "sales.csv", index=False)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (panel().iloc[:0], "0 rows have come where 4 are stored (nothing of shop 0, shop 1, shop 2, shop 3)"),
        (panel()[panel()["shop"].isin(["shop 1", "shop 3"])], "2 rows have come where 4 are stored (nothing of shop 0"),
        (panel().assign(sales=None), "0 values have come where 4 are stored;"),
    ],
)
@pytest.mark.parametrize("partition", [DAYS, "2024-03-04"])
def test_stored_rows_are_not_replaced_by_fewer(world, left, words, partition):
    made = world()
    made.run("observations", "quarantine", partition=DAYS)
    stored = made.table("observations")
    _left(made, left)
    result = made.run("observations", "quarantine", partition=partition)
    pd.testing.assert_frame_equal(made.table("observations"), stored)
    told = made.table("alerts")
    assert set(told["event"]) == {"fewer rows"}
    assert len(told) == (1 if partition == "2024-03-04" else 3)
    assert all(words in what and "the stored rows are kept" in what for what in told["what"])
    assert "mlops-assets ingest demo --partition 2024-03-04 --allow-shrink" in "".join(told["to_do"])
    assert "2024-03-04" in made.metadata(result, "observations")["untouched_partitions"]


def test_rows_that_were_deleted_on_purpose_go(world):
    made = world()
    made.run("observations", "quarantine", partition=DAYS)
    _left(made, panel()[panel()["shop"] != "shop 2"])
    config = {"ops": {"demo__ingest": {"config": {"allow_shrink": True}}}}
    made.run("observations", "quarantine", partition="2024-03-04", config=config)
    rows = made.table("observations").groupby("timestamp")["item_id"].nunique()
    assert rows.tolist() == [4, 3, 4]
    assert not made.tables.exists(["demo", "alerts"]), "whoever asked for it need not be told"


def test_a_spec_may_allow_a_share_to_vanish_and_it_is_told(world):
    made = world(partitions={**SPEC["partitions"], "max_shrink": 0.25})
    made.run("observations", "quarantine", partition=DAYS)
    _left(made, panel()[panel()["shop"] != "shop 2"])
    made.run("observations", "quarantine", partition="2024-03-04")
    assert len(made.table("observations", ["2024-03-04"])) == 3
    assert "partitions.max_shrink allows it, so they are replaced" in made.table("alerts")["what"].iloc[0]
    _left(made, panel()[panel()["shop"] == "shop 1"])
    made.run("observations", "quarantine", partition="2024-03-04")
    assert len(made.table("observations", ["2024-03-04"])) == 3


def test_more_rows_and_other_values_replace_what_is_stored(world):
    made = world(panel()[panel()["shop"] != "shop 2"])
    made.run("observations", "quarantine", partition=DAYS)
    _left(made, panel().assign(sales=7.0))
    made.run("observations", "quarantine", partition=DAYS)
    assert made.table("observations")["target"].tolist() == [7.0] * 12
    assert not made.tables.exists(["demo", "alerts"])


def _doubled(day):
    again = panel()[panel()["day"] == pd.Timestamp(day)]
    return pd.concat([panel(), again.assign(sales=again["sales"] + 1)], ignore_index=True)


def test_the_limit_holds_for_the_latest_partition_of_many(world):
    made = world(_doubled("2024-04-30"))
    result = made.run("observations", "quarantine", partition="2024-03-01...2024-04-30", raise_on_error=False)
    words = result.failure_data_for_node("demo__ingest").user_failure_data.description
    assert "100.0% of the rows of 2024-04-30 break the contract" in words
    assert "conflicting_duplicate (8)" in words
    assert not made.tables.exists(["demo", "observations"])
    assert set(made.table("quarantine")["partition"]) == {"2024-04-30"}


def test_an_earlier_partition_over_the_limit_keeps_what_is_stored_and_the_others_are_ingested(world):
    made = world()
    made.run("observations", "quarantine", partition="2024-03-10")
    stored = made.table("observations")
    _left(made, _doubled("2024-03-10"))
    made.run("observations", "quarantine", partition="2024-03-01...2024-04-30")
    pd.testing.assert_frame_equal(made.table("observations", ["2024-03-10"]), stored)
    assert len(made.table("observations")) == 61 * 4
    (told,) = made.table("alerts")["what"]
    assert "sales.csv: 100.0% of the rows of 2024-03-10 break the contract, more than the 5.0%" in told
    assert "conflicting_duplicate (8), such as row 10 of sales.csv: item 'shop 0' at 2024-03-10" in told
    assert "columns.aggregate: sum" in told
    assert "The others are ingested" in told


@pytest.mark.parametrize("before", [None, panel().iloc[:0]], ids=["not stored", "stored without a row"])
def test_good_rows_of_an_earlier_partition_over_the_limit_are_stored_where_none_are(world, before):
    rows = panel().astype({"sales": "object"})
    rows.loc[(rows["day"] == "2024-03-10") & (rows["shop"] == "shop 2"), "sales"] = "many"
    made = world(before if before is not None else rows)
    if before is not None:
        made.run("observations", "quarantine", partition="2024-03-10")
        assert made.tables.row_counts(["demo", "observations"], ["2024-03-10"]) == {"2024-03-10": 0}
        _left(made, rows)
    made.run("observations", "quarantine", partition="2024-03-01...2024-04-30")
    assert len(made.table("observations")) == 61 * 4 - 1
    assert made.table("observations", ["2024-03-10"])["item_id"].tolist() == ["shop 0", "shop 1", "shop 3"]
    assert made.table("quarantine")["partition"].tolist() == ["2024-03-10"]
    told = made.table("alerts").set_index("event").at["quarantine", "what"]
    assert "25.0% of the rows of 2024-03-10 break the contract" in told
    assert told.endswith("The others are ingested; its good rows are stored")


def test_a_loss_is_not_said_to_be_as_asked_for_where_the_stored_rows_stay(world, caplog):
    made = world()
    made.run("observations", "quarantine", partition=DAYS)
    _left(made, _doubled("2024-03-04"))
    config = {"ops": {"demo__ingest": {"config": {"allow_shrink": True}}}}
    made.run("observations", "quarantine", partition="2024-03-01...2024-04-30", config=config)
    assert len(made.table("observations", ["2024-03-04"])) == 4
    assert "as was asked for" not in caplog.text


def test_a_partition_with_half_of_the_items_is_told(world):
    data = panel()
    made = world(data)
    made.run("observations", "quarantine", partition="2024-03-01...2024-03-10")
    for day, shops, said in (
        ("2024-03-11", ["shop 0", "shop 1"], True),
        ("2024-03-12", ["shop 0", "shop 1"], True),
        ("2024-03-13", ["shop 0", "shop 1", "shop 2", "shop 3"], False),
        ("2024-03-14", ["shop 0", "shop 1", "shop 2"], False),
    ):
        _left(made, data[data["shop"].isin(shops)])
        result = made.run("observations", "quarantine", partition=day)
        logs = made.instance.all_logs(result.run_id)
        words = [entry.user_message for entry in logs if "has no row of" in entry.user_message]
        assert bool(words) == said, day
        if said:
            assert words[0].startswith(f"{day} has no row of shop 2, shop 3, which had rows until then")
            assert f"mlops-assets ingest demo --partition {day}" in words[0]


def test_a_run_that_dies_before_it_stores_what_was_revised_leaves_the_past_as_it_was(world, monkeypatch):
    made = world()
    made.run("observations", "quarantine", partition="2024-03-05")
    before = made.table("observations")
    _left(made, panel().assign(sales=1.0))
    kind, store = type(made.tables), type(made.tables).handle_output

    def dying(tables, context, rows):
        if context.asset_key.path[-1] == "observations":
            raise KeyboardInterrupt
        return store(tables, context, rows)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "handle_output", dying)
        with pytest.raises(KeyboardInterrupt):
            made.run("observations", "quarantine", partition="2024-03-05")
    past = Revisions(Graph(made.spec), made.tables)
    assert len(made.table("revisions")) == len(before), "kept before the others are stored"
    pd.testing.assert_frame_equal(past.versions("observations")[0].drop(columns="partition"), before)
    moment = pd.Timestamp(before["known_at"].max())
    made.run("observations", "quarantine", partition="2024-03-05")
    assert made.table("observations")["target"].tolist() == [1.0] * 4
    assert past.as_of("observations", moment)["target"].tolist() == before["target"].tolist()
    assert len(made.table("revisions")) == len(before), "and once"


@pytest.mark.process
def test_the_version_that_git_knows_the_source_by_reaches_a_versions_tags(world):
    made = world(source={**SPEC["source"], "version": "git"})
    for words in ("init -q", "add -A", "-c user.name=Ada -c user.email=ada@example.com commit -q -m data"):
        subprocess.run(["git", *words.split()], cwd=made.spec.folder, check=True)
    asked = ["git", "rev-parse", "HEAD", "HEAD:sales.csv"]
    commit, blob = subprocess.check_output(asked, cwd=made.spec.folder, text=True).split()
    result = made.run("observations", "quarantine", partition="2024-03-01...2024-03-09")
    assert made.metadata(result, "observations")["source_version"] == blob
    known = noted_facts(made.tables, made.spec.name)["observations"]["source_version"]
    facts = {"data_version": "d", "trained_until": "t", "action": "refit", "fit_seconds": 1.0}
    state = {"facts": facts, "forecaster": {"kind": "random_forest"}}
    tags = Training(made.spec, panel(), panel(), state, None, known).tags(result.dagster_run)
    assert (tags["source_version"], tags["spec_commit"]) == (blob, commit)
    assert "source_version" not in Training(made.spec, panel(), panel(), state, None).tags(result.dagster_run)
