"""The sheet of one call to ``record``: noted while judging, written at the end.

Holds what was found under the locks and gathers what is to be written: lines,
irregularities, refusals, texts, new legs. Writes all of it in bulk, in the caller's
transaction. Knows no rule.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection

from postal_track import (
    bags,
    chronicle,
    codes,
    complaints,
    errors,
    legs,
    notices,
    outgoing,
    planned,
    promises,
)
from postal_track.bags import Bag
from postal_track.chronicle import Chain
from postal_track.claims import Claim
from postal_track.custody import Custody, Event, Kind, Party, PartyKind, Stage
from postal_track.database import given
from postal_track.errors import Conflict, PostalTrackError
from postal_track.instructions import MayReceive
from postal_track.legs import Birth
from postal_track.scans import Outcome, Scan
from postal_track.settings import settings

TO_BE_ENDED_WITHIN = timedelta(hours=24)
"""How long the owner of an irregularity has to end it; a search takes longer."""


CLOSES = time(17)
"""When the last day of a search ends."""


@dataclass(slots=True)
class Sheet:
    """The work of one call: what was found, and what is to be written."""

    now: datetime
    chains: dict[str, Chain]
    kept: dict[UUID, "Kept"]
    in_force: codes.Codes
    unbound: frozenset[str]
    refusals: list[tuple[Any, ...]] = field(default_factory=list)
    irregularities: list[tuple[Any, ...]] = field(default_factory=list)
    occasions: list[notices.Occasion] = field(default_factory=list)
    registrations: list[tuple[int, str, date | None]] = field(default_factory=list)
    bindings: dict[str, Chain] = field(default_factory=dict)
    corrected: list[tuple[UUID | None, int]] = field(default_factory=list)
    turned_up: list[tuple[Chain, int]] = field(default_factory=list)
    births: list[tuple[Chain, Birth]] = field(default_factory=list)
    transfers: list[tuple[int, int]] = field(default_factory=list)
    bags: dict[str, Bag] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)
    bag_scans: list[tuple[Any, ...]] = field(default_factory=list)
    moved: dict[str, Bag] = field(default_factory=dict)
    plans: list[planned.Plan] = field(default_factory=list)
    receivers: dict[int, MayReceive] = field(default_factory=dict)
    lost: list[tuple[Chain, Scan]] = field(default_factory=list)
    offices: dict[int, Party] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier call answered to the same scan id."""

    code: str
    step: str
    remarks: tuple[Kind, ...]
    error: PostalTrackError | None


async def answered_before(
    connection: Connection, ids: Sequence[UUID]
) -> dict[UUID, Kept]:
    """Find what earlier calls answered to these scan ids."""
    rows = await connection.fetch(
        f"""
        SELECT e.id, l.waybill, e.flags, NULL AS error, NULL AS fields,
            CASE WHEN e.corrects IS NULL THEN e.step ELSE 'corrected' END AS step
        FROM event e JOIN item l ON l.id = e.item
        WHERE e.id = ANY({given(1, "uuid")})
        UNION ALL
        SELECT id, code, '{{}}', error, fields, step FROM refused_scan
        WHERE id = ANY({given(1, "uuid")})
        """,  # noqa: S608 - constants
        ids,
    )
    return {
        row["id"]: Kept(
            code=row["waybill"],
            step=row["step"],
            remarks=tuple(Kind(flag) for flag in row["flags"]),
            error=_recall(row["error"], row["fields"]) if row["error"] else None,
        )
        for row in rows
    }


def _recall(name: str, facts: dict[str, Any]) -> PostalTrackError:
    """Make an error again as it was answered the first time."""
    kind: type[PostalTrackError] = getattr(errors, name)
    return kind(**facts)


async def unbound(connection: Connection, waybills: Iterable[str]) -> frozenset[str]:
    """Find which of these labels are on no item yet."""
    rows = await connection.fetch(
        "SELECT waybill FROM label WHERE waybill = ANY($1::bpchar[]) AND item IS NULL",
        sorted(waybills),
    )
    return frozenset(row["waybill"] for row in rows)


def repeat(sheet: Sheet, claim: Claim, known: Kept) -> Outcome:
    """Answer a scan again as it was answered the first time."""
    scan = claim.scan
    chain = sheet.chains.get(claim.waybill)
    # A label may mean another item by now: that of the leg its envelope went on in.
    names = {scan.code, claim.waybill, chain.waybill if chain else ""}
    if known.code not in names or known.step != scan.step.value:
        return Outcome(scan.id, claim.waybill, error=other_scan())
    return Outcome(scan.id, claim.waybill, known.remarks, known.error)


def other_scan() -> Conflict:
    """Refuse an id that belongs to another scan."""
    return Conflict(
        why="another scan has the same id",
        why_vi="một lượt quét khác đã dùng mã số này",
    )


def to_be_ended_by(kind: Kind, now: datetime) -> datetime:
    """Say when an irregularity is to be ended: after the search, or in a day."""
    if kind is not Kind.MISSING:
        return now + TO_BE_ENDED_WITHIN
    day = now.astimezone(promises.LOCAL).date()
    last = promises.add_working_days(day, settings().SEARCH_DAYS)
    return datetime.combine(last, CLOSES, promises.LOCAL).astimezone(UTC)


def owner_of(kind: Kind, now: Custody, event: Event) -> Party | None:
    """Name who must put it right.

    The giver when he is asked for, else the place that found it.
    """
    asked = kind in (
        Kind.UNANNOUNCED,
        Kind.COUNT_MISMATCH,
        Kind.SEAL_BROKEN,
        Kind.DAMAGED,
        Kind.MISSING,
    )
    if asked and now.holder.kind in (
        PartyKind.STAFF,
        PartyKind.OFFICE,
        PartyKind.AGENCY,
    ):
        return now.holder
    return event.place


def open_irregularity(
    sheet: Sheet,
    chain: Chain,
    event: UUID | None,
    kind: Kind,
    owner: Party | None,
    detail: str,
) -> None:
    """Note that someone must put something right."""
    due = to_be_ended_by(kind, sheet.now)
    sheet.irregularities.append(
        (
            chain.id,
            event,
            kind.value,
            str(owner or chain.custody.holder),
            due,
            sheet.now,
            detail,
        )
    )


def refuse(sheet: Sheet, claim: Claim, error: PostalTrackError) -> Outcome:
    """Refuse one scan, and keep it word for word."""
    scan = claim.scan
    sheet.refusals.append(
        (
            scan.id,
            scan.actor.staff,
            (claim.waybill or scan.code)[:200],
            scan.step.value,
            sheet.now,
            type(error).__name__,
            asdict(error),
            _without_secrets(scan),
        )
    )
    return Outcome(scan.id, claim.waybill, error=error)


def _without_secrets(scan: Scan) -> dict[str, Any]:
    """Keep a refused scan as it came, less the citizen's code and signature."""
    proof = replace(scan.proof, code="", signature="") if scan.proof else None
    words: dict[str, Any] = msgspec.to_builtins(
        replace(scan, proof=proof), str_keys=True
    )
    del words["actor"]
    return words


async def write(connection: Connection, sheet: Sheet) -> list[int]:
    """Write the whole sheet; the ids of the messages that are due now."""
    await chronicle.write(connection, {c.id: c for c in sheet.chains.values()}.values())
    if sheet.bindings:
        await connection.execute(
            """
            UPDATE label SET item = n.item, bound_at = $3
            FROM unnest($1::text[], $2::bigint[]) AS n(waybill, item) WHERE
                label.waybill = n.waybill
            """,
            list(sheet.bindings),
            [chain.id for chain in sheet.bindings.values()],
            sheet.now,
        )
    if sheet.registrations:
        await _register(connection, sheet)
    if sheet.corrected:
        await connection.execute(
            """
            UPDATE irregularity AS i SET ended_at = $3, ended_by = n.staff,
                ending = 'corrected', outcome = 'corrected'
            FROM unnest($1::uuid[], $2::int[]) AS n(event, staff)
            WHERE i.event = n.event AND i.ended_at IS NULL
            """,
            [event for event, _ in sheet.corrected],
            [staff for _, staff in sheet.corrected],
            sheet.now,
        )
    if sheet.bag_scans:
        await bags.write(connection, sheet.bag_scans, list(sheet.moved.values()))
    await codes.keep(connection, sheet.in_force)
    await _insert(connection, _IRREGULARITIES, sheet.irregularities)
    await _end_searches(connection, sheet)
    for chain, scan in sheet.lost:
        await _settle(connection, chain, scan)
    await _insert(connection, _REFUSALS, sheet.refusals)
    final = {chain.id: chain.custody for chain in sheet.chains.values()}
    await outgoing.withdraw(connection, _overtaken(sheet, final))
    told = await outgoing.put(connection, sheet.occasions, final, sheet.now)
    if sheet.transfers:
        await connection.executemany(
            "UPDATE dossier SET agency = $2 WHERE id = $1", sheet.transfers
        )
    await planned.write(connection, sheet.plans)
    for _, birth in sheet.births:
        born = await legs.bear(connection, birth)
        told += await legs.announce(connection, born, birth)
    return told


def _overtaken(sheet: Sheet, final: Mapping[int, Custody]) -> set[tuple[int, str]]:
    """Find which texts about which dossiers this call has made untrue."""
    dossiers = {chain.id: chain.dossier for chain in sheet.chains.values()}
    return {
        (dossiers[occasion.item], name)
        for occasion in sheet.occasions
        for name in notices.overtaken(occasion.before, final[occasion.item])
    }


async def _end_searches(connection: Connection, sheet: Sheet) -> None:
    """End the search for what has turned up; whoever told of it has found it."""
    sought = (Stage.MISSING, Stage.LOST)
    found = {
        chain.id: staff
        for chain, staff in sheet.turned_up
        if chain.custody.stage not in sought
    }
    await _insert(connection, _FOUND, list(found.items()))


async def _settle(connection: Connection, chain: Chain, scan: Scan) -> None:
    """Open the claim that a loss brings with it, and end what it answers.

    Before the texts are written: the citizen's names the claim.
    """
    number = await connection.fetchval(
        f"SELECT max(id) FROM irregularity WHERE {_SOUGHT}",  # noqa: S608
        chain.id,
    )
    await complaints.open_for_loss(connection, chain.id, number, scan.actor)
    await connection.execute(
        f"""
        UPDATE irregularity SET ended_at = clock_timestamp(), ended_by = $2,
            outcome = 'lost', ending = $3 WHERE {_SOUGHT}
        """,  # noqa: S608 - a constant
        chain.id,
        scan.actor.staff,
        scan.note.strip()[:240],
    )


_SOUGHT = """
    item = $1 AND kind IN ('missing', 'silent_too_long') AND ended_at IS NULL
"""

_FOUND = """
    UPDATE irregularity AS i SET ended_at = clock_timestamp(), ended_by = n.staff,
        outcome = 'found'
    FROM unnest($1::bigint[], $2::int[]) AS n(item, staff)
    WHERE i.item = n.item AND i.kind = 'missing' AND i.ended_at IS NULL
"""


_IRREGULARITIES = """
    INSERT INTO irregularity (item, event, kind, owner, due_at, opened_at, detail,
        ending)
    SELECT *, '' FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[],
        $5::timestamptz[],
        $6::timestamptz[], $7::text[])
"""


_REFUSALS = """
    INSERT INTO refused_scan (id, staff, code, step, at, error, fields, scan)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[],
        $5::timestamptz[],
        $6::text[], $7::jsonb[], $8::jsonb[])
    ON CONFLICT (id) DO NOTHING
"""


async def _insert(
    connection: Connection, statement: str, rows: list[tuple[Any, ...]]
) -> None:
    if rows:
        await connection.execute(statement, *map(list, zip(*rows, strict=True)))


async def _register(connection: Connection, sheet: Sheet) -> None:
    """Give dossiers the agency's own code and due date.

    A code that another dossier has stays with that one.
    """
    for dossier, code, due_on in sheet.registrations:
        await connection.execute(
            """
            INSERT INTO dossier_code (dossier, source, code, given_at)
            SELECT $1, 'agency:' || d.agency, $2, $3 FROM dossier d WHERE d.id = $1
            ON CONFLICT (source, code) DO NOTHING
            """,
            dossier,
            code,
            sheet.now,
        )
        await connection.execute(
            "UPDATE dossier SET due_on = coalesce($2, due_on) WHERE id = $1",
            dossier,
            due_on,
        )
