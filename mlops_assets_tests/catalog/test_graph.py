"""Small pieces of metadata."""

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.metadata import markdown_table
from mlops_assets_tests.worlds import declare


def test_names_in_a_table_are_neither_markup_nor_further_cells_or_lines():
    name = "a|b *c* <b>d</b> [e](http://f) `g`\nh \\ i_1"
    head, rule, row = markdown_table(pd.DataFrame({"item": [name], "wql": [0.25]})).splitlines()
    assert (head, rule) == ("| item | wql |", "|---|---|")
    assert row == r"| a\|b \*c\* \<b>d\</b> \[e\](http://f) \`g\` h \\ i_1 | 0.25 |"


def test_observations_without_rows_have_the_types_of_their_covariates(tmp_path):
    spec = declare(tmp_path, covariates={"past": ["rain"], "static": ["region"]})
    empty = Graph(spec).without_rows("observations")
    assert [*empty.columns] == ["item_id", "timestamp", "target", "rain", "region", "known_at"]
    assert empty[["target", "rain"]].dtypes.eq("float64").all()
    assert empty["region"].dtype == object
