"""Where tables and models live. `environments.py` picks one of each; assets never import them.

Two kinds of thing (`Tables`, `Models` in `base.py`), in several kinds of store: files and object storage
(`objects.py`), databases (`sql/tables.py`), memory (`memory.py`).
"""

from mlops_assets.io_managers.base import Tables
from mlops_assets.io_managers.errors import (
    ForeignRowsError,
    MissingTableError,
    SchemaDriftError,
    StaleWriteError,
    StorageError,
    UnstorableFrameError,
)
from mlops_assets.io_managers.memory import MemoryModels, MemoryTables
from mlops_assets.io_managers.models import Models
from mlops_assets.io_managers.objects import ObjectModels, ObjectTables
from mlops_assets.io_managers.sql.tables import SqlTables

__all__ = [
    "ForeignRowsError",
    "MemoryModels",
    "MemoryTables",
    "MissingTableError",
    "Models",
    "ObjectModels",
    "ObjectTables",
    "SchemaDriftError",
    "SqlTables",
    "StaleWriteError",
    "StorageError",
    "Tables",
    "UnstorableFrameError",
]
