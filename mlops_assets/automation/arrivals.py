"""The sensor that starts rounds when data arrive: one for all forecasts, each with a place of its own in the cursor."""

import json
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from mlops_assets.automation import choice
from mlops_assets.automation.rescoring import UNDER_WAY
from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.asset_graph import seen as seen_version
from mlops_assets.catalog.names import DAILY, RESCORE, SOURCE, job_name
from mlops_assets.catalog.partitions import end_of_next, latest_complete, whole_window
from mlops_assets.catalog.run_tags import FORECAST, REASON, range_tags
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.jobs.resource import Jobs
from mlops_assets.lifecycle.meanings import difference
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.secrets import scrub
from mlops_assets.sources.factory import open_source
from mlops_assets.sources.files import FileReader
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.ingest import latest_keys
from mlops_assets.stages.rescore import Arrived, arrived

BUDGET = 20.0
"""Seconds after which a tick begins with no further source; Dagster gives up on one after a minute."""
_AT_ONCE = 16


@dataclass(frozen=True)
class Seen:
    """What the sensor knows of a source.

    Attributes:
        looked: when it was looked at, in seconds since 1970.
        signature: that it had then.
        since: when it was first seen with that.
        taken: signature of what was taken last; empty before the first time.
        version: of that.
        judged: the latest partition that was complete when it was held against what is stored.
    """

    looked: float = 0.0
    signature: str = ""
    since: float = 0.0
    taken: str = ""
    version: str = ""
    judged: str = ""


class Watched:
    """A forecast whose source is watched; it remembers what takes long to reckon with hundreds of them."""

    def __init__(self, spec: ForecastSpec) -> None:
        self.spec, self.graph = spec, AssetGraph(spec)
        self._asked_at = self._until = datetime.min.replace(tzinfo=timezone.utc)
        self._latest: str | None = None
        self._windows: dict[str, Window] = {}

    def latest(self, now: datetime) -> str | None:
        """Return the latest partition that is complete by now; None before the first is."""
        if not self._asked_at <= now < self._until:
            self._latest, self._asked_at = latest_complete(self.spec, now), now
            self._until = now if self._latest is None else end_of_next(self.spec, self._latest)
        return self._latest

    def due(self, seen: Seen, key: str, moment: float) -> bool:
        """Whether it is looked at: its time has come, what has changed has had time to settle, or a partition is over.

        Args:
            seen: what is known of its source.
            key: the latest partition that is complete.
            moment: the present one.
        """
        assert self.spec.arrivals is not None
        settled = seen.signature != seen.taken and moment - seen.since >= self.spec.arrivals.patience.total_seconds()
        return settled or key != seen.judged or moment - seen.looked >= self.spec.arrivals.pause.total_seconds()

    def look(self, seen: Seen, key: str, moment: float) -> tuple[Seen, str]:
        """Look at the source, and take it if it is another one, and whole.

        Returns:
            What is known of it now, and why nothing is taken; empty where it is taken, or was before.
        """
        arrivals = self.spec.arrivals
        assert arrivals is not None
        reader, asked = open_source(self.spec), (self.spec.columns.timestamp, self._window(key))
        signature = reader.signature(*asked)
        seen = replace(seen, looked=moment)
        if signature != seen.signature:
            seen = replace(seen, signature=signature, since=moment)
        if signature == seen.taken:
            return seen, ""
        left = arrivals.patience.total_seconds() - (moment - seen.since)
        if left > 0:
            return seen, f"has changed, and is taken if it stays as it is for {left:.0f} s"
        if arrivals.marker is not None and isinstance(reader, FileReader):
            folder = reader.unmarked(arrivals.marker)
            if folder:
                return seen, f"is not whole: {arrivals.marker} is missing in {folder}, or older than its files"
        version = reader.version(*asked)
        if version != signature and reader.signature(*asked) != signature:
            return replace(seen, signature=""), "has changed while it was looked at"
        return replace(seen, taken=signature, version=version), ""

    def _window(self, key: str) -> Window:
        if key not in self._windows:
            self._windows = {key: whole_window(self.graph.partitions, latest_keys(self.spec, key))}
        return self._windows[key]


def build_arrivals_sensor(specs: Iterable[ForecastSpec], jobs: Iterable[Any]) -> list[dg.SensorDefinition]:
    """Define `arrivals`, if any of some forecasts has `arrivals`.

    Args:
        specs: of the forecasts.
        jobs: theirs, and perhaps others.
    """
    specs = list(specs)
    watched = {spec.name: Watched(spec) for spec in specs if spec.arrivals is not None}
    started = choice.automated([one.spec for one in watched.values()])
    if not watched:
        return []
    wanted = {job_name(one.spec, job) for one in watched.values() for job in (DAILY, RESCORE)}

    @dg.sensor(
        name="arrivals",
        jobs=[job for job in jobs if job.name in wanted],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if started else dg.DefaultSensorStatus.STOPPED,
        description="Starts the round of a partition whose rows have arrived, and lets those that came late or were "
        "revised be scored again, of each forecast with arrivals in its spec.",
    )
    def arrivals(
        context: dg.SensorEvaluationContext,
        tables: dg.ResourceParam[Tables],
        clock: dg.ResourceParam[Clock],
        jobs: dg.ResourceParam[Jobs],
    ) -> dg.SensorResult:
        chosen = choice.choose(context, "arrivals", [one.spec for one in watched.values()])
        served = {spec.name: watched[spec.name] for spec in chosen.specs}
        tick = _Tick(served, read_cursor(context.cursor), tables, clock, context.instance)
        tick.run(tick.woken(jobs, specs))
        return dg.SensorResult(
            run_requests=tick.requests,
            skip_reason=None if tick.requests else "; ".join(tick.said) or "nothing has arrived",
            cursor=write_cursor(tick.seen),
            asset_events=tick.observations,
        )

    return [arrivals]


class _Tick:
    """One evaluation of the sensor."""

    def __init__(
        self,
        watched: Mapping[str, Watched],
        seen: Mapping[str, Seen],
        tables: Tables,
        clock: Clock,
        instance: dg.DagsterInstance,
    ) -> None:
        self.watched, self.tables, self.clock, self.instance = watched, tables, clock, instance
        self.seen = {name: seen.get(name, Seen()) for name in watched}
        self.requests: list[dg.RunRequest] = []
        self.observations: list[dg.AssetObservation] = []
        self.said: list[str] = []

    def woken(self, jobs: Jobs, specs: Iterable[ForecastSpec]) -> Collection[str]:
        """Return the forecasts that the queue of events names; its jobs are looked at by the sensor `jobs`."""
        try:
            return set(jobs.events(specs).forecasts)
        except MlopsAssetsError as error:
            self.said.append(f"the queue of events cannot be read: {scrub(str(error))}")
            return ()

    def run(self, woken: Collection[str] = ()) -> None:
        """Look at the sources that are due or woken, those first that have waited longest."""
        began, moment, now = time.monotonic(), time.time(), self.clock.now()
        keys = {name: one.latest(now) for name, one in self.watched.items()}
        due = [
            name
            for name, key in keys.items()
            if key and (name in woken or self.watched[name].due(self.seen[name], key, moment))
        ]
        due.sort(key=lambda name: self.seen[name].looked)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for start in range(0, len(due), _AT_ONCE):
                if time.monotonic() - began > BUDGET:
                    self.said.append(f"{len(due) - start} more are looked at in the next tick")
                    return
                batch = due[start : start + _AT_ONCE]
                looks = pool.map(lambda name: self._look(name, str(keys[name]), moment), batch)
                for name, (after, words) in zip(batch, looks, strict=True):
                    self._take(name, str(keys[name]), after, words)

    def _look(self, name: str, key: str, moment: float) -> tuple[Seen, str]:
        try:
            return self.watched[name].look(self.seen[name], key, moment)
        except MlopsAssetsError as error:
            return replace(self.seen[name], looked=moment), f"cannot be looked at: {error}"

    def _take(self, name: str, key: str, after: Seen, words: str) -> None:
        """Note what was seen of a source, and ask for what it gives rise to."""
        before, graph = self.seen[name], self.watched[name].graph
        self.seen[name] = replace(after, taken=before.taken, version=before.version)
        if words:
            self.said.append(f"{name}: its source {scrub(words)}")
        if not after.taken or after.taken != after.signature or words:
            return
        news = after.version != before.version
        if news or key != before.judged:
            try:
                found = self._judge(graph, key)
            except MlopsAssetsError as error:
                self.said.append(f"{name}: {scrub(str(error))}")
                return
            if found is None:
                return
            self._ask(graph.spec, found, after.version)
        if news:
            self.observations.append(seen_version(graph.key(SOURCE), after.version, open_source(graph.spec).name))
        self.seen[name] = replace(after, judged=key)

    def _judge(self, graph: AssetGraph, key: str) -> Arrived | None:
        """Return what is to be done; None where that has to wait."""
        name = graph.spec.name
        if running := self.instance.get_runs(dg.RunsFilter(tags={FORECAST: name}, statuses=UNDER_WAY), limit=1):
            self.said.append(f"{name}: run {running[0].run_id} is under way; it may be about to take what has come")
            return None
        if words := difference(self.tables, graph.spec):
            self.said.append(f"{name}: {words}: mlops-assets reingest {name}")
            return None
        return arrived(graph, self.tables, self.clock, key)

    def _ask(self, spec: ForecastSpec, found: Arrived, version: str) -> None:
        for job, spans in ((DAILY, found.rounds), (RESCORE, found.again)):
            self.requests += [_request(spec, job, first, last, version) for first, last in spans]


def _request(spec: ForecastSpec, job: str, first: str, last: str, version: str) -> dg.RunRequest:
    why = {FORECAST: spec.name, REASON: f"arrived: {version}"}
    key, job = f"{spec.name} {job} {first} {last} {version}", job_name(spec, job)
    if first == last:
        return dg.RunRequest(run_key=key, job_name=job, partition_key=first, tags=why)
    return dg.RunRequest(run_key=key, job_name=job, tags={**why, **range_tags(first, last)})


def read_cursor(text: str | None) -> dict[str, Seen]:
    """Read the sensor's cursor: what is known of each source, by the name of its forecast."""
    return {name: Seen(**values) for name, values in json.loads(text or "{}").items()}


def write_cursor(seen: Mapping[str, Seen]) -> str:
    """Write the sensor's cursor."""
    return json.dumps({name: asdict(one) for name, one in seen.items()}, separators=(",", ":"))
