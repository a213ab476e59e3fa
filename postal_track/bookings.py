"""Orders: a dossier with its persons, papers, waybill and label, and later its result.

The way into the ledger: an item is born here, by the same chain that every scan
continues. Positions are found before the transaction begins; no network is ever waited
for under a lock.
"""

import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection, Record

from postal_track import chronicle, codes, outgoing, promises
from postal_track.chronicle import Chain
from postal_track.custody import (
    CITIZEN,
    Event,
    Leg,
    Party,
    PartyKind,
    Role,
    Step,
)
from postal_track.database import transaction
from postal_track.errors import (
    BadAddress,
    BadInput,
    BadPhone,
    Conflict,
    NotAllowed,
    NotFound,
    NotYourPlace,
    Problem,
)
from postal_track.notices import Occasion
from postal_track.phones import normalise
from postal_track.places import Located, locate, nearest
from postal_track.s10 import waybill
from postal_track.staff import Actor

MOST_PAPERS = 40
MOST_OF_ONE_PAPER = 200
SERVICES = ("send", "receive", "both")
_SLUG = string.ascii_letters + string.digits
_DOSSIER_CODE = re.compile(r"\S(.{0,48}\S)?")


@dataclass(frozen=True, slots=True)
class PersonGiven:
    """A person as an order names him. ``ward`` is its code; empty.

    Found in the address.
    """

    name: str
    phone: str
    address: str
    ward: str = ""


@dataclass(frozen=True, slots=True)
class PaperGiven:
    """One line of the list of papers."""

    name: str
    originals: int
    copies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked of the post for one dossier. ``id`` is the sender's.

    The same order twice is one dossier.

    ``procedure`` and ``agency`` are their codes, ``office`` the code of the post office
    that collects (empty: the nearest). ``codes`` are (source, code) as other systems
    gave them.
    """

    id: UUID
    procedure: str
    agency: str
    service: str
    owner: PersonGiven
    filer: PersonGiven | None = None
    recipient: PersonGiven | None = None
    papers: Sequence[PaperGiven] = ()
    office: str = ""
    language: str = "vi"
    source: str = "counter"
    codes: Sequence[tuple[str, str]] = ()


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


@dataclass(slots=True)
class _Draft:
    """An order read and found good."""

    order: Order
    persons: list[tuple[str, PersonGiven, str, Located]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


async def book(order: Order, actor: Actor | None) -> Booked:
    """Take an order in. ``actor`` is the clerk or the system.

    ``None`` for a citizen's own booking.

    Raises ``BadInput`` naming every field that cannot be used; nothing is written then.
    """
    draft = await _read(order)
    async with transaction() as connection:
        if before := await _booked_before(connection, order.id):
            return before
        procedure = await _one(connection, "procedure", order.procedure, draft)
        agency = await _one(connection, "agency", order.agency, draft)
        office = await _office(connection, draft, agency)
        if draft.problems or procedure is None or agency is None or office is None:
            raise BadInput(tuple(draft.problems))
        told, booked = await _open(connection, draft, procedure, agency, office, actor)
    await outgoing.poke(told)
    return booked


async def _read(order: Order) -> _Draft:
    draft = _Draft(order)
    _plain_faults(draft)
    for part, person in (
        ("owner", order.owner),
        ("filer", order.filer),
        ("recipient", order.recipient),
    ):
        if person is not None:
            await _read_person(draft, part, person)
    return draft


def _plain_faults(draft: _Draft) -> None:
    order, say = draft.order, draft.problems.append
    if order.service not in SERVICES:
        say(
            Problem(
                "service",
                "Choose send, receive or both.",
                "Hãy chọn gửi, nhận hoặc cả hai.",
            )
        )
    if order.language not in ("vi", "en"):
        say(Problem("language", "Choose vi or en.", "Hãy chọn vi hoặc en."))
    if order.service != "receive" and not order.papers:
        say(
            Problem(
                "papers", "List at least one paper.", "Hãy ghi ít nhất một giấy tờ."
            )
        )
    if len(order.papers) > MOST_PAPERS:
        say(
            Problem(
                "papers",
                f"At most {MOST_PAPERS} lines.",
                f"Nhiều nhất {MOST_PAPERS} dòng.",
            )
        )
    for at, paper in enumerate(order.papers):
        if not paper.name.strip() or not _counted(paper):
            say(
                Problem(
                    f"papers.{at}",
                    "Name the paper; originals and copies make at least one.",
                    "Hãy ghi tên giấy tờ; bản chính và bản sao ít nhất là một.",
                )
            )
    for at, (source, code) in enumerate(order.codes):
        if not source.strip() or not _DOSSIER_CODE.fullmatch(code):
            say(
                Problem(
                    f"codes.{at}",
                    "A dossier code has 1 to 50 characters.",
                    "Mã hồ sơ có từ 1 đến 50 ký tự.",
                )
            )


def _counted(paper: PaperGiven) -> bool:
    sane = all(0 <= n <= MOST_OF_ONE_PAPER for n in (paper.originals, paper.copies))
    return sane and paper.originals + paper.copies > 0


async def _read_person(draft: _Draft, part: str, person: PersonGiven) -> None:
    if not person.name.strip():
        draft.problems.append(
            Problem(f"{part}.name", "The name is missing.", "Thiếu họ tên.")
        )
    phone = ""
    try:
        phone = normalise(person.phone).e164
    except BadPhone as fault:
        draft.problems.append(Problem.of(f"{part}.phone", fault))
    try:
        located = await locate(person.address, person.ward)
    except BadAddress as fault:
        draft.problems.append(Problem.of(f"{part}.address", fault))
        return
    draft.persons.append((part, person, phone, located))


async def _booked_before(connection: Connection, order: UUID) -> Booked | None:
    row = await connection.fetchrow(
        """
        SELECT d.id, d.token, d.slug, o.code, i.waybill FROM dossier d JOIN office o ON
            o.id = d.office
        LEFT JOIN item i ON i.dossier = d.id AND i.leg = 'dossier' WHERE d.order_id = $1
        """,
        order,
    )
    return (
        Booked(row["id"], row["token"], row["slug"], row["waybill"], row["code"])
        if row
        else None
    )


async def _one(
    connection: Connection, table: str, code: str, draft: _Draft
) -> Record | None:
    row = await connection.fetchrow(f"SELECT * FROM {table} WHERE code = $1", code)  # noqa: S608 - ours
    if row is None:
        draft.problems.append(
            Problem(table, "Choose one from the list.", "Hãy chọn trong danh sách.")
        )
    return row


async def _office(
    connection: Connection, draft: _Draft, agency: Record | None
) -> Record | None:
    """Take the office that was asked for, else the one nearest to the citizen."""
    if draft.order.office:
        return await _one(connection, "office", draft.order.office, draft)
    offices = await connection.fetch("SELECT * FROM office WHERE NOT hub")
    positions = {part: located.place for part, _, _, located in draft.persons}
    start = positions.get("filer") or positions.get("owner")
    if start is None or not offices:
        return None
    return nearest(start, offices)


async def _open(
    connection: Connection,
    draft: _Draft,
    procedure: Record,
    agency: Record,
    office: Record,
    actor: Actor | None,
) -> tuple[list[int], Booked]:
    order, now = draft.order, datetime.now(UTC)
    token, slug = (
        secrets.token_urlsafe(16),
        "".join(secrets.choice(_SLUG) for _ in range(10)),
    )
    dossier = await connection.fetchval(
        """
        INSERT INTO dossier (token, slug, agency, procedure, office, service, language,
            source, order_id,
            created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id
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
    if order.service == "receive":
        return [], Booked(dossier, token, slug, None, office["code"])
    place = Party(PartyKind.OFFICE, office["id"])
    first = Event(
        step=Step.BOOKED,
        by=actor.party if actor else CITIZEN,
        at=now,
        place=place,
        taker=CITIZEN,
        towards=Party(PartyKind.AGENCY, agency["id"]),
        originals=sum(p.originals for p in order.papers),
        copies=sum(p.copies for p in order.papers),
    )
    promised = promises.promise("dossier", now, outlying=False)
    chain = await _bear(connection, dossier, Leg.DOSSIER, first, promised, order.id)
    await codes.make(connection, [chain.id], "pickup", now, now + timedelta(days=365))
    told = await _tell(connection, chain, order.id, first, now)
    return told, Booked(dossier, token, slug, chain.waybill, office["code"])


async def _write_persons(connection: Connection, dossier: int, draft: _Draft) -> None:
    await connection.executemany(
        """
        INSERT INTO person (dossier, part, name, phone, address, ward, lat, lon,
            position_source, accuracy_m)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        [
            (
                dossier,
                part,
                person.name.strip()[:120],
                phone,
                person.address.strip()[:240],
                located.ward,
                located.place.lat,
                located.place.lon,
                located.source,
                located.accuracy_m,
            )
            for part, person, phone, located in draft.persons
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
            (dossier, at, p.name.strip()[:240], p.originals, p.copies)
            for at, p in enumerate(papers, 1)
        ],
    )


async def _write_codes(
    connection: Connection,
    dossier: int,
    given: Sequence[tuple[str, str]],
    now: datetime,
) -> None:
    for source, code in given:
        kept = await connection.fetchval(
            """
            INSERT INTO dossier_code (dossier, source, code, given_at) VALUES ($1, $2,
                $3, $4)
            ON CONFLICT (source, code) DO NOTHING RETURNING id
            """,
            dossier,
            source.strip()[:20],
            code,
            now,
        )
        if kept is None:
            raise Conflict(
                why="another dossier has this code",
                why_vi="mã này đã thuộc về hồ sơ khác",
            )


async def _bear(
    connection: Connection,
    dossier: int,
    leg: Leg,
    first: Event,
    promised: Any,
    event: UUID,
) -> Chain:
    """Give birth to an item: waybill, row, label and the first line of its ledger."""
    number = await connection.fetchval("SELECT nextval('waybill_serial')")
    chain = await chronicle.bear(
        connection, waybill(number), dossier, leg.value, promised, first
    )
    _add(chain, first, event)
    await chronicle.write(connection, [chain])
    return chain


def _add(chain: Chain, event: Event, id: UUID) -> None:
    line = {
        "id": id,
        "device_at": event.at,
        "recorded_at": event.at,
        "device": "",
        "device_seq": 0,
        "reason": None,
        "proof": None,
    }
    chain.add(event, line, [], {})


async def _tell(
    connection: Connection, chain: Chain, source: UUID, event: Event, now: datetime
) -> list[int]:
    occasion = Occasion(chain.id, source, event, chronicle.UNBORN, chain.custody)
    return await outgoing.put(connection, [occasion], {chain.id: chain.custody}, now)


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


async def announce_result(said: Announcement, actor: Actor) -> str:
    """Record that a dossier's result is ready and released to the post.

    The new item's waybill.

    The agency holds the result until a carrier accepts it. Announcing twice gives the
    same waybill.
    """
    if actor.role is not Role.OFFICER:
        raise NotAllowed
    _check(said)
    async with transaction() as connection:
        row = await connection.fetchrow(
            "SELECT id, agency, office FROM dossier WHERE token = $1 FOR UPDATE",
            said.token,
        )
        if row is None:
            raise NotFound
        agency = Party(PartyKind.AGENCY, row["agency"])
        if agency not in actor.places:
            raise NotYourPlace
        before = await connection.fetchval(
            "SELECT waybill FROM item WHERE dossier = $1 AND leg = 'result'", row["id"]
        )
        if before is not None:
            return str(before)
        now = datetime.now(UTC)
        ready = Event(
            step=Step.READY,
            by=actor.party,
            at=now,
            place=agency,
            taker=agency,
            towards=CITIZEN,
            originals=said.originals,
            copies=said.copies,
        )
        promised = promises.promise("result", now, outlying=False)
        chain = await _bear(connection, row["id"], Leg.RESULT, ready, promised, said.id)
        await connection.execute(
            "UPDATE item SET fee = $2 WHERE id = $1", chain.id, said.fee
        )
        released = Event(
            step=Step.RELEASED,
            by=actor.party,
            at=now,
            place=agency,
            towards=Party(PartyKind.OFFICE, row["office"]),
        )
        _add(chain, released, uuid4())
        await chronicle.write(connection, [chain])
        told = await _tell(connection, chain, said.id, ready, now)
    await outgoing.poke(told)
    return chain.waybill


def _check(said: Announcement) -> None:
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
    if problems:
        raise BadInput(tuple(problems))


async def print_pool(
    actor: Actor, size: int, office: int | None = None
) -> tuple[int, list[str]]:
    """Give out ``size`` waybills for labels printed ahead.

    The pool's number and its waybills.
    """
    office = office or actor.office
    if actor.role not in (Role.CLERK, Role.SUPERVISOR) or office is None:
        raise NotAllowed
    if not 1 <= size <= 1000:
        raise BadInput(
            (Problem("size", "Between 1 and 1000 labels.", "Từ 1 đến 1000 nhãn."),)
        )
    async with transaction() as connection:
        pool = await connection.fetchval(
            """
            INSERT INTO label_pool (office, printed_by, printed_at, size) VALUES ($1,
                $2, now(), $3)
            RETURNING id
            """,
            office,
            actor.staff,
            size,
        )
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
