"""NodeProcess: a real `flowd run` for acceptance tests, to be started, asked over HTTP, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from bench.cluster.free_port import free_port

ADMIN_PASSWORD = "an-admin-password"
SECRETS = {
    "FLOWD__SECURITY__SECRET_KEY": "acceptance-secret-key-0123456789abcdef",
    "FLOWD__SECURITY__FERNET_KEY": "YWNjZXB0YW5jZS1mZXJuZXQta2V5LTAxMjM0NTY3ODk=",
    "FLOWD__SECURITY__ADMIN_PASSWORD": ADMIN_PASSWORD,
}
READY_SECONDS = 300.0
SEEN_SECONDS = 300.0
"""Far longer than anything takes: what waits so long in vain has failed, and not only met a busy machine."""

Seen = TypeVar("Seen")


def eventually(look: Callable[[], Seen], what: str, seconds: float = SEEN_SECONDS) -> Seen:
    """Return what `look` sees in other processes once that is true; fail with `what` it waited for in vain."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.05)


@dataclass(slots=True, kw_only=True)
class NodeProcess:
    """One node. Its output goes to `home/node.log`; it is killed, with its tasks, at the end of the test."""

    home: Path
    roles: str
    environ: Mapping[str, str]
    port: int = field(default_factory=free_port)
    module: str = "flowd.cli"
    """What is run with `run --roles …`: flowd's command line, or a launcher that goes on with it."""
    process: "subprocess.Popen[bytes] | None" = None
    token: str | None = None
    _times_ready: int = 0

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the node has said so far."""
        return (self.home / "node.log").read_text(errors="replace")

    def start(self) -> "NodeProcess":
        """Start the process and return when it says that it is ready."""
        return self.launch().await_ready()

    def launch(self) -> "NodeProcess":
        """Start the process."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._times_ready = self._count_ready()
        with open(self.home / "node.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "run", "--roles", self.roles, "--port", str(self.port)],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def await_ready(self, seconds: float = READY_SECONDS) -> "NodeProcess":
        """Return when the process that was launched says that it is ready."""
        process = self.process
        assert process is not None
        eventually(
            lambda: self._count_ready() > self._times_ready or process.poll() is not None,
            f"a ready node in {self.home}; it said:\n{self.log[-3000:]}",
            seconds,
        )
        assert process.poll() is None, f"the node ended at once with {process.returncode}:\n{self.log[-3000:]}"
        return self

    @property
    def is_running(self) -> bool:
        """True from its start until its process has ended."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL the node: it has no last word."""
        self._signal(signal.SIGKILL)

    def stop(self, seconds: float = SEEN_SECONDS) -> int:
        """SIGTERM the node and return its exit code, once it has drained."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(seconds)

    def destroy(self) -> None:
        """End whatever is left of it."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the API as the admin."""
        if self.token is None:
            login = {"username": "admin", "password": ADMIN_PASSWORD}
            answer = httpx.post(f"{self.url}/auth/token", json=login, timeout=SEEN_SECONDS)
            assert answer.status_code == 201, answer.text
            self.token = answer.json()["access_token"]
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=SEEN_SECONDS, **options)

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON answer to a GET that succeeds."""
        answer = self.request("GET", path, params=params)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        """Return the JSON answer to a POST that succeeds."""
        answer = self.request("POST", path, json=body)
        assert answer.status_code < 300, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def trigger(self, dag_id: str, **body: Any) -> str:
        """Trigger the DAG and return the run's id."""
        answer = self.post(f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, **body})
        return str(answer["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def _count_ready(self) -> int:
        return self.log.count('"event": "ready"') if (self.home / "node.log").exists() else 0

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(10)

    def environment(self) -> dict[str, str]:
        """Return what the process is started with: nothing of flowd's from the environment of the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWD_")}
        return {
            **kept,
            "FLOWD_HOME": str(self.home),
            "FLOWD__LOGS__FORMAT": "json",
            **SECRETS,
            **self.environ,
        }


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the lines that tasks have appended to their journal, each a JSON object."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
