"""The people and houses that every test knows, and dossiers on their way.

Alice carries, Bob stands at the counter, Charlie receives for the agency, Dora
supervises; each has a namesake elsewhere, who must not see their work. Everything is
written by the same `book`, `record` and `announce_result` that real work takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from playwright.async_api import Page

from postal_track import codes, directory, tables
from postal_track.bookings import (
    Announcement,
    Booked,
    Order,
    PaperGiven,
    PersonGiven,
    announce_result,
    book,
)
from postal_track.custody import Step
from postal_track.database import transaction
from postal_track.handoffs import Outcome, Proof, Scan, record
from postal_track.settings import settings
from postal_track.staff import Actor, actor_of, hash_password, open_session

PASSWORD = "a password for the tests"
OWNER = "Nguyễn Thị Hoa"
PHONE = "0912 345 678"
ADDRESS = "12 Trần Hưng Đạo, Phường Long Xuyên, An Giang"

WARDS = {  # code, latitude, longitude
    "Long Xuyên": ("30307", 10.3661, 105.423),
    "Châu Đốc": ("30316", 10.6837, 105.117),
    "Rạch Giá": ("30742", 9.99098, 105.1),
}

JOURNEY = (
    "booked",
    "accepted",  # by Alice at the door, on the citizen's code
    "arrived",  # at Bob's office
    "out",  # with Alice, on the way to the agency
    "received",  # by Charlie
    "registered",
    "ready",  # the result, released to the post
    "collected",  # the result, by Alice
    "brought",  # the result, at Bob's office
    "carried",  # the result, out with Alice
    "delivered",  # on the citizen's code
)
"""The way of one dossier and its result, as `travel` goes it."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, and the ids of the houses.

    Their codes are `LX`, `CD`, `HUB`, `AGENCY` and `OTHER`; the procedures are `1.000`
    and `2.000` (sensitive, in person).
    """

    long_xuyen: int
    chau_doc: int
    hub: int
    agency: int  # served by Long Xuyên
    other_agency: int  # served by Châu Đốc
    alice: Actor  # carrier, Long Xuyên
    amy: Actor  # carrier, Châu Đốc
    bob: Actor  # clerk, Long Xuyên
    ben: Actor  # clerk, Châu Đốc
    charlie: Actor  # officer of the agency
    carol: Actor  # officer of the other agency
    dora: Actor  # supervisor of Long Xuyên
    dean: Actor  # supervisor of the whole province: no office
    eve: Actor  # auditor
    frank: Actor  # admin


async def assemble() -> Cast:
    """Write the whole cast into an empty database."""
    long_xuyen = await _office("LX", "Long Xuyên")
    chau_doc = await _office("CD", "Châu Đốc")
    hub = await _office("HUB", "Rạch Giá", hub=True)
    agency = await _agency("AGENCY", "Long Xuyên", long_xuyen)
    other_agency = await _agency("OTHER", "Châu Đốc", chau_doc)
    await _procedure("1.000", "Cấp giấy phép xây dựng", "Building permit")
    await _procedure("2.000", "Ghi chú ly hôn", "Divorce registration", private=True)
    directory.forget()
    return Cast(
        long_xuyen=long_xuyen,
        chau_doc=chau_doc,
        hub=hub,
        agency=agency,
        other_agency=other_agency,
        alice=await _staff("alice", "carrier", office=long_xuyen),
        amy=await _staff("amy", "carrier", office=chau_doc),
        bob=await _staff("bob", "clerk", office=long_xuyen),
        ben=await _staff("ben", "clerk", office=chau_doc),
        charlie=await _staff("charlie", "officer", agency=agency),
        carol=await _staff("carol", "officer", agency=other_agency),
        dora=await _staff("dora", "supervisor", office=long_xuyen),
        dean=await _staff("dean", "supervisor"),
        eve=await _staff("eve", "auditor"),
        frank=await _staff("frank", "admin"),
    )


async def _office(code: str, town: str, hub: bool = False) -> int:
    ward, lat, lon = WARDS[town]
    row = tables.Office(
        code=code,
        name=f"{'Trung tâm' if hub else 'Bưu cục'} {town}",
        short_name=f"BC {code}",
        hub=hub,
        ward=ward,
        lat=lat,
        lon=lon,
        synthetic=True,
    )
    await row.save()
    return int(row.id)


async def _agency(code: str, town: str, office: int) -> int:
    ward, lat, lon = WARDS[town]
    row = tables.Agency(
        code=code,
        name=f"Trung tâm hành chính công {town}",
        name_en=f"{town} public service centre",
        short_name=f"TT HCC {code}",
        ward=ward,
        lat=lat,
        lon=lon,
        office=office,
        synthetic=True,
    )
    await row.save()
    return int(row.id)


async def _procedure(code: str, name: str, english: str, private: bool = False) -> None:
    row = tables.Procedure(
        code=code,
        name=name,
        name_en=english,
        days=5,
        fee=0,
        sensitive=private,
        in_person=private,
        takes_back_old=False,
    )
    await row.save()
    await tables.ProcedurePaper(
        procedure=row.id,
        position=1,
        name="Đơn đề nghị",
        name_en="Application",
        originals=1,
        copies=0,
    ).save()


_HASHED: list[str] = []


async def _hashed() -> str:
    """Hash the one password once: it takes a tenth of a second by design."""
    if not _HASHED:
        _HASHED.append(await hash_password(PASSWORD))
    return _HASHED[0]


async def _staff(
    login: str, role: str, office: int | None = None, agency: int | None = None
) -> Actor:
    row = tables.Staff(
        login=login,
        name=login.title(),
        role=role,
        password=await _hashed(),
        office=office,
    )
    await row.save()
    if agency is not None:
        await tables.StaffAgency(staff=row.id, agency=agency).save()
    async with transaction() as connection:
        return await actor_of(connection, row.id)


async def order(cast: Cast, at: datetime | None = None, **changes: Any) -> Booked:
    """Book a dossier for the agency, over Bob's counter; `changes` are the Order's."""
    given: dict[str, Any] = {
        "id": uuid4(),
        "procedure": "1.000",
        "agency": "AGENCY",
        "service": "both",
        "owner": PersonGiven(OWNER, PHONE, ADDRESS, "30307"),
        "papers": (PaperGiven("Đơn đề nghị", 2, 1),),
        "office": "LX",
    }
    return await book(Order(**given | changes), cast.bob, at)


async def scan(
    actor: Actor, waybill: str, step: Step, at: datetime | None = None, **more: Any
) -> Outcome:
    """Record one scan, now or at a moment past; a refusal is the test's to look at."""
    said = Scan(
        id=uuid4(),
        code=waybill,
        step=step,
        at=at or datetime.now(UTC),
        actor=actor,
        **more,
    )
    (outcome,) = await record([said])
    return outcome


async def code_for(waybill: str, purpose: str) -> str:
    """Know the newest code as the citizen does; `purpose` is pickup or delivery."""
    async with transaction() as connection:
        nonce = await connection.fetchval(
            """
            SELECT c.nonce FROM one_time_code c JOIN item i ON i.id = c.item
            WHERE i.waybill = $1 AND c.purpose = $2 ORDER BY c.id DESC LIMIT 1
            """,
            waybill,
            purpose,
        )
    return codes.digits(nonce)


async def texted(request: UUID | str) -> str:
    """Know the newest code of a citizen's request as he does, from his texts."""
    async with transaction() as connection:
        body: str = await connection.fetchval(
            """
            SELECT body FROM sms_message WHERE key LIKE 'ask:' || $1 || ':%'
            ORDER BY id DESC LIMIT 1
            """,
            str(request),
        )
    return re.search(r"[0-9]{6}", body).group()  # type: ignore[union-attr] # it has one


async def travel(
    cast: Cast,
    until: str,
    days_ago: float = 0,
    code: str = "H01.26-1",
    due_on: date | None = None,
    **changes: Any,
) -> str:
    """Take a new dossier along JOURNEY; the waybill it or its result then has.

    The steps are a minute apart and begin `days_ago`. Nothing is flagged on the way.
    """
    at = datetime.now(UTC) - timedelta(days=days_ago, minutes=len(JOURNEY))
    booked = await order(cast, at, **changes)
    waybill = booked.waybill or ""
    for word in JOURNEY[1 : JOURNEY.index(until) + 1]:
        at += timedelta(minutes=1)
        waybill = await _go(cast, word, booked, waybill, at, code, due_on)
    return waybill


async def _go(
    cast: Cast,
    word: str,
    booked: Booked,
    waybill: str,
    at: datetime,
    code: str,
    due_on: date | None,
) -> str:
    if word == "ready":
        said = Announcement(
            id=uuid4(), token=booked.token, originals=1, copies=0, fee=26_000
        )
        return await announce_result(said, cast.charlie, at)
    steps: dict[str, tuple[Actor, Step, dict[str, Any]]] = {
        "accepted": (cast.alice, Step.ACCEPTED, {"seal_no": "NP1"}),
        "arrived": (cast.bob, Step.ARRIVED, {}),
        "out": (cast.alice, Step.OUT, {}),
        "received": (cast.charlie, Step.RECEIVED, {}),
        "registered": (
            cast.charlie,
            Step.REGISTERED,
            {"dossier_code": code, "due_on": due_on},
        ),
        "collected": (cast.alice, Step.ACCEPTED, {}),
        "brought": (cast.bob, Step.ARRIVED, {}),
        "carried": (cast.alice, Step.OUT, {}),
        "delivered": (cast.alice, Step.DELIVERED, {}),
    }
    actor, step, more = steps[word]
    if word in ("accepted", "delivered"):
        purpose = "pickup" if word == "accepted" else "delivery"
        more["proof"] = Proof("code", code=await code_for(waybill, purpose))
    outcome = await scan(actor, waybill, step, at, **more)
    assert outcome.error is None, outcome.error
    assert not outcome.remarks, (word, outcome.remarks)
    return waybill


async def token_of(actor: Actor) -> str:
    """Log somebody in without his password; the session's token."""
    async with transaction() as connection:
        return (await open_session(connection, actor.staff)).token


async def enter(page: Page, actor: Actor) -> None:
    """Log a browser in without the login page."""
    await page.context.add_cookies(
        [
            {
                "name": "session",
                "value": await token_of(actor),
                "url": settings().PUBLIC_URL,
                "httpOnly": True,
                "sameSite": "Lax",
            }
        ]
    )


async def visitor(actor: Actor | None, lang: str = "vi") -> httpx.AsyncClient:
    """Ask for pages as this person: `async with await visitor(...) as client`.

    Follows no redirect; speaks by a bearer token, so its forms need no CSRF field.

    Needs `server`.
    """
    headers = {"accept": "text/html", "accept-language": lang}
    if actor is not None:
        headers["authorization"] = f"Bearer {await token_of(actor)}"
    return httpx.AsyncClient(base_url=settings().PUBLIC_URL, headers=headers)
