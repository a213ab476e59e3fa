"""What whoever keeps the service running is told of it."""

from typing import Any

import httpx

from postal_track import measures
from postal_track.custody import Step
from tests.cast import Cast, scan, travel
from tests.conftest import running


async def test_health_tells_of_the_database_redis_and_the_worker(
    server: str, database: Any, redis: Any
) -> None:
    async with httpx.AsyncClient(base_url=server) as client:
        alone = (await client.get("/health")).json()
        assert (alone["database"], alone["redis"]) == ("ok", "ok")
        assert alone["worker"] == "silent"
        with running("worker", "arq", "postal_track.worker.WorkerSettings"):
            await _until_a_worker_is_seen(database)
            assert (await client.get("/health")).json()["worker"] == "ok"


async def _until_a_worker_is_seen(database: Any) -> None:
    seen = "SELECT pg_sleep(0.05), count(*) FROM sms_heartbeat"
    for _ in range(600):
        if (await database.fetchrow(seen))["count"]:
            return
    raise AssertionError("no worker told of itself")


async def test_metrics_count_what_is_in_limbo_and_what_is_unsent(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    await scan(cast.alice, waybill, Step.RELEASED, to=cast.amy.party)
    told = (await measures.exposition()).decode()
    assert "postal_track_limbo 1.0" in told
    assert "postal_track_sms_unsent 1.0" in told
    assert "postal_track_irregularities 0.0" in told
