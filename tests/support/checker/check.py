"""check: the checker. It decides the invariants of the protocol from outside, and shares no rule with flowd."""

from tests.support.checker.answered_triggers import answered_triggers
from tests.support.checker.causes import causes
from tests.support.checker.endings import endings
from tests.support.checker.evidence import Evidence
from tests.support.checker.expansions import expansions
from tests.support.checker.fenced_writes import fenced_writes
from tests.support.checker.histories import histories
from tests.support.checker.limits import limits
from tests.support.checker.logged_bytes import logged_bytes
from tests.support.checker.one_process_a_token import one_process_a_token
from tests.support.checker.overlaps import overlaps
from tests.support.checker.single_holder import single_holder
from tests.support.checker.starts_after_claim import starts_after_claim
from tests.support.checker.starts_after_upstreams import starts_after_upstreams
from tests.support.checker.violation import Violation

RULES = (
    answered_triggers,
    single_holder,
    one_process_a_token,
    fenced_writes,
    histories,
    starts_after_upstreams,
    limits,
    causes,
    endings,
    overlaps,
    starts_after_claim,
    logged_bytes,
    expansions,
)
"""One for each invariant, in their order."""


def check(evidence: Evidence) -> list[Violation]:
    """Return every violation of I1 to I13 that the evidence shows; none where all that it can decide holds."""
    return [violation for rule in RULES for violation in rule(evidence)]
