"""PartitionedAssetTimetable: a run of the DAG for each partition of the assets that it waits for."""

from collections.abc import Mapping
from typing import Any

from flowd.domain.assets import AliasSpec, leaves
from flowd.domain.errors import InvalidDag
from flowd.domain.partition.plan import Partitioning
from flowd.sdk.assets import Asset, AssetAll, AssetAny, BaseAsset, condition_of
from flowd.sdk.partition_mappers import IdentityMapper, PartitionMapper, asset_mapper


class PartitionedAssetTimetable:
    """A schedule by partitions of assets. Their keys are mapped each by its own mapper, or by the default one.

    Raises InvalidDag for what is no condition on assets, for an alias, which has no partitions, and for a mapper that
    flowd does not know.
    """

    def __init__(
        self,
        assets: Any,
        partition_mapper_config: Mapping[BaseAsset, PartitionMapper] | None = None,
        default_partition_mapper: PartitionMapper | None = None,
    ) -> None:
        self.assets = assets
        condition = condition_of(assets)
        if condition is None:
            raise InvalidDag(f"PartitionedAssetTimetable: assets is {assets!r}, wanted an asset or several")
        for leaf in leaves(condition):
            if isinstance(leaf, AliasSpec):
                raise InvalidDag(f"PartitionedAssetTimetable: the alias {leaf.name!r} has no partitions; name assets")
        self.partition_mapper_config = dict(partition_mapper_config or {})
        self.default_partition_mapper = default_partition_mapper or IdentityMapper()
        self.partitioning = Partitioning(
            default=asset_mapper(self.default_partition_mapper),
            by_asset={
                name: asset_mapper(mapper)
                for given, mapper in self.partition_mapper_config.items()
                for name in _names(given)
            },
        )


def _names(given: BaseAsset) -> list[str]:
    match given:
        case Asset():
            return [given.name]
        case AssetAny() | AssetAll():
            return [name for one in given.objects for name in _names(one)]
        case _:
            raise InvalidDag(f"PartitionedAssetTimetable: {given!r} has no partitions; name assets")
