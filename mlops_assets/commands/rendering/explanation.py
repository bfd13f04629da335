"""What a model leans on, and what a forecast is made like, on a terminal: `mlops-assets explain`."""

from collections.abc import Iterator
from typing import Any

from mlops_assets.analysis.explain import ModelExplanation, RowExplanation
from mlops_assets.analysis.members import MembersExplanation, MembersOfRow
from mlops_assets.forecasting.formatting import number, plain_rows, stamp


def model_tables(result: ModelExplanation | MembersExplanation) -> Iterator[Any]:
    """Render what a model leans on, or which models it is made of."""
    from rich.table import Table

    if isinstance(result, MembersExplanation):
        yield from _members(result)
        return
    yield f"[bold]{result.forecast}[/bold]: {result.model}"
    metric, permutation = result.metric, plain_rows(result.permutation)
    shares = dict(zip(result.groups["group"], result.groups["importance"], strict=True))
    base = permutation[0][metric]
    score = f"is {base:.4f} with all features" if base is not None else "is not defined: all targets are zero"
    yield f"\nwhat the model leans on; {metric} of the backtest {score}"
    table = Table("group", "importance", f"{metric} without", "worse by")
    for row in permutation[1:]:
        share = shares.get(row["group"])
        table.add_row(
            row["group"],
            "–" if share is None else f"{share:.1%}",
            "–" if base is None else f"{row[metric]:.4f}",
            f"{row['worse'] / base:+.1%}" if base else "–",
        )
    yield table
    table = Table("feature", "group", "importance")
    for row in plain_rows(result.features.head(15)):
        table.add_row(row["feature"], row["group"], f"{row['importance']:.1%}")
    yield table


def row_tables(result: RowExplanation | MembersOfRow) -> Iterator[Any]:
    """Render what one row of a forecast rests on."""
    from rich.markup import escape
    from rich.table import Table

    if isinstance(result, MembersOfRow):
        yield from _members_of_row(result)
        return
    values = "  ".join(f"{name} {value:,.2f}" for name, value in result.values.items())
    yield (
        f"[bold]{escape(result.item_id)}[/bold] at {stamp(result.timestamp)}, lead {result.lead} from "
        f"{stamp(result.origin)}: {values}\nby {result.model}\n\n"
        f"a forecast like these days, of {result.rows:,} training rows that share a leaf with it; "
        "`outcome` is what came then, at this item's level and scale"
    )
    table = Table("item", "timestamp", "lead", "came", "outcome", "weight")
    for row in plain_rows(result.like):
        table.add_row(
            escape(row["item_id"]),
            row["timestamp"],
            str(row["lead"]),
            f"{row['target']:,.2f}",
            f"{row['outcome']:,.2f}",
            f"{row['weight']:.2%}",
        )
    yield table


def _members(result: MembersExplanation) -> Iterator[Any]:
    from rich.markup import escape
    from rich.table import Table

    yield f"[bold]{result.forecast}[/bold]: {result.model}\n"
    for reason in result.reasons:
        yield escape(reason)
    table = Table("segment", "items", "member", "weight", "loss", "")
    for row in plain_rows(result.members):
        chosen = "chosen" if row["chosen"] else ""
        cells = (escape(row["segment"]), str(row["items"]), escape(row["member"]), f"{row['weight']:.2f}")
        table.add_row(*cells, number(row["loss"], 4), chosen)
    yield table
    yield "loss: mean quantile loss, scaled as MASE is, on windows that the members had not seen"


def _members_of_row(result: MembersOfRow) -> Iterator[Any]:
    from rich.markup import escape
    from rich.table import Table

    values = "  ".join(f"{name} {value:,.2f}" for name, value in result.values.items())
    yield f"[bold]{escape(result.item_id)}[/bold] at {stamp(result.timestamp)}: {values}\nby {result.model}\n"
    table = Table("member", "weight", *result.values)
    for row in plain_rows(result.members):
        table.add_row(escape(row["member"]), f"{row['weight']:.2f}", *(f"{row[name]:,.2f}" for name in result.values))
    yield table
