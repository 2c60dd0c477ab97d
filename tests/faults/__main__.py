"""Prints the table of the results in a file, for docs/explanation/reliability.md.

python -m tests.faults results.jsonl
"""

import sys
from pathlib import Path

from tests.faults.harness.result import read_results, table

if __name__ == "__main__":
    sys.stdout.write(table(read_results(Path(sys.argv[1]))) + "\n")
