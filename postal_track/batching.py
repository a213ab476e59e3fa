"""Calls that arrive together share one run.

Under load many requests wait for the same thing: a session to be looked up, a scan to
be written. One run for all who came while the last was busy costs hardly more than one
for each, and adds no waiting when nobody else is there. Knows nothing of what is run.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

One = TypeVar("One")
Answer = TypeVar("Answer")


class Together(Generic[One, Answer]):
    """Gather single calls into lists for ``run``, which answers in the same order.

    At most ``most`` go into one run and ``lanes`` runs go on at once. When a run of
    several fails, each is run alone, so that nobody fails for his neighbour.

    ``patience``: how long a run waits for those to come back who were there a moment
    ago, as a share of the time that the last run took: so a crowd stays together.
    Whoever comes alone never waits.
    """

    def __init__(
        self,
        run: Callable[[Sequence[One]], Awaitable[Sequence[Answer]]],
        most: int = 100,
        lanes: int = 1,
        patience: float = 0.0,
    ) -> None:
        self._run = run
        self._patience = patience
        self._expected = 0
        self._all_here: asyncio.Future[None] | None = None
        self._most = most
        self._free = lanes
        self._waiting: list[tuple[One, asyncio.Future[Answer]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, one: One) -> Answer:
        """Wait for the answer to one call."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._all_here is not None and len(self._waiting) >= self._expected:
            _settle(self._all_here, None)
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
                begun = time.monotonic()
                await self._serve(batch)
                if self._patience:
                    took = time.monotonic() - begun
                    crowd = min(len(batch) + len(self._waiting), self._most)
                    await self._gather(crowd, took * self._patience)
        finally:
            self._free += 1

    async def _gather(self, crowd: int, seconds: float) -> None:
        """Wait until a crowd is complete again, but not longer than so many seconds."""
        if crowd < 2 or len(self._waiting) >= crowd:
            return
        loop = asyncio.get_running_loop()
        self._expected, self._all_here = crowd, loop.create_future()
        alarm = loop.call_later(seconds, _settle, self._all_here, None)
        try:
            await self._all_here
        finally:
            alarm.cancel()
            self._all_here = None

    async def _serve(self, batch: list[tuple[One, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._run([one for one, _ in batch])
        except Exception as fault:  # whatever it is, it is the caller's to hear
            if len(batch) == 1:
                if not batch[0][1].done():
                    batch[0][1].set_exception(fault)
                return
            for each in batch:
                await self._serve([each])
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            _settle(waiting, answer)


def _settle(waiting: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not waiting.done():  # the caller may have gone
        waiting.set_result(answer)
