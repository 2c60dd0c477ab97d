"""A run whose large XComs are stored by themselves: what pulls and maps over them sees no difference."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowd import DAG, task

DATE = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FLOWD__XCOM__STORE", f"file://{tmp_path}/store")
    monkeypatch.setenv("FLOWD__XCOM__THRESHOLD", "0")
    return tmp_path / "store"


def test_values_are_pulled_pushed_and_mapped_over_as_if_they_were_in_the_metastore(store: Path) -> None:
    with DAG("d", schedule=None, start_date=DATE) as dag:

        @task
        def numbers() -> list[int]:
            return [1, 2, 3]

        @task
        def named() -> dict[str, int]:
            return {"a": 1, "b": 2}

        @task
        def doubled(number: int) -> int:
            return number * 2

        @task
        def text(pair: tuple[str, int]) -> str:
            return f"{pair[0]}{pair[1]}"

        @task(multiple_outputs=True)
        def several() -> dict[str, Any]:
            return {"left": [1], "right": {2}}

        @task
        def total(numbers: list[int], every: list[int], texts: list[str], left: Any, right: Any, ti: Any = None) -> Any:
            ti.xcom_push("more", {"by": "hand"})
            return [sum(numbers), list(every), sorted(texts), left, right, ti.xcom_pull(task_ids="doubled")]

        outputs = several()
        values = numbers()
        total(values, doubled.expand(number=values), text.expand(pair=named()), outputs["left"], outputs["right"])

    run = dag.test(logical_date=DATE)

    ended = run.get_task_instance("total")
    assert run.state == "success"
    assert ended.xcom_pull() == [6, [2, 4, 6], ["a1", "b2"], [1], {2}, [2, 4, 6]]
    assert ended.xcom_pull(key="more") == {"by": "hand"}
    assert ended.xcoms["numbers", -1, "return_value"]["value"]["length"] == 3
    # numbers, 3 of named, 3 of doubled, 2 of text, 3 of several, 2 of total
    assert len(list(store.rglob("*.json"))) == 14


def test_a_store_that_cannot_be_written_fails_the_task_and_says_so(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write_text("a file")
    with DAG("d", schedule=None, start_date=DATE) as dag:

        @task
        def numbers() -> list[int]:
            return [1]

        numbers()

    run = dag.test(logical_date=DATE)

    assert run.state == "failed"
    assert "an XCom value of 3 bytes cannot be stored at file://" in capsys.readouterr().err
