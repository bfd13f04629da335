"""Secrets of resources, kept out of what Dagster shows and stores.

Dagster keeps a resource's configuration in snapshots and shows it in its web UI, and has no type for a
secret. So the configuration holds a reference, and the secret stays in this process; every process that
builds the definitions has it from the environment.
"""

from typing import Any
from uuid import uuid4

from pydantic import SecretStr

_KEPT: dict[str, SecretStr] = {}
_REFERENCE = "secret:"


def keep(value: Any) -> Any:
    """Return a reference in place of a secret; everything else as it is."""
    if not isinstance(value, SecretStr):
        return value
    reference = f"{_REFERENCE}{uuid4().hex}"
    _KEPT[reference] = value
    return reference


def reveal(value: str) -> SecretStr:
    """Return the secret that a value stands for, or the value itself as one."""
    return _KEPT.get(value) or SecretStr(value)
