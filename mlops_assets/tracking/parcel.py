"""A registered version with all that MLflow keeps of it, in a folder: how it is carried to another MLflow."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from time import time
from typing import Any

from mlops_assets.errors import TransientError
from mlops_assets.forecasting.model import model_file
from mlops_assets.tracking.errors import TrackingError, answered
from mlops_assets.tracking.logged_model import FORECASTER
from mlops_assets.tracking.model_code import ModelCode
from mlops_assets.tracking.registry import CODE, Registry, Version
from mlops_assets.tracking.tracking import Tracking

PARCEL = "parcel"
"""Tag of a run that was carried over: the checksum of its model, by which one that was left half made is known."""
_MODEL, _RUN = "model", "run"
_NOT_CARRIED = frozenset(
    {"stage", "decision", "decision_number", "decided_by", "decision_reason", "approval", "log_seconds"}
)
"""Tags that say what was made of a version where it was trained."""


@dataclass(frozen=True)
class Parcel:
    """A version on its way.

    Attributes:
        folder: has the logged model in `model`, and the artifacts of its run in `run`.
        version: as it is registered where it comes from.
        params: of its run.
        metrics: of its run, the latest of each.
    """

    folder: Path
    version: Version
    params: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def sha256(self) -> str:
        """Checksum of the model's file."""
        return self.version.tags["sha256"]

    @property
    def evidence(self) -> Path:
        """The artifacts of the run: what is put there arrives with it."""
        return self.folder / _RUN

    @property
    def file(self) -> Path:
        """The model's file."""
        return self.folder / _MODEL / "artifacts" / FORECASTER

    @property
    def tags(self) -> dict[str, str]:
        """What the version's tags say of its training, and which code travels with it."""
        kept = {name: value for name, value in self.version.tags.items() if name not in _NOT_CARRIED}
        return {**kept, CODE: self.code.digest}

    @property
    def code(self) -> ModelCode:
        """The code that travels with the version."""
        return ModelCode.within(self.folder / _MODEL / "code")

    def state(self) -> dict[str, Any]:
        """Return the forecaster's state.

        Raises:
            ModelFileError: the file is not the one that was registered, or is unsafe.
        """
        return model_file.load(self.file, sha256=self.sha256)


def pack(tracking: Tracking, version: Version, folder: Path) -> Parcel:
    """Fetch a version with everything that MLflow keeps of it, and hold its file against its checksum.

    Args:
        tracking: has it.
        version: the version.
        folder: an empty one, that it is put into.

    Raises:
        TrackingError: something of it is gone, or no checksum was recorded when it was registered.
        ModelFileError: its file is not the one that was registered.
    """
    if not version.tags.get("sha256"):
        raise TrackingError(f"{version.uri}: no checksum was recorded when it was registered (tag sha256)")
    from mlflow.artifacts import download_artifacts

    client, _ = tracking.experiment(version.name)
    for name in (_MODEL, _RUN):
        (folder / name).mkdir(parents=True)
    try:
        with answered("the server of the artifacts"):
            model = download_artifacts(version.uri, dst_path=str(folder / "fetched"), tracking_uri=tracking.address)
            shutil.copytree(model, folder / _MODEL, dirs_exist_ok=True)
        for one in client.list_artifacts(version.run_id):
            client.download_artifacts(version.run_id, one.path, str(folder / _RUN))
        run = client.get_run(version.run_id)
    except TransientError:
        raise
    except Exception as error:
        raise TrackingError(f"{version.uri} cannot be fetched whole ({' '.join(str(error).split())})") from None
    shutil.rmtree(folder / "fetched", ignore_errors=True)
    (folder / _MODEL / "registered_model_meta").unlink(missing_ok=True)  # MLflow notes there what it has fetched
    parcel = Parcel(folder, version, dict(run.data.params), dict(run.data.metrics))
    parcel.state()
    parcel.code.require(version.tags.get(CODE))
    return parcel


def unpack(tracking: Tracking, parcel: Parcel, tags: Mapping[str, str], after: int) -> Version:
    """Register what a parcel holds as a new version, with a run of its own that has everything of the old one.

    What a killed process has left of the same is completed, or closed before it is done again; what is there already,
    also as a training of this environment, is not registered twice.

    Args:
        tracking: where.
        parcel: the version.
        tags: of the new version, beside those of its training.
        after: the highest number that was ever decided on; see `Registry.register`.
    """
    name = parcel.version.name
    client, experiment = tracking.experiment(name)
    registry = tracking.registry(name)
    _close(client, experiment, parcel)
    if (found := _same(registry, parcel)) is not None:
        return found
    said = {**parcel.tags, **tags}
    run_name = f"{name} until {said.get('trained_until', '')[:16]}"
    run_id = client.create_run(experiment, tags={**said, PARCEL: parcel.sha256, "mlflow.runName": run_name}).info.run_id
    status = "FAILED"
    try:
        _log(client, run_id, parcel)
        model = client.create_logged_model(experiment, name="model", source_run_id=run_id)
        _address(parcel.folder / _MODEL, run_id, model.model_id)
        client.log_model_artifacts(model.model_id, str(parcel.folder / _MODEL))
        client.finalize_logged_model(model.model_id, "READY")
        description = parcel.version.description.rpartition("\n\n")[2]
        version = registry.register(f"models:/{model.model_id}", run_id, said, description, after)
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status)
    return version


def _same(registry: Registry, parcel: Parcel) -> Version | None:
    """Return the version that a parcel has become before, or that is this very training; None without one."""
    told = {tag: parcel.version.tags.get(tag) for tag in ("sha256", "fingerprint", "data_version")}
    found = [one for one in registry.versions() if all(one.tags.get(tag) == value for tag, value in told.items())]
    return found[-1] if found else None


def _close(client: Any, experiment: str, parcel: Parcel) -> None:
    """End the runs that a killed process has left: one that was registered is done, of another its model is removed."""
    for run in client.search_runs([experiment], f"tags.{PARCEL} = '{parcel.sha256}'"):
        run_id, state = run.info.run_id, run.info.status
        if client.search_model_versions(f"run_id = '{run_id}'"):
            state = "FINISHED"
        elif state == "RUNNING":
            for model in client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
                client.delete_logged_model(model.model_id)
            state = "KILLED"
        if state != run.info.status:
            client.set_terminated(run_id, state)


def _log(client: Any, run_id: str, parcel: Parcel) -> None:
    from mlflow.entities import Metric, Param

    now = int(time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in parcel.metrics.items() if isfinite(value)]
    client.log_batch(run_id, metrics=metrics, params=[Param(*one) for one in parcel.params.items()])
    if any(parcel.evidence.iterdir()):
        client.log_artifacts(run_id, str(parcel.evidence))


def _address(folder: Path, run_id: str, model_id: str) -> None:
    """Let the description of a model in its folder name the run and the model that it is of now."""
    from mlflow.models import Model
    from mlflow.models.model import MLMODEL_FILE_NAME

    if not (folder / MLMODEL_FILE_NAME).exists():
        return
    described = Model.load(str(folder))
    described.run_id, described.model_id = run_id, model_id
    described.save(str(folder / MLMODEL_FILE_NAME))
