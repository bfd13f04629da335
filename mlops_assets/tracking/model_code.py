"""The code that travels with a logged model: `forecasting/model` under a name that no other package has."""

import hashlib
import shutil
from pathlib import Path

PLACEHOLDER = "mlops_assets_model"
"""The name in `pyfunc_model.py` that becomes the package's own."""
_PACKAGE = Path(__file__).resolve().parent.parent
_SOURCE = _PACKAGE / "forecasting" / "model"


def package_name() -> str:
    """Return the name of the travelling package: two releases whose code differs have different names."""
    digest = hashlib.sha256()
    for file in sorted(_SOURCE.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"{PLACEHOLDER}_{digest.hexdigest()[:16]}"


def write_code(folder: Path) -> tuple[Path, Path]:
    """Write what MLflow needs to run a model into a folder.

    Returns:
        The file of the model in MLflow's terms, and the package that it imports.
    """
    name = package_name()
    package = folder / name
    shutil.copytree(_SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "pyfunc_model.py"
    text = (_PACKAGE / "tracking" / "pyfunc_model.py").read_text(encoding="utf-8")
    file.write_text(text.replace(PLACEHOLDER, name), encoding="utf-8")
    return file, package
