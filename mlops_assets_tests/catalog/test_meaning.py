"""What an observation means: which fields of a spec make a difference, and how that is said."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.catalog.meaning import changes, from_text, meaning_of, same_rows, scorable, to_text
from mlops_assets.spec import ForecastSpec, parse_spec

FIELDS: dict[str, Any] = {
    "name": "shop",
    "source": {"kind": "file", "path": "sales.csv"},
    "columns": {"item_id": "shop", "timestamp": "day", "target": "sales"},
    "frequency": "D",
    "partitions": {"start": "2024-01-01"},
    "horizon": 7,
    "covariates": {"past": ["rain"]},
}


def spec(environ: dict[str, str] | None = None, **changed: Any) -> ForecastSpec:
    return parse_spec(yaml.safe_dump({**FIELDS, **changed}), Path("shop.yaml"), environ or {})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"columns": {**FIELDS["columns"], "target": "revenue"}}, ["columns.target: sales → revenue"]),
        ({"columns": {**FIELDS["columns"], "item_id": ["region", "shop"]}}, ["columns.item_id: shop → region, shop"]),
        (
            {"columns": {**FIELDS["columns"], "timestamp_format": "%d.%m.%Y"}},
            ["columns.timestamp_format: not set → %d.%m.%Y"],
        ),
        ({"source": {"kind": "file", "path": "other.csv"}}, ["source.path: sales.csv → other.csv"]),
        ({"frequency": "h"}, ["frequency: D → h"]),
        ({"time_zone": "Europe/Berlin"}, ["time_zone: UTC → Europe/Berlin"]),
        ({"partitions": {"start": "2024-01-01", "kind": "monthly"}}, ["partitions.kind: daily → monthly"]),
        ({"frequency": "W-SUN"}, ["frequency: D → W-SUN", "partitions.kind: daily → weekly"]),
        ({"covariates": {"past": ["rain", "sun"]}}, ["covariates.past: rain → rain, sun"]),
        ({"covariates": {"past": ["rain"], "static": ["region"]}}, ["covariates.static: not set → region"]),
    ],
)
def test_a_field_that_changes_the_rows_is_named_with_both_values(changed: dict[str, Any], words: list[str]) -> None:
    assert [str(one) for one in changes(meaning_of(spec()), meaning_of(spec(**changed)))] == words


@pytest.mark.parametrize(
    "changed",
    [
        {"horizon": 30},
        {"quantiles": [0.05, 0.5, 0.95]},
        {"fill": "zero"},
        {"partitions": {"start": "2023-01-01", "end": "2026-01-01", "reread": 3, "kind": "daily"}},
        {"source": {"kind": "file", "path": "sales.csv", "delimiter": ";", "format": "csv"}},
        {"covariates": {}},
        {"covariates": {"known": ["rain"]}},
        {"season_lengths": [28], "holidays": "DE", "description": "Sales", "model": {"seed": 3}},
    ],
)
def test_a_field_that_leaves_the_rows_alone_makes_no_difference(changed: dict[str, Any]) -> None:
    assert changes(meaning_of(spec()), meaning_of(spec(**changed))) == ()


def test_a_field_at_its_default_is_not_kept_so_that_a_new_one_changes_nothing() -> None:
    assert meaning_of(spec()) == {
        "columns.item_id": ["shop"],
        "columns.target": "sales",
        "columns.timestamp": "day",
        "covariates.past": ["rain"],
        "frequency": "D",
        "partitions.kind": "daily",
        "source.kind": "file",
        "source.path": "sales.csv",
        "time_zone": "UTC",
    }
    assert from_text(to_text(meaning_of(spec()))) == meaning_of(spec())


def test_the_order_of_covariates_means_nothing_and_that_of_the_item_id_does() -> None:
    two = meaning_of(spec(covariates={"past": ["rain", "sun"]}))
    assert changes(two, meaning_of(spec(covariates={"past": ["sun", "rain"]}))) == ()
    one, other = (meaning_of(spec(columns={**FIELDS["columns"], "item_id": i})) for i in (["a", "b"], ["b", "a"]))
    assert [str(change) for change in changes(one, other)] == ["columns.item_id: a, b → b, a"]


def test_neither_a_login_nor_the_value_of_a_variable_is_kept() -> None:
    plain = {"kind": "sql", "url": "postgresql://ann:secret@host/db?password=secret", "table": "sales"}
    assert meaning_of(spec(source=plain))["source.url"] == "postgresql://host/db"
    varied = {"kind": "sql", "url": "${SALES_URL}", "query": "select *\n  from sales"}
    first, second = (meaning_of(spec({"SALES_URL": f"sqlite:///{n}.db"}, source=varied)) for n in ("a", "b"))
    assert first == second
    assert (first["source.url"], first["source.query"]) == ("${SALES_URL}", "select * from sales")


def test_a_long_query_is_known_by_its_beginning_and_a_hash() -> None:
    long = [{"kind": "sql", "url": "sqlite://", "query": f"select {'a, ' * 3000} {last}"} for last in ("b", "c")]
    one, other = (meaning_of(spec(source=source)) for source in long)
    assert len(to_text(one)) < 1000
    assert [change.field for change in changes(one, other)] == ["source.query"]


def test_forecasts_are_scored_on_what_they_are_forecasts_of() -> None:
    present = meaning_of(spec())
    for changed, fits, rows in (
        ({"covariates": {"past": ["rain", "sun"]}}, True, True),
        ({"partitions": {"start": "2024-01-01", "kind": "monthly"}}, True, False),
        ({"columns": {**FIELDS["columns"], "target": "revenue"}}, False, True),
        ({"time_zone": "Asia/Tokyo"}, False, False),
        ({"source": {"kind": "file", "path": "other.csv"}}, False, True),
    ):
        other = meaning_of(spec(**changed))
        assert scorable(present, other) == fits, changed
        assert same_rows(changes(present, other)) == rows, changed
