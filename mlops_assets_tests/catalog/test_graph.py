"""Small pieces of metadata."""

import pandas as pd

from mlops_assets.catalog.metadata import markdown_table


def test_names_in_a_table_are_neither_markup_nor_further_cells_or_lines():
    name = "a|b *c* <b>d</b> [e](http://f) `g`\nh \\ i_1"
    head, rule, row = markdown_table(pd.DataFrame({"item": [name], "wql": [0.25]})).splitlines()
    assert (head, rule) == ("| item | wql |", "|---|---|")
    assert row == r"| a\|b \*c\* \<b>d\</b> \[e\](http://f) \`g\` h \\ i_1 | 0.25 |"
