"""Which field of the spec would mend what the contract says of rows: guesses from the rows themselves, as questions."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from mlops_assets.forecasting.data import hints_of_time, hints_of_values
from mlops_assets.forecasting.data.contract import Checked, Contract

_LOOKED_AT = 5_000
"""Rows of each reason that are read again: enough to see what they have in common."""


def of_rejected(checked: Checked, contract: Contract) -> list[str]:
    """Guess why rows were rejected or collapsed, the most frequent reason first.

    Args:
        checked: what the contract said. Its rejected rows may also come from where they are stored.
        contract: that said it.

    Returns:
        Questions such as `all 104 rows are Mondays: frequency: W-MON?`; none where nothing is obvious.
    """
    found = [_of_reason(reason, checked, contract) for reason in checked.reasons]
    if len(checked.repeated):
        good = checked.counts["rows_collapsed"] + checked.counts["rows_accepted"]
        found.append(hints_of_values.of_repeated(len(checked.repeated), good))
    return list(dict.fromkeys(hint for hint in found if hint))


def of_accepted(checked: Checked, contract: Contract, median: bool) -> list[str]:
    """Guess what is wrong with rows that keep the contract.

    Args:
        checked: what the contract said.
        contract: that said it.
        median: whether their median will be the point forecast, and nobody has said that it should.
    """
    rows = checked.accepted
    found = [
        hints_of_time.of_steps(rows, contract.frequency),
        hints_of_values.of_sentinels(rows["target"], contract.target),
        hints_of_values.of_twins(rows["item_id"]),
        hints_of_values.of_names(rows["item_id"]),
        hints_of_values.of_zeros(rows["target"]) if median else "",
    ]
    return [hint for hint in found if hint]


def _of_reason(reason: str, checked: Checked, contract: Contract) -> str:
    rows = checked.quarantined[checked.quarantined["reason"] == reason]
    read = rows.head(_LOOKED_AT)
    if reason == "unparsable_timestamp":
        return hints_of_time.of_unread(_values(read, contract.timestamp), contract)
    if reason == "off_grid":
        return hints_of_time.of_grid(rows["timestamp"], checked.accepted["timestamp"], _records(read), contract)
    if reason == "in_the_future":
        return hints_of_values.of_future(len(rows))
    if reason == "target_not_a_number":
        return hints_of_values.of_texts(_values(read, contract.target), contract.target)
    if reason == "covariate_not_a_number":
        names = [name for name in (*contract.known, *contract.past) if f"column {name}: " in read["detail"].iloc[0]]
        return hints_of_values.of_texts(_values(read, names[0]), names[0]) if names else ""
    if reason == "conflicting_duplicate":
        return hints_of_values.of_conflicts(rows, ZoneInfo(contract.time_zone), contract.frequency)
    return ""


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Read rows back from quarantine; a record that is no JSON object is an empty one."""
    found = []
    for text in rows["record"]:
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        found.append(record if isinstance(record, dict) else {})
    return found


def _values(rows: pd.DataFrame, column: str) -> list[Any]:
    return [record[column] for record in _records(rows) if record.get(column) is not None]
