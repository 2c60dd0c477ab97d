"""The tasks. Run by Celery's interpreter, not by the bench's: it imports nothing of either project."""

import os
import subprocess
import time

from celery import Celery

app = Celery(broker=os.environ["BENCH_CELERY_BROKER"])
app.conf.task_default_queue = os.environ["BENCH_CELERY_QUEUE"]
app.conf.task_ignore_result = True

_JOURNAL = os.open(os.environ["BENCH_CELERY_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@app.task
def noop() -> None:
    """Do nothing but say when."""
    os.write(_JOURNAL, b"%f\n" % time.time())


@app.task
def bash() -> None:
    """Do what flowd's bash tasks of the bench do."""
    subprocess.run(["/bin/bash", "-c", "true"], check=True)
    os.write(_JOURNAL, b"%f\n" % time.time())
