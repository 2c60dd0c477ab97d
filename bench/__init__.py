"""What flowd costs, beside what this machine can do at best, both measured in one run: `python -m bench`."""
