"""A realm of one's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kdc import Kdc


@pytest.fixture
def kdc() -> Iterator[Kdc]:
    """A realm whose tickets are good for ten hours."""
    with Kdc.running() as kdc:
        yield kdc


@pytest.fixture
def keytab(kdc: Kdc) -> Path:
    """The keytab of PRINCIPAL."""
    return kdc.add("flowd/worker1")
