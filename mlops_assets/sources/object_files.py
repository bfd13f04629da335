"""Objects of `s3://`, `gs://` and `az://` as files to read: listed by prefix and glob, fetched range by range."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.errors import TransientError, UsageError
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.sources.base import AnyFile, SourceError, SourceUnavailableError, digest
from mlops_assets.sources.files import FileReader
from mlops_assets.sources.text import Notes
from mlops_assets.spec import FileSource

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az")
_BUFFER_BYTES = 4 << 20
_WILD = set("*?[")


class ObjectReader(FileReader):
    """The same in object storage: an object, a folder or a glob; keys come from the cloud's own variables."""

    def __init__(self, source: FileSource) -> None:
        self.source = source
        self.name = source.path
        self._notes = Notes()

    def files(self) -> "Mapping[str, ObjectFile]":
        """Return the objects in the order of their names, which start below the folder that all are in.

        Raises:
            SourceError: there is none, or the storage does not let us in.
            SourceUnavailableError: the storage does not answer.
        """
        with _storage_errors(self.name):
            files = list_objects(self.source.path)
        if not files:
            raise SourceError(f"{self.name}: no such object, and no object matches; see source.path in the spec")
        return files

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield batches of all objects; CSV and JSON lines as text, Parquet and Excel with their types."""
        with _storage_errors(self.name):
            yield from super().read(columns, time_column, window)

    def rows_about(self, time_column: str, window: Window) -> int:
        """Return the rows of Parquet's row groups that may hold some of the window; of other objects, by their size."""
        with _storage_errors(self.name):
            return super().rows_about(time_column, window)

    def _bytes(self, file: AnyFile) -> int:
        return file.size if isinstance(file, ObjectFile) else super()._bytes(file)

    def signature(self, time_column: str, window: Window) -> str:
        """Return the version: one listing tells it."""
        return self.version(time_column, window)

    def version(self, time_column: str, window: Window) -> str:
        """Return a hash of the objects' names, sizes and entity tags, which are hashes of their content.

        With `source.version: etag` it is the tag itself, or a hash of names and tags.
        """
        if self.source.version == "etag":
            tags = {name: self._tag(file) for name, file in self.files().items()}
            return (
                next(iter(tags.values())) if len(tags) == 1 else digest(f"{name} {tag}" for name, tag in tags.items())
            )
        return digest(f"{name} {file.size} {file.etag or file.modified}" for name, file in self.files().items())

    def _tag(self, file: "ObjectFile") -> str:
        if not file.etag:
            raise SourceError(f"{file}: the storage tells no entity tag of it; leave out source.version")
        return file.etag.strip('"')

    def _written(self, folder: str, name: str) -> float:
        """Return when an object was written, in seconds since 1970; -1 if there is none."""
        with _storage_errors(self.name):
            return max((file.modified for file in list_objects(f"{folder}/{name}").values()), default=-1.0)


@contextmanager
def _storage_errors(name: str) -> Iterator[None]:
    from obstore import exceptions

    try:
        yield
    except SourceError:
        raise
    except (exceptions.BaseError, OSError, ValueError) as error:
        words = " ".join(str(error).partition("Debug source")[0].split())
        later = isinstance(error, exceptions.GenericError)
        raise (SourceUnavailableError if later else SourceError)(f"{name}: cannot be read: {words}") from None


@dataclass(frozen=True)
class ObjectFile:
    """One object.

    Attributes:
        store: of its bucket.
        path: its key.
        size: in bytes.
        bucket: address of the bucket, for messages.
        modified: when it was written, in seconds since 1970.
        etag: what the storage calls its content; empty if it does not.
    """

    store: "ObjectStore"
    path: str
    size: int
    bucket: str
    modified: float
    etag: str = ""

    def __str__(self) -> str:
        return f"{self.bucket}/{self.path}"

    @property
    def suffixes(self) -> list[str]:
        """Endings of the name, as of a `Path`."""
        return PurePosixPath(self.path).suffixes

    def open(self) -> io.BufferedReader:
        """Open it for reading; a few megabytes are in memory at a time."""
        return io.BufferedReader(_Ranges(self.store, self.path, self.size), _BUFFER_BYTES)


class ReplacedError(TransientError):
    """An object was replaced while ranges of it were read: reading it anew succeeds."""


def open_ranges(store: "ObjectStore", path: str, size: int, etag: str | None = None) -> io.RawIOBase:
    """Open an object as a seekable file that fetches only what is read.

    Args:
        store: of its bucket.
        path: its key.
        size: in bytes.
        etag: of the object that is meant: reading raises ReplacedError once another stands in its place. None: any.
    """
    return _Ranges(store, path, size, etag)


class _Ranges(io.RawIOBase):
    """An object whose every read is one request, but for the last bytes, which are fetched at once."""

    _FOOTER = 64 * 1024
    """Parquet's description of itself stands at the end, and is read in small pieces."""

    def __init__(self, store: "ObjectStore", path: str, size: int, etag: str | None = None) -> None:
        self._store, self._path, self._size, self._at = store, path, size, 0
        self._etag = etag
        self._tail: tuple[int, memoryview] | None = None

    def read(self, size: int = -1, /) -> bytes:
        start, end = self._at, self._size if size < 0 else min(self._at + size, self._size)
        self._at = end
        if start >= end:
            return b""
        if self._tail is None and start >= self._size - self._FOOTER:
            first = max(0, self._size - self._FOOTER)
            self._tail = first, self._fetch(first, self._size)
        if self._tail is not None and start >= self._tail[0]:
            return bytes(self._tail[1][start - self._tail[0] : end - self._tail[0]])
        return bytes(self._fetch(start, end))

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, start: int, end: int) -> memoryview:
        import obstore
        from obstore.exceptions import PreconditionError

        if self._etag is None:
            return memoryview(obstore.get_range(self._store, self._path, start=start, end=end))
        try:
            asked: Any = {"range": (start, end), "if_match": self._etag}
            return memoryview(obstore.get(self._store, self._path, options=asked).bytes())
        except PreconditionError:
            if obstore.head(self._store, self._path)["e_tag"] != self._etag:
                raise ReplacedError(f"{self._path} was replaced while it was read") from None
            self._etag = None  # a server that takes tags in another form than it tells them
            return self._fetch(start, end)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def is_object_url(path: str) -> bool:
    """Whether a path is one of object storage."""
    return path.partition("://")[0] in SCHEMES and "://" in path


def list_objects(url: str) -> dict[str, ObjectFile]:
    """Return the objects that a URL stands for, by their names below the folder that all are in, sorted.

    Args:
        url: an object, a folder (everything below it that is not hidden) or a glob, where `**` stands for any folders.

    Raises:
        obstore.exceptions.BaseError: the storage cannot be reached or does not let us in.
        ValueError: no bucket in the URL.
    """
    import obstore

    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise UsageError(f"{url}: no bucket in it; it takes {scheme}://bucket/folder/*.parquet or the like")
    address = f"{scheme}://{bucket}"
    store = _open(address)
    key = key.strip("/")
    parts = key.split("/") if key else []
    wild = next((i for i, part in enumerate(parts) if _WILD & set(part)), None)
    if wild is None and key:
        try:
            found = obstore.head(store, key)
        except FileNotFoundError:
            pass
        else:
            return {parts[-1]: _object(store, found, address)}
    base = "/".join(parts if wild is None else parts[:wild])
    wanted = re.compile(glob_regex("**/*" if wild is None else "/".join(parts[wild:])))
    files = {}
    for batch in obstore.list(store, prefix=f"{base}/" if base else None):
        for entry in batch:
            name = entry["path"].removeprefix(f"{base}/") if base else entry["path"]
            hidden = wild is None and re.search(r"(?:^|/)[._]", name)
            if wanted.fullmatch(name) and not hidden and not name.endswith("/"):
                files[name] = _object(store, entry, address)
    return dict(sorted(files.items()))


def _object(store: "ObjectStore", entry: Mapping[str, Any], address: str) -> ObjectFile:
    etag = entry.get("e_tag") or ""
    return ObjectFile(store, entry["path"], entry["size"], address, entry["last_modified"].timestamp(), etag)


def _open(address: str) -> Any:
    """Open a bucket with the keys and the endpoint of the cloud's own variables."""
    from obstore import store as stores

    kinds: dict[str, Any] = {"s3": stores.S3Store, "gs": stores.GCSStore, "az": stores.AzureStore}
    retries = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}
    return kinds[address.partition(":")[0]].from_url(address, retry_config=retries)


def glob_regex(pattern: str) -> str:
    """Translate a glob: `*` and `?` stay within a folder, `**/` stands for any folders or none."""
    found = re.findall(r"\*\*/|\*+|\?|\[[!^]?\]?[^\]/]*\]|.", pattern)
    return "".join(map(_piece, found))


def _piece(piece: str) -> str:
    if piece == "**/":
        return "(?:.*/)?"
    if piece.startswith("*"):
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece.startswith("[") and len(piece) > 2:
        inside = piece[1:-1].replace("\\", "\\\\")
        return f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
    return re.escape(piece)
