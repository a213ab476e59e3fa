"""Over the counter: the clerk's form, with scripts and without, and what follows it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from postal_track import s10, tables
from tests.axe import assert_accessible
from tests.cast import ADDRESS, OWNER, PHONE, Cast, enter, visitor
from tests.forms import fields

pytestmark = pytest.mark.usefixtures("server")

FORM = "/dossiers/new"
TYPED = {
    "procedure": "1.000",
    "agency": "AGENCY",
    "service": "both",
    "owner.name": OWNER,
    "owner.phone": PHONE,
    "owner.address": ADDRESS,
    "papers.0.name": "Đơn đề nghị",
    "papers.0.originals": "2",
    "papers.0.copies": "",
}


async def opened(client: httpx.AsyncClient) -> dict[str, str]:
    answer = await client.get(FORM)
    assert answer.status_code == 200
    return fields(answer.text, FORM)


async def test_the_form_alone_registers_a_dossier(
    server: str, cast: Cast, database: Any
) -> None:
    async with await visitor(cast.bob) as client:
        answer = await client.post(FORM, data=await opened(client) | TYPED)
        assert answer.status_code == 303
        created = await client.get(answer.headers["location"])
    waybill = await database.fetchval("SELECT waybill FROM item")
    assert s10.parse(waybill) in created.text
    token = await database.fetchval("SELECT token FROM dossier")
    assert f"{server}/d/{token}" in created.text
    for ending in ("svg", "png", "pdf"):
        assert f"/labels/{waybill}.{ending}" in created.text
    assert "ward centroid" in created.text
    assert await database.fetchval("SELECT source FROM dossier") == "counter"
    # Nothing personal is on a page that is printed and shown around.
    assert OWNER not in created.text
    assert ADDRESS not in created.text


async def test_the_same_form_sent_twice_is_one_dossier(
    cast: Cast, database: Any
) -> None:
    async with await visitor(cast.bob) as client:
        form = await opened(client) | TYPED
        first, second = [await client.post(FORM, data=form) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    assert await database.fetchval("SELECT count(*) FROM dossier") == 1


async def test_every_form_that_is_opened_is_an_order_of_its_own(cast: Cast) -> None:
    async with await visitor(cast.bob) as client:
        forms = [await opened(client) for _ in range(2)]
    assert forms[0]["order"] != forms[1]["order"]


async def test_a_form_gone_back_to_for_the_next_citizen_does_not_give_the_last_waybill(
    cast: Cast, database: Any
) -> None:
    async with await visitor(cast.bob) as client:
        form = await opened(client) | TYPED
        first = await client.post(FORM, data=form)
        answer = await client.post(FORM, data=form | {"owner.name": "Lê Văn Tám"})
        assert answer.status_code == 409
        assert first.headers["location"] in answer.text
        again = fields(answer.text, FORM)
        assert again["order"] != form["order"]
        assert again["owner.name"] == "Lê Văn Tám"
        second = await client.post(FORM, data=again)
        assert second.status_code == 303
    assert await database.fetchval("SELECT count(*) FROM dossier") == 2


async def test_what_cannot_be_used_is_said_next_to_its_field_and_nothing_is_lost(
    cast: Cast, database: Any
) -> None:
    wrong = TYPED | {
        "owner.phone": "không chín một hai",
        "owner.ward": "",
        "owner.address": "ấp 3, xã Không Có",
        "filer": "1",
        "filer.name": "Phạm Tư",
        "papers.0.originals": "hai",
        "codes.0.source": "igate",
        "codes.0.code": "9" * 51,
    }
    async with await visitor(cast.bob) as client:
        form = await opened(client) | wrong
        answer = await client.post(FORM, data=form)
        assert answer.status_code == 422
        shown = fields(answer.text, FORM)
        assert {name: shown[name] for name in form} == form
        for field in (
            *("owner.phone", "owner.ward", "papers.0", "codes.0"),
            *("filer.phone", "filer.address"),
        ):
            assert f'id="{field}-problem"' in answer.text, field
            assert f'href="#{field}"' in answer.text, field
        assert "Số điện thoại chỉ gồm chữ số" in answer.text
    assert await database.fetchval("SELECT count(*) FROM dossier") == 0


async def test_a_damaged_form_is_refused_with_a_sentence(cast: Cast) -> None:
    async with await visitor(cast.bob, lang="en") as client:
        answer = await client.post(FORM, data=TYPED | {"order": "1; DROP TABLE"})
    assert answer.status_code == 422
    assert "The form is incomplete" in answer.text


async def test_a_form_that_is_too_large_is_refused(cast: Cast) -> None:
    async with await visitor(cast.bob) as client:
        form = await opened(client) | TYPED | {"owner.name": "a" * 200_000}
        answer = await client.post(FORM, data=form)
    assert answer.status_code == 413


async def test_a_session_that_ends_in_the_middle_keeps_what_was_typed(
    server: str, cast: Cast, database: Any
) -> None:
    async with await visitor(cast.bob) as client:
        await database.execute("DELETE FROM session")
        answer = await client.get(FORM)
        assert answer.headers["location"].startswith("/login")
    headers = {"accept": "text/html", "cookie": "session=over"}
    async with httpx.AsyncClient(base_url=server, headers=headers) as client:
        page = await client.get("/login")
        token = fields(page.text, "/login")["_csrf_token"]
        headers["cookie"] += f"; csrftoken={page.cookies['csrftoken']}"
        form = TYPED | {"_csrf_token": token}
        answer = await client.post(FORM, data=form, headers=headers)
    assert answer.status_code == 401
    assert OWNER in answer.text


async def test_without_scripts_a_button_fills_in_the_procedures_papers(
    cast: Cast, database: Any
) -> None:
    async with await visitor(cast.bob) as client:
        form = await opened(client) | TYPED | {"papers.0.name": "", "act": "fill"}
        answer = await client.post(FORM, data=form)
        assert answer.status_code == 200
        shown = fields(answer.text, FORM)
    assert shown["papers.0.name"] == "Đơn đề nghị"
    assert shown["papers.0.originals"] == "1"
    assert shown["owner.name"] == OWNER
    assert await database.fetchval("SELECT count(*) FROM dossier") == 0


async def test_an_english_reader_gets_both_names_of_a_paper(cast: Cast) -> None:
    async with await visitor(cast.bob, lang="en") as client:
        form = await opened(client) | {"procedure": "1.000", "act": "fill"}
        shown = fields((await client.post(FORM, data=form)).text, FORM)
    assert shown["papers.0.name"] == "Đơn đề nghị (Application)"


async def test_without_scripts_a_button_finds_the_nearest_office(cast: Cast) -> None:
    async with await visitor(cast.bob) as client:
        form = await opened(client) | TYPED
        form |= {"owner.address": "Phường Châu Đốc", "act": "office"}
        answer = await client.post(FORM, data=form)
    assert "Gần nhất: Bưu cục Châu Đốc" in answer.text
    assert "ward centroid" in answer.text


async def test_lines_left_empty_are_no_papers(cast: Cast, database: Any) -> None:
    async with await visitor(cast.bob) as client:
        lines = {
            "papers.0.name": "",
            "papers.0.originals": "0",
            "papers.3.name": "Bản đồ",
            "papers.3.originals": "",
            "papers.3.copies": "04",
        }
        await client.post(FORM, data=await opened(client) | TYPED | lines)
    rows = await database.fetch("SELECT position, name, originals, copies FROM paper")
    assert [tuple(row) for row in rows] == [(1, "Bản đồ", 0, 4)]


async def test_three_persons_are_kept_apart(cast: Cast, database: Any) -> None:
    others = {
        "filer": "1",
        "filer.name": "Phạm Tư",
        "filer.phone": "(+84) 0987.654.321",
        "filer.address": "Phường Châu Đốc",
        "recipient": "1",
        "recipient.name": "Võ Sáu",
        "recipient.phone": "0123 456 7890",
        "recipient.address": "ấp 1",
        "recipient.ward": "30742",
    }
    async with await visitor(cast.bob) as client:
        await client.post(FORM, data=await opened(client) | TYPED | others)
    rows = await database.fetch("SELECT part, phone, ward FROM person ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("owner", "+84912345678", "30307"),
        ("filer", "+84987654321", "30316"),
        ("recipient", "+84834567890", "30742"),
    ]
    # What was typed under a box that is not ticked is nobody.
    async with await visitor(cast.bob) as client:
        form = await opened(client) | TYPED | others
        await client.post(
            FORM,
            data={k: v for k, v in form.items() if k not in ("filer", "recipient")},
        )
    assert await database.fetchval("SELECT count(*) FROM person") == 4


async def test_only_clerks_and_supervisors_register(cast: Cast) -> None:
    for actor, status in (
        (cast.bob, 200),
        (cast.dora, 200),
        (cast.dean, 200),
        (cast.alice, 403),
        (cast.charlie, 403),
        (cast.eve, 403),
        (None, 303),
    ):
        async with await visitor(actor) as client:
            assert (await client.get(FORM)).status_code == status, actor
            unknown = await client.get(f"/dossiers/{'x' * 22}/created")
            assert unknown.status_code == (404 if status == 200 else status)


async def fill_in(page: Page) -> None:
    await page.select_option("#agency", "AGENCY")
    await page.fill("[id='owner.name']", OWNER)
    await page.fill("[id='owner.phone']", PHONE)
    await page.fill("[id='owner.address']", "Phường Châu Đốc")


async def test_the_page_fills_in_papers_and_proposes_the_nearest_office(
    page: Page, cast: Cast, database: Any
) -> None:
    await longer_list(database)
    await enter(page, cast.bob)
    await page.goto(FORM)
    await page.select_option("#procedure", "1.000")
    lines = page.locator("[data-paper]")
    await expect(lines).to_have_count(2)
    await expect(page.locator("[name='papers.1.name']")).to_have_value("Bản vẽ")
    await expect(page.locator("[data-sum]")).to_have_text("1 bản chính, 2 bản sao")

    await fill_in(page)
    await page.keyboard.press("Tab")
    preview = page.locator("[data-preview]")
    await expect(preview).to_contain_text("Bưu cục Châu Đốc")
    await expect(preview).to_contain_text("ward centroid")
    await page.fill("[id='owner.address']", "ở đâu đó")
    await page.keyboard.press("Tab")
    await expect(preview).to_contain_text("Không tìm thấy phường, xã")
    await page.select_option("[id='owner.ward']", "30307")
    await expect(preview).to_contain_text("Bưu cục Long Xuyên")

    # Another office can be chosen all the same.
    await page.select_option("#office", "CD")
    await page.locator("[data-add]").click()
    await page.fill("[name='papers.2.name']", "Giấy ủy quyền")
    await page.fill("[name='papers.2.originals']", "1")
    await lines.nth(0).locator("[data-remove]").click()
    await expect(lines).to_have_count(2)
    await page.locator("[data-register]").click()
    await page.wait_for_url("**/created")

    rows = await database.fetch("SELECT name, originals, copies FROM paper ORDER BY id")
    assert [tuple(row) for row in rows] == [("Bản vẽ", 0, 2), ("Giấy ủy quyền", 1, 0)]
    office = await database.fetchval(
        "SELECT o.code FROM dossier d JOIN office o ON o.id = d.office"
    )
    assert office == "CD"
    image = page.locator("img.labelimage")
    assert await image.evaluate("image => image.complete && image.naturalWidth > 0")


async def longer_list(database: Any) -> None:
    procedure = await database.fetchval("SELECT id FROM procedure WHERE code = '1.000'")
    await tables.ProcedurePaper(
        procedure=procedure,
        position=2,
        name="Bản vẽ",
        name_en="Drawing",
        originals=0,
        copies=2,
    ).save()


async def test_a_list_that_somebody_changed_is_not_replaced_by_itself(
    page: Page, cast: Cast
) -> None:
    await enter(page, cast.bob)
    await page.goto(FORM)
    await page.select_option("#procedure", "1.000")
    name = page.locator("[name='papers.0.name']")
    await expect(name).to_have_value("Đơn đề nghị")
    await name.fill("Đơn viết tay")
    await page.select_option("#procedure", "2.000")
    await expect(page.locator("[data-procedure-notes]")).to_contain_text("tận tay")
    await expect(name).to_have_value("Đơn viết tay")
    await page.locator("[data-fill]").click()
    await expect(name).to_have_value("Đơn đề nghị")


async def test_the_enter_key_registers_and_presses_no_other_button(
    page: Page, cast: Cast, database: Any
) -> None:
    await enter(page, cast.bob)
    await page.goto(FORM)
    await page.select_option("#procedure", "1.000")
    await expect(page.locator("[name='papers.0.name']")).to_have_value("Đơn đề nghị")
    await fill_in(page)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/created")
    assert await database.fetchval("SELECT count(*) FROM dossier") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_form_and_its_faults_and_what_follows_are_accessible(
    page: Page, cast: Cast, scheme: Any
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await enter(page, cast.bob)
    await page.goto(FORM)
    await page.select_option("#procedure", "2.000")
    await page.check("[name=filer]")
    await page.get_by_text("Mã hồ sơ của hệ thống khác").click()
    await assert_accessible(page)
    await page.locator("[data-register]").click()
    await page.wait_for_selector("[data-problems]")
    await assert_accessible(page)
    await fill_in(page)
    await page.uncheck("[name=filer]")
    await page.locator("[data-register]").click()
    await page.wait_for_url("**/created")
    await assert_accessible(page)
