"""Where files live: a local folder, or a bucket of an object store. Two classes, one small interface.

A file is committed whole or not at all, and only if nobody who started later has committed before.
"""

import os
import re
import secrets
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pyarrow as pa
from pydantic import SecretStr

from mlops_assets.io_managers.errors import StorageError, StorageUnavailableError
from mlops_assets.resources.secrets import scrub
from mlops_assets.sources.object_files import open_ranges

if TYPE_CHECKING:
    from obstore.store import ObjectStore

Check = Callable[[], None]
Method = TypeVar("Method", bound=Callable[..., Any])
_TEMPORARY = ".writing-"
_CLIENT_OPTIONS = ("allow_http", "allow_invalid_certificates", "timeout", "connect_timeout")
_RETRIES: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}
_SMALL = 64 * 1024
_FORBIDDEN = re.compile(r"\b40[13] (Forbidden|Unauthorized)|AccessDenied|InvalidAccessKeyId")
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|specified bucket does not exist")
"""Of S3, Azure and Google, whatever is asked of a bucket that is not there."""
_MEMORY: dict[str, Any] = {}
"""Object stores in memory by address, shared within the process."""


class FileStore(ABC):
    """Files under relative paths with `/`."""

    @abstractmethod
    def put(self, path: str, data: "pa.Buffer | bytes | Path", check: Check) -> None:
        """Replace a file in one step.

        Args:
            path: of the file.
            data: what it is to hold, or a file of this machine that holds it.
            check: looks at the present file and raises if it must stay.
        """

    @abstractmethod
    def open(self, path: str) -> pa.NativeFile:
        """Open a file for reading in pieces; FileNotFoundError if there is none."""

    @abstractmethod
    def get(self, path: str) -> pa.Buffer:
        """Read a whole file; FileNotFoundError if there is none."""

    @abstractmethod
    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders directly under this one, sorted; of the base for an empty name."""

    @abstractmethod
    def folders_with(self, folder: str, file: str) -> list[str]:
        """Return the names of the folders directly under this one that hold such a file, sorted: in one listing."""

    @abstractmethod
    def versions(self, folder: str, file: str) -> dict[str, str]:
        """Return what tells such a file from any other in its place, by the folders directly under this one.

        The file of the folder itself goes by an empty name; a folder without one is left out.
        """

    @abstractmethod
    def files(self, folder: str) -> dict[str, float]:
        """Return the names of the files directly in this folder, with their age in seconds."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove a file if it is there."""

    @abstractmethod
    def uri(self, path: str) -> str:
        """Return the full address of a path, without secrets."""


class LocalFolder(FileStore):
    """A folder on this machine; writers of one table take turns by a lock that a killed process lets go."""

    def __init__(self, base: str | Path) -> None:
        self.base = Path(base).expanduser().absolute()

    def put(self, path: str, data: "pa.Buffer | bytes | Path", check: Check) -> None:
        """Write beside, flush to disk, rename, flush the folder."""
        from filelock import FileLock

        target = self.base / path
        _make_folder(target.parent)
        with FileLock(target.parent / ".lock"):
            check()
            for left_over in target.parent.glob(f"{_TEMPORARY}*"):
                left_over.unlink(missing_ok=True)
            temporary = target.parent / f"{_TEMPORARY}{secrets.token_hex(4)}"
            try:
                with temporary.open("wb") as file:
                    if isinstance(data, Path):
                        with data.open("rb") as source:
                            shutil.copyfileobj(source, file)
                    else:
                        file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _flush_folder(target.parent)

    def open(self, path: str) -> pa.NativeFile:
        """Map the file into memory."""
        return pa.memory_map(str(self.base / path))

    def get(self, path: str) -> pa.Buffer:
        """Read the file."""
        return pa.py_buffer((self.base / path).read_bytes())

    def folders(self, folder: str) -> list[str]:
        """List the sub-folders."""
        try:
            return sorted(entry.name for entry in os.scandir(f"{self.base}/{folder}") if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def folders_with(self, folder: str, file: str) -> list[str]:
        """List the sub-folders and look into each: those of deleted files stay."""
        here = str(self.base / folder)
        return [name for name in self.folders(folder) if os.path.exists(f"{here}/{name}/{file}")]  # noqa: PTH110 -- ten thousands

    def versions(self, folder: str, file: str) -> dict[str, str]:
        """Look at inode, time and size: a file is replaced by another one, never changed."""
        here, found = str(self.base / folder), {}
        for name in ("", *self.folders(folder)):
            try:
                kept = os.stat(f"{here}/{name}/{file}")  # noqa: PTH116 -- ten thousands
            except OSError:
                continue
            found[name] = f"{kept.st_ino} {kept.st_mtime_ns} {kept.st_size}"
        return found

    def files(self, folder: str) -> dict[str, float]:
        """List the files, hidden ones left out."""
        here, now = self.base / folder, time.time()
        if not here.is_dir():
            return {}
        entries = [entry for entry in os.scandir(here) if entry.is_file() and not entry.name.startswith(".")]
        return {entry.name: now - entry.stat().st_mtime for entry in sorted(entries, key=lambda entry: entry.name)}

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        return os.path.isfile(f"{self.base}/{path}")  # noqa: PTH113 -- hundreds in a round

    def delete(self, path: str) -> None:
        """Remove the file."""
        (self.base / path).unlink(missing_ok=True)

    def uri(self, path: str) -> str:
        """Return a `file://` address."""
        return (self.base / path).as_uri()


def _answered(method: Method) -> Method:
    """Let what object storage answers, other than that something is absent, be an error of ours."""

    @wraps(method)
    def call(bucket: "Bucket", *arguments: Any) -> Any:
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            return method(bucket, *arguments)
        except (BaseError, FileNotFoundError) as error:
            reason = scrub(" ".join(str(error).partition("Debug source")[0].split()))
            if _NO_BUCKET.search(reason):
                place = "/".join(bucket.url.split("/")[:3])
                raise StorageError(
                    f"there is no {place}: make that bucket or container, or name another in MLOPS_OBJECT_STORAGE"
                ) from None
            if isinstance(error, FileNotFoundError):
                raise
            if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _FORBIDDEN.search(reason):
                raise StorageError(
                    f"{bucket.url} lets us not in: {reason}; see MLOPS_OBJECT_STORAGE, and the cloud's own variables "
                    "for the keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...)"
                ) from None
            raise StorageUnavailableError(
                f"{bucket.url} does not answer as it should: {reason}; see MLOPS_OBJECT_STORAGE"
            ) from None

    return cast("Method", call)


class Bucket(FileStore):
    """A prefix of an object store: `s3://`, `gs://`, `az://` or `memory://`."""

    def __init__(self, store: "ObjectStore", url: str) -> None:
        self.store, self.url = store, url.removesuffix("/")

    @_answered
    def put(self, path: str, data: "pa.Buffer | bytes | Path", check: Check) -> None:
        """Upload whole; the server refuses if another writer came between the check and the upload."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        body = data.read_bytes() if isinstance(data, Path) else bytes(data)
        # A small file is sent at once in the hope that there is none yet; for a large one it pays to ask first.
        mode: Any = "create" if len(body) < _SMALL else None
        refused: list[Any] = []
        while True:
            if mode is None:
                present = self._head(path)
                mode = "create" if present is None else _same_object(present)
                if present is not None:
                    check()
                if mode in refused:  # Nobody came between: the server takes tags without quotes only, as old Ceph does.
                    mode = {**mode, "e_tag": mode["e_tag"].strip('"')}
                if mode in refused:
                    raise StorageError(f"{self.uri(path)}: the server refuses to replace it by condition (If-Match).")
            try:
                obstore.put(self.store, path, body, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                refused += [] if mode == "create" else [mode]
                mode = None
                continue
            return

    @_answered
    def _head(self, path: str) -> Any:
        import obstore

        try:
            return obstore.head(self.store, path)
        except FileNotFoundError:
            return None

    @_answered
    def open(self, path: str) -> pa.NativeFile:
        """Read ranges as they are asked for."""
        import obstore

        found = obstore.head(self.store, path)
        return pa.PythonFile(open_ranges(self.store, path, found["size"], found["e_tag"]), mode="r")

    @_answered
    def get(self, path: str) -> pa.Buffer:
        """Download the object."""
        import obstore

        return pa.py_buffer(memoryview(obstore.get(self.store, path).bytes()))

    @_answered
    def folders(self, folder: str) -> list[str]:
        """List the common prefixes."""
        import obstore

        listed = obstore.list_with_delimiter(self.store, prefix=f"{folder}/" if folder else None)
        return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in listed["common_prefixes"])

    def folders_with(self, folder: str, file: str) -> list[str]:
        """List the common prefixes: there are none without an object."""
        return self.folders(folder)

    @_answered
    def versions(self, folder: str, file: str) -> dict[str, str]:
        """List the objects below the folder, with their tags."""
        import obstore

        found = {}
        for listed in obstore.list(self.store, prefix=f"{folder}/"):
            for entry in listed:
                name, _, last = entry["path"].rpartition("/")
                below = name.rpartition(f"{folder}/")[2] if name != folder and not name.endswith(f"/{folder}") else ""
                if last == file and "/" not in below:
                    found[below] = f"{entry['e_tag']} {entry['last_modified'].timestamp()} {entry['size']}"
        return found

    @_answered
    def files(self, folder: str) -> dict[str, float]:
        """List the objects."""
        import obstore

        listed = obstore.list_with_delimiter(self.store, prefix=f"{folder}/")
        now = datetime.now(timezone.utc)
        return {
            entry["path"].rsplit("/", 1)[-1]: (now - entry["last_modified"]).total_seconds()
            for entry in listed["objects"]
        }

    def exists(self, path: str) -> bool:
        """Whether the object is there."""
        return self._head(path) is not None

    @_answered
    def delete(self, path: str) -> None:
        """Remove the object."""
        import obstore

        if self._head(path) is not None:
            obstore.delete(self.store, path)

    def uri(self, path: str) -> str:
        """Return the object's address."""
        return f"{self.url}/{path}"


def open_file_store(base: str, options: dict[str, SecretStr]) -> FileStore:
    """Open a folder path or an object-store URL.

    Args:
        base: `data`, `/data/tables`, `s3://bucket/prefix`, `gs://...`, `az://container/prefix`, `memory://`.
        options: what obstore takes for that kind of store (`endpoint`, `access_key_id`, `region`, ...), and for
            its connections (`allow_http`, `timeout`, `connect_timeout`).

    Raises:
        StorageError: an unknown kind of address, or options that do not fit it.
    """
    if "://" not in base:
        return LocalFolder(base)
    if base.startswith("file://"):
        from urllib.parse import unquote, urlparse

        return LocalFolder(unquote(urlparse(base).path))
    from obstore import store as stores
    from obstore.exceptions import BaseError

    scheme = base.partition(":")[0]
    if scheme == "memory":
        return Bucket(_MEMORY.setdefault(base, stores.MemoryStore()), base)
    kinds: dict[str, Any] = {
        "s3": stores.S3Store, "s3a": stores.S3Store, "gs": stores.GCSStore,
        "az": stores.AzureStore, "abfs": stores.AzureStore, "abfss": stores.AzureStore,
    }  # fmt: skip
    if scheme not in kinds:
        raise StorageError(f"{base} is of no kind known here: it must be a folder or start with {', '.join(kinds)}.")
    config = {name: value.get_secret_value() for name, value in options.items()}
    client = {name: config.pop(name) for name in _CLIENT_OPTIONS if name in config}
    client = {name: text == "true" if name == "allow_http" else text for name, text in client.items()}
    try:
        # No options at all: given even empty ones, obstore overlooks those of the environment (AWS_ALLOW_HTTP, ...).
        store = kinds[scheme].from_url(base, config=config, client_options=client or None, retry_config=_RETRIES)
    except BaseError as error:
        reason = str(error).partition("\n")[0]
        raise StorageError(f"{base} cannot be opened: {reason} Its options are {', '.join(options)}.") from None
    return Bucket(store, base)


def _same_object(present: Any) -> Any:
    return {name: present[name] for name in ("e_tag", "version") if present.get(name) is not None}


def _make_folder(folder: Path) -> None:
    """Create a folder and its parents, flushed to disk, so that a file in it cannot outlive its path."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
