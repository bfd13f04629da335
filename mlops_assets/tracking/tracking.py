"""MLflow behind a small typed face: one run for each training, and a registry of versions with aliases.

`dagster-mlflow`'s resource, used bare, gets the ends of runs wrong: a failed step leaves FINISHED or RUNNING behind,
two Dagster runs in one process share an MLflow run, and a retried step writes into the failed one. `Tracking.run`
opens that resource for the length of a `with` block, on an MLflow run of its own, and ends it truthfully.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from mlops_assets.forecasting.model import model_file
from mlops_assets.tracking.travelling import write_code

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
FORECASTER = "forecaster.skops"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class TrackingError(RuntimeError):
    """MLflow cannot be reached, or what it holds cannot be used."""


@dataclass(frozen=True)
class Version:
    """A registered model version."""

    name: str
    number: int
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        """MLflow's address of exactly this version."""
        return f"models:/{self.name}/{self.number}"

    @property
    def trained_until(self) -> pd.Timestamp | None:
        """Last timestamp that the model has learnt from."""
        value = self.tags.get("trained_until")
        return pd.Timestamp(value) if value else None

    @classmethod
    def of(cls, found: "MlflowVersion") -> "Version":
        """Take over what MLflow says."""
        return cls(
            found.name,
            int(found.version),
            str(found.run_id),
            dict(found.tags or {}),
            tuple(found.aliases or ()),
        )


class Tracking(dg.ConfigurableResource):
    """An MLflow tracking server or database with its model registry.

    Attributes:
        uri: tracking URI: `sqlite:///...`, `postgresql+psycopg://...`, `http://...`.
        artifact_root: where new experiments keep artifacts; empty: the server's own choice.
        ui: address of MLflow's web UI, for links; empty: no links.
    """

    uri: str
    artifact_root: str = ""
    ui: str = ""

    @contextmanager
    def run(
        self, context: dg.AssetExecutionContext, experiment: str, name: str, tags: Mapping[str, str]
    ) -> Iterator["TrainingRun"]:
        """Open one MLflow run; it ends FINISHED, or FAILED when the block raises.

        Runs of the experiment that a dead Dagster run left RUNNING are closed first.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        mlflow = self._mlflow()
        client = mlflow.MlflowClient()
        experiment_id = self._experiment(client, experiment)
        self.close_orphans(experiment, context.instance, context.run.run_id)
        while mlflow.active_run() is not None:  # a run left by other code of this process is not ours to write into
            mlflow.end_run()
        from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

        run = client.create_run(experiment_id, tags={"dagster_run_id": context.run.run_id})
        from dagster_mlflow import mlflow_tracking

        configured = mlflow_tracking.configured(
            {
                "experiment_name": experiment,
                "mlflow_tracking_uri": self.uri,
                "mlflow_run_id": run.info.run_id,
                "env": {},
                "extra_tags": dict(tags),
            }
        )
        status = "FAILED"
        try:
            with dg.build_resources(
                {"mlflow": configured},
                instance=context.instance,
                dagster_run=context.run,
                log_manager=context.log,
            ) as resources:
                client.set_tag(run.info.run_id, MLFLOW_RUN_NAME, name)  # the resource names runs after the job
                url = self.run_link(experiment_id, run.info.run_id)
                yield TrainingRun(resources.mlflow, run.info.run_id, url)
            status = "FINISHED"
        finally:
            mlflow.end_run(status)
            client.set_terminated(run.info.run_id, status)

    def registry(self, name: str) -> "Registry":
        """Return the versions of one model.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        return Registry(self, self._mlflow().MlflowClient(), name)

    def experiment(self, name: str) -> tuple[Any, str]:
        """Return MLflow's client and the id of an experiment, which is made if it is new.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        client = self._mlflow().MlflowClient()
        return client, self._experiment(client, name)

    def link(self, path: str) -> str:
        """Return the address of a page of MLflow's web UI, or an empty text."""
        return f"{self.ui.rstrip('/')}/#/{path}" if self.ui else ""

    def run_link(self, experiment_id: str, run_id: str) -> str:
        """Return the address of a run's page."""
        return self.link(f"experiments/{experiment_id}/runs/{run_id}")

    def ping(self) -> str:
        """Reach MLflow and say what answered.

        Raises:
            TrackingError: nothing did.
        """
        client = self._mlflow().MlflowClient()
        count = len(client.search_registered_models(max_results=100))
        return f"{self.safe_uri} answers, {count} registered model{'s' * (count != 1)}"

    @property
    def safe_uri(self) -> str:
        """The tracking URI without its password."""
        if "://" not in self.uri or self.uri.startswith("sqlite"):
            return self.uri
        from urllib.parse import urlsplit

        parts = urlsplit(self.uri)
        return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"

    def _mlflow(self) -> Any:
        for variable, value in _QUIET.items():
            os.environ.setdefault(variable, value)
        if self.uri.startswith(("http://", "https://")):
            self._probe()
        import logging

        import mlflow

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        if self.uri.startswith("sqlite:///"):
            self._create_database(mlflow)
        mlflow.set_tracking_uri(self.uri)
        return mlflow

    def _probe(self) -> None:
        """Ask the server for its health: a dead one would hang MLflow's client for minutes."""
        from urllib.error import URLError
        from urllib.request import urlopen

        try:
            with urlopen(f"{self.uri.rstrip('/')}/health", timeout=5):  # noqa: S310 - the scheme is http(s)
                pass
        except (URLError, TimeoutError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise TrackingError(
                f"MLflow at {self.safe_uri} does not answer ({reason}); see MLFLOW_TRACKING_URI"
            ) from None

    def _create_database(self, mlflow: Any) -> None:
        """Create a SQLite database once: processes that do it at the same time would collide."""
        file = Path(self.uri.removeprefix("sqlite:///"))
        if file.exists():
            return
        from filelock import FileLock

        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock")):
            mlflow.MlflowClient(self.uri).search_experiments(max_results=1)

    def _experiment(self, client: Any, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        location = f"{self.artifact_root.rstrip('/')}/{name}" if self.artifact_root else None
        try:
            return client.create_experiment(name, artifact_location=location)
        except MlflowException:  # another process was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
            return found.experiment_id

    def close_orphans(self, experiment: str, instance: dg.DagsterInstance, present: str = "") -> list[str]:
        """End the MLflow runs that a dead Dagster run left RUNNING, and remove the models that they did not register.

        Args:
            experiment: name of the experiment.
            instance: knows which Dagster runs live.
            present: id of the Dagster run that asks.

        Returns:
            Ids of the MLflow runs that were ended.
        """
        client = self._mlflow().MlflowClient()
        found = client.get_experiment_by_name(experiment)
        ended = []
        for run in client.search_runs([found.experiment_id], "attributes.status = 'RUNNING'") if found else ():
            owner = run.data.tags.get("dagster_run_id")
            if owner is None or owner == present:
                continue
            dagster_run = instance.get_run_by_id(owner)
            if dagster_run is not None and not dagster_run.is_finished:
                continue
            if not client.search_model_versions(f"run_id = '{run.info.run_id}'"):
                made = client.search_logged_models([found.experiment_id], f"source_run_id = '{run.info.run_id}'")
                for model in made:
                    client.delete_logged_model(model.model_id)
            client.set_terminated(run.info.run_id, "KILLED")
            ended.append(run.info.run_id)
        return ended


class TrainingRun:
    """The open MLflow run of one training."""

    def __init__(self, mlflow: Any, run_id: str, url: str) -> None:
        self._mlflow = mlflow
        self.run_id = run_id
        self.url = url

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; they cannot be changed afterwards."""
        self._mlflow.log_params(dict(params))

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics in one call; those that are not finite are left out, because MLflow cannot plot them."""
        from math import isfinite

        self._mlflow.log_metrics({k: float(v) for k, v in metrics.items() if v is not None and isfinite(v)})

    def log_table(self, frame: pd.DataFrame, file: str) -> None:
        """Keep a frame as a CSV artifact."""
        self._mlflow.log_text(frame.to_csv(index=False), file)

    def log_text(self, text: str, file: str) -> None:
        """Keep a text as an artifact."""
        self._mlflow.log_text(text, file)

    def log_figure(self, figure: "Figure", file: str) -> None:
        """Keep a picture as a PNG artifact."""
        with _png(figure, file) as (path, folder):
            self._mlflow.log_artifact(path, folder)

    def log_dataset(self, frame: pd.DataFrame, source: str, name: str) -> None:
        """Say what was learnt from: schema, size and digest; the rows themselves stay where they are."""
        from mlflow.data.code_dataset_source import CodeDatasetSource

        with _without_advice():
            dataset = self._mlflow.data.from_pandas(
                frame, source=CodeDatasetSource({"table": source}), targets="target", name=name
            )
            self._mlflow.log_input(dataset, context="training")

    def log_forecaster(
        self, state: Mapping[str, Any], history: pd.DataFrame, forecasts: pd.DataFrame, horizon: int
    ) -> tuple[str, str]:
        """Keep the model so that a stranger can load it without this package (see `pyfunc_model.py`).

        Args:
            state: the forecaster's state.
            history: a short canonical frame, as input example and signature.
            forecasts: what the model makes of it, for the signature.
            horizon: default and upper bound of the `horizon` parameter.

        Returns:
            MLflow's address of the model and the sha256 of its file.
        """
        import tempfile

        import mlflow
        from mlflow.models import ModelSignature
        from mlflow.types import ParamSchema, ParamSpec

        with tempfile.TemporaryDirectory() as folder, _without_advice():
            file = Path(folder) / FORECASTER
            sha256 = model_file.save(dict(state), file)
            python_model, code = write_code(Path(folder))
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(python_model),
                artifacts={"forecaster": str(file)},
                code_paths=[str(code)],
                pip_requirements=_requirements(),
                signature=ModelSignature(
                    _schema(history), _schema(forecasts), ParamSchema([ParamSpec("horizon", "long", horizon)])
                ),
                input_example=(history, {"horizon": horizon}),
            )
        return info.model_uri, sha256


@contextmanager
def _without_advice() -> Iterator[None]:
    """Silence MLflow's advice on type hints and whole numbers: the signature is given explicitly."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def _png(figure: "Figure", file: str) -> Iterator[tuple[str, str | None]]:
    """Write a picture to a temporary file; give its path and the folder that it is to have as an artifact."""
    import tempfile

    from mlops_assets.forecasting.charts.render import to_png

    folder, _, name = file.rpartition("/")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / name
        path.write_bytes(to_png(figure))
        yield str(path), folder or None


def _schema(frame: pd.DataFrame) -> Any:
    """Return the frame's columns in MLflow's types; whole numbers only where NumPy holds them, so never missing."""
    from mlflow.types import ColSpec, Schema

    kinds = {"M": "datetime", "f": "double", "b": "boolean", "i": "long", "u": "long"}
    return Schema([ColSpec(kinds.get(frame[name].dtype.kind, "string"), name) for name in frame.columns])


def _requirements() -> list[str]:
    from importlib.metadata import version

    names = ["mlflow", "numpy", "pandas", "scikit-learn", "skops", "holidays"]
    return [f"{name}=={version(name)}" for name in names]


def _patiently(write: Callable[[], None]) -> None:
    """Write to the registry, again if somebody else writes the same row at the same moment."""
    import time

    from mlflow.exceptions import MlflowException

    for pause in (0.05, 0.2, 0.5, 2.0, None):
        try:
            write()
            break
        except (MlflowException, TrackingError):
            if pause is None:
                raise
            time.sleep(pause)


class Registry:
    """The registered versions of one model, and who is champion."""

    def __init__(self, tracking: Tracking, client: Any, name: str) -> None:
        self._tracking = tracking
        self._client = client
        self.name = name

    def run_link(self, run_id: str) -> str:
        """Return the address of a run of this model's experiment, or an empty text."""
        experiment = self._client.get_experiment_by_name(self.name)
        return self._tracking.run_link(experiment.experiment_id, run_id) if experiment else ""

    def by_alias(self, alias: str) -> Version | None:
        """Return the version that an alias points at, or None."""
        from mlflow.exceptions import MlflowException

        try:
            return Version.of(self._client.get_model_version_by_alias(self.name, alias))
        except MlflowException as error:
            if error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
                return None
            raise

    def champion(self) -> Version | None:
        """Return the present champion, or None."""
        return self.by_alias(CHAMPION)

    def version(self, number: int) -> Version:
        """Return one version."""
        return Version.of(self._client.get_model_version(self.name, str(number)))

    def versions(self) -> list[Version]:
        """Return all versions, newest first, without their aliases."""
        found = self._client.search_model_versions(f"name = '{self.name}'")
        return sorted(map(Version.of, found), key=lambda version: -version.number)

    def register(self, model_uri: str, run_id: str, tags: Mapping[str, str], description: str) -> Version:
        """Register a logged model as a new version under the alias `challenger`."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        model_id = model_uri.removeprefix("models:/")
        made = self._client.create_model_version(
            self.name,
            source=self._client.get_logged_model(model_id).artifact_location,
            run_id=run_id,
            tags=dict(tags),
            description=description,
            model_id=model_id,
        )
        self.set_alias(CHALLENGER, int(made.version))
        return self.version(int(made.version))

    def set_alias(self, alias: str, number: int) -> None:
        """Point an alias at a version and read it back; try again if it could not be set.

        Raises:
            TrackingError: the alias cannot be set.
        """

        def write() -> None:
            self._client.set_registered_model_alias(self.name, alias, str(number))
            if self.by_alias(alias) is None:
                raise TrackingError(f"alias {alias} of {self.name} was set to {number} and is not there")

        _patiently(write)

    def set_tags(self, number: int, tags: Mapping[str, str]) -> None:
        """Write tags on a version."""
        for key, value in tags.items():
            _patiently(lambda k=key, v=value: self._client.set_model_version_tag(self.name, str(number), k, v))

    def mirror(self, champion: int | None, previous: int | None, tags: Mapping[int, Mapping[str, str]]) -> None:
        """Make aliases, stages and tags say what they should; what is right already is not written again.

        Args:
            champion: version of the alias champion and the stage Production; None: leave both.
            previous: version of the alias previous; None: nobody was champion before.
            tags: further tags by version.
        """
        versions = self.versions()
        if not versions:
            return
        aliases = {name: int(number) for name, number in self._client.get_registered_model(self.name).aliases.items()}
        # The newest version is the challenger: a killed process may have registered it and no more.
        for alias, number in ((CHAMPION, champion), (PREVIOUS, previous), (CHALLENGER, versions[0].number)):
            if number is not None and aliases.get(alias) != number:
                self.set_alias(alias, number)
        if champion is not None and previous is None and PREVIOUS in aliases:
            self._client.delete_registered_model_alias(self.name, PREVIOUS)
        for version in versions:
            wanted = dict(tags.get(version.number, {}))
            if version.number == champion:
                wanted["stage"] = "Production"
            elif champion is not None and version.tags.get("stage") == "Production":
                wanted["stage"] = "Archived"
            self.set_tags(version.number, {k: v for k, v in wanted.items() if version.tags.get(k) != v})

    def metrics(self, version: Version) -> dict[str, float]:
        """Return what was measured in the training of a version: the scores of its own backtest among it."""
        return dict(self._client.get_run(version.run_id).data.metrics)

    def load(self, version: Version) -> dict[str, Any]:
        """Load the forecaster's state of a version; see `fetch`."""
        return self.fetch(version)[0]

    def fetch(self, version: Version) -> tuple[dict[str, Any], int]:
        """Load the forecaster's state of a version, checked against the checksum of its registration.

        Returns:
            The state and the size of its file in bytes.

        Raises:
            TrackingError: the file is gone, or no checksum was recorded at the registration.
            ModelFileError: the file is not the one that was registered, or is unsafe.
        """
        if not version.tags.get("sha256"):
            raise TrackingError(f"{version.uri}: no checksum was recorded when it was registered (tag sha256)")
        import tempfile

        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory() as folder:
            try:
                path = download_artifacts(f"{version.uri}/artifacts/{FORECASTER}", dst_path=folder)
            except Exception as error:
                raise TrackingError(
                    f"{version.uri}: the model's file cannot be fetched from the artifact store ({error})"
                ) from None
            return model_file.load(Path(path), sha256=version.tags["sha256"]), Path(path).stat().st_size

    def read_table(self, number: int, file: str) -> pd.DataFrame:
        """Read a table that was logged in the run that trained a version; see `TrainingRun.log_table`.

        Raises:
            TrackingError: it cannot be fetched.
        """
        import io

        from mlflow.artifacts import load_text

        version = self.version(number)
        try:
            return pd.read_csv(io.StringIO(load_text(f"runs:/{version.run_id}/{file}")))
        except Exception as error:
            raise TrackingError(
                f"{file} of version {number} cannot be fetched from the artifact store ({error})"
            ) from None

    def attach(self, number: int, text: str, file: str) -> None:
        """Keep a text as an artifact of the run that trained a version."""
        self._client.log_text(self.version(number).run_id, text, file)

    def attach_figure(self, number: int, figure: "Figure", file: str) -> None:
        """Keep a picture as a PNG artifact of the run that trained a version."""
        with _png(figure, file) as (path, folder):
            self._client.log_artifact(self.version(number).run_id, path, folder)

    def link(self, number: int) -> str:
        """Return the address of a version's page."""
        return self._tracking.link(f"models/{self.name}/versions/{number}")
