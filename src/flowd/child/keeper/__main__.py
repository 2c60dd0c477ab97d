"""`python -m flowd.child.keeper FD WARM`: run the keeper on the node's socket FD, with warm limits WARM as JSON."""

import sys

from flowd.child.keeper.main import main

main(sys.argv[1:])
