"""Files of a DVC repository, by DVC's Python API."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mlops_assets.errors import MissingExtraError
from mlops_assets.sources.base import SourceError
from mlops_assets.sources.revisions import git
from mlops_assets.sources.revisions.tracked import TrackedFile


class DvcRepository:
    """The repository that a folder is in; the id of a file is the MD5 hash that DVC knows its content by."""

    way_in = "dvc add"

    def __init__(self, folder: Path) -> None:
        folders = (folder.resolve(), *folder.resolve().parents)
        root = next((one for one in folders if (one / ".dvc").is_dir()), None)
        if root is None:
            raise SourceError(
                f"{folder}: source.version: dvc: neither it nor a folder above it has been through dvc init"
            )
        self.root = root

    def files(self, below: str, revision: str | None) -> Mapping[str, TrackedFile]:
        """See `Repository`; without a revision they are those of the .dvc files and the dvc.lock on the disk.

        The content is DVC's cache's, or a remote's.
        """
        with _refusals(self.root):
            shown = revision or "the workspace"
            disk = _open(self.root, None if revision is None else git.commit_of(self.root, revision))
            found = {}
            if not disk.exists(f"/{below}"):
                return found
            for name, facts in disk.find(f"/{below}", detail=True).items():
                known = facts.get("dvc_info")
                if known is not None:
                    path = name.lstrip("/")
                    content = partial(self._content, disk, path, shown)
                    found[path] = TrackedFile(path, shown, known["md5"], facts["size"] or 0, content)
            return found

    def changed(self, below: str, paths: Collection[str]) -> bool:
        """See `Repository`."""
        with _refusals(self.root):
            repository = _open(self.root, None).repo
            outs = {out for path in paths for out in repository.find_outs_by_path(str(self.root / path), strict=False)}
            return any(out.workspace_status() for out in outs)

    def _content(self, disk: Any, path: str, revision: str) -> bytes:
        try:
            return disk.cat_file(f"/{path}")
        except FileNotFoundError:
            raise SourceError(
                f"{path} at {revision}: DVC has its content neither in its cache nor in a remote; see dvc fetch"
            ) from None


def _open(root: Path, commit: str | None) -> Any:
    """Return the repository as a file system of fsspec, at a commit or as it is on the disk."""
    try:
        from dvc.api import DVCFileSystem
    except ImportError:
        raise MissingExtraError.of("source.version: dvc", "dvc", "dvc") from None
    return DVCFileSystem(url=str(root), rev=commit)


@contextmanager
def _refusals(root: Path) -> Iterator[None]:
    """Turn what git and DVC refuse into a SourceError."""
    try:
        yield
    except (MissingExtraError, SourceError):
        raise
    except git.GitError as error:
        raise SourceError(f"{root}: source.revision: {error}") from None
    except Exception as error:
        if not _is_dvcs(error):
            raise
        raise SourceError(f"{root}: source.version: dvc: {error}") from None


def _is_dvcs(error: Exception) -> bool:
    """Whether DVC has raised an error on purpose."""
    from dvc.exceptions import DvcException

    return isinstance(error, DvcException)
