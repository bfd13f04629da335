"""The page for people who look at forecasts: html, style and ES modules, served as they are or put into one file."""

from mlops_assets.explorer.files import PAGE, VENDOR, index, static_files
from mlops_assets.explorer.one_file import one_file
from mlops_assets.explorer.questions import key_of, questions

__all__ = ["PAGE", "VENDOR", "index", "key_of", "one_file", "questions", "static_files"]
