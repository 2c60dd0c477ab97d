"""What this machine does without flowd: processes, commits and broker round trips."""
