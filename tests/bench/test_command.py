"""The command: a real bench of one scenario, two records compared, and what is said of names that do not exist."""

import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bench.command import main
from tests.support.node_process import eventually


@pytest.mark.timeout(1200)
def test_a_quick_bench_measures_a_real_node_and_writes_its_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "record.json"

    code = main(["--quick", "--backend", "sqlite", "--only", "seq40", "--json", str(path)])

    captured = capsys.readouterr()
    assert code == 0, captured.err + captured.out
    [figure] = json.loads(path.read_text())["figures"]
    assert (figure["scenario"], figure["backend"], figure["unit"]) == ("seq40", "sqlite", "ms")
    assert figure["value"] > 0
    assert figure["ratios"].keys() == {"hop.sqlite", "commit.sqlite"}
    assert [target["text"] for target in figure["targets"]] == ["<= 6 ms"]
    parts, steps = figure["detail"]["cpu_ms_per_task"], figure["detail"]["step_ms"]
    assert parts.keys() == {"node", "keeper", "children"}
    assert parts["node"] > 0 and parts["children"] > 0
    assert steps.keys() == {"admit", "claim", "execute", "advance"}
    assert "of 1 targets reached" in captured.out

    assert main(["--compare", str(path), str(path)]) == 0
    assert "x 1.00" in capsys.readouterr().out
    assert main(["--markdown", str(path)]) == 0
    assert "| seq40 | sqlite |" in capsys.readouterr().out


@pytest.mark.timeout(1200)
def test_a_bench_that_is_stopped_leaves_no_node_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--backend", "sqlite", "--only", "seq40"]
    with open(tmp_path / "log", "wb") as log, psutil.Popen(command, stdout=log, stderr=log) as bench:
        nodes = eventually(lambda: _nodes_of(bench), "a node", 120)

        bench.send_signal(signal.SIGTERM)

        assert bench.wait(60) == 128 + signal.SIGTERM
    assert not any(node.is_running() for node in nodes)


def test_a_record_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--markdown", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "seq40,seq41"], "seq41 is no scenario; wanted some of idle_1, boot,"),
        (
            ["--backend", "oracle"],
            "'oracle' is not a valid Backend; wanted some of sqlite, postgres+amqp, postgres+database, mariadb+sqs",
        ),
    ],
)
def test_an_unknown_name_is_told_with_those_that_exist(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)

    assert message in capsys.readouterr().err


def _nodes_of(bench: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):  # what the limits start comes and goes
        return [one for one in bench.children() if "flowd.cli" in one.cmdline()]
    return []
