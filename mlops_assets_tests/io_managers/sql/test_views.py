"""Views for whoever reads by SQL alone: made with the tables, true to what readers are told, in nobody's way."""

import pandas as pd
import pytest
import sqlalchemy as sa

from mlops_assets.catalog.names import PUBLISHED_FORECASTS
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.reading.stored import StoredForecast, store

PLACES = ["sqlite", "duckdb", "postgres", "mariadb"]
KEYS = ["item_id", "timestamp"]


def select(tables: SqlTables, view: str) -> pd.DataFrame:
    """What a stranger with a SQL client gets."""
    with tables._server.engine.connect() as connection:
        rows = pd.read_sql(sa.text(f"SELECT * FROM {view}"), connection)
    for name in rows.columns.intersection(["timestamp", "origin", "created_at"]):
        rows[name] = pd.to_datetime(rows[name]).astype("datetime64[us]")
    return rows


@pytest.fixture(params=PLACES, scope="module")
def made(request, places, tmp_path_factory) -> StoredForecast:
    folder = tmp_path_factory.mktemp(request.param)
    return store(folder, places.tables(request.param), items=2, rounds=3, name=servers.fresh_name())


def test_they_say_what_readers_are_told(made):
    name, reader = made.spec.name, made.reader
    found = select(made.tables, f"{name}__current_forecasts").sort_values(KEYS, ignore_index=True)
    told = reader.forecasts(start="2024-01-01")
    assert found.pop("adjustment").isna().all()
    told = told.drop(columns="adjustment")
    pd.testing.assert_frame_equal(found[list(told)].astype(told.dtypes.to_dict()), told)
    scores = select(made.tables, f"{name}__accuracy_by_item").sort_values("item_id", ignore_index=True)
    expected = reader.accuracy("item")[list(scores)]
    pd.testing.assert_frame_equal(scores.astype(expected.dtypes.to_dict()), expected)


def test_what_people_have_changed_is_in_them_and_another_column_is_no_hindrance(made):
    name, day = made.spec.name, made.days[-1]
    system = made.reader.forecasts("shop 1").head(1)
    changed = system.assign(mean=1.0, adjustment=3, published_at=day + pd.Timedelta(hours=40), superseded_at=pd.NaT)
    made.write(PUBLISHED_FORECASTS, day, changed)
    found = select(made.tables, f"{name}__current_forecasts")
    assert found.loc[found["adjustment"].notna(), ["item_id", "mean"]].to_numpy().tolist() == [["shop 1", 1.0]]
    told = made.reader.forecasts(start="2024-01-01")
    pd.testing.assert_series_equal(found.sort_values(KEYS, ignore_index=True)["mean"], told["mean"])
    key = [name, "forecasts"]
    rows = made.tables.read(key, ["2024-03-03"])
    made.tables.write(key, rows.assign(q95=rows["q90"] + 1), "2024-03-03", allow_new_columns=True)
    assert "q95" in select(made.tables, f"{name}__current_forecasts")
    made.tables.delete([name, PUBLISHED_FORECASTS])
    assert select(made.tables, f"{name}__current_forecasts")["adjustment"].isna().all()
    made.tables.delete(key)
    with pytest.raises(sa.exc.DBAPIError):
        select(made.tables, f"{name}__current_forecasts")


def test_views_that_people_have_built_on_them_do_not_keep_a_table_from_being_written(places, tmp_path):
    made = store(tmp_path, places.tables("postgres"), items=2, rounds=2, name=servers.fresh_name())
    name, key = made.spec.name, [made.spec.name, "forecasts"]
    with made.tables._server.engine.begin() as connection:
        connection.execute(sa.text(f"CREATE VIEW {name}_mine AS SELECT * FROM {name}__current_forecasts"))
    rows = made.tables.read(key, ["2024-03-02"])
    made.tables.write(key, rows.assign(q95=rows["q90"] + 1), "2024-03-02", allow_new_columns=True)
    assert len(select(made.tables, f"{name}_mine")) == 2 * 8
