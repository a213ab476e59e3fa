"""Receiving in bulk: counted blindly, reconciled item by item, no difference unsaid."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from playwright.async_api import Page

from postal_track import bags, handovers, records
from postal_track.custody import Party, PartyKind, Reason, Step
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound, UnknownBag
from postal_track.handoffs import Scan, record
from postal_track.handovers import Found, Mode, Said, Session, Way
from postal_track.labels import bag_url
from tests.axe import assert_accessible
from tests.cast import Cast, enter, scan, travel, visitor

MISSING, EXTRA, MISROUTED = Found.MISSING, Found.EXTRA, Found.MISROUTED


def agency(cast: Cast) -> Party:
    return Party(PartyKind.AGENCY, cast.agency)


async def bag_for(cast: Cast, to: Party, size: int) -> tuple[str, list[str]]:
    """A closed bag with Alice, on its way."""
    number = await bags.make(cast.bob, to)
    waybills = [await travel(cast, "arrived") for _ in range(size)]
    now = datetime.now(UTC)
    await record(
        [
            Scan(
                id=uuid4(), code=w, step=Step.PACKED, at=now, actor=cast.bob, bag=number
            )
            for w in waybills
        ]
    )
    await bags.close(number, "NP-9", cast.bob)
    outcome = await scan(cast.alice, number, Step.TAKEN)
    assert (outcome.error, outcome.remarks) == (None, ())
    return number, sorted(waybills)


async def opened(
    cast: Cast, number: str, who: Any = None, way: Way = Way.EACH
) -> Session:
    return await handovers.begin(uuid4(), who or cast.charlie, way=way, bag=number)


async def state(database: Any, waybill: str) -> tuple[str, str, str | None]:
    row = await database.fetchrow(
        "SELECT holder, stage, bag FROM item WHERE waybill = $1", waybill
    )
    return tuple(row)


async def open_kinds(database: Any) -> list[tuple[str, str]]:
    rows = await database.fetch(
        """
        SELECT i.waybill, r.kind FROM irregularity r JOIN item i ON i.id = r.item
        ORDER BY r.id
        """
    )
    return [tuple(row) for row in rows]


def here(session: Session) -> list[Said]:
    return [Said(line.waybill, Found.PRESENT) for line in session.lines or ()]


async def test_a_full_bag_is_received_and_verified_item_by_item(
    cast: Cast, database: Any
) -> None:
    number, waybills = await bag_for(cast, agency(cast), 3)
    session = await opened(cast, number)
    ended = await handovers.finish(
        session.id, cast.charlie, Mode.ROLLBACK, here(session)
    )
    assert ended.ending == "accepted"
    for waybill in waybills:
        assert await state(database, waybill) == (
            f"agency:{cast.agency}",
            "received",
            None,
        )
    lines = await database.fetch(
        "SELECT step, bag, flags FROM event WHERE seq > 5 ORDER BY item, seq"
    )
    assert [tuple(line) for line in lines] == [
        ("received", number, []),
        ("unpacked", number, []),
    ] * 3
    assert await open_kinds(database) == []
    assert (await bags.look(number, cast.charlie)).bag.opened_at is not None


async def test_what_is_missing_extra_or_somebody_elses_is_told_apart(
    cast: Cast, database: Any
) -> None:
    number, (gone, astray, *rest) = await bag_for(cast, agency(cast), 4)
    extra = await travel(cast, "out")
    session = await opened(cast, number)
    for waybill in (*rest, extra):
        await handovers.see(session.id, cast.charlie, waybill)
    said = [
        Said(gone, MISSING, Reason.NOT_FOUND),
        Said(astray, MISROUTED, Reason.MISSORTED),
        Said(extra, EXTRA, Reason.NOT_ANNOUNCED),
    ]
    await handovers.finish(session.id, cast.charlie, Mode.PROCEED, said)
    alice, ours = str(cast.alice.party), f"agency:{cast.agency}"
    assert await state(database, gone) == (alice, "missing", None)
    assert await state(database, extra) == (ours, "received", None)
    assert {await state(database, w) for w in rest} == {(ours, "received", None)}
    assert sorted(await open_kinds(database)) == sorted(
        [(gone, "missing"), (astray, "misrouted"), (extra, "not_on_list")]
    )
    told = await database.fetchval("SELECT note FROM handover")
    assert told == ""


async def test_with_all_or_nothing_a_difference_moves_nothing(
    cast: Cast, database: Any
) -> None:
    number, (gone, other) = await bag_for(cast, agency(cast), 2)
    before = await database.fetchval("SELECT count(*) FROM event")
    session = await opened(cast, number)
    said = [Said(gone, MISSING, Reason.LEFT_BEHIND), Said(other, Found.PRESENT)]
    ended = await handovers.finish(session.id, cast.charlie, Mode.ROLLBACK, said)
    assert ended.ending == "rolled_back"
    assert await database.fetchval("SELECT count(*) FROM event") == before
    assert (await state(database, other))[0] == str(cast.alice.party)
    again = await opened(cast, number)  # it is still to be received
    assert again.id != session.id


async def test_no_difference_goes_without_a_reason_of_its_own(cast: Cast) -> None:
    number, (one, two, three) = await bag_for(cast, agency(cast), 3)
    session = await opened(cast, number)
    attempts: list[tuple[list[Said], set[str]]] = [
        ([], {one, two, three}),
        ([Said(one, Found.PRESENT)], {two, three}),
        (
            [Said(one, MISSING), Said(two, MISSING), Said(three, Found.PRESENT)],
            {one, two},
        ),
        ([Said(one, MISSING, Reason.WEATHER), *map(present, (two, three))], {one}),
        ([Said(one, MISSING, Reason.OTHER, "  "), *map(present, (two, three))], {one}),
        ([Said(one, EXTRA, Reason.NOT_ANNOUNCED), *map(present, (two, three))], {one}),
        ([Said(one, MISROUTED), *map(present, (two, three))], {one}),
        (
            [*map(present, (one, two, three)), Said("DH000000005VN", EXTRA)],
            {"DH000000005VN"},
        ),
    ]
    for mode in Mode:
        for said, named in attempts:
            with pytest.raises(BadInput) as refused:
                await handovers.finish(session.id, cast.charlie, mode, said)
            assert {p.field for p in refused.value.problems} == named
    with pytest.raises(BadInput):
        await handovers.settle(session.id, cast.charlie, [Said(one, MISSING)])


def present(waybill: str) -> Said:
    return Said(waybill, Found.PRESENT)


async def test_the_database_too_knows_no_difference_without_a_reason(
    cast: Cast, database: Any
) -> None:
    number, _ = await bag_for(cast, agency(cast), 2)
    session = await opened(cast, number)
    staff = cast.charlie.staff
    for values in (
        "outcome = 'missing'",
        "outcome = 'misrouted'",
        "outcome = 'missing', reason = 'other'",
        "outcome = 'extra', reason = 'not_announced'",
        "outcome = 'gone', reason = 'not_found'",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(
                f"UPDATE handover_line SET {values}, said_by = {staff}, said_at = now()"  # noqa: S608
            )
    end = """UPDATE handover SET ended_at = now(), ended_by = $1, ending = 'accepted',
        mode = 'proceed'"""
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute(end, staff)  # lines without an outcome
    await handovers.settle(session.id, cast.charlie, here(session))
    with pytest.raises(asyncpg.CheckViolationError):  # counted otherwise, no word why
        await database.execute(f"{end}, counted = 7, counted_at = now()", staff)
    await handovers.finish(session.id, cast.charlie, Mode.PROCEED)
    for late in (
        "UPDATE handover_line SET note = 'later'",
        "UPDATE handover SET note = 'later'",
        "DELETE FROM handover_line",
        "DELETE FROM handover",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await database.execute(late)


async def test_who_counts_blindly_sees_nothing_before_he_has_counted(
    cast: Cast,
) -> None:
    number, waybills = await bag_for(cast, agency(cast), 2)
    session = await opened(cast, number, way=Way.COUNT)
    assert (session.lines, session.announced, session.seal_agreed) == (None, 0, None)
    for seen in (cast.charlie, cast.alice):
        assert (await handovers.session(session.id, seen)).lines is None
    with pytest.raises(Conflict):
        await handovers.see(session.id, cast.charlie, waybills[0])
    with pytest.raises(Conflict):
        await handovers.finish(session.id, cast.charlie, Mode.PROCEED, [])
    shown = await handovers.count(session.id, cast.charlie, 3, "NP-9")
    assert (shown.announced, shown.counted, shown.seal_agreed) == (2, 3, "NP-9")
    with pytest.raises(Conflict):  # a count is not adjusted to the list
        await handovers.count(session.id, cast.charlie, 2)
    with pytest.raises(BadInput) as refused:
        await handovers.finish(session.id, cast.charlie, Mode.PROCEED, here(shown))
    assert [p.field for p in refused.value.problems] == ["note"]
    ended = await handovers.finish(
        session.id, cast.charlie, Mode.PROCEED, here(shown), "counted one twice"
    )
    assert ended.ending == "accepted"


@pytest.mark.parametrize("seal", [("NP-8", False), ("NP-9", True)])
async def test_a_seal_that_is_not_as_agreed_puts_every_item_in_doubt(
    cast: Cast, database: Any, seal: tuple[str, bool]
) -> None:
    number, waybills = await bag_for(cast, agency(cast), 2)
    session = await opened(cast, number, way=Way.COUNT)
    session = await handovers.count(session.id, cast.charlie, 2, *seal)
    await handovers.finish(session.id, cast.charlie, Mode.PROCEED, here(session))
    assert await open_kinds(database) == [(w, "seal_broken") for w in waybills]


async def test_a_bag_taken_over_closed_is_opened_later(
    cast: Cast, database: Any
) -> None:
    number, (gone, here_) = await bag_for(cast, agency(cast), 2)
    whole = await scan(cast.charlie, bag_url(number), Step.RECEIVED)
    assert (whole.error, whole.remarks, whole.written) == (None, (), 2)
    session = await opened(cast, number)
    said = [Said(gone, MISSING, Reason.NOT_FOUND), present(here_)]
    await handovers.finish(session.id, cast.charlie, Mode.PROCEED, said)
    ours = f"agency:{cast.agency}"
    # Who took the bag as full answers for what is not in it.
    assert await state(database, gone) == (ours, "missing", None)
    assert await state(database, here_) == (ours, "received", None)
    assert await open_kinds(database) == [(gone, "missing")]
    assert (await audit_of(database)) == []


async def audit_of(database: Any) -> list[str]:
    """Items whose row is not what their story tells."""
    from postal_track import chronicle
    from postal_track.custody import read

    wrong = []
    for item in await database.fetch("SELECT * FROM item"):
        rows = await database.fetch(
            "SELECT * FROM event WHERE item = $1 ORDER BY at, seq", item["id"]
        )
        if read(chronicle.event_of(row) for row in rows) != chronicle.custody_of(item):
            wrong.append(item["waybill"])
    return wrong


async def test_two_people_opening_one_bag_at_once_do_it_together(
    cast: Cast, database: Any
) -> None:
    number, waybills = await bag_for(cast, agency(cast), 3)
    begun = await asyncio.gather(*(opened(cast, number) for _ in range(8)))
    assert len({session.id for session in begun}) == 1
    id = begun[0].id
    await asyncio.gather(
        *(handovers.see(id, cast.charlie, w) for w in waybills for _ in range(3))
    )
    ends = await asyncio.gather(
        *(handovers.finish(id, cast.charlie, Mode.PROCEED) for _ in range(8))
    )
    assert {end.ending for end in ends} == {"accepted"}
    unpacked = "SELECT count(*) FROM event WHERE step = 'unpacked'"
    assert await database.fetchval(unpacked) == 3


async def test_a_bag_that_is_being_opened_elsewhere_or_was_opened_is_not_opened(
    cast: Cast,
) -> None:
    number, _ = await bag_for(cast, agency(cast), 1)
    session = await opened(cast, number)
    with pytest.raises(Conflict):
        await opened(cast, bag_url(number), cast.carol)
    await handovers.finish(session.id, cast.charlie, Mode.PROCEED, here(session))
    with pytest.raises(Conflict):
        await opened(cast, number)


async def test_a_session_is_its_two_sides_affair(cast: Cast) -> None:
    number, _ = await bag_for(cast, agency(cast), 1)
    with pytest.raises(UnknownBag):
        await opened(cast, number, cast.carol)
    session = await opened(cast, number)
    for stranger in (cast.carol, cast.amy, cast.ben):
        with pytest.raises(NotFound):
            await handovers.session(session.id, stranger)
    for other in (cast.carol, cast.alice, cast.dean):
        with pytest.raises(NotFound):
            await handovers.finish(session.id, other, Mode.PROCEED)
    assert (await handovers.session(session.id, cast.alice)).lines is not None


async def test_a_pile_is_what_was_promised_and_accepted_at_one_go(
    cast: Cast, database: Any
) -> None:
    waybills = [await travel(cast, "accepted") for _ in range(2)]
    kept = await travel(cast, "accepted")
    office = Party(PartyKind.OFFICE, cast.long_xuyen)
    for waybill in waybills:
        await scan(cast.alice, waybill, Step.RELEASED, to=office)
    waits = await handovers.waiting(cast.bob)
    assert [(p.giver, p.items) for p in waits.piles] == [(cast.alice.party, 2)]
    id = UUID(int=7)
    session = await handovers.begin(id, cast.bob, way=Way.EACH, giver=cast.alice.party)
    assert [line.waybill for line in session.lines or ()] == sorted(waybills)
    assert (await handovers.begin(id, cast.bob, way=Way.EACH, giver=office)).id == id
    await handovers.finish(id, cast.bob, Mode.ROLLBACK, here(session))
    assert {(await state(database, w))[:2] for w in waybills} == {
        (str(office), "at_office")
    }
    assert (await state(database, kept))[0] == str(cast.alice.party)
    assert await open_kinds(database) == []
    with pytest.raises(NotFound):
        await handovers.begin(uuid4(), cast.bob, way=Way.EACH, giver=cast.alice.party)


async def test_what_is_out_with_a_carrier_is_announced_to_its_agency(
    cast: Cast,
) -> None:
    waybill = await travel(cast, "out")
    waits = await handovers.waiting(cast.charlie)
    assert [(p.giver, p.items) for p in waits.piles] == [(cast.alice.party, 1)]
    session = await handovers.begin(
        uuid4(), cast.charlie, way=Way.COUNT, giver=cast.alice.party
    )
    session = await handovers.count(session.id, cast.charlie, 1)
    assert [line.waybill for line in session.lines or ()] == [waybill]


async def test_what_was_promised_to_a_clerk_himself_becomes_his(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "out")
    await scan(cast.alice, waybill, Step.RELEASED, to=cast.bob.party)
    session = await handovers.begin(
        uuid4(),
        cast.bob,
        way=Way.EACH,
        giver=cast.alice.party,
        receiver=cast.bob.party,
    )
    await handovers.finish(session.id, cast.bob, Mode.PROCEED, here(session))
    assert (await state(database, waybill))[0] == str(cast.bob.party)


async def test_what_was_promised_to_an_officer_himself_becomes_his_agencys(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "out")
    await scan(cast.alice, waybill, Step.RELEASED, to=cast.charlie.party)
    session = await handovers.begin(
        uuid4(),
        cast.charlie,
        way=Way.EACH,
        giver=cast.alice.party,
        receiver=cast.charlie.party,
    )
    assert session.receiver == agency(cast)
    await handovers.finish(session.id, cast.charlie, Mode.PROCEED, here(session))
    assert (await state(database, waybill))[0] == str(agency(cast))


@pytest.mark.usefixtures("server")
async def test_a_carrier_takes_a_bag_whole_and_opens_none(cast: Cast) -> None:
    number, _ = await bag_for(cast, agency(cast), 1)
    with pytest.raises(NotAllowed):
        await opened(cast, number, cast.alice)
    async with await visitor(cast.alice, "en") as client:
        page = (await client.get(f"/bags/{number}")).text
    assert "Open it and count" not in page


async def test_left_off_it_can_be_begun_anew(cast: Cast) -> None:
    number, (waybill,) = await bag_for(cast, agency(cast), 1)
    session = await opened(cast, number)
    await handovers.cancel(session.id, cast.charlie)
    with pytest.raises(Conflict):
        await handovers.see(session.id, cast.charlie, waybill)
    assert (await opened(cast, number)).id != session.id


async def test_an_agency_receives_a_bag_of_twelve_in_a_browser(
    cast: Cast, page: Page, database: Any
) -> None:
    number, waybills = await bag_for(cast, agency(cast), 12)
    gone, first, *rest = waybills
    extra = await travel(cast, "out")
    others = await travel(cast, "arrived", agency="OTHER")
    await scan(cast.alice, others, Step.TAKEN)
    await enter(page, cast.charlie)
    await page.goto("/handovers")
    await assert_accessible(page)
    await page.get_by_role("button", name=f"Đếm rồi nhận {number}").click()
    # Blind: the number twelve and the waybills are nowhere before the count.
    await page.get_by_label("Có bao nhiêu bưu gửi trước mặt bạn?").fill("13")
    assert waybills[0] not in await page.content()
    await assert_accessible(page)
    await page.get_by_label("Số trên niêm phong của túi").fill("NP-9")
    await page.get_by_role("button", name="Đối chiếu với danh sách").click()
    for waybill in (extra, others, first):
        await page.get_by_label("Quét hoặc nhập mã vận đơn").fill(waybill)
        await page.get_by_role("button", name="Có bưu gửi này").click()
        await page.get_by_role("status").get_by_text(waybill).wait_for()
    await page.get_by_role("button", name=f"Ngoài danh sách {extra}").click()
    await page.get_by_role("button", name=f"Của nơi khác {others}").click()
    await page.locator(f"#{gone}").get_by_text("Thiếu").first.click()
    await assert_accessible(page)
    missing = page.locator(f"#{gone}")
    await missing.get_by_label("Lý do").select_option("not_found")
    await missing.get_by_role("button", name="Ghi: Thiếu").click()
    await page.get_by_role("button", name="Các bưu gửi còn lại đều có").click()
    await page.get_by_role("button", name="Nhận và chịu trách nhiệm").click()
    await page.get_by_text("Đã nhận.").wait_for()
    await assert_accessible(page)
    ours = f"agency:{cast.agency}"
    assert await state(database, gone) == (str(cast.alice.party), "missing", None)
    assert await state(database, extra) == (ours, "received", None)
    assert await state(database, others) == (ours, "misrouted", None)
    assert {await state(database, w) for w in (first, *rest)} == {
        (ours, "received", None)
    }
    assert sorted(await open_kinds(database)) == sorted(
        [
            (gone, "missing"),
            (extra, "not_on_list"),
            (others, "misrouted"),
            (others, "not_on_list"),
            (others, "unannounced_handover"),
        ]
    )
    assert await audit_of(database) == []


async def test_a_program_cannot_get_around_a_reason_either(
    cast: Cast, server: str, database: Any
) -> None:
    number, (gone, there) = await bag_for(cast, agency(cast), 2)
    async with await visitor(cast.charlie, "en") as client:
        client.headers["accept"] = "application/json"
        begun = await client.post(
            "/api/handovers", json={"id": str(uuid4()), "bag": bag_url(number)}
        )
        assert begun.status_code == 201, begun.text
        assert "lines" not in begun.json()
        path = f"/api/handovers/{begun.json()['id']}"
        assert "lines" not in (await client.get(path)).json()
        assert (await client.get(f"/api/bags/{number}")).json()["items"] == []
        early = await client.post(f"{path}/finish", json={"mode": "proceed"})
        assert early.status_code == 409
        counted = await client.post(f"{path}/count", json={"counted": 1})
        assert len(counted.json()["lines"]) == 2
        seen = await client.post(f"{path}/lines", json={"code": there})
        assert seen.json() == {
            "waybill": there,
            "announced": True,
            "outcome": "present",
        }
        for line, fields in (
            (None, {gone: "Say whether it is there."}),
            ({"waybill": gone, "outcome": "missing"}, {gone: "Give a reason."}),
            (
                {"waybill": gone, "outcome": "missing", "reason": "other"},
                {gone: "Say which other reason."},
            ),
        ):
            sent = {"mode": "proceed", "lines": [line] if line else []}
            refused = await client.post(f"{path}/finish", json=sent)
            assert (refused.status_code, refused.json()["fields"]) == (422, fields)
        bare = await client.post(
            "/api/scans",
            json={
                "device": "test",
                "scans": [
                    {
                        "id": str(uuid4()),
                        "code": gone,
                        "step": "missed",
                        "at": datetime.now(UTC).isoformat(),
                    }
                ],
            },
        )
        assert bare.json()["outcomes"][0]["error"] == "BadScan"
        line = {"waybill": gone, "outcome": "missing", "reason": "left_behind"}
        ended = await client.post(
            f"{path}/finish", json={"mode": "proceed", "lines": [line]}
        )
        assert (ended.status_code, ended.json()["ending"]) == (200, "accepted")
    assert await open_kinds(database) == [(gone, "missing")]


@pytest.mark.usefixtures("server")
async def test_the_paper_of_a_bag_is_one_tap_for_both_sides(
    cast: Cast, database: Any
) -> None:
    number, (gone, *there) = await bag_for(cast, agency(cast), 3)
    carried = await records.of_bag(number, cast.alice)
    assert len((await records.find(carried, cast.alice)).rows) == 3
    session = await opened(cast, number)
    said = [Said(gone, MISSING, Reason.NOT_FOUND)]
    said += [Said(each, Found.PRESENT) for each in there]
    with pytest.raises(BadInput):
        await records.of_session(session.id, cast.charlie)  # it has not ended
    await handovers.finish(session.id, cast.charlie, Mode.PROCEED, said)
    # What becomes of the items afterwards is no part of this paper.
    await scan(cast.ben, there[0], Step.ARRIVED)
    paper = await records.of_session(session.id, cast.alice)
    told = await records.find(paper, cast.alice)
    assert [row.waybill for row in told.rows] == there
    assert {(row.giver, row.receiver) for row in told.rows} == {
        (cast.alice.party, agency(cast))
    }
    assert await records.of_bag(number, cast.charlie) == paper
    with pytest.raises(NotFound):
        await records.of_session(session.id, cast.ben)
    for who, page in (
        (cast.charlie, f"/bags/{number}"),
        (cast.alice, f"/handovers/{session.id}"),
    ):
        async with await visitor(who, "en") as client:
            assert "Handover paper" in (await client.get(page)).text
            made = await client.post(f"{page}/record")
        assert made.headers["location"] == f"/records/{paper}"
