"""ApiClient: a person who triggers runs, over one connection and with nothing between them and the socket."""

import http.client
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from bench.cluster.waiting import wait_until

TRIGGERS_AT_A_TIME = 8
"""Connections over which many DAGs are triggered at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """A run that was asked for: when the request was sent and when it was answered, in seconds since 1970."""

    dag_id: str
    run_id: str
    sent_at: float
    answered_at: float


class ApiClient:
    """The API of one node, as the admin."""

    def __init__(self, port: int, password: str) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._password = password
        self._headers = {"Content-Type": "application/json"}

    @property
    def port(self) -> int:
        """Where the node listens."""
        return self._port

    def log_in(self) -> str:
        """Get a token, as soon as the API answers, and return it."""
        wait_until(self._answers, "the API to answer")
        status, answer = self._ask("POST", "/auth/token", {"username": "admin", "password": self._password})
        if status != 201:
            raise RuntimeError(f"the login as admin was answered {status}: {answer}; wanted 201")
        token = str(answer["access_token"])
        self._headers["Authorization"] = f"Bearer {token}"
        return token

    def wait_for_dag(self, dag_id: str) -> None:
        """Return once the scheduler has read the DAG."""
        wait_until(lambda: self._ask("GET", f"/api/v2/dags/{dag_id}")[0] == 200, f"the DAG {dag_id} to be known")

    def count(self, path: str) -> int:
        """Return how many there are in the list at this path."""
        status, answer = self._ask("GET", f"{path}?limit=1")
        if status != 200:
            raise RuntimeError(f"{path} was answered {status}: {answer}; wanted 200")
        return int(answer["total_entries"])

    def patch(self, path: str, body: Any) -> None:
        """Change what is at this path."""
        status, answer = self._ask("PATCH", path, body)
        if status != 200:
            raise RuntimeError(f"the change of {path} was answered {status}: {answer}; wanted 200")

    def trigger(self, dag_id: str, run_id: str) -> Triggered:
        """Trigger the DAG."""
        self._connect_anew()
        sent_at = time.time()
        status, answer = self._ask(
            "POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "dag_run_id": run_id}
        )
        answered_at = time.time()
        if status != 200:
            raise RuntimeError(f"the trigger of {dag_id} was answered {status}: {answer}; wanted 200")
        return Triggered(dag_id=dag_id, run_id=run_id, sent_at=sent_at, answered_at=answered_at)

    def trigger_all(self, dag_ids: Sequence[str], run_id: str) -> list[Triggered]:
        """Trigger the DAGs as fast as the API answers, several at a time."""

        def trigger(dag_id: str) -> Triggered:
            with closing(self._another()) as api:
                return api.trigger(dag_id, run_id)

        with ThreadPoolExecutor(TRIGGERS_AT_A_TIME) as threads:
            return list(threads.map(trigger, dag_ids))

    def set_paused(self, dag_id: str, *, is_paused: bool) -> None:
        """Pause or unpause the DAG."""
        self._connect_anew()
        status, answer = self._ask("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": is_paused})
        if status != 200:
            raise RuntimeError(f"pausing or unpausing {dag_id} was answered {status}: {answer}; wanted 200")

    def unpause_all(self) -> None:
        """Unpause every DAG, a hundred at a time."""
        self._connect_anew()
        while True:
            status, answer = self._ask("PATCH", "/api/v2/dags?paused=true&limit=100", {"is_paused": False})
            if status != 200:
                raise RuntimeError(f"unpausing the DAGs was answered {status}: {answer}; wanted 200")
            if not answer["dags"]:
                return

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _another(self) -> "ApiClient":
        another = ApiClient(self._port, self._password)
        another._headers = self._headers
        return another

    def _connect_anew(self) -> None:
        # A server closes a connection that was idle for some seconds, and a request must not find out.
        self._connection.close()
        self._connection.connect()

    def _answers(self) -> bool:
        try:
            return self._ask("GET", "/readyz")[0] == 200
        except OSError:
            self._connection.close()
            return False

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        self._connection.request(method, path, None if body is None else json.dumps(body).encode(), self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content[:1] in (b"{", b"[") else content
