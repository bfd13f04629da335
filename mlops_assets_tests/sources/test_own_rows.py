"""A source of somebody else behind the protocol of ours."""

from datetime import datetime, timezone

import pandas as pd
import pytest

from mlops_assets.forecasting.data.contract import Window
from mlops_assets.sources.base import SourceError, SourceUnavailableError, read_all
from mlops_assets.sources.calendars import with_calendars
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import ForecastSpec, parse_spec
from mlops_assets_tests.spec.declared import FILE, MINIMAL, changed, problem

pytestmark = pytest.mark.usefixtures("acme")
COLUMNS = ["shop", "day", "sold"]
WEEK = Window(pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-08"))


def declared(source: str) -> ForecastSpec:
    return parse_spec(changed("{kind: file, path: a.csv}", source), FILE, {"ERP_TOKEN": "hush"})


def test_rows_come_numbered_and_secrets_are_filled_in_when_they_are_read(monkeypatch):
    monkeypatch.setenv("ERP_TOKEN", "hush")
    reader = open_source(declared("{kind: erp, system: p1, shops: 3, token: '${ERP_TOKEN}'}"))
    rows = read_all(reader, COLUMNS, "day", WEEK)
    assert len(rows) == 21
    assert list(rows["_row"]) == [*range(1, 22)]
    assert reader._rows.token == "hush"
    assert reader.version("day", WEEK) == reader.signature("day", WEEK)
    assert "3 rows about 2024-05-07" in reader.probe(COLUMNS, "day", datetime(2024, 5, 8, tzinfo=timezone.utc))


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (ConnectionResetError("gone"), SourceUnavailableError, "erp: ConnectionResetError: gone"),
        (ValueError("password=hush no"), SourceError, r"erp: ValueError: password=\*\*\* no"),
    ],
)
def test_what_the_class_raises_is_told_without_secrets(monkeypatch, raised, kind, words):
    reader = open_source(declared("{kind: erp, system: p1}"))

    def fails(*_):
        raise raised

    monkeypatch.setattr(type(reader._rows), "read", fails)
    with pytest.raises(kind, match=words):
        read_all(reader, COLUMNS, "day", WEEK)


def test_a_column_that_it_does_not_give_is_named():
    with pytest.raises(SourceError, match=r"erp: no column 'solde'.*Did you mean 'sold'"):
        read_all(open_source(declared("{kind: erp, system: p1}")), ["shop", "day", "solde"], "day", WEEK)


def test_a_calendar_of_a_function_is_known_as_far_as_it_is_asked():
    text = MINIMAL + "calendars: [{name: market, events: market_days, parameters: {weekday: 2}}]\n"
    frame = pd.DataFrame({"item_id": "a", "timestamp": pd.date_range("2024-05-01", periods=14)})
    made = with_calendars(parse_spec(text, FILE), frame)
    assert list(made.loc[made["market"] == 1, "timestamp"].dt.dayofweek) == [2, 2]
    assert made["market_days_to"].tolist()[:3] == [0, 6, 5]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("events: market_dys", "no calendar 'market_dys'; did you mean market_days?"),
        ("events: market_days, parameters: {day: 2}", "got an unexpected keyword argument 'day'"),
        ("events: market_days, path: a.csv", "give either path or events"),
        ("path: a.csv, parameters: {day: 2}", "belongs to events"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(fields, words):
    assert words in problem(MINIMAL + f"calendars: [{{name: market, {fields}}}]\n")
