"""No page that opens without a login shows who anybody is.

Every column that is about a person is given a mark of its own; then every address that
the application answers is asked for as a stranger would, with a link or a waybill.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from html import unescape
from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute

from app import app
from postal_track.asks import Act, Word
from postal_track.custody import Reason, Step
from postal_track.handoffs import Proof
from tests.cast import Cast, scan, travel, visitor

PHONES = ("987001122", "987003344", "987005566")

PERSONAL = {
    "person": ("name", "address"),
    "paper": ("name",),
    "procedure": ("name", "name_en"),
    "procedure_paper": ("name", "name_en"),
    "staff": ("name", "login"),
    "irregularity": ("detail",),
    "sms_message": ("body",),
    "refused_scan": ("code",),
    "claim": ("words", "reason"),
    "handover": ("note",),
    "handover_line": ("note",),
    "shift_line": ("note",),
    "minute": ("words",),
    "instruction": ("address", "deputy_name"),
    "rating": ("line",),
    "session": ("agent",),
    "device": ("name", "agent"),
    "payment": ("text",),
    "statement": ("name",),
    "charge_line": ("words",),
    "sms_call": ("note",),
    "login_attempt": ("login",),
}
"""What tells of a person, or of what he asked a government for."""

SHORT_OF_MARK = re.compile("MK[0-9]+Q")


async def mark(database: Any) -> dict[str, str]:
    """Write a mark of its own into each personal column; which of them took one."""
    marks: dict[str, str] = {}
    await database.execute("SET session_replication_role = replica")
    for table, columns in PERSONAL.items():
        for column in columns:
            sign = f"MK{len(marks)}Q"
            # Some are unique: a number of the row's own keeps them apart.
            statement = f"""
                UPDATE "{table}" AS t SET "{column}" = n.said
                FROM (SELECT ctid AS place, $1 || row_number() OVER () AS said
                    FROM "{table}") n
                WHERE t.ctid = n.place
                """  # noqa: S608 - constants
            if await database.execute(statement, sign) != "UPDATE 0":
                marks[sign] = table
    await database.execute(
        """
        UPDATE event_detail SET content = content || '{"note": "MK900Q",
            "signature": "MK901Q", "id_last4": "MK902Q", "position": "MK903Q"}'
        """
    )
    await database.execute(
        """
        UPDATE person SET phone = '+84' || (CASE part WHEN 'owner' THEN $1
            WHEN 'filer' THEN $2 ELSE $3 END)::text
        """,
        *PHONES,
    )
    await database.execute("RESET session_replication_role")
    return marks


async def stranger_has(database: Any) -> list[dict[str, str]]:
    """Know what strangers may have of each dossier: its link, its waybills."""
    rows = await database.fetch(
        """
        SELECT d.token, d.slug, i.waybill FROM dossier d
        JOIN item i ON i.dossier = d.id ORDER BY i.id
        """
    )
    return [dict(row) for row in rows]


def addresses() -> list[str]:
    """List every address that the application answers by GET, still to be filled in."""
    return [
        route.path
        for route in app.routes
        if isinstance(route, HTTPRoute) and "GET" in route.methods
    ]


def filled(address: str, known: dict[str, str]) -> Iterator[str]:
    """Fill an address in with what a stranger knows, and guess the rest."""
    names = re.findall(r"{(\w+):\w+}", address)
    acts = [*Act, *Word] if {"act", "word", "what"} & {*names} else [""]
    for act in acts:
        given = known | dict.fromkeys(("act", "word", "what"), str(act))
        yield re.sub(r"{(\w+):\w+}", partial(_value, given), address)


def _value(given: dict[str, str], found: re.Match[str]) -> str:
    return given.get(found[1], "1")


async def ask(client: httpx.AsyncClient, path: str) -> tuple[httpx.Response, str]:
    """Ask for a page; the answer, and all that it says, its head included."""
    answer = await client.get(path)
    head = " ".join(f"{name}: {value}" for name, value in answer.headers.items())
    return answer, f"{head} {unescape(answer.text)}"


def leaks(said: str) -> list[str]:
    """Find every mark, and any phone number that is written whole."""
    digits = re.sub(r"[\s.]", "", said)
    return [*SHORT_OF_MARK.findall(said), *(each for each in PHONES if each in digits)]


@pytest.fixture
async def marks(cast: Cast, database: Any) -> dict[str, str]:
    """Dossiers at every kind of turn, of a procedure that is nobody's business."""

    async def go(until: str, number: int) -> str:
        code = f"H01.26-{number}"
        return await travel(cast, until, days_ago=5, code=code, procedure="2.000")

    await go("booked", 1)
    await go("registered", 2)
    late = await go("carried", 3)
    absent = Reason.OTHER
    await scan(cast.alice, late, Step.ATTEMPTED, reason=absent, note="nobody in")
    broken = await go("accepted", 4)
    await scan(cast.bob, broken, Step.ARRIVED, seal_broken=True, note="torn")
    done = await go("carried", 5)
    signed = Proof("signature", signature="M1 1L9 9", id_kind="cccd", id_last4="1234")
    await scan(cast.alice, done, Step.DELIVERED, proof=signed, note="at the gate")
    return await mark(database)


async def test_no_page_without_a_login_shows_who_anybody_is(
    marks: dict[str, str], database: Any, server: str
) -> None:
    assert len(marks) >= 10
    # What the province publishes of its procedures is in the form that books one.
    catalogue = {m for m, table in marks.items() if table.startswith("procedure")}
    dossiers = await stranger_has(database)
    opened = set()
    async with await visitor(None) as client:
        for address in addresses():
            about = {"{token", "{slug", "{waybill"} & set(re.findall(r"{\w+", address))
            for known in dossiers if about else dossiers[:1]:
                for path in filled(address, known):
                    answer, said = await ask(client, path)
                    found = set(leaks(said)) - (set() if about else catalogue)
                    assert not found, (path, found)
                    if about and answer.status_code == 200:
                        opened.add(address)
    # Else the walk would prove nothing.
    assert {"/d/{token:str}", "/track/{waybill:str}"} <= opened
    assert len(opened) >= 4


async def test_a_waybill_with_its_digits_shows_no_more(
    marks: dict[str, str], database: Any, server: str
) -> None:
    async with await visitor(None, "en") as client:
        told = []
        for known in await stranger_has(database):
            answer = await client.get(
                f"/api/status/{known['waybill']}", params={"last4": PHONES[0][-4:]}
            )
            told.append(answer.status_code)
            assert not leaks(answer.text)
    assert set(told) == {200}


async def test_what_strangers_may_open_is_kept_out_of_search_engines(
    marks: dict[str, str], database: Any, server: str
) -> None:
    known = (await stranger_has(database))[-1]
    async with await visitor(None) as client:
        for path in (f"/d/{known['token']}", f"/track/{known['waybill']}"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert "noindex" in answer.headers["x-robots-tag"]
            assert "noindex" in answer.text
