"""Orders: a dossier with its persons, papers, waybill and label, and later its result.

The way into the ledger: an item is born here, by the same chain that every scan
continues. Positions are found before the transaction begins; no network is ever waited
for under a lock.
"""

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import charges, codes, instructions, legs, outgoing, promises
from postal_track.asks import Way
from postal_track.custody import (
    CITIZEN,
    Leg,
    Party,
    PartyKind,
    Role,
)
from postal_track.database import transaction
from postal_track.errors import (
    BadInput,
    NotAllowed,
    NotFound,
    NotYourPlace,
    OrderUsed,
    PostalTrackError,
    Problem,
)
from postal_track.legs import Birth
from postal_track.orders import MOST_OF_ONE_PAPER, Draft, read
from postal_track.orders import Order as Order
from postal_track.orders import PaperGiven as PaperGiven
from postal_track.orders import PersonGiven as PersonGiven
from postal_track.places import nearest
from postal_track.s10 import waybill
from postal_track.staff import Actor

_TAKES_ORDERS = (Role.CLERK, Role.SUPERVISOR, Role.ADMIN)
_SLUG = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Booked:
    """The dossier that an order became.

    ``waybill`` is ``None`` when only the result is to be brought.
    """

    dossier: int
    token: str
    slug: str
    waybill: str | None
    office: str


async def book(order: Order, actor: Actor | None, at: datetime | None = None) -> Booked:
    """Take an order in, told now or ``at`` a moment past (an order taken on paper).

    ``actor`` is the clerk or the system; ``None`` for a citizen's own booking. The same
    order again, or at the same time, is answered with the dossier it became.

    Raises ``BadInput`` naming every field that cannot be used, and ``OrderUsed`` when
    the order's id was spent on something else; nothing is written then.
    """
    if actor is not None and actor.role not in _TAKES_ORDERS:
        raise NotAllowed
    draft = await read(order)
    async with transaction() as connection:
        told, booked = await _take(connection, draft, actor, at or datetime.now(UTC))
    await outgoing.poke(told)
    return booked


async def _take(
    connection: Connection, draft: Draft, actor: Actor | None, now: datetime
) -> tuple[list[int], Booked]:
    # The same order sent twice at once: the second waits and finds the first.
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", str(draft.order.id)
    )
    if before := await _booked_before(connection, draft):
        return [], before
    procedure, agency, office = await _chosen(connection, draft)
    if draft.problems or procedure is None or agency is None or office is None:
        raise BadInput(tuple(draft.problems))
    return await _open(connection, draft, procedure, agency, office, actor, now)


async def book_results(orders: Sequence[Order], actor: Actor) -> list[Booked]:
    """Take in an agency's orders to bring results: all of them or none; in their order.

    No geocoder is asked: a list is long. Raises ``NotAllowed`` for who is no officer of
    the agency that each names, ``BadInput`` whose fields are ``<place>.<field>``.
    """
    if actor.role is not Role.OFFICER:
        raise NotAllowed
    drafts = [await read(order, ask=False) for order in orders]
    booked, told, now = {}, [], datetime.now(UTC)
    async with transaction() as connection:
        ours = await connection.fetch(
            "SELECT code FROM agency WHERE id = ANY($1::int[])",
            [p.id for p in actor.places if p.kind is PartyKind.AGENCY],
        )
        codes_of_ours = {row["code"] for row in ours}
        # In one order for everybody, so that two lists do not wait in a circle.
        for at in sorted(range(len(drafts)), key=lambda n: drafts[n].order.id):
            order = drafts[at].order
            if order.service != "receive" or order.agency not in codes_of_ours:
                raise NotAllowed
            try:
                texts, booked[at] = await _take(connection, drafts[at], actor, now)
            except BadInput as fault:
                raise BadInput(
                    tuple(replace(p, field=f"{at}.{p.field}") for p in fault.problems)
                ) from fault
            except OrderUsed as fault:
                raise BadInput((Problem.of(f"{at}.code", fault),)) from fault
            told += texts
    await outgoing.poke(told)
    return [booked[at] for at in range(len(drafts))]


async def check(order: Order) -> tuple[Problem, ...]:
    """Name everything that is wrong with an order; nothing is written."""
    draft = await read(order)
    async with transaction() as connection:
        await _chosen(connection, draft)
    return tuple(draft.problems)


async def known(order: Order) -> Booked | None:
    """Find the dossier that this order became; ``OrderUsed`` when it was another."""
    draft = await read(order)
    async with transaction() as connection:
        return await _booked_before(connection, draft)


async def _chosen(
    connection: Connection, draft: Draft
) -> tuple[Record | None, Record | None, Record | None]:
    """Find procedure, agency and office, and note those that are not there."""
    order = draft.order
    return (
        await _one(connection, "procedure", order.procedure, draft),
        await _one(connection, "agency", order.agency, draft),
        await _office(connection, draft),
    )


async def _booked_before(connection: Connection, draft: Draft) -> Booked | None:
    row = await connection.fetchrow(
        """
        SELECT d.id, d.token, d.slug, d.service, o.code AS office, i.waybill,
            p.code AS procedure, a.code AS agency,
            array(SELECT (part, name, phone) FROM person WHERE dossier = d.id)
                AS persons,
            array(SELECT (name, originals, copies) FROM paper WHERE dossier = d.id
                ORDER BY position) AS papers
        FROM dossier d JOIN office o ON o.id = d.office
        JOIN procedure p ON p.id = d.procedure JOIN agency a ON a.id = d.agency
        LEFT JOIN item i ON i.dossier = d.id AND i.leg = 'dossier'
        WHERE d.order_id = $1
        """,
        draft.order.id,
    )
    if row is None:
        return None
    if not _same(draft, row):
        raise OrderUsed(row["token"])
    return Booked(row["id"], row["token"], row["slug"], row["waybill"], row["office"])


def _same(draft: Draft, row: Record) -> bool:
    """Whether an order is the one that was booked.

    A form that the browser went back to carries the old id: what was typed into it for
    the next citizen must not be answered with this one's waybill.
    """
    order = draft.order
    chosen = (order.service, order.procedure, order.agency)
    papers = [(p.name, p.originals, p.copies) for p in order.papers]
    persons = {(p.part, p.name, p.phone) for p in draft.persons}
    # What was erased cannot be compared any more.
    erased = not row["persons"]
    return (
        chosen == (row["service"], row["procedure"], row["agency"])
        and (erased or papers == [tuple(line) for line in row["papers"]])
        and (erased or persons == {tuple(each) for each in row["persons"]})
    )


async def _one(
    connection: Connection, table: str, code: str, draft: Draft
) -> Record | None:
    row = await connection.fetchrow(f"SELECT * FROM {table} WHERE code = $1", code)  # noqa: S608 - ours
    if row is None:
        _choose(draft, table)
    return row


def _choose(draft: Draft, field: str) -> None:
    draft.problems.append(
        Problem(field, "Choose one from the list.", "Hãy chọn trong danh sách.")
    )


async def _office(connection: Connection, draft: Draft) -> Record | None:
    """Take the office that was asked for, else the one nearest to the citizen."""
    # Hubs sort; they have neither counter nor carriers.
    offices = await connection.fetch("SELECT * FROM office WHERE NOT hub")
    asked, start = draft.order.office, draft.start
    chosen = [each for each in offices if each["code"] == asked]
    if asked or not offices:
        if not chosen:
            _choose(draft, "office")
        return chosen[0] if chosen else None
    return nearest(start, offices) if start else None


async def _open(
    connection: Connection,
    draft: Draft,
    procedure: Record,
    agency: Record,
    office: Record,
    actor: Actor | None,
    now: datetime,
) -> tuple[list[int], Booked]:
    order = draft.order
    token, slug = (
        secrets.token_urlsafe(16),
        "".join(secrets.choice(_SLUG) for _ in range(10)),
    )
    dossier = await connection.fetchval(
        """
        INSERT INTO dossier (token, slug, agency, procedure, office, service, language,
            source, order_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id
        """,
        token,
        slug,
        agency["id"],
        procedure["id"],
        office["id"],
        order.service,
        order.language,
        order.source,
        order.id,
        now,
    )
    await _write_persons(connection, dossier, draft)
    await _write_papers(connection, dossier, order.papers)
    await _write_codes(connection, dossier, order.codes, now)
    if order.slot is not None and order.service != "receive":
        await instructions.set_slot(connection, dossier, Way.PICKUP, order.slot, None)
    fee = await charges.with_order(
        connection, dossier, order, procedure["fee"], agency["id"], office["id"], now
    )
    if order.service == "receive":
        return [], Booked(dossier, token, slug, None, office["code"])
    birth = Birth(
        id=order.id,
        dossier=dossier,
        leg=Leg.DOSSIER,
        by=actor.party if actor else CITIZEN,
        place=Party(PartyKind.OFFICE, office["id"]),
        holder=CITIZEN,
        addressee=Party(PartyKind.AGENCY, agency["id"]),
        at=now,
        originals=sum(p.originals for p in order.papers),
        copies=sum(p.copies for p in order.papers),
        promised_on=promises.promise("dossier", _fetched(order, now), outlying=False),
        fee=fee,
    )
    chain = await legs.bear(connection, birth)
    await codes.make(connection, [chain.id], "pickup", now, now + timedelta(days=365))
    told = await legs.announce(connection, chain, birth)
    return told, Booked(dossier, token, slug, chain.waybill, office["code"])


def _fetched(order: Order, now: datetime) -> datetime:
    """Say from when on the post can have it: a later day was chosen, or none."""
    if order.slot is None:
        return now
    return max(now, datetime.combine(order.slot.day, time(8), promises.LOCAL))


async def _write_persons(connection: Connection, dossier: int, draft: Draft) -> None:
    await connection.executemany(
        """
        INSERT INTO person (dossier, part, name, phone, address, ward, lat, lon,
            position_source, accuracy_m)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        [
            (
                dossier,
                person.part,
                person.name,
                person.phone,
                person.address,
                person.located.ward,
                person.located.place.lat,
                person.located.place.lon,
                person.located.source,
                person.located.accuracy_m,
            )
            for person in draft.persons
        ],
    )


async def _write_papers(
    connection: Connection, dossier: int, papers: Sequence[PaperGiven]
) -> None:
    await connection.executemany(
        """
        INSERT INTO paper (dossier, position, name, originals, copies)
        VALUES ($1, $2, $3, $4, $5)
        """,
        [
            (dossier, at, p.name, p.originals, p.copies)
            for at, p in enumerate(papers, 1)
        ],
    )


async def _write_codes(
    connection: Connection,
    dossier: int,
    given: Sequence[tuple[str, str]],
    now: datetime,
) -> None:
    for at, (source, code) in enumerate(given):
        kept = await connection.fetchval(
            """
            INSERT INTO dossier_code (dossier, source, code, given_at) VALUES ($1, $2,
                $3, $4)
            ON CONFLICT (source, code) DO NOTHING RETURNING id
            """,
            dossier,
            source,
            code,
            now,
        )
        if kept is None:
            raise BadInput(
                (
                    Problem(
                        f"codes.{at}",
                        "Another dossier has this code already.",
                        "Mã này đã thuộc về hồ sơ khác.",
                    ),
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An agency's word that a result is ready. ``id`` is the sender's: twice is once.

    ``fee``: VND to collect.
    """

    id: UUID
    token: str
    originals: int
    copies: int
    fee: int = 0


@dataclass(frozen=True, slots=True)
class Announced:
    """What became of one announcement: the result's waybill, or why there is none.

    Neither: it was in order, but another was not and nothing was written.
    """

    id: UUID
    token: str
    waybill: str = ""
    error: PostalTrackError | None = None


async def announce_result(
    said: Announcement, actor: Actor, at: datetime | None = None
) -> str:
    """Record that a result is ready and released to the post; return its waybill.

    The agency holds the result until a carrier accepts it. Announcing twice gives the
    same waybill.
    """
    (told,) = await announce_results([said], actor, at=at)
    if told.error is not None:
        raise told.error
    return told.waybill


async def announce_results(
    said: Sequence[Announcement],
    actor: Actor,
    *,
    partly: bool = False,
    at: datetime | None = None,
) -> list[Announced]:
    """Announce many results; what became of each, in the same order.

    All or none, unless ``partly``: then those that are in order go ahead. Safe to
    repeat either way.
    """
    if actor.role is not Role.OFFICER:
        raise NotAllowed
    now, answers, told = at or datetime.now(UTC), {}, []
    async with transaction() as connection:
        # In one order for everybody, so that two lists do not wait in a circle.
        rows = await connection.fetch(
            """
            SELECT id, token, agency, office FROM dossier WHERE token = ANY($1::text[])
            ORDER BY token FOR UPDATE
            """,
            [each.token for each in said],
        )
        dossiers = {row["token"]: row for row in rows}
        faults = [_fault(each, dossiers.get(each.token), actor) for each in said]
        ahead = partly or not any(faults)
        for each, fault in zip(said, faults, strict=True):
            if ahead and fault is None and each.token not in answers:
                answers[each.token], texts = await _ready(
                    connection, each, dossiers[each.token], actor, now
                )
                told += texts
    await outgoing.poke(told)
    return [
        Announced(
            each.id, each.token, "" if fault else answers.get(each.token, ""), fault
        )
        for each, fault in zip(said, faults, strict=True)
    ]


def _fault(
    said: Announcement, dossier: Record | None, actor: Actor
) -> PostalTrackError | None:
    """Say why this cannot be announced; ``None`` when it can."""
    problems = _problems(said)
    if problems:
        return BadInput(tuple(problems))
    # Another agency's dossier is as good as none.
    ours = dossier and Party(PartyKind.AGENCY, dossier["agency"]) in actor.places
    return None if ours else NotFound()


async def _ready(
    connection: Connection,
    said: Announcement,
    dossier: Record,
    actor: Actor,
    now: datetime,
) -> tuple[str, list[int]]:
    """Bear the item that brings a result, or find the one that does already."""
    before = await connection.fetchval(
        """
        SELECT waybill FROM item WHERE dossier = $1 AND leg = 'result'
            AND stage <> 'returned' ORDER BY id DESC
        """,
        dossier["id"],
    )
    if before is not None:
        return str(before), []
    agency = Party(PartyKind.AGENCY, dossier["agency"])
    fee = await charges.with_result(
        connection,
        dossier["id"],
        said.fee,
        dossier["agency"],
        dossier["office"],
        actor.staff,
        now,
    )
    birth = Birth(
        id=said.id,
        dossier=dossier["id"],
        leg=Leg.RESULT,
        by=actor.party,
        place=agency,
        holder=agency,
        addressee=CITIZEN,
        at=now,
        originals=said.originals,
        copies=said.copies,
        promised_on=promises.promise("result", now, outlying=False),
        fee=fee,
        release_to=Party(PartyKind.OFFICE, dossier["office"]),
    )
    chain = await legs.bear(connection, birth)
    return chain.waybill, await legs.announce(connection, chain, birth)


def _problems(said: Announcement) -> list[Problem]:
    problems = []
    if (
        not 0 < said.originals + said.copies <= MOST_OF_ONE_PAPER
        or min(said.originals, said.copies) < 0
    ):
        problems.append(
            Problem(
                "originals",
                "Count the result: at least one sheet.",
                "Hãy ghi số bản kết quả, ít nhất một bản.",
            )
        )
    if not 0 <= said.fee <= 1_000_000_000:
        problems.append(
            Problem("fee", "The amount is not plausible.", "Số tiền không hợp lý.")
        )
    return problems


async def print_pool(
    actor: Actor, size: int, office: int | None = None
) -> tuple[int, list[str]]:
    """Give out waybills for labels printed ahead; return the pool's number and them."""
    if actor.role not in (Role.CLERK, Role.SUPERVISOR):
        raise NotAllowed
    if office is None:
        office = actor.office
    # A supervisor without an office answers for all of them.
    if office is None or actor.office not in (None, office):
        raise NotYourPlace
    if not 1 <= size <= 1000:
        raise BadInput(
            (Problem("size", "Between 1 and 1000 labels.", "Từ 1 đến 1000 nhãn."),)
        )
    async with transaction() as connection:
        pool = await connection.fetchval(
            """
            INSERT INTO label_pool (office, printed_by, printed_at, size)
            SELECT id, $2, now(), $3 FROM office WHERE id = $1 RETURNING id
            """,
            office,
            actor.staff,
            size,
        )
        if pool is None:
            raise NotFound
        numbers = await connection.fetch(
            "SELECT nextval('waybill_serial') AS n FROM generate_series(1, $1)", size
        )
        waybills = [waybill(row["n"]) for row in numbers]
        await connection.execute(
            """
            INSERT INTO label (waybill, pool) SELECT w, $2 FROM unnest($1::text[]) AS w
            """,
            waybills,
            pool,
        )
    return pool, waybills
