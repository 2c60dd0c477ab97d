"""The one tree of errors: every expected failure of flowd is a FlowdError whose message a person can act on."""


class FlowdError(Exception):
    """Base of every error flowd raises on purpose; its text names the thing, what was found and what was wanted."""


class InvalidDag(FlowdError):
    """A DAG or task definition that cannot be run; the text says where and what to write instead."""


class InvalidSchedule(InvalidDag):
    """A schedule that is not a cron expression, preset, timedelta or None."""


class IllegalTransition(FlowdError):
    """An event that the state graph does not allow in the present state: the caller was late or wrong."""


class StaleClaim(FlowdError):
    """A write that shows a try number or claim token which is no longer the current one."""


class NotFound(FlowdError):
    """The named thing does not exist."""


class Conflict(FlowdError):
    """The thing exists already, or its state forbids what was asked."""


class BackfillConflict(Conflict):
    """The DAG has a backfill that has not ended, or the backfill itself has ended."""


class InvalidInput(FlowdError):
    """Input that has the wrong type, form or range."""


class InvalidBackfill(InvalidInput):
    """A backfill that the DAG, its schedule or the dates asked for do not allow."""


class NoPreview(InvalidBackfill):
    """A backfill whose dates nobody can work out beforehand; it can be made all the same."""


class Unavailable(FlowdError):
    """The metastore or the queue did not answer; trying again later may succeed."""


class QueueUnavailable(Unavailable):
    """The queue's backend did not answer, or refused the credentials."""


class MetastoreUnavailable(Unavailable):
    """The metastore did not answer, or refused the credentials."""


class KerberosUnavailable(Unavailable):
    """No KDC gave a ticket; trying again later may succeed."""


class InvalidMessage(FlowdError):
    """A task message that is too long, cannot be read or was not signed with one of the cluster's keys."""


class InvalidSettings(FlowdError):
    """A configuration that no node can start with; the text lists every problem of it."""


class Unauthorised(FlowdError):
    """Credentials, a token or a login link that is wrong, expired or used up; or a role that may not do this."""


class TicketRefused(Unauthorised):
    """A KDC answered and gave no Kerberos ticket: until somebody mends that, it will not."""
