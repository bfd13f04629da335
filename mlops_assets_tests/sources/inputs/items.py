"""Names of items."""

from mlops_assets_tests.sources.inputs.input import Input, cell, reads, rejects

_NAMES = ["007", "NA", "null", "Köln", "日本", "🍎", "b/c", "50%", "b,c", 'b "x"', "b;c", "-", "1,5", "2024-03-05"]

INPUTS: list[Input] = [
    *(cell("item", name, reads(1, 2, 4)) for name in _NAMES),
    cell("item", " b ", reads(1, 2, 4), "an item with spaces around it"),
    cell("item", "b\nc", reads(1, 2, 4), "an item of two lines"),
    cell("item", "b" * 5000, reads(1, 2, 4), "an item of 5,000 letters"),
    cell("item", "", rejects("missing_item"), "an empty item"),
    cell("item", "  ", rejects("missing_item"), "an item of spaces"),
    cell("item", "b\0c", rejects("nul_in_text"), "an item with the character NUL"),
    cell("kind", "k\0", rejects("nul_in_text"), "a category with the character NUL"),
    cell("kind", "", reads(1, 2, 4), "an empty category"),
]
