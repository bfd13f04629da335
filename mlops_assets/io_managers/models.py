"""What every store of models has in common. What Dagster hands over and gets is in `steps.py`."""

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_assets.io_managers.claims import Claiming


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
        return self.replace(key, value, dict(info or {}), time.time_ns())

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
    def replace(self, key: Sequence[str], value: Any, info: dict[str, Any], claim: int) -> dict[str, Any]:
        """Replace a model for a writer that began at `claim` (ns since 1970), and return its record."""
