"""Membership: what a provider's claims make of somebody here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowd.domain.errors import Unauthorised
from flowd.security.account_role import AccountRole
from flowd.settings.model import OidcSettings

EVERYBODY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Somebody as the provider knows them: `subject` is their lasting id, the groups are all that it says."""

    subject: str
    username: str
    groups: tuple[str, ...]
    role: AccountRole


def membership_of(claims: Mapping[str, Any], settings: OidcSettings) -> Membership:
    """Return who the claims are about; raise Unauthorised where a claim is missing, or no group gives a role."""
    username = _claim(claims, settings.username_claim)
    if not isinstance(username, str) or not username.strip():
        raise Unauthorised(
            f"the provider tells no {settings.username_claim!r} of {claims['sub']!r}; have it sent, or name another"
            " claim in FLOWD__OIDC__USERNAME_CLAIM"
        )
    if settings.username_claim == "email" and claims.get("email_verified") is False:
        raise Unauthorised(f"the provider has not verified the address {username!r}")
    groups = _names(_claim(claims, settings.groups_claim))
    role = _role(groups, settings)
    if role is None:
        raise Unauthorised(
            f"{username!r} is in {', '.join(map(repr, groups)) or 'no group'} at the provider, which gives no role here"
            "; an Admin names one in FLOWD__OIDC__VIEWER_GROUPS, or in those of the other roles"
        )
    # A group that is called as a role would let in whoever has that role.
    kept = tuple(group for group in groups if group not in set(AccountRole))
    return Membership(subject=claims["sub"], username=username.strip(), groups=kept, role=role)


def _role(groups: tuple[str, ...], settings: OidcSettings) -> AccountRole | None:
    by_role = {
        AccountRole.ADMIN: settings.admin_groups,
        AccountRole.OP: settings.op_groups,
        AccountRole.USER: settings.user_groups,
        AccountRole.VIEWER: settings.viewer_groups,
    }
    return next((role for role, named in by_role.items() if {EVERYBODY, *groups} & set(named)), None)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name, or one inside of another, as `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _names(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(one.strip() for one in values if isinstance(one, str) and one.strip())
