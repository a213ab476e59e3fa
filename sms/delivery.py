"""Sending what is in the outbox: each text once, and known what became of it.

A worker claims due rows with a lease and writes an attempt as "sending" before it calls
a gateway. What was not answered is asked about before it is sent again. Any number of
workers; each may die at any point. Does not know who put a text there, or why.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from sms import outcomes
from sms.errors import GatewayError
from sms.gateways import Answer, Gateway, Outgoing
from sms.outcomes import Taken
from sms.refusals import Matter, refusal
from sms.rules import (
    Ask,
    Candidate,
    End,
    Look,
    Rest,
    Rules,
    Send,
    Verdict,
    Wait,
    Way,
    judge,
)
from sms.status import MISSED, Status

log = logging.getLogger("sms")

Transaction = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens a transaction and yields its asyncpg connection."""

DATABASE_AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
)
"""What a database raises that is away, restarting or too busy: try again."""

# How many texts one claim takes at most: it holds every gateway's line meanwhile.
LARGEST_CLAIM = 100

# A worker that stops between two statements of a claim must not hold up the others.
CLAIM_PATIENCE = "5000"

# After so many unanswered calls in a row a gateway rests, and the next one is used.
SILENCES = 5

# An account that is refused is not tried again before somebody can have mended it.
LONG_REST = 300.0

# How long the answer of a gateway is tried to be written down.
PATIENCE = 120.0


@dataclass(slots=True)
class Job:
    """One text in a worker's hands. `deadline`: by time.monotonic(), to call by."""

    verdict: Send | Ask | Look
    text: Outgoing
    number: int
    began_at: datetime
    provider_id: str
    looks: int
    starts: float
    deadline: float


@dataclass
class Tally:
    """What a worker has done, for its heartbeat. `latency` of a call, smoothed."""

    sent: int = 0
    refused: int = 0
    unsure: int = 0
    latency: float = 0.0

    def took(self, seconds: float) -> None:
        """Mix in how long a gateway took."""
        self.latency += (seconds - self.latency) * (0.05 if self.latency else 1.0)


@dataclass
class Courier:
    """One worker's hands. `gateways`: in fail-over order.

    `clock` stands for the database's own in tests of the night.
    """

    transaction: Transaction
    gateways: Sequence[Gateway]
    rules: Rules = field(default_factory=Rules)
    name: str = field(
        default_factory=lambda: (
            f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(3)}"
        )
    )
    clock: Callable[[], datetime] | None = None
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._by_name: Mapping[str, Gateway] = {one.name: one for one in self.gateways}
        self._free = asyncio.Semaphore(self.rules.parallel)
        self._claiming = asyncio.Lock()
        self._silences: Counter[str] = Counter()
        self._waiting: list[tuple[Taken, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def in_flight(self) -> int:
        """How many texts are in this worker's hands."""
        return len(self._tasks)

    async def open_lines(self) -> None:
        """Make sure that every gateway has a line to be locked and paced."""
        async with self.transaction() as connection:
            await connection.execute(
                """
                INSERT INTO sms_line (gateway, next_at, paused_until, note)
                SELECT name, now(), now(), '' FROM unnest($1::text[]) AS name
                ORDER BY name ON CONFLICT (gateway) DO NOTHING
                """,
                list(self._by_name),
            )

    async def deliver(self, ids: Collection[int]) -> int:
        """Send these texts, if they are due; return how many were taken up.

        Waits until it is known, or known not to be known, what became of them.
        """
        left, tasks = sorted(set(ids)), set[asyncio.Task[None]]()
        while left and not self._stopping:
            started, _ = await self._take(left[:LARGEST_CLAIM])
            tasks.update(started)
            left = left[LARGEST_CLAIM:]
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    async def sweep(self) -> int:
        """Start sending whatever is due; return how many texts were taken up.

        Finds what no poke told of: rows whose job was lost, leases that ran out, texts
        held over night. Does not wait for the last of them.
        """
        taken, judged = 0, 1
        while judged and not self._stopping:
            tasks, judged = await self._take(None)
            taken += len(tasks)
        return taken

    async def close(self, patience: float) -> None:
        """Take up nothing more and wait for what is under way.

        What is not answered by then stays "sending" and is asked about later.
        """
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            if late and self._writer is not None:
                late.add(self._writer)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def beat(self, started_at: datetime) -> None:
        """Write down that this worker lives."""
        async with self.transaction() as connection:
            await connection.execute(
                """
                INSERT INTO sms_heartbeat (
                    worker, started_at, seen_at, in_flight, sent, refused, unsure,
                    latency
                )
                VALUES ($1, $2, now(), $3, $4, $5, $6, $7)
                ON CONFLICT (worker) DO UPDATE
                SET seen_at = excluded.seen_at, in_flight = excluded.in_flight,
                    sent = excluded.sent, refused = excluded.refused,
                    unsure = excluded.unsure, latency = excluded.latency
                """,
                self.name,
                started_at,
                self.in_flight,
                self.tally.sent,
                self.tally.refused,
                self.tally.unsure,
                self.tally.latency,
            )

    async def say_goodbye(self) -> None:
        """Take the heartbeat away, and those of workers dead for a day."""
        async with self.transaction() as connection:
            await connection.execute(
                """
                DELETE FROM sms_heartbeat
                WHERE worker = $1 OR seen_at < now() - interval '1 day'
                """,
                self.name,
            )

    # Claiming

    async def _take(
        self, ids: list[int] | None
    ) -> tuple[list[asyncio.Task[None]], int]:
        """Claim what there is room for and start it; say also how many were judged."""
        async with self._claiming:
            room = await self._reserve(LARGEST_CLAIM if ids is None else len(ids))
            jobs: list[Job] = []
            try:
                began = time.monotonic()
                async with self.transaction() as connection:
                    claimed, judged = await self._claim(connection, room, ids, began)
                # Only now is it sure that the rows are ours.
                jobs = claimed
            finally:
                for _ in range(room - len(jobs)):
                    self._free.release()
            return [self._start(job) for job in jobs], judged

    async def _reserve(self, wanted: int) -> int:
        """Wait for some free hands, and take as many more as are free.

        A claim for one text costs the database as much as a claim for many.
        """
        least, room = min(wanted, max(1, self.rules.parallel // 4)), 0
        try:
            while room < least or (room < wanted and not self._free.locked()):
                await self._free.acquire()
                room += 1
        except asyncio.CancelledError:
            for _ in range(room):
                self._free.release()
            raise
        return room

    def _start(self, job: Job) -> asyncio.Task[None]:
        task = asyncio.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free.release()
        if not task.cancelled() and (fault := task.exception()):
            log.error("a text was left to the next worker", exc_info=fault)

    async def _claim(
        self,
        connection: asyncpg.Connection,
        room: int,
        ids: list[int] | None,
        began: float,
    ) -> tuple[list[Job], int]:
        """Lease due rows and write their attempts, all in one transaction.

        The lines are locked first, so claims follow one another: what one worker has
        just taken is seen by the next when it counts caps, gaps and the pace.
        """
        lines = await connection.fetch(
            """
            SELECT gateway, next_at, paused_until, now() AS now,
                set_config('idle_in_transaction_session_timeout', $2, true)
            FROM sms_line
            WHERE gateway = ANY($1::text[]) ORDER BY gateway FOR UPDATE
            """,
            list(self._by_name),
            CLAIM_PATIENCE,
        )
        now = self.clock() if self.clock else lines[0]["now"]
        ways = self._ways(lines)
        rows = await self._due(connection, room, ids, now)
        leaving = _Leaving(ways, self.rules, now)
        for row in rows:
            leaving.add(row)
        await self._write(connection, leaving, now)
        jobs = [
            self._job(row, verdict, delay, now, began)
            for row, verdict, delay in leaving.taken
        ]
        return jobs, leaving.judged

    def _ways(self, lines: Sequence[asyncpg.Record]) -> list[Way]:
        known = {line["gateway"]: line for line in lines}
        return [
            Way(
                gateway.name,
                gateway.after_silence,
                gateway.can_look,
                known[gateway.name]["paused_until"],
                known[gateway.name]["next_at"],
            )
            for gateway in self.gateways
        ]

    async def _due(
        self,
        connection: asyncpg.Connection,
        room: int,
        ids: list[int] | None,
        now: datetime,
    ) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(
            f"""
            SELECT m.*,
                EXISTS (
                    SELECT 1 FROM sms_opt_out o WHERE o.number = m.recipient
                ) AS opted_out,
                coalesce((
                    SELECT code FROM sms_number_mark k WHERE k.number = m.recipient
                ), '') AS mark,
                CASE WHEN m."group" = '' THEN 0 ELSE (
                    SELECT count(*) FROM sms_message g
                    WHERE g."group" = m."group" AND g."group" <> '' AND g.id <> m.id
                        AND (g.sent_at >= $3 OR g.status = 'sending')
                ) END AS told_today,
                (
                    SELECT max(tried_at) FROM sms_message n
                    WHERE n.recipient = m.recipient AND n.id <> m.id
                        AND n.tried_at > $4
                ) AS last_told
            FROM sms_message m
            WHERE due_at <= $1 {"AND id = ANY($5::bigint[])" if ids else ""}
            ORDER BY due_at, id LIMIT $2 FOR UPDATE OF m SKIP LOCKED
            """,  # noqa: S608 - our own words
            now,
            room,
            self.rules.midnight(now),
            now - timedelta(seconds=self.rules.gap),
            *([ids] if ids else []),
        )
        return rows

    async def _write(
        self, connection: asyncpg.Connection, leaving: _Leaving, now: datetime
    ) -> None:
        """Write the verdicts down, many at a time."""
        lease = now + timedelta(seconds=self.rules.lease + self.rules.settle)
        sends = [
            (row["id"], verdict.gateway, row["tries"] + 1)
            for row, verdict, _ in leaving.taken
            if isinstance(verdict, Send)
        ]
        others = [
            row["id"]
            for row, verdict, _ in leaving.taken
            if not isinstance(verdict, Send)
        ]
        if sends:
            await connection.execute(
                """
                WITH leased AS (
                    UPDATE sms_message m
                    SET status = 'sending', unsure = true, tries = one.number,
                        gateway = one.gateway, tried_at = $4, leased_by = $5,
                        due_at = $6
                    FROM unnest($1::bigint[], $2::text[], $3::int[])
                        AS one(id, gateway, number)
                    WHERE m.id = one.id
                )
                INSERT INTO sms_attempt (
                    message, number, gateway, outcome, started_at, error_code, error
                )
                SELECT id, number, gateway, 'sending', $4, '', ''
                FROM unnest($1::bigint[], $2::text[], $3::int[])
                    AS one(id, gateway, number)
                """,
                *map(list, zip(*sends, strict=True)),
                now,
                self.name,
                lease,
            )
        if others:
            await connection.execute(
                """
                UPDATE sms_message SET leased_by = $2, due_at = $3
                WHERE id = ANY($1::bigint[])
                """,
                others,
                self.name,
                lease,
            )
        if leaving.waits:
            await connection.execute(
                """
                UPDATE sms_message m
                SET due_at = one.until,
                    not_before = CASE WHEN one.held THEN one.until ELSE not_before END
                FROM unnest($1::bigint[], $2::timestamptz[], $3::bool[])
                    AS one(id, until, held)
                WHERE m.id = one.id
                """,
                [one for one, _ in leaving.waits],
                [wait.until for _, wait in leaving.waits],
                [wait.held for _, wait in leaving.waits],
            )
        if leaving.rests:
            await connection.execute(
                "UPDATE sms_message SET due_at = NULL WHERE id = ANY($1::bigint[])",
                leaving.rests,
            )
        for message, end in leaving.ends:
            await outcomes.end(connection, message, end.status, end.code)
        for gateway, next_at in leaving.paced():
            await connection.execute(
                "UPDATE sms_line SET next_at = $2 WHERE gateway = $1", gateway, next_at
            )

    def _job(
        self,
        row: asyncpg.Record,
        verdict: Send | Ask | Look,
        delay: float,
        now: datetime,
        began: float,
    ) -> Job:
        params = row["params"]
        if isinstance(params, str):
            params = msgspec.json.decode(params)
        return Job(
            verdict=verdict,
            text=Outgoing(
                id=row["id"],
                recipient=row["recipient"],
                body=row["body"],
                template=row["template"],
                version=row["version"],
                language=row["language"],
                params=params,
                expires_at=row["expires_at"],
            ),
            number=row["tries"] + isinstance(verdict, Send),
            began_at=now if isinstance(verdict, Send) else row["tried_at"] or now,
            provider_id=row["provider_id"] or "",
            looks=row["looks"],
            starts=began + delay,
            deadline=began + self.rules.lease - self.rules.timeout,
        )

    # Doing

    async def _run(self, job: Job) -> None:
        gateway = self._by_name[job.verdict.gateway]
        if isinstance(job.verdict, Send):
            await self._send(job, gateway)
        elif isinstance(job.verdict, Ask):
            await self._ask(job, gateway)
        else:
            await self._look(job, gateway)

    async def _send(self, job: Job, gateway: Gateway) -> None:
        await asyncio.sleep(job.starts - time.monotonic())
        # Late, another worker may soon ask and send; then it must not be us as well.
        if self._stopping or time.monotonic() > job.deadline:
            await self._keep(lambda connection: _give_back(connection, job))
            return
        called = time.monotonic()
        try:
            answer = await asyncio.wait_for(
                gateway.send(job.text), self.rules.timeout + 1.0
            )
        except GatewayError as fault:
            error = fault
        except TimeoutError:
            error = GatewayError("no answer in time", maybe_accepted=True)
        except Exception as fault:
            # A fault of ours or of a library, anywhere before or after the sending.
            log.exception("text %d: %s failed", job.text.id, gateway.name)
            error = GatewayError(f"{type(fault).__name__}", maybe_accepted=True)
        else:
            self.tally.took(time.monotonic() - called)
            self.tally.sent += 1
            self._silences[gateway.name] = 0
            if answer.status in MISSED:
                await self._keep(
                    lambda connection: self._accepted(connection, job, answer)
                )
            else:
                await self._together(self._taken(job, answer))
            return
        await self._refused(job, gateway, error)

    async def _accepted(
        self, connection: asyncpg.Connection, job: Job, answer: Answer
    ) -> None:
        await outcomes.accepted(connection, [self._taken(job, answer)])
        if answer.status in MISSED:
            await self._heard(connection, job, answer)

    def _taken(self, job: Job, answer: Answer) -> Taken:
        gateway = self._by_name[job.verdict.gateway]
        return Taken(
            message=job.text.id,
            number=job.number,
            gateway=gateway.name,
            provider_id=answer.provider_id,
            delivered=answer.status is Status.DELIVERED,
            price=self.rules.prices.get(gateway.name, 0),
            look_after=self.rules.looks[0]
            if gateway.can_look and self.rules.looks
            else None,
        )

    async def _together(self, taken: Taken) -> None:
        """Write down that a text was taken, with all that wait to be written.

        A commit costs the disk as much for one as for many. While one is under way the
        next gather.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((taken, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_waiting())
        await written

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._write_batch(batch)
        finally:
            self._writer = None

    async def _write_batch(
        self, batch: list[tuple[Taken, asyncio.Future[None]]]
    ) -> None:
        try:
            await self._keep(
                lambda connection: outcomes.accepted(
                    connection, [taken for taken, _ in batch]
                )
            )
        except Exception as fault:
            if len(batch) > 1 and not isinstance(fault, DATABASE_AWAY):
                # One that cannot be written must not take the others with it.
                for one in batch:
                    await self._write_batch([one])
                return
            for _, written in batch:
                if not written.done():
                    written.set_exception(fault)
            return
        for _, written in batch:
            if not written.done():
                written.set_result(None)

    async def _heard(
        self, connection: asyncpg.Connection, job: Job, answer: Answer
    ) -> None:
        await outcomes.hear(
            connection,
            job.verdict.gateway,
            job.text.id,
            answer.provider_id,
            answer.status,
            answer.said,
            answer.error_code,
        )

    async def _refused(self, job: Job, gateway: Gateway, fault: GatewayError) -> None:
        if fault.maybe_accepted:
            self.tally.unsure += 1
            self._silences[gateway.name] += 1
            await self._keep(
                lambda connection: self._silence(connection, job, gateway, fault)
            )
            return
        self.tally.refused += 1
        self._silences[gateway.name] = 0
        await self._keep(
            lambda connection: self._turned_down(connection, job, gateway, fault)
        )

    async def _silence(
        self,
        connection: asyncpg.Connection,
        job: Job,
        gateway: Gateway,
        fault: GatewayError,
    ) -> None:
        """Nobody knows whether it was taken: ask once the gateway has settled."""
        await outcomes.refused(
            connection,
            job.text.id,
            job.number,
            outcome="unsure",
            code=fault.code,
            error=str(fault),
        )
        wait = max(self.rules.settle, fault.retry_after or 0.0)
        await outcomes.keep_unsure(
            connection, job.text.id, job.number, wait, str(fault)
        )
        if self._silences[gateway.name] >= SILENCES:
            self._silences[gateway.name] = 0
            await _pause(connection, gateway.name, self.rules.rest, str(fault))

    async def _turned_down(
        self,
        connection: asyncpg.Connection,
        job: Job,
        gateway: Gateway,
        fault: GatewayError,
    ) -> None:
        """Do what follows when it was certainly not taken."""
        await outcomes.refused(
            connection,
            job.text.id,
            job.number,
            outcome="refused",
            code=fault.code,
            error=str(fault),
        )
        told = {"code": fault.code, "error": str(fault)}
        matter = refusal(fault.code).matter if fault.code else Matter.LINE
        if matter is Matter.LINE:
            # No fault of the text: the line rests, the next gateway may take it now.
            wait = LONG_REST if fault.permanent else fault.retry_after or 0.0
            wait = max(wait, self.rules.back_off(1))
            await _pause(connection, gateway.name, wait, str(fault))
            await outcomes.requeue(connection, job.text.id, job.number, 0.0, **told)
        elif not fault.permanent:
            wait = self.rules.back_off(job.number, fault.retry_after)
            await outcomes.requeue(connection, job.text.id, job.number, wait, **told)
        elif matter is Matter.TEXT:
            await outcomes.requeue(
                connection,
                job.text.id,
                job.number,
                0.0,
                **told,
                avoid=gateway.name,
            )
        else:
            await outcomes.end(
                connection,
                job.text.id,
                Status.FAILED,
                fault.code,
                str(fault),
                number=job.number,
            )

    async def _ask(self, job: Job, gateway: Gateway) -> None:
        try:
            async with self.transaction() as connection:
                taken = await self._ids_of_others(connection, job, gateway)
            found = await gateway.find(job.text, job.began_at, taken)
        except GatewayError as fault:
            wait = self.rules.back_off(job.looks + 1, fault.retry_after)
            error = str(fault)
            await self._keep(
                lambda connection: outcomes.keep_unsure(
                    connection, job.text.id, job.number, wait, error
                ),
            )
            return
        if found is None:
            await self._keep(lambda connection: self._not_taken(connection, job))
            return
        try:
            await self._keep(
                lambda connection: self._accepted(connection, job, found),
            )
        except asyncpg.UniqueViolationError:
            # Two alike were in doubt at once, and the other was quicker. Ask again.
            await self._keep(
                lambda connection: outcomes.keep_unsure(
                    connection, job.text.id, job.number, 0.0, "found another's"
                ),
            )

    async def _ids_of_others(
        self, connection: asyncpg.Connection, job: Job, gateway: Gateway
    ) -> frozenset[str]:
        rows = await connection.fetch(
            """
            SELECT provider_id FROM sms_message
            WHERE recipient = $1 AND gateway = $2 AND provider_id IS NOT NULL
                AND sent_at > $3
            """,
            job.text.recipient,
            gateway.name,
            job.began_at - timedelta(hours=1),
        )
        return frozenset(row["provider_id"] for row in rows)

    async def _not_taken(self, connection: asyncpg.Connection, job: Job) -> None:
        await outcomes.refused(connection, job.text.id, job.number, outcome="not_taken")
        wait = 0.0 if job.number == 1 else self.rules.back_off(job.number)
        await outcomes.requeue(connection, job.text.id, job.number, wait)

    async def _look(self, job: Job, gateway: Gateway) -> None:
        looks = self.rules.looks
        later = (
            timedelta(seconds=looks[job.looks + 1])
            if job.looks + 1 < len(looks)
            else None
        )
        try:
            answer = await gateway.look(job.provider_id)
        except GatewayError:
            answer = None

        async def write(connection: asyncpg.Connection) -> None:
            if answer is not None:
                await self._heard(connection, job, answer)
            await outcomes.look_later(connection, job.text.id, later)

        await self._keep(write)

    async def _keep(
        self,
        write: Callable[[asyncpg.Connection], Awaitable[Any]],
    ) -> None:
        """Write an outcome down, and try again while the database is away."""
        until = time.monotonic() + PATIENCE
        wait = 0.05
        while True:
            try:
                async with self.transaction() as connection:
                    await write(connection)
            except DATABASE_AWAY as fault:
                if time.monotonic() > until:
                    raise
                log.warning("an outcome is written again: %s", fault)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 2.0)
            else:
                return


async def _give_back(connection: asyncpg.Connection, job: Job) -> None:
    """Return a text that was claimed but certainly not handed over."""
    await outcomes.refused(connection, job.text.id, job.number, outcome="abandoned")
    await outcomes.requeue(connection, job.text.id, job.number, 0.0)


class _Leaving:
    """The verdicts on one claim's rows, with what each means for those after it."""

    def __init__(self, ways: Sequence[Way], rules: Rules, now: datetime) -> None:
        self.rules, self.now = rules, now
        self.ways = ways
        self.taken: list[tuple[asyncpg.Record, Send | Ask | Look, float]] = []
        self.waits: list[tuple[int, Wait]] = []
        self.ends: list[tuple[int, End]] = []
        self.rests: list[int] = []
        self._next = {way.name: max(way.next_at, now) for way in ways}
        self._began = dict(self._next)
        self._told: dict[str, int] = {}
        self._last: set[str] = set()

    @property
    def judged(self) -> int:
        """How many rows were dealt with; the others wait for their turn untouched."""
        others = len(self.waits) + len(self.ends) + len(self.rests)
        return len(self.taken) + others

    def add(self, row: asyncpg.Record) -> None:
        """Judge one row."""
        verdict = judge(self._candidate(row), self.ways, self.rules, self.now)
        self._sort(row, verdict)

    def paced(self) -> list[tuple[str, datetime]]:
        """Return when the next text may go, for each line that moved."""
        return [
            (name, moment)
            for name, moment in self._next.items()
            if moment != self._began[name]
        ]

    def _sort(self, row: asyncpg.Record, verdict: Verdict) -> None:
        if isinstance(verdict, Send):
            turn = self._turn(verdict.gateway)
            if turn is not None:
                self.taken.append((row, verdict, turn))
                self._last.add(row["recipient"])
                self._told[row["group"]] = self._told.get(row["group"], 0) + 1
        elif isinstance(verdict, Ask | Look):
            self.taken.append((row, verdict, 0.0))
        elif isinstance(verdict, Wait):
            self.waits.append((row["id"], verdict))
        elif isinstance(verdict, End):
            self.ends.append((row["id"], verdict))
        elif isinstance(verdict, Rest):
            self.rests.append(row["id"])

    def _turn(self, gateway: str) -> float | None:
        """Return in how many seconds the next text may go; None: beyond the horizon."""
        if not self.rules.rate:
            return 0.0
        turn = (self._next[gateway] - self.now).total_seconds()
        if turn > self.rules.horizon:
            return None
        self._next[gateway] += timedelta(seconds=1 / self.rules.rate)
        return turn

    def _candidate(self, row: asyncpg.Record) -> Candidate:
        last = self.now if row["recipient"] in self._last else row["last_told"]
        alike = self._told.get(row["group"], 0) if row["group"] else 0
        return Candidate(
            id=row["id"],
            status=Status(row["status"]),
            recipient=row["recipient"],
            template=row["template"],
            unsure=row["unsure"],
            gateway=row["gateway"],
            avoid=row["avoid"],
            began=max(filter(None, (row["created_at"], row["not_before"]))),
            expires_at=row["expires_at"],
            tried_at=row["tried_at"],
            error_code=row["error_code"],
            opted_out=row["opted_out"],
            mark=row["mark"],
            told_today=row["told_today"] + alike,
            last_told=last,
        )


async def _pause(
    connection: asyncpg.Connection, gateway: str, seconds: float, why: str
) -> None:
    await connection.execute(
        """
        UPDATE sms_line
        SET paused_until = greatest(
                paused_until, now() + make_interval(secs => $2)
            ),
            note = left($3, 240)
        WHERE gateway = $1
        """,
        gateway,
        seconds,
        why,
    )
