"""TokenForm: what a page says of a token that is to be made."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Form

from flowd.domain.errors import InvalidInput
from flowd.security.account_role import AccountRole
from flowd.settings.units import parse_duration


@dataclass(frozen=True, slots=True)
class _TokenForm:
    name: str
    role: AccountRole
    lifetime: str


def _read(
    name: Annotated[str, Form()], role: Annotated[AccountRole, Form()], lifetime: Annotated[str, Form()]
) -> _TokenForm:
    return _TokenForm(name, role, lifetime)


TokenForm = Annotated[_TokenForm, Depends(_read)]


def lifetime_of(form: _TokenForm) -> timedelta:
    """Return for how long the token is to be good; raise InvalidInput for a text that is no duration."""
    try:
        return parse_duration(form.lifetime)
    except ValueError as error:
        raise InvalidInput(str(error)) from error
