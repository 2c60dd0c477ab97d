"""StoredValue: a value that is kept outside the metastore, and the reference that stands for it there.

The variables are how a node tells its child processes where that is; their names are Airflow's, and where the node has
no setting of its own those of its environment count.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

from flowd.domain.mappable import STORED, TAG

PATH_VARIABLE = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH"
THRESHOLD_VARIABLE = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD"
COMPRESSION_VARIABLE = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredValue:
    """Where the value is as JSON text, how many bytes that has and their SHA-256, and how many items the value has."""

    url: str
    bytes: int
    sha256: str
    compression: str
    length: int | None

    @property
    def name(self) -> str:
        """What no other stored value is called: the name of its file without an ending."""
        return self.url.rpartition("/")[2].partition(".")[0]

    def to_json(self) -> dict[str, Any]:
        """Return the reference."""
        return {TAG: STORED, "value": asdict(self)}

    @classmethod
    def from_json(cls, value: Any) -> Self | None:
        """Return what a JSON value refers to; None where it is no reference."""
        return cls(**value["value"]) if isinstance(value, dict) and value.get(TAG) == STORED else None


def holds_reference(value: Any) -> bool:
    """Whether a JSON value is a reference, or has one anywhere in it."""
    if isinstance(value, dict):
        return value.get(TAG) == STORED or any(holds_reference(item) for item in value.values())
    return isinstance(value, list) and any(holds_reference(item) for item in value)
