"""Files of a git repository."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mlops_assets.sources.base import SourceError
from mlops_assets.sources.revisions import git
from mlops_assets.sources.revisions.tracked import TrackedFile


class GitRepository:
    """The repository that a folder is in; the id of a file is that of its blob."""

    way_in = "git add, and git commit"

    def __init__(self, folder: Path) -> None:
        with _refusals(folder):
            self.root = git.root_of(folder).resolve()

    def files(self, below: str, revision: str | None) -> Mapping[str, TrackedFile]:
        """See `Repository`; without a revision they are those of the latest commit."""
        shown = revision or "HEAD"
        with _refusals(self.root):
            commit = git.commit_of(self.root, shown)
        told = self._ask("ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *([below] if below else []))
        found = {}
        for entry in filter(None, os.fsdecode(told).split("\0")):
            facts, _, path = entry.partition("\t")
            _, kind, blob, size = facts.split()
            if kind == "blob":
                # With its filters the content is what a checkout would write: of LFS too, and with its line ends.
                content = partial(self._ask, "cat-file", "--filters", f"{commit}:{path}")
                found[path] = TrackedFile(path, shown, blob, int(size), content)
        return found

    def changed(self, below: str, paths: Collection[str]) -> bool:
        """See `Repository`."""
        told = self._ask("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", below or ".")
        return any(entry[3:] in paths for entry in os.fsdecode(told).split("\0"))

    def _ask(self, *arguments: str) -> bytes:
        with _refusals(self.root):
            return git.ask(self.root, ["--literal-pathspecs", *arguments])


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    """Turn what git refuses into a SourceError."""
    try:
        yield
    except git.GitError as error:
        raise SourceError(f"{folder}: source.version: git: {error}") from None
