"""The dashboard: server-rendered pages that work without JavaScript; every action is a POST, then 303."""
