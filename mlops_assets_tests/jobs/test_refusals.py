"""A ledger that can only be read: told, before any service is asked."""

from typing import Any

import pytest
import sqlalchemy as sa

from mlops_assets.jobs.ledger import Ledger
from mlops_assets.jobs.poller import run_due
from mlops_assets.resources.databases import make_engine
from mlops_assets.resources.refusals import refusal
from mlops_assets_tests.jobs.conftest import Hands, job


def read_only(url: str) -> Any:
    """Open a database that takes no writes, in its own way."""
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        engine = make_engine(url)
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA query_only=ON"))
        return engine
    if address.get_backend_name() != "postgresql":
        pytest.skip("MariaDB lets its root write whatever is asked")
    return make_engine(address.update_query_dict({"options": "-c default_transaction_read_only=on"}, append=True))


def test_nothing_is_asked_of_a_service_while_nothing_can_be_written_down(ledger: Ledger, url: str, clock: Hands):
    (one,) = ledger.intend(job())
    looks: list[Any] = []
    with pytest.raises(sa.exc.DBAPIError) as error:
        run_due(Ledger(read_only(url), clock), looks.append, looks.append)
    told = refusal(str(error.value))
    assert told is not None
    assert "cannot be written" in told.message or "can be read and not be written" in told.message
    assert looks == []
    assert ledger.get(one.job_key) == one
