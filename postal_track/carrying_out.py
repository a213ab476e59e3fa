"""What a confirmed request does to a dossier and its items, each in one transaction.

Where an item goes is a line of its ledger, said by the citizen on his code, or by the
clerk who takes it down for him; when, to which door and into whose hands are orders
outside it, since they are personal. See docs/decisions, "What a citizen's wish does to
custody". Judges nothing: the caller has the items locked and knows that the stage
allows it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID, uuid5

from asyncpg import Connection, Record

from postal_track import chronicle, instructions, notices, outgoing, promises
from postal_track.asks import Way
from postal_track.chronicle import IN_HAND, Chain
from postal_track.custody import (
    CITIZEN,
    FROM_CITIZEN,
    TO_CITIZEN,
    Event,
    Leg,
    Party,
    PartyKind,
    Stage,
    Step,
)
from postal_track.places import Located, Place
from postal_track.slots import Half, Slot


async def lock(connection: Connection, dossier: int) -> None:
    """Lock the items of a dossier that are under way, before anything is judged."""
    await _chains(connection, dossier)


async def _chains(connection: Connection, dossier: int) -> list[Chain]:
    rows = await connection.fetch(
        f"SELECT waybill FROM item WHERE dossier = $1 AND {IN_HAND}",  # noqa: S608
        dossier,
    )
    chains = await chronicle.lock(connection, [row["waybill"] for row in rows])
    return sorted({c.id: c for c in chains.values()}.values(), key=lambda c: c.id)


async def cancel(connection: Connection, row: Record) -> list[int]:
    """Call off what was booked and is still with the citizen."""
    untrue, who = set(), await _speaker(connection, row)
    for chain in await _chains(connection, row["dossier"]):
        if Leg(chain.leg) in FROM_CITIZEN and chain.custody.stage is Stage.BOOKED:
            before = chain.custody
            _say(chain, Step.CANCELLED, row["id"], None, who)
            await chronicle.write(connection, [chain])
            untrue |= {
                (chain.dossier, name)
                for name in notices.overtaken(before, chain.custody)
            }
    await outgoing.withdraw(connection, untrue)
    return []


async def reschedule(connection: Connection, row: Record) -> list[int]:
    """Want the carrier on another day; the promise moves on with it, never back."""
    said = row["payload"]
    half = Half(said["half"]) if said["half"] else None
    slot = Slot(date.fromisoformat(said["day"]), half)
    await instructions.set_slot(
        connection, row["dossier"], Way(said["way"]), slot, row["id"]
    )
    fetched = datetime.combine(slot.day, time(8), promises.LOCAL)
    for chain in await _chains(connection, row["dossier"]):
        leg = Leg(chain.leg)
        pickup = leg in FROM_CITIZEN and chain.custody.stage is Stage.BOOKED
        if pickup or leg in TO_CITIZEN:
            day = promises.promise("dossier", fetched) if pickup else slot.day
            await connection.execute(
                "UPDATE item SET promised_on = greatest(promised_on, $2) WHERE id = $1",
                chain.id,
                day,
            )
    return []


async def redirect(connection: Connection, row: Record) -> list[int]:
    """Want it at another address: from now on that ward's office delivers."""
    said = row["payload"]
    at = Located(
        said["ward"],
        Place(said["lat"], said["lon"]),
        said["source"],
        said["accuracy_m"],
    )
    await instructions.set_address(
        connection, row["dossier"], said["address"], at, row["id"]
    )
    await _steer(connection, row, said["office"])
    return []


async def hold(connection: Connection, row: Record) -> list[int]:
    """Want it held at a counter."""
    office = row["payload"]["office"]
    await instructions.set_counter(connection, row["dossier"], office, row["id"])
    await _steer(connection, row, office)
    return []


async def deputise(connection: Connection, row: Record) -> list[int]:
    """Let someone else receive it, or nobody else any more."""
    said: dict[str, Any] = row["payload"]
    await instructions.set_deputy(
        connection,
        row["dossier"],
        said.get("name", ""),
        said.get("phone", ""),
        row["id"],
    )
    return []


async def show(_: Connection, __: Record) -> list[int]:
    """Do nothing: who asked for his data is shown it."""
    return []


async def _steer(connection: Connection, row: Record, office: int) -> None:
    """Let an office deliver, and write it into the ledger of what is under way."""
    await connection.execute(
        "UPDATE dossier SET office = $2 WHERE id = $1", row["dossier"], office
    )
    to, who = Party(PartyKind.OFFICE, office), await _speaker(connection, row)
    chains = [
        chain
        for chain in await _chains(connection, row["dossier"])
        if Leg(chain.leg) in TO_CITIZEN
    ]
    for chain in chains:
        _say(chain, Step.REDIRECTED, uuid5(row["id"], chain.waybill), to, who)
    await chronicle.write(connection, chains)


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Who says it to the ledger: the citizen on his code, or a clerk for him."""

    by: Party
    place: Party | None
    proof: str | None


async def _speaker(connection: Connection, row: Record) -> _Speaker:
    if row["decided_by"] is None:
        return _Speaker(CITIZEN, None, "code")
    office = await connection.fetchval(
        "SELECT office FROM staff WHERE id = $1", row["decided_by"]
    )
    place = Party(PartyKind.OFFICE, office) if office else None
    return _Speaker(Party(PartyKind.STAFF, row["decided_by"]), place, None)


def _say(
    chain: Chain, step: Step, id_: UUID, towards: Party | None, who: _Speaker
) -> None:
    """Add the citizen's word to a chain; his code is the proof of it."""
    now = datetime.now(UTC)
    last = chain.custody.last_at
    # His word comes now, and after all that is known, whatever a phone's clock says.
    at = max(now, last) if last else now
    event = Event(step=step, by=who.by, at=at, place=who.place, towards=towards, id=id_)
    line = {
        "id": id_,
        "device_at": at,
        "recorded_at": now,
        "device": "",
        "device_seq": 0,
        "reason": None,
        "proof": who.proof,
    }
    chain.add(event, line, [], {})
