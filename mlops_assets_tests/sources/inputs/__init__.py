"""What sources really hold: every odd input that is tried, and what becomes of it.

A module for each kind, with a list. `test_inputs` reads each as a user would, and docs/inputs.md is written from them.
"""

from mlops_assets_tests.sources.inputs import csv_texts, duplicates, items, json_texts, numbers, tables, times
from mlops_assets_tests.sources.inputs.input import Input

KINDS: dict[str, list[Input]] = {
    "Times": times.INPUTS,
    "Numbers": numbers.INPUTS,
    "Names of items": items.INPUTS,
    "Rows that stand there twice": duplicates.INPUTS,
    "CSV": csv_texts.INPUTS,
    "JSON": json_texts.INPUTS,
    "Parquet, Excel, archives, folders": tables.INPUTS,
}
