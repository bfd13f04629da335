"""Forecasts of all items of a frame from the origin of a partition, without a table that they are read from."""

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.stages.predict import Maker, forecast_some, known_at
from mlops_assets.stages.shards.origin import Origin, Predicted


def forecast(
    graph: Graph, key: str, observations: pd.DataFrame, future: pd.DataFrame | None, maker: Maker | None = None
) -> Predicted:
    """Forecast from the origin of a partition; without a maker, seasonal naive does."""
    origin = Origin(graph.spec, known_at(graph, key, observations)[1])
    origin.add(forecast_some(graph, key, observations, future, maker or Maker()))
    return origin.predicted()
