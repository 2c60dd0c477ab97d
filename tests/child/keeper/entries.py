"""The entry that the tests let the keeper call."""

import atexit
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

from flowd.child.channel import Channel
from flowd.child.supervision import kept
from flowd.sdk import dag_file
from flowd.sdk.secret_values import mask_secret


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Do what the payload names."""
    globals()[f"do_{payload['do']}"](channel, payload)


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line, to stdout unless told otherwise."""
    print(text, file=stream)


def do_describe(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Send what a task can see of itself."""
    channel.send_result(
        {
            "env": dict(os.environ),
            "cwd": os.getcwd(),
            "leads": os.getsid(0) == os.getpid() == os.getpgid(0),
            "descriptors": sorted(
                int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")
            ),
            "stdin": os.readlink("/proc/self/fd/0"),
            "sigterm_is_default": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
            "sigint_raises": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
            "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            "random": random.random(),
            "parent": os.getppid(),
        }
    )


def do_ask(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Ask the node, as often as told, and send the replies as the result."""
    replies = [channel.request("question", number=number) for number in range(payload["times"])]
    channel.send_result({"replies": replies})


def do_hide(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Have the secret masked, then let a subprocess print it, in two writes for each."""
    with kept(channel):
        mask_secret(payload["secret"])
        subprocess.run(["bash", "-c", payload["script"]], env={"S": payload["secret"]}, check=True)
        say(payload["secret"], sys.stderr)


def do_flood(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Send requests without ever reading a reply."""
    while True:
        channel._send({"op": "noise", "n": 1, "text": "x" * 60_000})


def do_exit(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Leave by sys.exit."""
    sys.exit(payload["code"])


def do_raise(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Leave by an exception."""
    raise RuntimeError("no luck today")


def do_garbage(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Break the protocol, then wait to be killed if that is what follows."""
    os.write(channel._descriptor, payload["bytes"].encode())
    say("still here")


def do_print(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Print to both streams, with a character that UTF-8 doesn't know."""
    say("plain \udcff")
    say("wrong", sys.stderr)


def do_at_exit(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Leave work to a thread and to atexit."""
    atexit.register(say, "from atexit")

    def late() -> None:
        time.sleep(0.05)
        say("from a thread")

    threading.Thread(target=late).start()


def do_allocate(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Take more memory than there may be."""
    bytearray(payload["bytes"])


def do_fork_away(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Leave a grandchild in a session of its own; `shed` lets it also exec with an empty environment."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with open(payload["pid_file"], "w") as file:
                file.write(f"{os.getpid()}\n")
            if payload.get("shed"):
                os.execve("/bin/sleep", ["sleep", "100"], {})
            time.sleep(100)
        os._exit(0)
    os.wait()
    while not os.path.exists(payload["pid_file"]) or not open(payload["pid_file"]).read().endswith("\n"):
        time.sleep(0.005)
    if payload.get("stay"):
        time.sleep(100)


def do_dags(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Send what a warm bundle file holds, and who imported it."""
    dags = dag_file.load(payload["root"], payload["file"])
    module = next(module for name, module in sys.modules.items() if getattr(module, "IS_WARM_TEST_FILE", False))
    channel.send_result(
        {
            "dags": [dag.dag_id for dag in dags],
            "imported_by": module.IMPORTED_BY,
            "pid": os.getpid(),
            "parent": os.getppid(),
            "random": random.random(),
            "env": dict(os.environ),
            "cwd": os.getcwd(),
        }
    )
    if payload.get("stay"):
        channel.request("here")


def do_sleep(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Sleep."""
    time.sleep(100)


def do_run(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Run a command as a task would."""
    subprocess.run(payload["command"], check=True)
