"""Labels to print: one, a list, pools ahead; who may have them; what their QR opens."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

import httpx
import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from postal_track import labels, s10
from postal_track.bookings import print_pool
from postal_track.custody import Step
from postal_track.staff import Actor
from tests.axe import assert_accessible
from tests.cast import Cast, enter, order, scan, travel, visitor
from tests.forms import fields

pytestmark = pytest.mark.usefixtures("server")

UNKNOWN = s10.waybill(99_999_999)


def waybills(image: Image.Image) -> list[str]:
    """Read the QRs of a page, row by row from the top left."""
    found = [
        each
        for each in zxingcpp.read_barcodes(image)
        if str(each.format) == "QR Code"
        and labels.genuine(labels.parse_code(each.text))
    ]
    rows = sorted(
        found,
        key=lambda each: (
            round(each.position.top_left.y / 50),
            each.position.top_left.x,
        ),
    )
    return [labels.parse_code(each.text).waybill for each in rows]


def pages(file: bytes) -> list[list[str]]:
    document = pypdfium2.PdfDocument(file)
    read = [waybills(page.render(scale=203 / 72).to_pil()) for page in document]
    document.close()
    return read


async def printed(actor: Actor, text: str, **more: str) -> httpx.Response:
    async with await visitor(actor) as client:
        form = {"waybills": text, "layout": "50x30", "skip": "0"} | more
        return await client.post("/labels/print", data=form)


async def booked(cast: Cast, number: int = 1) -> list[str]:
    return [(await order(cast)).waybill or "" for _ in range(number)]


async def test_one_label_comes_as_svg_png_and_pdf(cast: Cast) -> None:
    (waybill,) = await booked(cast)
    async with await visitor(cast.bob) as client:
        svg = await client.get(f"/labels/{waybill}.svg")
        png = await client.get(f"/labels/{waybill}.png", params={"dpi": 300})
        pdf = await client.get(f"/labels/{waybill}.pdf")
        big = await client.get(f"/labels/{waybill}.pdf", params={"layout": "70x40"})
        a4 = await client.get(
            f"/labels/{waybill}.pdf", params={"layout": "a4", "skip": 5}
        )
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert waybills(Image.open(BytesIO(png.content))) == [waybill]
    for answer in (pdf, big, a4):
        assert answer.headers["content-type"] == "application/pdf"
        assert pages(answer.content) == [[waybill]]


async def test_a_label_names_the_leg_and_the_far_office_and_no_person(
    cast: Cast,
) -> None:
    there = await travel(cast, "booked", agency="OTHER")
    back = await travel(cast, "ready", office="CD")
    async with await visitor(cast.bob) as client:
        out = (await client.get(f"/labels/{there}.svg")).text
        home = (await client.get(f"/labels/{back}.svg")).text
    assert "HỒ SƠ ĐI" in out
    assert "KẾT QUẢ VỀ" in home
    for svg in (out, home):
        assert "Châu Đốc" in svg
        assert "Hoa" not in svg


async def test_a_list_that_was_scanned_or_pasted_is_printed_each_once(
    cast: Cast,
) -> None:
    one, two, three = await booked(cast, 3)
    text = f"{labels.own_url(two)}\r\n  {s10.spaced(one)}\n\n{two.lower()}; {three}"
    answer = await printed(cast.alice, text)
    assert answer.status_code == 200
    assert pages(answer.content) == [[two], [one], [three]]


async def test_an_a4_sheet_begins_where_the_last_one_ended(cast: Cast) -> None:
    _, found = await print_pool(cast.bob, 26)
    answer = await printed(cast.bob, "\n".join(found), layout="a4", skip="22")
    assert pages(answer.content) == [found[:2], found[2:]]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("DH123456786VN", "có chữ số sai"),
        ("EE123456785VN", "bưu chính khác"),
        (UNKNOWN, f"Không có bưu gửi nào mang mã vận đơn {UNKNOWN}"),
        (f"HTTPS://HOST/T/{UNKNOWN}/AAAAAAAA", "không do hệ thống in ra"),
        ("HTTPS://HOST/B/TUI-1/AAAAAAAA", "không phải là mã của dịch vụ này"),
        ("", "ít nhất một mã vận đơn"),
    ],
)
async def test_what_cannot_be_printed_is_named_and_the_list_is_kept(
    cast: Cast, line: str, sentence: str
) -> None:
    (good,) = await booked(cast)
    text = f"{good}\n{line}" if line else ""
    answer = await printed(cast.bob, text)
    assert answer.status_code == 422
    assert sentence in answer.text
    kept = fields(answer.text, "/labels/print")["waybills"]
    assert kept.split() == text.split()


async def test_a_list_of_more_than_a_thousand_is_refused(cast: Cast) -> None:
    answer = await printed(cast.bob, "\n".join(map(s10.waybill, range(1, 1002))))
    assert answer.status_code == 422
    assert "nhiều nhất 1000 nhãn" in answer.text
    answer = await printed(cast.bob, "DH123456785VN\n" * 30_000)
    assert answer.status_code == 413


async def test_a_pool_is_printed_ahead_and_tells_how_many_are_bound(
    cast: Cast, database: Any
) -> None:
    async with await visitor(cast.bob) as client:
        answer = await client.post("/labels/pools", data={"size": "3"})
        assert answer.status_code == 303
        where = answer.headers["location"]
        assert "0 / 3" in (await client.get(where)).text
        all_three = await client.get(f"{where}/labels.pdf")
        found = [page[0] for page in pages(all_three.content)]
        assert len(set(found)) == 3

        (waybill,) = await booked(cast)
        outcome = await scan(cast.alice, found[1], Step.ACCEPTED, bind_to=waybill)
        assert outcome.error is None
        assert "1 / 3" in (await client.get(where)).text
        assert "1 / 3" in (await client.get("/labels")).text
        rest = await client.get(f"{where}/labels.pdf", params={"unbound": "true"})
        assert [page[0] for page in pages(rest.content)] == [found[0], found[2]]
        # A label that was bound names the leg from now on.
        assert "HỒ SƠ ĐI" in (await client.get(f"/labels/{found[1]}.svg")).text


async def test_two_pools_printed_at_once_share_no_waybill(cast: Cast) -> None:
    (_, one), (_, two) = await asyncio.gather(
        print_pool(cast.bob, 50), print_pool(cast.ben, 50)
    )
    assert not set(one) & set(two)


@pytest.mark.parametrize("size", ["0", "1001", "-3", "many", "", "9" * 5000])
async def test_a_pool_has_between_one_and_a_thousand_labels(
    cast: Cast, database: Any, size: str
) -> None:
    async with await visitor(cast.bob) as client:
        answer = await client.post("/labels/pools", data={"size": size})
    assert answer.status_code == 422
    assert "Từ 1 đến 1000 nhãn." in answer.text
    assert await database.fetchval("SELECT count(*) FROM label_pool") == 0


async def test_a_pool_belongs_to_an_office(cast: Cast, database: Any) -> None:
    number, _ = await print_pool(cast.bob, 2)
    where = f"/labels/pools/{number}"
    for actor, status in (
        (cast.alice, 200),
        (cast.dora, 200),
        (cast.dean, 200),
        (cast.frank, 200),
        (cast.ben, 404),
        (cast.charlie, 403),
        (cast.eve, 403),
        (None, 303),
    ):
        async with await visitor(actor) as client:
            for path in (where, f"{where}/labels.pdf"):
                assert (await client.get(path)).status_code == status, actor
    async with await visitor(cast.ben) as client:
        assert "Chưa in sẵn xấp nhãn nào." in (await client.get("/labels")).text


async def test_who_gives_out_waybills_and_for_which_office(
    cast: Cast, database: Any
) -> None:
    for actor, office, status in (
        (cast.bob, cast.chau_doc, 403),  # not his
        (cast.alice, "", 403),
        (cast.frank, cast.long_xuyen, 403),
        (cast.dean, "", 403),  # of no office, and named none
        (cast.dean, 4711, 404),
        (cast.dean, cast.chau_doc, 303),
        (cast.dora, "", 303),
    ):
        async with await visitor(actor) as client:
            form = {"size": "1", "office": str(office)}
            answer = await client.post("/labels/pools", data=form)
        assert answer.status_code == status, actor
    rows = await database.fetch("SELECT office FROM label_pool ORDER BY id")
    assert [row["office"] for row in rows] == [cast.chau_doc, cast.long_xuyen]


async def test_officers_print_their_own_agencies_labels_only(cast: Cast) -> None:
    result = await travel(cast, "ready")
    _, (blank,) = await print_pool(cast.bob, 1)
    for actor, waybill, status in (
        (cast.charlie, result, 200),
        (cast.carol, result, 404),
        (cast.charlie, blank, 404),
        (cast.amy, result, 200),
        (cast.eve, result, 403),
        (None, result, 303),
    ):
        async with await visitor(actor) as client:
            answer = await client.get(f"/labels/{waybill}.svg")
        assert answer.status_code == status, actor


async def test_what_is_no_label_is_told_apart(cast: Cast) -> None:
    (waybill,) = await booked(cast)
    async with await visitor(cast.bob) as client:
        for file, status in (
            (f"{UNKNOWN}.svg", 404),
            (f"{waybill}.gif", 404),
            (waybill, 404),
            ("DH123456786VN.png", 400),
            (f"{waybill}.pdf?layout=a3", 400),
            (f"{waybill}.pdf?layout=a4&skip=24", 400),
            (f"{waybill}.png?dpi=9999", 400),
        ):
            answer = await client.get(f"/labels/{file}")
            assert answer.status_code == status, file


async def test_the_qr_of_a_label_opens_what_one_may_see(cast: Cast) -> None:
    (waybill,) = await booked(cast)
    path = labels.own_url(waybill).split("/", 3)[3]
    for actor, room in (
        (cast.alice, "items"),
        (cast.charlie, "items"),
        (None, "track"),
    ):
        async with await visitor(actor) as client:
            for written in (path, path.lower()):
                answer = await client.get(f"/{written}")
                assert answer.status_code == 303
                assert answer.headers["location"] == f"/{room}/{waybill}"


async def test_a_label_somebody_made_up_is_told_to_be_one(cast: Cast) -> None:
    (waybill,) = await booked(cast)
    for actor, sentence in (
        (cast.alice, "báo cho người giám sát"),
        (None, "Đừng giao giấy tờ hay tiền"),
    ):
        async with await visitor(actor) as client:
            answer = await client.get(f"/T/{waybill}/AAAAAAAA")
        assert answer.status_code == 403
        assert "Nhãn này không do chúng tôi in." in answer.text
        assert sentence in answer.text
    async with await visitor(None, lang="en") as client:
        wrong = await client.get("/T/DH123456786VN/AAAAAAAA")
        program = await client.get(
            f"/T/{waybill}/AAAAAAAA", headers={"accept": "application/json"}
        )
    assert wrong.status_code == 400
    assert "has a wrong digit" in wrong.text
    assert program.json()["error"] == "ForgedLabel"


async def test_a_list_is_scanned_into_the_page_and_a_pool_given_out(
    page: Page, cast: Cast
) -> None:
    await enter(page, cast.bob)
    await page.goto("/labels")
    await expect(page.locator("[name=office]")).to_have_count(0)
    await assert_accessible(page)
    await page.locator("#waybills").press_sequentially("DH123456786VN\n")
    await page.get_by_role("button", name="In nhãn (PDF)").click()
    await expect(page.locator("#waybills-problem")).to_be_visible()
    await assert_accessible(page)
    await page.get_by_role("button", name="Cấp mã và in").click()
    await page.wait_for_url("**/labels/pools/*")
    await expect(page.locator("[data-bound]")).to_have_text("0 / 24")
    await assert_accessible(page)
    await page.goto("/T/DH123456785VN/AAAAAAAA")
    await assert_accessible(page)
