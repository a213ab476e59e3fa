"""Papers that an agency sends back, asks for or passes on: legs under the same law."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from postal_track import audit
from postal_track.custody import CITIZEN, Leg, Reason, Stage, Step
from postal_track.errands import Errand, send, send_all
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound
from postal_track.handoffs import Proof
from tests.cast import Cast, code_for, scan, travel

SOON = datetime.now(UTC).date() + timedelta(days=7)


async def token(database: Any, waybill: str) -> str:
    """Find the dossier that an item belongs to."""
    found: str = await database.fetchval(
        """
        SELECT d.token FROM dossier d JOIN item i ON i.dossier = d.id
        WHERE i.waybill = $1
        """,
        waybill,
    )
    return found


async def errand(database: Any, waybill: str, leg: Leg, **more: Any) -> Errand:
    """Ask for an errand about the dossier of this item."""
    given: dict[str, Any] = {
        "id": uuid4(),
        "token": await token(database, waybill),
        "leg": leg,
        "originals": 1,
        "copies": 0,
    }
    return Errand(**given | more)


async def test_papers_that_were_received_can_still_go_back_to_the_citizen(
    cast: Cast, database: Any
) -> None:
    received = await travel(cast, "received")
    back = await send(
        await errand(database, received, Leg.BRING_BACK, reason=Reason.MISSING_PAPERS),
        cast.charlie,
    )
    accepted = await scan(cast.alice, back, Step.ACCEPTED)
    assert accepted.remarks == ()
    await scan(cast.alice, back, Step.OUT)
    code = await code_for(back, "delivery")
    handed = await scan(cast.alice, back, Step.DELIVERED, proof=Proof("code", code))
    assert handed.item is not None
    assert handed.item.custody.holder == CITIZEN
    told = await database.fetch("SELECT template, body FROM sms_message ORDER BY id")
    assert [row["template"] for row in told][-1] == "S04_refused"
    assert "thieu giay to" in told[-1]["body"]
    assert (await audit.verify()).faults == ()


async def test_a_supplement_is_collected_from_the_citizen_on_his_code(
    cast: Cast, database: Any
) -> None:
    received = await travel(cast, "received")
    waybill = await send(
        await errand(database, received, Leg.SUPPLEMENT, until=SOON), cast.charlie
    )
    code = await code_for(waybill, "pickup")
    taken = await scan(cast.alice, waybill, Step.ACCEPTED, proof=Proof("code", code))
    assert taken.remarks == ()
    await scan(cast.alice, waybill, Step.OUT)
    there = await scan(cast.charlie, waybill, Step.RECEIVED)
    assert there.item is not None
    assert there.item.custody.stage is Stage.RECEIVED
    body = await database.fetchval(
        "SELECT body FROM sms_message WHERE template = 'S05_supplement'"
    )
    assert f"{SOON:%d/%m}" in body


async def test_a_dossier_passed_on_belongs_to_the_agency_that_receives_it(
    cast: Cast, database: Any
) -> None:
    received = await travel(cast, "received")
    waybill = await send(
        await errand(database, received, Leg.TRANSFER, to="OTHER"), cast.charlie
    )
    await scan(cast.alice, waybill, Step.ACCEPTED)
    await scan(cast.alice, waybill, Step.OUT)
    agency = "SELECT agency FROM dossier"
    assert await database.fetchval(agency) == cast.agency
    there = await scan(cast.carol, waybill, Step.RECEIVED)
    assert there.remarks == ()
    assert await database.fetchval(agency) == cast.other_agency


async def test_the_same_errand_twice_is_one_leg_and_one_text(
    cast: Cast, database: Any
) -> None:
    received = await travel(cast, "received")
    told = await errand(database, received, Leg.BRING_BACK, reason=Reason.WITHDRAWN)
    waybills = await asyncio.gather(*(send(told, cast.charlie) for _ in range(5)))
    assert len(set(waybills)) == 1
    count = "SELECT count(*) FROM sms_message WHERE template = 'S04_refused'"
    assert await database.fetchval(count) == 1


async def test_a_second_errand_of_a_kind_waits_for_the_first(
    cast: Cast, database: Any
) -> None:
    received = await travel(cast, "received")
    await send(await errand(database, received, Leg.SLIP), cast.charlie)
    with pytest.raises(Conflict):
        await send(await errand(database, received, Leg.SLIP), cast.charlie)


async def test_of_many_errands_all_are_sent_or_none(cast: Cast, database: Any) -> None:
    mine = await travel(cast, "received")
    unknown = Errand(id=uuid4(), token="x" * 22, leg=Leg.SLIP, originals=1, copies=0)
    with pytest.raises(NotFound):
        await send_all([await errand(database, mine, Leg.SLIP), unknown], cast.charlie)
    count = "SELECT count(*) FROM item WHERE leg = 'slip'"
    assert await database.fetchval(count) == 0


@pytest.mark.parametrize(
    ("leg", "more"),
    [
        (Leg.BRING_BACK, {}),
        (Leg.BRING_BACK, {"reason": Reason.ABSENT}),
        (Leg.SUPPLEMENT, {}),
        (Leg.TRANSFER, {"to": "nowhere"}),
        (Leg.TRANSFER, {"to": "AGENCY"}),
        (Leg.SLIP, {"originals": 0}),
        (Leg.RESULT, {}),
    ],
)
async def test_an_errand_that_lacks_something_says_what(
    cast: Cast, database: Any, leg: Leg, more: dict[str, Any]
) -> None:
    received = await travel(cast, "received")
    with pytest.raises(BadInput):
        await send(await errand(database, received, leg, **more), cast.charlie)


async def test_only_the_agencys_own_officer_sends_errands(
    cast: Cast, database: Any
) -> None:
    received = await travel(cast, "received")
    asked = await errand(database, received, Leg.SLIP)
    with pytest.raises(NotFound):
        await send(asked, cast.carol)
    with pytest.raises(NotAllowed):
        await send(asked, cast.bob)


async def test_old_papers_taken_back_at_delivery_go_to_the_agency(
    cast: Cast, database: Any
) -> None:
    result = await travel(cast, "carried")
    proof = Proof("code", await code_for(result, "delivery"))
    await scan(cast.alice, result, Step.DELIVERED, proof=proof, old_papers=1)
    old = await database.fetchrow("SELECT * FROM item WHERE leg = 'old_papers'")
    assert old["holder"] == str(cast.alice.party)
    there = await scan(cast.charlie, old["waybill"], Step.RECEIVED)
    assert there.remarks == ()
    assert there.item is not None
    assert there.item.custody.stage is Stage.RECEIVED
    assert (await audit.verify()).faults == ()
