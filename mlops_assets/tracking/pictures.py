"""Pictures as files, for MLflow to keep."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def png_file(figure: "Figure", file: str) -> Iterator[tuple[str, str | None]]:
    """Write a picture to a temporary file; give its path and the folder that it is to have as an artifact."""
    from mlops_assets.forecasting.charts.render import to_png

    folder, _, name = file.rpartition("/")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / name
        path.write_bytes(to_png(figure))
        yield str(path), folder or None
