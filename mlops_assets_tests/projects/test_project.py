"""A project of one's own: what is written, and what is refused."""

from datetime import datetime, timezone
from pathlib import Path

import pytest
import tomli

from mlops_assets.errors import UsageError
from mlops_assets.projects.project import make_project
from mlops_assets.projects.sample import sample_sales
from mlops_assets.settings import variables
from mlops_assets.spec import load_spec
from mlops_assets.testing import run_in_memory
from mlops_assets_tests.worlds import declare, panel

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


def test_everything_is_there_and_nothing_of_a_template_is_left(tmp_path):
    made = make_project(tmp_path / "my-shop", NOW)
    files = {file: (tmp_path / "my-shop" / file).read_text() for file in made.files}
    assert made.package == "my_shop"
    assert set(files) >= {
        *("pyproject.toml", "README.md", "Dockerfile", "dagster.yaml", ".env.example", ".gitignore", ".dockerignore"),
        *("my_shop/__init__.py", "my_shop/definitions.py", "tests/test_forecasts.py", ".gitlab-ci.yml"),
        *(".github/workflows/ci.yml", "forecasts/shop_sales.yaml", "forecasts/shop_sales.csv"),
    }
    for file, text in files.items():
        assert "@my" not in text, file
        assert not {"@project@", "@package@", "@forecast@", "@version@"} & set(text.split()), file
    assert "my_shop.definitions" in files["pyproject.toml"]
    assert all(f"# {name}=" in files[".env.example"] for name in variables())
    assert load_spec(tmp_path / "my-shop" / "forecasts" / "shop_sales.yaml").horizon == 14


def test_a_table_of_ones_own_is_where_it_was(tmp_path):
    panel().to_csv(tmp_path / "sales.csv", index=False)
    made = make_project(tmp_path / "shop", NOW, table=str(tmp_path / "sales.csv"), name="shops")
    assert made.package == "shops"
    spec = load_spec(tmp_path / "shop" / "forecasts" / "sales.yaml")
    assert (spec.name, spec.columns.item_id) == ("sales", ["shop"])
    assert (Path(spec.file).parent / spec.source.path).resolve() == tmp_path / "sales.csv"
    assert not (tmp_path / "shop" / "forecasts" / "shop_sales.csv").exists()


@pytest.mark.parametrize("name", ["tests", "json", "mlops_assets", "2shops", "My Shop"])
def test_a_name_that_would_hide_another_package_is_refused(name, tmp_path):
    with pytest.raises(UsageError, match="--name says"):
        make_project(tmp_path / "shop", NOW, name=name)
    assert not (tmp_path / "shop").exists()


def test_a_folder_with_something_in_it_is_refused_but_a_clone_without_files_is_not(tmp_path):
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    assert ".git" not in " ".join(make_project(tmp_path / "shop", NOW).files).replace(".gitignore", "").split()
    with pytest.raises(UsageError, match="there is something already"):
        make_project(tmp_path / "shop", NOW)


def test_whatever_the_folder_is_called_packages_and_images_may_have_the_name(tmp_path):
    made = make_project(tmp_path / "North Store.1 & sons", NOW)
    settings = tomli.loads((tmp_path / "North Store.1 & sons" / "pyproject.toml").read_text())
    assert (settings["project"]["name"], made.package) == ("north-store-1-sons", "north_store")


def test_the_sample_is_the_same_each_time_and_knows_its_promotions_ahead():
    sample = sample_sales()
    assert sample.equals(sample_sales())
    ahead = sample[sample["sold"].isna()]
    assert ahead["date"].min() > sample.dropna()["date"].max()
    assert set(ahead["promotion"]) == {0, 1}


def test_a_round_in_memory_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = declare(tmp_path / "forecasts", model={"kind": "seasonal_naive"})
    before = sorted(tmp_path.rglob("*"))
    done = run_in_memory(spec, "2024-05-10")
    assert done.partition == "2024-05-10"
    assert len(done.read("forecasts")) == 4 * spec.horizon
    assert done.read("observations")["timestamp"].max().isoformat() == "2024-05-10T00:00:00"
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(UsageError, match="no partition '2030-01-01'"):
        run_in_memory(spec, "2030-01-01")
