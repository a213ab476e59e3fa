"""How many texts a second one worker sends, with a gateway that answers in 100 ms.

A real worker (`arq postal_track.worker.WorkerSettings`) on a durable PostgreSQL and a
Redis of its own, against the double of Twilio on loopback. All of it is stopped again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from arq.connections import ArqRedis

from postal_track.settings import ROOT
from postal_track.stack import Postgres, Redis
from sms.outbox import Text, put
from tests.twilio_double import ACCOUNT, SENDER, TOKEN, Double

TEXTS = 3_000
ANSWERS_AFTER = 0.1
PATIENCE = 120.0

# The gateway may have ten hours' texts; what is told is the time to a phone's network.
SINGLES = 20


async def measure() -> float:
    """Return how many texts a second one worker sends."""
    return (await measure_all())["texts_per_second"]


async def measure_all() -> dict[str, float]:
    """Measure sending in bulk, and how soon a single text is with the gateway.

    `wait_ms` is the median from the commit of a text to its being accepted, of which
    the gateway's own 100 ms are no part.
    """
    async with _house() as (postgres, redis, double, environment):
        connection = await asyncpg.connect(postgres.url())
        ids = await put(connection, _texts(range(TEXTS)))
        worker = subprocess.Popen(  # noqa: ASYNC220 - it runs beside us
            [sys.executable, "-m", "arq", "postal_track.worker.WorkerSettings"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            seconds = await _until_sent(connection, len(ids))
            waits = [
                await _single(connection, redis, double, n) for n in range(SINGLES)
            ]
        finally:
            worker.terminate()
            await asyncio.to_thread(worker.wait)
            await connection.close()
        return {
            "texts_per_second": TEXTS / seconds,
            "texts": float(TEXTS),
            "sent_twice": float(len(double.messages) - TEXTS - SINGLES),
            "wait_ms": sorted(waits)[SINGLES // 2] * 1000,
        }


async def _until_sent(connection: asyncpg.Connection, wanted: int) -> float:
    """Return the seconds from the first text known to be sent to the last."""
    deadline = time.monotonic() + PATIENCE
    while True:
        row = await connection.fetchrow(
            """
            SELECT count(sent_at) AS sent,
                extract(epoch FROM max(sent_at) - min(tried_at))::float8 AS seconds
            FROM sms_message
            """
        )
        if row["sent"] == wanted:
            seconds: float = row["seconds"]
            return seconds
        if time.monotonic() > deadline:
            raise TimeoutError(f"{row['sent']} of {wanted} texts were sent")
        await asyncio.sleep(0.5)


async def _single(
    connection: asyncpg.Connection, redis: ArqRedis, double: Double, number: int
) -> float:
    accepted = asyncio.Event()
    double.took = accepted.set
    ids = await put(connection, _texts(range(TEXTS + number, TEXTS + number + 1)))
    began = time.monotonic()
    await redis.enqueue_job("deliver", ids)
    await accepted.wait()
    return time.monotonic() - began


def _texts(numbers: range) -> list[Text]:
    return [
        Text(
            key=f"bench:{number}",
            recipient=f"+8491{number:07}",
            template="S07_out",  # goes at night, too
            version=1,
            language="vi",
            params={"code": "DH473124829VN", "otp": "482915"},
            body="Hom nay buu ta phat ket qua ho so DH473124829VN. Ma nhan: 482915.",
            group=f"dossier:{number}",
            secret="otp",
        )
        for number in numbers
    ]


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="postal-track-sms-"))
    # PostgreSQL has a user of its own when we are root.
    folder.chmod(0o755)
    return folder


@asynccontextmanager
async def _house() -> AsyncIterator[tuple[Postgres, ArqRedis, Double, dict[str, str]]]:
    folder = _folder()
    postgres, server = Postgres(folder / "postgres"), Redis(folder / "redis")
    try:
        await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(server.start)
        async with Double(answers_after=ANSWERS_AFTER) as double:
            environment = os.environ | {
                "VAR_DIR": str(folder),
                "DATABASE_URL": postgres.url(),
                "REDIS_URL": server.url(),
                "PUBLIC_URL": "https://track.example.vn",
                "SMS_GATEWAYS": "twilio",
                "TWILIO_ACCOUNT_SID": ACCOUNT,
                "TWILIO_AUTH_TOKEN": TOKEN,
                "TWILIO_FROM": SENDER,
                "TWILIO_API_BASE": double.address,
                "SMS_PER_SECOND": "0",
            }
            await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "postal_track", "migrate"],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,
                check=True,
            )
            async with ArqRedis.from_url(server.url()) as redis:
                yield postgres, redis, double, environment
    finally:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(folder)
