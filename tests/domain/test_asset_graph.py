"""The graph of assets: what is around a node, and so much of it as hangs together."""

from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.asset_graph import AssetGraph, AssetNode, NodeKind

# loads writes orders, which sets off bills; bills writes money; report reads orders and money, and sets nothing off.
EDGES = ("loads>orders", "orders>bills", "bills>money", "orders>report", "money>report")


def node(name: str) -> AssetNode:
    kind = NodeKind.ASSET if name in ("orders", "money") else NodeKind.DAG
    return AssetNode(kind=kind, name=name, label=name)


def graph(*edges: str) -> AssetGraph:
    ends = [tuple(map(node, edge.split(">"))) for edge in edges]
    nodes = dict.fromkeys(one for pair in ends for one in pair)
    return AssetGraph(nodes=tuple(nodes), edges={(source, target): True for source, target in ends})


def names(found: AssetGraph) -> set[str]:
    return {one.name for one in found.nodes}


def test_what_is_around_a_node_is_what_it_hangs_on_and_what_hangs_on_it() -> None:
    whole = graph(*EDGES)

    def around(name: str, *, upstream: bool = True, downstream: bool = True) -> set[str]:
        return names(whole.around([node(name)], upstream=upstream, downstream=downstream))

    assert around("bills") == {"loads", "orders", "bills", "money", "report"}
    assert around("bills", downstream=False) == {"loads", "orders", "bills"}
    assert around("bills", upstream=False) == {"bills", "money", "report"}
    assert around("bills", upstream=False, downstream=False) == {"bills"}
    # Its brothers are not around it: what else an upstream sets off.
    assert around("money") == {"loads", "orders", "bills", "money", "report"}
    assert around("loads", upstream=False) == names(whole)


def test_edges_between_what_is_left_are_left() -> None:
    part = graph(*EDGES).around([node("bills")], upstream=True, downstream=False)

    assert {(source.name, target.name) for source, target in part.edges} == {("loads", "orders"), ("orders", "bills")}


def test_a_circle_comes_to_an_end() -> None:
    whole = graph("a>orders", "orders>a", "orders>b")

    assert names(whole.around([node("b")], upstream=True, downstream=True)) == {"a", "orders", "b"}


def test_a_node_is_found_by_its_kind_and_name() -> None:
    whole = graph(*EDGES)

    assert whole.find(NodeKind.ASSET, "orders") == node("orders")
    assert whole.find(NodeKind.DAG, "orders") is None


@given(st.sets(st.tuples(st.integers(0, 12), st.integers(0, 12))), st.integers(1, 8))
def test_so_many_are_left_and_those_of_one_part_hang_together(pairs: set[tuple[int, int]], most: int) -> None:
    whole = graph(*(f"{source}>{target}" for source, target in sorted(pairs)))

    left = whole.first(most)

    assert len(left.nodes) == min(most, len(whole.nodes))
    assert left.edges == {ends: goes for ends, goes in whole.edges.items() if set(ends) <= set(left.nodes)}
    # Whoever stands alone in what is left either stands alone, or begins a part that had no room.
    tied = {one for ends in left.edges for one in ends}
    alone = [one for one in left.nodes if one not in tied and any(one in ends for ends in whole.edges)]
    assert len(alone) <= 1
