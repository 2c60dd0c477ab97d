"""The scenario with an audience: real streams of a real node, and figures only where the audience was told."""

import json
from pathlib import Path

import pytest

from bench.command import main


@pytest.mark.timeout(600)
def test_a_load_is_measured_with_people_who_look_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "record.json"

    code = main(["--quick", "--backend", "sqlite", "--only", "watched", "--json", str(path)])

    captured = capsys.readouterr()
    assert code == 0, captured.err + captured.out
    figures = json.loads(path.read_text())["figures"]
    assert [(one["scenario"], one["metric"]) for one in figures] == [("watched", "growth"), ("watched", "cpu_growth")]
    assert figures[0]["targets"][0]["text"] == "<= 1.05 x"
