"""Retry policies: what follows from the very error that a task failed with; they are asked in the task's process."""

import importlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Self

from flowd.domain.errors import InvalidDag

log = logging.getLogger(__name__)

ExceptionSpec = type[BaseException] | str
"""A class, or where it can be imported from, as `requests.exceptions.HTTPError`."""


class RetryAction(Enum):
    """What follows a failure: another try where one is left, none, or what the task's own arguments say."""

    RETRY = "retry"
    FAIL = "fail"
    DEFAULT = "default"


@dataclass(frozen=True)
class RetryDecision:
    """What a policy decides; a `retry_delay` takes the place of the task's own for this one retry."""

    action: RetryAction = RetryAction.DEFAULT
    retry_delay: timedelta | None = None
    reason: str | None = None

    @classmethod
    def fail(cls, reason: str | None = None) -> Self:
        """Return the decision that no other try follows."""
        return cls(RetryAction.FAIL, reason=reason)

    @classmethod
    def retry(cls, delay: timedelta | None = None, reason: str | None = None) -> Self:
        """Return the decision that another try follows, where `retries` leaves one."""
        return cls(RetryAction.RETRY, delay, reason)

    @classmethod
    def default(cls) -> Self:
        """Return the decision to do what the task's arguments say."""
        return cls()


class RetryPolicy:
    """Subclasses define `evaluate`; AirflowFailException and sensor timeouts never retry, and it is not asked."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Return what follows from `exception`; `max_tries` is the number of retries."""
        raise NotImplementedError(f"{type(self).__name__} must define evaluate(self, exception, try_number, …)")


@dataclass(frozen=True)
class RetryRule:
    """What follows from one kind of exception, or several; from its subclasses too unless told otherwise.

    Raises InvalidDag for a text that is no dotted path.
    """

    exception: ExceptionSpec | Sequence[ExceptionSpec]
    action: RetryAction = RetryAction.RETRY
    retry_delay: timedelta | None = None
    reason: str | None = None
    match_subclasses: bool = True

    def __post_init__(self) -> None:
        for spec in self._specs:
            if isinstance(spec, str) and "." not in spec.strip("."):
                raise InvalidDag(f"RetryRule: {spec!r} is no path of an exception; wanted one as 'builtins.ValueError'")

    @property
    def _specs(self) -> Sequence[ExceptionSpec]:
        given = self.exception
        return given if isinstance(given, (list, tuple)) else [given]  # type: ignore[list-item]

    def matches(self, error: BaseException) -> bool:
        """Return True where the rule is about this error; a class that cannot be imported is about none."""
        kinds = [kind for spec in self._specs if (kind := _class_of(spec)) is not None]
        return isinstance(error, tuple(kinds)) if self.match_subclasses else type(error) in kinds


class ExceptionRetryPolicy(RetryPolicy):
    """The first rule that matches decides; where none does, `default`."""

    def __init__(self, rules: Sequence[RetryRule], default: RetryAction = RetryAction.DEFAULT) -> None:
        self.rules, self.default = list(rules), default

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Return what the first matching rule says."""
        for rule in self.rules:
            if rule.matches(exception):
                return RetryDecision(rule.action, rule.retry_delay, rule.reason)
        return RetryDecision(self.default)


def _class_of(spec: ExceptionSpec) -> type[BaseException] | None:
    if isinstance(spec, type):
        return spec
    module, _, name = spec.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        log.warning("retry rule: there is no exception %s on this worker, so nothing matches it", spec)
        return None
    return found if isinstance(found, type) else None
