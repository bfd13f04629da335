"""MLflow's part in memory: runs that keep what decisions rest on, and a registry of versions with the same face."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.forecasting.model import model_file
from mlops_assets.tracking.errors import TrackingError, VersionGoneError
from mlops_assets.tracking.links import Links
from mlops_assets.tracking.model_code import own_code
from mlops_assets.tracking.registry import CHALLENGER, CODE, Registry, Version
from mlops_assets.tracking.runs import Step, TrainingRun
from mlops_assets.tracking.tracking import Tracking

if TYPE_CHECKING:
    import dagster as dg
    from matplotlib.figure import Figure


@dataclass
class Kept:
    """What is kept of all models.

    Attributes:
        versions: by model and number.
        aliases: by model: alias -> number.
        metrics: by run.
        files: of models, by run.
        losing: whether those that are logged from now on are lost at once.
    """

    versions: dict[str, dict[int, Version]] = field(default_factory=dict)
    aliases: dict[str, dict[str, int]] = field(default_factory=dict)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    losing: bool = False


class MemoryRun(TrainingRun):
    """The run of one training; of what is logged it keeps the metrics and the model, for nobody looks at the rest."""

    def __init__(self, kept: Kept, run_id: str) -> None:
        super().__init__(None, run_id)
        self._kept = kept

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Keep metrics, those that are not finite left out as MLflow's are."""
        numbers = {name: float(value) for name, value in metrics.items() if value is not None and isfinite(value)}
        self._kept.metrics.setdefault(self.run_id, {}).update(numbers)

    def log_table(self, frame: pd.DataFrame, file: str) -> None:
        """Keep nothing."""

    def log_figure(self, draw: "Callable[[], Figure]", file: str) -> None:
        """Draw nothing."""

    def log_dataset(self, frame: pd.DataFrame, source: str, name: str) -> None:
        """Keep nothing."""

    def log_forecaster(
        self, state: Mapping[str, Any], history: pd.DataFrame, forecasts: pd.DataFrame, horizon: int
    ) -> tuple[str, str]:
        """Keep the model's file; return its address and sha256."""
        data = model_file.dumps(dict(state))
        if not self._kept.losing:
            self._kept.files[self.run_id] = data
        return f"memory:/{self.run_id}", hashlib.sha256(data).hexdigest()


class MemoryRegistry(Registry):
    """The versions of one model in memory, and who is champion."""

    def __init__(self, kept: Kept, name: str) -> None:
        super().__init__(None, name, Links(""))
        self._kept = kept

    @property
    def _versions(self) -> dict[int, Version]:
        return self._kept.versions.setdefault(self.name, {})

    def run_link(self, run_id: str, artifact: str = "") -> str:
        """Return an empty text: there is no page."""
        return ""

    def aliases(self) -> dict[str, int]:
        """Return the numbers of the versions that aliases point at."""
        return dict(self._kept.aliases.get(self.name, {}))

    def by_alias(self, alias: str) -> Version | None:
        """Return the version that an alias points at, or None."""
        number = self.aliases().get(alias)
        return None if number is None else self.version(number)

    def version(self, number: int) -> Version:
        """Return one version.

        Raises:
            VersionGoneError: there is none.
        """
        if number not in self._versions:
            raise VersionGoneError(f"version {number} of {self.name} is gone")
        pointing = tuple(alias for alias, at in self.aliases().items() if at == number)
        return replace(self._versions[number], aliases=pointing)

    def versions(self) -> list[Version]:
        """Return all versions, newest first, without their aliases."""
        return [self._versions[number] for number in sorted(self._versions, reverse=True)]

    def register(
        self, model_uri: str, run_id: str, tags: Mapping[str, str], description: str, after: int = 0
    ) -> Version:
        """Register a model as a new version under the alias `challenger`; its number is above `after`."""
        number = max([after, *self._versions]) + 1
        tags = {**tags, CODE: own_code().digest}
        self._versions[number] = Version(self.name, number, run_id, tags, description=description)
        self.set_alias(CHALLENGER, number)
        return self.version(number)

    def remove(self, number: int) -> None:
        """Lose a version, as an MLflow whose files are deleted does."""
        self._versions.pop(number)
        self._kept.aliases[self.name] = {alias: at for alias, at in self.aliases().items() if at != number}

    def set_alias(self, alias: str, number: int) -> None:
        """Point an alias at a version."""
        self._kept.aliases.setdefault(self.name, {})[alias] = number

    def remove_alias(self, alias: str) -> None:
        """Take an alias away."""
        self._kept.aliases[self.name].pop(alias)

    def set_tags(self, number: int, tags: Mapping[str, str]) -> None:
        """Write tags on a version."""
        version = self._versions[number]
        self._versions[number] = replace(version, tags={**version.tags, **tags})

    def describe(self, number: int, description: str) -> None:
        """Say of a version what it is."""
        self._versions[number] = replace(self._versions[number], description=description)

    def metrics(self, version: Version) -> dict[str, float]:
        """Return what was measured in the training of a version."""
        return dict(self._kept.metrics.get(version.run_id, {}))

    def fetch(self, version: Version) -> tuple[dict[str, Any], int]:
        """Return the state of a version's forecaster and the size of its file in bytes.

        Raises:
            TrackingError: the file is gone.
            ModelFileError: it is not the one that was registered.
        """
        if version.run_id not in self._kept.files:
            raise TrackingError(f"version {version.number} of {self.name}: the model's file is gone")
        data = self._kept.files[version.run_id]
        return model_file.loads(data, version.tags["sha256"]), len(data)

    def attach(self, number: int, text: str, file: str) -> None:
        """Keep nothing."""

    def add_metrics(self, number: int, metrics: Mapping[str, float], step: int = 0) -> None:
        """Keep nothing."""


@dataclass(frozen=True)
class MemoryTracking(Tracking):
    """Runs and versions kept in this process.

    Attributes:
        kept: what is kept of all models.
    """

    uri: str = "memory:"
    kept: Kept = field(default_factory=Kept)

    @contextmanager
    def run(self, context: Step, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[TrainingRun]:
        """Open a run; its id is that of the Dagster run."""
        yield MemoryRun(self.kept, context.run.run_id)

    def registry(self, name: str) -> MemoryRegistry:
        """Return the versions of one model."""
        return MemoryRegistry(self.kept, name)

    def close_orphans(self, experiment: str, instance: "dg.DagsterInstance", present: str = "") -> list[str]:
        """End nothing: what is kept goes with the process."""
        return []
