"""@asset: a function that makes an asset, as a DAG of one task with the asset as its outlet."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators.python import PythonOperator
from flowd.operators.task_function import TaskFunction
from flowd.sdk.assets import Asset, AssetAll, BaseAsset
from flowd.sdk.context import Context
from flowd.sdk.dag import DAG

_OWN = ("self", "context", "outlet_events")
"""Parameters that are no assets."""


class AssetOperator(PythonOperator):
    """Calls the function with what its parameters name: `self` is the asset, every other one an asset of that name."""

    def __init__(self, *, asset: BaseAsset, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._asset = asset

    def execute(self, context: Context) -> Any:
        """Call the function."""
        own = {"self": self._asset, "context": context, "outlet_events": context["outlet_events"]}
        wanted = _parameters(self.python_callable)
        self.op_kwargs = {name: own[name] if name in own else _named(self.python_callable, name) for name in wanted}
        return super().execute(context)


class AssetDefinition(Asset):
    """The asset that a function makes."""


class MultiAssetDefinition(AssetAll):
    """The assets that a function makes together."""

    def __init__(self, name: str, outlets: Collection[BaseAsset]) -> None:
        super().__init__(*outlets)
        self.name = name


class AssetDecorator:
    """`@asset(schedule=…)`, and `@asset.multi(schedule=…, outlets=[…])` for a function that makes several.

    The asset has the name of the function unless `name` gives another; all else is as in a DAG. A parameter of the
    function that has no default is an asset that it reads.
    """

    def __call__(
        self,
        *,
        schedule: Any,
        name: str | None = None,
        uri: Any = None,
        group: str = "asset",
        extra: Mapping[str, Any] | None = None,
        watchers: Collection[Any] = (),
        access_control: Any = None,
        **of_dag: Any,
    ) -> Callable[[Any], AssetDefinition]:
        """Return the decorator."""

        def define(function: Any) -> AssetDefinition:
            known = {"group": group, "extra": extra, "watchers": watchers, "access_control": access_control}
            made = AssetDefinition(name or function.__name__, uri, **known)
            _make_dag(function, made, [made], {"dag_id": made.name, "schedule": schedule, **_given(of_dag)})
            return made

        return define

    def multi(
        self, *, schedule: Any, outlets: Collection[BaseAsset], **of_dag: Any
    ) -> Callable[[Any], MultiAssetDefinition]:
        """Return the decorator of a function that makes all `outlets`."""

        def define(function: Any) -> MultiAssetDefinition:
            if not outlets:
                raise InvalidDag(f"@asset.multi {function.__name__!r}: outlets is empty; name the assets it makes")
            made = MultiAssetDefinition(function.__name__, outlets)
            keywords = {"dag_id": made.name, "schedule": schedule, **_given(of_dag)}
            _make_dag(function, made, list(outlets), keywords)
            return made

        return define


asset = AssetDecorator()


def _make_dag(function: Any, made: BaseAsset, outlets: list[BaseAsset], keywords: dict[str, Any]) -> None:
    with DAG(catchup=False, **keywords):
        if isinstance(function, TaskFunction):
            function.override(outlets=outlets)()
            return
        AssetOperator(
            asset=made,
            task_id=function.__name__,
            python_callable=function,
            inlets=[_named(function, name) for name in _parameters(function) if name not in _OWN],
            outlets=outlets,
        )


def _parameters(function: Callable[..., Any]) -> list[str]:
    wanted = inspect.signature(function).parameters.values()
    for one in wanted:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            raise InvalidDag(f"@asset {function.__name__!r}: {one} cannot name an asset; name each that it reads")
    return [one.name for one in wanted if one.default is one.empty]


def _named(function: Callable[..., Any], name: str) -> Asset:
    """The asset of that name in the function's file; one of another file is known by its name alone."""
    known = getattr(function, "__globals__", {}).get(name)
    return known if isinstance(known, Asset) else Asset.ref(name=name)


def _given(of_dag: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in of_dag.items() if value is not None}
