"""Rows that stand there twice."""

from mlops_assets_tests.sources.inputs.input import GOOD, Input, counts, noted, plain, reads, rejects, text_of

_FIRST, _SECOND = GOOD
_OTHER = ["a", "2024-03-02", "3", "0", "k"]
_TWO_FILES = {"1.csv": text_of(GOOD), "2.csv": text_of([_OTHER])}

INPUTS: list[Input] = [
    plain("the same row twice", text_of([*GOOD, _SECOND]), counts("rows_collapsed")),
    plain("the same row, written otherwise", text_of([*GOOD, [" a", *_SECOND[1:]]]), counts("rows_collapsed")),
    plain("another value for the same item and time", text_of([*GOOD, _OTHER]), rejects("conflicting_duplicate", 1)),
    plain("another category for them", text_of([*GOOD, [*_SECOND[:4], "z"]]), rejects("conflicting_duplicate", 1)),
    plain("another covariate for them", text_of([*GOOD, [*_SECOND[:3], 9, "k"]]), rejects("conflicting_duplicate", 1)),
    Input("the same row in two files", {"1.csv": text_of(GOOD), "2.csv": text_of([_SECOND])}, counts("rows_collapsed")),
    Input("files that contradict each other", _TWO_FILES, rejects("conflicting_duplicate", 1)),
    Input("the same, and the latest wins", _TWO_FILES, counts("rows_superseded", 1, 3), {"latest_wins": "name"}),
    Input("files that continue each other", {"1.csv": text_of([_FIRST]), "2.csv": text_of([_OTHER])}, reads(1, 3)),
    Input(
        "files written in different ways",
        {"1.csv": text_of([_FIRST]), "2.csv": text_of([["a", "2024-03-02", "2,5", "0", "k"]], ";")},
        noted("delimiter ';' in 2.csv", 1, 2.5),
    ),
]
