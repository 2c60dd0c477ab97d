"""DAG files that do harm when they are parsed, each in its own way."""

from collections.abc import Mapping

FORKS = 100
"""Enough to need killing, few enough to hurt nobody where they are not killed."""

BOMBS: Mapping[str, str] = {
    "memory": "hoard = []\nwhile True:\n    hoard.append(bytearray(16 * 1024 * 1024))\n",
    "fork": (
        f"import os, time\nfor _ in range({FORKS}):\n    if os.fork() == 0:\n        time.sleep(3600)\n"
        "time.sleep(3600)\n"
    ),
    "loop": "while True:\n    pass\n",
    "exit": "import os\nos._exit(0)\n",
    "suicide": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "crash": "import ctypes\nctypes.string_at(0)\n",
    "output": "import sys\nfor _ in range(200_000):\n    print('x' * 1000)\nraise SystemExit(1)\n",
    "syntax": "def broken(:\n",
    "recursion": "def deeper():\n    return deeper()\ndeeper()\n",
    "deaf": (
        "import signal, time\nfor number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):\n"
        "    signal.signal(number, signal.SIG_IGN)\nwhile True:\n    time.sleep(1)\n"
    ),
}
"""By name: what a file holds, behind HEADER."""

HEADER = "# airflow DAG: a file that says neither is not looked at\n"

HEAVY_BYTES = 100 * 1024 * 1024
