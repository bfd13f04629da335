"""What a name in a spec stands for: a class or function of somebody's own package, by its path or by an entry point.

`acme.models:Drift`, `acme.models.Drift` and an entry point of that group that leads there mean the same. Nothing is
looked for before a spec names what the package does not know itself: a scan of all installed packages costs time.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from typing import Any

from ..errors import TerminalError, UnknownNameError, nearest

MODELS, FEATURES, CALENDARS = "mlops_assets.models", "mlops_assets.features", "mlops_assets.calendars"
METRICS, RULES, SOURCES = "mlops_assets.metrics", "mlops_assets.gate_rules", "mlops_assets.sources"
SERVICES, CHANNELS, SECTIONS = "mlops_assets.services", "mlops_assets.channels", "mlops_assets.report_sections"
KINDS = {
    MODELS: "model kind",
    FEATURES: "feature",
    CALENDARS: "calendar",
    METRICS: "metric",
    RULES: "gate rule",
    SOURCES: "source kind",
    SERVICES: "service",
    CHANNELS: "alert channel",
    SECTIONS: "report section",
}
"""What the groups of entry points hold, in the words of messages."""


class ExtensionError(TerminalError, RuntimeError):
    """Somebody's package fails, or is not what it has to be; the message names it and where it failed."""


def resolve(group: str, name: str, known: Iterable[str] = ()) -> Any:
    """Return what a name stands for.

    Args:
        group: of entry points, one of `KINDS`.
        name: `package.module:Object`, `package.module.Object`, or the name of an entry point.
        known: names that need no package, for the message.

    Raises:
        UnknownNameError: there is no such module, object or entry point.
        ExtensionError: the package is there, and importing it fails.
    """
    try:
        return _resolved(group, name)
    except UnknownNameError:
        raise
    except LookupError:
        raise UnknownNameError.of(KINDS[group], name, [*known, *names(group)]) from None


def is_path(name: str) -> bool:
    """Whether a name leads to a module by itself."""
    return ":" in name or "." in name


def names(group: str) -> list[str]:
    """Names of the entry points of a group, sorted."""
    return sorted({one.name for one in entry_points(group=group)})


def module_of(group: str, name: str) -> str:
    """Return the module that a name leads to."""
    found = _resolved(group, name)
    return getattr(found, "__module__", None) or type(found).__module__


def package_of(group: str, name: str) -> str:
    """Return the distribution that a name is of, with its version, as pip takes it; empty if it is none's."""
    module = module_of(group, name).partition(".")[0]
    installed = packages_distributions().get(module, [])
    return f"{installed[0]}=={version(installed[0])}" if installed else ""


def require(group: str, name: str, found: Any, methods: Iterable[str]) -> None:
    """Raise ExtensionError unless something that a name stands for has all methods or attributes of its protocol."""
    missing = [one for one in methods if not hasattr(found, one)]
    if missing:
        raise ExtensionError(f"the {KINDS[group]} {name!r} lacks {', '.join(missing)} (docs/extending.md)")


def called(group: str, name: str, function: Any, *given: Any, **named: Any) -> Any:
    """Call somebody's code, so that what it raises is told with its name.

    Raises:
        ExtensionError: it raises something.
    """
    from ..errors import MlopsAssetsError

    try:
        return function(*given, **named)
    except MlopsAssetsError:
        raise
    except Exception as error:
        raise ExtensionError(f"the {KINDS[group]} {name!r} failed: {told(error)}") from error


@lru_cache(maxsize=256)
def _resolved(group: str, name: str) -> Any:
    """Resolve a name; what was found once stays found. LookupError: nobody has such an entry point."""
    if is_path(name):
        return _at(group, name)
    found = {one.value: one for one in entry_points(group=group, name=name)}
    if not found:
        raise LookupError(name)
    if len(found) > 1:
        whose = ", ".join(f"{_package(one)} ({value})" for value, one in sorted(found.items()))
        raise ExtensionError(
            f"the {KINDS[group]} {name!r} is brought by {whose}: give the path of the one that is meant"
        )
    (one,) = found.values()
    return _at(group, one.value, f"{name!r} of {_package(one)}")


def _at(group: str, path: str, shown: str = "") -> Any:
    """Import what stands at a path."""
    kind, shown = KINDS[group], shown or repr(path)
    module, _, inner = path.partition(":") if ":" in path else path.rpartition(".")
    try:
        found: Any = import_module(module)
        for part in inner.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        within = error.name is not None and f"{module}.".startswith(f"{error.name}.")
        if not within:
            raise ExtensionError(f"the {kind} {shown}: importing {module} failed: {error}") from error
        raise UnknownNameError(
            f"the {kind} {shown} cannot be imported: {error}. Install its package, or put its folder into PYTHONPATH"
        ) from error
    except AttributeError as error:
        near = nearest(inner, [one for one in dir(import_module(module)) if not one.startswith("_")])
        hint = f"; did you mean {near[0]}?" if near else "."
        raise UnknownNameError(
            f"the {kind} {shown} cannot be imported: {module} has no {inner}{hint} Install its package, or put its "
            "folder into PYTHONPATH"
        ) from error
    except Exception as error:
        raise ExtensionError(f"the {kind} {shown}: importing {module} failed: {told(error)}") from error
    return found


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value


def told(error: BaseException) -> str:
    """Say what was raised, and in which line of which file."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f" ({last.tb_frame.f_code.co_filename}, line {last.tb_lineno})" if last is not None else ""
    return f"{type(error).__name__}: {error}{where}"
