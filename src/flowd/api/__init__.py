"""The REST API and the dashboard: FastAPI over `actions` and the read models of `db.views`."""
