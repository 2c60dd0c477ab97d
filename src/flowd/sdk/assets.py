"""Asset, AssetAlias and what is made of them: data that tasks write and whose news starts other DAGs."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flowd.domain.assets import AliasSpec, AllOf, AnyOf, AssetCondition, AssetSpec, check_asset
from flowd.domain.errors import InvalidDag
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.plain_json import plain_json


class BaseAsset:
    """What can stand in `schedule=`: `&` wants both, `|` one of them."""

    def condition(self) -> AssetCondition:
        """Return the condition that this is in a schedule."""
        raise InvalidDag(f"{type(self).__name__} cannot be scheduled by; use Asset, AssetAlias, AssetAny or AssetAll")

    def __or__(self, other: "BaseAsset") -> "AssetAny":
        return AssetAny(self, other) if isinstance(other, BaseAsset) else NotImplemented

    def __and__(self, other: "BaseAsset") -> "AssetAll":
        return AssetAll(self, other) if isinstance(other, BaseAsset) else NotImplemented


class Asset(BaseAsset):
    """Data by name and URI; where one is not given it is the other. Two assets of one name are the same."""

    def __init__(
        self,
        name: str | None = None,
        uri: Any = None,
        *,
        group: str = "asset",
        extra: Mapping[str, Any] | None = None,
        watchers: Iterable[Any] = (),
        access_control: Any = None,
    ) -> None:
        if name is None and uri is None:
            raise TypeError("Asset() needs a name or a uri")
        self.uri = str(uri if uri is not None else name)
        self.name = name if name is not None else self.uri
        self.group = group or "asset"
        self.extra = dict(extra or {})
        check_asset(self.name, self.uri)
        self.watchers = list(watchers)
        if access_control is not None:
            warnings.warn(f"asset {self.name!r}: access_control has no effect", DagWarning, stacklevel=2)

    @staticmethod
    def ref(name: str | None = None, uri: str | None = None) -> "Asset":
        """Return the asset of this name or URI."""
        return Asset(name=name, uri=uri)

    @property
    def normalized_uri(self) -> str:
        """The URI."""
        return self.uri

    def spec(self) -> AssetSpec:
        """Return the asset as the scheduler knows it."""
        return AssetSpec(name=self.name, uri=self.uri, group=self.group, extra=plain_json(self.extra))

    def condition(self) -> AssetCondition:
        """Return the condition that it has an event."""
        return self.spec()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asset) and (self.name, self.uri) == (other.name, other.uri)

    def __hash__(self) -> int:
        return hash((self.name, self.uri))

    def __fspath__(self) -> str:
        return self.uri

    def __repr__(self) -> str:
        return f"Asset(name={self.name!r}, uri={self.uri!r})"


class Dataset(Asset):
    """Airflow 2's name of an asset; it is known by its URI."""

    def __init__(self, uri: str, extra: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(uri=uri, extra=extra, **kwargs)


class Model(Asset):
    """An asset in the group `model`."""

    def __init__(self, name: str | None = None, uri: Any = None, **kwargs: Any) -> None:
        super().__init__(name, uri, **{"group": "model", **kwargs})


class AssetAlias(BaseAsset):
    """Stands for assets that a task names only when it runs: `outlet_events[alias].add(Asset(…))`."""

    def __init__(self, name: str, *, group: str = "asset") -> None:
        check_asset(name, name)
        self.name = name
        self.group = group

    def condition(self) -> AssetCondition:
        """Return the condition that an asset it stands for has an event."""
        return AliasSpec(name=self.name, group=self.group)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AssetAlias) and self.name == other.name

    def __hash__(self) -> int:
        return hash(("alias", self.name))

    def __repr__(self) -> str:
        return f"AssetAlias({self.name!r})"


class AssetAny(BaseAsset):
    """One of these must have an event."""

    def __init__(self, *objects: BaseAsset) -> None:
        self.objects = _checked(objects)

    def condition(self) -> AssetCondition:
        """Return the condition; `a | b | c` is one list of three."""
        return AnyOf(tuple(_flat(self.objects, AnyOf)))

    def __repr__(self) -> str:
        return f"AssetAny({', '.join(map(repr, self.objects))})"


class AssetAll(BaseAsset):
    """Each of these must have an event."""

    def __init__(self, *objects: BaseAsset) -> None:
        self.objects = _checked(objects)

    def condition(self) -> AssetCondition:
        """Return the condition; `a & b & c` is one list of three."""
        return AllOf(tuple(_flat(self.objects, AllOf)))

    def __repr__(self) -> str:
        return f"AssetAll({', '.join(map(repr, self.objects))})"


class AssetOrTimeSchedule:
    """A schedule by time and, beside it, by assets."""

    def __init__(self, *, timetable: Any, assets: Any = None, datasets: Any = None) -> None:
        self.timetable = timetable
        self.assets = assets if assets is not None else datasets


class AssetAccessControl:
    """Which teams may write and read an asset. It is accepted and has no effect."""

    def __init__(self, **_: Any) -> None:
        """Accept whatever Airflow's may."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a task yields to give the event of an asset its extra: `yield Metadata(asset, {"rows": 3})`."""

    asset: Asset
    extra: Mapping[str, Any] | None = None
    alias: AssetAlias | None = None


def condition_of(assets: Any) -> AssetCondition | None:
    """Return the condition that a schedule of assets is, a list wanting each; None for what is no such schedule."""
    if isinstance(assets, BaseAsset):
        return assets.condition()
    if (
        isinstance(assets, (list, tuple, set, frozenset))
        and assets
        and all(isinstance(one, BaseAsset) for one in assets)
    ):
        parts = (
            sorted((one.condition() for one in assets), key=repr)
            if isinstance(assets, (set, frozenset))
            else [one.condition() for one in assets]
        )
        return AllOf(tuple(parts))
    return None


def _checked(objects: tuple[BaseAsset, ...]) -> tuple[BaseAsset, ...]:
    if not objects or not all(isinstance(one, BaseAsset) for one in objects):
        raise TypeError("expect asset expressions in condition: Asset, AssetAlias, AssetAny or AssetAll")
    return objects


def _flat(objects: Iterable[BaseAsset], kind: type[AnyOf] | type[AllOf]) -> Iterable[AssetCondition]:
    for one in objects:
        condition = one.condition()
        if isinstance(condition, kind):
            yield from condition.parts
        else:
            yield condition
