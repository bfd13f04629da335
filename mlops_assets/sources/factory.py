"""The reader of each kind of source that a spec may name."""

from mlops_assets.sources.base import SourceReader
from mlops_assets.sources.files import FileReader
from mlops_assets.sources.http import HttpReader
from mlops_assets.sources.object_files import ObjectReader, is_object_url
from mlops_assets.sources.sql import SqlReader
from mlops_assets.spec import ForecastSpec, HttpSource, SqlSource
from mlops_assets.spec.sources import Source


def open_source(spec: ForecastSpec, source: Source | None = None) -> SourceReader:
    """Return the reader of a spec's source, or of another one that it names."""
    source = source or spec.source
    if isinstance(source, SqlSource):
        return SqlReader(source, spec.time_zone)
    if isinstance(source, HttpSource):
        return HttpReader(source, spec.time_zone)
    if is_object_url(source.path):
        return ObjectReader(source)
    return FileReader(source, spec.folder)
