"""Helm's own engine on the chart, as a program: sets of values on stdin, as JSON; what becomes of each on stdout.

It is a process of its own, for the engine is Go: the tests' process is not to have its threads and signal handlers.
"""

import json
import sys
from typing import Any

import helm_python


def rendered(chart: helm_python.Chart, values: dict[str, Any]) -> dict[str, Any]:
    """The files that the chart makes of the values, or what it says against them."""
    try:
        return {"files": dict(chart.render(values, name="flowd", namespace="flowd"))}
    except helm_python.HelmError as error:
        return {"error": str(error)}


def main() -> None:
    """Answer for the chart in the folder that the command names."""
    with helm_python.Chart.load(sys.argv[1]) as chart:
        answers = [rendered(chart, values) for values in json.load(sys.stdin)]
        json.dump({"lint": helm_python.lint(sys.argv[1]), "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
