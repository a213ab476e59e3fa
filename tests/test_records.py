"""Handover papers: made of the ledger, printed in Vietnamese, verified by anyone."""

from __future__ import annotations

import asyncio
import io
from typing import Any
from uuid import uuid4

import asyncpg
import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from playwright.async_api import Page

from postal_track import records
from postal_track.custody import CITIZEN, Kind, Reason, Step
from postal_track.errors import BadInput, NotAllowed, NotFound
from postal_track.records import Paper
from postal_track.settings import settings
from tests.axe import assert_accessible
from tests.cast import OWNER, Cast, assemble, enter, scan, travel, visitor


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def told(number: str, actor: Any) -> records.Told:
    return await records.find(number, actor)


def words_of(file: bytes) -> str:
    document = pypdfium2.PdfDocument(file)
    pages = [page.get_textpage().get_text_bounded() for page in document]
    return " ".join(" ".join(pages).split())


# What a paper tells


async def test_a_paper_names_both_sides_counts_and_times(cast: Cast) -> None:
    waybill = await travel(cast, "received")
    number = await records.of_items([waybill], cast.charlie)
    paper = await told(number, cast.charlie)
    assert (number[:2], paper.paper, paper.sound) == ("BB", Paper.HANDOVER, True)
    (row,) = paper.rows
    assert (row.giver, row.receiver) == (cast.alice.party, cast.charlie.place)
    assert (row.by, row.seq) == (cast.charlie.party, 5)
    assert (row.originals, row.copies, row.seal_no) == (2, 1, "NP1")


async def test_the_first_handover_is_from_the_citizen_without_his_name(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "accepted")
    number = await records.of_line(waybill, 2, cast.alice)
    (row,) = (await told(number, cast.alice)).rows
    assert (row.giver, row.receiver) == (CITIZEN, cast.alice.party)
    async with await visitor(cast.alice) as client:
        text = words_of((await client.get(f"/records/{number}/paper.pdf")).content)
    assert "Người dân" in text
    assert OWNER not in text


async def test_results_handed_to_the_post_have_a_paper_of_their_own(
    cast: Cast,
) -> None:
    promised = await travel(cast, "ready")
    number = await records.of_items([promised], cast.charlie)
    paper = await told(number, cast.charlie)
    (row,) = paper.rows
    assert (number[:2], paper.paper) == ("KQ", Paper.RESULT)
    # Promised, and not yet confirmed: that side signs by hand.
    assert (row.giver, row.released_by) == (cast.charlie.place, cast.charlie.party)
    assert (row.receiver, row.by) == (cast.bob.place, None)
    await scan(cast.alice, promised, Step.ACCEPTED)
    after = await told(await records.of_items([promised], cast.charlie), cast.charlie)
    assert (after.number != number, after.paper) == (True, Paper.RESULT)
    assert (after.rows[0].by, after.rows[0].released_by) == (
        cast.alice.party,
        cast.charlie.party,
    )


async def test_the_same_lines_are_the_same_paper(cast: Cast, database: Any) -> None:
    lot = [await travel(cast, "received") for _ in range(3)]
    made = await asyncio.gather(
        *(records.of_items(lot[::turn], cast.charlie) for turn in (1, -1, 1, -1))
    )
    assert len(set(made)) == 1
    assert await database.fetchval("SELECT count(*) FROM handover_record") == 1
    assert await records.of_items(lot[:2], cast.charlie) != made[0]


async def test_what_is_corrected_later_does_not_change_a_signed_paper(
    cast: Cast,
) -> None:
    waybill = await travel(cast, "accepted")
    arrived = await scan(cast.bob, waybill, Step.ARRIVED, originals=9)
    number = await records.of_items([waybill], cast.bob)
    await scan(
        cast.dora,
        waybill,
        Step.CORRECTED,
        corrects=arrived.id,
        reason=Reason.INCORRECT_DATA,
        originals=2,
    )
    paper = await told(number, cast.bob)
    (row,) = paper.rows
    assert (row.originals, row.corrected, paper.sound) == (9, True, True)
    assert Kind.COUNT_MISMATCH in row.flags
    fresh = await told(await records.of_items([waybill], cast.bob), cast.bob)
    assert (fresh.rows[0].originals, fresh.rows[0].corrected) == (2, False)


async def test_only_a_handover_has_a_paper(cast: Cast) -> None:
    booked = await travel(cast, "booked")
    with pytest.raises(BadInput):
        await records.of_items([booked], cast.bob)
    with pytest.raises(BadInput):
        await records.of_line(booked, 1, cast.bob)
    with pytest.raises(BadInput):
        await records.of_items([], cast.bob)
    with pytest.raises(NotFound):
        await records.of_line(booked, 99, cast.bob)


# Whether it still fits


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE event SET copies = 9 WHERE seq = 5",
        "UPDATE event SET copies = 9 WHERE seq = 2",  # what the count was taken from
        "UPDATE event SET hash = sha256('x') WHERE seq = 5",
        "DELETE FROM event WHERE seq = 5",
        "UPDATE handover_record_line SET hash = sha256('x')",
        "UPDATE handover_record SET digest = sha256('x')",
    ],
)
async def test_what_was_altered_no_longer_fits_its_paper(
    cast: Cast, server: str, database: Any, tampering: str
) -> None:
    waybill = await travel(cast, "received")
    number = await records.of_items([waybill], cast.charlie)
    assert (await told(number, cast.charlie)).sound
    await database.execute("SET session_replication_role = replica")
    await database.execute(tampering)
    assert not (await told(number, cast.charlie)).sound
    async with await visitor(cast.charlie, "en") as client:
        page = await client.get(f"/records/{number}")
    assert 'data-record="broken"' in page.text
    assert "It agrees with the ledger" not in page.text


async def test_a_paper_stays_as_it_was_made(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "received")
    await records.of_items([waybill], cast.charlie)
    for statement in (
        "UPDATE handover_record SET number = 'BB99999999'",
        "DELETE FROM handover_record_line",
        "UPDATE handover_record_line SET seq = 1",
    ):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await database.execute(statement)


# Whose


async def test_a_paper_is_for_its_maker_who_reaches_its_items_and_who_holds_it(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "received")
    number = await records.of_items([waybill], cast.charlie)
    whole = (await told(number, cast.charlie)).digest
    for actor in (cast.charlie, cast.bob, cast.alice, cast.dora, cast.dean, cast.eve):
        assert (await told(number, actor)).number == number
    for actor in (cast.carol, cast.ben, cast.amy):
        with pytest.raises(NotFound):
            await told(number, actor)
    async with await visitor(None, "en") as client:
        held = await client.get(f"/records/{number}", params={"d": whole[:32]})
        for wrong in ("", whole[:15], whole[:15] + "x", "f" * 16, "é" * 20):
            answer = await client.get(f"/records/{number}", params={"d": wrong})
            assert answer.status_code == 404, wrong
        assert (await client.get("/records/BB99999999")).status_code == 404
        assert (await client.get("/records/%00")).status_code == 404
        drawn = await client.get(f"/records/{number}/paper.pdf")
        typed = await client.get(
            "/records", params={"number": f" {number.lower()} ", "d": whole[:16]}
        )
        missed = await client.get("/records", params={"number": number, "d": "0" * 16})
    assert "It agrees with the ledger" in held.text
    assert waybill in held.text
    assert "paper.pdf" not in held.text
    assert drawn.status_code in (303, 401)
    assert typed.headers["location"].startswith(f"/records/{number}?d=")
    assert missed.status_code == 404
    assert "There is no paper of this number" in missed.text


async def test_nobody_makes_papers_of_what_is_not_his(cast: Cast, server: str) -> None:
    waybill = await travel(cast, "received")
    mine = await travel(cast, "received", agency="AGENCY")
    for actor in (cast.carol, cast.ben, cast.amy):
        with pytest.raises(NotFound):
            await records.of_items([waybill], actor)
    for actor in (cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await records.of_items([waybill], actor)
    with pytest.raises(NotFound):  # one that is not his spoils the list
        await records.of_items([mine, "DH999999999VN"], cast.charlie)
    async with await visitor(cast.eve) as client:
        page = (await client.get(f"/items/{waybill}")).text
        answer = await client.post(f"/items/{waybill}/lines/5/record")
    assert "/record" not in page.replace("/records", "")
    assert answer.status_code == 403


async def test_guessing_without_a_login_is_limited(cast: Cast, server: str) -> None:
    async with await visitor(None) as client:
        answers = [
            (await client.get("/records/BB00000001?d=0123456789abcdef")).status_code
            for _ in range(records.ASKED.most + 1)
        ]
    assert set(answers[:-1]) == {404}
    assert answers[-1] == 429


# On paper


async def test_the_pdf_says_all_in_vietnamese_and_its_qr_leads_to_the_check(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "received", code="H01.26-1")
    other = await travel(cast, "out")
    await scan(cast.charlie, other, Step.RECEIVED, originals=5, seal_broken=True)
    number = await records.of_items([waybill, other], cast.charlie)
    paper = await told(number, cast.charlie)
    async with await visitor(cast.charlie, "en") as client:
        first = await client.get(f"/records/{number}/paper.pdf")
        again = await client.get(f"/records/{number}/paper.pdf")
    assert first.headers["content-type"] == "application/pdf"
    assert first.content == again.content
    text = words_of(first.content)
    for said in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "BIÊN BẢN GIAO NHẬN HỒ SƠ",
        f"Số: {number}",
        "Bên giao",
        "Bên nhận",
        waybill,
        other,
        "NP1",
        "niêm phong rách",
        "Số bản chính hoặc bản sao khác với lần giao trước.",
        "2 bưu gửi",
        "Charlie",
        paper.digest,
    ):
        assert said in text, said
    image = pypdfium2.PdfDocument(first.content)[0].render(scale=3).to_pil()
    (code,) = zxingcpp.read_barcodes(image)
    address = f"{settings().PUBLIC_URL}/records/{number}?d={paper.digest[:32]}"
    assert code.text == address
    async with await visitor(None, "en") as client:
        assert "It agrees with the ledger" in (await client.get(address)).text


async def test_a_long_list_goes_on_over_pages_with_its_heads(
    cast: Cast, server: str
) -> None:
    lot = [await travel(cast, "accepted") for _ in range(30)]
    number = await records.of_items(lot, cast.alice)
    async with await visitor(cast.alice) as client:
        file = (await client.get(f"/records/{number}/paper.pdf")).content
    assert len(pypdfium2.PdfDocument(io.BytesIO(file))) > 1
    text = words_of(file)
    assert all(waybill in text for waybill in lot)
    assert text.count("Mã vận đơn") > 1
    assert "30 bưu gửi" in text


# The ways in


async def test_officers_and_carriers_reach_a_paper_from_their_pages(
    cast: Cast, page: Page
) -> None:
    await travel(cast, "received")
    ready = await travel(cast, "ready")
    await enter(page, cast.charlie)
    await page.goto("/desk?tab=leaving")
    await page.locator(f'input[name="item.{ready}"][form="handed-out"]').check()
    await assert_accessible(page)
    await page.get_by_role("button", name="Phiếu bàn giao").click()
    await page.wait_for_url("**/records/KQ*")
    await page.get_by_text("Khớp với sổ giao nhận").wait_for()
    await assert_accessible(page)
    await page.goto(f"/items/{ready}")
    await page.get_by_role("button", name="Biên bản giao nhận dòng 2").click()
    await page.wait_for_url("**/records/KQ*")
    await page.goto("/records?lang=en")
    await assert_accessible(page)


async def test_a_desk_ticks_nothing_and_is_told_so(cast: Cast, server: str) -> None:
    async with await visitor(cast.charlie) as client:
        answer = await client.post("/desk/record", data={"x": str(uuid4())})
    assert answer.status_code == 422
