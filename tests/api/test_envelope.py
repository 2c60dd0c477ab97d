"""What every answer has: an id, strict headers, limits, and no traceback."""

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from flowd.api.body_limit import BODY_BYTES, too_large
from flowd.api.dashboard.guard import COOKIE
from flowd.api.envelope import SECURITY_HEADERS
from flowd.db.metastore import Metastore
from flowd.domain.errors import MetastoreUnavailable
from tests.api.cluster import Cluster

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", ["/livez", "/api/v2/dags", "/login", "/static/flowd.css", "/nowhere"])
async def test_every_answer_has_the_strict_headers_and_an_id(cluster: Cluster, path: str) -> None:
    answer = await cluster.anonymous.get(path)

    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert len(answer.headers["X-Request-ID"]) == 16
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_a_given_request_id_is_kept_and_a_strange_one_is_not(cluster: Cluster) -> None:
    kept = await cluster.anonymous.get("/livez", headers={"X-Request-ID": "abc-1"})
    dropped = await cluster.anonymous.get("/livez", headers={"X-Request-ID": "a b\x7f"})

    assert kept.headers["X-Request-ID"] == "abc-1"
    assert dropped.headers["X-Request-ID"] != "a b\x7f"


async def test_a_long_body_is_413_whether_or_not_its_length_is_told(cluster: Cluster) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES // 65536 + 1):
            yield b" " * 65536

    told = await cluster.user.post("/api/v2/dags/etl/dagRuns", content=b" " * (BODY_BYTES + 1))
    untold = await cluster.user.post("/api/v2/dags/etl/dagRuns", content=chunks())

    for answer in (told, untold):
        assert (answer.status_code, answer.json()) == (413, {"detail": too_large(BODY_BYTES)})


async def test_an_unknown_exception_is_500_with_the_request_id_and_without_its_text(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: object) -> None:
        raise ZeroDivisionError("the secret of the house")

    monkeypatch.setattr(type(cluster.parts), "problems", broken)

    with capture_logs() as logs:
        answer = await cluster.anonymous.get("/readyz", headers={"X-Request-ID": "abc"})

    assert answer.status_code == 500
    assert answer.json() == {
        "detail": "flowd failed to answer; its log tells why under request id abc",
        "request_id": "abc",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert [(entry["event"], entry["request_id"]) for entry in logs] == [("request failed", "abc")]


async def test_a_metastore_that_is_away_is_503_with_retry_after(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: Metastore) -> None:
        raise MetastoreUnavailable("the metastore did not answer: refused")

    monkeypatch.setattr(Metastore, "reading", away)

    answer = await cluster.viewer.get("/api/v2/dags")
    page = await cluster.anonymous.get("/dags", headers={"Cookie": f"{COOKIE}=a-session"})

    for one in (answer, page):
        assert (one.status_code, one.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {"detail": "the metastore did not answer: refused"}
    assert "the metastore did not answer: refused" in page.text
    assert (await cluster.anonymous.get("/livez")).status_code == 200


async def test_an_unknown_path_is_404_and_a_wrong_method_405_in_json(cluster: Cluster) -> None:
    unknown = await cluster.anonymous.get("/api/v2/nowhere")
    wrong = await cluster.viewer.put("/api/v2/dags")

    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
    assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})


@pytest.mark.parametrize("path", ["dags/a%00b", "dags?dag_id_pattern=%00", "pools/%00"])
async def test_a_url_that_no_database_can_be_asked_about_is_400(either: Cluster, path: str) -> None:
    answer = await either.viewer.get(f"/api/v2/{path}")

    assert (answer.status_code, answer.json()) == (400, {"detail": "the URL holds a NUL character; wanted text"})


@pytest.mark.parametrize(
    "path",
    [
        "importErrors/99999999999",
        "dags/etl/dagVersions/99999999999",
        "dagSources/etl?version_number=99999999999",
        "dags/etl/dagRuns/one/taskInstances/load?map_index=1",
        "dags/etl/dagRuns/one/taskInstances/load/99999999999",
        "dags/etl/dagRuns/one/taskInstances/load/tries/99999999999",
        "dags/etl/dagRuns/one/taskInstances/load/logs/1?map_index=99999999999",
        "dags/~/dagRuns?dag_version=99999999999",
        "dags/~/dagRuns?dag_version=1.5",
        "dags/~/dagRuns?duration_gte=1.5",
        f"dags?offset={10**30}",
    ],
)
async def test_a_number_that_no_column_holds_is_no_failure_of_ours(either: Cluster, path: str) -> None:
    answer = await either.viewer.get(f"/api/v2/{path}")

    assert answer.status_code in (200, 404, 422), answer.text


@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800"])
async def test_text_that_cannot_be_stored_is_422(either: Cluster, text: str) -> None:
    body = f'{{"logical_date": null, "conf": {{"k": ["{text}"]}}}}'

    answer = await either.user.post("/api/v2/dags/etl/dagRuns", content=body.encode(), headers=JSON)

    assert answer.status_code == 422, answer.text
    assert "NUL characters" in answer.json()["detail"][0]["msg"]
