"""The logs of tasks: where each try's file lies, and reading windows of it."""
