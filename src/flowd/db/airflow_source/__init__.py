"""Reading the metastore of an Airflow installation, of which nothing is ever changed."""
