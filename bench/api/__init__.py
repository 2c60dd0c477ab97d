"""The bench of the API under load."""
