"""Who asks the same at once shares an answer, and it is never older than the question."""

import asyncio
from collections.abc import Awaitable, Callable

from flowd.db.joint_answers import JointAnswers


class Database:
    """Answers how many rows there are now, but only when it is told to."""

    def __init__(self) -> None:
        self.rows = 0
        self.asked = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def count(self) -> int:
        """Return how many rows there were when this was called."""
        self.asked += 1
        seen = self.rows
        self.begun.set()
        await self.go.wait()
        return seen


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_all_who_come_while_another_asks_share_the_next_answer() -> None:
    database, shared = Database(), JointAnswers()
    first = asyncio.create_task(shared.reader().get("rows", database.count))
    await database.begun.wait()
    database.rows = 5
    later = [asyncio.create_task(shared.reader().get("rows", database.count)) for _ in range(20)]
    await settle()

    database.go.set()

    assert await first == 0
    assert await asyncio.gather(*later) == [5] * 20, "each has come after the row, and must see it"
    assert database.asked == 2


async def test_nobody_is_told_what_a_reading_saw_that_began_before_theirs() -> None:
    database, shared = Database(), JointAnswers()
    first = asyncio.create_task(shared.reader().get("rows", database.count))
    await database.begun.wait()
    earlier, seen = shared.reader(), database.rows  # it has begun, and sees what there is now
    database.rows = 5
    later = shared.reader()

    async def count_earlier() -> int:
        return seen

    asking = [
        asyncio.create_task(later.get("rows", database.count)),
        asyncio.create_task(earlier.get("rows", count_earlier)),
    ]
    await settle()
    database.go.set()

    assert await first == 0
    assert await asyncio.gather(*asking) == [5, 5], "whoever began earlier may be told more, and never the other way"
    assert database.asked == 2


async def test_one_that_is_cancelled_as_it_is_given_its_turn_keeps_nobody_waiting() -> None:
    database, shared = Database(), JointAnswers()
    tasks: list[asyncio.Task[int]] = []

    async def count_and_cancel_the_last() -> int:
        await database.go.wait()
        asyncio.get_running_loop().call_soon(tasks[-1].cancel)  # after this has ended, and before the last is awake
        return 7

    async def count() -> int:
        return 8

    tasks.append(asyncio.create_task(shared.reader().get("rows", count_and_cancel_the_last)))
    await settle()
    tasks += [asyncio.create_task(shared.reader().get("rows", count)) for _ in range(2)]
    await settle()
    database.go.set()

    async with asyncio.timeout(10):
        assert await tasks[0] == 7
        assert await tasks[1] == 8
    assert tasks[2].cancelled()


async def test_nobody_waits_for_another_question() -> None:
    database, shared = Database(), JointAnswers()
    slow = asyncio.create_task(shared.reader().get("rows", database.count))
    await database.begun.wait()

    async def at_once() -> int:
        return 7

    assert await shared.reader().get("other rows", at_once) == 7
    database.go.set()
    assert await slow == 0


async def test_an_answer_is_not_kept() -> None:
    database, shared = Database(), JointAnswers()
    database.go.set()
    assert await shared.reader().get("rows", database.count) == 0
    database.rows = 1
    assert await shared.reader().get("rows", database.count) == 1


async def test_where_the_one_who_asks_is_cancelled_another_asks() -> None:
    database, shared = Database(), JointAnswers()
    first = asyncio.create_task(shared.reader().get("rows", database.count))
    await database.begun.wait()
    second, third = (asyncio.create_task(shared.reader().get("rows", database.count)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    third.cancel()  # the one that began last has the turn
    await settle()
    database.go.set()

    assert await second == 0
    assert first.cancelled() and third.cancelled()
    assert database.asked == 3


async def test_a_failure_is_told_to_all_who_would_have_shared_the_answer() -> None:
    shared, database = JointAnswers(), Database()

    async def fail() -> int:
        await database.count()
        raise OSError("the database is away")

    def ask(how: Callable[[], Awaitable[int]]) -> asyncio.Task[int]:
        return asyncio.ensure_future(shared.reader().get("rows", how))

    first = ask(database.count)
    await database.begun.wait()
    others = [ask(fail) for _ in range(3)]
    await settle()
    database.go.set()
    await first

    for found in await asyncio.gather(*others, return_exceptions=True):
        assert isinstance(found, OSError)
    assert database.asked == 2, "not each of them waits for a database that is away"
