"""One module of a package, where the package itself would import hundreds that nobody asks for."""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path


def import_alone(name: str) -> None:
    """Import a module without the package that it is in; nothing where that cannot be, or either is there already.

    Whoever imports it by its name gets this one, the package too, should it be imported later.

    Args:
        name: as `holidays.countries.united_states`, of which the package is `holidays.countries`.
    """
    package, _, last = name.rpartition(".")
    above, _, folder = package.rpartition(".")
    if name in sys.modules or package in sys.modules:
        return
    outer = find_spec(above)
    for place in (outer.submodule_search_locations if outer is not None else None) or ():
        file = Path(place) / folder / f"{last}.py"
        spec = spec_from_file_location(name, file) if file.is_file() else None
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules.setdefault(name, module)  # only now: another thread must not find one that is half made
            return
