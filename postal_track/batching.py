"""Calls that arrive together share one run.

Under load many requests wait for the same thing: a session to be looked up, a scan to
be written. One run for all who came while the last was busy costs hardly more than one
for each, and adds no waiting when nobody else is there. Knows nothing of what is run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

One = TypeVar("One")
Answer = TypeVar("Answer")


class Together(Generic[One, Answer]):
    """Gather single calls into lists for ``run``, which answers in the same order.

    At most ``most`` go into one run and ``lanes`` runs go on at once. When a run of
    several fails, each is run alone, so that nobody fails for his neighbour.
    """

    def __init__(
        self,
        run: Callable[[Sequence[One]], Awaitable[Sequence[Answer]]],
        most: int = 100,
        lanes: int = 1,
    ) -> None:
        self._run = run
        self._most = most
        self._free = lanes
        self._waiting: list[tuple[One, asyncio.Future[Answer]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, one: One) -> Answer:
        """Wait for the answer to one call."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._work())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = (
                    self._waiting[: self._most],
                    self._waiting[self._most :],
                )
                await self._serve(batch)
        finally:
            self._free += 1

    async def _serve(self, batch: list[tuple[One, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._run([one for one, _ in batch])
        except Exception as fault:  # whatever it is, it is the caller's to hear
            if len(batch) == 1:
                _settle(batch[0][1], fault)
                return
            for each in batch:
                await self._serve([each])
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if not waiting.done():
                waiting.set_result(answer)


def _settle(waiting: asyncio.Future[Answer], fault: Exception) -> None:
    if not waiting.done():  # the caller may have gone
        waiting.set_exception(fault)
