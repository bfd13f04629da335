"""What every store of models has in common: the Dagster side of it."""

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from mlops_assets.io_managers.claims import Claiming
from mlops_assets.io_managers.errors import StorageError
from mlops_assets.io_managers.keys import label
from mlops_assets.io_managers.steps import asset_path
from mlops_assets.resources.patience import patient


class Models(Claiming):
    """A store of fitted models: plain containers, NumPy arrays and scikit-learn estimators, never pickled."""

    def save(self, key: Sequence[str], value: Any, info: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Replace a model.

        Args:
            key: the asset's key, part by part.
            value: the model's state; see `model_file.dumps`.
            info: what should be known of this version beside it (commit, spec hash, ...), as JSON types.

        Returns:
            The record kept beside the model: `sha256`, `bytes`, `saved_at`, `release` and what `info` says.
        """
        return self._save(key, value, dict(info or {}), time.time_ns())

    @abstractmethod
    def load(self, key: Sequence[str]) -> Any:
        """Return a copy of a stored model, after all checks of `model_file.loads`.

        Raises:
            MissingTableError: nothing is stored under the key.
            ModelFileError: the file is not what was saved, or must not be loaded.
        """

    @abstractmethod
    def info(self, key: Sequence[str]) -> dict[str, Any]:
        """Return the record kept beside a model; see `save`."""

    @abstractmethod
    def exists(self, key: Sequence[str]) -> bool:
        """Whether a model is stored under the key."""

    @abstractmethod
    def uri(self, key: Sequence[str]) -> str:
        """Return where the model is, without secrets."""

    @abstractmethod
    def children(self, key: Sequence[str]) -> list[str]:
        """Return the last parts of the keys of the models directly below a key, sorted."""

    @abstractmethod
    def delete(self, key: Sequence[str]) -> None:
        """Remove a model if it is there."""

    @abstractmethod
    def _save(self, key: Sequence[str], value: Any, info: dict[str, Any], claim: int) -> dict[str, Any]:
        """Replace a model and return its record."""

    @patient
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store what an asset returned, and beside it what its metadata say in text or numbers."""
        key = _model_path(context)
        if obj is None:
            raise StorageError(f"{label(key)}: the asset returned None, not a model. Return its state.")
        start = time.perf_counter()
        own = {name: _plain(value) for name, value in context.output_metadata.items()}
        info = {name: value for name, value in own.items() if value is not None}
        record = self._save(key, obj, {**info, "run_id": context.run_id}, self._claim())
        context.add_output_metadata(
            {
                "dagster/uri": self.uri(key),
                "sha256": record["sha256"],
                "bytes": record["bytes"],
                "write_seconds": round(time.perf_counter() - start, 3),
            }
        )

    @patient
    def load_input(self, context: dg.InputContext) -> Any:
        """Load the model an asset depends on."""
        key = _model_path(context)
        value = self.load(key)
        context.add_input_metadata({"sha256": self.info(key)["sha256"]})
        return value


def _model_path(context: dg.OutputContext | dg.InputContext) -> list[str]:
    path = asset_path(context)
    if not context.has_asset_partitions:
        return path
    keys = list(context.asset_partition_keys)
    if len(keys) != 1:
        raise StorageError(f"{label(path)}: one model at a time, found {len(keys)} partitions. Run them one by one.")
    return [*path, f"partition {keys[0]}"]


def _plain(value: Any) -> Any:
    value = value.value if isinstance(value, dg.MetadataValue) else value
    return value if isinstance(value, str | int | float | bool) else None
