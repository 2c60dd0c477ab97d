"""`python -m flowd.cli` is `flowd`."""

from flowd.cli.main import main

main()
