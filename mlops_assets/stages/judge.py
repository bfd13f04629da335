"""Judging a challenger: what the gate is asked, and what is kept of its decision."""

import json
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog import run_tags
from mlops_assets.errors import MlopsAssetsError, TransientError
from mlops_assets.forecasting.decisions import gate
from mlops_assets.forecasting.decisions.again import judge_again
from mlops_assets.forecasting.decisions.rules import CHALLENGE, KEEP_ASIDE
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, CHAMPION, NAIVE, with_names_of_today
from mlops_assets.forecasting.evaluation.segments import by_static
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.lifecycle import Lifecycle, Verdict
from mlops_assets.lifecycle.versions import Portable
from mlops_assets.resources.rows import Only, Span
from mlops_assets.resources.stored import StoredTable
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.backtest import Champion, champion_at, champion_rows, columns_of, rows_by_item
from mlops_assets.stages.shards.history import Histories, Part
from mlops_assets.tracking.registry import Version


@dataclass(frozen=True)
class Rivals:
    """A stored backtest, in parts: all rows of some items in each, of the columns that judging needs.

    Attributes:
        table: of the backtest.
        histories: of all items.
    """

    table: StoredTable
    histories: Histories

    def parts(self, task: Task, champion: int | None) -> Iterator[pd.DataFrame]:
        """Yield the rows of all models, those of a champion only if it is that version."""
        for rows in rows_by_item(self.table, task):
            others = rows["model"] != CHAMPION
            yield rows[others if champion is None else others | (rows["version"] == champion)]

    def with_champion(self, task: Task, champion: Champion) -> Iterator[pd.DataFrame]:
        """Yield the rows of all models, a champion's made anew."""
        return self.histories.each(_rivals, self.table, champion, task)

    def origins(self) -> list[pd.Timestamp]:
        """Return the origins of the windows, the oldest first."""
        batches = [batch.drop_duplicates() for batch in self.table.batches(["window", "origin"])]
        return pd.concat(batches).drop_duplicates().sort_values("window")["origin"].to_list()

    def has(self, champion: int) -> bool:
        """Whether a version takes part as the champion."""
        return any(
            bool(((batch["model"] == CHAMPION) & (batch["version"] == champion)).any())
            for batch in self.table.batches(["model", "version"])
        )


class Judge:
    """The gate over one challenger: measures once, compares with whoever is champion when it is asked."""

    def __init__(
        self,
        spec: ForecastSpec,
        life: Lifecycle,
        challenger: Version,
        rivals: Rivals,
        require: gate.Require,
        becomes: str = CHALLENGE,
    ) -> None:
        self._spec, self._life, self._challenger, self._rivals = spec, life, challenger, rivals
        self._smoke_test, self._segments = smoke_test(life, challenger, rivals.histories, spec)
        self._rules: gate.GateRules = _rules_of(spec, require)
        self._approval: gate.Approval = _approval_of(spec, becomes)

    def __call__(self, champion: Version | None, log: pd.DataFrame) -> Verdict:
        """Judge the challenger against the champion of the moment."""
        mine = self._challenger
        away = decisions.rolled_back(log, mine.tags.get("data_version", ""), mine.tags.get("spec_hash", ""))
        decision = self._decide(champion, away)
        before = champion.number if champion else None
        seen = decisions.evidence_of(
            [mine.number, before, self._rules.evidence, self._approval, away, self._smoke_test.problem]
        )
        return Verdict(decision.outcome, decision.reason, decision.as_json(), seen)

    def _decide(self, champion: Version | None, away: str) -> gate.Decision:
        """Ask the gate; the champion's rows are made anew if the backtest has another champion's."""
        spec, rivals = self._spec, self._rivals

        def judged(rows: Iterator[pd.DataFrame], opponent: gate.Opponent | None) -> gate.Decision:
            return gate.judge(
                rows,
                spec.task,
                self._rules,
                smoke_test=self._smoke_test,
                champion=opponent,
                segments=self._segments,
                rolled_back=away,
                approval=self._approval,
            )

        if champion is None:
            return judged(rivals.parts(spec.task, None), None)
        if rivals.has(champion.number):
            return judged(rivals.parts(spec.task, champion.number), gate.Opponent(champion.number))
        try:
            task = Task.from_dict(self._life.versions.load(self._challenger)["task"])
            histories, origins = rivals.histories, rivals.origins()
            since = self._challenger.trained_until
            made = champion_at(self._life.versions, champion, histories, origins, spec, task, since)
            return judged(rivals.with_champion(task, made), gate.Opponent(champion.number))
        except TransientError:
            raise
        except (MlopsAssetsError, ValueError) as error:
            return judged(rivals.parts(spec.task, None), gate.Opponent(champion.number, str(error)))


def smoke_test(
    life: Lifecycle, version: Version, histories: Histories, spec: ForecastSpec
) -> tuple[gate.SmokeTest, pd.DataFrame | None]:
    """Load a registered model and let it forecast from its own last timestamp, by what a forecast sees from there.

    Returns:
        How it did; and the segments of all items by static covariates, None without any.
    """
    segments = _segments(histories, spec.covariates.static)
    try:
        state, size = life.registry.fetch(version)
        code = life.registry.code(version, state)
        model = Portable(code.rebuild(state), state, code.sources)
        origin = version.trained_until or histories.last()
        tried = list(histories.seen_from(origin).each(_tried, model, origin))
    except (MlopsAssetsError, ValueError) as error:
        return gate.SmokeTest(None, problem=str(error)), segments
    return gate.SmokeTest.joined(tried, size / 1e6), segments


def _tried(part: Part, model: Portable, origin: pd.Timestamp) -> gate.SmokeTest:
    """Let a model forecast some items, or all."""
    from mlops_assets.forecasting.model.baselines import alive_items, has_recent

    task, history = part.spec.task, part.history
    seen = history[history["timestamp"] <= origin]
    items = alive_items(seen, task, origin) if has_recent(seen, task, origin) else []
    if not items:
        return gate.SmokeTest(0)
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusualInput)  # a trial has no future, and that is no news
        made = model.model.predict(history, origin, horizon=task.horizon, quantiles=task.quantiles, items=items)
    seconds = time.process_time() - began
    return gate.SmokeTest.of(made, task, len(items) * task.horizon, seconds)


def _segments(histories: Histories, static: Sequence[str]) -> pd.DataFrame | None:
    parts = histories.each(_segments_of, only_targets=True) if static else ()
    found = [part for part in parts if part is not None]
    return pd.concat(found, ignore_index=True) if found else None


def _segments_of(part: Part) -> pd.DataFrame | None:
    return by_static(part.targets, part.spec.covariates.static)


def _rivals(part: Part, table: StoredTable, champion: Champion, task: Task) -> pd.DataFrame:
    """Return a backtest's rows of some items, with the champion's made anew."""
    items = part.observations["item_id"]
    rows = with_names_of_today(table.read(columns_of(task), Only(items=Span(items.min(), items.max()))))
    others = rows[rows["model"] != CHAMPION]
    if others.empty:
        return others
    return pd.concat([others, champion_rows(champion, part, others, task)])


def required(spec: ForecastSpec, run: dg.DagsterRun) -> gate.Require:
    """Return what the challenger must be: a training that a breach asked for has to cure something.

    Where the policy that asked for it says what becomes of the version, it need not be compared with the champion.
    """
    return required_of(spec, run_tags.becomes_of(run), run_tags.is_of_breach(run))


def required_of(spec: ForecastSpec, becomes: str = CHALLENGE, breach: bool = False) -> gate.Require:
    """Return the same of what becomes of a version, and of whether a breach asked for it."""
    if becomes != CHALLENGE:
        return "nothing"
    if spec.gate.require == "auto":
        return "better" if breach else "no_worse"
    return spec.gate.require


def _rules_of(spec: ForecastSpec, require: gate.Require) -> gate.GateRules:
    limits = {**spec.gate.model_dump(exclude={"require"}), "rules": tuple(spec.gate.rules)}
    return gate.GateRules(**limits, require=require, non_negative=bool(spec.non_negative))


def _approval_of(spec: ForecastSpec, becomes: str) -> gate.Approval:
    return "aside" if becomes == KEEP_ASIDE else spec.approval


def recorded(entry: Entry) -> list[gate.Rule]:
    """Return how the rules of a recorded decision ended; none of one that is not the gate's."""
    verdict = decisions.verdict_of(entry.rules)
    return [gate.Rule(**rule) for rule in verdict["rules"]] if verdict is not None else []


def again(spec: ForecastSpec, entry: Entry, becomes: str) -> gate.Decision:
    """Judge a recorded decision of the gate by the rules of today; see `judge_again`.

    Args:
        spec: as it is today.
        entry: the decision; it has rules.
        becomes: what was to become of the version.
    """
    limits = _rules_of(spec, required_of(spec, becomes, run_tags.is_breach(entry.breach)))
    return judge_again(recorded(entry), limits, entry.champion_before, _approval_of(spec, becomes))


def trigger(run: dg.DagsterRun, challenger: Version) -> dict[str, Any]:
    """Return the fields of a decision that say why the challenger was trained and what that cost."""
    return {
        "trigger": run_tags.reason_of(run),
        "breach": run.tags.get(run_tags.BREACH, ""),
        "cpu_seconds": challenger.fit_seconds or None,
        "run_id": run.run_id,
    }


def row_of(name: str, present: Version | None, number: int, entry: Entry, now: pd.Timestamp) -> pd.DataFrame:
    """Return the row of the table `champion`: who is champion, and how the latest decision came about.

    Args:
        name: of the forecast.
        present: the champion; None without one.
        number: of the decision.
        entry: the decision.
        now: the present moment, naive, in UTC.
    """
    row = {
        "name": name,
        "champion_version": present.number if present else pd.NA,
        "challenger_version": entry.version,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "decided_by": entry.decided_by,
        "decision": number,
        "decided_at": now,
        "champion_trained_until": present.trained_until if present else pd.NaT,
    }
    return pd.DataFrame([row]).astype(
        {"champion_version": "Int64", "decided_at": "datetime64[us]", "champion_trained_until": "datetime64[us]"}
    )


def numbers_of(entry: Entry) -> dict[str, float]:
    """Return the numbers of a decision that are worth a line over time: the metric of each side, the difference."""
    rules = {rule["name"]: rule["numbers"] for rule in json.loads(entry.rules)["rules"]} if entry.rules else {}
    naive, champion = rules.get("better_than_naive", {}), rules.get("against_champion", {})
    found = {
        CHALLENGER: naive.get("first"),
        NAIVE: naive.get("second"),
        CHAMPION: champion.get("second"),
        "change_against_champion": champion.get("change"),
        "coverage": rules.get("coverage", {}).get("coverage"),
    }
    return {name: value for name, value in found.items() if value is not None}
