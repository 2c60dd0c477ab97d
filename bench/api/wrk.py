"""wrk: load by a client that costs next to nothing, so that what is measured is the server."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Request:
    """One request; its path begins with a slash and holds no white space."""

    path: str
    method: str = "GET"
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What came back: how many a second, and the seconds that half of them, and 99 of 100, took at most.

    Where nothing came back, the seconds are those that were waited in vain.
    """

    a_second: float
    p50: float
    p99: float


def load(port: int, token: str, requests: Sequence[Request], seconds: float) -> Answers:
    """Send the requests in turn over some connections, each as soon as the one before is answered.

    Raise RuntimeError where there is no wrk, or where any answer is no success: a refusal is quick and would flatter.
    """
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("there is no wrk, which makes the load; install it (Debian: apt-get install wrk)")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{one.method}\t{one.path}\t{one.body}\n" for one in requests)
        file.flush()
        command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "60s", "-s", str(SCRIPT)]
        command += [f"http://127.0.0.1:{port}", "--", file.name, f"Bearer {token}"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(f"wrk ended with {said.returncode}: {said.stdout}{said.stderr}")
    found = json.loads(said.stdout.splitlines()[-1])
    if found["refused"] or found["broken"]:
        raise RuntimeError(
            f"of {found['answers']} answers {found['refused']} were no success and {found['broken']} were broken off:"
            f" the first request was {requests[0].method} {requests[0].path}"
        )
    if not found["answers"]:
        return Answers(a_second=0.0, p50=seconds, p99=seconds)
    return Answers(
        a_second=found["answers"] * 1e6 / found["microseconds"], p50=found["p50"] / 1e6, p99=found["p99"] / 1e6
    )
