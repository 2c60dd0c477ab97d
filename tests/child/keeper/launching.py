"""What the keeper's tests share: launches with few words, and processes looked at from outside."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowd.child.frames import Frame
from flowd.child.keeper_client import Keeper
from flowd.child.launch import Call, Ended, Launch, Script

REPOSITORY = Path(__file__).resolve().parents[3]

ENTRIES = "tests.child.keeper.entries"

KEEPER_ENV = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'src'}"}

TASK_ENV = {"PATH": os.environ["PATH"], "FLOWD_CLAIM_TOKEN": "the-token"}


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder to work in, with launches that log there."""

    folder: Path

    @property
    def log(self) -> Path:
        """The log of every launch from this bench."""
        return self.folder / "logs" / "launch.log"

    def script(self, script: str, **fields: Any) -> Launch:
        """A script to launch."""
        return self._launch(Script(script=script), fields)

    def call(self, do: str, fresh: bool = False, warm: tuple[str, str] | None = None, **fields: Any) -> Launch:
        """A call of the tests' entry to launch; fields that Launch does not know go into the payload."""
        known = {name: fields.pop(name) for name in list(fields) if name in Launch.__dataclass_fields__}
        return self._launch(Call(entry=ENTRIES, payload={"do": do, **fields}, fresh=fresh, warm=warm), known)

    def texts(self, letters: str = "oeOE") -> list[str]:
        """The texts of the log's lines with these stream letters."""
        lines = (line.split(" ", 2) for line in self.log.read_text().splitlines())
        return [text for _, letter, text in lines if letter in letters]

    def _launch(self, program: Script | Call, fields: dict[str, Any]) -> Launch:
        defaults: dict[str, Any] = {"env": TASK_ENV, "mark": "the-token", "grace_seconds": 0.3}
        return Launch(program=program, log=str(self.log), **{**defaults, **fields})


async def run(keeper: Keeper, launch: Launch) -> Ended:
    """Start the launch and return how it ended."""
    return await (await keeper.start(launch)).wait()


async def no_answer(attempt_id: int, frame: Frame) -> Frame:
    """Answer a request of a task that is not expected to ask."""
    raise AssertionError(f"attempt {attempt_id} asked {frame}")


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")


async def eventually(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    """Return once the condition holds; it looks at other processes, which send no event. Fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)


def pid_in(file: Path) -> int | None:
    """The process id that a task wrote as a whole line."""
    text = file.read_text() if file.exists() else ""
    return int(text) if text.endswith("\n") else None


async def written_pid(file: Path) -> int:
    """The process id that a task writes into the file, once it is there."""
    await eventually(lambda: pid_in(file) is not None)
    pid = pid_in(file)
    assert pid is not None
    return pid
