"""What is stored as files for other tools: export."""

from pathlib import Path

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec


@click.command()
@base.name_argument
@click.option(
    "--format",
    "kind",
    type=click.Choice(["hubverse", "csv", "parquet"]),
    default="csv",
    show_default=True,
    help="hubverse: CSV files in the columns of forecasting hubs.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where to write the files. Default: NAME_export in this folder.",
)
@click.option("--item", "items", multiple=True, metavar="ID", help="Only this item; may be repeated.")
@click.option("--start", metavar="TIME", help="Only from this timestamp on.")
@click.option("--end", metavar="TIME", help="Only up to this timestamp.")
@click.option("--as-of", metavar="MOMENT", help="Only what was known at this moment (UTC without an offset).")
@base.as_json_option
def export(
    name: str,
    kind: str,
    output: Path | None,
    items: tuple[str, ...],
    start: str | None,
    end: str | None,
    as_of: str | None,
    as_json: bool,
) -> None:
    """Write forecasts, observations and scores of the forecast NAME as files.

    A file of forecasts for each origin. With hubverse: model-output, target-data with as_of, and scores with WIS.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    from mlops_assets.reading.asked import Asked
    from mlops_assets.reading.opening import open_reader
    from mlops_assets.reading.outputs import exports

    folder, ending = output or Path(f"{name}_export"), "parquet" if kind == "parquet" else "csv"
    written: dict[str, int] = {}
    with open_reader(spec, settings) as reader:
        asked = Asked.of(spec, reader.clock, items or None, start, end, as_of)
        for path, rows in (exports.hubverse if kind == "hubverse" else exports.tables)(reader, asked):
            file = folder / f"{path}.{ending}"
            with base.writing(file):
                file.parent.mkdir(parents=True, exist_ok=True)
                if kind == "parquet":
                    rows.to_parquet(file, index=False)
                else:
                    rows.to_csv(file, index=False, na_rep="NA" if kind == "hubverse" else "")
            written[str(file.relative_to(folder))] = len(rows)
    if as_json:
        base.show_json({"forecast": name, "folder": str(folder), "rows": written})
    else:
        click.echo(f"{name}: {sum(written.values()):,} rows in {len(written)} files in {base.short_path(folder)}")
