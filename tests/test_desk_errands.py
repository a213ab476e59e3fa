"""The desk when papers go elsewhere: refused, sent back, asked for, passed on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Page

from postal_track import desk, history
from postal_track.boards import today
from postal_track.bookings import Announcement, announce_results
from postal_track.custody import Kind, Leg, Reason, Stage, Step
from postal_track.errors import BadInput, NotAllowed, NotFound
from postal_track.handoffs import Proof
from tests.axe import assert_accessible
from tests.cast import Cast, assemble, code_for, enter, scan, travel, visitor
from tests.forms import fields, forms

SOON = today() + timedelta(days=9)


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def token_of(database: Any, waybill: str) -> str:
    return str(
        await database.fetchval(
            """
            SELECT d.token FROM dossier d JOIN item i ON i.dossier = d.id
            WHERE i.waybill = $1
            """,
            waybill,
        )
    )


async def working(cast: Cast, database: Any, code: str) -> str:
    """Have a dossier in work; its token."""
    waybill = await travel(cast, "registered", code=code, due_on=SOON)
    return await token_of(database, waybill)


async def results(database: Any) -> int:
    found = await database.fetchval("SELECT count(*) FROM item WHERE leg = 'result'")
    return int(found)


async def form_at(client: httpx.AsyncClient, to: str, waybill: str) -> dict[str, str]:
    tab = {"/desk/take-back": "returning"}.get(to, "arriving")
    page = (await client.get(f"/desk?tab={tab}")).text
    (form,) = [each for each in forms(page, to) if f"item.{waybill}" in each]
    return form


# At the door


async def test_a_refusal_at_the_door_opens_the_way_back_by_itself(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "out")
    async with await visitor(cast.charlie) as client:
        form = await form_at(client, "/desk/refuse", waybill)
        form |= {"reason": "missing_papers", "note": "Thiếu bản vẽ"}
        answer = await client.post("/desk/refuse", data=form)
        again = await client.post("/desk/refuse", data=form)
        page = (await client.get(answer.headers["location"])).text
    assert answer.headers["location"] == f"/desk?refused={waybill}"
    assert again.status_code == 303
    assert "quay về người dân" in page
    legs = await database.fetch("SELECT leg, stage, holder FROM item ORDER BY id")
    assert [tuple(row) for row in legs] == [
        ("dossier", "refused", str(cast.alice.party)),
        ("bring_back", "in_transit", str(cast.alice.party)),
    ]


async def test_a_refusal_needs_a_reason_and_other_needs_words(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "out")
    async with await visitor(cast.charlie, "en") as client:
        form = await form_at(client, "/desk/refuse", waybill)
        bare = await client.post("/desk/refuse", data=form | {"note": "No drawing"})
        mute = await client.post("/desk/refuse", data=form | {"reason": "other"})
    assert bare.status_code == mute.status_code == 422
    assert "Say why it is not taken." in bare.text
    assert 'value="No drawing"' in bare.text
    assert "Say which reason." in mute.text
    assert (
        await database.fetchval("SELECT count(*) FROM event WHERE step = 'refused'")
        == 0
    )


async def test_only_what_stands_at_the_counter_can_be_refused(
    cast: Cast, server: str
) -> None:
    there = await travel(cast, "out")
    promised = await travel(cast, "arrived")
    await scan(cast.bob, promised, Step.RELEASED, to=cast.charlie.place)
    async with await visitor(cast.charlie) as client:
        page = (await client.get("/desk")).text
    offered = [each for form in forms(page, "/desk/refuse") for each in form]
    assert f"item.{there}" in offered
    assert f"item.{promised}" not in offered


# Errands


@pytest.mark.parametrize(
    ("leg", "more", "holder"),
    [
        ("bring_back", {"reason": "wrong_papers"}, "agency"),
        ("supplement", {"until": SOON.isoformat()}, "citizen"),
        ("slip", {}, "agency"),
        ("transfer", {"to": "OTHER"}, "agency"),
    ],
)
async def test_each_errand_is_sent_from_its_page_once(
    cast: Cast,
    server: str,
    database: Any,
    leg: str,
    more: dict[str, str],
    holder: str,
) -> None:
    received = await travel(cast, "received")
    to = f"/desk/errands/{await token_of(database, received)}"
    async with await visitor(cast.charlie) as client:
        assert to in (await client.get("/desk")).text
        form = fields((await client.get(to)).text, to) | {"leg": leg} | more
        answer = await client.post(to, data=form)
        again = await client.post(to, data=form)
        desk_page = await client.get(answer.headers["location"])
    assert answer.status_code == 303
    assert again.headers["location"] == answer.headers["location"]
    waybill = answer.headers["location"].partition("sent=")[2]
    assert waybill in desk_page.text
    row = await database.fetchrow("SELECT * FROM item ORDER BY id DESC LIMIT 1")
    assert (row["waybill"], row["leg"]) == (waybill, leg)
    assert row["holder"].partition(":")[0] == holder


async def test_what_an_errand_lacks_is_said_beside_its_field(
    cast: Cast, server: str, database: Any
) -> None:
    received = await travel(cast, "received")
    to = f"/desk/errands/{await token_of(database, received)}"
    async with await visitor(cast.charlie, "en") as client:
        form = fields((await client.get(to)).text, to) | {"originals": "3"}
        for more, sentence in (
            ({}, "Choose an errand."),
            ({"leg": "bring_back"}, "Say why they go back."),
            ({"leg": "supplement"}, "Say by when."),
            ({"leg": "supplement", "until": "soon"}, "Write a day"),
            ({"leg": "transfer", "to": "AGENCY"}, "Choose another agency."),
            ({"leg": "slip", "originals": "many"}, "Write a number of sheets."),
            ({"leg": "slip", "originals": "0"}, "Count the papers"),
        ):
            answer = await client.post(to, data=form | more)
            assert answer.status_code == 422, more
            assert sentence in answer.text, more
            kept = (form | more)["originals"]
            assert f'value="{kept}"' in answer.text
        assert (await client.post(to, data=form | {"leg": "slip"})).status_code == 303
        fresh = fields((await client.get(to)).text, to)
        twice = await client.post(to, data=fresh | {"leg": "slip"})
    assert twice.status_code == 422
    assert "under way as" in twice.text


async def test_an_errand_about_anothers_dossier_is_about_none(
    cast: Cast, server: str, database: Any
) -> None:
    received = await travel(cast, "received")
    to = f"/desk/errands/{await token_of(database, received)}"
    async with await visitor(cast.carol) as client:
        assert (await client.get(to)).status_code == 404
        assert (await client.get("/desk/errands/nothing")).status_code == 404
        form = {"leg": "slip", "originals": "1", "copies": "0", "id": str(uuid4())}
        assert (await client.post(to, data=form)).status_code == 404
    async with await visitor(cast.bob) as client:
        assert (await client.get(to)).status_code == 403
        assert (await client.post(to, data=form)).status_code == 403


async def test_programs_ask_for_errands_too(
    cast: Cast, server: str, database: Any
) -> None:
    received = await travel(cast, "received")
    to = f"/api/dossiers/{await token_of(database, received)}/errands"
    said: dict[str, Any] = {
        "id": str(uuid4()),
        "leg": "bring_back",
        "originals": 2,
        "copies": 1,
        "reason": "wrong_agency",
    }
    async with await visitor(cast.charlie) as client:
        first = await client.post(to, json=said)
        again = await client.post(to, json=said)
        busy = await client.post(to, json=said | {"id": str(uuid4())})
        bare = await client.post(to, json=said | {"reason": None, "id": str(uuid4())})
        odd = await client.post(to, json=said | {"leg": "walk"})
        result = await client.post(to, json=said | {"leg": "result"})
    assert first.status_code == 201
    assert first.json() == again.json()
    assert first.json()["label"].endswith(f"{first.json()['waybill']}.pdf")
    assert (busy.status_code, busy.json()["error"]) == (409, "Conflict")
    assert (bare.status_code, list(bare.json()["fields"])) == (422, ["reason"])
    assert odd.status_code == 400
    assert result.status_code == 422
    async with await visitor(cast.carol) as client:
        assert (await client.post(to, json=said)).status_code == 404
    async with await visitor(cast.alice) as client:
        assert (await client.post(to, json=said)).status_code == 403
    async with await visitor(None) as client:
        assert (await client.post(to, json=said)).status_code == 401


# Back again


async def test_an_undeliverable_result_is_taken_back_at_the_desk(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "carried")
    assert (await desk.desk(cast.charlie)).returning.slips == []
    await scan(cast.alice, waybill, Step.ATTEMPTED, reason=Reason.UNKNOWN)
    assert (await desk.desk(cast.carol)).returning.slips == []
    async with await visitor(cast.charlie) as client:
        form = await form_at(client, "/desk/take-back", waybill)
        form |= {"originals": "1", "copies": "0", "seal_no": ""}
        answer = await client.post("/desk/take-back", data=form)
    assert answer.headers["location"] == f"/desk?returned={waybill}"
    told = await history.history(waybill, cast.charlie)
    assert told.custody.stage is Stage.RETURNED
    assert told.custody.holder == cast.charlie.place
    assert (await desk.desk(cast.charlie)).returning.slips == []


async def test_what_is_found_at_taking_back_is_flagged_in_sight(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "carried")
    await scan(cast.alice, waybill, Step.ATTEMPTED, reason=Reason.UNKNOWN)
    async with await visitor(cast.charlie, "en") as client:
        form = await form_at(client, "/desk/take-back", waybill)
        answer = await client.post("/desk/take-back", data=form | {"originals": "5"})
    assert answer.status_code == 200
    assert "recorded, but irregular" in answer.text
    told = await history.history(waybill, cast.charlie)
    assert Kind.COUNT_MISMATCH in told.lines[-1].flags


async def test_old_papers_on_their_way_are_seen_coming_and_received(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "carried")
    proof = Proof("code", code=await code_for(waybill, "delivery"))
    await scan(cast.alice, waybill, Step.DELIVERED, proof=proof, old_papers=1)
    (slip,) = (await desk.desk(cast.charlie)).recovered.slips
    assert slip.leg is Leg.OLD_PAPERS
    async with await visitor(cast.charlie) as client:
        page = (await client.get("/desk?tab=recovered")).text
        assert slip.waybill in page
        assert "Alice" in page  # who has them now
    await scan(cast.alice, slip.waybill, Step.OUT)
    async with await visitor(cast.charlie) as client:
        form = await form_at(client, "/desk/receive", slip.waybill)
        answer = await client.post("/desk/receive", data=form)
    assert answer.headers["location"] == "/desk?received=1"


async def test_what_waits_for_the_carrier_says_what_it_is(
    cast: Cast, server: str, database: Any
) -> None:
    received = await travel(cast, "received")
    to = f"/desk/errands/{await token_of(database, received)}"
    async with await visitor(cast.charlie, "en") as client:
        form = fields((await client.get(to)).text, to) | {"leg": "slip"}
        await client.post(to, data=form)
        page = (await client.get("/desk?tab=leaving")).text
    part = page.partition('aria-labelledby="leaving"')[2].lower()
    assert "slip" in part.partition("</section>")[0]


# Many results


def said(token: str, **more: Any) -> Announcement:
    given: dict[str, Any] = {"id": uuid4(), "originals": 1, "copies": 0}
    return Announcement(token=token, **given | more)


async def test_all_results_are_announced_or_none(cast: Cast, database: Any) -> None:
    good = [await working(cast, database, f"A-{n}") for n in range(3)]
    lot = [said(each) for each in good]
    bad = said(good[1], originals=0)
    told = await announce_results([lot[0], bad, lot[2]], cast.charlie)
    assert [type(each.error) for each in told] == [type(None), BadInput, type(None)]
    assert [each.waybill for each in told] == ["", "", ""]
    assert await results(database) == 0
    told = await announce_results(lot, cast.charlie)
    assert len({each.waybill for each in told}) == 3
    assert await announce_results(lot, cast.charlie) == told
    assert await results(database) == 3


async def test_results_in_order_go_ahead_when_one_is_not(
    cast: Cast, database: Any
) -> None:
    good = [await working(cast, database, f"A-{n}") for n in range(2)]
    lot = [said(good[0]), said("nowhere"), said(good[1]), said(good[1])]
    told = await announce_results(lot, cast.charlie, partly=True)
    assert isinstance(told[1].error, NotFound)
    assert [bool(each.waybill) for each in told] == [True, False, True, True]
    assert told[2].waybill == told[3].waybill
    assert await results(database) == 2
    with pytest.raises(NotAllowed):
        await announce_results(lot, cast.bob)
    theirs = await announce_results([said(good[0])], cast.carol)
    assert isinstance(theirs[0].error, NotFound)


async def test_the_officer_chooses_and_loses_nothing_of_what_he_typed(
    cast: Cast, server: str, database: Any
) -> None:
    tokens = [await working(cast, database, f"A-{n}") for n in range(3)]
    async with await visitor(cast.charlie, "en") as client:
        empty = await client.post("/desk/results", data={"mode": "all"})
        form = {"mode": "all"}
        for n, token in enumerate(tokens):
            form |= {
                f"result.{token}": str(uuid4()),
                f"originals.{token}": "x" if n == 1 else "2",
                f"copies.{token}": "4",
                f"fee.{token}": "26.000",
            }
        none = await client.post("/desk/results", data=form)
        assert await results(database) == 0
        some = await client.post("/desk/results", data=form | {"mode": "partly"})
        assert await results(database) == 2
        form[f"originals.{tokens[1]}"] = "1"
        rest = await client.post("/desk/results", data=form)
    assert "Tick at least one" in empty.text
    assert none.status_code == some.status_code == 422
    assert none.text.count("Write a number of sheets.") == 1
    assert none.text.count('value="26.000"') == 3
    assert none.text.count("checked") >= 4
    assert "Announced, waybill" in some.text
    assert 'value="x"' in some.text
    assert rest.headers["location"] == "/desk?results=3"
    assert await results(database) == 3
    fees = await database.fetch("SELECT fee FROM item WHERE leg = 'result'")
    assert {row["fee"] for row in fees} == {26_000}


# In a browser


async def test_the_desk_sends_papers_by_keyboard(
    cast: Cast, page: Page, database: Any
) -> None:
    out = await travel(cast, "out")
    received = await travel(cast, "received")
    for n in range(2):
        await working(cast, database, f"A-{n}")
    back = await travel(cast, "carried", code="A-9")
    await scan(cast.alice, back, Step.ATTEMPTED, reason=Reason.UNKNOWN)
    await enter(page, cast.charlie)
    await page.goto("/desk")
    await page.get_by_role("link", name="Không phát được").focus()
    await page.keyboard.press("Enter")
    await page.locator("summary", has_text=f"Nhận lại {back}").focus()
    await page.keyboard.press("Enter")
    await assert_accessible(page)
    await page.get_by_role("link", name="Chờ ký nhận").focus()
    await page.keyboard.press("Enter")
    await page.locator("summary", has_text=f"Không tiếp nhận {out}").focus()
    await page.keyboard.press("Enter")
    await page.locator(f"#reason-{out}").focus()
    await page.keyboard.type("Thiếu")
    await page.keyboard.press("Tab")
    # Nobody types as fast as a scanner does.
    await page.keyboard.type("Thiếu bản vẽ", delay=60)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/desk?refused=*")
    link = page.locator("a.errand", has_text=received)
    await link.focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Yêu cầu người dân bổ sung").focus()
    await page.keyboard.press("Space")
    await page.get_by_label("Thời hạn bổ sung").fill(SOON.isoformat())
    await assert_accessible(page)
    await page.get_by_label("Số bản sao").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/desk?sent=*")
    await page.goto("/desk/results")
    await assert_accessible(page)
    boxes = page.get_by_role("checkbox", name="A-")
    for n in range(2):
        await boxes.nth(n).focus()
        await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/desk?results=2")
    await page.goto("/desk/results?lang=en")
    await assert_accessible(page)
    await page.goto("/desk?lang=en")
    await assert_accessible(page)
