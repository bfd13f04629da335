"""Files of real repositories of git and DVC: at a revision, and with the version that these know them by."""

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.errors import MissingExtraError, MlopsAssetsError
from mlops_assets.sources.base import read_all
from mlops_assets.sources.factory import open_source_of
from mlops_assets.spec import FileSource
from mlops_assets_tests.sources.reading import COLUMNS, HEADER, MARCH, NOW, rows

pytestmark = pytest.mark.process
OLD, NEW = HEADER + "a,2024-03-01,1\n", HEADER + "a,2024-03-01,2\na,2024-03-02,3\n"


DVC = {"DVC_NO_ANALYTICS": "true", "GIT_CONFIG_GLOBAL": "/dev/null"}
ADA = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *ADA, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def _commit(folder: Path, tag: str) -> None:
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", tag)
    _git(folder, "tag", tag)


@pytest.fixture
def git(tmp_path: Path):
    """A repository without a commit; call it to ask git."""
    (tmp_path / "data").mkdir()
    _git(tmp_path, "init", "-q", "-b", "main")
    return partial(_git, tmp_path)


@pytest.fixture
def in_git(git, tmp_path: Path):
    """The same with data/sales.csv: one row at v1, and two from v2 on."""
    for text, tag in ((OLD, "v1"), (NEW, "v2")):
        (tmp_path / "data" / "sales.csv").write_text(text)
        _commit(tmp_path, tag)
    return git


def reader_of(folder: Path, path: str = "data/sales.csv", version: str = "git", **fields: Any) -> Any:
    return open_source_of(FileSource(kind="file", path=path, version=version, **fields), folder)


def read(folder: Path, *path: str, **fields: Any) -> list[Any]:
    return rows(read_all(reader_of(folder, *path, **fields), COLUMNS, "day", MARCH))


def version(folder: Path, *path: str, **fields: Any) -> str:
    reader = reader_of(folder, *path, **fields)
    assert reader.signature("day", MARCH) == reader.version("day", MARCH)
    return reader.version("day", MARCH)


def refusal(folder: Path, *path: str, **fields: Any) -> str:
    with pytest.raises(MlopsAssetsError) as error:
        read(folder, *path, **fields)
    return str(error.value)


def test_a_file_is_read_at_a_revision_of_git_whatever_is_on_the_disk(in_git, tmp_path):
    (tmp_path / "data" / "sales.csv").unlink()
    (tmp_path / "data").rmdir()
    assert read(tmp_path, revision="v1") == [(1, "a", "2024-03-01", "1")]
    assert len(read(tmp_path, revision="main")) == 2
    assert version(tmp_path, revision="v1") == in_git("rev-parse", "v1:data/sales.csv").strip()
    assert "data/sales.csv at v1, 1 file" in reader_of(tmp_path, revision="v1").probe(COLUMNS, "day", NOW)
    assert reader_of(tmp_path, revision="v1").unmarked("_SUCCESS") == ""
    assert reader_of(tmp_path, revision="v2").rows_about("day", MARCH) == len(NEW) // 40


def test_folders_and_globs_are_read_at_a_revision_too(in_git, tmp_path):
    (tmp_path / "data" / "more.csv").write_text(OLD.replace("a,", "b,"))
    (tmp_path / "data" / ".hidden").write_text("?")
    in_git("add", "-A")
    in_git("commit", "-q", "-m", "one more")
    for path in ("data", "data/*.csv", "**/[ms]*.csv", str(tmp_path / "data")):
        assert [row[1] for row in read(tmp_path, path, revision="main")] == ["b", "a", "a"]
        assert [row[1] for row in read(tmp_path, path, revision="v2")] == ["a", "a"]
    assert version(tmp_path, "data", revision="v2") == version(tmp_path, revision="v2")
    assert version(tmp_path, "data", revision="main") == version(tmp_path, "data")
    assert version(tmp_path, "data", revision="main") != version(tmp_path, "data", revision="v2")


def test_a_file_on_the_disk_has_gits_id_until_it_is_changed(in_git, tmp_path):
    blob = in_git("rev-parse", "HEAD:data/sales.csv").strip()
    assert version(tmp_path) == blob
    assert reader_of(tmp_path).notes == [f"git has it as {blob}"]
    file = tmp_path / "data" / "sales.csv"
    file.write_text(NEW + "a,2024-03-03,4\n")
    changed = version(tmp_path)
    assert changed.startswith(f"{blob}+changed.")
    assert len(read(tmp_path)) == 3
    file.write_text(NEW + "a,2024-03-03,5\n")
    assert version(tmp_path) not in (blob, changed)
    in_git("commit", "-q", "-a", "-m", "a day more")
    assert version(tmp_path) == in_git("rev-parse", "HEAD:data/sales.csv").strip() != blob


def test_a_file_more_or_less_changes_a_folder(in_git, tmp_path):
    before = version(tmp_path, "data")
    (tmp_path / "data" / "more.csv").write_text(OLD)
    more = version(tmp_path, "data")
    assert more.startswith(f"{before}+changed.")
    (tmp_path / "elsewhere.csv").write_text(OLD)
    assert version(tmp_path, "data/s*.csv") == before


def test_what_git_cannot_give_is_said_with_the_way_out(git, tmp_path, tmp_path_factory):
    (tmp_path / "data" / "sales.csv").write_text(OLD)
    assert "no revision 'HEAD'" in refusal(tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "nothing")
    assert "git does not keep it: git add, and git commit; or leave out source.version" in refusal(tmp_path)
    git("add", "-A")
    git("commit", "-q", "-m", "a file")
    git("tag", "release-1")
    assert "no revision 'relaese-1'" in refusal(tmp_path, revision="relaese-1")
    assert "did you mean release-1?" in refusal(tmp_path, revision="relaese-1")
    assert "no revision '--help'" in refusal(tmp_path, revision="--help")
    assert "sale.csv at main: git keeps no such file" in refusal(tmp_path, "data/sale.csv", revision="main")
    outside = tmp_path_factory.mktemp("outside")
    (outside / "sales.csv").write_text(OLD)
    assert "not a git repository" in refusal(outside, "sales.csv")
    assert "dvc init" in refusal(outside, "sales.csv", version="dvc")


def test_without_git_it_says_so(in_git, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"path": "s3://shop/sales.csv", "version": "git"}, "of object storage it is etag"),
        ({"path": "sales.csv", "version": "etag"}, "of files on a disk git or dvc"),
        ({"path": "sales.csv", "revision": "v1"}, "version: git or version: dvc"),
        ({"path": "sales.csv", "version": "git", "revision": "v1", "latest_wins": "modified"}, "take name"),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        FileSource(kind="file", **fields)


@pytest.fixture(scope="module")
def dvc_repository(tmp_path_factory) -> Path:
    """A file and a folder that DVC keeps, pushed to a remote that is a folder; one row at v1, two from v2 on."""
    repo = pytest.importorskip("dvc.repo")
    folder, remote = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("remote")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in DVC.items():
            environment.setenv(name, value)
        _git(folder, "init", "-q", "-b", "main")
        with repo.Repo.init(str(folder)) as made:
            with made.config.edit() as config:
                config["core"] = {"remote": "store"}
                config["remote"] = {"store": {"url": str(remote)}}
            for text, tag in ((OLD, "v1"), (NEW, "v2")):
                for file in (folder / "data" / "sales.csv", folder / "days" / "march" / "sales.csv"):
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(text)
                made.add([str(folder / "data" / "sales.csv"), str(folder / "days")])
                made.push()
                _commit(folder, tag)
    return folder


@pytest.fixture
def in_dvc(dvc_repository: Path, tmp_path: Path, monkeypatch) -> None:
    for name, value in DVC.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".site"))
    shutil.copytree(dvc_repository, tmp_path, dirs_exist_ok=True)


def test_files_are_read_at_a_revision_of_dvc_from_cache_or_remote(in_dvc, tmp_path):
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    (tmp_path / "data" / "sales.csv").unlink()
    for path in ("data/sales.csv", "data", "days/**/*.csv", "days"):
        assert read(tmp_path, path, version="dvc", revision="v1") == [(1, "a", "2024-03-01", "1")]
    assert len(read(tmp_path, version="dvc", revision="main")) == 2
    assert version(tmp_path, version="dvc", revision="v1") in _git(tmp_path, "show", "v1:data/sales.csv.dvc")
    assert "did you mean v2?" in refusal(tmp_path, version="dvc", revision="v22")


def test_a_file_on_the_disk_has_dvcs_hash_until_it_is_changed(in_dvc, tmp_path):
    before = version(tmp_path, version="dvc")
    assert before in (tmp_path / "data" / "sales.csv.dvc").read_text()
    assert version(tmp_path, "days", version="dvc") == version(tmp_path, "days", version="dvc", revision="main")
    (tmp_path / "data" / "sales.csv").write_text(OLD)
    assert version(tmp_path, version="dvc").startswith(f"{before}+changed.")
    assert read(tmp_path, version="dvc") == [(1, "a", "2024-03-01", "1")]
    (tmp_path / "data" / "other.csv").write_text(OLD)
    assert "dvc does not keep it: dvc add" in refusal(tmp_path, "data/other.csv", version="dvc")


def test_content_that_dvc_has_lost_is_named(in_dvc, tmp_path):
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    (tmp_path / ".dvc" / "config").write_text("")
    assert "dvc fetch" in refusal(tmp_path, version="dvc", revision="v1")


def test_without_the_extra_it_is_named(in_dvc, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dvc.api", None)
    with pytest.raises(MissingExtraError) as error:
        read(tmp_path, version="dvc")
    assert error.value.advice == ("pip install 'mlops-assets[dvc]'",)
