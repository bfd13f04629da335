"""The browser of the explorer's tests, for the page that tells a year."""

from mlops_assets_tests.explorer.conftest import chromium, page

__all__ = ["chromium", "page"]
