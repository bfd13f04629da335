"""Small pieces of metadata for Dagster's UI: row counts, numbers, tables."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.forecasting.formatting import figures, significant

if TYPE_CHECKING:
    import dagster as dg

_SAID = "_metadata_accumulator"
"""Where a step of Dagster keeps the metadata of what it makes."""

UNTOUCHED = "untouched_partitions"
"""Metadata of an output: partitions of the run that are not written, for what is stored of them stays."""

COLUMNS, SHOWN_COLUMNS = "columns", "dagster/column_schema"
"""Metadata of an asset, and of what is stored of it: what its columns mean. Under Dagster's own name they stand above
all other metadata; under ours they are a link, and the page begins with what was made."""

HISTORY = "history_from"
"""Metadata of an asset: the day from which on the first partition holds rows, where that is earlier than its own."""

DIGEST = "rows_digest"
"""Metadata of a partition of observations: a hash of its rows and of what they mean. Equal: nothing has changed."""

FILLED = "filled_partitions"
"""Metadata of an output: earlier partitions without rows that have been filled, with their rows."""


def in_front(*names: str) -> dict[str, str]:
    """Return metadata of an output that lets some names stand before all others on the asset's page.

    What a partition says under such a name (`add_asset_metadata`) takes its place; where it says nothing, `none` stays.
    """
    return dict.fromkeys(names, "none")


def add_row_counts(context: "dg.AssetExecutionContext", partitions: pd.Series, key: "dg.AssetKey") -> None:
    """Say for each partition of the run how many rows it has.

    Args:
        context: of the running step.
        partitions: the partition's key for each row.
        key: the asset that the rows are of.
    """
    counts = partitions.value_counts().to_dict()
    every = context.partition_keys
    add_by_partition(context, {one: {"dagster/row_count": int(counts.get(one, 0))} for one in every}, key)


def add_by_partition(
    context: "dg.AssetExecutionContext", facts: Mapping[str, Mapping[str, Any]], key: "dg.AssetKey"
) -> None:
    """Add metadata to partitions of the run, as `context.add_asset_metadata` does to one.

    For each partition that copies what was said of all others, and lists all of the run: of a thousand it takes longer
    than reading them. So the metadata is put where Dagster keeps it, as long as it keeps it there.

    Args:
        context: of the running step.
        facts: metadata by partition.
        key: the asset.
    """
    from dagster._core.execution.context.metadata_logging import AssetMetadataHandle, OutputMetadataAccumulator

    step = context.get_step_execution_context()
    said = getattr(step, _SAID, None)
    if not isinstance(said, OutputMetadataAccumulator):
        for partition, own in facts.items():
            context.add_asset_metadata(own, key, partition)
        return
    every = dict(said.per_output_metadata)
    for partition, own in facts.items():
        handle = AssetMetadataHandle(asset_key=key, partition_key=partition)
        every[handle] = {**every.get(handle, {}), **own}
    setattr(step, _SAID, OutputMetadataAccumulator(per_output_metadata=every))


def known_numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what can be shown: plain numbers of three significant digits, and texts; missing ones are left out."""
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}
    plain = {name: significant(value) if isinstance(value, float) else value for name, value in plain.items()}
    return {name: value for name, value in plain.items() if isinstance(value, str) or pd.notna(value)}


def markdown_text(value: Any) -> str:
    """Return Markdown that shows a text as it is, on one line: names come from data, and are no markup."""
    return re.sub(r"[\\`*<\[\]|]", r"\\\g<0>", " ".join(str(value).split()))


def markdown_table(frame: pd.DataFrame, digits: int = 3) -> str:
    """Return a small frame as a Markdown table."""
    head = "| " + " | ".join(map(str, frame.columns)) + " |"
    rule = "|" + "---|" * len(frame.columns)
    rows = ["| " + " | ".join(_cell(value, digits) for value in row) + " |" for row in frame.itertuples(index=False)]
    return "\n".join([head, rule, *rows])


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return "–" if pd.isna(value) else figures(value, digits)
    return markdown_text(value)
