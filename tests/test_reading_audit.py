"""Who has read whose personal data: found by the auditor, and noted everywhere."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar.handlers import HTTPRouteHandler
from playwright.async_api import Page

from app import app
from postal_track import history, reading_board
from postal_track.boards import today
from postal_track.bookings import PersonGiven
from postal_track.errors import BadInput, NotAllowed
from postal_track.reading_board import Wanted
from postal_track.staff import Actor
from tests.axe import assert_accessible
from tests.cast import Cast, assemble, enter, token_of, travel, visitor


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def found(cast: Cast, **wanted: Any) -> list[tuple[str, str, str]]:
    rows = (await reading_board.board(Wanted(**wanted), cast.eve)).rows
    return sorted((row.login, row.what, row.code) for row in rows)


async def test_readings_are_found_by_who_whose_what_and_when(
    cast: Cast, database: Any
) -> None:
    mine = await travel(cast, "registered", code="A-1")
    other = await travel(cast, "registered", code="A-2")
    await database.execute(
        """
        UPDATE person SET phone = '+84987654321', name = 'Lê Văn Tám' WHERE dossier =
            (SELECT dossier FROM item WHERE waybill = $1)
        """,
        other,
    )
    await history.history(mine, cast.charlie, show=True)
    await history.history(mine, cast.dora, show=True)
    await history.history(other, cast.charlie, show=True)
    one, two = ("charlie", "item", "A-1"), ("charlie", "item", "A-2")
    dora = ("dora", "item", "A-1")
    assert await found(cast) == [one, two, dora]
    assert await found(cast, staff="Charlie") == [one, two]
    assert await found(cast, dossier=" a-1 ") == [one, dora]
    assert await found(cast, dossier=mine) == [one, dora]
    assert await found(cast, what="search") == []
    assert await found(cast, since=today() - timedelta(days=9), until=today()) == [
        one,
        two,
        dora,
    ]
    yesterday = today() - timedelta(days=1)
    assert await found(cast, since=yesterday, until=yesterday) == []
    audit = ("eve", "audit", "A-2")
    assert await found(cast, person="0987 654 321") == [two, audit]
    assert await found(cast, person="lê văn tám", staff="charlie") == [two]
    board = await reading_board.board(Wanted(what="item"), cast.eve)
    assert [(r.login, r.readings, r.dossiers) for r in board.readers] == [
        ("charlie", 2, 2),
        ("dora", 1, 1),
    ]
    for wanted in (
        Wanted(since=today(), until=yesterday),
        Wanted(since=today() - timedelta(days=900)),
        Wanted(person="0912"),
    ):
        with pytest.raises(BadInput):
            await reading_board.board(wanted, cast.eve)


async def test_a_page_of_readings_leads_to_the_older_ones(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "booked")
    await database.execute(
        """
        INSERT INTO reading (staff, dossier, what, at)
        SELECT $1, i.dossier, 'item', now() FROM item i, generate_series(1, 130)
        WHERE i.waybill = $2
        """,
        cast.bob.staff,
        waybill,
    )
    first = await reading_board.board(Wanted(), cast.eve)
    assert (first.total, len(first.rows)) == (130, reading_board.LISTED)
    second = await reading_board.board(Wanted(before=first.before), cast.eve)
    assert (len(second.rows), second.before) == (30, None)


async def test_only_the_auditor_sees_them(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "registered", code="=1+1")
    for actor in (cast.alice, cast.bob, cast.charlie, cast.dora, cast.frank):
        async with await visitor(actor) as client:
            assert (await client.get("/readings")).status_code == 403
            for path in ("/readings", "/readings/taken"):
                assert (await client.post(path, data={})).status_code == 403
        with pytest.raises(NotAllowed):
            await reading_board.board(Wanted(), actor)
    async with await visitor(cast.eve) as client:
        await client.post("/readings", data={"person": "0912345678"})
        file = await client.post("/readings/taken", data={"what": "audit"})
        wrong = await client.post("/readings", data={"since": "hôm qua"})
        assert wrong.status_code == 422
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert [row[2] for row in rows[1:]] == ["eve"]
    assert rows[1][6] == "'=1+1"  # no formula for whoever opens it


async def test_the_auditor_in_a_browser(cast: Cast, page: Page) -> None:
    waybill = await travel(cast, "registered", code="A-1")
    await history.history(waybill, cast.charlie, show=True)
    await enter(page, cast.eve)
    await page.goto("/readings")
    await assert_accessible(page)
    await page.get_by_label("Của ai").fill("0912345678")
    await page.get_by_role("button", name="Tìm").click()
    await page.get_by_text("Kiểm tra theo người").last.wait_for()
    assert "0912345678" not in page.url
    await assert_accessible(page)


# Everything that shows a person


NAME, PHONE, STREET = "Khuất Thị Lụa", "987123654", "88 Ngõ Riêng"
LUA = PersonGiven(NAME, f"0{PHONE}", f"{STREET}, Phường Long Xuyên", "30307")


def paths() -> list[tuple[str, str]]:
    """Every way into the application, as method and path."""
    return sorted(
        (method, route.path)
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods
        if method in ("GET", "POST")
    )


def filled(path: str, facts: dict[str, str]) -> str:
    """Put what is in the database where a path asks for it."""
    names = {"{" + name: value for name, value in facts.items()}
    return re.sub(r"\{(\w+):\w+\}", lambda found: names.get("{" + found[1], "1"), path)


def shows(answer: httpx.Response, typed: str = "") -> bool:
    """Whether somebody's name, number or street stands in an answer.

    What was typed stands in its own form again, and tells nobody anything.
    """
    kind = answer.headers.get("content-type", "")
    if not any(each in kind for each in ("html", "json", "csv", "text")):
        return False
    bare = re.sub(r"[\s.]", "", answer.text)
    facts = ((NAME, answer.text), (PHONE, bare), (STREET, answer.text))
    return any(fact in text for fact, text in facts if fact not in typed)


# Forms that look something up; all others change something and show nobody.
ASKING = {
    "/items/{waybill:str}": {},
    "/readings": {"person": f"0{PHONE}"},
    "/sms/calls/{id:int}/call": {},
}


async def test_nothing_shows_a_person_to_staff_without_writing_it_down(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "registered", code="A-1", due_on=today(), owner=LUA)
    await travel(cast, "ready", code="A-2", due_on=today(), owner=LUA)
    await travel(cast, "carried", code="A-3", owner=LUA)
    await travel(cast, "out", owner=LUA)
    await travel(cast, "booked", owner=LUA)
    row = await database.fetchrow(
        """
        SELECT d.token, d.slug FROM dossier d JOIN item i ON i.dossier = d.id
        WHERE i.waybill = $1
        """,
        waybill,
    )
    facts = {"waybill": waybill, "token": row["token"], "slug": row["slug"]}
    facts |= {"kind": "codes", "tab": "work", "code": "A-1"}
    public = ("/d/", "/s/", "/T/", "/B/", "/static", "/npm", "/schema", "/labels")
    seen = 0
    for actor in (cast.charlie, cast.alice, cast.bob, cast.dora, cast.eve, cast.frank):
        async with await visitor(actor) as client:
            for method, path in paths():
                if path.startswith(public) or path.startswith(
                    ("/language", "/metrics", "/health")
                ):
                    continue
                if method == "POST" and path not in ASKING:
                    continue
                seen += await walked(client, database, method, path, facts, actor)
            for query in (
                "/items?q=5678",
                f"/items?q={NAME}",
                "/sms?number=0912345678",
            ):
                seen += await walked(client, database, "GET", query, facts, actor)
    assert seen > 3  # the walk does meet persons


# Some pages note a reading once a day: each way in has to write its own.
FORGET = """
    SET session_replication_role = replica;
    DELETE FROM reading;
    SET session_replication_role = DEFAULT
"""


async def walked(
    client: httpx.AsyncClient,
    database: Any,
    method: str,
    path: str,
    facts: dict[str, str],
    actor: Actor,
) -> bool:
    """Go one way in; a person that is shown there must have been written down."""
    await database.execute(FORGET)
    where, form = filled(path, facts), ASKING.get(path, {})
    answer = await client.request(method, where, data=form)
    if answer.status_code >= 400 or not shows(answer, f"{path} {form}"):
        return False
    count = "SELECT count(*) FROM reading WHERE staff = $1"
    written = await database.fetchval(count, actor.staff)
    assert written, f"{actor.login}: {method} {where} shows a person, unwritten"
    return True


async def test_the_walk_would_notice(cast: Cast, server: str, database: Any) -> None:
    waybill = await travel(cast, "registered", code="A-1", owner=LUA)
    async with await visitor(cast.charlie) as client:
        masked = await client.get(f"/items/{waybill}")
        shown = await client.post(f"/items/{waybill}")
    assert not shows(masked)
    assert shows(shown)
    assert await database.fetchval("SELECT count(*) FROM reading") == 1
    assert await token_of(cast.eve)
