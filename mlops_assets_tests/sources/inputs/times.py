"""Times."""

from mlops_assets_tests.sources.inputs.input import Input, cell, counts, noted, reads, rejects, text_of

_NO_TIME = [
    "now", "today", "NaT", "None", "NULL", "12", "05/03/2024", "03/05/2024", "5 March 2024", "05.03.2024", "5.3.24",
    "2024-02-30", "2024-13-01", "2024-00-10", "0000-00-00", "2024-03-05T24:00", "2024-03-05Z", "2024-03-05+01:00",
    "2024-03-05 00:00 EST", "2024-W10-2", "2024-065", "1709596800", "1709596800000", "45356", "March 2024",
    "٢٠٢٤-٠٣-٠٥", "-2024-03-05", "9999-12-31", "2024-03-05T00:00:00+99:00", "2024-03-05 to 2024-03-06",
]  # fmt: skip
_TIMES = ["2024/03/05", "2024-3-5", "20240305", "2024-03-05T00", "2024-03-05 00:00:00.000", " 2024-03-05 "]
_NEW_YORK = {"frequency": "h", "time_zone": "America/New_York"}
_GERMAN = {"columns": {"item_id": "item", "timestamp": "day", "target": "sales", "timestamp_format": "%d.%m.%Y"}}

INPUTS: list[Input] = [
    *(cell("day", text, reads(1, 2, 4)) for text in _TIMES),
    *(cell("day", text, rejects("unparsable_timestamp")) for text in _NO_TIME),
    cell("day", "", rejects("missing_timestamp"), "an empty day"),
    cell("day", "  ", rejects("missing_timestamp"), "a day of spaces"),
    cell("day", "2024-03-05T01:00", rejects("off_grid")),
    cell("day", "2024-03-05 23:59:59", rejects("off_grid")),
    cell("day", "2024-03-05T00:00:00.000001", rejects("off_grid")),
    cell("day", "2024-03-05T00:00:00-05:00", rejects("off_grid")),
    cell("day", "2025-03-05", rejects("in_the_future")),
    cell("day", "2124-03-05", rejects("in_the_future")),
    cell("day", "1999-03-05", counts("rows_of_other_times")),
    cell("day", "2024-03-05T00:00:00Z", noted("1 values name an offset", 1, 2, 4), "an offset in one row only"),
    cell("day", "2024-03-05T01:00+01:00", noted("1 values name an offset", 1, 2, 4)),
    cell("day", "2024-03-10 02:00", rejects("skipped_hour"), "an hour that the clocks skip", spec=_NEW_YORK),
    cell("day", "2023-11-05T06:00Z", rejects("repeated_hour"), "the second time of an hour", spec=_NEW_YORK),
    cell("day", "2024-03-05 10:30", rejects("off_grid"), "half an hour in an hourly series", spec=_NEW_YORK),
    Input(
        "another format than the declared one",
        {"sales.csv": text_of([["a", "01.03.2024", 1, 0, "k"], ["a", "2024-03-02", 2, 0, "k"]])},
        rejects("unparsable_timestamp", 1),
        spec=_GERMAN,
    ),
    Input(
        "a day that is not in its month, in the declared format",
        {"sales.csv": text_of([["a", "01.03.2024", 1, 0, "k"], ["a", "31.02.2024", 2, 0, "k"]])},
        rejects("unparsable_timestamp", 1),
        spec=_GERMAN,
    ),
]
