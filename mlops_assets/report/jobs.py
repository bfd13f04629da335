"""The report's section on the jobs of an external service: what is under way, and what came of the latest."""

import pandas as pd

from mlops_assets.forecasting.formatting import counted
from mlops_assets.report.reachable import reason_of
from mlops_assets.report.section import Section, Table
from mlops_assets.report.sources import Sources

LATEST = 12
"""Jobs that are shown."""


def section(sources: Sources) -> Section:
    """Show the latest jobs; without a service, or where the ledger does not answer, there is no more than words."""
    title = "Jobs of the service"
    if sources.spec.external is None or sources.jobs is None:
        return Section(title)
    try:
        found = sources.jobs.ledger.of(sources.spec.name, limit=LATEST)[::-1]
        standing = sources.jobs.ledger.log(sources.spec.name)
    except Exception as error:  # the other sections are wanted all the same
        return Section(title, [f"The ledger of jobs cannot be read: {reason_of(error)}"])
    if not found:
        return Section(title)
    rows = [
        {
            "partition": job.partition,
            "step": job.step,
            "state": job.state,
            "since": pd.Timestamp(job.since).floor("s"),
            "next_look": pd.Timestamp(job.next_look_at).floor("s") if job.open else pd.NaT,
            "what_is_wrong": job.error,
        }
        for job in found
    ]
    latest, waiting = standing[-1], sum(job.open for job in found)
    words = f"Of {latest.partition} the next thing to do is: {latest.next_action} ({latest.message})."
    words += f" {counted(waiting, 'job')} of the latest {len(found)} {'is' if waiting == 1 else 'are'} open."
    return Section(title, [words], tables=[Table("The latest first", pd.DataFrame(rows), ("what_is_wrong",))])
