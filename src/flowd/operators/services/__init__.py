"""Operators, sensors, hooks and notifiers that speak to a service outside: mail, HTTP, SQL databases."""
