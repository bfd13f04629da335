"""A round and an evaluation with a metric that the package does not know: what they say of it, as JSON.

Run as a program, because specs and tables learn the metrics when they are imported.
"""

import json
import sys
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from mlops_assets.forecasting.evaluation.metrics import Metric, Rows, outer_pair, register


@register
class Msis(Metric):
    """Mean scaled interval score after Makridakis et al. (2020), "The M4 competition", IJF 36."""

    name, title = "msis", "MSIS"
    meaning = "Mean scaled interval score of the outermost quantiles."
    since = "0.2.0"
    average = "series"

    def losses(self, rows: Rows) -> np.ndarray:
        """Widths of intervals, and what lies outside of them, in units of the scale."""
        ends = outer_pair(rows.task.quantiles)
        assert ends is not None
        low, high = (rows.quantile(level) for level in ends)
        outside = np.maximum(low - rows.target, 0) + np.maximum(rows.target - high, 0)
        return (high - low + 2 / (1 - ends[1] + ends[0]) * outside) / rows.column("mase_scale")


def main(partition: str) -> None:
    """Evaluate and run `demo`; print where the metric has arrived."""
    from mlops_assets.catalog.descriptions import to_markdown
    from mlops_assets.commands.main import main as cli
    from mlops_assets.environments import open_stores
    from mlops_assets.settings import Settings
    from mlops_assets.spec import json_schema

    run = CliRunner().invoke(cli, ["run", "demo", "--retrain", "--partition", partition], catch_exceptions=False)
    drawn = CliRunner().invoke(cli, ["evaluate", "demo"], catch_exceptions=False, env={"COLUMNS": "200"})
    status = CliRunner().invoke(cli, ["status", "demo"], catch_exceptions=False)
    page = Path("page.html")
    CliRunner().invoke(cli, ["report", "demo", "--output", str(page)], catch_exceptions=False)
    with open_stores(Settings.read()) as stores:
        registry = stores.tracking.registry("demo")
        newest = max(registry.versions(), key=lambda version: version.number)
        scores = stores.tables.read(["demo", "accuracy_scores"])
        found = {
            "run": run.output,
            "evaluate": drawn.output,
            "status": status.output,
            "scores": dict(scores.query("scope == 'all'").groupby("partition")["msis"].last().astype(object)),
            "mlflow": registry.metrics(newest),
            "gate": str(stores.tables.read(["demo", "decisions"])["rules"].iloc[-1]),
            "report": page.read_text(encoding="utf-8"),
            "tables.md": to_markdown(),
            "schema": json.dumps(json_schema()),
        }
    print(json.dumps(found, default=str))  # noqa: T201


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main(sys.argv[1])
