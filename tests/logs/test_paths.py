"""Where logs lie: never outside their folder, never two tries in one file."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowd.logs.paths import LONGEST_NAME_BYTES, log_path, quoted

ROOT = Path("/logs")
names = st.text(max_size=300)


def test_plain_names_are_kept_as_they_are() -> None:
    path = log_path(ROOT, "etl", "manual__2026-01-01T00:00:00+00:00", "group.load", -1, 2)
    mapped = log_path(ROOT, "etl", "one", "load", 7, 2)

    assert path == ROOT / "etl/manual__2026-01-01T00:00:00+00:00/group.load~2.log"
    assert mapped == ROOT / "etl/one/load~7~2.log"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("..", "%2E."),
        (".", "%2E"),
        ("", "%"),
        ("a/b", "a%2Fb"),
        ("%2F", "%252F"),
        ("a\0b", "a%00b"),
        ("é", "%C3%A9"),
        ("~", "%7E"),
    ],
)
def test_names_that_mean_something_to_a_file_system_are_quoted(name: str, expected: str) -> None:
    assert quoted(name) == expected


@given(names, names, names)
def test_no_name_leads_out_of_the_folder(dag_id: str, run_id: str, task_id: str) -> None:
    path = log_path(ROOT, dag_id, run_id, task_id, 2**31 - 1, 2**31 - 1)

    assert path.is_relative_to(ROOT) and ".." not in path.parts
    assert len(path.relative_to(ROOT).parts) == 3
    assert all(0 < len(part.encode()) <= LONGEST_NAME_BYTES for part in path.relative_to(ROOT).parts)


@given(names, names)
def test_unlike_names_have_unlike_files(one: str, other: str) -> None:
    assert (quoted(one) == quoted(other)) == (one == other)


tries = st.tuples(names, st.integers(-1, 3), st.integers(1, 3))


@given(tries, tries)
@example(("a~0", -1, 1), ("a", 0, 1))
@example(("é" * 200, 1, 1), ("é" * 200, -1, 1))
def test_unlike_tries_have_unlike_files(one: tuple[str, int, int], other: tuple[str, int, int]) -> None:
    paths = [log_path(ROOT, "etl", "one", *identity) for identity in (one, other)]

    assert (paths[0] == paths[1]) == (one == other)


def test_names_that_differ_only_behind_what_a_file_system_takes_have_unlike_files(tmp_path: Path) -> None:
    paths = [log_path(tmp_path, "d" * 250, "é" * 250 + end, "t", -1, 1) for end in "ab"]

    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text(str(path))

    assert [path.read_text() for path in paths] == [str(path) for path in paths]
