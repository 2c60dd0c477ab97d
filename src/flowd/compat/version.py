"""The Airflow version that DAG files which ask are told: the one whose authoring interface flowd follows."""

AIRFLOW_VERSION = "3.1.0"
