"""The large DAGs of the bench are as large as they say, and load."""

from datetime import UTC, datetime
from pathlib import Path

from bench.cluster.large_dags import run_of_folder, write_folder, write_grouped, write_mapped
from bench.scenarios.load import grouped, mapped
from flowd.domain.run_id import scheduled_run_id
from flowd.sdk.dag_file import load


def test_the_grouped_dag_has_its_tasks_in_groups_of_three_levels(tmp_path: Path) -> None:
    write_grouped(tmp_path, 200)

    (dag,) = load(str(tmp_path), "grouped_200.py")

    assert (dag.dag_id, len(dag.tasks)) == (grouped(200).dag_ids[0], grouped(200).tasks)
    assert "part_1.step_4.side_1.true_9" in dag.task_ids
    assert len(dag.get_task("part_1.step_4.side_1.true_9").upstream_list) == 20


def test_the_mapped_dag_is_mapped_twice(tmp_path: Path) -> None:
    write_mapped(tmp_path, 50)

    (dag,) = load(str(tmp_path), "mapped_50.py")

    assert (dag.dag_id, mapped(50).tasks) == (mapped(50).dag_ids[0], 102)
    assert [task.task_id for task in dag.tasks if task.is_expanded] == ["twice", "less"]


def test_each_file_of_a_folder_has_a_paused_dag_whose_run_is_called_alike(tmp_path: Path) -> None:
    write_folder(tmp_path, 3)

    dags = [dag for file in sorted(tmp_path.iterdir()) for dag in load(str(tmp_path), file.name)]

    assert [dag.dag_id for dag in dags] == [f"bench_folder_3_{number:04}" for number in range(3)]
    assert all(dag.is_paused_upon_creation for dag in dags)
    assert {scheduled_run_id(dag.start_date or datetime.now(UTC)) for dag in dags} == {run_of_folder(3)}
