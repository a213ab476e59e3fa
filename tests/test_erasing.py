"""One's own data, and its erasure: all of it, in time, and chains still verify."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from postal_track import audit, erasing, limits, ratings, requests, sayings
from postal_track.asking import ask, confirm, look
from postal_track.asks import Act, State
from postal_track.bookings import PersonGiven
from postal_track.complaints import months_later
from postal_track.custody import Kind, Step
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound
from postal_track.handoffs import Position, Proof
from postal_track.irregularities import open_by_hand
from postal_track.settings import settings
from postal_track.wishes import Wish, say_on_page
from tests.cast import ADDRESS, OWNER, Cast, order, scan, texted, travel, visitor
from tests.forms import forms

HOME = "192.0.2.1"
SON = PersonGiven("Nguyễn Văn Con", "0987 654 321", ADDRESS, "30307")
MONTHS = 24


async def token_of(database: Any) -> str:
    token: str = await database.fetchval("SELECT token FROM dossier")
    return token


async def asked(token: str, act: Act, part: str = "owner") -> Any:
    number = await ask(token, act, {}, part, HOME)
    await confirm(number, token, await texted(number), HOME)
    return number


async def everything(database: Any) -> str:
    """All that the database holds, but for staff and places, as one text."""
    tables = await database.fetch(
        """
        SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN
            ('staff', 'office', 'agency', 'migration', 'session', 'login_attempt')
        """
    )
    texts = [
        await database.fetchval(
            f"SELECT string_agg(t::text, ' ') FROM {t[0]} AS t"  # noqa: S608 - tables
        )
        for t in tables
    ]
    return " ".join(text for text in texts if text)


async def aged(database: Any, *dossiers: int) -> None:
    """Let these dossiers have ended longer ago than persons are kept."""
    was = datetime.now(UTC) - timedelta(days=MONTHS * 31 + 5)
    await database.execute(
        "UPDATE item SET last_at = $2 WHERE dossier = ANY($1::bigint[])", dossiers, was
    )
    await database.execute(
        "UPDATE dossier SET created_at = $2 WHERE id = ANY($1::bigint[])", dossiers, was
    )


async def test_a_granted_erasure_leaves_nobody_and_every_chain_verifies(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "delivered", recipient=SON)
    token = await token_of(database)
    await sayings.rate(token, {"stars": "4", "line": "Cảm ơn chị Hoa"}, HOME)
    number = await open_by_hand(waybill, Kind.DAMAGED, "Bà Hoa báo rách", cast.bob)
    # Signed, with a note and a position: what a line knows of persons.
    other = await travel(cast, "ready", code="H01.26-2")
    signed = Proof("signature", signature="M1 2 3 4", id_kind="cccd", id_last4="7788")
    said: dict[str, Any] = {
        "proof": signed,
        "note": "gặp bà Hoa",
        "position": Position(10.36612, 105.42321, 9.0),
    }
    await scan(cast.alice, other, Step.ACCEPTED)
    await scan(cast.alice, other, Step.OUT)
    assert (await scan(cast.alice, other, Step.DELIVERED, **said)).error is None
    before = await everything(database)
    for private in (OWNER, "+84912345678", ADDRESS, '7788"', "105.42321", "Hoa"):
        assert private in before
    dossiers = await database.fetch("SELECT id, token FROM dossier ORDER BY id")
    for each in dossiers:
        request = await asked(each["token"], Act.ERASURE)
        assert (await look(request, each["token"])).state is State.CONFIRMED
        await requests.grant(request, cast.dora)
    # Both were delivered today: they are kept for the time of the law.
    due = await database.fetch("SELECT state, due_on FROM citizen_request")
    today = datetime.now(erasing.LOCAL).date()
    assert {tuple(row) for row in due} == {("confirmed", months_later(today, MONTHS))}
    assert await erasing.sweep() == 0
    assert await database.fetchval("SELECT count(*) FROM person") == 3
    later = datetime.now(UTC) + timedelta(days=MONTHS * 31 + 5)
    assert await erasing.sweep(later) == 2
    assert await erasing.sweep(later) == 0
    after = await everything(database)
    for private in (OWNER, SON.name, "+84912345678", "+84987654321", ADDRESS, '7788"'):
        assert private not in after
    for private in ("Hoa", "105.42321", "M1 2 3 4", "Cảm ơn"):
        assert private not in after
    verdict = await audit.verify()
    assert not verdict.faults
    assert verdict.events > 20
    # What happened stays, and that it was erased.
    assert await database.fetchval("SELECT count(*) FROM erasure") == 2
    assert await database.fetchval("SELECT stars FROM rating") == 4
    kept = await database.fetchrow("SELECT * FROM irregularity WHERE id = $1", number)
    assert (kept["kind"], kept["detail"]) == ("damaged", "")
    statuses = await database.fetch("SELECT recipient, body, status FROM sms_message")
    assert all(not row["recipient"] and not row["body"] for row in statuses)
    with pytest.raises(asyncpg.RestrictViolationError):
        await database.execute("DELETE FROM erasure")


async def test_the_page_of_what_was_erased_still_tells_the_way(
    cast: Cast, database: Any, server: str
) -> None:
    waybill = await travel(cast, "delivered")
    token = await token_of(database)
    await aged(database, await database.fetchval("SELECT id FROM dossier"))
    assert await erasing.sweep() == 1
    assert await database.fetchval("SELECT count(*) FROM person") == 0
    async with await visitor(None) as client:
        page = await client.get(f"/d/{token}")
        assert page.status_code == 200
        assert "Ông/Bà đã nhận kết quả" in page.text
        # Without a number nothing is left that a code could confirm.
        assert f"/d/{token}/ask/" not in page.text
    async with await visitor(cast.bob) as client:
        item = await client.get(f"/items/{waybill}")
        assert "Dữ liệu cá nhân của hồ sơ này đã được xóa" in item.text


async def test_what_is_under_way_or_quarrelled_over_is_not_purged(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "delivered")
    quarrel = await travel(cast, "delivered", code="H01.26-2")
    await open_by_hand(quarrel, Kind.DAMAGED, "rách", cast.bob)
    await travel(cast, "received", code="H01.26-3")
    await travel(cast, "accepted", code="H01.26-4")
    await travel(cast, "delivered", code="H01.26-5")
    dossiers = [r["id"] for r in await database.fetch("SELECT id FROM dossier")]
    await aged(database, *sorted(dossiers)[:4])
    await erasing.sweep()
    left = await database.fetch("SELECT dossier FROM person ORDER BY dossier")
    assert [row["dossier"] for row in left] == sorted(dossiers)[1:]
    # A result that never came keeps it for two years more.
    await database.execute(
        "UPDATE dossier SET created_at = created_at - interval '2 y'"
    )
    await erasing.sweep()
    assert await database.fetchval("SELECT count(*) FROM person") == 3


async def test_a_supervisor_answers_with_a_reason_that_the_citizen_reads(
    cast: Cast, database: Any, server: str
) -> None:
    await travel(cast, "ready")
    token = await token_of(database)
    number = await asked(token, Act.ERASURE)
    with pytest.raises(Conflict):
        await asked(token, Act.ERASURE)  # one answer is enough
    with pytest.raises(Conflict):
        await requests.grant(number, cast.dora)  # it is still under way
    with pytest.raises(BadInput):
        await requests.refuse(number, " ", cast.dora)
    for other in (cast.bob, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await requests.grant(number, other)
    page = await requests.listed(cast.dora, waiting=True)
    assert [each.id for each in page.requests] == [number]
    assert page.waiting == 1
    assert page.requests[0].answer_by is not None
    with pytest.raises(NotFound):
        await requests.look(uuid4(), cast.dora)
    async with await visitor(cast.dora) as client:
        listed = await client.get("/requests?waiting=1")
        assert str(number) in listed.text
        assert OWNER not in listed.text
        shown = await client.get(f"/requests/{number}")
        assert "Hồ sơ chưa xong" in shown.text
        empty = await client.post(f"/requests/{number}", data={"answer": "refuse"})
        assert empty.status_code == 422
        typed = {"answer": "refuse", "reason": "Hồ sơ đang chờ phát."}
        done = await client.post(f"/requests/{number}", data=typed)
        assert done.status_code == 303
        again = await client.post(f"/requests/{number}", data=typed)
        assert again.status_code == 409
        assert (await client.get("/ratings")).status_code == 200
    async with await visitor(None) as client:
        told = await client.get(f"/d/{token}/confirm/{number}")
        assert "Hồ sơ đang chờ phát." in told.text
    for who, number_of in ((cast.bob, 403), (cast.charlie, 403), (cast.eve, 200)):
        async with await visitor(who) as client:
            for path in ("/requests", "/ratings"):
                assert (await client.get(path)).status_code == number_of
    away = await requests.listed(cast.dean)
    assert [each.state for each in away.requests] == [State.REFUSED]


async def test_the_recipients_word_is_for_himself_only(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "delivered", recipient=SON)
    token = await token_of(database)
    await aged(database, await database.fetchval("SELECT id FROM dossier"))
    number = await asked(token, Act.ERASURE, part="recipient")
    await requests.grant(number, cast.dora)
    # The time of the law is over: it is done at once.
    assert (await look(number, token)).state is State.APPLIED
    left = await database.fetch("SELECT part FROM person")
    assert [row["part"] for row in left] == ["owner"]
    told = await database.fetch("SELECT recipient FROM sms_message")
    assert {row["recipient"] for row in told} == {"", "+84912345678"}
    assert await database.fetchval("SELECT scope FROM erasure") == "recipient"


async def test_one_sees_all_that_is_kept_of_him_and_nobody_else_does(
    cast: Cast, database: Any, server: str
) -> None:
    await travel(cast, "delivered", recipient=SON)
    token = await token_of(database)
    await say_on_page(token, "owner", Wish.STOP, HOME)
    async with await visitor(cast.bob) as client:
        waybill = await database.fetchval("SELECT waybill FROM item LIMIT 1")
        await client.post(f"/items/{waybill}")
    async with await visitor(None) as client:
        path = f"/d/{token}/ask/data"
        form = forms((await client.get(path)).text, path)[0]
        sent = await client.post(path, data=form | {"part": "owner"})
        here = sent.headers["location"]
        number = here.rsplit("/", 1)[1]
        data = f"/d/{token}/data/{number}"
        # Before the code there is nothing to see.
        assert (await client.get(data)).headers["location"] == path
        form = forms((await client.get(here)).text, here)[0]
        done = await client.post(here, data=form | {"code": await texted(number)})
        assert done.status_code == 303
        page = await client.get(data)
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        for mine in (OWNER, "+84912345678", ADDRESS, "Cấp giấy phép xây dựng"):
            assert mine in page.text
        assert "clerk Bưu cục Long Xuyên: item" in page.text
        assert "Không nhận tin nhắn từ" in page.text
        # The other is named by initials; no code and no link of a text is shown.
        for theirs in (SON.name, "+84987654321", "0987"):
            assert theirs not in page.text
        slug = await database.fetchval("SELECT slug FROM dossier")
        assert slug not in page.text
        file = await client.get(f"{data}/download")
        assert file.headers["content-type"].startswith("application/json")
        assert {"name", "ten", "value"} == set(file.json()["you"][0])
        # The code is not told again to who only knows the address of the page.
        async with await visitor(None) as stranger:
            assert (await stranger.get(data)).status_code == 303
            shown = await stranger.get(here)
            form = {"_csrf_token": stranger.cookies["csrftoken"], "code": "000000"}
            wrong = await stranger.post(here, data=form)
            assert wrong.status_code == 403
            assert "own-data" not in stranger.cookies
            assert OWNER not in shown.text
    assert await database.fetchval("SELECT count(*) FROM citizen_request") == 1


async def test_counts_and_logins_are_forgotten_when_their_time_is_over(
    cast: Cast, database: Any
) -> None:
    await limits.knock(limits.PLACES, HOME)
    await order(cast)
    await scan(cast.alice, "DH473124829VN", Step.TAKEN, note="gọi 0912345678")
    assert "0912345678" in await everything(database)
    await erasing.sweep(datetime.now(UTC) + timedelta(days=MONTHS * 31 + 5))
    assert await database.fetchval("SELECT count(*) FROM tally") == 0
    assert "gọi 0912345678" not in await everything(database)
    # The refusal itself stays: its scan is answered alike.
    assert await database.fetchval("SELECT count(*) FROM refused_scan") == 1


def test_the_time_that_persons_are_kept_is_a_setting() -> None:
    assert settings().RETENTION_MONTHS == MONTHS
    moment = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    assert erasing.months_before(moment, 24).date() == date(2024, 11, 23)


async def test_the_share_of_the_satisfied_is_held_against_the_goal(
    cast: Cast, database: Any
) -> None:
    for at, stars in enumerate("54552"):
        await travel(cast, "delivered", code=f"H01.26-{at}")
        token = await database.fetchval("SELECT token FROM dossier ORDER BY id DESC")
        await sayings.rate(token, {"stars": stars, "line": f"lời {at}"}, HOME)
    found = await ratings.satisfaction(None, None, cast.dora)
    assert found.total.stars == (0, 1, 0, 1, 3)
    assert found.total.percent == 80
    assert found.goal == 90
    assert found.delivered == 5
    assert {line.line for line in found.lines} == {f"lời {n}" for n in range(5)}
    # What somebody wrote may name him: who audits sees the figures.
    assert (await ratings.satisfaction(None, None, cast.eve)).lines == []
    assert re.fullmatch("Bưu cục Long Xuyên", found.offices[0].office)
    with pytest.raises(NotAllowed):
        await ratings.satisfaction(None, None, cast.bob)
    with pytest.raises(BadInput):
        await ratings.satisfaction(date(2026, 2, 1), date(2026, 1, 1), cast.dora)
    empty = await ratings.satisfaction(date(2020, 1, 1), date(2020, 1, 2), cast.dora)
    assert empty.total.percent is None
