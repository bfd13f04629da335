"""The registered versions of a model, and the aliases that say who is champion."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.errors import TransientError
from mlops_assets.forecasting.model import model_file
from mlops_assets.tracking.errors import ModelCodeError, TrackingError, VersionGoneError, answered, code_of
from mlops_assets.tracking.links import Links
from mlops_assets.tracking.logged_model import FORECASTER
from mlops_assets.tracking.model_code import FeatureCode, ModelCode, own_code

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

    from mlops_assets.forecasting.model.kinds import Model
    from mlops_assets.tracking.local_client import LocalVersion

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
CODE = "code_sha256"
"""Tag: digest of the code that travels with a version."""
KIND = "model_kind"
"""Tag: which kind of model a version is."""


@dataclass(frozen=True)
class Version:
    """A registered model version."""

    name: str
    number: int
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    description: str = ""

    @property
    def uri(self) -> str:
        """MLflow's address of exactly this version."""
        return f"models:/{self.name}/{self.number}"

    @property
    def trained_until(self) -> pd.Timestamp | None:
        """Last timestamp that the model has learnt from."""
        value = self.tags.get("trained_until")
        return pd.Timestamp(value) if value else None

    @property
    def kind(self) -> str:
        """Which kind of model it is; empty where release 0.1.0 registered it."""
        return self.tags.get(KIND, "")

    @property
    def fit_seconds(self) -> float:
        """Processor time that fitting it took; 0 where nobody said so."""
        return float(self.tags.get("cpu_seconds") or 0.0)

    @property
    def label(self) -> str:
        """Number and kind, in words."""
        return f"version {self.number} ({self.kind})" if self.kind else f"version {self.number}"

    @classmethod
    def of(cls, version: "MlflowVersion | LocalVersion") -> "Version":
        """Take over what MLflow says."""
        return cls(
            version.name,
            int(version.version),
            str(version.run_id),
            dict(version.tags or {}),
            tuple(version.aliases or ()),
            version.description or "",
        )


class Registry:
    """The registered versions of one model, and who is champion."""

    def __init__(self, client: Any, name: str, links: Links) -> None:
        self._client = client
        self._links = links
        self.name = name

    def run_link(self, run_id: str, artifact: str = "") -> str:
        """Return the address of a run of this model's experiment, or of an artifact of it, or an empty text."""
        experiment = self._client.get_experiment_by_name(self.name)
        return self._links.run(experiment.experiment_id, run_id, artifact) if experiment else ""

    def by_alias(self, alias: str) -> Version | None:
        """Return the version that an alias points at, or None."""
        try:
            return Version.of(self._client.get_model_version_by_alias(self.name, alias))
        except Exception as error:
            if code_of(error) in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
                return None
            raise

    def aliases(self) -> dict[str, int]:
        """Return the numbers of the versions that the aliases of the registered model point at."""
        return {name: int(number) for name, number in self._client.get_registered_model(self.name).aliases.items()}

    def champion(self) -> Version | None:
        """Return the present champion, or None."""
        return self.by_alias(CHAMPION)

    def version(self, number: int) -> Version:
        """Return one version.

        Raises:
            VersionGoneError: MLflow does not have it.
        """
        try:
            return Version.of(self._client.get_model_version(self.name, str(number)))
        except Exception as error:
            if code_of(error) == "RESOURCE_DOES_NOT_EXIST":
                raise VersionGoneError(f"version {number} of {self.name} is gone from MLflow") from None
            raise

    def versions(self) -> list[Version]:
        """Return all versions, newest first, without their aliases."""
        found = self._client.search_model_versions(f"name = '{self.name}'")
        return sorted(map(Version.of, found), key=lambda version: -version.number)

    def register(
        self, model_uri: str, run_id: str, tags: Mapping[str, str], description: str, after: int = 0
    ) -> Version:
        """Register a model that this process has logged, as a new version under the alias `challenger`.

        Its tag `code_sha256` is the digest of the code that travels with it, see `code`: this release's, if the tags
        do not say another. Its number is above `after`:
        an MLflow that was lost and begins anew gives no number a second time that our tables know.
        """
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        model_id = model_uri.removeprefix("models:/")
        source = self._client.get_logged_model(model_id).artifact_location
        skipped = 0
        while True:
            made = self._client.create_model_version(
                self.name,
                source=source,
                run_id=run_id,
                tags={CODE: own_code().digest, **tags},
                description=description,
                model_id=model_id,
            )
            number = int(made.version)
            if number > after or number <= skipped:  # not above the one before: this registry takes no such hint
                break
            self._client.delete_model_version(self.name, str(number))
            skipped = number
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

    def remove_alias(self, alias: str) -> None:
        """Take an alias away."""
        self._client.delete_registered_model_alias(self.name, alias)

    def set_tags(self, number: int, tags: Mapping[str, str]) -> None:
        """Write tags on a version."""
        for key, value in tags.items():
            _patiently(lambda k=key, v=value: self._client.set_model_version_tag(self.name, str(number), k, v))

    def describe(self, number: int, description: str) -> None:
        """Say of a version, on its page, what it is."""
        _patiently(lambda: self._client.update_model_version(self.name, str(number), description))

    def mirror(
        self,
        champion: int | None,
        previous: int | None,
        tags: Mapping[int, Mapping[str, str]],
        decided: Mapping[int, str] | None = None,
    ) -> None:
        """Make aliases, stages, tags and descriptions say what they should; what is right is not written again.

        Args:
            champion: version of the alias champion and the stage Production; None: leave both.
            previous: version of the alias previous; None: nobody was champion before.
            tags: further tags by version.
            decided: what was decided last, in words, by version; it stands in front of what else describes it.
        """
        versions = self.versions()
        if not versions:
            return
        aliases = self.aliases()
        # The newest version is the challenger: a killed process may have registered it and no more.
        there = {version.number for version in versions}
        for alias, number in ((CHAMPION, champion), (PREVIOUS, previous), (CHALLENGER, versions[0].number)):
            if number in there and aliases.get(alias) != number:
                self.set_alias(alias, number)
        if champion is not None and previous is None and PREVIOUS in aliases:
            self.remove_alias(PREVIOUS)
        for version in versions:
            wanted = dict(tags.get(version.number, {}))
            if version.number == champion:
                wanted["stage"] = "Production"
            elif champion is not None and version.tags.get("stage") == "Production":
                wanted["stage"] = "Archived"
            self.set_tags(version.number, {k: v for k, v in wanted.items() if version.tags.get(k) != v})
            words = (decided or {}).get(version.number, "")
            description = "\n\n".join(filter(None, (words, version.description.rpartition("\n\n")[2])))
            if words and description != version.description:
                self.describe(version.number, description)

    def metrics(self, version: Version) -> dict[str, float]:
        """Return what was measured in the training of a version: scores of its own backtest; nothing if it is gone."""
        try:
            return dict(self._client.get_run(version.run_id).data.metrics)
        except Exception as error:
            if code_of(error) == "RESOURCE_DOES_NOT_EXIST":
                return {}
            raise

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

        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory() as folder:
            try:
                with answered("the server of the artifacts"):
                    place = f"{version.uri}/artifacts/{FORECASTER}"
                    path = download_artifacts(place, dst_path=folder, tracking_uri=self._client.tracking_uri)
            except TransientError:
                raise
            except Exception as error:
                raise TrackingError(
                    f"{version.uri}: the model's file cannot be fetched from the artifact store ({error})"
                ) from None
            return model_file.load(Path(path), sha256=version.tags["sha256"]), Path(path).stat().st_size

    def forecaster(self, version: Version) -> "Model":
        """Return a version's forecaster, run by the code that defined its features; see `fetch` and `code`."""
        state = self.load(version)
        return self.code(version, state).rebuild(state)

    def code(self, version: Version, state: Mapping[str, Any]) -> FeatureCode:
        """Return the code that runs a version: this release's, or its own where the features differ.

        Args:
            version: the version.
            state: its forecaster's state, which says by which features it was trained.

        Raises:
            ModelCodeError: they are another release's, and the code that travels with the version is gone, or is not
                what was registered.
        """
        from mlops_assets.forecasting.model import entry, forecaster

        if state["version"] == forecaster.STATE_VERSION:
            return FeatureCode(entry.rebuild, entry.refit)
        try:
            return self._own_code(version).run()
        except TransientError:
            raise
        except Exception as error:
            raise ModelCodeError.of(self.name, version.number, " ".join(str(error).split())) from error

    def _own_code(self, version: Version) -> ModelCode:
        """Fetch the code that travels with a version, and hold it against what was registered."""
        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory() as folder:
            with answered("the server of the artifacts"):
                place, uri = f"{version.uri}/code", self._client.tracking_uri
                fetched = Path(download_artifacts(place, dst_path=folder, tracking_uri=uri))
            code = ModelCode.within(fetched)
        code.require(version.tags.get(CODE))
        return code

    def read_table(self, number: int, file: str) -> pd.DataFrame:
        """Read a table that was logged in the run that trained a version; see `TrainingRun.log_table`.

        Raises:
            TrackingError: it cannot be fetched.
        """
        version = self.version(number)
        try:
            with tempfile.TemporaryDirectory() as folder:
                return pd.read_csv(self._client.download_artifacts(version.run_id, file, folder))
        except Exception as error:
            raise TrackingError(
                f"{file} of version {number} cannot be fetched from the artifact store ({error})"
            ) from None

    def attach(self, number: int, text: str, file: str) -> None:
        """Keep a text as an artifact of the run that trained a version."""
        self._client.log_text(self.version(number).run_id, text, file)

    def add_metrics(self, number: int, metrics: Mapping[str, float], step: int = 0) -> None:
        """Add metrics to the run that trained a version: what was measured later, in steps."""
        from mlflow.entities import Metric

        at = int(time.time() * 1000)
        rows = [Metric(name, value, at, step) for name, value in metrics.items()]
        self._client.log_batch(self.version(number).run_id, metrics=rows)

    def link(self, number: int) -> str:
        """Return the address of a version's page."""
        return self._links.version(self.name, number)


def _patiently(write: Callable[[], None]) -> None:
    """Write to the registry, again if somebody else writes the same row at the same moment."""
    from mlflow.exceptions import MlflowException

    for pause in (0.05, 0.2, 0.5, 2.0, None):
        try:
            write()
            break
        except (MlflowException, TrackingError):
            if pause is None:
                raise
            time.sleep(pause)
