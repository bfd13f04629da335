"""ES modules joined into one script, for a page that is one file: there they could not import one another."""

import re
from collections.abc import Iterator, Mapping

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([\w.]+)";\n', re.M)
_EXPORT = re.compile(r"^export ((?:async )?function\*? |const |class )(\w+)", re.M)


def joined(modules: Mapping[str, str]) -> str:
    """Return one script: each module a function that is called once, after those that it imports.

    Modules are written for this: `import { a, b } from "./x.js";` at the start of a line, and `export` before a
    function, a class or a const; no default exports, no renaming, no circle.

    Args:
        modules: the text of each by its file name.

    Raises:
        ValueError: they import one another in a circle, or what is not there, or in another form.
    """
    made = "".join(_as_function(name, modules[name]) for name in _in_order(modules))
    return f'"use strict";\n(() => {{\nconst modules = {{}};\n{made}}})();\n'


def needed(entry: str, modules: Mapping[str, str]) -> dict[str, str]:
    """Return a module and those that it imports, and these in their turn."""
    found: dict[str, str] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = modules[name]
            waiting += [imported[2] for imported in _IMPORT.finditer(modules[name])]
    return found


def _as_function(name: str, text: str) -> str:
    exported = ", ".join(found[2] for found in _EXPORT.finditer(text))
    body = _EXPORT.sub(r"\1\2", _IMPORT.sub(lambda found: f'const {found[1]} = modules["{found[2]}"];\n', text))
    if left := re.search(r"^(?:import|export)\b.*$", body, re.M):
        raise ValueError(f"{name}: {left[0]}: not one of the forms that can be joined")
    return f'modules["{name}"] = (() => {{\n{body}return {{ {exported} }};\n}})();\n'


def _in_order(modules: Mapping[str, str]) -> Iterator[str]:
    waiting = {name: {found[2] for found in _IMPORT.finditer(text)} for name, text in modules.items()}
    while waiting:
        free = sorted(name for name, needs in waiting.items() if not needs & waiting.keys())
        missing = {need for needs in waiting.values() for need in needs} - modules.keys()
        if missing or not free:
            raise ValueError(f"modules import what is not there, or in a circle: {sorted(missing or waiting)}")
        yield from free
        waiting = {name: needs for name, needs in waiting.items() if name not in free}
