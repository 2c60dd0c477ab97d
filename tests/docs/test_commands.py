"""Every command in the documents is run and every DAG is read, by one real node.

Blocks marked `sh run` are run page by page, in one shell each, in the order of the page. Each line of the block marked
`text output` behind one must be found in what it printed; a `*` stands for anything.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.docs.airflow_to_leave import make_airflow
from tests.docs.pages import PAGES, ROOT, Block, blocks
from tests.support.airflow_metastore import KEY
from tests.support.node_process import ADMIN_PASSWORD, SECRETS, NodeProcess, eventually

RUNNABLE = [page for page in PAGES if any(block.info == "sh run" for block in blocks(page))]
DAGS = [block for page in PAGES for block in blocks(page) if block.info == "python dag"]
MARK = "--- end of block {} ---"
PAGE_SECONDS = 1200


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with the examples and the DAGs of the documents."""
    home = tmp_path_factory.mktemp("docs")
    folder = home / "dags"
    folder.mkdir()
    for entry in (ROOT / "examples" / "dags").iterdir():
        (folder / entry.name).symlink_to(entry)
    for block in DAGS:
        (folder / file_of(block)).write_text(block.text)
    node = NodeProcess(
        home=home,
        roles="api,scheduler,worker",
        environ={"AIRFLOW_VAR_EXAMPLES_OUTPUT": str(home / "examples"), "HOME": str(home)},
    )
    yield node.start()
    node.destroy()


def file_of(block: Block) -> str:
    """The name of a DAG's file, which its first line says."""
    found = re.match(r"# (\w+\.py)\n", block.text)
    assert found, f"{block.where}: the first line of a DAG is its file's name, as `# name.py`"
    return found[1]


def test_every_dag_in_the_documents_is_read_without_an_error(node: NodeProcess) -> None:
    wanted = {file_of(block).removesuffix(".py") for block in DAGS}

    eventually(lambda: wanted <= {dag["dag_id"] for dag in node.get("/api/v2/dags", limit=100)["dags"]}, "the DAGs")

    assert node.get("/api/v2/importErrors")["import_errors"] == []


@pytest.mark.timeout(PAGE_SECONDS + 60)
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_says(page: Path, node: NodeProcess, tmp_path: Path) -> None:
    on_page = list(blocks(page))
    runnable = [block for block in on_page if block.info == "sh run"]

    printed = run(runnable, node, tmp_path)

    for block, following in zip(on_page, [*on_page[1:], None], strict=True):
        if block.info == "sh run" and following is not None and following.info == "text output":
            output = printed[block.where]
            assert missing_lines(following.text, output) == [], f"{following.where}: not in what was printed:\n{output}"


def run(runnable: list[Block], node: NodeProcess, folder: Path) -> dict[str, str]:
    """Run the blocks in one shell and return what each printed on stdout, by its place."""
    script = "set -euo pipefail\n" + "".join(f"{one.text}\necho '{MARK.format(one.where)}'\n" for one in runnable)
    airflow = f"sqlite:///{folder}/airflow.db"
    asyncio.run(make_airflow(airflow))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FLOWD")}
    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={
            **environ,
            **SECRETS,
            "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}",
            "HOME": str(node.home),
            "FLOWD_HOME": str(node.home),
            "FLOWD__API__PORT": str(node.port),
            "FLOWD_URL": node.url,
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow,
            "AIRFLOW__CORE__FERNET_KEY": KEY,
        },
        capture_output=True,
        text=True,
        timeout=PAGE_SECONDS,
    )
    assert ended.returncode == 0, f"exit code {ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
    printed, rest = {}, ended.stdout
    for block in runnable:
        printed[block.where], _, rest = rest.partition(f"{MARK.format(block.where)}\n")
    return printed


def missing_lines(wanted: str, printed: str) -> list[str]:
    """The wanted lines that are not in what was printed, each once and in any order; columns may be of any width."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    missing = []
    for line in wanted.splitlines():
        pattern = f"{escaped(' '.join(line.split()))}*"
        found = next((one for one in lines if fnmatchcase(one, pattern)), None)
        if found is None:
            missing.append(line)
        else:
            lines.remove(found)
    return missing


def escaped(pattern: str) -> str:
    """The pattern with nothing special but its stars."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def test_a_line_that_is_missing_or_printed_too_seldom_is_found() -> None:
    printed = "dag_id   state\nplanets  success in 3 s\n"

    assert missing_lines("planets*success\ndag_id state", printed) == []
    assert missing_lines("packages", printed) == ["packages"]
    assert missing_lines("planets\nplanets", printed) == ["planets"]
