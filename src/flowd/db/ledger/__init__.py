"""The one door for state: the only code that writes the state of runs and task instances."""
