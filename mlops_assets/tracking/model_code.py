"""The code that travels with a model, and running a version by its own.

Each logged model carries `forecasting/model` as a package whose name ends in its digest: whoever loads two models of
two releases runs each by its own code, and no package of theirs is in the way. For the same reason a version whose
features another release defined (`STATE_VERSION`) goes on with its own numbers: its code is fetched from beside it,
held against the digest that was recorded at its registration, and imported under a name that nothing else has.
"""

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.tracking.errors import TrackingError

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.kinds import Model

PLACEHOLDER = "mlops_assets_model"
"""The name in `pyfunc_model.py` that becomes the package's own, and how that begins."""
KNOWN = {"a8cc38aed189309bd8c3a0ebc0c090810e3965c7c1e26abd2560ab93211b2792": "0.1.0"}
"""Digests of the code of releases that recorded none at a registration, by release."""
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class FeatureCode:
    """What a version is run by.

    Attributes:
        rebuild: makes a forecaster of its state.
        refit: fits a forecaster's recipe to another history.
        sources: of what travels with the version; None: the code is this release's.
    """

    rebuild: Callable[[dict[str, Any]], "Model"]
    refit: Callable[["Model", pd.DataFrame], "Model"]
    sources: "ModelCode | None" = None


@dataclass(frozen=True)
class ModelCode:
    """The modules of a package.

    Attributes:
        files: source by path below the package, such as `task.py`; lines end in a line feed.
    """

    files: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> "ModelCode":
        """Read a package from its folder; only its Python files count, whatever their line ends."""
        found = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*.py")}
        return cls({name: found[name].read_text(encoding="utf-8") for name in sorted(found)})

    @classmethod
    def within(cls, folder: Path) -> "ModelCode":
        """Read the one package that travels in a folder; beside it may travel the code of a class of one's own.

        Raises:
            TrackingError: there is none, or more than one.
        """
        packages = sorted(file.parent for file in folder.glob("*/__init__.py"))
        packages = [one for one in packages if one.name.startswith(PLACEHOLDER)] or packages
        if len(packages) != 1:
            raise TrackingError(f"one package of code was expected beside it, found: {len(packages)}")
        return cls.read(packages[0])

    def require(self, recorded: str | None) -> None:
        """Raise a TrackingError unless it is what was recorded, or what a release that recorded nothing had."""
        if self.digest != recorded and (recorded or self.digest not in KNOWN):
            was = recorded or "none"
            raise TrackingError(
                f"the sha256 of the code beside it is {self.digest}, recorded was {was} (tag code_sha256)"
            )

    @cached_property
    def digest(self) -> str:
        """The sha256 of names and sources, in hexadecimal."""
        digest = hashlib.sha256()
        for name, source in sorted(self.files.items()):
            digest.update(f"{name}\0{source}\0".encode())
        return digest.hexdigest()

    @property
    def name(self) -> str:
        """Name of the package that travels: code that differs has another."""
        return f"{PLACEHOLDER}_{self.digest[:16]}"

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write what MLflow needs to run a model into a folder.

        Returns:
            The file of the model in MLflow's terms, and the package that it imports.
        """
        package = folder / self.name
        for name, source in sorted(self.files.items()):
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text(source, encoding="utf-8")
        file = folder / "pyfunc_model.py"
        text = (_PACKAGE / "tracking" / "pyfunc_model.py").read_text(encoding="utf-8")
        file.write_text(text.replace(PLACEHOLDER, self.name), encoding="utf-8")
        return file, package

    def run(self) -> FeatureCode:
        """Import the package from these very sources, and return what it offers."""
        from mlops_assets.forecasting.model import errors, guards

        name = f"{self.name}_checked"
        if name not in sys.modules:
            sys.meta_path.append(_Importer(name, self.files))
            # Whoever catches our errors and warnings catches its too.
            sys.modules[f"{name}.errors"] = errors
            if "guards.py" in self.files:
                vars(import_module(f"{name}.guards"))["UnusualInput"] = guards.UnusualInput
        if KNOWN.get(self.digest) == "0.1.0":  # before there was an `entry`
            forest, features = import_module(f"{name}.forest"), import_module(f"{name}.features")
            return FeatureCode(
                forest.Forecaster.from_state,
                lambda model, history: forest.fit(features.training_rows(history, model.task), model.task),
                self,
            )
        entry = import_module(f"{name}.entry")
        return FeatureCode(entry.rebuild, entry.refit, self)


@lru_cache
def own_code() -> ModelCode:
    """Return the code of this release."""
    return ModelCode.read(_PACKAGE / "forecasting" / "model")


class _Importer(MetaPathFinder, InspectLoader):
    """Imports a package from sources in memory: what was checked is what runs."""

    def __init__(self, package: str, files: Mapping[str, str]) -> None:
        self._package = package
        self._files = files

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        return spec_from_loader(fullname, self) if self._file(fullname) else None

    def is_package(self, fullname: str) -> bool:
        return (self._file(fullname) or "").endswith("__init__.py")

    def get_source(self, fullname: str) -> str:
        file = self._file(fullname)
        if file is None:
            raise ImportError(f"{self._package} has no module {fullname}", name=fullname)
        return self._files[file]

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_source(fullname), f"<{self._package}>/{self._file(fullname)}")

    def _file(self, module: str) -> str | None:
        package, *below = module.split(".")
        if package != self._package:
            return None
        path = "/".join(below)
        candidates = [f"{path}/__init__.py", f"{path}.py"] if path else ["__init__.py"]
        return next((file for file in candidates if file in self._files), None)
