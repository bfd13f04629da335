"""Run states and the registry, against a real MLflow database."""

import dagster as dg
import mlflow
import pytest

from mlops_assets.tracking.errors import TrackingError, TrackingUnavailableError
from mlops_assets.tracking.tracking import Tracking


@pytest.fixture
def tracking(tmp_path, empty_mlflow):
    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_mlflow.read_bytes())
    return Tracking(uri=f"sqlite:///{file}", artifact_root=str(tmp_path / "artifacts"))


def training(tracking: Tracking, failures: int = 0, retries: int = 0):
    """An asset that logs a parameter and fails so many times."""
    tries = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=retries))
    def logged(context: dg.AssetExecutionContext) -> None:
        tries.append(1)
        with tracking.run(context, "exp", "a run", {"spec_hash": "abc"}) as run:
            run.log_params({"try": len(tries)})
            run.log_metrics({"wql": 0.5, "unknown": float("nan")})
            if len(tries) <= failures:
                raise RuntimeError("planted")

    return logged


def runs(tracking: Tracking):
    client = mlflow.MlflowClient(tracking.uri)
    experiment = client.get_experiment_by_name("exp")
    assert experiment is not None
    return sorted(client.search_runs([experiment.experiment_id]), key=lambda run: run.info.start_time)


def test_a_good_run_ends_finished_with_its_tags(tracking):
    result = dg.materialize([training(tracking)])
    (run,) = runs(tracking)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "a run"
    assert run.data.tags["dagster_run_id"] == result.run_id
    assert run.data.tags["spec_hash"] == "abc"
    assert run.data.params == {"try": "1"}
    assert run.data.metrics == {"wql": 0.5}
    assert mlflow.active_run() is None


def test_a_failed_run_ends_failed(tracking):
    result = dg.materialize([training(tracking, failures=1)], raise_on_error=False)
    assert not result.success
    assert [run.info.status for run in runs(tracking)] == ["FAILED"]
    assert mlflow.active_run() is None


def test_a_retry_is_a_run_of_its_own(tracking):
    result = dg.materialize([training(tracking, failures=1, retries=1)])
    first, second = runs(tracking)
    assert (first.info.status, second.info.status) == ("FAILED", "FINISHED")
    assert (first.data.params, second.data.params) == ({"try": "1"}, {"try": "2"})
    assert {run.data.tags["dagster_run_id"] for run in (first, second)} == {result.run_id}


def test_two_dagster_runs_in_one_process_make_two_runs(tracking):
    dg.materialize([training(tracking)])
    dg.materialize([training(tracking)])
    assert [run.info.status for run in runs(tracking)] == ["FINISHED", "FINISHED"]


def test_a_run_left_open_by_other_code_is_not_written_into(tracking):
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_experiment("other")
    stray = mlflow.start_run()
    dg.materialize([training(tracking)])
    (run,) = runs(tracking)
    assert run.info.run_id != stray.info.run_id
    assert run.info.status == "FINISHED"


def test_the_next_run_closes_what_a_dead_one_left_running(tracking):
    mlflow.set_tracking_uri(tracking.uri)
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("exp")
    orphan = client.create_run(experiment, tags={"dagster_run_id": "no-such-run"})
    foreign = client.create_run(experiment)
    dg.materialize([training(tracking)])
    assert client.get_run(orphan.info.run_id).info.status == "KILLED"
    assert client.get_run(foreign.info.run_id).info.status == "RUNNING"


def test_a_model_of_a_killed_training_is_removed_unless_it_was_registered(tracking):
    client = mlflow.MlflowClient(tracking.uri)
    tracking.ping()
    experiment = client.create_experiment("exp")
    runs_ = [client.create_run(experiment, tags={"dagster_run_id": f"gone {n}"}).info.run_id for n in range(2)]
    models = [client.create_logged_model(experiment, source_run_id=run).model_id for run in runs_]
    client.create_registered_model("exp")
    client.create_model_version("exp", "somewhere", runs_[1], model_id=models[1])
    with dg.DagsterInstance.ephemeral() as instance:
        assert sorted(tracking.close_orphans("exp", instance)) == sorted(runs_)
        assert tracking.close_orphans("exp", instance) == []
    assert [model.model_id for model in client.search_logged_models([experiment])] == [models[1]]
    assert {client.get_run(run).info.status for run in runs_} == {"KILLED"}


def test_a_dead_server_is_an_error_at_once_without_its_password():
    tracking = Tracking(uri="http://user:hunter2@127.0.0.1:9/mlflow")
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9") as error:
        tracking.ping()
    assert "hunter2" not in str(error.value)


def test_links_need_an_address():
    assert Tracking(uri="sqlite://").links.to("models/x") == ""
    links = Tracking(uri="sqlite://", ui="http://here:5000/").links
    assert links.model("x") == "http://here:5000/#/models/x?workflowType=machine_learning"


def test_whether_there_is_a_database_is_told_without_making_one(tmp_path, tracking):
    missing = Tracking(uri=f"sqlite:///{tmp_path}/nothing/mlflow.db")
    assert not missing.exists()
    assert not (tmp_path / "nothing").exists()
    assert tracking.exists()
    assert Tracking(uri="http://127.0.0.1:1").exists()


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_a_database_that_does_not_answer_is_told_at_once_without_its_password(dialect):
    with pytest.raises(TrackingUnavailableError, match="cannot be reached") as raised:
        Tracking(uri=f"{dialect}://me:hunter2planted@127.0.0.1:9/mlflow").registry("demo")
    assert "hunter2planted" not in str(raised.value)
