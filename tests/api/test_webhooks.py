"""Webhooks over the API: made, rotated and deleted; and deliveries, which trigger their DAG once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from flowd.db.webhooks import Webhooks
from flowd.security.vault import Vault
from flowd.security.webhook_signature import new_secret, sign_standard
from tests.api.cluster import Cluster
from tests.api.test_event_logs import changes, logged

HOOKS = "/api/v2/webhooks"


async def made(cluster: Cluster, **fields: Any) -> str:
    """Make a webhook of the DAG `etl`, and return its secret."""
    answer = await cluster.send("POST", HOOKS, {"name": "orders", "dag_id": "etl", **fields}, 201)
    return str(answer["secret"])


async def deliver(
    cluster: Cluster, secret: str, body: Any, delivery: str = "msg_1", *, ago: timedelta = timedelta()
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = sign_standard(secret, delivery, datetime.now(UTC) - ago, content)
    return await cluster.anonymous.post("/webhooks/orders", content=content, headers=headers)


async def runs(cluster: Cluster) -> list[Any]:
    return list((await cluster.get("/api/v2/dags/etl/dagRuns"))["dag_runs"])


async def test_a_delivery_triggers_the_dag_with_its_body_as_conf_and_its_repeat_makes_no_second_run(
    either: Cluster,
) -> None:
    secret = await made(either)

    first, again = [await deliver(either, secret, {"rows": 3}) for _ in range(2)]
    other = await deliver(either, secret, {"rows": 3}, "msg_2")

    assert [answer.status_code for answer in (first, again, other)] == [200, 200, 200]
    assert first.json() == again.json() != other.json()
    found = await runs(either)
    assert [run["conf"] for run in found] == [{"rows": 3}] * 2
    assert {run["triggering_user_name"] for run in found} == {"webhook orders"}
    entries = await logged(either, event="deliver")
    assert {(entry["owner"], entry["dag_id"]) for entry in entries} == {("webhook orders", "etl")}


@pytest.mark.parametrize("what", ["foreign secret", "altered", "old", "unsigned", "no such webhook"])
async def test_what_is_not_signed_well_makes_nothing_and_learns_nothing(cluster: Cluster, what: str) -> None:
    secret = await made(cluster)
    content, now = b"{}", datetime.now(UTC)
    headers = sign_standard(secret, "msg_1", now, content)
    path = "/webhooks/orders"
    match what:
        case "foreign secret":
            headers = sign_standard(new_secret(), "msg_1", now, content)
        case "altered":
            content = b'{"more": 1}'
        case "old":
            headers = sign_standard(secret, "msg_1", now - timedelta(minutes=6), content)
        case "unsigned":
            headers = {}
        case _:
            path = "/webhooks/nothing"

    answer = await cluster.anonymous.post(path, content=content, headers=headers)

    assert answer.status_code == 401
    if what not in ("old", "unsigned"):
        assert answer.json() == {"detail": "the signature of the delivery is not the webhook's"}
    assert await runs(cluster) == []


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 200), (b"[1]", 400), (b"{not json", 400), (b'{"a": "\\u0000"}', 400), (b"\xff", 400)]
)
async def test_a_body_is_a_json_object_or_nothing(cluster: Cluster, body: bytes, status: int) -> None:
    answer = await deliver(cluster, await made(cluster), body)

    assert answer.status_code == status, answer.text
    assert len(await runs(cluster)) == (status == 200)


async def test_a_webhook_whose_dag_is_gone_says_so_to_its_sender(cluster: Cluster) -> None:
    secret = await made(cluster)
    await cluster.send("DELETE", "/api/v2/dags/etl", None)

    assert (await deliver(cluster, secret, {})).status_code == 404


async def test_a_new_secret_is_good_at_once_and_the_old_one_for_as_long_as_was_asked(either: Cluster) -> None:
    old = await made(either)
    new = (await either.send("POST", f"{HOOKS}/orders/rotate", {"overlap_seconds": 60}))["secret"]
    during = [(await deliver(either, secret, {}, secret[:20])).status_code for secret in (old, new)]
    newest = (await either.send("POST", f"{HOOKS}/orders/rotate", {}))["secret"]
    after = [(await deliver(either, secret, {}, secret[:20])).status_code for secret in (old, new, newest)]

    assert (during, after) == ([200, 200], [401, 401, 200])


async def test_a_secret_is_shown_once_and_never_again_nor_kept_in_clear(either: Cluster) -> None:
    secrets = [await made(either), (await either.send("POST", f"{HOOKS}/orders/rotate", {}))["secret"]]
    shown = [await either.send("GET", path, None) for path in (HOOKS, f"{HOOKS}/orders")]
    async with either.metastore.reading() as tx:
        kept = [str(row) for row in await tx.execute("SELECT * FROM webhook")]

    told = str([shown, kept, await logged(either)])
    assert not any(secret in told for secret in secrets)
    assert shown[1] == shown[0]["webhooks"][0] and shown[1]["path"] == "/webhooks/orders"
    assert (shown[1]["dag_id"], shown[1]["scheme"], shown[1]["deliveries_per_minute"]) == ("etl", "standard", 60)


async def test_what_becomes_of_webhooks_is_in_the_audit_log(cluster: Cluster) -> None:
    await made(cluster)
    await cluster.send("POST", f"{HOOKS}/orders/rotate", {"overlap_seconds": 5})
    await cluster.send("DELETE", f"{HOOKS}/orders", None, 204)

    told = [
        changes(entry)
        for name in ("post", "rotate", "delete")
        for entry in await logged(cluster, event=f"{name}_webhook")
    ]
    assert told == [
        [("webhook orders", None, {"dag_id": "etl", "scheme": "standard", "deliveries_per_minute": 60})],
        [("secret of webhook orders", {}, {"overlap_seconds": 5.0})],
        [("webhook orders", {"dag_id": "etl"}, None)],
    ]


async def test_more_deliveries_than_a_webhook_takes_a_minute_wait_and_strangers_take_no_turn(cluster: Cluster) -> None:
    secret = await made(cluster, deliveries_per_minute=2)
    for _ in range(3):
        assert (await deliver(cluster, new_secret(), {})).status_code == 401

    statuses = [(await deliver(cluster, secret, {}, f"msg_{n}")) for n in range(3)]

    assert [one.status_code for one in statuses] == [200, 200, 429]
    assert 1 <= int(statuses[-1].headers["Retry-After"]) <= 60
    cluster.clock.advance(61)
    assert (await deliver(cluster, secret, {}, "msg_9", ago=timedelta())).status_code == 200


async def test_an_address_that_guesses_is_slowed_down(cluster: Cluster) -> None:
    secret = await made(cluster)
    for _ in range(100):
        assert (await cluster.anonymous.post("/webhooks/orders", content=b"{}")).status_code == 401

    assert (await deliver(cluster, secret, {})).status_code == 429


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {"name": "orders", "dag_id": "etl"}, 409),
        ("POST", "", {"name": "a/b", "dag_id": "etl"}, 422),
        ("POST", "", {"name": "x", "dag_id": "nothing"}, 404),
        ("POST", "", {"name": "x", "dag_id": "etl", "scheme": "none"}, 422),
        ("POST", "", {"name": "x", "dag_id": "etl", "deliveries_per_minute": 0}, 422),
        ("POST", "", {"name": "x", "dag_id": "etl", "secret": "short"}, 400),
        ("POST", "/nothing/rotate", {}, 404),
        ("POST", "/orders/rotate", {"overlap_seconds": 10**9}, 422),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/nothing", None, 404),
    ],
)
async def test_what_is_not_as_wanted_is_refused(
    cluster: Cluster, method: str, path: str, body: Any, status: int
) -> None:
    await made(cluster)

    assert (await cluster.send(method, f"{HOOKS}{path}", body, status))["detail"]
    assert (await cluster.send("GET", HOOKS, None))["total_entries"] == 1


async def test_the_secrets_are_encrypted_with_a_new_key_where_there_is_one(cluster: Cluster) -> None:
    secret = await made(cluster)
    new_key = Fernet.generate_key().decode()
    both = Webhooks(cluster.metastore, Vault([new_key, *cluster.settings.security.fernet_keys]))

    assert await both.reseal() == 1

    found = await Webhooks(cluster.metastore, Vault([new_key])).opened("orders")
    assert found is not None and list(found.secrets) == [secret]
