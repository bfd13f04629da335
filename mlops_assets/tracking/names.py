"""What MLflow keeps under the name of a forecast, its registered model and its experiment: renamed, closed, removed."""

from dataclasses import dataclass
from typing import Any

RETIRED = "retired"
"""Tag of a registered model and of an experiment whose forecast has been retired: since when."""


@dataclass(frozen=True)
class Kept:
    """What is kept under a name.

    Attributes:
        versions: of the registered model; None without one.
        experiment: id of the experiment; None without one.
    """

    versions: int | None
    experiment: str | None

    def __bool__(self) -> bool:
        """Whether it is anything."""
        return self.versions is not None or self.experiment is not None


class Names:
    """The names in MLflow; without a client, there is no MLflow yet."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def kept(self, name: str) -> Kept:
        """Return what is kept under a name."""
        if self._client is None:
            return Kept(None, None)
        experiment = self._client.get_experiment_by_name(name)
        here = None
        if experiment is not None and experiment.lifecycle_stage == "active":
            here = experiment.experiment_id
        if not self._client.search_registered_models(f"name = '{name}'"):
            return Kept(None, here)
        return Kept(len(self._client.search_model_versions(f"name = '{name}'")), here)

    def rename(self, old: str, new: str) -> None:
        """Give what is kept under one name another one; what has it already is left alone."""
        kept, there = self.kept(old), self.kept(new)
        if kept.experiment is not None and there.experiment is None:
            self._client.rename_experiment(kept.experiment, new)
        if kept.versions is not None and there.versions is None:
            self._client.rename_registered_model(old, new)

    def close(self, name: str, since: str) -> None:
        """Say of model and experiment that their forecast has been retired."""
        kept = self.kept(name)
        if kept.versions is not None:
            self._client.set_registered_model_tag(name, RETIRED, since)
        if kept.experiment is not None:
            self._client.set_experiment_tag(kept.experiment, RETIRED, since)

    def remove(self, name: str, since: str) -> None:
        """Delete the model, and the experiment as MLflow does it: it can be restored, under a name that says so."""
        kept = self.kept(name)
        if kept.versions is not None:
            self._client.delete_registered_model(name)
        if kept.experiment is not None:
            self._client.rename_experiment(kept.experiment, f"{name}, deleted {since}")
            self._client.delete_experiment(kept.experiment)
