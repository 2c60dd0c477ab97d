"""Which file may write which DAG."""

from flowd.db.dags import KnownDag
from flowd.domain.ids import DagId
from flowd.roles.scheduler.dag_ownership import FilePlan, plan
from flowd.roles.scheduler.dag_parse_result import ParsedFile, broken
from tests.support.specs import a_dag


def parsed(file: str, *dag_ids: str, refused: str | None = None) -> ParsedFile:
    return ParsedFile(
        dags=tuple(a_dag(dag_id=dag_id, file=file) for dag_id in dag_ids),
        refused=(DagId(refused),) if refused else (),
        error="bad DAG" if refused else None,
    )


def known(dag_id: str, file: str, *, is_active: bool = True) -> KnownDag:
    return KnownDag(dag_id=DagId(dag_id), file=file, is_active=is_active)


def test_a_file_owns_what_it_defines() -> None:
    decided = plan({"a.py": parsed("a.py", "x", "y")}, [], set())

    assert decided.files == {"a.py": FilePlan((DagId("x"), DagId("y")), None)}
    assert decided.inactive == ()


def test_a_new_id_in_two_files_goes_to_the_first_and_the_second_is_told_so() -> None:
    decided = plan({"b.py": parsed("b.py", "x"), "a.py": parsed("a.py", "x")}, [], set())

    assert decided.files["a.py"] == FilePlan((DagId("x"),))
    assert decided.files["b.py"].owned == ()
    assert "'x' is defined in a.py already" in (decided.files["b.py"].error or "")


def test_an_id_stays_with_the_file_that_had_it() -> None:
    files = {"a.py": parsed("a.py", "x"), "b.py": parsed("b.py", "x")}

    assert plan(files, [known("x", "b.py")], set()).files["b.py"].owned == (DagId("x"),)


def test_a_broken_file_and_one_that_waits_to_be_parsed_keep_their_dags() -> None:
    for state in (broken("syntax"), None, parsed("b.py", refused="x")):
        decided = plan({"a.py": parsed("a.py", "x"), "b.py": state}, [known("x", "b.py")], set())

        assert decided.files["a.py"].owned == ()
        assert decided.inactive == ()


def test_a_dag_that_its_file_defines_no_more_becomes_inactive() -> None:
    assert plan({"a.py": parsed("a.py")}, [known("x", "a.py")], set()).inactive == (DagId("x"),)


def test_a_dag_of_a_removed_file_becomes_inactive_unless_another_file_defines_it_now() -> None:
    dags = [known("x", "old.py"), known("y", "old.py"), known("z", "old.py", is_active=False)]

    decided = plan({"new.py": parsed("new.py", "x")}, dags, {"old.py"})

    assert decided.files["new.py"].owned == (DagId("x"),)
    assert decided.inactive == (DagId("y"),)


def test_dags_of_files_that_only_another_scheduler_has_are_left_alone() -> None:
    assert plan({"a.py": parsed("a.py", "x")}, [known("y", "theirs.py")], set()).inactive == ()
