"""The forecast spec: what a user declares in one short YAML file, validated."""

from mlops_assets.spec.folder import BrokenSpec, Declared, find_or_load_spec, find_spec, first_spec, load_specs
from mlops_assets.spec.forecast import ForecastSpec
from mlops_assets.spec.model import BOOSTING_PARAMETERS, FOREST_PARAMETERS
from mlops_assets.spec.parts import COMMON_COUNTRIES
from mlops_assets.spec.reading import SpecError, load_spec, parse_spec, spec_of
from mlops_assets.spec.retraining import Policy, Retraining
from mlops_assets.spec.schema import json_schema
from mlops_assets.spec.sources import FileSource, HttpSource, SqlSource

__all__ = [
    "BOOSTING_PARAMETERS",
    "COMMON_COUNTRIES",
    "FOREST_PARAMETERS",
    "BrokenSpec",
    "Declared",
    "FileSource",
    "ForecastSpec",
    "HttpSource",
    "Policy",
    "Retraining",
    "SpecError",
    "SqlSource",
    "find_or_load_spec",
    "find_spec",
    "first_spec",
    "json_schema",
    "load_spec",
    "load_specs",
    "parse_spec",
    "spec_of",
]
