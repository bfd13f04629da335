"""CSV as it is exported, mailed and cut."""

import codecs

from mlops_assets_tests.sources.inputs.input import (
    GAP,
    GOOD,
    Input,
    noted,
    plain,
    reads,
    refuses,
    rejects,
    text_of,
)

_TEXT = text_of(GOOD).decode()
_UMLAUT = text_of([*GOOD, ["Köln", "2024-03-05", "4", "0", "k"]]).decode()
_ROWS = "c,2024-03-05,4,0,k\n" * 9
_LAST = ["kind", "item", "day", "rain", "sales"]
_CUT = ",".join(_LAST) + "\nk,a,2024-03-01,0,1\nk,a,2024-03-02,0,2\nk,b,2024-03-05,0,97.00"

INPUTS: list[Input] = [
    plain("nothing", b"", refuses("it is empty")),
    plain("a line end", b"\n", refuses("it is empty")),
    plain("a header only", text_of([]), reads()),
    plain("a byte order mark", codecs.BOM_UTF8 + _TEXT.encode(), reads(1, 2)),
    plain("line ends of Windows", _TEXT.replace("\n", "\r\n"), reads(1, 2)),
    plain("line ends of the first Macs", _TEXT.replace("\n", "\r"), reads(1, 2)),
    plain("empty lines", _TEXT.replace("\n", "\n\n"), reads(1, 2)),
    plain("values in quotation marks", _TEXT.replace("a,", '"a",'), reads(1, 2)),
    plain("UTF-16 with its mark", _UMLAUT.encode("utf-16"), noted("encoding utf-16", 4, 1, 2)),
    plain("UTF-16 without a mark", _TEXT.encode("utf-16-le"), noted("encoding utf-16-le", 1, 2)),
    plain("UTF-32", _TEXT.encode("utf-32"), noted("encoding utf-32", 1, 2)),
    plain("Latin-1", _UMLAUT.encode("latin-1"), refuses("Say source.encoding: cp1252 ('Köln')")),
    plain("Latin-1, declared", _UMLAUT.encode("latin-1"), reads(4, 1, 2), source={"encoding": "latin-1"}),
    plain("Cyrillic of Windows", _UMLAUT.replace("Köln", "Киев").encode("cp1251"), refuses("cp1251 ('Киев')")),
    plain("UTF-8, declared as UTF-16", _UMLAUT, refuses("not UTF-16 text"), source={"encoding": "utf-16"}),
    plain("semicolons", _TEXT.replace(",", ";"), noted("delimiter ';'", 1, 2)),
    plain("tabs", _TEXT.replace(",", "\t"), noted("delimiter tab", 1, 2)),
    plain("bars", _TEXT.replace(",", "|"), noted("delimiter '|'", 1, 2)),
    plain("tabs in a .tsv", _TEXT.replace(",", "\t"), reads(1, 2), "sales.tsv"),
    plain("colons", _TEXT.replace(",", ":"), refuses("no column 'item'")),
    plain("semicolons, commas declared", _TEXT.replace(",", ";"), refuses("no column"), source={"delimiter": ","}),
    plain("the first line sep=; of Excel", "sep=;\n" + _TEXT.replace(",", ";"), reads(1, 2)),
    plain("too few fields", _TEXT + "b,2024-03-05\n", rejects("malformed_row")),
    plain("too many fields", _TEXT + "b,2024-03-05,4,0,k,more\n", rejects("malformed_row")),
    plain("a decimal comma between commas", _TEXT + "b,2024-03-05,4,5,0,k\n", rejects("malformed_row")),
    plain("a delimiter after each row", _TEXT.replace("k\n", "k,\n"), rejects("malformed_row", None)),
    plain("one in the header as well", _TEXT.replace("\n", ",\n"), reads(1, 2)),
    plain("a quotation mark in a value", _TEXT + 'pipe 5",2024-03-05,4,0,k\n', reads(1, 2, 4)),
    plain("a quotation mark that is never closed", _TEXT + '"b,2024-03-05,4,0,k\n' + _ROWS, refuses("never closed")),
    plain("one in the last column", _TEXT + 'b,2024-03-05,4,0,"k\n' + _ROWS, refuses("never closed")),
    plain("the header once more", _TEXT + _TEXT.partition("\n")[0] + "\n", rejects("unparsable_timestamp")),
    plain("a row of totals", _TEXT + "Total,,3,0,\n", rejects("missing_timestamp")),
    plain("a remark at the end", _TEXT + "exported by ERP\n", rejects("malformed_row")),
    plain("a remark at the top", "exported by ERP\n" + _TEXT, refuses("its columns are named in line 2")),
    plain("a column that is missing", _TEXT.replace("sales", "turnover"), refuses("no column 'sales'")),
    plain("a column in capitals", _TEXT.replace("sales", "Sales"), refuses("Did you mean 'Sales'?")),
    plain("a column with a space", _TEXT.replace("sales", " sales"), refuses("Did you mean ' sales'?")),
    plain("a column twice", _TEXT.replace("kind", "sales"), refuses("no column 'kind'")),
    plain("a wanted column twice", "sales," + _TEXT.replace("\n", "\n1,", 2), refuses("stands twice")),
    plain("a page to log in", "<html><body>Log in</body></html>", refuses("no column 'item'")),
    plain("no line end after the last value", _CUT.removesuffix(".00"), rejects("cut_off_row")),
    plain("cut within the last value", _CUT.removesuffix("7.00"), rejects("cut_off_row")),
    plain("cut before the last value", _CUT.removesuffix("97.00"), rejects("cut_off_row")),
    plain("cut within another value", _CUT.removesuffix("-05,0,97.00"), rejects("malformed_row")),
    plain("cut within quotation marks", _CUT.replace("97.00", '"97'), rejects("cut_off_row")),
    plain("no line end, declared complete", _CUT, reads(1, 2, 97), source={"complete": True}),
    plain("no line end after quotation marks", _CUT.replace("97.00", '"97.00"'), reads(1, 2, 97)),
    plain("no line end, the last column not wanted", _TEXT.replace("\n", ",n\n", 3)[:-1], reads(1, 2)),
    plain("a gap at the end of a row", _CUT.replace("97.00", "\n"), reads(1, 2, GAP)),
]
