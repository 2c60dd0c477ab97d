"""A file is one concept: at most 500 lines, half of them under 150."""

from statistics import median

from tests.architecture.source_file import SourceFile, source

MOST_LINES = 500
MEDIAN_LINES = 150


def oversized(files: list[SourceFile]) -> list[str]:
    return [
        f"{file.path}: {file.line_count} lines, at most {MOST_LINES} wanted; split it by concept"
        for file in files
        if file.line_count > MOST_LINES
    ]


def median_lines(files: list[SourceFile]) -> float:
    """Over the files that hold code: an `__init__.py` of a docstring is no small file, it is none."""
    return median(file.line_count for file in files if len(file.tree.body) > 1 or file.path.name != "__init__.py")


def test_no_file_is_over_500_lines(sources: list[SourceFile]) -> None:
    assert oversized(sources) == []


def test_the_median_file_is_under_150_lines(sources: list[SourceFile]) -> None:
    assert median_lines(sources) < MEDIAN_LINES


def test_a_file_of_501_lines_is_found_and_one_of_500_is_not() -> None:
    files = [source("flowd/long.py", "x = 1\n" * 501), source("flowd/full.py", "x = 1\n" * 500)]

    assert [finding.split(":")[0] for finding in oversized(files)] == ["flowd/long.py"]


def test_empty_package_files_do_not_pull_the_median_down() -> None:
    long = [source(f"flowd/m{n}.py", "x = 1\n" * 200) for n in range(2)]
    empty = [source(f"flowd/p{n}/__init__.py", '"""Nothing."""\n') for n in range(9)]

    assert median_lines(long + empty) == 200
