"""Hold the files of a folder against the models of those who read them; run by the Python that has their packages."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from azure.mgmt.datafactory import models  # pyright: ignore[reportMissingImports]
from databricks.bundles.jobs import Job  # pyright: ignore[reportMissingImports]

ACTIVITIES = models.ControlActivity.__mapping__ | models.ExecutionActivity.__mapping__
SOURCES = models.CopySource.__mapping__ | models.TabularSource.__mapping__


def check(model: Any, given: dict[str, Any]) -> Any:
    """Raise ValueError for a field that the model does not have: it would be left out without a word."""
    made = model(given)
    unknown = set(given) - {field._rest_name for field in type(made)._attr_to_rest_field.values()}
    if unknown:
        raise ValueError(f"{model.__name__} has no {', '.join(sorted(unknown))}")
    return made


def check_activities(given: list[dict[str, Any]]) -> None:
    """Check activities and all that are within them."""
    for one in given:
        made, inner = check(ACTIVITIES[one["type"]], one), one["typeProperties"]
        check(type(made.type_properties), inner)
        if "source" in inner:
            check(SOURCES[inner["source"]["type"]], inner["source"])
        check_activities(inner.get("activities", []))
        for case in inner.get("cases", []):
            check_activities(case["activities"])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    pipeline = json.loads((folder / "data_factory_pipeline.json").read_text(encoding="utf-8"))
    check(models.Pipeline, pipeline["properties"])
    check_activities(pipeline["properties"]["activities"])
    bundle = yaml.safe_load((folder / "databricks" / "databricks.yml").read_text(encoding="utf-8"))
    for job in bundle["resources"]["jobs"].values():
        Job.from_dict(job)  # refuses a field that it does not know
