"""MLflow behind a small typed face: one run for each training, and a registry of versions with aliases.

`dagster-mlflow`'s resource, used bare, gets the ends of runs wrong: a failed step leaves FINISHED or RUNNING behind,
two Dagster runs in one process share an MLflow run, and a retried step writes into the failed one. `Tracking.run`
opens that resource for the length of a `with` block, on an MLflow run of its own, and ends it truthfully.
"""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.errors import MlopsAssetsError
from mlops_assets.resources.databases import DatabaseUnavailableError, make_engine, with_driver
from mlops_assets.resources.secrets import reveal, without_login
from mlops_assets.tracking.errors import Client, TrackingUnavailableError, answered
from mlops_assets.tracking.links import Links
from mlops_assets.tracking.local_client import RUNNING, LocalClient
from mlops_assets.tracking.local_database import ensure_made, is_made, take_along
from mlops_assets.tracking.names import Names
from mlops_assets.tracking.registry import Registry
from mlops_assets.tracking.runs import Step, TrainingRun
from mlops_assets.tracking.server import knock

if TYPE_CHECKING:
    import dagster as dg

_FILE = "sqlite:///"
_SERVERS = ("postgresql", "mysql", "mssql")
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@dataclass(frozen=True)
class Tracking:
    """An MLflow tracking server or database with its model registry.

    Attributes:
        uri: tracking URI: `sqlite:///...`, `postgresql+psycopg://...`, `http://...`; or a reference to it
            (`secrets.keep`), for it may hold a password.
        artifact_root: where new experiments keep artifacts; empty: the server's own choice.
        ui: address of MLflow's web UI, for links; empty: no links.
    """

    uri: str
    artifact_root: str = ""
    ui: str = ""

    @property
    def address(self) -> str:
        """The tracking URI with its password, if it has one, and with the driver of a database."""
        return with_driver(reveal(self.uri).get_secret_value())

    @contextmanager
    def run(self, context: Step, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[TrainingRun]:
        """Open one MLflow run; it ends FINISHED, or FAILED when the block raises.

        Runs of the experiment that a dead Dagster run left RUNNING are closed first.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        mlflow = self._mlflow()
        client = self._client()
        experiment_id = self._experiment(client, experiment)
        self.close_orphans(experiment, context.instance, context.run.run_id)
        while mlflow.active_run() is not None:  # a run left by other code of this process is not ours to write into
            mlflow.end_run()
        from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

        run = client.create_run(experiment_id, tags={"dagster_run_id": context.run.run_id})
        import dagster as dg
        from dagster_mlflow import mlflow_tracking

        configured = mlflow_tracking.configured(
            {
                "experiment_name": experiment,
                "mlflow_tracking_uri": self.address,
                "mlflow_run_id": run.info.run_id,
                "env": {},
                "extra_tags": dict(tags),
            }
        )
        status = "FAILED"
        try:
            with (
                answered(self.safe_uri),  # MLflow's own functions, which the training calls, go past the client
                dg.build_resources(
                    {"mlflow": configured},
                    instance=context.instance,
                    dagster_run=context.run,
                    log_manager=context.log,
                ) as resources,
            ):
                client.set_tag(run.info.run_id, MLFLOW_RUN_NAME, name)  # the resource names runs after the job
                yield TrainingRun(resources.mlflow, run.info.run_id)
            status = "FINISHED"
        finally:
            try:
                with answered(self.safe_uri):
                    mlflow.end_run(status)
                client.set_terminated(run.info.run_id, status)
            except MlopsAssetsError as error:
                if status == "FINISHED":
                    raise
                # What failed the training matters more; the next run closes this one.
                context.log.warning(f"the MLflow run {run.info.run_id} could not be ended: {error.message}")

    def registry(self, name: str) -> Registry:
        """Return the versions of one model.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        return Registry(self._client(), name, self.links)

    def names(self) -> Names:
        """Return what is kept under the names of forecasts.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        return Names(self._client() if self.exists() else None)

    def experiment(self, name: str) -> tuple[Any, str]:
        """Return MLflow's client and the id of an experiment, which is made if it is new.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        client = self._client()
        return client, self._experiment(client, name)

    @property
    def links(self) -> Links:
        """Addresses of pages of MLflow's web UI."""
        return Links(self.ui)

    def exists(self) -> bool:
        """Return whether there is anything to ask: a SQLite file that is not there yet would be made by asking."""
        return not self.address.startswith(_FILE) or Path(self.address.removeprefix(_FILE)).exists()

    def ping(self) -> str:
        """Reach MLflow and say what answered.

        Raises:
            TrackingError: nothing did.
        """
        client = self._client()
        count = len(client.search_registered_models(max_results=100))
        return f"{self.safe_uri} answers, {count} registered model{'s' * (count != 1)}"

    @property
    def safe_uri(self) -> str:
        """The tracking URI without its password."""
        if "://" not in self.address or self.address.startswith("sqlite"):
            return self.address

        return without_login(self.address)

    def _client(self) -> Client:
        file = Path(self.address.removeprefix(_FILE))
        # Where MLflow is imported anyway it answers itself, and knows where it is for those who use it directly.
        if "mlflow" not in sys.modules and self.address.startswith(_FILE) and file.exists() and is_made(file):
            self._take_along(file)
            return Client(LocalClient(file, self._open), self.safe_uri)
        return Client(self._open(), self.safe_uri)

    def _open(self) -> Any:
        mlflow = self._mlflow()
        with answered(self.safe_uri):
            return mlflow.MlflowClient()

    def _mlflow(self) -> Any:
        for variable, value in _QUIET.items():
            os.environ.setdefault(variable, value)
        if self.address.startswith(_SERVERS):
            self._probe_database()

        import mlflow

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # traces of what is told in one line
        logging.getLogger("alembic").setLevel(logging.WARNING)
        if self.address.startswith(("http://", "https://")):
            knock(self.address, self.safe_uri)
        elif self.address.startswith(_FILE):
            with answered(self.safe_uri):
                file = Path(self.address.removeprefix(_FILE))
                ensure_made(file)
                self._take_along(file)
        mlflow.set_tracking_uri(self.address)
        return mlflow

    def _take_along(self, file: Path) -> None:
        if self.artifact_root.startswith("/"):
            take_along(file, Path(self.artifact_root))

    def _probe_database(self) -> None:
        """Connect once: MLflow itself would try for minutes."""
        engine = make_engine(self.address, read_only=True)
        try:
            engine.connect().close()
        except DatabaseUnavailableError as error:
            raise TrackingUnavailableError(f"MLflow's database {error.message}; see MLFLOW_TRACKING_URI") from None
        finally:
            engine.dispose()

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

    def close_orphans(self, experiment: str, instance: "dg.DagsterInstance", present: str = "") -> list[str]:
        """End the MLflow runs that a dead Dagster run left RUNNING, and remove the models that they did not register.

        Args:
            experiment: name of the experiment.
            instance: knows which Dagster runs live.
            present: id of the Dagster run that asks.

        Returns:
            Ids of the MLflow runs that were ended.
        """
        client = self._client()
        found = client.get_experiment_by_name(experiment)
        ended = []
        for run in client.search_runs([found.experiment_id], RUNNING) if found else ():
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
