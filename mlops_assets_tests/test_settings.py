"""Settings: each variable, its errors, and the file that lists them for people."""

import re
from datetime import datetime, timezone
from importlib.metadata import EntryPoint
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.alerts.notifications import NotificationError
from mlops_assets.environments import open_stores
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings, SettingsError, default_forecasts, moment, variables
from mlops_assets.spec import SpecError, load_specs

EXAMPLE = Path(__file__).parents[1] / ".env.example"
OTHERS = "# ---- Read by Dagster and MLflow themselves ----\n"


def entries(text: str) -> dict[str, tuple[str, str | None]]:
    """Variables of a part of the file: name -> (comment above it, value; None if commented out)."""
    found: dict[str, tuple[str, str | None]] = {}
    comment = ""
    for line in text.splitlines():
        if match := re.fullmatch(r"(# )?([A-Z_]+)=(.*)", line):
            found[match[2]] = (comment, None if match[1] else match[3])
        else:
            comment = line.removeprefix("# ")
    return found


@pytest.fixture(scope="module")
def example() -> tuple[dict[str, tuple[str, str | None]], dict[str, tuple[str, str | None]]]:
    ours, _, others = EXAMPLE.read_text(encoding="utf-8").partition(OTHERS)
    return entries(ours), entries(others)


def test_example_lists_our_variables_with_their_descriptions_and_sets_none(example):
    assert example[0] == {name: (description, None) for name, description in variables().items()}


def test_example_lists_what_dagster_and_mlflow_read_and_switches_telemetry_off(example):
    assert {name: value for name, (_, value) in example[1].items()} == {
        "MLFLOW_TRACKING_USERNAME": None,
        "MLFLOW_TRACKING_PASSWORD": None,
        "MLFLOW_TRACKING_TOKEN": None,
        "DAGSTER_HOME": None,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    assert "absolute" in example[1]["DAGSTER_HOME"][0]


def test_every_variable_is_described():
    assert all(variables().values())
    assert len(variables()) == len(Settings.model_fields)


def test_defaults_need_no_variable():
    settings = Settings.read({})
    assert settings.environment == "local"
    assert (settings.forecasts / "nyc_departures.yaml").is_file()
    assert settings.data_folder == Path.cwd() / "data"
    assert (settings.tracking_uri, settings.mlflow_ui, settings.now) == (None, None, None)


def test_an_empty_variable_counts_as_absent():
    assert Settings.read(dict.fromkeys({*variables()} - {"MLOPS_APPROVERS"}, "")) == Settings.read({})


def test_an_empty_list_of_approvers_opens_no_door():
    with pytest.raises(SettingsError, match="MLOPS_APPROVERS is empty: it takes anna:SECRET"):
        Settings.read({"MLOPS_APPROVERS": ""})


def test_every_variable_is_read():
    values = {
        "MLOPS_ENV": "staging",
        "MLOPS_FORECASTS": "specs",
        "MLOPS_DATA": "~/forecasts",
        "MLOPS_TABLES": "object_storage",
        "MLOPS_MODELS": "files",
        "MLOPS_DATABASE_URL": "postgresql://user:secret@host/name",
        "MLOPS_JOBS_URL": "postgresql://user:secret@host/jobs",
        "MLOPS_EVENTS_QUEUE": "https://sqs.eu-west-1.amazonaws.com/1234/name",
        "MLOPS_OBJECT_STORAGE": "s3://bucket/prefix",
        "MLFLOW_TRACKING_URI": "https://user:secret@mlflow",
        "MLOPS_MLFLOW_UI": "https://mlflow.example.com",
        "MLOPS_DAGSTER_UI": "https://ann:secret@dagster.example.com/",
        "MLOPS_APPROVAL": "manual",
        "MLOPS_AUTOMATION": "true",
        "MLOPS_NOTIFY": "mailto://user:secret@mail",
        "MLOPS_EXECUTOR": "multiprocess",
        "MLOPS_MAX_CONCURRENT": "2",
        "MLOPS_PRICE_PER_CPU_HOUR": "0.05",
        "MLOPS_NOW": "2013-12-31",
        "MLOPS_ENGINE": "dask://scheduler:8786",
        "MLOPS_API_TOKEN": "reading-secret",
        "MLOPS_API_WRITE_TOKEN": "anna:writing-secret",
        "MLOPS_APPROVERS": "ben:deciding-secret",
        "MLOPS_KEY": "deciding-secret",
        "MLOPS_WEBHOOK_SECRET": "signing-secret",
        "MLOPS_API_HOSTS": "forecasts.example.com",
        "MLOPS_API_ORIGINS": "https://dashboard.example.com",
        "MLOPS_LOG_FORMAT": "json",
        "MLOPS_DEBUG": "true",
    }
    assert values.keys() == variables().keys()
    settings = Settings.read({**values, "UNRELATED": "x"})
    assert settings.environment == "staging"
    assert settings.forecasts == Path("specs")
    assert settings.data_folder == Path.home() / "forecasts"
    assert (settings.tables, settings.models) == ("object_storage", "files")
    assert settings.object_storage == "s3://bucket/prefix"
    assert settings.tracking_uri is not None
    assert settings.database_url is not None
    assert settings.tracking_uri.get_secret_value() == "https://user:secret@mlflow"
    assert "secret" not in f"{settings!r}{settings}{settings.model_dump()}{settings.model_dump_json()}"
    assert settings.mlflow_ui == "https://mlflow.example.com"
    assert settings.dagster_ui == "https://dagster.example.com"
    assert settings.now == "2013-12-31"


def test_a_wrong_environment_is_named_with_what_is_allowed_and_the_nearest():
    with pytest.raises(SettingsError) as error:
        Settings.read({"MLOPS_ENV": "prod"})
    assert str(error.value) == (
        "wrong environment variable: MLOPS_ENV: found 'prod'; "
        "allowed: local, staging, production, test; did you mean 'production'?"
    )


def test_all_wrong_variables_are_named_at_once_and_secrets_never():
    with pytest.raises(SettingsError) as error:
        Settings.read({"MLOPS_ENV": "x", "MLOPS_NOW": "soon", "MLFLOW_TRACKING_URI": "http://u:secret@h"})
    assert "MLOPS_ENV: found 'x'" in str(error.value)
    assert "MLOPS_NOW: found 'soon'; not a moment such as 2013-12-31" in str(error.value)
    assert "secret" not in str(error.value)
    with pytest.raises(SettingsError, match="MLOPS_DAGSTER_UI: found 'dagster'; not an address such as http"):
        Settings.read({"MLOPS_DAGSTER_UI": "dagster"})


DATABASE = "MLOPS_DATABASE_URL, which {} needs; it takes postgresql://user:password@host/name or the like"
BUCKET = "MLOPS_OBJECT_STORAGE, which {} needs; it takes s3://bucket/prefix or the like"


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"MLOPS_ENV": "staging"}, [DATABASE.format("MLOPS_ENV=staging"), BUCKET.format("MLOPS_ENV=staging")]),
        ({"MLOPS_ENV": "production", "MLOPS_DATABASE_URL": "sqlite:///x"}, [BUCKET.format("MLOPS_ENV=production")]),
        ({"MLOPS_ENV": "staging", "MLOPS_MODELS": "files"}, [DATABASE.format("MLOPS_ENV=staging")]),
        ({"MLOPS_TABLES": "sql"}, [DATABASE.format("MLOPS_TABLES=sql")]),
        ({"MLOPS_TABLES": "sql", "MLOPS_DATABASE_URL": "sqlite:///x"}, []),
        ({"MLOPS_TABLES": "object_storage"}, [BUCKET.format("MLOPS_TABLES=object_storage")]),
        (
            {"MLOPS_TABLES": "object_storage", "MLOPS_MODELS": "object_storage"},
            [BUCKET.format("MLOPS_TABLES=object_storage and MLOPS_MODELS=object_storage")],
        ),
        (
            {"MLOPS_ENV": "staging", "MLOPS_TABLES": "object_storage"},
            [BUCKET.format("MLOPS_TABLES=object_storage and MLOPS_ENV=staging")],
        ),
        ({"MLOPS_ENV": "staging", "MLOPS_TABLES": "memory", "MLOPS_MODELS": "memory"}, []),
        ({"MLOPS_ENV": "test"}, []),
    ],
)
def test_what_the_chosen_places_need_is_missed_at_the_start(values, missing):
    if not missing:
        Settings.read(values)
        return
    with pytest.raises(SettingsError) as error:
        Settings.read(values)
    assert str(error.value) == f"missing environment variable: {'; '.join(missing)}"


def test_a_mapping_suffices_and_no_resource_reads_the_process_environment(tmp_path):
    database = f"sqlite:///{tmp_path}/tables.db"
    settings = Settings.read(
        {
            "MLOPS_ENV": "staging",
            "MLOPS_DATA": str(tmp_path),
            "MLOPS_DATABASE_URL": database,
            "MLOPS_OBJECT_STORAGE": f"file://{tmp_path}/bucket",
            "MLFLOW_TRACKING_URI": "https://me:hunter2planted@mlflow",
            "MLOPS_NOTIFY": "json://me:hunter2planted@127.0.0.1:9",
        }
    )
    with open_stores(settings) as stores:
        stores.tables.write(["demo", "sales"], pd.DataFrame({"a": [1]}))
        assert stores.models.exists(["demo", "random_forest"]) is False
        assert stores.tracking.address == "https://me:hunter2planted@mlflow"
        assert stores.tracking.safe_uri == "https://mlflow"
        with pytest.raises(NotificationError, match=r"json: nothing answers at 127\.0\.0\.1:9"):
            stores.notifications.ping()
        assert "hunter2planted" not in f"{stores}"
    assert (tmp_path / "tables.db").exists()


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2013-12-31", 0),
        ("2013-12-31T06:00", 6),
        ("2013-12-31 06:00:00+01:00", 5),
        ("2013-12-31T06:00:00Z", 6),
    ],
)
def test_a_moment_is_read_to_utc_and_the_clock_stands_still_there(text, hour):
    expected = datetime(2013, 12, 31, hour, tzinfo=timezone.utc)
    assert moment(text) == expected
    assert Clock(fixed=text).now() == expected
    assert Clock(fixed=text).now().tzinfo is timezone.utc


def test_the_clock_goes_by_itself():
    before = datetime.now(timezone.utc)
    assert before <= Clock().now() <= datetime.now(timezone.utc)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MLFLOW_TRACKING_URI", "htp://me:hunter2planted@mlflow"),
        ("MLFLOW_TRACKING_URI", "http://me:hunter2planted@mlflow:99999"),
        ("MLFLOW_TRACKING_URI", "http://me:hunter2planted@mlflow:port"),
        ("MLFLOW_TRACKING_URI", "postgresql://me:hunter2planted@host:port/name"),
        ("MLFLOW_TRACKING_URI", "http://"),
        ("MLFLOW_TRACKING_URI", "http://[bad"),
        ("MLOPS_OBJECT_STORAGE", "s3://me:hunter2planted@bucket/prefix"),
        ("MLOPS_OBJECT_STORAGE", "nonsense"),
        ("MLOPS_OBJECT_STORAGE", "s3:bucket"),
        ("MLOPS_DAGSTER_UI", "ftp://me:hunter2planted@dagster"),
        ("MLOPS_MLFLOW_UI", "javascript:alert"),
        ("MLOPS_NOW", "0001-01-01"),
        ("MLOPS_ENGINE", "sc://host:15002/;token=hunter2planted"),
        ("MLOPS_ENGINE", "spark://me:hunter2planted@host"),
    ],
)
def test_an_address_or_a_moment_that_cannot_be_is_refused_at_the_start_and_shows_no_secret(variable, value):
    with pytest.raises(SettingsError, match=f"^wrong environment variable: {variable}: ") as raised:
        Settings.read({variable: value})
    assert "hunter2planted" not in str(raised.value)


@pytest.mark.parametrize(
    "value",
    [
        "databricks",
        "databricks://profile:scope",
        "mysql+pymysql://u@h/db",
        "sqlite:///mlflow.db",
        "https://mlflow:5000/a",
    ],
)
def test_whatever_mlflow_takes_as_its_address_is_taken(value):
    uri = Settings.read({"MLFLOW_TRACKING_URI": value}).tracking_uri
    assert uri is not None
    assert uri.get_secret_value() == value


def test_an_address_that_a_plugin_of_mlflow_takes_is_taken(monkeypatch):
    plugin = EntryPoint("acme", "acme.store:Store", "mlflow.tracking_store")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [plugin] if group == plugin.group else [])
    assert Settings.read({"MLFLOW_TRACKING_URI": "acme://here"}).tracking_uri is not None
    with pytest.raises(SettingsError, match="MLFLOW_TRACKING_URI"):
        Settings.read({"MLFLOW_TRACKING_URI": "other://here"})


@pytest.mark.parametrize("value", ["/mnt/bucket", "gs://bucket", "memory://", "file:///mnt/bucket"])
def test_whatever_object_storage_takes_as_its_address_is_taken(value):
    assert Settings.read({"MLOPS_OBJECT_STORAGE": value}).object_storage == value


def test_forecasts_are_looked_for_in_the_working_directory_and_in_a_clone_in_the_package(tmp_path):
    clone, installed = tmp_path / "clone" / "mlops_assets", tmp_path / "site-packages" / "mlops_assets"
    for package in (clone, installed):
        (package / "forecasts").mkdir(parents=True)
        (package / "forecasts" / "nyc_departures.yaml").touch()
    (clone.parent / "mlops_assets_tests").mkdir()
    assert default_forecasts(clone.parent, clone) == clone / "forecasts"
    assert default_forecasts(tmp_path, clone) == Path("forecasts")
    assert default_forecasts(tmp_path, installed) == Path("forecasts")
    assert default_forecasts(installed.parent, installed) == Path("forecasts"), "nobody's project, but no clone either"
    (installed / "forecasts" / "mine.yml").touch()  # as release 0.1.0 let one do
    assert default_forecasts(tmp_path, installed) == installed / "forecasts"


def test_settings_without_a_folder_say_how_the_first_forecast_is_declared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.read({})
    assert (settings.forecasts, settings.shows_the_example) == (Path("forecasts"), False)
    with pytest.raises(SpecError, match=r"no such folder.*mlops-assets init TABLE declares the first"):
        load_specs(settings.forecasts)
