"""Money on pages: the citizen's, the carrier's card, the staff's."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Page, expect

from postal_track import cash, payments, vietqr
from postal_track.cash import Taken
from postal_track.vietqr import Transfer
from routes import order_form
from tests.axe import assert_accessible
from tests.cast import Cast, code_for, enter, order, travel, visitor
from tests.forms import fields, forms
from tests.test_feeds import sheet
from tests.test_money import COSTS, WHOLE, account, costly, credit, pay
from tests.test_offline import lines, phone, stocked, typed


async def token(database: Any, waybill: str) -> str:
    return str(
        await database.fetchval(
            """
            SELECT d.token FROM item i JOIN dossier d ON d.id = i.dossier
            WHERE i.waybill = $1
            """,
            waybill,
        )
    )


async def take(cast: Cast, waybill: str, amount: int) -> None:
    await cash.take([Taken(uuid4(), waybill, amount, datetime.now(UTC))], cast.alice)


# The citizen


async def test_a_citizen_sees_what_to_pay_and_how(
    cast: Cast, page: Page, database: Any
) -> None:
    waybill = await costly(cast)
    address = f"/d/{await token(database, waybill)}"
    await page.goto(address)
    box = page.locator("#pay")
    await expect(box.locator(".amount")).to_contain_text("81.500")
    await expect(box.locator("svg.qr")).to_be_visible()
    named = (await account(cast, waybill)).reference
    await expect(box).to_contain_text(named)
    seen = Image.open(BytesIO(await box.locator("svg.qr").screenshot()))
    (read,) = zxingcpp.read_barcodes(seen)
    assert vietqr.read(read.text) == Transfer(
        "970403", "0011012345678", WHOLE, "", named
    )
    await assert_accessible(page)
    picture = await page.request.get(f"{address}/pay.png")
    assert picture.headers["content-type"] == "image/png"
    assert (await picture.body()).startswith(b"\x89PNG")
    await pay(credit(named, WHOLE + 500))
    await page.reload()
    await expect(box.locator("svg.qr")).to_have_count(0)
    await expect(box).to_contain_text("Đã trả đủ")
    await expect(box).to_contain_text("trả thừa")
    await assert_accessible(page)
    assert (await page.request.get(f"{address}/pay.png")).status == 404


async def test_without_an_account_the_page_says_how_to_pay(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await costly(cast, fee_due="online")
    async with await visitor(None, "en") as client:
        text = (await client.get(f"/d/{await token(database, waybill)}")).text
    assert "31.500" in text
    assert "is paid on the public portal" in text
    assert (await account(cast, waybill)).reference in text
    for private in ("0912", "Nguyễn Thị Hoa"):
        assert private not in text[text.index('id="pay"') : text.index("</section>")]


# The carrier's card


async def test_a_carrier_takes_cash_with_the_scan_and_sees_what_is_paid(
    cast: Cast, page: Page
) -> None:
    waybill = await costly(cast)
    await enter(page, cast.alice)
    await page.goto(f"/scan?code={waybill}")
    fold = page.locator("[data-pay-fold]")
    await expect(fold).to_contain_text("81.500")
    await fold.locator("summary").click()
    await expect(fold.locator("svg.qr")).to_be_visible()
    await assert_accessible(page)
    await page.get_by_label("Tôi đã nhận đủ tiền mặt").check()
    await page.fill("#originals", "2")
    await page.fill("#copies", "1")
    await page.fill("#seal_no", "NP1")
    await page.fill("#code", await code_for(waybill, "pickup"))
    await page.locator("[data-do]").click()
    await expect(page.locator("[data-verdict]")).to_have_attribute("data-tone", "good")
    assert await cash.total(cast.alice) == WHOLE
    assert (await account(cast, waybill)).open == 0
    await page.goto("/held")
    await expect(page.locator("main")).to_contain_text("Tiền mặt bạn đang giữ")


async def test_the_card_says_paid_while_the_carrier_waits_and_asks_no_more(
    cast: Cast, page: Page
) -> None:
    waybill = await costly(cast)
    named = (await account(cast, waybill)).reference
    await enter(page, cast.alice)
    await page.goto(f"/scan?code={waybill}")
    await page.locator("[data-pay-fold] summary").click()
    await pay(credit(named, WHOLE))
    paid = page.locator("[data-pay-paid]")
    await expect(paid).to_be_visible(timeout=9_000)
    await expect(page.locator("[data-pay-fold]")).to_be_hidden()
    await expect(page.locator("[data-pay-cash]")).to_be_disabled()


async def test_cash_waits_on_the_phone_with_its_scan(
    cast: Cast, browser: Browser, server: str
) -> None:
    """Without a signal there is no code to pay by, but cash; both are told later."""
    waybill = await travel(cast, "carried")
    async with phone(browser, server, cast.alice) as context:
        page = await context.new_page()
        await stocked(page)
        await context.set_offline(True)
        await typed(page, waybill)
        await page.locator("[data-pay-fold] summary").click()
        await expect(page.locator("[data-pay-no-qr]")).to_be_visible()
        await page.get_by_label("Tôi đã nhận đủ tiền mặt").check()
        await page.fill("#code", await code_for(waybill, "delivery"))
        await page.locator("[data-do]").click()
        await expect(lines(page, "kept")).to_have_count(1)
        assert await cash.total(cast.alice) == 0
        await context.set_offline(False)
        await expect(lines(page, "good")).to_have_count(1)
    assert await cash.total(cast.alice) == 26_000
    assert (await account(cast, waybill)).open == 0


# The staff


async def test_an_office_s_money_on_its_pages(
    cast: Cast, page: Page, database: Any
) -> None:
    """From the statement over what did not match to the carrier's cash, by keyboard."""
    waybill = await costly(cast)
    other = await travel(cast, "accepted", **COSTS)
    named = (await account(cast, waybill)).reference
    await enter(page, cast.dora)
    await page.goto("/money/statement")
    await page.set_input_files(
        "#file", {"name": "sao ke.csv", "mimeType": "text/csv", "buffer": sheet(named)}
    )
    await page.get_by_role("button", name="Nhập sao kê").press("Enter")
    await expect(page.locator("#done")).to_have_text("Đã nhập xong")
    await assert_accessible(page)
    await page.get_by_role("link", name="Xem khoản chưa khớp").press("Enter")
    await expect(page.locator("main")).to_contain_text("mua rau")
    await expect(page.locator("table.list")).to_contain_text(other)
    await assert_accessible(page)
    await page.get_by_role("link", name="Xử lý").press("Enter")
    await page.fill("#code", other)
    await page.get_by_role("button", name="Gán tiền").press("Enter")
    await expect(page.locator("#why-says")).to_have_text("Hãy ghi lý do.")
    await assert_accessible(page)
    await page.fill("#why", "Chị Hoa gọi điện")
    await page.get_by_role("button", name="Gán tiền").press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("7.000")
    await page.goto(f"/items/{other}")
    await expect(page.locator("[data-money]")).to_contain_text("74.500")
    await page.goto(f"/items/{other}/money")
    await page.get_by_label("Số tiền nhận").fill("74.500")
    await page.get_by_role("button", name="Đã nhận tiền").press("Enter")
    await expect(page.locator("main")).to_contain_text("Đã thu tại quầy")
    await assert_accessible(page)


async def test_cash_goes_from_a_carrier_to_a_cashier_on_their_pages(
    cast: Cast, page: Page
) -> None:
    booked = await order(cast, fee=100_000)
    await take(cast, booked.waybill or "", 100_000)
    await enter(page, cast.alice)
    await page.goto("/money/cash")
    await assert_accessible(page)
    await page.get_by_label("Số tiền bạn nộp").fill("100.000")
    await page.get_by_role("button", name="Báo nộp").press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Đã báo nộp")
    await enter(page, cast.bob)
    await page.goto("/money/cash")
    await expect(page.locator("main")).not_to_contain_text("100.000")  # blind
    await page.get_by_label("Bạn đếm được").first.fill("90.000")
    await page.get_by_role("button", name="Ghi số đếm").first.press("Enter")
    await expect(page.locator("main")).to_contain_text("\N{MINUS SIGN}10.000")
    await assert_accessible(page)
    await page.get_by_label("Vì sao khác").fill("Thiếu một tờ")
    await page.get_by_role("button", name="Ghi lý do").press("Enter")
    await enter(page, cast.alice)
    await page.goto("/money/cash")
    await page.get_by_role("button", name="Tôi đồng ý").press("Enter")
    await expect(page.locator(".figure.big")).to_contain_text("10.000")
    await enter(page, cast.dora)
    await page.goto("/money/cash")
    await page.get_by_text("Xử lý chênh lệch").press("Enter")
    await page.get_by_label("Lý do").fill("Trừ lương")
    await page.get_by_role("button", name="Ghi chênh lệch").press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("chênh lệch")
    await page.get_by_label("Tiền đếm được trong quỹ").fill("89.000")
    await page.get_by_role("button", name="Chốt quỹ").press("Enter")
    await expect(page.locator("#why-says")).to_contain_text("Thiếu 1.000 đồng")
    await assert_accessible(page)
    await page.get_by_label("Vì sao khác sổ").fill("Nhầm tiền lẻ")
    await page.get_by_role("button", name="Chốt quỹ").press("Enter")
    await page.goto("/money/day")
    for said in ("Thiếu một tờ", "Trừ lương", "Nhầm tiền lẻ", "\N{MINUS SIGN}1.000"):
        await expect(page.locator("main")).to_contain_text(said)
    await assert_accessible(page)


PAGES = ("/money", "/money/cash", "/money/day", "/money/statement")

OPEN = {
    "alice": (403, 200, 403, 403),
    "bob": (200, 200, 200, 200),
    "charlie": (403, 403, 403, 403),
    "dora": (200, 200, 200, 200),
    "dean": (200, 200, 200, 200),
    "frank": (200, 403, 200, 403),
    "eve": (200, 403, 200, 403),
}


async def test_who_sees_which_page(cast: Cast, server: str) -> None:
    waybill = await travel(cast, "accepted", **COSTS)
    await pay(credit("NGUYEN THI HOA mua rau", 7_000))
    (left,) = await payments.unsettled(cast.dora)
    for login, expected in OPEN.items():
        async with await visitor(getattr(cast, login), "en") as client:
            got = [(await client.get(path)).status_code for path in PAGES]
            assert got == list(expected), login
            own = await client.get(f"/items/{waybill}/money")
            assert own.status_code == 200
            settle = await client.get(f"/money/payments/{left.id}")
            cashier = login in ("bob", "dora", "dean")
            assert settle.status_code == (200 if cashier else 403), login
            if login in ("eve", "frank"):  # figures, but nobody's name
                assert "NGUYEN" not in (await client.get("/money")).text
    for login in ("amy", "ben", "carol"):
        async with await visitor(getattr(cast, login)) as client:
            answer = await client.get(f"/items/{waybill}/money")
            assert answer.status_code == 404, login
    async with await visitor(None) as client:
        assert (await client.get("/money")).headers["location"].startswith("/login")


FORMS = {
    "/money/cash/release": ("alice",),
    "/money/cash/count": ("bob", "dora", "dean"),
    "/money/cash/explain": ("bob", "dora", "dean"),
    "/money/cash/close": ("bob", "dora"),
    "/money/cash/settle": ("dora", "dean"),
    "/money/payments/{payment}": ("bob", "dora", "dean"),
    "/money/payments/{payment}/return": ("dora", "dean"),
    "/items/{waybill}/money/pay": ("bob", "dora"),
    "/items/{waybill}/money/change": ("bob", "charlie", "dora", "dean"),
}


@pytest.mark.parametrize("path", FORMS)
async def test_who_may_send_which_form(cast: Cast, server: str, path: str) -> None:
    waybill = await travel(cast, "accepted", **COSTS)
    await pay(credit("mua rau", 7_000))
    (left,) = await payments.unsettled(cast.dora)
    address = path.format(payment=left.id, waybill=waybill)
    for login in OPEN:
        async with await visitor(getattr(cast, login)) as client:
            answer = await client.post(address, data={"x": "1"})
        allowed = answer.status_code != 403
        # Nothing was filled in: who may is told what is missing.
        assert allowed == (login in FORMS[path]), (login, answer.status_code)


async def test_a_form_keeps_what_was_typed_and_says_what_is_wrong(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "accepted", **COSTS)
    async with await visitor(cast.dora, "en") as client:
        path = f"/items/{waybill}/money"
        typed = fields((await client.get(path)).text, f"{path}/change")
        answer = await client.post(
            f"{path}/change", data=typed | {"charge": "much", "words": "vì"}
        )
        assert answer.status_code == 422
        again = fields(answer.text, f"{path}/change")
        assert (again["charge"], again["words"]) == ("much", "vì")
        assert "Write the amount in VND." in answer.text
        more = {"kind": "postage", "due": "delivery", "reason": "asked"}
        more |= {"charge": "26.000 đ", "words": "Cước phát"}
        answer = await client.post(f"{path}/change", data=typed | more)
        assert answer.status_code == 303
        typed = fields((await client.get(path)).text, f"{path}/pay")
        assert typed["amount"] == str(WHOLE + 26_000)
        answer = await client.post(f"{path}/pay", data=typed | {"amount": "999999"})
        assert answer.status_code == 422
        assert "Between 1 and 107.500" in answer.text
        wrong = {"file": ("x.csv", b"a,b", "text/csv")}
        answer = await client.post("/money/statement", files=wrong)
        assert answer.status_code == 422
        assert "Columns are missing" in answer.text
        assert forms(answer.text, "/money/statement")


async def test_a_clerk_says_what_a_dossier_costs_and_a_citizen_cannot(
    cast: Cast, server: str, database: Any
) -> None:
    async with await visitor(cast.bob, "en") as client:
        typed = fields((await client.get("/dossiers/new")).text, "/dossiers/new")
        typed |= {
            "procedure": "1.000",
            "agency": "AGENCY",
            "office": "LX",
            "owner.name": "Nguyễn Thị Hoa",
            "owner.phone": "0912345678",
            "owner.address": "12 Trần Hưng Đạo, Long Xuyên",
            "owner.ward": "30307",
            "papers.0.name": "Đơn đề nghị",
            "papers.0.originals": "1",
            "papers.0.copies": "0",
        }
        money = {"fee": "50.000", "fee_due": "delivery", "postage": "31.500 đ"}
        wrong = await client.post("/dossiers/new", data=typed | {"fee": "much"})
        assert wrong.status_code == 422
        assert "Write the amount in VND." in wrong.text
        answer = await client.post("/dossiers/new", data=typed | money)
        assert answer.status_code == 303, answer.text
    rows = await database.fetch(
        "SELECT kind, due, amount, payer FROM charge WHERE amount > 0 ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("postage", "pickup", 31_500, "citizen"),
        ("state_fee", "delivery", 50_000, "citizen"),
    ]
    given = order_form.typed(typed | money)
    own = order_form.order(given, "citizen")
    assert (own.fee, own.postage, own.fee_due) == (None, None, "")


async def test_another_system_says_what_a_dossier_costs(
    cast: Cast, server: str, database: Any
) -> None:
    said = {
        "id": str(uuid4()),
        "procedure": "1.000",
        "agency": "AGENCY",
        "service": "send",
        "owner": {
            "name": "Nguyễn Thị Hoa",
            "phone": "0912345678",
            "address": "12 Trần Hưng Đạo",
            "ward": "30307",
        },
        "papers": [{"name": "Đơn", "originals": 1, "copies": 0}],
        "office": "LX",
        "fee": 70_000,
        "fee_due": "online",
        "postage": 26_000,
        "postage_by": "agency",
    }
    async with await visitor(cast.bob) as client:
        for _ in range(2):
            answer = await client.post("/api/dossiers", json=said)
            assert answer.status_code == 201, answer.text
        wrong = said | {"id": str(uuid4()), "fee_due": "some day"}
        assert (await client.post("/api/dossiers", json=wrong)).status_code == 422
    rows = await database.fetch(
        "SELECT kind, due, amount, payer FROM charge WHERE amount > 0 ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("postage", "pickup", 26_000, f"agency:{cast.agency}"),
        ("state_fee", "online", 70_000, "citizen"),
    ]
