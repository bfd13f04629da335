"""Tables and models in memory, for tests: copied in and out, by the same rules as everywhere."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any
from uuid import uuid4

import pyarrow as pa
from pydantic import Field

from mlops_assets.catalog.evolution import evolution_of
from mlops_assets.forecasting.model import model_file
from mlops_assets.io_managers import filtering, schemas
from mlops_assets.io_managers.arrow import RECORD
from mlops_assets.io_managers.base import Parts, Tables
from mlops_assets.io_managers.claims import refuse_older
from mlops_assets.io_managers.errors import MissingTableError
from mlops_assets.io_managers.keys import folder, label, partition_folder
from mlops_assets.io_managers.models import Models
from mlops_assets.io_managers.objects import model_record
from mlops_assets.io_managers.parts import Head, Part, as_one
from mlops_assets.resources.rows import Only

_STORES: dict[str, dict[str, Any]] = {}
"""Contents by store name: Dagster copies a resource for each run, and all copies must see the same tables."""

_ONE_WRITER = Lock()


class MemoryTables(Tables):
    """Tables kept as Arrow in this process, shared by all copies Dagster makes of one instance."""

    store: str = Field(default_factory=lambda: uuid4().hex, description="Name of the store; a new one by default.")

    @property
    def _tables(self) -> dict[str, dict[str | None, tuple[int, Any]]]:
        return _STORES.setdefault(f"tables {self.store}", {})

    def uri(self, key: Sequence[str], partition: str | None = None) -> str:
        """Return a made-up address."""
        path = folder(key)
        return f"memory://{path}" if partition is None else f"memory://{path}/{partition_folder(partition)}"

    def delete(self, key: Sequence[str], partition: str | None = None) -> None:
        """Forget a table or a partition."""
        if partition is None:
            self._tables.pop(folder(key), None)
        else:
            self._tables.get(folder(key), {}).pop(partition, None)

    def children(self, key: Sequence[str]) -> list[str]:
        """Return what is directly below a key."""
        start = f"{folder(key)}/" if key else ""
        below = (path.removeprefix(start) for path, table in self._tables.items() if table and path.startswith(start))
        return sorted({path.partition("/")[0] for path in below})

    def _stored(self, key: Sequence[str]) -> list[str | None]:
        return sorted(self._tables.get(folder(key), {}), key=lambda name: name or "")

    def versions(self, key: Sequence[str]) -> dict[str | None, str]:
        """Return the claim and the identity of each table."""
        kept = self._tables.get(folder(key), {}).copy()
        return {name: f"{claim} {id(table)}" for name, (claim, table) in kept.items()}

    def _schema_of(self, key: Sequence[str], partition: str | None) -> pa.Schema:
        return self._tables[folder(key)][partition][1].schema

    def _heads(self, key: Sequence[str], partitions: Sequence[str | None]) -> "dict[str | None, Head]":
        found = {name: self._tables.get(folder(key), {}).get(name) for name in partitions}
        return {name: Head(kept[1].schema, kept[1].num_rows) for name, kept in found.items() if kept is not None}

    def _load(
        self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None, only: Only | None = None
    ) -> pa.Table:
        wanted, parts = evolution_of(key).names_of(filtering.needed(columns, only)), {}
        for name in partitions:
            table = self._tables[folder(key)][name][1]
            names = schemas.present(table.schema, wanted)
            record = {RECORD: schemas.record_of(table.schema, names)}
            parts[name] = Part(table.select(names).replace_schema_metadata(record), table.num_rows)
        return as_one(key, parts, columns, only, lambda: self._newest(key))

    def _put(self, key: Sequence[str], parts: Parts, options: Mapping[str, Any], claim: int) -> int:

        table = self._tables.setdefault(folder(key), {})
        copies = {}
        for name, part in parts.items():
            partition_folder(name) if name is not None else None
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, part.schema) as writer:
                writer.write_table(part)
            copies[name] = (claim, pa.ipc.open_stream(sink.getvalue()).read_all())
        with _ONE_WRITER:
            for name in parts.keys() & table.keys():
                refuse_older(claim, table[name][0], label(key, name))
            table.update(copies)
        return sum(part.nbytes for part in parts.values())


class MemoryModels(Models):
    """Models kept as the bytes of their files in this process."""

    store: str = Field(default_factory=lambda: uuid4().hex, description="Name of the store; a new one by default.")

    @property
    def _models(self) -> dict[str, tuple[dict[str, Any], bytes]]:
        return _STORES.setdefault(f"models {self.store}", {})

    def uri(self, key: Sequence[str]) -> str:
        """Return a made-up address."""
        return f"memory://{folder(key)}"

    def exists(self, key: Sequence[str]) -> bool:
        """Whether a model is kept."""
        return folder(key) in self._models

    def info(self, key: Sequence[str]) -> dict[str, Any]:
        """Return the record beside the model."""
        return dict(self._entry(key)[0])

    def load(self, key: Sequence[str]) -> Any:
        """Rebuild the model from its bytes."""
        record, data = self._entry(key)
        return model_file.loads(data, record["sha256"], f"model {label(key)}")

    def children(self, key: Sequence[str]) -> list[str]:
        """Return what is directly below a key."""
        start = f"{folder(key)}/"
        return sorted(path.removeprefix(start) for path in self._models if path.startswith(start))

    def delete(self, key: Sequence[str]) -> None:
        """Forget a model."""
        self._models.pop(folder(key), None)

    def _entry(self, key: Sequence[str]) -> tuple[dict[str, Any], bytes]:
        try:
            return self._models[folder(key)]
        except KeyError:
            raise MissingTableError(f"model {label(key)} has not been stored yet: materialize it first.") from None

    def replace(self, key: Sequence[str], value: Any, info: dict[str, Any], claim: int) -> dict[str, Any]:
        """Replace a model and return its record."""
        data = model_file.dumps(value)
        present = self._models.get(folder(key))
        refuse_older(claim, present[0]["claim"] if present else 0, f"model {label(key)}")
        record = model_record(data, info, claim)
        self._models[folder(key)] = (record, data)
        return record
