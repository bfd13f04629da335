"""What the contract found, in words."""

import pandas as pd
import pytest

from mlops_assets.catalog.graph import Graph
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.resources.clock import Clock
from mlops_assets.stages import findings, ingest
from mlops_assets_tests.worlds import declare

MARCH = Window(pd.Timestamp(2024, 3, 1), pd.Timestamp(2024, 4, 1))
PLAIN = {"covariates": None}


def rows(days, sales=None) -> pd.DataFrame:
    return pd.DataFrame({"day": list(days), "shop": "a", "sales": sales or list(range(len(days)))})


def found(folder, data, **changes):
    spec = declare(folder, data, **(PLAIN | changes))
    checked, source = ingest.read_observations(Graph(spec), MARCH, Clock(fixed="2024-06-02"))
    return spec, checked, source


def test_a_refusal_has_the_reason_a_row_and_the_field_that_mends_it(tmp_path):
    spec, checked, _ = found(tmp_path, rows([f"2024-03-{day:02}T23:59:59" for day in range(1, 11)]))
    words = findings.refusal(spec, checked, "sales.csv", "the rows of March")
    assert words == (
        "sales.csv: 100.0% of the rows of March break the contract, more than the 5.0% that quarantine.max_share "
        "allows: off_grid (10), such as row 1 of sales.csv: 2024-03-01 23:59:59 is off the grid of frequency D. "
        "All 10 rows lie between two steps of D, such as 2024-03-01 23:59:59: columns.timestamp_floor: true?"
    )


@pytest.mark.parametrize(("limit", "refused"), [(0.05, True), (0.5, False), (1, False)])
def test_rows_alike_are_refused_above_their_share(tmp_path, limit, refused):
    days = [f"2024-03-{day:02}" for day in range(1, 11)]
    data = rows(days * 2, list(range(10)) * 2)
    spec, checked, _ = found(tmp_path, data, quarantine={"max_repeated_share": limit})
    words = findings.refusal(spec, checked, "", "the rows of March")
    assert bool(words) == refused == findings.too_many(spec, checked)
    if refused:
        assert words.startswith(
            "50.0% of the good rows among the rows of March repeat another one of their file, more "
        )
        assert (
            "10 of 20 rows repeat another one word for word: if each is a sale of its own, columns.aggregate" in words
        )


def test_sales_alike_add_up_where_that_is_declared(tmp_path):
    columns = {"item_id": "shop", "timestamp": "day", "target": "sales", "aggregate": "sum"}
    days = [f"2024-03-{day:02}" for day in range(1, 11)]
    spec, checked, _ = found(tmp_path, rows(days * 2, [3] * 20), columns=columns)
    assert findings.refusal(spec, checked, "", "all") == ""
    assert checked.accepted["target"].tolist() == [6.0] * 10
    assert checked.counts["rows_aggregated"] == 10


def test_nothing_to_learn_from_is_told_by_its_cause(tmp_path):
    spec, checked, source = found(tmp_path, rows(["2023-03-01", "2023-03-02"]))
    words = findings.no_usable_row(spec, checked, source, "March")
    assert words.endswith("sales.csv: all 2 rows are of other times than March: partitions.start, time_zone?")
    spec, checked, source = found(tmp_path, rows([]))
    assert findings.no_usable_row(spec, checked, source, "March").endswith("sales.csv has no row")
    spec, checked, source = found(tmp_path, rows(["2024-03-01"], [""]))
    assert findings.no_usable_row(spec, checked, source, "March").endswith("no row of March has a target")


def test_the_first_rows_are_enough_to_see_what_is_wrong(tmp_path):
    spec = declare(tmp_path, rows([f"{day:02}.03.2024" for day in range(1, 31)]), **PLAIN)
    checked = ingest.read_first(Graph(spec), Clock(fixed="2024-06-02"), 10)
    assert checked.counts["rows_read"] == 10
    assert 'columns.timestamp_format: "%d.%m.%Y"?' in findings.refusal(spec, checked, "", "all")


def test_what_is_not_refused_is_told_all_the_same(tmp_path):
    days = [f"2024-03-{day:02}" for day in range(1, 31)]
    spec, checked, _ = found(tmp_path, rows(days, ["?"] + ["0"] * 20 + ["4"] * 9))
    assert findings.refusal(spec, checked, "", "all") == ""
    rejected, odd = findings.of_rows(spec, checked)
    assert rejected.startswith("target_not_a_number (1), such as row 1 of sales.csv: column sales: '?'")
    assert odd == "69% of the targets are 0, so that a median forecast is 0 too: point: mean?"
    assert findings.of_rows(spec, checked, forecast=True) == [rejected]
