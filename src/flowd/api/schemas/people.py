"""Shapes of users and API tokens."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import ConfigDict, Field

from flowd.api.schemas.base import Body, Shape
from flowd.api.slices import Slice
from flowd.db.accounts import Account
from flowd.db.api_tokens import LONGEST_LIFETIME, ApiToken
from flowd.security.passwords import LONGEST_PASSWORD

_TOKEN_KEYS = {
    name: lambda token, name=name: getattr(token, name) for name in ("username", "name", "created_at", "expires_at")
}

Password = Field(None, min_length=1, max_length=LONGEST_PASSWORD)
"""Without one somebody gets in by login links only."""


class UserResponse(Shape):
    """Somebody who may log in."""

    username: str
    role: str
    groups: list[str]
    is_active: bool
    has_password: bool
    created_at: datetime

    @classmethod
    def of(cls, account: Account) -> Self:
        """Return the shape of an account."""
        return cls(
            username=account.username,
            role=account.role.value,
            groups=list(account.groups),
            is_active=account.is_active,
            has_password=account.has_password,
            created_at=account.created_at,
        )


class UserCollectionResponse(Shape):
    """A page of users."""

    users: list[UserResponse]
    total_entries: int


class UserBody(Body):
    """Somebody who is to be let in."""

    model_config = ConfigDict(hide_input_in_errors=True)

    username: str
    role: str
    groups: list[str] = Field(default_factory=list)
    password: str | None = Password


class UserPatchBody(Body):
    """What of a user can be changed; what is not given stays."""

    model_config = ConfigDict(hide_input_in_errors=True)

    role: str | None = None
    groups: list[str] | None = None
    is_active: bool | None = None
    password: str | None = Password


class PasswordBody(Body):
    """One's own password until now, and from now on."""

    model_config = ConfigDict(hide_input_in_errors=True)

    old_password: str = Field(min_length=1, max_length=LONGEST_PASSWORD)
    new_password: str = Field(min_length=1, max_length=LONGEST_PASSWORD)


class LoginLinkResponse(Shape):
    """The path of a page that logs somebody in, once."""

    path: str


class MyTokenBody(Body):
    """A token that is to be made. Its role is at most its owner's; without one it may do what they may."""

    name: str
    role: str | None = None
    lifetime_seconds: float = Field(gt=0, le=LONGEST_LIFETIME / timedelta(seconds=1))


class TokenBody(MyTokenBody):
    """The same for somebody."""

    username: str


class ApiTokenResponse(Shape):
    """A token, of which only its owner has the secret."""

    username: str
    name: str
    role: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_from: str | None

    @classmethod
    def of(cls, token: ApiToken) -> Self:
        """Return the shape of a token."""
        return cls(
            username=token.username,
            name=token.name,
            role=token.role.value,
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
            last_used_from=token.last_used_from,
        )


class NewApiTokenResponse(ApiTokenResponse):
    """A token with its secret, which is shown this once."""

    secret: str


class ApiTokenCollectionResponse(Shape):
    """A page of tokens."""

    tokens: list[ApiTokenResponse]
    total_entries: int

    @classmethod
    def of(cls, tokens: list[ApiToken], page: Slice) -> Self:
        """Return the shape of a page of these tokens."""
        shapes = [ApiTokenResponse.of(token) for token in tokens]
        return cls(tokens=page.of(shapes, _TOKEN_KEYS), total_entries=len(shapes))
