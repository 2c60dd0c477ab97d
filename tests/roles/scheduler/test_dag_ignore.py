"""Which paths an ignore file leaves out."""

import pytest

from flowd.roles.scheduler.dag_ignore import IgnoreFile, is_ignored


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("old.py", "old.py", True),
        ("old.py", "deep/down/old.py", True),
        ("/old.py", "old.py", True),
        ("/old.py", "deep/old.py", False),
        ("old", "older.py", False),
        ("*.sql", "sql/one.sql", True),
        ("sql/*.sql", "sql/one.sql", True),
        ("sql/*.sql", "sql/deep/one.sql", False),
        ("sql/*.sql", "deep/sql/one.sql", False),
        ("sql/**/one.sql", "sql/a/b/one.sql", True),
        ("sql/**/one.sql", "sql/one.sql", True),
        ("**/tmp", "a/b/tmp", True),
        ("a/**", "a/b/c", True),
        ("day?.py", "day1.py", True),
        ("day?.py", "day12.py", False),
        ("day[0-9].py", "day1.py", True),
        ("day[!0-9].py", "day1.py", False),
        ("# old.py", "# old.py", False),
        (r"\#old.py", "#old.py", True),
        ("", "old.py", False),
        ("a+b.py", "aab.py", False),
    ],
)
def test_a_glob_is_read_as_git_reads_it(pattern: str, path: str, expected: bool) -> None:
    assert bool(IgnoreFile.parse(pattern, "").verdict(path, is_folder=False)) is expected


def test_the_last_rule_wins_and_may_take_back_an_earlier_one() -> None:
    file = IgnoreFile.parse("*.py\n!keep.py\n", "")

    assert file.verdict("drop.py", is_folder=False) is True
    assert file.verdict("keep.py", is_folder=False) is False
    assert file.verdict("data.csv", is_folder=False) is None


def test_a_pattern_with_a_slash_at_its_end_is_about_folders() -> None:
    file = IgnoreFile.parse("build/", "")

    assert file.verdict("a/build", is_folder=True)
    assert not file.verdict("a/build", is_folder=False)


def test_a_file_rules_its_own_folder_and_overrules_those_above() -> None:
    files = [IgnoreFile.parse("*.py", ""), IgnoreFile.parse("!/keep.py", "team")]

    assert not is_ignored("team/keep.py", files, is_folder=False)
    assert is_ignored("team/deep/keep.py", files, is_folder=False)
    assert is_ignored("other.py", files, is_folder=False)


def test_a_comment_asks_for_regular_expressions() -> None:
    file = IgnoreFile.parse("# syntax: regexp\nproject_a   # the old one\ntenant_[\\d]\n", "")

    for path in ("project_a_dag_1.py", "TESTING_project_a.py", "tenant_1.py", "project_a/dag_1.py"):
        assert file.verdict(path, is_folder=False)
    assert not file.verdict("tenant_x.py", is_folder=False)


def test_a_line_that_is_no_pattern_is_named_and_the_others_hold() -> None:
    file = IgnoreFile.parse("# syntax: regexp\n(\nold\n", "")

    assert file.verdict("old.py", is_folder=False)
    assert len(file.problems) == 1
    assert "line 2: '('" in file.problems[0]
