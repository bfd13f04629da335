"""The reader of each kind of source that a spec may name."""

from pathlib import Path
from typing import overload

from mlops_assets.sources.base import SourceReader
from mlops_assets.sources.files import FileReader
from mlops_assets.sources.object_files import ObjectReader, is_object_url
from mlops_assets.spec import FileSource, ForecastSpec, HttpSource, SqlSource
from mlops_assets.spec.sources import AssetSource, OwnSource, Source


def open_source(spec: ForecastSpec, source: Source | None = None) -> SourceReader:
    """Return the reader of a spec's source, or of another one that it names."""
    return open_source_of(source or spec.source, spec.folder, spec.time_zone)


@overload
def open_source_of(source: FileSource, folder: Path, time_zone: str = "UTC") -> FileReader: ...


@overload
def open_source_of(source: Source, folder: Path, time_zone: str = "UTC") -> SourceReader: ...


def open_source_of(source: Source, folder: Path, time_zone: str = "UTC") -> SourceReader:
    """Return the reader of a source.

    Args:
        source: of whatever kind.
        folder: that relative paths start from.
        time_zone: IANA zone of the times that a service or a database is asked for.
    """
    # Each process needs one kind of them, or two.
    if isinstance(source, SqlSource):
        from mlops_assets.sources.sql import SqlReader

        return SqlReader(source, time_zone)
    if isinstance(source, HttpSource):
        from mlops_assets.sources.http import HttpReader

        return HttpReader(source, time_zone)
    if isinstance(source, AssetSource):
        from mlops_assets.sources.asset_rows import AssetReader

        return AssetReader(source)
    if isinstance(source, OwnSource):
        from mlops_assets.sources.own_rows import OwnReader

        return OwnReader(source, folder, time_zone)
    if is_object_url(source.path):
        return ObjectReader(source)
    if source.version is not None:
        from mlops_assets.sources.revisions.reader import RevisionReader

        return RevisionReader(source, folder)
    return FileReader(source, folder)
