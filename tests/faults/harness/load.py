"""Load: clients that trigger runs through whatever happens, and write down what they were told."""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ASK_SECONDS = 10.0
PATIENCE_SECONDS = 600.0
PAUSE_SECONDS = 0.2
CLIENTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer to one request: `ok` with the run's id, `fail` for a refusal, `unknown` where nobody can say."""

    outcome: str
    at_ns: int
    key: str
    dag_id: str
    run_id: str = "-"

    @property
    def line(self) -> str:
        """Its line in the client's journal."""
        return f"{self.outcome} {self.at_ns} {self.key} {self.dag_id} {self.run_id}\n"


@dataclass(slots=True, kw_only=True)
class Load:
    """Triggers one run for each of `wanted` (key, DAG id), over several connections at once.

    A request whose end is unknown is repeated under the same Idempotency-Key, at the next of `urls`, until somebody
    answers: what an honest client does.
    """

    urls: Sequence[str]
    token: str
    wanted: Sequence[tuple[str, str]]
    journal: Path
    clients: int = CLIENTS
    _told: list[Told] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Begin to trigger."""
        for number in range(self.clients):
            share = self.wanted[number :: self.clients]
            thread = threading.Thread(target=self._trigger_all, args=(share, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def join(self, seconds: float) -> None:
        """Return when every request has been answered for good; fail where one was not."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        missing = {key for key, _ in self.wanted} - {told.key for told in self.told if told.outcome == "ok"}
        assert not missing, f"{len(missing)} of {len(self.wanted)} triggers were never answered with success"

    @property
    def told(self) -> list[Told]:
        """Every answer so far."""
        with self._lock:
            return list(self._told)

    @property
    def runs(self) -> list[str]:
        """The runs whose trigger was answered with success, as `dag_id/run_id`."""
        return [f"{told.dag_id}/{told.run_id}" for told in self.told if told.outcome == "ok"]

    def _trigger_all(self, wanted: Sequence[tuple[str, str]], number: int) -> None:
        with httpx.Client(timeout=ASK_SECONDS, headers={"Authorization": f"Bearer {self.token}"}) as client:
            for key, dag_id in wanted:
                self._trigger(client, key, dag_id, number)

    def _trigger(self, client: httpx.Client, key: str, dag_id: str, number: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        attempt = number
        while time.monotonic() < deadline:
            told = self._ask(client, self.urls[attempt % len(self.urls)], key, dag_id)
            self._note(told)
            if told.outcome != "unknown":
                return
            attempt += 1
            time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.0))

    def _ask(self, client: httpx.Client, url: str, key: str, dag_id: str) -> Told:
        try:
            answer = client.post(
                f"{url}/api/v2/dags/{dag_id}/dagRuns",
                json={"logical_date": None},
                headers={"Idempotency-Key": key},
            )
        except httpx.HTTPError:
            return Told(outcome="unknown", at_ns=time.monotonic_ns(), key=key, dag_id=dag_id)
        now = time.monotonic_ns()
        if answer.is_success:
            return Told(outcome="ok", at_ns=now, key=key, dag_id=dag_id, run_id=answer.json()["dag_run_id"])
        return Told(outcome="unknown" if answer.is_server_error else "fail", at_ns=now, key=key, dag_id=dag_id)

    def _note(self, told: Told) -> None:
        with self._lock:
            self._told.append(told)
            with open(self.journal, "a") as file:
                file.write(told.line)
