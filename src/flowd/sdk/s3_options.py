"""What of an Amazon connection the S3 file system is given, under the names that Airflow's `aws` connections have."""

import logging
from typing import Any

from flowd.sdk.connection import Connection
from flowd.sdk.exceptions import AirflowConfigException, AirflowNotFoundException

DEFAULT_CONNECTION = "aws_default"
"""Where nobody has made this one, the credentials are those that AWS gives the machine, as in Airflow."""

log = logging.getLogger(__name__)

_AWS_OWN = "us-east-1"
_NEEDS_PROVIDER = ("role_arn", "assume_role_method", "assume_role_kwargs")


def s3_options(conn_id: str | None) -> dict[str, Any]:
    """Return keywords for s3fs; none without a connection. Raises AirflowNotFoundException where it does not exist."""
    if conn_id is None:
        return {}
    try:
        connection = Connection.get(conn_id)
    except AirflowNotFoundException:
        if conn_id != DEFAULT_CONNECTION:
            raise
        log.warning("there is no connection %s: S3 is asked with the machine's own credentials", conn_id)
        return {}
    return _options(connection)


def _options(connection: Connection) -> dict[str, Any]:
    extra = connection.get_extra_dejson(nested=True)
    needing = [name for name in _NEEDS_PROVIDER if extra.get(name)]
    if needing:
        raise AirflowConfigException(
            f"connection {connection.conn_id!r} has {needing[0]!r}, which flowd itself does not follow: install "
            "apache-airflow-providers-amazon, or let the machine assume the role"
        )
    service = (extra.get("service_config") or {}).get("s3") or {}
    region = extra.get("region_name")
    client, config = {"verify": extra.get("verify")}, dict(extra.get("config_kwargs") or {})
    # s3fs makes a bucket in the region of its client, and AWS refuses the name of the one that it takes by itself.
    (config if region == _AWS_OWN else client)["region_name"] = region
    options = {
        "key": connection.login or extra.get("aws_access_key_id"),
        "secret": connection.password or extra.get("aws_secret_access_key"),
        "token": extra.get("aws_session_token"),
        "profile": extra.get("profile_name"),
        "endpoint_url": service.get("endpoint_url") or extra.get("endpoint_url") or extra.get("host"),
        "config_kwargs": _given(config),
        "client_kwargs": _given(client),
    }
    return _given(options) or {}


def _given(options: dict[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in options.items() if value is not None} or None
