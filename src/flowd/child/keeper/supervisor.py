"""Supervisor: does what the node's frames say, and ends everything when the node is gone."""

import socket

from flowd.child.frames import Frame
from flowd.child.keeper.attempt import Attempt, Surroundings
from flowd.child.keeper.launcher import Launcher
from flowd.child.keeper.node_link import NodeLink
from flowd.child.keeper.process_table import ProcessTable
from flowd.child.keeper.reactor import Reactor
from flowd.child.keeper.warm import WarmPool
from flowd.child.keeper.warm_limits import WarmLimits
from flowd.child.keeper.wire import launch_from_json
from flowd.child.keeper.work_folder import WorkFolders


class Supervisor:
    """Holds the attempts by the node's number for them."""

    def __init__(self, node_socket: socket.socket, reactor: Reactor, warm: WarmLimits) -> None:
        table = ProcessTable()
        self._has_ended = False
        self._reactor = reactor
        self._node = NodeLink(node_socket, reactor, self._obey, self._node_died)
        self._folders = WorkFolders(reactor, table)
        self._attempts: dict[int, Attempt] = {}
        self._surroundings = Surroundings(
            reactor=reactor,
            node=self._node,
            table=table,
            folders=self._folders,
            launcher=Launcher(WarmPool(reactor, table, warm, self._warn)),
        )

    def run(self, pid: int) -> None:
        """Tell the node that the keeper, process `pid`, is ready; return when the node is gone."""
        self._node.put({"op": "ready", "pid": pid})
        while not self._has_ended:
            self._node.end_turn()
            self._reactor.turn()

    def abandon(self) -> None:
        """Kill every attempt's process group; those that left theirs are for the caller to find."""
        for attempt in self._attempts.values():
            attempt.abandon()

    def close(self) -> None:
        """Finish the logs and remove the folders of tasks; call it when no process is left."""
        for attempt in self._attempts.values():
            attempt.save_output()
        self._folders.close()

    def _obey(self, frame: Frame) -> None:
        match frame["op"]:
            case "start":
                self._start(frame["id"], frame)
            case "kill":
                if attempt := self._attempts.get(frame["id"]):
                    attempt.kill(frame["reason"], frame["immediately"])
            case "fence":
                for number, dead_at_ns in frame["deadlines"].items():
                    if attempt := self._attempts.get(int(number)):
                        attempt.fence(dead_at_ns)
            case "reply":
                if attempt := self._attempts.get(frame["id"]):
                    attempt.reply(frame["frame"])
            case other:
                raise ValueError(f"the node sent {other!r}, which is none of start, kill, fence and reply")

    def _start(self, attempt_id: int, frame: Frame) -> None:
        if attempt_id in self._attempts:
            raise ValueError(f"the node started attempt {attempt_id} twice")
        launch = launch_from_json(frame["launch"])
        attempt = Attempt(attempt_id, launch, self._surroundings, self._forget)
        self._attempts[attempt_id] = attempt
        attempt.start()

    def _warn(self, text: str) -> None:
        self._node.put({"op": "warning", "text": text})

    def _forget(self, attempt_id: int) -> None:
        del self._attempts[attempt_id]

    def _node_died(self) -> None:
        self._has_ended = True
