"""Visit: whoever knocks, as far as it can be told before they are let in."""

from dataclasses import dataclass

from fastapi import Request

from flowd.api.envelope import REQUEST_ID
from flowd.db.actor import Actor


@dataclass(frozen=True, slots=True)
class Visit:
    """From which address, as far as this process can tell, and in which request."""

    address: str
    request_id: str

    def actor(self, event: str, name: str, by: str) -> Actor:
        """Return whoever logs in or out under this name, and by what."""
        return Actor(name=name, event=event, request_id=self.request_id, about={"by": by, "address": self.address})


def visit_of(request: Request) -> Visit:
    """Return the visit that a request is."""
    address = request.client.host if request.client else "unknown"
    return Visit(address=address, request_id=request.scope[REQUEST_ID])
