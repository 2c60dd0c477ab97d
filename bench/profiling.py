"""Profile: one scenario against a node that runs in this process, every role in it, under cProfile.

What is counted is CPU time of the node's threads: waiting costs nothing, and the keeper and the tasks are other
processes. cProfile makes small functions look dearer than they are: compare before and after, not with the bench.
"""

import cProfile
import io
import os
import pstats
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import uvloop

import flowd
from bench.cluster.cluster import Cluster, join_cluster
from bench.cluster.free_port import free_port
from bench.cluster.node_process import node_environment
from bench.cluster.place import Place
from bench.cluster.process_tree import Part, tree_cpu_seconds
from bench.scenarios.scenario import Effort, Scenario
from flowd.logging_setup import configure_logging
from flowd.node.node import Node
from flowd.node.supervisor import Supervisor
from flowd.settings.load import load_settings

EVERY_ROLE = "api,scheduler,worker"


class _ThreadProfile(cProfile.Profile):
    """Of a thread other than the main one. It ends with its thread: another thread cannot disable it."""

    def __init__(self) -> None:
        super().__init__(time.thread_time)

    def create_stats(self) -> None:
        self.snapshot_stats()


class _Profiles:
    """One cProfile for each thread of the node; those that are alive when `follow_threads` is called are left out."""

    def __init__(self) -> None:
        self._main = cProfile.Profile(time.thread_time)
        self._others: list[_ThreadProfile] = []

    def follow_threads(self) -> None:
        def begin(*_: object) -> None:
            profile = _ThreadProfile()
            self._others.append(profile)
            profile.enable()

        threading.setprofile(begin)

    def run(self, work: Callable[[], None]) -> None:
        """Run `work` in this thread."""
        self._main.enable()
        try:
            work()
        finally:
            self._main.disable()
            threading.setprofile(None)

    def forget(self) -> None:
        """Count from now on: what came before was boot and warm-up."""
        for profile in (self._main, *self._others):
            profile.clear()

    def report(self, sort: str, top: int) -> str:
        """Return the `top` functions by `sort`, of all threads together."""
        text = io.StringIO()
        stats = pstats.Stats(self._main, stream=text)
        for profile in self._others:
            if profile.getstats():  # pstats takes none that has seen nothing
                stats.add(profile)
        stats.sort_stats(sort).print_stats(top)
        return _short(text.getvalue())


class Profiling:
    """A scenario that is measured from a thread beside the node."""

    def __init__(self, place: Place, scenario: Scenario, effort: Effort) -> None:
        if sys.version_info[:2] != (3, 11):
            raise SystemExit(
                f"bench: profile needs Python 3.11, this is {sys.version.split()[0]}: later ones mix threads"
            )
        self._place = place
        self._scenario = scenario
        self._effort = effort
        self._port = free_port()
        self._profiles = _Profiles()
        self._error: BaseException | None = None
        self._cpu: dict[str, float] = {}
        self._elapsed = 0.0

    def run(self, *, sort: str, top: int) -> None:
        """Run it and print the `top` functions by `sort` (tottime, cumtime); raise what the scenario raised."""
        home = self._place.folder / "node0"
        environ = node_environment(self._place.environ, home)
        settings = load_settings(environ, {"node.roles": EVERY_ROLE, "api.port": self._port}, folder=self._place.folder)
        home.mkdir(parents=True)
        with open(home / "node.log", "w") as log:
            configure_logging(level=settings.logs.level, style=settings.logs.format, stream=log)
            threading.Thread(target=self._drive, name="bench driver").start()
            # After the driver, which is not to be profiled.
            self._profiles.follow_threads()
            self._profiles.run(lambda: uvloop.run(Node(settings, environ, Supervisor()).run()))
        if self._error is not None:
            raise self._error
        print(f"{self._scenario.name} on {self._place.backend}, under cProfile: {self._elapsed:.2f} s. CPU seconds of")
        for name, seconds in self._cpu.items():
            print(f"  {seconds:6.2f}  {name}")
        print(self._profiles.report(sort, top))

    def _drive(self) -> None:
        try:
            with join_cluster(self._place, self._port, [os.getpid()], self._scenario.dag_ids) as cluster:
                self._exercise(cluster)
        except BaseException as error:
            self._error = error
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def _exercise(self, cluster: Cluster) -> None:
        self._scenario.warm_up(cluster)
        before, begun = _cpu_of_parts(cluster.pids), time.monotonic()
        self._profiles.forget()
        self._scenario.measure(cluster, self._effort)
        self._elapsed = time.monotonic() - begun
        self._cpu = {name: used - before.get(name, 0.0) for name, used in _cpu_of_parts(cluster.pids).items()}


def _cpu_of_parts(pids: Sequence[int]) -> dict[str, float]:
    """CPU seconds of each thread of this process that Python knows, and of all its descendants.

    A long-lived thread's outermost function never returns, and so cProfile tells nothing of the time that it spends
    itself: SQLite's, in the threads of aiosqlite, is seen here alone.
    """
    names = {thread.native_id: f"thread {thread.name}" for thread in threading.enumerate()}
    parts = {
        names[thread.id]: thread.user_time + thread.system_time
        for thread in psutil.Process().threads()
        if thread.id in names
    }
    tree = tree_cpu_seconds(pids)
    return {**parts, "the keeper": tree[Part.KEEPER], "fork servers and tasks": tree[Part.CHILDREN]}


def _short(report: str) -> str:
    """Leave out the folders that every path begins with."""
    for place in (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), str(Path(flowd.__file__).parent.parent)):
        report = report.replace(f"{place}/", "")
    return report
