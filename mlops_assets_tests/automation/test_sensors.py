"""The retraining sensor over real tables, a real registry and real runs."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from threading import Barrier
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.automation.jobs import build_jobs
from mlops_assets.catalog.log import Log
from mlops_assets.catalog.run_tags import is_of_breach
from mlops_assets.forecasting.decisions.evidence import Champion
from mlops_assets.lifecycle.answers import Answers
from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.launches import Launch, Launches
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings
from mlops_assets.spec import Policy
from mlops_assets.stages.score import version_scores
from mlops_assets_tests.automation import ticks
from mlops_assets_tests.worlds import World, declare, panel, sandbox

DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-05-02", "2024-05-21")]
RULES = {"metric": "wql", "relative": None, "threshold": 0.2, "breaches": 2, "window": 3}


@pytest.fixture(scope="module")
def template(tmp_path_factory, empty_mlflow) -> World:
    """A champion trained until the first of May, observations until the 21st, and no accuracy yet."""
    folder = tmp_path_factory.mktemp("watched")
    calm = panel(odd_days=False)  # there a new training is never better beyond doubt: the champion stays
    made = World(declare(folder / "forecasts", calm, retraining=RULES), sandbox(folder, empty_mlflow))
    made.run("observations", "quarantine", partition=f"2024-03-01...{DAYS[-1]}")
    made.train(until="2024-05-01")
    life = Lifecycle(made.tables, made.tracking, made.resources["clock"], "demo")
    if life.champion() is None:  # these tests are about what comes afterwards
        life.approve(1, "a test", "a champion is needed", force=True)
    return made


@pytest.fixture
def watched(template) -> World:
    """The template without what an earlier test has written."""
    template.instance = dg.DagsterInstance.ephemeral()
    for name in ("forecast_accuracy", "retraining_decisions", "retraining_launches", "alerts"):
        template.tables.delete(["demo", name])
    return template


def store(tables: Any, day: str, error: float, version: int = 1, in_sample: bool = False) -> None:
    """Store the accuracy of a day on which every forecast was off by a share of the target."""
    target = 100.0
    rows = pd.DataFrame(
        {
            "item_id": ["a", "b"],
            "timestamp": pd.Timestamp(day),
            "origin": pd.Timestamp(day) - pd.Timedelta(days=1),
            "lead": 1,
            "target": target,
            **dict.fromkeys(("mean", "q10", "q50", "q90", "naive"), target * (1 + error)),
            "error": target * error,
            "mase_scale": 1.0,
            "rmsse_scale": 1.0,
            "source": "champion",
            "model_version": version,
            "in_sample": in_sample,
            "role": "delivered",
            "job_key": "",
        }
    )
    tables.write(["demo", "forecast_accuracy"], rows, day)


def tick(world: World, instance: dg.DagsterInstance | None = None) -> Any:
    needed = {name: world.resources[name] for name in ("tables", "tracking", "clock", "notifications")}
    with dg.build_sensor_context(instance=instance or world.instance, resources=needed) as context:
        found = ticks.tick(world.spec, "demo_retrain_on_breach", context)
    return found[0] if isinstance(found, list) else found


def retrain(world: World, request: dg.RunRequest, instance: dg.DagsterInstance | None = None, **options: Any):
    """Do what the daemon does with a request."""
    own = dg.Definitions(assets=world.assets, resources=world.resources, executor=dg.in_process_executor)
    job = dg.Definitions.merge(own, dg.Definitions(jobs=build_jobs(world.spec))).resolve_job_def("demo_retrain")
    tags = {**request.tags, "dagster/run_key": request.run_key}
    return job.execute_in_process(instance=instance or world.instance, tags=tags, **options)


def test_nothing_scored_is_said_in_words_and_written_once(watched):
    assert "no forecast of the champion has been scored yet" in tick(watched).skip_message
    assert "nothing new" in tick(watched).skip_message
    assert len(Answers(watched.tables, "demo").all()) == 1


def test_a_breach_requests_one_retraining_with_its_reason_and_is_written_down(watched):
    for day, error in zip(DAYS, (0.0, 0.5, 0.6), strict=False):
        store(watched.tables, day, error)
    request = tick(watched)
    assert request.tags["mlops/breach"] == "v1 2024-05-03"
    assert request.tags["mlops/action"] == "refit"
    assert "above 0.2000 (the threshold)" in request.tags["mlops/reason"]
    assert "on data up to 2024-05-21" in request.tags["mlops/reason"]
    (row,) = Answers(watched.tables, "demo").all().to_dict("records")
    assert (row["partition"], row["action"], row["rule"]) == ("2024-05-04", "refit", "threshold")
    assert watched.tables.partitions(["demo", "retraining_decisions"]) == ["000001"]


def test_a_request_that_was_lost_is_made_again_with_the_same_key_until_its_run_has_begun(watched):
    for day in DAYS[:3]:
        store(watched.tables, day, 0.5)
    first, again = tick(watched), tick(watched)
    assert first.run_key == again.run_key
    launch = Launch("v1 2024-05-02", 1, 1, "refit", "", DAYS[-1], "some run")
    assert Launches(watched.tables, "demo").claim(launch, watched.instance) == ""
    assert "under way" in tick(watched).skip_message
    assert "nothing new" in tick(watched).skip_message


def test_forecasts_of_former_champions_and_of_models_that_had_seen_the_actuals_do_not_vote(watched):
    for day in DAYS[:3]:
        store(watched.tables, day, 0.5, in_sample=True)
    assert isinstance(tick(watched), dg.SkipReason)
    for day in DAYS[3:6]:
        store(watched.tables, day, 0.5, version=7)
    assert isinstance(tick(watched), dg.SkipReason)
    for day in DAYS[6:9]:
        store(watched.tables, day, 0.5)
    assert isinstance(tick(watched), dg.RunRequest)


def test_history_reads_no_more_than_the_policy_needs(watched):
    for number, day in enumerate(DAYS):
        store(watched.tables, day, number / 100)
    champion = Champion(1, pd.Timestamp("2024-05-01"))
    history = version_scores(watched.tables, watched.spec, champion)
    assert list(history["partition"]) == DAYS[-4:]
    assert list(history["wql"]) == pytest.approx([number / 100 for number in range(16, 20)])
    assert len(version_scores(watched.tables, watched.spec)) == len(DAYS)


def test_three_launches_at_once_train_once(template, watched, tmp_path_factory):
    for day in DAYS[:3]:
        store(watched.tables, day, 0.5)
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance"))) as instance:
        instance.get_runs(limit=1)
        start, versions = Barrier(3), len(watched.tracking.registry("demo").versions())

        def daemon(_: int) -> Any:
            start.wait()
            return tick(watched, instance)

        with ThreadPoolExecutor(3) as pool:
            answered = list(pool.map(daemon, range(3)))
        requests = [answer for answer in answered if isinstance(answer, dg.RunRequest)]
        assert len(requests) >= 1
        assert len(Answers(watched.tables, "demo").all()) == 1

        def launch(_: int) -> Any:
            start.wait()
            return retrain(watched, requests[0], instance)

        with ThreadPoolExecutor(3) as pool:
            runs = list(pool.map(launch, range(3)))
        assert all(run.success for run in runs)
        trained = [run for run in runs if run.asset_materializations_for_node("demo__random_forest")]
        assert len(trained) == 1
        assert len(Launches(watched.tables, "demo").all()) == 1
        found = watched.tracking.registry("demo").versions()
        assert len(found) == versions + 1
        assert found[0].tags["reason"].startswith("threshold: wql")
        assert found[0].tags["breach"] == "v1 2024-05-02"
        assert found[0].trained_until == pd.Timestamp("2024-05-21")
        assert isinstance(tick(watched, instance), dg.SkipReason)


def test_a_run_tagged_grow_grows_the_champion_in_model_and_backtest(watched):
    names = ("training_set", "random_forest", "backtest")
    result = dg.materialize(
        watched.assets,
        selection=[watched.key(name) for name in names],
        tags={"mlops/action": "grow"},
        run_config={"ops": {"demo__training_set": {"config": {"until": "2024-05-20"}}}},
        instance=watched.instance,
        resources=watched.resources,
    )
    facts = watched.metadata(result, "random_forest")
    assert facts["action"] == "grow from version 1"
    assert facts["fit_seconds"] > 0
    registry = watched.tracking.registry("demo")
    base = registry.load(registry.version(1))["trees"]["start"]
    grown = watched.resources["models"].load(["demo", "random_forest"])["forecaster"]["trees"]["start"]
    assert len(grown) == len(base)
    assert list(grown[:8]) == list(base[2:10] - base[2]), "two of ten trees are new"


def test_a_claim_is_taken_over_from_a_run_that_failed_and_from_no_other(watched):
    launches = Launches(watched.tables, "demo")
    tags = Launch("v1 2024-05-03", 1, 1, "refit", "why", "", "").tags()

    @dg.job
    def failing():
        @dg.op
        def fail():
            raise RuntimeError

        fail()

    @dg.job
    def fine():
        pass

    failed = failing.execute_in_process(instance=watched.instance, tags=tags, raise_on_error=False)
    done = fine.execute_in_process(instance=watched.instance, tags=tags)

    def claim(run: Any) -> str:
        return launches.claim(Launch.of(run, DAYS[-1]), watched.instance)

    assert claim(failed.dagster_run) == ""
    assert claim(failed.dagster_run) == "", "a step that is tried again holds its own claim"
    assert claim(done.dagster_run) == ""
    third = fine.execute_in_process(instance=watched.instance, tags=tags)
    assert claim(third.dagster_run) == f"{done.run_id} (done)"
    assert list(launches.all()["takeover"]) == [1, 2]


def test_what_became_of_a_launch_is_its_versions_last_decision_or_its_runs_end(watched):
    launches = Launches(watched.tables, "demo")

    @dg.job
    def fine():
        pass

    done = fine.execute_in_process(instance=watched.instance).run_id
    log, at = Log(watched.tables, "demo", "retraining_launches"), pd.Timestamp.now()
    for number, run in enumerate(["gated", "asked", "agreed", done, "alive"], start=1):
        claimed = asdict(Launch("v1 2024-05-02", number, 1, "refit", "", DAYS[number], run))
        log.add({**claimed, "takeover": 1, "claimed_at": at}, str(number))
    rows = [("gated", 2, "refused"), ("asked", 3, "awaiting approval"), ("agreed", 4, "awaiting approval")]
    rows += [("", 4, "promoted")]
    decisions = pd.DataFrame(rows, columns=["run_id", "version", "outcome"])
    found = launches.results(decisions, watched.instance)
    assert list(found["result"]) == ["refused", "awaiting approval", "promoted", "unchanged", "under way"]


def test_runs_that_never_begin_are_not_launched_for_ever(watched):
    for day in DAYS[:3]:
        store(watched.tables, day, 0.5)
    request = tick(watched)

    @dg.job
    def stillborn():
        pass

    for number in range(3):
        assert request.run_key.endswith(f"run {number + 1}")
        stillborn.execute_in_process(instance=watched.instance, tags=request.tags)
        request = tick(watched)
    assert "ended before training began" in request.skip_message


def test_thirty_bad_periods_are_three_launches_and_one_alert_of_each_kind(watched):
    """The runs are played here: each claims and ends without having changed anything."""

    @dg.job
    def in_vain():
        pass

    launches = 0
    for day in pd.date_range(DAYS[0], periods=30):
        key = f"{day:%Y-%m-%d}"
        watched.tables.write(["demo", "observations"], watched.table("observations", [DAYS[0]]), key)
        store(watched.tables, key, 0.5)
        request = tick(watched)
        if isinstance(request, dg.RunRequest):
            launches += 1
            run = in_vain.execute_in_process(instance=watched.instance, tags=request.tags).dagster_run
            Launches(watched.tables, "demo").claim(Launch.of(run, key), watched.instance)
    assert launches == 3
    alerts = watched.table("alerts").sort_values("event")
    assert list(alerts["event"]) == ["breach", "futility"]
    breach, futility = alerts.to_dict("records")
    assert breach["key"] == f"v1 {DAYS[0]}"
    assert "breaches the rule threshold since 2024-05-02" in breach["what"]
    assert (
        "A retraining (refit) is asked for: wql 0.5000 of 2024-05-03 is above 0.2000 (the threshold)" in breach["what"]
    )
    assert breach["where"].startswith("http://127.0.0.1:3000/assets/demo/forecast_accuracy?view=partitions&partition=")
    assert "have changed nothing (3 unchanged)" in futility["what"]


def test_a_spec_that_has_changed_is_a_reason_to_retrain_once(world, tmp_path):
    made = world(panel(odd_days=False))
    made.run("observations", "quarantine", partition=f"2024-03-01...{DAYS[-1]}")
    made.train(until="2024-05-01")
    life = Lifecycle(made.tables, made.tracking, made.resources["clock"], "demo")
    if life.champion() is None:
        life.approve(1, "a test", "a champion is needed", force=True)
    changed = World(declare(tmp_path / "changed", panel(odd_days=False), horizon=8), Settings.read({}))
    changed.resources, changed.instance = made.resources, made.instance
    request = tick(changed)
    assert request.tags["mlops/reason"] == "spec: the spec has changed since version 1"
    assert tick(changed).run_key == request.run_key  # Dagster launches it once
    assert retrain(changed, request).success
    assert life.registry.versions()[0].number == 2
    (rule,) = [
        one for one in json.loads(life.log.all()["rules"].iloc[-1])["rules"] if one["name"] == "against_champion"
    ]
    assert "within 2.0%" in rule["message"]  # no worse is enough: there was no breach to cure
    assert isinstance(tick(changed), dg.SkipReason)


SEVERAL = [
    {"name": "weekly", "trigger": {"schedule": "0 6 * * 1"}, "strategy": {"kind": "extra_trees"}, "action": "replace"},
    {"name": "biased", "trigger": {"bias": {"limit": 0.2, "breaches": 2, "window": 3}}, "strategy": "grow"},
]


def test_of_several_policies_the_first_launches_and_the_others_wait(watched, monkeypatch):
    policies = [Policy.model_validate(one) for one in SEVERAL]
    monkeypatch.setattr(watched, "spec", watched.spec.model_copy(update={"policies": policies}))
    sunday, monday = "2024-05-05T12:00:00", "2024-05-06T12:00:00"
    monkeypatch.setitem(watched.resources, "clock", Clock(fixed=sunday))
    assert "weekly: refresh: its schedule has not ticked yet; biased: refresh: bias: no" in tick(watched).skip_message
    monkeypatch.setitem(watched.resources, "clock", Clock(fixed=monday))
    for day in DAYS[:3]:
        store(watched.tables, day, 0.5)
    request = tick(watched)
    answers = Answers(watched.tables, "demo").all()
    assert answers["number"].tolist() == [1, 1, 1, 2, 2, 2]
    said = answers.iloc[3:].set_index("policy")
    assert list(said.index) == ["retraining", "weekly", "biased"]
    assert said["guard"].tolist() == ["", "waits", "waits"]
    assert said["breach"].tolist() == ["v1 2024-05-02", "schedule 2024-05-06 06:00 (weekly)", "v1 2024-05-02 (biased)"]
    assert request.tags["mlops/policy"] == "retraining"
    assert sorted(watched.table("alerts")["key"]) == ["v1 2024-05-02", "v1 2024-05-02 (biased)"]

    @dg.job
    def in_vain():
        pass

    run = in_vain.execute_in_process(instance=watched.instance, tags=request.tags).dagster_run
    launches = Launches(watched.tables, "demo")
    stored = max(watched.tables.partitions(["demo", "observations"]))  # other tests have added some
    assert launches.claim(Launch.of(run, stored), watched.instance) == ""
    assert "weekly: refresh: waits for the next partition: the policy retraining" in tick(watched).skip_message
    later = f"{pd.Timestamp(stored) + pd.Timedelta(days=1):%Y-%m-%d}"
    watched.tables.write(["demo", "observations"], watched.table("observations", [DAYS[0]]), later)
    request = tick(watched)
    assert {name: request.tags[f"mlops/{name}"] for name in ("policy", "action", "becomes")} == {
        "policy": "weekly",
        "action": "extra_trees",
        "becomes": "replace",
    }
    assert request.tags["mlops/reason"].startswith("policy weekly, schedule: its schedule ticked at 2024-05-06 06:00")
    watched.tables.delete(["demo", "observations"], later)


def test_of_two_retrainings_at_once_one_ends_and_says_whose_turn_it_is(watched):
    launches = Launches(watched.tables, "demo")
    first = Launch("v1 2024-05-02", 1, 1, "refit", "", DAYS[-1], "first", "retraining")
    second = replace(first, breach="v1 2024-05-02 (biased)", run_id="second", policy="biased")
    assert launches.claim(first, watched.instance) == ""
    assert launches.claim(second, watched.instance) == "first (under way)"
    assert launches.claim(first, watched.instance) == ""
    assert len(launches.all()) == 1


def test_a_champion_that_is_gone_is_a_reason_to_retrain_once(world):
    made = world()
    life = Lifecycle(made.tables, made.tracking, made.resources["clock"], "demo")
    life.log.append(lambda log: Entry("gate", "promoted", 7, None, 7, "gate", "good"), life._clock.now())
    request = tick(made)
    assert request.tags["mlops/reason"].startswith("lost: version 7 is gone from MLflow")
    assert tick(made).run_key == request.run_key

    @dg.job
    def demo_retrain():
        pass

    run = made.instance.create_run_for_job(demo_retrain, tags=request.tags, status=dg.DagsterRunStatus.SUCCESS)
    assert not is_of_breach(run)
    assert "there is no champion yet" in tick(made).skip_message
