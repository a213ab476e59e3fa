"""Declaring a line of the ledger wrong, on the page of its item."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page

from postal_track import corrections, history
from postal_track.custody import Event, Kind, Party, Step
from postal_track.errors import BadScan, Conflict, NotAllowed, NotYourPlace
from postal_track.staff import Actor
from tests.axe import assert_accessible
from tests.cast import Cast, assemble, enter, scan, travel, visitor
from tests.forms import forms

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def miscounted(cast: Cast) -> str:
    """Bob counts nine originals where two were sent."""
    waybill = await travel(cast, "accepted")
    await scan(cast.bob, waybill, Step.ARRIVED, originals=9)
    return waybill


async def line_of(waybill: str, actor: Actor, seq: int) -> history.Line:
    told = await history.history(waybill, actor)
    (found,) = [line for line in told.lines if line.seq == seq]
    return found


async def form_of(client: Any, waybill: str, seq: int) -> dict[str, str] | None:
    """Read the form at a line; ``None`` when none is offered."""
    page = await client.get(f"/items/{waybill}")
    found = forms(page.text, f"/items/{waybill}/corrections")
    return next((each for each in found if each["line"] == str(seq)), None)


# Who may


def line(cast: Cast, step: Step, ago: timedelta = MINUTE) -> Event:
    return Event(
        step, cast.alice.party, datetime.now(UTC) - ago, place=cast.alice.place
    )


@pytest.mark.parametrize(
    ("who", "step", "ago", "fault"),
    [
        ("alice", Step.TAKEN, MINUTE, None),
        ("alice", Step.TAKEN, 60 * MINUTE, NotAllowed),
        ("alice", Step.DELIVERED, MINUTE, NotAllowed),
        ("bob", Step.TAKEN, MINUTE, NotAllowed),
        ("frank", Step.TAKEN, MINUTE, NotAllowed),
        ("dora", Step.TAKEN, 60 * MINUTE, None),
        ("dora", Step.DELIVERED, 60 * MINUTE, None),
        ("dean", Step.TAKEN, 60 * MINUTE, None),
        ("dora", Step.BOOKED, MINUTE, BadScan),
        ("dora", Step.READY, MINUTE, BadScan),
        ("dora", Step.CORRECTED, MINUTE, BadScan),
    ],
)
async def test_who_may_declare_which_line_wrong(
    cast: Cast, who: str, step: Step, ago: timedelta, fault: type[Exception] | None
) -> None:
    actor = getattr(cast, who)
    now = datetime.now(UTC)
    found = corrections.hindrance(line(cast, step, ago), actor, now, corrected=False)
    assert type(found) is (fault or type(None))


async def test_a_line_that_was_corrected_or_told_elsewhere_is_not_offered(
    cast: Cast,
) -> None:
    now, told = datetime.now(UTC), line(cast, Step.TAKEN)
    again = corrections.hindrance(told, cast.dora, now, corrected=True)
    assert isinstance(again, Conflict)
    there = Event(Step.TAKEN, cast.amy.party, now, place=cast.amy.place)
    other = corrections.hindrance(there, cast.dora, now, corrected=False)
    assert isinstance(other, NotYourPlace)


# On the page


async def test_a_wrong_count_is_told_again_and_both_lines_stay(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await miscounted(cast)
    async with await visitor(cast.dora, "en") as client:
        form = await form_of(client, waybill, 3)
        assert form is not None
        assert form["originals"] == "9"
        form |= {"reason": "incorrect_data", "originals": "2", "note": "Misread"}
        to = f"/items/{waybill}/corrections"
        answer = await client.post(to, data=form)
        again = await client.post(to, data=form)
        page = (await client.get(f"/items/{waybill}")).text
    assert answer.status_code == again.status_code == 303
    assert answer.headers["location"] == f"/items/{waybill}#line-3"
    told = await history.history(waybill, cast.dora)
    assert told.custody.originals == 2
    assert [(each.corrects, each.corrected_by) for each in told.lines[2:]] == [
        (None, 4),
        (3, None),
    ]
    assert told.lines[2].originals == 9
    assert told.chain.broken_at is None
    assert await database.fetchval("SELECT count(*) FROM event") == 4
    assert 'href="#line-4">Declared wrong by line 4<' in page
    assert "<s>Arrived at the office</s>" in page
    assert 'Corrects <a href="#line-3">line 3</a>' in page
    assert "It was told wrongly" in page
    assert "Declared by Dora" in page


async def test_what_did_not_occur_is_declared_so_without_counts(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "arrived")
    await scan(cast.alice, waybill, Step.TAKEN, seal_no="NP9")
    async with await visitor(cast.alice) as client:
        form = await form_of(client, waybill, 4)
        assert form is not None
        form |= {"reason": "did_not_occur", "originals": "77"}
        answer = await client.post(f"/items/{waybill}/corrections", data=form)
    assert answer.status_code == 303
    told = await history.history(waybill, cast.dean)
    assert told.custody.holder == cast.bob.place
    assert told.custody.seal_no == "NP1"
    last = told.lines[-1]
    assert (last.step, last.corrects, last.originals) == (Step.CORRECTED, 4, None)


async def test_a_form_stands_only_at_lines_that_one_may_correct(
    cast: Cast, server: str
) -> None:
    waybill = await miscounted(cast)
    for actor, seqs in (
        (cast.bob, {3}),
        (cast.alice, {2}),
        (cast.dora, {2, 3}),
        (cast.dean, {2, 3}),
        (cast.charlie, set()),
        (cast.eve, set()),
        (cast.frank, set()),
    ):
        told = await history.history(waybill, actor)
        assert {each.seq for each in told.lines if each.mendable} == seqs, actor.login
        async with await visitor(actor) as client:
            page = (await client.get(f"/items/{waybill}")).text
        found = forms(page, f"/items/{waybill}/corrections")
        assert {int(each["line"]) for each in found} == seqs, actor.login


async def test_who_may_not_is_refused_even_with_a_form(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await miscounted(cast)
    wrong = (await line_of(waybill, cast.dora, 3)).id
    form = {"corrects": str(wrong), "line": "3", "reason": "did_not_occur"}
    for actor, status in (
        (cast.alice, 422),
        (cast.charlie, 422),
        (cast.eve, 422),
        (cast.ben, 404),  # outside his reach there is no such item
        (cast.amy, 404),
    ):
        async with await visitor(actor) as client:
            answer = await client.post(
                f"/items/{waybill}/corrections", data=form | {"id": str(uuid4())}
            )
        assert answer.status_code == status, actor.login
    assert await database.fetchval("SELECT count(*) FROM event") == 3
    async with await visitor(None) as client:
        answer = await client.post(f"/items/{waybill}/corrections", data=form)
    assert answer.status_code in (303, 401, 403)


async def test_what_was_typed_stays_beside_what_is_wrong_with_it(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await miscounted(cast)
    async with await visitor(cast.dora, "en") as client:
        form = await form_of(client, waybill, 3) or {}
        to = f"/items/{waybill}/corrections"
        blank = await client.post(to, data=form | {"note": "Written twice"})
        form |= {"reason": "incorrect_data", "originals": "many", "copies": "7"}
        worded = await client.post(to, data=form)
    assert blank.status_code == worded.status_code == 422
    assert "Say what is wrong." in blank.text
    assert 'value="Written twice"' in blank.text
    assert "Write a number of sheets." in worded.text
    assert 'value="many"' in worded.text
    assert 'value="7"' in worded.text
    assert await database.fetchval("SELECT count(*) FROM event") == 3


async def test_a_supervisor_of_all_corrects_for_no_place(
    cast: Cast, server: str
) -> None:
    waybill = await miscounted(cast)
    async with await visitor(cast.dean) as client:
        form = await form_of(client, waybill, 3) or {}
        form |= {"reason": "incorrect_data", "originals": "2"}
        answer = await client.post(f"/items/{waybill}/corrections", data=form)
    assert answer.status_code == 303
    told = await history.history(waybill, cast.dean)
    assert told.lines[-1].by == Party.parse(str(cast.dean.party))
    assert not [each for each in told.troubles if each.ended_at is None]
    assert Kind.COUNT_MISMATCH in told.lines[2].flags


# In a browser


async def test_a_line_is_corrected_by_keyboard(cast: Cast, page: Page) -> None:
    waybill = await miscounted(cast)
    await enter(page, cast.bob)
    await page.goto(f"/items/{waybill}")
    await page.locator("#line-3 summary").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await page.get_by_label("Ghi sai số liệu").check()
    await assert_accessible(page)
    await page.get_by_label("Bản chính").fill("2")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**#line-3")
    await page.get_by_text("Bị tuyên bố sai ở dòng 4").wait_for()
    await assert_accessible(page)
    await page.goto(f"/items/{waybill}?lang=en")
    await assert_accessible(page)
