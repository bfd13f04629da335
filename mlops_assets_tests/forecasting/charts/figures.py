"""What a figure says, for the tests of all pictures."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import mlops_assets

ORIGIN = pd.Timestamp("2013-11-24")


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def head(figure) -> tuple[str, list[str]]:
    (legend,) = figure.legends
    return legend.get_title().get_text(), [text.get_text() for text in legend.get_texts()]


def notes(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def line(figure, colour: str, panel: int = 0) -> np.ndarray:
    drawn = [each for each in figure.axes[panel].lines if each.get_color() == colour]
    return np.asarray(drawn[0].get_ydata(), dtype=float)


NAN = float("nan")


EXAMPLE = Path(mlops_assets.__file__).parent / "forecasts" / "nyc_departures.csv"


def empty(*columns: str) -> pd.DataFrame:
    return pd.DataFrame(columns=pd.Index(columns))


def scores(metric: str = "wql", **by_model: list[float]) -> pd.DataFrame:
    rows = [(model, i + 1, i + 1, value) for model, values in by_model.items() for i, value in enumerate(values)]
    return pd.DataFrame(rows, columns=pd.Index(["model", "window", "lead", metric]))


def size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size
