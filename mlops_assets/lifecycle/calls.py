"""MLflow calls: that something happened in its registry is noted until whoever looks there has begun to."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from mlops_assets.catalog.log import Log
from mlops_assets.catalog.names import REGISTRY_CALLS
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables

_LATEST = "latest"


@dataclass(frozen=True)
class Call:
    """What MLflow says has happened.

    Attributes:
        model: registered under this name, which is the forecast's.
        event: such as model_version_tag.set.
        delivery: MLflow's id of the message.
    """

    model: str
    event: str
    delivery: str


class Calls:
    """The table `registry_calls` of a forecast: the latest call, until it is answered."""

    def __init__(self, tables: Tables, forecast: str) -> None:
        self._tables, self._key, self._log = tables, [forecast, REGISTRY_CALLS], Log(tables, forecast, REGISTRY_CALLS)

    def note(self, call: Call, at: datetime) -> None:
        """Note a call in the place of an earlier one: whoever looks sees all that has happened."""
        self._log.replace({**asdict(call), "at": naive_utc(at)}, _LATEST)

    @property
    def waiting(self) -> bool:
        """Whether one is to be answered; asked for each forecast in each tick, so it must be cheap."""
        return bool(self._tables.stored(self._key, [_LATEST]))

    def answer(self) -> None:
        """Forget what was noted, before one looks: what happens from now on calls again."""
        if self.waiting:
            self._tables.delete(self._key, _LATEST)


def note(tables: Tables, call: Call, forecasts: Collection[str], at: datetime) -> list[str]:
    """Note a call for the forecast whose model it names, and return that; nothing where the model is none of ours."""
    if call.model not in forecasts:
        return []
    Calls(tables, call.model).note(call, at)
    return [call.model]
