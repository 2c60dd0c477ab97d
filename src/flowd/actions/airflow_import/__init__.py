"""Bringing what an Airflow installation has gathered into flowd."""
