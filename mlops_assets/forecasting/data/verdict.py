"""What becomes of each row that a source gives: which are rejected, and why."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.parsing import Mask

ROW_SOURCE = "_source"
ROW_NUMBER = "_row"
ROW_PROBLEM = "_problem"
REASON, DETAIL, MOMENT = "\0reason", "\0detail", "\0moment"
"""What rejected raw rows are given: why, in words, and when they are of. No column of a source is called so."""
CUT_OFF = "the file ends without a line end, so that the row may be cut; if it is whole: source.complete: true"
"""The problem of a row that could be split into its columns, and may be cut all the same."""

REASONS: dict[str, str] = {
    "malformed_row": "the source could not split the row into its columns",
    "cut_off_row": "the file ends without a line end, within or right after the row",
    "missing_timestamp": "the timestamp is empty",
    "unparsable_timestamp": "the timestamp is not a date or time in the declared format",
    "in_the_future": "a target is given for a moment that has not come yet",
    "outside_window": "the source was asked for a window of time and gave a row outside it",
    "off_grid": "the timestamp is not on the grid of the frequency",
    "repeated_hour": "the hour comes twice when the clocks go back, and this is its second time",
    "skipped_hour": "the hour does not come: the clocks go forward over it",
    "missing_item": "a column that names the item is empty",
    "nul_in_text": "a name or category holds the character NUL, which no database stores",
    "target_not_a_number": "the target is not a number",
    "target_infinite": "the target is infinite",
    "covariate_not_a_number": "a known or past covariate is neither a number nor true or false",
    "covariate_infinite": "a known or past covariate is infinite",
    "conflicting_duplicate": "another row of the same item and timestamp says otherwise",
}


class Verdict:
    """Which rows are rejected and why; the first reason stays. Rows that are ignored are rejected no more."""

    def __init__(self, rows: int) -> None:
        self.reason = np.full(rows, None, dtype=object)
        self.detail = np.full(rows, "", dtype=object)
        self.rejected = np.zeros(rows, dtype=bool)
        self.ignored = np.zeros(rows, dtype=bool)

    def reject(self, rows: Mask, reason: str, values: pd.Series, detail: Callable[[Any], str]) -> None:
        """Reject the rows of a mask; `detail` says in words what is wrong with the value of one."""
        new = np.flatnonzero(rows & ~self.rejected & ~self.ignored)
        self.put(new, reason, [detail(value) for value in values.iloc[new]])

    def put(self, numbers: np.ndarray, reason: str, words: Sequence[str]) -> None:
        """Reject rows by number, none of which is rejected yet, with words for each."""
        self.reason[numbers] = reason
        self.detail[numbers] = words
        self.rejected[numbers] = True

    def rejected_rows(self, raw: pd.DataFrame, moments: pd.Series) -> pd.DataFrame:
        """Return the rejected raw rows with their `REASON`, `DETAIL` and `MOMENT`."""
        rows = np.flatnonzero(self.rejected)
        return _with_reasons(raw.take(rows), self.reason[rows], self.detail[rows], moments.take(rows))


def with_reason(rows: pd.DataFrame, reason: str, details: Sequence[str], moments: pd.Series) -> pd.DataFrame:
    """Return raw rows as `Verdict.rejected_rows` does, all rejected for one reason, with words for each."""
    return _with_reasons(rows, reason, np.array(details, dtype=object), moments)


def _with_reasons(rows: pd.DataFrame, reason: Any, details: np.ndarray, moments: pd.Series) -> pd.DataFrame:
    return rows.assign(**{REASON: reason, DETAIL: details, MOMENT: moments.to_numpy()})


def quarantine(rejected: pd.DataFrame) -> pd.DataFrame:
    """Return the table of the rejected rows.

    Args:
        rejected: as `Verdict.rejected_rows` returns them.
    """
    content = rejected.drop(columns=[ROW_SOURCE, ROW_NUMBER, ROW_PROBLEM, REASON, DETAIL, MOMENT], errors="ignore")
    records = _records(content)
    if ROW_PROBLEM in rejected.columns:
        malformed, text = rejected[ROW_PROBLEM].notna() & ~is_cut(rejected), content.iloc[:, 0]
        records = [str(t) if bad else r for t, bad, r in zip(text, malformed, records, strict=True)]
    return pd.DataFrame(
        {
            "reason": rejected[REASON].to_numpy(dtype=object),
            "detail": rejected[DETAIL].to_numpy(dtype=object),
            "source": rejected[ROW_SOURCE].astype(str).to_numpy(),
            "source_row": rejected[ROW_NUMBER].astype("int64").to_numpy(),
            "timestamp": rejected[MOMENT].to_numpy(),
            "record": np.array(records, dtype=object),
        }
    )


def _records(frame: pd.DataFrame) -> list[str]:
    """Write each row as JSON, missing values as null."""
    columns = [
        [None if gone else value for value, gone in zip(frame[name], frame[name].isna(), strict=True)]
        for name in frame.columns
    ]
    encode = json.JSONEncoder(default=str, ensure_ascii=False).encode
    return [encode(dict(zip(frame.columns, row, strict=True))) for row in zip(*columns, strict=True)]


def is_cut(raw: pd.DataFrame) -> Mask:
    """Say which raw rows are whole in their columns, and may be cut all the same."""
    problems = raw.get(ROW_PROBLEM)
    return np.zeros(len(raw), dtype=bool) if problems is None else (problems == CUT_OFF).to_numpy()
