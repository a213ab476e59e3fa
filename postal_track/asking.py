"""A citizen asks, proves by a code to the phone that it is he, and it is done.

A request is a row before it is anything else: what was asked, word for word, and a code
that is good for just that. The code is never kept; it is derived like those of a
handover. Nothing of a request has an effect before it is confirmed, and then only what
its stage still allows. Knows no HTTP.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec
from asyncpg import Connection, Record

from postal_track import bookings, carrying_out, following, limits, outgoing, wanted
from postal_track.asks import Act, State, open_to
from postal_track.database import transaction
from postal_track.errors import (
    BadCode,
    BadInput,
    BadPhone,
    CodeSpent,
    Conflict,
    NotFound,
    PostalTrackError,
    Problem,
    RequestOver,
    TooOften,
)
from postal_track.followed import Followed
from postal_track.limits import Limit
from postal_track.orders import Order, plain
from postal_track.phones import mask, normalise
from postal_track.settings import settings
from postal_track.staff import Actor
from postal_track.wishes import by_waybill
from sms.outbox import drop_calls

TRIES = 5
"""Wrong tries of one code."""

MOST_CODES = 3
"""Codes for one request."""

CODE_STANDS_FOR = timedelta(minutes=15)
"""A text may take some minutes; nobody keeps a page open for an hour."""

STANDS_FOR = timedelta(hours=1)
"""How long a request waits to be confirmed."""

TO_A_NUMBER = Limit("codes to a number", 5, timedelta(hours=1))
"""Nobody's phone is made to ring by a stranger, or not for long."""

TO_A_NUMBER_A_DAY = Limit("codes to a number a day", 12, timedelta(days=1))

FROM_AN_ADDRESS = Limit("codes from an address", 30, timedelta(hours=1))
"""A commune's computer room may share one."""

OF_A_DOSSIER = Limit("codes of a dossier", 12, timedelta(days=1))

TRIES_FROM_AN_ADDRESS = Limit("tries of codes", 60, timedelta(hours=1))

OPEN_FOR = timedelta(minutes=30)
"""How long somebody who asked for his data can look at it."""

SWEPT = 200
"""Requests of one sweep; the next one goes on."""

STUCK_AFTER = timedelta(minutes=1)
"""What was confirmed and not done by then is done by the sweep."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the one who made it may see it. ``token``: of its dossier, if any.

    ``shown`` is the masked number. ``left``: tries of the code in force.
    """

    id: UUID
    act: Act
    state: State
    token: str
    shown: str
    code_until: datetime
    left: int
    may_resend: bool
    decided: bool
    reason: str
    due_on: date | None


# Asking


async def ask(
    token: str, act: Act, payload: Mapping[str, Any], part: str, address: str
) -> UUID:
    """Note what somebody asks for on a dossier's page, and text him the code.

    ``part`` names whose number gets it. A request of the same kind that still waits is
    given up. Raises ``NotFound``, ``Conflict`` when the stage does not allow it (any
    more), ``BadInput`` on ``part`` for a number that gets no texts, ``TooOften``.
    """
    followed = await following.follow(token)
    if act not in open_to(followed):
        raise Conflict(*OVERTAKEN)
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT d.id, d.language, p.phone, p.part FROM dossier d
            JOIN person p ON p.dossier = d.id AND p.part = $2 WHERE d.token = $1
            """,
            plain(token),
            part,
        )
        waits = row and await connection.fetchval(
            """
            SELECT EXISTS (SELECT FROM citizen_request WHERE dossier = $1
                AND part = $2 AND act = $3 AND state = 'confirmed')
            """,
            row["id"],
            part,
            act.value,
        )
    if row is None:
        raise NotFound
    if waits and act is Act.ERASURE:
        raise Conflict(
            why="this was asked for already and will be answered",
            why_vi="yêu cầu này đã được gửi và đang chờ trả lời hoặc chờ đến ngày",
        )
    phone = _reachable(row["phone"], "part")
    await _knock(phone, address, f"dossier:{row['id']}")
    async with transaction() as connection:
        await connection.execute(
            """
            UPDATE citizen_request SET state = 'expired', ended_at = now(),
                payload = '{}', phone = ''
            WHERE dossier = $1 AND act = $2 AND state = 'asked'
            """,
            row["id"],
            act.value,
        )
        # Two that ask at once: the second finds the first by the index, and gives way.
        number, told = await _write(
            connection, uuid4(), act, row["id"], row["part"], phone, payload,
            row["language"],
        )  # fmt: skip
    await outgoing.poke(told)
    return number


async def ask_to_book(order: Order, address: str) -> UUID | str:
    """Note a booking that the phone has to confirm; the token if it is booked already.

    The same form sent twice is one request. Raises ``BadInput`` naming every field that
    cannot be used, ``OrderUsed`` and ``TooOften``.
    """
    problems = await bookings.check(order)
    phone, part = "", "owner"
    try:
        phone, part = _bookers_phone(order)
    except BadInput as fault:
        if not problems:
            problems = fault.problems
    if problems:
        raise BadInput(tuple(problems))
    if booked := await bookings.known(order):
        return booked.token
    payload = {"order": msgspec.to_builtins(order, str_keys=True)}
    id_ = uuid5(order.id, _digest(payload).hex())
    async with transaction() as connection:
        before = await connection.fetchrow(
            "SELECT state, expires_at FROM citizen_request WHERE id = $1", id_
        )
    if before is not None:
        if before["state"] == "asked" and before["expires_at"] > datetime.now(UTC):
            return id_
        id_ = uuid4()
    await _knock(phone, address, None)
    async with transaction() as connection:
        _, told = await _write(
            connection, id_, Act.BOOK, None, part, phone, payload, order.language
        )
    await outgoing.poke(told)
    return id_


async def what_was_booked(request: UUID) -> Order:
    """Give a booking back that still waits for its code; else ``NotFound``.

    For the browser that sent it: the caller has seen its pass.
    """
    row = await _find(request, None)
    if row["state"] != "asked" or row["expires_at"] <= datetime.now(UTC):
        raise NotFound
    return msgspec.convert(row["payload"]["order"], Order)


AT_THE_COUNTER = (
    Act.RESCHEDULE,
    Act.REDIRECT,
    Act.HOLD,
    Act.DEPUTY,
    Act.CANCEL,
)
"""What a clerk takes down for who stands before him, or has called."""


async def open_at_counter(waybill: str, actor: Actor) -> tuple[Followed, list[Act]]:
    """Say what can be asked for at the counter; ``NotFound`` outside one's reach."""
    async with transaction() as connection:
        dossier = await by_waybill(connection, waybill, actor)
        token = await connection.fetchval(
            "SELECT token FROM dossier WHERE id = $1", dossier
        )
    followed = await following.follow(token)
    possible = open_to(followed)
    return followed, [act for act in AT_THE_COUNTER if act in possible]


async def ask_at_counter(
    waybill: str, act: Act, typed: Mapping[str, str], actor: Actor
) -> None:
    """Take a wish down and do it: the clerk answers for who it was, not a code.

    Every number of the dossier is told. Raises ``NotAllowed``, ``NotFound`` outside his
    reach, ``BadInput`` naming each field, ``Conflict`` when it is too late for it.
    """
    followed, possible = await open_at_counter(waybill, actor)
    if act not in possible:
        raise Conflict(*OVERTAKEN)
    payload = await wanted.read(followed, act, typed)
    now = datetime.now(UTC)
    async with transaction() as connection:
        id_ = await connection.fetchval(
            """
            INSERT INTO citizen_request (id, act, dossier, part, phone, payload, digest,
                state, asked_at, expires_at, nonce, code_until, codes, wrong, reason,
                confirmed_at, decided_at, decided_by)
            SELECT $1, $2, d.id, 'owner', '', $3, $4, 'confirmed', $5, $5, ''::bytea,
                $5, 1, 0, '', $5, $5, $6 FROM dossier d WHERE d.token = $7
            RETURNING id
            """,
            uuid4(),
            act.value,
            payload,
            _digest(payload),
            now,
            actor.staff,
            followed.token,
        )
    await carry_out(id_)
    async with transaction() as connection:
        state = await connection.fetchval(
            "SELECT state FROM citizen_request WHERE id = $1", id_
        )
    if state != "applied":
        raise Conflict(*OVERTAKEN)


def _bookers_phone(order: Order) -> tuple[str, str]:
    """Take the number of whoever meets the carrier first."""
    met = order.recipient if order.service == "receive" else order.filer
    part = "recipient" if order.service == "receive" else "filer"
    person, part = (met, part) if met is not None else (order.owner, "owner")
    return _reachable(person.phone, f"{part}.phone"), part


def _reachable(number: str, field: str) -> str:
    try:
        phone = normalise(number)
    except BadPhone as fault:
        raise BadInput((Problem.of(field, fault),)) from fault
    if not phone.sms_capable:
        hotline = settings().HOTLINE
        why = (
            "A landline gets no code: give a mobile number, come to a post office or "
            f"call {hotline}.",
            "Số máy bàn không nhận được mã: hãy ghi số di động, đến bưu cục hoặc gọi "
            f"{hotline}.",
        )
        raise BadInput((Problem(field, *why),))
    return phone.e164


async def _knock(phone: str, address: str, dossier: str | None) -> None:
    await limits.knock(FROM_AN_ADDRESS, address)
    if dossier is not None:
        await limits.knock(OF_A_DOSSIER, dossier)
    await limits.knock(TO_A_NUMBER, phone)
    await limits.knock(TO_A_NUMBER_A_DAY, phone)


async def _write(
    connection: Connection,
    id_: UUID,
    act: Act,
    dossier: int | None,
    part: str,
    phone: str,
    payload: Mapping[str, Any],
    language: str,
) -> tuple[UUID, list[int]]:
    now = datetime.now(UTC)
    row = await connection.fetchrow(
        """
        INSERT INTO citizen_request (id, act, dossier, part, phone, payload, digest,
            state, asked_at, expires_at, nonce, code_until, codes, wrong, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'asked', $8, $9, $10, $11, 1, 0, '')
        ON CONFLICT DO NOTHING RETURNING *
        """,
        id_,
        act.value,
        dossier,
        part,
        phone,
        dict(payload),
        _digest(payload),
        now,
        now + STANDS_FOR,
        secrets.token_bytes(16),
        now + CODE_STANDS_FOR,
    )
    if row is None:
        # The other of two that came at the same time was written.
        found: UUID | None = await connection.fetchval(
            """
            SELECT id FROM citizen_request WHERE id = $1
                OR (dossier = $2 AND act = $3 AND state = 'asked')
            """,
            id_,
            dossier,
            act.value,
        )
        if found is None:
            raise Conflict(*OVERTAKEN)
        return found, []
    return id_, await _send(connection, row, language)


async def _send(connection: Connection, row: Record, language: str) -> list[int]:
    return await outgoing.put_code(
        connection,
        key=f"ask:{row['id']}:{row['codes']}",
        group=f"request:{row['id'].hex}",
        phone=row["phone"],
        language=language,
        act=row["act"],
        otp=digits(row["id"], row["nonce"], row["digest"]),
        until=row["code_until"],
    )


def _digest(payload: Mapping[str, Any]) -> bytes:
    said = msgspec.json.encode(payload, order="sorted")
    return hashlib.sha256(said).digest()


def digits(request: UUID, nonce: bytes, digest: bytes) -> str:
    """Derive the six digits: good for this request, as it was asked, and no other."""
    key = settings().SECRET_KEY.encode()
    said = b"citizen's request" + request.bytes + nonce + digest
    mac = hmac.new(key, said, hashlib.sha256).digest()
    return f"{int.from_bytes(mac[:8], 'big') % 1_000_000:06d}"


async def send_again(request: UUID, token: str | None, address: str) -> None:
    """Text a new code; the one before is good no more.

    Raises ``NotFound``, ``RequestOver``, or ``TooOften``, also after the last code.
    """
    row = await _find(request, token)
    if row["state"] != "asked" or row["expires_at"] <= datetime.now(UTC):
        raise RequestOver
    if row["codes"] >= MOST_CODES:
        raise TooOften(minutes=round(STANDS_FOR.total_seconds() / 60))
    dossier = f"dossier:{row['dossier']}" if row["dossier"] else None
    await _knock(row["phone"], address, dossier)
    now = datetime.now(UTC)
    async with transaction() as connection:
        fresh = await connection.fetchrow(
            """
            UPDATE citizen_request SET nonce = $2, code_until = $3, wrong = 0,
                codes = codes + 1
            WHERE id = $1 AND state = 'asked' AND codes = $4 RETURNING *
            """,
            request,
            secrets.token_bytes(16),
            min(now + CODE_STANDS_FOR, row["expires_at"]),
            row["codes"],
        )
        told = await _send(connection, fresh, row["language"]) if fresh else []
    await outgoing.poke(told)


# Looking


async def look(request: UUID, token: str | None) -> Asked:
    """Show a request to who has its address; ``NotFound`` on another dossier's page."""
    row = await _find(request, token)
    state, now = State(row["state"]), datetime.now(UTC)
    if state is State.ASKED and row["expires_at"] <= now:
        state = State.EXPIRED
    good = row["code_until"] > now
    return Asked(
        id=row["id"],
        act=Act(row["act"]),
        state=state,
        token=row["token"] or "",
        shown=mask(row["phone"]) if row["phone"] else "",
        code_until=row["code_until"],
        left=TRIES - row["wrong"] if good else 0,
        may_resend=row["codes"] < MOST_CODES,
        decided=row["decided_at"] is not None,
        reason=row["reason"],
        due_on=row["due_on"],
    )


async def _find(request: UUID, token: str | None) -> Record:
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT r.*, d.token, coalesce(d.language,
                r.payload -> 'order' ->> 'language', 'vi') AS language
            FROM citizen_request r LEFT JOIN dossier d ON d.id = r.dossier
            WHERE r.id = $1
            """,
            request,
        )
    # A booking is known by its own address; the rest belongs to a dossier's page.
    foreign = row is not None and (
        row["act"] != "book" if token is None else row["token"] != token
    )
    if row is None or foreign:
        raise NotFound
    return row


# Confirming


async def confirm(request: UUID, token: str | None, given: str, address: str) -> Asked:
    """Hold what was typed against the code, and do what was asked. Twice is once.

    Raises ``BadCode``, ``CodeSpent``, ``RequestOver``, ``NotFound`` or ``TooOften``.
    """
    await limits.knock(TRIES_FROM_AN_ADDRESS, address)
    await _find(request, token)
    async with transaction() as connection:
        row = await connection.fetchrow(
            "SELECT * FROM citizen_request WHERE id = $1 FOR UPDATE", request
        )
        fault = await _try(connection, row, given)
    if fault is not None:
        raise fault  # after the commit, so that the try counts
    await carry_out(request)
    return await look(request, token)


async def _try(
    connection: Connection, row: Record, given: str
) -> PostalTrackError | None:
    state, now = State(row["state"]), datetime.now(UTC)
    good = row["wrong"] < TRIES and row["code_until"] > now
    done = state in (State.CONFIRMED, State.APPLIED)
    if not done and (state is not State.ASKED or row["expires_at"] <= now):
        return RequestOver()
    if not good:
        return RequestOver() if done else CodeSpent()
    right = digits(row["id"], row["nonce"], row["digest"])
    if not hmac.compare_digest("".join(given.split()).encode(), right.encode()):
        # Also what is done already is told only to who has the code.
        await connection.execute(
            "UPDATE citizen_request SET wrong = wrong + 1 WHERE id = $1", row["id"]
        )
        left = TRIES - row["wrong"] - 1
        return BadCode(left=left) if left else CodeSpent()
    if not done:
        await connection.execute(
            """
            UPDATE citizen_request SET state = 'confirmed', confirmed_at = now()
            WHERE id = $1
            """,
            row["id"],
        )
    return None


# Showing somebody what is his own


def pass_for(request: UUID) -> str:
    """Make what opens a request's data, in the browser that sent or confirmed it."""
    until = int((datetime.now(UTC) + OPEN_FOR).timestamp())
    return f"{until}.{_pass(request, until)}"


def admits(request: UUID, given: str) -> bool:
    """Whether this opens the data of that request, still."""
    until, _, said = given.partition(".")
    if not until.isdecimal() or len(until) > 12:
        return False
    right = hmac.compare_digest(said.encode(), _pass(request, int(until)).encode())
    return right and int(until) > datetime.now(UTC).timestamp()


def _pass(request: UUID, until: int) -> str:
    key, said = settings().SECRET_KEY.encode(), f"own data:{request}:{until}"
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()


# Doing


async def carry_out(request: UUID) -> None:
    """Do what was confirmed, once; what the way has overtaken is refused."""
    async with transaction() as connection:
        row = await connection.fetchrow(
            "SELECT * FROM citizen_request WHERE id = $1", request
        )
    if row["state"] != "confirmed" or row["act"] == "erasure":
        return
    if row["act"] == "book":
        await _book(row)
    else:
        await _carry_out(row)


async def _book(row: Record) -> None:
    """Book it. By the order's id twice is once, so no lock is held meanwhile."""
    order = msgspec.convert(row["payload"]["order"], Order)
    try:
        booked = await bookings.book(order, None)
    except PostalTrackError as fault:
        await _refuse(row["id"], fault)
        return
    async with transaction() as connection:
        # All of it stands in the dossier's own rows now.
        await connection.execute(
            """
            UPDATE citizen_request SET state = 'applied', ended_at = now(),
                dossier = $2, payload = '{}'
            WHERE id = $1 AND state = 'confirmed'
            """,
            row["id"],
            booked.dossier,
        )


Deed = Callable[[Connection, Record], Awaitable[list[int]]]

_DEEDS: dict[Act, Deed] = {
    Act.CANCEL: carrying_out.cancel,
    Act.RESCHEDULE: carrying_out.reschedule,
    Act.REDIRECT: carrying_out.redirect,
    Act.HOLD: carrying_out.hold,
    Act.DEPUTY: carrying_out.deputise,
    Act.DATA: carrying_out.show,
}


async def _carry_out(row: Record) -> None:
    told: list[int] = []
    try:
        async with transaction() as connection:
            # Of two that do it at once the second waits here, and finds it done.
            row = await connection.fetchrow(
                "SELECT * FROM citizen_request WHERE id = $1 FOR UPDATE", row["id"]
            )
            if row["state"] != "confirmed":
                return
            act = Act(row["act"])
            await carrying_out.lock(connection, row["dossier"])
            token = await connection.fetchval(
                "SELECT token FROM dossier WHERE id = $1", row["dossier"]
            )
            if act not in open_to(await following.follow(token)):
                raise Conflict(*OVERTAKEN)
            told += await _DEEDS[act](connection, row)
            told += await outgoing.put_noted(
                connection, row["dossier"], row["id"], act.value, datetime.now(UTC)
            )
            await connection.execute(
                """
                UPDATE citizen_request SET state = 'applied', ended_at = now()
                WHERE id = $1
                """,
                row["id"],
            )
    except PostalTrackError as fault:
        await _refuse(row["id"], fault)
        return
    await outgoing.poke(told)


async def _refuse(request: UUID, fault: PostalTrackError) -> None:
    async with transaction() as connection:
        await connection.execute(
            """
            UPDATE citizen_request SET state = 'refused', ended_at = now(),
                reason = left($2, 500)
            WHERE id = $1 AND state = 'confirmed'
            """,
            request,
            fault.sentence("vi"),
        )


OVERTAKEN = (
    "at this stage it can no longer be asked for",
    "hồ sơ đã sang bước khác nên không còn yêu cầu được việc này",
)


# What nobody came back for


async def sweep(now: datetime | None = None) -> int:
    """Give up what was never confirmed, forget its words, and do what got stuck.

    Safe to repeat, and beside others; how many were given up.
    """
    now = now or datetime.now(UTC)
    async with transaction() as connection:
        over = await connection.fetch(
            f"""
            UPDATE citizen_request SET state = 'expired', ended_at = $1,
                payload = '{{}}', phone = ''
            WHERE id IN (SELECT id FROM citizen_request
                WHERE state = 'asked' AND expires_at <= $1
                ORDER BY expires_at LIMIT {SWEPT} FOR UPDATE SKIP LOCKED)
            RETURNING id
            """,  # noqa: S608 - a constant
            now,
        )
        # A refused booking left no dossier that its words could be erased with.
        await connection.execute(
            """
            UPDATE citizen_request SET payload = '{}', phone = ''
            WHERE state = 'refused' AND phone <> '' AND act = 'book'
                AND ended_at < $1::timestamptz - interval '1 day'
            """,
            now,
        )
        # Whoever waited for a code has asked for another, or given up.
        await drop_calls(connection, "S15_code")
        stuck = await connection.fetch(
            """
            SELECT id FROM citizen_request WHERE state = 'confirmed'
                AND act <> 'erasure' AND confirmed_at < $1
            """,
            now - STUCK_AFTER,
        )
    for row in stuck:
        await carry_out(row["id"])
    return len(over)
