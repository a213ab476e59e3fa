"""How an item is born: a leg of a dossier gets its waybill, its row and its first line.

Every leg begins here, whether a citizen books, an agency announces a result or sends
papers back, or a carrier takes old papers along. Knows no rule of custody and no
wording; runs in its caller's transaction.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from asyncpg import Connection

from postal_track import chronicle, outgoing
from postal_track.chronicle import Chain
from postal_track.custody import CITIZEN, UNBORN, Event, Leg, Party, Reason, Step
from postal_track.notices import Occasion
from postal_track.s10 import waybill


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What is to be said of an item in its first line.

    ``id`` is that line's. ``place`` is where it was said; of a booking, the office that
    is to collect. ``release_to``: the agency or carrier promises it to this party at
    once. ``envelope``: the item whose envelope, with its label, this leg goes on in.
    ``fee``: VND to collect from the citizen. ``reason``: why papers go back.
    """

    id: UUID
    dossier: int
    leg: Leg
    by: Party
    place: Party | None
    holder: Party
    addressee: Party
    at: datetime
    originals: int | None = None
    copies: int | None = None
    promised_on: date | None = None
    fee: int = 0
    release_to: Party | None = None
    envelope: int | None = None
    reason: Reason | None = None


async def bear(connection: Connection, birth: Birth) -> Chain:
    """Give birth to an item; its chain, with the first lines written."""
    first = Event(
        # What a citizen still holds was only booked; anything else is there already.
        step=Step.BOOKED if birth.holder == CITIZEN else Step.READY,
        by=birth.by,
        at=birth.at,
        place=birth.place,
        taker=birth.holder,
        towards=birth.addressee,
        originals=birth.originals,
        copies=birth.copies,
        id=birth.id,
    )
    number = await connection.fetchval("SELECT nextval('waybill_serial')")
    chain = await chronicle.bear(
        connection,
        waybill(number),
        birth.dossier,
        birth.leg.value,
        birth.promised_on,
        first,
        birth.fee,
    )
    _add(chain, first)
    if birth.release_to is not None:
        _add(chain, _release(birth, birth.release_to))
    await chronicle.write(connection, [chain])
    if birth.envelope is not None:
        # The sticker on the envelope stays, and from now on means this leg.
        await connection.execute(
            "UPDATE label SET item = $1 WHERE item = $2", chain.id, birth.envelope
        )
    return chain


async def announce(connection: Connection, chain: Chain, birth: Birth) -> list[int]:
    """Put the text about a new leg into the outbox; the ids of the rows written."""
    first = Event(
        step=Step.BOOKED if birth.holder == CITIZEN else Step.READY,
        by=birth.by,
        at=birth.at,
        place=birth.place,
        taker=birth.holder,
        towards=birth.addressee,
    )
    said = Occasion(
        chain.id, birth.id, first, UNBORN, chain.custody, birth.reason, birth.leg
    )
    return await outgoing.put(connection, [said], {chain.id: chain.custody}, birth.at)


def _release(birth: Birth, to: Party) -> Event:
    return Event(
        step=Step.RELEASED,
        by=birth.by,
        at=birth.at,
        place=birth.place,
        towards=to,
        id=uuid4(),
    )


def _add(chain: Chain, event: Event) -> None:
    line = {
        "id": event.id,
        "device_at": event.at,
        "recorded_at": datetime.now(UTC),
        "device": "",
        "device_seq": 0,
        "reason": None,
        "proof": None,
    }
    chain.add(event, line, [], {})
