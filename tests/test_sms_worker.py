from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from arq.connections import ArqRedis
from redis.asyncio import Redis

from postal_track import stack, texting
from postal_track.settings import ROOT, SettingsError, settings
from postal_track.worker import Bell, hush, poke
from sms.figures import snapshot
from tests.sms_cast import put_in, row, text, until
from tests.twilio_double import ACCOUNT, SENDER, TOKEN, Double

Run = Callable[..., AbstractContextManager[Any]]

WORKER = ("arq", "postal_track.worker.WorkerSettings")


def code(body: str = "Ma nhan: 482915.") -> Any:
    """A text that goes at any hour."""
    return text(body, template="S07_out")


def written(path: Path) -> set[int]:
    """Return the ids of the texts that the console has written down."""
    if not path.exists():
        return set()
    return {json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()}


@pytest.fixture
async def bell() -> AsyncIterator[None]:
    yield
    await hush()


@pytest.fixture
def lone() -> Iterator[stack.Redis]:
    """A Redis of one test's own, not started."""
    folder = Path(tempfile.mkdtemp(prefix="postal-track-redis-"))
    one = stack.Redis(folder)
    yield one
    one.stop()
    shutil.rmtree(folder)


@contextmanager
def working(**environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker that may end before the block does."""
    child = subprocess.Popen(
        [sys.executable, "-m", *WORKER],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def kill(server: stack.Redis) -> None:
    """Kill a Redis with -9 and wait until it is gone."""
    pid = server.pid()
    assert pid is not None
    process = psutil.Process(pid)
    process.kill()
    process.wait(10)


async def test_a_worker_sends_what_it_is_told_of_and_what_it_finds(
    database: Any, redis: Redis, run: Run, tmp_path: Path, bell: None
) -> None:
    out = tmp_path / "sms.jsonl"
    [found] = await put_in(code("found"))
    with run("worker", *WORKER, SMS_CONSOLE_PATH=str(out)):
        await until(lambda: found in written(out), patience=90)
        [told] = await put_in(code("told"))
        await poke([told])
        await until(lambda: told in written(out))

        async def done() -> bool:
            figures = await snapshot(database)
            return (figures.workers, figures.unsent) == (1, 0)

        await until(done)
        figures = await snapshot(database)
        assert figures.failed == 0
        assert figures.last_seen is not None

    async def gone() -> bool:
        return (await snapshot(database)).workers == 0

    await until(gone)


async def test_a_job_carries_ids_and_nothing_else(redis: Redis, bell: None) -> None:
    queue = ArqRedis(redis.connection_pool)
    await poke([3, 1])
    await poke([2])

    async def queued() -> list[Any]:
        jobs: list[Any] = await queue.queued_jobs()
        return jobs

    await until(queued)
    [job] = await queued()
    assert job.function == "deliver"
    assert [sorted(one) for one in job.args] == [[1, 2, 3]]
    assert job.kwargs == {}


async def test_a_worker_told_to_stop_finishes_what_is_under_way(
    database: Any, redis: Redis
) -> None:
    messages = await put_in(*[code(f"{n}") for n in range(5)])
    async with Double(answers_after=1.0) as double:
        with working(**twilio_by(double)) as child:
            await until(lambda: len(double.messages) == 5, patience=90)
            child.terminate()
            assert await asyncio.to_thread(child.wait, 20) == 0
        assert {(await row(database, one))["status"] for one in messages} == {"sent"}


def twilio_by(double: Double) -> dict[str, str]:
    return {
        "SMS_GATEWAYS": "twilio",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_FROM": SENDER,
        "TWILIO_API_BASE": double.address,
    }


async def test_a_worker_lives_without_redis_and_takes_it_back_when_it_comes(
    database: Any,
    tmp_path: Path,
    lone: stack.Redis,
    monkeypatch: pytest.MonkeyPatch,
    bell: None,
) -> None:
    out = tmp_path / "sms.jsonl"
    monkeypatch.setattr(stack, "redis_url", lambda _: lone.url())
    options = {"SMS_CONSOLE_PATH": str(out), "REDIS_URL": lone.url()}
    with working(**options) as child:
        [first] = await put_in(code("Redis was never there"))
        await until(lambda: first in written(out), patience=90)

        await asyncio.to_thread(lone.start)
        await _takes_jobs(lone)

        await asyncio.to_thread(kill, lone)
        [second] = await put_in(code("Redis was killed"))
        await poke([second])
        await until(lambda: second in written(out))
        assert child.poll() is None

        await asyncio.to_thread(lone.start)
        await _takes_jobs(lone)
        async with Redis.from_url(lone.url()) as client:
            await client.flushall()
        [third] = await put_in(code("Redis was emptied"))
        await until(lambda: third in written(out))
        await _takes_jobs(lone)

        # It must end in order without Redis, too.
        await asyncio.to_thread(kill, lone)
        child.terminate()
        await asyncio.to_thread(child.wait, 30)
    assert (await snapshot(database)).workers == 0, "it said goodbye"


async def _takes_jobs(server: stack.Redis) -> None:
    """Wait until a worker has taken a job out of this Redis."""
    async with ArqRedis.from_url(server.url()) as queue:
        await queue.enqueue_job("deliver", [0])

        async def empty() -> bool:
            waiting: int = await queue.zcard("arq:queue")
            return waiting == 0

        await until(empty, patience=90)


async def test_a_poke_never_waits_and_never_raises(
    monkeypatch: pytest.MonkeyPatch, lone: stack.Redis, bell: None
) -> None:
    async def mute(reader: Any, writer: Any) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    for address in (lone.url(), f"redis://127.0.0.1:{port}", "redis://127.0.0.1:9"):
        monkeypatch.setattr(stack, "redis_url", lambda _, url=address: url)
        for number in range(100):
            # It ends at its first step: nothing was waited for.
            with pytest.raises(StopIteration):
                poke([number]).send(None)
        await hush()
    silent.close()
    await silent.wait_closed()


async def test_after_a_failure_redis_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def url(_: Any) -> str:
        asked.append("asked")
        return "redis://127.0.0.1:9"

    monkeypatch.setattr(stack, "redis_url", url)
    bell = Bell()
    bell.ring([1])
    await bell.rest()
    bell.ring([2])
    await bell.rest()
    assert len(asked) == 1


# Settings


def test_settings_about_texts_are_read_and_turned_into_rules() -> None:
    read = texting.Texting.from_env(
        {"SMS_PER_SECOND": "7", "SMS_PRICES": "twilio=1800, brandname=450"}
    )
    rules = texting.rules(read)
    assert rules.rate == 7
    assert rules.prices == {"twilio": 1800, "brandname": 450}
    # The codes that somebody waits for, at the door or at his own page.
    assert rules.at_night == rules.uncapped == rules.anyway == {"S07_out", "S15_code"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"SMS_PER_SECOND": "fast"},
        {"SMS_PARALLEL": "0"},
        {"SMS_PRICES": "1800"},
        {"BRANDNAME_TEMPLATES": "/nowhere.json"},
        {"BRANDNAME_PASSWORD": "a", "BRANDNAME_PASSWORD_FILE": "/b"},
    ],
)
def test_a_wrong_setting_about_texts_is_loud(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        texting.Texting.from_env(wrong)


def test_a_password_is_read_from_a_file_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("sesame\n")
    read = texting.Texting.from_env(
        {"BRANDNAME_PASSWORD_FILE": str(tmp_path / "password")}
    )
    assert read.BRANDNAME_PASSWORD == "sesame"
    assert "sesame" not in repr(read)


async def test_a_gateway_is_built_by_its_name_and_misses_nothing_silently() -> None:
    built = texting.gateways(settings(), texting.Texting())
    assert [one.name for one in built] == ["console"]
    with pytest.raises(SettingsError, match="BRANDNAME_URL"):
        texting._brandname(settings(), texting.Texting())
    one = texting._brandname(settings(), texting.Texting(BRANDNAME_URL="http://x.vn"))
    assert one.name == "brandname"
