"""Figures and series as bytes and as Markdown, small enough to keep beside what they show."""

import base64
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.forecasting.charts import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def _quietly() -> Iterator[None]:
    """Draw without warnings that nobody can act on: letters that the font lacks are boxes, dates lie as they do."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph|AutoDateLocator", UserWarning)
        yield


def to_png(figure: "Figure", dpi: int = 100) -> bytes:
    """Render a figure as a PNG of 128 colours: half the size of full colour, and looks the same."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    with _quietly():
        canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    pixels.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def markdown_image(figure: "Figure", alt: str) -> str:
    """Return Markdown that shows the figure from its own text: a PNG in a data URI."""
    return f"![{_alt(alt)}](data:image/png;base64,{base64.b64encode(to_png(figure)).decode()})"


def sparkline(values: Sequence[float] | pd.Series, alt: str = "sparkline") -> str:
    """Return Markdown of a word-sized line of the values: below 1,000 characters, however many values.

    Dagster shows Markdown below that length in the table itself. Missing values are gaps; more than 40 values
    are averaged in runs of equal length; the last one there is has a dot. Without any value the text
    `no values` is returned.
    """
    numbers = np.asarray(values, dtype=float)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    if np.isnan(numbers).all():
        return "no values"
    if len(numbers) > 40:
        numbers = np.array([_mean(run) for run in np.array_split(numbers, 40)])
    low, span = np.nanmin(numbers), np.ptp(numbers[~np.isnan(numbers)])
    x = np.linspace(3, 117, len(numbers)) if len(numbers) > 1 else np.array([60.0])
    y = 21 - 18 * (numbers - low) / span if span > 0 else np.where(np.isnan(numbers), np.nan, 12.0)
    path, pen = "", "M"
    for across, down in zip(x, y, strict=True):
        if np.isnan(down):
            pen = "M"
            continue
        path += f"{pen}{across:.0f} {down:.0f}"
        pen = "L"
    last = np.flatnonzero(~np.isnan(y))[-1]
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="24">'
        f'<path d="{path}" fill="none" stroke="{style.BLUE}"/>'
        f'<circle cx="{x[last]:.0f}" cy="{y[last]:.0f}" r="2" fill="{style.ORANGE}"/></svg>'
    )
    return f"![{_alt(alt)[:80]}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _mean(run: np.ndarray) -> float:
    return float(np.nanmean(run)) if np.isfinite(run).any() else float("nan")


def _alt(text: str) -> str:
    return re.sub(r"[\[\]\s]+", " ", text).strip()
