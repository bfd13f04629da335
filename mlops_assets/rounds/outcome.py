"""What a round has made, in a few facts: for whoever called it, and the line that `mlops-assets run --json` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, OBSERVATIONS
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.environments import Stores
from mlops_assets.errors import NotYetError
from mlops_assets.forecasting.evaluation.ledger import honest, summary
from mlops_assets.forecasting.formatting import plain
from mlops_assets.lifecycle import decisions, roles
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.deliver import CHAMPION
from mlops_assets.stages.external.together import LATE, WAITING

_ASKED = ["source", "model_version", "delivered_because"]


@dataclass(frozen=True)
class Outcome:
    """What a round has made.

    Attributes:
        forecast: its name.
        partitions: that were asked for, oldest first; the facts below are of the last.
        decision: outcome of the latest decision that the round has brought: `promoted`, `refused`, ...; None of none.
        delivered_because: why those have forecast who have, as the ledger says it; several are joined by commas.
        source: who has forecast, as the ledger says it; several are joined by commas.
        version: number of the model's version; None of seasonal naive, and without forecasts.
        rows: of forecasts.
        score: of earlier forecasts of all the partitions, see `ledger.summary`; None if none could be scored yet.
        waits_for: what is not there yet, in words; empty if nothing is missing.
        undecided: numbers of the versions that wait for a person's approval.
    """

    forecast: str
    partitions: Sequence[str]
    decision: str | None
    delivered_because: str | None
    source: str | None
    version: int | None
    rows: int
    score: Mapping[str, float] | None
    waits_for: str
    undecided: Sequence[int]

    @property
    def advice(self) -> list[str]:
        """Commands that make it better."""
        said = [f"mlops-assets run {self.forecast} --partition {self.partitions[-1]}"] if self.waits_for else []
        said += [f"mlops-assets approve {self.forecast} {one} --by YOU --reason WHY" for one in self.undecided]
        if self.delivered_because in (WAITING, LATE):
            said.append(f"mlops-assets jobs state {self.forecast}")
        elif self.delivered_because not in (None, CHAMPION):
            said.append(f"mlops-assets history {self.forecast}")
        return said

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        score = None if self.score is None else {name: plain(value) for name, value in self.score.items()}
        return {**asdict(self), "score": score, "advice": self.advice}

    def require_all(self) -> None:
        """Raise a NotYetError if something is not there yet; what has been forecast until then is delivered."""
        if self.waits_for:
            raise NotYetError(self.waits_for)


def outcome_of(spec: ForecastSpec, keys: Sequence[str], stores: Stores, decided: int) -> Outcome:
    """Return what the round of some partitions has made.

    Args:
        spec: the forecast.
        keys: of the partitions, oldest first.
        stores: where it is kept.
        decided: how many decisions there were before.
    """
    tables = ForecastTables(stores.tables, spec.name)
    made, scored = tables.delivered(FORECASTS, keys[-1:], _ASKED), tables.delivered(FORECAST_ACCURACY, keys)
    log = decisions.Decisions(stores.tables, spec.name).all()
    score = summary(honest(scored), spec.task) if len(scored) else {"rows": 0}
    because = _several(made["delivered_because"])
    return Outcome(
        forecast=spec.name,
        partitions=keys,
        decision=str(log["outcome"].iloc[-1]) if len(log) > decided else None,
        delivered_because=because,
        source=_several(made["source"]),
        version=int(made["model_version"].max()) or None if len(made) else None,
        rows=len(made),
        score=score if score["rows"] else None,
        waits_for=_awaited(spec, keys[-1], tables, stores),
        undecided=decisions.waiting(log),
    )


def _several(values: pd.Series) -> str | None:
    return ", ".join(sorted(values.unique())) or None


def _rowless(spec: ForecastSpec, key: str, tables: ForecastTables) -> bool:
    """Whether no row of a partition nor of any after it is stored: the source has none yet."""
    later = [one for one in tables.partitions(OBSERVATIONS) if one >= key]
    return not any(tables.tables.row_counts([spec.name, OBSERVATIONS], later).values())


def _unanswered(spec: ForecastSpec, key: str, stores: Stores) -> bool:
    """Whether a service that is champion has still to answer, whoever of ours stands in for it."""
    if spec.external is None:
        return False
    asked, known = stores.jobs.ledger.of(spec.name, key), roles.Roles(stores.tables, spec)
    return any(job.open and known.of(job.created_at).role == roles.CHAMPION for job in asked)


def _awaited(spec: ForecastSpec, key: str, tables: ForecastTables, stores: Stores) -> str:
    if _rowless(spec, key, tables):
        return f"the source of {spec.name} has no rows of {key} yet; the forecast is made of what came before"
    if _unanswered(spec, key, stores):
        return f"the service's forecast of {spec.name} from {key} is not there yet; ours stands in for it"
    return ""
