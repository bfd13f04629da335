"""The versions of a forecast's model: from our own store of models, and from MLflow what that has not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from mlops_assets.catalog.log import numbered
from mlops_assets.catalog.meaning import TAG, from_text, meaning_of, other_values
from mlops_assets.catalog.names import MODEL_CODE, MODEL_VERSIONS
from mlops_assets.errors import DataError
from mlops_assets.forecasting.model.model_file import ModelFileError
from mlops_assets.resources.protocols import Models
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.model_code import FeatureCode, ModelCode, own_code
from mlops_assets.tracking.registry import CODE, KIND, Registry, Version

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.kinds import Model

_TOLD = (
    "git_commit",
    "spec_commit",
    "source_version",
    "spec_hash",
    TAG,
    "data_version",
    "trained_until",
    "package_version",
    "fingerprint",
    CODE,
    KIND,
    "choice",
)
"""What the record beside a kept version says of it, as its tags in MLflow do."""
_METRICS = "metrics"
"""What the record says was measured in the training; those that earlier releases kept do not."""


def keep(
    models: Models, name: str, version: Version, state: Mapping[str, Any], metrics: Mapping[str, float] | None = None
) -> None:
    """Keep a registered version in the store of models too, so that it forecasts without MLflow.

    Its key is `<name>/model_versions/<number>`; the record beside it has the version, the commit, the spec's hash,
    what else its tags say, and what was measured in its training, where that is known. The code that runs it is kept
    once, as sources by path: `<name>/model_code/<sha256>`.
    """
    key = _key(name, version.number)
    facts = {label: version.tags.get(label, "") for label in _TOLD}
    said = {"mlflow_run_id": version.run_id, TAG: facts[TAG]}
    if models.exists(key) and said.items() <= models.info(key).items():
        return
    measured = {} if metrics is None else {_METRICS: {k: float(v) for k, v in metrics.items() if isfinite(v)}}
    models.save(key, dict(state), {"version": version.number, "mlflow_run_id": version.run_id, **facts, **measured})
    code = own_code()
    if version.tags.get(CODE) == code.digest and not models.exists([name, MODEL_CODE, code.digest]):
        models.save([name, MODEL_CODE, code.digest], dict(code.files))


class Versions:
    """The versions of one forecast's model, as far as they are to forecast; `models` None: only MLflow has them."""

    def __init__(self, registry: Callable[[], Registry], models: Models | None, name: str) -> None:
        self._registry = registry
        self._models = models
        self._name = name

    def version(self, number: int) -> Version:
        """Return a version; of a kept one, MLflow is not asked.

        Raises:
            VersionGoneError: it is neither kept nor in MLflow.
            TrackingUnavailableError: it is not kept, and MLflow does not answer.
        """
        record = self._record(number)
        if record is None:
            return self._registry().version(number)
        tags = {label: str(record[label]) for label in (*_TOLD, "sha256") if record.get(label)}
        return Version(self._name, number, str(record.get("mlflow_run_id", "")), tags)

    def metrics(self, version: Version, registered: bool = True) -> dict[str, float]:
        """Return what was measured in the training of a version; MLflow is asked where that was not kept.

        Args:
            version: which.
            registered: whether MLflow is there to be asked; where it is not, nothing is known.

        Raises:
            TrackingUnavailableError: it does not answer.
        """
        kept = (self._record(version.number) or {}).get(_METRICS)
        if kept is None:
            return self._registry().metrics(version) if registered else {}
        return dict(kept)

    def forecaster(self, version: Version) -> "Model":
        """Return a version's forecaster, run by the code that defined its features."""
        return self.portable(version).model

    def portable(self, version: Version) -> "Portable":
        """Return a version's forecaster, run by the code that defined its features, as it is sent to workers."""
        state = self.load(version)
        code = self.code(version, state)
        return Portable(code.rebuild(state), state, code.sources)

    def load(self, version: Version) -> dict[str, Any]:
        """Return the forecaster's state of a version, checked against its checksum; what MLflow had is kept.

        Raises:
            TrackingError: it is not kept, and its file is gone from MLflow.
            ModelFileError: the file is not the one that was registered, or is unsafe.
        """
        record = self._record(version.number)
        if self._models is not None and record is not None and record.get("sha256") == version.tags.get("sha256"):
            try:
                return self._models.load(_key(self._name, version.number))
            except ModelFileError:
                state = self._registry().load(version)
                self._models.save(_key(self._name, version.number), state, record)
                return state
        state = self._registry().load(version)
        if self._models is not None and record is None:
            keep(self._models, self._name, version, state, self._registry().metrics(version))
        return state

    def code(self, version: Version, state: Mapping[str, Any]) -> FeatureCode:
        """Return the code that runs a version; see `Registry.code`."""
        from mlops_assets.forecasting.model import entry
        from mlops_assets.forecasting.model.forecaster import STATE_VERSION

        if state["version"] == STATE_VERSION:
            return FeatureCode(entry.rebuild, entry.refit)
        digest = version.tags.get(CODE, "")
        key = [self._name, MODEL_CODE, digest]
        if self._models is not None and digest and self._models.exists(key):
            code = ModelCode(self._models.load(key))
            if code.digest == digest:
                return code.run()
        return self._registry().code(version, state)

    def _record(self, number: int) -> dict[str, Any] | None:
        """Return what is recorded beside a kept version; None of one that is not kept."""
        key = _key(self._name, number)
        return self._models.info(key) if self._models is not None and self._models.exists(key) else None


@dataclass(frozen=True)
class Portable:
    """A fitted model that can be pickled, whatever code runs it: as the bytes of its file, and that code's sources.

    Attributes:
        model: the model.
        state: what it was made of.
        sources: of the code that travels with it; None: this release's runs it.
    """

    model: "Model"
    state: dict[str, Any]
    sources: ModelCode | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        from mlops_assets.forecasting.model import model_file

        files = None if self.sources is None else tuple(self.sources.files.items())
        return _unpacked, (model_file.dumps(self.state), files)


@lru_cache(maxsize=2)
def _unpacked(file: bytes, sources: tuple[tuple[str, str], ...] | None) -> Portable:
    """Make a model of its file, once in a process."""
    from mlops_assets.forecasting.model import entry, model_file

    state = model_file.loads(file)
    if sources is None:
        return Portable(entry.rebuild(state), state)
    code = ModelCode(dict(sources))
    return Portable(code.run().rebuild(state), state, code)


def require_fit(version: Version, forecaster: "Model", spec: ForecastSpec) -> None:
    """Raise a DataError if a version has learnt on another grid, or other values, than the spec's: it knows nothing."""
    learnt = version.tags.get(TAG)
    if learnt and (found := other_values(from_text(learnt), meaning_of(spec))):
        raise DataError(f"it has learnt from other observations ({'; '.join(map(str, found))})")
    if forecaster.task.frequency != spec.frequency:
        raise DataError(f"it was trained for the frequency {forecaster.task.frequency}, and now it is {spec.frequency}")


def _key(name: str, number: int) -> list[str]:
    return [name, MODEL_VERSIONS, numbered(number)]
