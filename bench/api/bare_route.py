"""A bare FastAPI route on the same server program: the least that an answer can cost."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from bench.cluster.free_port import free_port
from bench.cluster.waiting import wait_until

PATH = "/bare"

app = FastAPI()


@app.get(PATH)
async def answer() -> dict[str, str]:
    """Answer."""
    return {"status": "healthy"}


@contextmanager
def bare_route() -> Iterator[int]:
    """Serve it; give its port."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"{__name__}:app", "--port", str(port), "--no-access-log"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        said = server.stderr
        assert said is not None
        try:
            wait_until(lambda: "Uvicorn running" in said.readline(), "the bare route")
            yield port
        finally:
            server.terminate()
