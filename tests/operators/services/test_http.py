"""HttpOperator, HttpSensor and the notifiers over HTTP, with a real server."""

import base64
import json
from typing import Any

import pytest

from flowd import DAG
from flowd.operators.services.http import HttpOperator, HttpSensor
from flowd.operators.services.http_hook import HttpHook
from flowd.operators.services.notifiers import HttpNotifier, SlackWebhookNotifier, send_slack_webhook_notification
from flowd.sdk.base_sensor import PokeReturnValue
from flowd.sdk.exceptions import AirflowException
from tests.operators.running import context_for, execute
from tests.operators.services.conftest import Connect
from tests.support.http_service import HttpService


def http(**keywords: Any) -> HttpOperator:
    with DAG("etl"):
        return HttpOperator(task_id="ask", **keywords)


def sensor(**keywords: Any) -> HttpSensor:
    with DAG("etl"):
        return HttpSensor(task_id="wait", **{"endpoint": "/", "poke_interval": 0, **keywords})


def test_a_request_has_what_the_connection_and_the_task_say(service: HttpService) -> None:
    service.answer = lambda asked: (200, {"path": asked.path})

    found = execute(
        http(endpoint="runs/{{ run_id }}", method="PUT", data=json.dumps({"a": 1}), headers={"Content-Type": "x/y"})
    )

    (asked,) = service.asked
    assert json.loads(found) == {"path": "/runs/manual__1"}
    assert (asked.method, asked.body, asked.headers["content-type"], asked.headers["x-team"]) == (
        "PUT",
        '{"a": 1}',
        "x/y",
        "data",
    )
    assert asked.headers["authorization"] == f"Basic {base64.b64encode(b'me:pw').decode()}"


def test_data_is_the_query_of_a_get_and_the_form_of_a_post(service: HttpService) -> None:
    execute(http(method="GET", data={"a": 1}))
    execute(http(method="POST", data={"a": 1}))

    assert [(asked.path, asked.body) for asked in service.asked] == [("/?a=1", ""), ("/", "a=1")]


def test_the_answer_is_checked_and_filtered(service: HttpService) -> None:
    service.answer = lambda _: (200, {"rows": 3})

    def check(response: Any, run_id: str) -> bool:
        return response.ok and run_id == "manual__1" and response.json()["rows"] > 2

    assert execute(http(response_check=check, response_filter=lambda response: response.json()["rows"])) == 3
    with pytest.raises(AirflowException, match="response_check refused the answer"):
        execute(http(response_check=lambda response: False))


def test_pages_are_asked_for_until_there_is_none(service: HttpService) -> None:
    service.answer = lambda asked: (200, {"next": 2 if "page=2" not in asked.path else None})

    def following(response: Any) -> Any:
        page = response.json()["next"]
        return {"data": {"page": page}} if page else None

    found = execute(
        http(
            method="GET",
            data={"size": 5},
            pagination_function=following,
            response_filter=lambda answers: [answer.json()["next"] for answer in answers],
        )
    )

    assert found == [2, None]
    assert [asked.path for asked in service.asked] == ["/?size=5", "/?size=5&page=2"]


def test_an_error_of_the_service_fails_the_task_and_shows_its_answer(service: HttpService, connect: Connect) -> None:
    service.answer = lambda _: (503, "down for repair")

    with pytest.raises(AirflowException, match="was answered 503 Service Unavailable: down for repair"):
        execute(http())
    assert execute(http(extra_options={"check_response": False})) == "down for repair"
    connect("away", conn_type="http", host="127.0.0.1", port=1)
    with pytest.raises(AirflowException, match="POST over connection 'away' failed: ConnectError"):
        execute(http(http_conn_id="away"))
    assert HttpHook(http_conn_id="away").test_connection()[0] is False


def test_a_sensor_waits_until_the_answer_is_right(service: HttpService) -> None:
    answers = iter([(404, ""), (200, {"done": False}), (200, {"done": True})])
    service.answer = lambda _: next(answers)

    def is_done(response: Any) -> Any:
        return PokeReturnValue(response.json()["done"], "found")

    assert execute(sensor(response_check=is_done)) == "found"
    assert len(service.asked) == 3


def test_a_sensor_fails_at_an_error_that_is_not_allowed(service: HttpService) -> None:
    answers = iter([(500, "broken"), (404, ""), (500, ""), (200, "")])
    service.answer = lambda _: next(answers)

    with pytest.raises(AirflowException, match="was answered 500: broken"):
        execute(sensor())
    with pytest.raises(AirflowException, match="was answered 404"):
        execute(sensor(response_error_codes_allowlist=["500"]))
    execute(sensor(response_error_codes_allowlist=["500"]))


@pytest.mark.parametrize("fields", [
    {"password": "http://127.0.0.1:{port}/services/T/B/X"},
    {"host": "http://127.0.0.1:{port}/services", "password": "/T/B/X"},
    {"host": "127.0.0.1/services", "schema": "http", "password": "T/B/X"},
])  # fmt: skip
def test_slack_is_told_over_its_webhook(service: HttpService, connect: Connect, fields: dict[str, str]) -> None:
    port = str(service.port)
    given: dict[str, Any] = {name: value.replace("{port}", port) for name, value in fields.items()}
    if given.get("schema"):
        given["host"] = f"127.0.0.1:{port}/services"
    connect("slack", conn_type="slackwebhook", **given)

    SlackWebhookNotifier(slack_webhook_conn_id="slack", text="{{ dag.dag_id }} failed")(context_for(http()))

    (asked,) = service.asked
    assert (asked.path, json.loads(asked.body)) == ("/services/T/B/X", {"text": "etl failed"})


def test_a_webhook_that_refuses_is_an_error_without_its_url(service: HttpService, connect: Connect) -> None:
    service.answer = lambda _: (403, "invalid_token")
    connect("slack", conn_type="slackwebhook", password=f"http://127.0.0.1:{service.port}/services/SECRET")

    with pytest.raises(AirflowException, match="the Slack webhook was answered 403 Forbidden: invalid_token") as error:
        send_slack_webhook_notification(slack_webhook_conn_id="slack", text="x")(context_for(http()))
    assert "SECRET" not in str(error.value)
    connect("slack", conn_type="slackwebhook")
    with pytest.raises(AirflowException, match="has no webhook"):
        SlackWebhookNotifier(slack_webhook_conn_id="slack")(context_for(http()))


def test_any_endpoint_can_be_told(service: HttpService) -> None:
    HttpNotifier(endpoint="hooks/{{ dag.dag_id }}", json={"run": "{{ run_id }}"})(context_for(http()))

    (asked,) = service.asked
    assert (asked.method, asked.path, json.loads(asked.body)) == ("POST", "/hooks/etl", {"run": "manual__1"})
