"""Time passes when there is nothing to do, and a process that is stopped or dead does nothing."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.simulation.virtual_loop import Fate, Process, VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


async def count(said: list[float], loop: VirtualLoop) -> None:
    try:
        while True:
            await asyncio.sleep(1)
            said.append(loop.time() - 1000)
    finally:
        said.append(-1)


def end(loop: VirtualLoop, process: Process) -> None:
    loop.thaw(process)
    for task in process.tasks:
        task.cancel()
    loop.run_for(0)
    loop.run_for(0)


def test_an_hour_passes_at_once(loop: VirtualLoop) -> None:
    loop.run_for(3600)

    assert loop.time() == 1000 + 3600


def test_a_frozen_process_goes_on_where_it_was_stopped(loop: VirtualLoop) -> None:
    said: list[float] = []
    process = Process("node")
    loop.spawn(process, count(said, loop))
    loop.run_for(2.5)
    process.fate = Fate.FROZEN
    loop.run_for(5)
    assert said == [1, 2]

    loop.thaw(process)
    loop.run_for(1.2)

    assert said == pytest.approx([1, 2, 7.5, 8.5])
    end(loop, process)


def test_a_dead_process_has_no_last_word(loop: VirtualLoop) -> None:
    said: list[float] = []
    process = Process("node")
    loop.spawn(process, count(said, loop))
    loop.run_for(1.5)

    process.fate = Fate.DEAD
    loop.run_for(60)

    assert said == [1]
    end(loop, process)


def test_what_was_to_be_done_in_a_thread_is_done_at_once(loop: VirtualLoop) -> None:
    assert loop.run_until_complete(asyncio.to_thread(sum, [1, 2])) == 3
