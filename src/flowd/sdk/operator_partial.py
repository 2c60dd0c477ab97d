"""OperatorPartial: a mapped task of which the shared arguments are known, and not yet what it expands over."""

from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.sdk.expand_input import CrossedInput, ExpandInput, TogetherInput
from flowd.sdk.keywords import refuse_unknown
from flowd.sdk.mapped_call import MappedCall
from flowd.sdk.operator_defaults import accepted_keywords


class OperatorPartial:
    """What `Operator.partial(…)` returns."""

    def __init__(self, call: MappedCall, make: Any) -> None:
        self._call = call
        self._make = make

    def expand(self, **values: Any) -> Any:
        """Return the task, with an instance for every combination of the values; raise InvalidDag for no values."""
        return self.expanded(CrossedInput(values, self._call.where))

    def expand_kwargs(self, kwargs: Any, /, *, strict: bool = True) -> Any:
        """Return the task, with an instance for each dict of arguments; raise InvalidDag for what cannot be."""
        return self.expanded(TogetherInput(kwargs, self._call.where))

    def expanded(self, expand_input: ExpandInput) -> Any:
        """Return the task that expands over this."""
        self._call.check(expand_input.names or ())
        known = accepted_keywords(self._call.operator_class)
        unknown = {name: value for name, value in self._call.keywords.items() if name not in known}
        refuse_unknown(unknown, known, where=self._call.where)
        call = self._call.with_defaults()
        shared = {name: value for name, value in call.keywords.items() if name in self._make.shared_keywords()}
        return self._make(call=call, expand_input=expand_input, **shared)

    def __rshift__(self, other: Any) -> Any:
        raise InvalidDag(f"{self._call.where}: a mapped task begins with partial() and ends with expand(…)")

    __lshift__ = __rrshift__ = __rlshift__ = __rshift__
