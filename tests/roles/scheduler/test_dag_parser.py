"""Parsing DAG files in real child processes: each bad one is told apart, and harms no other."""

import os
import textwrap
import time
from datetime import timedelta
from pathlib import Path

import pytest

from flowd.roles.scheduler.dag_parse_result import ParseBounds, ParsedFile
from flowd.roles.scheduler.dag_parser import DagParser
from tests.support.pace import at_pace

GOOD = """
from flowd import DAG
from flowd.operators.bash import BashOperator

with DAG("{dag_id}", schedule=None):
    BashOperator(task_id="t", bash_command="true")
"""
MIB = 1024**2


def parser(tmp_path: Path, *, timeout: float = 20.0, memory: int = 1024 * MIB, **env: str) -> DagParser:
    return DagParser(
        bounds=ParseBounds(timeout=timedelta(seconds=timeout), memory_bytes=memory),
        log_folder=str(tmp_path / "logs"),
        env={**os.environ, **env},
    )


async def parse(tmp_path: Path, files: dict[str, str], **options: float) -> dict[str, ParsedFile]:
    folder = tmp_path / "dags"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    found: dict[str, ParsedFile] = {}
    await parser(tmp_path, **options).parse(str(folder), list(files), found.__setitem__)  # type: ignore[arg-type]
    return found


async def test_a_good_file_gives_its_dags(tmp_path: Path) -> None:
    found = await parse(tmp_path, {"team/etl.py": GOOD.format(dag_id="etl")})

    parsed = found["team/etl.py"]
    assert [(dag.dag_id, dag.file) for dag in parsed.dags] == [("etl", "team/etl.py")]
    assert parsed.error is None
    assert 0 < parsed.seconds < 20


async def test_each_bad_file_is_told_apart_and_the_good_one_beside_them_is_parsed(tmp_path: Path) -> None:
    bad = {
        "syntax.py": ("def dag(:\n", ["syntax.py", "SyntaxError", "line 1"]),
        "raises.py": ("1 / 0\n", ["raises.py: ZeroDivisionError: division by zero", "Traceback"]),
        "loops.py": ("while True: pass\n", ["took longer than 1.5 s to import", "move slow work"]),
        "deaf.py": (
            "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)\n",
            ["took longer than 1.5 s"],
        ),
        "sysexit.py": ("import sys\nsys.exit(3)\n", ["sys.exit(3)", "__main__"]),
        "osexit.py": (
            "import os, sys\nprint('last words', file=sys.stderr, flush=True)\nos._exit(3)\n",
            ["called os._exit(3)", "\n\nlast words"],
        ),
        "killed.py": ("import os\nos.kill(os.getpid(), 9)\n", ["killed by SIGKILL"]),
        "crashes.py": ("import os\nos.abort()\n", ["killed by SIGABRT"]),
        "memory.py": ("x = bytearray(2 << 30)\n", ["ran out of memory (limit 1 GiB)"]),
        "twice.py": (
            GOOD.format(dag_id="twice") + "    BashOperator(task_id='t', bash_command='true')\n",
            ["twice.py", "'t'"],
        ),
        "files.py": ("open_files = [open('/dev/null') for _ in range(5000)]\n", ["Too many open files"]),
    }
    found = await parse(
        tmp_path, {name: text for name, (text, _) in bad.items()} | {"good.py": GOOD.format(dag_id="good")}, timeout=1.5
    )

    for name, (_, expected) in bad.items():
        assert found[name].dags == (), name
        for text in expected:
            assert text in (found[name].error or ""), name
    assert [dag.dag_id for dag in found["good.py"].dags] == ["good"]


async def test_a_file_that_prints_50_mb_is_parsed_and_its_log_stays_small(tmp_path: Path) -> None:
    noise = "import sys\nfor _ in range(50):\n    sys.stdout.write('x' * 1023 * 1024 + '\\n' * 1024)\n"

    found = await parse(tmp_path, {"loud.py": noise + GOOD.format(dag_id="loud")})

    assert [dag.dag_id for dag in found["loud.py"].dags] == ["loud"]
    assert (tmp_path / "logs/loud.py.log").stat().st_size < 2 * MIB


async def test_a_file_that_deletes_itself_is_parsed_once(tmp_path: Path) -> None:
    found = await parse(tmp_path, {"gone.py": "import os\nos.remove(__file__)\n" + GOOD.format(dag_id="gone")})

    assert [dag.dag_id for dag in found["gone.py"].dags] == ["gone"]


async def test_a_thread_that_never_ends_is_a_warning(tmp_path: Path) -> None:
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"

    found = await parse(tmp_path, {"thread.py": thread + GOOD.format(dag_id="thread")}, timeout=1.5)

    assert [dag.dag_id for dag in found["thread.py"].dags] == ["thread"]
    assert "must be daemons" in found["thread.py"].warnings[-1]


async def test_a_file_that_kills_the_keeper_is_found_out_and_all_others_are_parsed(tmp_path: Path) -> None:
    files = {f"good{number}.py": GOOD.format(dag_id=f"good{number}") for number in range(4)}

    found = await parse(tmp_path, {"assassin.py": "import os\nos.kill(os.getppid(), 9)\n"} | files)

    assert "killed the process that started its import" in (found.pop("assassin.py").error or "")
    assert sorted(found) == sorted(files)
    assert all(parsed.dags for parsed in found.values())


async def test_a_refused_dag_does_not_take_the_other_dags_of_its_file_with_it(tmp_path: Path) -> None:
    circle = """
    with DAG("circle", schedule=None):
        a = BashOperator(task_id="a", bash_command="true")
        b = BashOperator(task_id="b", bash_command="true")
        a >> b >> a
    """

    found = await parse(tmp_path, {"both.py": GOOD.format(dag_id="fine") + textwrap.dedent(circle)})

    parsed = found["both.py"]
    assert [dag.dag_id for dag in parsed.dags] == ["fine"]
    assert parsed.refused == ("circle",)
    assert "circle" in (parsed.error or "")
    assert not parsed.is_broken


async def test_a_child_sees_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWD__DATABASE__URL", "postgresql://user:secret@host/db")
    spying = "import os\nassert not [name for name in os.environ if name.startswith('FLOWD_')], os.environ\n"

    found = await parse(tmp_path, {"spy.py": spying + GOOD.format(dag_id="spy")})

    assert found["spy.py"].error is None


async def test_a_variable_asked_for_at_the_top_of_a_file_is_refused_with_a_reason(tmp_path: Path) -> None:
    found = await parse(tmp_path, {"asks.py": "from flowd import Variable\nVariable.get('x')\n"})

    assert "ask within a task" in (found["asks.py"].error or "")


async def test_many_small_files_are_parsed_quickly(tmp_path: Path) -> None:
    files = {f"etl{number}.py": GOOD.format(dag_id=f"etl{number}") for number in range(60)}
    started = time.monotonic()

    found = await parse(tmp_path, files)

    assert all(parsed.dags for parsed in found.values())
    assert time.monotonic() - started < at_pace(10)
