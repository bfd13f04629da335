"""The wheel on a virtual environment of its own runs a round, called as a scheduler calls it.

Its dependencies are those of the environment that tests run in; with `make test-wheel` they are installed as the wheel
asks for them.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from mlops_assets_tests.worlds import declare, sandbox

ROOT = Path(__file__).parents[1]
FULL = os.environ.get("MLOPS_TEST_WHEEL") == "all"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hatchling.build import build_wheel

    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / build_wheel(str(folder))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a virtual environment with the wheel."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    made = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(made), "install", "--quiet", "--no-compile"]
    if not FULL:
        pip += ["--no-deps", "--no-index"]
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        # A line of such a file adds a folder, but not what its own files of this kind would add: our source tree.
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    subprocess.run([*pip, str(wheel)], check=True, timeout=900)
    return made


@pytest.mark.process
def test_a_round_is_called_as_a_scheduler_calls_it(python, tmp_path, empty_mlflow):
    declare(tmp_path / "forecasts", model={"kind": "seasonal_naive"})
    settings = sandbox(tmp_path, empty_mlflow, "local")
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DAGSTER_"))}
    ours = {"MLOPS_FORECASTS": str(settings.forecasts), "MLOPS_DATA": str(settings.data)}
    done = subprocess.run(
        [str(python), "-m", "mlops_assets", "run", "demo", "--partition", "2024-05-10", "--json"],
        cwd=tmp_path, env={**quiet, **ours}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    (line,) = done.stdout.splitlines()
    answer = json.loads(line)
    assert (answer["forecast"], answer["partitions"], answer["rows"]) == ("demo", ["2024-05-10"], 28)

    code = "import mlops_assets; print(mlops_assets.__file__)"
    where = subprocess.run(
        [str(python), "-c", code], cwd=tmp_path, env=quiet, capture_output=True, text=True, check=True
    )
    assert where.stdout.startswith(str(python.parents[1]))


@pytest.mark.process
def test_a_new_project_passes_its_own_tests(python, tmp_path):
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("PY", "DAGSTER_", "MLOPS_"))}
    project = tmp_path / "shop"

    def run(folder: Path, program: str, *words: str) -> str:
        done = subprocess.run(
            [program, "-m", *words], cwd=folder, env=quiet, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    run(tmp_path, str(python), "mlops_assets", "new", project.name)
    if FULL:
        # As its README says; pytest comes with what the project asks for, and not with the wheel.
        run(project, sys.executable, "pip", "--python", str(python), "install", "--quiet", "--editable", ".[dev]")
    assert "2 passed" in run(project, str(python), "pytest", "-q")
    assert not (project / "data").exists()


def test_everything_of_the_package_is_in_the_wheel(wheel):
    from zipfile import ZipFile

    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {str(file.relative_to(ROOT)) for file in (ROOT / "mlops_assets").rglob("*") if file.is_file()}
    assert packed == {name for name in files if "__pycache__" not in name}
