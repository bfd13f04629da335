"""Tables that cannot be drafted from as they are, each with commands that make one of it that can.

The commands need nothing but pandas, which is there wherever we are.
"""

import csv
import io
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_assets.drafts.times import read_times
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE
from mlops_assets.forecasting.formatting import few
from mlops_assets.sources.base import SourceError
from mlops_assets.sources.csv_files import DELIMITERS

_FEWEST = 3
"""Columns that make a table wide, at least."""
_LINES = 60
_ALONE = 0.99
"""Share of the rows that are told apart by what tells rows apart."""
_COVERED = 0.5
"""Share of all times that a file has at least, on average, if each is an item; exports of some days have less."""
_HOUR = re.compile(r"^(hour|hr|stunde|heure|hora)(_?of_?day)?$", re.IGNORECASE)
_CURRENCY = "€$£¥"


def require_names_first(place: str, head: str) -> None:
    """Raise SourceError if lines of a title stand above the names of the columns of a file of text.

    The names are in the first line that has as many fields as most, and something in each.
    """
    for delimiter in DELIMITERS:
        lines = list(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter))[:_LINES]
        usual = Counter(map(len, lines)).most_common(1)[0][0] if lines else 0
        full = [len(line) == usual > 1 and all(field.strip() for field in line) for line in lines]
        above = full.index(True) if True in full else 0
        if 0 < above < len(lines) / 2:
            rest = f"b''.join(list(open({place!r}, 'rb'))[{above}:])"
            said = f"lines 1 to {above} stand" if above > 1 else "line 1 stands"
            raise SourceError(
                f"{place}: {said} above the names of its columns ({few(lines[above])})",
                advice=_again(place, "table", f"open({{new}}, 'wb').write({rest})"),
            )


def require_names(place: str, columns: Sequence[str], time_column: str) -> None:
    """Raise UsageError if the first line of a table has values in it, a time and a number, and no names."""
    numbers = [name for name in columns if re.fullmatch(r"[-+]?[0-9]+([.,][0-9]+)?", name.strip())]
    if numbers and read_times(pd.Series([time_column], dtype=object), "time") is not None:
        called = {time_column: "time", numbers[-1]: "value"}
        names = [called.get(name, f"column_{number}") for number, name in enumerate(columns, 1)]
        text = (",".join(names) + "\n").encode()
        raise UsageError(
            f"{place}: no names stand in its first line but values: {', '.join(map(repr, columns[:6]))}",
            advice=_again(place, "named", f"open({{new}}, 'wb').write({text!r} + open({place!r}, 'rb').read())"),
        )


def require_long(place: str, columns: Sequence[str]) -> None:
    """Raise UsageError if columns are called by a time each, as in a table with one row for each item."""
    called = [name for name in columns if any(sign.isdigit() for sign in name)]
    if len(called) >= _FEWEST and read_times(pd.Series(called, dtype=object), "time") is not None:
        kept = [name for name in columns if name not in called]
        raise UsageError(
            f"{place}: it is wide, with a column for each of {len(called)} times ({few(called, 3)})",
            advice=made_long(place, kept, "time"),
        )


def require_plain_numbers(place: str, texts_of: Mapping[str, pd.Series]) -> None:
    """Raise UsageError if a column has numbers with a sign of a currency."""
    signs = f"[{_CURRENCY}]"
    for name, texts in texts_of.items():
        known = texts.dropna().astype(str)
        if len(known) and known.str.contains(signs).mean() > 0.5 and known.str.contains("[0-9]").mean() > 0.5:
            plain = f"t[{name!r}] = t[{name!r}].astype(str).str.replace({signs!r}, '', regex=True).str.strip()"
            raise UsageError(
                f"{place}: the numbers of {name} have a sign of a currency, as {known.iloc[0]!r} has",
                advice=_again(place, "plain", f"t = {_read(place)}; {plain}; t.to_csv({{new}}, index=False)"),
            )


def require_one_time(
    place: str, moments: pd.Series, labels: pd.Series, time_column: str, numbers: Mapping[str, pd.Series]
) -> None:
    """Raise UsageError if the hours of the rows stand in a column beside that of their days.

    Args:
        place: how messages call the table.
        moments: of the rows.
        labels: of their items.
        time_column: that the moments are of.
        numbers: the columns of numbers.
    """
    for name, values in numbers.items():
        if _HOUR.match(name) and values.between(0, 24).all() and _alone(moments, labels, values) >= _ALONE:
            whole = f"pd.to_datetime(t[{time_column!r}].astype(str)) + pd.to_timedelta(t[{name!r}], unit='h')"
            table = f"t.assign(time={whole}).drop(columns=[{time_column!r}, {name!r}])"
            raise UsageError(
                f"{place}: {time_column} has the days of its rows and {name} their hours, and a time is one column",
                advice=_again(place, "timed", f"t = {_read(place)}; {table}.to_csv({{new}}, index=False)"),
            )


def require_items(place: str, moments: pd.Series, labels: pd.Series, files: pd.Series, rows: pd.DataFrame) -> None:
    """Raise UsageError if each of several files is an item of its own, and no column says so.

    Args:
        place: the folder or glob.
        moments: of the rows.
        labels: of their items.
        files: that they are of.
        rows: raw.
    """
    covered = moments.groupby(files.to_numpy()).nunique().mean() / max(1, moments.nunique())
    same = rows.drop(columns=[ROW_SOURCE, ROW_NUMBER, ROW_PROBLEM]).duplicated().mean() > 1 - _COVERED
    if not overlap(moments, labels, files) or covered < _COVERED or same:
        return
    pattern = str(Path(place) / f"*{Path(str(files.iloc[0])).suffix}") if Path(place).is_dir() else place
    each = f"{_read('{file}')}.assign(item=pathlib.Path(file).stem)".replace("'{file}'", "file")
    table = f"pd.concat({each} for file in sorted(glob.glob({pattern!r})))"
    raise UsageError(
        f"{place}: each of its {files.nunique()} files has a row for each time, and no column names the item. "
        "If a file is an item",
        advice=_again(place, "items", f"import glob, pathlib; {table}.to_csv({{new}}, index=False)"),
    )


def made_long(place: str, kept: Sequence[str], variable: str) -> list[str]:
    """Return the commands that make a row for each item and time of a file, and draft a spec for them.

    Args:
        place: the file.
        kept: columns that stay columns.
        variable: what the names of the others are: time or item.
    """
    melted = f"{_read(place)}.melt({list(kept)!r}, var_name={variable!r}, value_name='value')"
    return _again(place, "long", f"{melted}.to_csv({{new}}, index=False)")


def _again(place: str, what: str, code: str) -> list[str]:
    """Return the commands that write a table anew beside itself, and draft a spec for that.

    Args:
        place: the file.
        what: the new one is, for its name.
        code: that writes it to {new}; pandas is imported.
    """
    old = Path(re.sub(r"[*?\[\]]", "", place))
    ending = "csv" if ".to_csv(" in code else old.suffix.lstrip(".") or "csv"
    new = str(old.with_name(f"{old.stem or 'all'}_{what}.{ending}"))
    said = "import pandas as pd; " if "pd." in code else ""
    script = said + code.replace("{new}", repr(new))
    plain = not re.search('["`!]', script)
    quoted = '"' + script.replace("$", r"\$") + '"' if plain else shlex.quote(script)
    return [f"python -c {quoted}", f"mlops-assets init {shlex.quote(new)}"]


def _read(place: str) -> str:
    ending = Path(place).suffix.lower()
    if ending in (".parquet", ".xlsx"):
        return f"pd.read_{ending[1:].replace('xlsx', 'excel')}({place!r})"
    if ending in (".json", ".jsonl"):
        return f"pd.read_json({place!r}, lines={ending == '.jsonl'})"
    return f"pd.read_csv({place!r}, sep=None, engine='python')"


def overlap(moments: pd.Series, labels: pd.Series, files: pd.Series) -> bool:
    """Whether rows share their item and time with rows of other files alone: exports of days that overlap."""
    return files.nunique() > 1 and _alone(moments, labels, files) >= _ALONE


def _alone(moments: pd.Series, labels: pd.Series, further: pd.Series) -> float:
    """Return the share of the rows that are alone with their item and time, and what else is known of them."""
    keys = pd.DataFrame({"time": np.asarray(moments), "item": np.asarray(labels), "further": np.asarray(further)})
    return 1 - float(keys.duplicated(keep=False).mean())
