"""My day: what is on a carrier's run, in which order, and what he says of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from postal_track import cash, planned, plans, runs
from postal_track.boards import today
from postal_track.bookings import PersonGiven
from postal_track.custody import Reason, Step
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, NotFound, NotYourPlace
from postal_track.handoffs import Scan, record
from postal_track.places import Place
from postal_track.planned import Plan
from postal_track.plans import Wanted
from postal_track.runs import Do, Run
from postal_track.slots import Half
from tests.cast import ADDRESS, OWNER, PHONE, Cast, code_for, scan, travel, visitor

TOMORROW = timedelta(days=1)


async def put(
    cast: Cast, *waybills: str, staff: int | None = None, on: date | None = None
) -> None:
    """Put items on a run: Alice's, today."""
    rows = [(waybill, uuid4()) for waybill in waybills]
    wanted = Wanted(
        rows=rows, staff=staff or cast.alice.staff, on_day=on or today(), half=None
    )
    await plans.assign(wanted, cast.bob)


async def move_to(database: Any, waybill: str, lat: float, lon: float) -> None:
    """Let the persons of an item's dossier live there, at an address of their own."""
    await database.execute(
        """
        UPDATE person SET lat = $2, lon = $3, position_source = 'nominatim',
            address = $1 WHERE dossier = (SELECT dossier FROM item WHERE waybill = $1)
        """,
        waybill,
        lat,
        lon,
    )


def on(run: Run) -> dict[str, Do]:
    """What is on a run, by waybill."""
    return {task.waybill: task.do for stop in run.stops for task in stop.tasks}


def keys(run: Run) -> list[str]:
    return [stop.key for stop in run.stops]


@pytest.fixture
async def second(cast: Cast, database: Any) -> int:
    """A second carrier in Alice's office: what is nobody's is no longer hers."""
    number: int = await database.fetchval(
        """
        INSERT INTO staff (login, name, role, password, office, language, active)
        VALUES ('ann', 'Ann', 'carrier', '', $1, 'vi', true) RETURNING id
        """,
        cast.long_xuyen,
    )
    return number


# What is on it


async def test_a_run_is_what_is_to_be_fetched_and_what_is_to_be_brought(
    cast: Cast,
) -> None:
    pickup, outward = await travel(cast, "booked"), await travel(cast, "out")
    ready, result = await travel(cast, "ready"), await travel(cast, "carried")
    collected = await travel(cast, "accepted")
    run = await runs.run(cast.alice)
    assert on(run) == {
        pickup: Do.COLLECT,
        outward: Do.HAND_OVER,
        ready: Do.FETCH,
        result: Do.DELIVER,
    }
    assert [task.waybill for task in run.indoors] == [collected]
    # The agency is one door, and the citizen, whose papers come and go, another.
    assert sorted(map(len, (stop.tasks for stop in run.stops))) == [2, 2]
    citizen = next(stop for stop in run.stops if stop.agency is None)
    assert (citizen.name[0], citizen.address) == (OWNER, ADDRESS)
    assert citizen.phone == "+84912345678"
    assert citizen.rough
    (papers,) = [task.papers for task in citizen.tasks if task.waybill == pickup]
    assert [(p.name, p.originals, p.copies) for p in papers] == [("Đơn đề nghị", 2, 1)]


async def test_money_and_warnings_stand_with_the_delivery(cast: Cast) -> None:
    waybill = await travel(cast, "carried", procedure="2.000")
    run = await runs.run(cast.alice)
    (task,) = [t for stop in run.stops for t in stop.tasks if t.waybill == waybill]
    assert task.fee == run.fee > 0
    assert task.in_person
    assert task.here
    assert task.ready


async def test_what_a_colleague_of_another_office_has_is_not_on_it(cast: Cast) -> None:
    await travel(cast, "booked")
    await travel(cast, "out")
    run = await runs.run(cast.amy)
    assert (run.stops, run.free, run.indoors) == ([], [], [])
    for actor in (cast.bob, cast.charlie, cast.dora, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await runs.run(actor)


async def test_what_nobody_goes_for_may_be_taken_once(
    cast: Cast, second: int, database: Any
) -> None:
    waybill = await travel(cast, "booked")
    run = await runs.run(cast.alice)
    assert on(run) == {}
    assert [free.waybill for free in run.free] == [waybill]
    assert await plans.take([waybill, "DH000000005VN"], cast.alice) == 1
    run = await runs.run(cast.alice)
    assert on(run) == {waybill: Do.COLLECT}
    assert run.free == []
    await put(cast, waybill, staff=second)
    assert await plans.take([waybill], cast.alice) == 0
    assert on(await runs.run(cast.alice)) == {}
    with pytest.raises(NotAllowed):
        await plans.take([waybill], cast.bob)


async def test_a_round_makes_what_lies_in_its_wards_its_carriers(
    cast: Cast, second: int
) -> None:
    waybill = await travel(cast, "booked")
    await plans.set_rounds({"30307": second}, cast.dora)
    run = await runs.run(cast.alice)
    assert on(run) == {}
    assert run.free == []
    await plans.set_rounds({"30307": cast.alice.staff}, cast.bob)
    assert on(await runs.run(cast.alice)) == {waybill: Do.COLLECT}
    await plans.set_rounds({"30307": None}, cast.bob)
    assert len((await runs.run(cast.alice)).free) == 1
    with pytest.raises(BadInput):
        await plans.set_rounds({"30307": cast.amy.staff}, cast.bob)
    with pytest.raises(BadInput):
        await plans.set_rounds({"99999": second}, cast.bob)


async def test_a_delivery_put_on_a_run_is_released_and_to_be_fetched_first(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    await put(cast, waybill)
    held = await database.fetchrow(
        "SELECT holder, released_to FROM item WHERE waybill = $1", waybill
    )
    assert tuple(held) == (f"office:{cast.long_xuyen}", str(cast.alice.party))
    run = await runs.run(cast.alice)
    (stop,) = run.stops
    assert not stop.tasks[0].here
    outcome = await scan(cast.alice, waybill, Step.OUT)
    assert not outcome.remarks  # it was announced
    run = await runs.run(cast.alice)
    assert run.stops[0].tasks[0].here


async def test_what_is_released_to_a_carrier_is_on_his_run_whatever_was_planned(
    cast: Cast, second: int
) -> None:
    waybill = await travel(cast, "brought")
    await put(cast, waybill, staff=second)
    assert on(await runs.run(cast.alice)) == {}
    await scan(cast.bob, waybill, Step.RELEASED, to=cast.alice.party)
    assert on(await runs.run(cast.alice)) == {waybill: Do.DELIVER}
    (line,) = (await plans.board(cast.bob)).lines
    assert line.staff == cast.alice.staff


async def test_putting_it_on_a_run_twice_releases_it_once(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    for _ in range(2):
        await put(cast, waybill)
    told = await database.fetchval(
        "SELECT count(*) FROM event WHERE step = 'released' AND towards = $1",
        str(cast.alice.party),
    )
    assert told == 1


async def test_what_is_for_another_day_is_counted_and_not_shown(cast: Cast) -> None:
    waybill = await travel(cast, "booked")
    await put(cast, waybill, on=today() + TOMORROW)
    run = await runs.run(cast.alice)
    assert on(run) == {}
    assert run.later == 1
    await put(cast, waybill, on=today())
    assert on(await runs.run(cast.alice)) == {waybill: Do.COLLECT}


async def test_who_came_in_vain_comes_again_on_the_day_he_said(cast: Cast) -> None:
    waybill = await travel(cast, "carried")
    tomorrow = today() + TOMORROW
    said = Scan(
        id=uuid4(),
        code=waybill,
        step=Step.ATTEMPTED,
        at=datetime.now(UTC),
        actor=cast.alice,
        reason=Reason.ABSENT,
        again_on=tomorrow,
    )
    for _ in range(2):
        (outcome,) = await record([said])
        assert outcome.error is None
    run = await runs.run(cast.alice)
    assert on(run) == {}
    assert run.later == 1
    assert [(done.waybill, done.step) for done in run.done][:1] == [
        (waybill, Step.ATTEMPTED)
    ]


async def test_without_a_day_it_is_the_one_that_the_citizen_was_told(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    await put_by_hand(cast, waybill, database)
    for away in (None, -1):
        again = None if away is None else today() + timedelta(days=away)
        outcome = await scan(
            cast.alice, waybill, Step.ATTEMPTED, reason=Reason.ABSENT, again_on=again
        )
        assert outcome.error is None
        run = await runs.run(cast.alice)
        assert (on(run), run.later) == ({}, 1)
    # The third time was the last: it waits at the counter from now on.
    await scan(cast.alice, waybill, Step.ATTEMPTED, reason=Reason.ABSENT)
    run = await runs.run(cast.alice)
    assert (on(run), run.later) == ({}, 0)
    assert [task.waybill for task in run.indoors] == [waybill]
    # Whoever goes today all the same is told to by the counter, later.
    await put_by_hand(cast, waybill, database, later=1)
    assert on(await runs.run(cast.alice)) == {waybill: Do.DELIVER}


async def put_by_hand(
    cast: Cast, waybill: str, database: Any, later: int = -60
) -> None:
    """Plan what a carrier has in hand for today, so many seconds from now."""
    item = await database.fetchval("SELECT id FROM item WHERE waybill = $1", waybill)
    said = datetime.now(UTC) + timedelta(seconds=later)
    plan = Plan(item, cast.alice.staff, today(), None, cast.bob.staff, said)
    async with transaction() as connection:
        await planned.write(connection, [plan])


async def test_of_two_plans_the_one_that_was_said_later_stands(
    cast: Cast, second: int, database: Any
) -> None:
    waybill = await travel(cast, "booked")
    item = await database.fetchval("SELECT id FROM item WHERE waybill = $1", waybill)
    now = datetime.now(UTC)
    late = Plan(item, second, today(), Half.MORNING, cast.bob.staff, now)
    early = Plan(
        item, cast.alice.staff, today(), None, cast.bob.staff, now - timedelta(hours=1)
    )
    for said in ([late, early], [early], [late]):
        async with transaction() as connection:
            await planned.write(connection, said)
        kept = await database.fetchrow("SELECT staff, slot FROM run_stop")
        assert tuple(kept) == (second, "morning")


# The order


async def test_the_nearest_comes_first_and_the_order_stays_while_things_are_done(
    cast: Cast, server: str, database: Any
) -> None:
    waybills = [await travel(cast, "carried") for _ in range(4)]
    for at, waybill in enumerate(waybills):
        await move_to(database, waybill, 10.3661 + 0.01 * (4 - at), 105.423)
    run = await runs.run(cast.alice)
    assert keys(run) == waybills[::-1]
    assert run.stops[0].metres == pytest.approx(1106, abs=5)
    proof = await code_for(waybills[2], "delivery")
    async with await visitor(cast.alice) as client:
        page = (await client.get("/day")).text
        form = form_of(page, "delivered", waybills[2]) | {"code": proof}
        assert (await client.post("/day/outcome", data=form)).status_code == 303
    assert keys(await runs.run(cast.alice)) == [waybills[i] for i in (3, 1, 0)]
    # From the other end it is the other way round.
    run = await runs.run(cast.alice, Place(10.5, 105.423))
    assert keys(run) == [waybills[i] for i in (0, 1, 3)]
    assert keys(await runs.run(cast.alice)) == keys(run)


async def test_the_carrier_has_the_last_word_on_the_order(
    cast: Cast, database: Any
) -> None:
    waybills = [await travel(cast, "carried") for _ in range(3)]
    for at, waybill in enumerate(waybills):
        await move_to(database, waybill, 10.3661 + 0.01 * (at + 1), 105.423)
    first, second, third = keys(await runs.run(cast.alice))
    assert keys(await runs.move(cast.alice, third, -1)) == [first, third, second]
    assert keys(await runs.reorder(cast.alice, [second, "DH1"])) == [
        second,
        first,
        third,
    ]
    run = await runs.skip(cast.alice, second, skipped=True)
    assert keys(run) == [first, third, second]
    assert run.stops[-1].skipped
    new = await travel(cast, "carried")
    await move_to(database, new, 10.3661 + 0.015, 105.423)
    run = await runs.run(cast.alice)
    assert keys(run) == [first, new, third, second]  # what is skipped stays, and last
    run = await runs.skip(cast.alice, second, skipped=False)
    assert not any(stop.skipped for stop in run.stops)
    assert sorted(keys(run)) == sorted([*waybills, new])
    for nobodys in ("DH000000005VN", "agency:99"):
        with pytest.raises(NotFound):
            await runs.move(cast.alice, nobodys, 1)
        with pytest.raises(NotFound):
            await runs.skip(cast.alice, nobodys, skipped=True)


async def test_who_is_there_in_the_morning_comes_first(
    cast: Cast, database: Any
) -> None:
    near, far = await travel(cast, "booked"), await travel(cast, "booked")
    await move_to(database, near, 10.367, 105.423)
    await move_to(database, far, 10.45, 105.423)
    rows = {near: Half.AFTERNOON, far: Half.MORNING}
    for waybill, half in rows.items():
        wanted = Wanted(
            rows=[(waybill, uuid4())], staff=cast.alice.staff, on_day=today(), half=half
        )
        await plans.assign(wanted, cast.bob)
    assert keys(await runs.run(cast.alice)) == [far, near]


async def test_a_citizens_later_wish_moves_the_plan(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "booked")
    await put(cast, waybill)
    await database.execute(
        """
        INSERT INTO instruction (dossier, way, day, half, address, ward,
            position_source, deputy_name, deputy_phone, set_at)
        SELECT dossier, 'pickup', $2, 'morning', '', '', '', '', '',
            now() + interval '1 second' FROM item WHERE waybill = $1
        """,
        waybill,
        today() + TOMORROW,
    )
    run = await runs.run(cast.alice)
    assert (run.stops, run.later) == ([], 1)
    await database.execute("UPDATE instruction SET day = $1", today())
    (stop,) = (await runs.run(cast.alice)).stops
    assert stop.half is Half.MORNING


async def test_a_delivery_goes_where_the_citizen_wants_it(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    await database.execute(
        """
        INSERT INTO instruction (dossier, way, half, address, ward, lat, lon,
            position_source, deputy_name, deputy_phone, set_at)
        SELECT dossier, 'delivery', '', '5 Lê Lợi', '30316', 10.6, 105.2, 'nominatim',
            'Trần Văn Bình', '+84909000111', now() FROM item WHERE waybill = $1
        """,
        waybill,
    )
    (stop,) = (await runs.run(cast.alice)).stops
    assert (stop.address, stop.place) == ("5 Lê Lợi", Place(10.6, 105.2))
    assert stop.deputy == ("Trần Văn Bình", "+84909000111")
    await database.execute(
        "UPDATE instruction SET address = '', ward = '', hold_at = $1", cast.long_xuyen
    )
    run = await runs.run(cast.alice)
    assert run.stops == []
    assert [task.waybill for task in run.indoors] == [waybill]


# Who may plan


async def test_clerks_and_supervisors_plan_for_their_office_only(
    cast: Cast,
) -> None:
    waybill = await travel(cast, "booked")
    rows = [(waybill, uuid4())]
    wanted = Wanted(rows=rows, staff=cast.alice.staff, on_day=today())
    for actor in (cast.alice, cast.charlie, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await plans.board(actor)
        with pytest.raises(NotAllowed):
            await plans.assign(wanted, actor)
    with pytest.raises(NotYourPlace):
        await plans.board(cast.bob, cast.chau_doc)
    with pytest.raises(NotYourPlace):
        await plans.board(cast.dean)  # he has none: he names it
    with pytest.raises(NotFound):
        await plans.board(cast.dean, cast.hub)
    assert [line.waybill for line in (await plans.board(cast.dora)).open] == [waybill]
    assert (await plans.board(cast.ben)).lines == []
    with pytest.raises(BadInput):  # of another office
        await plans.assign(wanted, cast.ben)
    stranger = Wanted(rows=rows, staff=cast.amy.staff, on_day=today())
    with pytest.raises(BadInput):
        await plans.assign(stranger, cast.bob)
    past = Wanted(rows=rows, staff=cast.alice.staff, on_day=today() - TOMORROW)
    with pytest.raises(BadInput):
        await plans.assign(past, cast.bob)
    put, _ = await plans.assign(wanted, cast.dean, cast.long_xuyen)
    assert put == 1


# The page and the JSON


def form_of(page: str, step: str, waybill: str) -> dict[str, str]:
    """The fields of the form that says this of that item."""
    for form in re.findall(r"<form[^>]*/day/outcome.*?</form>", page, re.DOTALL):
        fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))
        if fields.get("step") == step and f"item.{waybill}" in fields:
            return fields
    raise AssertionError(f"no form says {step} of {waybill}")


async def test_a_day_is_told_without_a_script(cast: Cast, server: str) -> None:
    waybill = await travel(cast, "carried")
    async with await visitor(cast.alice) as client:
        page = (await client.get("/day")).text
        assert OWNER in page
        assert 'href="tel:+84912345678"' in page
        assert "geo:10.366100,105.423000?q=" in page
        form = form_of(page, "delivered", waybill)
        answer = await client.post("/day/outcome", data=form | {"code": "12"})
        assert answer.status_code == 422
        assert "6 chữ số" in answer.text
        wrong = form | {"code": "000000"}
        answer = await client.post("/day/outcome", data=wrong)
        assert "Mã" in answer.text
        page = answer.text
        right = {"code": await code_for(waybill, "delivery"), "cash": "26000"}
        form = form_of(page, "delivered", waybill) | right
        assert (await client.post("/day/outcome", data=form)).status_code == 303
        assert (await client.post("/day/outcome", data=form)).status_code == 303
        page = (await client.get("/day")).text
    assert "Xong việc hôm nay." in page
    assert await cash.total(cast.alice) == 26_000  # told twice, taken once


async def test_not_at_home_is_said_with_a_reason_and_a_day(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    async with await visitor(cast.alice) as client:
        form = form_of((await client.get("/day")).text, "attempted", waybill)
        answer = await client.post("/day/outcome", data=form)
        assert answer.status_code == 422
        assert "Hãy chọn lý do." in answer.text
        answer = await client.post("/day/outcome", data=form | {"reason": "other"})
        assert "Hãy ghi rõ lý do." in answer.text
        again = (today() + TOMORROW).isoformat()
        said = form | {"reason": "absent", "again_on": again}
        assert (await client.post("/day/outcome", data=said)).status_code == 303
    row = await database.fetchrow(
        """
        SELECT i.attempts, s.on_day FROM item i JOIN run_stop s ON s.item = i.id
        WHERE i.waybill = $1
        """,
        waybill,
    )
    assert tuple(row) == (1, today() + TOMORROW)


async def test_an_agencys_pile_is_released_with_one_tap(
    cast: Cast, server: str, database: Any
) -> None:
    waybills = [await travel(cast, "out") for _ in range(2)]
    async with await visitor(cast.alice) as client:
        form = form_of((await client.get("/day")).text, "released", waybills[0])
        stranger = form | {"to": "agency:999"}
        answer = await client.post("/day/outcome", data=stranger)
        assert answer.status_code == 404
        assert (await client.post("/day/outcome", data=form)).status_code == 303
    agency = f"agency:{cast.agency}"
    told = await database.fetch("SELECT released_to FROM item")
    assert [row["released_to"] for row in told] == [agency, agency]


async def test_a_phone_without_geo_links_gets_others(cast: Cast, server: str) -> None:
    await travel(cast, "carried")
    agent = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"}
    async with await visitor(cast.alice) as client:
        page = (await client.get("/day", headers=agent)).text
    assert "geo:" not in page
    assert "https://maps.apple.com/?q=" in page


async def test_a_run_is_read_once_a_day_in_the_audit(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "carried")
    await travel(cast, "out")  # to an agency: nobody's address is shown
    async with await visitor(cast.alice) as client:
        for _ in range(3):
            assert (await client.get("/api/day")).status_code == 200
            assert (await client.get("/day")).status_code == 200
    rows = await database.fetch("SELECT staff, what FROM reading")
    assert [tuple(row) for row in rows] == [(cast.alice.staff, "run")]


async def test_the_day_as_json_has_what_a_phone_takes_along(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    await move_to(database, waybill, 10.38, 105.43)
    async with await visitor(cast.alice, "en") as client:
        day = (await client.get("/api/day")).json()
        (stop,) = day["stops"]
        assert stop["tel"] == "tel:+84912345678"
        assert stop["geo"] == "geo:10.380000,105.430000?q=10.380000,105.430000"
        assert stop["tasks"][0]["do"] == "deliver"
        assert day["fee"] == stop["fee"] == stop["tasks"][0]["fee"]
        order: dict[str, Any] = {"skip": [waybill]}
        day = (await client.post("/api/day/order", json=order)).json()
        assert day["stops"][0]["skipped"]
        order = {"again": [waybill], "start": {"lat": 10.4, "lon": 105.4}}
        day = (await client.post("/api/day/order", json=order)).json()
        assert "skipped" not in day["stops"][0]
        answer = await client.post("/api/day/order", json={"start": {"lat": 99}})
        assert answer.status_code == 400
    for actor in (cast.bob, cast.dora, cast.charlie):
        async with await visitor(actor) as client:
            assert (await client.get("/api/day")).status_code == 403
            assert (await client.get("/day")).status_code == 403
    async with await visitor(None) as client:
        assert (await client.get("/api/day")).status_code == 401


async def test_erased_persons_leave_a_stop_without_a_name(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    await database.execute("DELETE FROM person")
    async with await visitor(cast.alice) as client:
        answer = await client.get("/day")
    assert answer.status_code == 200
    assert waybill in answer.text
    assert "Dữ liệu đã xóa" in answer.text


async def test_people_of_one_house_are_one_stop(cast: Cast) -> None:
    owner = PersonGiven("Nguyễn Văn Sáu", PHONE, ADDRESS, "30307")
    await travel(cast, "carried")
    await travel(cast, "carried", owner=owner)
    run = await runs.run(cast.alice)
    assert [len(stop.tasks) for stop in run.stops] == [2]


async def test_runs_are_planned_on_a_page_without_a_script(
    cast: Cast, server: str, second: int, database: Any
) -> None:
    pickup, result = await travel(cast, "booked"), await travel(cast, "brought")
    async with await visitor(cast.bob) as client:
        page = (await client.get("/runs")).text
        assert OWNER not in page
        ticked = {
            f"item.{waybill}": re.findall(
                rf'name="item\.{waybill}" value="([^"]+)"', page
            )[0]
            for waybill in (pickup, result)
        }
        form = {"office": str(cast.long_xuyen), "on_day": today().isoformat()}
        answer = await client.post("/runs", data=form)
        assert answer.status_code == 422
        assert "Hãy chọn ít nhất một bưu gửi." in answer.text
        answer = await client.post("/runs", data=form | ticked)  # no round knows it
        assert answer.status_code == 422
        assert "hãy chọn bưu tá" in answer.text
        assert " checked" in answer.text
        rounds = form | {"ward.30307": str(second)}
        answer = await client.post("/runs/rounds", data=rounds)
        assert answer.status_code == 303
        answer = await client.post("/runs", data=form | ticked)
        assert answer.headers["location"] == f"/runs?put=2&office={cast.long_xuyen}"
    rows = await database.fetch("SELECT staff FROM run_stop")
    assert [row["staff"] for row in rows] == [second, second]
    to = await database.fetchval(
        "SELECT released_to FROM item WHERE waybill = $1", result
    )
    assert to == f"staff:{second}"
    async with await visitor(cast.dean) as client:
        assert "Chọn một bưu cục" in (await client.get("/runs")).text
        page = (await client.get(f"/runs?office={cast.long_xuyen}")).text
        assert "Ann" in page
    async with await visitor(cast.dora) as client:
        answer = await client.get(f"/runs?office={cast.chau_doc}")
        assert answer.status_code == 403
    async with await visitor(cast.alice) as client:
        assert (await client.get("/runs")).status_code == 403
