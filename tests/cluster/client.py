"""Client: people and programs before the load balancer, who trigger runs, read pages and keep pages open."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.cluster.network import Host
from tests.faults.harness.load import Told

ASK_SECONDS = 120.0
"""Longer than the load balancer waits for all that it tries: it is to answer first."""

PAUSE_SECONDS = 0.3
GOODBYE_SECONDS = 5.0
DAGS = ("journal_chain", "journal_fan", "journal_flaky", "journal_long")
PAGES = (
    "/",
    "/dags",
    "/dags/journal_chain",
    "/dag_runs",
    "/workers",
    "/api/v2/dags",
    "/api/v2/dags/journal_fan/dagRuns?limit=20&order_by=-id",
    "/api/v2/monitor/health",
)


class Ending(StrEnum):
    """How a request ended for its client."""

    SERVED = "served"
    NOT_NOW = "not now"
    """flowd's own 503 with Retry-After: it is up, and the metastore is not."""
    FAILED = "failed"
    """Any other error, or no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request, `at` and `seconds` by the monotonic clock."""

    at: float
    seconds: float
    request: str
    ending: Ending
    said: str


@dataclass(slots=True, kw_only=True)
class Client:
    """Asks at `url` from a host, until `finish`. A trigger is repeated under its key until it is answered."""

    host: Host
    url: str
    token: str
    session: str
    journal: Path
    runs_per_second: float
    readers: int = 2
    watchers: int = 2
    _answers: list[Answer] = field(default_factory=list)
    _runs: list[str] = field(default_factory=list)
    _pings: int = 0
    _streams: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _is_given_up: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _triggers: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._spawn(self._trigger_all)
        for number in range(self.readers):
            self._spawn(partial(self._read_all, number))
        for _ in range(self.watchers):
            self._spawn(self._watch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._is_given_up.set()
        for thread in [*self._threads, *self._triggers]:
            thread.join(GOODBYE_SECONDS)

    def finish(self, seconds: float) -> None:
        """Stop asking, and return when every trigger has been answered; fail where one was not."""
        self._is_over.set()
        deadline = time.monotonic() + seconds
        for thread in [*self._threads, *self._triggers]:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"a request was not answered within {seconds:g} s"

    @property
    def answers(self) -> list[Answer]:
        """Every answer so far."""
        with self._lock:
            return list(self._answers)

    @property
    def runs(self) -> list[str]:
        """The runs whose trigger was answered with success, as `dag_id/run_id`."""
        with self._lock:
            return list(self._runs)

    @property
    def pings(self) -> int:
        """How often open pages have heard that something changed."""
        return self._pings

    @property
    def streams(self) -> int:
        """How often an open page was connected."""
        return self._streams

    def _spawn(self, act: Callable[[], None]) -> threading.Thread:
        def work() -> None:
            self.host.enter()
            act()

        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _trigger_all(self) -> None:
        # Each in a thread of its own: one that waits for an answer holds up no other.
        for number in itertools.count():
            if self._is_over.wait(1 / self.runs_per_second):
                return
            key, dag_id = f"key-{number}", random.choice(DAGS)
            thread = threading.Thread(target=self._trigger, args=(key, dag_id), daemon=True)
            self._triggers.append(thread)
            thread.start()

    def _trigger(self, key: str, dag_id: str) -> None:
        self.host.enter()
        with self._http() as http:
            while not self._is_given_up.is_set():
                answer, response = self._ask(
                    http,
                    "POST",
                    f"/api/v2/dags/{dag_id}/dagRuns",
                    json={"logical_date": None},
                    headers={"Idempotency-Key": key},
                )
                told = _told(answer, response, key, dag_id)
                self._note(answer, told)
                if answer.ending is Ending.SERVED:
                    return
                time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))

    def _read_all(self, number: int) -> None:
        with self._http() as http:
            for path in itertools.islice(itertools.cycle(PAGES), number, None):
                answer, _ = self._ask(http, "GET", path)
                self._note(answer)
                if self._is_over.wait(PAUSE_SECONDS):
                    return

    def _watch(self) -> None:
        with self._http() as http:
            while not self._is_over.is_set():
                try:
                    with http.stream("GET", f"{self.url}/ui/events", timeout=httpx.Timeout(20.0)) as stream:
                        if not stream.is_success:
                            continue
                        self._streams += 1
                        for line in stream.iter_lines():
                            self._pings += line == "event: changed"
                            if self._is_over.is_set():
                                return
                except httpx.HTTPError:
                    # What a browser does: it opens another stream.
                    pass
                finally:
                    self._is_over.wait(PAUSE_SECONDS)

    def _http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(
            timeout=ASK_SECONDS, headers=headers, cookies={"flowd_session": self.session}, trust_env=False
        )

    def _ask(
        self, http: httpx.Client, method: str, path: str, **options: object
    ) -> tuple[Answer, httpx.Response | None]:
        begun = time.monotonic()
        response: httpx.Response | None = None
        try:
            response = http.request(method, f"{self.url}{path}", **options)  # type: ignore[arg-type]
            said = str(response.status_code)
            ending = _ending(response)
        except httpx.HTTPError as error:
            ending, said = Ending.FAILED, repr(error)
        seconds = time.monotonic() - begun
        return Answer(at=begun, seconds=seconds, request=f"{method} {path}", ending=ending, said=said), response

    def _note(self, answer: Answer, told: Told | None = None) -> None:
        with self._lock:
            self._answers.append(answer)
            if told is None:
                return
            if told.outcome == "ok":
                self._runs.append(f"{told.dag_id}/{told.run_id}")
            with open(self.journal, "a") as file:
                file.write(told.line)


def _ending(response: httpx.Response) -> Ending:
    if response.is_success:
        return Ending.SERVED
    if response.status_code == 503 and "Retry-After" in response.headers:
        return Ending.NOT_NOW
    return Ending.FAILED


def _told(answer: Answer, response: httpx.Response | None, key: str, dag_id: str) -> Told:
    now = time.monotonic_ns()
    if response is None or answer.ending is not Ending.SERVED:
        is_refused = response is not None and response.status_code < 500
        return Told(outcome="fail" if is_refused else "unknown", at_ns=now, key=key, dag_id=dag_id)
    return Told(outcome="ok", at_ns=now, key=key, dag_id=dag_id, run_id=response.json()["dag_run_id"])


def count(answers: Sequence[Answer], ending: Ending) -> int:
    """Return how many of these ended so."""
    return sum(one.ending is ending for one in answers)
