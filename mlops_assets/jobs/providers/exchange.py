"""The exchange: a folder or a prefix in object storage where data are handed over to a service and back."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.jobs.providers.service_errors import ServiceError, UnreachableError, WrongAnswerError
from mlops_assets.resources.secrets import scrub

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_RETRIES: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}


class Exchange:
    """Files under relative names at one place, which keys and endpoints of the cloud's own variables open.

    Attributes:
        url: of the place: a folder's path, or `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        self.url = str(Path(url).expanduser().absolute()) if "://" not in url else url.rstrip("/")

    def at(self, name: str) -> str:
        """Return the address of a file or folder of the exchange."""
        return f"{self.url}/{name}"

    def write(self, name: str, content: bytes) -> str:
        """Put a file there, whole or not at all, and return its address."""
        import obstore

        with _answers(self.url):
            obstore.put(self._store(), name, content)
        return self.at(name)

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None if there is none."""
        import obstore

        with _answers(self.url):
            try:
                return bytes(obstore.get(self._store(), name).bytes())
            except FileNotFoundError:
                return None

    def below(self, folder: str) -> list[str]:
        """Return the names of all files below a folder, sorted."""
        import obstore

        with _answers(self.url):
            found = [entry["path"] for batch in obstore.list(self._store(), prefix=f"{folder}/") for entry in batch]
        return sorted(found)

    def write_table(self, name: str, table: pd.DataFrame, *, header: bool = True) -> str:
        """Put a table there, as Parquet or CSV by the ending of its name, and return its address."""
        if name.endswith(".parquet"):
            return self.write(name, table.to_parquet(index=False))
        return self.write(name, table.to_csv(index=False, header=header, date_format="%Y-%m-%d %H:%M:%S").encode())

    def read_made(self, name: str) -> bytes:
        """Return the content of a file that is there when the service is done.

        Raises:
            WrongAnswerError: there is no such file.
        """
        content = self.read(name)
        if content is None:
            raise WrongAnswerError(f"{self.at(name)}: the service says it is done, and there is no such file")
        return content

    def read_table(self, name: str) -> pd.DataFrame:
        """Read a table of forecasts, Parquet or CSV by the ending of its name.

        Raises:
            WrongAnswerError: there is no such file, or it is no table.
        """
        return table_of(self.read_made(name), self.at(name))

    def _store(self) -> "ObjectStore":
        from obstore.store import LocalStore, from_url

        if "://" not in self.url:
            return LocalStore(self.url, mkdir=True)
        return from_url(self.url, retry_config=_RETRIES)


def table_of(content: bytes, name: str) -> pd.DataFrame:
    """Read CSV or, by the ending of its name, Parquet; item ids stay text."""
    import pyarrow as pa

    try:
        if name.endswith(".parquet"):
            return pd.read_parquet(io.BytesIO(content))
        return pd.read_csv(io.BytesIO(content), dtype={"item_id": str}, keep_default_na=False, na_values=[""])
    except (ValueError, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:200]
        raise WrongAnswerError(f"{name}: no table of forecasts: {said}") from None


def as_forecasts(table: pd.DataFrame, where: str, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return what a service gives as rows with our names and types.

    Args:
        table: as the service has it.
        where: it comes from, for messages.
        columns: our names and the service's, where they differ.

    Returns:
        `item_id` (text), `timestamp` (naive), and numbers: `mean`, `q10`, ...; other columns are left out.

    Raises:
        WrongAnswerError: columns are missing, or hold other things than times and numbers.
    """
    named = {str(name): str(name) for name in table.columns} | dict(columns or {})
    wanted = [name for name in named if name in ("item_id", "timestamp", "mean") or _is_quantile(name)]
    missing = [named[name] for name in wanted if named[name] not in table]
    missing += [name for name in ("item_id", "timestamp") if name not in wanted]
    if missing or len(wanted) < 3:
        lacking = ", ".join(missing or ["mean or q50"])
        raise WrongAnswerError(f"{where}: no column {lacking}; it has: {', '.join(map(str, table.columns)) or 'none'}")
    values = [name for name in wanted if name not in ("item_id", "timestamp")]
    found = pd.DataFrame({name: table[named[name]] for name in ("item_id", "timestamp", *values)})
    found["item_id"] = found["item_id"].astype(str)
    try:
        times = pd.to_datetime(found["timestamp"], format="mixed" if found["timestamp"].dtype == object else None)
        found["timestamp"] = times.dt.tz_localize(None)
        for name in values:
            found[name] = pd.to_numeric(found[name]).astype(float)
    except (ValueError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split())[:200]
        raise WrongAnswerError(f"{where}: not times and numbers: {said}") from None
    return found.reset_index(drop=True)


def _is_quantile(name: str) -> bool:
    return name[:1] == "q" and name[1:].replace("_", "", 1).isdigit()


@contextmanager
def _answers(url: str) -> Iterator[None]:
    """Let what storage answers be an error of ours: later, for a person may mend it before the deadline."""
    from obstore.exceptions import BaseError

    try:
        yield
    except ServiceError:
        raise
    except (BaseError, OSError) as error:
        said = " ".join(str(error).partition("Debug source")[0].split())
        raise UnreachableError(scrub(f"the exchange {url} cannot be used: {said}; see external.exchange")) from None
