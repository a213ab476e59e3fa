"""Calls that arrive together: how they share runs, and when one waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from postal_track.batching import Together


class Runs:
    """Runs that last as long as the test lets them; what each was given is kept."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.free = asyncio.Semaphore(0)

    async def __call__(self, ones: Sequence[int]) -> list[int]:
        self.given.append(list(ones))
        await self.free.acquire()
        if 13 in ones:
            raise ValueError("thirteen")
        return [one * 10 for one in ones]


async def settle() -> None:
    """Let everything run that is ready to."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def runs() -> Runs:
    return Runs()


async def test_who_comes_while_a_run_is_on_shares_the_next(runs: Runs) -> None:
    together = Together(runs)
    asked = [asyncio.ensure_future(together(n)) for n in (1, 2, 3)]
    await settle()
    runs.free.release()
    runs.free.release()
    assert await asyncio.gather(*asked) == [10, 20, 30]
    assert runs.given == [[1, 2, 3]] or runs.given == [[1], [2, 3]]


async def test_nobody_fails_for_his_neighbour(runs: Runs) -> None:
    together = Together(runs)
    asked = [asyncio.ensure_future(together(n)) for n in (1, 13, 2)]
    for _ in range(5):
        runs.free.release()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [answers[0], answers[2]] == [10, 20]
    assert isinstance(answers[1], ValueError)


async def test_a_crowd_waits_for_those_who_were_there_a_moment_ago(runs: Runs) -> None:
    # Patience for a hundred times the last run: only company ends the wait here.
    together = Together(runs, patience=100)
    first = [asyncio.ensure_future(together(n)) for n in (1, 2, 3)]
    await asyncio.sleep(0.02)
    runs.free.release()
    runs.free.release()
    await asyncio.gather(*first)
    runs.given.clear()
    back = [asyncio.ensure_future(together(4))]
    await settle()
    assert runs.given == []  # two are still missing
    back += [asyncio.ensure_future(together(n)) for n in (5, 6)]
    await settle()
    assert runs.given == [[4, 5, 6]]
    runs.free.release()
    assert await asyncio.gather(*back) == [40, 50, 60]


async def test_patience_ends(runs: Runs) -> None:
    together = Together(runs, patience=0.5)
    crowd = [asyncio.ensure_future(together(n)) for n in (1, 2, 3)]
    await asyncio.sleep(0.02)
    runs.free.release()
    runs.free.release()
    await asyncio.gather(*crowd)
    runs.free.release()
    # The others never come back: in the time of half a run he is served alone.
    assert await asyncio.wait_for(together(4), 5) == 40


async def test_who_comes_alone_never_waits(runs: Runs) -> None:
    together = Together(runs, patience=1000)
    for one in (1, 2, 3):
        asked = asyncio.ensure_future(together(one))
        await settle()
        assert runs.given[-1] == [one]
        await asyncio.sleep(0.01)
        runs.free.release()
        await asyncio.wait_for(asked, 5)


async def test_who_goes_away_leaves_the_others_their_answers(runs: Runs) -> None:
    together = Together(runs)
    gone, stays = (asyncio.ensure_future(together(n)) for n in (1, 2))
    await settle()
    gone.cancel()
    runs.free.release()
    runs.free.release()
    assert await stays == 20
