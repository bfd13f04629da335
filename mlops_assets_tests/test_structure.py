"""The house keeps its shape: small rooms, small files, every room in the picture, tests where the code is."""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "mlops_assets", ROOT / "mlops_assets_tests"
FILES = sorted(file for folder in (PACKAGE, TESTS) for file in folder.rglob("*.py") if "__pycache__" not in file.parts)
ROOMS = sorted({file.parent for file in PACKAGE.rglob("*.py") if "__pycache__" not in file.parts})
MOST_LINES, MOST_FILES, MOST_AT_THE_TOP = 400, 18, 7


def layers() -> set[str]:
    """The names of rooms and modules in the layers of package and engine, those that are still to come aside."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contracts = {tuple(contract.get("containers", [])): contract for contract in linter["contracts"]}
    found = [contracts[("mlops_assets",)], contracts[("mlops_assets.forecasting",)]]
    assert all(contract["exhaustive"] for contract in found)
    names = [name.strip() for contract in found for line in contract["layers"] for name in line.split("|")]
    return {name for name in names if not name.startswith("(")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_is_long(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_no_room_is_crowded(room: Path) -> None:
    files = [file.name for file in room.glob("*.py") if file.name != "__init__.py"]
    assert len(files) <= MOST_FILES
    assert (room / "__init__.py").is_file() or room.name == "forecasts"


def test_few_modules_stand_at_the_top() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_AT_THE_TOP


def test_every_room_has_its_layer_and_its_place_in_the_picture() -> None:
    rooms = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").is_file()}
    engine = {folder.name for folder in (PACKAGE / "forecasting").iterdir() if (folder / "__init__.py").is_file()}
    modules = {file.stem for folder in (PACKAGE, PACKAGE / "forecasting") for file in folder.glob("*.py")} - {
        "__init__"
    }
    assert rooms | engine | modules == layers()
    picture = (ROOT / "docs" / "images" / "rooms.svg").read_text(encoding="utf-8")
    drawn = {name.removesuffix(".py") for name in re.findall(r'<tspan font-weight="700">([\w.]+)</tspan>', picture)}
    assert drawn == rooms | engine | modules - {"__main__", "formatting"}


def test_the_map_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [name for name in sorted(layers() - {"__main__"}) if f"`{name}" not in text] == []


def test_tests_stand_where_the_code_stands() -> None:
    """A test file's folder is a room of the package; what several rooms share stands above them."""
    rooms = {str(room.relative_to(PACKAGE)) for room in ROOMS}
    folders = {str(file.parent.relative_to(TESTS)) for file in TESTS.rglob("test_*.py")}
    assert sorted(folders - rooms - {"releases"}) == []


def test_modules_have_names_of_their_own() -> None:
    """Two modules of one name are a stage and its engine, its asset or its command; more would be a muddle."""
    names = Counter(file.stem for file in PACKAGE.rglob("*.py") if file.name != "__init__.py")
    assert {name: count for name, count in names.items() if count > 4} == {}
