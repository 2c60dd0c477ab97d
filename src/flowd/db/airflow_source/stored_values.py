"""Values as Airflow's metastores hold them: moments, texts, and the conf of runs, which Airflow 2 pickles."""

import io
import json
import pickle
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flowd.db.storable import storable


def moment_of(value: Any) -> datetime | None:
    """Return the moment in UTC: PostgreSQL gives an aware one, MariaDB one without a zone, SQLite a text."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    assert isinstance(moment, datetime)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def text_of(value: Any, most: int | None = None) -> str | None:
    """Return the text as every metastore of flowd can hold it, cut to `most` characters; None for none."""
    return None if value is None else storable(str(value))[:most]


def conf_of(value: Any) -> Mapping[str, Any] | None:
    """Return the conf of a run, empty where it has none; None where it is no object of JSON values.

    Airflow 3 stores JSON. What Airflow 2 has pickled is read without executing anything: a pickle that asks for more
    than plain values is not read.
    """
    if value is None:
        return {}
    try:
        conf = _unpickled(bytes(value)) if isinstance(value, bytes | bytearray | memoryview) else _parsed(value)
        if conf is None:
            return {}
        # By way of JSON: what has no form there has none in flowd.
        whole = json.loads(json.dumps(conf, allow_nan=False))
    except (ValueError, TypeError, EOFError, LookupError, AttributeError, RecursionError, pickle.UnpicklingError):
        return None
    return whole if isinstance(whole, dict) else None


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _unpickled(pickled: bytes) -> Any:
    return _PlainValues(io.BytesIO(pickled)).load() if pickled[:1] == b"\x80" else json.loads(pickled)


class _PlainValues(pickle.Unpickler):
    """Reads dicts, lists, texts and numbers. Whatever else a pickle can do begins with the name of something."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is no plain value")
