"""Nothing lost, nothing twice, whoever dies.

`SMS_TEXTS=10000` runs the full figure; the default keeps the suite short.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import psutil
import pytest
from arq.connections import RedisSettings, create_pool
from redis.exceptions import RedisError

from postal_track.settings import ROOT
from postal_track.stack import Postgres, Redis
from sms.outbox import Text, put
from tests.twilio_double import (
    ACCOUNT,
    DROPS,
    FAILS,
    SENDER,
    TAKES_AND_DROPS,
    TAKES_AND_FAILS,
    TOKEN,
    WELL,
    Double,
    refuses,
)

TEXTS = int(os.environ.get("SMS_TEXTS", "1000"))
KILLS = max(10, TEXTS // 100)
WORKERS = 3
PATIENCE = 90 + TEXTS / 20

AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass
class House:
    """A database, a Redis and workers of its own, to be killed."""

    postgres: Postgres
    redis: Redis
    folder: Path
    double: Double
    dice: random.Random
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.postgres.url(),
            "REDIS_URL": self.redis.url(),
            "DB_POOL_SIZE": "5",
            "SMS_GATEWAYS": "twilio",
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_FROM": SENDER,
            "TWILIO_API_BASE": self.double.address,
            "SMS_PER_SECOND": "0",
            "SMS_PARALLEL": "20",
            "SMS_GAP_SECONDS": "0",
            "SMS_TIMEOUT_SECONDS": "2",
            "SMS_SETTLE_SECONDS": "1",
            "SMS_RETRY_SECONDS": "1",
        }

    def hire(self) -> None:
        """Start a worker, the way an operator does."""
        with (self.folder / "workers.log").open("ab") as log:
            self.workers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "arq", "postal_track.worker.WorkerSettings"],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    async def kill_one(self) -> None:
        """Kill a worker, Redis or PostgreSQL with -9, and bring it back."""
        what = self.dice.choices(["worker", "redis", "postgres"], [6, 2, 2])[0]
        self.killed[what] += 1
        if what == "worker":
            victim = self.workers.pop(self.dice.randrange(len(self.workers)))
            victim.kill()
            victim.wait()
            self.hire()
            return
        server = self.redis if what == "redis" else self.postgres
        pid = server.pid()
        assert pid is not None
        process = psutil.Process(pid)
        process.kill()
        # Its socket takes callers until it is really gone.
        await asyncio.to_thread(process.wait, 10)
        await asyncio.to_thread(server.start)

    def close(self) -> None:
        """End what still runs; only what was started here."""
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.redis.stop()
        self.postgres.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="postal-track-killed-"))
    # PostgreSQL has a user of its own when the tests run as root.
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def house(folder: Path) -> AsyncIterator[House]:
    dice = random.Random(time.time_ns())  # noqa: S311 - no secret
    manners = [
        TAKES_AND_DROPS,
        DROPS,
        TAKES_AND_FAILS,
        FAILS,
        refuses(429, 20429),
        WELL,
    ]
    weights = [20, 20, 20, 20, 2, 918]
    async with Double(
        manner=lambda: dice.choices(manners, weights)[0], answers_after=0.02
    ) as double:
        one = House(
            Postgres(folder / "postgres"), Redis(folder / "redis"), folder, double, dice
        )
        await asyncio.to_thread(one.postgres.start)
        await asyncio.to_thread(one.redis.start)
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "postal_track", "migrate"],
            cwd=ROOT,
            env=one.environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        try:
            yield one
        finally:
            await asyncio.to_thread(one.close)


def letters() -> list[Text]:
    """Texts that go at any hour; two to each number."""
    return [
        Text(
            key=f"killed:{n}",
            recipient=f"+8491{n // 2:07}",
            template="S07_out",
            version=1,
            language="vi",
            params={},
            body=f"Ho so so {n}.",
        )
        for n in range(TEXTS)
    ]


async def write(house: House, texts: Sequence[Text]) -> None:
    """Put texts in and ring for them; repeat what the database did not confirm."""
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline, "the database does not come back"
        ids: list[int] = []
        with suppress(*AWAY):
            connection = await asyncpg.connect(house.postgres.url(), timeout=5)
            try:
                async with connection.transaction():
                    ids = await put(connection, texts)
            finally:
                await connection.close(timeout=1)
            break
        await asyncio.sleep(0.1)
    with suppress(OSError, RedisError):
        settings = RedisSettings.from_dsn(house.redis.url())
        settings.conn_retries = 0
        redis = await create_pool(settings)
        await redis.enqueue_job("deliver", ids)
        await redis.aclose(close_connection_pool=True)


async def undone(house: House) -> int:
    """Count the texts that are not known to be with the gateway."""
    try:
        connection = await asyncpg.connect(house.postgres.url(), timeout=5)
    except AWAY:
        return TEXTS
    try:
        left: int = await connection.fetchval(
            "SELECT count(*) FROM sms_message WHERE status <> 'sent'"
        )
        return left
    finally:
        await connection.close()


@pytest.mark.timeout(PATIENCE + KILLS * 10)
async def test_every_text_is_accepted_exactly_once_whoever_is_killed(
    house: House,
) -> None:
    for _ in range(WORKERS):
        house.hire()
    texts = letters()
    size = -(-TEXTS // KILLS)
    for start in range(0, TEXTS, size):
        await write(house, texts[start : start + size])
        await asyncio.sleep(house.dice.uniform(0.2, 1.0))
        await house.kill_one()
    assert sum(house.killed.values()) == KILLS

    deadline = time.monotonic() + PATIENCE
    while left := await undone(house):
        assert time.monotonic() < deadline, f"{left} texts are not sent; {house.killed}"
        await asyncio.sleep(0.2)
    for worker in house.workers:
        assert worker.poll() is None, "a worker died that nobody had killed"

    assert house.double.faults == []
    wanted = Counter((text.recipient, text.body) for text in texts)
    assert house.double.count() == wanted
    connection = await asyncpg.connect(house.postgres.url())
    known = await connection.fetch("SELECT provider_id FROM sms_message")
    await connection.close()
    assert {row["provider_id"] for row in known} == set(house.double.messages)
