"""Tests for what is of your own: `check_model` holds a class to what a kind of model promises."""

from mlops_assets.testing.models import ModelCheckError, check_model

__all__ = ["ModelCheckError", "check_model"]
