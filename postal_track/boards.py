"""The list of items: searched, filtered, paged by key, cut to who asks.

Whatever a person knows of a dossier finds it: a waybill in any writing, a code, the
last digits of a phone, a name. Finding by what is personal is a reading of it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record

from postal_track import reach, readings
from postal_track.chronicle import IN_HAND
from postal_track.custody import Leg, Party, PartyKind, Role, Stage
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import BadInput, BadWaybill, ForeignCode, Problem
from postal_track.labels import parse_code
from postal_track.orders import plain
from postal_track.reach import Values
from postal_track.staff import Actor

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
LISTED = 50
LONGEST_SEARCH = 120

_FOUR_DIGITS = re.compile(r"[0-9]{4}")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; what is not set does not limit.

    ``agency`` and ``office`` are their ids; the office is the one that collects and
    delivers. ``since`` and ``until`` are local days, both included. ``before`` is the
    key that the page before gave.
    """

    text: str = ""
    stage: Stage | None = None
    agency: int | None = None
    office: int | None = None
    late: bool = False
    irregular: bool = False
    since: date | None = None
    until: date | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One item of the list. ``irregular``: how many irregularities have no end yet."""

    id: int
    waybill: str
    leg: Leg
    stage: Stage
    holder: Party
    since: datetime
    released_to: Party | None
    agency: Party
    office: Party
    code: str
    promised_on: date | None
    late: bool
    irregular: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list, the newest first; ``before`` asks for the next, if any."""

    rows: list[Row]
    names: dict[Party, Named]
    before: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """One line to choose from: an agency or an office."""

    id: int
    name: str
    name_en: str


def today() -> date:
    """Tell the day in An Giang."""
    return datetime.now(LOCAL).date()


def midnight(day: date) -> datetime:
    """Tell when a local day begins."""
    return datetime.combine(day, time(), LOCAL).astimezone(UTC)


async def items(wanted: Wanted, actor: Actor) -> Page:
    """List the items within someone's reach, the newest first.

    Raises ``BadInput`` on the field ``q`` for a waybill with a mistake in it.
    """
    async with transaction() as connection:
        values = Values()
        rules = [reach.items(actor, values, run=bool(wanted.text.strip()))]
        rules += _filters(wanted, values)
        found, personal = await _searched(connection, wanted.text, actor, values)
        rows = await connection.fetch(
            _LIST.format(
                late=_late(values),
                rules=" AND ".join(found + rules),
                most=LISTED + 1,
            ),
            *values,
        )
        if personal:
            await readings.note(actor, (r["dossier"] for r in rows[:LISTED]), "search")
    listed = [_row(row) for row in rows[:LISTED]]
    return Page(
        listed,
        await names({party for row in listed for party in _parties(row)}),
        listed[-1].id if len(rows) > LISTED else None,
    )


_LIST = """
    SELECT i.id, i.waybill, i.dossier, i.leg, i.stage, i.holder, i.since, i.released_to,
        i.promised_on, d.agency, d.office, {late} AS late,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
            ORDER BY c.source LIKE 'agency:%' DESC, c.id DESC LIMIT 1), '') AS code,
        (SELECT count(*) FROM irregularity r WHERE r.item = i.id AND r.ended_at IS NULL)
            AS irregular
    FROM item i JOIN dossier d ON d.id = i.dossier
    WHERE {rules} ORDER BY i.id DESC LIMIT {most}
"""


def _late(values: Values) -> str:
    day = values.put(today())
    return f"(coalesce(i.promised_on < {day}::date, false) AND i.{IN_HAND})"


def _filters(wanted: Wanted, values: Values) -> list[str]:
    rules = []
    if wanted.stage is not None:
        rules.append(f"i.stage = {values.put(wanted.stage.value)}")
    if wanted.agency is not None:
        rules.append(f"d.agency = {values.put(wanted.agency)}::int")
    if wanted.office is not None:
        rules.append(f"d.office = {values.put(wanted.office)}::int")
    if wanted.late:
        # All that is under way fits into an array; read first, it is read once.
        late = f"SELECT i.id FROM item i WHERE {_late(values)}"  # noqa: S608
        rules.append(f"i.id = ANY(ARRAY({late}))")
    if wanted.irregular:
        rules.append(
            "EXISTS (SELECT FROM irregularity r WHERE r.item = i.id"
            " AND r.ended_at IS NULL)"
        )
    if wanted.since is not None:
        rules.append(f"i.created_at >= {values.put(midnight(wanted.since))}")
    if wanted.until is not None:
        end = midnight(wanted.until + timedelta(days=1))
        rules.append(f"i.created_at < {values.put(end)}")
    if wanted.before is not None:
        rules.append(f"i.id < {values.put(wanted.before)}::bigint")
    return rules


async def _searched(
    connection: Connection, text: str, actor: Actor, values: Values
) -> tuple[list[str], bool]:
    """Say what is searched for as conditions, and whether it is something personal."""
    text = plain(text)[:LONGEST_SEARCH]
    if not text:
        return [], False
    if waybill := _waybill(text):
        given = values.put(waybill)
        label = f"SELECT item FROM label WHERE waybill = {given}"  # noqa: S608
        return [f"i.id IN ({label})"], False
    known = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM dossier_code WHERE upper(code) = upper($1))", text
    )
    if known or not readings.may_read(actor):
        code = values.put(text)
        coded = f"SELECT dossier FROM dossier_code WHERE upper(code) = upper({code})"  # noqa: S608
        return [f"d.id IN ({coded})"], False
    person = _person(text, values)
    if person is None:
        return ["false"], False
    of_it = f"SELECT FROM person WHERE dossier = d.id AND {person}"
    return [f"EXISTS ({of_it})"], True


def _waybill(text: str) -> str | None:
    """Read a waybill in any writing; ``None`` when it is something else."""
    if _FOUR_DIGITS.fullmatch(text):
        return None
    try:
        return parse_code(text).waybill
    except ForeignCode:
        return None
    except BadWaybill as fault:
        if text.upper().startswith("DH") or "/" in text:
            raise BadInput((Problem.of("q", fault),)) from fault
        return None


def _person(text: str, values: Values) -> str | None:
    if _FOUR_DIGITS.fullmatch(text):
        return f"right(phone, 4) = {values.put(text)}"
    if not _LETTER.search(text):
        return None
    name = values.put(text)
    return (
        "to_tsvector('simple'::regconfig, without_marks(name))"
        f" @@ plainto_tsquery('simple'::regconfig, without_marks({name}::text))"
    )


def _row(row: Record) -> Row:
    return Row(
        id=row["id"],
        waybill=row["waybill"],
        leg=Leg(row["leg"]),
        stage=Stage(row["stage"]),
        holder=Party.parse(row["holder"]),
        since=row["since"],
        released_to=Party.parse(row["released_to"]) if row["released_to"] else None,
        agency=Party(PartyKind.AGENCY, row["agency"]),
        office=Party(PartyKind.OFFICE, row["office"]),
        code=row["code"],
        promised_on=row["promised_on"],
        late=row["late"],
        irregular=row["irregular"],
    )


def _parties(row: Row) -> set[Party]:
    parties = {row.holder, row.agency, row.office, row.released_to}
    return {party for party in parties if party is not None}


async def choices(actor: Actor) -> tuple[list[Choice], list[Choice]]:
    """List the agencies and the offices that someone may filter by."""
    async with transaction() as connection:
        agencies = await connection.fetch(
            "SELECT id, name, name_en FROM agency ORDER BY name"
        )
        offices = await connection.fetch(
            "SELECT id, name, name AS name_en FROM office ORDER BY name"
        )
    own = {p.id for p in actor.places if p.kind is PartyKind.AGENCY}
    if actor.role is Role.OFFICER:
        agencies = [row for row in agencies if row["id"] in own]
    return (
        [Choice(row["id"], row["name"], row["name_en"]) for row in agencies],
        [Choice(row["id"], row["name"], row["name_en"]) for row in offices],
    )
