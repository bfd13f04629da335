"""The guarded web server's connections outlive a restart of Dagster's database, and it knows where partitions end."""

import subprocess
import sys

from mlops_assets_tests.io_managers import servers

ASKED = """
import sys
import psycopg
from dagster_postgres.run_storage import PostgresRunStorage
from mlops_assets.serving.dagster_webserver import prove_connections

url = sys.argv[1]
if sys.argv[2] == "proven":
    prove_connections()
storage = PostgresRunStorage(url.replace("postgresql://", "postgresql+psycopg2://"), should_autocreate_tables=True)
storage.optimize_for_webserver(statement_timeout=5000, pool_recycle=3600, max_overflow=5)
storage.get_runs_count()
with psycopg.connect(url, autocommit=True) as admin:
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname <> '' AND pid <> pg_backend_pid()"
    assert admin.execute(others).rowcount
print(storage.get_runs_count(), "runs")
"""

LISTED = """
import sys
from datetime import datetime, timezone
import dagster as dg
from dagster._core.definitions.partitions.context import PartitionLoadingContext
from dagster._core.definitions.temporal_context import TemporalContext
from mlops_assets.serving.dagster_webserver import page_from_the_end

if sys.argv[1] == "mended":
    page_from_the_end()
now = PartitionLoadingContext(
    temporal_context=TemporalContext(effective_dt=datetime.now(timezone.utc), last_event_id=None),
    dynamic_partitions_store=None,
)
over = dg.TimeWindowPartitionsDefinition(
    start="2013-12-03", end="2014-01-01", fmt="%Y-%m-%d", cron_schedule="0 0 * * *", timezone="America/New_York"
)
going_on = dg.DailyPartitionsDefinition(start_date="2013-12-03")
newest = over.get_paginated_partition_keys(now, 20, ascending=False)
rest = over.get_paginated_partition_keys(now, 20, ascending=False, cursor=newest.cursor)
assert [*newest.results, *rest.results] == list(reversed(over.get_partition_keys())), newest.results[:2]
assert over.get_paginated_partition_keys(now, 99, ascending=True).results == over.get_partition_keys()
latest = going_on.get_paginated_partition_keys(now, 2, ascending=False).results
assert latest == list(reversed(going_on.get_partition_keys()))[:2], latest
"""


def test_a_page_is_answered_after_the_database_has_ended_its_connections(tmp_path):
    with servers.postgres(tmp_path / "pg") as url:
        made = {
            how: subprocess.run([sys.executable, "-c", ASKED, url, how], capture_output=True, text=True, check=False)
            for how in ("as it is", "proven")
        }
    assert "OperationalError" in made["as it is"].stderr, "Dagster has its pools ask by itself: ours need not"
    assert (made["proven"].returncode, made["proven"].stdout) == (0, "0 runs\n"), made["proven"].stderr


def test_the_latest_partitions_of_what_is_over_are_its_last_ones():
    made = {
        how: subprocess.run([sys.executable, "-c", LISTED, how], capture_output=True, text=True, check=False)
        for how in ("as it is", "mended")
    }
    assert "AssertionError" in made["as it is"].stderr, "Dagster minds the end by itself: page_from_the_end can go"
    assert made["mended"].returncode == 0, made["mended"].stderr
