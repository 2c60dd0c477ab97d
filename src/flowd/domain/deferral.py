"""Deferral: what a try waits for while it holds neither slot nor process, and Resume: how it goes on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSpec:
    """A trigger to be run: the path of its class and its keyword arguments, encoded as XComs are.

    `file` is the DAG file that made it; `is_in_bundle` says that its class is in the DAG folder, and not in a library.
    """

    classpath: str
    kwargs: Mapping[str, Any]
    file: str
    is_in_bundle: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """How a deferred try goes on: `method(context, event=…, **kwargs)`; both are encoded as XComs are.

    `failure` is what went wrong with the trigger instead; `is_timeout` says that nothing came in time. `ends_as` ends
    the try without calling the method: success, skipped or failed, with these XComs.
    """

    method: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    event: Any = None
    failure: str | None = None
    is_timeout: bool = False
    ends_as: str | None = None
    xcoms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    """What a try asked for when it deferred itself.

    `otherwise` is how it goes on where its waiting time is over and nothing has come; `trigger` is None where nothing
    needs to run: it waits for a moment, or for a person.
    """

    otherwise: Resume
    trigger: TriggerSpec | None = None


def resume_to_json(resume: Resume) -> dict[str, Any]:
    """Return it as JSON values."""
    return asdict(resume)


def resume_from_json(document: Mapping[str, Any]) -> Resume:
    """Return what `resume_to_json` wrote; raise TypeError for a document of another form."""
    return Resume(**document)


def deferral_to_json(deferral: Deferral) -> dict[str, Any]:
    """Return it as JSON values."""
    return asdict(deferral)


def deferral_from_json(document: Mapping[str, Any]) -> Deferral:
    """Return what `deferral_to_json` wrote; raise KeyError or TypeError for a document of another form."""
    trigger = document["trigger"]
    return Deferral(
        otherwise=resume_from_json(document["otherwise"]), trigger=None if trigger is None else TriggerSpec(**trigger)
    )
