"""The rules of flowd: values and pure functions, with no I/O, no clock and no randomness."""
