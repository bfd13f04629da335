"""Alerts to people: always a line in the log and, where a channel is set, a message; at most one for each event.

The table `<forecast>/alerts` is the memory. Every attempt on a channel is a partition that only one process can create,
so however many daemons find the same event, it is told once; an attempt that failed, or whose process died, is made
again by `resend`, later and later, and at last left to the log. Of several channels, those that failed are told again.
The keys of the partitions say what was told, so that looking costs the same after years of alerts.
"""

import logging
import re
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Literal
from urllib.parse import quote, urlencode

import pandas as pd

from mlops_assets.catalog.log import Log
from mlops_assets.catalog.names import ALERTS
from mlops_assets.errors import MissingExtraError, MlopsAssetsError
from mlops_assets.forecasting.model import extensions
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.secrets import reveal, scrub

Event = Literal[
    "run failure",
    "breach",
    "bias",
    "futility",
    "refused",
    "awaiting approval",
    "unproven",
    "lost champion",
    "late",
    "no answer",
    "quarantine",
    "fewer rows",
    "anomalies",
    "stale data",
    "broken spec",
]
"""The kinds of alerts; `messages` says when each is sent."""

ATTEMPTS = 6
FIRST_WAIT = timedelta(minutes=1)
"""Before the second attempt; it doubles with each further one."""
DIED = timedelta(minutes=10)
"""An attempt that has not ended by then never will: its process is gone."""
_FUNCTION = re.compile(
    r"(?:^|(?<=[\s,]))(?:python:(?P<named>[\w.:-]+)|(?P<path>[A-Za-z_][\w.]*:[A-Za-z_]\w*))(?:[\s,]+|$)"
)
"""A function among the channels: after `python:` by whatever name, else `package.module:function`."""
_REACHABLE = {"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"}
"""Services whose address is a host; those of others may be made of tokens, which are not to be looked up."""


class NotificationError(MlopsAssetsError, RuntimeError):
    """The channel cannot be used; the message names no secret."""


class MissingChannelError(NotificationError, MissingExtraError):
    """The library that delivers to channels is not installed."""


@dataclass(frozen=True)
class Alert:
    """Something that a person should know.

    Attributes:
        event: its kind.
        forecast: name of the forecast.
        key: which event of its kind; for the same one, nothing is sent again.
        what: what has happened, in words and numbers.
        where: where to look: a link, and the table that has the rows.
        to_do: what the reader can do about it.
    """

    event: Event
    forecast: str
    key: str
    what: str
    where: str = ""
    to_do: str = ""

    @property
    def title(self) -> str:
        """One line: the subject of a message."""
        return f"{self.forecast}: {self.event}"

    @property
    def text(self) -> str:
        """What, where, and what to do, each on a line of its own."""
        parts = (self.what, self.where and f"See: {self.where}", self.to_do and f"To do: {self.to_do}")
        return "\n".join(part for part in parts if part)


@dataclass(frozen=True)
class Notifications:
    """Tells people.

    Attributes:
        channel: where to, as any address of the package `apprise` (`mailto://...`, `slack://...`, `json://...`) or as a
            function of one's own (`acme.alerts:send`, or `python:` and an entry point) that takes an `Alert`; several
            with a comma between; empty: the log only.
        dagster_ui: Dagster's web UI, where the links of alerts lead.
    """

    channel: str = field(default="", repr=False)
    dagster_ui: str = "http://127.0.0.1:3000"

    def run_link(self, run_id: str) -> str:
        """Return the address of a run in Dagster's web UI."""
        return f"{self.dagster_ui}/runs/{quote(run_id)}"

    def asset_link(self, forecast: str, asset: str, partition: str = "") -> str:
        """Return the address of an asset in Dagster's web UI, or of one of its partitions."""
        view = f"?{urlencode({'view': 'partitions', 'partition': partition})}" if partition else ""
        return f"{self.dagster_ui}/assets/{quote(forecast)}/{quote(asset)}{view}"

    def send(self, tables: Tables, alert: Alert) -> bool:
        """Tell of an event, unless it has been told; secrets in its words are hidden.

        Never raises because of the channel: the log has the alert in any case.

        Returns:
            Whether this call told it; False where it had been told, or somebody else was faster.
        """
        own = re.compile(re.escape(_name(alert)) + r" [\w.:-]+( \d+)? \d+")
        if any(own.fullmatch(attempt) for attempt in _log(tables, alert.forecast).partitions()):
            return False
        shown = replace(alert, **{name: scrub(getattr(alert, name)) for name in ("what", "where", "to_do")})
        # All are claimed before the first is told: should this process die, the others are known to be still untold.
        claimed = [channel for channel in self._channels() if self._claim(tables, shown, channel, 1)]
        return sum(self._tell(tables, shown, channel, 1) for channel in claimed) > 0

    def resend(self, tables: Tables, forecast: str, settled: int = 0, now: datetime | None = None) -> tuple[int, int]:
        """Try again what could not be delivered, if its time has come.

        Args:
            tables: where the alerts are.
            forecast: of which forecast.
            settled: so many attempts were there when nothing was left to try; while there are no more, none is read.
            now: the present moment.

        Returns:
            How many went out, and the next call's `settled`.
        """
        log, now, sent = _log(tables, forecast), now or datetime.now(timezone.utc), 0
        count = len(log.partitions())
        if count == settled:
            return 0, settled
        rows = log.rows().sort_values("attempt").groupby(["event", "key", "channel"], as_index=False).last()
        open_ = rows["outcome"].isin(["sending", "failed"]) & (rows["attempt"] < ATTEMPTS)
        rows = rows[open_ & rows["channel"].isin(self._channels())]
        for row in rows.to_dict("records"):
            age = now - pd.Timestamp(row["at"]).tz_localize("UTC").to_pydatetime()
            died = row["outcome"] == "sending" and age > DIED
            waited = row["outcome"] == "failed" and age >= FIRST_WAIT * 2 ** (row["attempt"] - 1)
            if died or waited:
                alert = Alert(**{name: row[name] for name in Alert.__dataclass_fields__})
                channel, number = row["channel"], row["attempt"] + 1
                sent += self._claim(tables, alert, channel, number) and self._tell(tables, alert, channel, number)
        return sent, 0 if len(rows) else count

    def ping(self) -> str:
        """Try the channel without sending anything, and say what it is.

        Raises:
            NotificationError: the extra is not installed, the address is not one, or nothing listens there.
        """
        if not self.channel:
            return "no channel is set (MLOPS_NOTIFY): alerts go to the log"
        words = [f"{name}: the function is there" for name in self._functions() if _function(name)]
        for service, kind in zip(self._services(), self._kinds(), strict=True):
            if kind not in _REACHABLE:
                words.append(f"{kind}: the address is well formed")
                continue
            host, mail = getattr(service, "smtp_host", None) or service.host, kind.startswith("mailto")
            port = service.port or (25 if mail else 443 if service.secure else 80)
            try:
                socket.create_connection((host, port), timeout=5).close()
            except OSError as error:
                raise NotificationError(
                    f"{kind}: nothing answers at {host}:{port} ({error}); see MLOPS_NOTIFY"
                ) from None
            words.append(f"{kind}: {host}:{port} answers")
        return ", ".join(words)

    def _claim(self, tables: Tables, alert: Alert, channel: str, number: int) -> bool:
        """Take an attempt for this process; False if another one has it."""
        return _log(tables, alert.forecast).add(*_attempt(alert, channel, number, "sending"))

    def _tell(self, tables: Tables, alert: Alert, channel: str, number: int) -> bool:
        from dagster import get_dagster_logger  # in a run its lines are the run's

        log = get_dagster_logger("mlops_assets.notifications")
        # Without a channel the log is told: also when the process died that was to do it.
        if channel == "log" or (number == 1 and channel == self._channels()[0]):
            log.warning(f"{alert.title}: {alert.text}")
        try:
            delivered = not self.channel or self._deliver(alert, channel)
            why = "" if delivered else "it did not take the message"
        except Exception as error:  # a channel that is down must not end the run that has something to tell
            delivered = False
            why = str(error) if isinstance(error, NotificationError) else type(error).__name__
        outcome = "delivered" if delivered else "failed"
        _log(tables, alert.forecast).replace(*_attempt(alert, channel, number, outcome))
        if not delivered:
            left = f"attempt {number} of {ATTEMPTS}" + ("; it stays in the log only" if number == ATTEMPTS else "")
            log.error(f"{alert.title}: {channel} could not be told: {why} ({left}). {alert.text}")
        return delivered

    def _deliver(self, alert: Alert, channel: str) -> bool:
        if channel in self._functions():
            try:
                return _function(channel)(alert) is not False
            except Exception as error:
                raise NotificationError(f"{type(error).__name__}: {scrub(str(error))}") from error
        service = self._services()[self._channels().index(channel)]
        import apprise

        one = apprise.Apprise()
        one.add(service)
        # Without its format a mail shows the text as HTML, in which lines run together.
        return bool(one.notify(title=alert.title, body=alert.text, body_format="text"))

    def _services(self) -> Any:
        if not _FUNCTION.sub("", self._address):
            return []
        try:
            import apprise
        except ImportError:
            raise MissingChannelError.of("MLOPS_NOTIFY", "apprise", "notify", "or leave it empty") from None
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its own lines name addresses, tokens and all
        services = apprise.Apprise()
        if not services.add(_FUNCTION.sub("", self._address)) or len(services) != len(self._kinds()):
            kinds = ", ".join(self._kinds()) or "without ://"
            raise NotificationError(
                f"MLOPS_NOTIFY ({kinds}) is not an address that apprise understands, "
                "such as mailto://user:password@mail.example.org?to=me@example.org"
            )
        return services

    def _channels(self) -> list[str]:
        """A name for each service, by which the table of alerts knows it: `mailto`, `mailto 2`, ...; else `log`.

        Functions are known by their own names, and come last.
        """
        kinds = self._kinds()
        numbers = [kinds[: place + 1].count(kind) for place, kind in enumerate(kinds)]
        named = [kind if n == 1 else f"{kind} {n}" for kind, n in zip(kinds, numbers, strict=True)]
        return [*named, *self._functions()] or ["log"]

    def _functions(self) -> list[str]:
        """Names of the functions among the channels, each once."""
        found = (one["named"] or one["path"] for one in _FUNCTION.finditer(self._address))
        return list(dict.fromkeys(found))

    @property
    def _address(self) -> str:
        return reveal(self.channel).get_secret_value()

    def _kinds(self) -> list[str]:
        """The services' names, which is all of the channel that may be shown."""
        return [kind.lower() for kind in re.findall(r"(?:^|[\s,])([A-Za-z0-9]+)://", self._address)]


def _function(name: str) -> Callable[[Alert], Any]:
    """Return a channel that is a function."""
    try:
        found = extensions.resolve(extensions.CHANNELS, name)
    except MlopsAssetsError as error:
        raise NotificationError(f"{error.message}; see MLOPS_NOTIFY") from error
    if not callable(found):
        raise NotificationError(f"the alert channel {name!r} is no function; see MLOPS_NOTIFY")
    return found


def told(tables: Tables, forecast: str, event: str) -> pd.DataFrame:
    """Return the alerts of a kind, a row each, the oldest first: its fields, and `at`, when it was told first."""
    log = _log(tables, forecast)
    rows = log.rows([one for one in log.partitions() if one.startswith(f"{event} ")])
    return rows[rows["event"] == event].sort_values("at").drop_duplicates("key", ignore_index=True)


def _log(tables: Tables, forecast: str) -> Log:
    return Log(tables, forecast, ALERTS)


def _name(alert: Alert) -> str:
    """Return what the keys of an event's attempts begin with."""
    return f"{alert.event} {alert.key}"


def _attempt(alert: Alert, channel: str, number: int, outcome: str) -> tuple[dict[str, Any], str]:
    """Return the row of an attempt and the key of its partition."""
    now = pd.Timestamp(datetime.now(timezone.utc)).tz_localize(None)
    row = {**asdict(alert), "attempt": number, "channel": channel, "outcome": outcome, "at": now}
    return row, f"{_name(alert)} {channel} {number}"
