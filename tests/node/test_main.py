"""The exit code of a node: what its supervisor is to make of its end."""

import pytest

from flowd.child.keeper_client import KeeperDied
from flowd.domain.errors import FlowdError, InvalidSettings, MetastoreUnavailable, QueueUnavailable
from flowd.node.main import exit_code


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], 0),
        ([InvalidSettings("a port that is taken")], 78),
        ([MetastoreUnavailable("away"), InvalidSettings("another schema")], 78),
        ([MetastoreUnavailable("away"), QueueUnavailable("away")], 5),
        ([KeeperDied("gone")], 1),
        ([MetastoreUnavailable("away"), KeeperDied("gone")], 1),
    ],
    ids=["drained", "settings", "schema", "backends", "keeper", "both"],
)
def test_an_exit_code_says_whether_to_start_the_node_again(errors: list[FlowdError], code: int) -> None:
    assert exit_code(errors) == code
