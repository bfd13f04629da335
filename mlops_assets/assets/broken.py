"""The asset that stands for a forecast whose spec cannot be used: it says why, and fails."""

import dagster as dg

from mlops_assets.catalog.names import SPEC
from mlops_assets.resources.secrets import scrub
from mlops_assets.spec import BrokenSpec


def placeholder(broken: BrokenSpec) -> dg.AssetsDefinition:
    """Define `<name>/spec`."""
    why = scrub(broken.message)

    @dg.asset(
        key=[broken.name, SPEC],
        group_name=broken.name,
        kinds={"yaml"},
        description=f"The forecast {broken.name} cannot be used until its spec is mended and this code location "
        f"reloaded; its tables, models and runs are kept.\n\n{why}",
        metadata={"spec": dg.MetadataValue.path(broken.file)},
    )
    def spec() -> None:
        raise dg.Failure(why, allow_retries=False)

    return spec
