"""Tables from which no spec can be drafted before they are written anew, by the function that says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets_tests.worlds import panel


def _file(text: str, folder: Path) -> str:
    (folder / "shops.csv").write_text(text, encoding="utf-8")
    return str(folder / "shops.csv")


def _a_title(table: pd.DataFrame, folder: Path) -> str:
    return _file("Sales\nof all shops;;\n\n" + table.to_csv(sep=";", index=False), folder)


def _no_names(table: pd.DataFrame, folder: Path) -> str:
    return _file(table.to_csv(index=False, header=False), folder)


def _a_column_for_each_day(table: pd.DataFrame, folder: Path) -> str:
    return _file(table.pivot(index="shop", columns="day", values="sales").to_csv(sep=";"), folder)


def _dollars(table: pd.DataFrame, folder: Path) -> str:
    return _file(table.assign(sales=table["sales"].map("${:.2f}".format)).to_csv(index=False), folder)


def _hours_beside_days(table: pd.DataFrame, folder: Path) -> str:
    return _file(table.head(4).merge(pd.DataFrame({"hour": range(24)}), how="cross").to_csv(index=False), folder)


def _a_file_for_each_shop(table: pd.DataFrame, folder: Path) -> str:
    (folder / "shops").mkdir()
    for shop, rows in table.groupby("shop"):
        rows[["day", "sales"]].to_csv(folder / "shops" / f"{shop}.csv", index=False)
    return str(folder / "shops")


ODD_TABLES: dict[str, Callable[[pd.DataFrame, Path], str]] = {
    "require_names_first": _a_title,
    "require_names": _no_names,
    "require_long": _a_column_for_each_day,
    "require_plain_numbers": _dollars,
    "require_one_time": _hours_beside_days,
    "require_items": _a_file_for_each_shop,
}
"""Each writes shop, day and sales of some shops below a folder, and returns where."""


def drafting(table: Callable[[pd.DataFrame, Path], str]) -> Callable[[Any, Any], BaseException]:
    """Return what asks a sandbox for a spec of such a table, and returns the error."""
    return lambda box, _: box.error_of("init", table(panel(items=2)[["shop", "day", "sales"]], box.folder))
