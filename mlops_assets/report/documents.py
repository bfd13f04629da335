"""The state of a forecast as plain JSON: for the read API, and for the page that is one file."""

from typing import Any

from mlops_assets.catalog.names import ADJUSTMENTS, FORECASTS
from mlops_assets.forecasting.evaluation.metrics import outer_pair
from mlops_assets.report.overview import Overview
from mlops_assets.report.sections import cards, overview_sections, quality_sections
from mlops_assets.report.sources import Sources
from mlops_assets.spec import ForecastSpec

OK, ATTENTION, EMPTY = "ok", "attention", "empty"
"""States of a forecast, in one word."""


def state_of(found: Overview) -> str:
    """Return the state of a forecast in one word."""
    return EMPTY if not found.assets else ATTENTION if found.problems else OK


def listed(spec: ForecastSpec, found: Overview, items: int | None = None) -> dict[str, Any]:
    """Return the row of a forecast in the list of all: who forecasts, from where, how good, what is wrong.

    Args:
        spec: the forecast.
        found: its state.
        items: how many it has, where that is known.
    """
    score, champion = found.accuracy, found.champion
    return {
        "name": spec.name,
        "description": spec.description,
        "frequency": spec.frequency,
        "horizon": spec.horizon,
        "items": items,
        "latest_origin": found.last.get(FORECASTS),
        "champion": champion.version if champion is not None else None,
        "model_kind": champion.model_kind if champion is not None else None,
        "metric": score.metric if score is not None else spec.retraining.metric,
        "value": score.value if score is not None else None,
        "skill": score.skill if score is not None else None,
        "state": state_of(found),
        "problems": list(found.problems),
    }


def state(sources: Sources, found: Overview) -> dict[str, Any]:
    """Return what a view of a forecast begins with: what is forecast, how good it is in words, who is champion."""
    spec, task, champion = sources.spec, sources.spec.task, found.champion
    pair = outer_pair(task.quantiles)
    return {
        "forecast": spec.name,
        "name": spec.name,
        "description": spec.description,
        "frequency": spec.frequency,
        "horizon": spec.horizon,
        "quantiles": list(task.quantiles),
        "zone": spec.zone.key,
        "point_column": task.point_column,
        "season": task.season_lengths[0],
        "covariates_known": list(task.known),
        "words": sources.reader.words(),
        "champion": None
        if champion is None
        else {
            "version": champion.version,
            "kind": champion.model_kind,
            "since": champion.since,
            "decided_by": champion.decided_by,
            "trained_until": champion.trained_until,
            "link": champion.link,
        },
        "retraining": {
            "metric": spec.retraining.metric,
            "limit": found.accuracy.limit if found.accuracy is not None else None,
            "coverage": round(pair[1] - pair[0], 9) if pair is not None else None,
            "band": next((list(rules.coverage) for rules in spec.rules_of_retraining if rules.coverage), None),
        },
        "problems": list(found.problems),
        "links": {
            "dagster": sources.notifications.asset_link(spec.name, FORECASTS),
            "mlflow": sources.tracking.links.model(spec.name),
        },
        "at": found.at,
        "adjustable": False,
        "adjusted": sources.stored.exists(ADJUSTMENTS),
        "reasons": list(spec.adjustments.reasons),
        "services": [found.external.service] if found.external is not None else [],
        "hierarchy": list(spec.hierarchy.levels) if spec.hierarchy is not None else [],
    }


def overview(sources: Sources, found: Overview, partition: str = "") -> dict[str, Any]:
    """Return what is told of the forecast as a whole.

    Args:
        sources: where the facts come from.
        found: its state.
        partition: after whose round it is told; empty: at any time.
    """
    return {
        **_head(found),
        "description": found.description,
        "partition": partition,
        "problems": list(found.problems),
        "cards": [card.to_json() for card in cards(found)],
        "sections": [section.to_json() for section in overview_sections(sources, found)],
    }


def quality(sources: Sources, found: Overview) -> dict[str, Any]:
    """Return what is told of its data."""
    return {**_head(found), "sections": [section.to_json() for section in quality_sections(sources, found)]}


def _head(found: Overview) -> dict[str, Any]:
    return {"forecast": found.forecast, "at": found.at}
