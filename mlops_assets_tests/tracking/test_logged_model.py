"""Logged models, loaded by plain MLflow in a process that does not have this package."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from mlops_assets.forecasting.model import guards, kinds, model_file
from mlops_assets.tracking import logged_model
from mlops_assets.tracking.logged_model import log_forecaster
from mlops_assets.tracking.model_code import ModelCode, own_code
from mlops_assets_tests.releases.unpacked import RELEASES, Deployment, expected, unpack
from mlops_assets_tests.worlds import HISTORY

# Warnings of code that travels have classes that no other process can import.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ORIGIN = pd.Timestamp("2024-04-20")
BESIDE_OTHERS = """
import sys
sys.modules["mlops_assets"] = None  # as if it were not installed
sys.path.insert(0, sys.argv[1])
import mlflow
import pandas as pd
models = [mlflow.pyfunc.load_model(uri) for uri in sys.argv[2:]]
history = pd.read_parquet("history.parquet")
for number, model in enumerate(models):
    code = type(model.unwrap_python_model().forecaster).__module__
    model.predict(history).assign(code=code).to_parquet(f"{number}.parquet")
import forecasting
print(forecasting.__file__)
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory) -> Deployment:
    return unpack("0.1.0", "files", tmp_path_factory.mktemp("deployment"))


@pytest.fixture
def asked(deployment, tmp_path):
    """A folder with what a stranger asks about, and ways to log a model of these features and to be that stranger."""
    state = model_file.load(RELEASES / "0.2.0" / "forest.skops")
    with deployment.opened() as stores:
        stores.tracking.registry("shops").version(1)  # from here on, MLflow is at the address of these stores
        history = stores.tables.read(["shops", "observations"])
        future = stores.tables.read(["shops", "future_covariates"], partitions=["2024-04-20"])
        future = future[["item_id", "timestamp", "promotion"]].assign(target=float("nan"), rain=0.0, region="north")
        rows = pd.concat([history[[*future]], future], ignore_index=True)
        rows.to_parquet(tmp_path / "history.parquet")

        def log() -> str:
            with mlflow.start_run():
                return log_forecaster(state, rows, expected("0.2.0", "forest"), 5)[0]

        def load(*uris: str, beside: str = "") -> tuple[str, list[pd.DataFrame]]:
            done = subprocess.run(
                [sys.executable, "-c", BESIDE_OTHERS, beside, *uris],
                env={"MLFLOW_TRACKING_URI": stores.tracking.uri, "DO_NOT_TRACK": "true", "PATH": "/usr/bin:/bin"},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.strip(), [pd.read_parquet(tmp_path / f"{number}.parquet") for number in range(len(uris))]

        yield log, load


def numbers(made: pd.DataFrame) -> pd.DataFrame:
    return made.drop(columns=["code", "source"])


def same(made: pd.DataFrame, release: str = "0.2.0", model: str = "forest") -> None:
    """Hold forecasts against what a release made of the same model."""
    then = expected(release, model).drop(columns="source")
    pd.testing.assert_frame_equal(numbers(made), then, rtol=1e-9, atol=0, check_dtype=False)


@pytest.mark.process
def test_a_model_loads_beside_a_foreign_package_called_forecasting(asked, tmp_path):
    log, load = asked
    foreign = tmp_path / "theirs" / "forecasting" / "__init__.py"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("")
    file, (made,) = load(log(), beside=str(tmp_path / "theirs"))
    assert Path(file) == foreign, "theirs stays theirs"
    same(made)
    assert made["code"].unique().tolist() == [f"{own_code().name}.forecaster"]


@pytest.mark.process
def test_models_of_three_releases_run_in_one_process_each_by_its_own_code(asked, monkeypatch):
    log, load = asked
    present = log()
    source = own_code().files["forecaster.py"]
    later = ModelCode(
        {**own_code().files, "forecaster.py": source.replace('= "model"', '= "model of a later release"')}
    )
    monkeypatch.setattr(logged_model, "own_code", lambda: later)
    file, made = load("models:/shops/1", present, log())
    assert Path(file).parts[-3:] == ("code", "forecasting", "__init__.py"), "0.1.0 still had that name"
    assert [rows["code"].iloc[0].split(".")[0] for rows in made] == ["forecasting", own_code().name, later.name]
    assert [rows["source"].iloc[0] for rows in made] == ["model", "model", "model of a later release"]
    same(made[0], "0.1.0", "version 1")
    same(made[1])
    same(made[2])


def test_the_name_depends_on_the_code_and_on_nothing_else(tmp_path):
    own_code().write(tmp_path)
    folder = tmp_path / own_code().name
    for file in folder.rglob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "task.cpython-311.pyc").write_bytes(b"x")
    assert ModelCode.read(folder).name == own_code().name
    (folder / "task.py").write_text("CONSTANT = 2\n")
    assert ModelCode.read(folder).name != own_code().name


def test_warnings_of_a_version_run_by_its_own_code_are_caught_as_ours():
    code = ModelCode({**own_code().files, "task.py": own_code().files["task.py"] + "# of another release\n"})
    code.run()
    assert sys.modules[f"{code.name}_checked.guards"].UnusualInput is guards.UnusualInput


def test_code_is_run_from_the_sources_that_were_read(tmp_path):
    (tmp_path / "below").mkdir()
    for name, text in {
        "__init__.py": "",
        "entry.py": "from .below.answer import ANSWER\ndef rebuild(state):\n    return ANSWER\nrefit = None\n",
        "below/__init__.py": "",
        "below/answer.py": "ANSWER = 42\n",
    }.items():
        (tmp_path / name).write_text(text)
    code = ModelCode.read(tmp_path)
    (tmp_path / "below" / "answer.py").write_text("ANSWER = 43\n")
    assert code.run().rebuild({}) == 42
    assert ModelCode.read(tmp_path).run().rebuild({}) == 43
    with pytest.raises(ImportError):
        ModelCode({"__init__.py": "", "entry.py": "from . import nowhere"}).run()


STRANGER = """
import sys
sys.modules["mlops_assets"] = None  # as if it were not installed
import mlflow
model = mlflow.pyfunc.load_model("models:/demo@champion")
history = mlflow.models.Model.load(mlflow.artifacts.download_artifacts("models:/demo@champion"))
example = history.load_input_example(mlflow.artifacts.download_artifacts("models:/demo@champion"))
model.predict(example, params={"horizon": 5}).to_json(sys.argv[1], orient="records", date_format="iso")
"""


@pytest.mark.process
def test_a_stranger_without_this_package_can_use_the_model(trained, tmp_path):
    trained.tracking.registry("demo")
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(tmp_path / "out.json")],
        env={
            "MLFLOW_TRACKING_URI": trained.tracking.uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PATH": "/usr/bin:/bin",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = pd.read_json(tmp_path / "out.json")
    assert len(made) == 2 * 5
    from mlops_assets.forecasting.model.features import lookback
    from mlops_assets.stages.register import example_of

    last = HISTORY.split("...")[1]
    history = trained.table("observations")
    example = example_of(history[history["timestamp"] <= last], lookback(trained.spec.task), pd.Timestamp(last))
    registry = trained.tracking.registry("demo")
    ours = kinds.rebuild(registry.load(registry.champion())).predict(example, horizon=5)
    for name in ("mean", "q10", "q50", "q90"):
        assert made[name].to_numpy() == pytest.approx(ours[name].to_numpy(), rel=1e-6)


def test_the_model_carries_no_bytecode(asked, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    log, _ = asked
    folder = Path(mlflow.artifacts.download_artifacts(log()))
    assert [file.name for file in folder.rglob("*") if "__pycache__" in file.parts or file.suffix == ".pyc"] == []
    assert sys.dont_write_bytecode is False


def test_the_model_carries_no_pickle(trained):
    registry = trained.tracking.registry("demo")
    folder = Path(mlflow.artifacts.download_artifacts(registry.champion().uri))
    assert [file.name for file in folder.rglob("*") if file.suffix in (".pkl", ".pickle", ".joblib")] == []
    assert [file.is_file() for file in (folder / "code").glob("mlops_assets_model_*/forecaster.py")] == [True]
