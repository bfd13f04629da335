"""Made answers in the forms of the read API: of a forecast of daily sales, with items whose names are meant badly."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from mlops_assets.explorer import key_of

FORECAST = "/v1/forecasts/shop"
ITEMS = (
    "north/bread",
    "south/bread",
    "<img src=x onerror=alert(1)>",
    "\"' </script> \U0001f600 &=#?%",
    "x" * 300,
)
FIRST, DAYS, HORIZON = datetime(2024, 1, 1), 120, 14
ORIGINS = range(DAYS - 19, DAYS - 7)
LAST = ORIGINS[-1]
PROMOTED, DRIFTED = DAYS - 15, DAYS - 10
_BY = {"item": "item_id", "version": "model_version"}
WORDS = "On average its forecasts were 20 % better than repeating the last week, over 2,000 forecasts of 20 days."


def documents() -> dict[str, Any]:
    """Return the answers by key, each table with the rows of all items."""
    tables = {
        "observations": [
            {"item_id": item, "timestamp": day(at), "target": value(item, at)} for item in ITEMS for at in range(DAYS)
        ],
        "items": [_item(number, item) for number, item in enumerate(ITEMS)],
        "origins": [{"origin": day(at), "created_at": day(at + 1), "model_version": 3} for at in ORIGINS],
        "calibration": [{"quantile": level, "share": level * 0.9, "rows": 500} for level in (0.1, 0.5, 0.9)],
        "changes": [_change(number, item) for number, item in enumerate(ITEMS)],
        "timeline": [
            _event(PROMOTED, "promotion", "version 3", "https://mlflow.test/3"),
            _event(DRIFTED, "drift", "temperature", "javascript:alert(1)"),
        ],
        "decisions": [
            {"number": 1, "decided_at": day(PROMOTED), "outcome": "promoted", "version": 3, "reason": "Why."}
        ],
        "models": [{"version": number, "kind": "random_forest", "link": None} for number in (1, 2, 3)],
        "importances": [{"feature": "lag 7", "importance": 0.6}, {"feature": "weekday", "importance": 0.3}],
        "jobs": [{"service": "cloud", "partition": day(LAST), "state": "SUCCEEDED"}],
    }
    scored = {
        "all": [""],
        "period": [day(at) for at in range(DAYS - 20, DAYS)],
        "lead": range(1, HORIZON + 1),
        "item": ITEMS,
        "segment": ["promotion", "no promotion"],
        "version": [2, 3],
    }
    return {
        "/v1/forecasts": table([{**_listed(), "name": name} for name in ("shop", "other")]),
        f"{FORECAST}/state": _state(),
        f"{FORECAST}/overview": _overview(),
        f"{FORECAST}/quality": {"forecast": "shop", "at": day(DAYS), "sections": _overview()["sections"]},
        key_of(FORECAST, {"origin": "all", "role": "shadow"}): table(_forecasts()),
        **{f"{FORECAST}/{name}": table(rows) for name, rows in tables.items()},
        **{key_of(f"{FORECAST}/accuracy", {"by": by}): table(_scores(by, values)) for by, values in scored.items()},
    }


def table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an answer with `format=columns`."""
    names = rows[0] if rows else ()
    return {"columns": {name: [row[name] for row in rows] for name in names}, "total": len(rows), "next": None}


def _overview() -> dict[str, Any]:
    rows = {
        "item_id": list(ITEMS),
        "at": [day(LAST)] * len(ITEMS),
        "skill": [0.2] * len(ITEMS),
        "why": [ITEMS[2]] * len(ITEMS),
    }
    labels = {"item_id": "item id", "at": "at", "skill": "skill", "why": "why"}
    told = {"title": "The largest", "columns": rows, "labels": labels, "sentences": ["why"]}
    return {
        "forecast": "shop",
        "at": day(DAYS),
        "partition": day(LAST),
        "problems": [f"a run has failed (https://dagster.test/1); {ITEMS[2]}", ITEMS[4]],
        "cards": [{"name": "champion", "value": "version 3", "note": "random_forest"}],
        "sections": [{"title": "Items", "sentences": [f"See https://mlflow.test/3 and {ITEMS[3]}"], "tables": [told]}],
    }


def value(item: str, at: int) -> float:
    """Return what an item sells on a day."""
    return round(60 + 5 * ITEMS.index(item) + 12 * math.sin(at / 7 * 2 * math.pi) + 8 * math.sin(at / 31), 2)


def day(at: int) -> str:
    """Return the day of a number, as the API writes it."""
    return (FIRST + timedelta(days=at)).isoformat()


def _listed() -> dict[str, Any]:
    listed = {"description": "Sales a day.", "frequency": "D", "horizon": HORIZON, "items": len(ITEMS), "state": "ok"}
    return {**listed, "skill": 0.2, "metric": "wql", "value": 0.1, "latest_origin": day(LAST), "problems": []}


def _state() -> dict[str, Any]:
    champion = {"version": 3, "kind": "random_forest", "since": day(PROMOTED), "link": "https://mlflow.test/3"}
    return {
        **_listed(), "name": "shop", "state": "attention", "problems": ["12 rows in quarantine"], "words": WORDS,
        "quantiles": [0.1, 0.5, 0.9], "point_column": "q50", "covariates_known": ["price", "promotion"],
        "champion": champion, "links": {"dagster": "http://dagster.test/", "mlflow": None}, "at": day(DAYS),
    }  # fmt: skip


def _item(number: int, item: str) -> dict[str, Any]:
    level = "region" if number == 1 else "item"
    scores = {"error": 1 + number / 10, "skill": 0.3 - number / 8, "change": 5.0 - 3 * number}
    return {"item_id": item, "level": level, "volume": 1000.0 - number, "last_value": value(item, DAYS - 1), **scores}


def _change(number: int, item: str) -> dict[str, Any]:
    causes = {"previous": 900.0, "revised_history": 12.0, "new_data": number - 48.0, "new_model": 20.0}
    origins = {"origin": day(LAST), "previous_origin": day(LAST - 1), "steps": 13, "model_version": 3, "undivided": ""}
    return {"item_id": item, **origins, **causes, "current": 884.0 + number, "change": number - 16.0}


def _event(at: int, kind: str, title: str, link: str) -> dict[str, Any]:
    return {"at": day(at), "kind": kind, "title": title, "detail": "Why.", "link": link}


def _scores(by: str, values: Sequence[object]) -> list[dict[str, Any]]:
    scores = {"rows": 400, "coverage": 0.78, "bias": -0.02, "naive_mase": 1.1, "skill": 0.2}
    return [
        {_BY.get(by, by): one, **scores, "mase": 0.8 + at / 50, "wql": 0.1 + at / 100} for at, one in enumerate(values)
    ]


def _forecasts() -> list[dict[str, Any]]:
    made = []
    for item in ITEMS:
        for origin in ORIGINS:
            for lead in range(1, HORIZON + 1):
                at, spread = origin + lead, 3 + lead / 2
                row = {"item_id": item, "origin": day(origin), "timestamp": day(at), "lead": lead, "model_version": 3}
                row |= {"naive": value(item, at - 14), "created_at": day(origin + 1), "adjustment": None}
                for source, role, extra in (("champion", "delivered", origin % 5 - 2), ("cloud", "shadow", 3)):
                    mean = round(value(item, at) + extra, 2)
                    quantiles = {"q10": mean - spread, "q50": mean, "q90": mean + spread}
                    made.append({**row, "mean": mean, **quantiles, "source": source, "role": role})
    return made
