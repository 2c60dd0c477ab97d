"""Profile: one scenario against a node that runs in this process, every role in it, under cProfile.

What is counted is CPU time of the node's threads: waiting costs nothing, and the keeper and the tasks are other
processes. cProfile makes small functions look dearer than they are: compare before and after, not with the bench.
"""

import cProfile
import os
import pstats
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from bench.cluster.backend import Place
from bench.cluster.cluster import Cluster, join_cluster
from bench.cluster.node_process import free_port, node_environment
from bench.cluster.process_tree import CpuSeconds, cpu_seconds
from bench.scenarios.scenario import Effort, Scenario
from flowd.logging_setup import configure_logging
from flowd.node.node import Node
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

    def print_stats(self, sort: str, top: int) -> None:
        stats = pstats.Stats(self._main)
        for profile in self._others:
            stats.add(profile)
        stats.sort_stats(sort).print_stats(top)


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
        self._used = CpuSeconds(0, 0)
        self._elapsed = 0.0

    def run(self, *, sort: str, top: int) -> None:
        """Run it and print the `top` functions by `sort` (tottime, cumtime); raise what the scenario raised."""
        home = self._place.folder / "node0"
        environ = node_environment(self._place.environ, home)
        settings = load_settings(environ, {"node.roles": EVERY_ROLE, "api.port": self._port}, folder=self._place.folder)
        with open(self._log_of(home), "w") as log:
            configure_logging(level=settings.logs.level, style=settings.logs.format, stream=log)
            threading.Thread(target=self._drive, name="bench driver").start()
            # After the driver, which is not to be profiled.
            self._profiles.follow_threads()
            self._profiles.run(lambda: uvloop.run(Node(settings, environ).run()))
        if self._error is not None:
            raise self._error
        print(
            f"{self._scenario.dag_id} on {self._place.backend}, under cProfile: {self._elapsed:.2f} s;"
            f" CPU of the node {self._used.nodes:.2f} s (the driver's included),"
            f" of keeper and tasks {self._used.children:.2f} s"
        )
        self._profiles.print_stats(sort, top)

    def _drive(self) -> None:
        try:
            with join_cluster(self._place, self._port, [os.getpid()], [self._scenario.dag_id]) as cluster:
                self._exercise(cluster)
        except BaseException as error:
            self._error = error
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def _exercise(self, cluster: Cluster) -> None:
        self._scenario.warm_up(cluster)
        before, begun = cpu_seconds(cluster.pids), time.monotonic()
        self._profiles.forget()
        self._scenario.measure(cluster, self._effort)
        self._elapsed = time.monotonic() - begun
        self._used = cpu_seconds(cluster.pids).since(before)

    @staticmethod
    def _log_of(home: Path) -> Path:
        home.mkdir(parents=True)
        return home / "node.log"
