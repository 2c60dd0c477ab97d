"""What an account may do: Airflow's roles, each including the ones before it."""

from enum import StrEnum
from typing import Self

from flowd.domain.errors import InvalidInput


class AccountRole(StrEnum):
    """Viewer reads, User triggers and clears, Op manages what tasks use, Admin manages people."""

    VIEWER = "Viewer"
    USER = "User"
    OP = "Op"
    ADMIN = "Admin"

    def includes(self, other: "AccountRole") -> bool:
        """True where whoever has this role may do all that `other` may."""
        order = list(AccountRole)
        return order.index(self) >= order.index(other)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the role that `text` names in any case; raise InvalidInput for none."""
        for role in cls:
            if role.value.lower() == text.strip().lower():
                return role
        raise InvalidInput(f"{text!r} is no role; wanted one of {', '.join(cls)}")
