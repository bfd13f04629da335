"""From a spec to its asset graph."""

import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module

import dagster as dg

from mlops_assets import assets as package
from mlops_assets.assets.code_versions import versioned
from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.descriptions import described
from mlops_assets.catalog.names import assets_of
from mlops_assets.spec import ForecastSpec

_PREFIX = "build_"
Builder = Callable[[AssetGraph], dg.AssetsDefinition]


def build_assets(spec: ForecastSpec) -> list[dg.AssetsDefinition]:
    """Return the assets of a forecast, keyed `<name>/<asset>`."""
    graph, found = AssetGraph(spec), builders()
    made = [described(found[one.name](graph), spec) for one in assets_of(spec) if one.name in found]
    return versioned(made, spec)


@cache
def builders() -> Mapping[str, Builder]:
    """Return, by the asset's name, every function `build_<asset>` in the files of this folder.

    An asset without one is made together with another (quarantine, by the step that makes observations).
    """
    names = [name for _, name, _ in pkgutil.iter_modules(package.__path__, f"{package.__name__}.") if name != __name__]
    functions = (item for name in names for item in vars(import_module(name)).items())
    return {name.removeprefix(_PREFIX): value for name, value in functions if name.startswith(_PREFIX)}
