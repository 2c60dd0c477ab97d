"""What the URL of a PostgreSQL metastore may say behind its `?`, in libpq's words, and what asyncpg calls it."""

from sqlalchemy.engine import URL

from flowd.domain.errors import InvalidInput

_OPTIONS = ("sslmode", "host", "port", "passfile", "service", "servicefile", "target_session_attrs", "krbsrvname")
_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def with_asyncpg_options(url: URL) -> URL:
    """Return the URL with the names that asyncpg knows; raise InvalidInput for what it could not follow.

    asyncpg would raise a TypeError at each connection, which looks like a server that is away.
    """
    if unknown := sorted(set(url.query) - {*_OPTIONS, "ssl"}):
        raise InvalidInput(
            f"the metastore's URL has the option {unknown[0]!r}; for PostgreSQL wanted {', '.join(_OPTIONS)}"
            " (certificates: PGSSLROOTCERT, PGSSLCERT and PGSSLKEY in the environment)"
        )
    mode = url.query.get("sslmode") or url.query.get("ssl")
    if mode is None:
        return url
    if mode not in _TLS_MODES:
        raise InvalidInput(f"the metastore's URL has sslmode={mode}; wanted one of {', '.join(_TLS_MODES)}")
    return url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
