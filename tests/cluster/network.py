"""Network: hosts on one switch, each a network namespace of its own, whose lines can be cut one way or both ways."""

import ctypes
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from tests.faults.harness.server_process import program

SUBNET = "10.77.0"
"""The switch leads nowhere else, so any addresses will do."""

COMMAND_SECONDS = 120.0

# Its own name and its own idea of who has which address; the tests may be killed at any moment, and nothing is left.
_MOVE_IN = 'echo "$1" > /proc/sys/kernel/hostname && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"'

Done = TypeVar("Done")


class CannotMakeHosts(Exception):
    """This user, or this container, may not make network namespaces."""


class Cut(Enum):
    """What no longer passes a host's line to the switch."""

    IS_NOT_HEARD = ("iifname",)
    HEARS_NOTHING = ("oifname",)
    BOTH_WAYS = ("iifname", "oifname")


class Host:
    """One machine: an address, a name, and whatever runs there."""

    def __init__(self, name: str, namespace: str, address: str, hosts_file: Path) -> None:
        self.name = name
        self.address = address
        self.line = f"to-{name}"
        self._namespace = namespace
        self._hosts_file = hosts_file
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        command: Sequence[str],
        log: IO[bytes],
        *,
        environ: Mapping[str, str] = os.environ,
        user: str | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start a command on this host; it ends with the tests."""
        process = subprocess.Popen(
            self._command(command, user),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def run(
        self,
        command: Sequence[str],
        *,
        environ: Mapping[str, str] = os.environ,
        user: str | None = None,
        typed: str | None = None,
    ) -> str:
        """Run a command on this host to its end, with `typed` on its standard input; return what it prints."""
        done = subprocess.run(
            self._command(command, user),
            env=dict(environ),
            input=typed,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)} on {self.name}: {done.stdout}{done.stderr}"
        return done.stdout

    def call(self, act: Callable[[], Done]) -> Done:
        """Return what a function of this process returns, whose connections are made from this host."""
        done: list[Done] = []
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self.enter()
                done.append(act())
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        return done[0]

    def enter(self) -> None:
        """Make this host the place of the calling thread, for good."""
        with open(f"/run/netns/{self._namespace}") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {self._namespace}")

    def turn_off(self) -> None:
        """SIGKILL everything that runs here, at once: nothing has a last word."""
        while pids := _ip("netns", "pids", self._namespace).split():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        while self._processes:
            self._processes.pop().wait(COMMAND_SECONDS)

    def _command(self, command: Sequence[str], user: str | None) -> list[str]:
        become = () if user is None else ("--reuid", user, "--regid", user, "--init-groups")
        move_in = ("unshare", "--uts", "bash", "-c", _MOVE_IN, "bash", self.name, str(self._hosts_file))
        inside = ("setpriv", *become, "--pdeathsig", "KILL", *command)
        return [program("ip", "/usr/sbin", "/sbin"), "netns", "exec", self._namespace, *move_in, *inside]


class Network:
    """A switch and its hosts, until the end of the context."""

    def __init__(self, folder: Path) -> None:
        self.hosts: dict[str, Host] = {}
        self._name = f"flowd-{secrets.token_hex(3)}"
        self._hosts_file = folder / "hosts"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._hosts_file.write_text("127.0.0.1 localhost\n")
            self._make_namespace(stack, self._name)
            _ip("-n", self._name, "link", "add", "name", "switch", "type", "bridge")
            _ip("-n", self._name, "link", "set", "switch", "up")
            self._nft("add table bridge flowd; add chain bridge flowd cut { type filter hook forward priority 0 ; }")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self.hosts.values():
            host.turn_off()
        self._stack.close()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def add(self, name: str) -> Host:
        """Plug in one more host, which every host knows by its name."""
        namespace = f"{self._name}-{name}"
        host = Host(name, namespace, f"{SUBNET}.{len(self.hosts) + 1}", self._hosts_file)
        self._make_namespace(self._stack, namespace)
        _ip(
            "-n",
            self._name,
            "link",
            "add",
            "name",
            host.line,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            namespace,
        )
        _ip("-n", self._name, "link", "set", host.line, "master", "switch", "up")
        _ip("-n", namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", namespace, "link", "set", device, "up")
        with open(self._hosts_file, "a") as hosts:
            hosts.write(f"{host.address} {name}\n")
        self.hosts[name] = host
        return host

    def cut(self, name: str, cut: Cut) -> None:
        """Let the switch drop what comes from a host, what goes to it, or both: nobody is told."""
        for direction in cut.value:
            self._nft(f'add rule bridge flowd cut {direction} "{self.hosts[name].line}" drop')

    def heal(self) -> None:
        """Let everything pass again."""
        self._nft("flush chain bridge flowd cut")

    def _nft(self, script: str) -> None:
        _ip("netns", "exec", self._name, program("nft", "/usr/sbin"), script)

    def _make_namespace(self, stack: ExitStack, name: str) -> None:
        try:
            _ip("netns", "add", name)
        except AssertionError as refusal:
            raise CannotMakeHosts(str(refusal)) from refusal
        stack.callback(_ip, "netns", "delete", name)


def _ip(*arguments: str) -> str:
    command: list[Any] = [program("ip", "/usr/sbin", "/sbin"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout
