"""deadline= of a DAG: what the scheduler is told of its alerts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd import DAG
from flowd.domain.deadline import DeadlineKind, DeadlineSpec
from flowd.domain.errors import InvalidDag
from flowd.sdk.deadline import AsyncCallback, DeadlineAlert, DeadlineReference, SyncCallback, alerts_of
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.serialize import serialize

HOUR = timedelta(hours=1)
AT = datetime(2026, 1, 31, tzinfo=UTC)


def alert(reference: Any, name: str | None = None) -> DeadlineAlert:
    return DeadlineAlert(reference=reference, interval=HOUR, callback=AsyncCallback("m.f"), name=name)


def test_the_scheduler_knows_when_each_alert_is_due() -> None:
    alerts = [
        alert(DeadlineReference.DAGRUN_LOGICAL_DATE),
        alert(DeadlineReference.AVERAGE_RUNTIME()),
        alert(DeadlineReference.FIXED_DATETIME(AT), "fixed"),
        DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, HOUR, SyncCallback(print)),
    ]
    made = DAG("d", deadline=alerts)

    with pytest.warns(DagWarning, match="a deadline after AVERAGE_RUNTIME has no effect"):
        spec = serialize(made, "d.py")

    assert spec.deadlines == (
        DeadlineSpec(kind=DeadlineKind.LOGICAL_DATE, interval=HOUR),
        DeadlineSpec(kind=DeadlineKind.FIXED, interval=HOUR, moment=AT),
        DeadlineSpec(kind=DeadlineKind.QUEUED_AT, interval=HOUR),
    )
    assert [one.name for one in alerts_of(made.deadline)] == [None, "fixed", None]
    assert serialize(DAG("e", deadline=alerts[0]), "e.py").deadlines == spec.deadlines[:1]


@pytest.mark.parametrize("given", [HOUR, ["soon"], DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, 5, print)])  # type: ignore[arg-type]
def test_what_is_no_alert_is_refused(given: Any) -> None:
    with pytest.raises(InvalidDag, match="wanted a DeadlineAlert with a timedelta as its interval"):
        serialize(DAG("d", deadline=given), "d.py")
