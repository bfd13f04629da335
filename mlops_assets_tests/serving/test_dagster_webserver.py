"""The guarded web server's connections outlive a restart of Dagster's database."""

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


def test_a_page_is_answered_after_the_database_has_ended_its_connections(tmp_path):
    with servers.postgres(tmp_path / "pg") as url:
        made = {
            how: subprocess.run([sys.executable, "-c", ASKED, url, how], capture_output=True, text=True, check=False)
            for how in ("as it is", "proven")
        }
    assert "OperationalError" in made["as it is"].stderr, "Dagster has its pools ask by itself: ours need not"
    assert (made["proven"].returncode, made["proven"].stdout) == (0, "0 runs\n"), made["proven"].stderr
