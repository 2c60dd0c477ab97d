"""Which file may write which DAG."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

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


dag_ids = st.sampled_from(["x", "y", "z"])
paths = st.sampled_from(["a.py", "b.py", "c.py"])
known_dags = st.dictionaries(dag_ids, st.tuples(paths, st.booleans())).map(
    lambda rows: [known(dag_id, path, is_active=is_active) for dag_id, (path, is_active) in rows.items()]
)


@given(st.dictionaries(paths, st.none() | st.sets(dag_ids)), known_dags, st.sets(paths))
def test_a_dag_has_one_owner_at_most_every_refusal_is_told_and_a_second_decision_is_the_same(
    defined: dict[str, set[str] | None], dags: list[KnownDag], gone: set[str]
) -> None:
    files = {path: None if ids is None else parsed(path, *sorted(ids)) for path, ids in defined.items()}
    absent = gone - files.keys()

    decided = plan(files, dags, absent)

    owners = Counter(dag_id for file_plan in decided.files.values() for dag_id in file_plan.owned)
    assert set(owners.values()) <= {1}
    assert not set(decided.inactive) & set(owners)
    for path, file_plan in decided.files.items():
        assert (file_plan.error is None) == (set(file_plan.owned) == (defined[path] or set()))
    homes = {dag_id: path for path, file_plan in decided.files.items() for dag_id in file_plan.owned}
    after = [known(dag.dag_id, homes.get(dag.dag_id, dag.file), is_active=dag.is_active) for dag in dags]
    after = [
        KnownDag(
            dag_id=dag.dag_id,
            file=dag.file,
            is_active=dag.dag_id in homes or (dag.is_active and dag.dag_id not in decided.inactive),
        )
        for dag in after
    ]
    after += [known(dag_id, path) for dag_id, path in homes.items() if dag_id not in {dag.dag_id for dag in dags}]
    assert plan(files, after, absent).files == decided.files
    assert plan(files, after, absent).inactive == ()


def test_a_dag_of_a_pushed_bundle_is_neither_taken_over_nor_ended() -> None:
    pushed = KnownDag(dag_id=DagId("x"), file="a.py", is_active=True, bundle_name="team")

    taken = plan({"b.py": parsed("b.py", "x"), "a.py": parsed("a.py")}, [pushed], gone=set())
    gone = plan({}, [pushed], gone={"a.py"})

    assert taken.files["b.py"].owned == () and "the bundle team already" in str(taken.files["b.py"].error)
    assert taken.inactive == gone.inactive == ()
