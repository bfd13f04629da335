"""Covariates of another table: a weather service as such services are, files and tables by item, finer and coarser."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.data.contract import ContractError
from mlops_assets.sources.base import SourceError, SourceUnavailableError
from mlops_assets.sources.covariates import attach, probe
from mlops_assets.spec import ForecastSpec
from mlops_assets_tests.sources.web_service import PLANTED, Asked, Service
from mlops_assets_tests.worlds import declare

NOW = pd.Timestamp("2024-03-11T06:00", tz="UTC").to_pydatetime()
PLACES = {"north": {"latitude": 59.3, "longitude": 18.1}, "south": {"latitude": 37.4, "longitude": -6.0}}


def weather(asked: Asked) -> Any:
    """Answer as Open-Meteo does: lists that are columns, the last day counted in, an archive that knows no future."""
    query = asked.query
    first, last = (pd.Timestamp(query[edge]) for edge in ("start_date", "end_date"))
    if asked.path.endswith("archive") and last > pd.Timestamp("2024-03-10"):
        return 400, {}, {"error": True, "reason": "Parameter 'end_date' is out of allowed range"}
    days = pd.date_range(first, last)
    step = "hourly" if "hourly" in query else "daily"
    times = days if step == "daily" else pd.date_range(first, last + pd.Timedelta(hours=23), freq="h")
    values = [float(query["latitude"]) + moment.day + moment.hour / 100 for moment in times]
    form = "%Y-%m-%d" if step == "daily" else "%Y-%m-%dT%H:%M"
    names = query[step].split(",")
    return {
        "latitude": float(query["latitude"]),
        "timezone": query["timezone"],
        f"{step}_units": {"time": "iso8601", **dict.fromkeys(names, "°C")},
        step: {"time": [moment.strftime(form) for moment in times], **dict.fromkeys(names, values)},
    }


def source_of(service: Service, path: str, step: str = "daily", **fields: Any) -> dict[str, Any]:
    query = {"latitude": ":latitude", "longitude": ":longitude", step: "temperature", "timezone": "UTC"}
    query |= {"start_date": ":window_start", "end_date": ":window_last"}
    url = f"http://{service.host}/v1/{path}"
    return {"kind": "http", "url": url, "query": query, "time_format": "%Y-%m-%d", "records": step, **fields}


def spec_of(folder: Path, one: dict[str, Any], static: str | None = "region", **changes: Any) -> ForecastSpec:
    covariates = {"static": [static] if static else [], "sources": [{"name": "weather", **one}]}
    return declare(folder, covariates=covariates, **changes)


def by_region(service: Service, **fields: Any) -> dict[str, Any]:
    return {
        "source": source_of(service, "archive"),
        "future": source_of(service, "forecast"),
        "timestamp": "time",
        "by": "region",
        "each": PLACES,
        "known": ["temperature"],
        **fields,
    }


def observed(first: str = "2024-03-08", days: int = 3, frequency: str = "D") -> pd.DataFrame:
    times = pd.date_range(first, periods=days, freq=frequency, unit="us")
    frame = pd.MultiIndex.from_product([["a", "b"], times], names=["item_id", "timestamp"]).to_frame(index=False)
    return frame.assign(target=1.0, region=frame["item_id"].map({"a": "north", "b": "south"}))


def ahead() -> pd.DataFrame:
    return observed("2024-03-11")[["item_id", "timestamp"]]


def test_the_archive_is_asked_for_the_past_and_the_forecast_for_the_future_place_by_place(service, tmp_path):
    service.answer = weather
    spec = spec_of(tmp_path, by_region(service))
    rows, notes = attach(spec, observed(), NOW)
    assert rows["temperature"].round(1).tolist() == [67.3, 68.3, 69.3, 45.4, 46.4, 47.4]
    assert list(rows.columns) == ["item_id", "timestamp", "target", "temperature", "region"]
    assert notes == []
    later, _ = attach(spec, ahead(), NOW, observed())
    assert later["temperature"].round(1).tolist() == [70.3, 71.3, 72.3, 48.4, 49.4, 50.4]
    asked = [(one.path.rpartition("/")[2], one.query["start_date"], one.query["end_date"]) for one in service.asked]
    assert asked == [("archive", "2024-03-08", "2024-03-10")] * 2 + [("forecast", "2024-03-11", "2024-03-13")] * 2
    assert service.asked[0].query["longitude"] == "18.1"


def test_hours_become_days_and_a_day_holds_for_its_hours(service, tmp_path):
    service.answer = weather
    hours = by_region(service, source=source_of(service, "archive", "hourly"), frequency="h", aggregate="max")
    rows, _ = attach(spec_of(tmp_path, hours), observed(), NOW)
    assert rows["temperature"].round(2).tolist() == [67.53, 68.53, 69.53, 45.63, 46.63, 47.63]
    spec = spec_of(tmp_path, by_region(service, frequency="D"), frequency="h")
    rows, _ = attach(spec, observed(days=30, frequency="h"), NOW)
    assert rows["temperature"].round(1).tolist()[20:30] == [67.3] * 4 + [68.3] * 6


def test_a_service_that_is_down_over_the_horizon_is_told_and_for_the_past_an_error(service, tmp_path):
    service.answer = lambda asked: (503, {}, b"")
    spec = spec_of(tmp_path, by_region(service))
    later, notes = attach(spec, ahead(), NOW, observed())
    assert later["temperature"].isna().all()
    assert "covariates weather: http" in notes[0]
    assert "503 Service Unavailable" in notes[0]
    with pytest.raises(SourceUnavailableError):
        attach(spec, observed(), NOW)
    strict = {"static": ["region"], "missing_future": "error", "sources": [{"name": "weather", **by_region(service)}]}
    with pytest.raises(SourceUnavailableError):
        attach(declare(tmp_path, covariates=strict), ahead(), NOW, observed())


def test_a_key_is_sent_as_a_header_and_never_shown(service, tmp_path, monkeypatch):
    monkeypatch.setenv("WEATHER_KEY", PLANTED)
    service.answer = lambda asked: (401, {}, f"no {PLANTED}".encode())
    headers = {"X-Api-Key": "${WEATHER_KEY}"}
    spec = spec_of(tmp_path, by_region(service, future=source_of(service, "forecast", headers=headers)))
    with pytest.raises(SourceError, match="401") as error:
        attach(spec, ahead(), NOW, observed())
    assert service.asked[-1].headers["X-Api-Key"] == PLANTED
    assert PLANTED not in str(error.value) + repr(spec)


def test_a_file_for_everybody_and_one_by_item(tmp_path):
    (tmp_path / "prices.csv").write_text("shop;week;price;fuel\na;2024-W10;1,5;2\nb;2024-W10;2,5;\n")
    one = {"source": {"kind": "file", "path": "prices.csv"}, "timestamp": "week", "timestamp_format": "%G-W%V"}
    by_item = {**one, "known": ["price"], "past": ["fuel"], "by": "shop", "frequency": "W-MON"}
    rows, notes = attach(spec_of(tmp_path, by_item), observed(), NOW)
    assert rows["price"].tolist() == [1.5] * 3 + [2.5] * 3
    assert rows["fuel"].tolist()[:3] == [2] * 3
    assert np.isnan(rows["fuel"].tolist()[3:]).all()
    assert any(note.startswith("covariates weather: column price: read with decimal ','") for note in notes)
    later, _ = attach(spec_of(tmp_path, by_item), ahead(), NOW, observed())
    assert later["price"].isna().all(), "the week after is not in the file"
    assert "fuel" not in later
    (tmp_path / "fuel.csv").write_text("day,fuel\n2024-03-09,7\n2024-03-10,8\n")
    for_all = {"source": {"kind": "file", "path": "fuel.csv"}, "past": ["fuel"]}
    rows, _ = attach(spec_of(tmp_path, for_all, static=None), observed(), NOW)
    assert rows["fuel"].tolist()[1:3] == rows["fuel"].tolist()[4:] == [7, 8]


def test_rows_that_break_the_contract_are_told_or_refused(tmp_path):
    text = "day,fuel\n" + "".join(f"2024-03-{day:02},{day}\n" for day in range(1, 11))
    (tmp_path / "fuel.csv").write_text(text.replace("2024-03-09,9", "2024-03-09,dear"))
    one = {"source": {"kind": "file", "path": "fuel.csv"}, "past": ["fuel"]}
    frame = observed("2024-03-01", 10)
    with pytest.raises(ContractError, match=r"covariates weather, .*fuel.csv: 10.0% of its rows .* row 9 of fuel.csv"):
        attach(spec_of(tmp_path, one), frame, NOW)
    rows, notes = attach(spec_of(tmp_path, one, quarantine={"max_share": 0.2}), frame, NOW)
    assert "covariates weather: 1 rows are left out: covariate_not_a_number (1), such as row 9" in notes[0]
    assert rows["fuel"].isna().sum() == 2


def test_no_rows_ask_nothing(service, tmp_path):
    rows, _ = attach(spec_of(tmp_path, by_region(service)), observed().iloc[:0], NOW)
    assert list(rows.columns) == ["item_id", "timestamp", "target", "temperature", "region"]
    assert service.asked == []


def test_check_reaches_both(service, tmp_path):
    service.answer = lambda asked: {"daily": {"time": [], "temperature": []}}
    words = probe(
        spec_of(tmp_path, by_region(service)), spec_of(tmp_path, by_region(service)).covariates.sources[0], NOW
    )
    assert "/v1/archive answers" in words
    assert "after the origin: " in words
    assert service.asked[0].query["latitude"] == "59.3"
