"""What the columns mean, for people: Dagster's catalogue and docs/tables.md (`make schema`)."""

import dagster as dg

from mlops_assets.catalog.column import FIRST_RELEASE, Column, expand
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.metadata import COLUMNS
from mlops_assets.catalog.names import ENTRIES, FUTURE_COVARIATES
from mlops_assets.forecasting.model.task import OVER, POINT, UNDER
from mlops_assets.spec import ForecastSpec


def described(definition: dg.AssetsDefinition, spec: ForecastSpec) -> dg.AssetsDefinition:
    """Return the definition with the meaning of its tables' columns."""

    def with_columns(asset: dg.AssetSpec) -> dg.AssetSpec:
        name = asset.key.path[-1]
        if name not in TABLES:
            return asset
        covariates = spec.covariates.all_known if name == FUTURE_COVARIATES else spec.covariate_columns
        columns = expand(TABLES[name], spec.task.quantile_columns, covariates, spec.task.cost_columns)
        schema = dg.TableSchema([dg.TableColumn(one, c.stored_as, c.meaning) for one, c in columns.items()])
        return asset.merge_attributes(metadata={COLUMNS: schema})

    return definition.map_asset_specs(with_columns)


_INTRODUCTION = """# Tables

What a forecast stores, column by column; Dagster's catalogue says the same. As files a table is the folder
`<name>/<table>/partition=<key>/`, in a database the table `<name>__<table>`, which has the columns `_partition` and
`_row` as well. Some columns stand for as many as the spec has of them: `q10`, `q50`, `q90` are its quantiles,
`⟨covariate⟩` its covariates; `cost_under`, `cost_over` and `point` are there only with `costs`. The features of the
training set stand in [engine.md](engine.md). Times are naive: those of the data in the spec's time zone, those of what
people and machines did in UTC. A column that had another name in an earlier release is read under the present one,
also from tables of then.

*Written by `make schema` from `mlops_assets/catalog/columns.py`.*
"""


def to_markdown() -> str:
    """Return docs/tables.md."""
    logs = {one.name for one in ENTRIES if one.kind == "log"}
    parts = [_INTRODUCTION]
    for title, of_logs in (("Tables that assets write", False), ("Logs of what was decided and told", True)):
        parts.append(f"## {title}\n")
        for name, columns in TABLES.items():
            if (name in logs) != of_logs:
                continue
            rows = expand(columns, ["q10", "q50", "q90"], ["⟨covariate⟩"], [UNDER, OVER, POINT]).items()
            lines = [f"| `{one}` | {c.stored_as} | {c.meaning}{_past(c)} |" for one, c in rows]
            parts.append("\n".join([f"### {name}\n", "| column | type | |", "|---|---|---|", *lines]) + "\n")
    return "\n".join(parts)


def _past(column: Column) -> str:
    """Say since when there is a column, and what it was called before."""
    since = f" Since {column.since}." if column.since != FIRST_RELEASE else ""
    return since + (f" Formerly `{'`, `'.join(column.formerly)}`." if column.formerly else "")
