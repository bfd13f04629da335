"""The specs of a folder: a file that cannot be used is told, and takes no other down."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.errors import UnknownNameError
from mlops_assets.spec.forecast import NAME_PATTERN, ForecastSpec
from mlops_assets.spec.reading import COMPONENT, LARGEST, SpecError, load_spec

_DEFS = "defs.yaml"
"""What Dagster calls the file of a component."""


@dataclass(frozen=True)
class BrokenSpec:
    """A declared forecast that cannot be used.

    Attributes:
        name: that its file gives it, else made of the file's name; no usable spec of the folder has the same.
        file: path of its YAML file.
        error: why it cannot be used; one that is no SpecError is a bug of ours.
    """

    name: str
    file: str
    error: Exception

    @property
    def message(self) -> str:
        """Why it cannot be used, with file and fields."""
        if isinstance(self.error, SpecError):
            return self.error.message
        return f"{self.file}: a bug in reading it: {type(self.error).__name__}: {self.error}"


@dataclass(frozen=True)
class Declared:
    """What a folder declares, both sorted by name.

    Attributes:
        specs: those that can be used.
        broken: those that cannot.
    """

    specs: list[ForecastSpec]
    broken: list[BrokenSpec]

    @property
    def names(self) -> set[str]:
        """The names of all; of a broken spec, what it is taken to be called."""
        return {one.name for one in (*self.specs, *self.broken)}


def load_specs(folder: Path) -> Declared:
    """Read every `*.yaml` and `*.yml` of a folder, and every component of Dagster that is a forecast (`*/defs.yaml`).

    Of two files with one name neither can be used: which is meant, nobody can know.

    Raises:
        SpecError: no folder, or no file in it.
    """
    if not folder.is_dir():
        raise SpecError(
            f"{folder}: no such folder; MLOPS_FORECASTS must name the folder of the forecast files, and "
            "mlops-assets init TABLE declares the first"
        )
    files = files_of(folder)
    if not files:
        raise SpecError(f"{folder}: no forecast declared here (no *.yaml file)")
    found: dict[str, list[ForecastSpec]] = {}
    failed: dict[Path, Exception] = {}
    for file in files:
        try:
            spec = load_spec(file)
        except Exception as error:  # a bug in reading one must not take the others down either
            failed[file] = error
        else:
            found.setdefault(spec.name, []).append(spec)
    twice = {name: specs for name, specs in found.items() if len(specs) > 1}
    broken = [BrokenSpec(name, specs[-1].file, name_taken(name, specs)) for name, specs in twice.items()]
    taken = set(found)
    for file, error in failed.items():
        called = file.parent.name if file.name == _DEFS else file.name
        name = _free(_name_in(file), name_of(called, "spec"), taken)
        taken.add(name)
        broken.append(BrokenSpec(name, str(file.resolve()), error))
    good = [specs[0] for name, specs in sorted(found.items()) if name not in twice]
    return Declared(good, sorted(broken, key=lambda spec: spec.name))


def files_of(folder: Path) -> list[Path]:
    """Return the files of a folder that declare a forecast."""
    components = (file for file in folder.glob(f"*/{_DEFS}") if _is_component(file))
    return sorted([*folder.glob("*.yaml"), *folder.glob("*.yml"), *components])


def find_spec(folder: Path, name: str) -> ForecastSpec:
    """Return the spec of that name in a folder.

    Raises:
        UnknownNameError: there is none.
        SpecError: it cannot be used.
    """
    declared = load_specs(folder)
    for spec in declared.specs:
        if spec.name == name:
            return spec
    for spec in declared.broken:
        if name in (spec.name, Path(spec.file).stem):
            raise spec.error
    known = [spec.name for spec in (*declared.specs, *declared.broken)]
    raise UnknownNameError.of("forecast", name, known, str(folder), ["mlops-assets list"])


def first_spec(folder: Path) -> ForecastSpec:
    """Return the first spec of a folder that can be used; SpecError if there is none."""
    declared = load_specs(folder)
    if not declared.specs:
        raise declared.broken[0].error
    return declared.specs[0]


def find_or_load_spec(folder: Path, text: str) -> ForecastSpec:
    """Return the spec of a YAML file, or the one of that name in a folder. Raises as `find_spec`, `load_spec` do."""
    return load_spec(Path(text)) if text.endswith((".yaml", ".yml")) else find_spec(folder, text)


def is_table(text: str, folder: Path) -> bool:
    """Whether a text names a table rather than a forecast or its YAML file: by ending, folder or address.

    Args:
        text: the text.
        folder: of the declared forecasts; the name of one is that, even where a folder is called so, too.
    """
    if text.endswith((".yaml", ".yml")):
        return False
    if any(sign in text for sign in ("://", ".", "/", "*")):
        return True
    return Path(text).is_dir() and not (folder.is_dir() and text in load_specs(folder).names)


def _is_component(file: Path) -> bool:
    """Whether a `defs.yaml` is a forecast, and nothing else of Dagster's."""
    return re.search(rf"^type:\s*[\"']?{re.escape(COMPONENT)}\b", _text(file), re.MULTILINE) is not None


def _text(file: Path) -> str:
    """Return what a file begins with; nothing where it cannot be read."""
    if not file.is_file():  # a pipe would be waited for
        return ""
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as opened:
            return opened.read(LARGEST)
    except OSError:
        return ""


def name_taken(name: str, specs: Sequence[ForecastSpec]) -> SpecError:
    """Return the error that says that several files give their forecasts one name."""
    *others, last = (str(spec.file) for spec in specs)
    return SpecError(f"{last}: name: {name!r} is taken by {', '.join(others)}; neither is used until one has another")


def _name_in(file: Path) -> str | None:
    """Return the name that a file gives its forecast, also where the file is no YAML."""
    indent = "  " if file.name == _DEFS else ""
    line = re.search(rf"^{indent}name:\s*[\"']?([^\"'\s#]+)", _text(file), re.MULTILINE)
    return line[1] if line is not None and re.match(NAME_PATTERN, line[1]) else None


def name_of(file: str, otherwise: str = "forecast") -> str:
    """Return a name that is allowed, made of a file's or a table's; another one if there is no letter in it."""
    stem = file.rstrip("/*").rpartition("/")[2].partition(".")[0]
    return (re.sub(r"[^a-z0-9_]+", "_", stem.lower()).strip("_").lstrip("_0123456789") or otherwise)[:50]


def _free(wanted: str | None, other: str, taken: set[str]) -> str:
    if wanted is not None and wanted not in taken:
        return wanted
    count, name = 1, other
    while name in taken:
        count += 1
        name = f"{other}_{count}"
    return name
