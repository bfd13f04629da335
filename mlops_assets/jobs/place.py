"""Where the ledger of jobs is; imported without SQLAlchemy."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from pydantic import SecretStr


def place_of(settings: Settings) -> "tuple[str | SecretStr | Path, str]":
    """Return where the ledger of an environment is, a database's address or a file, and the variable that says so."""
    if settings.jobs_url is not None:
        return settings.jobs_url, "MLOPS_JOBS_URL"
    if settings.table_place == "sql" and settings.database_url is not None:
        return settings.database_url, "MLOPS_DATABASE_URL"
    return settings.data_folder / "jobs.db", "MLOPS_DATA"


def absent(settings: Settings) -> bool:
    """Whether there is surely no ledger: its file has not been made."""
    place, _ = place_of(settings)
    return isinstance(place, Path) and not place.exists()
