"""The reader of each kind of source that a spec may name."""

from mlops_assets.sources.base import SourceReader
from mlops_assets.sources.files import FileReader
from mlops_assets.sources.http import HttpReader
from mlops_assets.sources.object_files import ObjectReader, is_object_url
from mlops_assets.sources.sql import SqlReader
from mlops_assets.spec import ForecastSpec, HttpSource, SqlSource


def open_source(spec: ForecastSpec) -> SourceReader:
    """Return the reader of a spec's source."""
    if isinstance(spec.source, SqlSource):
        return SqlReader(spec.source, spec.time_zone)
    if isinstance(spec.source, HttpSource):
        return HttpReader(spec.source, spec.time_zone)
    if is_object_url(spec.source.path):
        return ObjectReader(spec.source)
    return FileReader(spec.source, spec.folder)
