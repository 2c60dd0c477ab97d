"""The table's fourth part: what flowd has of Airflow's provider packages. One that is installed comes before it.

What these modules have in Airflow and not here becomes a stub, as all of a provider that is not installed does.
"""

_HOME = "flowd.operators.services"
_EMAIL = {"EmailOperator": f"{_HOME}.email:EmailOperator"}
_SMTP_NOTIFIER = {name: f"{_HOME}.notifiers:{name}" for name in ("SmtpNotifier", "send_smtp_notification")}
_SLACK_NOTIFIER = {
    name: f"{_HOME}.notifiers:{name}" for name in ("SlackWebhookNotifier", "send_slack_webhook_notification")
}
_HTTP = {"HttpOperator": f"{_HOME}.http:HttpOperator", "SimpleHttpOperator": f"{_HOME}.http:HttpOperator"}
_HTTP_SENSOR = {"HttpSensor": f"{_HOME}.http:HttpSensor"}
_HTTP_HOOK = {"HttpHook": f"{_HOME}.http_hook:HttpHook"}
_SQL_CHECKS = {
    f"SQL{name}CheckOperator": f"{_HOME}.sql_checks:SQL{name}CheckOperator"
    for name in ("", "Column", "Table", "Threshold", "Value")
}
_SQL = {
    **_SQL_CHECKS,
    **{name: f"{_HOME}.sql:{name}" for name in ("BaseSQLOperator", "BranchSQLOperator", "SQLExecuteQueryOperator")},
}
_OLD_CHECKS = {
    name: f"{_HOME}.sql_checks:SQL{name}" for name in ("CheckOperator", "ThresholdCheckOperator", "ValueCheckOperator")
}
_SQL_SENSOR = {"SqlSensor": f"{_HOME}.sql:SqlSensor"}
_HANDLERS = {name: f"{_HOME}.sql_hook:{name}" for name in ("fetch_all_handler", "fetch_one_handler")}
_DB_API_HOOK = {"DbApiHook": f"{_HOME}.sql_hook:DbApiHook"}


def _of_kind(module: str, class_name: str) -> dict[str, dict[str, str]]:
    """Return where Airflow 1.10 and the providers had the operator and the hook of one kind of database."""
    operator = {f"{class_name}Operator": f"{_HOME}.sql_by_kind:{class_name}Operator"}
    hook = {f"{class_name}Hook": f"{_HOME}.sql_hook:{class_name}Hook"}
    return {
        f"airflow.operators.{module}_operator": operator,
        f"airflow.providers.{module}.operators.{module}": operator,
        f"airflow.hooks.{module}_hook": hook,
        f"airflow.providers.{module}.hooks.{module}": hook,
    }


SERVICES: dict[str, dict[str, str]] = {
    "airflow.hooks.dbapi": _DB_API_HOOK,
    "airflow.hooks.dbapi_hook": _DB_API_HOOK,
    "airflow.hooks.http_hook": _HTTP_HOOK,
    "airflow.operators.check_operator": _OLD_CHECKS,
    "airflow.operators.email": _EMAIL,
    "airflow.operators.email_operator": _EMAIL,
    "airflow.operators.http_operator": _HTTP,
    "airflow.operators.sql": _SQL,
    "airflow.operators.sql_branch_operator": {"BranchSqlOperator": _SQL["BranchSQLOperator"]},
    "airflow.providers.common.sql.hooks.handlers": _HANDLERS,
    "airflow.providers.common.sql.hooks.sql": {**_DB_API_HOOK, **_HANDLERS},
    "airflow.providers.common.sql.operators.sql": _SQL,
    "airflow.providers.common.sql.sensors.sql": _SQL_SENSOR,
    "airflow.providers.http.hooks.http": _HTTP_HOOK,
    "airflow.providers.http.notifications.http": {"HttpNotifier": f"{_HOME}.notifiers:HttpNotifier"},
    "airflow.providers.http.operators.http": _HTTP,
    "airflow.providers.http.sensors.http": _HTTP_SENSOR,
    "airflow.providers.slack.notifications.slack_webhook": _SLACK_NOTIFIER,
    "airflow.providers.smtp.notifications.smtp": _SMTP_NOTIFIER,
    "airflow.providers.smtp.operators.smtp": _EMAIL,
    "airflow.sensors.http_sensor": _HTTP_SENSOR,
    "airflow.sensors.sql": _SQL_SENSOR,
    "airflow.sensors.sql_sensor": _SQL_SENSOR,
    "airflow.utils.email": {"send_email": "flowd.sdk.mail:send_email", "send_email_smtp": "flowd.sdk.mail:send_email"},
    **_of_kind("mysql", "MySql"),
    **_of_kind("postgres", "Postgres"),
    **_of_kind("sqlite", "Sqlite"),
}
"""Modules that speak to services."""
