"""`replay-policy`: over stored accuracy, and with every retraining really carried out."""

import json
from dataclasses import fields, replace
from io import StringIO

import pandas as pd
import pytest
from click.testing import CliRunner
from rich.console import Console

from mlops_assets.analysis.replay import TOLD, Replay, ReplayError, changed, replay
from mlops_assets.commands.main import main
from mlops_assets.commands.rendering.replay import table
from mlops_assets.environments import Stores, open_stores
from mlops_assets.forecasting import charts
from mlops_assets.forecasting.decisions.gate import GateRules, judge
from mlops_assets.forecasting.decisions.replay import Play
from mlops_assets.forecasting.decisions.rules import KEEP
from mlops_assets.lifecycle.approvers import Person
from mlops_assets.lifecycle.decisions import Decisions, Entry
from mlops_assets.lifecycle.retention import Retained
from mlops_assets_tests.automation.test_sensors import store
from mlops_assets_tests.forecasting.decisions.duels import TASK, model_rows
from mlops_assets_tests.forecasting.decisions.test_gate import GOOD, LIMITS, duel
from mlops_assets_tests.worlds import declare, panel, sandbox


@pytest.fixture
def call(tmp_path, empty_mlflow, monkeypatch):
    """Call the command over a sandbox in which nothing has run."""
    declare(tmp_path / "forecasts")
    sandbox(tmp_path, empty_mlflow)
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    return lambda *arguments: CliRunner().invoke(main, ["replay-policy", "demo", *arguments], catch_exceptions=False)


def test_stored_accuracy_shows_when_it_would_have_been_and_when_it_would_have_stopped(call, tmp_path, empty_mlflow):
    nothing = call()
    assert nothing.exit_code == 2
    assert "--what-if needs only observations" in nothing.output
    with open_stores(sandbox(tmp_path, empty_mlflow, "local")) as stores:
        for day in pd.date_range("2024-04-21", periods=20):
            key = f"{day:%Y-%m-%d}"
            store(stores.tables, key, 0.5)
            stores.tables.write(["demo", "observations"], pd.DataFrame({"timestamp": [day]}), key)
        judged(stores, replace(LIMITS, predict_seconds=0.5))
        judged(stores, LIMITS)
    picture = tmp_path / "policies.png"
    asked = ("--set", "retraining.futility=1", "--set", "retraining.cool_down=3")
    result = call(*asked, "--json", "--every", "10", "--picture", str(picture))
    assert result.exit_code == 0, result.output
    whole = json.loads(result.output)
    assert list(whole) == ["metric", "really_trained", "first", "last", "kept", "policies", "gate"]
    assert (whole["first"], whole["last"], whole["kept"]) == ("2024-04-21", "2024-05-10", None)
    slow = "forecasts_in_time: failed, now passed: 1 CPU seconds for an origin, at most 600"
    told = [(one["number"], one["recorded"], one["today"], one["changed"]) for one in whole["gate"]]
    assert told == [(1, "refused", "promoted", [slow]), (2, "promoted", "promoted", [])]
    said = whole["policies"]
    figures = ["retrainings", "promoted", "cpu_seconds", "mean", "at", "retrained"]
    assert [list(policy) for policy in said.values()] == [figures] * 4
    asked = said["as in the spec"]["retrained"][0]
    assert tuple(asked) == TOLD
    assert said["as in the spec"]["at"] == ["2024-04-23", "2024-04-28", "2024-05-08"]
    assert said["retraining.futility=1 retraining.cool_down=3"]["at"] == ["2024-04-23"]
    assert said["always (every 10)"]["retrainings"] == 2
    assert said["never"]["mean"] == pytest.approx(0.5)
    assert picture.read_bytes().startswith(b"\x89PNG")
    shown = call("--last", "5").output
    assert "mean wql (stored)" in shown
    assert "1 of 2 decisions would be another by today's rules" in " ".join(shown.split())


def test_the_stretch_begins_with_what_is_kept_and_says_so(call, tmp_path, empty_mlflow):
    spec = declare(tmp_path / "forecasts", retention={"forecast_accuracy": "80d"})
    with open_stores(sandbox(tmp_path, empty_mlflow, "local")) as stores:
        for day in pd.date_range("2024-04-21", periods=20):
            store(stores.tables, f"{day:%Y-%m-%d}", 0.5)
        kept = Retained(stores.tables, spec)
        now = pd.Timestamp("2024-07-15 06:00", tz="UTC").to_pydatetime()
        kept.apply(kept.plan(now), now, Person("Ann"))
    said = "forecast_accuracy are kept from partition 2024-04-26 on (retention.forecast_accuracy: 80d)"
    whole = json.loads(call("--json").output)
    assert (whole["first"], whole["last"]) == ("2024-04-26", "2024-05-10")
    assert said in whole["kept"]
    assert f"Played over 2024-04-26 to 2024-05-10; {said}" in call().output
    assert "Played over 2024-05-06 to 2024-05-10" in call("--last", "5").output
    with open_stores(sandbox(tmp_path, empty_mlflow, "local")) as stores:
        kept = Retained(stores.tables, spec)
        later = now + pd.Timedelta(days=30).to_pytimedelta()
        kept.apply(kept.plan(later), later, Person("Ann"))
    assert "no scored forecast is stored: forecast_accuracy are kept from partition 2024-05-26 on" in call().output


def judged(stores: Stores, rules: GateRules) -> None:
    """Record a decision of the gate."""
    found = judge(duel(model_rows("x", 1)), TASK, rules, smoke_test=GOOD)
    entry = Entry("gate", found.outcome, 1, None, None, "gate", found.reason, found.as_json())
    Decisions(stores.tables, "demo").append(lambda _: entry, pd.Timestamp("2024-05-01", tz="UTC"))


def test_what_if_really_trains_and_says_what_it_brings(world):
    data = panel(items=3).assign(promotion=lambda frame: (frame["day"].dt.day % 3 == 0).astype(float))
    late = data["day"] >= "2024-04-20"  # until then, promotions did nothing
    data.loc[late & (data["promotion"] > 0), "sales"] *= 2
    rules = {"breaches": 2, "window": 4, "relative": 2.0}
    made = world(data, retraining=rules, horizon=3, covariates={"known": ["promotion"]})
    made.run("observations", "quarantine", partition="2024-03-01...2024-05-20")
    stores = Stores(**{part.name: made.resources[part.name] for part in fields(Stores)})
    played = replay(made.spec, stores, really=True, last=36, every=12)
    said = played.to_json()["policies"]
    assert played.to_frame().groupby("variant", sort=False).size().to_dict() == dict.fromkeys(said, 36)
    present, never, always = said["as in the spec"], said["never"], said["always (every 12)"]
    assert "2024-04-20" <= present["retrained"][0]["partition"] <= "2024-04-30"
    assert present["promoted"] >= 1
    assert always["mean"] < never["mean"] != present["mean"]
    assert present["cpu_seconds"] > never["cpu_seconds"] == 0
    assert always["retrainings"] == 3


def test_a_wrong_change_names_the_fields(world):
    spec = world().spec
    with pytest.raises(ReplayError, match="the fields are metric, threshold"):
        changed(spec, ["retraining.treshold=1"])
    for text, words in {
        "retraining.breaches=many": "retraining.breaches: a whole number is needed here",
        "retraining.breaches=[": "'[' is no YAML",
        "retraining.metric=mse": "retraining.metric: did you mean 'mase'?",
        "policies.monday=daily": "policies.monday: fields are needed here",
        "policies.monday={triger: {age: {days: 3}}}": "policies.monday.triger: unknown field; did you mean 'trigger'?",
        "policies.monday.trigger.age.new_rows=soon": "trigger.age.new_rows: a whole number is needed here",
    }.items():
        with pytest.raises(ReplayError) as error:
            changed(spec, [text])
        assert words in str(error.value)
    (rules,) = changed(spec, ["retraining.relative=null", "retraining.ladder=[grow, refit]"]).rules_of_retraining
    assert rules.ladder == ("grow", "refit")


def test_policies_are_changed_added_and_left_out_by_name(world):
    spec = world().spec
    two = changed(spec, ["policies.monday={trigger: {schedule: 0 6 * * 1}}", "policies.old.trigger.age.new_rows=100"])
    assert [rules.name for rules in two.rules_of_retraining] == ["retraining", "monday", "old"]
    assert two.rules_of_retraining[2].new_rows == 100
    one = changed(two, ["policies.monday=null", "policies.old.trigger.age.new_rows=5"])
    assert [rules.new_rows for rules in one.rules_of_retraining] == [None, 5]
    with pytest.raises(ReplayError, match="exactly one is needed"):
        changed(two, ["policies.monday.trigger.age.new_rows=100"])
    with pytest.raises(ReplayError, match="no such policy; there are monday, old"):
        changed(two, ["policies.munday=null"])


def test_where_nothing_was_scored_a_dash_stands(tmp_path):
    nothing = {"partition": "2024-05-10", "value": float("nan"), "action": KEEP, "promoted": False, "cpu_seconds": 0.0}
    play = Play(pd.DataFrame([{**nothing, "policy": "", "becomes": "", "reason": ""}]))
    shown = StringIO()
    Console(file=shown, width=120).print(table(Replay({"never": play}, "wql", False, declare(tmp_path))))
    assert "nan" not in shown.getvalue()
    assert "–" in shown.getvalue()


def test_partitions_of_one_day_stand_apart_in_the_picture(tmp_path, monkeypatch):
    keys = ["2024-05-10-06:00", "2024-05-10-07:00", "2024-05-10-08:00"]
    spec = declare(tmp_path, frequency="h", partitions={"kind": "hourly", "start": "2024-05-01"})
    days = pd.DataFrame({"partition": keys, "value": [0.1, 0.2, 0.3], "action": "refit", "promoted": True})
    drawn = []
    monkeypatch.setattr(charts, "to_png", lambda figure: drawn.append(figure) or b"")
    Replay({"as in the spec": Play(days)}, "wql", trained=True, spec=spec).picture()
    line = drawn[0].axes[0].get_lines()[0]
    assert list(pd.DatetimeIndex(line.get_xdata()).hour) == [6, 7, 8]
