"""What Dagster shows of a stored table: its columns with their meaning, and a preview of the rows."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from mlops_assets.catalog.metadata import COLUMNS, SHOWN_COLUMNS
from mlops_assets.forecasting.formatting import figures, stamp
from mlops_assets.io_managers.arrow import plain_type


def columns_key(context: dg.OutputContext) -> str:
    """Return the name of the metadata that has the columns of an asset."""
    declared = context.asset_spec.metadata if context.has_asset_key else {}
    return COLUMNS if COLUMNS in declared else SHOWN_COLUMNS


def column_meanings(context: dg.OutputContext) -> Mapping[str, str]:
    """Return what the asset's definition says that its columns mean."""
    declared = context.asset_spec.metadata.get(columns_key(context)) if context.has_asset_key else None
    if not isinstance(declared, dg.TableSchema):
        return {}
    return {column.name: column.description for column in declared.columns if column.description}


def column_schema(frame: pd.DataFrame, schema: pa.Schema, meanings: Mapping[str, str]) -> dg.TableSchema:
    """Return the columns as Dagster shows them, described by their meaning or else by their pandas type."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                str(plain_type(schema.field(name).type)),
                description=meanings.get(name) or f"pandas: {frame[name].dtype}",
            )
            for name in schema.names
        ]
    )


def preview(frame: pd.DataFrame, rows: int = 5, columns: int = 12, width: int = 32) -> str:
    """Return the first rows and columns as a Markdown table, cells cut at a width in characters."""
    shown = frame.iloc[:rows, :columns]
    names = [_cell(name, width) for name in shown.columns] + (["…"] if len(frame.columns) > columns else [])
    if not names:
        return "no columns"
    lines = [names, ["---"] * len(names)]
    for row in shown.itertuples(index=False):
        cells = [_cell(value, width) for value in row]
        lines.append(cells + [""] * (len(names) - len(cells)))
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return table if len(frame) else f"{table}\n\nno rows"


def _text(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float):
        return figures(value)
    return stamp(value) if isinstance(value, pd.Timestamp) else str(value)


def _cell(value: Any, width: int) -> str:
    text = _text(value)
    text = text if len(text) <= width else text[: width - 1] + "…"
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("\r", " ").replace("`", "'")
