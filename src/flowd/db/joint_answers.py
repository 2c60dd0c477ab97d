"""JointAnswers: of many who ask the database the same at once, one does, and tells the others."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class _Waiter:
    """Somebody who waits while another asks: for the answer, or where that is None, for their turn to ask."""

    began_at: float
    told: asyncio.Future[int | None]


@dataclass(slots=True)
class _Question:
    """Is there for as long as somebody asks it."""

    waiting: list[_Waiter] = field(default_factory=list)


class JointAnswers:
    """Numbers that are dear to find out, such as how many rows there are in all."""

    def __init__(self) -> None:
        self._questions: dict[Hashable, _Question] = {}

    def reader(self) -> "JointReader":
        """Return what a reading that begins now asks with."""
        return JointReader(self, time.monotonic())

    async def get(self, about: Hashable, began_at: float, ask: Callable[[], Awaitable[int]]) -> int:
        """Return what `ask` returns, called here, or by a reading that began no earlier; raise what it raises.

        A reading sees what was committed before it began. So an answer knows of all that whoever is told it has
        written before.
        """
        question = self._questions.get(about)
        if question is None:
            question = self._questions[about] = _Question()
        elif (answer := await self._told(about, question, began_at)) is not None:
            return answer
        try:
            answer = await ask()
            _tell(question, began_at, answer)
            return answer
        except Exception as failure:
            _tell(question, began_at, failure)
            raise
        finally:
            self._pass_on(about, question)

    async def _told(self, about: Hashable, question: _Question, began_at: float) -> int | None:
        """Return what another has found out; None where it is this one's turn to ask."""
        waiter = _Waiter(began_at, asyncio.get_running_loop().create_future())
        question.waiting.append(waiter)
        try:
            return await waiter.told
        except asyncio.CancelledError:
            if waiter in question.waiting:
                question.waiting.remove(waiter)
            elif not waiter.told.cancelled() and waiter.told.exception() is None and waiter.told.result() is None:
                # It was just given the turn.
                self._pass_on(about, question)
            raise

    def _pass_on(self, about: Hashable, question: _Question) -> None:
        """Let the one ask whose reading began last: all others who wait now may be told its answer."""
        # Somebody may be cancelled at this very moment, and not know it yet.
        question.waiting = [waiter for waiter in question.waiting if not waiter.told.done()]
        if not question.waiting:
            del self._questions[about]
            return
        latest = max(question.waiting, key=lambda waiter: waiter.began_at)
        question.waiting.remove(latest)
        latest.told.set_result(None)


@dataclass(frozen=True, slots=True)
class JointReader:
    """One reading, and when it began, on the monotonic clock: no later than the moment that it sees."""

    answers: JointAnswers
    began_at: float

    async def get(self, about: Hashable, ask: Callable[[], Awaitable[int]]) -> int:
        """Return what `ask` returns, called in this reading or in a later one that is about the same."""
        return await self.answers.get(about, self.began_at, ask)


def _tell(question: _Question, began_at: float, outcome: int | Exception) -> None:
    """Tell those whose readings began no later than the one that has asked."""
    told = [waiter for waiter in question.waiting if waiter.began_at <= began_at]
    question.waiting = [waiter for waiter in question.waiting if waiter.began_at > began_at]
    for waiter in told:
        if waiter.told.done():
            continue  # cancelled, as above
        if isinstance(outcome, Exception):
            waiter.told.set_exception(outcome)
        else:
            waiter.told.set_result(outcome)
