"""observations and quarantine: what the source says, held against the contract."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.alerts import messages
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.asset_graph import AssetGraph, freshness_of, seen, with_earlier
from mlops_assets.catalog.graph import reach_of
from mlops_assets.catalog.metadata import DIGEST, FILLED, UNTOUCHED, add_by_partition, add_row_counts, in_front
from mlops_assets.catalog.names import (
    DAILY,
    FUTURE_COVARIATES,
    INGEST,
    OBSERVATIONS,
    QUARANTINE,
    SOURCE,
    job_names,
    step_name,
)
from mlops_assets.catalog.partitions import (
    before,
    not_over,
    origin_of,
    partition_of,
    periods,
    whole_window,
    window_of,
    with_steps,
)
from mlops_assets.errors import MissingExtraError, TransientError
from mlops_assets.forecasting.data.contract import ContractError
from mlops_assets.forecasting.formatting import few, significant
from mlops_assets.lifecycle.meanings import Meanings
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.report.health import answer, declared, own_checks
from mlops_assets.report.ingestion import MADE, note_facts
from mlops_assets.report.problems import refused_rows
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Tables
from mlops_assets.scale.shards import rows_about
from mlops_assets.sources.base import SourceError
from mlops_assets.spec import ForecastSpec, SqlSource
from mlops_assets.stages import findings, holes, ingest, rescore
from mlops_assets.stages.remarks import Remarks
from mlops_assets.stages.train import data_hash

STEPS, DRAWN = 40, 200_000
"""So many steps are drawn, and so many rows of earlier partitions are read for it at most."""


class IngestConfig(dg.Config):
    """What an ingestion may do."""

    allow_shrink: bool = Field(
        False, description="Replace stored rows by fewer, however many get lost: what is gone was deleted on purpose."
    )


def build_observations(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define the pair `observations` and `quarantine`; both are partitioned and written by one step."""
    spec = graph.spec
    kinds, checks = ["pandas", graph.source_kind], own_checks(spec, OBSERVATIONS)

    @dg.multi_asset(
        name=step_name(spec.name, INGEST),
        deps=[graph.key(SOURCE)],
        partitions_def=graph.partitions_def,
        check_specs=[declared(one, spec) for one in checks.values()],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        outs={
            OBSERVATIONS: dg.AssetOut(
                key=graph.key(OBSERVATIONS),
                io_manager_key="tables",
                is_required=False,
                freshness_policy=freshness_of(spec),
                **graph.attributes(
                    kinds,
                    "The series as they are known: one row for each item and timestamp, accepted by the contract.",
                    {**graph.by_timestamp, **graph.observed},
                ),
            ),
            QUARANTINE: dg.AssetOut(
                key=graph.key(QUARANTINE),
                io_manager_key="tables",
                is_required=False,
                **graph.attributes(
                    kinds,
                    "Rows of the source that break the contract, as they were read, each with its reason.",
                    {"partition_expr": "partition"},
                ),
            ),
        },
    )
    @patient
    def ingestion(
        context: dg.AssetExecutionContext,
        config: IngestConfig,
        clock: dg.ResourceParam[Clock],
        tables: dg.ResourceParam[Tables],
        notifications: dg.ResourceParam[Notifications],
    ):
        keys, selected = list(context.partition_keys), context.op_execution_context.selected_output_names
        if early := not_over(spec, keys, clock.now()):
            raise dg.Failure(ingest.too_early(spec, early), allow_retries=False)
        filled = _fill(context, graph, tables, clock) if context.job_name in job_names(spec, DAILY) else {}
        window = whole_window(graph.partitions, keys)
        version = _observe(context, graph, clock)
        try:
            checked, source = ingest.read_observations(graph, window, clock)
        except (SourceError, ContractError, MissingExtraError) as error:
            if isinstance(error, TransientError):
                raise error.about(spec.file) from error
            raise dg.Failure(f"{spec.file}: {error}", allow_retries=False) from error
        intake = ingest.take_in(graph, tables, checked, keys, config.allow_shrink)
        facts = {"source": source, **checked.counts, "quarantine_share": significant(checked.quarantine_share)}
        facts |= {"targets_left_out": checked.targets_left_out} if checked.targets_left_out else {}
        facts |= {"notes": list(checked.notes)} if checked.notes else {}
        facts |= {"source_version": version} if version and _says_who_knows(spec) else {}
        for note in checked.notes:
            context.log.info(f"{source}: {note}")
        # Quarantine first: should the share be too high, the reasons are stored and the observations stay as they were.
        quarantined = ingest.quarantine_of(checked, graph, keys)
        if QUARANTINE in selected:
            add_row_counts(context, quarantined["partition"], graph.key(QUARANTINE))
            yield dg.Output(quarantined, QUARANTINE, metadata={**facts, "reasons": checked.reasons})
        else:
            parts = {key: quarantined[quarantined["partition"] == key] for key in keys}
            tables.write_all([spec.name, QUARANTINE], parts)
        if (refused := findings.refused(spec, checked, intake, keys)) is not None:
            span, bad = refused
            words = findings.refusal(spec, bad, source, f"the rows of {span}")
            alert = findings.refused_alert(spec, span, bad, source, context.run.run_id, notifications)
            notifications.send(tables, alert)
            yield from _contract(context, spec, refused_rows(spec.name, keys[-1]))
            raise dg.Failure(
                f"{words} The observations stored before are kept",
                metadata={**facts, "reasons": bad.reasons, messages.ALERTED: alert.event},
                allow_retries=False,
            )
        yield from _contract(context, spec, ())
        if OBSERVATIONS not in selected:
            return
        Meanings(tables, spec.name).note(spec, clock.now())
        for partition, loss in intake.losses.items() if config.allow_shrink else ():
            if partition not in intake.untouched:
                context.log.warning(f"{partition}: {loss}; they are replaced, as was asked for")
        for alert in findings.alerts_of(spec, intake, source, context.run.run_id, notifications):
            if not notifications.send(tables, alert):
                context.log.warning(alert.what)
        partitions = partition_of(intake.rows["timestamp"], graph.partitions, keys)
        add_row_counts(context, partitions, graph.key(OBSERVATIONS))
        if keys[-1] not in set(partitions) | set(intake.untouched) and with_steps(spec, keys[-1:]):
            notifications.send(tables, messages.empty(spec.name, keys[-1], source, notifications))
        if gone := _absent(graph, tables, intake, keys[-1], partitions):
            context.log.warning(gone)
        odd = Remarks.of(spec, intake.rows)
        for sentence in odd.sentences():
            context.log.warning(sentence)
        facts |= {**odd.facts(), "items": intake.rows["item_id"].nunique()}
        facts |= {UNTOUCHED: list(intake.untouched)} if intake.untouched else {}
        facts |= {FILLED: filled} if filled else {}
        replaced = [key for key in keys if key not in intake.untouched]
        found = Revisions(graph, tables).settle(OBSERVATIONS, intake.rows, replaced, naive_utc(clock.now()))
        facts |= {"rows_revised": len(found.superseded)}
        digests = rescore.digests(graph, intake.rows, replaced)
        totals = intake.rows.groupby(partitions)["target"].sum()
        own: dict[str, dict[str, Any]] = {
            str(one): {"total": significant(float(total))} for one, total in totals.items()
        }
        for one, said in digests.items():
            own[one] = {**own.get(one, {}), DIGEST: said}
        own[keys[-1]] = {"sum_by_step": _sums(graph, tables, intake.rows, keys), **own.get(keys[-1], {})}
        add_by_partition(context, own, graph.key(OBSERVATIONS))
        last = {"partition": keys[-1], "rows": int((partitions == keys[-1]).sum())}
        made = {MADE: last} if keys[-1] in replaced else {}
        note_facts(tables, spec.name, OBSERVATIONS, {**facts, **made}, clock.now())
        facts = {**in_front("sum_by_step", "total"), **facts}
        del checked, intake, quarantined, partitions  # of a long history nothing is held twice while it is stored
        yield dg.Output(found.rows, OBSERVATIONS, metadata=facts, data_version=_version_of(digests))

    return ingestion


def _contract(
    context: dg.AssetExecutionContext, spec: ForecastSpec, words: Iterable[str]
) -> Iterator[dg.AssetCheckResult]:
    """Answer the check of the contract, if it is asked."""
    asked = {one.name for one in context.selected_asset_check_keys}
    yield from (answer(one, spec, words) for name, one in own_checks(spec, OBSERVATIONS).items() if name in asked)


def _version_of(digests: Mapping[str, str]) -> dg.DataVersion | None:
    """Return the version of what a run has stored: of its one partition, or of all; None where nothing was replaced."""
    if not digests:
        return None
    joined = " ".join(digests.values())
    return dg.DataVersion(joined if len(digests) == 1 else hashlib.sha256(joined.encode()).hexdigest()[:32])


def _says_who_knows(spec: ForecastSpec) -> bool:
    """Whether the spec says who knows the version of its source."""
    return getattr(spec.source, "version", None) is not None


def _observe(context: dg.AssetExecutionContext, graph: AssetGraph, clock: Clock) -> str:
    """Note and return which version of the source is read; empty where it is not known.

    Where that costs as much as reading, it is asked only if arrivals are watched or the spec says who knows it.
    """
    source = graph.spec.source
    dear = source.kind not in ("file", "sql") or (isinstance(source, SqlSource) and source.query is not None)
    if dear and graph.spec.arrivals is None and not _says_who_knows(graph.spec):
        return ""
    try:
        version, name = ingest.version_of(graph, clock)
    except (SourceError, MissingExtraError) as error:  # the reading says what is wrong
        context.log.debug(f"the source's version is not known: {error}")
        return ""
    context.log_event(seen(graph.key(SOURCE), version, name))
    # Dagster has looked at the source before the step, and would take what is made of this version for stale at once.
    context.get_step_execution_context().wipe_input_asset_version_info(graph.key(SOURCE))
    return version


def _fill(context: dg.AssetExecutionContext, graph: AssetGraph, tables: Tables, clock: Clock) -> dict[str, int]:
    """Let a round fill the holes before its partitions, and tell Dagster what it has stored."""
    try:
        filled = ingest.fill(graph, tables, clock, context.partition_keys[0])
    except (SourceError, ContractError, MissingExtraError) as error:
        context.log.warning(f"earlier partitions without rows could not be read again: {error}")
        return {}
    for partition, rows in filled.items():
        facts = {"dagster/row_count": rows}
        context.log_event(
            dg.AssetMaterialization(
                graph.key(OBSERVATIONS), description="read again in a later round", metadata=facts, partition=partition
            )
        )
    return {partition: rows for partition, rows in filled.items() if rows}


def _sums(graph: AssetGraph, tables: Tables, rows: pd.DataFrame, keys: list[str]) -> dg.MarkdownMetadataValue:
    """Draw the sum of all items in the latest steps, those stored before among them where they are not too many."""
    from mlops_assets.forecasting import charts

    key, columns = [graph.spec.name, OBSERVATIONS], ["timestamp", "target"]
    parts = [rows[columns]]
    if rows["timestamp"].nunique() < STEPS:
        there = set(tables.partitions(key))
        earlier = [one for one in before(graph.spec, keys[0], min(STEPS, periods(graph.spec, STEPS))) if one in there]
        if earlier and rows_about(tables, key, earlier) <= DRAWN:
            parts.insert(0, tables.read(key, earlier, columns))
    sums = pd.concat(parts, ignore_index=True).groupby("timestamp")["target"].sum(min_count=1)
    return dg.MetadataValue.md(charts.sparkline(sums.tail(STEPS), "sum of all items by step"))


def _absent(graph: AssetGraph, tables: Tables, intake: ingest.Intake, key: str, partitions: pd.Series) -> str:
    """Say of which items a partition should have rows and has none; empty if of none, or if its stored rows stay."""
    spec = graph.spec
    gone = [] if key in intake.untouched else holes.absent(spec, tables, intake.rows[partitions == key], key)
    if not gone:
        return ""
    return (
        f"{key} has no row of {few(gone)}, which had rows until then. If they are only late, mlops-assets ingest "
        f"{spec.name} --partition {key} takes them in when they have come, and partitions.reread lets each round do so"
    )


def build_future_covariates(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `future_covariates`: the known covariates over the horizon after each origin."""
    spec = graph.spec
    # Other tables are asked for the items that there are.
    observed = dg.AssetIn(graph.key(OBSERVATIONS), partition_mapping=with_earlier(reach_of(spec)))
    before = {OBSERVATIONS: observed} if spec.covariates.sources else {}

    @dg.asset(
        key=graph.key(FUTURE_COVARIATES),
        partitions_def=graph.partitions_def,
        ins=before,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["pandas"],
            "Covariates that are known ahead of time, over the horizon after the partition's origin.",
            {"partition_expr": "partition", **graph.observed},
        ),
    )
    @patient
    def future_covariates(
        context: dg.AssetExecutionContext,
        clock: dg.ResourceParam[Clock],
        tables: dg.ResourceParam[Tables],
        **inputs: pd.DataFrame,
    ) -> dg.Output[pd.DataFrame]:
        frames, observations = [], inputs.get(OBSERVATIONS, graph.without_rows(OBSERVATIONS))
        for key in with_steps(spec, context.partition_keys):
            origin = origin_of(spec, window_of(graph.partitions, key))
            history = observations[observations["timestamp"] <= origin]
            future, notes = ingest.read_future(graph, origin, clock, history)
            for note in notes:
                context.log.info(note)
            frames.append(future.assign(partition=key))
        if not frames:
            return dg.Output(graph.without_rows(FUTURE_COVARIATES))
        rows, keys = pd.concat(frames, ignore_index=True), list(context.partition_keys)
        found = Revisions(graph, tables).settle(FUTURE_COVARIATES, rows, keys, naive_utc(clock.now()))
        # The tables of covariates are no assets: what they hold makes the version.
        return dg.Output(
            found.rows,
            metadata={"rows_revised": len(found.superseded)},
            data_version=dg.DataVersion(data_hash(rows)),
        )

    return future_covariates
