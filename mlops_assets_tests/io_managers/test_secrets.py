"""A password in an address appears nowhere: not in messages, events, metadata, or what an object says of itself."""

import logging
import traceback
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from pydantic import SecretStr

from mlops_assets.io_managers import ObjectModels, ObjectTables, SqlTables, Tables
from mlops_assets.io_managers.steps import io_manager
from mlops_assets.resources.databases import DatabaseError, make_engine, shown

PLANTED = "hunter2planted"
ADDRESSES = [
    f"postgresql://user:{PLANTED}@127.0.0.1:1/db?connect_timeout=2",
    f"mariadb://user:{PLANTED}@127.0.0.1:1/db",
    f"sqlite:////nowhere/{PLANTED.replace('hunter2', 'x')}.db",
]
OPTIONS = {
    "endpoint": "http://127.0.0.1:1",
    "region": "us-east-1",
    "allow_http": "true",
    "access_key_id": "me",
    "secret_access_key": SecretStr(PLANTED),
}


def managers() -> list[Tables]:
    sql: list[Tables] = [SqlTables(SecretStr(address)) for address in ADDRESSES[:2]]
    return [*sql, ObjectTables("s3://bucket/x", OPTIONS)]


@dg.asset(io_manager_key="tables")
def a_table() -> pd.DataFrame:
    return pd.DataFrame({"a": [1]})


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_failing_store_tells_no_secret(number: int, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    tables = managers()[number]
    caplog.set_level(logging.DEBUG)
    told = [repr(tables), str(tables), str(tables.model_dump()), tables.uri(["a"], "p")]
    try:
        tables.write(["a"], pd.DataFrame({"a": [1]}))
    except Exception:
        told.append(traceback.format_exc())
    else:
        pytest.fail("there is no such server")
    definitions = dg.Definitions(assets=[a_table], resources={"tables": io_manager(tables)})
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        told += [str(event) for event in instance.all_logs(result.run_id)]
        told.append(str(instance.get_job_snapshot(str(result.dagster_run.job_snapshot_id))))
    told.append(caplog.text)
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            assert PLANTED.encode() not in path.read_bytes(), path
    assert all(PLANTED not in text for text in told)


def test_addresses_are_shown_without_password():
    assert shown(f"postgresql://u:{PLANTED}@h/d?password={PLANTED}") == "postgresql+psycopg://u:***@h/d"
    assert PLANTED not in repr(make_engine(ADDRESSES[0]))
    with pytest.raises(DatabaseError) as caught:
        make_engine(f"not an address {PLANTED}")
    assert PLANTED not in str(caught.value)


def test_a_statement_that_fails_does_not_repeat_its_parameters(tmp_path: Path):
    import sqlalchemy as sa

    engine = make_engine(f"sqlite:///{tmp_path}/t.db")
    with pytest.raises(Exception, match="no such table") as caught, engine.connect() as connection:
        connection.execute(sa.text("INSERT INTO missing VALUES (:secret)"), {"secret": PLANTED})
    assert PLANTED not in str(caught.value)
    engine.dispose()


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "pyodbc", None)
    with pytest.raises(DatabaseError, match=r"mlops-assets\[mssql\]"):
        make_engine("mssql://u:p@h/d")


def test_models_keep_their_keys_to_themselves():
    assert PLANTED not in repr(ObjectModels("s3://bucket/x", OPTIONS))
