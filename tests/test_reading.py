"""Spoiled labels are read all the same, and nothing is ever read that is not there.

A small fixed set of what `make reading` measures at length; the rates are in
docs/scanning.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests import degraded, reading

SET = [
    (look, 500_000 + 100 * place + grade)
    for place, looks in enumerate(degraded.KINDS.values())
    for grade, look in enumerate(looks[:2])
]
"""One label of each kind, mild and middling."""

FLOOR = 0.9


@pytest.fixture
async def bench(browser: Browser, server: str) -> AsyncIterator[Page]:
    page = await browser.new_page(base_url=server)
    await page.goto("/login")
    yield page
    await page.close()


async def test_labels_in_a_bad_state_are_read_within_half_a_second(
    bench: Page,
) -> None:
    results = await reading.read(bench, SET)
    unread = [
        look
        for (look, _), each in zip(SET, results, strict=True)
        if each.frames is None
    ]
    assert len(unread) <= (1 - FLOOR) * len(SET), unread
    assert not any(each.foreign for each in results)


async def test_looking_in_several_ways_reads_what_one_look_does_not(
    bench: Page,
) -> None:
    blurred = degraded.KINDS["blurred"][1]
    some = [(blurred, seed) for seed in range(3)]
    plain = await reading.read(bench, some, ways=["whole"])
    crisp = await reading.read(bench, some, ways=["crisp"])
    assert not any(each.frames for each in plain)
    assert all(each.by_qr for each in crisp)


async def test_the_same_seed_gives_the_same_pictures() -> None:
    look = degraded.KINDS["a wet evening"][2]
    first, again, other = (
        degraded.see(look, seed, frame).picture.tobytes()
        for seed, frame in ((7, 1), (7, 1), (7, 2))
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("way", ["crisp", "calm"])
async def test_a_mended_picture_keeps_its_size_and_its_edges(
    bench: Page, way: str
) -> None:
    edge: list[Any] = await bench.evaluate(
        """async (way) => {
            const { mend } = await import('/static/js/enhancing.js');
            const frame = new ImageData(8, 3);
            for (let i = 0; i < 24; i += 1)
                frame.data.set(Array(3).fill(i % 8 < 4 ? 60 : 160).concat(255), 4 * i);
            mend(frame, way, 1);
            return [...frame.data].filter((_, at) => at % 4 === 0).slice(8, 16);
        }""",
        way,
    )
    before, after = edge[3], edge[4]
    if way == "crisp":
        assert before < 60
        assert after > 160
    else:
        assert 60 < before < after < 160
    assert (edge[0], edge[7]) == (60, 160)
