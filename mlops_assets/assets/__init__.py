"""The asset graph of a forecast: one file for each stage, put together by `build_assets`."""

from mlops_assets.assets.broken import placeholder as build_placeholder
from mlops_assets.assets.checks import all_checks
from mlops_assets.assets.factory import build_assets

__all__ = ["all_checks", "build_assets", "build_placeholder"]
