"""`python -m flowd.compat my_dag.py …`: runs a script that imports `airflow`, as `python my_dag.py …` would."""

import runpy
import sys

from flowd.compat import install

if len(sys.argv) < 2:
    sys.exit("usage: python -m flowd.compat FILE [ARGUMENTS]")
install()
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
