"""Cash: taken at a door, held, handed in, counted, taken to the bank."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from postal_track import cash, charges, payments
from postal_track.boards import today
from postal_track.cash import Answer, HandInState, Taken
from postal_track.charges import ChargeKind, Due, Wanted, Why
from postal_track.database import transaction
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound
from postal_track.payments import Return
from postal_track.staff import Actor
from tests.cast import Cast, code_for, order, travel, visitor
from tests.test_money import COSTS, WHOLE, account, costly, credit, pay, waiting

Told = TypeVar("Told")


async def take(actor: Actor, code: str, amount: int, id: UUID | None = None) -> Answer:
    taken = Taken(id or uuid4(), code, amount, datetime.now(UTC))
    (answer,) = await cash.take([taken], actor)
    return answer


async def with_cash(cast: Cast, *amounts: int) -> int:
    """Let Alice take so much, each for a dossier that costs just that."""
    for amount in amounts:
        booked = await order(cast, fee=amount)
        assert (await take(cast.alice, booked.waybill or "", amount)).new
    return sum(amounts)


# Taken


async def test_cash_at_the_door_pays_what_is_owed_once(
    cast: Cast, database: Any
) -> None:
    waybill = await costly(cast)
    id = uuid4()
    assert (await take(cast.alice, waybill, WHOLE, id)) == Answer(id, new=True)
    assert (await take(cast.alice, waybill, WHOLE, id)) == Answer(id)  # sent twice
    other = await take(cast.alice, waybill, 5, id)
    assert isinstance(other.error, Conflict)
    assert await cash.total(cast.alice) == WHOLE
    assert (await account(cast, waybill)).open == 0
    assert len(await waiting(database, "S14_paid")) == 1


async def test_cash_for_nothing_that_is_owed_is_written_and_named(
    cast: Cast, database: Any
) -> None:
    waybill = await costly(cast)
    await pay(credit((await account(cast, waybill)).reference, WHOLE))
    late = await take(cast.alice, waybill, WHOLE)
    unknown = await take(cast.alice, "DH999999999VN of a torn label", 9_000)
    assert (late.new, late.over, unknown.over) == (True, WHOLE, 9_000)
    assert await cash.total(cast.alice) == WHOLE + 9_000
    found = {each.finding: each for each in await payments.unsettled(cast.dora)}
    assert (found["over"].waybill, found["over"].by) == (waybill, cast.alice.party)
    assert found["unknown"].text == "DH999999999VN of a torn label"


async def test_who_may_take_cash_and_into_which_hands(cast: Cast) -> None:
    waybill = await costly(cast)
    for actor in (cast.charlie, cast.eve, cast.frank, cast.dean):
        assert isinstance((await take(actor, waybill, 1_000)).error, NotAllowed)
    for amount in (0, -5, 10**9):
        assert isinstance((await take(cast.alice, waybill, amount)).error, BadInput)
    await take(cast.bob, waybill, 1_000)  # a clerk's goes into the drawer
    assert await cash.total(cast.bob) == 0
    (drawer,) = (await cash.day(cast.dora, today())).drawers
    assert (drawer.counter, drawer.holds) == (1_000, 1_000)


async def test_cash_rides_with_a_scan_and_is_written_once(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await costly(cast)
    scan = {
        "id": str(uuid4()),
        "code": waybill,
        "step": "accepted",
        "at": datetime.now(UTC).isoformat(),
        "originals": 2,
        "copies": 1,
        "seal_no": "NP1",
        "proof": {"kind": "code", "code": await code_for(waybill, "pickup")},
        "cash": WHOLE,
    }
    async with await visitor(cast.alice) as client:
        found = (await client.get("/api/items", params={"code": waybill})).json()
        assert found["pay"]["amount"] == found["fee"] == WHOLE
        assert found["pay"]["qr"].startswith("M3 3.5h7m")
        answers = [
            (
                await client.post("/api/scans", json={"device": "d", "scans": [scan]})
            ).json()["outcomes"][0]
            for _ in range(2)
        ]
        owed = (await client.get("/api/owed", params={"code": waybill})).json()
    assert [each["cash"] for each in answers] == ["recorded", "repeated"]
    assert answers[0]["item"]["pay"] == {"amount": 0, "paid": True}
    assert owed == {"open": 0, "paid": True}
    assert await database.fetchval("SELECT sum(amount) FROM payment") == WHOLE
    assert await cash.total(cast.alice) == WHOLE


async def test_a_refused_scan_does_not_lose_the_cash_nor_cash_the_scan(
    cast: Cast, server: str
) -> None:
    waybill = await costly(cast)
    scan = {
        "id": str(uuid4()),
        "code": waybill,
        "step": "accepted",
        "at": datetime.now(UTC).isoformat(),
        "proof": {"kind": "code", "code": "000000"},
        "cash": WHOLE,
    }
    async with await visitor(cast.alice) as client:
        answer = await client.post("/api/scans", json={"device": "d", "scans": [scan]})
        (told,) = answer.json()["outcomes"]
        assert (told["result"], told["error"]) == ("refused", "BadCode")
        assert told["cash"] == "recorded"
    # Who may take no cash still records custody.
    handed = await travel(cast, "out", **COSTS)
    scan = {"id": str(uuid4()), "code": handed, "step": "received", "cash": 5} | {
        "at": datetime.now(UTC).isoformat()
    }
    async with await visitor(cast.charlie) as client:
        answer = await client.post("/api/scans", json={"device": "d", "scans": [scan]})
        (told,) = answer.json()["outcomes"]
    assert (told["result"], told["cash"]) == ("recorded", "refused")


async def test_a_day_s_cash_without_signal_is_told_as_a_list(
    cast: Cast, server: str
) -> None:
    waybill = await costly(cast)
    early = (datetime.now(UTC) - timedelta(hours=6)).isoformat()
    taken = [
        {"id": str(uuid4()), "code": waybill, "amount": amount, "at": early}
        for amount in (50_000, 31_500)
    ]
    async with await visitor(cast.alice) as client:
        answers = [
            (await client.post("/api/cash", json={"taken": taken})).json()
            for _ in range(2)
        ]
    assert [each["result"] for each in answers[0]["outcomes"]] == ["recorded"] * 2
    assert [each["result"] for each in answers[1]["outcomes"]] == ["repeated"] * 2
    assert answers[1]["holds"] == WHOLE
    async with await visitor(None) as client:
        assert (await client.post("/api/cash", json={"taken": []})).status_code == 401


# Handed in


async def test_counted_alike_by_both_sides_it_has_ended(cast: Cast) -> None:
    whole = await with_cash(cast, 50_000, 31_500)
    id = uuid4()
    await cash.release(id, whole, cast.alice)
    await cash.release(id, whole, cast.alice)  # told twice
    assert await cash.total(cast.alice) == whole  # her word alone moves nothing
    (seen,) = await cash.waiting(cast.bob)
    assert (seen.carrier, seen.said) == (cast.alice.party, None)  # counted blind
    for actor, shown in ((cast.bob, 0), (cast.dora, 0), (cast.dean, 1), (cast.eve, 1)):
        assert len((await cash.day(actor, today())).purses) == shown
    heap = await cash.count(id, cast.alice.staff, whole, cast.bob)
    assert heap.state is HandInState.ENDED
    await cash.count(id, cast.alice.staff, whole, cast.bob)
    assert await cash.total(cast.alice) == 0
    assert await cash.waiting(cast.bob) == []
    told = await cash.day(cast.dora, today())
    (purse,) = told.purses
    assert (purse.taken, purse.pieces, purse.given, purse.holds) == (whole, 2, whole, 0)
    assert [each.holds for each in told.drawers] == [whole]


async def test_a_difference_has_a_reason_and_somebody_else_s_agreement(
    cast: Cast,
) -> None:
    whole = await with_cash(cast, 100_000)
    id = uuid4()
    await cash.release(id, whole, cast.alice)
    heap = await cash.count(id, cast.alice.staff, 90_000, cast.bob)
    assert (heap.state, heap.difference) == (HandInState.EXPLAIN, -10_000)
    with pytest.raises(Conflict):  # counted once: there is no second try
        await cash.count(id, cast.alice.staff, whole, cast.bob)
    with pytest.raises(Conflict):
        await cash.agree(id, cast.alice)  # to what?
    with pytest.raises(BadInput):
        await cash.explain(id, "  ", cast.bob)
    await cash.explain(id, "Thiếu một tờ 10.000", cast.bob)
    for actor in (cast.bob, cast.eve, cast.charlie):
        with pytest.raises((NotAllowed, NotFound)):
            await cash.agree(id, actor)
    await cash.agree(id, cast.alice)
    held = await cash.held(cast.alice)
    assert (held.total, held.last and held.last.state) == (10_000, HandInState.ENDED)
    with pytest.raises(NotAllowed):
        await cash.let_go(uuid4(), cast.alice.staff, -10_000, "vì", cast.bob)
    with pytest.raises(BadInput):
        await cash.let_go(uuid4(), cast.alice.staff, -10_000, "", cast.dora)
    with pytest.raises(NotFound):
        await cash.let_go(uuid4(), cast.amy.staff, -10_000, "vì", cast.dora)
    once = uuid4()
    for _ in range(2):
        await cash.let_go(once, cast.alice.staff, -10_000, "Trừ lương", cast.dora)
    assert await cash.total(cast.alice) == 0
    (settled,) = (await cash.day(cast.dora, today())).settled
    assert (settled.amount, settled.why) == (-10_000, "Trừ lương")


async def test_a_cashier_may_count_what_nobody_announced(cast: Cast) -> None:
    await with_cash(cast, 40_000)
    id = uuid4()
    assert (cast.alice.staff, "Alice") in await cash.carriers(cast.bob)
    heap = await cash.count(id, cast.alice.staff, 40_000, cast.bob)
    assert heap.state is HandInState.EXPLAIN  # she has not said a word
    await cash.explain(id, "Bưu tá quên báo", cast.bob)
    await cash.agree(id, cast.dora)
    assert await cash.total(cast.alice) == 0
    with pytest.raises(NotFound):
        await cash.count(uuid4(), cast.amy.staff, 1, cast.bob)


async def test_who_may_hand_in_and_count(cast: Cast) -> None:
    await with_cash(cast, 40_000)
    for actor in (cast.bob, cast.dora, cast.charlie, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await cash.release(uuid4(), 1, actor)
        with pytest.raises(NotAllowed):
            await cash.held(actor)
    id = uuid4()
    await cash.release(id, 40_000, cast.alice)
    with pytest.raises(Conflict):
        await cash.release(uuid4(), 1, cast.alice)
    for actor in (cast.alice, cast.charlie, cast.eve, cast.frank, cast.dean):
        with pytest.raises(NotAllowed):
            await cash.count(id, cast.alice.staff, 40_000, actor)
    with pytest.raises(NotFound):  # another office's cashier
        await cash.count(id, cast.alice.staff, 40_000, cast.ben)
    with pytest.raises(NotFound):
        await cash.recall(id, cast.amy)
    await cash.recall(id, cast.alice)
    await cash.recall(id, cast.alice)
    with pytest.raises(Conflict):
        await cash.count(id, cast.alice.staff, 40_000, cast.bob)
    assert await cash.total(cast.alice) == 40_000


async def test_of_two_cashiers_who_count_at_once_one_is_heard(
    cast: Cast, database: Any
) -> None:
    await with_cash(cast, 40_000)
    id = uuid4()
    await cash.release(id, 40_000, cast.alice)
    told = await asyncio.gather(
        cash.count(id, cast.alice.staff, 40_000, cast.bob),
        cash.count(id, cast.alice.staff, 39_000, cast.dora),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Conflict) for each in told) == 1


async def test_what_was_said_and_counted_stays(cast: Cast, database: Any) -> None:
    await with_cash(cast, 40_000)
    id = uuid4()
    await cash.release(id, 40_000, cast.alice)
    refused = (asyncpg.RestrictViolationError, asyncpg.CheckViolationError)
    for statement in (
        "UPDATE cash_hand_in SET said = 1",
        "DELETE FROM cash_hand_in",
        "UPDATE cash_hand_in SET counted = 1, counted_at = now(), cashier = carrier",
        "UPDATE cash_hand_in SET ended_at = now()",
    ):
        with pytest.raises(refused):
            await database.execute(statement)
    await cash.count(id, cast.alice.staff, 39_000, cast.bob)
    for statement in (
        "UPDATE cash_hand_in SET counted = 40000",
        "UPDATE cash_hand_in SET ended_at = now()",  # without a reason
        "UPDATE cash_hand_in SET reason = 'x', agreed_by = cashier",
        "UPDATE cash_hand_in SET recalled_at = now()",
    ):
        with pytest.raises(refused):
            await database.execute(statement)


# The drawer


async def test_a_drawer_is_counted_and_a_difference_named(cast: Cast) -> None:
    whole = await with_cash(cast, 50_000)
    id = uuid4()
    await cash.release(id, whole, cast.alice)
    await cash.count(id, cast.alice.staff, whole, cast.bob)
    waybill = await costly(cast)
    await payments.at_counter(uuid4(), waybill, WHOLE, cast.bob)
    for actor in (cast.alice, cast.charlie, cast.eve, cast.dean):
        with pytest.raises(NotAllowed):
            await cash.close(uuid4(), 0, "", "", actor)
    with pytest.raises(BadInput):
        await cash.close(uuid4(), 131_000, "", "NT 7", cast.bob)
    once = uuid4()
    for _ in range(2):
        more = await cash.close(once, 131_000, "Thiếu tiền lẻ", "NT 7", cast.bob)
        assert more == -500
    told = await cash.day(cast.dora, today())
    assert [(c.expected, c.counted, c.deposit) for c in told.closes] == [
        (131_500, 131_000, "NT 7")
    ]
    assert [each.holds for each in told.drawers] == [0]
    assert (await cash.day(cast.dora, today() - timedelta(days=1))).closes == []


async def test_cash_given_back_leaves_the_drawer(cast: Cast) -> None:
    waybill = await costly(cast)
    await take(cast.bob, waybill, WHOLE + 500)
    (over,) = await payments.unsettled(cast.dora)
    back = Return(
        id=uuid4(),
        payment=over.id,
        amount=500,
        way="cash",
        reference="PC 3",
        why="Thối lại",
    )
    await payments.give_back(back, cast.dora)
    (drawer,) = (await cash.day(cast.dora, today())).drawers
    assert (drawer.counter, drawer.refunded, drawer.holds) == (WHOLE + 500, 500, WHOLE)


async def test_a_day_is_read_by_office(cast: Cast) -> None:
    await with_cash(cast, 50_000)
    assert [p.carrier for p in (await cash.day(cast.dora, today())).purses] == [
        cast.alice.party
    ]
    assert (await cash.day(cast.ben, today())).purses == []
    assert len((await cash.day(cast.eve, today())).purses) == 1
    for actor in (cast.alice, cast.charlie):
        with pytest.raises(NotAllowed):
            await cash.day(actor, today())


# The books always balance


def books(cast: Cast, loop: asyncio.AbstractEventLoop) -> type[RuleBasedStateMachine]:
    """Make a machine that works on the loop that holds the database's pool."""

    def wait(work: Coroutine[Any, Any, Told]) -> Told:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    def refused(work: Coroutine[Any, Any, Any]) -> None:
        """Do it if it may be done: what is refused changes nothing."""
        try:
            wait(work)
        except (BadInput, Conflict, NotFound, NotAllowed):
            return

    amounts = st.sampled_from([1, 500, 31_500, 50_000, 81_500, 200_000])

    class Books(RuleBasedStateMachine):
        """Two dossiers, everybody who touches money, and what the model remembers."""

        def __init__(self) -> None:
            super().__init__()
            self.waybills: list[str] = []
            self.references: list[str] = []
            self.told: set[str] = set()
            self.came = self.taken = self.given = 0
            # Of the example before, nothing is forgotten: sums are told apart by it.
            self.start = wait(sums())
            self.began = wait(cash.total(cast.alice))

        @initialize()
        def begin(self) -> None:
            for _ in range(2):
                waybill = wait(costly(cast))
                self.waybills.append(waybill)
                self.references.append(wait(account(cast, waybill)).reference)

        @rule(which=st.integers(0, 2), amount=amounts, number=st.integers(0, 4))
        def transfer(self, which: int, amount: int, number: int) -> None:
            text = [*self.references, "mua rau"][which]
            name = f"{self.references[0]}{number}"
            wait(pay(credit(text, amount, name)))
            if name not in self.told:
                self.came += amount
                self.told.add(name)

        @rule(which=st.integers(0, 1), amount=amounts)
        def at_the_door(self, which: int, amount: int) -> None:
            wait(take(cast.alice, self.waybills[which], amount))
            self.came += amount
            self.taken += amount

        @rule(counted=amounts, said=amounts)
        def hand_in(self, counted: int, said: int) -> None:
            id = uuid4()
            refused(cash.release(id, said, cast.alice))
            wait(cash.count(id, cast.alice.staff, counted, cast.bob))
            self.given += counted

        @rule(amount=amounts, kind=st.sampled_from(ChargeKind))
        def charge(self, amount: int, kind: ChargeKind) -> None:
            wanted = Wanted(
                kind=kind, due=Due.PICKUP, amount=amount, why=Why.MISTAKE, words="vì"
            )
            refused(charges.change(self.waybills[0], wanted, cast.bob))

        @rule(which=st.integers(0, 1), one=st.integers(0, 5))
        def settle(self, which: int, one: int) -> None:
            left = wait(payments.unsettled(cast.dora))
            if left:
                payment = left[one % len(left)].id
                refused(payments.settle(payment, self.waybills[which], "vì", cast.bob))

        @rule(amount=amounts)
        def give_back(self, amount: int) -> None:
            left = wait(payments.unsettled(cast.dora))
            if left:
                back = Return(
                    id=uuid4(),
                    payment=left[0].id,
                    amount=amount,
                    way="transfer",
                    reference="UNC",
                    why="vì",
                )
                refused(payments.give_back(back, cast.dora))

        @invariant()
        def what_came_is_given_given_back_or_left(self) -> None:
            now = wait(sums())
            assert now["came"] - self.start["came"] == self.came
            assert now["came"] == now["given"] + now["back"] + now["left"]
            assert now["given"] == now["paid"] >= 0

        @invariant()
        def what_is_held_was_taken_and_not_handed_in(self) -> None:
            held = wait(cash.total(cast.alice)) - self.began
            assert held == self.taken - self.given

    return Books


async def sums() -> dict[str, int]:
    async with transaction() as connection:
        return dict(await payments.balance(connection))


async def test_the_books_always_balance(cast: Cast) -> None:
    machine = books(cast, asyncio.get_running_loop())
    chosen = hypothesis_settings(
        max_examples=8,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=chosen)
