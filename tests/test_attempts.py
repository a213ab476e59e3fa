"""A delivery tried in vain: when again, how often, then at the counter, then back.

And whom it is given to: the addressee, or someone he has named, where that is allowed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from postal_track import audit, holding, instructions
from postal_track.chronicle import entry_of
from postal_track.custody import (
    Custody,
    Kind,
    Party,
    PartyKind,
    Reason,
    Role,
    Stage,
    Step,
    propose,
)
from postal_track.database import transaction
from postal_track.following import follow
from postal_track.handoffs import Outcome, Proof, Scan, record
from postal_track.ledger import DATED, VERSION, canonical
from postal_track.promises import LOCAL, add_working_days
from postal_track.prospects import coming_next
from postal_track.settings import settings
from tests.cast import Cast, code_for, scan, travel, visitor

TODAY = datetime.now(LOCAL).date()
SIGNED = Proof("signature", signature="M0 0 L9 9", id_kind="cccd", id_last4="4321")
ANOTHER = replace(SIGNED, receiver="authorised")


def custody(outcome: Outcome) -> Custody:
    assert outcome.error is None
    assert outcome.item is not None
    return outcome.item.custody


async def attempt(cast: Cast, waybill: str, number: int = 1, **more: Any) -> Outcome:
    """Alice tries so often; the outcome of the last try, for which ``more`` is said."""
    for _ in range(number - 1):
        await scan(cast.alice, waybill, Step.ATTEMPTED, reason=Reason.ABSENT)
    return await scan(
        cast.alice, waybill, Step.ATTEMPTED, **{"reason": Reason.ABSENT} | more
    )


async def texts(database: Any) -> list[tuple[str, str]]:
    rows = await database.fetch(
        """
        SELECT template, body FROM sms_message
        WHERE template IN ('S09_failed', 'S10_hold', 'S11_returned') ORDER BY id
        """
    )
    return [tuple(row) for row in rows]


async def promised_by_page(database: Any, waybill: str) -> tuple[str, date | None]:
    """What the citizen's page says comes next, and by when."""
    token = await database.fetchval(
        "SELECT token FROM dossier d JOIN item i ON i.dossier = d.id "
        "WHERE i.waybill = $1",
        waybill,
    )
    followed = await follow(token)
    assert followed is not None
    coming = coming_next(followed)
    return coming.said.en, coming.by


async def test_an_attempt_names_the_next_working_day_unless_another_was_agreed(
    cast: Cast, database: Any
) -> None:
    usual, agreed = (
        await travel(cast, "carried"),
        await travel(cast, "carried", code="2"),
    )
    day = TODAY + timedelta(days=11)
    assert custody(await attempt(cast, usual)).next_on == add_working_days(TODAY, 1)
    assert custody(await attempt(cast, agreed, again_on=day)).next_on == day
    (_, first), (_, second) = await texts(database)
    assert f"{add_working_days(TODAY, 1):%d/%m}" in first
    assert f"{day:%d/%m}" in second
    assert await promised_by_page(database, agreed) == ("The carrier comes again.", day)
    # Brought home for the night it is still promised for that day.
    await scan(cast.bob, agreed, Step.ARRIVED)
    assert await promised_by_page(database, agreed) == ("The carrier comes again.", day)
    assert custody(await scan(cast.alice, agreed, Step.OUT)).next_on is None


@pytest.mark.parametrize("days", [-1, 61])
async def test_a_day_that_has_passed_or_is_far_off_is_none(
    cast: Cast, days: int
) -> None:
    waybill = await travel(cast, "carried")
    said = await attempt(cast, waybill, again_on=TODAY + timedelta(days=days))
    assert custody(said).next_on == add_working_days(TODAY, 1)


async def test_a_line_with_a_day_says_so_in_its_hash(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "carried")
    await attempt(cast, waybill)
    assert (await audit.verify()).faults == ()
    rows = await database.fetch(
        "SELECT e.* FROM event e JOIN item i ON i.id = e.item WHERE i.waybill = $1 "
        "ORDER BY seq DESC LIMIT 2",
        waybill,
    )
    tried, before = (canonical(entry_of(row, waybill)).decode() for row in rows)
    assert f'"next_on":"{rows[0]["next_on"]}","originals"' in tried
    assert f'"v":{DATED},' in tried
    assert "next_on" not in before
    assert f'"v":{VERSION},' in before


async def test_after_the_last_try_it_waits_at_the_counter_it_came_from(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    last = await attempt(cast, waybill, settings().DELIVERY_ATTEMPTS)
    assert custody(last).next_on is None
    said, _ = await promised_by_page(database, waybill)
    assert "will wait for you at the counter" in said
    brought = custody(await scan(cast.bob, waybill, Step.ARRIVED))
    until = TODAY + timedelta(days=settings().HOLD_DAYS)
    assert (brought.stage, brought.holder, brought.next_on) == (
        Stage.HELD,
        cast.bob.place,
        until,
    )
    told = await texts(database)
    assert [name for name, _ in told] == ["S09_failed", "S09_failed", "S10_hold"]
    assert f"den het {until:%d/%m}" in told[-1][1]
    assert await promised_by_page(database, waybill) == (
        "You collect it at the counter of Bưu cục Long Xuyên.",
        until,
    )
    assert (await audit.verify()).faults == ()


async def test_the_same_arrival_told_twice_holds_it_once(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    await attempt(cast, waybill, settings().DELIVERY_ATTEMPTS)
    said = Scan(
        id=uuid4(),
        code=waybill,
        step=Step.ARRIVED,
        at=datetime.now(UTC),
        actor=cast.bob,
    )
    for _ in range(2):
        (outcome,) = await record([said])
        assert outcome.remarks == ()
    held = "SELECT count(*) FROM event WHERE step = 'held'"
    assert await database.fetchval(held) == 1


async def test_elsewhere_or_with_another_day_agreed_it_is_not_held(cast: Cast) -> None:
    tries = settings().DELIVERY_ATTEMPTS
    passing, agreed = (
        await travel(cast, "carried"),
        await travel(cast, "carried", code="2"),
    )
    await attempt(cast, passing, tries)
    await attempt(cast, agreed, tries, again_on=TODAY + timedelta(days=2))
    assert custody(await scan(cast.ben, passing, Step.ARRIVED)).stage is Stage.AT_OFFICE
    assert custody(await scan(cast.bob, agreed, Step.ARRIVED)).stage is Stage.AT_OFFICE


async def test_a_clerk_may_say_until_when_it_is_held(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "brought")
    day = TODAY + timedelta(days=20)
    held = custody(await scan(cast.bob, waybill, Step.HELD, held_until=day))
    assert held.next_on == day
    assert (await promised_by_page(database, waybill))[1] == day
    assert f"den het {day:%d/%m}" in (await texts(database))[-1][1]


async def test_what_nobody_fetched_goes_back_to_the_agency_on_its_word(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    await scan(cast.bob, waybill, Step.HELD, held_until=TODAY)
    given = await scan(cast.bob, waybill, Step.RELEASED, to=cast.charlie.place)
    back = await scan(cast.charlie, waybill, Step.RETURNED)
    assert (given.remarks, back.remarks) == ((), ())
    assert custody(back).holder == cast.charlie.place
    assert (await texts(database))[-1][0] == "S11_returned"


ALICE, OFFICE = Party(PartyKind.STAFF, 1), Party(PartyKind.OFFICE, 1)


@pytest.mark.parametrize(
    ("role", "state", "first"),
    [
        (Role.CARRIER, {"stage": Stage.ATTEMPTED, "attempts": 2}, Step.OUT),
        (Role.CARRIER, {"stage": Stage.ATTEMPTED, "attempts": 3}, Step.RELEASED),
        (
            Role.CARRIER,
            {"stage": Stage.ATTEMPTED, "attempts": 3, "next_on": TODAY},
            Step.OUT,
        ),
        (
            Role.CLERK,
            {"stage": Stage.AT_OFFICE, "attempts": 3, "holder": OFFICE},
            Step.HELD,
        ),
        (
            Role.CLERK,
            {"stage": Stage.HELD, "holder": OFFICE, "next_on": TODAY},
            Step.DELIVERED,
        ),
        (
            Role.CLERK,
            {
                "stage": Stage.HELD,
                "holder": OFFICE,
                "next_on": TODAY - timedelta(days=1),
            },
            Step.RELEASED,
        ),
    ],
)
def test_what_is_proposed_first_follows_the_tries_and_the_days(
    role: Role, state: dict[str, Any], first: Step
) -> None:
    known: dict[str, Any] = {
        "holder": ALICE,
        "addressee": Party.parse("citizen"),
        "last_at": datetime.now(UTC),
    }
    now = Custody(**known | state)
    places = frozenset({OFFICE})
    assert propose(now, role, ALICE, places, 3, TODAY)[0] is first


# Into whose hands


async def name_a_deputy(database: Any, waybill: str) -> None:
    dossier = await database.fetchval(
        "SELECT dossier FROM item WHERE waybill = $1", waybill
    )
    async with transaction() as connection:
        await instructions.set_deputy(
            connection, dossier, "Trần Văn Ba", "+84912000111", uuid4()
        )


@pytest.mark.parametrize(
    ("procedure", "named", "remarks"),
    [
        ("1.000", True, ()),
        ("1.000", False, (Kind.WRONG_RECEIVER,)),
        ("2.000", True, (Kind.WRONG_RECEIVER,)),  # in person only
    ],
)
async def test_a_delivery_to_another_is_recorded_and_flagged_unless_he_may(
    cast: Cast, database: Any, procedure: str, named: bool, remarks: tuple[Kind, ...]
) -> None:
    waybill = await travel(cast, "carried", procedure=procedure)
    if named:
        await name_a_deputy(database, waybill)
    given = await scan(cast.alice, waybill, Step.DELIVERED, proof=ANOTHER)
    assert given.remarks == remarks
    assert custody(given).stage is Stage.DELIVERED
    kinds = await database.fetch("SELECT kind FROM irregularity")
    assert tuple(row["kind"] for row in kinds) == remarks


async def test_the_addressee_himself_is_never_flagged(cast: Cast) -> None:
    waybill = await travel(cast, "carried", procedure="2.000")
    proof = Proof("code", code=await code_for(waybill, "delivery"))
    given = await scan(cast.alice, waybill, Step.DELIVERED, proof=proof)
    assert given.remarks == ()


@pytest.mark.usefixtures("server")
async def test_the_card_says_before_that_only_he_himself_may_have_it(
    cast: Cast,
) -> None:
    strict = await travel(cast, "carried", procedure="2.000")
    usual = await travel(cast, "carried", code="2")
    assert (await holding.understand(strict, cast.alice)).in_person
    async with await visitor(cast.alice, "en") as client:
        cards = [
            (await client.get("/api/items", params={"code": code})).json()
            for code in (strict, usual)
        ]
    assert "in person only" in cards[0]["instructions"][0]
    assert "instructions" not in cards[1]
    needs = {p["step"]: p["needs"] for p in cards[1]["proposals"]}
    assert needs["attempted"] == ["reason", "again_on"]
