"""Who was champion when, and what was decided: the log of decisions as a person reads it."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from mlops_assets.errors import UsageError
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.settings import moment
from mlops_assets.tracking.errors import TrackingError


@dataclass(frozen=True)
class History:
    """The history of a forecast's model.

    Attributes:
        forecast: its name.
        at: the moment that was asked about; None is all of it.
        champions: each reign as JSON values, the oldest first; at a moment, the one of then.
        decisions: as JSON values with their evidence, the oldest first; at a moment, the one that made its champion.
        roles: switches of an external service, the oldest first; at a moment, those until then.

    In the first two, `model_kind` is the kind of the version, empty where MLflow does not say it.
    """

    forecast: str
    at: str | None
    champions: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    roles: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def history_of(life: Lifecycle, at: str | None = None) -> History:
    """Return who was champion when, and every decision.

    Args:
        life: the versions.
        at: a moment such as 2013-12-31 or 2013-12-31T06:00:00+01:00 (UTC without an offset); None: all of it.

    Raises:
        UsageError: it is not a moment.
    """
    log, roles = life.log.all(), life.log.roles()
    reigns = decisions.reigns(log)
    if at is not None:
        try:
            then = pd.Timestamp(moment(at)).tz_localize(None)
        except ValueError as error:
            raise UsageError(f"--at {at}: {error}") from None
        reigns = reigns[(reigns["since"] <= then) & (reigns["until"].isna() | (reigns["until"] > then))]
        log, roles = log[log["number"].isin(reigns["number"])], roles[roles["decided_at"] <= then]
    rows = _records(log)
    for row in rows:
        row["rules"] = decisions.verdict_of(row["rules"] or "")
    champions, kinds = _records(reigns.drop(columns="rules")), _kinds(life)
    for row in (*champions, *rows):
        row["model_kind"] = kinds.get(row["version"], "")
    switches = roles.rename(columns={"outcome": "role", "trigger": "service"})
    switches = switches[["number", "decided_at", "service", "role", "decided_by", "reason"]]
    return History(life.name, at, champions, rows, _records(switches))


def _kinds(life: Lifecycle) -> dict[int, str]:
    """Kind of each version in MLflow; who was champion is told without it."""
    try:
        return {version.number: version.kind for version in life.registry.versions()}
    except TrackingError:
        return {}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(frame.to_json(orient="records", date_format="iso", date_unit="s"))
