"""The page for people who look at forecasts: html, style and ES modules, served as they are or put into one file."""

from mlops_assets.explorer.files import PAGE, VENDOR, index, module_texts, static_files, style
from mlops_assets.explorer.modules import joined, needed
from mlops_assets.explorer.one_file import one_file, sealed
from mlops_assets.explorer.questions import key_of, questions

__all__ = [
    "PAGE",
    "VENDOR",
    "index",
    "joined",
    "key_of",
    "module_texts",
    "needed",
    "one_file",
    "questions",
    "sealed",
    "static_files",
    "style",
]
