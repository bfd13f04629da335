"""What is found out about a table that nobody has described, and the spec that is proposed for it."""

import json
import sqlite3
import time
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mlops_assets.drafts.draft import Draft, draft, write
from mlops_assets.errors import DataError, UsageError
from mlops_assets.forecasting.data.grid import parse_frequency
from mlops_assets.forecasting.evaluation.backtest import origins_between
from mlops_assets.sources.base import SourceError
from mlops_assets.spec import load_spec

NOW = datetime(2024, 6, 1, tzinfo=timezone.utc)


def panel(frequency: str = "D", steps: int = 80, start: str = "2024-01-01", shops: tuple[str, ...] = ("a", "b")):
    times = pd.date_range(start, periods=steps, freq=frequency)
    random = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"shop": shop, "day": times, "sales": (100 + random.normal(0, 9, steps)).round(2)})
        for shop in shops
    ]
    return pd.concat(frames, ignore_index=True)


def drafted(
    table: pd.DataFrame | str,
    folder: Path,
    name: str = "sales.csv",
    horizon: int | None = None,
    index: bool = False,
    **how,
) -> Draft:
    file = folder / name
    if isinstance(table, str):
        file.write_text(table, encoding="utf-8")
    else:
        table.to_csv(file, index=index, **how)
    return draft(str(file), folder / "sales.yaml", "sales", NOW, horizon)


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    frequency=st.sampled_from(
        ["D", "B", "h", "30min", "15min", "W-SUN", "W-MON", "W-FRI", "MS", "ME", "QS", "QE", "YS", "YE", "QS-FEB"]
    ),
    form=st.sampled_from([None, "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "epoch_ms"]),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    comma=st.booleans(),
    end=st.dates(pd.Timestamp("2020-01-01").date(), pd.Timestamp("2024-05-01").date()),
)
def test_what_was_written_is_found(tmp_path: Path, frequency, form, separator, comma, end) -> None:
    steps = 20 if frequency[0] in "QY" else 80
    start = pd.date_range(end=end, periods=steps, freq=frequency)[0]
    table = panel(frequency, steps, start=str(start))
    times = table["day"]
    if form == "epoch_ms":
        table["day"] = (times - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)
    elif form is not None:
        table["day"] = times.dt.strftime(form)
    comma = comma and separator != ","
    found = drafted(table, tmp_path, sep=separator, decimal="," if comma else ".")
    if form in found.roles.time.others:
        assert f"{form} would read them" in found.text or form in found.text
        return  # 02/01 alone is the second of January, or the first of February
    assert parse_frequency(found.spec.frequency) == parse_frequency(frequency)
    assert found.spec.columns.item_id == ["shop"]
    assert (found.spec.columns.timestamp, found.spec.columns.target) == ("day", "sales")
    assert found.checked.counts["rows_accepted"] == len(table)
    assert found.first == times.min()
    assert found.last == times.max()
    assert found.spec.source.delimiter == (None if separator == "," else separator)
    assert found.checked.accepted["target"].between(50, 150).all()


def test_the_text_is_the_spec_and_has_its_schema_beside_it(tmp_path: Path) -> None:
    found = drafted(panel(), tmp_path, horizon=5)
    file = tmp_path / "forecasts" / "sales.yaml"
    found = draft(str(tmp_path / "sales.csv"), file, "sales", NOW, 5)
    write(found, file)
    spec = load_spec(file)
    assert spec == found.spec
    assert spec.horizon == 5
    assert spec.source.path == "../sales.csv"
    schema = json.loads((file.parent / "forecast.schema.json").read_text())
    assert "partitions" in schema["properties"]


def test_day_first_and_month_first_are_told_by_what_follows_evenly(tmp_path: Path) -> None:
    table = panel(steps=40, start="2024-03-01")
    american = table.assign(day=table["day"].dt.strftime("%m/%d/%Y"))
    assert drafted(american, tmp_path).spec.columns.timestamp_format == "%m/%d/%Y"
    european = table.assign(day=table["day"].dt.strftime("%d/%m/%Y"))
    assert drafted(european, tmp_path).spec.columns.timestamp_format == "%d/%m/%Y"


def test_offsets_tell_the_zone(tmp_path: Path) -> None:
    table = panel()
    table["day"] = table["day"].dt.tz_localize("America/New_York").map(lambda moment: moment.isoformat())
    found = drafted(table, tmp_path)
    assert found.spec.time_zone == "America/New_York"
    assert found.spec.frequency == "D"


def test_the_fewest_columns_that_tell_the_rows_apart_name_the_item(tmp_path: Path) -> None:
    table = pd.concat([panel(shops=("a", "b")).assign(product=product, town="x") for product in ("tea", "rice")])
    table["region"] = table["shop"].map({"a": "north", "b": "south"})
    found = drafted(table[["product", "region", "shop", "town", "day", "sales"]], tmp_path)
    assert sorted(found.spec.columns.item_id) == ["product", "shop"]
    assert "town" in found.roles.left_out


def test_a_column_of_joined_names_is_enough_and_the_others_are_static(tmp_path: Path) -> None:
    table = panel(shops=("a", "b", "c", "d"))
    table["region"] = table["shop"].map({"a": "north", "b": "south", "c": "north", "d": "south"})
    found = drafted(table, tmp_path)
    assert found.spec.columns.item_id == ["shop"]
    assert found.spec.covariates.static == ["region"]


def test_one_series_needs_no_column_that_names_it(tmp_path: Path) -> None:
    found = drafted(panel(shops=("a",)).drop(columns="shop"), tmp_path)
    assert found.spec.columns.item_id == []
    assert found.checked.accepted["item_id"].unique().tolist() == ["sales"]
    assert "one series" in found.text


def test_what_stands_after_the_last_target_is_known_ahead(tmp_path: Path) -> None:
    table = panel().assign(temperature=7.5, clicks=3.0)
    table.loc[table["day"] > "2024-03-15", ["sales", "clicks"]] = np.nan
    table["temperature"] += np.arange(len(table)) % 5
    table["clicks"] += np.arange(len(table)) % 7
    found = drafted(table, tmp_path)
    assert found.spec.covariates.known == ["temperature"]
    assert found.spec.covariates.past == ["clicks"]
    assert found.last == pd.Timestamp("2024-03-15")


def test_sales_one_by_one_are_added_up_and_a_few_doubled_rows_are_not(tmp_path: Path) -> None:
    table = panel()
    single = pd.concat([table, table.assign(sales=1.0)])
    found = drafted(single, tmp_path)
    assert (found.spec.columns.aggregate, found.spec.fill) == ("sum", "zero")
    doubled = pd.concat([table, table.tail(2).assign(sales=1.0)])
    found = drafted(doubled, tmp_path)
    assert found.spec.columns.aggregate is None
    assert found.checked.reasons == {"conflicting_duplicate": 4}
    assert "conflicting_duplicate" in found.text


def test_stamps_at_the_end_of_the_day_count_to_it(tmp_path: Path) -> None:
    table = panel().assign(day=lambda frame: frame["day"] + pd.Timedelta("23:59:59"))
    found = drafted(table, tmp_path)
    assert (found.spec.frequency, found.spec.columns.timestamp_floor) == ("D", True)


def test_a_table_of_the_past_ends_with_its_last_partition(tmp_path: Path) -> None:
    found = drafted(panel(start="2020-01-01"), tmp_path)
    assert found.spec.partitions.end == "2020-03-21"
    assert drafted(panel(start="2024-03-12"), tmp_path).spec.partitions.end is None


def test_a_short_history_has_fewer_windows_and_a_shorter_horizon(tmp_path: Path) -> None:
    found = drafted(panel(steps=20), tmp_path)
    assert found.spec.horizon <= 4
    assert found.spec.backtest.windows >= 1
    long = drafted(panel(steps=400, start="2023-01-01"), tmp_path)
    assert long.spec.horizon == 14
    assert (long.spec.partitions.history_from, long.spec.partitions.start) == ("2023-01-01", "2024-01-06")
    assert "holds all rows before it" in long.text


@pytest.mark.parametrize("frequency", ["YS", "QS", "MS", "W-MON", "D"])
@pytest.mark.parametrize("steps", [7, 8, 9, 10, 12, 16])
def test_the_windows_of_a_short_history_have_what_they_learn_from(tmp_path: Path, frequency: str, steps: int) -> None:
    spec = drafted(panel(frequency, steps, start="2010-01-01"), tmp_path).spec
    times = pd.date_range("2010-01-01", periods=steps, freq=frequency)
    found = origins_between(times[0], times[-1], spec.task, spec.backtest.windows, spec.backtest.step)
    assert len(found) == spec.backtest.windows


def test_a_history_that_no_setting_makes_long_enough_is_told_no_shorter_ones(tmp_path: Path) -> None:
    spec = drafted(panel("YS", 6, start="2010-01-01"), tmp_path).spec
    with pytest.raises(DataError) as refused:
        origins_between(pd.Timestamp("2010-01-01"), pd.Timestamp("2015-01-01"), spec.task, spec.backtest.windows)
    assert refused.value.message == (
        "a backtest of 1 window of 1 step needs observed targets from 2009-01-01 on, and they begin at 2010-01-01: "
        "take a table, or partitions, that start earlier"
    )


def test_latin_1_is_declared(tmp_path: Path) -> None:
    table = panel(shops=("Köln", "Zürich"))
    assert drafted(table, tmp_path, encoding="latin-1").spec.source.encoding == "cp1252"


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "json", "xlsx"])
def test_other_formats(tmp_path: Path, ending: str) -> None:
    table, file = panel(), tmp_path / f"sales.{ending}"
    if ending == "parquet":
        table.to_parquet(file)
    elif ending == "xlsx":
        table.to_excel(file, index=False)
    else:
        table.assign(day=table["day"].dt.strftime("%Y-%m-%d")).to_json(file, orient="records", lines=ending == "jsonl")
    found = draft(str(file), tmp_path / "sales.yaml", "sales", NOW)
    assert (found.spec.frequency, found.spec.columns.item_id, found.spec.columns.target) == ("D", ["shop"], "sales")


def test_a_folder_of_files_is_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    for month, part in panel().groupby(panel()["day"].dt.month):
        part.to_csv(folder / f"{month}.csv", index=False)
    found = draft(str(folder), tmp_path / "sales.yaml", "sales", NOW)
    assert found.checked.counts["rows_accepted"] == 160
    assert found.spec.source.path == "exports"


def test_of_exports_that_overlap_the_latest_counts(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    table = panel(steps=40)
    for number, last in enumerate(table["day"].unique()[9::3]):
        rows = table[table["day"].between(last - pd.Timedelta(9, unit="D"), last)]
        rows.assign(sales=rows["sales"] + number).to_csv(tmp_path / "exports" / f"export_{number:02d}.csv", index=False)
    found = draft(str(tmp_path / "exports"), tmp_path / "sales.yaml", "sales", NOW)
    assert (found.spec.source.latest_wins, found.spec.columns.aggregate, found.items) == ("name", None, 2)
    assert "that of the last file, by name, counts" in found.text


def test_a_database_is_asked_for_its_table(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as connection:
        panel().to_sql("daily", connection, index=False)
        panel().to_sql("other", connection, index=False)
    with pytest.raises(UsageError, match=r"say which table, by --table; there are: daily, other"):
        draft(f"sqlite:///{file}", tmp_path / "sales.yaml", "sales", NOW)
    with pytest.raises(UsageError, match=r"Did you mean daily\?"):
        draft(f"sqlite:///{file}", tmp_path / "sales.yaml", "sales", NOW, table="daly")
    found = draft(f"sqlite:///{file}", tmp_path / "sales.yaml", "sales", NOW, table="daily")
    assert (found.spec.source.kind, found.spec.source.table) == ("sql", "daily")
    assert found.checked.counts["rows_accepted"] == 160


@pytest.mark.parametrize("form", ["{year}Q{quarter}", "{year}-Q{quarter}", "Q{quarter} {year}", "Q{quarter}/{year}"])
def test_quarters_are_times(tmp_path: Path, form: str) -> None:
    table = panel("QS", 24, "2018-01-01")
    table["day"] = [form.format(year=day.year, quarter=day.quarter) for day in table["day"]]
    found = drafted(table, tmp_path)
    assert (found.spec.frequency, str(found.last.date()), found.items) == ("QS", "2023-10-01", 2)


def test_many_columns_are_looked_at_in_no_time(tmp_path: Path) -> None:
    further = pd.DataFrame(np.random.default_rng(0).normal(0, 9, (80, 150)).round(2)).add_prefix("x")
    table = pd.concat([panel(steps=40), further], axis=1)
    began = time.process_time()
    assert len(drafted(table, tmp_path).spec.covariates.past) == 150
    assert time.process_time() - began < 10, "each format is tried on each column"


def test_a_column_for_each_item_may_be_made_long(tmp_path: Path) -> None:
    table = panel().pivot(index="day", columns="shop", values="sales").reset_index()
    assert drafted(table, tmp_path).made_long == [], "a covariate, perhaps"
    wide = drafted(table.assign(c=table["a"] + 1), tmp_path)
    assert wide.wide == ["a", "b", "c"]
    assert ".melt(['day'], var_name='item'" in wide.made_long[0]
    assert drafted(table.assign(c=1, d=2).rename(columns={"a": "sales"}), tmp_path).made_long == []


def test_what_is_mostly_zero_has_the_mean_as_its_point(tmp_path: Path) -> None:
    table = panel()
    seldom = table.assign(sales=np.where(np.arange(len(table)) % 3 == 0, 2, 0))
    assert drafted(seldom, tmp_path).spec.point == "mean"
    assert drafted(seldom.assign(sales=-seldom["sales"]), tmp_path).spec.point == "median", "not a number of something"
    assert drafted(table.assign(sales=np.where(np.arange(len(table)) % 3 == 0, 0, 2)), tmp_path).spec.point == "median"


def test_what_counts_the_rows_is_nothing(tmp_path: Path) -> None:
    table = panel()
    assert drafted(table, tmp_path, index=True).spec == drafted(table, tmp_path).spec
    counted = drafted(table.assign(receipt=range(7, 7 + len(table))), tmp_path)
    assert counted.roles.left_out == {"receipt": "it numbers the rows"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty, without so much as the names"),
        ("shop,day,sales\n", "and no row"),
        ("shop,sales\na,1\nb,2\n", "no column of dates or times"),
        ("shop,day\na,2024-01-01\nb,2024-01-02\n", "no column of numbers"),
        ("day,day,sales\n2024-01-01,2024-01-01,1\n", "stands twice"),
        (",day,sales\na,2024-01-01,1\n", "have no name"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises((UsageError, SourceError), match=words):
        drafted(text, tmp_path)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        draft(str(tmp_path / "sales.csv"), tmp_path / "sales.yaml", "sales", NOW)
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.4")
    with pytest.raises(SourceError, match="unknown ending"):
        draft(str(tmp_path / "notes.pdf"), tmp_path / "sales.yaml", "sales", NOW)
