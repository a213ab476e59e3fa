"""The list of items and the page of one: found, cut to who asks, checked, shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Page

from postal_track import boards, history
from postal_track.boards import Wanted
from postal_track.bookings import PersonGiven
from postal_track.custody import Kind, Stage, Step
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound
from postal_track.handoffs import Position, Proof
from postal_track.labels import own_url
from postal_track.staff import Actor
from tests.axe import assert_accessible
from tests.cast import (
    ADDRESS,
    OWNER,
    PHONE,
    Cast,
    assemble,
    code_for,
    enter,
    order,
    scan,
    travel,
    visitor,
)


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def listed(actor: Actor, **wanted: Any) -> list[str]:
    page = await boards.items(Wanted(**wanted), actor)
    return [row.waybill for row in page.rows]


async def readings(database: Any) -> list[tuple[int, int, str]]:
    rows = await database.fetch(
        "SELECT staff, dossier, what FROM reading ORDER BY dossier"
    )
    return [tuple(row) for row in rows]


# Finding


async def test_whatever_one_knows_of_an_item_finds_it(cast: Cast) -> None:
    wanted = await travel(cast, "registered", code="H01.26-0042")
    await travel(
        cast,
        "booked",
        owner=PersonGiven("Lê Văn Tám", "0987 654 321", ADDRESS, "30307"),
    )
    spaced = f" {wanted[:2]} {wanted[2:6]} {wanted[6:10]} {wanted[10]} {wanted[11:]} "
    for text in (
        wanted,
        wanted.lower(),
        spaced,
        own_url(wanted),
        "H01.26-0042",
        "h01.26-0042",
        PHONE[-3:].rjust(4, PHONE.replace(" ", "")[-4]),
        OWNER,
        "nguyen thi hoa",
        "Hoa Nguyễn",
    ):
        assert await listed(cast.dean, text=text) == [wanted], text
    assert await listed(cast.dean, text="Trần") == []
    assert await listed(cast.dean, text="!!") == []


async def test_a_mistyped_waybill_is_said_and_not_searched_for(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "booked")
    wrong = waybill[:9] + str((int(waybill[9]) + 1) % 10) + waybill[10:]
    with pytest.raises(BadInput):
        await listed(cast.dean, text=wrong)
    async with await visitor(cast.dean, "en") as client:
        answer = await client.get("/items", params={"q": wrong})
    assert answer.status_code == 422
    assert "wrong digit" in answer.text
    assert wrong in answer.text


async def test_finding_by_what_is_personal_is_a_reading(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "registered", code="A-1")
    for text in ("A-1", "DH100000017VN"):
        await listed(cast.bob, text=text)
    assert await readings(database) == []
    await listed(cast.bob, text="hoa")
    await listed(cast.bob, text="5678")
    (dossier,) = [r["id"] for r in await database.fetch("SELECT id FROM dossier")]
    assert await readings(database) == [(cast.bob.staff, dossier, "search")] * 2


async def test_who_needs_no_names_finds_nothing_by_them(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "registered", code="A-1")
    for actor in (cast.eve, cast.frank):
        assert await listed(actor, text="hoa") == []
        assert await listed(actor, text="5678") == []
        assert await listed(actor, text="A-1") == [waybill]
    assert await readings(database) == []


async def test_filters_narrow_the_list(cast: Cast, database: Any) -> None:
    booked = await travel(cast, "booked")
    arrived = await travel(cast, "arrived")
    elsewhere = await travel(cast, "booked", agency="OTHER", office="CD")
    received = await travel(cast, "received")
    torn = await travel(cast, "accepted")
    await scan(cast.bob, torn, Step.ARRIVED, seal_broken=True)
    past = datetime.now(UTC) - timedelta(days=3)
    await database.execute(
        "UPDATE item SET promised_on = $2 WHERE waybill = ANY($1::text[])",
        [arrived, received],
        past.date(),
    )
    await database.execute(
        "UPDATE item SET created_at = $2 WHERE waybill = $1", booked, past
    )
    who, day = cast.dean, boards.today()
    assert await listed(who) == [torn, received, elsewhere, arrived, booked]
    assert await listed(who, stage=Stage.AT_OFFICE) == [torn, arrived]
    assert await listed(who, agency=cast.other_agency) == [elsewhere]
    assert await listed(who, office=cast.chau_doc) == [elsewhere]
    assert await listed(who, late=True) == [arrived]  # what was received is not late
    assert await listed(who, irregular=True) == [torn]
    assert await listed(who, until=day - timedelta(days=1)) == [booked]
    assert booked not in await listed(who, since=day, until=day)
    assert len(await listed(who, since=day, until=day)) == 4


async def test_pages_follow_by_key_and_lose_nothing_to_new_items(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "LISTED", 2)
    waybills = [await travel(cast, "booked") for _ in range(5)]
    first = await boards.items(Wanted(), cast.dean)
    await travel(cast, "booked")  # what comes in meanwhile moves no page
    second = await boards.items(Wanted(before=first.before), cast.dean)
    third = await boards.items(Wanted(before=second.before), cast.dean)
    rows = [row.waybill for page in (first, second, third) for row in page.rows]
    assert rows == waybills[::-1]
    assert third.before is None


async def test_the_next_page_keeps_the_filters(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "booked")
    row = await database.fetchrow("SELECT id FROM item WHERE waybill = $1", waybill)
    async with await visitor(cast.dean) as client:
        page = await client.get(f"/items?stage=booked&before={row['id'] + 1}")
        bad = await client.get(
            "/items?since=31/31/2026&stage=nonsense&before=x&office="
        )
        assert waybill in page.text
        assert bad.status_code == 422
        assert "31/12/2026" in bad.text  # how to write it, beside the field


# Whose


async def test_everybody_sees_what_his_place_has_to_do_with(cast: Cast) -> None:
    here = await travel(cast, "booked")
    there = await travel(cast, "booked", agency="OTHER", office="CD")
    for actor in (cast.dean, cast.eve, cast.frank):
        assert await listed(actor) == [there, here]
    for actor in (cast.alice, cast.bob, cast.charlie, cast.dora):
        assert await listed(actor) == [here]
    for actor in (cast.amy, cast.ben, cast.carol):
        assert await listed(actor) == [there]


async def test_the_office_of_the_agency_sees_what_comes_to_it(cast: Cast) -> None:
    waybill = await travel(cast, "arrived", agency="OTHER", office="LX")
    assert await listed(cast.ben) == [waybill]
    assert await listed(cast.amy) == []


async def test_a_carrier_sees_what_he_holds_is_offered_or_scanned_today(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    assert await listed(cast.alice) == [waybill]
    assert await listed(cast.amy) == []
    await scan(cast.alice, waybill, Step.RELEASED, to=cast.amy.party)
    assert await listed(cast.amy) == [waybill]
    await scan(cast.amy, waybill, Step.TAKEN)
    assert await listed(cast.alice) == []
    # She is still asked about it today, and finds it; tomorrow it is out of her hands.
    assert await listed(cast.alice, text=waybill) == [waybill]
    assert (await history.history(waybill, cast.alice)).waybill == waybill
    await database.execute("SET session_replication_role = replica")
    await database.execute("UPDATE event SET recorded_at = now() - interval '2 days'")
    with pytest.raises(NotFound):
        await history.history(waybill, cast.alice)


async def test_what_is_not_yours_answers_like_what_is_not_there(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "booked")
    answers = set()
    for actor in (cast.amy, cast.ben, cast.carol):
        async with await visitor(actor) as client:
            for path in (waybill, "DH999999999VN", "nonsense"):
                got = await client.get(f"/items/{path}")
                shown = await client.post(f"/items/{path}")
                answers |= {got.status_code, shown.status_code}
                assert waybill not in got.text.replace(f"/items/{waybill}", "")
    assert answers == {404}


async def test_nobody_looks_without_a_login(cast: Cast, server: str) -> None:
    waybill = await travel(cast, "booked")
    async with await visitor(None) as client:
        for path in ("/items", f"/items/{waybill}"):
            answer = await client.get(path)
            assert answer.status_code in (303, 401)
            assert waybill not in answer.text.replace(path, "")


# One item


async def test_the_ledger_is_told_line_by_line(cast: Cast, server: str) -> None:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    waybill = (await order(cast, now - 3 * hour)).waybill or ""
    here = cast.alice.location
    assert here is not None
    await scan(cast.bob, waybill, Step.ARRIVED, now - hour)
    await scan(
        cast.alice,
        waybill,
        Step.ACCEPTED,
        now - 2 * hour,
        originals=2,
        copies=0,
        seal_no="NP77",
        device="alices-phone",
        note="Chìa khóa để nhà bà Sáu",
        position=Position(here.lat + 0.03, here.lon, 25),
        proof=Proof("code", code=await code_for(waybill, "pickup")),
    )
    told = await history.history(waybill, cast.dean)
    first, _, second = told.lines
    assert (first.step, first.by, first.seq) == (Step.BOOKED, cast.bob.party, 1)
    assert (second.taker, second.place) == (cast.alice.party, cast.alice.place)
    assert (second.originals, second.copies, second.seal_no) == (2, 0, "NP77")
    assert second.proof == "code"
    assert Kind.COUNT_MISMATCH in second.flags
    assert second.spot is not None
    assert second.spot.distance_m == pytest.approx(3_300, rel=0.02)
    assert second.late
    assert second.noted
    assert not second.note
    async with await visitor(cast.dean, "en") as client:
        page = (await client.get(f"/items/{waybill}")).text
    for words in (
        "accepted from the sender",
        "2 originals, 0 copies",
        "seal NP77",
        "3.3 km from",
        "give or take 25 m",
        "device said",
        "told late",
        "citizen&#39;s code",
        "The number of originals or copies differs",
        "alices-phone",
        "The chain verifies",
        told.chain.head[:12],
    ):
        assert words.lower() in page.lower(), words
    assert "bà Sáu" not in page
    assert told.chain.head not in page.replace(f'title="{told.chain.head}"', "")


async def test_a_line_that_was_changed_breaks_the_chain_in_sight(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "arrived")
    assert (await history.history(waybill, cast.eve)).chain.broken_at is None
    await database.execute("SET session_replication_role = replica")
    await database.execute("UPDATE event SET copies = 9 WHERE seq = 2")
    assert (await history.history(waybill, cast.eve)).chain.broken_at == 2
    async with await visitor(cast.eve, "en") as client:
        page = (await client.get(f"/items/{waybill}")).text
    assert 'data-chain="broken"' in page
    assert "The chain verifies" not in page


async def test_a_line_that_was_cut_off_breaks_the_chain_too(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "arrived")
    await database.execute("SET session_replication_role = replica")
    await database.execute("DELETE FROM event WHERE seq = 3")
    assert (await history.history(waybill, cast.eve)).chain.broken_at == 3


async def test_erased_words_are_missed_and_the_chain_still_verifies(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    await scan(cast.bob, waybill, Step.ARRIVED, note="Gọi số 0912345678")
    await database.execute("DELETE FROM event_detail")
    told = await history.history(waybill, cast.dora)
    assert told.lines[-1].erased
    assert told.chain.broken_at is None


async def test_both_legs_lead_to_each_other(cast: Cast, server: str) -> None:
    result = await travel(cast, "ready")
    told = await history.history(result, cast.charlie)
    ((dossier, _),) = told.others
    back = await history.history(dossier, cast.charlie)
    assert [waybill for waybill, _ in back.others] == [result]
    async with await visitor(cast.charlie) as client:
        page = (await client.get(f"/items/{result}")).text
    assert f'href="/items/{dossier}"' in page
    assert f'href="/scan?code={result}"' in page


# Persons


async def test_persons_are_masked_until_a_reading_is_written(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    personal = (OWNER, "0912345678", "+84912345678", "12 Trần Hưng Đạo")
    async with await visitor(cast.alice) as client:
        masked = await client.get(f"/items/{waybill}")
        assert not [each for each in personal if each in masked.text]
        assert "N••• T••• H•••" in masked.text
        assert "0912•••678" in masked.text
        assert await readings(database) == []
        shown = await client.post(f"/items/{waybill}")
    assert shown.headers["cache-control"] == "no-store"
    assert OWNER in shown.text
    assert "+84912345678" in shown.text
    assert "12 Trần Hưng Đạo" in shown.text
    ((staff, _, what),) = await readings(database)
    assert (staff, what) == (cast.alice.staff, "item")


async def test_who_audits_or_administers_is_shown_nobody(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    for actor in (cast.eve, cast.frank):
        async with await visitor(actor) as client:
            page = await client.get(f"/items/{waybill}")
            asked = await client.post(f"/items/{waybill}")
        assert f'action="/items/{waybill}"' not in page.text
        assert asked.status_code == 403
        assert OWNER not in page.text + asked.text
        with pytest.raises(NotAllowed):
            await history.history(waybill, actor, show=True)
    assert await readings(database) == []


async def test_a_form_of_another_site_shows_nobody(
    cast: Cast, server: str, page: Page, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    await enter(page, cast.alice)
    answer = await page.request.post(f"/items/{waybill}")
    assert answer.status == 403
    assert await readings(database) == []


async def test_the_name_of_a_private_procedure_waits_for_a_reading(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "accepted", procedure="2.000")
    for actor, seen in ((cast.alice, False), (cast.eve, False), (cast.charlie, True)):
        async with await visitor(actor) as client:
            page = await client.get(f"/items/{waybill}")
        assert ("ly hôn" in page.text) is seen
    async with await visitor(cast.alice) as client:
        assert "ly hôn" in (await client.post(f"/items/{waybill}")).text


# Irregularities


async def torn(cast: Cast) -> tuple[str, int]:
    """An item that came to Bob with a broken seal; Alice is asked for it."""
    waybill = await travel(cast, "accepted")
    await scan(cast.bob, waybill, Step.ARRIVED, seal_broken=True)
    (trouble,) = (await history.history(waybill, cast.dora)).troubles
    assert trouble.kind is Kind.SEAL_BROKEN
    assert (trouble.owner, trouble.line) == (cast.alice.party, 3)
    return waybill, trouble.id


async def test_a_supervisor_ends_an_irregularity_with_a_sentence(
    cast: Cast, server: str
) -> None:
    waybill, number = await torn(cast)
    path = f"/items/{waybill}/irregularities/{number}"
    async with await visitor(cast.dora) as client:
        empty = await client.post(path, data={"ending": "  "})
        assert empty.status_code == 422
        assert "Hãy ghi kết quả xử lý" in empty.text
        ended = await client.post(path, data={"ending": "Đã niêm phong lại, NP9"})
        assert ended.status_code == 303
        page = await client.get(f"/items/{waybill}")
        assert "Đã niêm phong lại, NP9" in page.text
        twice = await client.post(path, data={"ending": "Lần nữa"})
        assert twice.status_code == 422
        assert "đã được kết thúc" in twice.text
    (trouble,) = (await history.history(waybill, cast.dora)).troubles
    assert (trouble.ended_by, trouble.ending) == (
        cast.dora.party,
        "Đã niêm phong lại, NP9",
    )


async def test_only_the_supervisor_of_the_place_ends_it(
    cast: Cast, server: str, database: Any
) -> None:
    waybill, number = await torn(cast)
    for actor in (cast.alice, cast.bob, cast.charlie, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await history.end_trouble(waybill, number, "x", actor)
        async with await visitor(actor) as client:
            answer = await client.post(
                f"/items/{waybill}/irregularities/{number}", data={"ending": "x"}
            )
        assert answer.status_code == 403
    elsewhere = await travel(cast, "booked", agency="OTHER", office="CD")
    for wrong in (elsewhere, "DH999999999VN"):
        with pytest.raises(NotFound):
            await history.end_trouble(wrong, number, "x", cast.dora)
    with pytest.raises(NotFound):
        await history.end_trouble(elsewhere, number, "x", cast.dean)
    await history.end_trouble(waybill, number, "x", cast.dean)
    with pytest.raises(Conflict):
        await history.end_trouble(waybill, number, "y", cast.dora)


# In a browser


async def test_the_pages_are_accessible_in_both_languages(
    cast: Cast, page: Page
) -> None:
    waybill, _ = await torn(cast)
    await scan(cast.bob, waybill, Step.RELEASED, to=cast.alice.party)
    await enter(page, cast.dora)
    await page.goto("/items?irregular=1")
    await assert_accessible(page)
    await page.click(f"text={waybill}")
    await assert_accessible(page)
    await page.get_by_role("button", name="Hiện đầy đủ").click()
    await page.get_by_text(OWNER).wait_for()
    await assert_accessible(page)
    await page.goto("/items?q=DH999999999VN&lang=en")
    await assert_accessible(page)


async def test_what_no_column_holds_is_answered_like_what_is_not_there(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "booked")
    async with await visitor(cast.dora) as client:
        for path, status in (
            ("/items?q=%00", 200),
            ("/items?q=a%00b%E2%80%8B", 200),
            (f"/items?agency={10**12}&office={10**30}&before={10**30}", 200),
            ("/items/%00", 404),
            (f"/items/{waybill}%E2%80%8B", 200),
            (f"/sms/{10**30}", 404),
            ("/sms?waybill=%00&number=", 200),
        ):
            assert (await client.get(path)).status_code == status, path
        for path, form in (
            (f"/items/{waybill}/irregularities/{10**30}", {"ending": "x"}),
            (f"/texts/{10**30}/again", {"reason": "x"}),
        ):
            assert (await client.post(path, data=form)).status_code == 404, path
