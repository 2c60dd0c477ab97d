"""Airflow 2's REST API, translated onto ours."""
