"""`make test-pythons`: a short suite on every Python that is on this machine; of the others, what can be said.

A Python that is found gets a virtual environment in `.services`, with the package and its dependencies as they are
locked. For one that is not, the lock is held against it: every package must have a wheel.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SUITE = (
    *("test_definitions.py", "test_settings.py", "projects/test_project.py", "api", "spec/test_forecast.py"),
    *("spec/test_reading.py", "catalog/test_partitions.py", "forecasting/model/test_model_file.py"),
)
"""The code location, settings, specs, partitions, models' files, and a whole round in memory: a minute."""
TOOLS = ("pytest", "hypothesis", "apprise", "lightgbm")
LOCK = ("--no-deps", "--require-hashes", "-r", "requirements.lock", "--only-binary", ":all:")


def find(version: str) -> Path | None:
    """Return an interpreter of a version: this one, one of the search path, or one of pyenv's."""
    ours = Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    there = shutil.which(f"python{version}")
    places = [ours, *([Path(there)] if there else []), *sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)]
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in places:
        said = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
        if said.stdout.strip() == version:
            return python
    return None


def run(version: str, python: Path) -> str:
    """Run the suite on an interpreter; return what came of it."""
    made = ROOT / ".services" / f"python-{version}"
    if python == Path(sys.executable):
        made = python.parents[1]
    else:
        if not made.exists():
            uv("venv", "--quiet", "--python", str(python), str(made))
        uv("pip", "install", "--quiet", "--python", str(made), "--constraint", "requirements.lock", "-e", ".", *TOOLS)
    tests = [str(ROOT / "mlops_assets_tests" / part) for part in SUITE]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [str(made / "bin" / "python"), "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    return "passed" if done.returncode == 0 else "FAILED"


def resolve(version: str) -> str:
    """Say whether every locked package has a wheel for a version that is not here."""
    nowhere = str(ROOT / ".services" / "nowhere")
    done = uv("pip", "install", "--quiet", "--dry-run", "--python-version", version, "--target", nowhere, *LOCK)
    return "not run: not on this machine; every locked package has a wheel for it" if done else "FAILED: no wheels"


def uv(*words: str) -> bool:
    """Run uv, the machine's or that of .venv; whether it succeeded."""
    found = shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)]))
    return subprocess.run([found or "uv", *words], cwd=ROOT, check=False).returncode == 0


def main() -> int:
    """Print a line for each version; return the exit code."""
    found = {version: find(version) for version in PYTHONS}
    said = {version: run(version, python) if python else resolve(version) for version, python in found.items()}
    print(*(f"Python {version}: {words}" for version, words in said.items()), sep="\n")  # noqa: T201
    return int(any(words.startswith("FAILED") for words in said.values()))


if __name__ == "__main__":
    sys.exit(main())
