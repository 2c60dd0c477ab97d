"""The JSON shapes of Airflow's stable REST API: what is answered, and what bodies are accepted."""
