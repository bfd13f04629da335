"""source: where the rows come from, which is looked at and never made."""

from collections.abc import Iterator

import dagster as dg

from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.names import SOURCE, step_name
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.resources.clock import Clock
from mlops_assets.stages.ingest import version_of


def build_source(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `source`: observed by each ingestion and by the sensor `arrivals`, its data version is its content's."""
    spec = graph.spec

    @dg.multi_observable_source_asset(
        name=step_name(spec.name, SOURCE),
        specs=[
            dg.AssetSpec(
                graph.key(SOURCE),
                deps=[dg.AssetKey(key.split("/")) for key in spec.upstream],
                **graph.attributes(
                    [graph.source_kind], "Where the rows come from; its version is that of its content."
                ),
            )
        ],
    )
    def source(clock: dg.ResourceParam[Clock]) -> Iterator[dg.ObserveResult]:
        try:
            version, name = version_of(graph, clock)
        except MlopsAssetsError as error:
            raise dg.Failure(f"{spec.file}: {error}", allow_retries=False) from error
        yield dg.ObserveResult(graph.key(SOURCE), metadata={"source": name}, data_version=dg.DataVersion(version))

    return source
