"""Files that git or DVC keeps, as a source."""

import re
from collections.abc import Mapping
from pathlib import Path

from mlops_assets.forecasting.data.contract import Window
from mlops_assets.sources.base import AnyFile, SourceError, digest
from mlops_assets.sources.files import HIDDEN, FileReader, base_of
from mlops_assets.sources.object_files import glob_regex
from mlops_assets.sources.revisions.dvc_files import DvcRepository
from mlops_assets.sources.revisions.git_files import GitRepository
from mlops_assets.sources.revisions.tracked import Repository, TrackedFile
from mlops_assets.spec import FileSource

_REPOSITORIES: Mapping[str, type[GitRepository] | type[DvcRepository]] = {"git": GitRepository, "dvc": DvcRepository}


class RevisionReader(FileReader):
    """The files at `source.revision`, or those on the disk, which have to be in the repository.

    Raises:
        SourceError: there is no repository.
    """

    def __init__(self, source: FileSource, folder: Path) -> None:
        super().__init__(source, folder)
        there = next(one for one in (self.path, *self.path.absolute().parents) if one.is_dir())
        self._repository: Repository = _REPOSITORIES[str(source.version)](there)
        if source.revision is not None:
            self.name = f"{self.path} at {source.revision}"

    @property
    def notes(self) -> list[str]:
        """What the last read found out, and the version of what is read."""
        return [f"{self.source.version} has it as {self._version()}", *super().notes]

    def files(self) -> Mapping[str, AnyFile]:
        """Return the files in the order of their names, which start below the folder that all are in.

        Raises:
            UnknownNameError: there is no such revision.
            SourceError: there is no such file, or the repository does not keep it.
        """
        return self._files(self._kept())

    def _files(self, kept: Mapping[str, TrackedFile]) -> Mapping[str, AnyFile]:
        if self.source.revision is not None:
            if not kept:
                raise SourceError(f"{self.name}: {self.source.version} keeps no such file there, and none that matches")
            return kept
        found = super().files()
        if not kept:
            raise SourceError(
                f"{self.name}: {self.source.version} does not keep it: {self._repository.way_in}; or leave out "
                "source.version"
            )
        return found

    def signature(self, time_column: str, window: Window) -> str:
        """Return the version: a commit changes it, too."""
        return self.version(time_column, window)

    def version(self, time_column: str, window: Window) -> str:
        """Return the id that the repository gives the content, of several files a hash of names and ids.

        Of files that are otherwise on the disk it ends with `+changed` and a hash of their content.
        """
        return self._version()

    def unmarked(self, marker: str) -> str:
        """Return nothing at a revision, which is whole."""
        return "" if self.source.revision is not None else super().unmarked(marker)

    def _version(self) -> str:
        kept = self._kept()
        files = self._files(kept)
        ids = {name: file.id for name, file in kept.items()}
        known = next(iter(ids.values())) if len(ids) == 1 else digest(f"{name} {one}" for name, one in ids.items())
        if self.source.revision is not None:
            return known
        below = self._below()
        changed = files.keys() != kept.keys() or self._repository.changed(below, {file.path for file in kept.values()})
        return f"{known}+changed.{self._of_content()[:12]}" if changed else known

    def _kept(self) -> dict[str, TrackedFile]:
        """Return the files of the repository that the path stands for, by their names below the folder of all."""
        below = self._below()
        every = self._repository.files(below, self.source.revision)
        if below in every:
            return {self.path.name: every[below]}
        base, pattern = base_of(self.path)
        wanted, start = re.compile(glob_regex(pattern)), f"{below}/" if below else ""
        found = {path.removeprefix(start): file for path, file in sorted(every.items())}
        whole = base == self.path
        return {
            name: one for name, one in found.items() if wanted.fullmatch(name) and not (whole and HIDDEN.search(name))
        }

    def _below(self) -> str:
        """Return the place of the folder of all, or of the one file, below the top of the repository."""
        place = base_of(self.path)[0].resolve().relative_to(self._repository.root).as_posix()
        return "" if place == "." else place

    def _bytes(self, file: AnyFile) -> int:
        return file.size if isinstance(file, TrackedFile) else super()._bytes(file)
