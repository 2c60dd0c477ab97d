"""What the pages point at exists, and what was read off the code is still so."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flowd.domain.states import HOLDS_SLOT, RunState, TaskState
from tests.docs.pages import PAGES, ROOT, anchors, blocks, links

SOURCE = ROOT / "src" / "flowd"
PATH = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|md))`")
TABLE_ROW = re.compile(r"^\| `(\w+)` \| .* \| (yes|no) \|$", re.MULTILINE)
RUN_ROW = re.compile(r"^\| `(\w+)` \| [^|]* \|$", re.MULTILINE)
STATES = ROOT / "docs" / "reference" / "states.md"


def dead_links(page: Path) -> list[str]:
    """The links of a page to files and headings that are not there; addresses elsewhere are not asked."""
    dead = []
    for link in links(page):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_a_dead_link_and_a_dead_anchor_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One heading\n\n[a](gone.md) [b](#one-heading) [c](#another) [d](page.md) [e](https://example.com)\n"
    )

    assert dead_links(page) == ["gone.md", "#another"]


def test_every_file_that_the_architecture_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()

    named = set(PATH.findall(text))

    assert len(named) > 40
    assert sorted(name for name in named if not (SOURCE / name).exists() and not (ROOT / name).exists()) == []


@pytest.mark.parametrize("page", ["settings", "cli"])
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    written = subprocess.run(
        [sys.executable, ROOT / "scripts" / "write_reference", page], capture_output=True, text=True, check=True
    ).stdout

    path = ROOT / "docs" / "reference" / f"{page}.md"
    assert path.read_text() == written, f"write it anew: scripts/write_reference {page} > docs/reference/{page}.md"


def test_the_page_of_states_has_every_state_and_says_which_hold_a_slot() -> None:
    tasks, runs = STATES.read_text().split("## Of a run")

    assert dict(TABLE_ROW.findall(tasks)) == {
        state.value: "yes" if state in HOLDS_SLOT else "no" for state in TaskState
    }
    assert RUN_ROW.findall(runs) == [state.value for state in RunState]


def test_no_block_is_marked_in_a_way_that_no_test_knows() -> None:
    known = {"", "sh", "sh run", "text output", "python dag", "python", "json", "yaml"}

    assert [block.where for page in PAGES for block in blocks(page) if block.info not in known] == []


def test_every_block_of_json_is_json() -> None:
    found = [block for page in PAGES for block in blocks(page) if block.info == "json"]

    assert found
    for block in found:
        json.loads(block.text)
