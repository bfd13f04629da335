"""The settings of Dagster that we ship: what becomes of runs whose worker was killed."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from mlops_assets.resources.instance import CONFIGURATION

SHIPPED = Path(__file__).parents[2] / "dagster.yaml"


@pytest.mark.parametrize("settings", [CONFIGURATION, SHIPPED.read_text(encoding="utf-8")], ids=["package", "folder"])
def test_a_run_whose_worker_was_killed_is_made_again_and_one_with_a_failed_step_is_not(tmp_path, settings):
    @dg.op
    def step() -> None:
        raise ValueError("a step that fails")

    @dg.job
    def demo_daily() -> None:
        step()

    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=yaml.safe_load(settings)) as instance:
        killed = instance.create_run_for_job(demo_daily, status=dg.DagsterRunStatus.STARTED)
        instance.report_run_failed(killed, "the process is gone: it was killed")
        failed = demo_daily.execute_in_process(instance=instance, raise_on_error=False)
        own = instance.create_run_for_job(
            demo_daily, status=dg.DagsterRunStatus.STARTED, tags={"dagster/max_retries": "0"}
        )
        instance.report_run_failed(own, "the command was ended")
        again = {one.run_id: instance.get_run_by_id(one.run_id).tags for one in (killed, failed, own)}
    assert [again[one.run_id].get("dagster/will_retry") for one in (killed, failed, own)] == ["true", "false", "false"]
