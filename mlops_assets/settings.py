"""The environment variables, all of them, typed. `.env.example` mirrors this file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

Environment = Literal["local", "staging", "production", "test"]


class SettingsError(ValueError):
    """An environment variable is missing or wrong; the message names it and what it takes."""


class Settings(BaseModel):
    """What the environment says, read once by `Settings.read()`.

    Every field is one environment variable, named by its alias.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    environment: Environment = Field(
        "local",
        alias="MLOPS_ENV",
        description="Where things are kept and how steps run: local, staging, production or test.",
    )
    forecasts: Path = Field(
        Path(__file__).parent / "forecasts",
        alias="MLOPS_FORECASTS",
        description="Folder of the YAML files, one for each forecast. Default: the shipped example.",
    )
    data: Path = Field(
        Path("data"),
        alias="MLOPS_DATA",
        description="Folder of everything that the local environment writes: tables, models, MLflow.",
    )
    tracking_uri: SecretStr | None = Field(
        None,
        alias="MLFLOW_TRACKING_URI",
        description="MLflow server or database. Default (local): SQLite in the data folder.",
    )
    mlflow_ui: str | None = Field(
        None,
        alias="MLOPS_MLFLOW_UI",
        description="Address of MLflow's web UI, for links. Default: the tracking server's, locally port 5000.",
    )
    now: str | None = Field(
        None,
        alias="MLOPS_NOW",
        description="Pretend that it is this moment (ISO 8601), to replay the past. Default: the real clock.",
    )

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from the environment; an empty variable counts as absent.

        Raises:
            SettingsError: a variable has a value that is not allowed.
        """
        environ = os.environ if environ is None else environ
        values = {variable: environ[variable] for variable in variables() if environ.get(variable)}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(f"{e['loc'][0]}={e['input']!r}: {e['msg']}" for e in error.errors())
            raise SettingsError(f"wrong environment variable: {problems}") from None

    @property
    def data_folder(self) -> Path:
        """The data folder as an absolute path, `~` expanded."""
        return self.data.expanduser().resolve()


def variables() -> dict[str, str]:
    """Return every environment variable of the project with its description."""
    return {
        field.alias: field.description or ""
        for field in Settings.model_fields.values()
        if field.alias is not None
    }
