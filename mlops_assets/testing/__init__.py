"""Tests for what is of your own.

`check_model` holds a class to what a kind of model promises; `run_in_memory` runs a whole round of a forecast.
"""

from mlops_assets.testing.models import ModelCheckError, check_model
from mlops_assets.testing.rounds import InMemory, run_in_memory

__all__ = ["InMemory", "ModelCheckError", "check_model", "run_in_memory"]
