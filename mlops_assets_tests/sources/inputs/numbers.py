"""Numbers."""

from mlops_assets_tests.sources.inputs.input import GAP, Input, cell, noted, reads, rejects

_PLAIN = {"12": 12, " 12 ": 12, "1e3": 1000, "+.5": 0.5, "1.": 1, "-0": 0, "1E-2": 0.01, "0004": 4}
_WRITINGS = {
    "100,63": (100.63, "decimal ','"),
    "0,5": (0.5, "decimal ','"),
    "-2,25": (-2.25, "decimal ','"),
    "1234,567": (1234.567, "decimal ','"),
    "5,": (5, "decimal ','"),
    "1.234,5": (1234.5, "decimal ',' and thousands '.'"),
    "12.345.678": (12345678, "decimal ',' and thousands '.'"),
    "1,234.5": (1234.5, "decimal '.' and thousands ','"),
    "1,234,567": (1234567, "decimal '.' and thousands ','"),
    "1 234,56": (1234.56, "decimal ',' and thousands ' '"),
    "1 234": (1234, "decimal '.' and thousands ' '"),
    "1\u202f234,5": (1234.5, "decimal ',' and thousands ' '"),
    "1'234.50": (1234.5, "decimal '.' and thousands \"'\""),
    "1’234": (1234, "decimal '.' and thousands \"'\""),
}
_NO_NUMBER = [
    "1,234", "-1,234", "1_000", "0x10", "0b1", "1 00", "1 5", "1e", "e5", "--1", "+-1", "½", "١٢", "１２", "true",
    "zero", "1;", "1.2.3", "12,34,5", "1,2,3", "€ 5", "5 EUR", "$5", "12 %", "(5)", "5-", "−5", "<5", "~5", "5k", "1/2",
    "[1]", "{}", "?", "x", "closed", "#DIV/0!", "#REF!", "#VALUE!", "=A1", "2024-03-05", "5°", "1..2", "1,2.3,4",
]  # fmt: skip
_MISSING = [
    "NA", "N/A", "n/a", "#N/A", "#NV", "NULL", "null", "None", "NaN", "nan", "-", "–", "—", ".", "..", "\\N", "(null)",
    "<NA>",
]  # fmt: skip

INPUTS: list[Input] = [
    *(cell("sales", text, reads(1, 2, number)) for text, number in _PLAIN.items()),
    *(cell("sales", text, noted(f"read with {form}", 1, 2, number)) for text, (number, form) in _WRITINGS.items()),
    *(cell("sales", text, rejects("target_not_a_number")) for text in _NO_NUMBER),
    *(cell("sales", text, noted(f"1 × {text!r} read as missing", 1, 2, GAP)) for text in _MISSING),
    *(cell("sales", text, rejects("target_infinite")) for text in ("inf", "-inf", "Infinity", "1e400", "-1e400")),
    cell("sales", "9" * 400, rejects("target_infinite"), "a number of 400 digits"),
    cell("sales", "", reads(1, 2, GAP), "an empty value"),
    cell("sales", "  ", reads(1, 2, GAP), "a value of spaces"),
    cell("sales", "9007199254740993", noted("beyond 2^53 rounded", 1, 2, 2.0**53), "2^53 + 1"),
    cell("sales", "-999", noted("read as missing", 1, 2, GAP), "-999, declared", source={"na_values": [-999]}),
    cell("sales", "-999.0", noted("-999 read as missing", 1, 2, GAP), "-999.0, declared", source={"na_values": [-999]}),
    cell("sales", "sold out", noted("'sold out' read as missing", 1, 2, GAP), source={"na_values": "sold out"}),
    cell("sales", "1,234", reads(1, 2, 1.234), "`1,234`, the comma declared", source={"decimal": ","}),
    cell("sales", "1,234", reads(1, 2, 1234), "`1,234`, groups declared", source={"thousands": ","}),
    cell("sales", "1.5", rejects("target_not_a_number"), "a point, the comma declared", source={"decimal": ","}),
    cell("sales", "1,5", rejects("target_not_a_number"), "a comma, the point declared", source={"decimal": "."}),
    cell("rain", "dear", rejects("covariate_not_a_number")),
    cell("rain", "1,234", rejects("covariate_not_a_number")),
    cell("rain", "inf", rejects("covariate_infinite")),
    cell("rain", "true", reads(1, 2, 4)),
    cell("rain", "NA", noted("column rain: 1 × 'NA' read as missing", 1, 2, 4)),
    cell("rain", "1,5", noted("column rain: read with decimal ','", 1, 2, 4)),
    cell("rain", "", reads(1, 2, 4), "an empty covariate"),
]
