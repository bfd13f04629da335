"""What `dg scaffold defs mlops_assets.Forecast NAME` writes: a forecast that runs."""

from datetime import datetime, timezone
from os.path import relpath
from pathlib import Path
from textwrap import indent

from dagster.components import Scaffolder, ScaffoldRequest
from pydantic import BaseModel, Field

from mlops_assets.spec.folder import name_of

_IN_PYTHON = '''"""The forecast {name}."""

from pathlib import Path

import dagster as dg

from mlops_assets import Forecast, load_spec


@dg.component_instance
def load(context: dg.ComponentLoadContext) -> Forecast:
    """Read the spec beside this file."""
    return Forecast(load_spec(Path(__file__).with_name("{name}.yaml")))
'''


class ScaffoldParams(BaseModel):
    """What `dg scaffold` may be told."""

    table: str | None = Field(
        default=None,
        description="Table to draft the spec from: a file, folder, glob or address. Default: a table of made-up sales.",
    )


class ForecastScaffolder(Scaffolder[ScaffoldParams]):
    """Drafts a spec from a table, as `mlops-assets init` does."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        """What may be given."""
        return ScaffoldParams

    def scaffold(self, request: ScaffoldRequest[ScaffoldParams]) -> None:
        """Write `defs.yaml`, or with `--format python` a spec and the `component.py` that loads it."""
        from mlops_assets.drafts.draft import draft
        from mlops_assets.projects.sample import write_sample

        # The name is the folder's: with several components in one file, the file's folder.
        folder = request.target_path.parent if request.append else request.target_path
        name, table = name_of(folder.name), request.params.table
        if table is None:
            table = relpath(folder / f"{name}.csv")
            write_sample(Path(table))
        in_python = request.scaffold_format == "python"
        file = folder / (f"{name}.yaml" if in_python else "defs.yaml")
        text = draft(table, file, name, datetime.now(timezone.utc)).text
        if in_python:
            file.write_text(text, encoding="utf-8")
            (folder / "component.py").write_text(_IN_PYTHON.format(name=name), encoding="utf-8")
            return
        fields = "\n".join(line for line in text.splitlines() if "yaml-language-server" not in line)
        with file.open("a" if request.append else "w", encoding="utf-8") as opened:
            opened.write("---\n" if request.append else "")
            opened.write(f"type: {request.type_name}\nattributes:\n{indent(fields, '  ')}\n")
