"""What the log of decisions tells of a version that the registry says, and what the registry tells of a decision."""

from typing import Any

import pandas as pd

from mlops_assets.tracking.registry import Version

MADE_OF = ("data_version", "spec_hash", "git_commit", "spec_commit", "source_version")
"""Tags of a version that the log of decisions repeats."""


def made_of(version: Version) -> dict[str, Any]:
    """Return the fields of an entry that a version's tags tell."""
    return {
        "trained_until": version.trained_until,
        **{name: version.tags.get(name, "") for name in MADE_OF},
    }


def words(row: "pd.Series[Any]") -> str:
    """Say a decision in a sentence."""
    return f"{str(row['outcome']).capitalize()} by {row['decided_by']}: {' '.join(str(row['reason']).split())}."


def tags(row: "pd.Series[Any]") -> dict[str, str]:
    """Return what the tags of the version say of it."""
    return {
        "decision": str(row["outcome"]),
        "decision_number": str(row["number"]),
        "decided_by": str(row["decided_by"]),
        "decision_reason": str(row["reason"])[:4900],
    }
