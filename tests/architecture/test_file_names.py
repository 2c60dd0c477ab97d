"""A module is named after its concept."""

from tests.architecture.source_file import SourceFile, source

# Words that say that something is in a file, not what.
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "stuff", "shared"}


def vaguely_named(files: list[SourceFile]) -> list[str]:
    return [
        f"{file.path}: name it after what it holds"
        for file in files
        if any(EMPTY_WORDS & set(part.strip("_").split("_")) for part in file.path.with_suffix("").parts)
    ]


def test_every_module_is_named_after_its_concept(sources: list[SourceFile]) -> None:
    assert vaguely_named(sources) == []


def test_a_vague_name_is_found_in_a_file_a_folder_and_a_part_of_a_name() -> None:
    bad = [source(path, "") for path in ("flowd/db/utils.py", "flowd/common/ids.py", "flowd/queue/queue_manager.py")]
    good = [source("flowd/domain/commonality.py", "")]

    assert len(vaguely_named(bad)) == 3
    assert vaguely_named(good) == []
