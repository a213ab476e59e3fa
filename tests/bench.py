"""How fast it is, as ratios that mean the same on every machine: `make bench`.

Measures on loopback, in databases and with servers of its own, all of which it stops;
tells it as a table and in var/bench.json. BENCH_FULL=1 takes a million items and ten
million events for the large database, which needs some minutes and 12 GB.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import random
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from statistics import median
from typing import Any

import asyncpg
import psutil

from postal_track.settings import ROOT
from postal_track.stack import Stack
from tests import bench_data, bench_start
from tests.bench_floor import floor
from tests.bench_house import PROCESSES, House, command, house, scratch, served
from tests.bench_load import CONNECTIONS, Loaded, client, load, request

FULL = os.environ.get("BENCH_FULL") == "1"
SMALL = 10_000
LARGE = 1_000_000 if FULL else 200_000
ROUNDS = 3
SECONDS = 4.0
LIST = 50

# More than a machine will answer in one measurement; what is left is not sent.
SINGLES = 40_000
LISTS = 2_000

# How much of the machine others may use when we begin to measure, and how long we wait.
OTHERS = 0.15
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; one without a bar is there to explain another.

    `most`: the bar is an upper bound.
    """

    what: str
    figure: float | None
    unit: str
    bar: float | None = None
    most: bool = False
    remark: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the bar is reached; nothing when there is no bar or no figure."""
        if self.bar is None or self.figure is None:
            return None
        return self.figure < self.bar if self.most else self.figure >= self.bar


@dataclass(slots=True)
class Measured:
    """What was measured in one database, round by round."""

    singles: list[Loaded] = field(default_factory=list)
    lists: list[Loaded] = field(default_factory=list)

    def rates(self, size: int) -> list[float]:
        """Scans a second, sent one by one or in lists."""
        return [
            one.per_second * size for one in (self.singles if size == 1 else self.lists)
        ]


async def main() -> int:
    """Measure everything and tell it; 1 when a bar is missed, for whoever asks."""
    begun = time.monotonic()
    print(f"{client()} sends by {CONNECTIONS} connections to {PROCESSES} processes.")
    with scratch() as folder:
        stack = Stack(folder / "stack")
        stack.use(database=True, queue=True)
        try:
            rows = await _served(stack)
        finally:
            stack.leave()
        rows += [Row(*one) for one in await bench_start.start(folder)]
    rows += await _texts()
    _tell(rows, time.monotonic() - begun)
    return 1 if any(row.holds is False for row in rows) else 0


async def _served(stack: Stack) -> list[Row]:
    print(f"Makes {SMALL:,} items with {SMALL * bench_data.EVENTS:,} events.")
    async with house(stack, "small", SMALL) as small:
        print(f"Makes {LARGE:,} items with {LARGE * bench_data.EVENTS:,} events.")
        async with house(stack, "large", LARGE) as large:
            rows = await _scans(stack, small, large)
            rows += await public(large)
        return [*rows, Row(*await bench_start.page(small))]


# Scans


async def _scans(stack: Stack, small: House, large: House) -> list[Row]:
    few, many, floors = Measured(), Measured(), []
    for each in (small, large):  # the first statements are slow ones
        await _measure(each, LIST, 1.0)
        await _measure(each, 1, 1.0)
    for number in range(ROUNDS):
        print(f"Measures scans, round {number + 1} of {ROUNDS}.")
        await _quiet()
        floors.append(await _floor(stack, small))
        few.singles.append(await _measure(small, 1))
        few.lists.append(await _measure(small, LIST))
        many.singles.append(await _measure(large, 1))
        many.lists.append(await _measure(large, LIST))
    return _judged(floors, few, many)


async def _floor(stack: Stack, small: House) -> float:
    """Measure pgbench, in the same database; then the items are as they were."""
    await command(small.url, "CHECKPOINT")
    return await floor(small.url, SMALL, SECONDS, stack.folder)


async def _measure(house: House, size: int, seconds: float = SECONDS) -> Loaded:
    """Send scans in lists of this size; makes sure that every one was written."""
    lists = SINGLES if size == 1 else LISTS
    ids = list(islice(_uuids(), lists * size))
    connection = await asyncpg.connect(house.url)
    try:
        wanted = await bench_data.plan(connection, lists, size, random.Random(lists))  # noqa: S311 - not a secret
        rest = iter(ids)
        requests = [
            request(
                *("POST", "/api/scans", house.tokens[one.staff]),
                bench_data.body(one, list(islice(rest, size))),
                "application/json",
            )
            for one in wanted
        ]
        await connection.execute("CHECKPOINT")
        loaded = await load(house.port, requests, seconds, house.folder)
        await _require(connection, ids, loaded, size)
    finally:
        await connection.close()
    return loaded


async def _require(
    connection: asyncpg.Connection, ids: Sequence[str], loaded: Loaded, size: int
) -> None:
    """Raise unless all that was answered was written, with hardly a remark.

    On a machine that is busy with other things an answer may come so late that the
    next list overtakes it; the scans of both are then remarked on.
    """
    row = await connection.fetchrow(
        """
        SELECT (SELECT count(*) FROM event WHERE id = ANY($1::uuid[])) AS written,
            (SELECT count(*) FROM refused_scan WHERE id = ANY($1::uuid[])) AS refused,
            (SELECT count(*) FROM irregularity WHERE event = ANY($1::uuid[]))
                AS remarked
        """,
        ids,
    )
    remarked = row["remarked"] > 0.05 * row["written"]
    if loaded.failed or row["refused"] or remarked:
        raise RuntimeError(f"not all went well: {loaded}, {dict(row)}")
    if row["written"] < loaded.requests * size:
        raise RuntimeError(f"answered but not written: {loaded}, {dict(row)}")


def _uuids() -> Iterator[str]:
    """Make version 7 ids, as phones do: the time, then chance."""
    while True:
        chance = secrets.randbits(74)
        number = time.time_ns() // 1_000_000 << 80 | 7 << 76 | 2 << 62
        number |= chance >> 62 << 64 | chance & (1 << 62) - 1
        text = f"{number:032x}"
        yield "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


async def _quiet() -> None:
    """Wait, within reason, until nobody else needs this machine."""
    deadline = time.monotonic() + PATIENCE
    while (used := psutil.cpu_percent(1.0) / 100) > OTHERS:
        if time.monotonic() > deadline:
            print(f"Others use {used:.0%} of this machine: ratios come out too low.")
            return


def _judged(floors: list[float], few: Measured, many: Measured) -> list[Row]:
    singles, lists = few.rates(1), few.rates(LIST)
    p50 = median(one.p50 for one in few.singles)
    p99 = median(one.p99 for one in few.singles)
    size = f"with {LARGE:,} items, {LARGE * bench_data.EVENTS:,} events"
    return [
        Row("pgbench, the four statements of a scan", median(floors), "/s"),
        Row("one scan per request", median(singles), "/s"),
        Row("  against pgbench", _ratio(singles, floors), "", 0.35),
        Row("  half are answered within", p50, "ms"),
        Row("  99 of 100 are answered within", p99, "ms", 50, most=True),
        Row(f"scans in lists of {LIST}", median(lists), "/s"),
        Row("  against pgbench", _ratio(lists, floors), "", 1.5),
        Row(f"one scan per request {size}", median(many.rates(1)), "/s"),
        Row(f"  against {SMALL:,} items", _ratio(many.rates(1), singles), "", 0.9),
        Row(f"scans in lists of {LIST} {size}", median(many.rates(LIST)), "/s"),
        Row(f"  against {SMALL:,} items", _ratio(many.rates(LIST), lists), "", 0.9),
    ]


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Take the median of the ratios within each round, in which little changes."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


# What else is served


async def public(house: House) -> list[Row]:
    """Measure what citizens ask for against the least that Litestar can serve."""
    items = random.Random(house.items).sample(range(1, house.items + 1), 2_000)  # noqa: S311 - not a secret
    asked = {
        "public status as JSON": (
            [f"/api/status/{bench_data.waybill(item)}" for item in items],
            0.2,
        ),
        "page of a dossier": (
            [f"/d/{bench_data.token((item + 1) // 2)}" for item in items],
            None,
        ),
    }
    rows: list[Row] = []
    await _quiet()
    async with served("tests.bench_hello:app", {}, "/") as hello:
        theirs = [await _asked(hello, ["/"], house) for _ in range(ROUNDS)]
        least = [one.per_second for one in theirs]
        rows.append(Row("bare Litestar, hello", median(least), "/s"))
        for what, (paths, bar) in asked.items():
            what = f"{what}, {house.items:,} items"
            await _asked(house.port, paths, house)
            ours = [await _asked(house.port, paths, house) for _ in range(ROUNDS)]
            if any(one.failed for one in ours):
                rows.append(Row(what, None, "/s", bar, remark=f"refused: {ours}"))
                continue
            rates = [one.per_second for one in ours]
            rows.append(Row(what, median(rates), "/s"))
            rows.append(Row("  against hello", _ratio(rates, least), "", bar))
    return rows


async def _asked(port: int, paths: Sequence[str], house: House) -> Loaded:
    requests = [request("GET", path) for path in paths]
    return await load(port, requests, 2, house.folder, again=True)


async def _texts() -> list[Row]:
    """Ask the bench of the texts, if there is one."""
    what = "texts a second by one worker, gateway 100 ms"
    try:
        measure: Any = importlib.import_module("tests.bench_sms").measure
    except ModuleNotFoundError:
        return [Row(what, None, "/s", 200, remark="not built yet")]
    print("Measures texts.")
    return [Row(what, await measure(), "/s", 200)]


# Telling


def _tell(rows: Sequence[Row], seconds: float) -> None:
    wide = max(len(row.what) for row in rows)
    print(f"\n{'':{wide}}  {'figure':>12}  {'bar':>8}")
    for row in rows:
        figure = "-" if row.figure is None else _written(row.figure) + f" {row.unit}"
        bar = "" if row.bar is None else f"{'<' if row.most else '≥'} {row.bar:g}"
        verdict = {True: "yes", False: "NO", None: ""}[row.holds]
        print(f"{row.what:{wide}}  {figure:>12}  {bar:>8}  {verdict} {row.remark}")
    print(f"\n{seconds:.0f} s in all.")
    told = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "client": client(),
        "processors": os.cpu_count(),
        "full": FULL,
        "rows": [asdict(row) | {"holds": row.holds} for row in rows],
    }
    path = ROOT / "var" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n")


def _written(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2f}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
