"""Judging a challenger: what the gate is asked, and what is kept of its decision."""

import json
import time
import warnings
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog import run_tags
from mlops_assets.errors import MlopsAssetsError, TransientError
from mlops_assets.forecasting.decisions import gate
from mlops_assets.forecasting.decisions.rules import CHALLENGE, KEEP_ASIDE
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, CHAMPION, NAIVE, with_names_of_today
from mlops_assets.forecasting.evaluation.segments import by_static
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.lifecycle import Lifecycle, Verdict
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.backtest import champion_forecasts
from mlops_assets.tracking.registry import Version


class Judge:
    """The gate over one challenger: measures once, compares with whoever is champion when it is asked."""

    def __init__(
        self,
        spec: ForecastSpec,
        life: Lifecycle,
        challenger: Version,
        backtest: pd.DataFrame,
        history: pd.DataFrame,
        require: gate.Require,
        becomes: str = CHALLENGE,
    ) -> None:
        self._spec, self._life, self._challenger, self._history = spec, life, challenger, history
        self._backtest = with_names_of_today(backtest)
        self._smoke_test = smoke_test(life, challenger, history, spec)
        limits = spec.gate.model_dump(exclude={"require"})
        self._rules = gate.GateRules(**limits, require=require, non_negative=bool(spec.non_negative))
        self._approval: gate.Approval = "aside" if becomes == KEEP_ASIDE else spec.approval

    def __call__(self, champion: Version | None, log: pd.DataFrame) -> Verdict:
        """Judge the challenger against the champion of the moment."""
        spec, mine = self._spec, self._challenger
        rows, opponent = self._against(champion)
        away = decisions.rolled_back(log, mine.tags.get("data_version", ""), mine.tags.get("spec_hash", ""))
        decision = gate.judge(
            rows,
            spec.task,
            self._rules,
            smoke_test=self._smoke_test,
            champion=opponent,
            segments=by_static(self._history, spec.covariates.static),
            rolled_back=away,
            approval=self._approval,
        )
        before = champion.number if champion else None
        seen = decisions.evidence_of(
            [mine.number, before, self._rules.evidence, self._approval, away, self._smoke_test.problem]
        )
        return Verdict(decision.outcome, decision.reason, decision.as_json(), seen)

    def _against(self, champion: Version | None) -> tuple[pd.DataFrame, gate.Opponent | None]:
        """Return the backtest with the champion's rows, made anew if the backtest has another champion's."""
        rows = self._backtest
        others = rows[rows["model"] != CHAMPION]
        if champion is None:
            return others, None
        present = rows[(rows["model"] == CHAMPION) & (rows["version"] == champion.number)]
        if len(present):
            return pd.concat([others, present]), gate.Opponent(champion.number)
        try:
            task = Task.from_dict(self._life.versions.load(self._challenger)["task"])
            made = champion_forecasts(self._life.versions, champion, self._history, others, self._spec, task)
        except TransientError:
            raise
        except (MlopsAssetsError, ValueError) as error:
            return others, gate.Opponent(champion.number, str(error))
        return pd.concat([others, made]), gate.Opponent(champion.number)


def smoke_test(life: Lifecycle, version: Version, history: pd.DataFrame, spec: ForecastSpec) -> gate.SmokeTest:
    """Load a registered model and let it forecast from its own last timestamp."""
    from mlops_assets.forecasting.model.baselines import alive_items

    try:
        state, size = life.registry.fetch(version)
        forecaster = life.registry.code(version, state).rebuild(state)
        origin = version.trained_until or pd.Timestamp(history["timestamp"].max())
        items = alive_items(history[history["timestamp"] <= origin], spec.task, origin)
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnusualInput)  # a trial has no future, and that is no news
            made = forecaster.predict(history, origin, horizon=spec.horizon, quantiles=spec.task.quantiles, items=items)
        seconds = time.process_time() - began
    except (MlopsAssetsError, ValueError) as error:
        return gate.SmokeTest(None, problem=str(error))
    return gate.SmokeTest(0, megabytes=size / 1e6).asked(made, spec.task, len(items) * spec.horizon, seconds)


def required(spec: ForecastSpec, run: dg.DagsterRun) -> gate.Require:
    """Return what the challenger must be: a training that a breach asked for has to cure something.

    Where the policy that asked for it says what becomes of the version, it need not be compared with the champion.
    """
    if run_tags.becomes_of(run) != CHALLENGE:
        return "nothing"
    if spec.gate.require == "auto":
        return "better" if run_tags.is_of_breach(run) else "no_worse"
    return spec.gate.require


def trigger(run: dg.DagsterRun, challenger: Version) -> dict[str, Any]:
    """Return the fields of a decision that say why the challenger was trained and what that cost."""
    return {
        "trigger": run_tags.reason_of(run),
        "breach": run.tags.get(run_tags.BREACH, ""),
        "cpu_seconds": float(seconds) if (seconds := challenger.tags.get("cpu_seconds")) else None,
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
