"""The pages of irregularities and claims: who gets them and what they do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from playwright.async_api import Page

from postal_track import complaints, irregularities
from postal_track.complaints import Claimed, State
from postal_track.custody import Kind, Reason, Step
from postal_track.irregularities import Ending, Side
from routes import case_words
from tests.axe import assert_accessible
from tests.cast import Cast, enter, scan, travel, visitor
from tests.forms import fields


async def broken(cast: Cast) -> int:
    """Bob finds the seal broken of what Alice brings; the irregularity."""
    waybill = await travel(cast, "accepted")
    await scan(cast.bob, waybill, Step.ARRIVED, seal_broken=True)
    (case,) = (await irregularities.listed(cast.alice)).cases
    return case.id


async def missing(cast: Cast, database: Any) -> int:
    """Let a search run out."""
    waybill = await travel(cast, "accepted")
    number = await irregularities.report_missing(
        uuid4(), waybill, Reason.NOT_FOUND, "", cast.bob
    )
    await database.execute("UPDATE irregularity SET due_at = now() - interval '1 day'")
    return number


def test_every_member_has_words() -> None:
    assert set(case_words.ENDINGS) == set(Ending)
    assert set(case_words.SIDES) == set(Side)
    assert set(case_words.CLAIMED) == set(Claimed)
    assert set(case_words.STATES) == set(State)


async def test_strangers_log_in_and_others_find_nothing(
    cast: Cast, server: str
) -> None:
    number = await broken(cast)
    async with await visitor(None) as client:
        for path in ("/irregularities", f"/irregularities/{number}", "/claims"):
            assert (await client.get(path)).status_code == 303
    async with await visitor(cast.ben) as client:
        assert (await client.get(f"/irregularities/{number}")).status_code == 404
        assert (await client.get(f"/irregularities/{10**30}")).status_code == 404
    async with await visitor(cast.alice) as client:
        assert (await client.get("/claims")).status_code == 403
        assert (await client.get(f"/irregularities/{number}")).status_code == 200
    async with await visitor(cast.eve) as client:
        page = (await client.get(f"/irregularities/{number}")).text
        assert "/end" not in page
        answer = await client.post(
            f"/irregularities/{number}/end", data={"ending": "found"}
        )
        assert answer.status_code == 403


async def test_both_sides_speak_and_the_owner_ends_it(cast: Cast, server: str) -> None:
    number = await broken(cast)
    path = f"/irregularities/{number}"
    async with await visitor(cast.alice) as alice, await visitor(cast.bob) as bob:
        for client, words in ((alice, "lúc giao còn nguyên"), (bob, "rách mép")):
            form = fields((await client.get(path)).text, f"{path}/minutes")
            said = form | {"words": words}
            answer = await client.post(f"{path}/minutes", data=said)
            assert answer.status_code == 303
        page = (await alice.get(path)).text
        assert "lúc giao còn nguyên" in page
        assert "rách mép" in page
        form = fields(page, f"{path}/end") | {"ending": "unfounded"}
        assert (await alice.post(f"{path}/end", data=form)).status_code == 303
        assert "Không có gì bất thường" in (await bob.get(path)).text
        late = await bob.post(f"{path}/minutes", data={"words": "còn nữa"})
        assert late.status_code == 422
        assert "đã được kết thúc" in late.text


async def test_what_does_not_fit_is_said_beside_its_field(
    cast: Cast, server: str
) -> None:
    path = f"/irregularities/{await broken(cast)}"
    async with await visitor(cast.alice, "en") as client:
        for part, sent, said in (
            ("end", {"ending": "found"}, "Both sides must put"),
            ("end", {"ending": ""}, "Choose how it ended"),
            ("minutes", {"words": "torn", "copies": "two"}, "A count is a number"),
            ("minutes", {"words": ""}, "Say what you saw"),
            ("owner", {"to": "agency:1"}, "ask a supervisor"),
            ("owner", {"to": "nobody"}, "Choose an owner"),
        ):
            answer = await client.post(f"{path}/{part}", data=sent)
            assert (answer.status_code, said in answer.text) == (422, True), part
        assert (
            "torn"
            in (
                await client.post(
                    f"{path}/minutes", data={"words": "torn", "copies": "x"}
                )
            ).text
        )


async def test_a_missing_item_is_reported_and_then_lost(
    cast: Cast, database: Any, server: str
) -> None:
    waybill = await travel(cast, "accepted")
    async with await visitor(cast.bob) as client:
        page = (await client.get(f"/irregularities/new?waybill={waybill}")).text
        form = fields(page, "/irregularities")
        assert form["waybill"] == waybill
        form |= {"kind": "missing", "reason": "not_found"}
        first = await client.post("/irregularities", data=form)
        again = await client.post("/irregularities", data=form)
    assert first.headers["location"] == again.headers["location"]
    await database.execute("UPDATE irregularity SET due_at = now() - interval '1 day'")
    path = first.headers["location"]
    async with await visitor(cast.dora) as client:
        form = fields((await client.get(path)).text, f"{path}/lost")
        lost = await client.post(f"{path}/lost", data=form)
        assert lost.headers["location"].startswith("/claims/KN")
        assert waybill in (await client.get(lost.headers["location"])).text


async def test_one_opened_by_hand_shows_what_is_wrong_with_the_form(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "accepted")
    async with await visitor(cast.alice, "en") as client:
        bare = {"waybill": waybill, "kind": "damaged", "words": ""}
        answer = await client.post("/irregularities", data=bare)
        assert (answer.status_code, "Say it in at most" in answer.text) == (422, True)
        unknown = bare | {"waybill": "DH123456785VN", "words": "wet"}
        answer = await client.post("/irregularities", data=unknown)
        assert answer.status_code == 422
        assert "wet" in answer.text
        answer = await client.post("/irregularities", data=bare | {"words": "wet"})
        assert answer.status_code == 303


async def test_a_claim_is_taken_in_accepted_and_paid(cast: Cast, server: str) -> None:
    waybill = await travel(cast, "accepted")
    async with await visitor(cast.bob) as bob, await visitor(cast.dora) as dora:
        empty = await bob.post("/claims", data={"waybill": waybill, "words": ""})
        assert empty.status_code == 422
        said = {"waybill": waybill, "kind": "delay", "words": "quá chậm"}
        path = (await bob.post("/claims", data=said)).headers["location"]
        assert (await bob.post(f"{path}/accept", data={})).status_code == 403
        little = {"postage": "26.000", "amount": "50.000 đ"}
        answer = await dora.post(f"{path}/accept", data=little)
        assert (answer.status_code, "104.000" in answer.text) == (422, True)
        enough = little | {"amount": "104.000đ"}
        assert (await dora.post(f"{path}/accept", data=enough)).status_code == 303
        paid = await bob.post(f"{path}/settle", data={"receipt": "PC-17"})
        assert paid.status_code == 303
        page = (await bob.get(path)).text
        assert "PC-17" in page
        assert "104.000" in page
        again = await dora.post(f"{path}/reject", data={"reason": "x"})
        assert (again.status_code, "đã được quyết định" in again.text) == (422, True)
        assert path in (await bob.get("/claims?state=settled")).text


# In a browser


@pytest.fixture
def envelope(tmp_path: Path) -> Path:
    """A photo of an envelope."""
    path = tmp_path / "envelope.jpg"
    out = io.BytesIO()
    Image.new("RGB", (1200, 800), "tan").save(out, "JPEG")
    path.write_bytes(out.getvalue())
    return path


async def test_a_photo_is_sent_by_the_form_and_looked_at(
    cast: Cast, page: Page, database: Any, envelope: Path
) -> None:
    number = await broken(cast)
    await enter(page, cast.bob)
    await page.goto(f"/irregularities/{number}")
    warning = page.get_by_text("Tuyệt đối không chụp căn cước")
    assert await warning.is_visible()
    await page.get_by_label("Thêm ảnh").set_input_files(envelope)
    await page.get_by_role("button", name="Lưu ảnh").click()
    await page.get_by_role("link", name="Ảnh 1").click()
    await page.wait_for_url("**/photos/*")
    assert await page.evaluate("document.contentType") == "image/jpeg"
    assert await database.fetchval("SELECT what FROM reading") == "photo"


async def test_the_keyboard_alone_puts_a_statement_down(cast: Cast, page: Page) -> None:
    number = await broken(cast)
    await enter(page, cast.alice)
    await page.goto(f"/irregularities/{number}")
    await page.get_by_label("Đã thấy gì?").focus()
    await page.keyboard.type("còn nguyên khi giao")
    for _ in range(4):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_text("“còn nguyên khi giao”").wait_for()


async def test_everybody_can_use_the_pages(
    cast: Cast, page: Page, database: Any
) -> None:
    other = await broken(cast)
    number = await missing(cast, database)
    await irregularities.state(other, "còn nguyên", cast.alice, originals=2)
    waybill = await travel(cast, "accepted")
    await irregularities.open_by_hand(waybill, Kind.DAMAGED, "ướt", cast.alice)
    claim = await complaints.open_at_counter(waybill, Claimed.DELAY, "chậm", cast.bob)
    await enter(page, cast.dora)
    for path in (
        "/irregularities",
        "/irregularities?view=ended",
        "/irregularities/new",
        f"/irregularities/{number}",
        f"/irregularities/{other}?lang=en",
        "/claims",
        "/claims/new",
        f"/claims/{claim}",
    ):
        await page.goto(path)
        await assert_accessible(page)
    await page.goto(f"/irregularities/{other}")
    await page.get_by_label("Kết quả xử lý").select_option("new_seal")
    await page.get_by_role("button", name="Kết thúc bất thường").click()
    await page.get_by_text("Trước hết hãy ghi số niêm phong mới").wait_for()
    await assert_accessible(page)
