"""What a dossier costs, and the money that comes in for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from postal_track import charges, payments, references
from postal_track.charges import Account, ChargeKind, Due, Wanted, Why
from postal_track.custody import Step
from postal_track.database import transaction
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound
from postal_track.handoffs import Proof
from postal_track.holding import understand
from postal_track.payments import Booked, Credit, Return
from tests.cast import Cast, code_for, order, scan, travel

COSTS: dict[str, Any] = {"fee": 50_000, "postage": 31_500}
WHOLE = 81_500


async def costly(cast: Cast, **more: Any) -> str:
    """Book a dossier with 50.000 of state fee and 31.500 of postage, due at pickup."""
    booked = await order(cast, **(COSTS | more))
    return booked.waybill or ""


async def account(cast: Cast, waybill: str) -> Account:
    return await charges.account(waybill, cast.dora)


def credit(
    text: str, amount: int, number: str = "", method: str = "transfer"
) -> Credit:
    return Credit(
        method=method,
        reference=number or str(uuid4()),
        amount=amount,
        at=datetime.now(UTC),
        via="feed",
        text=text,
    )


async def pay(*credits: Credit) -> list[Booked]:
    return await payments.take_in(credits)


async def _and_fail(one: Credit) -> None:
    async with transaction() as connection:
        await payments.book(connection, [one], datetime.now(UTC))
        await connection.execute("SELECT 1 / 0")


async def waiting(database: Any, template: str) -> list[str]:
    rows = await database.fetch(
        """
        SELECT body FROM sms_message WHERE template = $1 AND status = 'queued'
        ORDER BY id
        """,
        template,
    )
    return [row["body"] for row in rows]


async def pair(database: Any) -> tuple[int, int]:
    """What is paid by the charges, and what was given by the payments."""
    row = await database.fetchrow(
        """
        SELECT (SELECT coalesce(sum(paid), 0) FROM charge) AS paid,
            (SELECT coalesce(sum(amount), 0) FROM allocation) AS given
        """
    )
    return int(row["paid"]), int(row["given"])


# Charges


async def test_charges_are_born_with_the_order(cast: Cast) -> None:
    told = await account(cast, await costly(cast))
    assert [(c.kind, c.due, c.amount, c.paid, str(c.payee)) for c in told.charges] == [
        (ChargeKind.STATE_FEE, Due.PICKUP, 50_000, 0, f"agency:{cast.agency}"),
        (ChargeKind.POSTAGE, Due.PICKUP, 31_500, 0, f"office:{cast.long_xuyen}"),
    ]
    assert [line.why for c in told.charges for line in c.changes] == [Why.ORDER] * 2
    assert told.open == WHOLE
    assert references.sound(told.reference)


async def test_what_costs_nothing_has_no_account(cast: Cast, database: Any) -> None:
    booked = await order(cast)
    told = await account(cast, booked.waybill or "")
    assert (told.charges, told.reference, told.open) == ([], "", 0)
    assert await database.fetchval("SELECT count(*) FROM bill") == 0


async def test_a_procedure_s_own_fee_is_charged_unless_the_order_names_one(
    cast: Cast, database: Any
) -> None:
    await database.execute("UPDATE procedure SET fee = 70000")
    own = await account(cast, (await order(cast)).waybill or "")
    none = await account(cast, (await order(cast, fee=0)).waybill or "")
    assert (own.open, none.open) == (70_000, 0)
    # Who has only a result brought paid the agency where he filed.
    await order(cast, service="receive", papers=())
    assert await database.fetchval("SELECT count(*) FROM bill") == 1


async def test_postage_of_the_agency_and_fees_of_the_portal_are_not_for_the_door(
    cast: Cast,
) -> None:
    waybill = await costly(cast, postage_by="agency", fee_due="online")
    told = await account(cast, waybill)
    assert (told.open, sum(c.open for c in told.charges)) == (50_000, WHOLE)
    assert (await understand(waybill, cast.bob)).fee == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"fee": -1}, "fee"),
        ({"postage": 10**9}, "postage"),
        ({"fee_due": "some day"}, "fee_due"),
        ({"postage_by": "me"}, "postage_by"),
    ],
)
async def test_an_order_with_impossible_money_is_refused(
    cast: Cast, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as fault:
        await order(cast, **wrong)
    assert {each.field for each in fault.value.problems} == {field}


async def test_what_was_not_paid_at_pickup_is_asked_for_with_the_result(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "ready", **COSTS)
    assert (await understand(waybill, cast.alice)).fee == WHOLE + 26_000
    (body,) = await waiting(database, "S06_result_ready")
    assert "Phai thu: 107.500d" in body
    # What goes out asks for what was due then only.
    told = await account(cast, waybill)
    assert [(c.due, c.open) for c in told.charges] == [
        (Due.PICKUP, 50_000),
        (Due.PICKUP, 31_500),
        (Due.DELIVERY, 26_000),
    ]


async def test_a_result_announced_anew_is_charged_once(
    cast: Cast, database: Any
) -> None:
    total, dossier = 0, (await order(cast)).dossier
    async with transaction() as connection:
        for fee in (26_000, 26_000, 30_000):
            total = await charges.with_result(
                connection,
                dossier,
                fee,
                cast.agency,
                cast.long_xuyen,
                cast.charlie.staff,
                datetime.now(UTC),
            )
    assert total == 30_000
    lines = await database.fetch("SELECT change FROM charge_line ORDER BY id")
    assert [row["change"] for row in lines] == [26_000, 4_000]


async def test_a_charge_changes_by_a_line_that_names_why(
    cast: Cast, database: Any
) -> None:
    waybill = await costly(cast)
    fee: dict[str, Any] = {"kind": ChargeKind.STATE_FEE, "due": Due.PICKUP}
    with pytest.raises(BadInput):
        await charges.change(
            waybill, Wanted(**fee, amount=1, why=Why.MISTAKE, words=" "), cast.bob
        )
    mended = Wanted(**fee, amount=40_000, why=Why.MISTAKE, words="Ghi nhầm")
    await charges.change(waybill, mended, cast.bob)
    charge = (await account(cast, waybill)).charges[0]
    assert (charge.amount, charge.changes[-1].change) == (40_000, -10_000)
    assert charge.changes[-1].by == cast.bob.party
    assert (await understand(waybill, cast.bob)).fee == 71_500
    for statement in (
        "UPDATE charge SET amount = 1",
        "UPDATE charge SET paid = amount",
        "UPDATE charge SET payer = 'agency:1'",
        "UPDATE charge_line SET change = 1",
        "DELETE FROM charge_line",
        "DELETE FROM charge",
        "UPDATE bill SET reference = 'BD000000000'",
        """INSERT INTO charge (bill, kind, payer, payee, due, amount, paid, created_at)
        SELECT bill, kind, payer, payee, 'online', 5, 0, now() FROM charge""",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await database.execute(statement)
    with pytest.raises(asyncpg.CheckViolationError):  # below nothing
        await database.execute(
            """
            INSERT INTO charge_line (charge, change, why, words, at)
            SELECT id, -amount - 1, 'order', '', now() FROM charge
            """
        )


async def test_who_may_change_what(cast: Cast) -> None:
    waybill = await costly(cast)

    async def try_(actor: Any, kind: ChargeKind, why: Why, amount: int = 1_000) -> bool:
        wanted = Wanted(kind=kind, due=Due.PICKUP, amount=amount, why=why, words="vì")
        try:
            await charges.change(waybill, wanted, actor)
        except (NotAllowed, NotFound):
            return False
        return True

    fee, postage = ChargeKind.STATE_FEE, ChargeKind.POSTAGE
    assert await try_(cast.charlie, fee, Why.ASKED, 60_000)
    assert not await try_(cast.charlie, postage, Why.MISTAKE)
    assert not await try_(cast.charlie, fee, Why.WAIVED)
    assert not await try_(cast.carol, fee, Why.ASKED)
    assert await try_(cast.bob, postage, Why.MISTAKE)
    assert not await try_(cast.bob, postage, Why.WAIVED, 0)
    assert await try_(cast.dora, postage, Why.WAIVED, 0)
    for actor in (cast.alice, cast.eve, cast.frank, cast.ben):
        assert not await try_(actor, fee, Why.MISTAKE)


# Payments


async def test_a_transfer_finds_its_dossier_by_the_reference_in_its_text(
    cast: Cast, database: Any
) -> None:
    waybill = await costly(cast)
    other = await costly(cast)
    named = (await account(cast, waybill)).reference
    text = f"MBVCB.77.{references.spaced(named).lower()}.CT tu 0071 NGUYEN THI HOA"
    (told,) = await pay(credit(text, WHOLE))
    assert (told.new, told.matched) == (True, True)
    assert (await account(cast, waybill)).open == 0
    assert (await account(cast, other)).open == WHOLE
    assert (await understand(waybill, cast.bob)).fee == 0
    # The words of the transfer name a person: they go with the last dong settled.
    assert await database.fetchval("SELECT text FROM payment") == ""
    assert await pair(database) == (WHOLE, WHOLE)


async def test_paid_is_told_once_and_in_the_same_commit(
    cast: Cast, database: Any
) -> None:
    waybill = await costly(cast)
    named = (await account(cast, waybill)).reference
    await pay(credit(named, 50_000))
    assert await waiting(database, "S14_paid") == []  # something is still owed
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _and_fail(credit(named, 31_500))
    assert await waiting(database, "S14_paid") == []
    await pay(credit(named, 31_500))
    (body,) = await waiting(database, "S14_paid")
    assert body.startswith(f"Da nhan 81.500d cho ho so {waybill} (phi 50.000d, cuoc 31")
    await pay(credit(named, 31_500))  # once more, by mistake: no second text
    assert len(await waiting(database, "S14_paid")) == 1


async def test_each_settling_is_told_with_its_own_money(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "registered", **COSTS)
    named = (await account(cast, waybill)).reference
    await pay(credit(named, WHOLE))
    async with transaction() as connection:
        await charges.with_result(
            connection,
            (await account(cast, waybill)).dossier,
            26_000,
            cast.agency,
            cast.long_xuyen,
            cast.charlie.staff,
            datetime.now(UTC),
        )
    await pay(credit(named, 26_000))
    first, second = await waiting(database, "S14_paid")
    assert "81.500d" in first
    assert "Da nhan 26.000d" in second
    assert "(phi 26.000d, cuoc 0d)" in second


async def test_a_text_that_asks_for_money_is_said_anew_once_it_is_paid(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    (asks,) = await waiting(database, "S07_out")
    otp = await code_for(waybill, "delivery")
    assert "Phai thu 26.000d" in asks
    await pay(credit((await account(cast, waybill)).reference, 26_000))
    (now,) = await waiting(database, "S07_out")
    assert "Phai thu 0d" in now
    assert otp in now  # the code still reaches the citizen
    await pay(credit((await account(cast, waybill)).reference, 5_000))
    keys = await database.fetch(
        "SELECT key FROM sms_message WHERE template = 'S07_out' ORDER BY id"
    )
    assert len(keys) == 2  # what says the right sum already is left alone
    assert "26.000d" not in "".join(await waiting(database, "S06_result_ready"))
    stored = await database.fetchrow(
        """
        SELECT expires_at, secret FROM sms_message WHERE template = 'S07_out'
            AND status = 'queued'
        """
    )
    assert stored["expires_at"] is not None
    assert "otp" in stored["secret"]


async def test_the_same_money_told_twice_is_written_once(
    cast: Cast, database: Any
) -> None:
    named = (await account(cast, await costly(cast))).reference
    one = credit(named, 50_000, "FT1")
    await pay(one, one)
    (again,) = await pay(credit(named, 50_000, "FT1"))
    assert (again.new, again.differs) == (False, False)
    (other,) = await pay(credit(named, 99, "FT1"))
    assert (other.new, other.differs) == (False, True)
    (portal,) = await pay(credit(named, 1_000, "FT1", "portal"))
    assert portal.new  # another book, another number
    assert await database.fetchval("SELECT sum(amount) FROM payment") == 51_000


async def test_of_many_that_pay_at_once_nobody_pays_twice(
    cast: Cast, database: Any
) -> None:
    named = (await account(cast, await costly(cast))).reference
    sent = [credit(named, WHOLE, f"FT{n % 3}") for n in range(9)]
    told = await asyncio.gather(*(pay(each) for each in sent))
    assert sum(booked.new for (booked,) in told) == 3
    assert sum(booked.given for (booked,) in told) == WHOLE
    assert await database.fetchval("SELECT count(*) FROM payment") == 3
    assert len(await waiting(database, "S14_paid")) == 1
    over = await payments.unsettled(cast.dora)
    assert [(each.left, each.finding) for each in over] == [(WHOLE, "over")] * 2


async def test_the_database_lets_nobody_pay_twice_or_below_nothing(
    cast: Cast, database: Any
) -> None:
    named = (await account(cast, await costly(cast))).reference
    await pay(credit(named, 40_000, "FT1"), credit(named, 500_000, "FT2"))
    give = """
        INSERT INTO allocation (payment, charge, amount, why, at)
        SELECT p.id, c.id, $1, '', now() FROM payment p, charge c
        WHERE p.reference = $2 AND c.kind = 'state_fee'
    """
    for amount, number in ((1, "FT1"), (1, "FT2"), (-40_001, "FT1")):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(give, amount, number)
    for statement in (
        "UPDATE payment SET amount = 1",
        "UPDATE payment SET settled = amount",
        "UPDATE payment SET text = 'x'",
        "DELETE FROM payment",
        "UPDATE allocation SET amount = 1",
        "DELETE FROM allocation",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await database.execute(statement)
    await database.execute("UPDATE payment SET text = ''")  # but erased it may be
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute(
            """
            INSERT INTO payment (method, reference, amount, settled, at, recorded_at,
                via, text) VALUES ('transfer', 'X', -5, 0, now(), now(), 'feed', '')
            """
        )


async def test_money_from_the_portal_pays_first_what_was_due_there(cast: Cast) -> None:
    waybill = await costly(cast, fee_due="online")
    told = await account(cast, waybill)
    await pay(credit(told.reference, 40_000, method="portal"))
    by_due = {c.due: c.open for c in (await account(cast, waybill)).charges}
    assert by_due == {Due.ONLINE: 10_000, Due.PICKUP: 31_500}
    await pay(credit(told.reference, 31_500))
    by_due = {c.due: c.open for c in (await account(cast, waybill)).charges}
    assert by_due == {Due.ONLINE: 10_000, Due.PICKUP: 0}


async def test_a_text_that_names_two_dossiers_is_for_a_person_to_read(
    cast: Cast,
) -> None:
    one = (await account(cast, await costly(cast))).reference
    two = (await account(cast, await costly(cast))).reference
    (told,) = await pay(credit(f"{one} va {two}", 2 * WHOLE))
    assert (told.dossier, told.given) == (None, 0)


# By hand


async def test_what_does_not_match_is_listed_with_what_it_may_mean(cast: Cast) -> None:
    waybill = await costly(cast)
    named = (await account(cast, waybill)).reference
    sign = "A" if named[5] != "A" else "B"
    await pay(
        credit(f"ck {named[:5]}{sign}{named[6:]}", 1_000),
        credit("tien ho so", WHOLE),
        credit("mua rau", 7_000),
    )
    slip, amount, greens = await payments.unsettled(cast.bob)
    assert [(p.reference, p.why) for p in slip.proposals] == [(named, "reference")]
    assert [(p.reference, p.why) for p in amount.proposals] == [(named, "amount")]
    assert (greens.proposals, greens.finding, greens.text) == ([], "unknown", "mua rau")
    for_the_auditor = await payments.unsettled(cast.eve)
    assert {(each.text, len(each.proposals)) for each in for_the_auditor} == {("", 0)}
    for actor in (cast.alice, cast.charlie):
        with pytest.raises(NotAllowed):
            await payments.unsettled(actor)


async def test_what_is_left_is_settled_by_hand_with_a_reason(
    cast: Cast, database: Any
) -> None:
    waybill = await costly(cast)
    await pay(credit("tien ho so chi Hoa", WHOLE))
    (left,) = await payments.unsettled(cast.bob)
    for code, why, wrong in (
        (waybill, " ", "why"),
        ("DH999999999VN", "vì", "code"),
        ("", "vì", "code"),
    ):
        with pytest.raises(BadInput) as fault:
            await payments.settle(left.id, code, why, cast.bob)
        assert [each.field for each in fault.value.problems] == [wrong]
    for actor in (cast.alice, cast.charlie, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await payments.settle(left.id, waybill, "vì", actor)
    with pytest.raises(BadInput):  # another office's dossier is none of Ben's
        await payments.settle(left.id, waybill, "vì", cast.ben)
    assert (
        await payments.settle(left.id, waybill, "Chị Hoa gọi điện", cast.bob) == WHOLE
    )
    assert len(await waiting(database, "S14_paid")) == 1
    assert await payments.unsettled(cast.bob) == []
    with pytest.raises(Conflict):
        await payments.settle(left.id, await costly(cast), "vì", cast.bob)


async def test_too_much_is_named_and_given_back_by_a_supervisor(cast: Cast) -> None:
    waybill = await costly(cast)
    await pay(credit((await account(cast, waybill)).reference, WHOLE + 18_500))
    (over,) = await payments.unsettled(cast.dora)
    assert (over.left, over.finding, over.waybill) == (18_500, "over", waybill)
    assert (await account(cast, waybill)).over == 18_500

    def back(amount: int, **more: Any) -> Return:
        given: dict[str, Any] = {
            "id": uuid4(),
            "payment": over.id,
            "amount": amount,
            "way": "transfer",
            "reference": "UNC 12",
            "why": "Trả thừa",
        }
        return Return(**given | more)

    for actor in (cast.bob, cast.alice, cast.eve):
        with pytest.raises(NotAllowed):
            await payments.give_back(back(18_500), actor)
    for wanted in (
        back(18_501),
        back(0),
        back(1, why=""),
        back(1, reference=""),
        back(1, way="gift"),
    ):
        with pytest.raises(BadInput):
            await payments.give_back(wanted, cast.dora)
    whole = back(18_500)
    await payments.give_back(whole, cast.dora)
    await payments.give_back(whole, cast.dora)  # told twice
    with pytest.raises(Conflict):
        await payments.give_back(back(1), cast.dora)
    async with transaction() as connection:
        books = await payments.balance(connection)
    assert books == {
        "came": WHOLE + 18_500,
        "left": 0,
        "given": WHOLE,
        "back": 18_500,
        "paid": WHOLE,
    }


async def test_lowering_what_was_paid_leaves_the_rest_to_be_given_back(
    cast: Cast,
) -> None:
    waybill = await costly(cast)
    await pay(credit((await account(cast, waybill)).reference, WHOLE))
    less = Wanted(
        kind=ChargeKind.STATE_FEE,
        due=Due.PICKUP,
        amount=20_000,
        why=Why.ASKED,
        words="Được miễn một phần",
    )
    await charges.change(waybill, less, cast.charlie)
    told = await account(cast, waybill)
    assert (told.open, told.paid, told.over) == (0, 51_500, 30_000)


async def test_a_cashier_takes_what_is_owed_and_no_more(
    cast: Cast, database: Any
) -> None:
    waybill = await costly(cast)
    id = uuid4()
    with pytest.raises(BadInput):
        await payments.at_counter(id, waybill, WHOLE + 1, cast.bob)
    await payments.at_counter(id, waybill, WHOLE, cast.bob)
    await payments.at_counter(id, waybill, WHOLE, cast.bob)  # the form sent twice
    with pytest.raises(BadInput):
        await payments.at_counter(uuid4(), waybill, 1, cast.bob)
    assert await database.fetchval("SELECT sum(amount) FROM payment") == WHOLE
    assert len(await waiting(database, "S14_paid")) == 1
    for actor in (cast.alice, cast.charlie, cast.dean, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await payments.at_counter(uuid4(), waybill, 1, actor)
    with pytest.raises(NotFound):
        await payments.at_counter(uuid4(), waybill, 1, cast.ben)


async def test_what_is_owed_is_listed_and_what_is_overdue_first(cast: Cast) -> None:
    ahead = await costly(cast)
    passed = await travel(cast, "accepted", **COSTS)
    await costly(cast, agency="OTHER", office="CD")
    listed, sums = await payments.owed(cast.dora)
    assert [(each.waybill, each.passed) for each in listed] == [
        (passed, True),
        (ahead, False),
    ]
    assert (sums.accounts, sums.open, sums.passed_open) == (2, 2 * WHOLE, WHOLE)
    assert (await payments.owed(cast.dean))[1].accounts == 3


# Custody and money


@pytest.mark.parametrize("step", ["accepted", "delivered"])
async def test_a_carrier_never_waits_for_money_to_record_custody(
    cast: Cast, step: str
) -> None:
    """Unpaid, paid, or being paid at this very moment: the scan is written at once."""
    before = {"accepted": "booked", "delivered": "carried"}[step]
    waybill = await travel(cast, before, **COSTS)
    purpose = "pickup" if step == "accepted" else "delivery"
    proof = Proof("code", code=await code_for(waybill, purpose))
    told = await account(cast, waybill)
    async with transaction() as connection:
        # Somebody pays, and his transaction does not end.
        await payments.book(
            connection, [credit(told.reference, told.open)], datetime.now(UTC)
        )

        async def record() -> Any:
            return await scan(cast.alice, waybill, Step(step), proof=proof)

        outcome = await asyncio.wait_for(_apart(record), 5)
    assert outcome.error is None
    assert not outcome.remarks


async def _apart(work: Callable[[], Any]) -> Any:
    """Run something outside this task's transaction."""
    from postal_track.database import engine

    token = engine().current_transaction.set(None)
    try:
        return await work()
    finally:
        engine().current_transaction.reset(token)
