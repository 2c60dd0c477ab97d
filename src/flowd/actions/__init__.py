"""What users can do: each use-case one function and one transaction, called by the API, the dashboard and the CLI."""
