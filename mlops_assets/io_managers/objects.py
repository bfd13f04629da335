"""Tables as Parquet and models as skops files, in a local folder or in object storage: one class for each.

Layout under the base, for the asset `forecast/observations`:

    forecast/observations/table.parquet                         a table without partitions
    forecast/observations/partition=2024-01-01/table.parquet    one partition
    forecast/random_forest/model.json                           which file is the model, and its sha256
    forecast/random_forest/model=3f2a….skops                    the model
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timezone
from functools import cached_property
from itertools import chain
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import pyarrow as pa
from pydantic import Field, SecretStr

from mlops_assets.catalog.evolution import evolution_of
from mlops_assets.forecasting.model import model_file
from mlops_assets.io_managers import filtering, keys, schemas
from mlops_assets.io_managers.base import Parts, Tables
from mlops_assets.io_managers.claims import Claiming, refuse_older
from mlops_assets.io_managers.errors import MissingTableError
from mlops_assets.io_managers.filesystems import Bucket, FileStore, LocalFolder, open_file_store
from mlops_assets.io_managers.models import Models
from mlops_assets.io_managers.parts import Head, Part, Stream, as_one, regrouped
from mlops_assets.io_managers.small_files import SMALL_FILES, SmallFile
from mlops_assets.resources.release import package_version
from mlops_assets.resources.rows import Only
from mlops_assets.resources.secrets import keep, reveal
from mlops_assets.sources.object_files import ReplacedError

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

_TABLE = "table.parquet"
_POINTER = "model.json"
_CLAIM = b"mlops_assets.claim"
_KEY = b"mlops_assets.partition"
_ORPHAN_SECONDS = 3600.0
_FEW = 50
"""Partitions that are looked for one by one; of more, all that there are are listed, or two at once are read."""
_LARGE = 50_000
"""Rows from which on a file is read by several threads."""
_WAITING, _NEAR = 16, 2
"""Threads that wait for a server or a disk; that read small files near by: 16 would take twice the processor time."""
_LEAST_GROUP = 4_000
_GROUPS = 64
"""A file has about so many row groups at most; what is read of it, if some of its rows are wanted, are whole ones."""
_AGAIN = 20
"""So often a file is read anew that is replaced while it is read."""
_T = TypeVar("_T")
_R = TypeVar("_R")


class _InFileStore(Claiming):
    """Where the files are, and the options to open it."""

    base: str = Field(description="A folder or URL: s3://bucket/prefix, gs://…, az://container/prefix, memory://…")
    options: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="Settings of the object store: endpoint, region, ...; secrets as SecretStr.",
    )

    def __init__(self, base: str, options: "Mapping[str, str | SecretStr] | None" = None, **data: Any) -> None:
        kept = {name: keep(value) for name, value in (options or {}).items()}
        values: dict[str, Any] = {"base": base, "options": kept, **data}
        super().__init__(**values)

    @cached_property
    def _files(self) -> FileStore:
        return open_file_store(self.base, {name: reveal(text) for name, text in self.options.items()})


class ObjectTables(_InFileStore, Tables):
    """Tables as Parquet files (zstd), one for each partition."""

    def __init__(self, base: str, options: "Mapping[str, str | SecretStr] | None" = None, **data: Any) -> None:
        super().__init__(base, options, **data)  # pydantic's type checkers look for it in the class itself

    def uri(self, key: Sequence[str], partition: str | None = None) -> str:
        """Return the address of a table's folder or of a partition's file."""
        folder = keys.folder(key)
        return self._files.uri(folder if partition is None else _file(key, partition))

    def delete(self, key: Sequence[str], partition: str | None = None) -> None:
        """Remove a table's files, or one partition's."""
        for name in self._stored(key) if partition is None else [partition]:
            self._files.delete(_file(key, name))

    def children(self, key: Sequence[str]) -> list[str]:
        """Return the folders directly below a key."""
        found = self._files.folders(keys.folder(key) if key else "")
        named = (keys.partition_of(name) for name in found if not name.startswith(keys.PARTITION))
        return [name for name in named if name is not None]

    def stored(self, key: Sequence[str], partitions: Sequence[str]) -> list[str]:
        """Return those of some partitions that are stored; few are looked for one by one."""
        if len(partitions) > _FEW:
            return super().stored(key, partitions)
        there = self._looked(lambda name: self._files.exists(_file(key, name)), partitions)
        return [name for name, found in zip(partitions, there, strict=True) if found]

    def _stored(self, key: Sequence[str]) -> list[str | None]:
        folder = keys.folder(key)
        found = [
            name if (name := keys.partition_of(each)) is not None else self._key_inside(f"{folder}/{each}/{_TABLE}")
            for each in self._files.folders_with(folder, _TABLE)
            if each.startswith(keys.PARTITION)
        ]
        return [*sorted(found)] or ([None] if self._files.exists(f"{folder}/{_TABLE}") else [])

    def versions(self, key: Sequence[str]) -> dict[str | None, str]:
        """Return what the store says of each file."""
        folder = keys.folder(key)
        found = self._files.versions(folder, _TABLE)
        own = {name: version for name, version in found.items() if name.startswith(keys.PARTITION)}
        if not own:
            return {None: found[""]} if "" in found else {}
        named = {name: keys.partition_of(name) for name in own}
        inside = {name: self._key_inside(f"{folder}/{name}/{_TABLE}") for name, key in named.items() if key is None}
        return {inside.get(name, named[name]): version for name, version in own.items()}

    def _latest(self, key: Sequence[str]) -> Iterator[str | None]:
        folder = keys.folder(key)
        names = [keys.partition_of(each) for each in self._files.folders(folder) if each.startswith(keys.PARTITION)]
        known = [name for name in names if name is not None]
        if not known or len(known) < len(names):
            yield from super()._latest(key)
            return
        yield from (name for name in sorted(known, reverse=True) if self._files.exists(_file(key, name)))

    def _key_inside(self, path: str) -> str:
        return (self._footer(path).metadata or {})[_KEY].decode("utf-8", "surrogatepass")

    def _footer(self, path: str) -> "FileMetaData":
        import pyarrow.parquet as pq

        def footer() -> "FileMetaData":
            with self._files.open(path) as file:
                return pq.read_metadata(file)

        return _of_one(footer)

    def _schema_of(self, key: Sequence[str], partition: str | None) -> pa.Schema:
        return _ours(self._footer(_file(key, partition)).schema.to_arrow_schema())

    def _heads(self, key: Sequence[str], partitions: Sequence[str | None]) -> "dict[str | None, Head]":
        def head(name: str | None) -> Head | None:
            path = _file(key, name)
            try:
                known = SMALL_FILES.known(self._files.base / path) if isinstance(self._files, LocalFolder) else None
                if known is not None:
                    return known.head()
                footer = self._footer(path)
            except FileNotFoundError:
                return None
            return Head(_ours(footer.schema.to_arrow_schema()), footer.num_rows)

        found = zip(partitions, self._looked(head, partitions), strict=True)
        return {name: one for name, one in found if one is not None}

    def _load(
        self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None, only: Only | None = None
    ) -> pa.Table:
        wanted = evolution_of(key).names_of(filtering.needed(columns, only))
        parts = self._looked(lambda name: _of_one(lambda: self._read(_file(key, name), wanted, only)), partitions)
        return as_one(key, dict(zip(partitions, parts, strict=True)), columns, only, lambda: self._newest(key))

    def _whole(self, key: Sequence[str], partitions: Sequence[str | None]) -> pd.DataFrame:
        if not isinstance(self._files, LocalFolder):
            return super()._whole(key, partitions)
        files = [self._files.base / _file(key, name) for name in partitions]
        return SMALL_FILES.whole(self.uri(key), files, lambda: super(ObjectTables, self)._whole(key, partitions))

    def _read(self, path: str, columns: list[str] | None, only: Only | None) -> Part:
        import pyarrow.parquet as pq

        small = SMALL_FILES.read(self._files.base / path, _small) if isinstance(self._files, LocalFolder) else None
        if small is not None:
            return small.part(columns)
        far = isinstance(self._files, Bucket)
        at_once = far and columns is None and only is None
        source = pa.BufferReader(self._files.get(path)) if at_once else self._files.open(path)
        with source, pq.ParquetFile(source) as file:
            schema = _ours(file.schema_arrow)
            present = schemas.present(schema, columns)
            groups = filtering.row_groups(file.metadata, only)
            # Threads cost more than they save in a small file, and next to a server that is waited for.
            threads = not far and file.metadata.num_rows > _LARGE
            table = file.read_row_groups(groups, columns=present, use_threads=threads)
            table = table.replace_schema_metadata(schemas.narrow(schema, present).metadata)
            return Part(filtering.matching(table, only), file.metadata.num_rows)

    def _stream(
        self, key: Sequence[str], partition: str | None, columns: list[str] | None, only: Only | None, rows: int
    ) -> Iterator[pa.Table]:
        import pyarrow.parquet as pq

        wanted = evolution_of(key).names_of(filtering.needed(columns, only))
        with self._files.open(_file(key, partition)) as source, pq.ParquetFile(source) as file:
            schema = _ours(file.schema_arrow)
            present = schemas.present(schema, wanted)
            narrow = schemas.narrow(schema, present)
            groups = filtering.row_groups(file.metadata, only)
            for batch in file.iter_batches(rows, groups, present, use_threads=not isinstance(self._files, Bucket)):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(narrow.metadata)
                part = Part(table, file.metadata.num_rows)
                yield as_one(key, {partition: part}, columns, only, lambda: self._newest(key))

    def _put(self, key: Sequence[str], parts: Parts, options: Mapping[str, Any], claim: int) -> int:
        def put(name: str | None) -> int:
            sink = pa.BufferOutputStream()
            _write_parquet(sink, [parts[name]], parts[name].num_rows, name, claim)
            data = sink.getvalue()
            self._commit(key, name, data, claim)
            return data.size

        return sum(_at_once(put, list(parts), _WAITING))

    def _put_stream(
        self, key: Sequence[str], partition: str | None, stream: Stream, options: Mapping[str, Any], claim: int
    ) -> int:
        with NamedTemporaryFile(suffix=".parquet") as file:
            _write_parquet(file, stream.tables, stream.rows, partition, claim)
            file.flush()
            self._commit(key, partition, Path(file.name), claim)
            return file.tell()

    def _commit(self, key: Sequence[str], partition: str | None, data: pa.Buffer | Path, claim: int) -> None:
        path = _file(key, partition)
        self._files.put(path, data, lambda: self._refuse_if_newer(path, keys.label(key, partition), claim))

    def _refuse_if_newer(self, path: str, table: str, claim: int) -> None:
        with suppress(FileNotFoundError):
            refuse_older(claim, int((self._footer(path).metadata or {}).get(_CLAIM, b"0")), table)

    def _looked(self, look: "Callable[[_T], _R]", items: "Sequence[_T]") -> "list[_R]":
        """Look at every item: as many side by side as wait for a server, two where files are near, one of a few."""
        near = 1 if len(items) <= _FEW else _NEAR
        return _at_once(look, items, _WAITING if isinstance(self._files, Bucket) else near)


def _at_once(work: "Callable[[_T], _R]", items: "Sequence[_T]", threads: int) -> "list[_R]":
    if threads == 1 or len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        return list(pool.map(work, items))


class ObjectModels(_InFileStore, Models):
    """Models as skops files, each with a small JSON record beside it that names it."""

    def __init__(self, base: str, options: "Mapping[str, str | SecretStr] | None" = None) -> None:
        super().__init__(base, options)  # pydantic's type checkers look for it in the class itself

    def uri(self, key: Sequence[str]) -> str:
        """Return the address of the model's folder."""
        return self._files.uri(keys.folder(key))

    def exists(self, key: Sequence[str]) -> bool:
        """Whether a model is stored."""
        return self._files.exists(f"{keys.folder(key)}/{_POINTER}")

    def info(self, key: Sequence[str]) -> dict[str, Any]:
        """Return the record beside the model."""
        try:
            return json.loads(self._files.get(f"{keys.folder(key)}/{_POINTER}").to_pybytes())
        except FileNotFoundError:
            raise MissingTableError(f"model {keys.label(key)} has not been stored yet: materialize it first.") from None

    def load(self, key: Sequence[str]) -> Any:
        """Load the model the record names."""
        for last in (False, True):
            record = self.info(key)
            try:
                data = self._files.get(f"{keys.folder(key)}/{record['file']}").to_pybytes()
            except FileNotFoundError:
                if last:
                    raise model_file.ModelFileError(
                        f"model {keys.label(key)}: its file {record['file']} is gone. Materialize it again."
                    ) from None
                continue  # Replaced between the two reads: the record names another file by now.
            return model_file.loads(data, record["sha256"], f"model {keys.label(key)}")
        raise AssertionError

    def children(self, key: Sequence[str]) -> list[str]:
        """Return the folders directly below a key that hold a model."""
        found = [keys.partition_of(name) for name in self._files.folders(keys.folder(key))]
        return sorted(name for name in found if name is not None and self.exists([*key, name]))

    def delete(self, key: Sequence[str]) -> None:
        """Remove the record, then the files."""
        folder = keys.folder(key)
        self._files.delete(f"{folder}/{_POINTER}")
        for name in self._files.files(folder):
            self._files.delete(f"{folder}/{name}")

    def replace(self, key: Sequence[str], value: Any, info: dict[str, Any], claim: int) -> dict[str, Any]:
        """Replace a model and return its record."""
        folder, data = keys.folder(key), model_file.dumps(value)
        record = model_record(data, info, claim)
        record["file"] = f"model={record['sha256'][:24]}.skops"
        self._files.put(f"{folder}/{record['file']}", data, lambda: None)
        replaced: list[str] = []

        def check() -> None:
            present = self.info(key) if self.exists(key) else {"claim": 0, "file": record["file"]}
            refuse_older(claim, present["claim"], f"model {keys.label(key)}")
            replaced[:] = [present["file"]]

        self._files.put(f"{folder}/{_POINTER}", json.dumps(record).encode(), check)
        self._sweep(folder, keep=record["file"], replaced=replaced)
        return record

    def _sweep(self, folder: str, keep: str, replaced: list[str]) -> None:
        """Remove the replaced model, and files of savers that died long ago."""
        for name, age in self._files.files(folder).items():
            if name.endswith(".skops") and name != keep and (name in replaced or age > _ORPHAN_SECONDS):
                self._files.delete(f"{folder}/{name}")


def model_record(data: bytes, info: dict[str, Any], claim: int) -> dict[str, Any]:
    """Return what is kept beside a model's bytes."""
    return {
        **info,
        "sha256": model_file.checksum(data),
        "bytes": len(data),
        "saved_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "claim": claim,
        "release": package_version(),
    }


def _of_one(read: "Callable[[], _T]") -> "_T":
    """Read a file, again where it was replaced meanwhile: what is told is of the old one or of the new one."""
    for _ in range(_AGAIN):
        try:
            return read()
        except ReplacedError:
            continue
    return read()


def _file(key: Sequence[str], partition: str | None) -> str:
    folder = keys.folder(key)
    return f"{folder}/{_TABLE}" if partition is None else f"{folder}/{keys.partition_folder(partition)}/{_TABLE}"


def _write_parquet(sink: Any, tables: "Iterable[pa.Table]", rows: int, partition: str | None, claim: int) -> None:
    """Write tables of one schema, one at least, as one file.

    A table of a few thousand rows is one row group. Of a larger one a group is a 64th: statistics of its columns tell
    which groups have wanted rows, and groups much smaller make the file larger and slower to read as a whole.
    """
    import pyarrow.parquet as pq

    own = {_CLAIM: str(claim).encode()}
    if partition is not None:
        own[_KEY] = partition.encode("utf-8", "surrogatepass")
    left = iter(tables)
    first = next(left)
    schema = first.schema.with_metadata({**(first.schema.metadata or {}), **own})
    group, alone = max(_LEAST_GROUP, rows // _GROUPS), rows == first.num_rows
    written = schema if alone else schemas.decoded(schema)
    repeated: Any = _repeated(first)
    with pq.ParquetWriter(sink, written, compression="zstd", use_dictionary=repeated) as file:
        if alone:
            file.write_table(first.replace_schema_metadata(schema.metadata), group)
        else:
            for table in regrouped(chain([first], left), schema, group):
                file.write_table(table, group)


def _repeated(table: pa.Table) -> list[str]:
    """Return the columns that a dictionary in each row group makes smaller, by the first rows; others grow by it."""
    some = table.slice(0, _LEAST_GROUP)
    return [name for name in some.column_names if 2 * len(some[name].unique()) <= len(some)]


def _small(data: bytes) -> SmallFile:
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(data)) as file:
        schema = _ours(file.schema_arrow)
        return SmallFile(file.read(use_threads=False).replace_schema_metadata(schema.metadata), file.metadata.num_rows)


def _ours(schema: pa.Schema) -> pa.Schema:
    kept: Iterable[tuple[bytes, bytes]] = (schema.metadata or {}).items()
    return schema.with_metadata({name: value for name, value in kept if name not in (_CLAIM, _KEY)})
