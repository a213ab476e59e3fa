"""Claims: in time, one at a time, decided by a supervisor, worth what the rule says."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from postal_track import complaints, irregularities
from postal_track.complaints import Claimed, State, months_later
from postal_track.custody import Kind, Reason, Step
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound
from postal_track.irregularities import Ending
from postal_track.promises import LOCAL
from tests.cast import Cast, scan, travel


def today() -> date:
    return datetime.now(LOCAL).date()


async def claimed(cast: Cast, kind: Claimed = Claimed.DELAY) -> str:
    """Take in a claim about a new dossier; its number."""
    waybill = await travel(cast, "accepted")
    return await complaints.open_at_counter(waybill, kind, "quá chậm", cast.bob)


async def promised(database: Any, waybill: str, day: date) -> None:
    await database.execute(
        "UPDATE item SET promised_on = $2 WHERE waybill = $1", waybill, day
    )


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-06-15", 6, "2026-12-15"),
        ("2026-07-15", 6, "2027-01-15"),
    ],
)
def test_months_are_those_of_the_calendar(day: str, months: int, later: str) -> None:
    assert months_later(date.fromisoformat(day), months) == date.fromisoformat(later)


async def test_a_claim_has_a_number_of_its_day_and_a_day_to_be_settled_by(
    cast: Cast,
) -> None:
    first, second = await claimed(cast), await claimed(cast)
    assert first == f"KN{today():%y%m%d}0001"
    assert second == f"KN{today():%y%m%d}0002"
    claim, _ = await complaints.look(first, cast.bob)
    assert claim.settle_by == months_later(today(), 2)
    assert (claim.state, claim.opened_by) == (State.OPENED, cast.bob.party)


async def test_claims_made_at_once_have_numbers_of_their_own(cast: Cast) -> None:
    waybills = [await travel(cast, "accepted") for _ in range(4)]
    numbers = await asyncio.gather(
        *(
            complaints.open_at_counter(waybill, Claimed.DELAY, "chậm", cast.bob)
            for waybill in waybills
        )
    )
    assert len(set(numbers)) == 4


async def test_of_two_claims_of_a_kind_at_once_one_is_open(cast: Cast) -> None:
    waybill = await travel(cast, "accepted")
    answers = await asyncio.gather(
        *(
            complaints.open_at_counter(waybill, Claimed.DELAY, "chậm", cast.bob)
            for _ in range(3)
        ),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == [
        "Conflict",
        "Conflict",
        "str",
    ]


async def test_a_citizen_claims_from_the_page_of_his_dossier_only(
    cast: Cast, database: Any
) -> None:
    waybill, other = await travel(cast, "accepted"), await travel(cast, "accepted")
    token = await database.fetchval(
        "SELECT token FROM dossier JOIN item ON item.dossier = dossier.id"
        " WHERE waybill = $1",
        waybill,
    )
    number = await complaints.open_by_citizen(token, waybill, Claimed.LOSS, "mất")
    claim, _ = await complaints.look(number, cast.dora)
    assert claim.opened_by is None
    with pytest.raises(NotFound):
        await complaints.open_by_citizen(token, other, Claimed.LOSS, "mất")
    with pytest.raises(NotFound):
        await complaints.open_by_citizen("nosuchtoken", waybill, Claimed.LOSS, "mất")


@pytest.mark.parametrize("kind", [Claimed.LOSS, Claimed.DELAY])
async def test_a_loss_or_delay_is_claimed_within_six_months_of_the_promise(
    cast: Cast, database: Any, kind: Claimed
) -> None:
    waybill = await travel(cast, "accepted")
    last = next(
        day
        for day in (today() - timedelta(days=n) for n in range(190, 170, -1))
        if months_later(day, 6) >= today()
    )
    await promised(database, waybill, last - timedelta(days=1))
    with pytest.raises(BadInput) as refused:
        await complaints.open_at_counter(waybill, kind, "chậm", cast.bob)
    assert [problem.field for problem in refused.value.problems] == ["kind"]
    await promised(database, waybill, last)
    await complaints.open_at_counter(waybill, kind, "chậm", cast.bob)


async def test_damage_is_claimed_within_a_month_of_its_arrival(
    cast: Cast, database: Any
) -> None:
    late, under_way = await travel(cast, "received"), await travel(cast, "accepted")
    await database.execute("SET session_replication_role = replica")
    await database.execute("UPDATE event SET at = at - interval '33 days'")
    await database.execute("RESET session_replication_role")
    with pytest.raises(BadInput):
        await complaints.open_at_counter(late, Claimed.DAMAGE, "ướt", cast.bob)
    await complaints.open_at_counter(under_way, Claimed.DAMAGE, "ướt", cast.bob)
    fresh = await travel(cast, "received", days_ago=20)
    await complaints.open_at_counter(fresh, Claimed.DAMAGE, "ướt", cast.bob)


async def test_who_takes_claims_in_and_who_sees_them(cast: Cast) -> None:
    waybill = await travel(cast, "accepted")
    for actor in (cast.alice, cast.charlie, cast.eve):
        with pytest.raises(NotAllowed):
            await complaints.open_at_counter(waybill, Claimed.LOSS, "x", actor)
    with pytest.raises(NotFound):
        await complaints.open_at_counter(waybill, Claimed.LOSS, "x", cast.ben)
    number = await complaints.open_at_counter(waybill, Claimed.LOSS, "x", cast.bob)
    for actor in (cast.dora, cast.dean, cast.eve, cast.frank):
        assert (await complaints.look(number, actor))[0].number == number
    with pytest.raises(NotFound):
        await complaints.look(number, cast.ben)
    with pytest.raises(NotAllowed):
        await complaints.look(number, cast.alice)
    assert (await complaints.listed(cast.ben)).claims == []


async def test_an_accepted_claim_is_worth_at_least_four_times_the_postage(
    cast: Cast,
) -> None:
    number = await claimed(cast)
    with pytest.raises(BadInput) as refused:
        await complaints.accept(number, 26_000, 103_999, "", cast.dora)
    (problem,) = refused.value.problems
    assert "104.000" in problem.detail
    await complaints.accept(number, 26_000, 104_000, "", cast.dora)
    claim, _ = await complaints.look(number, cast.dora)
    assert (claim.state, claim.least, claim.amount) == (
        State.ACCEPTED,
        104_000,
        104_000,
    )
    await complaints.settle(number, "PC-17", cast.bob)
    claim, _ = await complaints.look(number, cast.dora)
    assert (claim.state, claim.settled_by) == (State.SETTLED, cast.bob.party)


async def test_only_a_supervisor_decides_and_only_once(cast: Cast) -> None:
    number = await claimed(cast)
    with pytest.raises(NotAllowed):
        await complaints.accept(number, 26_000, 200_000, "", cast.bob)
    with pytest.raises(NotAllowed):
        await complaints.reject(number, "không đúng", cast.bob)
    with pytest.raises(Conflict):
        await complaints.settle(number, "PC-17", cast.bob)
    with pytest.raises(BadInput):
        await complaints.reject(number, " ", cast.dora)
    await complaints.reject(number, "đã phát đúng hẹn", cast.dora)
    with pytest.raises(Conflict):
        await complaints.accept(number, 26_000, 200_000, "", cast.dora)


@pytest.mark.parametrize(
    ("postage", "amount"),
    [(None, 1), (1, None), (0, 10), (26_000, 10**10), (-1, 5)],
)
async def test_money_is_a_sane_number(
    cast: Cast, postage: int | None, amount: int | None
) -> None:
    number = await claimed(cast)
    with pytest.raises(BadInput):
        await complaints.accept(number, postage, amount, "", cast.dora)


async def test_the_database_lets_a_claim_go_one_way_only(
    cast: Cast, database: Any
) -> None:
    number = await claimed(cast)
    for statement in (
        "UPDATE claim SET state = 'settled', settled_at = now(), settled_by = 1,"
        " decided_at = now(), decided_by = 1, receipt = 'x', amount = 9, least = 1,"
        " postage = 1",
        "UPDATE claim SET number = 'KN0000000000'",
        "DELETE FROM claim",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await database.execute(statement)
    await complaints.accept(number, 1_000, 5_000, "", cast.dora)
    with pytest.raises(asyncpg.PostgresError):
        await database.execute("UPDATE claim SET amount = 4000")
    await database.execute("UPDATE claim SET words = ''")  # erased


async def test_claims_are_listed_by_the_day_to_settle_them(
    cast: Cast, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, later, sooner = [await claimed(cast) for _ in range(3)]
    await complaints.reject(done, "không đúng", cast.dora)
    await database.execute("SET session_replication_role = replica")
    await database.execute(
        "UPDATE claim SET settle_by = $2 WHERE number = $1",
        sooner,
        today() - timedelta(days=1),
    )
    await database.execute("RESET session_replication_role")
    monkeypatch.setattr(complaints, "LISTED", 2)
    page = await complaints.listed(cast.bob)
    assert [(c.number, c.overdue) for c in page.claims] == [
        (sooner, True),
        (later, False),
    ]
    rest = await complaints.listed(cast.bob, after=page.after)
    assert ([c.number for c in rest.claims], rest.after) == ([done], None)
    rejected = await complaints.listed(cast.bob, state=State.REJECTED)
    assert [c.number for c in rejected.claims] == [done]


async def test_an_irregularity_ends_compensated_once_its_claim_is_accepted(
    cast: Cast,
) -> None:
    waybill = await travel(cast, "accepted")
    irregular = await irregularities.open_by_hand(
        waybill, Kind.DAMAGED, "ướt", cast.alice
    )
    number = await complaints.open_at_counter(waybill, Claimed.DAMAGE, "ướt", cast.bob)
    claim, _ = await complaints.look(number, cast.dora)
    assert claim.irregularity == irregular
    with pytest.raises(BadInput):
        await irregularities.end(irregular, Ending.COMPENSATED, "", cast.dora)
    await complaints.accept(number, 26_000, 200_000, "", cast.dora)
    await irregularities.end(irregular, Ending.COMPENSATED, "", cast.dora)


async def test_a_loss_that_a_scan_declares_opens_its_claim_and_ends_the_search(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "arrived")
    await scan(cast.bob, waybill, Step.MISSED, reason=Reason.NOT_FOUND)
    lost = await scan(cast.dora, waybill, Step.LOST, note="đã tìm khắp nơi")
    assert lost.error is None
    claim = await database.fetchrow("SELECT number, kind, state FROM claim")
    assert tuple(claim)[1:] == ("loss", "opened")
    case = await database.fetchrow("SELECT outcome, ending FROM irregularity")
    assert tuple(case) == ("lost", "đã tìm khắp nơi")
    told = await database.fetchval("SELECT body FROM sms_message ORDER BY id DESC")
    assert claim["number"] in told
    # Said again, it is the same loss.
    await scan(cast.dora, waybill, Step.LOST)
    assert await database.fetchval("SELECT count(*) FROM claim") == 1
