"""How much is under way at a time, in the limits and in the scenarios alike: else their ratio would mean nothing."""

IN_FLIGHT = 8
"""Processes at a time of a limit, and the slots of each worker of a scenario."""
