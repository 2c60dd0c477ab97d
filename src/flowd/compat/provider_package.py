"""Which package of the provider family has a module."""

_TWO_PARTS = {"apache", "atlassian", "cncf", "common", "dbt", "microsoft"}
"""Providers below one of these are named by two parts: `airflow.providers.apache.spark`."""

_OLD_WORDS = {
    "google": ("bigquery", "gcs", "gcp", "dataflow", "dataproc", "cloud_sql", "pubsub", "mlengine", "dataprep"),
    "amazon": ("s3", "aws", "emr", "redshift", "ecs", "sagemaker", "athena", "dynamodb", "sqs", "glue"),
    "cncf-kubernetes": ("kubernetes", "pod"),
    "apache-spark": ("spark",),
    "apache-hive": ("hive",),
    "microsoft-azure": ("azure", "wasb", "adls"),
    "ssh": ("ssh",),
    "sftp": ("sftp",),
    "ftp": ("ftp",),
    "http": ("http",),
    "docker": ("docker",),
    "mysql": ("mysql",),
    "postgres": ("postgres",),
    "sqlite": ("sqlite",),
    "oracle": ("oracle",),
    "microsoft-mssql": ("mssql",),
    "jdbc": ("jdbc",),
    "slack": ("slack",),
    "snowflake": ("snowflake",),
    "databricks": ("databricks",),
    "presto": ("presto",),
    "papermill": ("papermill",),
    "apache-druid": ("druid",),
    "apache-hdfs": ("hdfs",),
}
"""What stands in the module paths of Airflow 1.10, by the package that has it since."""

_FAMILY = "apache-airflow-providers-"


def package_of(module: str) -> str | None:
    """Return the distribution that has `airflow.….module`, None where the path does not tell."""
    parts = module.split(".")
    if parts[1:2] == ["providers"]:
        length = 2 if parts[2] in _TWO_PARTS else 1
        return _FAMILY + "-".join(parts[2 : 2 + length]).replace("_", "-")
    last = parts[-1]
    return next((_FAMILY + name for name, words in _OLD_WORDS.items() if any(word in last for word in words)), None)
