"""The worker: sends texts, seals the ledger, learns from it; and the bell for it.

`arq postal_track.worker.WorkerSettings` runs one; run as many as you like. The rows of
the outbox are the truth and Redis only carries ids: the worker lives on while Redis is
away, and its own sweep finds what no job told it. Sends by `sms.delivery`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar

from arq.connections import ArqRedis
from arq.cron import cron
from arq.worker import func
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from postal_track import checkpoints, stack
from postal_track.database import close_pool, open_pool, transaction
from postal_track.settings import settings
from postal_track.texting import gateways, rules, texting
from sms.delivery import DATABASE_AWAY, Courier

log = logging.getLogger("postal_track.worker")

# How often the worker looks for what nobody told it of. Less than `Rules.horizon`, so
# that a paced queue never runs dry in between.
SWEEP_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0

# How long texts under way are waited for when the worker is told to stop.
STOP_SECONDS = 20.0

REDIS_AWAY = (RedisAway, RedisTimeout, OSError)


# The worker


async def deliver(ctx: dict[str, Any], ids: list[int]) -> int:
    """Send these texts; return how many were due and free to take."""
    courier: Courier | None = ctx.get("courier")
    return await courier.deliver(ids) if courier else 0


async def seal(ctx: dict[str, Any]) -> None:
    """Seal the ledger, once a night; asked every hour, so that no night is missed."""
    if "courier" in ctx:  # else the database is still waited for
        await _lasting(checkpoints.seal_nightly)


async def watch(ctx: dict[str, Any]) -> None:
    """Look for what nobody says by a scan: silence, broken promises, odd places."""
    if "courier" in ctx:
        # It puts texts into the outbox, and so knows this module already.
        from postal_track import silence

        await _lasting(silence.sweep)


async def learn(ctx: dict[str, Any]) -> None:
    """Learn from the legs that ended how long those under way will take."""
    if "courier" in ctx:
        from postal_track import expectations

        await _lasting(expectations.learn)


async def tidy(ctx: dict[str, Any]) -> None:
    """Give up what citizens asked for and never confirmed; do what got stuck."""
    if "courier" in ctx:
        from postal_track import asking

        await _lasting(asking.sweep)


async def forget(ctx: dict[str, Any]) -> None:
    """Erase what was granted for today, and what was kept long enough."""
    if "courier" in ctx:
        from postal_track import erasing

        await _lasting(erasing.sweep)


async def start(ctx: dict[str, Any]) -> None:
    """Begin to sweep. Neither Redis nor the database need be there yet."""
    main = asyncio.current_task()
    _patience.give_up = lambda: main is None or main.done() or main.cancelling() > 0
    _patience.last_words = lambda: stop(ctx)
    ctx["gateways"] = gateways(settings(), texting())
    ctx["tasks"] = [asyncio.create_task(_sweep(ctx))]


async def stop(ctx: dict[str, Any]) -> None:
    """Finish what is under way, take up nothing more, and leave. Twice is once."""
    tasks, ctx["tasks"] = ctx.get("tasks", []), []
    if not tasks:
        return
    courier: Courier | None = ctx.pop("courier", None)
    if courier is not None:
        await courier.close(STOP_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if courier is not None:
        with suppress(*DATABASE_AWAY):
            await courier.say_goodbye()
        await close_pool()
    for gateway in ctx["gateways"]:
        await gateway.close()


async def _sweep(ctx: dict[str, Any]) -> None:
    courier = await _open(ctx["gateways"])
    ctx["courier"] = courier
    ctx["tasks"].append(asyncio.create_task(_beat(courier)))
    while True:
        await _lasting(courier.sweep)
        await asyncio.sleep(SWEEP_SECONDS)


async def _open(ways: list[Any]) -> Courier:
    """Wait for the database, however long it takes."""
    courier = Courier(transaction, ways, rules(texting()))
    while True:
        try:
            await open_pool()
        except stack.StackError as fault:
            log.warning("%s", fault)
            await asyncio.sleep(SWEEP_SECONDS)
            continue
        try:
            await courier.open_lines()
        except DATABASE_AWAY as fault:
            log.warning("the database is away: %s", fault)
            await close_pool()
            await asyncio.sleep(SWEEP_SECONDS)
        else:
            return courier


async def _beat(courier: Courier) -> None:
    started = datetime.now(UTC)
    while True:
        await _lasting(lambda: courier.beat(started))
        await asyncio.sleep(HEARTBEAT_SECONDS)


async def _lasting(work: Callable[[], Awaitable[Any]]) -> None:
    """Do it; what goes wrong is logged and done again next time."""
    try:
        await work()
    except DATABASE_AWAY as fault:
        log.warning("the database is away: %s", fault)
    except Exception:
        # One bad row or a fault of ours must not end the sending of all others.
        log.exception("the worker goes on after a fault")


# Redis, which may be away


class Patience(Retry):
    """Tries a command until Redis answers, or until the worker is told to stop.

    arq would end the worker at the first lost connection.
    """

    __slots__ = ("give_up", "last_words")

    def __init__(self) -> None:
        super().__init__(ExponentialBackoff(cap=1.0, base=0.05), -1)
        self.give_up: Callable[[], bool] = lambda: False
        self.last_words: Callable[[], Awaitable[None]] | None = None

    def __deepcopy__(self, memo: object) -> Patience:
        # Every connection takes a copy; they all give up together.
        return self

    def update_supported_errors(self, specified_errors: list[Any]) -> None:
        """Keep to what means that Redis is away."""

    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[Any]],
        fail: Callable[[RedisError], Any],
    ) -> Any:
        """Call until it works; when told to stop, stop in order first."""
        failures = 0
        while True:
            try:
                return await do()
            except REDIS_AWAY as fault:
                failures += 1
                if failures == 1:
                    log.warning("Redis is away: %s", fault)
                await fail(fault)  # type: ignore[arg-type] # an OSError will do
                if self.give_up():
                    if self.last_words is not None:
                        await self.last_words()
                    raise
                await asyncio.sleep(self._backoff.compute(failures))


class PatientPipeline(Pipeline):
    """A pipeline that a lost connection does not end while it watches a key.

    The watch is lost with the connection; the worst that follows is that two workers
    start one job, and rows are claimed once whoever comes.
    """

    async def _disconnect_reset_raise(self, conn: Any, error: Exception) -> None:
        await conn.disconnect()


class Particulars(Pipeline):
    """The pipeline by which arq reads Redis's particulars before it starts.

    It only logs them, and a Redis that is away must not keep the worker from starting.
    """

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Return the particulars, or none."""
        self.command_stack = []
        return [{}, {}, {}, 0]


class LatePool(ConnectionPool):
    """Connections to a Redis whose address is asked for when it is first needed.

    A module that is imported must read no settings and start no server.
    """

    def make_connection(self) -> Any:
        """Make a connection; our own Redis is started if it does not run."""
        known: dict[str, Any] = dict(parse_url(stack.redis_url(settings())))
        kind = known.pop("connection_class", self.connection_class)
        return kind(**self.connection_kwargs | known)


class PatientRedis(ArqRedis):
    """arq's Redis, with patience."""

    def pipeline(
        self, transaction: bool = True, shard_hint: str | None = None
    ) -> Pipeline:
        """Make a pipeline; the only one without transaction is arq's at the start."""
        kind = PatientPipeline if transaction else Particulars
        return kind(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )


_patience = Patience()


class WorkerSettings:
    """What arq runs."""

    functions: ClassVar[list[Any]] = [
        # A job is only a hint: done or lost, nothing of it is kept or repeated.
        func(deliver, keep_result=0, max_tries=1, timeout=120)
    ]
    cron_jobs: ClassVar[list[Any]] = [
        # A million items take seconds; a database that is busy may take longer.
        cron(seal, minute=10, keep_result=0, max_tries=1, timeout=3600),
        cron(
            watch,
            minute=set(range(4, 60, 10)),
            keep_result=0,
            max_tries=1,
            timeout=540,
        ),
        # Out of the way of the evening, when all phones send what they hold.
        cron(
            learn,
            hour={1, 7, 13, 20},
            minute=25,
            keep_result=0,
            max_tries=1,
            timeout=3600,
        ),
        # At night, when nobody is on his way: 2:40 in An Giang.
        cron(forget, hour=19, minute=40, keep_result=0, max_tries=1, timeout=3600),
        cron(
            tidy,
            minute=set(range(2, 60, 5)),
            keep_result=0,
            max_tries=1,
            timeout=240,
        ),
    ]
    redis_pool = PatientRedis(
        LatePool(
            retry=_patience,
            retry_on_error=[RedisAway, RedisTimeout, OSError],
            socket_connect_timeout=5,
        )
    )
    on_startup = start
    on_shutdown = stop
    # arq's own name for it: texts under way are finished before the worker ends.
    job_completion_wait = int(STOP_SECONDS)
    max_jobs = 50
    keep_result = 0
    poll_delay = 0.1
    health_check_interval = 30
    log_results = False


# The bell


class Bell:
    """Tells the workers of new texts, a little later and many at a time.

    Best effort: what is not told is found by their sweep.
    """

    # Long enough to gather the texts of requests that come together.
    GATHER_SECONDS = 0.02
    PATIENCE_SECONDS = 0.5
    # After a failure Redis is left alone for as long as the sweep needs anyway.
    SULK_SECONDS = 2.0
    LARGEST_JOB = 200

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self._redis: ArqRedis | None = None
        self._quiet_until = 0.0

    def ring(self, ids: Collection[int]) -> None:
        """Tell of these texts soon."""
        if asyncio.get_running_loop().time() < self._quiet_until:
            return
        self._ids.update(ids)
        if self._task is None:
            self._task = asyncio.create_task(self._tell())

    async def rest(self) -> None:
        """Tell what is still to be told, and let the connection go."""
        if self._task is not None:
            await self._task
        if self._redis is not None:
            await self._redis.aclose(close_connection_pool=True)
            self._redis = None

    async def _tell(self) -> None:
        try:
            await asyncio.sleep(self.GATHER_SECONDS)
            while self._ids:
                batch = [
                    self._ids.pop()
                    for _ in range(min(len(self._ids), self.LARGEST_JOB))
                ]
                async with asyncio.timeout(self.PATIENCE_SECONDS):
                    await self._connected().enqueue_job("deliver", batch, _expires=60)
        except (*REDIS_AWAY, RedisError, stack.StackError) as fault:
            log.warning("the workers are not told of new texts: %s", fault)
            self._ids.clear()
            self._quiet_until = asyncio.get_running_loop().time() + self.SULK_SECONDS
        finally:
            self._task = None

    def _connected(self) -> ArqRedis:
        if self._redis is None:
            self._redis = ArqRedis.from_url(
                stack.redis_url(settings()),
                socket_connect_timeout=self.PATIENCE_SECONDS,
                socket_timeout=self.PATIENCE_SECONDS,
            )
        return self._redis


_bells: dict[asyncio.AbstractEventLoop, Bell] = {}


async def poke(ids: Collection[int]) -> None:
    """Wake a worker for these texts, after the commit that wrote them.

    Never raises and never waits; a poke that is lost is made good by the sweep.
    """
    if not ids:
        return
    loop = asyncio.get_running_loop()
    if loop not in _bells:
        for ended in [one for one in _bells if one.is_closed()]:
            del _bells[ended]
        _bells[loop] = Bell()
    _bells[loop].ring(ids)


async def hush() -> None:
    """Let this process's bell go; the web calls it when it stops."""
    bell = _bells.pop(asyncio.get_running_loop(), None)
    if bell is not None:
        await bell.rest()
