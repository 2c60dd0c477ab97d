"""The source tree, read once."""

import pytest

from tests.architecture.source_file import SourceFile, read_sources


@pytest.fixture(scope="session")
def sources() -> list[SourceFile]:
    """Every module under src/."""
    files = read_sources()
    assert files, "no source was found: the rules would hold of nothing"
    return files
