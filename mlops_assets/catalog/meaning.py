"""What a stored observation means: the fields of a spec that decide which rows are ingested and what they say.

Stored beside each partition of `observations`, field by field, so that a difference can be named.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_assets.spec import ForecastSpec
from mlops_assets.spec.parts import Part
from mlops_assets.spec.sources import SqlSource

Meaning = Mapping[str, Any]
"""Field of the spec -> its value as JSON types; a field at its default is absent, so that a new one changes nothing."""

NOT_OF_ROWS = frozenset(
    {
        "columns.future",
        "source.after",
        *(
            f"source.{name}"
            for name in ("complete", "delimiter", "format", "version", "chunk_rows", "headers", "hosts")
        ),
        *(f"source.{name}" for name in ("max_megabytes", "max_seconds", "pages", "time_format")),
    }
)
"""Fields that say how rows are reached, or what of them is refused: with another value there are the same, or none."""
TAG = "meaning"
"""Of a version: what the observations that it has learnt from mean."""
KIND, HISTORY = "partitions.kind", "partitions.history_from"
PLACES = (KIND, HISTORY)
"""They change nothing in the rows, but in which partition they are."""
_LONGEST = 200
_COVARIATES = "covariates."
_KINDS = ("known", "past", "static")
_BY_TIME = ("covariates.known", "covariates.past")
"""Numbers that are stored alike: one that was known ahead and is not any longer is in the rows all the same."""
_NOT_OF_VALUES = (_COVARIATES, *PLACES)
"""Beginnings of the fields after whose change the values that were forecast are the same ones that are observed."""


@dataclass(frozen=True)
class Change:
    """One field that has another value than when the rows were stored.

    Attributes:
        field: of the spec, `columns.target`.
        old: its value then, as JSON types; None: not set.
        new: its value now.
    """

    field: str
    old: Any
    new: Any

    @property
    def of_names(self) -> bool:
        """Whether it may be but another name or place of the same rows."""
        return self.field.startswith(("source.", "columns."))

    def __str__(self) -> str:
        """As `columns.target: sales → revenue`."""
        return f"{self.field}: {_shown(self.old)} → {_shown(self.new)}"


def meaning_of(spec: ForecastSpec) -> dict[str, Any]:
    """Return what an observation of a forecast means at present."""
    source = _declared(spec.source)
    if isinstance(spec.source, SqlSource):
        source["url"] = _place(spec.source.url.get_secret_value())
    source |= spec.variables
    if isinstance(query := source.get("query"), str):
        source["query"] = _short(" ".join(query.split()))
    found = {f"source.{name}": value for name, value in source.items()}
    found |= {f"columns.{name}": value for name, value in _declared(spec.columns).items()}
    if found.get("columns.stamp") == "start":  # what it is without the field, too
        del found["columns.stamp"]
    of = spec.covariates
    covariates = {name: sorted(v) for name, v in zip(_KINDS, (of.all_known, of.all_past, of.static), strict=True)}
    found |= {f"{_COVARIATES}{name}": value for name, value in covariates.items() if value}
    found |= {"frequency": spec.frequency, "time_zone": spec.time_zone, KIND: spec.partition_kind}
    if spec.partitions.history_from is not None:  # the first partition holds what is between the two
        found[HISTORY] = f"{spec.partitions.history_from} to {spec.partitions.start}"
    return {name: found[name] for name in sorted(found) if name not in NOT_OF_ROWS}


def changes(old: Meaning, new: Meaning) -> tuple[Change, ...]:
    """Return the fields in which rows that were stored differ from those that would be stored now.

    A covariate that is stored and not asked for any longer makes no difference: it is not read.
    """
    found = [Change(name, old.get(name), new.get(name)) for name in sorted({*old, *new})]
    return tuple(one for one in found if one.new != one.old and not _has_all(old, one))


def other_values(old: Meaning, new: Meaning) -> tuple[Change, ...]:
    """Return the changes after which what is observed is another thing, wherever it comes from."""
    alike = ("source.", *_NOT_OF_VALUES)
    return tuple(one for one in changes(old, new) if not one.field.startswith(alike))


def same_rows(found: Sequence[Change]) -> bool:
    """Whether there is a row for each item and time as there was before the changes, however other its values."""
    return all(one.field.startswith(("source.", _COVARIATES)) or one.field == "columns.target" for one in found)


def to_text(meaning: Meaning) -> str:
    """Return a meaning as it is stored."""
    return json.dumps(meaning, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> dict[str, Any]:
    """Read a meaning as it was stored."""
    return json.loads(text)


def scorable(old: Meaning, new: Meaning) -> bool:
    """Whether forecasts made of rows of the old meaning can be scored on rows of the new one."""
    return all(one.field.startswith(_NOT_OF_VALUES) for one in changes(old, new))


def _declared(part: Part) -> dict[str, Any]:
    """Return the fields of a part that are not at their default, and its kind."""
    kept = part.model_dump(mode="json", exclude_defaults=True)
    return kept | ({"kind": part.kind} if hasattr(part, "kind") else {})  # pyright: ignore[reportAttributeAccessIssue]


def _short(text: str) -> str:
    """Return a long text as its beginning and a hash: a version's tag has room for a few thousand characters."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]} … {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _place(address: str) -> str:
    """Return the address of a database without the login and the parameters: they may change, and hold secrets."""
    dialect, separator, rest = address.partition("://")
    return f"{dialect}{separator}{rest.partition('?')[0].rpartition('@')[2]}"


def _has_all(old: Meaning, change: Change) -> bool:
    """Whether a change is of covariates that are all stored."""
    if not change.field.startswith(_COVARIATES):
        return False
    alike = _BY_TIME if change.field in _BY_TIME else (change.field,)
    return {*(change.new or ())} <= {name for field in alike for name in old.get(field, ())}


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "not set"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | bool) else str(value)
