"""Items with their chains, read and written in bulk.

Knows the tables and nothing of what a step means. Rows are locked before they are
judged, always in the order of their ids; every write is one statement for all items of
the call.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection, Record

from postal_track.custody import (
    UNBORN,
    Custody,
    Event,
    Kind,
    Party,
    Stage,
    Step,
    apply,
    read,
    standing,
)
from postal_track.database import given
from postal_track.ledger import Entry, digest, genesis, seal_private

_ITEM = """
    i.id, i.waybill, i.dossier, i.leg, i.promised_on, i.fee, i.created_at, i.stage,
    i.sender, i.addressee, i.holder, i.holder_place, i.since, i.released_to,
    i.released_at, i.bound_for, i.attempts, i.originals, i.copies, i.seal_no, i.bag,
    i.next_on, i.last_at, i.seq, i.head
"""


IN_HAND = (
    "stage NOT IN ('received', 'delivered', 'refused', 'returned', 'cancelled', 'lost')"
)
"""In SQL: what is still under way. Word for word that of the partial indexes."""


@dataclass(slots=True)
class Chain:
    """An item under the lock: what is known of it, and the lines to be added."""

    id: int
    waybill: str
    dossier: int
    leg: str
    promised_on: date | None
    custody: Custody
    seq: int
    head: bytes
    born_at: datetime
    fee: int = 0
    story: list[tuple[datetime, int, Event]] | None = None  # only when a scan is late
    added: list[Entry] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    details: list[tuple[UUID, bytes, dict[str, Any]]] = field(default_factory=list)

    @classmethod
    def born(
        cls,
        id: int,
        waybill: str,
        dossier: int,
        leg: str,
        promised_on: date | None,
        born_at: datetime,
    ) -> "Chain":
        """Begin the chain of an item that has no line yet."""
        start = genesis(waybill)
        return cls(
            id, waybill, dossier, leg, promised_on, UNBORN, 0, start, born_at, story=[]
        )

    def before(self, at: datetime) -> Custody:
        """Tell what was known at a moment; needs the story when the moment is past."""
        now = self.custody
        if now.last_at is None or at >= now.last_at:
            return now
        return read(event for event in standing(self._past()) if event.at <= at)

    def until(self, line: Event) -> Custody:
        """Tell what was known just before a line of the story."""
        past = self._past()
        earlier = {event.id for event in past[: past.index(line)]}
        return read(event for event in standing(past) if event.id in earlier)

    def after(self, at: datetime) -> list[Event]:
        """List what is known to have happened later than a moment."""
        now = self.custody
        if now.last_at is None or at >= now.last_at:
            return []
        return [event for event in standing(self._past()) if event.at > at]

    def line(self, id: UUID) -> Event | None:
        """Find a line of the story by its id."""
        return next((event for event in self._past() if event.id == id), None)

    def corrected(self, id: UUID) -> bool:
        """Tell whether a line was declared wrong."""
        return any(event.corrects == id for event in self._past())

    def _past(self) -> list[Event]:
        """Give the whole story in the order of what happened, as it was told."""
        if self.story is None:
            raise LookupError(f"the story of {self.waybill} was not read")
        return [event for _, _, event in sorted(self.story, key=lambda one: one[:2])]

    def add(
        self,
        event: Event,
        line: Mapping[str, Any],
        found: Sequence[Kind],
        private: dict[str, Any],
    ) -> None:
        """Append a line; the present moves only when the event is not late.

        ``line`` holds the entry's remaining fields: id, device, device_seq, device_at,
        recorded_at, reason, proof. ``private`` is what goes to the erasable detail;
        empty for nothing.
        """
        salt = secrets.token_bytes(16) if private else b""
        entry = Entry(
            waybill=self.waybill,
            seq=self.seq + 1,
            step=event.step.value,
            by=str(event.by),
            place=str(event.place) if event.place else None,
            taker=str(event.taker) if event.taker else None,
            towards=str(event.towards) if event.towards else None,
            at=event.at,
            originals=event.originals,
            copies=event.copies,
            seal_no=event.seal_no,
            seal_broken=event.seal_broken,
            damaged=event.damaged,
            flags=tuple(k.value for k in found),
            bag=event.bag,
            corrects=event.corrects,
            next_on=event.next_on,
            private=seal_private(salt, private) if private else None,
            previous=self.head,
            **line,
        )
        self.seq, self.head = entry.seq, digest(entry)
        self.added.append(entry)
        self.hashes.append(self.head)
        if private:
            self.details.append((entry.id, salt, private))
        self._take_in(event)

    def _take_in(self, event: Event) -> None:
        late = self.custody.last_at is not None and event.at < self.custody.last_at
        if self.story is not None:
            self.story.append((event.at, self.seq, event))
        if late or event.corrects is not None:
            self.custody = read(self._past())
        else:
            self.custody = apply(self.custody, event)


@lru_cache(maxsize=10_000)
def _known(text: str) -> Party:
    """Read a party; those of a province are few and stand in every row."""
    return Party.parse(text)


def _party(text: str | None) -> Party | None:
    return _known(text) if text else None


def custody_of(row: Record | Mapping[str, Any]) -> Custody:
    """Read the projection kept in an item's row."""
    return Custody(
        stage=Stage(row["stage"]),
        holder=_known(row["holder"]),
        holder_place=_party(row["holder_place"]),
        since=row["since"],
        addressee=_known(row["addressee"]),
        sender=_known(row["sender"]),
        released_to=_party(row["released_to"]),
        released_at=row["released_at"],
        bound_for=_party(row["bound_for"]),
        attempts=row["attempts"],
        originals=row["originals"],
        copies=row["copies"],
        seal_no=row["seal_no"],
        bag=row["bag"],
        next_on=row["next_on"],
        last_at=row["last_at"],
    )


def event_of(row: Record | Mapping[str, Any]) -> Event:
    """Read what the rules need of a stored line."""
    return Event(
        step=Step(row["step"]),
        by=_known(row["by"]),
        at=row["at"],
        place=_party(row["place"]),
        taker=_party(row["taker"]),
        towards=_party(row["towards"]),
        originals=row["originals"],
        copies=row["copies"],
        seal_no=row["seal_no"],
        seal_broken=row["seal_broken"],
        damaged=row["damaged"],
        id=row["id"],
        bag=row["bag"],
        corrects=row["corrects"],
        next_on=row["next_on"],
    )


def entry_of(row: Record | Mapping[str, Any], waybill: str) -> Entry:
    """Read a stored line whole, as it was hashed."""
    return Entry(
        waybill=waybill,
        flags=tuple(row["flags"]),
        **{
            name: row[name]
            for name in Entry.__dataclass_fields__
            if name not in ("waybill", "flags")
        },
    )


async def lock(connection: Connection, waybills: Sequence[str]) -> dict[str, Chain]:
    """Lock the items that these labels are on, in the order of their ids; by label.

    Two labels of one item (its own, and one from a pool) share one chain. Unknown
    labels are absent.
    """
    rows = await connection.fetch(
        f"""
        SELECT l.waybill AS label, {_ITEM}
        FROM label l JOIN item i ON i.id = l.item
        WHERE l.waybill = ANY({given(1, "bpchar")})
        ORDER BY i.id FOR UPDATE OF i
        """,  # noqa: S608 - a constant list of columns
        waybills,
    )
    by_id: dict[int, Chain] = {}
    found = {}
    for row in rows:
        if row["id"] not in by_id:
            by_id[row["id"]] = _chain(row)
        found[row["label"]] = by_id[row["id"]]
    return found


def _chain(row: Record) -> Chain:
    return Chain(
        id=row["id"],
        waybill=row["waybill"],
        dossier=row["dossier"],
        leg=row["leg"],
        promised_on=row["promised_on"],
        custody=custody_of(row),
        seq=row["seq"],
        head=row["head"],
        born_at=row["created_at"],
        fee=row["fee"],
    )


async def read_stories(connection: Connection, chains: Iterable[Chain]) -> None:
    """Read the whole story of items that a late scan speaks of."""
    wanted = {chain.id: chain for chain in chains}
    if not wanted:
        return
    rows = await connection.fetch(
        "SELECT * FROM event WHERE item = ANY($1::bigint[]) ORDER BY item, at, seq",
        list(wanted),
    )
    for chain in wanted.values():
        chain.story = []
    for row in rows:
        story = wanted[row["item"]].story
        if story is not None:
            story.append((row["at"], row["seq"], event_of(row)))


_ENTRY = tuple(
    name for name in Entry.__dataclass_fields__ if name not in ("waybill", "private")
)
_of_entry = attrgetter(*_ENTRY)

_LINE = (*_ENTRY, "private", "item", "hash")
"""The columns of a line that is written."""

_STATE = (
    "stage",
    "sender",
    "addressee",
    "holder",
    "holder_place",
    "since",
    "released_to",
    "released_at",
    "bound_for",
    "attempts",
    "originals",
    "copies",
    "seal_no",
    "bag",
    "next_on",
    "last_at",
    "seq",
    "head",
)
"""The columns of an item that its story tells."""

# Rows travel as JSON and not as an array for each column: that takes half the time on
# the way, and the tables themselves say what type a column has.
_BOTH = f"""
    WITH lines AS (
        INSERT INTO event ({", ".join(_LINE)})
        SELECT {", ".join(_LINE)} FROM json_populate_recordset(NULL::event, $1)
    )
    UPDATE item SET {", ".join(f"{name} = now.{name}" for name in _STATE)}
    FROM json_populate_recordset(NULL::item, $2) AS now WHERE item.id = now.id
"""  # noqa: S608 - constants


async def write(connection: Connection, chains: Iterable[Chain]) -> None:
    """Write the added lines and the new states, in one statement for all chains."""
    touched = [chain for chain in chains if chain.added]
    if not touched:
        return
    lines = [
        _line(chain.id, entry, hash_)
        for chain in touched
        for entry, hash_ in zip(chain.added, chain.hashes, strict=True)
    ]
    states = [
        _state(c.custody, c.seq) | {"id": c.id, "head": _hex(c.head)} for c in touched
    ]
    await connection.execute(
        _BOTH,
        msgspec.json.encode(lines).decode(),
        msgspec.json.encode(states).decode(),
    )
    details = [detail for chain in touched for detail in chain.details]
    if details:
        await connection.execute(
            """
            INSERT INTO event_detail (event, salt, content)
            SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::jsonb[])
            """,
            *map(list, zip(*details, strict=True)),
        )
    for chain in touched:
        chain.added, chain.hashes, chain.details = [], [], []


def _line(item: int, entry: Entry, hash_: bytes) -> dict[str, Any]:
    line = dict(zip(_ENTRY, _of_entry(entry), strict=True))
    line["item"] = item
    line["private"] = _hex(entry.private) if entry.private else None
    line["previous"], line["hash"] = _hex(entry.previous), _hex(hash_)
    return line


def _hex(value: bytes) -> str:
    """Write bytes as PostgreSQL reads them."""
    return f"\\x{value.hex()}"


def _text(party: Party | None) -> str | None:
    return str(party) if party else None


def _state(now: Custody, seq: int) -> dict[str, Any]:
    return {
        "stage": now.stage.value,
        "sender": str(now.sender),
        "addressee": str(now.addressee),
        "holder": str(now.holder),
        "holder_place": _text(now.holder_place),
        "since": now.since,
        "released_to": _text(now.released_to),
        "released_at": now.released_at,
        "bound_for": _text(now.bound_for),
        "attempts": now.attempts,
        "originals": now.originals,
        "copies": now.copies,
        "seal_no": now.seal_no,
        "bag": now.bag,
        "next_on": now.next_on,
        "last_at": now.last_at,
        "seq": seq,
    }


async def rewrite(
    connection: Connection, item: int, custody: Custody, seq: int, head: bytes
) -> None:
    """Write an item's state anew, as its story tells it."""
    state = _state(custody, seq) | {"head": head}
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(state, 2))
    await connection.execute(
        f"UPDATE item SET {sets} WHERE id = $1",  # noqa: S608 - a constant list
        item,
        *state.values(),
    )


async def bear(
    connection: Connection,
    waybill: str,
    dossier: int,
    leg: str,
    promised_on: date | None,
    first: Event,
    fee: int,
) -> Chain:
    """Insert the row of a new item, with its label, ready for its first line.

    The row stands for the moment between the insert and ``write`` of the same
    transaction only.
    """
    now = apply(UNBORN, first)
    item = await connection.fetchval(
        """
        INSERT INTO item (waybill, dossier, leg, promised_on, fee, created_at, stage,
            sender, addressee, holder, since, attempts, last_at, seq, head)
        VALUES ($1, $2, $3, $4, $11, $9, $5, $6, $7, $8, $9, 0, $9, 0, $10)
        RETURNING id
        """,
        waybill,
        dossier,
        leg,
        promised_on,
        now.stage.value,
        str(now.sender),
        str(now.addressee),
        str(now.holder),
        first.at,
        genesis(waybill),
        fee,
    )
    await connection.execute(
        "INSERT INTO label (waybill, item, bound_at) VALUES ($1, $2, now())",
        waybill,
        item,
    )
    return Chain.born(item, waybill, dossier, leg, promised_on, first.at)
