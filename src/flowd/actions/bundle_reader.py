"""BundleReader: what turns an archive that somebody sends into a bundle, without running its code in the server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from flowd.domain.bundle_plan import BundleContent


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBundle:
    """What an archive holds: what it comes to, the files by their hashes as they are stored, and the bytes of all."""

    content: BundleContent
    packed: Mapping[str, bytes]
    size_bytes: int


class BundleReader(Protocol):
    """Reads archives; implemented by a role, for it starts processes."""

    async def read(self, archive: bytes) -> ReadBundle:
        """Unpack the archive and parse its DAG files, each in a bounded process of its own.

        Raises InvalidInput for what is no archive, holds anything but plain files, or is too large.
        """
        ...
