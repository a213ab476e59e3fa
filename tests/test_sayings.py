"""What a citizen says without a code: disputes, claims and ratings, within limits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from postal_track import sayings
from postal_track.complaints import Claimed
from postal_track.errors import BadInput, Conflict, NotFound, TooOften
from postal_track.limits import Limit
from tests.cast import Cast, travel, visitor
from tests.forms import fields

HOME = "192.0.2.1"


async def token_of(database: Any) -> str:
    token: str = await database.fetchval("SELECT token FROM dossier")
    return token


async def test_what_was_not_received_must_be_answered_for(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "delivered")
    token = await token_of(database)
    number = await sayings.dispute(token, "", HOME)
    case = await database.fetchrow("SELECT * FROM irregularity")
    assert case["kind"] == "disputed_delivery"
    assert case["owner"] == f"office:{cast.long_xuyen}"
    assert case["opened_by"] is None
    claim = await database.fetchrow("SELECT * FROM claim")
    assert (claim["number"], claim["kind"]) == (number, "loss")
    assert claim["irregularity"] == case["id"]
    text = await database.fetchrow(
        "SELECT * FROM sms_message WHERE template = 'S13_incident'"
    )
    assert number in text["body"]
    # What the ledger says stays; the page tells that it is being looked into.
    state = "SELECT stage FROM item WHERE waybill = $1"
    assert await database.fetchval(state, waybill) == "delivered"
    with pytest.raises(Conflict):
        await sayings.dispute(token, "", HOME)


async def test_a_dispute_said_twice_at_once_is_one(cast: Cast, database: Any) -> None:
    await travel(cast, "delivered")
    token = await token_of(database)
    said = await asyncio.gather(
        *(sayings.dispute(token, "Không ai đến", HOME) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, str) for each in said) == 1
    assert sum(isinstance(each, Conflict) for each in said) == 2
    assert await database.fetchval("SELECT count(*) FROM claim") == 1


async def test_nothing_is_disputed_or_rated_that_was_not_delivered(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "carried")
    token = await token_of(database)
    with pytest.raises(Conflict):
        await sayings.dispute(token, "", HOME)
    with pytest.raises(Conflict):
        await sayings.rate(token, {"stars": "5"}, HOME)
    with pytest.raises(NotFound):
        await sayings.rate("A" * 22, {"stars": "5"}, HOME)


async def test_a_claim_is_made_and_followed_on_the_page(
    cast: Cast, database: Any, server: str
) -> None:
    await travel(cast, "carried", days_ago=3)
    path = f"/d/{await token_of(database)}/say/claim"
    async with await visitor(None) as client:
        page = await client.get(path)
        form = fields(page.text, path)
        assert len(page.content) < 50 * 1024
        empty = await client.post(path, data=form | {"words": "Chậm quá"})
        assert empty.status_code == 422
        assert "Hãy chọn nội dung khiếu nại." in empty.text
        typed = form | {"kind": "delay", "words": "Chậm ba ngày"}
        done = await client.post(path, data=typed)
        assert done.status_code == 303
        number = await database.fetchval("SELECT number FROM claim")
        assert number in done.headers["location"]
        after = await client.get(done.headers["location"])
        assert number in after.text
        assert "Chờ quyết định" in after.text
        # What was said is for those who settle it, not for whoever has the link.
        assert "Chậm ba ngày" not in after.text
        again = await client.post(path, data=typed)
        assert again.status_code == 409
        foreign = await client.post(
            path, data=typed | {"waybill": "DH999999995VN", "kind": "loss"}
        )
        assert foreign.status_code == 404


async def test_a_dossier_is_rated_once_and_changed_within_a_day(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "delivered")
    token = await token_of(database)
    assert await sayings.rated(token) is None
    with pytest.raises(BadInput):
        await sayings.rate(token, {"stars": "6"}, HOME)
    await sayings.rate(token, {"stars": "2", "line": "Chậm"}, HOME)
    await sayings.rate(token, {"stars": "5", "line": "Nhanh"}, HOME)
    assert await sayings.rated(token) == sayings.Rated(5, open=True)
    assert await database.fetchval("SELECT count(*) FROM rating") == 1
    # The day passes: neither we nor anybody else changes it any more.
    async with database.transaction():
        await database.execute("ALTER TABLE rating DISABLE TRIGGER rating_within_a_day")
        await database.execute(
            "UPDATE rating SET said_at = now() - interval '25 hours'"
        )
        await database.execute("ALTER TABLE rating ENABLE TRIGGER rating_within_a_day")
    with pytest.raises(Conflict):
        await sayings.rate(token, {"stars": "1"}, HOME)
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute("UPDATE rating SET stars = 1")
    await database.execute("UPDATE rating SET line = ''")
    assert await sayings.rated(token) == sayings.Rated(5, open=False)


async def test_who_says_it_without_end_is_asked_to_wait(
    cast: Cast, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await travel(cast, "carried")
    token = await token_of(database)
    tight = Limit("sayings of a dossier", 1, timedelta(days=1))
    monkeypatch.setattr(sayings, "OF_A_DOSSIER", tight)
    waybill = await database.fetchval("SELECT waybill FROM item ORDER BY id DESC")
    said = (waybill, Claimed.DELAY, "Chậm", HOME)
    await sayings.claim(token, *said)
    with pytest.raises(TooOften):
        await sayings.claim(token, *said)
