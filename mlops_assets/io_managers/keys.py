"""Asset keys and partition keys as names in a store: readable, never outside it, and no two keys alike."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from mlops_assets.io_managers.errors import StorageError

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LONGEST = 160
_RESERVED_ENDINGS = (".parquet", ".skops", ".json")
PARTITION = "partition="


@lru_cache(maxsize=4096)  # of the same names, again and again
def segment(text: str) -> str:
    """Encode one part of a key as one file name.

    Letters, digits and `-_.` stay; every other byte becomes `%XX`, as do a leading dot and the dot of an
    ending that the store uses itself. A long name is cut and closed with `~` and a hash, which no other
    encoding contains, so different keys always have different names.

    Raises:
        StorageError: an empty part.
    """
    if not text:
        raise StorageError(
            "a key has an empty part, which has no place in a store: give the asset or partition a name."
        )
    raw = text.encode("utf-8", "surrogatepass")
    name = "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02X}" for byte in raw)
    if name.startswith("."):
        name = "%2E" + name[1:]
    for ending in _RESERVED_ENDINGS:
        if name.endswith(ending):
            name = name[: -len(ending)] + "%2E" + ending[1:]
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 50]}~{hashlib.sha256(raw).hexdigest()[:40]}"
    return name


def folder(key: Sequence[str]) -> str:
    """Return the folder of an asset, relative to the base: one segment per part of its key."""
    if not key:
        raise StorageError("an empty key has no place in a store.")
    return "/".join(segment(part) for part in key)


def partition_folder(partition: str) -> str:
    """Return the folder name of a partition, in the form that Parquet readers know as Hive partitioning."""
    return PARTITION + segment(partition)


def partition_of(name: str) -> str | None:
    """Read a partition key back from its folder name; None if it was too long to be kept there."""
    text = name.removeprefix(PARTITION)
    if "~" in text:
        return None
    if "%" not in (plain := text.replace("%3A", ":")):  # nearly all: hours have colons, and there are ten thousands
        return plain
    parts = text.split("%")
    raw = parts[0].encode() + b"".join(bytes([int(part[:2], 16)]) + part[2:].encode() for part in parts[1:])
    return raw.decode("utf-8", "surrogatepass")


def label(key: Sequence[str], partition: str | None = None) -> str:
    """Name a table or one of its partitions for a message."""
    name = "/".join(key)
    return name if partition is None else f"{name}, partition {partition!r}"
